"""The n-gram model against one written out word by word, and against a published perplexity."""

from __future__ import annotations

import gzip
from collections import Counter

import numpy as np
import pytest

from lexiscope.errors import LexiscopeError
from lexiscope.language_modelling.kneser_ney import DEFAULT_DISCOUNTS, KneserNey, _discounts

EOS = 0


def text(seed: int, n_sentences: int, n_words: int) -> np.ndarray:
    """Sentences in which a word depends on the one before it."""
    generator = np.random.default_rng(seed)
    tokens = []
    for length in generator.integers(0, 9, n_sentences):
        word = 1
        for _ in range(length):
            word = 1 + (word * 3 + int(generator.geometric(0.4))) % (n_words - 1)
            tokens.append(word)
        tokens.append(EOS)
    return np.array(tokens)


class Plain:
    """The same model, by dictionaries over tuples of words."""

    def __init__(self, tokens: np.ndarray, n_words: int, order: int) -> None:
        self.n_words, self.order = n_words, order
        raw: list[Counter] = [Counter() for _ in range(order + 1)]
        for sentence in self.sentences(tokens):
            for end in range(1, len(sentence) + 1):
                for n in range(1, min(order, end) + 1):
                    raw[n][tuple(sentence[end - n : end])] += 1
        self.counts: list[Counter] = [Counter() for _ in range(order + 1)]
        for n in range(1, order + 1):
            for gram, count in raw[n].items():
                before = {longer[0] for longer in raw[n + 1] if longer[1:] == gram} if n < order else set()
                self.counts[n][gram] = count if n == order or gram[0] == "<s>" else len(before)
        del self.counts[1][("<s>",)]
        self.discounts = [
            (0.0, *_discounts(np.array(list(counts.values())))) if counts else None
            for counts in self.counts
        ]

    @staticmethod
    def sentences(tokens: np.ndarray) -> list[list]:
        found: list[list] = [["<s>"]]
        for token in tokens.tolist():
            found[-1].append(token)
            if token == EOS:
                found.append(["<s>"])
        return found[:-1]

    def probability(self, word: int, history: tuple) -> float:
        if len(history) >= self.order:
            return self.probability(word, history[len(history) - self.order + 1 :])
        lower = self.probability(word, history[1:]) if history else 1 / self.n_words
        n = len(history) + 1
        after = {gram: count for gram, count in self.counts[n].items() if gram[:-1] == history}
        total = sum(after.values())
        if not total:
            return lower
        taken = {gram: min(self.discounts[n][min(count, 3)], count) for gram, count in after.items()}
        gram = (*history, word)
        share = (after[gram] - taken[gram]) / total if gram in after else 0.0
        return share + sum(taken.values()) / total * lower

    def log_probabilities(self, tokens: np.ndarray) -> list[float]:
        return [
            float(np.log(self.probability(sentence[end], tuple(sentence[:end]))))
            for sentence in self.sentences(tokens)
            for end in range(1, len(sentence))
        ]


@pytest.mark.parametrize("order", [1, 2, 3, 5])
@pytest.mark.parametrize("n_words", [4, 12])
def test_equals_the_plain_model(order, n_words):
    seen, unseen = text(1, 40, n_words), text(2, 15, n_words)
    model = KneserNey.train(seen, n_words=n_words, eos=EOS, order=order)
    plain = Plain(seen, n_words, order)
    for tokens in (seen, unseen):
        np.testing.assert_allclose(
            model.log_probabilities(tokens, eos=EOS), plain.log_probabilities(tokens), rtol=1e-12
        )


def test_probabilities_after_any_history_add_up_to_one():
    n_words = 9
    model = KneserNey.train(text(3, 60, n_words), n_words=n_words, eos=EOS)
    for history in ([], [1], [4, 7, 2], [8, 8, 8, 8, 8], [3, 1, 5, 2, 6, 4]):
        total = 0.0
        for word in range(n_words):
            tokens = [*history, word] if word == EOS else [*history, word, EOS]
            total += np.exp(model.log_probabilities(np.array(tokens), eos=EOS)[len(history)])
        assert total == pytest.approx(1.0, abs=1e-12)


def test_every_token_is_counted_once():
    tokens = text(4, 30, 6)
    model = KneserNey.train(tokens, n_words=6, eos=EOS)
    assert model.log_probabilities(tokens, eos=EOS).shape == tokens.shape


def test_a_text_too_small_to_estimate_discounts():
    assert _discounts(np.array([5, 5])) == DEFAULT_DISCOUNTS
    model = KneserNey.train(np.array([EOS]), n_words=2, eos=EOS)
    (found,) = model.log_probabilities(np.array([EOS]), eos=EOS)
    assert -10 < found < 0


@pytest.mark.parametrize(
    ("tokens", "problem"),
    [([], "empty"), ([1, 2], "does not end"), ([1, 7, 0], "outside"), ([-1, 0], "outside")],
)
def test_what_is_no_text(tokens, problem):
    with pytest.raises(LexiscopeError, match=problem):
        KneserNey.train(np.array(tokens, dtype=np.int64), n_words=4, eos=EOS)


@pytest.mark.mirror
def test_the_perplexity_published_for_the_penn_treebank(mirror_root):
    # 141.2: Mikolov et al. (2011), "Extensions of recurrent neural network language model", KN5.
    def sentences(split):
        with (
            gzip.open(mirror_root / f"ptb/ptb.{split}.txt.gz", "rt")
            if split == "train"
            else (mirror_root / f"ptb/ptb.{split}.txt").open() as lines
        ):
            return [word for line in lines for word in (*line.split(), "</s>")]

    train, test = sentences("train"), sentences("test")
    ids = {word: number for number, word in enumerate(["</s>", *sorted(set(train) - {"</s>"})])}
    assert len(ids) == 10_000
    model = KneserNey.train(np.array([ids[w] for w in train]), n_words=len(ids), eos=EOS)
    found = model.log_probabilities(np.array([ids[w] for w in test]), eos=EOS)
    assert len(found) == 82_430
    assert np.exp(-found.mean()) == pytest.approx(141.2, rel=0.02)
