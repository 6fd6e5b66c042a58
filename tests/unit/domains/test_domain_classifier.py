from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from toy_bilstm import CLASSIFIER, DOMAINS, Run, assert_resumes, classifier_config, topics, write_labelled

from lexiscope.domains.domain_classifier import Classification, train_domain_classifier
from lexiscope.domains.labelled_text import LabelledText
from lexiscope.embeddings.space import load_space
from lexiscope.errors import LexiscopeError


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("labelled")
    return write_labelled(folder, {"train": topics(240, 1), "valid": topics(40, 2), "test": topics(40, 3)})


@pytest.fixture(scope="module")
def trained(labelled: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    run = Run(train_domain_classifier, tmp_path_factory.mktemp("run"), labelled=labelled, config=CLASSIFIER)
    return run.start()


def test_it_learns_to_tell_domains_at_every_token(trained: Run) -> None:
    *epochs, final = trained.records()
    assert final["test_token_accuracy"] > 0.95
    assert final["test_text_accuracy"] > 0.95
    assert final["test_token_majority"] < 0.6
    assert final["test_text_majority"] < 0.6
    assert [record["epoch"] for record in epochs] == [1, 2, 3]
    assert min(epochs, key=lambda record: record["valid_loss"])["epoch"] == final["best_epoch"]
    assert final["valid_loss"] == min(record["valid_loss"] for record in epochs)
    assert epochs[-1]["train_loss"] < epochs[0]["train_loss"]


def test_the_words_of_a_domain_get_similar_vectors(trained: Run) -> None:
    space = load_space(trained.output)
    assert space.dim == 12
    similarity = space.vectors @ space.vectors.T
    domain = np.array([next((d for d in DOMAINS if word.startswith(f"d{d}w")), 0) for word in space.words])
    own = domain > 0
    alike = (domain[:, None] == domain) & own[:, None] & ~np.eye(len(domain), dtype=bool)
    apart = (domain[:, None] != domain) & own[:, None] & own
    assert similarity[alike].min() > similarity[apart].max()


def test_counts_and_provenance(trained: Run, labelled: Path) -> None:
    space = load_space(trained.output)
    text = " ".join(text for _, text in topics(240, 1)).split(" ")
    assert dict(zip(space.words, space.columns["count"].tolist(), strict=True)) == {
        word: text.count(word) for word in set(text)
    }
    final = trained.records()[-1]
    provenance = space.provenance
    assert provenance["kind"] == "domain_classifier"
    assert provenance["seed"] == 1
    assert provenance["n_domains"] == 3
    assert provenance["test_token_accuracy"] == final["test_token_accuracy"]
    assert provenance["n_tokens_read"] == len(text) == sum(d["train_tokens"] for d in final["domains"])
    assert "second" not in json.dumps(dict(provenance)), "timings would differ from run to run"
    assert [d["domain"] for d in final["domains"]] == list(DOMAINS)


def test_resumed_training_gives_the_same_bytes(
    labelled: Path, trained: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = {"labelled": labelled, "config": {**CLASSIFIER, "level": "sentences", "batch_size": 32}}
    whole = Run(train_domain_classifier, tmp_path / "whole", **arguments)
    assert_resumes(whole, Run(train_domain_classifier, tmp_path / "resumed", **arguments), monkeypatch)
    assert whole.output.read_bytes() != trained.output.read_bytes()


def test_the_text_accuracy_takes_all_pieces_of_a_text_together(tmp_path: Path) -> None:
    """Each text is cut into a long piece of one sort of word and a short one of another."""
    texts = [(d, " ".join(["x"] * 4 + ["y"])) for d in (0, 1)]
    folder = write_labelled(tmp_path, {"train": texts, "valid": texts, "test": texts[:1]})
    text = LabelledText.read(folder, "paragraphs", vocabulary_size=9, max_length=4, max_tokens=None, seed=1)
    task = Classification(classifier_config(), text, torch.device("cpu"))

    def scripted(batch: object) -> torch.Tensor:
        x, _ = text.words.index("x"), None
        is_x = batch.forward.flatten()[batch.positions()[0]] == x  # type: ignore[attr-defined]
        # "x" speaks a little for domain 0, "y" for domain 1; four to one.
        return torch.where(is_x[:, None], torch.tensor([0.6, 0.4]), torch.tensor([0.3, 0.7])).log()

    task.model.log_probabilities = scripted  # type: ignore[method-assign, assignment]
    found = task.evaluate("valid")
    assert found["token_accuracy"] == pytest.approx((4 + 1) / 10)
    assert found["text_accuracy"] == 0.5
    assert task.evaluate("test")["text_accuracy"] == 1
    loss = -np.mean(np.log([0.6] * 4 + [0.3] + [0.4] * 4 + [0.7]))
    assert found["loss"] == pytest.approx(loss, rel=1e-6)


def test_the_majority_is_the_training_parts(tmp_path: Path) -> None:
    parts = {
        "train": [(1, "a"), (1, "a"), (2, "b b b b")],
        "valid": [(1, "a a a"), (2, "b"), (2, "b")],
        "test": [(1, "a")],
    }
    text = LabelledText.read(
        write_labelled(tmp_path, parts),
        "paragraphs",
        vocabulary_size=9,
        max_length=9,
        max_tokens=None,
        seed=1,
    )
    task = Classification(classifier_config(), text, torch.device("cpu"))
    # By texts domain 1 is the most frequent one, by tokens domain 2.
    found = task.majority("valid")
    assert found == {
        "valid_text_majority": pytest.approx(1 / 3),
        "valid_token_majority": pytest.approx(2 / 5),
    }


def test_divergence_is_a_clear_error(labelled: Path, tmp_path: Path) -> None:
    run = Run(
        train_domain_classifier, tmp_path, labelled=labelled, config={**CLASSIFIER, "learning_rate": 1e38}
    )
    with pytest.raises(LexiscopeError, match="diverged"):
        run.start()
    assert not run.output.exists()
