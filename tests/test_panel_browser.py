"""The market browser without a screen."""

from __future__ import annotations

import sys
import threading
from typing import Any

import pandas as pd
import pytest

import kalshi_research as kr
from kalshi_research.errors import TransportError
from kalshi_research.panels.browser_model import BrowserModel
from kalshi_research.panels.jobs import Jobs


@pytest.fixture(scope="module")
def client() -> Any:
    return kr.connect("sandbox")


@pytest.fixture
def model(client: Any) -> BrowserModel:
    made = BrowserModel(client, Jobs("test"))
    made.refresh()
    return settled(made)


def settled(model: BrowserModel) -> BrowserModel:
    assert model._jobs.wait(20)
    assert not model.busy
    return model


def keys(model: BrowserModel) -> list[str]:
    return [row["key"] for row in model.rows]


def test_it_goes_from_series_to_a_market(client: Any, model: BrowserModel) -> None:
    assert sorted(keys(model)) == sorted(kr.get_series(client).index)
    model.open("KXHIGHNY")
    settled(model)
    events = kr.get_events(client, series_ticker="KXHIGHNY", status="open")
    assert (model.level, keys(model)) == ("events", list(events.index))
    model.open(events.index[0])
    settled(model)
    markets = kr.get_markets(client, event_ticker=events.index[0])
    assert (model.level, keys(model)) == ("markets", list(markets.index))
    assert model.ticker == ""
    model.open(markets.index[1])
    assert model.ticker == markets.index[1]
    assert model.page == "https://kalshi.com/markets/kxhighny"


def test_a_market_shows_what_the_exchange_says(client: Any, model: BrowserModel) -> None:
    model.go(("KXHIGHNY", "KXHIGHNY-26NOV21"))
    settled(model)
    market = kr.get_markets(client, event_ticker="KXHIGHNY-26NOV21").iloc[0]
    row = model.rows[0]
    cells = dict(zip((column["label"] for column in model.columns), row["cells"], strict=True))
    assert cells["Yes means"] == market["yes_sub_title"]
    assert float(cells["Bid"]) == market["yes_bid"]
    assert float(cells["Ask"]) == market["yes_ask"]
    assert float(cells["Volume"].replace(",", "")) == market["volume"]
    assert cells["Status"] == "open"
    week = [price for price in cells["Week"] if price is not None]
    assert week
    assert all(0 < price < 1 for price in week)


def test_words_narrow_what_is_listed(model: BrowserModel) -> None:
    every = keys(model)
    model.query = "fed DECISION"
    assert keys(model) == ["KXFEDDECISION"]
    model.query = "no such words"
    assert keys(model) == []
    model.query = ""
    assert keys(model) == every


def test_a_search_looks_through_the_markets_of_all_series(client: Any, model: BrowserModel) -> None:
    model.query = "hike"
    model.search()
    settled(model)
    assert set(keys(model)) == set(kr.search_markets(client, "hike").index)


def test_an_older_answer_does_not_overwrite_a_newer_one(model: BrowserModel) -> None:
    model.open("KXHIGHNY")
    model.go(())
    settled(model)
    assert (model.level, model.place) == ("series", ())
    assert "KXHIGHNY" in keys(model)


