"""ECR's own replication backfill: images that were there before the replication configuration, brought to a destination.

ECR does the work; this starts it and follows it. One runs for a destination Region at a time, and 10 for a registry; one
that runs already is followed, so that whoever was interrupted goes on by doing the same again.

https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_StartReplicationBackfill.html
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .answers import AwsError
from .aws import call, paginate

# Another run was first, or ten run already: look again in a while.
_LATER = frozenset({"ReplicationBackfillInProgressException", "LimitExceededException"})
_RUNNING = frozenset({"PREPARING", "IN_PROGRESS", "STOPPING"})


@dataclass(frozen=True, kw_only=True)
class Destination:
    """A destination of replication.

    :param account: the destination's account.
    :param region: its Region.
    """

    account: str
    region: str

    def __str__(self) -> str:
        return f"{self.account}/{self.region}"


@dataclass(frozen=True, kw_only=True)
class ReplicationBackfill:
    """A replication backfill, as ECR sees it now.

    :param id: ECR's id of it.
    :param destination: where it goes.
    :param status: ``PREPARING``, ``IN_PROGRESS``, ``COMPLETE``, ``FAILED``, ``STOPPING`` or ``STOPPED``.
    :param total: replications in all, one for each image and tag; ``None`` while ECR is counting them.
    :param completed: how many are done.
    :param failed: how many are not.
    :param failure: ECR's code for why the whole of it failed.
    """

    id: str
    destination: Destination
    status: str
    total: int | None = None
    completed: int = 0
    failed: int = 0
    failure: str | None = None

    @property
    def running(self) -> bool:
        """Whether it is not at its end."""
        return self.status in _RUNNING


@dataclass(frozen=True, kw_only=True)
class NotReplicated:
    """An image that a replication backfill did not bring.

    :param image: repository, and tag or digest.
    :param reason: ECR's codes for why.
    """

    image: str
    reason: str


class ReplicationBackfiller:
    """Starts and follows the replication backfills of one registry.

    :param ecr: client of ECR in the source's account and Region.
    :param poll: seconds between two looks.
    """

    def __init__(self, ecr: Any, *, poll: float = 15.0) -> None:
        self._ecr = ecr
        self._poll = poll

    def destinations(self) -> frozenset[Destination]:
        """The destinations of the deployed replication configuration.

        :raises AwsError: when ECR does not say.
        """
        configuration = call(self._ecr, "describe_registry")["replicationConfiguration"]
        return frozenset(_destination(place) for rule in configuration["rules"] for place in rule["destinations"])

    def latest(self, destination: Destination) -> ReplicationBackfill | None:
        """The one that runs to a destination's Region, else the last one to the destination of the past 90 days.

        :raises AwsError: when ECR does not say.
        """
        found = list(self._listed())
        running = [b for _, b in found if b.running and b.destination.region == destination.region]
        ended = sorted(
            (pair for pair in found if pair[1].destination == destination), key=lambda pair: pair[0], reverse=True
        )
        return running[0] if running else ended[0][1] if ended else None

    def start(self, destination: Destination, *, on_wait: Callable[[], None] = lambda: None) -> ReplicationBackfill:
        """Start one, or find the one that runs; wait where ten run already.

        :param on_wait: called before each pause; what it raises ends the wait.
        :raises AwsError: when the destination is not in the deployed configuration, or ECR refuses.
        """
        if destination not in self.destinations():
            raise AwsError(
                f"{destination} is not in the replication configuration that is deployed; deploy the stack of its registry first"
            )
        while True:
            before = self.latest(destination)
            if before is not None and before.running:
                return before
            place = {"registryId": destination.account, "region": destination.region}
            answer = call(self._ecr, "start_replication_backfill", absent=_LATER, destination=place)
            if answer is not None:
                return ReplicationBackfill(
                    id=answer["replicationBackfillId"], destination=destination, status=answer["status"]
                )
            on_wait()
            time.sleep(self._poll)

    def follow(self, backfill: ReplicationBackfill) -> Iterator[ReplicationBackfill]:
        """Follow a backfill to its end, and yield each state.

        :raises AwsError: when ECR does not say.
        """
        while True:
            now = _state(self._described(backfill.id), backfill.destination)
            yield now
            if not now.running:
                return
            time.sleep(self._poll)

    def not_replicated(self, backfill: ReplicationBackfill) -> Iterator[NotReplicated]:
        """The images that one that has ended did not bring.

        :raises AwsError: when ECR does not say.
        """
        asked: dict[str, Any] = {"replicationBackfillId": backfill.id, "resultStatusFilter": "FAILED"}
        for result in paginate(self._ecr, "describe_replication_backfill_results", "results", **asked):
            image = result["imageId"]
            name = f":{image['imageTag']}" if image.get("imageTag") else f"@{image.get('imageDigest')}"
            codes = [result.get("failureCode"), *result.get("subImageFailureCodes", ())]
            reason = ", ".join(sorted({code for code in codes if code})) or "ECR does not say why"
            yield NotReplicated(image=f"{result['repositoryName']}{name}", reason=reason)

    def _listed(self) -> Iterator[tuple[Any, ReplicationBackfill]]:
        for found in paginate(self._ecr, "list_replication_backfills", "backfills"):
            yield found["startedAt"], _state(found, _destination(found["destination"]))

    def _described(self, id: str) -> Any:
        return call(self._ecr, "describe_replication_backfill_results", replicationBackfillId=id, maxResults=1)


def _destination(place: Mapping[str, str]) -> Destination:
    return Destination(account=place["registryId"], region=place["region"])


def _state(answer: Mapping[str, Any], destination: Destination) -> ReplicationBackfill:
    progress = answer.get("progress") or {}
    return ReplicationBackfill(
        id=answer["replicationBackfillId"],
        destination=destination,
        status=answer["status"],
        total=progress.get("totalReplicationCount"),
        completed=progress.get("completedReplicationCount", 0),
        failed=progress.get("failedReplicationCount", 0),
        failure=answer.get("failureCode"),
    )
