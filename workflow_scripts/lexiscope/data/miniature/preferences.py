"""Which words keep company: every choice of a content word, as tables of cumulative probabilities.

A governor (a verb for its subject, a preposition for its object, …) prefers dependents whose latent vectors
point in a certain direction. The direction is a linear function of the governor's own meaning, part by
part, so that governors with similar meanings prefer similar dependents: that is why a model which only sees
the company of words can recover their meanings.

    P(dependent | governor, role, topic) ∝ frequency · topic share · exp(strength · direction · latent)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lexiscope.data.miniature.config import MiniatureConfig
from lexiscope.data.miniature.inventory import (
    ADJECTIVE_FIELDS,
    NOUN_FIELDS,
    PREPOSITIONS,
    QUANTITIES,
    SUBJECT_FIELDS,
    TOPICS,
    VERB_FIELDS,
    YEARS,
    SemanticField,
)
from lexiscope.data.miniature.language import Language, Matrix, MiniatureTruth, stream

# How much of a preference comes from the governor's field, subfield and its own meaning.
PART_WEIGHTS = np.array([0.6, 0.6, 0.5])
CONJUNCT_STRENGTH = 1.2  # conjuncts are more alike than a head and its dependent
YEAR_SPREAD = 18.0  # years; each topic has its own favourite era


@dataclass(frozen=True)
class CumulativeTable:
    """Cumulative probabilities over dependents.

    Attributes
    ----------
    lemmas
        Lemma index of each dependent.
    cumulative
        n_governors × n_topics × n_dependents, each last axis rising to exactly 1.
    rows
        Row of each governor, by lemma index (or by position, for prepositions).
    """

    lemmas: list[int]
    cumulative: Matrix
    rows: dict[int, int]

    def draw(self, governor: int, topic: int, uniform: float) -> int:
        """The dependent (a lemma index) at the quantile ``uniform`` in [0, 1)."""
        row = self.cumulative[self.rows[governor], topic]
        return self.lemmas[int(row.searchsorted(uniform, side="right"))]


@dataclass(frozen=True)
class Preferences:
    """All tables; the governor stands in the name where it is not plain.

    Attributes
    ----------
    verb
        Of a clause; its only governor is 0.
    infinitive
        Complement of a verb of cognition, by that verb.
    years, quantities
        n_topics × n_years and n_noun_fields × n_quantities, cumulative.
    """

    verb: CumulativeTable
    verb_of_subject: CumulativeTable
    infinitive: CumulativeTable
    subject: CumulativeTable
    object: CumulativeTable
    adjective_of_noun: CumulativeTable
    adverb_of_verb: CumulativeTable
    conjunct_of_noun: CumulativeTable
    owner_of_noun: CumulativeTable
    object_of_preposition: CumulativeTable
    preposition_of_verb: dict[int, list[float]]
    years: Matrix
    quantities: Matrix


def build_preferences(language: Language, config: MiniatureConfig, seed: int) -> Preferences:
    """Compute every table of the language; takes a fraction of a second."""
    truth = language.truth
    rng = stream(seed, "preferences")
    nouns, verbs, adjectives = (truth.indices(kind) for kind in ("noun", "verb", "adjective"))
    latents = truth.latents
    turn = _rotations(rng, config.latent_dim)
    strength = config.selectional_strength

    def table(governors: np.ndarray, directions: Matrix, dependents: np.ndarray) -> CumulativeTable:
        affinity = np.exp(strength * np.einsum("gd,nd->gn", directions, latents[dependents]))
        return _cumulative_table(truth, governors, affinity, dependents)

    towards_subject = _directions(truth, verbs, VERB_FIELDS, _subject_targets(rng), turn[0])
    towards_object = _directions(truth, verbs, VERB_FIELDS, _object_targets(rng), turn[1])
    towards_head = _directions(truth, adjectives, ADJECTIVE_FIELDS, _head_targets(rng), turn[2])
    # An adverb likes the verbs whose subjects and objects its adjective would describe.
    adverb_affinity = np.exp(strength * np.einsum("vd,ad->va", towards_object, towards_head))
    adjective_affinity = np.exp(strength * np.einsum("nd,ad->na", latents[nouns], towards_head))
    subject_affinity = np.exp(strength * np.einsum("nd,vd->nv", latents[nouns], towards_subject))
    control = np.array([index for index in verbs if truth.lemmas[index].frame == "control"])
    plain = np.array(
        [index for index in verbs if truth.lemmas[index].frame in ("transitive", "intransitive")]
    )
    return Preferences(
        verb=_cumulative_table(truth, np.array([0]), np.ones((1, len(verbs))), verbs),
        verb_of_subject=_cumulative_table(truth, nouns, subject_affinity, verbs),
        infinitive=table(control, np.einsum("gd,de->ge", latents[control], turn[3]), plain),
        subject=table(verbs, towards_subject, nouns),
        object=table(verbs, towards_object, nouns),
        adjective_of_noun=_cumulative_table(truth, nouns, adjective_affinity, adjectives),
        adverb_of_verb=_cumulative_table(truth, verbs, adverb_affinity, adjectives),
        conjunct_of_noun=table(nouns, CONJUNCT_STRENGTH * latents[nouns], nouns),
        owner_of_noun=table(nouns, np.einsum("gd,de->ge", latents[nouns], turn[4]), nouns),
        object_of_preposition=table(np.arange(len(PREPOSITIONS)), _preposition_directions(truth), nouns),
        preposition_of_verb=_preposition_choice(rng, truth, verbs),
        years=_year_table(rng),
        quantities=_quantity_table(rng),
    )


def _cumulative_table(
    truth: MiniatureTruth, governors: np.ndarray, affinity: Matrix, dependents: np.ndarray
) -> CumulativeTable:
    prior = truth.frequencies[dependents] * truth.topics[dependents].T
    weights = affinity[:, None, :] * prior[None, :, :]
    cumulative = np.cumsum(weights, axis=2)
    cumulative /= cumulative[:, :, -1:]
    return CumulativeTable(
        dependents.tolist(), cumulative, {governor: row for row, governor in enumerate(governors.tolist())}
    )


def _rotations(rng: np.random.Generator, dim: int) -> list[Matrix]:
    return [np.linalg.qr(rng.standard_normal((dim, dim)))[0] for _ in range(5)]


Targets = dict[str, tuple[str, ...]]
"""Which noun fields each field of governors likes."""


def _subject_targets(rng: np.random.Generator) -> Targets:
    others = [field.name for field in NOUN_FIELDS if field.name not in SUBJECT_FIELDS]
    targets: Targets = {}
    for position, field in enumerate(VERB_FIELDS):
        actor = SUBJECT_FIELDS[position % len(SUBJECT_FIELDS)]
        happens_to = tuple(others[i] for i in rng.permutation(len(others))[:3])
        targets[field.name] = happens_to if field.name == "change" else (actor,)
    return targets


def _object_targets(rng: np.random.Generator) -> Targets:
    others = [field.name for field in NOUN_FIELDS if field.name not in SUBJECT_FIELDS]
    order = rng.permutation(len(others))
    return {field.name: (others[order[i % len(order)]],) for i, field in enumerate(VERB_FIELDS)}


def _head_targets(rng: np.random.Generator) -> Targets:
    order = rng.permutation(len(NOUN_FIELDS))
    return {
        field.name: tuple(NOUN_FIELDS[order[(2 * i + j) % len(order)]].name for j in (0, 1))
        for i, field in enumerate(ADJECTIVE_FIELDS)
    }


def _directions(
    truth: MiniatureTruth,
    governors: np.ndarray,
    fields: Sequence[SemanticField],
    targets: Targets,
    rotation: Matrix,
) -> Matrix:
    """The direction in noun space that each governor prefers: n_governors × latent_dim.

    The field part of a governor's meaning is sent to the field parts of its target nouns, the subfield part
    to one of their subfields, the own part is rotated.
    """
    field_part, subfield_part = _noun_parts(truth)
    subfields_of = {field.name: field.subfields for field in NOUN_FIELDS}
    position = {(field.name, sub): i for field in fields for i, sub in enumerate(field.subfields)}
    directions = np.empty((len(governors), truth.latents.shape[1]))
    for row, index in enumerate(governors):
        lemma = truth.lemmas[index]
        liked = targets[lemma.field]
        place = position[lemma.field, lemma.subfield]
        subfields = [subfields_of[name][place % len(subfields_of[name])] for name in liked]
        parts = (
            sum(field_part[name] for name in liked),
            sum(subfield_part[pair] for pair in zip(liked, subfields, strict=True)),
            np.einsum("d,de->e", truth.parts[index, 2], rotation),
        )
        directions[row] = sum(w * v / np.linalg.norm(v) for w, v in zip(PART_WEIGHTS, parts, strict=True))
    return directions


def _noun_parts(truth: MiniatureTruth) -> tuple[dict[str, Matrix], dict[tuple[str, str], Matrix]]:
    nouns = [lemma for lemma in truth.lemmas if lemma.part_of_speech == "noun"]
    by_field = {noun.field: truth.parts[noun.index, 0] for noun in nouns}
    by_subfield = {(noun.field, noun.subfield): truth.parts[noun.index, 1] for noun in nouns}
    return by_field, by_subfield


def _preposition_directions(truth: MiniatureTruth) -> Matrix:
    field_part, _ = _noun_parts(truth)
    return np.array(
        [
            sum(field_part[name] / np.linalg.norm(field_part[name]) for name in liked)
            for liked in PREPOSITIONS.values()
        ]
    )


def _preposition_choice(
    rng: np.random.Generator, truth: MiniatureTruth, verbs: np.ndarray
) -> dict[int, list[float]]:
    """For each verb, cumulative probabilities of the prepositions; verbs of a subfield agree."""
    by_subfield: dict[str, list[float]] = {}
    for index in verbs:
        subfield = truth.lemmas[index].subfield
        if subfield not in by_subfield:
            weights = np.exp(1.2 * rng.standard_normal(len(PREPOSITIONS)))
            cumulative = np.cumsum(weights) / weights.sum()
            by_subfield[subfield] = [*cumulative[:-1].tolist(), 1.0]
    return {int(index): by_subfield[truth.lemmas[index].subfield] for index in verbs}


def _year_table(rng: np.random.Generator) -> Matrix:
    years = np.array([int(year) for year in YEARS], dtype=np.float64)
    eras = np.linspace(years[0] + 12, years[-1] - 4, len(TOPICS))[rng.permutation(len(TOPICS))]
    near = np.exp(-0.5 * ((years[None, :] - eras[:, None]) / YEAR_SPREAD) ** 2)
    recent = np.exp((years - years[-1]) / 60.0)
    return _rising(near * recent[None, :])


def _quantity_table(rng: np.random.Generator) -> Matrix:
    sizes = np.log([float(number) for number in QUANTITIES])
    typical = np.linspace(sizes[0], sizes[-1], len(NOUN_FIELDS))[rng.permutation(len(NOUN_FIELDS))]
    return _rising(np.exp(-0.5 * ((sizes[None, :] - typical[:, None]) / 1.0) ** 2))


def _rising(weights: Matrix) -> Matrix:
    cumulative = np.cumsum(weights, axis=1)
    scaled: Matrix = cumulative / cumulative[:, -1:]
    return scaled
