"""The lexicon of the artificial language and its truth."""

from __future__ import annotations

import re

import numpy as np
import pytest
from pydantic import ValidationError

from lexiscope.data.miniature.config import MiniatureConfig
from lexiscope.data.miniature.inventory import NOUN_FIELDS, TOPICS, VERB_FIELDS
from lexiscope.data.miniature.language import Language, build_language, stream
from lexiscope.data.miniature.preferences import Preferences, build_preferences
from lexiscope.data.miniature.spelling import PLURAL

CONFIG = MiniatureConfig()


@pytest.fixture(scope="module")
def language() -> Language:
    return build_language(CONFIG, seed=1)


@pytest.fixture(scope="module")
def preferences(language: Language) -> Preferences:
    return build_preferences(language, CONFIG, seed=1)


def test_the_default_lexicon_has_the_agreed_size(language: Language) -> None:
    forms = [form for lemma in language.truth.lemmas if lemma.attested for form in lemma.forms]
    assert 1_900 <= len(forms) <= 2_600


def test_no_form_belongs_to_two_lemmas_and_all_are_plain_letters(language: Language) -> None:
    forms = [form for lemma in language.truth.lemmas for form in lemma.forms]
    forms += language.family_names
    assert len({form.lower() for form in forms}) == len(forms)
    assert all(re.fullmatch("[A-Z]?[a-z]+", form) for form in forms)


def test_only_names_are_capitalised_and_they_have_one_form(language: Language) -> None:
    for lemma in language.truth.lemmas:
        assert lemma.stem[0].isupper() == lemma.proper
        assert (
            len(lemma.forms) == {"noun": 2, "verb": 3, "adjective": 2}[lemma.part_of_speech] - lemma.proper
        )


def test_meanings_are_unit_vectors_and_topic_profiles_are_shares(language: Language) -> None:
    truth = language.truth
    np.testing.assert_allclose(np.linalg.norm(truth.latents, axis=1), 1)
    np.testing.assert_allclose(truth.topics.sum(axis=1), 1)
    assert truth.topics.shape == (len(truth.lemmas), len(TOPICS))
    assert (truth.topics > 0).all()


def test_similarity_falls_with_the_distance_in_the_hierarchy(language: Language) -> None:
    truth = language.truth
    nouns = [lemma for lemma in truth.lemmas if lemma.part_of_speech == "noun" and lemma.base is None]
    superfield = {field.name: field.superfield for field in NOUN_FIELDS}
    cosines = truth.latents @ truth.latents.T
    means = []
    for same in (
        lambda a, b: a.subfield == b.subfield,
        lambda a, b: a.field == b.field and a.subfield != b.subfield,
        lambda a, b: superfield[a.field] == superfield[b.field] and a.field != b.field,
        lambda a, b: superfield[a.field] != superfield[b.field],
    ):
        values = [
            cosines[a.index, b.index] for a in nouns for b in nouns if a.index < b.index and same(a, b)
        ]
        means.append(float(np.mean(values)))
    assert means == sorted(means, reverse=True)
    assert means[0] > 0.65
    assert abs(means[-1]) < 0.12


def test_a_word_is_as_similar_to_itself_as_can_be(language: Language) -> None:
    some = list(range(0, len(language.truth.lemmas), 50))
    np.testing.assert_allclose(language.truth.similarity(some, some), 1)
    np.testing.assert_allclose(language.truth.relatedness(some, some), 1)


def test_relatedness_sees_topics_that_similarity_does_not(language: Language) -> None:
    truth = language.truth
    rng = np.random.default_rng(0)
    left, right = rng.integers(len(truth.lemmas), size=(2, 4_000))
    centred = truth.topics - truth.topics.mean(axis=0)
    topical = [float(np.corrcoef(centred[a], centred[b])[0, 1]) for a, b in zip(left, right, strict=True)]
    assert np.corrcoef(truth.relatedness(left, right), topical)[0, 1] > 0.8
    assert np.corrcoef(truth.similarity(left, right), topical)[0, 1] < 0.5


