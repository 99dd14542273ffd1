"""Text, tables and ladders in a real browser."""

from __future__ import annotations

from pathlib import Path

import pytest
from lab import Lab, run_all, texts

TITLE = '<img src=x onerror="window.hit=1"> costs $5 or $6 \u202eevil\u202c'
CELLS = (
    f"""from kalshi_research.panels.views import Ladder, Plain, Table
title = {TITLE!r}
Plain("SANDBOX · SIMULATED", role="badge sandbox")""",
    "Plain(title, role='title')",
    """table = Table(
    columns=[{"label": "Market", "kind": "text"}, {"label": "Yes bid", "kind": "number"},
             {"label": "Week", "kind": "spark"}, {"label": "", "kind": "action"}],
    rows=[{"key": "A", "cells": [title, "0.42", [0.3, 0.35, 0.33, 0.42], "Cancel"]},
          {"key": "B", "cells": ["High temperature in New York", "0.07", [0.2, 0.1, None, 0.07], ""]}],
    label="Markets")
said = []
table.on_msg(lambda _, message, __: said.append(message))
table""",
    """ladder = Ladder(book={"live": True, "mid": "mid 0.43 · spread 0.02",
    "bids": [["0.42", "13", "3", True], ["0.41", "10", "", False], ["0.35", "11", "", False]],
    "asks": [["0.44", "17", "", False], ["0.55", "20", "", False], ["0.62", "300", "", False]]})
ladder.on_msg(lambda _, message, __: said.append(message))
ladder""",
)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_what_the_exchange_says_stays_text(lab: Lab, pictures: Path, dark: bool) -> None:
    lab.write("views", *CELLS)
    with lab.page("views", dark=dark) as page:
        run_all(page, len(CELLS))
        page.wait_for_selector(".kr-ladder .row")
        assert texts(page, ".kr-text.title") == [TITLE]
        assert page.locator(".kr td").first.inner_text() == TITLE
        assert page.evaluate("() => window.hit") is None
        assert page.locator(".kr img").count() == 0
        page.screenshot(path=pictures / f"views-{'dark' if dark else 'light'}.png")


def test_rows_and_prices_are_chosen_by_mouse_and_keyboard(lab: Lab) -> None:
    lab.write("choosing", *CELLS, "print(table.selected, said)")
    with lab.page("choosing") as page:
        run_all(page, len(CELLS) + 1)
        page.locator(".kr tr[data-key=B]").click()
        page.locator(".kr tr[data-key=B]").press("ArrowUp")
        page.locator(".kr td button.act").click()
        page.locator(".kr-ladder button.price", has_text="0.44").click()
        run = "() => window.jupyterapp.commands.execute('notebook:run-cell')"
        page.locator(".jp-CodeCell").last.click()
        page.wait_for_function("() => document.querySelector('tr[data-key=A]').ariaSelected === 'true'")
        page.evaluate(run)
        page.get_by_text("A [{'act': 'A'}, {'price': '0.44', 'side': 'ask'}]").wait_for()
