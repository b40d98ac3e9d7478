"""From a file to a resolved configuration, or to everything that is wrong with it."""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

from ..ecr.registry import EcrRegistry
from ..errors import UserError
from .checks import Names, check
from .day_two import check_day_two, with_images
from .expectation import check_policy_sizes
from .layers import merged_rewrite, merged_template
from .models import Cluster, Document, Registry
from .plan import CachePlan, ClusterPlan, Configuration, Downstream, RegistryPlan
from .pulling import pulling
from .sound import read
from .source import Problem, Source


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
    """Validate a document and resolve it.

    :raises ConfigurationError: everything that is wrong with it.
    """
    sound = read(source.data)
    problems = [*source.problems, *sound.problems]
    if sound.document is not None:
        found = [*check(sound.document, sound.left_out), *check_day_two(sound.document, source.folder)]
        problems += [problem for problem in found if sound.is_certain(problem)]
        resolver = _Resolver(sound.document, source.folder)
        problems += resolver.policies_that_are_too_long()
    if problems or sound.document is None:
        raise source.error(problems)
    return resolver.configuration()


class _Resolver:
    def __init__(self, document: Document, folder: Path) -> None:
        self._document = document
        self._folder = folder
        self._names = Names(document.accounts, document.regions)
        self._pulling = pulling(document, self._names)

    def configuration(self) -> Configuration:
        registries = {name: self._registry(name) for name in sorted(self._document.registries)}
        clusters = {
            name: self._cluster(name, cluster, registries) for name, cluster in sorted(self._document.clusters.items())
        }
        return Configuration(registries=registries, clusters=clusters, tags=dict(self._document.tags))

    def _environment(self, of: Registry | Cluster) -> EcrRegistry:
        environment = self._names.environment(of)
        if environment is None:
            raise LookupError(f"{of.account} or {of.region} is not known")
        return environment

    def policies_that_are_too_long(self) -> Iterator[Problem]:
        """Find the registries whose policies ECR would refuse for their length, the first policy of each."""
        for name in self._document.registries:
            try:
                registry = self._registry(name)
            except (LookupError, UserError):
                continue  # It names something that is not there, which is a problem of its own already.
            try:
                check_policy_sizes(registry)
            except UserError as error:
                yield Problem(place=("registries", name, "pull"), message=str(error))

    def _registry(self, name: str) -> RegistryPlan:
        registry = self._document.registries[name]
        template = merged_template(self._document, registry)
        sources = [other for other in self._document.registries.values() if name in other.replicate_to]
        own = {
            prefix.rstrip("/"): CachePlan(
                cached=rule.cached(prefix), rule=rule, template=merged_template(self._document, registry, rule)
            )
            for prefix, rule in registry.upstreams.items()
        }
        replicated = {
            prefix.rstrip("/"): CachePlan(cached=rule.cached(prefix), rule=rule, template=template)
            for source in sources
            for prefix, rule in source.upstreams.items()
            if prefix.rstrip("/") not in own
        }
        environment = self._environment(registry)
        warm = with_images(registry.warm, self._folder) if registry.warm else None
        pulls = self._pulling[name]
        return RegistryPlan(
            name=name,
            environment=environment,
            settings=registry.model_copy(update={"warm": warm}),
            template=template,
            pulled_through={prefix: plan for prefix, plan in own.items() if plan.rule.mode == "pull-through"},
            pushed={prefix: plan for prefix, plan in own.items() if plan.rule.mode == "push"},
            replicated=replicated,
            sources=tuple(sorted(self._environment(source) for source in sources)),
            replicate_to=tuple(
                sorted(self._environment(self._document.registries[to]) for to in registry.replicate_to)
            ),
            pullers=pulls.pullers,
            importers=pulls.importers,
            members=pulls.members,
            pull_inherited_from=pulls.inherited_from,
            downstreams=tuple(self._downstreams.get(environment, ())),
        )

    @functools.cached_property
    def _downstreams(self) -> Mapping[EcrRegistry, list[Downstream]]:
        """The registries of the configuration that cache a private ECR registry, by that registry."""
        found: defaultdict[EcrRegistry, list[Downstream]] = defaultdict(list)
        for _, registry in sorted(self._document.registries.items()):
            account = self._environment(registry).account
            for prefix, rule in sorted(registry.upstreams.items()):
                upstream = rule.cached(prefix).upstream
                if rule.mode == "pull-through" and upstream.account and upstream.region and upstream.account != account:
                    there = EcrRegistry(account=upstream.account, region=upstream.region)
                    part = rule.cached(prefix).upstream_repository_prefix
                    found[there].append(Downstream(account=account, upstream_repository_prefix=part))
        return found

    def _cluster(self, name: str, cluster: Cluster, registries: Mapping[str, RegistryPlan]) -> ClusterPlan:
        return ClusterPlan(
            name=name,
            environment=self._environment(cluster),
            registry=registries[cluster.registry],
            settings=cluster,
            rewrite=merged_rewrite(self._document, cluster),
        )
