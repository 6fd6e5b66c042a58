from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lexiscope.corpora.vocabulary import EOS_ID
from lexiscope.language_models.streams import NO_TARGET, Streams


@given(n=st.integers(1, 200), n_streams=st.integers(1, 20), unroll=st.integers(1, 30))
@settings(deadline=None, max_examples=150)
def test_every_token_is_a_target_once_after_the_word_before_it(n: int, n_streams: int, unroll: int) -> None:
    tokens = np.arange(n, dtype=np.uint32) + 100
    streams = Streams(tokens, n_streams, unroll)
    seen = []
    for number in range(len(streams)):
        inputs, targets = streams.window(number)
        assert inputs.shape == targets.shape
        assert len(inputs) <= unroll
        for given_word, wanted in zip(inputs.flatten().tolist(), targets.flatten().tolist(), strict=True):
            if wanted == NO_TARGET:
                assert given_word == EOS_ID
                continue
            assert given_word == (EOS_ID if wanted == 100 else wanted - 1)
            seen.append(wanted)
    assert sorted(seen) == tokens.tolist()


def test_streams_are_contiguous_from_window_to_window() -> None:
    streams = Streams(np.arange(100, 140, dtype=np.uint16), 4, 3)
    targets = np.concatenate([streams.window(number)[1].numpy() for number in range(len(streams))])
    assert targets.T.tolist() == np.arange(100, 140).reshape(4, 10).tolist()


def test_more_streams_than_tokens() -> None:
    assert Streams(np.array([5, 6], dtype=np.uint16), 64, 20).n_streams == 2


@pytest.mark.parametrize("n_streams", [1, 3])
def test_no_tokens_have_no_windows(n_streams: int) -> None:
    assert len(Streams(np.empty(0, dtype=np.uint16), n_streams, 5)) == 0
