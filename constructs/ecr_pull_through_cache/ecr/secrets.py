"""Names and ARNs of the secrets with which ECR signs in to upstream registries.

https://docs.aws.amazon.com/AmazonECR/latest/userguide/pull-through-cache-creating-secret.html
https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_CreatePullThroughCacheRule.html (credentialArn)
https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_CreateSecret.html (Name)
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..errors import UserError
from . import quotas
from .registry import EcrRegistry

PREFIX = "ecr-pullthroughcache/"
"""The beginning of every secret name that ECR accepts for a pull through cache rule."""

LONGEST_NAME = quotas.SECRET_NAME.value
"""Characters of a secret's name, the prefix included, that Secrets Manager accepts."""

KEYS = frozenset({"username", "accessToken"})
"""The JSON keys that ECR reads in the value."""

PLACEHOLDER = "replace-me"
"""The user name in a secret that this package creates, until the real value is written."""

_CHARACTERS = "letters, digits and '/_+=.@-'"
_NAME = re.compile(r"[a-zA-Z0-9/_+=.@-]+", re.ASCII)
_ARN = re.compile(r"arn:[\w-]+:secretsmanager:(?P<region>[^:]*):(?P<account>\d*):secret:(?P<name>.+)", re.ASCII)
_SUFFIX = re.compile(r"-[a-zA-Z0-9]{6}", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class SecretArn:
    """The parts of a secret's ARN.

    :param account: account of the secret; empty in an ARN without one.
    :param region: its Region; empty in an ARN without one.
    :param name: the name as the ARN holds it, with the suffix of a complete ARN.
    """

    account: str
    region: str
    name: str

    @property
    def is_complete(self) -> bool:
        """Whether the ARN ends in the hyphen and six characters that Secrets Manager appends to a name."""
        return _SUFFIX.fullmatch(self.name[-7:]) is not None


def parse_arn(arn: str) -> SecretArn | None:
    """The parts of an ARN, ``None`` for another text.

    :param arn: complete or partial ARN of a secret.
    """
    match = _ARN.fullmatch(arn)
    return None if match is None else SecretArn(**match.groupdict())


def full_name(given: str) -> str:
    """A name with the prefix that ECR wants, whether or not it was given with it.

    :param given: name of a secret.
    """
    return given if given.startswith(PREFIX) else PREFIX + given


def check_name(given: str) -> str:
    """The full name of a secret to be created.

    :param given: the name with or without :data:`PREFIX`.
    :raises UserError: when Secrets Manager or ECR would refuse it.
    """
    name = full_name(given)
    if len(name) > LONGEST_NAME:
        raise UserError(
            f"the name of the secret has {len(name)} characters; at most {LONGEST_NAME} are allowed, "
            f"{PREFIX!r} included"
        )
    if not _NAME.fullmatch(name.removeprefix(PREFIX)):
        raise UserError(f"{given!r} is not the name of a secret; allowed are {_CHARACTERS}")
    return name


def check_reads(name: str) -> str:
    """The name of a secret that exists, when ECR reads secrets of that name.

    :param name: the whole name, or a complete ARN's last part.
    :raises UserError: when ECR does not.
    """
    if not name.startswith(PREFIX):
        raise UserError(
            f"the credentials are in the secret {name!r}; ECR reads secrets whose name begins with {PREFIX!r}"
        )
    return check_name(name)


def check_complete_arn(given: str) -> SecretArn:
    """The parts of the complete ARN of a secret that ECR reads.

    :param given: the ARN.
    :raises UserError: when it is not complete, or ECR does not read a secret of that name.
    """
    arn = parse_arn(given)
    name = arn.name[:-7] if arn is not None else ""
    if (
        arn is None
        or not (arn.is_complete and arn.account and arn.region and name.startswith(PREFIX))
        or not _NAME.fullmatch(name.removeprefix(PREFIX))
    ):
        raise UserError(
            f"{given!r} is not the complete ARN of a secret that ECR reads; its name begins with {PREFIX!r}, "
            "and '-' and six characters follow the name"
        )
    check_name(name)
    return arn


def arn_pattern(registry: EcrRegistry, given: str) -> str:
    """ARN by which a policy names a secret; ``?`` stands for each character that Secrets Manager chooses.

    :param registry: the registry whose rule uses it.
    :param given: its name, or its ARN.
    """
    arn = parse_arn(given)
    if arn is not None:
        return given if arn.is_complete else f"{given}-??????"
    return registry.arn("secretsmanager", f"secret:{full_name(given)}-??????")
