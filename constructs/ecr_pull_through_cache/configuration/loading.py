"""From a file to a resolved configuration, or to everything that is wrong with it."""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from .checks import Names, check, nearest
from .day_two import check_day_two, with_images
from .models import Cluster, Document, Registry, Template, UpstreamRule
from .plan import CachePlan, ClusterPlan, Configuration, Environment, RegistryPlan
from .source import Place, Problem, Source


def load(path: str | Path) -> Configuration:
    """Read a configuration file.

    :param path: the YAML file.
    :raises ConfigurationError: everything that is wrong with it, each with its line and key path.
    """
    return resolve(Source.read(Path(path)))


def parse(text: str, *, name: str = "configuration") -> Configuration:
    """Read a configuration from a text.

    :param text: YAML.
    :param name: what errors call it.
    :raises ConfigurationError: everything that is wrong with it, each with its line and key path.
    """
    return resolve(Source.parse(text, name=name))


def resolve(source: Source) -> Configuration:
    """Validate a document and work out what follows from it.

    :raises ConfigurationError: everything that is wrong with it.
    """
    try:
        document = Document.model_validate(source.data)
        problems = [*check(document), *check_day_two(document, source.folder)]
    except ValidationError as error:
        problems = [_problem(details) for details in error.errors(include_url=False)]
        remaining, broken = _salvage(source.data, {p.place for p in problems})
        if remaining:
            problems += [*check(remaining, broken), *check_day_two(remaining, source.folder)]
    if problems:
        raise source.error(problems)
    return _Resolver(document, source.folder).configuration()


def _problem(details: Mapping[str, Any]) -> Problem:
    place = tuple(part for part in details["loc"] if part != "[key]")
    given = details.get("input")
    kind = details["type"]
    if kind == "extra_forbidden":
        allowed = _keys_at(place[:-1])
        key = str(place[-1])
        message = f"is not a key here{nearest(key, allowed)}; allowed are {', '.join(allowed)}"
    elif kind == "missing":
        message = "is missing"
    elif kind == "value_error":
        message = str(details["ctx"]["error"])
    elif kind == "string_pattern_mismatch":
        message = f"{given!r} does not look like {_PATTERNS.get(details['ctx']['pattern'], details['ctx']['pattern'])}"
    elif "expected" in (details.get("ctx") or {}):
        message = f"{given!r} is not allowed; allowed are {details['ctx']['expected']}"
    else:
        shown = repr(given) if isinstance(given, str | int | float | bool | None) else f"a {type(given).__name__}"
        message = f"{details['msg'][0].lower()}{details['msg'][1:]}, given {shown}"
    return Problem(place=place, message=message)


_PATTERNS = {
    r"^[a-z][a-z0-9-]{0,62}$": "a name: at most 63 lower-case letters, digits and '-', beginning with a letter",
    r"^[0-9]{12}$": "an account: 12 digits in quotes",
    r"^o-[a-z0-9]{10,32}$": "the id of an organisation: 'o-' and 10 to 32 lower-case letters and digits",
    r"^[a-zA-Z0-9_+=,.@-]{1,64}$": "the name of a role: at most 64 letters, digits and '_+=,.@-', without its path",
    r"^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+$": "the ARN of a KMS key: 'arn:aws:kms:REGION:ACCOUNT:key/ID'",
    r"^arn:[a-z-]+:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]+(\.fifo)?$": "the ARN of a topic: 'arn:aws:sns:REGION:ACCOUNT:NAME'",
    r"^(rate\([1-9][0-9]* (hours?|days?)\)|cron\(\S+( \S+){5}\))$": "a schedule: 'rate(6 hours)' or 'cron(0 3 * * ? *)'",
    r"^vpc-[0-9a-f]{8,17}$": "the id of a VPC: 'vpc-' and hexadecimal digits",
    r"^subnet-[0-9a-f]{8,17}$": "the id of a subnet: 'subnet-' and hexadecimal digits",
    r"^rtb-[0-9a-f]{8,17}$": "the id of a route table: 'rtb-' and hexadecimal digits",
    r"^[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+/[0-9]+$": "an address range: '10.0.0.0/16'",
}


def _keys_at(place: Place) -> list[str]:
    """The keys that are allowed at a place of the document."""
    at: Any = Document
    for part in place:
        at = _bare(at)
        if isinstance(at, type) and issubclass(at, BaseModel):
            at = next(f.annotation for name, f in at.model_fields.items() if (f.alias or name) == part)
        else:
            at = typing.get_args(at)[1 if typing.get_origin(at) is dict else 0]
    return sorted(field.alias or name for name, field in _bare(at).model_fields.items())


def _bare(annotation: Any) -> Any:
    """The ``X`` of ``Annotated[X, …]`` and ``X | None``."""
    while typing.get_origin(annotation) in (types.UnionType, typing.Union, typing.Annotated):
        annotation = typing.get_args(annotation)[0]
    return annotation


