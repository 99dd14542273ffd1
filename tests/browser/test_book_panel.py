"""The book panel, as it moves."""

from __future__ import annotations

from pathlib import Path

import pytest
from lab import Lab, run_all, texts

CELLS = (
    """import kalshi_research as kr
sandbox = kr.start_sandbox(users=2)
ticker = "KXHIGHNY-26NOV21-B46.5"
panel = kr.BookPanel(kr.connect(sandbox), ticker)
panel""",
    """def place(user, side, cents, contracts=1):
    name = sandbox._exchange.accounts[user].user_id
    sandbox.floor.call(
        lambda engine: engine.submit(name, ticker, side, cents * 100, contracts * 100), ticker)
import time
deadline = time.monotonic() + 20
while not panel.model.book["live"] and time.monotonic() < deadline:
    time.sleep(0.01)
best = round(float(panel.model.book["bids"][0][0]) * 100)
place(0, "bid", best + 1, 5)
place(1, "ask", best + 1, 2)
print(best)""",
    "panel.picked",
)
LOOP = """import threading
def churn():
    for turn in range(600):
        place(1, "ask", best + 6 + turn % 9)
        time.sleep(1 / 120)
before = time.monotonic()
threading.Thread(target=churn).start()"""


@pytest.mark.parametrize(("dark", "width"), [(False, 1200), (True, 560)], ids=["light", "narrow"])
def test_the_ladder_follows_the_book(lab: Lab, pictures: Path, dark: bool, width: int) -> None:
    lab.write("book_panel", *CELLS)
    with lab.page("book_panel", dark=dark, width=width) as page:
        run_all(page, len(CELLS))
        best = int(texts(page, ".jp-OutputArea-output pre")[0])
        mine = page.locator(".kr-ladder .row", has_text="(3 mine)")
        mine.wait_for()
        assert mine.locator("button").inner_text() == f"0.{best + 1}"
        page.get_by_text("takes NO").wait_for()
        mine.locator("button").click()
        page.screenshot(path=pictures / f"book-panel-{'dark' if dark else 'light'}-{width}.png")
        page.locator(".jp-CodeCell").last.click()
        page.evaluate("() => window.jupyterapp.commands.execute('notebook:run-cell')")
        page.get_by_text(f"'price': '0.{best + 1}'").wait_for()


def test_a_busy_book_does_not_keep_the_kernel_from_answering(lab: Lab, pictures: Path) -> None:
    lab.write("book_rate", *CELLS[:2], LOOP, "print('answered', 6 * 7)")
    with lab.page("book_rate") as page:
        run_all(page, 4)
        page.get_by_text("answered 42").wait_for()
        rate = page.locator(".kr:has(> .kr-ladder)").evaluate(
            """async el => {
              const before = Number(el.dataset.drawn), began = performance.now();
              await new Promise(done => setTimeout(done, 2000));
              return (Number(el.dataset.drawn) - before) / (performance.now() - began) * 1000;
            }"""
        )
        (pictures / "book-panel-rate.txt").write_text(f"drawn {rate:.1f} times a second\n", "utf-8")
        assert rate > 0
