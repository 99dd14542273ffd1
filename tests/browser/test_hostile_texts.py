"""Hostile titles in a real browser: nothing runs, nothing is asked for, every letter stays."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hostile_texts import BAIT, MARK, TEXTS, hurt
from lab import Lab, run_all

import kalshi_research as kr

MINE = "KXHIGHNY-26NOV21-B46.5"
CELLS = (
    """import warnings
warnings.filterwarnings("ignore", "Glyph")
import pandas as pd
import kalshi_research as kr
from decimal import Decimal
from kalshi_research.panels.views import Ladder, Link, Plain, Table
from kalshi_research.streaming.health import Health
client = kr.connect({url!r}, key_id={name!r}, private_key={key!r})
markets = kr.get_markets(client, status="open")
texts = list(dict.fromkeys(markets["yes_sub_title"]))
len(texts)""",
    "desk = kr.Desk(client, {mine!r})\ndesk",
    """kinds = ("text", "number", "action", "spark")
heads = [{"label": text, "kind": kind} for text, kind in zip(texts[:4], kinds)]
rows = [{"key": text, "label": text, "cells": [text, text, text, []]} for text in texts]
table = Table(columns=heads, rows=rows, label=texts[5], empty=texts[6], height="300px")
table.add_class("hostile-table")
table""",
    """ladder = Ladder(label=texts[0], heads=texts[:3], height="300px",
    book={"live": True, "mid": texts[3], "bids": [[t, t, t, True] for t in texts], "asks": []})
ladder.add_class("hostile-ladder")
ladder""",
    """from ipywidgets import VBox
links = [Link(href=text, text=text) for text in texts]
plain = VBox([*(Plain(text, role="title") for text in texts), *links])
plain.add_class("hostile-plain")
plain""",
    """frame = markets[["title", "yes_sub_title", "yes_bid"]]
pd.set_option("display.max_colwidth", None, "display.max_rows", None)
frame""",
    """for text in texts:
    terms = ("resting", "c", "o", text, "buy", "yes", Decimal("0.5"), Decimal(1))
    display(kr.OrderReport(*terms, note=text))
    display(kr.KalshiError(text))
display(Health(**(dict.fromkeys(Health.__dataclass_fields__, 0) | {"problems": tuple(texts)})))""",
    """event = markets[markets["event_ticker"] == "KXHIGHNY-26NOV21"]
