"""The λ path: how each score moves along the weight of the penalty of activation maximisation.

The papers' λ, what the released code makes of it, and the limit in which activation maximisation is nothing
but centred output embeddings stand in one figure a task.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lexiscope.errors import LexiscopeError
from lexiscope.evaluation.scores import Score
from lexiscope.files import read_json
from lexiscope.report.activation import KIND
from lexiscope.report.cells import Column
from lexiscope.report.tables import POINT, own_scores, score_tables
from lexiscope.report.task_order import is_summary

PAPER_L2 = 1e-5
"""λ of Derby et al. (2020)."""


@dataclass(frozen=True)
class L2Path:
    """Exact solutions over a grid of λ.

    Attributes
    ----------
    of
        The output space.
    l2, objective, gap, passes
        For each solution: its λ, the mean objective, the largest certificate / objective of a word, and
        how often the softmax matrix was gone through; None where the run does not tell.
    n_words
        How many words have a vector.
    """

    name: str
    of: str
    l2: tuple[float, ...]
    objective: tuple[float | None, ...]
    gap: tuple[float | None, ...]
    passes: tuple[float | None, ...]
    n_words: int

    @property
    def rows(self) -> list[tuple[float, float | None, float | None, float | None]]:
        """λ, objective, gap and passes of each solution."""
        return list(zip(self.l2, self.objective, self.gap, self.passes, strict=True))

    @property
    def spaces(self) -> list[str]:
        """What each solution is called in the scores."""
        return [f"{self.name}{POINT}{l2:g}" for l2 in self.l2]


@dataclass(frozen=True)
class AdamPoint:
    """A space that Adam made, where it stands on the axis of λ."""

    space: str
    objective: str
    l2: float


@dataclass(frozen=True)
class Landmarks:
    """What the study has beside a path, of the same output space.

    Attributes
    ----------
    output
        The output space.
    centred
        A control that is centred by frequency, None where the study has none. By the softmax of the bias
        rather than by counts, where it has both: that is the limit itself.
    as_coded_l2
        The λ that the released program is given, in the study's own space of that kind if it has one.
    effective_l2
        That times the number of words: what acts on each word.
    points
        The spaces that Adam made.
    """

    output: str
    centred: str | None
    as_coded_l2: float
    effective_l2: float
    points: tuple[AdamPoint, ...]

    @property
    def levels(self) -> list[tuple[str, str]]:
        """What each space is that does not depend on λ, and its name."""
        found = (("output", self.output), ("centred", self.centred))
        return [(role, name) for role, name in found if name is not None]


@dataclass(frozen=True)
class TaskPath:
    """One task along a path.

    Attributes
    ----------
    scores
        At each λ of the path; None where that solution was not scored.
    references
        Scores of the spaces that the landmarks name, those that have one.
    """

    column: Column
    scores: tuple[Score | None, ...]
    references: Mapping[str, Score]


def read_path(name: str, folder: Path) -> L2Path:
    """A λ path, from the file ``path.json`` in its folder.

    Raises
    ------
    LexiscopeError
        If the file is missing or is not what it should be.
    """
    path = folder / "path.json"
    content = read_json(path)
    try:
        l2 = tuple(float(value) for value in content["l2"])
        found = L2Path(
            name=name,
            of=str(content["of"]),
            l2=l2,
            objective=_numbers(content, "objective", len(l2)),
            gap=_numbers(content, "gap", len(l2)),
            passes=_numbers(content, "passes", len(l2)),
            n_words=int(content["n_words"]),
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise LexiscopeError(f"not a λ path ({error!r})", where=path) from None
    if not l2 or any(value <= 0 for value in l2) or sorted(set(l2)) != list(l2):
        raise LexiscopeError("the λ of a path must be positive and ascend", where=path)
    return found


def _numbers(content: Mapping[str, Any], key: str, length: int) -> tuple[float | None, ...]:
    values = content.get(key)
    if values is None:
        return (None,) * length
    if len(values) != length:
        raise ValueError(f"{len(values)} values of {key} for {length} of l2")
    return tuple(None if value is None else float(value) for value in values)


def landmarks(path: L2Path, spaces: Mapping[str, Mapping[str, Any]]) -> Landmarks:
    """What the study has beside a path.

    Parameters
    ----------
    path
        The path.
    spaces
        The section ``spaces`` of the study.
    """
    same = {name: section for name, section in spaces.items() if section.get("of") == path.of}
    adam = [
        (name, str(section.get("objective")), float(section.get("l2", PAPER_L2)))
        for name, section in same.items()
        if section.get("kind") == KIND and section.get("objective") in ("paper", "as_coded")
    ]
    as_coded_l2 = next((l2 for _, objective, l2 in adam if objective == "as_coded" and l2 > 0), PAPER_L2)
    weights = {
        section.get("weights"): name
        for name, section in reversed(same.items())
        if section.get("kind") == "centred"
    }
    return Landmarks(
        output=path.of,
        centred=weights.get("bias") or weights.get("count"),
        as_coded_l2=as_coded_l2,
        effective_l2=as_coded_l2 * path.n_words,
        points=tuple(
            AdamPoint(name, objective, l2 * path.n_words if objective == "as_coded" else l2)
            for name, objective, l2 in adam
            if l2 > 0  # no penalty has no place on a logarithmic axis
        ),
    )


def task_paths(path: L2Path, marks: Landmarks, scores: Iterable[Score]) -> list[TaskPath]:
    """The tasks along a path in the order of the papers.

    A task that none of the solutions has a score on is left out.
    """
    of_test = own_scores([score for score in scores if is_summary(score)])
    names = set(path.spaces)
    on_path = [score for score in of_test if score.space in names]
    others = {name: _by_task(of_test, name) for name in _named(marks)}
    points = [_by_task(on_path, name) for name in path.spaces]
    columns = [column for table in score_tables(on_path, {}) for column in table.columns]
    tasks = [_task(column, points, others) for column in columns]
    return [task for task in tasks if any(score and score.value is not None for score in task.scores)]


def _named(marks: Landmarks) -> list[str]:
    return [*(name for _, name in marks.levels), *(point.space for point in marks.points)]


def _by_task(scores: Sequence[Score], space: str) -> dict[tuple[str, str], Score]:
    """A space's scores by dataset and metric; of several seeds the first."""
    return {(score.dataset, score.metric): score for score in reversed(scores) if score.space == space}


def _task(
    column: Column,
    points: Sequence[Mapping[tuple[str, str], Score]],
    others: Mapping[str, Mapping[tuple[str, str], Score]],
) -> TaskPath:
    key = column.dataset, column.metric
    references = {name: scores[key] for name, scores in others.items() if key in scores}
    return TaskPath(
        column=column,
        scores=tuple(scores.get(key) for scores in points),
        references={name: score for name, score in references.items() if score.value is not None},
    )
