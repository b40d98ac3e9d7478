"""Amazon ECR's side of an import: tokens, and which layers are there."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from ..errors import UserError
from ..images import EcrHost

_RETRIES = Config(retries={"mode": "adaptive", "max_attempts": 10})
_BATCH = 100


class AwsError(UserError):
    """AWS refused a call; the message says which one and what it takes."""


def ecr_client(region: str, *, profile: str | None = None) -> Any:
    """A client of ECR.

    :param region: the Region.
    :param profile: profile of the AWS configuration.
    :raises AwsError: when there is no such profile.
    """
    try:
        return boto3.Session(profile_name=profile, region_name=region).client("ecr", config=_RETRIES)
    except BotoCoreError as error:
        raise AwsError(str(error)) from None


def said(error: ClientError | BotoCoreError, *, call: str) -> AwsError:
    """An error of AWS as a sentence.

    :param call: the permission that the call takes, such as ``ecr:GetAuthorizationToken``.
    """
    if isinstance(error, BotoCoreError):
        return AwsError(f"AWS cannot be asked: {str(error)[:1].lower()}{str(error)[1:]}")
    details = error.response.get("Error", {})
    code, message = details.get("Code", ""), details.get("Message", "")
    if code.startswith("AccessDenied"):
        return AwsError(f"{call} is not allowed: {message}")
    if code in ("ExpiredToken", "ExpiredTokenException", "UnrecognizedClientException", "InvalidClientTokenId"):
        return AwsError("the AWS credentials are not valid any more; sign in again")
    return AwsError(f"{call} failed with {code}: {message}")


class EcrToken:
    """The ``Authorization`` header of a registry, renewed before it expires and when it is refused.

    :param ecr: client of ECR.
    """

    _EARLY = 300.0

    def __init__(self, ecr: Any) -> None:
        self._ecr = ecr
        self._header = ""
        self._until = 0.0
        self._lock = threading.Lock()
        self._renewed = 0.0

    def __call__(self, renew: bool) -> str:
        """The header.

        :param renew: whether the last one was refused.
        :raises AwsError: when ECR gives no token.
        """
        with self._lock:
            now = time.time()
            # Many threads are refused at once: the first one's new token serves them all.
            if now >= self._until - self._EARLY or (renew and now - self._renewed > 1):
                self._renew(now)
            return self._header

    def _renew(self, now: float) -> None:
        try:
            data = self._ecr.get_authorization_token()["authorizationData"][0]
        except (ClientError, BotoCoreError) as error:
            raise said(error, call="ecr:GetAuthorizationToken") from None
        self._header = f"Basic {data['authorizationToken']}"
        self._until = data["expiresAt"].timestamp()
        self._renewed = now


class EcrLayers:
    """Which layers are in ECR, after ``BatchCheckLayerAvailability``.

    :param ecr: client of ECR.
    :param account: the registry's account.
    """

    def __init__(self, ecr: Any, account: str) -> None:
        self._ecr = ecr
        self._account = account

    def missing(self, repository: str, digests: Sequence[str]) -> Sequence[str]:
        """Those of the digests that are not there.

        :raises AwsError: when ECR does not say.
        """
        found: set[str] = set()
        for start in range(0, len(digests), _BATCH):
            try:
                answer = self._ecr.batch_check_layer_availability(
                    registryId=self._account,
                    repositoryName=repository,
                    layerDigests=list(digests[start : start + _BATCH]),
                )
            except (ClientError, BotoCoreError) as error:
                raise said(error, call="ecr:BatchCheckLayerAvailability") from None
            found |= {layer["layerDigest"] for layer in answer["layers"] if layer["layerAvailability"] == "AVAILABLE"}
        return [digest for digest in digests if digest not in found]


def registry_of(host: str) -> EcrHost:
    """The registry that a host is of.

    :raises UserError: when it is not one of ECR's.
    """
    ecr = EcrHost.parse(host)
    if ecr is None:
        raise UserError(
            f"{host!r} is not a private ECR registry; its host looks like '{EcrHost.of('1' * 12, 'eu-west-1').host}'"
        )
    return ecr
