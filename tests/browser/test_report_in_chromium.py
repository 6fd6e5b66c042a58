"""The report as a reader meets it: in a browser, wide and narrow, light and dark, by keyboard, on paper."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "unit" / "report")]

from chromium import Chromium, find_chromium  # noqa: E402
from fabricated_run import (  # noqa: E402
    CONTROLLED,
    NOUNS,
    SIX,
    WORDS,
    everything,
    fabricate,
    failed,
    make_bias_prediction,
    make_claims,
    make_comparisons,
    make_map,
    make_path,
    path_scores,
    plausible_scores,
)

from lexiscope.report.build import build_report  # noqa: E402

pytestmark = pytest.mark.browser

HOSTILE = "</script><script>document.title='taken'</script><img src=x onerror=document.title='taken'>"
ALL_ALIVE = "document.querySelectorAll('[data-chart]:not([data-live])').length === 0"
MEN = (
    "[...document.querySelectorAll('#scores-1 th[data-sort]')].find(th => th.textContent.trim() === 'MEN')"
)
SPACES = "[...document.querySelectorAll('#scores-1 tbody th .name')].map(name => name.textContent)"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    scores = plausible_scores(SIX)
    scores[3] = failed("no pairs", space=scores[3].space, dataset=scores[3].dataset)  # word2vec on MEN
    run = fabricate(
        tmp_path_factory.mktemp("run"), scores=scores, words=(HOSTILE, *WORDS),
        report={"neighbours": {"words": [HOSTILE, "river", "stone", "bird", "garden"]}},
    )  # fmt: skip
    build_report(**run)
    return Path(run["output"])


@pytest.fixture(scope="module")
def full_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study with a λ path, controls and the appendix."""
    scores = plausible_scores(CONTROLLED)
    run = fabricate(
        tmp_path_factory.mktemp("full"), spaces=CONTROLLED,
        scores=[*scores, *path_scores("am_path", scores)],
        l2_paths={"am_path": make_path("output", 20_000)},
        bias_predictions={"am": make_bias_prediction("am")},
        maps={
            "years": make_map([str(year) for year in range(1900, 2020)]),
            "nouns": make_map(NOUNS.split()),
        },
    )  # fmt: skip
    build_report(**run)
    return Path(run["output"])


