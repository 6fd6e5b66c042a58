"""Language models that were read: what the page says of them."""

from __future__ import annotations

from typing import Any

from lexiscope.report.gather import SpaceSummary
from lexiscope.report.imported import ModelNote, model_notes

STUDY = {
    "language_models": {
        "gpt": {"kind": "huggingface"},
        "big": {"kind": "lm_1b"},
        "mine": {"kind": "softmax_file"},
        "jlm": {"kind": "char_cnn_lstm"},
    },
    "spaces": {
        "gpt_in": {"model": "gpt"},
        "gpt_out": {"model": "gpt"},
        "big_out": {"model": "big"},
        "mine_out": {"model": "mine"},
        "jlm_in": {"model": "jlm"},
        "glove": {},
    },
}


def notes(*spaces: tuple[str, dict[str, Any]]) -> list[ModelNote]:
    kinds = {"in": "lm_input", "out": "lm_output"}
    return model_notes(
        [
            SpaceSummary(name, kinds.get(name.rpartition("_")[2], "glove"), 9, 3, provenance)
            for name, provenance in spaces
        ],
        STUDY,
    )


def test_a_tied_model_is_one_space_under_two_names() -> None:
    (note,) = notes(("gpt_in", {"tied": True}), ("gpt_out", {"tied": True}))
    assert (note.model, note.source, note.tied) == ("gpt", "a Hugging Face model", True)
    assert note.spaces == ("gpt_in", "gpt_out")


def test_trained_models_and_other_spaces_need_no_word() -> None:
    assert notes(("jlm_in", {}), ("glove", {"tied": True})) == []


def test_coverage_comes_in_the_order_of_the_policy_and_adds_up() -> None:
    coverage = {"bare": 2, "dropped": 1, "leading_space": 90, "pieces": 7, "odd": 5}
    (note,) = notes(("gpt_out", {"coverage": coverage, "n_words_sharing_a_token": 4}))
    (found,) = note.coverages
    assert [count for _, count in found.cases] == [90, 2, 7, 1, 5]
    assert (found.total, found.n_sharing) == (105, 4)


def test_logits_are_told_not_to_be_linear_only_where_that_was_found() -> None:
    assert [
        note.linear
        for value in (True, None, False)
        for note in notes(("gpt_out", {"logits_are_linear": value}))
    ] == [True, True, False]


def test_the_bias_as_the_import_found_it() -> None:
    provenance = {
        "bias_frequency_pearson": 0.851,
        "bias_frequency_measured_against": "ln(count in the lexicon)",
        "bias_frequency_n_words": 20_000,
    }
    big, mine = notes(("big_out", provenance), ("mine_out", {}))
    assert (big.bias_pearson, big.bias_against, big.bias_n_words) == (
        0.851,
        "ln(count in the lexicon)",
        20_000,
    )
    assert (mine.source, mine.bias_pearson, mine.tied) == ("a softmax layer from a file", None, None)
