from __future__ import annotations

import gzip
import time

import numpy as np
import pytest
from scipy.stats import spearmanr

from lexiscope.embeddings.space import EmbeddingSpace
from lexiscope.errors import LexiscopeError
from lexiscope.evaluation.config import ProtocolConfig
from lexiscope.evaluation.tasks import TASKS
from lexiscope.evaluation.word_similarity import WordPair, cosines, evaluate, read_pairs

MEN = TASKS["word_similarity"].dataset("men")

COUNTS = {
    "EN-WS-353-SIM.txt": 203,
    "EN-SIMLEX-999.txt": 999,
    "EN-WS-353-REL.txt": 252,
    "EN-MEN-TR-3k.txt": 3000,
    "EN-MTurk-287.txt": 287,
    "EN-WS-353-ALL.txt": 353,
    "EN-RW-STANFORD.txt": 2034,
}


def read(tmp_path, content: bytes):
    path = tmp_path / "pairs.txt"
    path.write_bytes(content)
    return read_pairs(path)


@pytest.mark.parametrize(
    "content",
    [
        b"cat\tdog\t7.5\nsun\tsea\t2\n",
        b"cat dog 7.5\nsun   sea 2",
        b"cat\tdog\t7.5\r\nsun\tsea\t2\r\n",
        b"\xef\xbb\xbfcat\tdog\t7.5\n\nsun\tsea\t2\n\n\n",
        b" cat\tdog \t7.5\nsun\tsea\t+2e0",
    ],
)
def test_the_same_pairs_in_every_form(tmp_path, content):
    assert read(tmp_path, content) == [WordPair("cat", "dog", 7.5), WordPair("sun", "sea", 2.0)]


def test_words_beyond_ascii_and_phrases_between_tabs(tmp_path):
    content = "crème brûlée\tNew York\t1\nx\u2028y\tb\t2\n".encode()
    assert read(tmp_path, content) == [
        WordPair("crème brûlée", "New York", 1.0),
        WordPair("x\u2028y", "b", 2.0),
    ]


def test_a_packed_file_is_found_under_its_plain_name(tmp_path):
    (tmp_path / "pairs.txt.gz").write_bytes(gzip.compress(b"cat dog 7.5\n"))
    assert read_pairs(tmp_path / "pairs.txt") == [WordPair("cat", "dog", 7.5)]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", r"pairs.txt: the file has no word pairs"),
        (b"\n \r\n", r"pairs.txt: the file has no word pairs"),
        (b"cat dog 1\ncat dog\n", r"pairs.txt:2: expected 'word1 word2 score', found 'cat dog'"),
        (b"cat dog 1 M\n", r"pairs.txt:1: expected"),
        (b"cat\t\t1\n", r"pairs.txt:1: expected"),
        (b"word1 word2 score\ncat dog 1\n", r"pairs.txt:1: the score 'score' is not a number"),
        (b"cat dog 1\n\ncat dog nan\n", r"pairs.txt:3: the score 'nan' is not a number"),
        (b"cat dog 1\ncr\xe8me dog 1\n", r"pairs.txt:2: byte 0xe8 is not UTF-8. Convert"),
    ],
)
def test_bad_files_are_told_with_file_and_line(tmp_path, content, problem):
    with pytest.raises(LexiscopeError, match=problem):
        read(tmp_path, content)


def test_a_broken_archive_and_a_missing_file(tmp_path):
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress(b"cat dog 1\n" * 1000)[:-12])
    with pytest.raises(LexiscopeError, match="cannot be read"):
        read_pairs(tmp_path / "a.txt")
    with pytest.raises(LexiscopeError, match="no such file"):
        read_pairs(tmp_path / "b.txt")


def test_cosines_by_hand():
    first = np.array([[3.0, 4.0], [1.0, 0.0], [0.0, 0.0], [1e-30, 0.0]])
    second = np.array([[4.0, 3.0], [-2.0, 0.0], [1.0, 1.0], [1e-30, 0.0]])
    assert cosines(first, second).tolist() == pytest.approx([0.96, -1.0, 0.0, 1.0])


def test_equal_cosines_are_equal_whatever_the_vectors():
    directions = np.random.default_rng(0).integers(-3, 4, (200, 5)).astype(float)
    lengths = np.random.default_rng(1).uniform(0.1, 9, (200, 1))
    assert set(cosines(directions, directions * lengths)) <= {0.0, 1.0}


# -- scoring ---------------------------------------------------------------------------------------


@pytest.fixture
def score(tmp_path, make_receipt):
    """Score a space on pairs written out as text."""

    def score(space, text, **protocol):
        path = tmp_path / "pairs.txt"
        path.write_text(text, encoding="utf-8")
        receipt = make_receipt("men", {"pairs": [path]})
        return evaluate(space, MEN, receipt, ProtocolConfig(**protocol))

    return score


def corpus_of_pairs(n_pairs, seed=0):
    generator = np.random.default_rng(seed)
    lines = [f"w{a} w{b} {generator.integers(0, 11)}\n" for a, b in generator.integers(0, 80, (n_pairs, 2))]
    return "".join(lines)


def test_score_and_items_agree_with_scipy(score, random_space):
    space = random_space([f"w{i}" for i in range(60)])
    outcome = score(space, corpus_of_pairs(300))
    (result,) = outcome.results
    used = [answer for answer in outcome.answers if answer.used]
    expected = spearmanr([a.prediction for a in used], [a.gold for a in used]).statistic
    assert result.value == pytest.approx(expected, abs=1e-12)
    assert result.ci_low < result.value < result.ci_high
    assert (result.status, result.n_used, result.n_total) == ("ok", len(used), 300)
    assert 0 < len(used) < 300
    assert [a.item_id for a in outcome.answers] == list(range(300))
    assert all((a.prediction is None) == (not a.used) for a in outcome.answers)


