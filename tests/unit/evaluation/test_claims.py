from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest
from fabricated_tables import items_of, score
from scipy.stats import pearsonr, t

from lexiscope.embeddings.space import EmbeddingSpace, save_space
from lexiscope.errors import LexiscopeError
from lexiscope.evaluation.claims import CLAIM_SCHEMA, fill_roles
from lexiscope.evaluation.claims import judge_claims as run_claims
from lexiscope.evaluation.claims_registry import ALL_SETS, CLAIMS, SIMILARITY, Order
from lexiscope.evaluation.comparison import paired_difference
from lexiscope.evaluation.config import ProtocolConfig
from lexiscope.evaluation.paired import holm
from lexiscope.evaluation.scores import Evaluation, write_evaluation
from lexiscope.evaluation.tasks import GROUPS, MEASURES
from lexiscope.files import write_json

KINDS = {
    "glove": "glove",
    "word2vec": "word2vec",
    "fasttext": "fasttext",
    "lm_in": "lm_input",
    "lm_out": "lm_output",
    "am": "activation_maximisation",
    "centred": "centred",
}
SPACES = {name: {"kind": kind} for name, kind in KINDS.items()}
SIX = ["lm_in", "lm_out", "am", "word2vec", "glove", "fasttext"]

N_ITEMS = 150


def task_of(dataset):
    if "/" in dataset:
        return "treebank_probing"
    return next(
        group.name
        for group in GROUPS
        for member in group.datasets
        for measure in member.measures
        if measure.dataset == dataset
    )


def fabricate(key, qualities, seed=0):
    """Scores and items of one number; the better the quality (0 to 1), the better the answers."""
    dataset, metric = key
    task, split = task_of(dataset), "mean" if dataset.startswith("sts1") else "test"
    generator = np.random.default_rng([seed, *dataset.encode()])
    gold = generator.normal(size=N_ITEMS)
    luck = generator.random(N_ITEMS)  # the same for all spaces
    scores, items = [], []
    for space, quality in qualities.items():
        scores.append(score(space, dataset, metric, task=task, split=split))
        parts = [("test", slice(None))]
        if metric == "accuracy":
            truth = (gold > 0).astype(float)
            answers = np.where(luck < quality, truth, 1 - truth)
        elif metric == "two_vs_two_accuracy":
            truth, answers = np.ones(N_ITEMS), quality - luck
            parts = [(f"b{person}", slice(30 * person, 30 * (person + 1))) for person in range(5)]
        elif metric == "perplexity":  # lengths of sentences, and their negative log-probabilities
            scores[-1] = replace(scores[-1], higher_is_better=False)
            truth = np.round(20 + 5 * gold).clip(2)
            answers = truth * (6 - quality + 0.1 * generator.normal(size=N_ITEMS))
        else:
            truth = gold
            answers = quality * gold + (1 - quality) * generator.normal(size=N_ITEMS)
            if split == "mean":
                parts = [("a", slice(100)), ("b", slice(100, N_ITEMS))]
        for name, rows in parts:
            items += items_of(
                *(space, dataset, answers[rows], truth[rows]),
                task=task,
                split=name,
                first_id=rows.start or 0,
            )
    return scores, items


@pytest.fixture
def claims(tmp_path):
    """Test all claims on fabricated numbers; the rows by claim."""

    def claims(
        qualities_by_key, *, spaces=SPACES, roles=None, bias=(), outputs=(), n_bootstrap=200, corpus=None
    ):
        scores, items = [], []
        for key, qualities in qualities_by_key.items():
            more = fabricate(key, qualities)
            scores += more[0]
            items += more[1]
        write_evaluation(Evaluation(scores, items), tmp_path / "s.parquet", tmp_path / "i.parquet")
        for name in ("claims.parquet", "again.parquet"):
            run_claims(
                scores=tmp_path / "s.parquet",
                items=tmp_path / "i.parquet",
                spaces=spaces,
                roles=roles or {},
                bias_predictions=bias,
                output_spaces=outputs,
                protocol={"n_bootstrap": n_bootstrap},
                output=tmp_path / name,
                experiment_corpus=corpus,
            )
        assert (tmp_path / "claims.parquet").read_bytes() == (tmp_path / "again.parquet").read_bytes()
        table = pq.read_table(tmp_path / "claims.parquet")
        assert table.schema.equals(CLAIM_SCHEMA)
        rows = table.to_pylist()
        assert [row["claim"] for row in rows] == list(range(1, 23))
        assert all(row["reason"] and row["statement"] and row["spaces"] for row in rows)
        corrected = holm([row["p_value"] for row in rows])
        assert [row["p_holm"] for row in rows] == pytest.approx(corrected)
        return {row["claim"]: row for row in rows}

    return claims


