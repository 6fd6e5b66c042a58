"""Maps of words in two spaces: which words, where they land, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from lexiscope.analysis import maps
from lexiscope.analysis.config import AnalysisConfig, MapConfig
from lexiscope.analysis.maps import choose_words, embed_in_plane, map_displacement
from lexiscope.embeddings.space import EmbeddingSpace, save_space
from lexiscope.errors import LexiscopeError
from lexiscope.files import read_json

LIST = ("north", "south", "east", "west", "up", "down")
YEARS = tuple(str(year) for year in range(1990, 2000))


def space(words: tuple[str, ...], dim: int = 6, seed: int = 0, offset: float = 0) -> EmbeddingSpace:
    vectors = np.random.default_rng(seed).standard_normal((len(words), dim)) + offset
    return EmbeddingSpace(words, vectors.astype(np.float32))


def draw(
    folder: Path,
    start: EmbeddingSpace,
    end: EmbeddingSpace,
    *,
    seed: int = 1,
    threads: int = 1,
    **config: Any,
) -> dict[str, Any]:
    save_space(start, folder / "a.safetensors")
    save_space(end, folder / "b.safetensors")
    map_displacement(
        start=folder / "a.safetensors",
        end=folder / "b.safetensors",
        config={"start": "out", "end": "am", **config},
        output=folder / "years.json",
        seed=seed,
        threads=threads,
    )
    report: dict[str, Any] = read_json(folder / "years.json")
    return report


@pytest.mark.parametrize(
    ("word", "is_year"),
    [
        ("1900", True),
        ("1999", True),
        ("2000", True),
        ("9999", True),
        ("1899", False),
        ("0999", False),
        ("999", False),
        ("19000", False),
        ("1990s", False),
        ("1990\n", False),
        ("１９９０", False),
        ("٢٠٠٠", False),
    ],
)
def test_years_are_four_digit_numbers_from_1900(word: str, is_year: bool) -> None:
    holder = space((word, "other"))
    found, _ = choose_words(MapConfig(start="a", end="b"), holder, holder)
    assert found == ((word,) if is_year else ())


def test_years_of_both_spaces_in_ascending_order() -> None:
    start = space(("the", "2003", "1991", "1950", "of"))
    end = space(("1991", "2003", "2050"))
    assert choose_words(MapConfig(start="a", end="b"), start, end) == (("1991", "2003"), 4)


def test_a_list_keeps_its_order_and_loses_what_a_space_lacks() -> None:
    config = MapConfig(start="a", end="b", words=LIST)
    found = choose_words(config, space(tuple(sorted(LIST))), space(LIST[:4]))
    assert found == (("north", "south", "east", "west"), 6)


def test_of_too_many_years_the_most_frequent_are_mapped() -> None:
    by_count = ("2000", "1999", "1995", "2010", "1990", "1901", "1902")
    config = MapConfig(start="a", end="b", max_words=5)
    found, n_asked = choose_words(config, space(by_count), space(tuple(reversed(by_count))))
    assert found == ("1990", "1995", "1999", "2000", "2010")
    assert n_asked == 7


def test_the_report_has_an_arrow_for_each_word(tmp_path: Path) -> None:
    report = draw(tmp_path, space(("the", *YEARS)), space((*YEARS, "of"), seed=1))
    assert report["name"] == "years"
    assert (report["start"], report["end"]) == ("out", "am")
    assert report["words"] == list(YEARS)
    assert (report["n_asked"], report["n_used"]) == (10, 10)
    assert (report["status"], report["reason"], report["seed"]) == ("ok", None, 1)
    assert np.shape(report["start_xy"]) == np.shape(report["end_xy"]) == (10, 2)
    assert report["perplexity"] == pytest.approx(19 / 3)
    assert 0 < report["kl_divergence"] < 5
    coordinates = [*report["start_xy"], *report["end_xy"]]
    assert all(round(value, 4) == value for point in coordinates for value in point)


def test_equal_words_of_two_clusters_stay_together(tmp_path: Path) -> None:
    # Two bundles of directions, each of half of the words: arrows must stay within their bundle, lengths
    # of the vectors must not count.
    generator = np.random.default_rng(0)
    words = tuple(f"w{i}" for i in range(40))
    centres = np.repeat(np.eye(2, 10), 20, axis=0) * 8
    first = (centres + generator.standard_normal((40, 10))).astype(np.float32)
    second = ((centres + generator.standard_normal((40, 10))) * 100).astype(np.float32)
    report = draw(tmp_path, EmbeddingSpace(words, first), EmbeddingSpace(words, second), words=words)
    start, end = np.array(report["start_xy"]), np.array(report["end_xy"])
    middles = [np.vstack([start[half], end[half]]).mean(axis=0) for half in (slice(0, 20), slice(20, 40))]
    for points in (start, end):
        distances = np.stack([np.linalg.norm(points - middle, axis=1) for middle in middles])
        assert (distances.argmin(axis=0) == np.repeat([0, 1], 20)).all()


def test_neither_threads_nor_a_second_run_change_a_small_map(tmp_path: Path) -> None:
    content = []
    for seed, threads in ((1, 1), (1, 2), (2, 1)):
        draw(tmp_path, space(YEARS), space(YEARS, seed=1), seed=seed, threads=threads)
        content.append((tmp_path / "years.json").read_bytes())
    assert content[0] == content[1] != content[2]


def test_large_maps_are_approximated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(maps, "EXACT_BELOW_POINTS", 40)
    vectors = space(YEARS).vectors.repeat(4, axis=0)
    points, facts = embed_in_plane(vectors, perplexity=5, seed=1, threads=1)
    again, _ = embed_in_plane(vectors, perplexity=5, seed=1, threads=1)
    assert points.shape == (40, 2)
    assert facts["perplexity"] == 5
    assert np.array_equal(points, again)


def test_a_zero_vector_is_mapped(tmp_path: Path) -> None:
    start = space(YEARS)
    start.vectors[0] = 0
    assert np.isfinite(draw(tmp_path, start, space(YEARS, seed=1))["start_xy"]).all()


def test_too_few_words_are_skipped_with_a_reason(tmp_path: Path) -> None:
    report = draw(tmp_path, space(YEARS[:4]), space(YEARS))
    assert report["status"] == "skipped"
    assert report["reason"] == "4 of 10 words are in both spaces; a map needs 5"
    assert report["start_xy"] == report["end_xy"] == []
    assert report["kl_divergence"] is None


def test_five_words_are_enough(tmp_path: Path) -> None:
    report = draw(tmp_path, space(YEARS[:5]), space(YEARS))
    assert report["status"] == "ok"
    assert report["perplexity"] == 3


def test_spaces_of_different_dimension_are_refused(tmp_path: Path) -> None:
    with pytest.raises(LexiscopeError, match="'out' has 6 dimensions and 'am' has 7"):
        draw(tmp_path, space(YEARS), space(YEARS, dim=7))


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"words": "decades"}, "years"),
        ({"words": ["a", "b"]}, "at least 5"),
        ({"words": ["a", "b", "c", "d", "e", "e"]}, "given twice: e"),
        ({"words": ["a", "b", "c", "d", ""]}, "at least 1 character"),
        ({"end": "out"}, "same space"),
        ({"perplexity": 0}, "greater than 0"),
    ],
)
def test_settings_that_make_no_map_are_refused(config: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        MapConfig.model_validate({"start": "out", "end": "am", **config})


def test_defaults_and_the_way_through_json() -> None:
    settings = AnalysisConfig()
    assert settings.bias_prediction is not None
    assert settings.bias_prediction.n_splits == 100
    assert settings.maps == {}
    off = AnalysisConfig.model_validate(
        {"bias_prediction": None, "maps": {"m": {"start": "a", "end": "b", "words": list(LIST)}}}
    )
    assert AnalysisConfig.model_validate(off.model_dump(mode="json")) == off
