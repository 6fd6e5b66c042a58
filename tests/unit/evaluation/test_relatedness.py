from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import pearsonr, spearmanr

from lexiscope.errors import LexiscopeError
from lexiscope.evaluation.config import ProtocolConfig
from lexiscope.evaluation.relatedness import evaluate
from lexiscope.evaluation.relatedness_regression import fit_relatedness
from lexiscope.evaluation.tasks import TASKS

SICK = TASKS["relatedness"].dataset("sick_relatedness")
STS_BENCHMARK = TASKS["relatedness"].dataset("stsbenchmark")
PROTOCOL = ProtocolConfig(n_bootstrap=50)
WORDS = tuple(f"w{number}" for number in range(40))
HEADER = "pair_ID\tsentence_A\tsentence_B\trelatedness_score\tentailment_judgment\n"
SIZES = {"train": 90, "valid": 30, "test": 50}

Pair = tuple[str, str, float]


def made_up(n: int, seed: int) -> list[Pair]:
    """Pairs that are scored by how many words they share."""
    generator = np.random.default_rng(seed)
    pairs = []
    for _ in range(n):
        length = generator.integers(2, 7)
        first = generator.choice(WORDS, size=length, replace=False)
        shared = generator.random(length) < generator.random()
        second = np.where(shared, first, generator.choice(WORDS, size=length))
        pairs.append((" ".join(first), " ".join(second), round(1 + 4 * shared.mean(), 1)))
    return pairs


@pytest.fixture
def parts() -> dict[str, list[Pair]]:
    return {role: made_up(size, seed) for seed, (role, size) in enumerate(SIZES.items())}


@pytest.fixture
def sick(tmp_path, make_receipt):
    """Write parts as SICK's files and give their receipt."""

    def write(parts: dict[str, list[Pair]]):
        for role, pairs in parts.items():
            lines = [f"{i}\t{a}\t{b}\t{score}\tNEUTRAL\n" for i, (a, b, score) in enumerate(pairs)]
            (tmp_path / f"SICK_{role}.txt").write_text(HEADER + "".join(lines))
        return make_receipt("sick", {role: [tmp_path / f"SICK_{role}.txt"] for role in parts})

    return write


def mean_vectors(space, sentences) -> np.ndarray:
    means = [np.mean([space[word] for word in text.split()], axis=0, dtype=float) for text in sentences]
    return np.stack(means).astype(np.float32)


def test_the_regression_and_the_cosine_are_what_plain_code_gives(parts, sick, random_space):
    space = random_space(WORDS)
    outcome = evaluate(space, SICK, sick(parts), PROTOCOL)
    features, gold, cosines = {}, {}, {}
    for role, pairs in parts.items():
        if role == "train":  # SentEval's order
            pairs = sorted(pairs, key=lambda pair: (len(pair[0].split()), len(pair[1].split()), pair[2]))
        u, v = (mean_vectors(space, [pair[side] for pair in pairs]) for side in (0, 1))
        features[role] = np.hstack([np.abs(u - v), u * v])
        gold[role] = np.array([pair[2] for pair in pairs])
        # Rounded: sentences of the same words must tie.
        norms = np.linalg.norm(u, axis=1) * np.linalg.norm(v, axis=1)
        cosines[role] = ((u * v).sum(axis=1) / norms).round(5)
    fitted = fit_relatedness(
        *(features["train"], gold["train"], features["valid"], gold["valid"], features["test"]), seed=1111
    )
    expected = [
        ("sick_relatedness", "test", "pearson", pearsonr(fitted.test, gold["test"])[0]),
        ("sick_relatedness", "test", "spearman", spearmanr(fitted.test, gold["test"])[0]),
        ("sick_relatedness", "valid", "pearson", pearsonr(fitted.valid, gold["valid"])[0]),
        ("sick_relatedness_cosine", "test", "pearson", pearsonr(cosines["test"], gold["test"])[0]),
        ("sick_relatedness_cosine", "test", "spearman", spearmanr(cosines["test"], gold["test"])[0]),
    ]
    assert len(outcome.results) == len(expected)
    for row, (dataset, split, metric, value) in zip(outcome.results, expected, strict=True):
        assert (row.dataset, row.split, row.metric, row.status) == (dataset, split, metric, "ok")
        assert row.value == pytest.approx(value, abs=2e-4)
        assert (row.n_used, row.n_total) == (SIZES[split], SIZES[split])
        method = "similarity=cosine" if "cosine" in dataset else "regression=senteval"
        assert row.protocol.startswith(f"{method} oov=skip casing=lower")
        if split == "valid":
            assert (row.ci_low, row.ci_high) == (None, None)
        else:
            assert row.ci_low < row.value < row.ci_high
    assert outcome.results[0].value > 0.3


