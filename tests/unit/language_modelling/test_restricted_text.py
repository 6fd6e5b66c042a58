from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lexiscope.corpora.encoded import EncodedCorpus, Split
from lexiscope.corpora.vocabulary import EOS_ID, UNK_ID, Vocabulary
from lexiscope.embeddings.space import EmbeddingSpace
from lexiscope.errors import LexiscopeError
from lexiscope.language_modelling.text import RestrictedText, table_of

PARTS = {"train": "b a a|a c a b||d a", "valid": "a x b", "test": "c|a a d"}
"""Sentences of a corpus in which "a" occurs most often and "x" not in the training part."""


class InMemory(EncodedCorpus):
    """A corpus that lies on no disk."""

    sha256 = "digest"

    def tokens(self, split: Split) -> np.ndarray:
        sentences = [sentence.split() for sentence in PARTS[split].split("|")]
        ids = [self.vocabulary.ids([*sentence, "</s>"]) for sentence in sentences]
        return np.concatenate(ids).astype(np.uint16)


@pytest.fixture(scope="module")
def corpus() -> EncodedCorpus:
    words = ("<unk>", "</s>", "a", "b", "c", "d")
    return InMemory(Path("corpus"), {}, Vocabulary(words, np.array([0, 4, 5, 2, 1, 1])))


def spelt(text: RestrictedText, split: str) -> str:
    return " ".join(text.words[number] for number in text.splits[split])


def test_other_words_become_unknown_and_no_token_is_lost(corpus: EncodedCorpus) -> None:
    text = RestrictedText.build(corpus, ["d", "a", "nowhere", "b"])
    assert text.words == ("<unk>", "</s>", "a", "b", "d")
    assert spelt(text, "valid") == "a <unk> b </s>"
    assert spelt(text, "test") == "<unk> </s> a a d </s>"
    for split in ("train", "valid", "test"):
        assert text.n_tokens(split) == len(corpus.tokens(split))
        assert text.splits[split].dtype == np.int32
    assert text.n_known("valid") == 3
    assert text.n_known("test") == 5


def test_the_most_frequent_words_are_kept(corpus: EncodedCorpus) -> None:
    assert RestrictedText.build(corpus, size=2).words == ("<unk>", "</s>", "a", "b")
    assert len(RestrictedText.build(corpus)) == len(corpus.vocabulary)


@pytest.mark.parametrize(("limit", "kept"), [(4, "b a a </s>"), (8, "b a a </s>"), (100, None)])
def test_a_limit_keeps_whole_sentences_of_the_training_part(
    corpus: EncodedCorpus, limit: int, kept: str | None
) -> None:
    text = RestrictedText.build(corpus, max_tokens=limit)
    assert spelt(text, "train") == (spelt(RestrictedText.build(corpus), "train") if kept is None else kept)
    assert text.n_tokens("test") == len(corpus.tokens("test"))


def test_what_leaves_nothing_is_refused(corpus: EncodedCorpus) -> None:
    with pytest.raises(LexiscopeError, match="no word of the corpus remains"):
        RestrictedText.build(corpus, ["nowhere"])
    with pytest.raises(LexiscopeError, match="no text remains in the part 'train'"):
        RestrictedText.build(corpus, max_tokens=2)


def test_sentences_are_told_apart(corpus: EncodedCorpus) -> None:
    text = RestrictedText.build(corpus)
    assert text.sentence_lengths("test").tolist() == [2, 4]
    sums = text.sums_of_sentences("test", np.arange(12.0).reshape(2, 6))
    assert sums.tolist() == [[1, 14], [13, 38]]
    assert text.sentence_lengths("train").sum() == text.n_tokens("train")


def test_the_digest_changes_with_the_words_and_with_the_text(corpus: EncodedCorpus) -> None:
    digests = {
        RestrictedText.build(corpus, size=size, max_tokens=limit).sha256
        for size in (2, 3)
        for limit in (4, None)
    }
    assert len(digests) == 4
    assert RestrictedText.build(corpus, size=2).sha256 == RestrictedText.build(corpus, size=2).sha256


def space(words: list[str]) -> EmbeddingSpace:
    vectors = np.random.default_rng(1).standard_normal((len(words), 50)).astype(np.float32)
    return EmbeddingSpace(tuple(words), vectors)


def test_rows_of_a_table_are_those_of_the_words(corpus: EncodedCorpus) -> None:
    text = RestrictedText.build(corpus)
    given = space(["other", "d", "a", "<unk>"])
    for missing in ("mean", "zero", "random"):
        table = table_of(given, text, missing=missing)
        assert table.vectors.shape == (len(text), 50)
        assert table.vectors.dtype == np.float32
        assert table.n_missing == len(text) - 4  # "a" and "d" are there, the specials are not counted
        for word in ("a", "d"):
            np.testing.assert_array_equal(table.vectors[text.words.index(word)], given[word])


def test_words_without_a_vector_follow_the_policy(corpus: EncodedCorpus) -> None:
    text = RestrictedText.build(corpus)
    given = space(["other", "d", "a", "<unk>"])
    lacking = [UNK_ID, EOS_ID, text.words.index("b")]
    assert not table_of(given, text, missing="zero").vectors[lacking].any()
    mean = table_of(given, text, missing="mean").vectors[lacking]
    np.testing.assert_allclose(mean, np.tile(given.vectors.mean(axis=0), (3, 1)), atol=1e-6)
    drawn = table_of(given, text, missing="random", seed=4).vectors[lacking]
    np.testing.assert_allclose(
        np.linalg.norm(drawn, axis=1), np.linalg.norm(given.vectors, axis=1).mean(), rtol=1e-5
    )
    assert not np.allclose(drawn[0], drawn[1])
    again = table_of(given, text, missing="random", seed=4).vectors[lacking]
    np.testing.assert_array_equal(drawn, again)


def test_a_space_without_any_word_is_refused(corpus: EncodedCorpus) -> None:
    with pytest.raises(LexiscopeError, match="has no word of the text"):
        table_of(space(["other"]), RestrictedText.build(corpus), missing="mean")
