"""Checks that constructs make at synthesis, and the errors that they answer with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from aws_cdk import Annotations

from constructs import Construct, IConstruct

from ._place import Place, is_unresolved, place_of
from .errors import UserError, did_you_mean
from .images import REGIONS, is_account, is_new_region, new_region, overlaps

NEW_REGION = "cdk-ecr-pull-through-cache:newRegion"
"""Id of the warning that this package does not know a Region."""


def error_at(scope: IConstruct, id: str, message: str) -> UserError:
    """An error that begins with the path of the construct it is about."""
    path = "/".join(part for part in (scope.node.path, id) if part)
    return UserError(f"{path}: {message}")


@contextmanager
def at(scope: IConstruct, id: str) -> Iterator[None]:
    """Let an error about a value begin with the path of the construct that was given the value.

    :param scope: parent of the construct.
    :param id: its id below the parent.
    :raises UserError: the error, with the path before it.
    """
    try:
        yield
    except UserError as error:
        raise error_at(scope, id, str(error)) from None


def check_account(account: str) -> None:
    """Refuse what is neither an account's 12 digits nor a token.

    :raises UserError: when it is neither.
    """
    if not is_unresolved(account) and not is_account(account):
        raise UserError(f"{account!r} is not an account; an account has 12 digits")


def check_region(region: str) -> None:
    """Refuse what is neither a Region's name nor a token. A Region of a name like those of its partition may be a new one.

    :raises UserError: when it is neither; the message names the nearest Region.
    """
    if not is_unresolved(region) and region not in REGIONS and not is_new_region(region):
        raise UserError(
            f"{region!r} is not a Region{did_you_mean(region, REGIONS)}; a Region is named like 'eu-west-1'"
        )


def warn_of_new_region(scope: IConstruct, region: str) -> None:
    """Warn about a Region that this package does not know, which is taken to have Amazon ECR.

    :param scope: the construct to be warned about.
    :param region: a Region's name, or a token.
    """
    if not is_unresolved(region) and is_new_region(region):
        Annotations.of(scope).add_warning_v2(NEW_REGION, new_region(region))


def claim_singleton(scope: Construct, id: str, kind: str) -> None:
    """Claim to be the only construct of a kind in an account and Region.

    :raises UserError: when another construct of the app is that already; the message names it.
    """
    taken = _taken(scope, kind)
    if taken:
        first = next(iter(taken))
        raise error_at(
            scope,
            id,
            f"a registry has only one {kind}, and {taken[first]} is it for {_environment(place_of(scope))}; "
            "add to that one, or give this stack another env",
        )
    taken[kind] = place_of(scope).below(id)


def claim_prefix(scope: Construct, id: str, kind: str, prefix: str, *, nested: bool) -> None:
    """Claim a repository prefix in an account and Region for a construct.

    :param nested: whether a prefix may lie below another one, the longest being the one that counts.
    :raises UserError: when another construct of the app stands for the same or an overlapping prefix.
    """
    taken = _taken(scope, kind)
    for other, path in taken.items():
        if other == prefix or (not nested and overlaps(other, prefix)):
            raise error_at(
                scope,
                id,
                f"the prefix {prefix!r} overlaps {other!r} of {path}; "
                f"every {kind} of a registry needs a prefix of its own",
            )
    taken[prefix] = place_of(scope).below(id)


def claim_file(scope: Construct, id: str, path: str) -> None:
    """Claim a file for a construct.

    :param path: the file.
    :raises UserError: when another construct of the app writes it already; the message names that construct.
    """
    taken = place_of(scope).claims.setdefault(("file", ""), {})
    if path in taken:
        raise error_at(
            scope,
            id,
            f"{taken[path]} writes the file {path} already; give one of the two policies another name in its settings, "
            "or another stack",
        )
    taken[path] = place_of(scope).below(id)


def count_of(scope: Construct, kind: str) -> int:
    """Count the prefixes of a kind that are claimed in the environment of a construct."""
    return len(_taken(scope, kind))


def _taken(scope: Construct, kind: str) -> dict[str, str]:
    place = place_of(scope)
    return place.claims.setdefault((kind, _environment(place)), {})


def _environment(place: Place) -> str:
    if is_unresolved(place.account) or is_unresolved(place.region):
        return f"the stack {place.stack}"
    return f"aws://{place.account}/{place.region}"
