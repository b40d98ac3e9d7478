"""``purge``: delete a rule, its cached images and their replicas."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import UserError
from ._console import Tally, complain, everywhere, progress, say, say_json
from ._options import CONFIG, AssumeRole, Concurrency, Config, Profile, chosen, complete_registries, registry_named
from ._usage import Command

if TYPE_CHECKING:
    from ..configuration import RegistryPlan
    from ..ecr.registry import EcrRegistry
    from ..operations.purging import Found, Purger


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(cls=Command)(purge)


def purge(
    prefix: Annotated[str, typer.Argument(metavar="PREFIX", help="Repository prefix of the rule.")],
    registry: Annotated[
        str,
        typer.Option(
            metavar="NAME", autocompletion=complete_registries, help="Registry of the configuration that has the rule."
        ),
    ],
    config: Config = CONFIG,
    yes: Annotated[bool, typer.Option("--yes", help="Delete. Default: only show what would be deleted.")] = False,
    keep_rule: Annotated[
        bool, typer.Option("--keep-rule", help="Delete the cached images only, and keep the rule.")
    ] = False,
    keep_used: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            help="Output of `inventory --output json`: keep repositories whose images run there; repeatable.",
            show_default=False,
        ),
    ] = None,
    include: Annotated[
        list[str] | None,
        typer.Option(
            metavar="REPOSITORY",
            help="Also delete this repository, even if the rule cannot be shown to have created it; repeatable.",
            show_default=False,
        ),
    ] = None,
    created_after: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="If the rule is already gone: delete repositories created after this time, such as 2026-01-31.",
            show_default=False,
        ),
    ] = None,
    concurrency: Concurrency = 8,
    profile: Profile = None,
    assume_role: AssumeRole = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one line of JSON for each repository.")] = False,
) -> None:
    """Delete a rule, its cached images and replicas.

    The rule goes last. If interrupted, run it again. Rewrite workloads back first: ecr-pull-through rewrite --reverse.

    Exit codes: 0 done or shown, 1 something is left that should be deleted, 2 the command could not be understood.

    Example: ecr-pull-through purge k8s --config environments/minimal.yaml --registry main
    """
    from ..images import check_prefix
    from ..operations.aws import Sessions
    from ..operations.purging import Purger, used_anywhere

    prefix = check_prefix(prefix)
    plans = chosen(config, None)
    plan = registry_named(config, plans, registry)
    given = None if created_after is None else _time(created_after)
    places = {str(place): place for place in _places(plans, plan, prefix)}
    used = used_anywhere(_used(keep_used or []), places)
    sessions = Sessions(profile=profile, assume_role=assume_role)

    def purger(place: EcrRegistry) -> Purger:
        return Purger(sessions.client("ecr", place.account, place.region))

    created = purger(plan.environment).rule_created(prefix)
    if (created or given) is None:
        raise UserError(
            f"{plan.environment} has no rule with the prefix {prefix!r}, so the repositories it created cannot be found; "
            "if the rule is already deleted, give --created-after with the time when it was created"
        )
    work = _Purge(
        prefix=prefix,
        created=created or given or datetime.max.replace(tzinfo=UTC),
        others=purger(plan.environment).rules_below(prefix),
        also=frozenset(include or ()),
        used=used,
        concurrency=concurrency,
        yes=yes,
        as_json=as_json,
        counts=Tally(),
    )
    with progress("repositories") as bar:

        def empty(name: str, *, again: bool = False) -> None:
            _empty(work, name, purger(places[name]), bar, again=again)

        unfinished = everywhere(places, empty)
        left = _left(work.counts["failed"] + work.counts["used"], unfinished)
        if left:
            complain(f"{left}; the rule stays, so that this can be run again")
            raise typer.Exit(1)
        if created is not None and not keep_rule:
            if yes:
                purger(plan.environment).delete_rule(prefix)
            work.say(str(plan.environment), f"rule {prefix}", "deleted" if yes else "would be deleted")
            if yes:
                # A pull in the meantime has imported its image again. Without the rule no further one does.
                unfinished = everywhere(places, partial(empty, again=True))
                left = _left(work.counts["failed"] + work.counts["used"], unfinished)
    if left:
        complain(f"{left}; run this again with --created-after {work.created.isoformat()}")
        raise typer.Exit(1)
    if not yes:
        complain("nothing was deleted; add --yes")


def _left(repositories: int, unfinished: list[str]) -> str:
    """Repositories that are left, and registries in which their number is unknown; empty for none."""
    parts = [f"{repositories} are left"] if repositories or not unfinished else []
    parts += [f"{', '.join(sorted(unfinished))} could not be finished"] if unfinished else []
    return " and ".join(parts) if repositories or unfinished else ""


@dataclass(frozen=True, kw_only=True)
class _Purge:
    """The repositories to delete, and the count of outcomes."""

    prefix: str
    created: datetime
    others: frozenset[str]
    also: frozenset[str]
    used: Mapping[tuple[str, str], str]
    concurrency: int
    yes: bool
    as_json: bool
    counts: Tally[str]

    def say(self, place: str, what: str, state: str, reason: str | None = None) -> None:
        """One line about one thing."""
        if self.as_json:
            say_json({"registry": place, "repository": what, "state": state, "reason": reason})
        elif reason is None:
            say(f"{place}: {what}: {state}")
        else:
            complain(f"{place}: {what}: {state}: {reason}")


def _places(plans: Mapping[str, RegistryPlan], plan: RegistryPlan, prefix: str) -> list[EcrRegistry]:
    """The registry and its replicas; one that pulls the same prefix through itself keeps what it has."""
    holders = {p.environment: prefix in p.pulled_through for p in plans.values()}
    return [*(to for to in plan.replicate_to if not holders.get(to, False)), plan.environment]


def _empty(work: _Purge, place: str, purger: Purger, bar: Any, *, again: bool) -> None:
    """Delete the repositories of one registry; the second time, what stays is not told again."""
    from ..operations.aws import SignedOut, Throttled
    from ..operations.parallel import in_order

    def delete(found: Found) -> tuple[Found, str, str | None]:
        if found.failed:
            return found, "failed", found.reason
        if not found.removable:
            return found, "left", found.reason
        user = work.used.get((place, found.repository))
        if user is not None:
            return found, "used", f"{user} uses it"
        if not work.yes:
            return found, "would be deleted", None
        try:
            purger.delete_repository(found.repository)
        except (SignedOut, Throttled):
            raise
        except UserError as error:
            return found, "failed", str(error)
        return found, "deleted", None

    listed = purger.find(
        work.prefix,
        work.created,
        others=work.others,
        also=work.also,
        threads=work.concurrency,
        on_progress=lambda *of: bar(place, *of),
    )
    for found, state, reason in in_order(delete, listed, threads=work.concurrency):
        work.counts.count(state)
        if not (again and state == "left"):
            work.say(place, found.repository, state, reason)


def _time(text: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise UserError(
            f"--created-after {text!r} is not a time, such as 2026-01-31 or 2026-01-31T12:00:00+00:00"
        ) from None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _used(files: list[Path]) -> dict[tuple[str, str], str]:
    """Map repositories to a workload that uses them, by account and Region and name: each registry has several hosts."""
    from ..images import EcrHost, ImageReference, InvalidImageReference

    users: dict[tuple[str, str], str] = {}
    for path in files:
        try:
            entries = json.loads(path.read_text(encoding="utf-8-sig"))
            if not isinstance(entries, list):
                raise ValueError("an inventory is a list")
            for entry in entries:
                where = next(iter(entry.get("where") or ()), "a workload")
                for image in filter(None, (entry["image"], entry.get("cached"))):
                    # What is not a reference at all is not pulled from here either.
                    with suppress(InvalidImageReference):
                        reference = ImageReference.parse(image)
                        registry = EcrHost.parse(reference.registry)
                        if registry is not None:
                            users[f"{registry.account}/{registry.region}", reference.repository] = where
        except OSError as error:
            raise UserError(f"{path}: {error.strerror}") from None
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
            raise UserError(f"{path}: this is not what `ecr-pull-through inventory --output json` prints") from None
    return users
