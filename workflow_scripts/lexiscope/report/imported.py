"""What the page says of language models that were read, not trained, and of tied ones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from lexiscope.report.gather import SpaceSummary

SOURCES = {
    "lm_1b": "the released model of Jozefowicz et al. (2016)",
    "huggingface": "a Hugging Face model",
    "softmax_file": "a softmax layer from a file",
}
"""Kinds of language models that are not trained here, in words."""

CASES = {
    "leading_space": "one token, as after a space",
    "bare": "one token, without a space",
    "pieces": "the mean of several pieces",
    "dropped": "left out, as no token or pieces stand for it",
}
"""How a word is found among the tokens of a model, in words and in the order in which they are shown."""

SPACE_KINDS = ("lm_input", "lm_output")


@dataclass(frozen=True)
class Coverage:
    """How the words of a space were found among the tokens of its model: number of words by case.

    Attributes
    ----------
    n_sharing
        Words whose tokens are also those of another word, so that their vectors are the same.
    """

    space: str
    cases: tuple[tuple[str, int], ...]
    n_sharing: int

    @property
    def total(self) -> int:
        """All words that were looked for."""
        return sum(count for _, count in self.cases)


@dataclass(frozen=True)
class ModelNote:
    """What there is to say of one language model.

    Attributes
    ----------
    source
        Where an imported model is from; empty for one that was trained.
    spaces
        Its input and output spaces.
    tied
        Whether input and output embeddings are one matrix; None where the model does not tell.
    linear
        Whether the logits are a linear function of the softmax rows, as activation maximisation supposes;
        False only where the import found that they are not.
    bias_pearson, bias_against, bias_n_words
        Correlation of bias and frequency, as the import found it, with what frequency was and over how
        many words.
    """

    model: str
    source: str
    spaces: tuple[str, ...]
    tied: bool | None
    coverages: tuple[Coverage, ...]
    linear: bool
    bias_pearson: float | None
    bias_against: str
    bias_n_words: int | None


def model_notes(summaries: Iterable[SpaceSummary], study: Mapping[str, Any]) -> list[ModelNote]:
    """What there is to say of the language models of a study, in the order of their spaces."""
    models = study.get("language_models") or {}
    by_model: dict[str, list[SpaceSummary]] = {}
    for summary in summaries:
        if summary.kind in SPACE_KINDS:
            section = study["spaces"].get(summary.name) or {}
            by_model.setdefault(str(section.get("model", "")), []).append(summary)
    notes = []
    for model, spaces in by_model.items():
        told = [space.provenance.get("tied") for space in spaces]
        biased = [s.provenance for s in spaces if s.provenance.get("bias_frequency_pearson") is not None]
        bias: Mapping[str, Any] = biased[0] if biased else {}
        note = ModelNote(
            model=model,
            source=SOURCES.get(str((models.get(model) or {}).get("kind", "")), ""),
            spaces=tuple(space.name for space in spaces),
            tied=next((bool(tied) for tied in told if tied is not None), None),
            coverages=tuple(
                Coverage(space.name, cases, int(space.provenance.get("n_words_sharing_a_token") or 0))
                for space in spaces
                if (cases := _cases(space.provenance))
            ),
            linear=all(space.provenance.get("logits_are_linear") is not False for space in spaces),
            bias_pearson=bias.get("bias_frequency_pearson"),
            bias_against=str(bias.get("bias_frequency_measured_against", "ln(count)")),
            bias_n_words=bias.get("bias_frequency_n_words"),
        )
        if note.source or note.tied is not None:
            notes.append(note)
    return notes


def _cases(provenance: Mapping[str, Any]) -> tuple[tuple[str, int], ...]:
    coverage = provenance.get("coverage")
    if not isinstance(coverage, Mapping):
        return ()
    known = [case for case in CASES if case in coverage]
    others = [case for case in coverage if case not in CASES]
    return tuple((CASES.get(case, case), int(coverage[case])) for case in (*known, *others))
