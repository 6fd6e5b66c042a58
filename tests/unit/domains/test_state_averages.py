from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from toy_bilstm import bilm_config, classifier_config, plain_both

from lexiscope.corpora.vocabulary import write_counts
from lexiscope.domains import averages
from lexiscope.domains.averages import average_states, normalised, save_averages
from lexiscope.domains.bilstm import BiLanguageModel, BiLSTM, DomainClassifier
from lexiscope.domains.sequences import Sequences, pieces_of, sentences_of
from lexiscope.embeddings.space import EmbeddingSpace, load_space
from lexiscope.errors import LexiscopeError

N_IDS = 15
WORDS = ("<unk>", "</s>", *(f"w{number}" for number in range(2, N_IDS)))


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def texts(max_length: int = 50) -> Sequences:
    """Word 14 does not occur."""
    generator = np.random.default_rng(1)
    lengths = generator.integers(1, 20, size=40)
    ids = generator.integers(0, N_IDS - 1, size=lengths.sum()).astype(np.int32)
    ids[ids == 1] = 0
    return pieces_of(ids, lengths, max_length, np.arange(40) % 3)


def classifier(**change: Any) -> DomainClassifier:
    torch.manual_seed(0)
    return DomainClassifier(classifier_config(**change), N_IDS, 3)


def by_a_loop(
    model: BiLSTM, sequences: Sequences, state: str, clip: float | None = None
) -> NDArray[np.float64]:
    """Mean of [forward backward] over every occurrence, one after the other."""
    seen: dict[int, list[NDArray[np.float64]]] = {}
    for start, length in zip(sequences.starts, sequences.lengths, strict=True):
        ids = sequences.ids[start : start + length]
        both = torch.cat(plain_both(model, ids, state), dim=1).numpy().astype(np.float64)
        if clip is not None:
            both = np.clip(both, -clip, clip)
        for t in range(sequences.overlap, length):
            seen.setdefault(int(ids[t]), []).append(both[t])
    means = np.zeros((N_IDS, 2 * model.config.hidden_size))
    for word, states in seen.items():
        means[word] = np.mean(states, axis=0)
    return means


@pytest.mark.parametrize("clip", [None, 0.05])
@pytest.mark.parametrize("state", ["cell", "hidden"])
def test_averages_are_those_of_a_plain_loop(state: str, clip: float | None) -> None:
    sequences, model = texts(), classifier()
    config = classifier_config(state=state, clip=clip)
    means, counts = average_states(model, sequences, config)
    np.testing.assert_allclose(means, by_a_loop(model, sequences, state, clip), atol=1e-6)
    assert counts.tolist() == np.bincount(sequences.ids, minlength=N_IDS).tolist()
    assert not means[14].any()
    if clip is not None:
        assert np.abs(means).max() == pytest.approx(clip)


def test_the_language_models_averages_count_each_word_once_also_where_sentences_are_cut() -> None:
    generator = np.random.default_rng(3)
    stream = np.concatenate([[*generator.integers(2, N_IDS, size=n), 1] for n in (3, 11, 0, 6, 8)])
    sequences = sentences_of(stream.astype(np.int32), 4)
    config = bilm_config()
    model = BiLanguageModel(config, N_IDS)
    means, counts = average_states(model, sequences, config)
    assert counts.tolist() == np.bincount(stream, minlength=N_IDS).tolist()
    np.testing.assert_allclose(means, by_a_loop(model, sequences, "cell"), atol=1e-6)


def test_cell_and_hidden_states_differ() -> None:
    sequences, model = texts(), classifier()
    cell, hidden = (
        average_states(model, sequences, classifier_config(state=s))[0] for s in ("cell", "hidden")
    )
    assert np.abs(cell - hidden).max() > 0.01


def test_average_is_the_mean_of_the_two_halves_of_concat() -> None:
    sequences, model = texts(), classifier()
    size = model.config.hidden_size
    both, _ = average_states(model, sequences, classifier_config(combine="concat"))
    mean, _ = average_states(model, sequences, classifier_config(combine="average"))
    assert both.shape == (N_IDS, 2 * size)
    np.testing.assert_allclose(mean, (both[:, :size] + both[:, size:]) / 2, rtol=1e-12)


@pytest.mark.parametrize("at_once", [1, 37, 1 << 20])
def test_batches_do_not_change_the_averages(at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    sequences, model, config = texts(), classifier(), classifier_config()
    usual, _ = average_states(model, sequences, config)
    monkeypatch.setattr(averages, "SYMBOLS_AT_ONCE", at_once)
    other, _ = average_states(model, sequences, config)
    np.testing.assert_allclose(other, usual, atol=1e-6)


def test_unit_vectors_have_length_one_and_zeros_stay() -> None:
    vectors = np.random.default_rng(0).standard_normal((6, 4))
    vectors[2] = 0
    found = normalised(vectors, "unit")
    assert found.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), [1, 1, 0, 1, 1, 1], rtol=1e-6)
    np.testing.assert_allclose(found[0] * np.linalg.norm(vectors[0]), vectors[0], rtol=1e-6)


def test_mean_variance_has_mean_0_and_variance_1_in_each_dimension() -> None:
    vectors = 5 + 3 * np.random.default_rng(0).standard_normal((500, 4))
    vectors[:, 2] = 7
    found = normalised(vectors, "mean_variance").astype(np.float64)
    np.testing.assert_allclose(found.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(found.var(axis=0), [1, 1, 0, 1], atol=1e-5)


def test_no_normalisation_leaves_vectors_as_they_are() -> None:
    vectors = np.random.default_rng(0).standard_normal((6, 4))
    np.testing.assert_array_equal(normalised(vectors, "none"), vectors.astype(np.float32))


def save(folder: Path, words: list[str] | None, **change: Any) -> EmbeddingSpace:
    lexicon = None
    if words is not None:
        lexicon = folder / "lexicon.tsv"
        write_counts(lexicon, words, np.ones(len(words), dtype=np.int64))
    output = folder / "space.safetensors"
    save_averages(
        classifier(),
        texts(),
        WORDS,
        classifier_config(**change),
        lexicon=lexicon,
        provenance={"kind": "domain_classifier"},
        output=output,
    )
    return load_space(output)


def test_a_space_has_the_words_that_occur_and_their_counts(tmp_path: Path) -> None:
    space = save(tmp_path, None)
    counts = np.bincount(texts().ids, minlength=N_IDS)
    assert space.words == WORDS[2:14]
    assert space.columns["count"].tolist() == counts[2:14].tolist()
    assert space.provenance["n_tokens_averaged"] == counts[2:14].sum()
    assert space.provenance["n_tokens_read"] == counts.sum()
    np.testing.assert_allclose(np.linalg.norm(space.vectors, axis=1), 1, rtol=1e-6)


def test_of_a_lexicon_the_words_that_occur_are_kept_in_its_order(tmp_path: Path) -> None:
    space = save(tmp_path, ["w7", "w14", "absent", "w3", "<unk>"], normalise="mean_variance")
    assert space.words == ("w7", "w3")
    assert space.provenance["n_words_before_lexicon"] == 12
    np.testing.assert_allclose(space.vectors.mean(axis=0), 0, atol=1e-6)


def test_a_lexicon_of_which_no_word_occurs_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(LexiscopeError, match="no word of the lexicon occurs"):
        save(tmp_path, ["w14", "absent"])