@pytest.fixture(scope="module")
def complete_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every task there is, with paired tests and claims."""
    spaces = {name: CONTROLLED[name] for name in ("word2vec", "input", "am", "output_centred", "random")}
    scores = everything(spaces)
    run = fabricate(
        tmp_path_factory.mktemp("complete"), spaces=spaces, scores=scores, claims=make_claims(),
        comparisons=make_comparisons([one for one in scores if one.split in ("test", "mean")]),
    )  # fmt: skip
    build_report(**run)
    return Path(run["output"])


@pytest.fixture(scope="module")
def browser() -> Iterator[Chromium]:
    executable = find_chromium()
    if executable is None:
        pytest.skip("no Chromium here")
    with Chromium(executable) as browser:
        yield browser


@pytest.fixture
def shown(browser: Chromium, page: Path) -> Chromium:
    """The page at desktop size with its charts alive."""
    browser.view(1280)
    browser.open(page)
    browser.wait_for(ALL_ALIVE)
    return browser


@pytest.mark.parametrize("width", [1280, 820, 390])
@pytest.mark.parametrize("dark", [False, True])
def test_it_opens_without_a_request_an_error_or_a_sideways_scroll(
    browser: Chromium, page: Path, width: int, dark: bool
) -> None:
    browser.view(width, dark=dark)
    browser.open(page)
    browser.wait_for(ALL_ALIVE)
    assert [url for url in browser.requests() if not url.startswith("data:")] == [page.as_uri()]
    assert browser.complaints() == []
    assert browser.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert browser.evaluate("document.querySelectorAll('[data-live] svg').length") == 11
    widths = browser.evaluate(
        "[...document.querySelectorAll('.drawing')].map(box => "
        "box.querySelector('svg').getBoundingClientRect().width / box.clientWidth)"
    )
    assert all(0.7 <= share <= 1.001 for share in widths), widths


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("dark", [False, True])
def test_paths_and_maps_fit_and_can_be_read(
    browser: Chromium, full_page: Path, width: int, dark: bool
) -> None:
    browser.view(width, dark=dark)
    browser.open(full_page)
    browser.wait_for(ALL_ALIVE)
    assert browser.complaints() == []
    assert browser.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert browser.evaluate("document.querySelectorAll('#l2-path [data-live] svg').length") == 9
    assert browser.evaluate("document.querySelectorAll('#appendix [data-live] svg').length") == 2
    # Every text lies inside its drawing, and no type is smaller than 10 pixels on the screen.
    texts = browser.evaluate(
        "[...document.querySelectorAll('#l2-path svg text, #appendix svg text')].map(text => { "
        "const box = text.getBoundingClientRect(), svg = text.closest('svg'), "
        "frame = svg.getBoundingClientRect(), scale = frame.width / svg.viewBox.baseVal.width; "
        "return [box.left >= frame.left - 1 && box.right <= frame.right + 1, "
        "scale * parseFloat(getComputedStyle(text).fontSize), text.textContent]; })"
    )
    assert len(texts) > 100
    assert [text for inside, _, text in texts if not inside] == []
    assert min(size for _, size, _ in texts) >= 10


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (390, True)])
def test_bars_and_claims_fit_and_can_be_read(
    browser: Chromium, complete_page: Path, width: int, dark: bool
) -> None:
    browser.view(width, dark=dark)
    browser.open(complete_page)
    browser.wait_for(ALL_ALIVE)
    assert browser.complaints() == []
    assert browser.evaluate("document.documentElement.scrollWidth <= innerWidth")
    texts = browser.evaluate(
        "[...document.querySelectorAll('#intervals svg text')].map(text => { "
        "const box = text.getBoundingClientRect(), svg = text.closest('svg'), "
        "frame = svg.getBoundingClientRect(), scale = frame.width / svg.viewBox.baseVal.width; "
        "return [box.left >= frame.left - 1 && box.right <= frame.right + 1, "
        "scale * parseFloat(getComputedStyle(text).fontSize), text.textContent]; })"
    )
    assert len(texts) > 500
    assert [text for inside, _, text in texts if not inside] == []
    assert min(size for _, size, _ in texts) >= 10
    # The drawing of an effect lies beside or below the claim, never over its words.
    overlaps = browser.evaluate(
        "[...document.querySelectorAll('.claim:has(.track)')].map(claim => { "
        "const track = claim.querySelector('.track').getBoundingClientRect(); "
        "return [...claim.querySelectorAll('p')].some(p => { const box = p.getBoundingClientRect(); "
        "return box.left < track.right && track.left < box.right && box.top < track.bottom - 1 "
        "&& track.top < box.bottom - 1; }); })"
    )
    assert overlaps == [False] * 12


def test_names_at_the_border_of_a_path_do_not_cover_one_another(browser: Chromium, full_page: Path) -> None:
    browser.view(390)
    browser.open(full_page)
    browser.wait_for(ALL_ALIVE)
    gaps = browser.evaluate(
        "[...document.querySelectorAll('#l2-path svg')].map(svg => { const tops = "
        "[...svg.querySelectorAll('text')].filter(text => ['exact', 'output', 'centred']"
        ".includes(text.textContent)).map(text => text.getBoundingClientRect().top).sort((a, b) => a - b); "
        "return Math.min(...tops.slice(1).map((top, i) => top - tops[i])); })"
    )
    assert len(gaps) == 9
    assert min(gaps) >= 11


def test_a_hostile_word_does_nothing(shown: Chromium) -> None:
    assert shown.evaluate("document.title") == "fabricated · Lexiscope report"
    assert shown.evaluate("document.querySelector('#neighbours h3').textContent") == HOSTILE
    assert shown.evaluate("document.images.length") == 0


def test_charts_take_the_colours_of_the_scheme(browser: Chromium, page: Path) -> None:
    found = []
    for dark in (False, True):
        browser.view(1280, dark=dark)
        browser.open(page)
        browser.wait_for(ALL_ALIVE)
        found.append(
            browser.evaluate(
                "[getComputedStyle(document.body).backgroundColor, "
                "getComputedStyle(document.querySelector('.mark-symbol path[fill^=var]')).fill]"
            )
        )
    assert found[0][0] != found[1][0]
    assert found[0][1] != found[1][1]


def test_a_column_is_sorted_by_keyboard(shown: Chromium) -> None:
    before = shown.evaluate(SPACES)
    assert before == list(SIX)
    shown.evaluate(f"{MEN}.querySelector('button').focus()")
    shown.press("Enter")
    assert shown.evaluate(f"{MEN}.getAttribute('aria-sort')") == "descending"
    values = (
        "[...document.querySelectorAll('#scores-1 tbody tr')].map(row => row.cells[4].dataset.value ?? '')"
    )
    sorted_down = shown.evaluate(values)
    numbers = [float(value) for value in sorted_down if value]
    assert numbers == sorted(numbers, reverse=True)
    assert sorted_down[-1] == ""
    assert "Sorted by MEN, descending" in shown.evaluate("document.getElementById('announcer').textContent")
    shown.press("Enter")
    assert shown.evaluate(f"{MEN}.getAttribute('aria-sort')") == "ascending"
    sorted_up = shown.evaluate(values)
    assert [float(value) for value in sorted_up if value] == numbers[::-1]
    assert sorted_up[-1] == "", "a gap is last either way"


def test_the_first_tab_stop_skips_to_the_scores(shown: Chromium) -> None:
    shown.press("Tab")
    assert shown.evaluate("document.activeElement.className") == "skip"
    assert shown.evaluate("document.activeElement.getBoundingClientRect().left") >= 0
    shown.press("Enter")
    assert shown.evaluate("location.hash") == "#main"


def test_a_table_is_copied_with_its_numbers_in_full(shown: Chromium) -> None:
    shown.evaluate(
        "Object.defineProperty(navigator, 'clipboard', "
        "{value: {writeText: text => { window.copied = text; return Promise.resolve(); }}})"
    )
    shown.evaluate("document.querySelector('#scores-1').closest('.scroller').nextElementSibling"
                   ".querySelector('button').click()")  # fmt: skip
    shown.wait_for("window.copied !== undefined")
    lines = [line.split("\t") for line in shown.evaluate("window.copied").split("\n")]
    assert lines[0][:3] == ["Space", "WordSim353-Sim", "SimLex-999"]
    assert len({len(line) for line in lines}) == 1
    assert [line[0] for line in lines[1:]] == [*SIX, "Chance", "Items used"]
    assert len(lines[1][1]) > 8
    assert lines[1][4].startswith("skipped")


def test_what_cells_show_can_be_chosen(shown: Chromium) -> None:
    height = "document.querySelector('#scores-1').getBoundingClientRect().height"
    tall = shown.evaluate(height)
    shown.evaluate("document.querySelectorAll('.toggles input').forEach(box => box.click())")
    assert shown.evaluate(height) < tall * 0.8


def test_hovering_a_dot_tells_its_numbers(shown: Chromium) -> None:
    shown.evaluate(
        "document.querySelector('#chart-scores-simlex999-spearman-test')"
        ".scrollIntoView({behavior: 'instant'})"
    )
    place: dict[str, Any] = shown.evaluate(
        "(() => { const dots = document.querySelectorAll('#chart-scores-simlex999-spearman-test "
        ".mark-symbol path[fill^=var]'); const box = dots[dots.length - 2].getBoundingClientRect(); "
        "return {x: box.x + box.width / 2, y: box.y + box.height / 2}; })()"
    )
    shown.call("Input.dispatchMouseEvent", type="mouseMoved", **place)
    shown.wait_for("document.querySelector('#vg-tooltip-element.visible') !== null")
    text = shown.evaluate("document.querySelector('#vg-tooltip-element').textContent")
    assert "am" in text
    assert "interval" in text


def test_paper_gets_everything_that_is_folded(shown: Chromium) -> None:
    folded = shown.evaluate("document.querySelectorAll('details:not([open])').length")
    assert folded > 5
    shown.evaluate("addEventListener('beforeprint', () => { "
                   "window.left = document.querySelectorAll('details:not([open])').length; })")  # fmt: skip
    assert shown.pdf().startswith(b"%PDF")
    assert shown.evaluate("window.left") == 0
    assert shown.evaluate("document.querySelectorAll('details:not([open])').length") == folded


def test_without_javascript_the_charts_are_there(browser: Chromium, page: Path) -> None:
    browser.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        browser.view(390)
        browser.open(page)
        tree = browser.call("DOM.getDocument", depth=-1)["root"]["nodeId"]
        drawn = browser.call("DOM.querySelectorAll", nodeId=tree, selector=".drawing > svg")["nodeIds"]
        buttons = browser.call("DOM.querySelectorAll", nodeId=tree, selector="button")["nodeIds"]
    finally:
        browser.call("Emulation.setScriptExecutionDisabled", value=False)
    assert len(drawn) == 11
    assert buttons == []


def test_assistive_technology_is_told_what_charts_show(shown: Chromium) -> None:
    nodes = shown.call("Accessibility.getFullAXTree")["nodes"]
    images = [
        node["name"]["value"] for node in nodes if node.get("role", {}).get("value") in ("image", "img")
    ]
    described = [name for name in images if "Spearman ρ: " in name or "2 vs 2 accuracy: " in name]
    assert len(described) == 9
    headers = [node for node in nodes if node.get("role", {}).get("value") == "rowheader"]
    assert len(headers) > len(SIX)
