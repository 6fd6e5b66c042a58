"""Target words, each in one part only: the verb or noun whose form gives a sentence's class away.

A classifier that has learnt which words are plural, say, then meets only words it was not taught.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import numpy as np

from lexiscope.probes.treebanks import PARTS, Part

DOMINANT = 0.25
"""A target word that alone would fill this share of a validation or test part goes to training."""


def share_targets(
    uses: Mapping[str, Mapping[str, Counter[Part]]],
    shares: Mapping[Part, float],
    generator: np.random.Generator,
) -> dict[str, Part]:
    """Give each target word to one part, so that each keeps about its share of the sentences of a class.

    A word that only one part has stays there. Of the others, in order of frequency, each goes to the part
    that has the least of its share yet; but not to validation or test, if it would dominate them.

    Parameters
    ----------
    uses
        Class → target → sentences in each part. A target of several classes counts for the one it has
        most often.
    """
    owners: dict[str, Part] = {}
    totals: dict[str, Counter[str]] = {name: Counter() for name in uses}
    for name, targets in uses.items():
        for target, parts in targets.items():
            totals[name][target] = parts.total()
    for name in sorted(uses):
        own = [
            target
            for target, total in totals[name].items()
            if all((total, name) >= (totals[other][target], other) for other in uses)
        ]
        in_all = {part: sum(uses[name][target][part] for target in own) for part in PARTS}
        goals = {part: max(shares[part] * in_all[part], 1e-9) for part in PARTS}
        kept = dict.fromkeys(PARTS, 0)
        generator.shuffle(own)
        own.sort(key=lambda target: (len(uses[name][target]) > 1, -totals[name][target]))
        for target in own:
            counts = uses[name][target]
            allowed = [part for part in PARTS if counts[part]]
            if len(allowed) > 1 and any(counts[part] > DOMINANT * goals[part] for part in PARTS[1:]):
                owners[target] = "tr"
            else:
                owners[target] = min(allowed, key=lambda part: kept[part] / goals[part])
            kept[owners[target]] += counts[owners[target]]
    return owners
