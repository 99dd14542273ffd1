"""Bars, judged by the exchange's candlesticks and by loops over exact fractions."""

from __future__ import annotations

import json
from collections import defaultdict
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from itertools import pairwise
from math import ceil
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import kalshi_research as kr
from kalshi_research.analysis import tape_order, time_bars, trade_bars, volume_bars
from kalshi_research.errors import FrameError, InputError

PRICES = ["open", "high", "low", "close"]


def trades_of(*rows: tuple[str, float, float, str], ticker: str = "T") -> pd.DataFrame:
    """Trades written out as (time, price, quantity, side)."""
    time, price, quantity, side = zip(*rows, strict=True)
    return pd.DataFrame(
        {
            "ticker": ticker,
            "yes_price": list(price),
            "quantity": np.array(quantity, dtype=float),
            "taker_side": list(side),
        },
        index=pd.to_datetime(list(time), utc=True, format="ISO8601").rename("time"),
    )


# --- candlesticks ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def exchange() -> Any:
    with kr.connect("sandbox") as client:
        yield client


@pytest.mark.parametrize(("interval", "length"), [("1min", "1min"), ("1h", "60min"), ("1d", "1D")])
def test_time_bars_are_the_candlesticks_of_the_simulated_exchange(
    exchange: Any, interval: str, length: str
) -> None:
    """The exchange counts its candlesticks from its own record, in the order of execution."""
    markets = kr.get_markets(exchange, series_ticker="KXHIGHNY").nlargest(2, "volume")
    tickers = [*markets.index, "KXFEDDECISION-27JAN-H0"]
    trades = kr.get_trades(exchange, tickers)
    start, end = trades.index[0].floor("D"), trades.index[-1].ceil("D")
    candles = kr.get_candlesticks(exchange, tickers, start=start, end=end, interval=interval)
    traded = candles[candles["volume"] > 0].set_index("ticker", append=True).sort_index()
    bars = time_bars(trades, length, empty=False).set_index("ticker", append=True).sort_index()
    assert len(bars) > 10
    assert bars.index.tolist() == traded.index.tolist()
    exact = [*PRICES, "previous", "volume", "period_start"]
    pd.testing.assert_frame_equal(bars[exact], traded[exact], check_exact=True)
    rounded = [
        float(Decimal(repr(value)).quantize(Decimal("0.0001"), ROUND_HALF_UP)) for value in bars["vwap"]
    ]
    assert rounded == traded["mean"].tolist()


def test_periods_without_a_candlestick_are_the_empty_bars(exchange: Any) -> None:
    ticker = kr.get_markets(exchange, series_ticker="KXHIGHNY")["volume"].idxmax()
    trades = kr.get_trades(exchange, ticker)
    start, end = trades.index[0].floor("D"), trades.index[-1].ceil("D")
    candles = kr.get_candlesticks(exchange, ticker, start=start, end=end, interval="1h")
    bars = time_bars(trades, "1h")
    steps = bars.index.to_series().diff().dropna()
    assert (steps == pd.Timedelta(hours=1)).all()
    silent = bars.index[bars["volume"] == 0]
    assert len(silent) > 0
    assert not set(silent) & set(candles.index[candles["volume"] > 0])
    assert bars.loc[silent, [*PRICES, "vwap"]].isna().all(axis=None)
    assert (bars.loc[silent, ["trades", "orders", "yes_volume"]] == 0).all(axis=None)
    # In a recorded candlestick without a trade, too, `previous` is the last price there was.
    quiet = candles[(candles["volume"] == 0) & candles["previous"].notna()]
    both = quiet.index.intersection(silent)
    assert len(both) > 0
    assert (bars.loc[both, "previous"] == quiet.loc[both, "previous"]).all()


