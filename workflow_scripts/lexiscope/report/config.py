"""What a study may say about its report."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, PositiveInt, StringConstraints

from lexiscope.config.base import Section

Word = Annotated[str, StringConstraints(min_length=1)]


class NeighboursConfig(Section):
    """Which words are shown with their nearest neighbours.

    Attributes
    ----------
    words
        The words themselves; None chooses ``count`` of them, evenly spread over the frequency ranks of the
        words that the tasks ask for (of the whole lexicon where no task names words).
    count
        Number of words to choose.
    k
        Neighbours shown for each word and space.
    """

    words: list[Word] | None = None
    count: PositiveInt = Field(default=6, le=40)
    k: PositiveInt = Field(default=8, le=50)


class ReportConfig(Section):
    """The report of a study.

    Attributes
    ----------
    title
        Heading of the page; None uses the name of the study.
    neighbours
        The table of nearest neighbours.
    """

    title: str | None = None
    neighbours: NeighboursConfig = NeighboursConfig()
