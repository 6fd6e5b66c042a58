"""The lexicon of the artificial language and the truth about its meanings.

Meaning comes first. Every lemma has a latent vector made of a part for its field (shared with the whole
superfield to some degree), one for its subfield and one of its own, and a topic profile: how much of its
use falls to each topic. Similarity is the cosine of latent vectors, relatedness mixes it with the likeness
of the topic profiles.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from lexiscope.data.miniature.config import MiniatureConfig
from lexiscope.data.miniature.inventory import (
    ADJECTIVE_FIELDS,
    COORDINATORS,
    COPULA,
    DETERMINERS,
    NOUN_FIELDS,
    PREPOSITIONS,
    PRONOUNS,
    SENTENCE_ADVERBS,
    SUBORDINATORS,
    TOPICS,
    VERB_FIELDS,
    SemanticField,
)
from lexiscope.data.miniature.spelling import (
    ADVERB,
    AFFIXES,
    PAST,
    PLURAL,
    THIRD_SINGULAR,
    Affix,
    Speller,
)
from lexiscope.files import digest_json

Matrix = NDArray[np.float64]

# Shares of a latent vector's squared length. Expected cosines: 0.75 within a subfield (up to 0.95 for the
# near-synonyms made below), 0.40 within a field, 0.10 within a superfield, 0 elsewhere.
SUPERFIELD_SHARE, FIELD_SHARE, SUBFIELD_SHARE, OWN_SHARE = 0.10, 0.30, 0.35, 0.25
SYNONYM_COSINE = 0.8  # of the own parts of neighbouring lemmas of a subfield
DERIVED_COSINE = 0.6  # of the own parts of a derived word and its base
SUBFIELD_TOPIC_SHARE = 0.5  # of a topic profile that the whole subfield has in common
RELATEDNESS_TOPIC_SHARE = 0.5  # the rest is similarity
DERIVED_FREQUENCY = 0.12  # of a derived word relative to an underived one of the same rank
PARTS_OF_SPEECH: tuple[tuple[str, tuple[SemanticField, ...]], ...] = (
    ("noun", NOUN_FIELDS),
    ("verb", VERB_FIELDS),
    ("adjective", ADJECTIVE_FIELDS),
)
ENDINGS = {
    "noun": ("", PLURAL),
    "verb": ("", THIRD_SINGULAR, PAST),
    "adjective": ("", ADVERB),
    "name": ("",),
}


@dataclass(frozen=True)
class Lemma:
    """A word with all its forms.

    Attributes
    ----------
    index
        Row in the truth's matrices.
    part_of_speech
        ``noun`` (proper names too), ``verb`` or ``adjective`` (its adverb is one of its forms).
    base
        Index of the lemma that it was derived from; None for an underived one.
    attested
        False for the words that no text contains.
    """

    index: int
    stem: str
    part_of_speech: str
    field: str
    subfield: str
    frame: str = ""
    proper: bool = False
    base: int | None = None
    affix: str = ""
    attested: bool = True

    @property
    def forms(self) -> tuple[str, ...]:
        """Nouns: singular, plural. Verbs: base, third person, past. Adjectives: itself, its adverb."""
        kind = "name" if self.proper else self.part_of_speech
        return tuple(self.stem + ending for ending in ENDINGS[kind])


@dataclass(frozen=True)
class MiniatureTruth:
    """What every model of the language is measured against.

    Attributes
    ----------
    lemmas
        In the order of the rows below.
    parts
        n_lemmas × 3 × latent_dim: the field's, the subfield's and the lemma's own part of the meaning.
    latents
        n_lemmas × latent_dim, unit length: the sum of the parts.
    topics
        n_lemmas × n_topics: share of the lemma's use in each topic; rows sum to one.
    frequencies
        n_lemmas: relative frequency inside the part of speech before any selection; 0 if not attested.
    """

    lemmas: tuple[Lemma, ...]
    parts: Matrix
    latents: Matrix
    topics: Matrix
    frequencies: Matrix

    def similarity(self, first: Sequence[int], second: Sequence[int]) -> Matrix:
        """Cosine of the latent vectors, for each pair of lemma indices; in [-1, 1]."""
        cosine: Matrix = (self.latents[list(first)] * self.latents[list(second)]).sum(axis=1)
        return cosine

    def relatedness(self, first: Sequence[int], second: Sequence[int]) -> Matrix:
        """Topical association mixed with similarity, for each pair of lemma indices; in [-1, 1]."""
        topical = (self._topic_vectors[list(first)] * self._topic_vectors[list(second)]).sum(axis=1)
        similar = self.similarity(first, second)
        mixed: Matrix = RELATEDNESS_TOPIC_SHARE * topical + (1 - RELATEDNESS_TOPIC_SHARE) * similar
        return mixed

    @cached_property
    def _topic_vectors(self) -> Matrix:
        centred = self.topics - self.topics.mean(axis=0)
        unit: Matrix = centred / np.linalg.norm(centred, axis=1, keepdims=True)
        return unit

    @cached_property
    def lemma_of(self) -> dict[str, int]:
        """Every inflected form with the index of its lemma."""
        return {form: lemma.index for lemma in self.lemmas for form in lemma.forms}

    def indices(self, part_of_speech: str) -> NDArray[np.int64]:
        """The lemmas of one part of speech."""
        return np.array([lemma.index for lemma in self.lemmas if lemma.part_of_speech == part_of_speech])

    def as_json(self) -> list[dict[str, object]]:
        """One record a lemma, numbers rounded so that the last bits of a float do not matter."""
        return [
            {
                "forms": lemma.forms,
                "part_of_speech": lemma.part_of_speech,
                "field": lemma.field,
                "subfield": lemma.subfield,
                "base": None if lemma.base is None else self.lemmas[lemma.base].stem,
                "affix": lemma.affix,
                "attested": lemma.attested,
                "latent": np.round(self.latents[lemma.index], 6).tolist(),
                "topics": dict(zip(TOPICS, np.round(self.topics[lemma.index], 6).tolist(), strict=True)),
            }
            for lemma in self.lemmas
        ]

    @property
    def sha256(self) -> str:
        """Digest of `as_json`."""
        return digest_json(self.as_json())


@dataclass(frozen=True)
class Language:
    """The lexicon with its truth, and family names, which mean nothing."""

    truth: MiniatureTruth
    family_names: tuple[str, ...]


def stream(seed: int, purpose: str) -> np.random.Generator:
    """A generator of its own for each purpose, so that a change in one product leaves the others alone."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, *purpose.encode()])))