@pytest.mark.parametrize("name", ["candlesticks_mlb.json", "candlesticks_pregame_mlb.json"])
def test_recorded_candlesticks_chain_like_bars(shared: Path, name: str) -> None:
    """`previous` is the last close, and the mean lies between the extremes; no trades are recorded."""
    recording = json.loads((shared / "real/candles" / name).read_text())
    markets = recording.get("markets") or {"one": recording["candlesticks_response"]}
    seen = 0
    for ticker, body in markets.items():
        answer = {"ticker": ticker, "candlesticks": body["candlesticks"]}
        candles = kr.read_candlesticks(answer, period_interval=1)
        traded = candles[candles["volume"] > 0]
        for earlier, later in pairwise(traded.to_dict("records")):
            assert later["previous"] == earlier["close"]
            assert later["low"] <= later["mean"] <= later["high"]
            seen += 1
    assert seen > 10


# --- an independent count --------------------------------------------------------------------


def exact_bars(fills: list[tuple[Fraction, Fraction, str, Any]]) -> dict[str, Any]:
    """One bar of (price, quantity, side, order), in the order of execution."""
    prices = [price for price, *_ in fills]
    volume = sum((quantity for _, quantity, *_ in fills), Fraction(0))
    return {
        "open": float(prices[0]),
        "high": float(max(prices)),
        "low": float(min(prices)),
        "close": float(prices[-1]),
        "vwap": float(sum((p * q for p, q, *_ in fills), Fraction(0)) / volume),
        "volume": float(volume),
        "yes_volume": float(sum((q for _, q, side, _ in fills if side == "yes"), Fraction(0))),
        "trades": len(fills),
        "orders": len({order for *_, order in fills}),
    }


def fills_of(tape: pd.DataFrame) -> list[tuple[Fraction, Fraction, str, Any]]:
    return [
        (Fraction(str(row.yes_price)), Fraction(str(row.quantity)), row.taker_side, row.parent)
        for row in tape.itertuples(index=False)
    ]


def assert_same(bars: pd.DataFrame, expected: list[dict[str, Any]]) -> None:
    assert len(bars) == len(expected)
    for found, wanted in zip(bars.to_dict("records"), expected, strict=True):
        assert {name: found[name] for name in wanted} == wanted


@pytest.fixture(scope="module")
def busy(shared: Path) -> pd.DataFrame:
    """Two recorded markets with many shared instants, one after the other."""
    trades = kr.read_trades(shared / "real/weather_trades/trades.parquet")
    busiest = trades["ticker"].value_counts().index[[40, 60]]
    return trades[trades["ticker"].isin(busiest)]


def test_recorded_trades_make_the_bars_that_a_loop_makes(busy: pd.DataFrame) -> None:
    for _, trades in busy.groupby("ticker"):
        tape = tape_order(trades)
        by_minute: dict[int, list[Any]] = defaultdict(list)
        for time, fill in zip(tape.index, fills_of(tape), strict=True):
            micros = round(Fraction(str(time.timestamp())) * 1_000_000)
            by_minute[ceil(Fraction(micros, 300_000_000))].append(fill)
        assert len(by_minute) > 50
        bars = time_bars(trades, "5min", empty=False)
        assert_same(bars, [exact_bars(fills) for _, fills in sorted(by_minute.items())])
        ends = [pd.Timestamp(number * 300, unit="s", tz="UTC") for number in sorted(by_minute)]
        assert bars.index.tolist() == ends


def test_bars_of_two_markets_are_those_of_each(busy: pd.DataFrame) -> None:
    for make in (
        lambda t: time_bars(t, "1h"),
        lambda t: volume_bars(t, "100.5"),
        lambda t: trade_bars(t, 7),
    ):
        together = make(busy)
        assert together.index.is_monotonic_increasing
        for ticker, trades in busy.groupby("ticker"):
            pd.testing.assert_frame_equal(together[together["ticker"] == ticker], make(trades))


def test_the_order_of_the_tape_decides_open_and_close(busy: pd.DataFrame) -> None:
    shuffled = busy.sample(frac=1, random_state=2)
    pd.testing.assert_frame_equal(time_bars(shuffled, "1min"), time_bars(busy, "1min"))
    walk = trades_of(
        ("2026-11-20T15:00:01Z", 0.44, 1, "yes"),
        ("2026-11-20T15:00:01Z", 0.42, 1, "yes"),
    )
    assert time_bars(walk, "1min")[["open", "close"]].iloc[0].tolist() == [0.42, 0.44]


