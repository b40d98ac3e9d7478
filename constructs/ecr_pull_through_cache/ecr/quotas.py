"""The numbers of Amazon ECR that a configuration can run into.

https://docs.aws.amazon.com/AmazonECR/latest/userguide/service-quotas.html, and for the others the API model.
What happens where one is exceeded stands in :mod:`ecr_pull_through_cache.ecr.limits`.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Quota:
    """One quota of the service.

    :param name: the counted things, in the words of the service.
    :param value: the greatest number of them.
    :param adjustable: whether AWS raises it on request.
    """

    name: str
    value: int
    adjustable: bool = False


RULES = Quota(name="pull through cache rules per registry", value=50)
REPLICATION_RULES = Quota(name="rules per replication configuration", value=10)
REPLICATION_RULES_API = Quota(name="rules per replication configuration that the API takes", value=25)
REPLICATION_DESTINATIONS = Quota(name="unique destinations across all rules in a replication configuration", value=25)
REPLICATION_FILTERS = Quota(name="filters per rule in a replication configuration", value=100)
LIFECYCLE_CHARACTERS = Quota(name="characters in a lifecycle policy", value=30_720)
LIFECYCLE_RULES = Quota(name="rules per lifecycle policy", value=50)
ARCHIVE_DAYS = Quota(name="days in the archive before a lifecycle rule may expire an image", value=90)
SCANNING_FILTERS = Quota(name="filters per rule in a scanning configuration", value=100)
SIGNING_RULES = Quota(name="rules per signing configuration", value=10)
SIGNING_FILTERS = Quota(name="filters per rule in a signing configuration", value=100)
TAGS = Quota(name="tags per repository", value=50)
REPOSITORY_NAME = Quota(name="characters in the name of a repository", value=256)
REGISTRY_POLICY_CHARACTERS = Quota(name="characters in a registry policy or a repository policy", value=10_240)
MANAGED_POLICY_CHARACTERS = Quota(name="characters in a managed policy of IAM", value=6_144)
SECRET_NAME = Quota(name="characters in the name of a secret", value=512)
