"""Checks that compare several keys of a configuration."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import combinations
from typing import Any

from ..ecr import quotas, secrets
from ..ecr.registry import EcrRegistry
from ..ecr.statements import Importable, check_limits
from ..ecr.template_rules import DSSE, check_encryption
from ..errors import UserError
from ..images import (
    REGIONS,
    CachedUpstream,
    CacheMapping,
    is_account,
    is_new_region,
    overlaps,
    partition_name,
    partition_of,
)
from .layers import has_no_admission
from .models import Cluster, Document, Pull, Registry, Template, UpstreamRule
from .source import Place, Problem


def nearest(given: str, allowed: Iterable[str]) -> str:
    """``; did you mean 'x'?`` where something allowed is near, otherwise nothing."""
    near = difflib.get_close_matches(given, list(allowed), n=1, cutoff=0.6)
    return f" (did you mean {near[0]!r}?)" if near else ""


def _is_region(name: str) -> bool:
    """Whether a name is that of a Region, be it one that AWS may have opened later."""
    return name in REGIONS or is_new_region(name)


class Names:
    """Accounts and Regions, which a file may give names."""

    def __init__(self, accounts: Mapping[str, str], regions: Mapping[str, str], left_out: Iterable[Place] = ()) -> None:
        self._accounts = accounts
        self._regions = regions
        self._left_out = set(left_out)

    def account(self, given: str) -> str | None:
        """The 12 digits, ``None`` when there are none."""
        return given if is_account(given) else self._accounts.get(given)

    def region(self, given: str) -> str | None:
        """The Region, ``None`` when there is none."""
        region = self._regions.get(given, given)
        return region if _is_region(region) else None

    def _is_left_out(self, kind: str, given: str) -> bool:
        """Whether a name may be one of those that are wrong in themselves, and therefore not known here."""
        return (kind,) in self._left_out or (kind, given) in self._left_out

    def environment(self, of: Registry | Cluster) -> EcrRegistry | None:
        """Account and Region, ``None`` when one is not known."""
        account, region = self.account(of.account), self.region(of.region)
        return EcrRegistry(account=account, region=region) if account and region else None

    def problems(self, place: Place, of: Registry | Cluster) -> Iterator[Problem]:
        """Find mistakes in an account and a Region."""
        yield from self.account_problems((*place, "account"), of.account)
        if self.region(of.region) is None and not self._is_left_out("regions", of.region):
            allowed = [*self._regions, *REGIONS]
            yield Problem(
                place=(*place, "region"),
                message=f"{of.region!r} is not a Region{nearest(of.region, allowed)}; "
                "allowed are the names under 'regions' and Regions such as 'eu-west-1'",
            )

    def account_problems(self, place: Place, given: str) -> Iterator[Problem]:
        """Find mistakes in an account."""
        if self.account(given) is None and not self._is_left_out("accounts", given):
            listed = f" ({', '.join(sorted(self._accounts))})" if self._accounts else ""
            yield Problem(
                place=place,
                message=f"{given!r} is not an account{nearest(given, self._accounts)}; "
                f"allowed are the names under 'accounts'{listed} and 12 digits in quotes",
            )


def check(document: Document, left_out: Collection[Place] = ()) -> Iterator[Problem]:
    """Everything that is wrong between the parts of a document.

    :param document: the configuration.
    :param left_out: places of the parts that are wrong in themselves and therefore not in the document.
    """
    names = Names(document.accounts, document.regions, left_out)
    out_of_registries = {place for place in left_out if place[0] == "registries"}
    known = {*document.registries, *(str(place[1]) for place in out_of_registries if len(place) == 2)}
    for alias, region in document.regions.items():
        if not _is_region(region):
            yield Problem(
                place=("regions", alias),
                message=f"{region!r} is not a Region{nearest(region, REGIONS)}; a Region is named like 'eu-west-1'",
            )
    for name, registry in document.registries.items():
        yield from _registry(document, names, name, registry, known)
    for place, pull in _pulls(document):
        for number, account in enumerate(pull.accounts):
            yield from names.account_problems((*place, "accounts", number), account)
    if document.organization is None:
        yield from _organization(document)
    yield from _one_per_environment(document, names)
    if not any(len(place) == 2 or place[2] in ("upstreams", "replicateTo") for place in out_of_registries):
        yield from _purposeless(document)
    for name, cluster in document.clusters.items():
        yield from _cluster(document, names, name, cluster, known)


def _organization(document: Document) -> Iterator[Problem]:
    for place, pull in _pulls(document):
        if pull.organization:
            yield Problem(
                place=(*place, "organization"),
                message="the organization is let in, but not named; add 'organization: o-...' at the top",
                follows_from=(("organization",),),
            )


def _pulls(document: Document) -> Iterator[tuple[Place, Pull]]:
    """Every place that says who pulls, with what it says."""
    if document.defaults.pull is not None:
        yield ("defaults", "pull"), document.defaults.pull
    for name, registry in document.registries.items():
        if registry.pull is not None:
            yield ("registries", name, "pull"), registry.pull


def _registry(document: Document, names: Names, name: str, registry: Registry, known: set[str]) -> Iterator[Problem]:
    place: Place = ("registries", name)
    environment = names.environment(registry)
    yield from names.problems(place, registry)
    for prefix, rule in registry.upstreams.items():
        yield from _upstream((*place, "upstreams", prefix), prefix, rule, environment)
    yield from _number_of_rules(place, registry)
    for one, other in combinations(sorted(registry.upstreams), 2):
        if overlaps(one.rstrip("/"), other.rstrip("/")):
            yield Problem(
                place=(*place, "upstreams", other),
                message=f"the prefix {other!r} overlaps {one!r}; every upstream of a registry needs a prefix of its own",
            )
    yield from _allow_lists((*place, "upstreams"), registry)
    if environment is not None:
        for layers in _templates(document, name, registry):
            yield from _template(layers, environment)
    yield from _replication(document, names, name, registry, known)


def _allow_lists(place: Place, registry: Registry) -> Iterator[Problem]:
    rules, given = [], []
    for prefix, rule in registry.upstreams.items():
        try:
            rules.append(rule.cached(prefix))
            given.append(rule)
        except UserError:
            continue  # It is a problem of its own already.
    try:
        CacheMapping(registry="registry.example", rules=tuple(rules))
        check_limits(
            Importable(prefix=cached.repository_prefix, allow=cached.allow, known_only=rule.known_repositories_only)
            for cached, rule in zip(rules, given, strict=True)
        )
    except UserError as error:
        yield Problem(place=place, message=str(error))


def _number_of_rules(place: Place, registry: Registry) -> Iterator[Problem]:
    rules = sum(rule.mode == "pull-through" for rule in registry.upstreams.values())
    if rules > quotas.RULES.value:
        yield Problem(
            place=(*place, "upstreams"),
            message=f"{rules} upstreams are pulled through; allowed are {quotas.RULES.value} {quotas.RULES.name}, "
            "which AWS does not raise",
        )


def _upstream(place: Place, prefix: str, rule: UpstreamRule, environment: EcrRegistry | None) -> Iterator[Problem]:
    try:
        cached: CachedUpstream = rule.cached(prefix)
    except UserError as error:
        yield Problem(place=place, message=str(error))
        return
    if environment is None:
        return
    why = cached.upstream.why_not_pulled_through(account=environment.account, region=environment.region)
    if rule.mode == "pull-through" and why is not None:
        yield Problem(place=place, message=f"{why}; or write 'mode: push' and push the images there")
    for key, given in (("credentials", rule.credentials), ("deployedCredentials", rule.deployed_credentials)):
        if given is not None:
            yield from _secret((*place, key), given, environment, named=key == "credentials")


def _secret(place: Place, given: str, environment: EcrRegistry, *, named: bool) -> Iterator[Problem]:
    try:
        if named and not given.startswith("arn:"):
            secrets.check_name(given)
            return
        arn = secrets.check_complete_arn(given)
    except UserError as error:
        yield Problem(place=place, message=str(error))
        return
    if (arn.account, arn.region) != (environment.account, environment.region):
        yield Problem(
            place=place,
            message=f"the secret lies in {arn.account}/{arn.region}; "
            f"a rule reads secrets of its own account and Region, {environment}",
        )


Layer = tuple[Place, Template | None]
"""A template and its place; of several, the last one that gives a key holds."""


def _templates(document: Document, name: str, registry: Registry) -> Iterator[list[Layer]]:
    """The layers of every template that a registry gets."""
    place: Place = ("registries", name)
    common: list[Layer] = [
        (("defaults", "template"), document.defaults.template),
        ((*place, "template"), registry.template),
    ]
    receives = any(name in other.replicate_to for other in document.registries.values())
    if receives or registry.template is not None:
        yield common
    for prefix, rule in registry.upstreams.items():
        yield [*common, ((*place, "upstreams", prefix, "template"), rule.template)]


def _given(layers: list[Layer], field: str) -> tuple[Place, Any]:
    """The value of a key and where it is given; the place is empty where it is left to its default."""
    for place, template in reversed(layers):
        if template is not None and field in template.model_fields_set:
            return (*place, str(Template.model_fields[field].alias)), getattr(template, field)
    return (), Template.model_fields[field].get_default(call_default_factory=True)


def _template(layers: list[Layer], environment: EcrRegistry) -> Iterator[Problem]:
    at_key, key = _given(layers, "kms_key")
    at_type, encryption = _given(layers, "encryption_type")
    if encryption == DSSE:
        try:
            check_encryption(encryption, partition_name(environment.region))
        except UserError as error:
            yield Problem(place=at_type, message=f"{error} (the registry of {environment})")
    if key is not None and encryption == "AES256":
        yield Problem(place=at_key, message="an kmsKey is given with AES256; a key goes with KMS or KMS_DSSE")
    if key is not None:
        _, _, _, region, account, _ = key.split(":", 5)
        if (account, region) != (environment.account, environment.region):
            yield Problem(
                place=at_key,
                message=f"the key lies in {account}/{region}; repositories of {environment} need one of theirs",
            )
    yield from _exclusions(layers)


def _exclusions(layers: list[Layer]) -> Iterator[Problem]:
    at_setting, setting = _given(layers, "image_tag_mutability")
    at_filters, filters = _given(layers, "image_tag_mutability_exclusion_filters")
    if setting.endswith("_WITH_EXCLUSION") != bool(filters):
        yield Problem(
            place=max(at_setting, at_filters, key=len),
            message=f"imageTagMutability is {setting} and there are {len(filters)} imageTagMutabilityExclusionFilters; "
            "filters go with a setting that ends in _WITH_EXCLUSION, and it with them",
        )


def _replication(document: Document, names: Names, name: str, registry: Registry, known: set[str]) -> Iterator[Problem]:
    place: Place = ("registries", name, "replicateTo")
    if registry.replicate_to and not registry.upstreams:
        yield Problem(
            place=place,
            message="no upstreams are given, and replicas themselves are not replicated on",
            follows_from=(("registries", name, "upstreams"),),
        )
    if len(registry.replicate_to) > quotas.REPLICATION_DESTINATIONS.value:
        yield Problem(
            place=place,
            message=f"{len(registry.replicate_to)} destinations are given; "
            f"allowed are {quotas.REPLICATION_DESTINATIONS.value} {quotas.REPLICATION_DESTINATIONS.name}",
        )
    for number, target in enumerate(registry.replicate_to):
        at = (*place, number)
        if target not in known:
            yield _unknown_registry(at, target, known)
        elif target == name:
            yield Problem(place=at, message=f"{name} would replicate to itself; leave it out")
        elif target in registry.replicate_to[:number]:
            yield Problem(place=at, message=f"{target!r} is given twice")
        elif target in document.registries:
            yield from _replica(at, names, name, registry, target, document.registries[target])


def _replica(
    place: Place, names: Names, name: str, source: Registry, target: str, destination: Registry
) -> Iterator[Problem]:
    here, there = names.region(source.region), names.region(destination.region)
    if here and there and partition_of(here) != partition_of(there):
        yield Problem(place=place, message=f"ECR does not replicate from {here} to {there}, which is another partition")
    for prefix, rule in source.upstreams.items():
        other = destination.upstreams.get(prefix)
        if other is not None and (other.upstream, other.upstream_repository_prefix) != (
            rule.upstream,
            rule.upstream_repository_prefix,
        ):
            yield Problem(
                place=place,
                message=f"under {prefix!r} {target} caches {other.upstream}, but {name} would replicate {rule.upstream} there",
            )


def _unknown_registry(place: Place, given: str, known: Iterable[str]) -> Problem:
    return Problem(
        place=place,
        message=f"there is no registry {given!r}{nearest(given, known)}; there are {', '.join(sorted(known))}",
    )


def _one_per_environment(document: Document, names: Names) -> Iterator[Problem]:
    first: dict[EcrRegistry, str] = {}
    for name in sorted(document.registries):
        environment = names.environment(document.registries[name])
        if environment is None:
            continue
        if environment in first:
            yield Problem(
                place=("registries", name),
                message=f"{environment} is the registry {first[environment]!r} already; "
                "an account has one registry in a Region, so put the upstreams together",
            )
        first.setdefault(environment, name)


def _purposeless(document: Document) -> Iterator[Problem]:
    targets = {target for registry in document.registries.values() for target in registry.replicate_to}
    for name, registry in document.registries.items():
        if not registry.upstreams and name not in targets:
            yield Problem(
                place=("registries", name),
                message="holds nothing: it has no upstreams, and no registry names it under 'replicateTo'",
            )


def _cluster(document: Document, names: Names, name: str, cluster: Cluster, known: set[str]) -> Iterator[Problem]:
    place: Place = ("clusters", name)
    yield from names.problems(place, cluster)
    if cluster.registry not in known:
        yield _unknown_registry((*place, "registry"), cluster.registry, known)
    registry = document.registries.get(cluster.registry)
    region, there = names.region(cluster.region), names.region(registry.region) if registry else None
    if region and there:
        if partition_of(region) != partition_of(there):
            yield Problem(
                place=(*place, "registry"),
                message=f"{cluster.registry} lies in {there}, another partition than {region}; "
                "its nodes cannot sign in there, so give the partition a registry of its own",
            )
        elif cluster.endpoints is not None and region != there:
            yield Problem(
                place=(*place, "endpoints"),
                message=f"VPC endpoints in {region} reach the ECR of {region} alone, and {cluster.registry} lies in {there}; "
                f"pull from a registry in {region}",
            )
    twice = sorted({nodes.role for nodes in cluster.nodes if [n.role for n in cluster.nodes].count(nodes.role) > 1})
    for role in twice:
        yield Problem(place=(*place, "nodes"), message=f"the role {role!r} is given twice")
    if cluster.rewrite is not None and has_no_admission(cluster):
        yield Problem(
            place=(*place, "rewrite"),
            message="tasks of ECS pass no admission, so no policy can rewrite their images; leave it out, and write the images "
            "with the cache's host (ecr-pull-through image) or use the aspect RewriteImages",
        )
