"""How numbers and names are written in the report."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, NamedTuple

MISSING = "–"


class Shown(NamedTuple):
    """How the papers print a metric: its label, its decimals, and what a score is multiplied by."""

    label: str
    decimals: int
    factor: float = 1.0


METRICS = {
    "spearman": Shown("Spearman ρ", 3),
    "pearson": Shown("Pearson r", 3),
    "two_vs_two_accuracy": Shown("2 vs 2 accuracy", 3),
    "accuracy": Shown("accuracy, %", 2, 100),
    "f1": Shown("F1, %", 2, 100),
    "pearson_x100": Shown("Pearson × 100", 2, 100),
    "spearman_x100": Shown("Spearman × 100", 2, 100),
    "perplexity": Shown("perplexity", 1),
    "mse": Shown("mean squared error", 3),
}
"""The ways in which scores are shown. Correlations have two of them: see `task_order.Place.shown_as`."""

KINDS = {
    "word2vec": "word2vec",
    "glove": "GloVe",
    "fasttext": "fastText",
    "lm_input": "input embeddings of a language model",
    "lm_output": "output embeddings of a language model",
    "activation_maximisation": "activation maximisation",
    "file": "imported vectors",
    "random": "random vectors",
    "centred": "centred vectors",
    "all_but_the_top": "all but the top components",
    "pca": "principal components",
    "domain_classifier": "averaged states of a domain classifier",
    "bilm": "averaged states of a bi-LSTM language model",
    "(none)": "no pre-trained vectors",
    "(untied)": "trained tables",
    "(tied)": "one trained table",
    "(kneser-ney 5)": "5-gram",
}

SHORT_KINDS = {
    "lm_input": "model input",
    "lm_output": "model output",
    "activation_maximisation": "activation max.",
    "file": "imported",
    "random": "random",
    "centred": "centred",
    "all_but_the_top": "all but the top",
    "pca": "PCA",
    "domain_classifier": "domain classifier",
    "bilm": "bi-LSTM model",
}
"""Kinds as they fit under a name in the first column of a table."""

FAMILIES = {
    "word2vec": "distributional",
    "glove": "distributional",
    "fasttext": "distributional",
    "lm_input": "language model",
    "lm_output": "language model",
    "activation_maximisation": "language model",
    "file": "imported",
    "random": "control",
    "centred": "control",
    "all_but_the_top": "control",
    "pca": "control",
    "domain_classifier": "classifier",
    "bilm": "language model",
}
"""What a space is by origin: the comparison that the colours show."""


def is_stand_in(name: str) -> bool:
    """Whether what stands in the place of a space is a model without one, such as ``(none)``."""
    return name.startswith("(")


def anchor(text: str) -> str:
    """A name that can stand in an address, an id and a file name.

    >>> anchor("scores-a task/é")
    'scores-a-task-'
    """
    return re.sub(r"[^A-Za-z0-9_-]+", "-", text)


def shown(metric: str) -> Shown:
    """How a metric is printed; three decimals for one that is not known."""
    return METRICS.get(metric) or Shown(metric.replace("_", " "), 3)


def metric_label(metric: str) -> str:
    """A metric's name in a heading."""
    return shown(metric).label


def scaled(value: float | None, metric: str) -> float | None:
    """A score as it is printed, not yet rounded.

    >>> scaled(0.25, "accuracy"), scaled(0.25, "pearson"), scaled(None, "accuracy")
    (25.0, 0.25, None)
    """
    return None if value is None else value * shown(metric).factor


def kind_label(kind: str) -> str:
    """A kind of space in words."""
    return KINDS.get(kind, kind.replace("_", " "))


def short_kind_label(kind: str) -> str:
    """A kind of space in two words."""
    return SHORT_KINDS.get(kind, kind_label(kind))


def family(kind: str) -> str:
    """The family of a kind of space; models without one, as ``(none)``, are a kind of their own."""
    return "control" if is_stand_in(kind) else FAMILIES.get(kind, "imported")


