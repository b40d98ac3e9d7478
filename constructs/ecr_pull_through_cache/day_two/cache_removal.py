"""Deletion of cached repositories together with their stack."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, cast

import aws_cdk as cdk

from constructs import Construct

from .._checks import error_at
from .._place import stack_of
from .._props import checked
from ..functions.contract import PREFIXES
from ..images import ROOT
from ._operations_function import OperationsFunction
from ._order import delete_after_warmers

if TYPE_CHECKING:
    from aws_cdk import aws_kms as kms

    from ..registry.pull_through_cache import IPullThroughCache


@checked
class CacheRemoval(Construct):
    """Deletes cached repositories when the stack is deleted; without it they stay, with their images.

    It deletes the repositories that ``ecr-pull-through purge --yes`` would, by the same code: those below a rule's prefix that
    are younger than the rule and have the tags that its creation template sets. Others stay, and so do replicas in other
    registries. It acts before the rules are deleted, because they tell which repositories are theirs, and after every
    :class:`ImageWarmer` of the same cache is deleted, because a run would import the images again.

    Only the deletion of the stack itself deletes repositories: a deployment that removes this construct or an upstream, and one
    that is rolled back, leave all images where they are. A deletion that fails names the repositories that are left and the
    reason; deleting the stack again continues. Lambda retries twice, so a deletion has up to three times 15 minutes.

    :param scope: parent.
    :param id: id below the parent.
    :param cache: the cache, of the same stack.
    :raises UserError: when the cache is not of this stack, or has a rule without a prefix, whose repositories cannot be told
        from others.
    """

    def __init__(self, scope: Construct, id: str, *, cache: IPullThroughCache) -> None:
        _check(scope, id, cache)
        prefixes = sorted(cache.rules)
        super().__init__(scope, id)
        self.cache = cache
        """The cache."""
        self.remove_function = OperationsFunction(
            self,
            "Remove",
            handler="removing.handler",
            description="Empties the pull through cache when its stack is deleted",
            timeout=cdk.Duration.minutes(15),
            environment={PREFIXES: json.dumps(prefixes)},
        )
        """The function, with its role and log group."""
        self.remove_function.grant_verb(
            "purge",
            {"yes"},
            registry=cache.registry,
            repository_prefixes=prefixes,
            encryption_keys=_keys(cache),
        )
        self.remove_function.add_to_role_policy("cloudformation:DescribeStacks", on=cdk.Stack.of(self).stack_id)
        self.custom_resource = cdk.CustomResource(
            self,
            "Resource",
            service_token=self.remove_function.function.function_arn,
            resource_type="Custom::EcrCacheRemoval",
            service_timeout=cdk.Duration.hours(1),
        )
        """The custom resource."""
        self.custom_resource.node.add_dependency(*cache.rules.values(), *cache.templates.values())
        delete_after_warmers(cache, self.custom_resource)

    @property
    def resource(self) -> cdk.CfnResource:
        """The L1 of the custom resource."""
        return cast("cdk.CfnResource", self.custom_resource.node.default_child)


def _check(scope: Construct, id: str, cache: IPullThroughCache) -> None:
    if not cache.templates:
        raise error_at(
            scope, id, "the cache is not of this app; only the stack that makes its rules can delete its repositories"
        )
    if stack_of(next(iter(cache.templates.values()))) is not stack_of(scope):
        raise error_at(scope, id, "the cache is of another stack; make the removal in the stack of the cache")
    if ROOT in cache.rules:
        raise error_at(
            scope,
            id,
            "a rule without a prefix shares the registry with all other repositories, so its own cannot be told; "
            "give it a prefix, or delete its repositories by name",
        )


def _keys(cache: IPullThroughCache) -> list[kms.IKey]:
    """Every customer managed key of the repositories, once."""
    given = [template.settings.encryption_key for template in cache.templates.values()]
    keys = {key.key_arn: key for key in given if key is not None}
    return [keys[arn] for arn in sorted(keys)]
