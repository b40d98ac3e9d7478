"""The accounts that pull from each registry of a configuration."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from ..ecr.statements import Who
from .checks import Names
from .models import Cluster, Document, Pull


@dataclass(frozen=True, kw_only=True)
class Pulling:
    """The accounts that pull from one registry, besides its own.

    :param pullers: all of them.
    :param importers: those whose pulls may import.
    :param members: accounts of clusters that belong to the organisation; where it is let in, they are not listed.
    :param inherited_from: names of the registries that replicate to it and whose ``pull`` holds here. Default: none.
    """

    pullers: Who
    importers: Who
    members: tuple[str, ...] = ()
    inherited_from: tuple[str, ...] = ()


def pulling(document: Document, names: Names) -> Mapping[str, Pulling]:
    """The accounts that pull from each registry. Those that are not known are left out: errors name them.

    :param document: the configuration.
    :param names: its accounts and Regions.
    """
    clusters: defaultdict[str, list[Cluster]] = defaultdict(list)
    for cluster in document.clusters.values():
        clusters[cluster.registry].append(cluster)
    return {name: _of(document, names, name, clusters[name]) for name in document.registries}


def _of(document: Document, names: Names, name: str, clusters: list[Cluster]) -> Pulling:
    pull, inherited_from = _pull(document, name)
    own = names.account(document.registries[name].account)
    listed = {names.account(account) for account in pull.accounts} - {own, None}
    used = {names.account(cluster.account): False for cluster in clusters}
    for cluster in clusters:
        account = names.account(cluster.account)
        used[account] = used[account] or cluster.import_
    others = set(used) - {own, None}
    importing = {account for account in others if used[account]}
    organization = document.organization if pull.organization else None
    if inherited_from:
        # Replicas are not imported, and the accounts of clusters keep what they have without the inheritance.
        who = Who(accounts=_sorted(listed | others), organization=organization)
        return Pulling(pullers=who, importers=Who(accounts=_sorted(importing)), inherited_from=inherited_from)
    if organization is not None:
        who = Who(accounts=_sorted(listed), organization=organization)
        return Pulling(pullers=who, importers=who, members=_sorted(others - listed))
    return Pulling(pullers=Who(accounts=_sorted(listed | others)), importers=Who(accounts=_sorted(listed | importing)))


def _pull(document: Document, name: str) -> tuple[Pull, tuple[str, ...]]:
    """The ``pull`` that holds for a registry, and the registries that it is inherited from."""
    default = document.defaults.pull or Pull()
    own = document.registries[name].pull
    if own is not None:
        return own, ()
    sources = {other: source.pull for other, source in document.registries.items() if name in source.replicate_to}
    saying = tuple(sorted(other for other, pull in sources.items() if pull is not None))
    if not saying:
        return default, ()
    every = [pull or default for pull in sources.values()]
    accounts = dict.fromkeys(account for pull in every for account in pull.accounts)
    return Pull(accounts=tuple(accounts), organization=any(pull.organization for pull in every)), saying


def _sorted(accounts: set[str | None]) -> tuple[str, ...]:
    return tuple(sorted(account for account in accounts if account is not None))