def test_a_missing_word_drops_its_pair_or_gets_the_vector_of_the_policy(score):
    space = EmbeddingSpace(("a", "b", "c"), np.array([[1, 0], [1, 1], [0, 1]], dtype=np.float32))
    text = "a b 3\na c 1\nb c 2\na qqq 5\nqqq qqq 9\n"
    predictions = {
        oov: [answer.prediction for answer in score(space, text, oov=oov).answers]
        for oov in ("skip", "zero", "mean")
    }
    half = np.sqrt(0.5)
    assert predictions["skip"] == [pytest.approx(half), 0.0, pytest.approx(half), None, None]
    assert predictions["zero"][3:] == [0.0, 0.0]
    assert predictions["mean"][3:] == pytest.approx([half, 1.0])  # the mean is (2/3, 2/3)
    assert [score(space, text, oov=oov).results[0].n_used for oov in ("skip", "zero", "mean")] == [3, 5, 5]


def test_queries_are_lower_cased_by_default(score, random_space):
    space = random_space(["japan", "Japan", "usa", "sea"])
    text = "Japan USA 1\nJapan sea 2\nUSA sea 3\n"
    assert score(space, text).results[0].n_used == 3
    assert score(space, text, casing="as_is").results[0].n_used == 1
    as_is = score(space, "Japan sea 2\n", casing="as_is").answers[0].prediction
    assert as_is != score(space, "Japan sea 2\n").answers[0].prediction


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a b 1\na c 2\na qqq 3\n", "2 of 3 pairs can be used; a rank correlation needs 3"),
        ("a b 1\na c 1\nb c 1\n", "the human scores of the 3 pairs used are all the same"),
        ("a a 1\nb b 2\nz z 3\nz z 4\n", ""),
        ("a b 1\na b 2\nb a 3\n", "the cosines of the 3 pairs used are all the same"),
    ],
)
def test_what_cannot_be_ranked_is_skipped_with_its_reason(score, text, reason):
    vectors = np.array([[1, 0], [1, 1], [0, 1], [0, 0]], dtype=np.float32)
    (result,) = score(EmbeddingSpace(("a", "b", "c", "z"), vectors), text).results
    assert result.error == reason
    assert (result.status == "skipped") == bool(reason)
    assert (result.value is None) == bool(reason)
    assert result.n_total == len(text.splitlines())


def test_a_space_without_words_is_skipped_under_every_policy(score):
    empty = EmbeddingSpace((), np.zeros((0, 5), dtype=np.float32))
    for oov in ("skip", "zero", "mean"):
        (result,) = score(empty, "a b 1\nc d 2\ne f 3\n", oov=oov).results
        assert result.status == "skipped"


def test_random_vectors_score_nothing_and_true_ones_everything(score, random_space):
    words = [f"w{i}" for i in range(80)]
    text = corpus_of_pairs(2000, seed=3)
    (chance,) = score(random_space(words, dim=100), text).results
    assert abs(chance.value) < 0.08
    assert chance.ci_low < 0 < chance.ci_high
    space = random_space(words, dim=5)
    truth = [
        f"{a} {b} {space[a] @ space[b] / np.linalg.norm(space[a]) / np.linalg.norm(space[b]):.9f}\n"
        for a, b in np.random.default_rng(0).choice(words, size=(200, 2))
    ]
    assert score(space, "".join(truth)).results[0].value > 0.9999


def test_the_interval_is_that_of_a_plain_bootstrap_over_pairs(score, random_space):
    space = random_space([f"w{i}" for i in range(70)], dim=3)
    outcome = score(space, corpus_of_pairs(150), n_bootstrap=4000)
    pairs = np.array([(a.prediction, a.gold) for a in outcome.answers if a.used])
    generator = np.random.default_rng(9)
    plain = []
    for _ in range(1500):
        drawn = pairs[generator.integers(0, len(pairs), len(pairs))]
        plain.append(spearmanr(drawn[:, 0], drawn[:, 1]).statistic)
    (result,) = outcome.results
    assert (result.ci_low, result.ci_high) == pytest.approx(np.quantile(plain, [0.025, 0.975]), abs=0.025)


def test_a_thousand_resamples_of_the_largest_set_take_under_a_second(score, random_space):
    space = random_space([f"w{i}" for i in range(80)])
    text = corpus_of_pairs(3000)
    with_interval, without = [], []
    for _ in range(3):  # the best of three: other work may share the core
        for times, n_bootstrap in ((with_interval, 1000), (without, 0)):
            started = time.process_time()
            score(space, text, n_bootstrap=n_bootstrap)
            times.append(time.process_time() - started)
    assert min(with_interval) - min(without) < 1.0


@pytest.mark.mirror
@pytest.mark.parametrize("name", COUNTS)
def test_real_sets_are_read_whole(mirror_root, name):
    pairs = read_pairs(mirror_root / "word-sim" / name)
    assert len(pairs) == COUNTS[name]
    assert all(0 <= pair.score <= 50 for pair in pairs)


@pytest.mark.mirror
def test_the_last_line_of_mturk_has_no_line_end_and_is_read(mirror_root):
    path = mirror_root / "word-sim" / "EN-MTurk-287.txt"
    content = path.read_bytes()
    assert not content.endswith(b"\n")
    first, second, score = content.decode().splitlines()[-1].split()
    assert read_pairs(path)[-1] == WordPair(first, second, float(score))