# -- the registry ----------------------------------------------------------------------------------


def test_all_sets_of_the_claims_are_measures():
    assert [claim.number for claim in CLAIMS] == list(range(1, 23))
    keys = {key for claim in CLAIMS if isinstance(claim.test, Order) for key in claim.test.sets}
    assert keys <= set(MEASURES)
    assert len(set(ALL_SETS)) == len(ALL_SETS) == 9 + 7 + 4 + 5 + 7


# -- roles -----------------------------------------------------------------------------------------


def test_roles_fall_to_the_first_of_their_kind_that_fits():
    spaces = {
        "other_am": {"kind": "activation_maximisation", "of": "other"},
        "am": {"kind": "activation_maximisation", "of": "out"},
        "out": {"kind": "lm_output"},
        "other": {"kind": "lm_output"},
        "random": {"kind": "random"},
    }
    none = {"no_embeddings": "(none)"}
    assert fill_roles(spaces, {}) == none | {"output": "out", "am": "am"}
    assert fill_roles(spaces, {"output": "other"}) == none | {"output": "other", "am": "other_am"}
    assert fill_roles(spaces, {"am": "random"})["am"] == "random"
    with pytest.raises(LexiscopeError, match=r"'am' is given to 'rendom'.*Did you mean 'random'"):
        fill_roles(spaces, {"am": "rendom"})


TRANSFERRED = {
    "news": {"kind": "word2vec", "corpus": "news"},
    "own": {"kind": "word2vec", "corpus": "ptb"},
    "later": {"kind": "word2vec", "corpus": "ptb"},
    "by_sentence": {"kind": "domain_classifier", "level": "sentences", "domains": "d"},
    "by_paragraph": {"kind": "domain_classifier", "level": "paragraphs", "domains": "d"},
    "two_ways": {"kind": "bilm", "corpus": "ptb"},
    "google": {"kind": "file"},
}


def test_the_roles_of_reverse_transfer():
    found = fill_roles(TRANSFERRED, {}, "ptb")
    assert found == {
        "no_embeddings": "(none)",
        "word2vec": "news",
        "word2vec_in_domain": "own",
        "word2vec_out_of_domain": "news",
        "domain_classifier_sentences": "by_sentence",
        "domain_classifier_paragraphs": "by_paragraph",
        "bidirectional_lm": "two_ways",
    }
    without = fill_roles(TRANSFERRED, {})
    assert found.keys() - without.keys() == {"word2vec_in_domain", "word2vec_out_of_domain"}
    given = {"word2vec_out_of_domain": "google", "word2vec_in_domain": "later"}
    assert fill_roles(TRANSFERRED, given, "ptb") == found | given
    # A space that is said to be in-domain does not play the other part as well.
    roles = fill_roles(TRANSFERRED, {"word2vec_in_domain": "news"}, "ptb")
    assert roles["word2vec_in_domain"] == "news"
    assert "word2vec_out_of_domain" not in roles


# -- verdicts --------------------------------------------------------------------------------------


