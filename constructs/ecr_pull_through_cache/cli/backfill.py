"""``backfill``: apply template settings, or replication, to existing repositories."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import UserError
from ._console import Tally, complain, everywhere, progress, say, say_json
from ._options import CONFIG, AssumeRole, Concurrency, Config, Profile, Registries, chosen
from ._usage import Command

if TYPE_CHECKING:
    from ..configuration import RegistryPlan
    from ..operations.backfilling import Backfiller, Change, Failed, Left
    from ..operations.replicating import Destination, ReplicationBackfiller


class Setting(StrEnum):
    """A setting that is overwritten only on request."""

    LIFECYCLE_POLICY = "lifecyclePolicy"
    IMAGE_TAG_MUTABILITY = "imageTagMutability"
    RESOURCE_TAGS = "resourceTags"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(cls=Command)(backfill)


def backfill(
    config: Config = CONFIG,
    registry: Registries = None,
    prefix: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PREFIX",
            help="Repository prefix of the configuration; repeatable. Default: all of them.",
            show_default=False,
        ),
    ] = None,
    replace: Annotated[
        list[Setting] | None,
        typer.Option(
            metavar="SETTING",
            help="Setting to overwrite even where it was customized: lifecyclePolicy, imageTagMutability or resourceTags; "
            "repeatable.",
            show_default=False,
        ),
    ] = None,
    replication: Annotated[
        bool,
        typer.Option(
            "--replication",
            help="Replicate existing images, instead of applying settings.",
        ),
    ] = False,
    no_wait: Annotated[
        bool, typer.Option("--no-wait", help="With --replication: start it without waiting for its end.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Make the changes. Default: only show them.")] = False,
    concurrency: Concurrency = 8,
    profile: Profile = None,
    assume_role: AssumeRole = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one line of JSON for each change.")] = False,
) -> None:
    """Apply template settings to existing repositories.

    ECR applies a creation template to new repositories only. Repository policies are merged by the Sid of their statements;
    other statements are kept. If interrupted, run it again.

    Exit codes: 0 done or shown, 1 something could not be done, 2 the command could not be understood.

    Example: ecr-pull-through backfill --config environments/minimal.yaml --prefix k8s
    """
    from ..operations.aws import Sessions

    if no_wait and not replication:
        raise UserError("--no-wait goes with --replication; give both, or neither")
    if replication and (prefix or replace):
        raise UserError("--replication replicates every image; leave --prefix and --replace out")
    plans = chosen(config, registry)
    # What others made templates for in the same registry is theirs.
    held = {name: tuple(_held(plan, prefix)) for name, plan in plans.items()}
    missing = sorted(set(prefix or ()).difference(*held.values()))
    if missing:
        known = sorted({known for plan in plans.values() for known in _held(plan, None)})
        raise UserError(f"{config}: there is no repository prefix {missing[0]!r}; there are {', '.join(known)}")
    sessions = Sessions(profile=profile, assume_role=assume_role)
    seen = _Seen(yes=yes, as_json=as_json)

    def ecr(name: str) -> object:
        place = plans[name].environment
        return sessions.client("ecr", place.account, place.region)

    with progress("replicated" if replication else "repositories") as bar:

        def settings(name: str) -> None:
            from ..operations.backfilling import Backfiller

            filler = Backfiller(ecr(name), replace=[setting.value for setting in replace or ()])
            if held[name]:
                _settings(name, filler, held[name], concurrency, seen, lambda *of: bar(name, *of))

        def images(name: str) -> None:
            from ..operations.replicating import ReplicationBackfiller

            _images(plans[name], ReplicationBackfiller(ecr(name)), seen, bar, wait=not no_wait)

        failed = everywhere(plans, images if replication else settings)
    seen.total(failed)
    if failed or seen.counts["failed"]:
        raise typer.Exit(1)


def _held(plan: RegistryPlan, prefixes: list[str] | None) -> list[str]:
    """The repository prefixes of a registry, of those that are given."""
    held = {*plan.pulled_through, *plan.pushed, *plan.replicated}
    return sorted(held.intersection(prefixes) if prefixes else held)


class _Seen:
    """Counts and prints what was shown, changed, left and failed."""

    def __init__(self, *, yes: bool, as_json: bool) -> None:
        self.yes = yes
        self._as_json = as_json
        self.counts = Tally[str]()
        self._settings = Tally[tuple[str, str]]()

    def change(self, registry: str, subject: str, what: str) -> None:
        """Print a change that was made, or would be."""
        self.counts.count("changes")
        self._settings.count((registry, what))
        if self._as_json:
            state = "made" if self.yes else "planned"
            say_json({"registry": registry, "repository": subject, "state": state, "what": what})
        else:
            say(f"{registry}: {subject}: {what}")

    def other(self, registry: str, subject: str, state: str, reason: str) -> None:
        """Print what was left as it is, or failed."""
        self.counts.count(state)
        if self._as_json:
            say_json({"registry": registry, "repository": subject, "state": state, "reason": reason})
        else:
            complain(f"{registry}: {subject}: {'left: ' if state == 'left' else ''}{reason}")

    def total(self, unfinished: list[str]) -> None:
        """Print the totals, and the registries that were not finished."""
        for (registry, what), count in sorted(self._settings.items()):
            complain(f"{registry}: {what}: {count}")
        done = "made" if self.yes else "to be made with --yes"
        more = f"; not finished: {', '.join(sorted(unfinished))}" if unfinished else ""
        complain(f"{self.counts['changes']} changes {done}, {self.counts['failed']} failed{more}")


def _settings(
    name: str,
    filler: Backfiller,
    prefixes: tuple[str, ...],
    threads: int,
    seen: _Seen,
    on_progress: Callable[[int, int], None],
) -> None:
    from ..operations.aws import SignedOut, Throttled
    from ..operations.backfilling import Change, Left
    from ..operations.parallel import in_order

    def apply(step: Change | Left | Failed) -> tuple[Change | Left | Failed, str | None]:
        try:
            if seen.yes and isinstance(step, Change):
                filler.apply(step)
        except (SignedOut, Throttled):
            raise
        except UserError as error:
            return step, str(error)
        return step, None

    steps = filler.plan(prefixes, threads=threads, on_progress=on_progress)
    for step, problem in in_order(apply, steps, threads=threads):
        if problem is not None and isinstance(step, Change):
            seen.other(name, step.repository, "failed", f"{step.what}: {problem}")
        elif isinstance(step, Change):
            seen.change(name, step.repository, step.what)
        else:
            seen.other(name, step.repository, "left" if isinstance(step, Left) else "failed", step.reason)


def _images(
    plan: RegistryPlan,
    filler: ReplicationBackfiller,
    seen: _Seen,
    bar: Callable[[str, int, int], None],
    *,
    wait: bool,
) -> None:
    """Start and follow the replication backfill to each destination at once."""
    from ..operations.replicating import Destination

    deployed = filler.destinations()
    wanted = [Destination(account=to.account, region=to.region) for to in plan.replicate_to]
    for missing in (to for to in wanted if to not in deployed):
        seen.other(plan.name, str(missing), "failed", "is not in the replication configuration; deploy it first")
    there = {f"{plan.name}: {to}": to for to in wanted if to in deployed}

    def work(name: str) -> None:
        to = there[name]
        if not seen.yes:
            seen.change(plan.name, str(to), f"replication backfill{_last(filler, to)}")
            return
        for state, line in _follow(filler, to, lambda *of: bar(name, *of), wait=wait):
            if state == "failed":
                seen.other(plan.name, str(to), state, line)
            else:
                seen.change(plan.name, str(to), line)

    for name in everywhere(there, work):
        seen.counts.count("failed")
        if seen.yes:
            complain(f"{name}: run this again to continue")


def _last(filler: ReplicationBackfiller, to: Destination) -> str:
    last = filler.latest(to)
    if last is None:
        return ""
    return f", which runs already ({last.status})" if last.running else f", again: the last one ended {last.status}"


def _follow(
    filler: ReplicationBackfiller, to: Destination, on_progress: Callable[[int, int], None], *, wait: bool
) -> Iterator[tuple[str, str]]:
    """Start a replication backfill and follow it to its end."""
    now = filler.start(to, on_wait=lambda: on_progress(0, 0))
    if not wait:
        yield "made", f"replication backfill {now.id}: {now.status}"
        return
    for now in filler.follow(now):  # noqa: B020 - what is followed is replaced by what it has become
        on_progress(now.completed + now.failed, now.total or 0)
    if now.status == "COMPLETE":
        yield "made", f"replication backfill {now.id}: {now.completed} of {now.total or 0} replicated"
    else:
        why = f" ({now.failure})" if now.failure else ""
        yield "failed", f"the replication backfill {now.id} ended {now.status}{why}; run this again"
    for image in filler.not_replicated(now):
        yield "failed", f"{image.image}: {image.reason}"
