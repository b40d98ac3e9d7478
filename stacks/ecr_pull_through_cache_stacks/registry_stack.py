"""The stack of a registry: what is cached there, what arrives there, and who may pull."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import aws_cdk as cdk
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_iam as iam

from constructs import Construct
from ecr_pull_through_cache import (
    ROOT,
    AppliedFor,
    CacheRegistry,
    CreationTemplateSettings,
    Pullers,
    PullThroughCache,
    RegistryPolicy,
    RegistryScanningConfiguration,
    ReplicaRegistry,
    ReplicationDestination,
    ScanType,
    UpstreamCache,
    UpstreamCredentials,
)
from ecr_pull_through_cache.configuration import CachePlan, RegistryPlan
from ecr_pull_through_cache.configuration.expectation import registry_policy
from ecr_pull_through_cache.configuration.models import Template
from ecr_pull_through_cache.ecr.statements import Who

from .acknowledgements import acknowledge
from .flags import set_flags

if TYPE_CHECKING:
    from aws_cdk import aws_kms as kms
    from aws_cdk import aws_secretsmanager as secretsmanager


class RegistryStack(cdk.Stack):
    """One private ECR registry of the configuration.

    :param scope: the app or a stage.
    :param id: id of the stack; see :attr:`RegistryPlan.stack_id`.
    :param registry: the registry's plan.
    :param tags: tags of the stack.
    """

    def __init__(
        self, scope: Construct, id: str, *, registry: RegistryPlan, tags: Mapping[str, str] | None = None
    ) -> None:
        environment = registry.environment
        super().__init__(
            scope,
            id,
            stack_name=registry.stack_name,
            env=cdk.Environment(account=environment.account, region=environment.region),
            description=f"Amazon ECR pull through cache: the registry {registry.name}",
            tags=dict(tags or {}),
            analytics_reporting=False,
        )
        set_flags(self)
        self._plan = registry
        if registry.settings.accept_unverified:
            for id_ in ("unverifiedPartition", "newRegion"):
                cdk.Annotations.of(self).acknowledge_warning(f"cdk-ecr-pull-through-cache:{id_}")
        self._keys: dict[str, kms.IKey] = {}
        self._secrets: dict[str, secretsmanager.ISecret] = {}
        self.cache = self._make_cache() if registry.pulled_through else None
        """What is pulled through here, if anything."""
        self.replica_registries: list[ReplicaRegistry] = []
        """The prefixes whose images are replicated or pushed here."""
        self._add_replica_registry("Replicas", registry.replicated, AppliedFor.REPLICATION)
        self._add_replica_registry("Copies", registry.pushed, AppliedFor.CREATE_ON_PUSH)
        granted = list(registry_policy(registry))
        if granted:
            # Most of it the constructs have granted already; it is merged, not repeated.
            RegistryPolicy.of(self).add_statements(granted)
        if registry.settings.scan_type is not None:
            RegistryScanningConfiguration(self, "Scanning", scan_type=ScanType(registry.settings.scan_type))
        self._output_examples()
        if registry.has_day_two:
            # What this loads takes longer than all the rest of a synthesis without it.
            from .day_two import add_day_two

            add_day_two(self, registry, cache=self.cache, replica_registries=self.replica_registries)
        here = CacheRegistry.of(self)
        prefixes = {*registry.pulled_through, *registry.pushed, *registry.replicated}
        acknowledge(
            self,
            "AwsSolutions-ECR1",
            "AwsSolutions-SMG4",
            repositories=[
                "*",
                *(here.arn_for_repositories(p) for p in sorted(prefixes)),
                *self._upstream_repositories(),
            ],
        )

    def _upstream_repositories(self) -> list[str]:
        """Patterns of the repositories that roles for private ECR upstreams read."""
        return [
            CacheRegistry(account=up.account, region=up.region).arn_for_repositories(
                cache.cached.upstream_repository_prefix
            )
            for cache in self._plan.pulled_through.values()
            if (up := cache.cached.upstream).account and up.region
        ]

    def _make_cache(self) -> PullThroughCache:
        plan = self._plan
        return PullThroughCache(
            self,
            "Cache",
            upstreams={prefix: self._upstream(cache) for prefix, cache in plan.pulled_through.items()},
            replicate_to=self._destinations,
            replicate_also=list(plan.pushed),
            pullers=_pullers(plan.pullers),
            importers=_pullers(plan.importers),
            replicated_from=[source.account for source in plan.sources],
        )

    def _upstream(self, cache: CachePlan) -> UpstreamCache:
        return UpstreamCache(
            upstream=cache.cached.upstream,
            upstream_repository_prefix=cache.cached.upstream_repository_prefix,
            credentials=self._secret(cache.rule.credentials) if cache.rule.credentials else None,
            deployed_credential_arn=cache.rule.deployed_credentials,
            role=iam.Role.from_role_name(self, f"UpstreamRole-{cache.rule.role}", cache.rule.role)
            if cache.rule.role
            else None,
            settings=self._settings(cache.template),
            allow=cache.cached.allow,
            known_repositories_only=cache.rule.known_repositories_only,
        )

    def _secret(self, given: str) -> secretsmanager.ISecret:
        if given not in self._secrets:
            if given.startswith("arn:"):
                # It loads aws_ec2, which takes longer than all the rest of a synthesis without secrets.
                from aws_cdk import aws_secretsmanager as secretsmanager

                name = given.rsplit(":", 1)[-1]
                self._secrets[given] = secretsmanager.Secret.from_secret_complete_arn(self, f"Secret-{name}", given)
            else:
                self._secrets[given] = UpstreamCredentials(self, f"Credentials-{given}", secret_name=given).secret
        return self._secrets[given]

    def _settings(self, template: Template) -> CreationTemplateSettings:
        return CreationTemplateSettings(
            image_tag_mutability=ecr.TagMutability[template.image_tag_mutability],
            mutability_exclusions=template.image_tag_mutability_exclusion_filters,
            encryption=_encryption(template.encryption_type) if template.encryption_type else None,
            encryption_key=self._key(template.kms_key) if template.kms_key else None,
            lifecycle=template.lifecycle_policy.policy() if template.lifecycle_policy else None,
            resource_tags=template.resource_tags,
        )

    def _key(self, arn: str) -> kms.IKey:
        from aws_cdk import aws_kms as kms

        if arn not in self._keys:
            self._keys[arn] = kms.Key.from_key_arn(self, f"Key-{arn.rsplit('/', 1)[-1]}", arn)
        return self._keys[arn]

    def _add_replica_registry(self, id: str, plans: Mapping[str, CachePlan], applied_for: AppliedFor) -> None:
        if plans:
            held = ReplicaRegistry(
                self,
                id,
                repository_prefixes=list(plans),
                settings={prefix: self._settings(plan.template) for prefix, plan in plans.items()},
                replicated_from=[s.account for s in self._plan.sources]
                if applied_for is AppliedFor.REPLICATION
                else [],
                pullers=_pullers(self._plan.pullers),
                replicate_to=self._destinations if applied_for is AppliedFor.CREATE_ON_PUSH and not self.cache else [],
                applied_for=[applied_for],
            )
            self.replica_registries.append(held)

    @property
    def _destinations(self) -> list[ReplicationDestination]:
        return [ReplicationDestination(region=to.region, account=to.account) for to in self._plan.replicate_to]

    def _output_examples(self) -> None:
        cdk.CfnOutput(self, "RegistryHost", value=self._plan.host, description="What cached images begin with")
        if self.cache is not None:
            for rule in sorted(self.cache.rules.values(), key=lambda rule: rule.upstream.name != "k8s"):
                known = _EXAMPLES.get(rule.upstream.name)
                if known and rule.cached.upstream_repository_prefix == ROOT:
                    uri = rule.image_uri(known[0], tag=known[1])
                    cdk.CfnOutput(self, "ExamplePull", value=uri, description="An image to try with")
                    break


def _pullers(who: Who) -> Pullers:
    return Pullers(accounts=who.accounts, organization=who.organization)


def _encryption(name: str) -> ecr.RepositoryEncryption:
    # Not a table: to read one of these constants loads all that aws_ecr's L2s depend on.
    if name == "AES256":
        return ecr.RepositoryEncryption.AES_256
    return ecr.RepositoryEncryption.KMS if name == "KMS" else ecr.RepositoryEncryption.KMS_DSSE


_EXAMPLES = {
    "k8s": ("pause", "3.10"),
    "ecr-public": ("docker/library/alpine", "3.22"),
    "quay": ("prometheus/prometheus", "v3.5.0"),
    "docker-hub": ("library/alpine", "3.22"),
    "github-container-registry": ("fluxcd/source-controller", "v1.6.2"),
}
