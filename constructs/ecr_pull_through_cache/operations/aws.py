"""Amazon ECR's side of an import: tokens, and which layers are there."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from email.utils import parsedate_to_datetime
from types import SimpleNamespace
from typing import Any

import boto3
from botocore.config import Config
from botocore.credentials import RefreshableCredentials
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    NoCredentialsError,
    PartialCredentialsError,
    SSOError,
    TokenRetrievalError,
)
from botocore.parsers import ResponseParserError
from botocore.session import get_session

from ..errors import UserError
from ..images import EcrHost, partition_of
from .answers import Answer, AwsError, NotAws, answer, not_aws, watch
from .connections import check_certificates
from .proxies import proxy_for
from .text import printable

__all__ = [
    "AwsError", "EcrLayers", "EcrToken", "Sessions", "SignedOut", "Throttled", "call", "ecr_client", "paginate", "registry_of",
    "to_aws_error",
]  # fmt: skip

_RETRIES = Config(retries={"mode": "adaptive", "max_attempts": 10}, connect_timeout=10, read_timeout=60)
_BATCH = 100
# What botocore's parsers raise on a body that is not in the service's form.
_UNREADABLE = (ResponseParserError, ValueError, TypeError, LookupError, AttributeError, RecursionError)
_NO_CREDENTIALS = (NoCredentialsError, PartialCredentialsError, SSOError, TokenRetrievalError)

_SIGN_IN_AGAIN = "the AWS credentials are not valid any more; sign in again, and run this again"
_DENIED = "{call} is not allowed{said}"
_RATE = "AWS's rate limit for {call} was met and did not pass; run this again, with fewer at once"
_BUSY = "AWS has a problem of its own and did not answer {call}; run this again"
_SIGNATURE = "AWS does not accept the signature of {call}; look at the secret key and at the clock{said}"
_WRONG = "AWS does not accept what {call} was given{said}"
_ABSENT = "what {call} asks for is not there{said}"
_SENTENCES = {
    # Any call. Throttling and what is the service's own fault have been repeated ten times by then.
    "AccessDenied": _DENIED,
    "AccessDeniedException": _DENIED,
    "UnauthorizedOperation": _DENIED,
    "OptInRequired": "the account is not signed up for the service of {call}{said}",
    "ThrottlingException": _RATE,
    "Throttling": _RATE,
    "ThrottledException": _RATE,
    "TooManyRequestsException": _RATE,
    "RequestLimitExceeded": _RATE,
    "ServerException": _BUSY,
    "InternalFailure": _BUSY,
    "InternalServiceError": _BUSY,
    "ServiceFailure": _BUSY,
    "ServiceUnavailable": _BUSY,
    "ServiceUnavailableException": _BUSY,
    "RequestTimeout": _BUSY,
    "InvalidSignatureException": _SIGNATURE,
    "SignatureDoesNotMatch": _SIGNATURE,
    "RequestExpired": "AWS takes {call} for too old; set the clock of this machine",
    "InvalidParameterException": _WRONG,
    "ValidationException": _WRONG,
    "ValidationError": _WRONG,
    "InvalidInput": _WRONG,
    "InvalidRequestException": "AWS cannot do {call} now{said}",
    "UnknownOperationException": "this endpoint does not know {call}; it may not be offered in this Region",
    "LimitExceededException": "{call} would go beyond a quota of the account; wait, or have it raised{said}",
    # Amazon ECR.
    "BlockedByOrganizationPolicyException": "{call} is blocked by a policy of the organisation{said}",
    "ImageNotFoundException": "the image is not there any more{said}",
    "InvalidTagParameterException": "a tag cannot be set: keys have at most 128 characters, values 256{said}",
    "KmsException": "the key of the repository cannot be used: it may be disabled, deleted, or closed to {call}{said}",
    "LifecyclePolicyNotFoundException": "the repository has no lifecycle policy{said}",
    "PullThroughCacheRuleNotFoundException": "the pull through cache rule is not there; deploy the stack of its registry",
    "RegistryPolicyNotFoundException": "the registry has no policy",
    "ReplicationBackfillInProgressException": "a replication backfill to that Region is running already{said}",
    "ReplicationBackfillNotFoundException": "the replication backfill is not there; ECR keeps them for 90 days{said}",
    "RepositoryNotEmptyException": "the repository still holds images{said}",
    "RepositoryNotFoundException": "the repository is not there any more{said}",
    "RepositoryPolicyNotFoundException": "the repository has no policy{said}",
    "SecretNotFoundException": "the secret is not there; make it, or give the rule another one{said}",
    "TemplateNotFoundException": "the repository creation template is not there; deploy the stack of its registry",
    "TooManyTagsException": "the repository would have more than the 50 tags that ECR allows{said}",
    "UnableToAccessSecretException": "ECR may not read the secret; look at the secret's own policy{said}",
    "UnableToDecryptSecretValueException": (
        "ECR cannot decrypt the secret; it must be encrypted with aws/secretsmanager, not with another key{said}"
    ),
    "UnableToGetUpstreamImageException": "the upstream refuses the image; look at the credentials of the rule{said}",
    "UnableToGetUpstreamLayerException": "the upstream does not give a layer of the image; try again later{said}",
    "UnableToListUpstreamImageReferrersException": "the upstream refuses to list referrers; look at its credentials{said}",
    # Secrets Manager, IAM and STS.
    "DecryptionFailure": "the secret cannot be decrypted: its key may be disabled, deleted, or closed to {call}{said}",
    "ResourceNotFoundException": _ABSENT,
    "InvalidNextTokenException": "AWS lost the place in a list of {call}; run this again",
    "NoSuchEntity": _ABSENT,
    "PolicyEvaluation": "IAM cannot evaluate the policies of the role{said}",
    "MalformedPolicyDocument": "AWS does not accept the policy that {call} was given{said}",
    "InvalidContextAssertion": "STS does not accept the context that {call} was given{said}",
    "PackedPolicyTooLarge": "the session's policies and tags are too large for {call}{said}",
    # AWS Organizations.
    "AWSOrganizationsNotInUseException": "the account belongs to no organisation{said}",
    "ConcurrentModificationException": "the organisation is being changed at this moment; run this again{said}",
    "ServiceException": _BUSY,
    "RegionDisabledException": "STS is not switched on for this Region in the account; switch it on in IAM{said}",
}  # fmt: skip
_SIGNED_OUT = frozenset(
    {"ExpiredToken", "ExpiredTokenException", "UnrecognizedClientException", "InvalidClientTokenId"}
)


class SignedOut(AwsError):
    """There are no valid credentials: nothing else can be asked either."""


class Throttled(AwsError):
    """AWS's rate limit did not pass, after all of botocore's tries: asking for more makes it worse."""


def ecr_client(region: str, *, profile: str | None = None, connections: int = 10) -> Any:
    """A client of ECR.

    :param region: the Region.
    :param profile: profile of the AWS configuration.
    :param connections: how many threads will ask at once.
    :raises AwsError: when there is no such profile.
    """
    session = _signed_in(profile, region)
    return _client(session, "ecr", region, _RETRIES.merge(Config(max_pool_connections=connections)))


def _signed_in(profile: str | None, region: str | None = None) -> boto3.Session:
    """A session that has credentials and a way to AWS, so that whoever has none learns it once and before anything is done.

    :raises SignedOut: when there are none.
    :raises UserError: when there is no such profile, or AWS's configuration, the proxy or the certificates cannot be used.
    """
    try:
        session = boto3.Session(profile_name=profile, region_name=region)
        credentials = session.get_credentials()
    except (BotoCoreError, ValueError) as error:
        raise AwsError(f"the AWS configuration cannot be used: {printable(str(error))}") from None
    if credentials is None:
        raise SignedOut(
            "no AWS credentials are found; sign in, set AWS_PROFILE or AWS_ACCESS_KEY_ID, or give --profile, "
            "and run this again"
        )
    proxy_for("https://sts.amazonaws.com")
    check_certificates(os.environ.get("AWS_CA_BUNDLE") or None)
    return session


def _client(session: Any, service: str, region: str, config: Config) -> Any:
    """A client whose answers are looked at.

    :raises UserError: when the endpoint, the proxy or the certificates that the environment names cannot be used.
    """
    try:
        client = session.client(service, region_name=region, config=config)
    except (BotoCoreError, ValueError) as error:
        raise AwsError(f"AWS cannot be asked: {printable(str(error))}") from None
    proxy_for(client.meta.endpoint_url)
    watch(client)
    return client


def to_aws_error(error: ClientError | BotoCoreError, *, call: str) -> AwsError:
    """An error of AWS as a sentence.

    :param call: the permission that the call takes, such as ``ecr:GetAuthorizationToken``.
    """
    if isinstance(error, NotAws):
        return not_aws(call)
    if isinstance(error, BotoCoreError):
        kind = SignedOut if isinstance(error, _NO_CREDENTIALS) else AwsError
        text = printable(str(error))
        return kind(f"AWS cannot be asked: {text[:1].lower()}{text[1:]}")
    details = error.response.get("Error", {})
    code, message = printable(str(details.get("Code", ""))), printable(str(details.get("Message", "")))
    if code in _SIGNED_OUT:
        return SignedOut(_SIGN_IN_AGAIN)
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if status >= 500:
        code = "UnknownOperationException" if status == 501 else "ServerException"
    sentence = _SENTENCES.get(
        code, _SENTENCES.get(code.removesuffix("Exception"), f"{{call}} failed with {code}{{said}}")
    )
    error_type = Throttled if sentence is _RATE else AwsError
    return error_type(sentence.format(call=call, said=f": {message}" if message else ""))


def call(client: Any, operation: str, *, absent: Collection[str] = (), **arguments: Any) -> Any:
    """Return the answer to a call; ``None`` if AWS answers that there is nothing of that kind.

    :param client: client of the service.
    :param operation: the client's method, such as ``describe_repositories``.
    :param absent: codes of the errors that say so.
    :param arguments: the call's arguments.
    :raises AwsError: when AWS refuses, or what answers is not AWS.
    """
    return _asked(client, operation, _permission(client, operation), absent, arguments)


def _asked(
    client: Any, operation: str, permission: str, absent: Collection[str], arguments: Mapping[str, Any]
) -> Answer | None:
    method = getattr(client, operation)
    try:
        found = method(**arguments)
    except (ClientError, BotoCoreError) as error:
        if isinstance(error, ClientError) and error.response["Error"]["Code"] in absent:
            return None
        raise to_aws_error(error, call=permission) from None
    except _UNREADABLE:
        raise not_aws(permission) from None
    return answer(permission, found)


def paginate(
    client: Any,
    operation: str,
    key: str,
    *,
    page: int | None = None,
    absent: Collection[str] = (),
    **arguments: Any,
) -> Iterator[Any]:
    """All that AWS lists, page by page; nothing more where it says that there is nothing of that kind.

    :param client: client of the service.
    :param operation: the client's method.
    :param key: what holds the list in the answer.
    :param page: how many to ask for at once; what AWS gives if left out.
    :param absent: codes of the errors that say so.
    :param arguments: the call's arguments.
    :raises AwsError: when AWS refuses, or what answers is not AWS: a page without the list is not an empty one.
    """
    size = {} if page is None else {"PageSize": page}
    permission = _permission(client, operation)
    pages = iter(client.get_paginator(operation).paginate(**arguments, PaginationConfig=size))
    while True:
        try:
            found = next(pages, None)
        except (ClientError, BotoCoreError) as error:
            if isinstance(error, ClientError) and error.response["Error"]["Code"] in absent:
                return
            raise to_aws_error(error, call=permission) from None
        except _UNREADABLE:
            raise not_aws(permission) from None
        if found is None:
            return
        listed = answer(permission, found)[key]
        if not isinstance(listed, list):
            raise not_aws(permission, f"its {key} is no list")
        yield from listed


def _permission(client: Any, operation: str) -> str:
    return f"{client.meta.service_model.signing_name}:{client.meta.method_to_api_mapping[operation]}"


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
        found = call(self._ecr, "get_authorization_token")
        data = next(iter(found["authorizationData"]), None)
        if data is None:
            raise not_aws("ecr:GetAuthorizationToken", "it has no token")
        self._header = f"Basic {data['authorizationToken']}"
        # By AWS's clock, for that of this machine may be hours ahead.
        sent = _sent(found) or now
        self._until = now + data["expiresAt"].timestamp() - sent
        self._renewed = now


def _sent(found: Mapping[str, Any]) -> float | None:
    """When AWS sent an answer, by its own clock."""
    date = found.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date", "")
    try:
        return parsedate_to_datetime(date).timestamp()
    except (TypeError, ValueError, OverflowError, LookupError):
        return None


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
            answer = call(
                self._ecr,
                "batch_check_layer_availability",
                registryId=self._account,
                repositoryName=repository,
                layerDigests=list(digests[start : start + _BATCH]),
            )
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
    """Sessions for the accounts of a configuration, for several threads at once.

    The credentials of an assumed role are renewed before they expire, for a run may take longer than they last.

    :param profile: profile of the AWS configuration.
    :param assume_role: name of the role to assume in each account; the caller's own credentials if left out.
    :raises AwsError: when there is no such profile, or there are no credentials.
    """

    def __init__(self, *, profile: str | None = None, assume_role: str | None = None) -> None:
        self._base = _signed_in(profile)
        self._role = assume_role
        self._found: dict[str, boto3.Session | AwsError] = {}
        self._own: str | None = None
        self._loader: Any = None
        self._lock = threading.Lock()
        self._locks: dict[str, threading.Lock] = {}

    def client(self, service: str, account: str, region: str, *, connections: int = 32) -> Any:
        """A client in an account and Region.

        :param connections: how many threads will ask at once.
        :raises AwsError: when the account cannot be reached; it is not tried again.
        """
        with self._lock:
            lock = self._locks.setdefault(account, threading.Lock())
        with lock:  # an account that does not answer keeps nobody waiting who asks another one
            session: Any = self._session(account, region)  # boto3's types know a service by its literal name alone
        with self._lock:  # sessions, unlike clients, are for one thread at a time
            config = _RETRIES.merge(Config(max_pool_connections=connections))
            return _client(session, service, region, config)

    def _session(self, account: str, region: str) -> boto3.Session:
        if account not in self._found:
            try:
                self._found[account] = self._assume(account, region) if self._role else self._mine(account, region)
            except AwsError as error:
                self._found[account] = error
        found = self._found[account]
        if isinstance(found, AwsError):
            raise found
        return found

    def _sts(self, region: str) -> Any:
        with self._lock:
            return _client(self._base, "sts", region, _RETRIES)

    def _mine(self, account: str, region: str) -> boto3.Session:
        self._own = self._own or call(self._sts(region), "get_caller_identity")["Account"]
        if self._own != account:
            raise AwsError(f"the credentials are those of {self._own}, not of {account}; give --assume-role NAME")
        return self._base

    def _assume(self, account: str, region: str) -> boto3.Session:
        partition = partition_of(region)
        arn = f"arn:{partition.name if partition else 'aws'}:iam::{account}:role/{self._role}"
        sts = self._sts(region)

        def renew() -> dict[str, str]:
            asked = {"RoleArn": arn, "RoleSessionName": "ecr-pull-through"}
            answered: Mapping[str, Any] = _asked(sts, "assume_role", f"sts:AssumeRole of {arn}", (), asked) or {}
            got = answered["Credentials"]
            return {
                "access_key": got["AccessKeyId"],
                "secret_key": got["SecretAccessKey"],
                "token": got["SessionToken"],
                "expiry_time": got["Expiration"].isoformat(),
            }

        credentials = RefreshableCredentials.create_from_metadata(
            metadata=renew(), refresh_using=renew, method="sts-assume-role"
        )
        session = get_session()
        session.register_component("credential_provider", SimpleNamespace(load_credentials=lambda: credentials))
        with self._lock:  # the models of AWS's services are read once, and not for each account
            self._loader = self._loader or session.get_component("data_loader")
        session.register_component("data_loader", self._loader)
        return boto3.Session(botocore_session=session)
