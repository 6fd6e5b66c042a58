"""Target words, each in one part only: the verb or noun whose form gives a sentence's class away.

A classifier that has learnt which words are plural, say, then meets only words it was not taught.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from lexiscope.probes.treebanks import PARTS, Part

DOMINANT = 0.25
"""A target word that alone would fill this share of a validation or test part goes to training …"""

STARVED = 0.5
"""… unless one of those parts would then get less than this share of what it is to have."""

Counts = Mapping[str, Counter[Part]]
"""Target word → sentences in each part."""


def share_targets(
    uses: Mapping[str, Counts], shares: Mapping[Part, float], generator: np.random.Generator
) -> dict[str, Part]:
    """Give each target word to one part, so that each keeps about its share of the sentences of a class.

    A word that only one part has stays there. Of the others, in order of frequency, each goes to the part
    that has the least of its share yet; but not to validation or test, if it would dominate them.

    Parameters
    ----------
    uses
        By class. A target of several classes counts for the one it has most often.
    """
    owners: dict[str, Part] = {}
    for name in sorted(uses):
        counts = {
            target: parts
            for target, parts in uses[name].items()
            if all(
                (parts.total(), name) >= (others.get(target, Counter[Part]()).total(), other)
                for other, others in uses.items()
            )
        }
        targets = list(counts)
        generator.shuffle(targets)
        targets.sort(key=lambda target: (len(counts[target]) > 1, -counts[target].total()))
        goals = {
            part: max(shares[part] * sum(parts[part] for parts in counts.values()), 1e-9) for part in PARTS
        }
        given, kept = _give(targets, counts, goals, DOMINANT)
        if any(kept[part] < STARVED * goals[part] for part in PARTS[1:]):
            given, _ = _give(targets, counts, goals, float("inf"))
        owners.update(given)
    return owners


def _give(
    targets: Sequence[str], counts: Counts, goals: Mapping[Part, float], dominant: float
) -> tuple[dict[str, Part], Counter[Part]]:
    """The part of each target, and how many sentences each part keeps."""
    given: dict[str, Part] = {}
    kept: Counter[Part] = Counter()
    for target in targets:
        own = counts[target]
        allowed = [part for part in PARTS if own[part]]
        if any(own[part] > dominant * goals[part] for part in allowed if part != "tr") and own["tr"]:
            given[target] = "tr"
        else:
            given[target] = min(allowed, key=lambda part: kept[part] / goals[part])
        kept[given[target]] += own[given[target]]
    return given, kept
