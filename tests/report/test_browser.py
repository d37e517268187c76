"""The pages in a real browser: no complaint, no request, the table works, the keyboard reaches everything."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.made.cells import make_cell, make_manifest, make_run, matrix
from harness.report import render, render_comparison, render_history
from harness.results.compare import compare
from tests.support.browser import axe, browser, complaints, media, phone, whole_page

pytestmark = pytest.mark.slow
PAGES = ("index.html", "claims.html", "compare.html", "history.html")


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pages")
    cells = matrix(4, 3)
    slower = [c.model_copy(update={"latency_ns": tuple(x + x // 9 for x in c.latency_ns)}) for c in cells]
    runs = [make_run(folder / "results", cells, name="first"),
            make_run(folder / "results", [*slower, make_cell("mnasnet", status="FAILED")], name="second")]  # fmt: skip
    (runs[1] / "manifests").mkdir()
    (runs[1] / "manifests" / "resvgg19-pruned.json").write_text(make_manifest().model_dump_json())
    render(runs[1:], folder / "out", formats=["svg"])
    render_comparison(compare(*runs, 0.05), folder / "out", formats=["svg"])
    render_history(runs, folder / "out", formats=["svg"])
    return folder / "out"


@pytest.fixture(scope="module")
def driver() -> Iterator[Any]:
    with browser() as found:
        yield found


@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_quiet_and_asks_for_nothing(driver: Any, pages: Path, page: str) -> None:
    assert complaints(driver, pages / page) == []
    assert page.split(".")[0] in driver.current_url


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_anybody_can_read_it(driver: Any, pages: Path, page: str, dark: bool) -> None:
    """axe-core: contrast, names, landmarks, headings, what the keyboard reaches."""
    driver.get(f"file://{pages / page}")
    media(driver, dark=dark)
    found = axe(driver)
    assert [(v["id"], v["nodes"][0]["html"][:200]) for v in found] == []


@pytest.mark.parametrize("page", PAGES)
def test_a_phone_never_scrolls_sideways(driver: Any, pages: Path, page: str, tmp_path: Path) -> None:
    driver.get(f"file://{pages / page}")
    phone(driver)
    try:
        wide, seen = driver.execute_script("const e = document.documentElement; return [e.scrollWidth, e.clientWidth];")
        assert wide <= seen
        whole_page(driver, tmp_path / "phone.png", most=3000)
        assert (tmp_path / "phone.png").stat().st_size > 10_000
    finally:
        driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def column(driver: Any, number: int) -> list[str]:
    script = "return [...document.querySelectorAll('#t-cells tbody tr')].map(r => r.cells[arguments[0]].textContent)"
    return list(driver.execute_script(script, number))


def press(driver: Any, *keys: str) -> None:
    from selenium.webdriver.common.action_chains import ActionChains

    ActionChains(driver).send_keys(*keys).perform()


def test_the_table_sorts_by_keyboard(driver: Any, pages: Path) -> None:
    from selenium.webdriver.common.keys import Keys

    driver.get(f"file://{pages / 'index.html'}")
    heads = driver.find_elements("css selector", "#t-cells th")
    names = [head.text for head in heads]
    at = names.index("Accuracy (%)")
    heads[at].find_element("css selector", "button").send_keys(Keys.ENTER)
    assert heads[at].get_attribute("aria-sort") == "ascending"
    values = [float(v) for v in column(driver, at) if v]
    assert values == sorted(values)
    assert column(driver, at)[-1] == ""  # a FAILED cell has no number, and stays last
    press(driver, Keys.SPACE)
    assert heads[at].get_attribute("aria-sort") == "descending"
    values = [float(v) for v in column(driver, at) if v]
    assert values == sorted(values, reverse=True)
    assert column(driver, at)[-1] == ""


def test_the_table_filters(driver: Any, pages: Path) -> None:
    driver.get(f"file://{pages / 'index.html'}")
    total = len(column(driver, 0))
    box = driver.find_element("id", "f-text")
    box.send_keys("PI4 int8")
    assert 0 < len(column(driver, 0)) < total
    assert all("pi4" in name for name in column(driver, 0))
    assert driver.find_element("id", "f-count").text == f"{len(column(driver, 0))} of {total} cells"
    box.clear()
    box.send_keys("no such thing")
    assert column(driver, 0) == []
    box.clear()
    box.send_keys(" ")
    from selenium.webdriver.support.ui import Select

    Select(driver.find_element("id", "f-5")).select_by_visible_text("FAILED")
    assert column(driver, 1) == ["mnasnet"]


CONTROLS = "'a[href], button:not([hidden]), input, select, summary, [tabindex=\"0\"]'"


def test_the_keyboard_reaches_every_control(driver: Any, pages: Path) -> None:
    from selenium.webdriver.common.keys import Keys

    driver.get(f"file://{pages / 'index.html'}")
    driver.execute_script("document.querySelectorAll('details').forEach(e => e.open = true)")
    wanted = driver.execute_script(
        "window.reached = new Set(); document.addEventListener('focusin', e => window.reached.add(e.target));"
        f"return document.querySelectorAll({CONTROLS}).length"
    )
    for _ in range(wanted + 5):
        press(driver, Keys.TAB)
    missed = driver.execute_script(
        f"return [...document.querySelectorAll({CONTROLS})]"
        ".filter(e => !window.reached.has(e)).map(e => e.outerHTML.slice(0, 120))"
    )
    assert missed == []


def test_every_figure_has_words_for_it(driver: Any, pages: Path) -> None:
    driver.get(f"file://{pages / 'index.html'}")
    images = driver.execute_script("return [...document.images].map(i => [i.alt, i.complete && i.naturalWidth])")
    assert len(images) > 10
    assert all(len(alt) > 40 and width > 100 for alt, width in images)
