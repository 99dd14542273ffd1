"""The book panel, as it moves."""

from __future__ import annotations

import os
from pathlib import Path

from lab import Lab, repaint, resize, run_all, texts

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
TICKS = """late = []
for _ in range(500):
    before = time.perf_counter()
    time.sleep(0.005)
    late.append((time.perf_counter() - before - 0.005) * 1000)
late.sort()
middle, rare, most = late[250], late[495], late[-1]
print(f"late by {middle:.1f} ms in the middle, {rare:.1f} ms in 1 of 100, {most:.0f} ms at most")"""
LOOP = """import threading
def churn():
    for turn in range(600):
        place(1, "ask", best + 6 + turn % 9)
        time.sleep(1 / 120)
before = time.monotonic()
threading.Thread(target=churn).start()"""


def test_the_ladder_follows_the_book(lab: Lab, pictures: Path) -> None:
    lab.write("book_panel", *CELLS)
    with lab.page("book_panel") as page:
        run_all(page, len(CELLS))
        best = int(texts(page, ".jp-OutputArea-output pre")[0])
        mine = page.locator(".kr-ladder .row", has_text="3 mine")
        mine.wait_for()
        assert mine.locator("button").inner_text() == f"0.{best + 1}"
        page.locator("tr", has_text="takes NO").filter(has_text=f"0.{best + 1}").first.wait_for()
        mine.locator("button").click()
        for theme, width in (("light", 1200), ("dark", 560), ("light", 420)):
            repaint(page, dark=theme == "dark")
            resize(page, width, 1000)
            page.screenshot(path=pictures / f"book-panel-{theme}-{width}.png")
        page.locator(".jp-CodeCell").last.click()
        page.evaluate("() => window.jupyterapp.commands.execute('notebook:run-cell')")
        page.get_by_text(f"'price': '0.{best + 1}'").wait_for()


def test_a_busy_book_is_drawn_often_and_leaves_the_kernel_free(lab: Lab, pictures: Path) -> None:
    """How often it is drawn and how late a ticking cell is go to a file; the machine may be busy."""
    lab.write("book_rate", *CELLS[:2], LOOP, TICKS)
    with lab.page("book_rate") as page:
        run_all(page, 3)
        rate = page.locator(".kr:has(> .kr-ladder)").evaluate(
            """async el => {
              window.jupyterapp.commands.execute('notebook:run-all-below');
              const before = Number(el.dataset.drawn), began = performance.now();
              await new Promise(done => setTimeout(done, 3000));
              return (Number(el.dataset.drawn) - before) / (performance.now() - began) * 1000;
            }"""
        )
        page.locator(".jp-OutputArea-output pre", has_text="late by").wait_for()
        late = texts(page, ".jp-OutputArea-output pre")[-1].strip()
        load = os.getloadavg()[0]
        (pictures / "book-panel-rate.txt").write_text(
            f"drawn {rate:.1f} times a second; a cell that ticks is {late}; load {load:.1f}\n",
            "utf-8",
        )
        assert rate > 5