def build_language(config: MiniatureConfig, seed: int) -> Language:
    """Draw a lexicon, its meanings and its frequencies."""
    rng = stream(seed, "language")
    speller = Speller(rng, taken=_function_words())
    lemmas = _underived_lemmas(config, speller)
    lemmas += _derived_lemmas(config, rng, speller, lemmas)
    parts = _meanings(config, rng, lemmas)
    latents = parts.sum(axis=1)
    latents /= np.linalg.norm(latents, axis=1, keepdims=True)
    truth = MiniatureTruth(
        lemmas=tuple(lemmas),
        parts=parts,
        latents=latents,
        topics=_topic_profiles(config, rng, lemmas),
        frequencies=_frequencies(config, rng, lemmas),
    )
    family_names = tuple(
        speller.stem(speller.syllable(closed=True), ENDINGS["name"]).capitalize()
        for _ in range(config.names_per_subfield)
    )
    return Language(truth, family_names)


def _function_words() -> frozenset[str]:
    words = {"that", "to", "who", "which", "of", *PREPOSITIONS, *COPULA.values()}
    for choices in (*DETERMINERS.values(), *PRONOUNS.values(), *SENTENCE_ADVERBS.values()):
        words.update(word for word, _ in choices)
    words.update(word for word, _ in (*COORDINATORS, *SUBORDINATORS))
    return frozenset(words)


def _underived_lemmas(config: MiniatureConfig, speller: Speller) -> list[Lemma]:
    sizes = {
        "noun": config.nouns_per_subfield,
        "verb": config.verbs_per_subfield,
        "adjective": config.adjectives_per_subfield,
    }
    lemmas: list[Lemma] = []
    for part_of_speech, fields in PARTS_OF_SPEECH:
        for field in fields:
            for subfield in field.subfields:
                proper = subfield == field.names
                theme = speller.syllable(closed=True)
                endings = ENDINGS["name" if proper else part_of_speech]
                for _ in range(config.names_per_subfield if proper else sizes[part_of_speech]):
                    stem = speller.stem(theme, endings)
                    lemmas.append(
                        Lemma(
                            index=len(lemmas),
                            stem=stem.capitalize() if proper else stem,
                            part_of_speech=part_of_speech,
                            field=field.name,
                            subfield=subfield,
                            frame=field.frame,
                            proper=proper,
                        )
                    )
    return lemmas


def _derived_lemmas(
    config: MiniatureConfig, rng: np.random.Generator, speller: Speller, underived: Sequence[Lemma]
) -> list[Lemma]:
    derived: list[Lemma] = []
    for affix in AFFIXES:
        bases = [lemma for lemma in underived if lemma.part_of_speech == affix.source and not lemma.proper]
        made = 0
        for choice in rng.permutation(len(bases)):
            base = bases[choice]
            stem = affix.apply(base.stem)
            if not speller.claim([stem + ending for ending in ENDINGS[affix.target]]):
                continue
            attested = made < config.derived_per_affix
            derived.append(_derive(base, affix, stem, len(underived) + len(derived), attested))
            made += 1
            if made == config.derived_per_affix + config.unattested_per_affix:
                break
    return derived


