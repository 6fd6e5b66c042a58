"""How the evaluations are run: what the study file may set under ``protocol``."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from lexiscope.config.base import Section
from lexiscope.evaluation.classifiers.config import ClassifierConfig, ClassifierName, resolve_classifier

OovPolicy = Literal["skip", "zero", "mean"]
CasingPolicy = Literal["as_is", "lower", "fallback"]
VocabularyPolicy = Literal["own", "shared", "both"]


def _spell_skip(value: object) -> object:
    """``drop`` is another name for ``skip``."""
    return "skip" if value == "drop" else value


class ProtocolConfig(Section):
    """The choices that decide a score, made once for all spaces of a study.

    Attributes
    ----------
    oov
        What becomes of a word without a vector. ``skip`` leaves it out: its pair is not scored, and the
        mean of a sentence is that of its other words (as in SentEval's own example). ``zero`` gives it the
        zero vector, which counts in the mean of a sentence (Derby et al. 2020). ``mean`` gives it the mean
        vector of the space. BrainBench always leaves missing words out, as that is how it is defined.
    casing
        How a test word is looked up: ``as_is``; ``lower``-cased (Derby et al. 2020); or ``fallback``: as it
        is, else lower-cased, else the most frequent word of the space that differs in case alone.
    vocabulary
        The words each space is scored with: all its ``own``; those ``shared`` by all spaces of the study;
        or ``both``, the second only where it differs from the first.
    classifier
        How sentence classifiers are trained: the name of a preset, or a preset with changes, such as
        ``{preset: senteval_derby, n_hidden: 50}``.
    n_bootstrap
        Resamples behind each confidence interval; 0 for no intervals.
    confidence
        Coverage that an interval aims at.
    seed
        Seed of the resamples and of the classifiers. For the resamples it is combined with the name of the
        dataset, never with that of the space, so all spaces are judged on the same resamples.
    """

    oov: Annotated[OovPolicy, BeforeValidator(_spell_skip)] = "skip"
    casing: CasingPolicy = "lower"
    vocabulary: VocabularyPolicy = "own"
    classifier: ClassifierName | ClassifierConfig = "senteval_derby"
    n_bootstrap: int = Field(default=1000, ge=0, le=100_000)
    confidence: float = Field(default=0.95, gt=0, lt=1)
    seed: int = Field(default=1111, ge=0, lt=2**32)

    @property
    def classifier_settings(self) -> ClassifierConfig:
        """The classifier's settings, all spelt out."""
        return resolve_classifier(self.classifier)

    def describe(self, *, oov: OovPolicy | None = None, method: str = "") -> str:
        """The protocol in one line, as it stands in each score.

        Parameters
        ----------
        oov
            Where the task has its own.
        method
            How the task was solved where there are several ways, such as ``classifier=convex``; it comes
            first.
        """
        interval = (
            f"bootstrap={self.n_bootstrap} confidence={self.confidence:g} seed={self.seed}"
            if self.n_bootstrap
            else "bootstrap=none"
        )
        look_up = f"oov={oov or self.oov} casing={self.casing}{self.describe_vocabulary()}"
        return " ".join(part for part in (method, look_up, interval) if part)

    def describe_vocabulary(self) -> str:
        """What the description says of the vocabulary, which is nothing where it is each space's own."""
        return " vocabulary=shared" if self.vocabulary == "shared" else ""
