"""Filters by which the settings of a whole registry choose repositories: replication, scanning and signing.

Every setting has a grammar of its own, and none takes all the prefixes that a pull through cache rule takes.

https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_RepositoryFilter.html,
https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_ScanningRepositoryFilter.html and
https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_SigningRepositoryFilter.html
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import UserError
from ..images import ROOT, check_prefix
from . import quotas
from .quotas import Quota


@dataclass(frozen=True, kw_only=True)
class FilterGrammar:
    """The filters that one setting takes.

    :param setting: the setting, in the words of a message.
    :param below: what follows a prefix, so that the filter stands for the repositories below it.
    :param pattern: pattern of the API.
    :param longest: the most characters.
    :param most: the most filters in a rule.
    """

    setting: str
    below: str
    pattern: re.Pattern[str]
    longest: int
    most: Quota

    def filters(self, prefixes: Sequence[str]) -> list[str]:
        """The filters for the repositories below some prefixes, each once; none where they are all repositories.

        :param prefixes: repository prefixes; ``ROOT``, alone or beside others, means all repositories.
        :raises UserError: when a prefix is none, the setting takes no filter for it, or there are too many.
        """
        plain = dict.fromkeys(check_prefix(prefix, longest=self.longest) for prefix in prefixes)
        if ROOT in plain:
            return []
        if len(plain) > self.most.value:
            raise UserError(
                f"{len(plain)} repository prefixes are given for {self.setting}; allowed are {self.most.value} {self.most.name}"
            )
        return [self._filter(prefix) for prefix in plain]

    def _filter(self, prefix: str) -> str:
        made = f"{prefix}{self.below}"
        if len(made) > self.longest or not self.pattern.fullmatch(made):
            raise UserError(
                f"ECR takes no filter {made!r} for {self.setting}; it has at most {self.longest} characters and "
                f"matches {self.pattern.pattern}; choose another repository prefix, or {ROOT} for all repositories"
            )
        return made


REPLICATION = FilterGrammar(
    setting="replication",
    below="/",
    pattern=re.compile(r"(?:[a-z0-9]+(?:[._-][a-z0-9]*)*/)*[a-z0-9]*(?:[._-][a-z0-9]*)*", re.ASCII),
    longest=256,
    most=quotas.REPLICATION_FILTERS,
)
SCANNING = FilterGrammar(
    setting="scanning",
    below="/*",
    # The API's own pattern takes exponential time in Python; this one has the same language.
    pattern=re.compile(r"[a-z0-9*]+(?:[._/-][a-z0-9*]+)*", re.ASCII),
    longest=255,
    most=quotas.SCANNING_FILTERS,
)
SIGNING = FilterGrammar(
    setting="signing",
    below="/*",
    pattern=re.compile(r"(?:[a-z0-9*]+(?:[._-][a-z0-9*]+)*/)*[a-z0-9*]+(?:[._-][a-z0-9*]+)*", re.ASCII),
    longest=256,
    most=quotas.SIGNING_FILTERS,
)
