from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import pearsonr, spearmanr

from lexiscope.embeddings.space import EmbeddingSpace
from lexiscope.errors import LexiscopeError
from lexiscope.evaluation.config import ProtocolConfig
from lexiscope.evaluation.scores import Outcome, Result
from lexiscope.evaluation.sentence_pairs import read_sts
from lexiscope.evaluation.sts import compare_by_cosine, evaluate, read_subsets
from lexiscope.evaluation.tasks import TASKS

STS12 = TASKS["sts"].dataset("sts12")
PROTOCOL = ProtocolConfig(n_bootstrap=100)
WORDS = tuple(f"w{number}" for number in range(30))
CORRELATIONS = {"pearson": pearsonr, "spearman": spearmanr}


def plain_cosines(space: EmbeddingSpace, path: Path, gold: Path) -> tuple[np.ndarray, np.ndarray]:
    """Cosines and scores of the judged pairs of a subset, a pair at a time."""
    vectors = space.vectors.astype(np.float64)

    def mean(sentence: str) -> np.ndarray:
        rows = [space.index[word.lower()] for word in sentence.split() if word.lower() in space.index]
        return vectors[rows].mean(axis=0) if rows else np.zeros(space.dim)

    cosines, scores = [], []
    lines = path.read_text("utf-8").splitlines()
    for line, score in zip(lines, gold.read_text("utf-8").splitlines(), strict=True):
        if score:
            u, v = map(mean, line.split("\t"))
            norm = np.linalg.norm(u) * np.linalg.norm(v)
            # Rounded: sentences of the same words must tie.
            cosines.append(round(float(u @ v / norm), 12) if norm else 0.0)
            scores.append(float(score))
    return np.array(cosines), np.array(scores)


def write_subset(folder: Path, name: str, rows: list[tuple[str, str, str]]) -> dict[str, list[Path]]:
    sentences, gold = folder / f"STS.input.{name}.txt", folder / f"STS.gs.{name}.txt"
    sentences.write_text("".join(f"{first}\t{second}\n" for first, second, _ in rows), "utf-8")
    gold.write_text("".join(f"{score}\n" for *_, score in rows), "utf-8")
    return {f"input.{name}": [sentences], f"gold.{name}": [gold]}


def made_up(n: int, seed: int) -> list[tuple[str, str, str]]:
    generator = np.random.default_rng(seed)

    def sentence() -> str:
        return " ".join(generator.choice(WORDS, size=generator.integers(1, 6)))

    return [(sentence(), sentence(), str(round(generator.uniform(0, 5), 1))) for _ in range(n)]


def by_row(outcome: Outcome) -> dict[tuple[str, str], Result]:
    rows = {(result.split, result.metric): result for result in outcome.results}
    assert len(rows) == len(outcome.results)
    return rows


@pytest.fixture
def year(tmp_path, make_receipt):
    """Two subsets of different sizes; in the second, pairs without a score and one without known words."""
    second = made_up(25, 2)
    second[3] = (second[3][0], second[3][1], "")
    second[7] = ("unknown words", second[7][1], "4.5")
    files = write_subset(tmp_path, "b.two", made_up(60, 1)) | write_subset(tmp_path, "a", second)
    return make_receipt("sts12", files)


def test_every_row_is_what_a_plain_loop_gives(tmp_path, year, random_space):
    space = random_space(WORDS)
    found = by_row(evaluate(space, STS12, year, PROTOCOL))
    assert list(found) == [
        (split, metric)
        for metric in ("pearson", "spearman")
        for split in ("b.two", "a", "mean", "wmean", "all")
    ]
    loops = {
        name: plain_cosines(space, tmp_path / f"STS.input.{name}.txt", tmp_path / f"STS.gs.{name}.txt")
        for name in ("b.two", "a")
    }
    pooled = [np.concatenate(arrays) for arrays in zip(*loops.values(), strict=True)]
    for metric, correlation in CORRELATIONS.items():
        b, a = (correlation(*loops[name])[0] for name in ("b.two", "a"))
        expected = {
            "b.two": b,
            "a": a,
            "mean": (a + b) / 2,
            "wmean": (60 * b + 24 * a) / 84,
            "all": correlation(*pooled)[0],
        }
        for split, value in expected.items():
            row = found[split, metric]
            assert row.value == pytest.approx(value, abs=1e-6)
            assert row.ci_low < row.value < row.ci_high
            n_total = {"b.two": 60, "a": 24}.get(split, 84)
            assert (row.n_used, row.n_total) == (n_total - (split != "b.two"), n_total)
            assert (row.dataset, row.baseline, row.status) == ("sts12", 0, "ok")
            assert row.protocol.startswith("similarity=cosine oov=skip casing=lower bootstrap=100")