def _salvage(data: Any, wrong: set[Place]) -> tuple[Document | None, set[Place]]:
    """The document without the named parts that are wrong in themselves, so that the rest is checked too."""
    if not isinstance(data, dict):
        return None, set()
    kept: dict[str, Any] = {}
    bad = {place[:2] for place in wrong}
    for key, value in data.items():
        if key in ("registries", "clusters", "accounts", "regions") and isinstance(value, dict):
            kept[key] = {name: part for name, part in value.items() if (key, name) not in bad}
        elif not any(place[:1] == (key,) for place in wrong):
            kept[key] = value
    try:
        return Document.model_validate(kept), bad
    except ValidationError:
        return None, bad


class _Resolver:
    def __init__(self, document: Document, folder: Path) -> None:
        self._document = document
        self._folder = folder
        self._names = Names(document.accounts, document.regions)

    def configuration(self) -> Configuration:
        registries = {name: self._registry(name) for name in sorted(self._document.registries)}
        clusters = {
            name: self._cluster(name, cluster, registries) for name, cluster in sorted(self._document.clusters.items())
        }
        return Configuration(registries=registries, clusters=clusters, tags=dict(self._document.tags))

    def _environment(self, of: Registry | Cluster) -> Environment:
        environment = self._names.environment(of)
        if environment is None:
            raise AssertionError("names are checked before")
        return environment

    def _registry(self, name: str) -> RegistryPlan:
        registry = self._document.registries[name]
        template = _merged(self._document.defaults.template, registry.template)
        sources = [other for other in self._document.registries.values() if name in other.replicate_to]
        own = {
            prefix.rstrip("/"): (rule, self._cache(prefix, rule, template))
            for prefix, rule in registry.upstreams.items()
        }
        replicated = {
            prefix.rstrip("/"): CachePlan(cached=rule.cached(prefix), template=template)
            for source in sources
            for prefix, rule in source.upstreams.items()
            if prefix.rstrip("/") not in own
        }
        environment = self._environment(registry)
        pulls, imports = self._accounts(name, registry, environment)
        return RegistryPlan(
            name=name,
            environment=environment,
            pulled_through={prefix: plan for prefix, (rule, plan) in own.items() if rule.mode == "pull-through"},
            pushed={prefix: plan for prefix, (rule, plan) in own.items() if rule.mode == "push"},
            replicated=replicated,
            sources=tuple(sorted((self._environment(source) for source in sources), key=str)),
            replicate_to=tuple(
                sorted((self._environment(self._document.registries[to]) for to in registry.replicate_to), key=str)
            ),
            template=template,
            pull_accounts=pulls,
            import_accounts=imports,
            organization=self._document.organization if registry.pull.organization else None,
            scan_type=registry.scan_type,
            warm=with_images(registry.warm, self._folder) if registry.warm else None,
            backfill=registry.backfill,
            dashboard=registry.dashboard,
            empty_on_delete=registry.empty_on_delete,
            accept_unverified=registry.accept_unverified,
        )

    def _cache(self, prefix: str, rule: UpstreamRule, template: Template) -> CachePlan:
        return CachePlan(
            cached=rule.cached(prefix),
            template=_merged(template, rule.template),
            credentials=rule.credentials,
            deployed_credentials=rule.deployed_credentials,
            role=rule.role,
        )

    def _accounts(
        self, name: str, registry: Registry, environment: Environment
    ) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Other accounts that pull from a registry, and those of them that may import."""
        listed = {self._names.account(account) or account for account in registry.pull.accounts}
        pulls, imports = set(listed), set(listed)
        for cluster in self._document.clusters.values():
            if cluster.registry == name:
                account = self._environment(cluster).account
                pulls.add(account)
                imports.update([account] if cluster.import_ else [])
        own = {environment.account}
        return tuple(sorted(pulls - own)), tuple(sorted(imports - own))

    def _cluster(self, name: str, cluster: Cluster, registries: Mapping[str, RegistryPlan]) -> ClusterPlan:
        return ClusterPlan(
            name=name,
            environment=self._environment(cluster),
            registry=registries[cluster.registry],
            nodes=tuple(sorted(cluster.nodes, key=lambda nodes: nodes.role)),
            imports=cluster.import_,
            prepopulated=cluster.prepopulated,
            rewrite=_or_default(cluster, self._document),
            endpoints=cluster.endpoints,
        )


def _or_default(cluster: Cluster, document: Document) -> Any:
    if cluster.rewrite is None or document.defaults.rewrite is None:
        return cluster.rewrite or document.defaults.rewrite
    return _layered(document.defaults.rewrite, cluster.rewrite)


def _merged(*layers: Template | None) -> Template:
    merged = Template()
    for layer in layers:
        if layer is not None:
            merged = _layered(merged, layer)
    return merged


def _layered(below: Any, above: Any) -> Any:
    """One model over another: what is given above wins, key by key."""
    return below.model_copy(update={name: getattr(above, name) for name in above.model_fields_set})
