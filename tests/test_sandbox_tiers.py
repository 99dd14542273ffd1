"""Candlesticks in their forms, and what the historical tier serves."""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from sandbox_calls import Caller

from kalshi_research.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator

NOW = 1795186800
DAY = 86400
OPEN = "KXHIGHNY-26NOV21-B44.5"


@pytest.fixture(scope="module")
def caller() -> Iterator[Caller]:
    with Sandbox(users=2) as sandbox, Caller(sandbox) as calls:
        yield calls


def at(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def test_forms_of_candlesticks_agree(caller: Caller) -> None:
    window = {"start_ts": NOW - DAY, "end_ts": NOW, "period_interval": 60}
    tickers = [row["ticker"] for row in caller.get("/events/KXFEDDECISION-26DEC")["markets"]]
    single = [
        caller.get(f"/series/KXFEDDECISION/markets/{ticker}/candlesticks", **window)["candlesticks"]
        for ticker in tickers
    ]
    batch = caller.get("/markets/candlesticks", market_tickers=",".join([*tickers, "NO-SUCH"]), **window)
    assert [row["market_ticker"] for row in batch["markets"]] == tickers
    assert [row["candlesticks"] for row in batch["markets"]] == single
    event = caller.get("/series/KXFEDDECISION/events/KXFEDDECISION-26DEC/candlesticks", **window)
    assert (event["market_tickers"], event["adjusted_end_ts"]) == (tickers, NOW)
    extremes = ("min_dollars", "max_dollars")
    for mine, theirs in zip(single, event["market_candlesticks"], strict=True):
        for candle in theirs:
            assert all(
                (name in candle["price"]) == ("close_dollars" in candle["price"]) for name in extremes
            )
            candle["price"] = {k: v for k, v in candle["price"].items() if k not in extremes}
        assert mine == theirs


def test_too_many_candlesticks(caller: Caller) -> None:
    path = f"/series/KXHIGHNY/markets/{OPEN}/candlesticks"
    body = caller.refused(400, path, start_ts=NOW - 11400 * 60, end_ts=NOW, period_interval=1)
    assert body["error"]["details"] == (
        "requested time range with candlesticks: 11400.000000, max candlesticks: 5000"
    )
    caller.get(path, start_ts=NOW - 5000 * 60, end_ts=NOW, period_interval=1)
    caller.refused(
        400,
        "/markets/candlesticks",
        market_tickers="A,B,C",
        start_ts=0,
        end_ts=3400 * 60,
        period_interval=1,
    )
    event = caller.get(
        "/series/KXHIGHNY/events/KXHIGHNY-26NOV21/candlesticks",
        start_ts=NOW - 2 * DAY, end_ts=NOW, period_interval=1,
    )  # fmt: skip
    assert event["adjusted_end_ts"] == NOW - 2 * DAY + 5000 // 6 * 60
    assert all(
        row["end_period_ts"] <= event["adjusted_end_ts"]
        for candles in event["market_candlesticks"]
        for row in candles
    )


def test_bad_candlestick_windows(caller: Caller) -> None:
    path = f"/series/KXHIGHNY/markets/{OPEN}/candlesticks"
    caller.refused(400, path, start_ts=NOW - 60, end_ts=NOW, period_interval=5)
    caller.refused(400, path, start_ts=NOW, end_ts=NOW - 60, period_interval=1)
    assert caller.refused(400, path, end_ts=NOW, period_interval=1) == {
        "msg": "Query argument start_ts is required, but not found"
    }
    caller.refused(
        404, "/series/KXHIGHNY/markets/NO-SUCH/candlesticks", start_ts=1, end_ts=2, period_interval=1
    )


def test_the_latest_before_start_carries_on(caller: Caller) -> None:
    path = f"/series/KXHIGHNY/markets/{OPEN}/candlesticks"
    everything = caller.get(path, start_ts=NOW - 2 * DAY, end_ts=NOW, period_interval=1)["candlesticks"]
    start = next(
        a["end_period_ts"] + 60
        for a, b in pairwise(everything)
        if b["end_period_ts"] - a["end_period_ts"] >= 120 and a["price"]
    )
    window = {"start_ts": start, "end_ts": NOW, "period_interval": 1}
    plain = caller.get(path, **window)["candlesticks"]
    first, *rest = caller.get(path, **window, include_latest_before_start="true")["candlesticks"]
    assert rest == plain
    before = [row for row in everything if row["end_period_ts"] < start][-1]
    price = before["price"]
    assert first["end_period_ts"] == start
    assert first["price"]["close_dollars"] is None
    assert first["price"]["previous_dollars"] == price.get(
        "close_dollars", price.get("previous_dollars")
    )
    assert first["volume_fp"] == "0.00"


def test_archived_markets_leave_the_live_tier(caller: Caller) -> None:
    cutoff = caller.get("/historical/cutoff")
    edge = at(cutoff["market_settled_ts"])
    live = {row["ticker"]: row for row in caller.walk("/markets", "markets", limit=1000)}
    old = {row["ticker"]: row for row in caller.walk("/historical/markets", "markets", limit=1000)}
    assert all(at(row["settlement_ts"]) >= edge for row in live.values() if "settlement_ts" in row)
    assert all(row["status"] == "finalized" for row in old.values())
    both = live.keys() & old.keys()
    assert both, "around the boundary both tiers serve the same rows"
    assert all(live[ticker] == old[ticker] for ticker in both)
    only_old = [ticker for ticker, row in old.items() if at(row["settlement_ts"]) < edge]
    assert len(only_old) > 200
    ticker = only_old[0]
    assert caller.refused(404, f"/markets/{ticker}") == {
        "error": {"code": "not_found", "message": "not found"}
    }
    caller.refused(404, f"/markets/{ticker}/orderbook")
    window = {"start_ts": int(edge) - 5 * DAY, "end_ts": int(edge), "period_interval": 60}
    caller.refused(404, f"/series/X/markets/{ticker}/candlesticks", **window)
    assert caller.get(f"/historical/markets/{ticker}")["market"] == old[ticker]
    caller.refused(404, f"/historical/markets/{OPEN}")
    event = caller.get(f"/events/{old[ticker]['event_ticker']}", with_nested_markets="true")["event"]
    assert event["markets"] == []


def test_archived_trades_are_silently_missing(caller: Caller) -> None:
    edge = at(caller.get("/historical/cutoff")["trades_created_ts"])
    ticker = "KXFEDDECISION-26DEC-C25"
    live = list(caller.walk("/markets/trades", "trades", ticker=ticker, limit=1000))
    old = list(caller.walk("/historical/trades", "trades", ticker=ticker, limit=1000))
    assert min(at(row["created_time"]) for row in live) >= edge
    assert min(at(row["created_time"]) for row in old) < edge
    ids = {row["trade_id"] for row in live}, {row["trade_id"] for row in old}
    assert ids[0] & ids[1]
    total = {row["trade_id"]: float(row["count_fp"]) for row in [*live, *old]}
    market = caller.get(f"/markets/{ticker}")["market"]
    assert sum(total.values()) == float(market["volume_fp"])
    ancient = caller.get("/markets/trades", ticker=ticker, max_ts=int(edge) - 1)
    assert ancient == {"cursor": "", "trades": []}


def test_historical_candlesticks_use_other_names(caller: Caller) -> None:
    old = caller.get("/historical/markets", series_ticker="KXHIGHNY", limit=7)["markets"][-1]
    end = int(at(old["close_time"]))
    page = caller.get(
        f"/historical/markets/{old['ticker']}/candlesticks",
        start_ts=end - 3 * DAY, end_ts=end + DAY, period_interval=60,
    )  # fmt: skip
    rows = page["candlesticks"]
    assert sum(float(row["volume"]) for row in rows) == float(old["volume_fp"])
    assert rows[-1]["open_interest"] == old["open_interest_fp"]
    for row in rows:
        assert set(row) == {"end_period_ts", "open_interest", "price", "volume", "yes_ask", "yes_bid"}
        assert set(row["price"]) == {"close", "high", "low", "mean", "open", "previous"}
        assert (row["price"]["close"] is None) == (row["volume"] == "0.00")


def test_historical_filters_exclude_each_other(caller: Caller) -> None:
    caller.refused(400, "/historical/markets", series_ticker="KXHIGHNY", event_ticker="X")
    caller.refused(400, "/historical/markets", mve_filter="only")
    caller.refused(404, "/historical/trades", ticker="NO-SUCH")
