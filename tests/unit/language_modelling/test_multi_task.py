"""Labelled text for language models, and models that predict words and domains together."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_experiment import PROTOCOL, SIZES, Killed, kill_after, write_labelled

from lexiscope.corpora.encoded import SPLITS
from lexiscope.corpora.vocabulary import EOS_ID
from lexiscope.errors import LexiscopeError
from lexiscope.files import read_json
from lexiscope.language_modelling.config import ReverseTransferConfig
from lexiscope.language_modelling.domain_text import DomainText
from lexiscope.language_modelling.multi_task import DomainHead, MultiTaskTrainer, train_multi_task
from lexiscope.language_modelling.settings import ModelSpec, Settings
from lexiscope.language_modelling.train import train_group
from lexiscope.language_models.streams import NO_TARGET

CONFIG = {
    **SIZES,
    "compression": 3,
    "learning_rate": 0.02,
    "multi_task": {"domains": "topics", "weights": [0.5, 0.0]},
}


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_labelled(tmp_path_factory.mktemp("multi-task") / "labelled")


@pytest.fixture(scope="module")
def data(labelled) -> DomainText:
    return DomainText.read(labelled, vocabulary_size=None, max_tokens=None, seed=1)


def train(labelled: Path, folder: Path, **changes):
    train_multi_task(
        labelled=labelled,
        config={**CONFIG, **changes},
        protocol=PROTOCOL,
        output=folder / "multi_task.json",
        checkpoint=folder / "unfinished",
        threads=1,
        device="cpu",
    )
    return read_json(folder / "multi_task.json")


@pytest.fixture(scope="module")
def trained(labelled, tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    return folder, train(labelled, folder)


# -- text ------------------------------------------------------------------------------------------


def sentences_of(data: DomainText, split) -> list[tuple[int, list[str]]]:
    found, current = [], []
    for number, label in zip(data.text.splits[split], data.labels[split], strict=True):
        if number == EOS_ID:
            found.append((data.domains[label], current))
            current = []
        else:
            current.append(data.text.words[number])
    assert not current
    return found


def lines_of(folder: Path, split: str, level: str) -> list[tuple[int, list[str]]]:
    lines = (folder / split / f"{level}.txt").read_text().splitlines()
    return [(int(line.split("\t")[0]), line.split("\t")[1].split(" ")) for line in lines]


@pytest.mark.parametrize("split", SPLITS)
def test_each_token_bears_the_domain_of_its_sentence(labelled, data, split):
    assert sorted(sentences_of(data, split)) == sorted(lines_of(labelled, split, "sentences"))


@pytest.mark.parametrize("split", SPLITS)
def test_paragraphs_stay_together_in_another_order(labelled, data, split):
    found = sentences_of(data, split)
    pairs = [(a[0], a[1] + b[1]) for a, b in zip(found[::2], found[1::2], strict=True)]
    expected = lines_of(labelled, split, "paragraphs")
    assert sorted(pairs) == sorted(expected)
    assert pairs != expected
    changes = np.count_nonzero(np.diff([domain for domain, _ in pairs]))
    assert changes > 1  # in the files one domain comes after the other


def test_the_same_seed_gives_the_same_order(labelled, data):
    again = DomainText.read(labelled, vocabulary_size=None, max_tokens=None, seed=1)
    other = DomainText.read(labelled, vocabulary_size=None, max_tokens=None, seed=2)
    assert again.sha256 == data.sha256 != other.sha256


def test_max_tokens_keeps_whole_paragraphs_of_all_parts(labelled, data):
    less = DomainText.read(labelled, vocabulary_size=None, max_tokens=100, seed=1)
    for split in SPLITS:
        whole, kept = sentences_of(data, split), sentences_of(less, split)
        assert kept == whole[: len(kept)]
        assert len(kept) % 2 == 0
        following = sum(len(words) + 1 for _, words in whole[: len(kept) + 2])
        limit = data.text.n_tokens(split) * 100 / data.text.n_tokens("train")
        assert less.text.n_tokens(split) <= limit < following
    with pytest.raises(LexiscopeError, match="no paragraph remains in the part 'train'"):
        DomainText.read(labelled, vocabulary_size=None, max_tokens=2, seed=1)


def test_topical_words_are_those_of_the_domain(data):
    own = {domain: data.topical_words_of(number) for number, domain in enumerate(data.domains)}
    for domain, letter in ((3, "d"), (7, "h")):
        special = {f"own{letter}{chr(97 + i)}" for i in range(6)}
        assert special <= set(own[domain])
        assert not any(word.startswith("own") for word in set(own[domain]) - special)
    expected = [
        word in own[data.domains[label]]
        for word, label in zip(
            (data.text.words[number] for number in data.text.splits["test"]),
            data.labels["test"],
            strict=True,
        )
    ]
    assert data.topical_places.tolist() == expected
    assert 0 < sum(expected) < len(expected)


def test_paragraphs_of_another_text_are_refused(labelled, tmp_path):
    for path in labelled.rglob("*.*"):
        target = tmp_path / path.relative_to(labelled)
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(path.read_bytes())
    path = tmp_path / "valid" / "paragraphs.txt"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[1:]))
    with pytest.raises(LexiscopeError, match="not those of the sentences"):
        DomainText.read(tmp_path, vocabulary_size=None, max_tokens=None, seed=1)


# -- the second loss -------------------------------------------------------------------------------


def test_the_head_s_gradients_are_those_of_cross_entropy():
    generator = torch.Generator().manual_seed(3)
    specs = [ModelSpec(f"m{seed}", "trainable", "trainable", seed=seed) for seed in (1, 2)]
    weights = [0.0, 0.3]
    head = DomainHead(specs, Settings(5, 1, 0, 3, 4, 1, 1, "adam", init_range=0.5), 4, weights)
    outputs = torch.randn(2, 4, 3, 5, generator=generator, requires_grad=True)
    labels = torch.randint(0, 4, (4, 3), generator=generator)
    labels[3, 1:] = NO_TARGET
    head.loss(outputs, labels, torch.float32, 3.0).sum().backward()
    for k, weight in enumerate(weights):
        x = outputs[k].detach().clone().requires_grad_()
        w, b = (p[k].detach().clone().requires_grad_() for p in (head.weight, head.bias))
        logits = (x @ w.T + b).flatten(0, 1)
        loss = torch.nn.functional.cross_entropy(
            logits, labels.flatten(), ignore_index=NO_TARGET, reduction="sum"
        )
        (loss / 3).backward()
        assert torch.allclose(outputs.grad[k], weight * x.grad, atol=1e-6)
        assert torch.allclose(head.weight.grad[k], w.grad, atol=1e-6)
        assert torch.allclose(head.bias.grad[k], b.grad, atol=1e-6)


def test_weight_0_is_the_plain_language_model(data, trained, tmp_path):
    _, found = trained
    settings = Settings.of(ReverseTransferConfig.model_validate(CONFIG))
    specs = [
        ModelSpec(f"plain {seed}", "trainable", "trainable", compression=3, seed=seed) for seed in (1, 2)
    ]
    plain = train_group(data.text, specs, settings, device="cpu", checkpoint=tmp_path / "c")
    runs = [run for run in found["runs"] if run["weight"] == 0]
    for run, model in zip(runs, plain, strict=True):
        expected = math.exp(model.best_test_nats.sum() / data.text.n_tokens("test"))
        assert run["perplexity"]["value"] == pytest.approx(expected, rel=1e-6)
        for name in ("train_perplexity", "valid_perplexity"):
            mine = [epoch[name] for epoch in run["epochs"]]
            assert mine == pytest.approx([epoch[name] for epoch in model.history], rel=1e-6)


def test_the_second_loss_teaches_domains(labelled, tmp_path):
    found = train(labelled, tmp_path, epochs=8, seeds=[1])
    with_domains, plain = found["weights"]
    assert (with_domains["weight"], plain["weight"]) == (0.5, 0)
    assert with_domains["domain_accuracy"] > found["majority"] + 0.15


# -- figures ---------------------------------------------------------------------------------------


def test_every_weight_and_seed_is_told(data, trained):
    _, found = trained
    assert [(run["weight"], run["seed"]) for run in found["runs"]] == [(0.5, 1), (0.5, 2), (0, 1), (0, 2)]
    assert found["domains"] == [3, 7]
    assert found["topical"]["places"] == data.topical_places.sum()
    assert found["majority"] == pytest.approx(
        np.mean(data.labels["test"] == np.bincount(data.labels["train"]).argmax())
    )
    for run in found["runs"]:
        for name in ("perplexity", "domain_accuracy", "mean_log_rank"):
            figure = run[name]
            assert figure["ci_low"] <= figure["value"] <= figure["ci_high"]
        assert 0 <= run["mean_log_rank"]["value"] <= math.log(found["vocabulary_size"])
        assert len(run["epochs"]) == 2


def test_weights_are_held_against_the_lowest(trained):
    _, found = trained
    runs, (row, plain) = found["runs"], found["weights"]
    assert plain["against"] is None
    assert row["against"]["weight"] == 0
    values = [run["perplexity"]["value"] for run in runs]
    ranks = [math.exp(run["mean_log_rank"]["value"]) for run in runs]
    for name, found_values in (("perplexity", values), ("geometric_mean_rank", ranks)):
        assert row[name] == pytest.approx(sum(found_values[:2]) / 2)
        difference = row["against"][name]
        assert difference["difference"] == pytest.approx(
            (sum(found_values[:2]) - sum(found_values[2:])) / 2
        )
        assert difference["ci_low"] <= difference["difference"] <= difference["ci_high"]
        assert 0 < difference["p_value"] <= difference["p_holm"] <= 1


def test_one_model_at_a_time_gives_the_same_figures(labelled, trained, tmp_path):
    _, together = trained
    alone = train(labelled, tmp_path, together=1)
    for one, other in zip(alone["runs"], together["runs"], strict=True):
        assert one["perplexity"]["value"] == pytest.approx(other["perplexity"]["value"], rel=1e-5)
        assert one["domain_accuracy"]["value"] == other["domain_accuracy"]["value"]


# -- resume and errors -----------------------------------------------------------------------------


def without_times(content):
    for run in content["runs"]:
        for epoch in run["epochs"]:
            del epoch["seconds"], epoch["tokens_per_second"]
    return content


def test_a_killed_job_ends_with_the_same_figures(labelled, trained, data, tmp_path, monkeypatch):
    of_an_epoch = -(-data.text.n_tokens("train") // (4 * 7))
    with monkeypatch.context() as patch:
        kill_after(patch, MultiTaskTrainer, of_an_epoch + 2)
        with pytest.raises(Killed):
            train(labelled, tmp_path)
    with monkeypatch.context() as patch:
        kill_after(patch, MultiTaskTrainer, of_an_epoch)
        resumed = train(labelled, tmp_path)
    assert without_times(resumed) == without_times(read_json(trained[0] / "multi_task.json"))
    assert [path.name for path in tmp_path.iterdir()] == ["multi_task.json"]


def test_a_section_is_needed(labelled, tmp_path):
    with pytest.raises(LexiscopeError, match="no section 'multi_task'"):
        train(labelled, tmp_path, multi_task=None)
