"""A price has one spelling in all panels, also where it is finer than a cent."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from faulty_exchange import until

import kalshi_research as kr
from kalshi_research.money import PRICE_SCALE
from kalshi_research.panels.words import decimal, dollars
from kalshi_research.trading.terms import price_text

EVENT = "KXBTC15M-26NOV201015"
FINE = f"{EVENT}-15"
"""Its steps are a tenth of a cent below ten cents and above ninety."""


@pytest.fixture
def sandbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("KALSHI_RESEARCH_JOURNAL", str(tmp_path / "journal"))
    with kr.start_sandbox(users=2) as running:
        yield running


def place(sandbox: Any, user: int, side: str, price: int, contracts: int) -> None:
    name = sandbox._exchange.accounts[user].user_id
    sandbox.floor.call(lambda engine: engine.submit(name, FINE, side, price, contracts * 100), FINE)


def test_every_price_is_spelled_as_in_the_sentences_of_orders() -> None:
    for ticks in range(PRICE_SCALE + 1):
        spelled = price_text(ticks)
        assert decimal(ticks, PRICE_SCALE) == spelled
        assert dollars(ticks / PRICE_SCALE) == spelled
        assert re.fullmatch(r"[01]\.\d\d(\d?[1-9])?", spelled)


@pytest.mark.parametrize(
    ("number", "words"),
    [("0.4266666667", "0.426667"), (0.42655, "0.42655"), (0, "0.00"), (-0.0674, "-0.0674"), (None, "–")],
)
def test_what_is_finer_than_any_price_is_spelled_to_a_millionth(number: Any, words: str) -> None:
    assert dollars(number) == words


def test_no_panel_spells_a_price_another_way(sandbox: Any) -> None:
    for side, prices in (("bid", (400, 420)), ("ask", (470, 500, 4200))):
        for price in prices:
            place(sandbox, 1, side, price, 10)
    client = kr.connect(sandbox)
    kr.create_order(client, FINE, quantity=2, price="0.047")
    resting = kr.create_order(client, FINE, quantity=3, price="0.043")
    assert (resting.state, resting.average_price) == ("resting", None)
    desk = kr.Desk(client, FINE)
    book, order = desk.book.model, desk.order.model
    desk.browser.model.go(("KXBTC15M", EVENT))
    until(lambda: book.book["live"] and bool(book.trades) and bool(order.orders), 30)
    assert [level[0] for level in book.book["bids"]] == ["0.043", "0.042", "0.04"]
    assert [level[0] for level in book.book["asks"]] == ["0.047", "0.05", "0.42"]
    assert book.book["mid"] == "mid 0.045 · spread 0.004"
    assert book.top == "YES 0.043 / 0.047   NO 0.953 / 0.957"
    assert order.touch.startswith("YES 0.043 bid, 0.047 ask · NO 0.953 bid, 0.957 ask")
    assert book.trades[0]["cells"][2] == "0.047"
    assert order.orders[0]["cells"][1] == "0.043"
    order.ticket.edit(quantity="1", price="0.047", time_in_force="immediate_or_cancel")
    order.check()
    until(lambda: order.stage == "confirming")
    assert order.ticket.sentence.endswith("at $0.047")
    order.send()
    until(lambda: bool(order.result))
    assert order.result == "Filled: buy 1 YES at $0.047. Average price 0.047 (YES)."
    order.step(1)
    assert order.ticket.price == "0.048"
    desk.portfolio.model.refresh()
    for panel in (desk.browser, desk.book, desk.order, desk.portfolio):
        assert panel.jobs.wait(30)
    (market,) = [row for row in desk.browser.model.rows if row["key"] == FINE]
    assert market["cells"][2:5] == ["0.043", "0.047", "0.047"]
    assert desk.portfolio.model.positions[0]["cells"][4:6] == ["0.043", "0.045"]
    assert desk.portfolio.model.orders[0]["cells"][2] == "0.043"
    assert desk.portfolio.model.fills[0]["cells"][3] == "0.047"
    desk.close()


def test_less_than_half_a_cent_is_neither_gained_nor_lost() -> None:
    from kalshi_research.panels.portfolio_model import _signed

    shown = [_signed(amount) for amount in (0.004, -0.004, 0.006, -0.006, None)]
    assert shown == ["$0.00", "$0.00", "+$0.01", "-$0.01", "–"]