ladder_axes = kr.plot_ladder(event.rename(index=dict(zip(event.index, texts))))
ladder_axes.figure""",
)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Any]:
    with kr.start_sandbox(users=2) as running:
        running.called = hurt(running._exchange.world)
        client = kr.connect(running)
        ask = kr.quotes(kr.get_orderbook(client, MINE))["yes_ask"].iloc[0]
        kr.create_order(client, MINE, quantity=1, price=f"{ask:.2f}")
        yield running


def cells(sandbox: Any) -> list[str]:
    name, key = sandbox.credentials(0)[0], str(sandbox.key_file(0))
    given = {"{url!r}": repr(sandbox.url), "{name!r}": repr(name), "{key!r}": repr(key)}
    given["{mine!r}"] = repr(MINE)
    whole = "\0\0".join(CELLS)
    for mark, value in given.items():
        whole = whole.replace(mark, value)
    return whole.split("\0\0")


@contextmanager
def watched(page: Any, own: str) -> Iterator[None]:
    """Nothing may run and nothing may be asked for but what `own` serves."""
    asked: list[str] = []
    dialogs: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    yield
    strange = [url for url in asked if not re.match(rf"({re.escape(own)}|data:|blob:|file:)", url)]
    assert strange == []
    assert not [url for url in asked if BAIT in url or url.endswith("/x")]
    assert dialogs == []
    assert page.evaluate("() => window.hit") is None
    for frame in page.frames:
        assert frame.evaluate("() => window.hit") is None


def contents(page: Any, selector: str) -> list[str]:
    found: list[str] = page.locator(selector).evaluate_all("all => all.map(one => one.textContent)")
    return found


def drawn(page: Any, selector: str, count: int) -> None:
    """Wait until so many are there, or more: parts are drawn one after the other."""
    page.locator(selector).nth(count - 1).wait_for(state="attached")


def plain(text: str) -> str:
    """A text without what pandas escapes and HTML itself leaves out: controls and backslashes."""
    return re.sub(r"\\[tnr]|[\x00-\x1f\ufffd]|\\", "", text).strip()


def test_nothing_runs_in_lab_and_every_letter_is_there(lab: Lab, pictures: Path, sandbox: Any) -> None:
    notebook = lab.write("hostile", *cells(sandbox))
    with (
        lab.page("hostile", width=1400, height=1600) as page,
        watched(page, f"http://127.0.0.1:{lab.port}"),
    ):
        run_all(page, len(CELLS))
        # panels: the list of markets, the title of the order, the position
        page.get_by_placeholder("Words of a title or ticker").fill(MARK)
        page.get_by_role("button", name="Search all markets").click()
        page.locator("table[aria-label=Markets] th", has_text="Yes means").wait_for()
        drawn(page, ".kr table[aria-label=Markets] tbody tr", len(TEXTS))
        drawn(page, ".kr-positions tbody tr", 1)
        page.wait_for_function(
            "title => [...document.querySelectorAll('.kr-text')].some(one => one.textContent === title)",
            arg=sandbox.called[MINE],
        )
        browser = page.locator(".kr table[aria-label=Markets] tbody tr").evaluate_all(
            "all => all.map(one => [one.dataset.key, one.children[1].textContent])"
        )
        assert {key: sandbox.called[key] for key, _ in browser} == dict(browser)
        assert {text for _, text in browser} == set(TEXTS)
        assert contents(page, ".kr-positions tbody td:nth-child(2)") == [sandbox.called[MINE]]
        page.screenshot(path=pictures / "hostile-desk-1400.png")
        # the parts that all panels are made of
        table = ".hostile-table tbody td"
        for part in (f"{table}:nth-child(1)", ".hostile-ladder button.price:visible"):
            drawn(page, part, len(TEXTS))
        drawn(page, ".hostile-plain .kr-text", len(TEXTS))
        assert set(contents(page, f"{table}:nth-child(1)")) == set(TEXTS)
        assert set(contents(page, f"{table}:nth-child(3) button")) == set(TEXTS)
        assert set(contents(page, ".hostile-ladder button.price:visible")) == set(TEXTS)
        assert set(contents(page, ".hostile-plain .kr-text")) == set(TEXTS)
        assert page.locator(".hostile-plain a:visible").count() == 0
        assert page.locator(".hostile-plain a[href]").count() == 0
        for harmful in ("img", "script", "iframe", "form", "object", "h1", "style", "math"):
            assert page.locator(f".kr {harmful}").count() == 0
        # frames and reprs
        page.locator(".dataframe").first.scroll_into_view_if_needed()
        shown = {plain(text) for text in contents(page, ".dataframe tbody td:nth-child(3)")}
        assert shown == {plain(text) for text in TEXTS}
        page.screenshot(path=pictures / "hostile-frame-1400.png")
        page.mouse.move(400, 400)
        assert page.locator("mjx-container, .MathJax").count() == 0
        page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
        page.wait_for_function("() => !window.jupyterapp.shell.currentWidget.context.model.dirty")
    assert MARK in notebook.read_text("utf-8")


def test_nothing_runs_in_a_report(lab: Lab, pictures: Path, sandbox: Any, tmp_path: Path) -> None:
    notebook = lab.write("hostile_report", *cells(sandbox))
    report = kr.write_report(notebook, to="html", output=tmp_path / "hostile.html")
    page = lab.browser.new_page()
    with watched(page, "file:"):
        page.goto(report.as_uri())
        shown = page.locator("body").evaluate("body => body.textContent")
        for text in TEXTS:
            words = re.split(r"[\x00-\x20\x7f-\x9f\u2028\u2029]+", text)
            assert all(word in shown for word in words), ascii(text[:60])
        page.screenshot(path=pictures / "hostile-report.png")
    page.close()


def test_the_texts_do_harm_where_nobody_takes_care(lab: Lab) -> None:
    bitten: set[str] = set()

    def enough(request: Any) -> bool:
        if BAIT in request.url and request.frame.name.startswith("text "):
            bitten.add(request.frame.name)
        return len(bitten) >= 8

    page = lab.browser.new_page()
    frames = (
        f'<iframe name="text {at}" srcdoc="{html.escape(text)}"></iframe>'
        for at, text in enumerate(TEXTS)
    )
    with page.expect_request(enough):  # what is asked for after the page has loaded counts too
        page.set_content("".join(frames))
    page.close()