def test_an_empty_run_tests_nothing_and_says_why(claims):
    rows = claims({}, spaces={})
    assert {row["verdict"] for row in rows.values()} == {"not tested"}
    assert rows[7]["reason"] == "the run has no scores of sts12, sts13, sts14, sts15, sts16"
    assert rows[13]["reason"] == "the run has no scores of nnlm_tied"
    assert rows[17]["reason"] == "the run has no scores of lstm_lm"
    assert rows[15]["reason"] == rows[16]["reason"].replace("am, ", "")
    assert all(row["effect"] is row["p_value"] is None for row in rows.values())
    assert all(row["n_datasets"] == 0 for row in rows.values())


def test_the_claims_of_a_run_that_agrees_with_the_papers(claims):
    """Qualities in the order in which the papers put the spaces."""
    qualities = {}
    for key in ALL_SETS:
        order = ["centred", "glove", "fasttext", "word2vec", "lm_in", "lm_out", "am"]
        if key[0] in ("sick_entailment", "mrpc", "sick_relatedness", "stsbenchmark") or key[0][:3] == "sts":
            order = ["centred", "glove", "fasttext", "word2vec", "lm_out", "am", "lm_in"]
        if key[0] in ("sentence_length", "word_content"):
            order = ["centred", "glove", "fasttext", "word2vec", "lm_out", "am", "lm_in"]
        if key[0] in ("tense", "subj_number", "obj_number"):
            order = ["centred", "glove", "fasttext", "word2vec", "lm_in", "am", "lm_out"]
        qualities[key] = dict(zip(order, (0.05, 0.15, 0.25, 0.35, 0.5, 0.65, 0.85), strict=True))
    rows = claims(qualities)
    tested = [*range(1, 11), 22]
    assert [number for number, row in rows.items() if row["verdict"] == "supported"] == tested
    for number in tested:
        row = rows[number]
        assert 0 < row["ci_low"] < row["effect"] < row["ci_high"]
        assert row["p_holm"] < 0.05
        assert f"in favour on {row['n_datasets']} of {row['n_datasets']} sets" in row["reason"]
        assert row["n_used"] == row["n_total"] == N_ITEMS * row["n_datasets"]
    assert [rows[number]["n_datasets"] for number in tested] == [6, 9, 9, 2, 7, 9, 5, 2, 2, 3, 32]
    assert rows[1]["spaces"] == "lm_out > lm_in"
    assert rows[2]["spaces"] == "am ≥ lm_out"
    assert rows[6]["spaces"] == "lm_in > lm_out, am, word2vec, glove, fasttext"
    assert "weakest pair lm_in > am" in rows[6]["reason"]
    assert "BrainBench: participants" in rows[4]["method"]


def test_the_claims_of_a_run_that_disagrees(claims):
    order = ["am", "lm_in", "lm_out", "centred", "fasttext", "glove", "word2vec"]
    levels = dict(zip(order, (0.1, 0.2, 0.4, 0.5, 0.6, 0.7, 0.9), strict=True))
    rows = claims(dict.fromkeys(ALL_SETS, levels))
    verdicts = {number: row["verdict"] for number, row in rows.items()}
    contradicted = [number for number, verdict in verdicts.items() if verdict == "contradicted"]
    assert contradicted == [2, 3, 4, 5, 6, 7, 8, 9, 10, 22]
    assert verdicts[1] == "supported"
    for number in contradicted:
        assert rows[number]["effect"] < 0
        assert rows[number]["p_holm"] < 0.05


def test_equal_spaces_decide_nothing(claims):
    rows = claims(dict.fromkeys(ALL_SETS, dict.fromkeys(KINDS, 0.6)))
    for number in (4, 5, 8, 9, 10):  # answers that are the same to the last
        assert (rows[number]["verdict"], rows[number]["effect"], rows[number]["p_value"]) == (
            "not decided",
            0.0,
            1.0,
        )
    assert not {rows[number]["verdict"] for number in range(1, 11)} & {"supported"}


