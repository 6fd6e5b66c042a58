"""The rank probe: where the words of a passage stand in the rankings of language models."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import altair as alt

from lexiscope.errors import LexiscopeError
from lexiscope.files import read_json
from lexiscope.report import formats
from lexiscope.report.drawing import WIDE, Chart, draw, family_colour, log_axis, log_scale

MAX_WORDS = 30
"""Words drawn; the table has all."""

ROW_HEIGHT, WORD_HEIGHT = 24, 17


@dataclass(frozen=True)
class Ranked:
    """The models of one space, means over their seeds.

    Attributes
    ----------
    ranks
        Geometric mean of the ranks of each word over the seeds.
    mean, ci_low, ci_high
        Geometric mean over the words, with its interval.
    ratio, ratio_low, ratio_high
        The same as a share of that without pre-trained vectors; None for these themselves.
    """

    dataset: str
    space: str
    n_seeds: int
    ranks: tuple[float, ...]
    mean: float
    ci_low: float | None
    ci_high: float | None
    ratio: float | None
    ratio_low: float | None
    ratio_high: float | None

    @property
    def label(self) -> str:
        """The space, and what its model has."""
        return f"{self.space}, compressed" if self.dataset.endswith("_compressed") else self.space


@dataclass(frozen=True)
class RankProbe:
    """One passage under all models.

    Attributes
    ----------
    source
        Where the passage is from: ``own``, ``corpus`` or ``file``.
    sentences
        For each sentence its tokens, each with whether it was ranked.
    words
        What was ranked, in the order of the passage; the second of two equal words has a number.
    unknown
        What was to be ranked and is not in the vocabulary.
    """

    vocabulary_size: int
    source: str
    sentences: tuple[tuple[tuple[str, bool], ...], ...]
    words: tuple[str, ...]
    unknown: tuple[str, ...]
    spaces: tuple[Ranked, ...]
    summary: Chart
    chart: Chart

    @property
    def n_drawn(self) -> int:
        """Words in the second chart."""
        return min(MAX_WORDS, len(self.words))

    @property
    def has_none(self) -> bool:
        """Whether one of the models has no pre-trained vectors."""
        return any(formats.is_stand_in(space.space) for space in self.spaces)

    def is_best(self, space: Ranked, number: int) -> bool:
        """Whether no model puts a word nearer the top."""
        return space.ranks[number] == min(other.ranks[number] for other in self.spaces)


def read_rank_probe(path: Path, kinds: Mapping[str, str], number: int = 1) -> RankProbe:
    """A rank probe with its charts; ``number`` keeps several apart on the page.

    Raises
    ------
    LexiscopeError
        If the file is missing or is not a rank probe.
    """
    content = read_json(path)
    try:
        ranked = {(place["sentence"], place["position"]) for place in content["places"]}
        words = _numbered([str(place["word"]) for place in content["places"]])
        spaces = [_ranked(space) for space in content["spaces"]]
        if not spaces or not words or any(len(space.ranks) != len(words) for space in spaces):
            raise ValueError("ranks and places do not match")
        sentences = tuple(
            tuple((str(token), (row, column) in ranked) for column, token in enumerate(sentence, 1))
            for row, sentence in enumerate(content["sentences"], 1)
        )
        unknown = tuple(dict.fromkeys(str(place["token"]) for place in content["unknown"]))
        size, source = int(content["vocabulary_size"]), str(content["source"])
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise LexiscopeError(f"not a rank probe ({error!r})", where=path) from None
    order = list(kinds)
    spaces.sort(key=lambda space: order.index(space.space) if space.space in kinds else -1)
    return RankProbe(
        vocabulary_size=size,
        source=source,
        sentences=sentences,
        words=words,
        unknown=unknown,
        spaces=tuple(spaces),
        summary=_summary(spaces, kinds, number),
        chart=_words_chart(spaces, words, kinds, number),
    )


def _ranked(content: Mapping[str, Any]) -> Ranked:
    against: Mapping[str, Any] = content["against_none"] or {}
    return Ranked(
        dataset=str(content["dataset"]),
        space=str(content["space"]),
        n_seeds=len(content["seeds"]),
        ranks=tuple(round(math.exp(value), 2) for value in content["mean_log_ranks"]),
        mean=float(content["geometric_mean_rank"]),
        ci_low=_exp(content["ci_low"]),
        ci_high=_exp(content["ci_high"]),
        ratio=_exp(against.get("difference")),
        ratio_low=_exp(against.get("ci_low")),
        ratio_high=_exp(against.get("ci_high")),
    )


def _exp(value: float | None) -> float | None:
    return None if value is None else math.exp(value)


def _numbered(words: Sequence[str]) -> tuple[str, ...]:
    """Each word once.

    >>> _numbered(["storm", "sea", "storm"])
    ('storm', 'sea', 'storm (2)')
    """
    seen: Counter[str] = Counter()
    found = []
    for word in words:
        seen[word] += 1
        found.append(word if seen[word] == 1 else f"{word} ({seen[word]})")
    return tuple(found)


def _colour(space: Ranked, kinds: Mapping[str, str]) -> str:
    return family_colour(formats.family(kinds.get(space.space) or space.space))


def _summary(spaces: Sequence[Ranked], kinds: Mapping[str, str], number: int) -> Chart:
    """A dot a space, at the geometric mean of the ranks."""
    data = [
        {
            "space": space.label,
            "rank": round(space.mean, 3),
            "low": round(space.mean if space.ci_low is None else space.ci_low, 3),
            "high": round(space.mean if space.ci_high is None else space.ci_high, 3),
            "colour": _colour(space, kinds),
        }
        for space in spaces
    ]
    low = min(float(str(datum["low"])) for datum in data)
    high = max(float(str(datum["high"])) for datum in data)
    scale, axis = log_scale(low, high), log_axis(low, high, labelOverlap=True)
    y = alt.Y("space:N", sort=[space.label for space in spaces], title=None)
    colour = alt.Color("colour:N", scale=None, legend=None)
    base = alt.Chart(alt.InlineData(values=data)).encode(y=y, color=colour)
    tooltip = [
        alt.Tooltip("space:N"),
        alt.Tooltip("rank:Q", title="geometric mean rank", format=",.0f"),
        alt.Tooltip("low:Q", title="from", format=",.0f"),
        alt.Tooltip("high:Q", title="to", format=",.0f"),
    ]
    title = "geometric mean rank, lower is better"
    x = alt.X("rank:Q", scale=scale, axis=axis, title=title)
    chart = alt.layer(
        base.mark_rule(strokeWidth=2, opacity=0.55).encode(
            x=alt.X("low:Q", scale=scale, axis=axis, title=title), x2="high:Q"
        ),
        base.mark_point(size=70, filled=True, opacity=1).encode(x=x, tooltip=tooltip),
    ).properties(height=ROW_HEIGHT * len(spaces))
    told = "; ".join(f"{space.label} {formats.number(space.mean)}" for space in spaces)
    return draw(
        anchor=f"ranks-{number}",
        title="Mean over the words",
        chart=chart,
        width=WIDE,
        description=f"Geometric mean of the ranks under each model, lower is better: {told}.",
    )


def _words_chart(
    spaces: Sequence[Ranked], words: Sequence[str], kinds: Mapping[str, str], number: int
) -> Chart:
    """The words on whose rank the models differ most, a dot a model, in the order of the passage."""

    def spread(place: int) -> float:
        ranks = [space.ranks[place] for space in spaces]
        return max(ranks) / min(ranks)

    most = sorted(range(len(words)), key=spread, reverse=True)[:MAX_WORDS]
    shown = [words[place] for place in sorted(most)]
    data = [
        {
            "word": words[place],
            "rank": space.ranks[place],
            "space": space.label,
            "colour": _colour(space, kinds),
            "fill": "var(--surface)" if formats.is_stand_in(space.space) else _colour(space, kinds),
        }
        for place in sorted(most)
        for space in spaces
    ]
    ranks = [float(str(datum["rank"])) for datum in data]
    low, high = min(ranks), max(ranks)
    y = alt.Y("word:N", sort=shown, title=None)
    base = alt.Chart(alt.InlineData(values=data)).encode(
        x=alt.X(
            "rank:Q",
            scale=log_scale(low, high),
            axis=log_axis(low, high, labelOverlap=True),
            title="rank, 1 is the most likely word",
        ),
        y=y,
    )
    chart = alt.layer(
        base.mark_line(color="var(--line)", strokeWidth=2).encode(detail="word:N"),
        base.mark_point(filled=True, size=42, opacity=0.9, strokeWidth=1.3).encode(
            fill=alt.Fill("fill:N", scale=None, legend=None),
            stroke=alt.Stroke("colour:N", scale=None, legend=None),
            tooltip=[
                alt.Tooltip("word:N"),
                alt.Tooltip("space:N"),
                alt.Tooltip("rank:Q", format=",.0f"),
            ],
        ),
    ).properties(height=WORD_HEIGHT * len(shown))
    return draw(
        anchor=f"word-ranks-{number}",
        title="Word by word",
        chart=chart,
        width=WIDE,
        description=f"Ranks of {len(shown)} words under each model; the table below has the numbers.",
    )