parts = st.lists(
    st.tuples(
        st.integers(0, 400), st.integers(1, 9999), st.integers(1, 3000), st.sampled_from(["yes", "no"])
    ),
    min_size=1,
    max_size=25,
)


def made_up(found: list[tuple[int, int, int, str]]) -> pd.DataFrame:
    start = pd.Timestamp("2026-11-20T15:00Z")
    rows = [
        ((start + pd.Timedelta(seconds=s)).isoformat(), p / 10_000, c / 100, side)
        for s, p, c, side in found
    ]
    return trades_of(*rows)


@given(parts, st.integers(1, 2500))
def test_volume_bars_split_trades_exactly(found: list[tuple[int, int, int, str]], size: int) -> None:
    trades = made_up(found)
    contracts = Decimal(size) / 100
    expected, bar, room = [], [], Fraction(size, 100)
    for price, quantity, side, order in fills_of(tape_order(trades)):
        left = quantity
        while left:
            part = min(left, room)
            bar.append((price, part, side, order))
            left, room = left - part, room - part
            if not room:
                expected.append(bar)
                bar, room = [], Fraction(size, 100)
    expected += [bar] if bar else []
    bars = volume_bars(trades, contracts)
    assert_same(bars, [exact_bars(fills) for fills in expected])
    assert (bars["volume"].iloc[:-1] == float(contracts)).all()


@given(parts, st.integers(1, 9))
def test_trade_bars_hold_n_trades(found: list[tuple[int, int, int, str]], n: int) -> None:
    trades = made_up(found)
    fills = fills_of(tape_order(trades))
    bars = trade_bars(trades, n)
    assert_same(bars, [exact_bars(fills[at : at + n]) for at in range(0, len(fills), n)])


@given(parts, st.integers(1, 130))
def test_time_bars_tile_the_time(found: list[tuple[int, int, int, str]], seconds: int) -> None:
    trades = made_up(found)
    bars = time_bars(trades, pd.Timedelta(seconds=seconds))
    assert bars["trades"].sum() == len(trades)
    assert (bars["period_start"].iloc[1:].to_numpy() == bars.index[:-1].to_numpy()).all()
    assert bars["trades"].iloc[0] > 0
    assert bars["trades"].iloc[-1] > 0
    close = bars["close"].ffill().shift()
    pd.testing.assert_series_equal(bars["previous"], close, check_names=False)
    for start, end, held in zip(bars["period_start"], bars.index, bars["trades"], strict=True):
        assert held == int(((trades.index > start) & (trades.index <= end)).sum())


# --- edges -----------------------------------------------------------------------------------


def test_a_trade_at_the_end_of_a_period_belongs_to_it() -> None:
    trades = trades_of(
        ("2026-11-20T15:00:00Z", 0.40, 1, "yes"),
        ("2026-11-20T15:00:00.000001Z", 0.50, 1, "yes"),
    )
    bars = time_bars(trades, "1min")
    assert bars.index.tolist() == list(pd.to_datetime(["2026-11-20T15:00Z", "2026-11-20T15:01Z"]))
    assert bars["close"].tolist() == [0.40, 0.50]


@pytest.mark.parametrize(("day", "hours"), [("2026-03-08", 23), ("2026-11-01", 25), ("2026-11-20", 24)])
def test_days_of_a_place_follow_its_clocks(day: str, hours: int) -> None:
    place = ZoneInfo("America/New_York")
    noon = pd.Timestamp(f"{day} 12:00", tz=place)
    trades = trades_of((noon.isoformat(), 0.40, 1, "yes"))
    for tz in ("America/New_York", place):
        bar = time_bars(trades, "1D", tz=tz)
        assert bar["period_start"].iloc[0] == pd.Timestamp(day, tz=place)
        assert bar.index[0] - bar["period_start"].iloc[0] == pd.Timedelta(hours=hours)
    # Midnight itself still belongs to the day that ends.
    last = trades_of((pd.Timestamp(day, tz=place).isoformat(), 0.40, 1, "yes"))
    assert time_bars(last, "1D", tz=place).index[0] == pd.Timestamp(day, tz=place)