def test_the_items_are_the_pairs_with_a_score(year, random_space):
    answers = evaluate(random_space(WORDS), STS12, year, PROTOCOL).answers
    assert [answer.item_id for answer in answers] == list(range(84))
    assert [answer.split for answer in answers] == ["b.two"] * 60 + ["a"] * 24
    assert [answer.item for answer in answers[60:65]] == [
        f"STS.input.a.txt:{line}" for line in (1, 2, 3, 5, 6)
    ]
    (unused,) = (answer for answer in answers if not answer.used)
    assert (unused.item, unused.gold, unused.prediction) == ("STS.input.a.txt:8", 4.5, 0.0)


@pytest.mark.parametrize("oov", ["zero", "mean"])
def test_under_every_policy_a_sentence_without_known_words_counts_as_such(year, random_space, oov):
    outcome = evaluate(random_space(WORDS), STS12, year, PROTOCOL.model_copy(update={"oov": oov}))
    assert [answer.prediction for answer in outcome.answers if not answer.used] == [0.0]
    assert by_row(outcome)["a", "pearson"].n_used == 23


def test_sentences_of_the_same_words_tie(tmp_path, random_space):
    words = list(WORDS)
    sentences = [" ".join(np.random.default_rng(seed).permutation(words)) for seed in range(40)]
    files = write_subset(tmp_path, "x", [(sentences[0], other, "1") for other in sentences])
    pairs = read_sts(files["input.x"][0], files["gold.x"][0])
    assert set(compare_by_cosine(random_space(WORDS), pairs, PROTOCOL).predictions) == {1.0}


def test_resamples_keep_the_subsets(tmp_path, make_receipt, random_space):
    """Two subsets, each perfectly ranked within itself: their mean is 1 in every resample."""
    space = EmbeddingSpace(("a", "b", "c"), np.float32([[1, 0], [1, 1], [0, 1]]))
    first = [("a", "a", "5"), ("a", "b", "4"), ("a", "c", "3")] * 8
    second = [("a", "a", "2"), ("a", "b", "1"), ("a", "c", "0")] * 8
    files = write_subset(tmp_path, "x", first) | write_subset(tmp_path, "y", second)
    rows = by_row(evaluate(space, STS12, make_receipt("sts12", files), PROTOCOL))
    for split in ("x", "mean", "wmean"):
        row = rows[split, "spearman"]
        assert (row.value, row.ci_low, row.ci_high) == pytest.approx((1, 1, 1))
    assert rows["all", "spearman"].ci_low < rows["all", "spearman"].value < 0.8


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        (
            [("w1", "w2", "3"), ("w3", "w4", "3"), ("w5", "w6", "3")],
            "human scores of all 3 pairs are the same",
        ),
        (
            [("w1", "w1", "1"), ("w2", "w2", "2"), ("w3", "w3", "3")],
            "predictions for all 3 pairs are the same",
        ),
        (
            [("x", "w1", "1"), ("w2", "y", "2"), ("w3", "w4", "3")],
            "covers 1 of 3 pairs; a correlation needs 3",
        ),
        ([("w1", "w2", "1"), ("w3", "w4", "2")], "the space covers 2 of 2 pairs"),
    ],
    ids=["equal scores", "equal cosines", "not covered", "too few"],
)
def test_a_subset_that_cannot_be_scored_says_why(tmp_path, make_receipt, random_space, rows, reason):
    files = write_subset(tmp_path, "good", made_up(30, 1)) | write_subset(tmp_path, "bad", rows)
    found = by_row(evaluate(random_space(WORDS), STS12, make_receipt("sts12", files), PROTOCOL))
    for metric in ("pearson", "spearman"):
        for split in ("bad", "mean", "wmean"):
            row = found[split, metric]
            assert (row.status, row.value, row.ci_low, row.ci_high) == ("skipped", None, None, None)
            assert reason in row.error
        assert found["mean", metric].error.startswith("bad: ")
        for split in ("good", "all"):
            assert found[split, metric].status == "ok"


