"""Amazon ECR's quotas that a configuration can run into.

https://docs.aws.amazon.com/AmazonECR/latest/userguide/service-quotas.html
Adjustable quotas are checked against their default, and a warning says that they can be raised.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Quota:
    """One quota of the service.

    :param name: what is counted, in the words of the service.
    :param value: how many there may be.
    :param adjustable: whether AWS raises it on request.
    """

    name: str
    value: int
    adjustable: bool


RULES = Quota(name="pull through cache rules per registry", value=50, adjustable=True)
REPLICATION_RULES = Quota(name="rules per replication configuration", value=10, adjustable=False)
REPLICATION_DESTINATIONS = Quota(
    name="unique destinations across all rules in a replication configuration", value=25, adjustable=False
)
REPLICATION_FILTERS = Quota(name="filters per rule in a replication configuration", value=100, adjustable=False)
LIFECYCLE_CHARACTERS = Quota(name="characters in a lifecycle policy", value=30_720, adjustable=False)
LIFECYCLE_RULES = Quota(name="rules per lifecycle policy", value=50, adjustable=False)