def test_what_goes_wrong_is_said_and_what_was_there_stays(
    model: BrowserModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = keys(model)

    def broken(*_: Any, **__: Any) -> Any:
        raise TransportError("the exchange does not answer.\nNothing was lost.\nTry again.")

    monkeypatch.setattr("kalshi_research.panels.browser_model.get_series", broken)
    model.refresh()
    settled(model)
    assert "does not answer" in model.note
    assert keys(model) == before


def test_a_pause_shows_at_once() -> None:
    with kr.start_sandbox() as sandbox:
        model = BrowserModel(kr.connect(sandbox), Jobs("test"))
        model.go(("KXHIGHNY", "KXHIGHNY-26NOV21"))
        ticker = settled(model).rows[0]["key"]
        sandbox.floor.call(lambda engine: engine.deactivate(ticker), ticker)
        model.refresh()
        row = settled(model).rows[0]
        assert row["cells"][7] == "paused"


@pytest.mark.parametrize("series", ["../account", 'A" onmouseover="x', "javascript:alert(1)", ""])
def test_a_link_is_made_of_tickers_only(model: BrowserModel, series: str) -> None:
    model.place = (series,)
    assert model.page == ""


def test_refresh_is_what_a_search_without_words_does(model: BrowserModel) -> None:
    every = keys(model)
    model.query = "   "
    model.search()
    assert keys(settled(model)) == every


def test_another_status_lists_other_events(client: Any, model: BrowserModel) -> None:
    model.go(("KXHIGHNY",))
    settled(model)
    model.status = "settled"
    settled(model)
    assert keys(model) == list(kr.get_events(client, series_ticker="KXHIGHNY", status="settled").index)


def test_weeks_that_cannot_be_drawn_do_not_hide_the_markets(
    model: BrowserModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        raise TransportError("no answer")

    monkeypatch.setattr("kalshi_research.panels.browser_model.get_candlesticks", broken)
    model.go(("KXHIGHNY", "KXHIGHNY-26NOV21"))
    settled(model)
    assert model.rows
    assert model.note == "The weeks could not be drawn: no answer"


def test_weeks_that_are_known_are_not_asked_for_again(
    model: BrowserModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    model.go(("KXHIGHNY", "KXHIGHNY-26NOV21"))
    settled(model)
    before = [row["cells"][5] for row in model.rows]
    monkeypatch.setattr(
        "kalshi_research.panels.browser_model.get_candlesticks", lambda *_, **__: pytest.fail("asked")
    )
    model.refresh()
    settled(model)
    assert [row["cells"][5] for row in model.rows] == before
    assert model.note == ""


def test_what_fails_elsewhere_meanwhile_is_not_said_here(
    model: BrowserModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        raise TransportError("no answer")

    monkeypatch.setattr("kalshi_research.panels.browser_model.get_events", broken)
    model.open("KXHIGHNY")
    model.go(())
    settled(model)
    assert (model.level, model.note) == ("series", "")


def test_a_list_that_was_cut_says_so(model: BrowserModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kalshi_research.panels.browser_model._MOST", 2)
    model.open("KXHIGHNY")
    assert settled(model).note == "Only the first 2 are listed."


@pytest.mark.parametrize(
    ("exchange", "trading", "words"),
    [
        (True, True, ""),
        (True, False, "Trading is paused on the whole exchange."),
        (False, False, "The exchange is closed for maintenance."),
        (False, True, "The exchange is closed for maintenance."),
    ],
)
def test_why_nobody_can_trade(
    model: BrowserModel, monkeypatch: pytest.MonkeyPatch, exchange: bool, trading: bool, words: str
) -> None:
    status = pd.DataFrame([{"exchange_active": exchange, "trading_active": trading}])
    monkeypatch.setattr("kalshi_research.panels.browser_model.get_exchange_status", lambda _: status)
    model.refresh()
    assert settled(model).halted == words


def test_the_page_of_a_market_that_was_searched_for_is_that_of_its_series(model: BrowserModel) -> None:
    model.query = "hike"
    model.search()
    settled(model)
    assert model.page == ""
    model.open(keys(model)[0])
    assert model.page == "https://kalshi.com/markets/kxfeddecision"


def test_rows_are_ordered_by_what_they_mean_not_by_how_it_is_written(model: BrowserModel) -> None:
    model.go(("KXHIGHNY", "KXHIGHNY-26NOV21"))
    settled(model)
    for row in model.rows:
        for at in (2, 3, 4, 6):
            said = row["cells"][at].replace(",", "")
            assert row["order"][at] == (None if said == "–" else float(said))
        assert row["order"][8] == pytest.approx(pd.Timestamp("2026-11-22 04:59Z").timestamp())
    model.go(("KXHIGHNY",))
    settled(model)
    dates = [row["order"][2] for row in model.rows]
    assert all(date is None or isinstance(date, float) for date in dates)


def test_words_may_be_typed_while_answers_come(
    client: Any, model: BrowserModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is listed changes in one thread, and the words that are looked for in another."""
    from kalshi_research.panels import browser_model

    series = kr.get_series(client)
    events = kr.get_events(client, series_ticker="KXHIGHNY", status="open")
    monkeypatch.setattr(browser_model, "get_series", lambda _: series)
    monkeypatch.setattr(browser_model, "get_events", lambda _, **__: events)
    monkeypatch.setattr(browser_model, "_halted", lambda _: "")
    done, failures = threading.Event(), []

    def type_words() -> None:
        while not done.is_set():
            for words in ("high", ""):
                try:
                    model.query = words
                except Exception as error:  # noqa: BLE001 - whatever it is, nobody would hear of it
                    failures.append(error)

    typing = threading.Thread(target=type_words)
    was = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        typing.start()
        for turn in range(60):
            model.go(() if turn % 2 else ("KXHIGHNY",))
            settled(model)
    finally:
        done.set()
        typing.join()
        sys.setswitchinterval(was)
    assert failures == []
    model.query = ""
    assert (model.level, keys(model)) == ("series", list(series.index))
