"""What a study may say about a language model that is read, not trained."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from lexiscope.config.base import Section


class LM1BConfig(Section):
    """The released model of Jozefowicz et al. 2016, which Derby et al. 2020 look into.

    Attributes
    ----------
    path
        The folder with the released files; by default the data set ``lm_1b`` of the catalogue.
    """

    kind: Literal["lm_1b"]
    path: str | None = Field(default=None, min_length=1)


class HuggingFaceConfig(Section):
    """Any causal language model in the format of Hugging Face's transformers.

    Attributes
    ----------
    path
        A folder, or the name of a model on the hub. Weights must be safetensors; no code is run.
    revision
        Branch, tag or commit on the hub. Only a commit gives the same model for ever.
    tokens
        Which single token stands for a word: that of the word after a space, that of the bare word, or
        ``either``, the first of the two that exists.
    pieces
        A word of several tokens is dropped, or gets the ``mean`` of its pieces' vectors.
    """

    kind: Literal["huggingface"]
    path: str = Field(min_length=1)
    revision: str | None = None
    tokens: Literal["leading_space", "bare", "either"] = "either"
    pieces: Literal["drop", "mean"] = "drop"


class SoftmaxFileConfig(Section):
    """A softmax layer by itself, whatever trained it.

    Attributes
    ----------
    path
        An ``.npz`` or ``.safetensors`` file with the arrays ``weight`` (V × d), ``words`` (V) and, if there
        are any, ``bias`` (V) and ``count`` (V).
    """

    kind: Literal["softmax_file"]
    path: str = Field(min_length=1)
