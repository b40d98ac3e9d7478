"""``init``: write a first configuration, from questions, options, or the Pods of a cluster."""

from __future__ import annotations

import os
import stat
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..admission import PolicyForm
from ..errors import UserError, did_you_mean
from ..images import REGIONS, Credentials, Upstream
from ._usage import Command

if TYPE_CHECKING:
    from ..configuration.drafting import ClusterDraft, Draft, PlaceDraft, UpstreamDraft
    from ..operations.proposing import Proposal


class Rewrite(StrEnum):
    """The form of the admission policy, or none."""

    CLUSTER_POLICY = PolicyForm.CLUSTER_POLICY.value
    MUTATING_POLICY = PolicyForm.MUTATING_POLICY.value
    MUTATING_ADMISSION_POLICY = PolicyForm.MUTATING_ADMISSION_POLICY.value
    NONE = "none"


_FORMS = tuple(form.value for form in Rewrite)
_DEFAULT_FORM = Rewrite.MUTATING_POLICY
_KUBECTL = "kubectl"
_DEFAULT_KIND = "managed-node-group"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(cls=Command)(init)


def init(
    file: Annotated[Path, typer.Argument(metavar="[FILE]", help="File to write, or - for standard output.")] = Path(
        "cache.yaml"
    ),
    account: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[NAME=]ACCOUNT",
            help="Account; the first is the registry's; repeatable.",
            show_default=False,
        ),
    ] = None,
    region: Annotated[
        str | None, typer.Option(metavar="REGION", help="Region of the registry.", show_default=False)
    ] = None,
    upstream: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[PREFIX=]HOST[/PART]", help="Upstream registry to cache; repeatable.", show_default=False
        ),
    ] = None,
    from_cluster: Annotated[
        str | None,
        typer.Option(
            metavar="SOURCE",
            help="Propose the upstreams of a cluster's images: kubectl, a file of `kubectl get pods -A -o json` or of "
            "`inventory --output json`, or - for standard input.",
            show_default=False,
        ),
    ] = None,
    context: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Context of the kubeconfig, for --from-cluster kubectl.", show_default=False),
    ] = None,
    replica: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[ACCOUNT/]REGION",
            help="Destination to replicate cached images to; repeatable.",
            show_default=False,
        ),
    ] = None,
    cluster: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME[=[ACCOUNT/]REGION]",
            help="Cluster. Default place: the registry's account and Region; repeatable.",
            show_default=False,
        ),
    ] = None,
    role: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[CLUSTER=]ROLE[:KIND]", help="Role of a cluster's nodes; repeatable.", show_default=False
        ),
    ] = None,
    rewrite: Annotated[
        Rewrite | None,
        typer.Option(
            help=f"Admission policy that rewrites images. Default: {_DEFAULT_FORM.value}.",
            show_default=False,
        ),
    ] = None,
    organization: Annotated[
        str | None,
        typer.Option(metavar="ID", help="Organization whose accounts may all pull.", show_default=False),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file.")] = False,
) -> None:
    """Write a first configuration.

    In a terminal it asks for the options that are not given.

    Example: ecr-pull-through init cache.yaml --account platform=111122223333 --region eu-west-1
    --upstream registry.k8s.io --cluster demo --role nodes
    """
    if str(file) != "-" and file.exists() and not force:
        raise UserError(f"{file} exists; give another name, or --force to overwrite it")
    proposal = _proposal(from_cluster, context)
    if proposal is not None:
        _show(proposal)
    answers = _Answers(
        accounts=account or [],
        region=region,
        upstreams=upstream or [],
        replicas=replica,
        clusters=cluster,
        roles=role or [],
        rewrite=rewrite.value if rewrite else None,
    )
    missing = [name for name, given in (("--account", account), ("--region", region)) if not given]
    if not upstream and proposal is None:
        missing.append("--upstream or --from-cluster")
    if missing and not sys.stdin.isatty():
        raise UserError(f"{' and '.join(missing)} must be given where there is no terminal to ask at")
    if missing:
        answers.ask(proposal)
    elif proposal is not None:
        answers.take(proposal)
    _write(file, answers.draft(proposal, organization), force=force)


