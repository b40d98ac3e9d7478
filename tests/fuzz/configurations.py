"""Configurations through the loader, and through the schema that editors use: what one accepts the other does."""

from __future__ import annotations

import copy
import functools
import random
import re
from typing import Any

import jsonschema
import yaml

from ecr_pull_through_cache.configuration import parse
from ecr_pull_through_cache.configuration.schema import json_schema
from ecr_pull_through_cache.errors import UserError
from tests.fuzz import Tally
from tests.support import ROOT

_SEEDS = [yaml.safe_load((ROOT / f"environments/{name}.yaml").read_text()) for name in ("minimal", "example", "china")]
_VALUES: list[Any] = [
    None, True, False, 0, -1, 1.5, 10**30, "", " ", "a", "A b", "x" * 300, "ROOT", "111122223333", 111122223333, "eu-west-1", "registry.k8s.io",
    "quay.io/x", "arn:aws:iam::111122223333:role/a", "\x1b[2J", "\u202e", "\uff11" * 12, "$(x)", "{{x}}", [], {}, [None], {"a": None}, ["a", "a"], "k8s/",
]  # fmt: skip
_KEYS = [
    "account",
    "region",
    "upstreams",
    "registries",
    "clusters",
    "accounts",
    "nodes",
    "replicateTo",
    "x",
    "",
    "$schema",
    "é",
    "upstream",
    "prefix",
]


@functools.cache
def _schema() -> Any:
    schema = json_schema()
    return jsonschema.validators.validator_for(schema)(schema)


def configuration(chance: random.Random, tally: Tally) -> None:
    """Loaded, or refused with sentences of one line each. What the schema refuses must not load."""
    data = copy.deepcopy(chance.choice(_SEEDS))
    for _ in range(chance.choice([1, 1, 2, 4])):
        _change(chance, data)
    text = yaml.safe_dump(data, allow_unicode=False, sort_keys=False)
    fits = _schema().is_valid(yaml.safe_load(text))
    try:
        parse(text)
    except UserError as error:
        lines = str(error).splitlines()
        if not all(re.match(r"configuration:\d+: ", line) for line in lines):
            tally.wrong("a sentence without its line", str(error)[:300], text)
        tally.outcomes[f"refused by {'the loader alone' if fits else 'both'}"] += 1
        if fits:
            kind = re.sub(r"'[^']*'|\d+|[A-Za-z_.-]*\[\d+\][^ ]*", "…", lines[0].partition(": ")[2].partition(": ")[2])
            tally.outcomes[f"  {kind[:110]}"] += 1
        return
    tally.outcomes["loaded"] += 1
    if not fits:
        tally.wrong("loads although the schema refuses it", "", text)


def _change(chance: random.Random, data: Any) -> None:
    places = list(_places(data))
    parent, key = chance.choice(places)
    kind = chance.randrange(5)
    if kind == 0:
        del parent[key]
    elif kind == 1 and isinstance(parent, dict):
        parent[chance.choice(_KEYS)] = parent.pop(key)
    elif kind == 2:
        other, name = chance.choice(places)
        if name in other if isinstance(other, dict) else name < len(other):
            parent[key] = copy.deepcopy(other[name])
    elif kind == 3 and isinstance(parent, dict):
        parent[chance.choice(_KEYS)] = copy.deepcopy(chance.choice(_VALUES))
    else:
        parent[key] = copy.deepcopy(chance.choice(_VALUES))


def _places(data: Any) -> Any:
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in items:
        yield data, key
        yield from _places(value)
