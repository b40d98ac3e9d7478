"""What rules cached, removed when their stack goes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

import aws_cdk as cdk

from constructs import Construct

from .._checks import error_at
from ..functions.contract import PREFIXES
from ..images import ROOT
from ..registry.cache_registry import CacheRegistry
from ..registry.pull_through_cache_rule import PullThroughCacheRule
from ._operations_function import OperationsFunction

if TYPE_CHECKING:
    from aws_cdk import aws_kms as kms

    from ..registry.repository_creation_template import RepositoryCreationTemplate


class CacheRemoval(Construct):
    """Empties what rules cached when the stack is deleted; without it the repositories stay, with their images.

    It deletes what ``ecr-pull-through purge --yes`` would, by the same code: repositories below a rule's prefix that are
    younger than the rule and have the tags that its creation template sets. Others stay. It goes before the rules do, because
    without them nobody knows what they made. What warms the cache of the same stack is to go before this, for a run would bring
    images back: ``warmer.state_machine.node.add_dependency(removal.resource)``. Replicas in other registries stay.

    Only the deletion of the stack itself empties anything: taking this out of a stack, an upstream dropped, and a deployment
    that is rolled back leave all images where they are. A deletion that fails says which repositories are left and why; deleting
    the stack again goes on. It has three times 15 minutes, which Lambda's own repetition gives.

    :param scope: parent.
    :param id: id below the parent.
    :param rules: the rules of this stack whose repositories go.
    :param templates: the creation templates of these, which tell what a rule made.
    :param encryption_keys: customer managed keys of the repositories, whose grants are given back.
    :raises UserError: when no rules are given, or one without a prefix, whose repositories cannot be told from others.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        rules: Sequence[PullThroughCacheRule],
        templates: Sequence[RepositoryCreationTemplate] = (),
        encryption_keys: Sequence[kms.IKey] = (),
    ) -> None:
        prefixes = sorted(rule.repository_prefix for rule in rules)
        if not prefixes:
            raise error_at(scope, id, "no rules are given; give those whose repositories are to go with the stack")
        if ROOT in prefixes:
            raise error_at(
                scope,
                id,
                "a rule without a prefix shares the registry with everything else, so what it made cannot be told; "
                "give it a prefix, or delete its repositories by name",
            )
        super().__init__(scope, id)
        self.remove = OperationsFunction(
            self,
            "Remove",
            handler="removing.handler",
            description="Empties the pull through cache when its stack is deleted",
            timeout=cdk.Duration.minutes(15),
            environment={PREFIXES: json.dumps(prefixes)},
        )
        """The function, with its role and log group."""
        self.remove.grant_verb(
            "purge",
            {"yes"},
            registry=CacheRegistry.of(self),
            repository_prefixes=prefixes,
            encryption_keys=encryption_keys,
        )
        self.remove.allow("cloudformation:DescribeStacks", on=cdk.Stack.of(self).stack_id)
        self.resource = cdk.CustomResource(
            self,
            "Resource",
            service_token=self.remove.function.function_arn,
            resource_type="Custom::EcrCacheRemoval",
            service_timeout=cdk.Duration.hours(1),
        )
        """The custom resource."""
        self.resource.node.add_dependency(*rules, *templates)