def _derive(base: Lemma, affix: Affix, stem: str, index: int, attested: bool) -> Lemma:
    same = affix.source == affix.target
    return Lemma(
        index=index,
        stem=stem,
        part_of_speech=affix.target,
        field=base.field if same else "person",
        subfield=base.subfield if same else affix.name,
        frame=base.frame if same else "",
        base=base.index,
        affix=affix.name,
        attested=attested,
    )


def _meanings(config: MiniatureConfig, rng: np.random.Generator, lemmas: Sequence[Lemma]) -> Matrix:
    """Parts of the latent vectors: n_lemmas × 3 × latent_dim."""
    dim = config.latent_dim
    field_part: dict[tuple[str, str], Matrix] = {}
    subfield_part: dict[tuple[str, str, str], Matrix] = {}
    for part_of_speech, fields in PARTS_OF_SPEECH:
        superfields = {field.superfield: _direction(rng, dim) for field in fields}
        for field in fields:
            shared = np.sqrt(SUPERFIELD_SHARE) * superfields[field.superfield]
            field_part[part_of_speech, field.name] = shared + np.sqrt(FIELD_SHARE) * _direction(rng, dim)
            for subfield in field.subfields:
                direction = _direction(rng, dim)
                subfield_part[part_of_speech, field.name, subfield] = np.sqrt(SUBFIELD_SHARE) * direction
    subfield_part["noun", "person", "agent"] = np.sqrt(SUBFIELD_SHARE) * _direction(rng, dim)
    affix_direction = {affix.name: _direction(rng, dim) for affix in AFFIXES}

    own = np.empty((len(lemmas), dim))
    for lemma in lemmas:
        fresh = _direction(rng, dim)
        if lemma.base is not None:
            fresh = _blend(
                own[lemma.base], _blend(affix_direction[lemma.affix], fresh, 0.7), DERIVED_COSINE
            )
        elif lemma.index % 2 and lemmas[lemma.index - 1].subfield == lemma.subfield:
            fresh = _blend(own[lemma.index - 1], fresh, SYNONYM_COSINE)
        own[lemma.index] = fresh
    keys = [(lemma.part_of_speech, lemma.field) for lemma in lemmas]
    return np.stack(
        [
            np.array([field_part[key] for key in keys]),
            np.array(
                [subfield_part[*key, lemma.subfield] for key, lemma in zip(keys, lemmas, strict=True)]
            ),
            np.sqrt(OWN_SHARE) * own,
        ],
        axis=1,
    )


def _direction(rng: np.random.Generator, dim: int) -> Matrix:
    vector = rng.standard_normal(dim)
    unit: Matrix = vector / np.linalg.norm(vector)
    return unit


def _blend(old: Matrix, fresh: Matrix, cosine: float) -> Matrix:
    mixed = cosine * old + np.sqrt(1 - cosine**2) * fresh
    unit: Matrix = mixed / np.linalg.norm(mixed)
    return unit


def _topic_profiles(config: MiniatureConfig, rng: np.random.Generator, lemmas: Sequence[Lemma]) -> Matrix:
    own = rng.standard_normal((len(lemmas), len(TOPICS)))
    shared: dict[tuple[str, str], Matrix] = {}
    logits = np.empty_like(own)
    for lemma in lemmas:
        key = (lemma.field, lemma.subfield)
        if key not in shared:
            shared[key] = rng.standard_normal(len(TOPICS))
        individual = own[lemma.index] if lemma.base is None else own[lemma.base]
        logits[lemma.index] = (
            np.sqrt(SUBFIELD_TOPIC_SHARE) * shared[key] + np.sqrt(1 - SUBFIELD_TOPIC_SHARE) * individual
        )
    weights = np.exp(config.topic_strength * logits)
    profiles: Matrix = weights / weights.sum(axis=1, keepdims=True)
    return profiles


def _frequencies(config: MiniatureConfig, rng: np.random.Generator, lemmas: Sequence[Lemma]) -> Matrix:
    """Zipf-Mandelbrot over the ranks inside each part of speech, ranks drawn at random."""
    frequencies = np.zeros(len(lemmas))
    for part_of_speech, _ in PARTS_OF_SPEECH:
        for derived in (False, True):
            members = [
                lemma.index
                for lemma in lemmas
                if lemma.part_of_speech == part_of_speech and (lemma.base is not None) == derived
            ]
            ranks = 1 + rng.permutation(len(members))
            frequencies[members] = (ranks + 6.0) ** -config.zipf_exponent * (
                DERIVED_FREQUENCY if derived else 1
            )
    frequencies[[lemma.index for lemma in lemmas if not lemma.attested]] = 0
    return frequencies
