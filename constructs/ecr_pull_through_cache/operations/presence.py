"""Looks up which images are in Amazon ECR, in a registry and its replicas."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .aws import call
from .failures import Failure, RegistryError

_ABSENT = frozenset({"ImageNotFoundException", "RepositoryNotFoundException"})


class EcrImages:
    """Which images are in ECR, after ``DescribeImages``, which imports nothing.

    https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_DescribeImages.html

    :param ecr: client of ECR.
    :param account: the registry's account.
    """

    def __init__(self, ecr: Any, account: str) -> None:
        self._ecr = ecr
        self._account = account

    def digest(self, repository: str, reference: str) -> str | None:
        """The digest of an image, ``None`` when it is not there.

        :param repository: the repository.
        :param reference: a tag or a digest.
        :raises AwsError: when ECR does not say.
        """
        image = {"imageDigest" if ":" in reference else "imageTag": reference}
        asked = {"registryId": self._account, "repositoryName": repository, "imageIds": [image]}
        answer = call(self._ecr, "describe_images", absent=_ABSENT, **asked)
        return (
            next((str(details["imageDigest"]) for details in answer["imageDetails"]), None)
            if answer is not None
            else None
        )


class EcrReplicas:
    """Which destinations of a registry's replication have an image, after ``DescribeImageReplicationStatus``.

    Where ECR has no status of an image, for it was imported before the destination was configured, the destination
    itself is asked.

    https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_DescribeImageReplicationStatus.html

    :param ecr: client of ECR where the images are imported.
    :param account: the account of that registry.
    :param destinations: accounts and Regions that are to have the images; what the registry's own replication
        configuration says if left out.
    :param client: gives a client of ECR in a Region.
    """

    def __init__(
        self,
        ecr: Any,
        account: str,
        *,
        client: Callable[[str], Any],
        destinations: Sequence[tuple[str, str]] | None = None,
    ) -> None:
        self._ecr = ecr
        self._account = account
        self._client = client
        self._given = destinations
        self._rules: list[dict[str, Any]] | None = None
        self._there: dict[tuple[str, str], EcrImages] = {}

    def missing(self, repository: str, digest: str) -> Sequence[str]:
        """The destinations that do not have an image yet, as ``ACCOUNT/REGION``.

        :raises RegistryError: when ECR says that the replication failed.
        :raises AwsError: when ECR does not say.
        """
        wanted = self._destinations(repository)
        if not wanted:
            return ()
        states = self._states(repository, digest)
        absent = []
        for account, region in wanted:
            state, code = states.get((account, region), ("", ""))
            if state == "FAILED":
                raise RegistryError(
                    f"its replication to {account}/{region} failed with {code or 'no code'}; the registry policy there "
                    f"must let {self._account} replicate",
                    failure=Failure.NOT_COMPLETE,
                )
            if state == "IN_PROGRESS" or (not state and not self._is_there(account, region, repository, digest)):
                absent.append(f"{account}/{region}")
        return absent

    def _destinations(self, repository: str) -> Sequence[tuple[str, str]]:
        if self._given is not None:
            return self._given
        if self._rules is None:
            self._rules = call(self._ecr, "describe_registry")["replicationConfiguration"]["rules"]
        return [
            (destination["registryId"], destination["region"])
            for rule in self._rules
            if not rule.get("repositoryFilters")
            or any(repository.startswith(entry["filter"]) for entry in rule["repositoryFilters"])
            for destination in rule["destinations"]
        ]

    def _states(self, repository: str, digest: str) -> dict[tuple[str, str], tuple[str, str]]:
        asked = {"registryId": self._account, "repositoryName": repository, "imageId": {"imageDigest": digest}}
        answer = call(self._ecr, "describe_image_replication_status", absent=_ABSENT, **asked)
        if answer is None:
            return {}  # the import is not finished: nothing can have been replicated
        return {
            (status["registryId"], status["region"]): (status["status"], status.get("failureCode", ""))
            for status in answer["replicationStatuses"]
        }

    def _is_there(self, account: str, region: str, repository: str, digest: str) -> bool:
        place = (account, region)
        if place not in self._there:
            self._there[place] = EcrImages(self._client(region), account)
        return self._there[place].digest(repository, digest) is not None
