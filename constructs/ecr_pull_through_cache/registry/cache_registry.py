"""A private ECR registry as constructs know it: its account and Region may be tokens."""

from __future__ import annotations

from dataclasses import dataclass

from aws_cdk import Aws

from constructs import Construct, IConstruct

from .._checks import error_at
from .._place import is_unresolved, references_to
from .._props import checked
from ..ecr.registry import EcrRegistry
from ..images import EcrHost, partition_of


@checked
@dataclass(frozen=True, kw_only=True)
class CacheRegistry(EcrRegistry):
    """The private ECR registry of an account in a Region; tokens are welcome for both.

    :param account: 12 digits, or a token.
    :param region: for example ``eu-west-1``, or a token.
    """

    @classmethod
    def of(cls, scope: IConstruct) -> CacheRegistry:
        """The registry of the environment that a construct is deployed to.

        Where the stack has no ``env``, account and Region are references to that stack: used in another stack they become
        a cross-stack reference, and never the other stack's own account.

        :param scope: the construct.
        """
        account, region = references_to(scope)
        return cls(account=account, region=region)

    @property
    def partition(self) -> str:
        """The partition's name, or a token where the Region is one."""
        known = None if is_unresolved(self.region) else partition_of(self.region)
        return known.name if known else Aws.PARTITION

    @property
    def host(self) -> str:
        """Host of the registry, as it stands in image references."""
        if is_unresolved(self.region):
            return EcrHost(account=self.account, region=self.region, suffix=Aws.URL_SUFFIX).host
        return EcrHost.of(self.account, self.region).host

    @property
    def environment(self) -> str:
        """Account and Region in one text, as CDK writes them."""
        return f"aws://{self.account}/{self.region}"

    def check_named_in(self, scope: Construct, id: str) -> None:
        """Refuse a registry that a construct's stack cannot name.

        Account and Region of a stack without an ``env`` are known to stacks without one only, by a cross-stack reference.

        :param scope: parent of the construct.
        :param id: its id below the parent.
        :raises UserError: when the registry is that of a stack without an ``env``, and the construct's stack has one.
        """
        here = CacheRegistry.of(scope)
        for word, mine, theirs in (("account", here.account, self.account), ("Region", here.region, self.region)):
            if is_unresolved(theirs) and not is_unresolved(mine):
                raise error_at(
                    scope,
                    id,
                    f"the {word} of the cache's stack is not known, and {mine} of this stack may be another; give the cache's "
                    "stack an env",
                )
