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
from ..images import EcrHost, partition_of

_RETRIES = Config(retries={"mode": "adaptive", "max_attempts": 10})
_BATCH = 100


class AwsError(UserError):
    """AWS refused a call; the message says which one and what it takes."""


def ecr_client(region: str, *, profile: str | None = None, connections: int = 10) -> Any:
    """A client of ECR.

    :param region: the Region.
    :param profile: profile of the AWS configuration.
    :param connections: how many threads will ask at once.
    :raises AwsError: when there is no such profile.
    """
    config = _RETRIES.merge(Config(max_pool_connections=connections))
    try:
        return boto3.Session(profile_name=profile, region_name=region).client("ecr", config=config)
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


class Sessions:
    """Sessions for the accounts of a configuration.

    :param profile: profile of the AWS configuration.
    :param assume_role: name of the role to assume in each account; the caller's own credentials if left out.
    """

    def __init__(self, *, profile: str | None = None, assume_role: str | None = None) -> None:
        try:
            self._base = boto3.Session(profile_name=profile)
        except BotoCoreError as error:
            raise AwsError(str(error)) from None
        self._role = assume_role
        self._found: dict[str, boto3.Session] = {}
        self._own: str | None = None

    def client(self, service: str, account: str, region: str) -> Any:
        """A client in an account and Region.

        :raises AwsError: when the account cannot be reached.
        """
        if account not in self._found:
            self._found[account] = self._assume(account, region) if self._role else self._mine(account, region)
        session: Any = self._found[account]  # boto3's types know a service by its literal name alone
        return session.client(service, region_name=region, config=_RETRIES)

    def _mine(self, account: str, region: str) -> boto3.Session:
        try:
            self._own = self._own or self._base.client("sts", region_name=region).get_caller_identity()["Account"]
        except (ClientError, BotoCoreError) as error:
            raise said(error, call="sts:GetCallerIdentity") from None
        if self._own != account:
            raise AwsError(f"the credentials are those of {self._own}, not of {account}; give --assume-role NAME")
        return self._base

    def _assume(self, account: str, region: str) -> boto3.Session:
        partition = partition_of(region)
        arn = f"arn:{partition.name if partition else 'aws'}:iam::{account}:role/{self._role}"
        try:
            got = self._base.client("sts", region_name=region).assume_role(
                RoleArn=arn, RoleSessionName="ecr-pull-through"
            )["Credentials"]
        except (ClientError, BotoCoreError) as error:
            raise said(error, call=f"sts:AssumeRole of {arn}") from None
        return boto3.Session(
            aws_access_key_id=got["AccessKeyId"],
            aws_secret_access_key=got["SecretAccessKey"],
            aws_session_token=got["SessionToken"],
        )
