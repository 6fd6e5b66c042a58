from __future__ import annotations

import gzip
import time

import numpy as np
import pytest
from scipy.stats import kstest

from lexiscope.embeddings.space import EmbeddingSpace
from lexiscope.errors import LexiscopeError
from lexiscope.evaluation.brainbench import (
    WordPairs,
    correlation_matrix,
    evaluate,
    read_dictionary,
    read_participant,
    two_vs_two_margins,
)
from lexiscope.evaluation.brainbench_permutation import TIE, permutation_p_value, permuted_hits
from lexiscope.evaluation.config import ProtocolConfig
from lexiscope.evaluation.tasks import TASKS

BRAINBENCH = TASKS["brainbench"].dataset("brainbench")
FMRI = [f"b{i}" for i in range(1, 10)]
MEG = list("abcdefgij")


# -- files -----------------------------------------------------------------------------------------


def test_dictionary_keeps_the_order_of_the_file(tmp_path):
    path = tmp_path / "dictionary.txt"
    path.write_bytes(b"cat\r\nant\r\nbee\r\n\r\n")
    assert read_dictionary(path) == ["cat", "ant", "bee"]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", ":1: an empty line"),
        (b"cat\n\nant\n", ":2: an empty line"),
        (b"cat\nant\ncat\n", ":3: the word 'cat' occurs twice"),
        (b"cat\n\xe8\n", ":2: byte 0xe8 is not UTF-8"),
    ],
)
def test_bad_dictionaries(tmp_path, content, problem):
    path = tmp_path / "dictionary.txt"
    path.write_bytes(content)
    with pytest.raises(LexiscopeError, match=problem):
        read_dictionary(path)


def test_participants_plain_and_packed(tmp_path):
    np.save(tmp_path / "b1.npy", np.eye(3))
    (tmp_path / "b2.npy.gz").write_bytes(gzip.compress((tmp_path / "b1.npy").read_bytes()))
    for name in ("b1", "b2"):
        participant = read_participant(tmp_path / f"{name}.npy", 3)
        assert (participant.name, participant.matrix.tolist()) == (name, np.eye(3).tolist())


@pytest.mark.parametrize(
    ("matrix", "problem"),
    [
        (np.eye(4), r"shape \(4, 4\) does not fit a dictionary of 3 words"),
        (np.eye(3)[None], r"shape \(1, 3, 3\)"),
        (np.full((3, 3), np.nan), "not finite"),
        (np.eye(3, dtype=complex), "not finite numbers"),
        (np.full((3, 3), "x"), "not finite numbers"),
        (np.full((3, 3), None), "not a readable NumPy matrix"),
    ],
)
def test_bad_matrices(tmp_path, matrix, problem):
    np.save(tmp_path / "b1.npy", matrix, allow_pickle=True)
    with pytest.raises(LexiscopeError, match=problem):
        read_participant(tmp_path / "b1.npy", 3)


@pytest.mark.parametrize("damage", [lambda b: b"", lambda b: b"PK\x03\x04" + b, lambda b: b[:-8]])
def test_damaged_matrix_files(tmp_path, damage):
    path = tmp_path / "b1.npy"
    np.save(path, np.eye(3))
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(LexiscopeError, match="not a readable NumPy matrix"):
        read_participant(path, 3)


# -- the test itself -------------------------------------------------------------------------------


def symmetric(n_words, seed):
    half = np.random.default_rng(seed).uniform(-1, 1, (n_words, n_words))
    return (half + half.T) / 2


def test_correlations_are_those_of_numpy():
    vectors = np.random.default_rng(0).normal(size=(9, 14))
    assert correlation_matrix(vectors) == pytest.approx(np.corrcoef(vectors), abs=1e-12)


def test_a_matrix_always_matches_itself():
    matrix = symmetric(12, seed=1)
    assert (two_vs_two_margins(matrix, [matrix]) > 0).all()
    # Pearson ignores scale and offset, and turns round with the sign.
    assert (two_vs_two_margins(matrix, [5 * matrix + 3]) > 0).all()
    assert (two_vs_two_margins(matrix, [-matrix]) < 0).all()


