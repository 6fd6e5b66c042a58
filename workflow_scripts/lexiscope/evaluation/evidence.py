"""What the scores say about a claim that some spaces are better than others."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lexiscope.evaluation.answers import Headline, read_answers, read_headlines
from lexiscope.evaluation.claims_registry import Key, Order
from lexiscope.evaluation.config import ProtocolConfig
from lexiscope.evaluation.paired import TWO_VS_TWO, Difference, Problem, differences, pooled
from lexiscope.evaluation.tasks import PROBES

SpacePair = tuple[str, str]

COMPRESSED = "_compressed"
"""Ends the name of a dataset of language models with a compression layer on pre-trained vectors."""


@dataclass(frozen=True)
class Finding:
    """What is known about one claim, before it is corrected for the number of claims.

    Attributes
    ----------
    spaces
        Which spaces it is about.
    effect, ci_low, ci_high, p_value
        Above 0 in favour of the claim; the effect is None if nothing could be tested.
    sets_agree
        Whether as many sets point its way as it asks for.
    complete
        Whether all spaces that the claim speaks of were compared.
    p_against
        For each set of a claim about every set, the p-value of its pointing against the claim; None for a
        set that does not. Empty for other claims.
    reason
        What it rests on, or why there is nothing.
    """

    spaces: str
    reason: str
    effect: float | None = None
    ci_low: float | None = None
    ci_high: float | None = None
    p_value: float | None = None
    sets_agree: bool = True
    complete: bool = True
    p_against: tuple[float | None, ...] = ()
    n_datasets: int = 0
    n_used: int = 0
    n_total: int = 0
    method: str = ""


@dataclass(frozen=True)
class Evidence:
    """The scores that claims are about, and the differences between the spaces they are about.

    Attributes
    ----------
    headlines
        Which spaces have which numbers.
    players
        Space by role.
    protocol
        How differences are judged.
    found
        Difference of each pair of spaces on each number that a claim needs, first less second.
    """

    headlines: Mapping[Key, Headline]
    players: Mapping[str, str]
    protocol: ProtocolConfig
    found: Mapping[tuple[Key, SpacePair], Difference] = field(default_factory=dict)

    @classmethod
    def gather(
        cls,
        orders: Iterable[Order],
        scores: Path,
        items: Path,
        players: Mapping[str, str],
        protocol: ProtocolConfig,
    ) -> Evidence:
        """Take the differences that these claims need, each number once for all claims.

        Raises
        ------
        LexiscopeError
            If a table cannot be read, or its items contradict each other.
        """
        headlines = {(line.dataset, line.metric): line for line in read_headlines(scores)}
        evidence = cls(headlines, players, protocol)
        wanted: dict[Key, dict[SpacePair, None]] = {}
        for order in orders:
            for key in evidence.sets(order).keys:
                wanted.setdefault(key, {}).update(dict.fromkeys(evidence.pairs(order, key)))
        found: dict[tuple[Key, SpacePair], Difference] = {}
        for study, task in dict.fromkeys((line.study, line.task) for line in headlines.values()):
            own = {
                key: pairs
                for key, pairs in wanted.items()
                if (headlines[key].study, headlines[key].task) == (study, task)
            }
            answers = read_answers(
                items,
                study=study,
                task=task,
                datasets=list(dict.fromkeys(dataset for dataset, _ in own)),
                spaces=set(players.values()),
            )
            for of_dataset in answers:
                for key in own:
                    problem = Problem.of(of_dataset, key[1], headlines[key].split)
                    if key[0] != of_dataset.dataset or problem is None:
                        continue
                    runs = headlines[key].runs_in(of_dataset)
                    spaces = list(runs)
                    pairs = [pair for pair in own[key] if set(pair) <= runs.keys()]
                    taken = differences(
                        problem,
                        list(runs.values()),
                        [(spaces.index(a), spaces.index(b)) for a, b in pairs],
                        protocol=protocol,
                        name=key[0],
                        higher_is_better=headlines[key].higher_is_better,
                    )
                    found |= {(key, pair): gap for pair, gap in zip(pairs, taken, strict=True)}
        return cls(headlines, players, protocol, found)

    def pairs(self, order: Order, key: Key | None = None) -> list[SpacePair]:
        """The pairs of spaces that a claim is about, of those that have roles (and a score on a set)."""
        scored = set(self.players.values()) if key is None else set(self.headlines[key].seeds)
        spaces = [
            [self.players[role] for role in roles if role in self.players]
            for roles in (order.winners, order.losers)
        ]
        return [(a, b) for a in spaces[0] for b in spaces[1] if a != b and {a, b} <= scored]

    def sets(self, order: Order) -> Sets:
        """The sets on which a claim can be tested: its own, or what stands in for them."""
        present = [key for key in order.sets if key in self.headlines and self.pairs(order, key)]
        if present:
            return Sets(present, [key for key in order.sets if key not in present])
        compressed = [(f"{dataset}{COMPRESSED}", metric) for dataset, metric in order.sets]
        usable = [key for key in compressed if key in self.headlines and self.pairs(order, key)]
        if usable:
            return Sets(usable, [], "models with a compression layer in place of those without")
        keys: list[Key] = []
        names: dict[str, None] = {}
        for dataset, metric in order.sets:
            if dataset not in PROBES:
                continue
            xprobe = (f"xprobe_{dataset}", metric)
            built = [key for key in self.headlines if key[0].endswith(f"/{dataset}") and key[1] == metric]
            for name, candidates in (("X-Probe", [xprobe]), ("probes built from treebanks", built)):
                found = [key for key in candidates if key in self.headlines and self.pairs(order, key)]
                if found:
                    keys += found
                    names[name] = None
                    break
        replaced = [*(key[0].removeprefix("xprobe_").rpartition("/")[2] for key in keys)]
        missing = [key for key in order.sets if key[0] not in replaced]
        stand_in = f"{' and '.join(names)} in place of SentEval's probing sets" if names else ""
        return Sets(keys, missing, stand_in)


@dataclass(frozen=True)
class Sets:
    """The numbers a claim is tested on, those it lacks, and what stands in for what."""

    keys: list[Key]
    missing: list[Key]
    stand_in: str = ""


def weigh_order(order: Order, evidence: Evidence) -> Finding:
    """What the differences of the claim's spaces say about it."""
    players = evidence.players
    described = _describe_spaces(order, players)
    sets = evidence.sets(order)
    if not any(key in evidence.headlines for key in order.sets) and not sets.keys:
        return Finding(described, f"the run has no scores of {_names(order.sets)}")
    lacking = [role for role in order.winners if role not in players]
    if lacking:
        return Finding(described, f"no space plays the part of {', '.join(lacking)}")
    pairs = evidence.pairs(order)
    if not pairs:
        return Finding(described, f"no space plays the part of {', '.join(order.losers)}")
    # A loser without a score on any set is left out; a winner without one leaves nothing to be tested.
    scored = {space for key in sets.keys for space in evidence.headlines[key].seeds}
    unscored = {space for pair in pairs for space in pair} - scored
    pairs = [(a, b) for a, b in pairs if a in unscored or b not in unscored]
    usable = {
        key: [evidence.found[key, pair] for pair in pairs]
        for key in sets.keys
        if all(_is_defined(evidence.found.get((key, pair))) for pair in pairs)
    }
    if not pairs or not usable:
        return Finding(described, f"no common scores of these spaces on {_names(sets.keys or order.sets)}")

    gaps = [pooled([of_set[number] for of_set in usable.values()]) for number in range(len(pairs))]
    weakest = min(range(len(pairs)), key=lambda number: gaps[number].value)
    low, high = gaps[weakest].interval(evidence.protocol.confidence)
    smallest = [min(of_set, key=lambda gap: gap.value) for of_set in usable.values()]
    n_for = sum(gap.value > 0 or (order.or_equal and gap.value == 0) for gap in smallest)
    agree = {"average": True, "every": n_for == len(usable), "most": 2 * n_for > len(usable)}
    unusable = [key for key in sets.keys if key not in usable]
    absent = [role for role in order.losers if role not in players]
    notes = [
        f"in favour on {n_for} of {len(usable)} sets",
        _names(
            [key for key, gap in zip(usable, smallest, strict=True) if gap.value < 0], prefix="against on "
        ),
        f"weakest pair {' > '.join(pairs[weakest])}" if len(pairs) > 1 else "",
        f"no space plays the part of {', '.join(absent)}" if absent else "",
        f"no scores of {', '.join(sorted(unscored))}" if unscored else "",
        _names([*sets.missing, *unusable], prefix="without "),
        f"on {sets.stand_in}" if sets.stand_in else "",
    ]
    return Finding(
        described,
        "; ".join(note for note in notes if note),
        effect=gaps[weakest].value,
        ci_low=low,
        ci_high=high,
        p_value=_p_of_weakest(gaps),
        sets_agree=agree[order.rule],
        complete=not (absent or unscored),
        p_against=tuple(_p_against(of_set) for of_set in usable.values()) if order.rule == "every" else (),
        n_datasets=len(usable),
        n_used=gaps[weakest].n_common,
        n_total=gaps[weakest].n_total,
        method=_describe_method(order, pairs, list(usable), evidence),
    )


