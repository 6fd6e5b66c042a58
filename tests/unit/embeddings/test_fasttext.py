"""fastText through its library: what it learns, that it repeats itself, and the library's traps."""

from __future__ import annotations

from pathlib import Path

import fasttext as library
import numpy as np
import pytest
import two_topics
from pydantic import ValidationError

from lexiscope.corpora.encode import encode_corpus
from lexiscope.corpora.encoded import EncodedCorpus
from lexiscope.corpora.lexicon import build_lexicon
from lexiscope.embeddings import fasttext
from lexiscope.embeddings.config import FastTextConfig
from lexiscope.embeddings.fasttext import train_fasttext
from lexiscope.embeddings.space import load_space

CONFIG = {
    "kind": "fasttext",
    "corpus": "news",
    "vector_size": 24,
    "epochs": 20,
    "bucket": 500,
    "sample": 1e-2,
}


def train(made: two_topics.Made, output: Path, *, seed: int = 1, **changes: object) -> Path:
    train_fasttext(
        corpus=made.corpus,
        lexicon=made.lexicon,
        config={**CONFIG, **changes},
        output=output,
        seed=seed,
        threads=2,
    )
    return output


def test_words_of_a_topic_are_closer(made: two_topics.Made, tmp_path: Path) -> None:
    space = load_space(train(made, tmp_path / "f.safetensors"))
    assert two_topics.topic_margin(space) > 0.5
    assert list(tmp_path.iterdir()) == [tmp_path / "f.safetensors"]
    assert space.provenance["n_words_before_lexicon"] == len(EncodedCorpus.open(made.corpus).vocabulary) - 2
    assert space.provenance["library_seed"] == "fixed"


def test_topics_are_learnt_without_n_grams_too(made: two_topics.Made, tmp_path: Path) -> None:
    # The names of a topic's words share n-grams; without these only the contexts are left.
    space = load_space(train(made, tmp_path / "f.safetensors", min_n=0, max_n=0))
    assert two_topics.topic_margin(space) > 0.3


def test_one_thread_repeats_itself(made: two_topics.Made, tmp_path: Path) -> None:
    first = load_space(train(made, tmp_path / "1.safetensors", epochs=2))
    again = load_space(train(made, tmp_path / "2.safetensors", epochs=2))
    other_seed = load_space(train(made, tmp_path / "3.safetensors", epochs=2, seed=9))
    assert (tmp_path / "1.safetensors").read_bytes() == (tmp_path / "2.safetensors").read_bytes()
    assert np.array_equal(first.vectors, again.vectors)
    assert np.array_equal(first.vectors, other_seed.vectors)  # the library takes no seed


def test_vectors_are_those_of_the_library(
    made: two_topics.Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = []

    def spy(*arguments: object, **settings: object) -> object:
        models.append(library.FastText.train_unsupervised(*arguments, **settings))
        return models[-1]

    monkeypatch.setattr(fasttext.fasttext, "train_unsupervised", spy)
    space = load_space(train(made, tmp_path / "f.safetensors", epochs=1))
    for word in space.words:
        assert np.array_equal(space[word], models[0].get_word_vector(word))
    assert "</s>" in models[0].get_words()
    assert "</s>" not in space


def test_words_that_look_like_labels_are_words(tmp_path: Path) -> None:
    text = tmp_path / "text.txt"
    text.write_text("__label__sun shines on __label__moon and stars\n" * 20)
    made = two_topics.Made(tmp_path / "corpus", tmp_path / "lexicon.tsv")
    config = {"sources": [{"text": str(text), "tokenised": True}], "held_out": 0.0}
    encode_corpus(receipts=[], config=config, output=made.corpus, seed=1, threads=1)
    build_lexicon(corpus=made.corpus, size=10, output=made.lexicon)
    space = load_space(train(made, tmp_path / "f.safetensors", epochs=1))
    assert {"__label__sun", "__label__moon"} <= set(space.words)


def test_a_failure_leaves_no_text_behind(
    made: two_topics.Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("out of luck")

    monkeypatch.setattr(fasttext.fasttext, "train_unsupervised", fail)
    with pytest.raises(RuntimeError, match="out of luck"):
        train(made, tmp_path / "f.safetensors")
    assert list(tmp_path.iterdir()) == []


def test_n_gram_lengths_must_be_in_order() -> None:
    with pytest.raises(ValidationError, match="min_n"):
        FastTextConfig.model_validate({**CONFIG, "min_n": 5, "max_n": 4})
