"""Domains of documents: how they came about round by round, what they are, and a map of them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import altair as alt

from lexiscope.errors import LexiscopeError
from lexiscope.files import read_json
from lexiscope.report import formats
from lexiscope.report.drawing import WIDE, Chart, draw

COLOURS = 8
"""Domains beyond so many share colours: a map tells them by their names as well."""

MAX_POINTS = 700
"""Documents drawn; more would weigh a lot and show nothing else."""

HEIGHT = 420


@dataclass(frozen=True)
class RoundDomain:
    """A domain in one round."""

    id: int
    size: int
    confident: int
    terms: tuple[str, ...]


@dataclass(frozen=True)
class Round:
    """One round of labelling; None stands for what is not defined."""

    number: int
    documents: int
    confident: int
    stability: float | None
    silhouette: float | None
    nmi: float | None
    confident_nmi: float | None
    domains: tuple[RoundDomain, ...]

    @property
    def sizes(self) -> str:
        """Documents of each domain."""
        return ", ".join(formats.number(domain.size) for domain in self.domains)


@dataclass(frozen=True)
class Domain:
    """A domain of the labelled text.

    Attributes
    ----------
    topics
        The most frequent true topics of its documents, with how many have them.
    tokens
        Of each part of the labelled text.
    """

    id: int
    name: str
    size: int
    confident: int
    terms: tuple[str, ...]
    topics: tuple[tuple[str, int], ...]
    tokens: tuple[tuple[str, int], ...]

    @property
    def colour(self) -> str:
        """The CSS variable of its colour."""
        return _colour(self.id)


@dataclass(frozen=True)
class Domains:
    """The domains of one collection of documents."""

    name: str
    source: str
    n_read: int
    stable: bool
    rounds: tuple[Round, ...]
    domains: tuple[Domain, ...]
    chart: Chart | None
    n_mapped: int

    @property
    def has_topics(self) -> bool:
        """Whether the documents have true topics."""
        return any(found.nmi is not None for found in self.rounds)


def _colour(domain: int) -> str:
    return f"var(--domain-{domain % COLOURS})"


def read_domains(name: str, folder: Path) -> Domains:
    """The domains of a labelled set, with their map.

    Raises
    ------
    LexiscopeError
        If a file of the folder is missing or is not what it should be.
    """
    where = folder / "domains.json"
    try:
        content = read_json(where)
        domains = tuple(_domain(row) for row in content["domains"])
        source = str(content["source"]["dataset"] or ", ".join(map(str, content["source"]["files"])))
        n_read, stable = int(content["documents"]["used_documents"]), bool(content["stable"])
        where = folder / "iterations.json"
        rounds = tuple(_round(row) for row in read_json(where))
        where = folder / "map.json"
        chart, n_mapped = _map(name, read_json(where), domains)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise LexiscopeError(f"not of a set of domains ({error!r})", where=where) from None
    return Domains(name, source, n_read, stable, rounds, domains, chart, n_mapped)


def _round(row: Mapping[str, Any]) -> Round:
    return Round(
        number=int(row["iteration"]),
        documents=int(row["documents"]),
        confident=int(row["confident_documents"]),
        stability=row["stability"],
        silhouette=row["silhouette"],
        nmi=row["nmi"],
        confident_nmi=row["confident_nmi"],
        domains=tuple(
            RoundDomain(
                int(domain["id"]),
                int(domain["size"]),
                int(domain["confident_size"]),
                tuple(map(str, domain["top_terms"])),
            )
            for domain in row["domains"]
        ),
    )


def _domain(row: Mapping[str, Any]) -> Domain:
    return Domain(
        id=int(row["id"]),
        name=str(row["name"]),
        size=int(row["size"]),
        confident=int(row["confident_size"]),
        terms=tuple(map(str, row["top_terms"])),
        topics=tuple(
            sorted(
                ((str(topic), int(count)) for topic, count in row["topics"].items()), key=lambda t: -t[1]
            )
        ),
        tokens=tuple((split, int(row["parts"][split]["tokens"])) for split in ("train", "valid", "test")),
    )


def _map(name: str, content: Mapping[str, Any], domains: tuple[Domain, ...]) -> tuple[Chart | None, int]:
    """The map of the latent space, and how many documents it shows."""
    found = content["documents"]
    rows = list(zip(found["xy"], found["domain"], found["confident"], found["topic"], strict=True))
    step = -(-len(rows) // MAX_POINTS) if rows else 1
    names = {domain.id: domain.name for domain in domains}
    data = [
        {
            "x": round(float(xy[0]), 2),
            "y": round(float(xy[1]), 2),
            "domain": names.get(domain, str(domain)),
            "topic": topic or formats.MISSING,
            "colour": _colour(domain),
            "opacity": 0.75 if confident else 0.22,
        }
        for xy, domain, confident, topic in rows[::step]
    ]
    centres = [
        {
            "x": round(float(row["xy"][0]), 2),
            "y": round(float(row["xy"][1]), 2),
            "domain": names.get(int(row["id"]), str(row["id"])),
            "colour": _colour(int(row["id"])),
        }
        for row in content["domains"]
    ]
    numbers = [number for row in (*data, *centres) for number in (row["x"], row["y"])]
    if not all(math.isfinite(float(str(number))) for number in numbers):
        raise ValueError("a coordinate is not finite")
    if not data or not centres:
        return None, 0
    return _draw_map(name, data, centres), len(data)


def _draw_map(name: str, data: list[dict[str, Any]], centres: list[dict[str, Any]]) -> Chart:
    x_scale, y_scale = (
        alt.Scale(domain=_padded([row[axis] for row in (*data, *centres)]), nice=False, zero=False)
        for axis in ("x", "y")
    )
    hidden: Any = None
    place: dict[str, Any] = {
        "x": alt.X("x:Q", scale=x_scale, axis=hidden),
        "y": alt.Y("y:Q", scale=y_scale, axis=hidden),
    }
    colour = alt.Color("colour:N", scale=None, legend=None)
    points = (
        alt.Chart(alt.InlineData(values=data))
        .mark_point(filled=True, size=22)
        .encode(
            **place,
            color=colour,
            opacity=alt.Opacity("opacity:Q", scale=None, legend=None),
            tooltip=[alt.Tooltip("domain:N"), alt.Tooltip("topic:N")],
        )
    )
    names = alt.Chart(alt.InlineData(values=centres)).encode(**place, text="domain:N")
    halo = {"stroke": "var(--page)", "strokeWidth": 4, "strokeJoin": "round", "color": "var(--page)"}
    return draw(
        anchor=f"domains-{name}",
        title=name,
        chart=alt.layer(
            points,
            *(
                names.mark_text(fontSize=12, fontWeight="bold", **look)
                for look in (halo, {"color": "var(--ink)"})
            ),
        ).properties(height=HEIGHT),
        width=WIDE,
        description=(
            f"A t-SNE map of {len(data)} documents by domain: "
            + "; ".join(str(centre["domain"]) for centre in centres)
            + "."
        ),
    )


def _padded(values: list[float]) -> list[float]:
    """The range of an axis, with room for names at its ends."""
    low, high = min(values), max(values)
    air = 0.06 * ((high - low) or 1.0)
    return [low - air, high + air]