@dataclass(kw_only=True)
class _Answers:
    """The answers so far, as they were typed. A list that is ``None`` was not asked for yet."""

    accounts: list[str]
    region: str | None
    upstreams: list[str]
    replicas: list[str] | None
    clusters: list[str] | None
    roles: list[str]
    rewrite: str | None
    notes: dict[str, str] = field(default_factory=dict)

    def take(self, proposal: Proposal) -> None:
        """Cache everything that runs and can be cached."""
        named = {_upstream_of(text).upstream.host for text in self.upstreams}
        self.upstreams += [host for host in proposal.upstreams if host not in named]
        self.notes = _notes(proposal)

    def ask(self, proposal: Proposal | None) -> None:
        """Ask at the terminal for what is not given."""
        if not self.accounts:
            self.accounts = [_ask("Account of the registry, 12 digits or NAME=12 digits", _account_of)]
        if self.region is None:
            here = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
            self.region = _ask("Region of the registry", _region_of, default=here if here in REGIONS else None)
        self._ask_for_upstreams(proposal)
        if self.replicas is None:
            answer = _ask("Copy cached images to these Regions too (with commas)", _each(_region_of), default="")
            self.replicas = _listed(answer)
        if self.clusters is None:
            self._ask_for_clusters()
        if self.clusters and self.rewrite is None:
            self.rewrite = _ask(
                f"Rewrite images at admission by ({', '.join(_FORMS)})", _form_of, default=_DEFAULT_FORM.value
            )

    def _ask_for_upstreams(self, proposal: Proposal | None) -> None:
        if self.upstreams:
            return
        if proposal is not None and proposal.upstreams:
            self.upstreams = [host for host in proposal.upstreams if typer.confirm(f"Cache {host}?", True, err=True)]
            self.notes = _notes(proposal)
        if self.upstreams:
            return
        typer.echo("ECR can pull through:", err=True)
        for known in Upstream.catalogue():
            needs = "" if known.credentials is not Credentials.REQUIRED else "  (needs a user name and a token)"
            typer.echo(f"  {known.host}{needs}", err=True)
        typer.echo("  NAME.azurecr.io and private ECR registries", err=True)
        answer = _ask("Cache these (with commas)", _each(_upstream_of), default=Upstream.KUBERNETES.host)
        self.upstreams = _listed(answer)

    def _ask_for_clusters(self) -> None:
        self.clusters = []
        for name in _listed(_ask("Clusters that pull (names, with commas; none yet is fine)", str, default="")):
            where = _ask(f"Region of {name}, or ACCOUNT/REGION", _place_of, default=self.region)
            self.clusters.append(f"{name}={where}")
            roles = _ask(f"Roles of the nodes of {name} (with commas; later is fine)", str, default="")
            self.roles += [f"{name}={role}" for role in _listed(roles)]

    def draft(self, proposal: Proposal | None, organization: str | None) -> Draft:
        """The answers, typed.

        :raises UserError: when one of them is none.
        """
        from ..configuration.drafting import Draft, PlaceDraft

        accounts = [_account_of(text) for text in self.accounts]
        names = {name: digits for name, digits in accounts if name}
        here = PlaceDraft(account=accounts[0][0] or accounts[0][1], region=_region_of(self.region or ""))
        clusters = [_cluster_of(text, here) for text in self.clusters or ()]
        form = _form_of(self.rewrite or _DEFAULT_FORM.value)
        return Draft(
            accounts=names,
            registry=here,
            upstreams=tuple(_upstream_of(text, self.notes) for text in self.upstreams),
            replicas=tuple(_place_at(text, here) for text in self.replicas or ()),
            clusters=tuple(_with_roles(clusters, self.roles)),
            organization=organization,
            rewrite=None if form == Rewrite.NONE.value else form,
            impossible=proposal.impossible if proposal else {},
        )


def _proposal(source: str | None, context: str | None) -> Proposal | None:
    if source is None:
        return None
    from ..operations.proposing import images_of, propose
    from ._sources import Cluster, text_of

    found = propose(images_of(text_of(None if source == _KUBECTL else source, Cluster(context=context))))
    if not found.upstreams:
        raise UserError(f"--from-cluster {source}: no image there comes from a registry that ECR can pull through")
    return found


def _show(proposal: Proposal) -> None:
    from ..configuration.drafting import count_of

    for host, images in proposal.upstreams.items():
        typer.echo(f"{host}: {count_of(images)}", err=True)
    for host, images in proposal.impossible.items():
        typer.echo(f"{host}: {count_of(images)}, which ECR cannot pull through", err=True)
    if proposal.in_ecr:
        typer.echo(f"private ECR registries: {count_of(proposal.in_ecr)}, left as they are", err=True)
    if proposal.unreadable:
        typer.echo(f"{proposal.unreadable} times what stands for an image is none", err=True)
    if proposal.pinned:
        typer.echo(
            f"{count_of(proposal.pinned)} pinned by digest: these stay with their upstream until `ecr-pull-through warm` "
            "has brought them",
            err=True,
        )


def _notes(proposal: Proposal) -> dict[str, str]:
    from ..configuration.drafting import count_of

    return {host: f"{count_of(images)} of the cluster" for host, images in proposal.upstreams.items()}


