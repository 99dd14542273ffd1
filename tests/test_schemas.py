"""Recorded answers become the numbers that stand in them: read once more with json and Decimal."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from kalshi_research.errors import DriftWarning
from kalshi_research.schemas import (
    CANDLESTICKS,
    EVENTS,
    MARKETS,
    ORDERBOOKS,
    SCHEDULE,
    SCHEMAS,
    SERIES,
    STATUS,
    TRADES,
)

MARKET_FILES = (
    "wire_examples/markets_page.json",
    "wire_examples/markets_settled.json",
    "wire_examples/market_single.json",
    "wire_examples/event_single_nested.json",
    "wire_examples/events_page_trimmed.json",
    "real/rest_demo_2026_06/markets__high_temp.json",
    "real/rest_demo_2026_06/markets__status_open.json",
    "real/rest_demo_2026_06/markets__status_closed.json",
    "real/rest_demo_2026_06/markets__single_filter_lastpage.json",
    "real/settled/kxhighny_open_trimmed_2026.json",
    "real/settled/kxhighny_settled_trimmed_2026.json",
    "real/weather_trades/raw_sample/event_KXHIGHNY_2024-11-13.json",
    "real/weather_trades/raw_sample/event_KXHIGHNY_2025-02-21.json",
)


def market_objects(found: Any) -> Iterator[dict[str, Any]]:
    """All market objects in a body, wherever they stand."""
    if isinstance(found, dict):
        if "yes_sub_title" in found and "event_ticker" in found:
            yield found
        else:
            for value in found.values():
                yield from market_objects(value)
    elif isinstance(found, list):
        for value in found:
            yield from market_objects(value)


def decoded(schema: Any, *bodies: bytes, **context: Any) -> pd.DataFrame:
    decoder = schema.decoder(**context)
    for body in bodies:
        decoder.add(body)
    return decoder.frame({"schema": schema.tag})


def nearest(value: Decimal | Fraction | None) -> float:
    """The double nearest to an exact number."""
    if value is None:
        return float("nan")
    exact = Fraction(value)
    return exact.numerator / exact.denominator


def in_dollars(market: dict[str, Any], name: str) -> Fraction | None:
    text = market.get(f"{name}_dollars")
    if text is not None:
        return Fraction(Decimal(text))
    cents = market.get(name)
    return None if cents is None else Fraction(cents, 100)


def quote(market: dict[str, Any], name: str) -> Fraction | None:
    """A quoted price, or None where nobody quotes."""
    size_of = {"yes_bid": "yes_bid", "no_ask": "yes_bid", "yes_ask": "yes_ask", "no_bid": "yes_ask"}
    price = in_dollars(market, name)
    size = market.get(f"{size_of.get(name, '')}_size_fp")
    if size is not None:
        return price if Decimal(size) > 0 else None
    return None if price in (0, 1) else price


def assert_same(found: float, expected: float) -> None:
    assert found == expected or (np.isnan(found) and np.isnan(expected)), (found, expected)


@pytest.mark.parametrize("name", MARKET_FILES)
def test_recorded_markets(shared: Path, name: str) -> None:
    body = (shared / name).read_bytes()
    frame = decoded(MARKETS, body)
    objects = list(market_objects(json.loads(body)))
    assert frame.index.tolist() == [market["ticker"] for market in objects]
    for market, row in zip(objects, frame.itertuples(), strict=True):
        for price in ("yes_bid", "yes_ask", "no_bid", "no_ask", "previous_yes_bid", "previous_yes_ask"):
            assert_same(getattr(row, price), nearest(quote(market, price)))
        for price in ("last_price", "previous_price"):
            assert_same(getattr(row, price), nearest(in_dollars(market, price) or None))
        assert_same(row.settlement_value, nearest(in_dollars(market, "settlement_value")))
        for count in ("volume", "open_interest", "volume_24h"):
            exact = market.get(f"{count}_fp", market.get(count))
            assert_same(getattr(row, count), nearest(Decimal(exact)))
        for strike in ("floor_strike", "cap_strike"):
            exact = market.get(strike)
            assert_same(getattr(row, strike), float("nan") if exact is None else float(exact))
        assert row.status == market["status"]
        assert row.result == market["result"]
        assert row.close_time == pd.Timestamp(datetime.fromisoformat(market["close_time"]))
        if "custom_strike" in market:
            assert json.loads(row.custom_strike) == market["custom_strike"]
        if "price_ranges" in market:
            assert json.loads(row.price_ranges) == market["price_ranges"]
            assert " " not in row.price_ranges


def test_a_market_that_was_never_quoted_has_no_price_at_all(shared: Path) -> None:
    frame = decoded(MARKETS, (shared / "wire_examples" / "markets_page.json").read_bytes())
    prices = [
        "yes_bid",
        "yes_ask",
        "no_bid",
        "no_ask",
        "last_price",
        "previous_price",
        "previous_yes_bid",
    ]
    assert frame[prices].isna().all(axis=None)
    assert (frame["yes_bid_size"] == 0).all()


def test_both_recorded_dialects_of_markets_have_the_same_columns(shared: Path) -> None:
    old, new = (
        decoded(MARKETS, (shared / name).read_bytes()) for name in (MARKET_FILES[-1], MARKET_FILES[5])
    )
    assert old.dtypes.equals(new.dtypes)
    assert old.index.dtype == new.index.dtype
    both = decoded(
        MARKETS, *((shared / name).read_bytes() for name in (MARKET_FILES[-1], MARKET_FILES[5]))
    )
    assert len(both) == len(old) + len(new)


@pytest.mark.parametrize(
    "name", ["wire_examples/trades.json", "real/rest_demo_2026_06/trades__public_recorded.json"]
)
def test_recorded_trades(shared: Path, name: str) -> None:
    body = (shared / name).read_bytes()
    frame = decoded(TRADES, body)
    wire = json.loads(body)["trades"]
    assert frame["trade_id"].tolist() == [trade["trade_id"] for trade in reversed(wire)]
    assert frame.index.is_monotonic_increasing
    for trade, row in zip(reversed(wire), frame.itertuples(), strict=True):
        assert row.Index == pd.Timestamp(datetime.fromisoformat(trade["created_time"]))
        assert row.yes_price == nearest(Decimal(trade["yes_price_dollars"]))
        assert row.no_price == nearest(Decimal(trade["no_price_dollars"]))
        assert row.quantity == nearest(Decimal(trade["count_fp"]))
        assert row.taker_side == trade["taker_outcome_side"]
        assert row.is_block_trade == trade["is_block_trade"]


def test_recorded_trades_of_the_integer_dialect(shared: Path) -> None:
    path = shared / "real/weather_trades/raw_sample/trades_KXHIGHNY_2024-11-13.json.gz"
    wire = json.loads(gzip.decompress(path.read_bytes()))
    frame = decoded(TRADES, *(json.dumps({"trades": trades}).encode() for trades in wire.values()))
    rows = frame.reset_index().set_index("trade_id")
    objects = [trade for trades in wire.values() for trade in trades]
    assert len(frame) == len(objects)
    assert frame["is_block_trade"].isna().all()
    for trade in objects:
        row = rows.loc[trade["trade_id"]]
        assert row["time"] == pd.Timestamp(datetime.fromisoformat(trade["created_time"]))
        assert row["yes_price"] == nearest(Fraction(trade["yes_price"], 100))
        assert row["no_price"] == nearest(Fraction(trade["no_price"], 100))
        assert row["quantity"] == trade["count"]
        assert row["taker_side"] == trade["taker_side"]


def test_recorded_events_and_series(shared: Path) -> None:
    body = (shared / "wire_examples/events_page_trimmed.json").read_bytes()
    events = decoded(EVENTS, body)
    for event in json.loads(body)["events"]:
        row = events.loc[event["event_ticker"]]
        assert row["series_ticker"] == event["series_ticker"]
        assert row["mutually_exclusive"] == event["mutually_exclusive"]
        assert json.loads(row["settlement_sources"]) == event["settlement_sources"]
    body = (shared / "wire_examples/series_list_trimmed.json").read_bytes()
    series = decoded(SERIES, body)
    for one in json.loads(body)["series"]:
        row = series.loc[one["ticker"]]
        assert row["fee_multiplier"] == one["fee_multiplier"]
        assert json.loads(row["tags"]) == one["tags"]
        assert row["last_updated_time"] == pd.Timestamp(datetime.fromisoformat(one["last_updated_ts"]))
        alone = decoded(SERIES, json.dumps({"series": one}).encode())
        pd.testing.assert_series_equal(alone.iloc[0], row)


def test_the_zero_time_of_the_server_is_no_time(shared: Path) -> None:
    body = (shared / "wire_examples/event_single_nested.json").read_bytes()
    assert json.loads(body)["event"]["last_updated_ts"].startswith("0001-01-01")
    assert decoded(EVENTS, body)["last_updated_time"].isna().all()


def candle_value(candle: dict[str, Any], side: str, name: str) -> Fraction | None:
    found = candle.get(side) or {}
    text = found.get(f"{name}_dollars", found.get(name))
    price = None if text is None else Fraction(Decimal(text))
    return None if price in ((0,) if side == "price" else (0, 1)) else price


def recorded_candles(shared: Path) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    for name in ("candlesticks_live", "candlesticks_historical"):
        body = json.loads((shared / f"wire_examples/{name}.json").read_bytes())
        yield body["ticker"], body["candlesticks"]
    mlb = json.loads((shared / "real/candles/candlesticks_mlb.json").read_bytes())
    for ticker, market in mlb["markets"].items():
        yield ticker, market["candlesticks"]
    for name in ("candle_live_tier_shape", "candle_historical_tier_shape"):
        yield name, [json.loads((shared / f"real/candles/{name}.json").read_bytes())]


def test_recorded_candlesticks_of_both_tiers(shared: Path) -> None:
    seen = 0
    for ticker, candles in recorded_candles(shared):
        body = json.dumps({"ticker": ticker, "candlesticks": candles}).encode()
        frame = decoded(CANDLESTICKS, body, period_interval=1)
        assert (frame["ticker"] == ticker).all()
        rows = frame.reset_index()
        for candle, (_, row) in zip(candles, rows.iterrows(), strict=True):
            seen += 1
            assert row["time"] == pd.Timestamp(candle["end_period_ts"], unit="s", tz="UTC")
            assert row["time"] - row["period_start"] == pd.Timedelta(minutes=1)
            for name in ("open", "high", "low", "close", "mean", "previous"):
                assert_same(row[name], nearest(candle_value(candle, "price", name)))
            for side in ("yes_bid", "yes_ask"):
                for name in ("open", "high", "low", "close"):
                    assert_same(row[f"{side}_{name}"], nearest(candle_value(candle, side, name)))
            for name in ("volume", "open_interest"):
                assert_same(row[name], nearest(Decimal(candle.get(f"{name}_fp") or candle[name])))
    assert seen > 50


def test_candlesticks_of_several_markets_and_of_an_event_are_the_same_rows(shared: Path) -> None:
    parts = list(recorded_candles(shared))
    batch = {"markets": [{"market_ticker": name, "candlesticks": rows} for name, rows in parts]}
    event = {"market_tickers": [n for n, _ in parts], "market_candlesticks": [r for _, r in parts]}
    one_by_one = [json.dumps({"ticker": n, "candlesticks": r}).encode() for n, r in parts]
    expected = decoded(CANDLESTICKS, *one_by_one)
    for body in (batch, event):
        found = decoded(CANDLESTICKS, json.dumps(body).encode())
        pd.testing.assert_frame_equal(found, expected)


def test_candlesticks_in_cents_are_dollars() -> None:
    candle = {
        "end_period_ts": 1_735_689_600,
        "price": {"open": 45, "high": 47, "low": 45, "close": 46, "mean": 46, "previous": None},
        "yes_bid": {"open": 44, "high": 46, "low": 0, "close": 45},
        "yes_ask": {"open": 46, "high": 100, "low": 46, "close": 47},
        "volume": 12,
        "open_interest": 30,
    }
    row = decoded(CANDLESTICKS, json.dumps({"ticker": "A", "candlesticks": [candle]}).encode()).iloc[0]
    assert (row["open"], row["high"], row["close"], row["volume"]) == (0.45, 0.47, 0.46, 12)
    assert np.isnan(row[["previous", "yes_bid_low", "yes_ask_high"]].astype(float)).all()


def expected_levels(book: dict[str, Any]) -> list[tuple[str, Fraction, Fraction]]:
    """Levels of a recorded book in exact numbers: bids best first, then asks best first."""
    if "orderbook_fp" in book:
        yes, no = (book["orderbook_fp"][f"{leg}_dollars"] or [] for leg in ("yes", "no"))
        unit = Fraction(1)
    else:
        yes, no = (book["orderbook"][leg] or [] for leg in ("yes", "no"))
        unit = Fraction(1, 100)
    bids = [("bid", Fraction(Decimal(p)) * unit, Fraction(Decimal(q))) for p, q in yes]
    asks = [("ask", 1 - Fraction(Decimal(p)) * unit, Fraction(Decimal(q))) for p, q in no]
    return sorted(bids, key=lambda level: -level[1]) + sorted(asks, key=lambda level: level[1])


@pytest.mark.parametrize("name", ["production_140", "cents_format_100"])
def test_recorded_order_books(shared: Path, name: str) -> None:
    books = json.loads((shared / f"real/orderbooks/{name}.json").read_bytes())["books"]
    tickers = list(dict.fromkeys(book["ticker"] for book in books))
    first = {book["ticker"]: book["response"] for book in reversed(books)}
    decoder = ORDERBOOKS.decoder(tickers=tickers)
    for ticker in tickers:
        decoder.add(json.dumps(first[ticker]).encode(), ticker=ticker)
    frame = decoder.frame({})
    assert frame["ticker"].cat.categories.tolist() == tickers
    expected = [(ticker, *level) for ticker in tickers for level in expected_levels(first[ticker])]
    assert len(frame) == len(expected) > 0
    cumulative, before, level = Fraction(0), None, 0
    for row, (ticker, side, price, quantity) in zip(frame.itertuples(), expected, strict=True):
        cumulative, level = (cumulative, level + 1) if before == (ticker, side) else (Fraction(0), 0)
        before, cumulative = (ticker, side), cumulative + quantity
        assert (row.ticker, row.side, row.level) == (ticker, side, level)
        assert row.price == nearest(price)
        assert row.quantity == nearest(quantity)
        assert row.cumulative == nearest(cumulative)


def test_the_answer_for_several_books_is_the_books(shared: Path) -> None:
    body = (shared / "wire_examples/orderbooks_batch_trimmed.json").read_bytes()
    entries = json.loads(body)["orderbooks"]
    together = decoded(ORDERBOOKS, body, tickers=[entry["ticker"] for entry in entries])
    decoder = ORDERBOOKS.decoder(tickers=[entry["ticker"] for entry in entries])
    for entry in reversed(entries):
        decoder.add(json.dumps(entry).encode(), ticker=entry["ticker"])
    pd.testing.assert_frame_equal(together, decoder.frame({}))


def test_the_book_of_the_documents() -> None:
    """Best bid 0.42, best NO bid 0.56: the implied ask is exactly 0.44."""
    old = (
        b'{"orderbook": {"yes": [[1, 200], [15, 100], [42, 13]], "no": [[1, 100], [25, 50], [56, 17]]}}'
    )
    new = json.dumps(
        {
            "orderbook_fp": {
                "yes_dollars": [["0.0100", "200.00"], ["0.1500", "100.00"], ["0.4200", "13.00"]],
                "no_dollars": [["0.0100", "100.00"], ["0.2500", "50.00"], ["0.5600", "17.00"]],
            }
        }
    ).encode()
    frames = [decoded(ORDERBOOKS, body, tickers=["A"]) for body in (old, new)]
    pd.testing.assert_frame_equal(*frames)
    assert frames[0]["price"].tolist() == [0.42, 0.15, 0.01, 0.44, 0.75, 0.99]
    assert frames[0]["cumulative"].tolist() == [13, 113, 313, 17, 67, 167]


def test_status_of_the_exchange_and_of_its_shards(shared: Path) -> None:
    body = (shared / "wire_examples/exchange_status_2026-09.json").read_bytes()
    frame = decoded(STATUS, body)
    assert frame["exchange_index"].isna().tolist() == [True, False, False, False, False]
    assert frame["description"].tolist()[1:] == [
        shard["description"] for shard in json.loads(body)["exchange_index_statuses"]
    ]
    june = decoded(STATUS, (shared / "wire_examples/exchange_status_2026-06.json").read_bytes())
    assert len(june) == 1


def test_schedule_of_the_exchange() -> None:
    week = {"start_time": "2026-01-01T05:00:00Z", "end_time": "2027-01-01T05:00:00Z"}
    hours = [
        {"open_time": "00:00", "close_time": "03:00"},
        {"open_time": "05:00", "close_time": "23:59"},
    ]
    pause = {"start_datetime": "2026-10-01T07:00:00Z", "end_datetime": "2026-10-01T09:00:00Z"}
    body = {"schedule": {"standard_hours": [week | {"thursday": hours}], "maintenance_windows": [pause]}}
    frame = decoded(SCHEDULE, json.dumps(body).encode())
    assert frame["entry"].tolist() == ["trading", "trading", "maintenance"]
    assert frame["opens"].tolist()[:2] == ["00:00", "05:00"]
    assert frame["start_time"].iloc[2] == pd.Timestamp("2026-10-01T07:00:00Z")


@pytest.mark.parametrize("schema", SCHEMAS.values(), ids=SCHEMAS)
def test_an_empty_frame_has_the_columns_and_dtypes_of_the_table(schema: Any) -> None:
    frame = schema.empty()
    assert (frame.index.name or "") == schema.index
    assert [name for name in schema.names if name != schema.index] == frame.columns.tolist()
    for column in schema.columns:
        found = frame.index.dtype if column.name == schema.index else frame[column.name].dtype
        assert str(found) == column.dtype


def test_dollars_win_over_cents_and_a_disagreement_is_named() -> None:
    trade = {
        "trade_id": "a",
        "ticker": "A",
        "created_time": "2026-01-01T00:00:00Z",
        "yes_price": 45,
        "yes_price_dollars": "0.4550",
        "no_price": 54,
        "no_price_dollars": "0.5450",
        "count": 7,
        "count_fp": "7.77",
        "taker_side": "yes",
    }
    row = decoded(TRADES, json.dumps({"trades": [trade]}).encode()).iloc[0]
    assert (row["yes_price"], row["no_price"], row["quantity"]) == (0.455, 0.545, 7.77)
    decoder = TRADES.decoder()
    decoder.add(json.dumps({"trades": [trade | {"yes_price": 62}]}).encode())
    with pytest.warns(DriftWarning, match="`yes_price_dollars` and `yes_price` disagree"):
        assert decoder.frame({})["yes_price"].tolist() == [0.455]


def test_an_object_without_dollars_takes_the_cents_beside_objects_that_have_them() -> None:
    common = {"ticker": "A", "created_time": "2026-01-01T00:00:00Z", "taker_side": "no"}
    trades = [
        common
        | {
            "trade_id": "a",
            "yes_price_dollars": "0.4550",
            "no_price_dollars": "0.5450",
            "count_fp": "1.50",
        },
        common | {"trade_id": "b", "yes_price": 29, "no_price": 71, "count": 3},
    ]
    frame = decoded(TRADES, json.dumps({"trades": trades}).encode())
    assert frame["yes_price"].tolist() == [0.455, 0.29]
    assert frame["quantity"].tolist() == [1.5, 3.0]


def test_repeated_trades_are_left_out_and_counted(shared: Path) -> None:
    body = (shared / "wire_examples/trades.json").read_bytes()
    decoder = TRADES.decoder()
    decoder.add(body)
    decoder.add(body)
    frame = decoder.frame({})
    pd.testing.assert_frame_equal(frame, decoded(TRADES, body))
    assert decoder.duplicates == len(frame)
    assert frame.attrs["kalshi"]["rows"] == len(frame)


def test_pages_in_any_order_of_time_end_in_the_order_of_time(shared: Path) -> None:
    body = (shared / "wire_examples/trades.json").read_bytes()
    wire = json.loads(body)["trades"]
    expected = decoded(TRADES, body)
    for trades in (wire[::-1], wire[6:] + wire[:6]):
        found = decoded(TRADES, json.dumps({"trades": trades}).encode())
        assert found.index.is_monotonic_increasing
        assert sorted(found["trade_id"]) == sorted(expected["trade_id"])
    ascending = decoded(TRADES, json.dumps({"trades": wire[::-1]}).encode())
    pd.testing.assert_frame_equal(ascending, expected)
