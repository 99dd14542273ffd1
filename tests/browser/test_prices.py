"""Prices finer than a cent: spelled as elsewhere, their points above each other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from lab import Lab, resize, run_all

EVENT = "KXBTC15M-26NOV201015"
FINE = f"{EVENT}-15"
CELLS = (
    f"""import kalshi_research as kr
sandbox = kr.start_sandbox(users=2)
client = kr.connect(sandbox)
ticker = {FINE!r}
name = sandbox._exchange.accounts[1].user_id
for side, prices in (("bid", (300, 390, 400, 420)), ("ask", (470, 500, 510, 4200))):
    for price in prices:
        sandbox.floor.call(lambda engine: engine.submit(name, ticker, side, price, 1000), ticker)
kr.create_order(client, ticker, quantity=2, price="0.047")
kr.create_order(client, ticker, quantity=3, price="0.043")
kr.create_order(client, ticker, quantity=3, price="0.04")
desk = kr.Desk(client, ticker)
desk.browser.model.go(("KXBTC15M", {EVENT!r}))
desk.order.jobs.wait(20)
desk.order.model.ticket.edit(quantity="10", price="0.041")
desk.order.model.check()
desk""",
)
POINTS = """all => all.map(each => {
  const text = each.firstChild;
  const at = text.data.indexOf('.');
  if (at < 0) return null;
  const range = document.createRange();
  range.setStart(text, at);
  range.setEnd(text, at + 1);
  return Math.round(range.getBoundingClientRect().left);
}).filter(each => each !== null)"""


def points(page: Any, selector: str) -> list[int]:
    """Where the points of all prices stand, from the left [pixels]."""
    found: list[int] = page.locator(selector).evaluate_all(POINTS)
    return found


@pytest.mark.parametrize("width", [1400, 420])
def test_the_points_of_fine_prices_stand_above_each_other(lab: Lab, pictures: Path, width: int) -> None:
    lab.write("fine", *CELLS)
    with lab.page("fine", width=width, height=2600) as page:
        run_all(page, 1)
        ladder = ".kr-ladder button.price:visible"
        page.locator(ladder, has_text="0.043").wait_for()
        page.get_by_text("Buy 10 YES of").wait_for()
        page.locator(".kr-fills td", has_text="0.047").wait_for()
        cells = "table[aria-label='{}'] td:nth-child({}) .{}"
        resting = cells.format("Your resting orders", 2, "figure")
        short = [
            cells.format(table, column, "clip")
            for table, column in (("Last trades", 1), ("Last trades", 2), ("Resting orders", 2))
        ]
        for part in (resting, *short):  # each is asked for on its own
            page.locator(part).first.wait_for(state="attached")
        resize(page, width, 2600)
        page.screenshot(path=pictures / f"desk-fine-{width}.png")
        fits = "all => all.map(one => one.scrollWidth <= one.clientWidth)"
        assert all(page.locator(".kr-panel .kr-scroll").evaluate_all(fits)), "and no button is cut off"
        shown = ["0.42", "0.051", "0.05", "0.047", "0.043", "0.042", "0.04", "0.039", "0.03"]
        assert page.locator(ladder).all_inner_texts() == shown
        assert len(points(page, ladder)) == len(shown)
        assert len(set(points(page, ladder))) == 1
        assert page.locator(resting).all_inner_texts() == ["0.04", "0.043"]
        assert len(set(points(page, resting))) == 1
        lines = "all => all.map(one => Math.round(one.getBoundingClientRect().height / 18.85))"
        for part in short:
            assert set(page.locator(part).evaluate_all(lines)) == {1}, "however narrow it is"
