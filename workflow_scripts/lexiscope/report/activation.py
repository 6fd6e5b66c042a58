"""What the page says of activation maximisation: each space's objective, and how near its optimum it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lexiscope.embeddings.space import EmbeddingSpace

KIND = "activation_maximisation"
QUANTILES = (0.5, 0.95, 1.0)

OBJECTIVES = {"paper": "paper", "as_coded": "as coded", "exact": "exact"}
FORMS = {"log_probability": "log-probability", "probability": "probability"}


@dataclass(frozen=True)
class Activation:
    """One space that activation maximisation made.

    Attributes
    ----------
    of
        The output space whose softmax layer was explored.
    objective, form, l2, softmax_over, bias
        As in the settings of the space; ``form`` is ``log_probability`` where they name none.
    mean_objective
        Over the words; None where the space does not tell.
    gaps
        Median, 95 % quantile and maximum over the words of certificate / objective, the largest share of
        its objective that a word can still gain; None where there is no certificate.
    """

    space: str
    of: str
    objective: str
    form: str
    l2: float
    softmax_over: str
    bias: bool
    n_words: int
    device: str
    mean_objective: float | None
    gaps: tuple[float, float, float] | None

    @property
    def objective_label(self) -> str:
        """What was optimised and how, in words."""
        label = OBJECTIVES.get(self.objective, self.objective.replace("_", " "))
        form = "" if self.form == "log_probability" else f", {FORMS.get(self.form, self.form)}"
        return f"{label}{form}{'' if self.bias else ', without bias'}"

    @property
    def effective_l2(self) -> float:
        """The penalty that acts on a word; ``as_coded`` applies it once for every word of the table."""
        return self.l2 * self.n_words if self.objective == "as_coded" else self.l2


def summarise(name: str, space: EmbeddingSpace) -> Activation | None:
    """What the page says of a space; None if activation maximisation did not make it."""
    provenance = space.provenance
    if provenance.get("kind") != KIND:
        return None
    config = provenance.get("config") or {}
    objective = space.columns.get("objective")
    certificate = space.columns.get("certificate")
    gaps = None
    if objective is not None and certificate is not None and len(space):
        values = np.asarray(objective, dtype=np.float64)
        bounds = np.asarray(certificate, dtype=np.float64)
        # An objective of zero has no share; its certificate is zero too, or the share has no bound.
        shares = np.divide(bounds, values, out=np.where(bounds > 0, np.inf, 0.0), where=values > 0)
        low, middle, high = np.quantile(shares, QUANTILES, method="inverted_cdf")
        gaps = float(low), float(middle), float(high)
    return Activation(
        space=name,
        of=str(config.get("of", "")),
        objective=str(config.get("objective", "")),
        form=str(config.get("form") or "log_probability"),
        l2=float(config.get("l2", 0.0)),
        softmax_over=str(config.get("softmax_over") or "lexicon"),
        bias=bool(config.get("bias", True)),
        n_words=len(space),
        device=str(provenance.get("device", "")),
        mean_objective=float(np.mean(objective, dtype=np.float64))
        if objective is not None and len(space)
        else None,
        gaps=gaps,
    )


def against_exact(activation: Activation, others: Sequence[Activation]) -> float | None:
    """A space's mean objective over that of an exact solution of the same problem; None without one."""
    if activation.objective == "exact" or activation.mean_objective is None:
        return None
    problem = _problem(activation)
    for other in others:
        if other.objective == "exact" and _problem(other) == problem and other.mean_objective:
            return activation.mean_objective / other.mean_objective
    return None


def _problem(activation: Activation) -> tuple[object, ...]:
    return (
        activation.of,
        activation.form,
        activation.l2,
        activation.softmax_over,
        activation.bias,
        activation.n_words,
    )
