"""A first-time user's walk over the desk, and what is left of a panel whose kernel is gone."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from lab import Lab, resize, run_all

import kalshi_research as kr

TICKER = "KXHIGHNY-26NOV21-B46.5"
DESK = (
    """import kalshi_research as kr
client = kr.connect({url!r}, key_id={name!r}, private_key={key!r})
desk = kr.Desk(client)
desk""",
)


@pytest.fixture
def sandbox() -> Iterator[Any]:
    with kr.start_sandbox(users=2) as running:
        yield running


def cells(sandbox: Any) -> list[str]:
    name, key = sandbox.credentials(0)[0], str(sandbox.key_file(0))
    return [cell.format(url=sandbox.url, name=name, key=key) for cell in DESK]


def field(page: Any, label: str) -> Any:
    return page.locator(f".widget-text:has(label:text-is('{label}')) input")


def orders(sandbox: Any) -> list[str]:
    """What the exchange has been sent, by its own record."""
    return [
        f"{request.method} {request.path.rpartition('/')[2]}"
        for request in sandbox.truth.requests
        if request.method != "GET"
    ]


def choose(page: Any) -> None:
    page.locator("tr[data-key=KXHIGHNY]").click()
    page.locator("tr[data-key=KXHIGHNY-26NOV21]").click()
    page.locator(f"tr[data-key='{TICKER}']").first.click()


def test_from_an_empty_notebook_to_a_filled_order(lab: Lab, pictures: Path, sandbox: Any) -> None:
    lab.write("desk", *cells(sandbox))
    with lab.page("desk", width=1400, height=1700) as page:
        run_all(page, 1)
        choose(page)
        ask = page.locator(".kr-ladder button.price.ask:visible").last
        ask.wait_for()
        price = ask.inner_text()
        ask.click()
        page.wait_for_function(
            "price => [...document.querySelectorAll('.widget-text input')].some(e => e.value === price)",
            arg=price,
        )
        field(page, "Contracts").fill("2")
        field(page, "Contracts").press("Tab")
        page.get_by_text("The book fills all of it at once").wait_for()
        assert orders(sandbox) == []
        page.locator(".kr-preview").click()
        page.get_by_text(f"Buy 2 YES of {TICKER} at ${price}?").wait_for()
        assert orders(sandbox) == []
        page.screenshot(path=pictures / "desk-confirm-1400.png")
        page.locator(".kr-confirm").click()
        page.get_by_text(f"Filled: buy 2 YES at ${price}.").wait_for()
        assert orders(sandbox) == ["POST orders"]
        page.locator(".kr-positions td", has_text="2 YES").wait_for()
        page.locator(".kr-fills td", has_text="taker").first.wait_for()
        page.screenshot(path=pictures / "desk-light-1400.png")
    assert list(kr.get_positions(kr.connect(sandbox)).loc[[TICKER], "position"]) == [2.0]


def test_narrow_and_dark_everything_is_still_there(lab: Lab, pictures: Path, sandbox: Any) -> None:
    lab.write("desk_narrow", *cells(sandbox))
    with lab.page("desk_narrow", dark=True, width=560, height=2400) as page:
        run_all(page, 1)
        choose(page)
        page.locator(".kr-ladder button.price.ask:visible").last.wait_for()
        page.get_by_text("you hold nothing").wait_for()
        for width in (560, 420):
            resize(page, width, 2400)
            wide = page.evaluate(
                """() => {
                  const output = document.querySelector('.jp-OutputArea-output').getBoundingClientRect();
                  return [...document.querySelectorAll('.kr, .kr-preview, .kr-panel *')]
                    .filter(e => !e.closest('.kr-heard') && !e.closest('svg'))
                    .filter(e => e.getBoundingClientRect().right > output.right + 2)
                    .map(e => e.className);
                }"""
            )
            assert wide == []
            page.screenshot(path=pictures / f"desk-dark-{width}.png")


def test_a_panel_that_nobody_sees_asks_nothing(lab: Lab, sandbox: Any) -> None:
    panel = cells(sandbox)[0].replace("kr.Desk(client)", f"kr.OrderPanel(client, {TICKER!r})")
    lab.write("unseen", panel)
    with lab.page("unseen", fresh=True) as page:
        for leave in ("clear the output", "close the page"):
            run_all(page, 1)
            page.get_by_text("you hold nothing").wait_for()
            seen = len(sandbox.truth.requests)
            until(lambda seen=seen: len(sandbox.truth.requests) > seen, 20)  # by itself
            if leave == "close the page":
                page.close(run_before_unload=False)
            else:
                page.evaluate("() => window.jupyterapp.commands.execute('notebook:clear-cell-output')")
                page.locator(".kr-panel").first.wait_for(state="detached")
            still(sandbox)


def until(condition: Any, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.02)


def still(sandbox: Any) -> None:
    """For longer than panels wait between two looks, nothing is asked."""
    last, asked = time.monotonic(), len(sandbox.truth.requests)
    deadline = last + 30
    while time.monotonic() - last < 4:
        assert time.monotonic() < deadline, "it goes on asking"
        if len(sandbox.truth.requests) != asked:
            last, asked = time.monotonic(), len(sandbox.truth.requests)
        time.sleep(0.05)


def test_orders_outlive_the_kernel_and_a_saved_panel_does_nothing(
    lab: Lab, pictures: Path, sandbox: Any
) -> None:
    notebook = lab.write("restart", *cells(sandbox))
    with lab.page("restart", width=1400, height=1700) as page:
        run_all(page, 1)
        choose(page)
        page.locator(".kr-ladder button.price.bid:visible").first.wait_for()
        for label, text in (("Contracts", "3"), ("Price $", "0.05")):
            field(page, label).fill(text)
            field(page, label).press("Tab")
        page.get_by_text("Would rest").wait_for()
        page.locator(".kr-preview").click()
        page.locator(".kr-confirm").click()
        page.get_by_text("Resting: buy 3 YES at $0.05.").wait_for()
        page.locator(".kr-orders td", has_text="this session").wait_for()
        page.evaluate(
            """async () => {
              const context = window.jupyterapp.shell.currentWidget.sessionContext;
              await context.session.kernel.restart();
              await context.session.kernel.info;
            }"""
        )
        run_all(page, 1)
        page.locator(".kr-orders td", has_text="earlier session").wait_for()
        page.screenshot(path=pictures / "portfolio-earlier-session-1400.png")
        before = orders(sandbox)
        page.evaluate(
            """async () => {
              await window.jupyterapp.commands.execute('docmanager:save');
              await window.jupyterapp.shell.currentWidget.sessionContext.shutdown();
            }"""
        )
    asked = len(sandbox.truth.requests)
    (output,) = nbformat.read(notebook, 4).cells[0].outputs
    assert output.data["text/plain"] == (
        "Desk (sandbox): not connected. Run this cell to bring it to life; that sends nothing."
    )
    with lab.page("restart", fresh=True, width=1400) as page:
        page.wait_for_selector(".jp-OutputArea-output")
        for button in page.locator(".jp-OutputArea-output button:visible").all():
            button.click(force=True)
        page.screenshot(path=pictures / "saved-notebook-1400.png")
        assert page.locator(".jp-OutputArea-output .kr-confirm:visible").count() == 0
        assert page.locator(".jp-OutputArea-output .kr").count() == 0
    assert orders(sandbox) == before == ["POST orders"]
    assert len(sandbox.truth.requests) == asked
