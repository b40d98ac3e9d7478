"""References of images through the mapping."""

from __future__ import annotations

import random

from ecr_pull_through_cache.images import ImageReference, InvalidImageReference, PinnedByDigest, Reason
from tests.corpus import DIGEST, HOST, NASTY, generated, mapping
from tests.fuzz import Tally, mutated

_MAPPINGS = [mapping(pinned) for pinned in PinnedByDigest]
_VALID = generated(2_000, 7)
_PIECES = [
    "/", ":", "@", ".", "-", "_", "__", "//", "..", "A", "0", "a" * 130, "a/" * 130, "library/", "docker.io/", HOST, f"@{DIGEST}", "@sha512:",
    "\n", "\r", "\t", " ", "\0", "\x1b[31m", "\u202e", "\ud800", "\uff11", "{{ x }}", "${x}", "$(x)", "%2e", "'", '"', "\\", "[::1]:5", "é",
]  # fmt: skip


def reference(chance: random.Random, tally: Tally) -> None:
    """What becomes of a reference is a reference, that the cache names already; or one sentence."""
    text = chance.choice(_VALID if chance.random() < 0.7 else NASTY)
    if chance.random() < 0.5:
        text = mutated(chance, text, _PIECES)
    found = chance.choice(_MAPPINGS)
    try:
        decision = found.decide(text)
        back = found.upstream_of(decision.image) if decision.reason is not Reason.PLACEHOLDER else None
    except InvalidImageReference as error:
        tally.outcomes["refused"] += 1
        if "\n" in str(error):
            tally.wrong("a sentence of several lines", str(error), text)
        return
    tally.outcomes[decision.reason.name] += 1
    if not decision.is_rewritten:
        if decision.image != text:
            tally.wrong("changed although it stays", decision.image, text)
        return
    ImageReference.parse(decision.image)
    if found.decide(decision.image).reason is not Reason.ALREADY_CACHED:
        tally.wrong("the cache does not know its own name", decision.image, text)
    if back is None or found.decide(back).image != decision.image:
        tally.wrong("the way back leads elsewhere", str(back), text)