def test_a_space_that_knows_no_word(year, random_space):
    outcome = evaluate(random_space(["elsewhere"]), STS12, year, PROTOCOL)
    assert {row.status for row in outcome.results} == {"skipped"}
    assert {row.n_used for row in outcome.results} == {0}
    assert by_row(outcome)["all", "pearson"].error.startswith("the space covers 0 of 84 pairs")
    assert not any(answer.used for answer in outcome.answers)


def test_the_catalogue_decides_which_subsets_there_are(tmp_path, make_receipt):
    files = write_subset(tmp_path, "FNWN", made_up(4, 1)) | write_subset(tmp_path, "SMT", made_up(5, 2))
    del files["input.SMT"]
    assert list(read_subsets(make_receipt("sts13", files))) == ["FNWN"]
    del files["gold.FNWN"]
    with pytest.raises(LexiscopeError, match=r"dataset 'sts13' has 0 files for 'gold.FNWN'"):
        read_subsets(make_receipt("sts13", files))
    del files["input.FNWN"]
    with pytest.raises(LexiscopeError, match="dataset 'sts13' has no subsets"):
        read_subsets(make_receipt("sts13", files))


OFFICIAL = {
    "sts12": {
        "MSRpar": 750,
        "MSRvid": 750,
        "SMTeuroparl": 459,
        "surprise.OnWN": 750,
        "surprise.SMTnews": 399,
    },
    "sts13": {"FNWN": 189, "OnWN": 561, "headlines": 750},
    "sts14": {
        "deft-forum": 450,
        "deft-news": 300,
        "headlines": 750,
        "images": 750,
        "OnWN": 750,
        "tweet-news": 750,
    },
    "sts15": {
        "answers-forums": 375,
        "answers-students": 750,
        "belief": 375,
        "headlines": 750,
        "images": 750,
    },
    "sts16": {
        "answer-answer": 254,
        "headlines": 249,
        "plagiarism": 230,
        "postediting": 244,
        "question-question": 209,
    },
}


@pytest.mark.mirror
@pytest.mark.parametrize("key", OFFICIAL)
def test_the_real_years_as_a_plain_loop_has_them(mirror_root, make_receipt, random_space, key):
    folder = mirror_root / "senteval" / "downstream" / "STS" / f"STS{key[3:]}-en-test"
    files = {
        f"{role}.{name.removeprefix(f'STS.{kind}.')}": [folder / f"{name}.txt"]
        for role, kind in (("input", "input"), ("gold", "gs"))
        for name in sorted(path.stem for path in folder.glob(f"STS.{kind}.*.txt"))
    }
    words = sorted(
        {
            word
            for role, (path,) in files.items()
            if role.startswith("input")
            for word in path.read_text("utf-8").lower().split()
        }
    )
    space = random_space(words[::2])
    receipt = make_receipt(key, files, mirror_root)
    found = by_row(evaluate(space, TASKS["sts"].dataset(key), receipt, ProtocolConfig(n_bootstrap=0)))
    sizes = {split: row.n_total for (split, metric), row in found.items() if metric == "pearson"}
    assert {split: sizes[split] for split in OFFICIAL[key]} == OFFICIAL[key]
    assert sizes["all"] == sum(OFFICIAL[key].values())
    assert len(sizes) == len(OFFICIAL[key]) + 3
    loops = {
        name: plain_cosines(space, folder / f"STS.input.{name}.txt", folder / f"STS.gs.{name}.txt")
        for name in OFFICIAL[key]
    }
    for metric, correlation in CORRELATIONS.items():
        expected = {name: correlation(*arrays)[0] for name, arrays in loops.items()}
        values = list(expected.values())
        expected["mean"] = np.mean(values)
        expected["wmean"] = np.average(values, weights=list(OFFICIAL[key].values()))
        expected["all"] = correlation(*map(np.concatenate, zip(*loops.values(), strict=True)))[0]
        for split, value in expected.items():
            assert found[split, metric].value == pytest.approx(value, abs=1e-5)