def test_derived_words_resemble_their_bases_in_spelling_and_meaning(language: Language) -> None:
    truth = language.truth
    derived = [lemma for lemma in truth.lemmas if lemma.base is not None]
    assert {lemma.affix for lemma in derived} == {
        "small",
        "former",
        "agent",
        "again",
        "too_much",
        "not",
        "somewhat",
    }
    assert all(truth.lemmas[lemma.base].stem in lemma.stem for lemma in derived)
    kin = [lemma for lemma in derived if lemma.affix != "agent"]
    values = truth.similarity([lemma.index for lemma in kin], [lemma.base for lemma in kin])
    assert values.min() > 0.5
    assert values.mean() > 0.8


def test_words_that_are_not_attested_have_no_frequency(language: Language) -> None:
    truth = language.truth
    unattested = [lemma.index for lemma in truth.lemmas if not lemma.attested]
    assert len(unattested) == 7 * CONFIG.unattested_per_affix
    assert (truth.frequencies[unattested] == 0).all()
    assert (np.delete(truth.frequencies, unattested) > 0).all()


def test_the_same_seed_gives_the_same_truth_and_another_another() -> None:
    first, again, other = (build_language(CONFIG, seed).truth.sha256 for seed in (3, 3, 4))
    assert first == again
    assert first != other


def test_streams_for_different_purposes_are_independent() -> None:
    draws = {stream(1, purpose).random() for purpose in ("a", "b", "ab", "ba")}
    assert len(draws) == 4


def test_plural_nouns_look_plural(language: Language) -> None:
    nouns = [
        lemma for lemma in language.truth.lemmas if lemma.part_of_speech == "noun" and not lemma.proper
    ]
    assert all(lemma.forms[1] == lemma.forms[0] + PLURAL for lemma in nouns)


def test_every_table_is_a_distribution_that_never_gives_an_unattested_word(
    language: Language, preferences: Preferences
) -> None:
    unattested = {lemma.index for lemma in language.truth.lemmas if not lemma.attested}
    for table in (preferences.verb, preferences.subject, preferences.adjective_of_noun):
        assert (np.diff(table.cumulative, axis=2) >= 0).all()
        assert (table.cumulative[:, :, -1] == 1).all()
        governor = next(iter(table.rows))
        largest = np.nextafter(1.0, 0.0)
        drawn = {table.draw(governor, 0, u) for u in (*np.linspace(0, 1, 5_000, endpoint=False), largest)}
        assert not drawn & unattested


def test_verbs_of_a_subfield_like_the_same_nouns(language: Language, preferences: Preferences) -> None:
    table = preferences.object
    chances = np.diff(table.cumulative, axis=2, prepend=0).mean(axis=1)
    verbs = [v for v in language.truth.lemmas if v.part_of_speech == "verb" and v.base is None]
    rows = np.log(chances[[table.rows[verb.index] for verb in verbs]] + 1e-9)
    likeness = np.corrcoef(rows)
    within, across = [], []
    for i, a in enumerate(verbs):
        for j, b in enumerate(verbs[:i]):
            (within if a.subfield == b.subfield else across).append(likeness[i, j])
    assert len({verb.field for verb in verbs}) == len(VERB_FIELDS)
    assert np.mean(within) > np.mean(across) + 0.2


def test_without_selection_every_verb_has_the_same_objects(language: Language) -> None:
    indifferent = build_preferences(language, MiniatureConfig(selectional_strength=0), seed=1)
    cumulative = indifferent.object.cumulative
    np.testing.assert_allclose(cumulative, np.broadcast_to(cumulative[:1], cumulative.shape))


@pytest.mark.parametrize(
    "bad",
    [{"lm1b_tokens": 0}, {"lm1b_shards": 0}, {"zipf": 1.0}, {"lm1b_heldout_share": 0.5}, {"raters": "x"}],
)
def test_bad_settings_are_refused(bad: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        MiniatureConfig.model_validate(bad)
