"""Options that several commands share, and what they select of a configuration."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from ..errors import UserError, did_you_mean

if TYPE_CHECKING:
    from ..configuration import Configuration, RegistryPlan

CONFIG: Final = Path("cache.yaml")
"""The configuration file of a command that is given none."""
CONFIG_VARIABLE: Final = "ECR_PULL_THROUGH_CONFIG"
"""Environment variable that names another one."""
HOST_VARIABLE: Final = "ECR_PULL_THROUGH_HOST"
"""Environment variable for --host."""
UPSTREAMS_VARIABLE: Final = "ECR_PULL_THROUGH_UPSTREAMS"
"""Environment variable for --upstream; several are separated by spaces or commas."""


def complete_clusters(ctx: typer.Context, incomplete: str) -> list[str]:
    """List the clusters of the configuration for the completion of the shell."""
    return _complete(ctx, incomplete, "clusters")


def complete_registries(ctx: typer.Context, incomplete: str) -> list[str]:
    """List the registries of the configuration for the completion of the shell."""
    return _complete(ctx, incomplete, "registries")


def _complete(ctx: typer.Context, incomplete: str, kind: str) -> list[str]:
    from ..configuration import load

    path = ctx.params.get("config") or os.environ.get(CONFIG_VARIABLE) or CONFIG
    try:
        names: Mapping[str, object] = getattr(load(path), kind)
    except UserError:  # the command itself says what is wrong with the file
        return []
    return [name for name in names if name.startswith(incomplete)]


Config = Annotated[Path, typer.Option(metavar="FILE", envvar=CONFIG_VARIABLE, help="Configuration file.")]
Registries = Annotated[
    list[str] | None,
    typer.Option(
        "--registry",
        metavar="NAME",
        autocompletion=complete_registries,
        help="Registry of the configuration; repeatable. Default: all of them.",
        show_default=False,
    ),
]
Profile = Annotated[
    str | None, typer.Option(metavar="NAME", help="Profile of the AWS configuration.", show_default=False)
]
AssumeRole = Annotated[
    str | None, typer.Option(metavar="ROLE", help="Name of the role to assume in each account.", show_default=False)
]
Concurrency = Annotated[int, typer.Option(metavar="N", min=1, max=32, help="Concurrent API calls in each registry.")]


def select(given: dict[str, Any], environ: Mapping[str, str]) -> None:
    """Fill in the options that select a cache, where the command line leaves them out.

    The command line comes before the environment, and the environment before ``cache.yaml`` in the working folder. What selects
    a configuration is never completed with a host, nor the other way round.

    :param given: values of the options ``config``, ``cluster``, ``registry``, ``host`` and ``upstream``; changed in place.
    :param environ: environment variables.
    :raises UserError: when the environment selects two caches and the command line none.
    """
    by_file = any(given[name] is not None for name in ("config", "cluster", "registry"))
    by_host = given["host"] is not None or bool(given["upstream"])
    config, host = environ.get(CONFIG_VARIABLE), environ.get(HOST_VARIABLE)
    upstreams = environ.get(UPSTREAMS_VARIABLE, "").replace(",", " ").split()
    if not (by_file or by_host):
        if config and (host or upstreams):
            other = HOST_VARIABLE if host else UPSTREAMS_VARIABLE
            raise UserError(f"{CONFIG_VARIABLE} and {other} are both set, and select two caches; unset one of them")
        by_host = bool(host or upstreams)
    if by_host and not by_file:
        given["host"] = given["host"] or host or None
        given["upstream"] = given["upstream"] or upstreams
    elif not by_host and given["config"] is None:
        given["config"] = Path(config) if config else CONFIG if CONFIG.exists() else None


def chosen(config: Path, names: list[str] | None, *, of: Configuration | None = None) -> Mapping[str, RegistryPlan]:
    """Select the registries that the options name; all of them if they name none.

    :param config: the configuration's file.
    :param names: names of registries.
    :param of: the configuration, where it is loaded already.
    :raises UserError: when the configuration has no registry of that name.
    """
    from ..configuration import load

    plans = (of or load(config)).registries
    for name in sorted(names or ()):
        registry_named(config, plans, name)
    return {name: plan for name, plan in plans.items() if not names or name in names}


def registry_named(config: Path, plans: Mapping[str, RegistryPlan], name: str) -> RegistryPlan:
    """Look a registry up by its name.

    :param config: the configuration's file.
    :param plans: its registries.
    :param name: the name.
    :raises UserError: when the configuration has no registry of that name.
    """
    if name not in plans:
        meant = did_you_mean(name, plans)
        raise UserError(f"{config}: there is no registry {name!r}{meant}; there are {', '.join(plans)}")
    return plans[name]
