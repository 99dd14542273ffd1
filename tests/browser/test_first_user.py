"""What a person does who has never seen this: from the gallery to a filled order, by clicks alone."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lab import Lab, pictured, slowed

import kalshi_research as kr

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
START, WALK = 60_000, 90.0


@pytest.fixture
def sandbox() -> Iterator[Any]:
    with kr.start_sandbox() as running:
        yield running


@pytest.fixture
def gallery(tmp_path: Path, browser: Any, sandbox: Any) -> Iterator[Lab]:
    """`make lab`, on copies of the notebooks and on an exchange that this test can look into."""
    shutil.copytree(
        NOTEBOOKS, tmp_path / "work" / "notebooks", ignore=shutil.ignore_patterns(".ipynb_checkpoints")
    )
    running = Lab(
        tmp_path,
        browser,
        start=("kalshi_research", "lab", "notebooks"),
        warm=False,
        KALSHI_RESEARCH_SANDBOX_URL=sandbox.url,
        KALSHI_SANDBOX_KEY_ID=sandbox.credentials(0)[0],
        KALSHI_SANDBOX_PRIVATE_KEY_PATH=str(sandbox.key_file(0)),
        KALSHI_RESEARCH_JOURNAL=str(tmp_path / "journal"),
    )
    try:
        yield running
    finally:
        running.stop_kernels()
        running.close()


def sent(sandbox: Any) -> int:
    """Orders that the exchange has been sent, by its own record."""
    return sum(
        request.method == "POST" and request.path.endswith("/portfolio/events/orders")
        for request in sandbox.truth.requests
    )


def open_the_desk(page: Any, gallery: Lab) -> None:
    """The gallery, a click on the sixth notebook, and *Run All Cells* of the menu."""
    page.goto(f"{gallery.url}/?token={gallery.token}")
    page.get_by_role("link", name="06 The trading desk").click(timeout=START)
    page.locator(".jp-Notebook").wait_for(timeout=START)
    page.locator(".jp-StatusBar-Widget").get_by_text("| Idle").wait_for(timeout=START)
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.locator("li.lm-Menu-item[data-command='runmenu:run-all']").click()
    page.locator(".jp-OutputArea-output", has_text="levels of the ladder are mine").wait_for(
        timeout=START
    )


def test_from_the_gallery_to_a_filled_order(
    gallery: Lab, pictures: Path, sandbox: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    page = slowed(gallery.context.new_page())
    page.set_viewport_size({"width": 1500, "height": 1200})
    with pictured(page, gallery.folder / "first-user-failed.png"):
        line = walk(page, gallery, pictures, sandbox)
    page.close()
    (pictures / "first-user.txt").write_text(f"{line}\n", "utf-8")
    with capsys.disabled():
        print(f"\nfirst user: {line}")  # noqa: T201 - to be seen in every run


def walk(page: Any, gallery: Lab, pictures: Path, sandbox: Any) -> str:
    began = time.monotonic()
    open_the_desk(page, gallery)
    ready = time.monotonic() - began
    before = sent(sandbox)
    desk = page.locator(".kr-panel").first
    desk.scroll_into_view_if_needed()
    markets = desk.locator("table[aria-label=Markets] tbody tr[data-key^=KXHIGHNY-]")
    ticker = markets.nth(1).get_attribute("data-key")
    held = kr.get_positions(kr.connect(sandbox))["position"].get(ticker, 0.0)
    markets.nth(1).click()
    desk.get_by_role("group", name=f"Order book of {ticker}").wait_for()
    ask = desk.locator(".kr-ladder button.price.ask:visible").last
    ask.click()
    price = ask.inner_text()
    contracts = desk.get_by_role("textbox", name="Contracts")
    contracts.fill("2")
    contracts.press("Tab")
    desk.get_by_text("The book fills all of it at once").wait_for()
    desk.get_by_role("button", name="Preview").click()
    desk.get_by_text(f"Buy 2 YES of {ticker} at ${price}").wait_for()
    assert sent(sandbox) == before
    page.screenshot(path=pictures / "first-user-preview.png")
    desk.get_by_role("button", name="Confirm").click()
    desk.get_by_text(f"Filled: buy 2 YES at ${price}.").wait_for()
    filled = time.monotonic() - began
    page.screenshot(path=pictures / "first-user-filled.png")
    assert sent(sandbox) == before + 1
    assert kr.get_positions(kr.connect(sandbox)).loc[ticker, "position"] == held + 2
    assert filled < WALK
    return f"{ready:.1f} s to a desk, {filled:.1f} s to a filled order"
