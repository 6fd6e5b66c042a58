"""Several processes on one CPU: forks of this one (which need no import), or started for real."""

from __future__ import annotations

import json
import math
import multiprocessing
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from tiny_model import TINY
from torch import nn

from lexiscope.corpora.encoded import EncodedCorpus
from lexiscope.errors import LexiscopeError
from lexiscope.language_models import distributed, launch, train
from lexiscope.language_models.char_cnn_lstm import CharCNNLSTM
from lexiscope.language_models.config import CharCNNLSTMConfig
from lexiscope.language_models.distributed import World, is_worker, join
from lexiscope.language_models.perplexity import perplexity
from lexiscope.language_models.streams import NO_TARGET, Streams

LIBRARY = str(Path(train.__file__).parents[2])
LOOPBACK = next((name for _, name in socket.if_nameindex() if name.startswith("lo")), "lo")
SCRIPT = """
import json, sys
from lexiscope.language_models.train import train_language_model
train_language_model(**json.loads(sys.argv[1]))
"""


def in_processes(n: int, folder: Path, function: Callable[[World], Any]) -> list[Any]:
    """What ``function`` returns in each of ``n`` forks of this process, which have met."""
    context = multiprocessing.get_context("fork")
    results = context.Queue()
    folder.mkdir(parents=True, exist_ok=True)

    def work(rank: int) -> None:
        meeting_point = (folder / "meeting-point").as_uri()
        os.environ |= {"RANK": str(rank), "WORLD_SIZE": str(n), launch.RENDEZVOUS: meeting_point}
        os.environ["GLOO_SOCKET_IFNAME"] = LOOPBACK
        with join(n, "cpu") as world:
            results.put((rank, function(world)))

    forks = [context.Process(target=work, args=(rank,)) for rank in range(n)]
    for fork in forks:
        fork.start()
    try:
        found = dict(results.get(timeout=120) for _ in forks)
        for fork in forks:
            fork.join(timeout=30)
    finally:
        for fork in forks:
            fork.kill()
    return [found[rank] for rank in range(n)]


def arguments(folder: Path, corpus: Path, **change: Any) -> dict[str, Any]:
    return {
        "corpus": str(corpus),
        "config": {**TINY, **change},
        "output": str(folder / "model.safetensors"),
        "history": str(folder / "history.json"),
        "checkpoint": str(folder / "checkpoint"),
        "seed": 1,
        "threads": 1,
        "device": "cpu",
    }


def train_in(n: int, folder: Path, corpus: Path, **change: Any) -> list[dict[str, Any]]:
    """Train in ``n`` forks, or here; the history."""
    given = arguments(folder, corpus, processes=n, **change)
    if n == 1:
        train.train_language_model(**given)
    else:
        in_processes(n, folder, lambda _: train.train_language_model(**given))
    records: list[dict[str, Any]] = json.loads((folder / "history.json").read_text())
    return records


# The same optimisation -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("processes", "change"),
    [
        (2, {"softmax": "full"}),
        (3, {"batch_size": 6, "accumulate": 3, "eval_every": 10}),
        (2, {"optimizer": "adagrad", "learning_rate": 0.1}),
        (3, {"batch_size": 9, "unroll": 173, "epochs": 6, "patience": 9}),
    ],
    ids=["full", "accumulated", "adagrad", "idle"],
)
def test_without_dropout_several_processes_train_as_one_does(
    processes: int, change: dict[str, Any], tmp_path: Path, corpus_path: Path, corpus: EncodedCorpus
) -> None:
    shared = {"dropout": 0.0, "epochs": 1, **change}
    if "unroll" in change:
        streams = Streams(corpus.tokens("train"), shared["batch_size"], shared["unroll"])
        assert streams.n_targets(len(streams) - 1) == 1, "two of three processes have nothing to do there"
    one = train_in(1, tmp_path / "one", corpus_path, **shared)
    several = train_in(processes, tmp_path / "several", corpus_path, **shared)
    assert several[-2]["tokens"] == shared["epochs"] * corpus.n_tokens("train")
    assert len(one) == len(several)
    for expected, found in zip(one, several, strict=True):
        assert found.keys() == expected.keys()
        for key, value in expected.items():
            if isinstance(value, float) and "second" not in key:
                assert found[key] == pytest.approx(value, rel=1e-4), key
            elif "second" not in key:
                assert found[key] == value, key


