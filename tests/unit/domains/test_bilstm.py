from __future__ import annotations

import numpy as np
import pytest
import torch
from toy_bilstm import bilm_config, classifier_config, plain_both

from lexiscope.domains.batches import Batch
from lexiscope.domains.bilstm import BiLanguageModel, DomainClassifier, StateReader
from lexiscope.domains.sequences import Sequences, pieces_of, sentences_of

CPU = torch.device("cpu")
LENGTHS = [7, 1, 4, 4, 9]


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def texts() -> Sequences:
    ids = np.random.default_rng(1).integers(2, 20, size=sum(LENGTHS)).astype(np.int32)
    return pieces_of(ids, np.array(LENGTHS), 50, np.arange(5) % 3)


def sentences() -> Sequences:
    generator = np.random.default_rng(2)
    stream = np.concatenate([[*generator.integers(2, 20, size=n), 1] for n in LENGTHS])
    return sentences_of(stream.astype(np.int32), 50)


def whole(sequences: Sequences) -> Batch:
    return Batch.of(sequences, np.arange(len(sequences)), CPU)


def one(sequences: Sequences, row: int) -> np.ndarray:
    start = sequences.starts[row]
    return sequences.ids[start : start + sequences.lengths[row]]


@pytest.mark.parametrize("state", ["cell", "hidden"])
def test_the_states_of_a_batch_are_those_of_each_sequence_alone(state: str) -> None:
    sequences = texts()
    model = DomainClassifier(classifier_config(), 20, 3)
    batch = whole(sequences)
    found = StateReader(model, state).read(batch)  # type: ignore[arg-type]
    column = batch.by_symbol(np.arange(5))
    for number, row in enumerate(batch.rows):
        for states, wanted in zip(found, plain_both(model, one(sequences, row), state), strict=True):
            torch.testing.assert_close(states[column == number], wanted, atol=1e-6, rtol=1e-5)


def test_the_states_that_are_averaged_are_those_that_training_uses() -> None:
    model = DomainClassifier(classifier_config(), 20, 3).eval()
    batch = whole(texts())
    with torch.no_grad():
        trained = model.token_states(batch)
    read = torch.cat(StateReader(model, "hidden").read(batch), dim=1)
    torch.testing.assert_close(trained, read, atol=1e-6, rtol=1e-5)


def test_the_classifiers_loss_is_that_of_a_plain_loop() -> None:
    sequences = texts()
    model = DomainClassifier(classifier_config(), 20, 3).eval().requires_grad_(False)
    batch = whole(sequences)
    labels = sequences.labels[batch.rows]
    losses = []
    for number, row in enumerate(batch.rows):
        states = torch.cat(plain_both(model, one(sequences, row), "hidden"), dim=1)
        scores = states @ model.softmax_weight.T + model.softmax_bias
        losses.append(-scores.log_softmax(1)[:, labels[number]])
    found = model.loss(batch, batch.by_symbol(labels)).detach()
    assert float(found) == pytest.approx(float(torch.cat(losses).mean()), rel=1e-5)
    log_probabilities = model.log_probabilities(batch)
    wanted = batch.by_symbol(labels)[:, None]
    assert float(-log_probabilities.gather(1, wanted).mean()) == pytest.approx(float(found), rel=1e-5)


@torch.no_grad()
def plain_loss(model: BiLanguageModel, states: torch.Tensor, targets: np.ndarray) -> float:
    found = (states @ model.softmax_weight.T + model.softmax_bias).log_softmax(1)
    return -float(found[torch.arange(len(targets)), torch.from_numpy(targets).long()].sum())


def test_the_language_models_losses_are_those_of_a_plain_loop() -> None:
    sequences = sentences()
    model = BiLanguageModel(bilm_config(), 20).eval()
    forward = backward = 0.0
    for row in range(len(sequences)):
        ids = one(sequences, row)
        before, _ = plain_both(model, ids[:-1], "hidden")
        _, after = plain_both(model, ids[1:], "hidden")
        forward += plain_loss(model, before, ids[1:])
        backward += plain_loss(model, after, ids[:-1])
    found_forward, found_backward = model.total_losses(whole(sequences))
    assert found_forward == pytest.approx(forward, rel=1e-5)
    assert found_backward == pytest.approx(backward, rel=1e-5)
    mean = (forward + backward) / (2 * sequences.n_tokens)
    assert float(model.loss(whole(sequences), None).detach()) == pytest.approx(mean, rel=1e-5)


def test_no_prediction_has_seen_its_word() -> None:
    """Another third word changes the predictions behind it (in reading order), and not that of itself."""
    model = BiLanguageModel(bilm_config(), 20).eval()
    stream = np.array([5, 6, 7, 8, 9, 1], dtype=np.int32)
    changed = stream.copy()
    changed[2] = 15  # the third word, in the middle of the sentence
    with torch.no_grad():
        first, other = (model.predictions(whole(sentences_of(text, 50)))[0] for text in (stream, changed))
    same = [torch.equal(a, b) for a, b in zip(first, other, strict=True)]
    # Forward: of words 1 to 5 and the end. Backward: of words 5 to 1 and the beginning.
    assert same[:6] == [True, True, True, False, False, False]
    assert same[6:] == [True, True, True, False, False, False]


def test_a_sentence_is_read_from_a_fresh_state() -> None:
    model = BiLanguageModel(bilm_config(), 20).eval()
    together = sentences_of(np.array([5, 6, 1, 7, 8, 1], dtype=np.int32), 50)
    alone = sentences_of(np.array([7, 8, 1], dtype=np.int32), 50)
    both = [model.total_losses(Batch.of(together, np.array([row]), CPU)) for row in (0, 1)]
    assert both[1] == model.total_losses(whole(alone))
    assert np.allclose(np.sum(both, axis=0), model.total_losses(whole(together)), rtol=1e-6)


def test_dropout_acts_in_training_only() -> None:
    model = DomainClassifier(classifier_config(dropout=0.5), 20, 3)
    batch = whole(texts())
    labels = batch.by_symbol(texts().labels[batch.rows])
    assert not torch.equal(model.loss(batch, labels), model.loss(batch, labels))
    model.eval()
    assert torch.equal(model.loss(batch, labels), model.loss(batch, labels))
