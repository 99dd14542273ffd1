"""The book panel without a screen."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
from faulty_exchange import until

import kalshi_research as kr
from kalshi_research.errors import TransportError
from kalshi_research.panels.book_model import BookModel
from kalshi_research.panels.jobs import Jobs
from kalshi_research.panels.tape import Print, Tape

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
    until(lambda: newest(model) == ["takes NO", f"{best + 0.01:.2f}", "2"])
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


def test_without_a_market_there_is_nothing(model: BookModel) -> None:
    model.ticker = TICKER
    until(lambda: model.book["live"])
    model.ticker = ""
    assert (model.book["bids"], model.top, model.trades) == ([], "", [])
    until(lambda: model.state == "no market chosen")
    model.paint()
    assert model.book["bids"] == []


def test_no_level_of_another_market_is_to_be_seen_meanwhile(
    model: BookModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the choice of a market and its book there is no book at all, whoever paints."""
    model.ticker = TICKER
    until(lambda: model.book["live"])
    follow, free = model._follow, threading.Event()
    monkeypatch.setattr(model, "_follow", lambda ticker: (free.wait(10), follow(ticker)))
    model.ticker = OTHER
    for _ in range(20):
        model.paint()
        assert model.book["bids"] == []
    free.set()
    until(lambda: model.book["live"])


def test_one_side_of_a_book_has_no_middle(sandbox: Any, model: BookModel) -> None:
    model.ticker = TICKER
    until(lambda: model.book["live"])
    book = kr.get_orderbook(kr.connect(sandbox), TICKER)
    place(sandbox, 1, "ask", 1, int(book.loc[book["side"] == "bid", "quantity"].sum()))
    until(lambda: model.book["bids"] == [])
    assert model.book["mid"] == "mid – · spread –"
    ask = prices(model, "asks")[0]
    assert model.top == f"YES – / {ask:.2f}   NO {1 - ask:.2f} / –"


def test_each_trade_is_shown_once_the_newest_first_even_if_it_comes_late(model: BookModel) -> None:
    tape = model.tape
    tape.keep([Print(time_ms, f"t{time_ms}", "YES", 4000, 100) for time_ms in range(1, 40)])
    tape.keep([Print(39, "t39", "YES", 4000, 100), Print(30, "late", "NO", 4100, 250)])
    kept = tape.newest()
    assert len(kept) == 20
    assert [each.time_ms for each in kept] == sorted((each.time_ms for each in kept), reverse=True)
    assert [each.trade_id for each in kept].count("t39") == 1
    assert "late" in [each.trade_id for each in kept]


def test_trades_that_were_before_are_there(sandbox: Any) -> None:
    from kalshi_research.streaming import stream

    with stream(kr.connect(sandbox), [TICKER, OTHER]) as live:
        live.wait()
        best = round(float(live.best(TICKER).bid) * 100)
        place(sandbox, 1, "ask", best, 2)
        until(lambda: len(live.trades()) > 0)
        model = BookModel(live, Jobs("test"), rate=200)
        model.ticker = TICKER
        until(lambda: newest(model) == ["takes NO", f"0.{best:02d}", "2"])
        model.close()


def test_what_was_traded_before_the_panel_is_there(sandbox: Any, model: BookModel) -> None:
    client = kr.connect(sandbox)
    best = round(float(kr.quotes(kr.get_orderbook(client, TICKER)).iloc[0]["yes_bid"]) * 100)
    place(sandbox, 1, "ask", best, 2)
    model.ticker = TICKER
    until(lambda: bool(model.trades))
    known = kr.get_trades(client, TICKER, max_rows=20)
    assert newest(model) == ["takes NO", f"0.{best:02d}", "2"]
    assert {row["key"] for row in model.trades} == set(known["trade_id"])


def test_a_sweep_goes_from_the_best_price_to_the_worst(model: BookModel) -> None:
    model.tape.keep(Print(1, str(price), "NO", price, 100) for price in (4000, 4200, 4100))
    model.tape.keep(Print(2, str(price), "YES", price, 100) for price in (5100, 5000, 5200))
    newest_first = [(each.taker, each.price) for each in model.tape.newest()]
    assert newest_first == [
        ("YES", 5200), ("YES", 5100), ("YES", 5000), ("NO", 4000), ("NO", 4100), ("NO", 4200),
    ]  # fmt: skip


