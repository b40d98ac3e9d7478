"""A private Amazon ECR registry as a value: an account in a Region, and the names that follow from it."""

from __future__ import annotations

from dataclasses import dataclass

from ..images import ROOT, EcrHost, check_parts, partition_of


@dataclass(frozen=True, kw_only=True, order=True)
class EcrRegistry:
    """The private ECR registry of an account in a Region. Every account has exactly one in each Region.

    A subclass that knows tokens overrides :attr:`partition` and :attr:`host`; everything else follows from these.

    :param account: 12 digits.
    :param region: for example ``eu-west-1``.
    """

    account: str
    region: str

    def __str__(self) -> str:
        """Account and Region as messages name them: ``111122223333/eu-west-1``."""
        return f"{self.account}/{self.region}"

    @property
    def partition(self) -> str:
        """Name of the AWS partition of the Region: ``aws``, ``aws-cn`` and so on."""
        partition = partition_of(self.region)
        return partition.name if partition else "aws"

    @property
    def host(self) -> str:
        """Host of the registry in image references: ``111122223333.dkr.ecr.eu-west-1.amazonaws.com``."""
        return EcrHost.of(self.account, self.region).host

    def arn(self, service: str, resource: str) -> str:
        """ARN of a resource in the registry's account and Region.

        :param service: the service as ARNs name it: ``secretsmanager``.
        :param resource: the part after the account: ``secret:NAME``.
        """
        return f"arn:{self.partition}:{service}:{self.region}:{self.account}:{resource}"

    def arn_for_repositories(self, prefix: str, *, name: str = "*") -> str:
        """ARN pattern of the repositories under a prefix.

        :param prefix: a repository prefix, or ``ROOT`` for every repository of the registry.
        :param name: path of one repository below the prefix, or a pattern of it. Default: all of them.
        """
        return self.arn("ecr", f"repository/{name if prefix == ROOT else f'{prefix}/{name}'}")

    def role_arn(self, role: str) -> str:
        """ARN of an IAM role of the registry's account.

        :param role: name of the role, with its path if it has one.
        """
        return f"arn:{self.partition}:iam::{self.account}:role/{role}"

    def account_principal(self, account: str) -> str:
        """ARN by which a policy of this registry names all identities of an account.

        :param account: 12 digits of an account in the same partition.
        """
        return f"arn:{self.partition}:iam::{account}:root"

    def image_uri(
        self,
        prefix: str,
        repository: str,
        *,
        tag: str | None = None,
        digest: str | None = None,
        dotted: bool = False,
    ) -> str:
        """Name a cached image.

        :param prefix: the repository prefix, or ``ROOT``.
        :param repository: path of the upstream repository below what the prefix stands for.
        :param tag: tag. Default: none, which registries read as ``latest``.
        :param digest: digest with its algorithm. Default: none.
        :param dotted: whether the first part of the path may hold a ``.``, as in private registries of Amazon ECR. Default: no,
            since such a part is a host.
        :raises UserError: when the repository holds a host, a tag or a digest, when tag or digest is none, or when the
            repository has more than 255 characters with its prefix.
        """
        check_parts(repository, tag=tag, digest=digest, below="" if prefix == ROOT else prefix, dotted=dotted)
        path = repository if prefix == ROOT else f"{prefix}/{repository}"
        return f"{self.host}/{path}{f':{tag}' if tag else ''}{f'@{digest}' if digest else ''}"