def _write(file: Path, draft: Draft, *, force: bool) -> None:
    from ..configuration.drafting import write

    if str(file) == "-":
        print(write(draft, path="FILE"), end="")
        return
    text = write(draft, path=str(file), schema=_schema(file))
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        _put(file, text.encode(), force=force)
    except FileExistsError:
        raise UserError(f"{file} exists; give another name, or --force to overwrite it") from None
    except OSError as error:
        raise UserError(f"{file}: {error.strerror}") from None
    print(f"{file} is written; its first lines list the next steps", file=sys.stderr)


def _put(file: Path, data: bytes, *, force: bool) -> None:
    """Write a file whole or not at all: what was there stays until all of the new one is on the disk.

    :raises OSError: when it cannot be written.
    """
    target = file.resolve()
    if force and target.exists() and not target.is_file():
        raise UserError(f"{file}: this is no file that can be overwritten; give another name")
    handle, name = tempfile.mkstemp(prefix=f".{target.name[:50]}.", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as out:
            out.write(data)
        Path(name).chmod(_mode_of(target))
        if not force and os.path.lexists(file):
            raise FileExistsError
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _mode_of(file: Path) -> int:
    """The mode that a file has, or that a new one gets."""
    if file.exists():
        return stat.S_IMODE(file.stat().st_mode)
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


def _schema(file: Path) -> str | None:
    """The way from the file to the schema, where that is a file of the same checkout."""
    from ..configuration.schema import schema_file

    schema, top = schema_file().resolve(), Path.cwd().resolve()
    if "site-packages" in schema.parts or not schema.is_relative_to(top) or not file.resolve().is_relative_to(top):
        return None
    return Path(os.path.relpath(schema, file.resolve().parent)).as_posix()


def _ask(question: str, check: Callable[[str], Any], *, default: str | None = None) -> str:
    """Ask until the answer passes; on standard error, because a configuration may go to standard output."""

    def checked(answer: str) -> str:
        try:
            check(answer.strip())
        except UserError as mistake:
            raise typer.BadParameter(str(mistake)) from None
        return answer.strip()

    answer = typer.prompt(question, default=default, value_proc=checked, err=True, show_default=bool(default))
    return str(answer)


def _each(check: Callable[[str], Any]) -> Callable[[str], list[Any]]:
    return lambda answer: [check(part) for part in _listed(answer)]


def _listed(answer: str) -> list[str]:
    return [part.strip() for part in answer.split(",") if part.strip()]


def _account_of(text: str) -> tuple[str, str]:
    """Name, if any, and digits."""
    name, _, digits = text.rpartition("=")
    if len(digits) != 12 or not (digits.isascii() and digits.isdigit()):
        raise UserError(f"{text!r} is not an account; write 12 digits, or NAME=12 digits")
    return name, digits


def _region_of(text: str) -> str:
    if text not in REGIONS:
        raise UserError(f"{text!r} is not a Region{did_you_mean(text, REGIONS)}; a Region is named like 'eu-west-1'")
    return text


def _form_of(text: str) -> str:
    if text not in _FORMS:
        raise UserError(f"--rewrite {text!r} is not known; allowed are {', '.join(_FORMS)}")
    return text


def _upstream_of(text: str, notes: Mapping[str, str] | None = None) -> UpstreamDraft:
    from dataclasses import replace

    from ..configuration.drafting import UpstreamDraft

    found = UpstreamDraft.of(text)
    return replace(found, note=(notes or {}).get(found.upstream.host, ""))


def _place_of(text: str) -> tuple[str, str]:
    """Account, if any, and Region."""
    account, _, region = text.rpartition("/")
    return account, _region_of(region)


def _place_at(text: str, default: PlaceDraft) -> PlaceDraft:
    from ..configuration.drafting import PlaceDraft

    account, region = _place_of(text)
    return PlaceDraft(account=account or default.account, region=region)


def _cluster_of(text: str, default: PlaceDraft) -> ClusterDraft:
    from ..configuration.drafting import ClusterDraft

    name, equals, where = text.partition("=")
    return ClusterDraft(name=name, place=_place_at(where, default) if equals else default)


def _with_roles(clusters: Iterable[ClusterDraft], roles: Iterable[str]) -> list[ClusterDraft]:
    from dataclasses import replace

    named: dict[str, dict[str, str]] = {cluster.name: {} for cluster in clusters}
    for text in roles:
        cluster, equals, rest = text.partition("=")
        if not equals or cluster not in named:
            if len(named) != 1:
                raise UserError(
                    f"--role {text!r} does not say whose it is; write CLUSTER=ROLE with one of "
                    f"{', '.join(named) or 'the clusters, which --cluster gives'}"
                )
            cluster, rest = next(iter(named)), text
        role, _, kind = rest.partition(":")
        named[cluster][role] = kind or _DEFAULT_KIND
    return [replace(cluster, roles=named[cluster.name]) for cluster in clusters]
