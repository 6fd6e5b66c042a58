"""What every section of the study file has in common."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_]*$", max_length=64)]
"""A name a user gives to a corpus, model or space; it becomes a file name, a table key and a wildcard."""


class Section(BaseModel):
    """A section of the study file: frozen, unknown keys are errors, and numbers are finite."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=False, validate_default=True, allow_inf_nan=False
    )


def suggest(word: str, known: Iterable[str]) -> str | None:
    """What ``word`` was probably meant to be, as a question; else what is known, if that is short."""
    known = sorted(known)
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    if close:
        return f"did you mean {close[0]!r}?"
    return f"known: {', '.join(known)}" if 0 < len(known) <= 24 else None
