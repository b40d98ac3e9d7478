"""A first configuration, written from a few answers, with comments that say what each part is for and what to do next."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import yaml

from ..errors import UserError
from ..images import Credentials, Upstream, check_prefix, is_account
from .loading import parse
from .source import ConfigurationError

_MAIN = "main"


@dataclass(frozen=True, kw_only=True)
class UpstreamDraft:
    """One upstream registry to be cached.

    :param upstream: the upstream registry.
    :param part: the part of it to cache, ``None`` for all of it.
    :param prefix: repository prefix; named after the upstream if left out.
    :param note: what a comment says about it.
    :raises UserError: when ECR would refuse a prefix.
    """

    upstream: Upstream
    part: str | None = None
    prefix: str = ""
    note: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "prefix", check_prefix(self.prefix or name_of(self.upstream)))
        if self.part is not None:
            object.__setattr__(self, "part", check_prefix(self.part))

    @classmethod
    def of(cls, text: str, *, note: str = "") -> UpstreamDraft:
        """Read ``HOST``, ``HOST/PART``, ``PREFIX=HOST`` or ``PREFIX=HOST/PART``.

        :raises UserError: when it is none of these, or ECR cannot pull through from there.
        """
        prefix, equals, where = text.rpartition("=")
        host, _, part = where.partition("/")
        if not host or (equals and not prefix):
            raise UserError(f"{text!r} is not an upstream; write HOST or PREFIX=HOST, such as k8s=registry.k8s.io")
        return cls(upstream=Upstream.from_host(host), part=part or None, prefix=prefix, note=note)


@dataclass(frozen=True, kw_only=True)
class PlaceDraft:
    """An account in a Region.

    :param account: name of an account of the draft, or 12 digits.
    :param region: for example ``eu-west-1``.
    """

    account: str
    region: str


@dataclass(frozen=True, kw_only=True)
class ClusterDraft:
    """A cluster that pulls.

    :param name: its name.
    :param place: where it is.
    :param roles: the kind of nodes by the name of the role, for example ``{"nodes": "managed-node-group"}``.
    """

    name: str
    place: PlaceDraft
    roles: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Draft:
    """The answers that a configuration is written from.

    :param accounts: 12 digits by name; an account need not have a name.
    :param registry: where images are cached.
    :param upstreams: what is cached there.
    :param replicas: where cached images are copied to.
    :param clusters: what pulls.
    :param organization: id of the organisation all of whose accounts may pull.
    :param rewrite: form of the admission policy, ``None`` for none.
    :param impossible: images by host that run today and that ECR cannot cache.
    """

    accounts: Mapping[str, str]
    registry: PlaceDraft
    upstreams: tuple[UpstreamDraft, ...]
    replicas: tuple[PlaceDraft, ...] = ()
    clusters: tuple[ClusterDraft, ...] = ()
    organization: str | None = None
    rewrite: str | None = None
    impossible: Mapping[str, int] = field(default_factory=dict)


def name_of(upstream: Upstream) -> str:
    """A short name for an upstream, from the API's own: a repository prefix, and the name of its secret."""
    if upstream.account and upstream.region:
        return f"{upstream.account}-{upstream.region}"
    short = upstream.name.removesuffix("-container-registry")
    if any(upstream.url == known.url for known in Upstream.catalogue()):
        return short
    return f"{short}-{upstream.url.partition('.')[0]}"[:30]


def write(draft: Draft, *, path: str, schema: str | None = None) -> str:
    """The configuration as YAML, with comments.

    :param draft: the answers.
    :param path: where the file will lie, as the commands in its comments name it.
    :param schema: where an editor finds the schema, relative to the file.
    :raises UserError: when the answers do not make a configuration; the message says which and why.
    """
    _check_names(draft)
    text = "\n".join(_Writer(draft, path, schema).lines()) + "\n"
    try:
        parse(text)
    except ConfigurationError as error:
        wrong = [line.split(": ", 1)[1] for line in str(error).splitlines()]
        raise UserError("; ".join(dict.fromkeys(wrong))) from None
    return text


def _check_names(draft: Draft) -> None:
    """Refuse what could not stand in one mapping of the file."""
    seen: dict[str, str] = {}
    for rule in draft.upstreams:
        if rule.prefix in seen:
            raise UserError(
                f"{seen[rule.prefix]} and {_host_of(rule)} would both be cached under {rule.prefix!r}; "
                "give one of them a prefix of its own: PREFIX=HOST"
            )
        seen[rule.prefix] = _host_of(rule)
    names = [cluster.name for cluster in draft.clusters]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UserError(f"the cluster {twice[0]!r} is given twice; every cluster needs a name of its own")
    registries = [draft.registry, *draft.replicas]
    for place in registries:
        if registries.count(place) > 1:
            raise UserError(f"{place.account}/{place.region} is given twice; an account has one registry in a Region")