def test_no_trade_is_lost_while_the_stream_begins(
    sandbox: Any, model: BookModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The book is live before the exchange tells of trades: what is traded then is asked for."""
    from kalshi_research.streaming import Stream

    ready = threading.Event()
    settled = Stream.settled.fget
    assert settled is not None
    monkeypatch.setattr(Stream, "settled", property(lambda live: ready.is_set() and settled(live)))
    monkeypatch.setattr(model, "_traded", lambda trade: None)
    model.ticker = TICKER
    until(lambda: model.book["live"])
    best = round(prices(model, "bids")[0] * 100)
    place(sandbox, 1, "ask", best, 2)
    assert newest(model) != ["takes NO", f"0.{best:02d}", "2"]
    ready.set()
    until(lambda: newest(model) == ["takes NO", f"0.{best:02d}", "2"])


def newest(model: BookModel) -> list[str]:
    return model.trades[0]["cells"][1:] if model.trades else []


def test_a_trade_of_another_day_says_so() -> None:
    noon, day = 1_767_268_800_000, 86_400_000  # 2026-01-01 12:00 UTC
    tape = Tape(20)
    tape.keep([Print(noon - day, "b", "YES", 4000, 100)])
    assert [row["cells"][0] for row in tape.rows()] == ["12:00:00"]
    tape.keep([Print(noon, "a", "YES", 4000, 100)])
    tape.today = date(2026, 1, 1)
    assert [row["cells"][0] for row in tape.rows()] == ["12:00:00", "Dec 31 12:00:00"]
    tape.today = date(2026, 1, 2)
    assert [row["cells"][0] for row in tape.rows()] == ["Jan 1 12:00:00", "Dec 31 12:00:00"]


def test_why_there_are_no_trades(sandbox: Any, model: BookModel) -> None:
    """Only what is known is said: of a market in which nobody has traded, that nobody has."""
    from kalshi_research.streaming import stream

    said: list[str] = []
    model.observe(lambda change: said.append(change["new"]), "untraded")
    model.ticker = TICKER
    until(lambda: bool(model.trades))
    assert said == ["Asking for the last trades…", "No trade yet."]
    model.ticker = ""
    assert model.untraded == ""
    sandbox.faults.add("reject_then:400", "GET /markets/trades")
    model.ticker = OTHER
    until(lambda: model.untraded == "The last trades are not known.")
    with stream(kr.connect(sandbox), [TICKER], ["books"]) as live:
        panel = kr.BookPanel(live, TICKER, rate=200)
        until(lambda: panel.model.book["live"])
        until(lambda: panel.trades.empty == "This stream does not follow trades.")
        panel.close()


def test_trades_that_cannot_be_asked_for_are_said_and_the_book_goes_on(
    sandbox: Any, model: BookModel
) -> None:
    sandbox.faults.add("reject_then:400", "GET /markets/trades")
    model.ticker = TICKER
    until(lambda: bool(model.note))
    until(lambda: model.book["live"])
    assert model.state.startswith("live")


def test_many_changes_of_own_orders_are_few_questions(sandbox: Any, model: BookModel) -> None:
    model.ticker = TICKER
    until(lambda: model.book["live"])
    assert model._jobs.wait(10)
    before = orders_asked(sandbox)
    began = time.monotonic()
    for cents in range(1, 11):
        place(sandbox, 0, "bid", cents)
    until(lambda: any(level[2] for level in model.book["bids"]) or orders_asked(sandbox) > before)
    until(lambda: sum(own for _, own in model._own.items()) == 10 * 100)
    assert orders_asked(sandbox) - before <= 2 + (time.monotonic() - began) / 0.5


def orders_asked(sandbox: Any) -> int:
    return sum(request.path.endswith("/portfolio/orders") for request in sandbox.truth.requests)


def test_orders_of_the_market_before_are_not_taken_for_those_of_this_one(
    sandbox: Any, model: BookModel
) -> None:
    model.ticker = TICKER
    until(lambda: model.book["live"])
    place(sandbox, 0, "bid", 5, 3)
    orders = kr.get_orders(kr.connect(sandbox), TICKER, status="resting")
    model.ticker = OTHER
    until(lambda: model.book["live"])
    model._set_own(TICKER, orders)
    assert model._own == {}
    model._set_own(OTHER, orders)
    assert model._own == {("bid", 500): 300}


def test_without_a_key_it_says_what_to_do(sandbox: Any) -> None:
    model = BookModel(kr.connect(sandbox.url), Jobs("test"), rate=200)
    model.ticker = TICKER
    until(lambda: bool(model.note))
    assert "key" in model.note
    assert (model.state, model.book["live"]) == ("not connected", False)
    model.refresh_own()
    assert not any("portfolio" in request.path for request in sandbox.truth.requests)
    model.close()
    assert model.state == "closed"


def test_a_panel_that_could_not_connect_tries_again(
    sandbox: Any, model: BookModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when the network is down while somebody looks at a panel for the first time in an hour."""
    from kalshi_research.panels import book_model

    failures = [TransportError("no answer"), TransportError("no answer")]

    def connecting(*arguments: Any) -> Any:
        if failures:
            raise failures.pop()
        return real(*arguments)

    real = book_model.stream
    monkeypatch.setattr(book_model, "_PAUSES", (0.05, 1.0))
    model._pause = 0.05
    monkeypatch.setattr(book_model, "stream", connecting)
    states: list[str] = []
    model.observe(lambda change: states.append(change["new"]), "state")
    model.ticker = TICKER
    until(lambda: model.book["live"])
    assert "not connected, trying again" in states
    assert (model.note, model._pause, model._retry_at) == ("", 0.05, float("inf"))


def test_orders_that_cannot_be_asked_for_are_said_and_the_book_goes_on(
    sandbox: Any, model: BookModel
) -> None:
    model.ticker = TICKER
    until(lambda: model.book["live"])
    assert model._jobs.wait(10)
    sandbox.faults.add("reject_then:400", "GET /portfolio/orders")
    model.refresh_own()
    until(lambda: bool(model.note))
    assert model.book["live"]
    assert model.state.startswith("live")


@pytest.mark.parametrize("when", ["before it connects", "while it connects"])
def test_what_was_closed_connects_no_more(
    sandbox: Any, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    from kalshi_research.panels import book_model

    model = BookModel(kr.connect(sandbox), Jobs("test"), rate=200)
    made: list[Any] = []

    def connecting(*arguments: Any) -> Any:
        made.append(real(*arguments))
        model.close()
        return made[0]

    real = book_model.stream
    monkeypatch.setattr(book_model, "stream", connecting)
    if when == "before it connects":
        model.close()
    model.ticker = TICKER
    assert model._jobs.wait(20)
    assert model.state == "closed"
    assert model._stream is None
    assert len(made) == (when == "while it connects")
    assert all(live._engine.closed for live in made)


@pytest.mark.parametrize(
    ("sight", "words"),
    [
        (("live", "", 0.3), "live"),
        (("live", "", 2.4), "live, 2 s old"),
        (("stale", "the connection is lost", 7.0), "STALE, 7 s old: the connection is lost"),
        (("syncing", "no snapshot yet", float("inf")), "SYNCING: no snapshot yet"),
    ],
)
def test_a_state_in_words(sight: tuple[str, str, float], words: str) -> None:
    from kalshi_research.panels.book_model import _state
    from kalshi_research.streaming.view import Sight

    assert _state(Sight(*sight, levels=None)) == words


def test_a_picture_costs_far_less_than_the_time_between_two(model: BookModel) -> None:
    """Twenty pictures a second may not keep the kernel busy: at most a twentieth of its time."""
    model.ticker = TICKER
    until(lambda: model.book["live"])
    model._painter.close()
    model.paint()
    costs = []
    for _ in range(50):
        before = time.thread_time()
        model.paint()
        costs.append(time.thread_time() - before)
    assert sorted(costs)[25] < 0.05 / 20


def test_nothing_is_drawn_for_nobody_and_all_is_current_when_somebody_looks(
    sandbox: Any,
) -> None:
    panel = kr.BookPanel(kr.connect(sandbox), TICKER)
    model = panel.model
    until(lambda: model.book["live"])
    presence = next(part for part in panel.children if type(part).__name__ == "Presence")
    presence._handle_custom_msg({"view": "a", "seen": True}, [])
    presence._handle_custom_msg({"view": "a", "seen": False}, [])
    best = round(max(prices(model, "bids")) * 100)
    drawn: list[Any] = []
    model.observe(drawn.append, "book")
    place(sandbox, 1, "bid", best + 1, 7)
    assert model._stream is not None
    until(lambda: model._stream.best(TICKER).bid == (best + 1) / 100)  # type: ignore[union-attr]
    model._paint_for_somebody()
    assert drawn == []
    presence._handle_custom_msg({"view": "a", "seen": True}, [])
    until(lambda: prices(model, "bids")[0] == (best + 1) / 100)
    panel.close()