def test_columns_of_the_two_words_and_the_diagonal_do_not_count():
    space, brain = symmetric(8, seed=1), symmetric(8, seed=2)
    margins = two_vs_two_margins(space, [brain])[0]
    changed = brain.copy()
    changed[2, 5] = changed[5, 2] = 77.0
    np.fill_diagonal(changed, 99.0)
    after = two_vs_two_margins(space, [changed])[0]
    pairs = WordPairs.of(8)
    has_2 = (pairs.first == 2) | (pairs.second == 2)
    has_5 = (pairs.first == 5) | (pairs.second == 5)
    affected = has_2 ^ has_5  # the pair of both leaves both columns out
    untouched = ~affected
    assert after[untouched] == pytest.approx(margins[untouched], abs=1e-12)
    assert (abs(after[affected] - margins[affected]) > 1e-6).all()


def test_a_constant_row_has_no_margin():
    brain = symmetric(8, seed=2)
    brain[3] = 0.25
    margins = two_vs_two_margins(symmetric(8, seed=1), [brain])[0]
    pairs = WordPairs.of(8)
    assert np.array_equal(np.isnan(margins), (pairs.first == 3) | (pairs.second == 3))


# -- the permutation test ------------------------------------------------------------------------------


@pytest.mark.parametrize("offset", [0.0, 5.0])
@pytest.mark.parametrize("n_words", [5, 6, 13])
def test_sums_count_the_same_hits_as_the_margins(n_words, offset):
    generator = np.random.default_rng(n_words)
    space, *brains = generator.uniform(-1, 1, (4, n_words, n_words)) + offset  # not symmetric
    orders = np.array([generator.permutation(n_words) for _ in range(60)])
    expected = [(two_vs_two_margins(space[np.ix_(o, o)], brains) > TIE).sum() for o in orders]
    assert permuted_hits(space, brains, orders).tolist() == expected


def test_rows_without_spread_are_no_hits_under_any_order():
    space, brain = symmetric(9, seed=1), symmetric(9, seed=2)
    space[4] = 0.3
    brain[2] = 0.1
    orders = np.array([np.random.default_rng(i).permutation(9) for i in range(20)])
    expected = [np.nansum(two_vs_two_margins(space[np.ix_(o, o)], [brain]) > TIE) for o in orders]
    assert permuted_hits(space, [brain], orders).tolist() == expected
    assert permuted_hits(np.ones((9, 9)), [brain], orders).tolist() == [0] * 20


def test_a_space_that_fits_has_the_least_p_value_and_one_that_says_nothing_has_one():
    brains = [symmetric(20, seed=1) + 0.3 * symmetric(20, seed=seed) for seed in (2, 3)]
    protocol = ProtocolConfig(n_bootstrap=199)
    assert permutation_p_value(symmetric(20, seed=1), brains, protocol=protocol, name="x") == 1 / 200
    assert permutation_p_value(np.ones((20, 20)), brains, protocol=protocol, name="x") == 1.0
    none = ProtocolConfig(n_bootstrap=0)
    assert permutation_p_value(symmetric(20, seed=1), brains, protocol=none, name="x") is None


def test_p_values_of_unrelated_spaces_are_uniform():
    """So the dependence between the pairs does no harm; a binomial test over them rejects far too often."""
    brains = [symmetric(12, seed=seed) for seed in (900, 901)]
    protocol = ProtocolConfig(n_bootstrap=99)
    p_values = np.array(
        [
            permutation_p_value(symmetric(12, seed=seed), brains, protocol=protocol, name="x")
            for seed in range(200)
        ]
    )
    assert kstest(p_values, "uniform").statistic < 0.1
    assert (p_values <= 0.05).mean() <= 0.1


# -- scoring ---------------------------------------------------------------------------------------

WORDS = [f"w{i:02d}" for i in range(60)]


@pytest.fixture
def receipt(tmp_path, make_receipt):
    """Nine participants of each kind whose matrices share a structure in 15 dimensions, plus noise."""
    (tmp_path / "dictionary.txt").write_text("\n".join(WORDS) + "\n")
    generator = np.random.default_rng(5)
    truth = generator.normal(size=(60, 15))
    np.save(tmp_path / "truth.npy", truth)
    files = {"dictionary": [tmp_path / "dictionary.txt"]}
    for role, names in (("fmri", FMRI), ("meg", MEG)):
        files[role] = [tmp_path / role / f"{name}.npy" for name in names]
        (tmp_path / role).mkdir()
        for path in files[role]:
            np.save(path, np.corrcoef(truth + 2 * generator.normal(size=truth.shape)))
    return make_receipt("brainbench", files)


