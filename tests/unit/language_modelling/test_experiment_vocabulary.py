"""The vocabulary of an experiment."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tiny_experiment import EACH, KINDS, Tiny, make_tiny

from lexiscope.corpora.encoded import SPLITS, EncodedCorpus
from lexiscope.corpora.vocabulary import UNK_ID
from lexiscope.embeddings.space import EmbeddingSpace, save_space
from lexiscope.errors import LexiscopeError
from lexiscope.language_modelling.vocabulary import choose_vocabulary, restricted_text

LACKING = {"red0", "blue1"}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    return make_tiny(tmp_path_factory.mktemp("vocabulary"))


def test_the_words_that_all_spaces_have_by_descending_count(tiny):
    own = EncodedCorpus.open(tiny.corpus).vocabulary
    words = tiny.vocabulary.read_text(encoding="utf-8").split("\n")[:-1]
    assert words[:2] == ["<unk>", "</s>"]
    everything = {f"{kind}{i}" for kind in KINDS for i in range(EACH)}
    assert set(words[2:]) == everything - LACKING
    counts = [own.counts[own.index[word]] for word in words[2:]]
    assert counts == sorted(counts, reverse=True)


def test_the_most_frequent_are_kept(tiny, tmp_path):
    choose_vocabulary(
        corpus=tiny.corpus, spaces=list(tiny.spaces.values()), size=4, output=tmp_path / "v.txt"
    )
    assert (tmp_path / "v.txt").read_text() == "".join(
        f"{word}\n" for word in tiny.vocabulary.read_text().split("\n")[:6]
    )


def test_without_spaces_all_words_are_kept(tiny, tmp_path):
    choose_vocabulary(corpus=tiny.corpus, spaces=[], size=None, output=tmp_path / "v.txt")
    words = tuple((tmp_path / "v.txt").read_text().split("\n")[:-1])
    assert words == EncodedCorpus.open(tiny.corpus).vocabulary.words


def test_the_text_is_the_corpus_with_other_words_unknown(tiny):
    corpus, text = EncodedCorpus.open(tiny.corpus), restricted_text(**tiny.text)
    for split in SPLITS:
        before = [corpus.vocabulary.words[number] for number in corpus.tokens(split)]
        expected = ["<unk>" if word in LACKING else word for word in before]
        assert [text.words[number] for number in text.splits[split]] == expected
    assert np.count_nonzero(text.splits["train"] == UNK_ID) > 0


def test_a_vocabulary_of_another_corpus_is_refused(tiny, tmp_path):
    lines = tiny.vocabulary.read_text().split("\n")[:-1]
    for wrong, message in (
        ([*lines, "green0"], "of another corpus"),
        ([*lines[:2], *lines[:1:-1]], "of another corpus"),
        (lines[2:], "begins with <unk> and </s>"),
    ):
        (tmp_path / "v.txt").write_text("".join(f"{line}\n" for line in wrong))
        with pytest.raises(LexiscopeError, match=message):
            restricted_text(tiny.corpus, tmp_path / "v.txt")
    with pytest.raises(LexiscopeError, match="no such file"):
        restricted_text(tiny.corpus, tmp_path / "none.txt")


def test_spaces_without_a_common_word_are_an_error(tiny, tmp_path: Path):
    save_space(EmbeddingSpace(("yellow",), np.ones((1, 5), np.float32)), tmp_path / "other.safetensors")
    with pytest.raises(LexiscopeError, match="no word of the corpus remains"):
        choose_vocabulary(
            corpus=tiny.corpus,
            spaces=[tiny.spaces["first"], tmp_path / "other.safetensors"],
            size=None,
            output=tmp_path / "v.txt",
        )
