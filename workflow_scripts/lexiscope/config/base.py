"""What every section of the study file has in common."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_]*$", max_length=64)]
"""A name a user gives to a corpus, model or space; it becomes a file name, a table key and a wildcard."""


class Section(BaseModel):
    """A section of the study file: frozen, unknown keys are errors, and numbers are finite."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=False, validate_default=True, allow_inf_nan=False
    )


class SeededSection(Section):
    """Something that is drawn or trained with a seed: once, or several times to see how much that matters.

    Attributes
    ----------
    seed
        By default the study's.
    seeds
        Several seeds: the thing is made once with each, and scores tell the spread between them.
    """

    seed: int | None = Field(None, ge=0, lt=2**31)
    seeds: tuple[Annotated[int, Field(ge=0, lt=2**31)], ...] = ()

    @model_validator(mode="after")
    def _one_or_several(self) -> Self:
        if self.seeds and self.seed is not None:
            raise ValueError("give either 'seed' or 'seeds'")
        if len(set(self.seeds)) < len(self.seeds):
            raise ValueError("seeds has a value twice")
        return self

    def settings(self) -> dict[str, Any]:
        """All but the seeds, as a space's provenance has it; the seed in use stands there by itself."""
        return self.model_dump(mode="json", exclude={"seed", "seeds"})


def suggest(word: str, known: Iterable[str]) -> str | None:
    """What ``word`` was probably meant to be, as a question; else what is known, if that is short."""
    known = sorted(known)
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    if close:
        return f"did you mean {close[0]!r}?"
    return f"known: {', '.join(known)}" if 0 < len(known) <= 24 else None
