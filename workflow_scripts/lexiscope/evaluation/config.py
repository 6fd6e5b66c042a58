"""How the evaluations are run: what the study file may set under ``protocol``."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from lexiscope.config.base import Section

OovPolicy = Literal["drop", "zero", "mean"]
CasingPolicy = Literal["as_is", "lower", "fallback"]


class ProtocolConfig(Section):
    """The choices that decide a score, made once for all spaces of a study.

    Attributes
    ----------
    oov
        What becomes of a word without a vector: ``drop`` leaves its pair out (Derby et al. 2020), ``zero``
        gives it the zero vector, ``mean`` the mean vector of the space. BrainBench always leaves missing
        words out, as that is how it is defined.
    casing
        How a test word is looked up: ``as_is``; ``lower``-cased (Derby et al. 2020); or ``fallback``: as it
        is, else lower-cased, else the most frequent word of the space that differs in case alone.
    n_bootstrap
        Resamples behind each confidence interval; 0 for no intervals.
    confidence
        Coverage that an interval aims at.
    seed
        Seed of the resamples. It is combined with the name of the dataset, never with that of the space,
        so all spaces are judged on the same resamples.
    """

    oov: OovPolicy = "drop"
    casing: CasingPolicy = "lower"
    n_bootstrap: int = Field(default=1000, ge=0, le=100_000)
    confidence: float = Field(default=0.95, gt=0, lt=1)
    seed: int = Field(default=1111, ge=0)

    def describe(self, *, oov: OovPolicy | None = None) -> str:
        """The protocol in one line, as it stands in each score; ``oov`` where the task has its own."""
        interval = (
            f"bootstrap={self.n_bootstrap} confidence={self.confidence:g} seed={self.seed}"
            if self.n_bootstrap
            else "bootstrap=none"
        )
        return f"oov={oov or self.oov} casing={self.casing} {interval}"
