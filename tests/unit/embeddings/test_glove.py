"""GloVe: its step against a plain one, every cell once an epoch, the same bytes whatever happens."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import two_topics
from numpy.typing import NDArray

from lexiscope import checkpoints
from lexiscope.corpora.encoded import EncodedCorpus
from lexiscope.embeddings import glove, glove_kernels
from lexiscope.embeddings.config import GloVeConfig
from lexiscope.embeddings.cooccurrence import ENTRY, Cooccurrences, Grid, count_cooccurrences
from lexiscope.embeddings.glove import GloVe, fit, train_glove
from lexiscope.embeddings.space import load_space
from lexiscope.errors import LexiscopeError

CONFIG = {"kind": "glove", "corpus": "news", "vector_size": 24, "epochs": 15, "x_max": 20}


@pytest.fixture(scope="module")
def counts(tmp_path_factory: pytest.TempPathFactory) -> Cooccurrences:
    """Counts of 90 words in 7 blocks a side."""
    ids = np.random.default_rng(4).zipf(1.3, 20_000).clip(0, 91).astype(np.uint16)
    return count_cooccurrences(
        [ids],
        first_word=2,
        end_of_sentence=1,
        grid=Grid(90, 7),
        window=4,
        memory_mb=16,
        directory=tmp_path_factory.mktemp("counts"),
        source="zipf",
    )


def train(
    made: two_topics.Made, output: Path, *, seed: int = 1, threads: int = 1, **changes: object
) -> Path:
    train_glove(
        corpus=made.corpus,
        lexicon=made.lexicon,
        config={**CONFIG, **changes},
        output=output,
        seed=seed,
        threads=threads,
    )
    return output


def all_cells(counts: Cooccurrences) -> list[tuple[int, int, float]]:
    """Every cell of the symmetric matrix, by position."""
    grid = counts.grid
    cells = []
    for number in range(grid.n_blocks**2):
        p, q = divmod(number, grid.n_blocks)
        for row, column, log in counts.entries[counts.starts[number] : counts.starts[number + 1]].tolist():
            a, b = p * grid.rows + row, q * grid.rows + column
            cells += [(a, b, log)] if a == b else [(a, b, log), (b, a, log)]
    return cells


def test_words_of_a_topic_are_closer(made: two_topics.Made, tmp_path: Path) -> None:
    space = load_space(train(made, tmp_path / "g.safetensors"))
    assert two_topics.topic_margin(space) > 0.5
    assert list(tmp_path.iterdir()) == [tmp_path / "g.safetensors"]
    corpus = EncodedCorpus.open(made.corpus)
    assert space.provenance["corpus"] == corpus.sha256
    assert space.provenance["n_words_before_lexicon"] == len(corpus.vocabulary) - 2
    assert 0 < space.provenance["loss"] < 0.1
    assert space.provenance["n_cells"] > 400


def test_combining_adds_the_context_vectors(counts: Cooccurrences) -> None:
    model = GloVe.initial(counts.grid, 24, seed=1)
    word, both = (
        model.vectors(counts.grid, GloVeConfig.model_validate({**CONFIG, "combine": combine}))
        for combine in ("word", "sum")
    )
    for number, position in enumerate(counts.grid.positions()):
        assert np.array_equal(word[number], model.words[position, 0, :24])
        assert np.array_equal(both[number], word[number] + model.contexts[position, 0, :24])


def test_a_step_is_that_of_the_published_method() -> None:
    rng = np.random.default_rng(0)
    n_words, size, rate, alpha, x_max = 6, 5, 0.05, 0.75, 10.0
    model = GloVe.initial(Grid(n_words, 1), size, seed=3)
    w, c = (m[:, 0, :size].astype(np.float64) for m in (model.words, model.contexts))
    bw, bc = model.words[:, 0, size].astype(np.float64), model.contexts[:, 0, size + 1].astype(np.float64)
    assert np.all(np.abs(w) <= 0.5 / size)
    assert len(np.unique(np.concatenate([w.ravel(), c.ravel(), bw, bc]))) == 2 * n_words * (size + 1)
    sums = [np.ones_like(x) for x in (w, c, bw, bc)]
    cells = np.zeros(40, dtype=ENTRY)
    cells["row"], cells["column"] = rng.integers(n_words, size=(2, 40))
    cells["log_count"] = np.log(rng.uniform(0.2, 30, 40))

    def step(x: NDArray, total: NDArray, at: int, gradient: NDArray | float) -> None:
        delta = rate * gradient
        x[at] -= delta / np.sqrt(total[at])
        total[at] += delta**2

    loss = 0.0
    for i, j, log in cells.tolist():
        error = w[i] @ c[j] + bw[i] + bc[j] - log
        weight = min(1.0, (np.exp(log) / x_max) ** alpha)
        loss += 0.5 * weight * error**2
        to_w, to_c = weight * error * c[j], weight * error * w[i]
        step(w, sums[0], i, to_w)
        step(c, sums[1], j, to_c)
        step(bw, sums[2], i, weight * error)
        step(bc, sums[3], j, weight * error)
    numbers = glove_kernels.Settings(
        *(np.float32(x) for x in (rate, alpha, np.log(x_max), glove.MAX_GRADIENT))
    )
    assert glove_kernels._train_cells(model.words, model.contexts, cells, numbers) == pytest.approx(
        loss, 1e-5
    )
    close = {"rtol": 1e-4, "atol": 1e-6}
    assert np.allclose(model.words[:, 0, :size], w, **close)
    assert np.allclose(model.contexts[:, 0, :size], c, **close)
    assert np.allclose(model.words[:, 0, size], bw, **close)
    assert np.allclose(model.contexts[:, 0, size + 1], bc, **close)
    assert np.allclose(model.words[:, 1, :size], sums[0], **close)
    # The ones that let biases be dimensions, and the padding, have not moved.
    assert np.all(model.words[:, 0, size + 1] == 1)
    assert np.all(model.contexts[:, 0, size] == 1)
    assert np.all(model.words[:, 0, size + 2 :] == 0)


def test_gradients_are_clipped() -> None:
    model = GloVe.initial(Grid(1, 1), 3, seed=1)
    model.contexts[0, 0, :3] = 1e4
    cells = np.array([(0, 0, -1e4)], dtype=ENTRY)
    bound = np.float32(100)
    numbers = glove_kernels.Settings(np.float32(0.05), np.float32(0.75), np.float32(-2e4), bound)
    before = model.words[0, 0, :3].copy()
    glove_kernels._train_cells(model.words, model.contexts, cells, numbers)
    assert np.allclose(np.abs(model.words[0, 0, :3] - before), 0.05 * 100, rtol=1e-4)


def test_an_epoch_visits_every_cell_of_the_symmetric_matrix_once(counts: Cooccurrences) -> None:
    settings = GloVeConfig.model_validate({**CONFIG, "epochs": 2, "learning_rate": 1e-12})
    model = GloVe.initial(counts.grid, 24, seed=1)
    start = model.words[:, 0].astype(np.float64) @ model.contexts[:, 0].astype(np.float64).T
    losses = []
    for a, b, log in all_cells(counts):
        losses.append(0.5 * min(1.0, (np.exp(log) / 20) ** 0.75) * (start[a, b] - log) ** 2)
    assert len(losses) == counts.n_cells
    fit(model, counts, settings, seed=1)
    assert model.losses == pytest.approx([np.mean(losses)] * 2, rel=1e-5)


def test_strata_share_no_row_and_no_column_and_cover_all_blocks() -> None:
    seen = set()
    for stratum in glove._strata(9, np.random.default_rng(0)):
        assert sorted(stratum[:, 0]) == sorted(stratum[:, 1]) == list(range(9))
        seen |= {(p, q) for p, q in stratum.tolist()}
    assert len(seen) == 81


def test_shuffling_is_fair() -> None:
    first = np.zeros(5)
    for seed in range(4000):
        items = np.arange(5, dtype=np.uint64)
        glove_kernels._shuffle(items, np.uint64(seed))
        assert sorted(items) == [0, 1, 2, 3, 4]
        first[items[0]] += 1
    assert np.all(np.abs(first / 4000 - 0.2) < 0.03)


def test_the_loss_falls_and_the_seed_decides(counts: Cooccurrences) -> None:
    settings = GloVeConfig.model_validate({**CONFIG, "epochs": 8})
    models = [GloVe.initial(counts.grid, 24, seed) for seed in (1, 2)]
    for model, seed in zip(models, (1, 2), strict=True):
        fit(model, counts, settings, seed=seed)
        assert model.losses == sorted(model.losses, reverse=True)
        assert model.losses[-1] < 0.5 * model.losses[0]
    assert not np.array_equal(models[0].words, models[1].words)


def test_threads_change_nothing(made: two_topics.Made, tmp_path: Path) -> None:
    files = [train(made, tmp_path / f"{threads}.safetensors", threads=threads) for threads in (1, 2, 5, 40)]
    assert len({file.read_bytes() for file in files}) == 1


def test_a_killed_run_goes_on_to_the_same_bytes(
    made: two_topics.Made, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    whole = train(made, tmp_path / "whole.safetensors")
    killed = tmp_path / "killed.safetensors"
    program = f"""