def test_one_set_against_refutes_every_but_neither_average_nor_most(claims):
    good, bad = {"lm_out": 0.3, "am": 0.8, "centred": 0.3}, {"lm_out": 0.8, "am": 0.3, "centred": 0.8}
    qualities = {key: bad if key[0] == "men" else good for key in ALL_SETS}
    rows = claims(qualities)
    assert rows[2]["effect"] > 0
    assert rows[2]["verdict"] == "contradicted"
    assert "in favour on 8 of 9 sets; against on men" in rows[2]["reason"]
    assert "significantly against on 1 of 9" in rows[2]["reason"]
    assert rows[22]["verdict"] == "supported"
    assert "significantly" not in rows[22]["reason"]


def test_most_sets_have_to_point_the_way_of_the_average(claims):
    better, worse = {"am": 0.95, "centred": 0.1}, {"am": 0.50, "centred": 0.55}
    keys = SIMILARITY
    rows = claims({key: better if number < 3 else worse for number, key in enumerate(keys)})
    assert rows[22]["effect"] > 0.2
    assert rows[22]["p_holm"] < 0.05
    assert rows[22]["verdict"] == "not decided"  # on 3 of 7
    rows = claims({key: better if number < 4 else worse for number, key in enumerate(keys)})
    assert rows[22]["verdict"] == "supported"


def test_the_effect_is_the_mean_of_the_sets_differences(claims):
    keys = [("simlex999", "spearman"), ("men", "spearman")]
    qualities = {"lm_in": 0.5, "lm_out": 0.6}
    rows = claims(dict.fromkeys([*keys, ("rareword", "spearman")], qualities))
    protocol = ProtocolConfig(n_bootstrap=200)
    parts = []
    for key in keys:
        items = fabricate(key, qualities)[1]
        answers = {
            space: np.array([item.prediction for item in items if item.space == space])
            for space in qualities
        }
        gold = np.array([item.gold for item in items if item.space == "lm_in"])
        parts.append(
            paired_difference(
                key[1], answers["lm_out"], answers["lm_in"], gold, protocol=protocol, name=key[0]
            )
        )
    assert rows[1]["effect"] == pytest.approx(np.mean([part.value for part in parts]))
    error = np.sqrt(sum(part.standard_error**2 for part in parts)) / 2
    degrees = error**4 / sum((part.standard_error / 2) ** 4 / part.degrees for part in parts)
    assert rows[1]["p_value"] == pytest.approx(2 * t.sf(abs(rows[1]["effect"]) / error, degrees))
    assert "without ws353_similarity, ws353_relatedness, mturk287, ws353" in rows[1]["reason"]


# -- language models -------------------------------------------------------------------------------

TABLE_4 = [(name, "perplexity") for name in ("nnlm_in", "nnlm_out", "nnlm_tied")]


def test_a_lower_perplexity_is_in_favour(claims):
    order = ["glove", "fasttext", "word2vec", "lm_in", "lm_out", "am"]
    qualities = {key: dict(zip(order, (0.1, 0.2, 0.3, 0.5, 0.6, 0.9), strict=True)) for key in TABLE_4}
    rows = claims(qualities)
    verdicts = {number: rows[number]["verdict"] for number in range(11, 15)}
    assert verdicts == {11: "supported", 12: "contradicted", 13: "supported", 14: "supported"}
    items = fabricate(TABLE_4[0], qualities[TABLE_4[0]])[1]

    def perplexity(space):
        own = [item for item in items if item.space == space]
        return np.exp(sum(item.prediction for item in own) / sum(item.gold for item in own))

    assert rows[11]["effect"] == pytest.approx(perplexity("lm_out") - perplexity("am"))
    assert 0 < rows[11]["ci_low"] < rows[11]["effect"] < rows[11]["ci_high"]
    assert rows[11]["n_used"] == rows[11]["n_total"] == N_ITEMS


ORDER = ["by_paragraph", "by_sentence", "news", "(none)", "two_ways", "own"]
REVERSE = dict(zip(ORDER, (0.1, 0.25, 0.4, 0.55, 0.7, 0.85), strict=True))