class _Writer:
    def __init__(self, draft: Draft, path: str, schema: str | None) -> None:
        self._draft = draft
        self._path = shlex.quote(path)
        self._schema = schema
        self._names = {
            place: place.region if place.account == draft.registry.account else f"{place.region}-{place.account}"
            for place in draft.replicas
        }
        self._names[draft.registry] = _MAIN
        self._pulls_from = {cluster.name: self._registry_of(cluster) for cluster in draft.clusters}

    def lines(self) -> Iterator[str]:
        if self._schema:
            yield f"# yaml-language-server: $schema={self._schema}"
        yield from self._head()
        draft = self._draft
        if draft.accounts:
            yield from ("", "# Names for accounts; the rest of this file uses them.", "accounts:")
            for name, account in draft.accounts.items():
                yield f'  {_scalar(name)}: "{account}"'
        if draft.organization:
            yield from ("", "# All accounts of this organisation may pull from the registries below.")
            yield f"organization: {_scalar(draft.organization)}"
        yield from (
            "",
            "defaults:",
            "  template:",
            "    imageTagMutability: MUTABLE # ECR refreshes cached tags by moving them",
            "",
            "registries:",
        )
        yield from self._registry(_MAIN, draft.registry)
        for place in draft.replicas:
            yield ""
            yield from self._registry(self._names[place], place)
        if draft.clusters:
            yield from ("", "clusters:")
            for number, cluster in enumerate(draft.clusters):
                yield from ("",) if number else ()
                yield from self._cluster(cluster)

    def _head(self) -> Iterator[str]:
        yield "# Which registries cache what, and which clusters pull from them. Written by `ecr-pull-through init`; it is yours."
        yield "#"
        yield "# What to do next:"
        for number, step in enumerate(self._steps(), start=1):
            first, *rest = step.splitlines()
            yield f"# {number}. {first}"
            yield from (f"#    {line}" for line in rest)
        if self._draft.impossible:
            listed = ", ".join(f"{host} ({count_of(n)})" for host, n in self._draft.impossible.items())
            yield "#"
            yield f"# Not cached, because ECR has no such upstream: {listed}."
            yield "# Copy these into a repository of your own, or take the same software from a registry that is cached."

    def _steps(self) -> Iterator[str]:
        yield f"See what would be deployed where:\n  ecr-pull-through describe --config {self._path}"
        yield (
            f"Write the templates and deploy them. The first command names the accounts and Regions to bootstrap before:\n"
            f"  ecr-pull-through synth --config {self._path}\n"
            f"  npx aws-cdk@2 deploy --all --app cdk.out"
        )
        secrets = sorted({name_of(rule.upstream) for rule in self._draft.upstreams if self._needs_secret(rule)})
        if secrets:
            commands = "".join(
                f"\n  in {place.account}, {place.region}:"
                + "".join(
                    f"\n    aws secretsmanager put-secret-value --region {place.region} \\"
                    f"\n      --secret-id ecr-pullthroughcache/{name} --secret-string file://credentials.json"
                    for name in secrets
                )
                for place in self._caching
            )
            yield (
                "Write the tokens that ECR signs in with into the secrets that this made; until then nothing of these\n"
                'upstreams is pulled. credentials.json is {"username": "...", "accessToken": "..."}, and is then deleted.'
                + commands
            )
        if self._draft.rewrite and self._draft.clusters:
            yield "Give each cluster its admission policy:" + "".join(
                f"\n  ecr-pull-through policy --config {self._path} --cluster {cluster.name} | kubectl apply -f -"
                for cluster in self._draft.clusters
            )
        if self._draft.upstreams:
            yield (
                "Prove a pull, from here and from a cluster:\n"
                f"  ecr-pull-through try IMAGE --config {self._path}{self._selected}\n"
                f"  ecr-pull-through try IMAGE --pod --config {self._path}{self._selected} | kubectl apply -f -"
            )
        yield f"Compare what is deployed with this file, now and later:\n  ecr-pull-through check --config {self._path}"

    @property
    def _selected(self) -> str:
        """The option that selects a registry, where one is needed."""
        return "" if len(self._draft.clusters) == 1 else f" --registry {_MAIN}"

    @property
    def _caching(self) -> list[PlaceDraft]:
        """The registries that pull through."""
        caching = {_MAIN, *self._pulls_from.values()}
        return [place for place in (self._draft.registry, *self._draft.replicas) if self._names.get(place) in caching]

    def _registry_of(self, cluster: ClusterDraft) -> str:
        """The registry of the cluster's own Region if there is one, in its own account if there are several."""
        here = [
            place for place in (self._draft.registry, *self._draft.replicas) if place.region == cluster.place.region
        ]
        here.sort(key=lambda place: place.account != cluster.place.account)
        return self._names[here[0]] if here else _MAIN

    def _registry(self, name: str, place: PlaceDraft) -> Iterator[str]:
        main = name == _MAIN
        if main:
            yield "  # Pulls from the upstreams, keeps what it pulled, and asks them again once a day at most."
        elif place in self._caching:
            yield "  # Receives what is cached above, and pulls through itself, since clusters of its Region pull from it."
        else:
            yield "  # Receives what is cached above. It cannot import: what was never pulled there does not exist here."
        yield f"  {_scalar(name)}:"
        yield f"    account: {_account(place.account)}"
        yield f"    region: {_scalar(place.region)}"
        if place in self._caching:
            yield "    upstreams: # by repository prefix: what images here begin with"
            for rule in self._draft.upstreams:
                yield from self._upstream(rule, place)
            if all(self._pulls_through(rule, place) for rule in self._draft.upstreams):
                yield "    template:"
                yield "      # Days after the import; ECR cannot count from the last pull. The next pull by tag imports it again."
                yield "      lifecyclePolicy: { expireAfterDays: 90 }"
        if main and self._draft.replicas:
            yield "    replicateTo:"
            yield from (f"      - {_scalar(self._names[to])}" for to in self._draft.replicas)
        if self._draft.organization:
            yield from ("    pull:", "      organization: true")

    def _upstream(self, rule: UpstreamDraft, place: PlaceDraft) -> Iterator[str]:
        note = f" # {rule.note}" if rule.note else ""
        key = f"      {_scalar(rule.prefix)}:"
        copied = not self._pulls_through(rule, place)
        if not copied and not self._needs_secret(rule) and rule.part is None:
            yield f"{key} {_scalar(rule.upstream.host)}{note}"
            return
        yield f"{key}{note}"
        yield f"        upstream: {_scalar(rule.upstream.host)}"
        if rule.part is not None:
            yield f"        upstreamRepositoryPrefix: {_scalar(rule.part)} # this part of it alone"
        if copied:
            yield "        mode: push # ECR cannot pull through here; push the images, and repositories get their settings"
        elif self._needs_secret(rule):
            secret = name_of(rule.upstream)
            yield f"        credentials: {_scalar(secret)} # makes the secret ecr-pullthroughcache/{secret}; see step 3"

    def _pulls_through(self, rule: UpstreamDraft, place: PlaceDraft) -> bool:
        """Whether AWS says that ECR pulls the upstream through there; a first configuration holds nothing that is unverified."""
        return (
            rule.upstream.why_not_pulled_through(account=self._account_of(place), region=place.region) is None
            and rule.upstream.unverified_in(place.region) is None
        )

    def _account_of(self, place: PlaceDraft) -> str:
        return self._draft.accounts.get(place.account, place.account)

    def _needs_secret(self, rule: UpstreamDraft) -> bool:
        return rule.upstream.credentials is Credentials.REQUIRED and self._pulls_through(rule, self._draft.registry)

    def _cluster(self, cluster: ClusterDraft) -> Iterator[str]:
        yield f"  {_scalar(cluster.name)}:"
        yield f"    account: {_account(cluster.place.account)}"
        yield f"    region: {_scalar(cluster.place.region)}"
        yield f"    registry: {_scalar(self._pulls_from[cluster.name])}"
        if cluster.roles:
            yield "    nodes: # roles of this account that exist already; they get the permission to pull"
            for role, kind in cluster.roles.items():
                yield f"      - role: {_scalar(role)}"
                yield f"        kind: {_scalar(kind)}"
        else:
            yield "    nodes: [] # the policy is made and not attached; list your node roles: - role: NAME"
        # Tasks of ECS pass no admission, so nothing could rewrite their images.
        only_ecs = bool(cluster.roles) and set(cluster.roles.values()) == {"ecs"}
        if self._draft.rewrite and not only_ecs:
            yield "    rewrite:"
            yield f"      form: {_scalar(self._draft.rewrite)} # the policy that sends the images of Pods to the cache"
            yield "      failurePolicy: Ignore # Pods start with the image as written while the policy cannot be asked"


def count_of(images: int) -> str:
    """``1 image``, ``2 images``."""
    return f"{images} image{'' if images == 1 else 's'}"


def _host_of(rule: UpstreamDraft) -> str:
    return f"{rule.upstream.host}/{rule.part}" if rule.part else rule.upstream.host


def _account(given: str) -> str:
    return f'"{given}"' if is_account(given) else _scalar(given)


def _scalar(text: str) -> str:
    """A text as a YAML scalar, in quotes where YAML would read something else."""
    return yaml.safe_dump(text, width=10_000, allow_unicode=True).removesuffix("\n").removesuffix("\n...")
