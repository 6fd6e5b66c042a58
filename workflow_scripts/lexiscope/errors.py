"""The one exception that a user is meant to read."""

from __future__ import annotations

from pathlib import Path


class LexiscopeError(Exception):
    """Bad input, told in one message: where it is, what is wrong, and how to mend it.

    Parameters
    ----------
    problem
        What is wrong, as a sentence without a full stop.
    where
        The file or configuration key at fault.
    line
        The 1-based line in that file.
    remedy
        What the user can do about it.
    """

    def __init__(
        self,
        problem: str,
        *,
        where: str | Path | None = None,
        line: int | None = None,
        remedy: str | None = None,
    ) -> None:
        self.problem = problem
        self.where = None if where is None else str(where)
        self.line = line
        self.remedy = remedy
        place = "" if where is None else f"{where}:{line}: " if line is not None else f"{where}: "
        hint = "" if remedy is None else f". {remedy[0].upper()}{remedy[1:]}"
        super().__init__(f"{place}{problem}{hint}")

    def __reduce__(self) -> tuple[object, ...]:
        # Keyword-only arguments do not survive the default pickling that worker processes use.
        return _rebuild, (self.problem, self.where, self.line, self.remedy)


def _rebuild(problem: str, where: str | None, line: int | None, remedy: str | None) -> LexiscopeError:
    return LexiscopeError(problem, where=where, line=line, remedy=remedy)