def test_the_claims_of_reverse_transfer(claims):
    rows = claims({("lstm_lm", "perplexity"): REVERSE}, spaces=TRANSFERRED, corpus="ptb")
    assert {rows[number]["verdict"] for number in range(17, 22)} == {"supported"}
    assert [rows[number]["spaces"] for number in range(17, 22)] == [
        "own > (none)",
        "(none) > news",
        "(none) > by_paragraph, by_sentence",
        "by_sentence > by_paragraph",
        "two_ways > (none)",
    ]
    rows = claims({("lstm_lm", "perplexity"): REVERSE}, spaces=TRANSFERRED)
    assert rows[17]["reason"] == "no space plays the part of word2vec_in_domain"
    roles = {"word2vec_in_domain": "by_paragraph", "bidirectional_lm": "news"}
    rows = claims({("lstm_lm", "perplexity"): REVERSE}, spaces=TRANSFERRED, roles=roles)
    assert [rows[number]["verdict"] for number in (17, 21)] == ["contradicted"] * 2


def test_models_with_a_compression_layer_stand_in_for_those_without(claims):
    rest = {"(none)": 0.5}
    rows = claims(
        {("lstm_lm", "perplexity"): rest, ("lstm_lm_compressed", "perplexity"): REVERSE},
        spaces=TRANSFERRED,
        corpus="ptb",
    )
    assert rows[20]["verdict"] == "supported"
    assert "on models with a compression layer in place of those without" in rows[20]["reason"]


# -- what is missing -------------------------------------------------------------------------------


def test_a_claim_without_its_subject_is_not_tested(claims):
    spaces = {name: settings for name, settings in SPACES.items() if name not in ("am", "glove")}
    levels = {"lm_in": 0.2, "lm_out": 0.8, "word2vec": 0.3, "fasttext": 0.3}
    rows = claims(dict.fromkeys(ALL_SETS, levels), spaces=spaces)
    assert (rows[5]["verdict"], rows[5]["reason"]) == ("not tested", "no space plays the part of am")
    assert rows[5]["spaces"] == "(am) > lm_in, lm_out, word2vec, (glove), fasttext"
    assert rows[4]["verdict"] == "not tested"  # it speaks of output and am
    # Ahead of all that are there, but the claim speaks of more.
    assert rows[10]["verdict"] == "not decided"
    assert rows[10]["effect"] > 0
    assert rows[10]["p_holm"] < 0.05
    assert "no space plays the part of am, glove" in rows[10]["reason"]


def test_a_rival_without_scores_is_named(claims):
    levels = {"lm_out": 0.8, "am": 0.2, "lm_in": 0.2, "word2vec": 0.3}
    keys = [("tense", "accuracy"), ("subj_number", "accuracy"), ("obj_number", "accuracy")]
    rows = claims(dict.fromkeys(keys, levels))
    assert rows[10]["verdict"] == "not decided"
    assert rows[10]["p_holm"] < 0.05
    assert "no scores of fasttext, glove" in rows[10]["reason"]
    assert rows[9]["reason"] == "the run has no scores of tree_depth, top_constituents"


def test_other_probes_stand_in_when_senteval_has_none(claims):
    levels = dict.fromkeys(SIX, 0.3) | {"am": 0.9}
    keys = [("xprobe_tree_depth", "accuracy"), ("ewt/top_constituents", "accuracy")]
    rows = claims(dict.fromkeys([*keys, ("ewt/tree_depth", "accuracy")], levels))
    assert (rows[9]["verdict"], rows[9]["n_datasets"]) == ("supported", 2)
    assert "on X-Probe and probes built from treebanks in place of SentEval's" in rows[9]["reason"]
    rows = claims(dict.fromkeys([*keys, ("tree_depth", "accuracy")], levels))
    assert rows[9]["n_datasets"] == 1
    assert "without top_constituents" in rows[9]["reason"]
    assert "in place of" not in rows[9]["reason"]


def test_without_resamples_nothing_is_decided_but_by_exact_tests(claims):
    levels = {"lm_in": 0.2, "lm_out": 0.8}
    rows = claims({("men", "spearman"): levels}, n_bootstrap=0)
    assert (rows[1]["verdict"], rows[1]["p_value"], rows[1]["ci_low"]) == ("not decided", None, None)
    assert rows[1]["effect"] > 0


