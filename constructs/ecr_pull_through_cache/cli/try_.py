"""``try``: pull one image as a node does it, and explain what stops it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import UserError
from ._console import complain, say, say_json
from ._mapping import Cluster, Config, Host, Registry, Upstreams, mapping_of
from ._options import AssumeRole, Profile
from ._usage import Command

if TYPE_CHECKING:
    from ..images import CacheMapping, EcrHost
    from ..operations.trying import Trial


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("try", cls=Command)(try_)


def try_(
    image: Annotated[
        str, typer.Argument(metavar="IMAGE", help="Image reference, as upstream or as the cache names it.")
    ],
    config: Config = None,
    cluster: Cluster = None,
    registry: Registry = None,
    host: Host = None,
    upstream: Upstreams = None,
    platform: Annotated[str, typer.Option(metavar="OS/ARCHITECTURE", help="Platform of the node.")] = "linux/amd64",
    pod: Annotated[
        bool, typer.Option("--pod", help="Print a Pod that pulls the image, and the commands that tell whether it did.")
    ] = False,
    login: Annotated[
        bool, typer.Option("--login", help="Print the commands that sign docker, podman and crane in.")
    ] = False,
    no_upstream: Annotated[
        bool, typer.Option("--no-upstream", help="Do not ask the upstream whether it has an image that is missing.")
    ] = False,
    registry_url: Annotated[
        str | None,
        typer.Option(
            metavar="URL", help="URL of the registry, if it is not reached at its own host.", show_default=False
        ),
    ] = None,
    profile: Profile = None,
    assume_role: AssumeRole = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one line of JSON for each step.")] = False,
) -> None:
    """Pull an image as a node does; explain what fails.

    It signs in, reads the manifest and the first bytes of each layer through the endpoint given, and stores nothing. ECR imports
    the image if the cache does not have it, as for any first pull.

    Exit codes: 0 a node with these permissions can pull the image, 1 it cannot, 2 nothing could be tried.

    Example: ecr-pull-through try registry.k8s.io/pause:3.10 --pod --config environments/minimal.yaml
    """
    from ..images import check_platform
    from ..operations.aws import registry_of

    mapping = mapping_of(config, cluster, registry, host, upstream)
    place = registry_of(mapping.registry)
    if pod or login:
        _print_instead(image, mapping, place, pod=pod, login=login)
        return
    check_platform(platform)
    with _trial(
        mapping, place, platform, url=registry_url, profile=profile, assume_role=assume_role, no_upstream=no_upstream
    ) as trial:
        if not _run(trial, image, as_json):
            raise typer.Exit(1)


def _print_instead(image: str, mapping: CacheMapping, place: EcrHost, *, pod: bool, login: bool) -> None:
    from ..manifests.yaml_text import to_yaml
    from ..operations.trying import login_lines, pod_that_pulls, wait_lines

    if login:
        for line in login_lines(mapping.registry, place.region):
            say(line)
    if pod:
        if not mapping.decide(image).is_rewritten and mapping.upstream_of(image) is None:
            raise UserError(f"{image} stays with its upstream: {mapping.decide(image).reason.value}; nothing to try")
        print(to_yaml([pod_that_pulls(mapping.map(image))]), end="")
        complain("apply it, and then:")
        for line in wait_lines():
            complain(f"  {line}")


def _run(trial: Trial, image: str, as_json: bool) -> bool:
    from ..operations.trying import Result

    counts = dict.fromkeys(Result, 0)
    for tried in trial.run(image):
        counts[tried.result] += 1
        if as_json:
            say_json(
                {
                    "step": tried.step.value,
                    "result": tried.result.value,
                    "detail": tried.detail,
                    "failure": tried.failure.value if tried.failure else None,
                }
            )
        else:
            say(f"{tried.result.value:8}{tried.step.value:10}{tried.detail}")
    failed = counts[Result.FAILED]
    if failed:
        complain(f"{image} cannot be pulled")
    elif counts[Result.WARNING]:
        complain(
            f"{image} can be pulled by nodes with internet access; {counts[Result.WARNING]} layers are not in ECR yet"
        )
    else:
        complain(f"{image} can be pulled")
    return not failed


@contextmanager
def _trial(
    mapping: CacheMapping,
    place: EcrHost,
    platform: str,
    *,
    url: str | None,
    profile: str | None,
    assume_role: str | None,
    no_upstream: bool,
) -> Iterator[Trial]:
    from ..operations.aws import EcrToken, Sessions, ecr_client
    from ..operations.proxies import proxy_for
    from ..operations.registry import RegistryClient, Retries
    from ..operations.trying import Trial
    from ..operations.upstreams import UpstreamClient

    if assume_role is None:
        ecr = ecr_client(place.region, profile=profile)
    else:
        ecr = Sessions(profile=profile, assume_role=assume_role).client("ecr", place.account, place.region)
    token = EcrToken(ecr)
    trusted = os.environ.get("AWS_CA_BUNDLE")
    address = url or f"https://{mapping.registry}"
    client = RegistryClient(
        mapping.registry, authorization=token, url=url, retries=Retries(tries=3), proxy=proxy_for(address),
        ca_certs=trusted,
    )  # fmt: skip
    asked = None if no_upstream else UpstreamClient(proxy=proxy_for("https://registry.k8s.io"), ca_certs=trusted)
    try:
        yield Trial(mapping, client, token=token, ecr=ecr, upstream=asked, platform=platform)
    finally:
        client.close()
        if asked is not None:
            asked.close()
        sys.stdout.flush()
