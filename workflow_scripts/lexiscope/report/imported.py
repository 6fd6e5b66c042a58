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

SPACE_KINDS = ("lm_input", "lm_output")


@dataclass(frozen=True)
class Coverage:
    """How the words of a space were found among the tokens of its model: number of words by case."""

    space: str
    cases: tuple[tuple[str, int], ...]

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
    bias_pearson
        Correlation of bias and ln(count) over the whole vocabulary, as the import found it.
    """

    model: str
    source: str
    spaces: tuple[str, ...]
    tied: bool | None
    coverages: tuple[Coverage, ...]
    bias_pearson: float | None


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
        pearsons = [space.provenance.get("bias_frequency_pearson") for space in spaces]
        note = ModelNote(
            model=model,
            source=SOURCES.get(str((models.get(model) or {}).get("kind", "")), ""),
            spaces=tuple(space.name for space in spaces),
            tied=next((bool(tied) for tied in told if tied is not None), None),
            coverages=tuple(
                Coverage(space.name, cases) for space in spaces if (cases := _cases(space.provenance))
            ),
            bias_pearson=next((float(value) for value in pearsons if value is not None), None),
        )
        if note.source or note.tied is not None:
            notes.append(note)
    return notes


def _cases(provenance: Mapping[str, Any]) -> tuple[tuple[str, int], ...]:
    coverage = provenance.get("coverage")
    if not isinstance(coverage, Mapping):
        return ()
    return tuple(
        (str(case).replace("_", " "), count) for case, count in coverage.items() if isinstance(count, int)
    )
