from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lexiscope.domains.batches import Batch
from lexiscope.domains.sequences import Sequences, epoch_batches, pieces_of, reading_batches, sentences_of

CPU = torch.device("cpu")
NO_LABELS = np.empty(0, dtype=np.int64)


def some_sequences(n: int = 300, seed: int = 0) -> Sequences:
    generator = np.random.default_rng(seed)
    lengths = generator.integers(1, 40, size=n)
    ids = generator.integers(2, 99, size=lengths.sum()).astype(np.int32)
    return pieces_of(ids, lengths, 25, generator.integers(3, size=n))


def sequence(sequences: Sequences, row: int) -> list[int]:
    start = sequences.starts[row]
    found: list[int] = sequences.ids[start : start + sequences.lengths[row]].tolist()
    return found


@given(st.lists(st.integers(1, 12), min_size=1, max_size=9), st.integers(1, 7))
@settings(max_examples=60, deadline=None)
def test_pieces_are_the_texts_cut(lengths: list[int], max_length: int) -> None:
    sizes = np.array(lengths)
    ids = np.arange(sizes.sum(), dtype=np.int32)
    pieces = pieces_of(ids, sizes, max_length, NO_LABELS)
    assert [i for row in range(len(pieces)) for i in sequence(pieces, row)] == ids.tolist()
    assert pieces.lengths.max() <= max_length
    assert pieces.n_texts == len(lengths)
    assert pieces.n_tokens == len(ids)
    assert np.bincount(pieces.texts, weights=pieces.lengths).tolist() == lengths


@given(st.lists(st.integers(0, 12), min_size=1, max_size=9), st.integers(2, 7))
@settings(max_examples=60, deadline=None)
def test_every_token_of_a_text_is_predicted_once_in_each_direction(
    lengths: list[int], max_length: int
) -> None:
    stream = np.concatenate([[*range(2, n + 2), 1] for n in lengths]).astype(np.int32)
    sentences = sentences_of(stream, max_length)
    rows = [sequence(sentences, row) for row in range(len(sentences))]
    assert [i for row in rows for i in row[1:]] == stream.tolist()
    # Backwards the targets are the ids before those: the first of all is the end of no sentence.
    assert [i for row in rows for i in row[:-1]] == [1, *stream[:-1].tolist()]
    assert sentences.n_tokens == len(stream)
    assert sentences.lengths.max() <= max_length + 1
    assert sentences.n_texts == len(lengths)


def test_a_sentence_stands_between_two_ends() -> None:
    sentences = sentences_of(np.array([5, 6, 1, 7, 1], dtype=np.int32), 10)
    assert [sequence(sentences, row) for row in range(2)] == [[1, 5, 6, 1], [1, 7, 1]]


def test_a_batch_has_both_reading_orders_and_matching_positions() -> None:
    sequences = pieces_of(np.arange(10, 16, dtype=np.int32), np.array([2, 3, 1]), 9, np.array([4, 5, 6]))
    batch = Batch.of(sequences, np.array([0, 1, 2]), CPU)
    assert batch.rows.tolist() == [1, 0, 2]
    assert batch.active() == [3, 2, 1]
    forward, backward = batch.positions()
    assert batch.forward.flatten()[forward].tolist() == [12, 10, 15, 13, 11, 14]
    assert batch.backward.flatten()[backward].tolist() == [12, 10, 15, 13, 11, 14]
    assert [batch.backward[: int(n), i].tolist() for i, n in enumerate(batch.lengths)] == [
        [14, 13, 12],
        [11, 10],
        [15],
    ]
    assert batch.by_symbol(sequences.labels[batch.rows]).tolist() == [5, 4, 6, 5, 4, 5]
    assert batch.forward.flatten()[batch.positions(last=1)[0]].tolist() == [12, 10, 13]


def test_an_epoch_has_every_sequence_once_and_another_epoch_another_order() -> None:
    sequences = some_sequences()
    first = epoch_batches(sequences, 16, seed=1, epoch=0)
    assert sorted(np.concatenate(first).tolist()) == list(range(len(sequences)))
    again = epoch_batches(sequences, 16, seed=1, epoch=0)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    for other in (epoch_batches(sequences, 16, seed=1, epoch=1), epoch_batches(sequences, 16, 2, 0)):
        assert [rows.tolist() for rows in other] != [rows.tolist() for rows in first]


def test_batches_have_like_lengths() -> None:
    sequences = some_sequences(2000)

    def padded(batches: list[np.ndarray]) -> float:
        return sum(int(sequences.lengths[rows].max()) * len(rows) for rows in batches)

    assert padded(epoch_batches(sequences, 16, seed=1, epoch=0)) < 1.1 * sequences.n_tokens
    assert padded(list(reading_batches(sequences, 400))) < 1.1 * sequences.n_tokens


def test_reading_batches_have_every_sequence_once_and_keep_to_their_size() -> None:
    sequences = some_sequences()
    batches = list(reading_batches(sequences, 60))
    assert sorted(np.concatenate(batches).tolist()) == list(range(len(sequences)))
    assert max(int(sequences.lengths[rows].max()) * len(rows) for rows in batches) <= 60
    assert all(len(rows) == 1 for rows in reading_batches(sequences, 1))


def test_the_digest_tells_texts_and_labels_apart() -> None:
    ids, lengths = np.arange(6, dtype=np.int32), np.array([2, 4])
    one = pieces_of(ids, lengths, 9, np.array([0, 1]))
    assert one.sha256 == pieces_of(ids.copy(), lengths, 9, np.array([0, 1])).sha256
    others = [
        pieces_of(ids, lengths, 9, np.array([1, 0])),
        pieces_of(ids, np.array([3, 3]), 9, np.array([0, 1])),
        pieces_of(ids, lengths, 3, np.array([0, 1])),
        pieces_of(ids + 1, lengths, 9, np.array([0, 1])),
    ]
    assert len({one.sha256, *(other.sha256 for other in others)}) == 5