import os, signal
from lexiscope import checkpoints
from lexiscope.embeddings import glove
checkpoints.SAVE_INTERVAL_SECONDS = 0.0
save = glove.GloVe.save
def save_and_die(self, checkpoint):
    save(self, checkpoint)
    if len(self.losses) == 6:
        os.kill(os.getpid(), signal.SIGKILL)
glove.GloVe.save = save_and_die
glove.train_glove(corpus={str(made.corpus)!r}, lexicon={str(made.lexicon)!r}, config={CONFIG!r},
    output={str(killed)!r}, seed=1, threads=1)
"""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    assert subprocess.run([sys.executable, "-c", program], env=environment).returncode == -signal.SIGKILL
    assert not killed.exists()
    with caplog.at_level(logging.INFO, "lexiscope"):
        train(made, killed)
    assert "going on after epoch 6" in caplog.text
    assert killed.read_bytes() == whole.read_bytes()
    assert {path.name for path in tmp_path.iterdir()} == {"whole.safetensors", "killed.safetensors"}


@pytest.mark.parametrize("damage", ["flipped", "cut", "other seed"])
def test_a_checkpoint_that_does_not_fit_is_not_used(
    damage: str, made: two_topics.Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = train(made, tmp_path / "whole.safetensors")
    monkeypatch.setattr(checkpoints, "SAVE_INTERVAL_SECONDS", 0.0)
    monkeypatch.setattr(
        glove, "save_trained_space", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt)
    )
    again = tmp_path / "again.safetensors"
    with pytest.raises(KeyboardInterrupt):
        train(made, again, seed=2 if damage == "other seed" else 1)
    monkeypatch.undo()
    checkpoint = tmp_path / "again.safetensors.checkpoint" / "model.safetensors"
    content = bytearray(checkpoint.read_bytes())
    if damage == "flipped":
        content[-1000] ^= 4
    if damage == "cut":
        del content[-1000:]
    checkpoint.write_bytes(content)
    assert train(made, again).read_bytes() == whole.read_bytes()


def test_divergence_is_told(made: two_topics.Made, tmp_path: Path) -> None:
    with pytest.raises(LexiscopeError, match=r"diverged in epoch 1.*[Ll]ower its learning_rate"):
        train(made, tmp_path / "g.safetensors", learning_rate=1e30)
    assert not (tmp_path / "g.safetensors").exists()


def test_the_other_backend_is_not_trained_here(made: two_topics.Made, tmp_path: Path) -> None:
    with pytest.raises(LexiscopeError, match="glove_python"):
        train(made, tmp_path / "g.safetensors", backend="glove_python")
