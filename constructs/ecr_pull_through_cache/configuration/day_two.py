"""Checks of a registry's operations keys against its other keys, and the list of images in a file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..ecr.registry import EcrRegistry
from ..errors import UserError
from ..images import ROOT, CacheMapping, listed_images, why_not_importable
from .checks import Names
from .models import Document, Registry, Warm
from .source import Place, Problem


def with_images(warm: Warm, folder: Path) -> Warm:
    """The same with the images of its file in their place.

    :param warm: what the configuration says.
    :param folder: where the file is.
    :raises UserError: when the file cannot be read.
    """
    if warm.images_file is None:
        return warm
    return warm.model_copy(update={"images": read_list(folder / warm.images_file)})


def read_list(path: Path) -> tuple[str, ...]:
    """The images of a list: one a line, without comments.

    :param path: the file.
    :raises UserError: when it cannot be read, or holds none.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError:
        raise UserError(f"{str(path)!r} cannot be read: it is not UTF-8 text") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not the name of a file"
        raise UserError(f"{str(path)!r} cannot be read: {reason}") from None
    images = listed_images(lines)
    if not images:
        raise UserError(f"{str(path)!r} holds no images; write one a line")
    return images


def check_day_two(document: Document, folder: Path) -> Iterator[Problem]:
    """Find contradictions between the operations keys and the other keys.

    :param document: the configuration.
    :param folder: where files are that it names.
    """
    names = Names(document.accounts, document.regions)
    for name, registry in document.registries.items():
        place: Place = ("registries", name)
        environment = names.environment(registry)
        yield from _needs_upstreams(place, registry)
        if environment is not None:
            yield from _same_region(place, registry, environment)
            yield from _images((*place, "warm"), registry, environment, folder)
        if registry.empty_on_delete and ROOT in registry.upstreams:
            yield Problem(
                place=(*place, "emptyOnDelete"),
                message="what a rule without a prefix made cannot be told from the rest of the registry; "
                "give the upstream a prefix instead of ROOT",
            )


def _needs_upstreams(place: Place, registry: Registry) -> Iterator[Problem]:
    if not any(rule.mode == "pull-through" for rule in registry.upstreams.values()):
        for key, given in (("warm", registry.warm), ("emptyOnDelete", registry.empty_on_delete)):
            if given:
                yield Problem(
                    place=(*place, key),
                    message="no upstreams are pulled through here; leave it out",
                    follows_from=((*place, "upstreams"),),
                )


def _same_region(place: Place, registry: Registry, environment: EcrRegistry) -> Iterator[Problem]:
    for key in ("warm", "backfill", "dashboard"):
        part = getattr(registry, key)
        topic = part.alarm_topic if part else None
        if topic is not None and topic.split(":")[3] != environment.region:
            yield Problem(
                place=(*place, key, "alarmTopic"),
                message=f"the topic lies in {topic.split(':')[3]}; alarms of {environment.region} tell topics of their Region",
            )
    key_arn = registry.warm.kms_key if registry.warm else None
    if key_arn is not None and key_arn.split(":")[3] != environment.region:
        yield Problem(
            place=(*place, "warm", "kmsKey"),
            message=f"the key lies in {key_arn.split(':')[3]}; a bucket of {environment.region} needs one of its Region",
        )


def _images(place: Place, registry: Registry, environment: EcrRegistry, folder: Path) -> Iterator[Problem]:
    warm = registry.warm
    if warm is None:
        return
    try:
        images = with_images(warm, folder).images
    except UserError as error:
        yield Problem(place=(*place, "imagesFile"), message=str(error))
        return
    mapping = _mapping(registry, environment)
    if mapping is None or not mapping.rules:
        return
    for number, image in enumerate(images):
        reason = why_not_importable(image, mapping)
        if reason is not None:
            yield Problem(
                place=(*place, "imagesFile") if warm.images_file else (*place, "images", number),
                message=reason,
                follows_from=((*place[:-1], "upstreams"),),
            )


def _mapping(registry: Registry, environment: EcrRegistry) -> CacheMapping | None:
    """The mapping of the registry, ``None`` where a rule is wrong in itself, which is said elsewhere."""
    try:
        rules = [rule.cached(prefix) for prefix, rule in registry.upstreams.items() if rule.mode == "pull-through"]
        return CacheMapping.of(environment.host, rules)
    except UserError:
        return None