@pytest.fixture
def truth(tmp_path, receipt):
    return np.load(tmp_path / "truth.npy").astype(np.float32)


def scores_of(outcome):
    return {(result.dataset, result.split): result for result in outcome.results}


def test_rows_for_every_participant_and_the_average(receipt, truth):
    outcome = evaluate(EmbeddingSpace(tuple(WORDS), truth), BRAINBENCH, receipt, ProtocolConfig())
    scores = scores_of(outcome)
    assert list(scores) == [("brainbench_fmri", split) for split in ["test", *FMRI]] + [
        ("brainbench_meg", split) for split in ["test", *MEG]
    ]
    for dataset, names in (("brainbench_fmri", FMRI), ("brainbench_meg", MEG)):
        average = scores[dataset, "test"]
        singles = [scores[dataset, name].value for name in names]
        assert average.value == pytest.approx(np.mean(singles), abs=1e-12)
        assert min(singles) <= average.ci_low < average.value < average.ci_high <= max(singles)
    assert all(s.metric == "two_vs_two_accuracy" and s.baseline == 0.5 for s in outcome.results)
    assert all((s.n_used, s.n_total, s.status) == (60, 60, "ok") for s in outcome.results)
    assert scores["brainbench_fmri", "test"].value > 0.85
    assert scores["brainbench_fmri", "test"].note == "permutation p=0.000999"  # none of 1000 did as well
    assert scores["brainbench_fmri", "b1"].note == ""


def test_items_give_the_scores_back(receipt, truth):
    outcome = evaluate(
        EmbeddingSpace(tuple(WORDS), truth), BRAINBENCH, receipt, ProtocolConfig(n_bootstrap=50)
    )
    answers = [answer for answer in outcome.answers if answer.dataset == "brainbench_fmri"]
    assert len(answers) == 9 * 1770
    assert [answer.item_id for answer in answers] == list(range(9 * 1770))
    assert (answers[0].item, answers[-1].item) == ("b1:w00|w01", "b9:w58|w59")
    assert all(answer.gold == 1.0 and answer.used for answer in answers)
    scores = scores_of(outcome)
    for name in FMRI:
        hits = [answer.prediction > 0 for answer in answers if answer.item.startswith(f"{name}:")]
        assert np.mean(hits) == pytest.approx(scores["brainbench_fmri", name].value, abs=1e-12)


def test_random_vectors_score_one_half(receipt, random_space):
    outcomes = [
        evaluate(random_space(WORDS, seed=seed), BRAINBENCH, receipt, ProtocolConfig(n_bootstrap=0))
        for seed in range(10)
    ]
    values = [scores_of(outcome)["brainbench_fmri", "test"].value for outcome in outcomes]
    assert np.mean(values) == pytest.approx(0.5, abs=0.05)


