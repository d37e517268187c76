"""A headless Chromium for tests of pages: no network, an own empty profile, everything it asks for recorded."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
)  # fmt: skip


@contextmanager
def browser(width: int = 1280, height: int = 900) -> Iterator[Any]:
    """A selenium driver; the test is skipped where Chromium or its driver is missing."""
    if not (CHROMIUM and DRIVER):
        pytest.skip("no chromium or chromedriver: apt-get install chromium chromium-driver")
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in FLAGS:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    with tempfile.TemporaryDirectory() as profile:
        options.add_argument(f"--user-data-dir={profile}")
        options.add_argument(f"--window-size={width},{height}")
        driver = webdriver.Chrome(options=options, service=Service(DRIVER))
        driver.get("about:blank")
        driver.get_log("performance")  # what the new-tab page asked for is not ours
        try:
            yield driver
        finally:
            driver.quit()


def requests_made(driver: Any) -> list[str]:
    """Every address asked for since the last call."""
    found = []
    for entry in driver.get_log("performance"):
        message = json.loads(entry["message"])["message"]
        if message["method"] == "Network.requestWillBeSent":
            found.append(message["params"]["request"]["url"])
    return found


def console_errors(driver: Any) -> list[str]:
    """What the page complained of."""
    return [entry["message"] for entry in driver.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")]


def complaints(driver: Any, page: Path) -> list[str]:
    """Open a page from its file: what it asked for beyond itself, and what the console says of it. Empty is good."""
    address = page.resolve().as_uri()
    requests_made(driver)
    driver.get(address)
    asked = {url for url in requests_made(driver) if not url.startswith("data:")} - {address}
    return [*sorted(asked), *console_errors(driver)]


def media(driver: Any, *, dark: bool) -> None:
    """Pretend the reader asked for a dark or a light page."""
    features = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})


def phone(driver: Any, width: int = 390, height: int = 844) -> None:
    """A phone held upright."""
    metrics = {"width": width, "height": height, "deviceScaleFactor": 2, "mobile": True}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)


def whole_page(driver: Any, path: Path, *, most: int = 6000) -> None:
    """A picture of the page from top to bottom."""
    height = min(driver.execute_script("return document.documentElement.scrollHeight"), most)
    width = driver.execute_script("return document.documentElement.clientWidth")
    clip = {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}
    import base64

    shot = driver.execute_cdp_cmd("Page.captureScreenshot", {"clip": clip, "captureBeyondViewport": True})
    path.write_bytes(base64.b64decode(shot["data"]))


def axe(driver: Any) -> list[dict[str, Any]]:
    """Violations axe-core finds (WCAG 2 A and AA, colour contrast included)."""
    source = Path(pytest.importorskip("axe_selenium_python").__file__).parent
    script = next(iter(sorted(source.rglob("axe.min.js"))), None)
    assert script is not None, "axe-selenium-python came without axe.min.js"
    driver.execute_script(script.read_text(encoding="utf-8"))
    answer = driver.execute_async_script(
        "const done = arguments[arguments.length - 1];"
        "axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa', 'best-practice']})"
        ".then(r => done(r.violations), e => done([{id: 'axe failed: ' + e, nodes: []}]));"
    )
    return list(answer)