def test_days_of_a_place_are_tiled_too() -> None:
    trades = trades_of(("2026-10-30T15:00:00Z", 0.40, 1, "yes"), ("2026-11-04T15:00:00Z", 0.50, 2, "no"))
    bars = time_bars(trades, "1D", tz="America/New_York")
    assert bars["volume"].tolist() == [1, 0, 0, 0, 0, 2]
    assert (bars["period_start"].iloc[1:].to_numpy() == bars.index[:-1].to_numpy()).all()


def test_midnights_that_come_twice_or_not_at_all_do_no_harm() -> None:
    # Havana's clocks went back from 1:00 to 0:00 on 2024-11-03 and jumped over midnight on 2024-03-10.
    for day in ("2024-11-03", "2024-03-10"):
        times = pd.date_range(f"{day} 00:00", periods=60, freq="h", tz="UTC")
        trades = trades_of(*[(time.isoformat(), 0.40, 1, "yes") for time in times])
        bars = time_bars(trades, "1D", tz="America/Havana")
        assert bars["trades"].sum() == 60
        assert (bars["period_start"] < bars.index).all()
        assert (bars["period_start"].iloc[1:].to_numpy() == bars.index[:-1].to_numpy()).all()


@pytest.mark.parametrize(
    ("interval", "message"),
    [
        (60, "of what unit"),
        ("often", "such as '5min'"),
        ("0min", "must be positive"),
        ("-1min", "must be positive"),
        ("1ns", "whole microseconds"),
        (None, "must be positive|such as"),
    ],
)
def test_an_interval_that_is_none_is_refused(interval: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        time_bars(trades_of(("2026-11-20T15:00:00Z", 0.40, 1, "yes")), interval)


def test_other_options_are_checked() -> None:
    trades = trades_of(("2026-11-20T15:00:00Z", 0.40, 1, "yes"), ("2026-11-21T15:00:00Z", 0.40, 1, "no"))
    with pytest.raises(InputError, match="interval='1D' only"):
        time_bars(trades, "1h", tz="America/New_York")
    with pytest.raises(InputError, match="name of a time zone"):
        time_bars(trades, "1D", tz="New York")
    with pytest.raises(InputError, match="contracts must be positive"):
        volume_bars(trades, 0)
    with pytest.raises(InputError, match="multiple of 1/100"):
        volume_bars(trades, 0.005)
    for n in (0, -1, 2.5, True):
        with pytest.raises(InputError, match="whole number from 1"):
            trade_bars(trades, n)  # type: ignore[arg-type]


def test_more_rows_than_memory_holds_are_refused_before_they_are_made() -> None:
    trades = trades_of(("2025-11-20T15:00:00Z", 0.40, 1, "yes"), ("2026-11-20T15:00:00Z", 0.40, 1, "no"))
    with pytest.raises(InputError, match=r"31,536,000,001 rows.*longer interval"):
        time_bars(trades, "1ms")
    assert len(time_bars(trades, "1ms", empty=False)) == 2
    with pytest.raises(InputError, match="more contracts a bar"):
        volume_bars(trades.assign(quantity=1e6), "0.01")


def test_bars_can_be_drawn() -> None:
    from matplotlib.figure import Figure

    trades = trades_of(("2026-11-20T15:00:20Z", 0.42, 5, "yes"), ("2026-11-20T15:02:10Z", 0.44, 1, "no"))
    ax = kr.plot_candlesticks(time_bars(trades, "1min"), ax=Figure().subplots())
    assert "1-minute" in ax.get_title(loc="left")


@settings(max_examples=10)
@given(parts)
def test_an_unsorted_frame_makes_the_same_bars(found: list[tuple[int, int, int, str]]) -> None:
    trades = made_up(found)
    backwards = trades[::-1]
    for bars in (lambda t: time_bars(t, "1min"), lambda t: volume_bars(t, 3)):
        left, right = bars(trades), bars(backwards)
        columns = ["open", "high", "low", "close", "volume"]
        pd.testing.assert_frame_equal(left[columns], right[columns])


def test_a_frame_that_is_none_is_refused() -> None:
    with pytest.raises(FrameError, match="must be a DataFrame"):
        time_bars(None, "1min")  # type: ignore[arg-type]
