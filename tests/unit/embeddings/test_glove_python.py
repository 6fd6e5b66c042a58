"""The glue around glove-python-binary, with a stand-in for the package, which needs Python 3.8."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import two_topics

from lexiscope.corpora.encoded import EncodedCorpus
from lexiscope.embeddings import glove_python
from lexiscope.embeddings.config import GloVeConfig
from lexiscope.embeddings.glove import adopt_glove_python
from lexiscope.embeddings.space import load_space
from lexiscope.errors import LexiscopeError

CONFIG = GloVeConfig(
    kind="glove", corpus="news", vector_size=3, window=4, epochs=7, backend="glove_python"
).model_dump(mode="json")

# The package's interface, as its source has it; the vectors tell what it was given.
STAND_IN = """
import json, os
import numpy as np

class Corpus:
    def __init__(self, dictionary=None):
        self.dictionary = dictionary
    def fit(self, corpus, window=10, max_map_size=1000, ignore_missing=False):
        self.matrix = np.zeros(len(self.dictionary))
        for words in corpus:
            assert isinstance(words, list)
            for word in words:
                self.matrix[self.dictionary[word]] += 1
        self.window = window
        calls["window"] = window

class Glove:
    def __init__(self, no_components=30, learning_rate=0.05, alpha=0.75, max_count=100, max_loss=10.0,
                 random_state=None):
        calls.update(no_components=no_components, learning_rate=learning_rate, alpha=alpha,
                     max_count=max_count, random_state=random_state)
    def fit(self, matrix, epochs=5, no_threads=2, verbose=False):
        calls.update(epochs=epochs, no_threads=no_threads)
        self.word_vectors = np.outer(matrix, np.arange(1.0, 1 + calls["no_components"]))
        with open(os.environ["STAND_IN_CALLS"], "w") as file:
            json.dump(calls, file)

calls = {}
"""


@pytest.fixture
def vectors(made: two_topics.Made, tmp_path: Path) -> Path:
    """What the program writes when it is run as a rule runs it."""
    (tmp_path / "packages").mkdir()
    (tmp_path / "packages" / "glove.py").write_text(STAND_IN)
    output = tmp_path / "vectors.npy"
    command = [sys.executable, glove_python.__file__, "--corpus", str(made.corpus), "--seed", "11"]
    command += ["--threads", "3", "--config", json.dumps(CONFIG), "--output", str(output)]
    environment = {
        **os.environ,
        "PYTHONPATH": str(tmp_path / "packages"),
        "STAND_IN_CALLS": str(tmp_path / "calls"),
    }
    subprocess.run(command, env=environment, check=True)
    return output


def adopt(made: two_topics.Made, vectors: Path, output: Path) -> None:
    adopt_glove_python(
        vectors=vectors, corpus=made.corpus, lexicon=made.lexicon, config=CONFIG, output=output, seed=11
    )


def test_the_package_gets_the_corpus_and_the_settings(
    made: two_topics.Made, vectors: Path, tmp_path: Path
) -> None:
    counts = EncodedCorpus.open(made.corpus).vocabulary.counts[2:]
    matrix = np.load(vectors)
    assert matrix.dtype == np.float32
    assert np.array_equal(matrix, np.outer(counts, [1, 2, 3]))
    assert json.loads((tmp_path / "calls").read_text()) == {
        "window": 4,
        "no_components": 3,
        "learning_rate": 0.05,
        "alpha": 0.75,
        "max_count": 100,
        "random_state": 11,
        "epochs": 7,
        "no_threads": 1,
    }
    assert {path.name for path in tmp_path.iterdir()} == {"packages", "vectors.npy", "calls"}


def test_its_matrix_becomes_a_space(made: two_topics.Made, vectors: Path, tmp_path: Path) -> None:
    adopt(made, vectors, tmp_path / "g.safetensors")
    space = load_space(tmp_path / "g.safetensors")
    vocabulary = EncodedCorpus.open(made.corpus).vocabulary
    assert len(space) == 20
    for word in space.words:
        assert space[word][0] == vocabulary.counts[vocabulary.index[word]]
    assert space.provenance["library"] == "glove-python-binary"


@pytest.mark.parametrize("content", [b"", b"no matrix", None])
def test_a_matrix_that_does_not_fit_is_an_error(
    content: bytes | None, made: two_topics.Made, tmp_path: Path
) -> None:
    vectors = tmp_path / "v.npy"
    if content is None:
        np.save(vectors, np.zeros((5, 3), dtype=np.float32))
    else:
        vectors.write_bytes(content)
    with pytest.raises(LexiscopeError, match=r"v\.npy"):
        adopt(made, vectors, tmp_path / "g.safetensors")


def test_the_program_is_python_3_8() -> None:
    source = Path(glove_python.__file__).read_text(encoding="utf-8")
    tree = ast.parse(source, feature_version=(3, 8))
    imported = {
        name.split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in (
            [node.module or ""] if isinstance(node, ast.ImportFrom) else [a.name for a in node.names]
        )
    }
    assert imported <= {*sys.stdlib_module_names, "numpy", "glove"}