def _is_defined(gap: Difference | None) -> bool:
    return gap is not None and math.isfinite(gap.value)


def _p_of_weakest(gaps: Sequence[Difference]) -> float | None:
    """In favour if all pairs are, else against."""
    against = _p_against(gaps)
    if against is not None or any(gap.p_value is None for gap in gaps):
        return against
    return max(gap.p_value for gap in gaps if gap.p_value is not None)


def _p_against(gaps: Sequence[Difference]) -> float | None:
    """P-value of the pair most against the claim, corrected for the number of pairs; None without one."""
    against = [gap.p_value for gap in gaps if gap.value < 0 and gap.p_value is not None]
    return min(1.0, len(gaps) * min(against)) if against else None


def _describe_spaces(order: Order, players: Mapping[str, str]) -> str:
    sides = [
        ", ".join(players.get(role, f"({role})") for role in roles)
        for roles in (order.winners, order.losers)
    ]
    return f"{sides[0]} {'≥' if order.or_equal else '>'} {sides[1]}"


def _describe_method(
    order: Order, pairs: Sequence[SpacePair], keys: Sequence[Key], evidence: Evidence
) -> str:
    sets = f"average over {len(keys)} sets" if len(keys) > 1 else "one set"
    extra = {"average": "", "every": ", and each set", "most": ", and most sets"}[order.rule]
    n_resamples = evidence.protocol.n_bootstrap
    weakest = f"weakest of {len(pairs)} pairs" if len(pairs) > 1 else "one pair"
    units = "items (BrainBench: participants)" if _on_brainbench(keys) else "items"
    test = f"t from paired bootstrap over {units} ({n_resamples})" if n_resamples else "no resamples"
    if len(keys) == 1 and keys[0][1] == "accuracy":
        test += ", or McNemar"
    spaces = {space for pair in pairs for space in pair}
    seeded = any(
        len(evidence.headlines[key].seeds.get(space, ())) > 1 for key in keys for space in sorted(spaces)
    )
    return "; ".join([f"{sets}{extra}", weakest, test, *(["means over seeds"] if seeded else [])])


def _on_brainbench(keys: Sequence[Key]) -> bool:
    return any(metric == TWO_VS_TWO for _, metric in keys)


def _names(keys: Sequence[Key], prefix: str = "") -> str:
    """The datasets' names; empty without any."""
    return prefix + ", ".join(dict.fromkeys(dataset for dataset, _ in keys)) if keys else ""
