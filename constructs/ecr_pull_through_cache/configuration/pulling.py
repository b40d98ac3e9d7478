"""The accounts that pull from each registry of a configuration."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from ..ecr.statements import Who
from .checks import Names
from .models import Cluster, Document


@dataclass(frozen=True, kw_only=True)
class Pulling:
    """The accounts that pull from one registry, besides its own.

    :param pullers: all of them.
    :param importers: those whose pulls may import.
    :param members: accounts of clusters that belong to the organisation; where it is let in, they are not listed.
    """

    pullers: Who
    importers: Who
    members: tuple[str, ...] = ()


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
    registry = document.registries[name]
    own = names.account(registry.account)
    listed = {names.account(account) for account in registry.pull.accounts} - {own, None}
    used = {names.account(cluster.account): False for cluster in clusters}
    for cluster in clusters:
        account = names.account(cluster.account)
        used[account] = used[account] or cluster.import_
    others = set(used) - {own, None}
    organization = document.organization if registry.pull.organization else None
    if organization is not None:
        who = Who(accounts=_sorted(listed), organization=organization)
        return Pulling(pullers=who, importers=who, members=_sorted(others - listed))
    importing = {account for account in others if used[account]}
    return Pulling(pullers=Who(accounts=_sorted(listed | others)), importers=Who(accounts=_sorted(listed | importing)))


def _sorted(accounts: set[str | None]) -> tuple[str, ...]:
    return tuple(sorted(account for account in accounts if account is not None))
