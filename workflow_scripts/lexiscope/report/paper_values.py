"""The numbers printed in the papers, to stand beside ours for the same cell.

``reference/paper_values.csv`` holds them in long form as printed: accuracies in per cent, some correlations
a hundredfold. Here they are on the scale of the scores. Values that were read off a figure carry the
``reading_error`` they may be wrong by; printed ones carry 0.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import IO

PAPERS = {
    "derby2020": "Derby, Miller & Devereux (2020)",
    "verwimp2019": "Verwimp & Bellegarda (2019)",
}
"""How each paper is cited in running text."""

TABLES = {
    "table1": "Table 1",
    "table2": "Table 2",
    "table3": "Table 3",
    "table4": "Table 4",
    "verwimp_table1": "Table 1",
    "figure1": "Figure 1",
    "figure2": "Figure 2",
    "appendix_figure1": "Appendix, Figure 1",
    "appendix_table1": "Appendix, Table 1",
    "introduction": "Introduction",
}
"""How each place in a paper is called in running text."""

MODEL_OF_KIND = {
    "word2vec": "word2vec",
    "glove": "glove",
    "fasttext": "fasttext",
    "lm_input": "input",
    "lm_output": "output",
    "activation_maximisation": "am",
}
"""The name that Derby et al. (2020) give to each kind of space; other kinds are not in the papers."""

MODEL_OF_ROLE = {
    "no_embeddings": "none",
    "word2vec_in_domain": "word2vec_superset_5b",
    "word2vec_out_of_domain": "word2vec_google_news_100b",
    "domain_classifier_paragraphs": "domain_classifier_7m_paragraphs",
    "domain_classifier_sentences": "domain_classifier_7m_sentences",
    "bidirectional_lm": "bilm_10m_sentences",
}
"""What in Verwimp & Bellegarda (2019) comes nearest to the role that a space plays in their claims."""

PERCENT = ("accuracy", "f1")
TIMES_100 = "_x100"
"""The metrics that are printed in per cent, and the ending of those printed a hundredfold."""

SPLITS = {"figure1": "mean"}
"""The split of ours that a place of the papers shows, where it is not the one the table of values names."""

ALL_POSITIVE = {("mrpc", "accuracy", 66.49), ("mrpc", "f1", 79.87)}
"""What a classifier gets on MRPC that calls every pair a paraphrase, as printed for three spaces."""


@dataclass(frozen=True)
class PaperValue:
    """One number from a paper on the scale of the scores, and by how much its reading may be off.

    ``constant`` marks what is the score of giving every item the same answer.
    """

    paper: str
    table: str
    model: str
    dataset: str
    metric: str
    split: str
    value: float
    reading_error: float
    note: str
    constant: bool = False


def read_paper_values(stream: IO[str]) -> list[PaperValue]:
    """Read the table; a row with a missing or malformed number raises ValueError."""
    return [_on_our_scale(row) for row in csv.DictReader(stream)]


def _on_our_scale(row: dict[str, str]) -> PaperValue:
    metric, printed, error = row["metric"], float(row["value"]), float(row["reading_error"])
    divisor = 100 if metric in PERCENT or metric.endswith(TIMES_100) else 1
    return PaperValue(
        paper=row["paper"],
        table=row["table"],
        model=row["model"],
        dataset=row["dataset"],
        metric=metric.removesuffix(TIMES_100),
        split=SPLITS.get(row["table"], row["split"]),
        value=round(printed / divisor, 6),
        reading_error=round(error / divisor, 6),
        note=row["note"],
        constant=(row["dataset"], metric, printed) in ALL_POSITIVE,
    )


@cache
def paper_values() -> tuple[PaperValue, ...]:
    """All the values that come with Lexiscope."""
    source = files("lexiscope.report").joinpath("reference/paper_values.csv")
    with source.open(encoding="utf-8") as stream:
        return tuple(read_paper_values(stream))


def find_paper_value(
    *,
    kind: str,
    dataset: str,
    metric: str,
    split: str,
    role: str = "",
    values: Iterable[PaperValue] | None = None,
) -> PaperValue | None:
    """The value that a paper prints for such a space, or None where there is none.

    Derby et al. (2020) go by the kind of space, Verwimp & Bellegarda (2019) by the role that it plays in
    their claims.
    """
    models = {("derby2020", MODEL_OF_KIND.get(kind)), ("verwimp2019", MODEL_OF_ROLE.get(role))}
    for value in paper_values() if values is None else values:
        if (value.paper, value.model) in models and (value.dataset, value.metric, value.split) == (
            dataset, metric, split,
        ):  # fmt: skip
            return value
    return None


def paper_bias_correlation() -> PaperValue:
    """Pearson's r of the softmax bias against ln(count) (Derby et al. 2020, appendix, figure 1)."""
    return next(value for value in paper_values() if value.dataset == "bias_vs_log_count")


def paper_bias_regression(predictors: str) -> PaperValue | None:
    """Error of a linear regression of the bias on test words (Derby et al. 2020, appendix, table 1).

    >>> paper_bias_regression("output + am").value, paper_bias_regression("mean")
    (0.182, None)
    """
    model = predictors.replace(" ", "")
    for value in paper_values():
        if (value.dataset, value.model, value.split) == ("bias_regression", model, "test"):
            return value
    return None
