"""Text, tables and ladders in a real browser."""

from __future__ import annotations

from pathlib import Path

from lab import Lab, repaint, run_all, run_cell, texts

from kalshi_research.report.sparks import points

WEEKS = [[0.3, 0.35, 0.33, 0.42], [0.2, 0.1, None, 0.07]]
TITLE = '<img src=x onerror="window.hit=1"> costs $5 or $6 \u202eevil\u202c'
CELLS = (
    f"""from kalshi_research.panels.views import Choice, Ladder, Plain, Table
title, weeks = {TITLE!r}, {WEEKS!r}
Plain("SANDBOX · SIMULATED", role="badge sandbox")""",
    "Plain(title, role='title')",
    """table = Table(
    columns=[{"label": "Market", "kind": "text"}, {"label": "Yes bid", "kind": "number"},
             {"label": "Week", "kind": "spark"}, {"label": "", "kind": "action"}],
    rows=[{"key": "A", "cells": [title, "0.42", weeks[0], "Cancel"]},
          {"key": "B", "cells": ["High temperature in New York", "0.07", weeks[1], ""]}],
    label="Markets")
said = []
table.on_msg(lambda _, message, __: said.append(message))
table""",
    """ladder = Ladder(book={"live": True, "mid": "mid 0.43 · spread 0.02",
    "bids": [["0.42", "13", "3", True], ["0.41", "10", "", False], ["0.35", "11", "", False]],
    "asks": [["0.44", "17", "", False], ["0.55", "20", "", False], ["0.62", "300", "", False]]})
ladder.on_msg(lambda _, message, __: said.append(message))
ladder""",
    """choice = Choice(options=[("buy", "buy"), ("sell", "sell")], value="buy", label="Buy or sell")
choice""",
)


def test_what_the_exchange_says_stays_text(lab: Lab, pictures: Path) -> None:
    lab.write("views", *CELLS)
    with lab.page("views") as page:
        run_all(page, len(CELLS))
        for part in (".kr-text.badge", ".kr-text.title", ".kr td", ".kr-ladder .row"):
            page.locator(part).first.wait_for()
        page.locator(".kr-choice input").first.wait_for(state="attached")
        assert texts(page, ".kr-text.title") == [TITLE]
        assert page.locator(".kr td").first.inner_text() == TITLE
        assert page.evaluate("() => window.hit") is None
        drawn = page.locator(".kr .spark polyline").evaluate_all(
            "all => all.map(one => one.getAttribute('points'))"
        )
        places = [[tuple(map(float, place.split(","))) for place in line.split()] for line in drawn]
        assert places == [points(week) for week in WEEKS], "a report draws the same line"
        assert page.locator(".kr img").count() == 0
        page.screenshot(path=pictures / "views-light.png")
        repaint(page, dark=True)
        page.screenshot(path=pictures / "views-dark.png")


def test_rows_and_prices_are_chosen_by_mouse_and_keyboard(lab: Lab) -> None:
    lab.write("choosing", *CELLS, "print(table.selected, choice.value, said)")
    with lab.page("choosing") as page:
        run_all(page, len(CELLS) + 1)
        second = page.locator(".kr tr[data-key=B]")
        second.click()
        page.wait_for_function("() => document.querySelector('tr[data-key=B]').ariaSelected === 'true'")
        second.press("ArrowUp")
        first = page.locator(".kr tr[data-key=A]")
        assert first.evaluate("row => row === document.activeElement")
        assert first.get_attribute("aria-selected") == "false", "an arrow only moves"
        page.keyboard.press("Enter")
        page.wait_for_function("() => document.querySelector('tr[data-key=A]').ariaSelected === 'true'")
        assert first.evaluate("row => row === document.activeElement"), (
            "what is drawn anew keeps its place"
        )
        page.locator(".kr td button.act").click()
        page.locator(".kr-ladder button.price", has_text="0.44").focus()
        for key in ("ArrowDown", "ArrowDown", "ArrowUp", "Enter", "End", " "):
            page.keyboard.press(key)
        page.locator(".kr-choice input").first.focus()
        page.keyboard.press("ArrowRight")
        page.wait_for_function("() => document.querySelectorAll('.kr-choice input')[1].checked")
        page.locator(".jp-CodeCell").last.click()
        page.evaluate("() => window.jupyterapp.commands.execute('notebook:run-cell')")
        said = "{'act': 'A'}, {'price': '0.42', 'side': 'bid'}, {'price': '0.35', 'side': 'bid'}"
        page.get_by_text(f"A sell [{said}]").wait_for()


def test_a_table_that_is_sorted_keeps_the_keyboard_where_it_was(lab: Lab) -> None:
    lab.write("sorting", *CELLS)
    with lab.page("sorting") as page:
        run_all(page, len(CELLS))
        head = page.get_by_role("columnheader", name="Yes bid")
        head.get_by_role("button").focus()
        for order, first in (("ascending", "B"), ("descending", "A")):
            page.keyboard.press("Enter")
            assert head.get_attribute("aria-sort") == order
            assert page.locator(".kr tbody tr").first.get_attribute("data-key") == first
            assert head.get_by_role("button").evaluate("one => one === document.activeElement")


def test_a_click_is_not_lost_because_something_is_new(lab: Lab) -> None:
    """Between press and release rows come, and prices move; what was pressed is what was meant."""
    news = """turn = globals().get("turn", 0) + 1
table.rows = [dict(row) for row in table.rows[::-1]]
first, second = ("0.42", "0.41") if turn % 2 else ("0.40", "0.35")
ladder.book = {**ladder.book, "bids": [[first, "13", "", False], [second, "10", "", False]]}
Plain(f"news {turn}")"""
    lab.write("pressing", *CELLS, news, "print(table.selected, said)")
    with lab.page("pressing", height=1400) as page:
        run_all(page, len(CELLS) + 2)
        page.get_by_text("news 1").wait_for()
        page.locator(".kr tbody tr[data-key=A] td").first.hover()
        page.mouse.down()
        run_cell(page, len(CELLS))
        page.get_by_text("news 2").wait_for()
        assert page.locator(".kr tbody tr").first.get_attribute("data-key") == "B", "not yet"
        page.mouse.up()
        page.locator(".kr tbody tr:first-child[data-key=A][aria-selected=true]").wait_for()
        page.locator(".kr-ladder button.price.bid", has_text="0.40").hover()
        page.mouse.down()
        run_cell(page, len(CELLS))
        page.get_by_text("news 3").wait_for()
        page.locator(".kr-ladder button.price.bid", has_text="0.42").wait_for()
        page.mouse.up()
        said = run_cell(page, len(CELLS) + 1)
        assert said.strip() == "A [{'price': '0.40', 'side': 'bid'}]"
