"""The base of every error that a user can fix, and the hint at the nearest allowed value."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class UserError(ValueError):
    """A value that cannot be used was given.

    The message is one sentence for people: where it is, what was given, what is allowed, what to do.
    """


def did_you_mean(given: str, allowed: Iterable[str], *, cutoff: float = 0.6) -> str:
    """Name the allowed value that is nearest to a mistyped one, in parentheses; nothing if none is near.

    :param given: the value given.
    :param allowed: the values allowed.
    :param cutoff: minimum similarity of a value that is named, from 0 to 1. Default: 0.6.
    """
    near = difflib.get_close_matches(given, list(allowed), n=1, cutoff=cutoff)
    return f" (did you mean {near[0]!r}?)" if near else ""