def test_missing_words_are_removed_from_both_sides_under_every_policy(receipt, truth, tmp_path):
    kept = [i for i in range(60) if i % 7]
    order = np.random.default_rng(0).permutation(kept)  # the space has its own order
    space = EmbeddingSpace(tuple(WORDS[i] for i in order), truth[order])
    outcomes = [
        evaluate(space, BRAINBENCH, receipt, ProtocolConfig(oov=oov, n_bootstrap=50))
        for oov in ("skip", "zero", "mean")
    ]
    assert outcomes[0] == outcomes[1] == outcomes[2]
    score = scores_of(outcomes[0])["brainbench_fmri", "b3"]
    brain = np.load(tmp_path / "fmri" / "b3.npy")[np.ix_(kept, kept)]
    margins = two_vs_two_margins(correlation_matrix(truth[kept].astype(float)), [brain])
    assert score.value == (margins > 0).mean()
    assert (score.n_used, score.n_total) == (51, 60)
    assert "oov=skip" in score.protocol
    unused = [a for a in outcomes[0].answers if not a.used]
    assert len(unused) == 18 * (1770 - 51 * 50 // 2)
    assert all(a.prediction is None for a in unused)


def test_two_words_with_the_same_vector_are_no_hit(receipt, truth):
    truth[7] = truth[4]
    outcome = evaluate(
        EmbeddingSpace(tuple(WORDS), truth), BRAINBENCH, receipt, ProtocolConfig(n_bootstrap=50)
    )
    margins = [a.prediction for a in outcome.answers if a.item.endswith(":w04|w07")]
    assert len(margins) == 18
    assert max(map(abs, margins)) < 1e-12
    perfect = evaluate(
        EmbeddingSpace(tuple(WORDS), np.repeat(truth[:1], 60, axis=0)),
        BRAINBENCH,
        receipt,
        ProtocolConfig(n_bootstrap=50),
    )
    assert {result.value for result in perfect.results} == {0.0}


def test_a_constant_vector_counts_as_missing(receipt, truth):
    truth[7] = 0.1
    outcome = evaluate(
        EmbeddingSpace(tuple(WORDS), truth), BRAINBENCH, receipt, ProtocolConfig(n_bootstrap=50)
    )
    without = [word for word in range(60) if word != 7]
    reference = evaluate(
        EmbeddingSpace(tuple(WORDS[i] for i in without), truth[without]),
        BRAINBENCH,
        receipt,
        ProtocolConfig(n_bootstrap=50),
    )
    assert outcome == reference
    assert outcome.results[0].n_used == 59


@pytest.mark.parametrize(
    ("n_words", "dim", "reason"),
    [
        (4, 15, "4 of 60 words can be used; the test needs 5"),
        (0, 15, "0 of 60 words can be used; the test needs 5"),
        (60, 1, "0 of 60 words can be used; the test needs 5"),
        (60, 0, "0 of 60 words can be used; the test needs 5"),
    ],
)
def test_too_little_to_score_is_skipped_with_its_reason(receipt, truth, n_words, dim, reason):
    space = EmbeddingSpace(tuple(WORDS[:n_words]), truth[:n_words, :dim])
    outcome = evaluate(space, BRAINBENCH, receipt, ProtocolConfig(n_bootstrap=50))
    assert {(r.status, r.value, r.error) for r in outcome.results} == {("skipped", None, reason)}
    assert len(outcome.results) == 20
    assert len(outcome.answers) == 2 * 9 * 1770
    assert not any(answer.used for answer in outcome.answers)


def test_participants_that_are_not_there_are_an_error(receipt, truth):
    files = tuple(file for file in receipt.files if file.role != "meg")
    lacking = type(receipt)(receipt.dataset, receipt.source, receipt.root, files)
    with pytest.raises(LexiscopeError, match="BrainBench MEG: the receipt names no participants"):
        evaluate(EmbeddingSpace(tuple(WORDS), truth), BRAINBENCH, lacking, ProtocolConfig())


def test_the_interval_of_a_participant_resamples_words(receipt, truth, random_space):
    """More words that agree in their errors widen it: pairs alone would give about 0.5/sqrt(1770)."""
    outcome = evaluate(random_space(WORDS), BRAINBENCH, receipt, ProtocolConfig())
    for result in outcome.results:
        assert result.ci_low <= result.value <= result.ci_high
        if result.split != "test":
            assert result.ci_high - result.ci_low > 4 * 1.96 * 0.5 / np.sqrt(1770)


def test_all_pairs_of_18_participants_take_a_fifth_of_a_second():
    space = symmetric(60, seed=0)
    brains = [symmetric(60, seed=seed) for seed in range(18)]
    times = []
    for _ in range(5):
        started = time.process_time()
        two_vs_two_margins(space, brains)
        times.append(time.process_time() - started)
    assert min(times) < 0.2


@pytest.mark.mirror
def test_real_matrices_fit_the_real_dictionary(mirror_root):
    folder = mirror_root / "brainbench" / "corr_mats"
    words = read_dictionary(folder / "dictionary.txt")
    assert len(words) == 60
    assert words == sorted(words)
    for kind, names in (("fMRI", FMRI), ("MEG", MEG)):
        for name in names:
            participant = read_participant(folder / kind / f"{name}.npy", len(words))
            assert participant.name == name
            assert np.array_equal(participant.matrix, participant.matrix.T)
            assert np.diag(participant.matrix) == pytest.approx(1.0)
