from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from toy_bilstm import BILM, Run, assert_resumes, bilm_config

from lexiscope.corpora.encode import encode_corpus
from lexiscope.corpora.encoded import EncodedCorpus
from lexiscope.corpora.lexicon import build_lexicon
from lexiscope.domains import bilm
from lexiscope.domains.bilm import SentenceModelling, train_bilm
from lexiscope.embeddings.space import load_space
from lexiscope.errors import LexiscopeError
from lexiscope.language_modelling.text import RestrictedText


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """After a word of either kind always comes one of the same kind."""
    folder = tmp_path_factory.mktemp("bilm")
    generator = np.random.default_rng(3)
    lines = []
    for number in range(300):
        kind = ("red", "blue")[number % 2]
        lines.append(" ".join(f"{kind}{i}" for i in generator.integers(8, size=generator.integers(3, 9))))
    text = folder / "text.txt"
    text.write_text("\n".join(lines) + "\n", encoding="utf-8")
    config = {"sources": [{"text": str(text), "tokenised": True}], "held_out": 0.1}
    encode_corpus(receipts=[], config=config, output=folder / "corpus", seed=1, threads=1)
    return folder / "corpus"


def run_of(corpus: Path, folder: Path, **change: Any) -> Run:
    return Run(train_bilm, folder, corpus=corpus, config={**BILM, **change})


def test_it_learns_in_both_directions_what_the_unigram_model_cannot(corpus: Path, tmp_path: Path) -> None:
    run = run_of(corpus, tmp_path).start()
    data = EncodedCorpus.open(corpus)
    counts = data.vocabulary.counts + 0.5
    unigram = np.exp(-np.log(counts / counts.sum())[np.asarray(data.tokens("test"))].mean())
    *epochs, final = run.records()
    assert final["test_forward_perplexity"] < 0.75 * unigram
    assert final["test_backward_perplexity"] < 0.75 * unigram
    assert [record["tokens"] for record in epochs] == [n * data.n_tokens("train") for n in (1, 2, 3)]
    space = load_space(run.output)
    assert space.words == data.vocabulary.words[2:]
    assert space.columns["count"].tolist() == data.vocabulary.counts[2:].tolist()
    assert space.provenance["corpus"] == data.sha256
    assert space.provenance["softmax"] == "full"
    red = np.array([word.startswith("red") for word in space.words])
    similarity = space.vectors @ space.vectors.T
    assert similarity[np.ix_(red, red)].mean() > similarity[np.ix_(red, ~red)].mean() + 0.3


def test_a_uniform_model_has_the_vocabulary_size_as_perplexity(corpus: Path) -> None:
    text = RestrictedText.build(EncodedCorpus.open(corpus))
    task = SentenceModelling(bilm_config(max_length=3), text, torch.device("cpu"))
    torch.nn.init.zeros_(task.model.softmax_weight)
    found = task.evaluate("test")
    assert found["forward_perplexity"] == pytest.approx(len(text), rel=1e-6)
    assert found["backward_perplexity"] == pytest.approx(len(text), rel=1e-6)
    assert task.parts["test"].n_tokens == text.n_tokens("test")


@pytest.mark.parametrize("full", [True, False], ids=["full", "sampled"])
def test_resumed_training_gives_the_same_bytes(
    full: bool, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not full:
        monkeypatch.setattr(bilm, "FULL_SOFTMAX_WORDS", 10)
        monkeypatch.setattr(bilm, "N_SAMPLES", 8)
    change = {"batch_size": 32, "state": "hidden", "combine": "average", "normalise": "mean_variance"}
    whole = run_of(corpus, tmp_path / "whole", **change)
    assert_resumes(whole, run_of(corpus, tmp_path / "resumed", **change), monkeypatch)
    assert load_space(whole.output).provenance["softmax"] == ("full" if full else "sampled")
    first, last = whole.records()[0], whole.records()[2]
    assert last["valid_loss"] < first["valid_loss"]


def test_vocabulary_lexicon_and_max_tokens_restrict(corpus: Path, tmp_path: Path) -> None:
    lexicon = tmp_path / "lexicon.tsv"
    build_lexicon(corpus=corpus, size=9, output=lexicon)
    run = run_of(corpus, tmp_path, epochs=1, vocabulary_size=5, max_tokens=400)
    run.start(lexicon=lexicon)
    space = load_space(run.output)
    assert space.words == EncodedCorpus.open(corpus).vocabulary.words[2:7]
    assert 350 < space.provenance["n_tokens_read"] <= 400


def test_an_empty_part_is_an_error(tmp_path: Path) -> None:
    text = tmp_path / "text.txt"
    text.write_text("a b c\n" * 50)
    config = {"sources": [{"text": str(text), "tokenised": True}], "held_out": 0.0}
    encode_corpus(receipts=[], config=config, output=tmp_path / "corpus", seed=1, threads=1)
    with pytest.raises(LexiscopeError, match="no text remains in the part 'valid'"):
        run_of(tmp_path / "corpus", tmp_path).start()