def space_label(kind: str, section: Mapping[str, Any]) -> str:
    """What a space is in words, with the space that it was made from.

    >>> space_label("centred", {"of": "output", "weights": "count"})
    'output, centred by its mean with words weighted by count'
    >>> space_label("pca", {"of": "output", "dim": 100})
    'first 100 principal components of output'
    >>> space_label("glove", {"corpus": "news"})
    'GloVe'
    """
    of = section.get("of")
    if kind == "centred" and of:
        weights = {
            "uniform": "all words alike",
            "count": "words weighted by count",
            "bias": "words weighted by the softmax of the bias",
        }
        weight = str(section.get("weights", "uniform"))
        return f"{of}, centred by its mean with {weights.get(weight, weight)}"
    if kind == "all_but_the_top" and of:
        components = section.get("components")
        number = "" if components is None else f"{components} "
        return f"{of}, centred and without its {number}strongest components"
    if kind == "pca" and of:
        return f"first {section.get('dim', '')} principal components of {of}"
    if kind == "random" and section.get("like"):
        return f"random vectors with the words and norms of {section['like']}"
    if kind in ("lm_input", "lm_output") and section.get("model"):
        return f"{'input' if kind == 'lm_input' else 'output'} embeddings of {section['model']}"
    if kind == "activation_maximisation" and of:
        return f"activation maximisation of {of}"
    return kind_label(kind)


def general(value: float) -> str:
    """A number of any magnitude, briefly.

    >>> general(1e-5), general(0.2), general(0.00031623), general(0.0), general(1234.5)
    ('1e−5', '0.2', '3.16e−4', '0', '1,234')
    """
    if value and (abs(value) < 1e-3 or abs(value) >= 1e6):
        mantissa, exponent = f"{value:.2e}".split("e")
        text = f"{mantissa.rstrip('0').rstrip('.')}e{int(exponent)}"
    else:
        text = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return text.replace("-", "−")


def portion(value: float | None) -> str:
    """A share, as a bound on an error has it, in per cent.

    >>> portion(0.00421), portion(0.9), portion(21.43), portion(3e-9), portion(None)
    ('0.42 %', '90 %', 'over 100 %', 'under 0.001 %', '–')
    """
    if value is None or value != value:
        return MISSING
    if value > 1:
        return "over 100 %"
    return "under 0.001 %" if 0 < value < 1e-5 else f"{100 * value:.2g} %"


def score(value: float | None, metric: str) -> str:
    """A score as the papers print it.

    >>> score(-0.0412, "spearman"), score(0.66493, "accuracy")
    ('−0.041', '66.49')
    """
    return number(scaled(value, metric), shown(metric).decimals)


def number(value: float | None, decimals: int = 0) -> str:
    """A number with thousands separated and a real minus sign; a dash where there is none.

    >>> number(12345.6), number(-0.0001, 2), number(None)
    ('12,346', '0.00', '–')
    """
    if value is None or value != value:
        return MISSING
    text = f"{value:,.{decimals}f}"
    if text.startswith("-"):
        text = text[1:] if not text.strip("-0.,") else f"−{text[1:]}"
    return text


def signed(value: float | None, decimals: int) -> str:
    """A difference with its sign; 0 has none.

    >>> signed(0.312, 2), signed(-12.34, 1), signed(0.001, 2), signed(None, 1)
    ('+0.31', '−12.3', '0.00', '–')
    """
    text = number(value, decimals)
    return f"+{text}" if value is not None and value > 0 and text.strip("0.,") else text


def interval(low: float | None, high: float | None, metric: str) -> str:
    """An interval in brackets with one decimal less than the score; empty where there is none.

    >>> interval(0.7071, 0.8194, "spearman")
    '[0.71, 0.82]'
    """
    if low is None or high is None:
        return ""
    decimals = max(shown(metric).decimals - 1, 0)
    return f"[{number(scaled(low, metric), decimals)}, {number(scaled(high, metric), decimals)}]"


def duration(seconds: float | None) -> str:
    """A length of time in the units a person would use.

    >>> duration(0.34), duration(42), duration(605), duration(86_400 + 7_320)
    ('0.3 s', '42 s', '10 min 5 s', '26 h 2 min')
    """
    if seconds is None:
        return MISSING
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = timedelta(seconds=round(seconds))
    minutes, rest = divmod(int(whole.total_seconds()), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if minutes else f"{rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min"


def share(part: int, whole: int) -> str:
    """A part of a whole in per cent; a dash where there is no whole.

    >>> share(6, 518_689), share(1, 4), share(0, 0)
    ('0.0012 %', '25 %', '–')
    """
    return f"{100 * part / whole:.2g} %" if whole else MISSING


def size(count: float | None) -> str:
    """A number of bytes.

    >>> size(812), size(2_500_000)
    ('812 B', '2.5 MB')
    """
    if count is None:
        return MISSING
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000 or unit == "GB":
            break
        count /= 1000
    return f"{count:.0f} {unit}" if unit == "B" else f"{count:,.1f} {unit}"
