"""word2vec through gensim: what it learns, that it repeats itself, and what it leaves behind."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import two_topics
from pydantic import ValidationError

from lexiscope.corpora.encoded import EncodedCorpus
from lexiscope.embeddings import word2vec
from lexiscope.embeddings.config import Word2VecConfig
from lexiscope.embeddings.space import load_space
from lexiscope.embeddings.word2vec import train_word2vec
from lexiscope.errors import LexiscopeError

CONFIG = {"kind": "word2vec", "corpus": "news", "vector_size": 24, "epochs": 20}


def train(
    made: two_topics.Made, output: Path, *, seed: int = 1, threads: int = 1, **changes: object
) -> Path:
    train_word2vec(
        corpus=made.corpus,
        lexicon=made.lexicon,
        config={**CONFIG, **changes},
        output=output,
        seed=seed,
        threads=threads,
    )
    return output


def test_words_of_a_topic_are_closer(made: two_topics.Made, tmp_path: Path) -> None:
    space = load_space(train(made, tmp_path / "w.safetensors"))
    assert two_topics.topic_margin(space) > 0.5
    assert list(tmp_path.iterdir()) == [tmp_path / "w.safetensors"]


def test_provenance_tells_where_it_comes_from(made: two_topics.Made, tmp_path: Path) -> None:
    space = load_space(train(made, tmp_path / "w.safetensors", seed=5))
    corpus = EncodedCorpus.open(made.corpus)
    provenance = dict(space.provenance)
    assert provenance.pop("config") == Word2VecConfig.model_validate(CONFIG).settings()
    n_words = int(corpus.vocabulary.counts[2:].sum())
    assert 0 < provenance.pop("n_words_kept_by_subsampling") < 20 * n_words
    assert provenance == {
        "kind": "word2vec",
        "corpus": corpus.sha256,
        "seed": 5,
        "casing": "as_is",
        "dim": 24,
        "n_words_before_lexicon": len(corpus.vocabulary) - 2,
    }
    lexicon = made.lexicon.read_text(encoding="utf-8").splitlines()
    assert list(space.words) == [line.split("\t")[0] for line in lexicon]


def test_same_seed_same_bytes_in_any_process(made: two_topics.Made, tmp_path: Path) -> None:
    here = train(made, tmp_path / "here.safetensors", threads=4, epochs=2)
    there = tmp_path / "there.safetensors"
    program = (
        "from lexiscope.embeddings.word2vec import train_word2vec as train\n"
        f"train(corpus={str(made.corpus)!r}, lexicon={str(made.lexicon)!r}, output={str(there)!r},"
        f" config={ {**CONFIG, 'epochs': 2}!r}, seed=1, threads=1)"
    )
    # Another hash seed: gensim's own hash function would start from other vectors.
    environment = {**os.environ, "PYTHONHASHSEED": "3", "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", program], env=environment, check=True)
    assert here.read_bytes() == there.read_bytes()
    other = train(made, tmp_path / "other.safetensors", seed=2, epochs=2)
    assert not np.array_equal(load_space(here).vectors, load_space(other).vectors)


def test_threads_are_used_only_if_asked_for(
    made: two_topics.Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workers = []

    class Spy(word2vec.Word2Vec):  # type: ignore[misc]
        def __init__(self, **settings: object) -> None:
            workers.append(settings["workers"])
            super().__init__(**settings)

    monkeypatch.setattr(word2vec, "Word2Vec", Spy)
    train(made, tmp_path / "a.safetensors", threads=2, epochs=1)
    train(made, tmp_path / "b.safetensors", threads=2, epochs=1, deterministic=False)
    assert workers == [1, 2]


@pytest.mark.parametrize(("sample", "most_skipped"), [(1e-2, 0), (0, 12)])
def test_gensim_skips_no_word(
    made: two_topics.Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sample: float, most_skipped: int
) -> None:
    seen = []
    train_as_gensim_does = word2vec.Word2Vec.train

    def spy(model: word2vec.Word2Vec, **settings: object) -> object:
        seen.append(train_as_gensim_does(model, **settings))
        return seen[-1]

    monkeypatch.setattr(word2vec.Word2Vec, "train", spy)
    train(made, tmp_path / "w.safetensors", epochs=1, sample=sample)
    n_words = int(EncodedCorpus.open(made.corpus).vocabulary.counts[2:].sum())
    assert n_words > 10_000
    # Without subsampling up to a sentence (12 words) a batch is skipped, as the module says.
    assert n_words - most_skipped <= seen[0][1] <= n_words


def test_a_failure_leaves_no_text_behind(
    made: two_topics.Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("out of luck")

    monkeypatch.setattr(word2vec.Word2Vec, "train", fail)
    with pytest.raises(RuntimeError, match="out of luck"):
        train(made, tmp_path / "w.safetensors")
    assert list(tmp_path.iterdir()) == []


def test_a_lexicon_of_other_words_is_an_error(made: two_topics.Made, tmp_path: Path) -> None:
    lexicon = tmp_path / "lexicon.tsv"
    lexicon.write_text("elsewhere\t3\n")
    with pytest.raises(LexiscopeError, match="none of the lexicon's words"):
        train(made._replace(lexicon=lexicon), tmp_path / "w.safetensors", epochs=1)


@pytest.mark.parametrize(
    ("key", "value"),
    [("min_count", 5), ("vector_size", 0), ("window", 0), ("sample", -1), ("negative", 0), ("epochs", 1.5)],
)
def test_bad_settings_are_rejected(key: str, value: object) -> None:
    with pytest.raises(ValidationError, match=key):
        Word2VecConfig.model_validate({**CONFIG, key: value})