def test_dropout_differs_between_processes(tmp_path: Path) -> None:
    def draw(world: World) -> list[float]:
        torch.manual_seed(7)
        torch.manual_seed(world.seed())
        numbers: list[float] = torch.rand(4).tolist()
        return numbers

    first, second = in_processes(2, tmp_path, draw)
    assert first != second


@pytest.mark.parametrize("n", [1, 3, 5, 33, 100])
def test_perplexity_counts_every_token_once(n: int, tmp_path: Path) -> None:
    torch.manual_seed(0)
    words = ("<unk>", "</s>", *(f"word{i}" for i in range(35)))
    model = CharCNNLSTM(CharCNNLSTMConfig.model_validate(TINY), words).eval()
    nn.init.normal_(model.softmax_bias)
    tokens = np.random.default_rng(0).integers(len(words), size=n).astype(np.uint16)
    found = in_processes(3, tmp_path, lambda world: perplexity(model, tokens, world=world))
    assert found[0] == found[1] == found[2]
    assert found[0] == pytest.approx(perplexity(model, tokens), rel=1e-6)


def test_a_step_over_several_windows_has_the_gradient_of_their_mean_loss(
    tmp_path: Path, corpus_path: Path, corpus: EncodedCorpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    change = {"softmax": "full", "dropout": 0.0, "accumulate": 3, "unroll": 5}
    seen: list[list[torch.Tensor]] = []

    def spy(parameters: Any, _: float) -> None:
        seen.append([parameter.grad.clone() for parameter in parameters])

    monkeypatch.setattr(train, "clip_gradients", spy)
    history = train_in(1, tmp_path, corpus_path, **change)
    torch.manual_seed(1)
    model = CharCNNLSTM(CharCNNLSTMConfig.model_validate({**TINY, **change}), corpus.vocabulary.words)
    streams = Streams(corpus.tokens("train"), 4, 5)
    state, total, n_targets = model.initial_state(4), torch.zeros(()), 0
    for number in range(3):
        inputs, targets = streams.window(number)
        outputs, state = model(inputs, (state[0].detach(), state[1].detach()))
        logits = outputs @ model.softmax_weight.T + model.softmax_bias
        total = total + nn.functional.cross_entropy(
            logits.flatten(0, 1), targets.flatten(), ignore_index=NO_TARGET, reduction="sum"
        )
        n_targets += int((targets != NO_TARGET).sum())
    expected = torch.autograd.grad(total / n_targets, list(model.parameters()))
    for ours, theirs in zip(seen[0], expected, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=1e-4)
    n_steps = math.ceil(len(streams) / 3)
    assert [record["step"] for record in history[:-1]] == [n_steps, 2 * n_steps]
    assert history[-2]["tokens"] == 2 * corpus.n_tokens("train")


# What processes tell each other ----------------------------------------------------------------------


def test_sums_are_exact_and_the_same_everywhere(tmp_path: Path) -> None:
    values = [1e16, 1.0, -1e16]
    found = in_processes(
        3, tmp_path, lambda w: (w.sum(values[w.rank], w.rank), w.any(w.rank == 2), w.any(False))
    )
    assert found == [([1.0, 3.0], True, False)] * 3


def test_gradients_are_added_dense_and_sparse(tmp_path: Path) -> None:
    def add(world: World) -> list[list[Any]]:
        dense, sparse, unused = (nn.Parameter(torch.zeros(4, 2)) for _ in range(3))
        dense.grad = torch.full((4, 2), float(world.rank + 1))
        rows = torch.tensor([[3, 1, 3]])
        values = torch.arange(6.0).reshape(3, 2) * (world.rank + 1)
        sparse.grad = torch.sparse_coo_tensor(rows, values, (4, 2), check_invariants=True)
        world.add_gradients([dense, sparse, unused])
        assert unused.grad is None
        return [dense.grad.tolist(), sparse.grad.to_dense().tolist()]

    found = in_processes(2, tmp_path, add)
    row_1, row_3 = [6.0, 9.0], [12.0, 18.0]  # three times (2, 3), and (0, 1) + (4, 5)
    assert found == [[[[3.0, 3.0]] * 4, [[0.0, 0.0], row_1, [0.0, 0.0], row_3]]] * 2


@pytest.mark.parametrize(("n", "size"), [(7, 3), (2, 5), (0, 2)])
def test_shares_follow_each_other(n: int, size: int) -> None:
    things = list(range(n))
    shares = [things[World(rank, size).share(n)] for rank in range(size)]
    assert [thing for share in shares for thing in share] == things
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_streams_must_divide() -> None:
    with pytest.raises(ValidationError, match="batch_size 4 cannot be divided by processes 3"):
        CharCNNLSTMConfig.model_validate({**TINY, "processes": 3})


@pytest.mark.parametrize("processes", [1, 2])
def test_another_number_of_processes_is_an_error(
    processes: int, tmp_path: Path, corpus_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "4")
    with pytest.raises(
        LexiscopeError, match=rf"4 processes were started.*processes: {processes}.*Set processes: 4"
    ):
        train.train_language_model(**arguments(tmp_path, corpus_path, processes=processes))


def test_a_process_without_a_gpu_of_its_own_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert distributed._own_gpu(1) == torch.device("cuda", 1)
    with pytest.raises(LexiscopeError, match=r"process 2 of this machine has no GPU.*there are 2"):
        distributed._own_gpu(2)


def test_processes_that_see_other_checkpoints_stop(
    tmp_path: Path, corpus_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def train_apart(world: World) -> str:
        given = arguments(tmp_path / str(world.rank), corpus_path, processes=2, checkpoint_minutes=0)
        step, done = train.Trainer.train_step, 0

        def interrupted(self: train.Trainer) -> int:
            nonlocal done
            done += 1
            if done == 3:
                raise KeyboardInterrupt
            return step(self)

        train.Trainer.train_step = interrupted  # type: ignore[method-assign]
        with pytest.raises(KeyboardInterrupt):
            train.train_language_model(**given)
        train.Trainer.train_step = step  # type: ignore[method-assign]
        with pytest.raises(LexiscopeError) as caught:
            train.train_language_model(**given)
        return str(caught.value)

    assert all(
        "do not see the same checkpoints" in message for message in in_processes(2, tmp_path, train_apart)
    )


# Processes started for real --------------------------------------------------------------------------

JOBS = """
import logging, os, signal, sys, time
from pathlib import Path
from lexiscope.errors import LexiscopeError
rank = int(os.environ["RANK"])

def tell(folder):
    logging.getLogger("lexiscope").info("hello from %d", rank)
    Path(folder, str(rank)).write_text(os.environ["LOCAL_RANK"] + os.environ["WORLD_SIZE"])

def wait(folder):
    Path(folder, f"{rank}.part").write_text(str(os.getpid()))
    Path(folder, f"{rank}.part").rename(Path(folder, f"{rank}.pid"))
    time.sleep(120)

def bad_input(folder):
    if rank == 1:
        raise LexiscopeError("no such word", where="words.txt", line=3, remedy="write it")
    wait(folder)

def crash(folder):
    if rank == 1:
        raise ZeroDivisionError("a bug")
    wait(folder)

def out_of_memory(folder):
    if rank == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    wait(folder)
"""


@pytest.fixture
def jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Callable[..., None]]:
    """Functions that started processes find by name."""
    (tmp_path / "launched_jobs.py").write_text(JOBS)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    def named(name: str) -> Callable[..., None]:
        def job() -> None: ...

        job.__module__, job.__name__ = "launched_jobs", name
        return job

    return named


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # Nobody may be there to ask a finished process how it went.
    status = Path(f"/proc/{pid}/stat")
    return not status.exists() or status.read_text().rpartition(")")[2].split()[0] != "Z"


def wait_until(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_each_process_knows_its_place_and_is_heard(
    tmp_path: Path, jobs: Callable[[str], Callable[..., None]], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO", logger="lexiscope"):
        launch.run_in_processes(jobs("tell"), {"folder": str(tmp_path)}, 2)
    assert [(tmp_path / rank).read_text() for rank in "01"] == ["02", "12"]
    told = {(record.levelname, record.getMessage()) for record in caplog.records}
    assert {("INFO", "hello from 0"), ("INFO", "process 1 of 2: hello from 1")} <= told
    assert not is_worker()


@pytest.mark.parametrize(
    ("job", "message"),
    [
        ("bad_input", r"^words.txt:3: no such word. Write it$"),
        ("crash", r"^process 1 of 2 ended with exit code 1; its last line: ZeroDivisionError: a bug. "),
        ("out_of_memory", r"^process 1 of 2 was ended by SIGKILL. If memory ran out"),
    ],
)
def test_when_one_fails_all_end_and_the_error_says_why(
    job: str, message: str, tmp_path: Path, jobs: Callable[[str], Callable[..., None]]
) -> None:
    start = time.monotonic()
    with pytest.raises(LexiscopeError, match=message):
        launch.run_in_processes(jobs(job), {"folder": str(tmp_path)}, 2)
    assert time.monotonic() - start < 60
    for path in tmp_path.glob("*.pid"):
        assert not is_alive(int(path.read_text()))


def test_processes_end_with_the_one_that_started_them(tmp_path: Path, jobs: object) -> None:
    script = f"""
from lexiscope.language_models.launch import run_in_processes
def wait(): ...
wait.__module__ = "launched_jobs"
run_in_processes(wait, {{"folder": {str(tmp_path)!r}}}, 2)
"""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([LIBRARY, str(tmp_path)])}
    environment["TMPDIR"] = str(tmp_path)
    parent = subprocess.Popen([sys.executable, "-c", script], env=environment)
    files = [tmp_path / "0.pid", tmp_path / "1.pid"]
    wait_until(lambda: all(file.exists() for file in files))
    pids = [int(file.read_text()) for file in files]
    assert all(map(is_alive, pids))
    parent.kill()
    parent.wait()
    wait_until(lambda: not any(map(is_alive, pids)))
    assert not list(tmp_path.glob("lexiscope-*")), "their common folder is left behind"


def test_torchrun_and_a_killed_training_started_again_give_the_same_bytes(
    tmp_path: Path, corpus_path: Path
) -> None:
    change = {"processes": 2, "dropout": 0.3, "accumulate": 2, "eval_every": 10, "epochs": 1}
    whole = arguments(tmp_path / "whole", corpus_path, **change)
    killed = arguments(tmp_path / "killed", corpus_path, checkpoint_minutes=0, **change)
    (tmp_path / "script.py").write_text(SCRIPT)
    environment = {**os.environ, "PYTHONPATH": LIBRARY, "GLOO_SOCKET_IFNAME": LOOPBACK}
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command = [*torchrun, str(tmp_path / "script.py"), json.dumps(whole)]
    by_torchrun = subprocess.Popen(command, env=environment)
    log = tmp_path / "killed.log"
    told = json.dumps({**killed, "log": str(log)})
    ours = subprocess.Popen([sys.executable, "-c", SCRIPT, told], env=environment)
    checkpoint = tmp_path / "killed" / "checkpoint" / "state-0.safetensors"
    wait_until(lambda: checkpoint.exists() or ours.poll() is not None, 120)
    ours.send_signal(signal.SIGKILL)
    ours.wait()
    pids = [int(pid) for pid in re.findall(r"process \d of 2 started, pid (\d+)", log.read_text())]
    assert len(pids) == 2
    wait_until(lambda: not any(map(is_alive, pids)))
    assert not Path(killed["output"]).exists()
    in_processes(2, tmp_path / "again", lambda _: train.train_language_model(**killed))
    assert by_torchrun.wait(timeout=120) == 0
    assert Path(killed["output"]).read_bytes() == Path(whole["output"]).read_bytes()
    assert not Path(killed["checkpoint"]).exists()


@pytest.mark.gpu
@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="fewer than two CUDA devices")
@pytest.mark.parametrize("softmax", ["full", "sampled"])
def test_two_gpus_train_as_one_does(softmax: str, tmp_path: Path, corpus_path: Path) -> None:
    found = []
    for processes in (1, 2):
        given = arguments(tmp_path / str(processes), corpus_path, softmax=softmax, dropout=0.0)
        given["config"]["processes"] = processes
        train.train_language_model(**{**given, "device": "cuda"})
        found.append(json.loads(Path(given["history"]).read_text())[-1]["valid_perplexity"])
    assert found[1] == pytest.approx(found[0], rel=1e-3)