def test_the_items_are_the_test_pairs_of_both_protocols(parts, sick, random_space):
    parts["test"][4] = ("nothing known", "w1", 2.5)
    outcome = evaluate(random_space(WORDS), SICK, sick(parts), PROTOCOL)
    for dataset in ("sick_relatedness", "sick_relatedness_cosine"):
        answers = [answer for answer in outcome.answers if answer.dataset == dataset]
        assert [answer.item for answer in answers] == [f"SICK_test.txt:{line}" for line in range(2, 52)]
        assert [answer.gold for answer in answers] == [score for *_, score in parts["test"]]
        assert {answer.split for answer in answers} == {"test"}
        assert [answer.item_id for answer in answers if not answer.used] == [4]
        assert answers[4].prediction is not None
    assert len(outcome.answers) == 100
    assert {row.n_used for row in outcome.results if row.split == "test"} == {49}


def test_the_sts_benchmark_has_scores_from_0(tmp_path, make_receipt, parts, random_space):
    for role, pairs in parts.items():
        lines = [f"g\tf\ty\t{i}\t{(s - 1) * 1.25:.3f}\t{a}\t{b}\n" for i, (a, b, s) in enumerate(pairs)]
        (tmp_path / f"sts-{role}.csv").write_text("".join(lines))
    receipt = make_receipt("stsbenchmark", {role: [tmp_path / f"sts-{role}.csv"] for role in parts})
    outcome = evaluate(random_space(WORDS), STS_BENCHMARK, receipt, PROTOCOL)
    assert {row.dataset for row in outcome.results} == {"stsbenchmark", "stsbenchmark_cosine"}
    assert {row.status for row in outcome.results} == {"ok"}
    assert outcome.answers[0].item == "sts-test.csv:1"


def test_the_same_seed_gives_the_same_bytes(parts, sick, random_space):
    space, receipt = random_space(WORDS), sick(parts)

    def run(seed: int):
        return evaluate(space, SICK, receipt, PROTOCOL.model_copy(update={"seed": seed}))

    assert run(1) == run(1)
    assert run(1).answers != run(2).answers


def test_test_pairs_that_stand_in_the_training_part_are_told(parts, sick, random_space):
    first, second, score = parts["train"][0]
    parts["test"][:2] = [parts["train"][1], (second, first, score)]
    rows = evaluate(random_space(WORDS), SICK, sick(parts), PROTOCOL).results
    notes = [(row.dataset, row.split, row.note) for row in rows]
    told = "2 of 50 test pairs also stand in the training part"
    assert notes == [
        ("sick_relatedness", "test", told),
        ("sick_relatedness", "test", told),
        ("sick_relatedness", "valid", ""),
        ("sick_relatedness_cosine", "test", ""),
        ("sick_relatedness_cosine", "test", ""),
    ]


def hide(pairs: list[Pair]) -> list[Pair]:
    return [("nothing", "known", score) for *_, score in pairs]


def level(pairs: list[Pair]) -> list[Pair]:
    return [(first, second, 3.0) for first, second, _ in pairs]


@pytest.mark.parametrize(
    ("role", "spoil", "reason", "cosine_too"),
    [
        ("train", hide, "training part: the space covers 0 of 90 pairs; a correlation needs 3", False),
        ("valid", hide, "validation part: the space covers 0 of 30 pairs", False),
        ("test", hide, "test part: the space covers 0 of 50 pairs", True),
        ("train", level, "training part: the human scores of all 90 pairs are the same", False),
        ("valid", level, "validation part: the human scores of all 30 pairs are the same", False),
        ("test", level, "test part: the human scores of all 50 pairs are the same", True),
    ],
)
def test_what_cannot_be_scored_says_why(parts, sick, random_space, role, spoil, reason, cosine_too):
    parts[role] = spoil(parts[role])
    outcome = evaluate(random_space(WORDS), SICK, sick(parts), PROTOCOL)
    regression, cosine = outcome.results[:3], outcome.results[3:]
    for row in regression:
        assert (row.status, row.value) == ("skipped", None)
        assert reason in row.error
    assert {row.status for row in cosine} == {"skipped" if cosine_too else "ok"}
    assert {answer.dataset for answer in outcome.answers} == {"sick_relatedness_cosine"}


def test_equal_predictions_are_no_score(parts, sick, random_space):
    """Every test pair is the same, so that nothing can be ranked."""
    parts["test"] = [("w1 w2", "w2 w3", score) for *_, score in parts["test"]]
    rows = evaluate(random_space(WORDS), SICK, sick(parts), PROTOCOL).results
    assert [row.status for row in rows] == ["skipped", "skipped", "ok", "skipped", "skipped"]
    assert rows[0].error == "the predictions for all 50 pairs are the same"


def test_a_faulty_file_is_an_error(parts, sick, random_space, tmp_path):
    receipt = sick(parts)
    (tmp_path / "SICK_valid.txt").write_text(HEADER + "1\tw1\tw2\tx\tNEUTRAL\n")
    with pytest.raises(LexiscopeError, match=r"SICK_valid.txt:2: the score 'x' is not a number"):
        evaluate(random_space(WORDS), SICK, receipt, PROTOCOL)