# -- the bias --------------------------------------------------------------------------------------


def output_space(path, *, sign=1.0, columns=("bias", "count")):
    generator = np.random.default_rng(0)
    count = generator.integers(0, 1000, 300)  # some words were never seen
    bias = sign * np.log(np.maximum(count, 1)) + generator.normal(size=300)
    values = {"bias": bias.astype(np.float32), "count": count}
    space = EmbeddingSpace(
        tuple(f"w{i}" for i in range(300)),
        generator.normal(size=(300, 4)).astype(np.float32),
        columns={name: values[name] for name in columns},
    )
    save_space(space, path)
    return bias.astype(np.float32), count


@pytest.mark.parametrize(("sign", "verdict"), [(1.0, "supported"), (-1.0, "contradicted")])
def test_the_bias_follows_the_count(claims, tmp_path, sign, verdict):
    bias, count = output_space(tmp_path / "lm_out.safetensors", sign=sign)
    (tmp_path / "other.safetensors").write_bytes(b"not read")
    row = claims({}, outputs=[tmp_path / "other.safetensors", tmp_path / "lm_out.safetensors"])[15]
    seen = count > 0
    assert row["effect"] == pytest.approx(pearsonr(bias[seen], np.log(count[seen])).statistic)
    assert row["ci_low"] < row["effect"] < row["ci_high"]
    assert (row["verdict"], row["n_used"], row["n_total"]) == (verdict, seen.sum(), 300)
    assert "the paper found 0.85" in row["reason"]


def test_a_space_without_bias_or_counts_is_not_tested(claims, tmp_path):
    output_space(tmp_path / "lm_out.safetensors", columns=("bias",))
    row = claims({}, outputs=[tmp_path / "lm_out.safetensors"])[15]
    assert (row["verdict"], row["reason"]) == ("not tested", "the space has no count for its words")
    assert claims({})[15]["reason"] == "the vectors of the space are not at hand"


def prediction(path, difference=-0.5, half_width=0.2, **changes):
    content = {
        "space": "am",
        "of": "lm_out",
        "status": "ok",
        "reason": None,
        "target": "bias",
        "n_words": 1000,
        "n_splits": 20,
        "confidence": 0.95,
        "differences": [
            {"a": "output + am", "b": "am", "mse_difference": 9.0, "low": 8.0, "high": 10.0},
            {
                "a": "am",
                "b": "output",
                "mse_difference": difference,
                "low": difference - half_width,
                "high": difference + half_width,
            },
        ],
    }
    write_json(path, content | changes)
    return path


@pytest.mark.parametrize(
    ("difference", "verdict"), [(-0.5, "supported"), (0.5, "contradicted"), (-0.1, "not decided")]
)
def test_less_error_in_predicting_the_bias(claims, tmp_path, difference, verdict):
    other = prediction(tmp_path / "a.json", space="am2")
    row = claims({}, bias=[other, prediction(tmp_path / "b.json", difference)])[16]
    assert row["verdict"] == verdict
    assert (row["effect"], row["ci_low"], row["ci_high"]) == pytest.approx(
        (-difference, -difference - 0.2, -difference + 0.2)
    )
    assert (row["p_value"] < 0.05) == (abs(difference) > 0.2)
    assert row["n_used"] == 1000


def test_bias_predictions_that_are_none(claims, tmp_path):
    skipped = prediction(tmp_path / "a.json", status="skipped", reason="too few words")
    assert claims({}, bias=[skipped])[16]["reason"] == "too few words"
    stand_in = prediction(tmp_path / "b.json", target="log_count")
    assert "log counts stand in" in claims({}, bias=[stand_in])[16]["reason"]
    elsewhere = prediction(tmp_path / "c.json", of="other")
    assert claims({}, bias=[elsewhere])[16]["verdict"] == "not tested"
    with pytest.raises(LexiscopeError, match=r"d\.json: not a bias prediction"):
        claims({}, bias=[prediction(tmp_path / "d.json", differences=[])])
