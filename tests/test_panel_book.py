"""The book panel without a screen."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import kalshi_research as kr
from kalshi_research.panels.book_model import BookModel
from kalshi_research.panels.jobs import Jobs

TICKER = "KXHIGHNY-26NOV21-B46.5"
OTHER = "KXHIGHNY-26NOV21-B44.5"


@pytest.fixture
def sandbox() -> Iterator[Any]:
    with kr.start_sandbox(users=2) as running:
        yield running


@pytest.fixture
def model(sandbox: Any) -> Iterator[BookModel]:
    made = BookModel(kr.connect(sandbox), Jobs("test"), rate=200)
    yield made
    made.close()


def until(condition: Callable[[], bool], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.005)


def place(sandbox: Any, user: int, side: str, cents: int, contracts: int = 1) -> None:
    name = sandbox._exchange.accounts[user].user_id
    sandbox.floor.call(
        lambda engine: engine.submit(name, TICKER, side, cents * 100, contracts * 100), TICKER
    )


def prices(model: BookModel, side: str) -> list[float]:
    return [float(level[0]) for level in model.book[side]]


def test_the_book_is_that_of_the_exchange(sandbox: Any, model: BookModel) -> None:
    model.ticker = TICKER
    until(lambda: model.book["live"])
    book = kr.get_orderbook(kr.connect(sandbox), TICKER)
    for name, side in (("bids", "bid"), ("asks", "ask")):
        rows = book[book["side"] == side].head(8)
        assert prices(model, name) == list(rows["price"])
        assert [float(level[1]) for level in model.book[name]] == list(rows["quantity"])
    top = kr.quotes(book).iloc[0]
    assert f"YES {top['yes_bid']:.2f} / {top['yes_ask']:.2f}" in model.top
    assert f"NO {top['no_bid']:.2f} / {top['no_ask']:.2f}" in model.top
    assert model.state == "live"


def test_it_follows_the_book_and_tells_trades(sandbox: Any, model: BookModel) -> None:
    model.ticker = TICKER
    until(lambda: model.book["live"])
    best = max(prices(model, "bids"))
    place(sandbox, 1, "bid", round(best * 100) + 1, 7)
    until(lambda: model.book["bids"][0][:2] == [f"{best + 0.01:.2f}", "7"])
    place(sandbox, 0, "ask", round(best * 100) + 1, 2)
    until(lambda: bool(model.trades))
    assert model.trades[0]["cells"][1:] == ["takes NO", f"{best + 0.01:.2f}", "2"]
    until(lambda: model.book["bids"][0][1] == "5")


def test_own_orders_are_told_from_those_of_others(sandbox: Any, model: BookModel) -> None:
    model.ticker = TICKER
    until(lambda: model.book["live"])
    best = round(max(prices(model, "bids")) * 100)
    place(sandbox, 1, "bid", best + 1)
    until(lambda: model.book["bids"][0][0] == f"0.{best + 1:02d}")
    assert model.book["bids"][0][2:] == ["", False]
    place(sandbox, 0, "bid", best + 1, 3)
    until(lambda: model.book["bids"][0][1:3] == ["4", "3"])


def test_a_change_of_ones_own_glows_for_a_moment(sandbox: Any, model: BookModel) -> None:
    seen: list[bool] = []
    model.observe(lambda change: seen.append(any(level[3] for level in change["new"]["bids"])), "book")
    model.ticker = TICKER
    until(lambda: model.book["live"])
    best = round(max(prices(model, "bids")) * 100)
    place_named(sandbox, best)
    until(lambda: any(seen))
    until(lambda: not seen[-1])


def place_named(sandbox: Any, cents: int) -> None:
    name = sandbox._exchange.accounts[0].user_id
    sandbox.floor.call(
        lambda engine: engine.submit(name, TICKER, "bid", cents * 100, 100, client_order_id="mine"),
        TICKER,
    )


def test_another_market_takes_its_place(model: BookModel) -> None:
    model.ticker = TICKER
    until(lambda: model.book["live"])
    first = model.book
    model.ticker = OTHER
    until(lambda: model.book["live"] and model.book != first)
    assert model._stream is not None
    assert model._stream.markets == [OTHER]


def test_a_stream_that_was_passed_goes_on(sandbox: Any) -> None:
    from kalshi_research.streaming import stream

    with stream(kr.connect(sandbox), [TICKER]) as live:
        model = BookModel(live, Jobs("test"), rate=200)
        model.ticker = OTHER
        until(lambda: model.book["live"])
        assert live.markets == [TICKER, OTHER]
        model.close()
        assert live.wait().best(TICKER).status == "live"


def test_a_book_that_is_not_current_has_no_numbers(sandbox: Any, model: BookModel) -> None:
    model.ticker = TICKER
    until(lambda: model.book["live"])
    sandbox.close()
    until(lambda: not model.book["live"], 30)
    assert model.book["bids"] == model.book["asks"] == []
    assert model.state.split(":")[0].split(",")[0] in ("STALE", "SYNCING", "INVALID")


def test_an_unknown_market_says_so(model: BookModel) -> None:
    model.ticker = "NO-SUCH-MARKET"
    until(lambda: bool(model.note) or "SYNCING" in model.state)
    assert not model.book["live"]
