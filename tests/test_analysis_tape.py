"""Execution order and taker orders, judged by what the exchange itself recorded."""

from __future__ import annotations

import re
from collections import defaultdict
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import kalshi_research as kr
from kalshi_research.analysis import (
    classification_accuracy,
    parent_orders,
    tape_order,
    tick_rule,
    time_bars,
    trade_bars,
    trading_fees,
    volume_bars,
)
from kalshi_research.errors import FrameError, InputError, PartialDataWarning

Row = tuple[str, str, float, float, str]


def trades_of(rows: list[Row], ticker: str = "T") -> pd.DataFrame:
    """Trades written out as (time, id, price, quantity, side)."""
    time, ids, price, quantity, side = zip(*rows, strict=True)
    return pd.DataFrame(
        {
            "trade_id": list(ids),
            "ticker": ticker,
            "yes_price": list(price),
            "no_price": [1 - p for p in price],
            "quantity": list(quantity),
            "taker_side": list(side),
        },
        index=pd.DatetimeIndex([f"2026-11-20T15:{at}Z" for at in time], name="time"),
    )


@pytest.fixture(scope="module")
def weather(shared: Path) -> pd.DataFrame:
    return kr.read_trades(shared / "real/weather_trades/trades.parquet")


@pytest.fixture(scope="module")
def last_price(shared: Path) -> pd.Series:
    """What the exchange says each market traded at last."""
    markets = kr.read_markets(shared / "real/weather_trades/markets.parquet")
    return markets["last_price"].dropna().sort_index()


@pytest.fixture(scope="module")
def weather_tape(weather: pd.DataFrame) -> pd.DataFrame:
    return tape_order(weather)


# --- the exchange's own last price -----------------------------------------------------------


def last_of(trades: pd.DataFrame) -> pd.Series:
    return trades.groupby("ticker")["yes_price"].last().sort_index()


def test_the_last_trade_of_the_tape_has_the_last_price_of_every_market(
    weather_tape: pd.DataFrame, last_price: pd.Series
) -> None:
    found = last_of(weather_tape)
    assert len(last_price) == 3148
    assert found.index.tolist() == last_price.index.tolist()
    assert int((found == last_price).sum()) == 3148


def test_the_order_of_the_api_and_the_reverse_of_the_tape_have_not(
    weather: pd.DataFrame, weather_tape: pd.DataFrame, last_price: pd.Series
) -> None:
    assert int((last_of(weather) == last_price).sum()) == 3081
    backwards = weather_tape[::-1].sort_index(kind="stable")
    assert int((last_of(backwards) == last_price).sum()) == 3017


def test_the_tape_is_the_same_whatever_order_the_trades_come_in(
    weather: pd.DataFrame, weather_tape: pd.DataFrame
) -> None:
    shuffled = weather.sample(frac=1, random_state=5)
    pd.testing.assert_frame_equal(tape_order(shuffled), weather_tape)
    pd.testing.assert_frame_equal(tape_order(weather_tape), weather_tape)


def test_the_tape_has_the_rows_of_the_trades(weather: pd.DataFrame, weather_tape: pd.DataFrame) -> None:
    ours = weather_tape.reset_index().set_index("trade_id").sort_index()
    theirs = weather.reset_index().set_index("trade_id").sort_index()
    pd.testing.assert_frame_equal(ours[theirs.columns], theirs)
    assert weather_tape.index.is_monotonic_increasing
    assert weather_tape.attrs == weather.attrs


# --- by hand ---------------------------------------------------------------------------------


def test_takers_of_yes_walk_up_and_takers_of_no_walk_down() -> None:
    trades = trades_of(
        [
            ("01:00", "a", 0.44, 1, "yes"),
            ("01:00", "b", 0.42, 1, "yes"),
            ("02:00", "c", 0.40, 1, "no"),
            ("02:00", "d", 0.43, 1, "no"),
            ("00:00", "e", 0.50, 1, "no"),
        ]
    )
    tape = tape_order(trades)
    assert tape["trade_id"].tolist() == ["e", "b", "a", "d", "c"]
    assert tape["sequence"].tolist() == [0, 1, 2, 3, 4]
    assert tape["parent"].tolist() == [0, 1, 1, 2, 2]
    assert trades["trade_id"].tolist() == ["a", "b", "c", "d", "e"], "the input is left alone"


def test_markets_are_counted_apart_and_stand_by_name_at_one_instant() -> None:
    both = pd.concat(
        [
            trades_of([("01:00", "a", 0.44, 1, "yes"), ("00:30", "b", 0.42, 1, "yes")], "Z"),
            trades_of([("01:00", "c", 0.10, 1, "no"), ("01:30", "d", 0.12, 1, "yes")], "A"),
        ]
    )
    tape = tape_order(both)
    assert tape["trade_id"].tolist() == ["b", "c", "a", "d"]
    assert tape["sequence"].tolist() == [0, 0, 1, 1]
    assert tape["parent"].tolist() == [0, 1, 2, 3]


def test_a_block_trade_is_an_order_of_its_own() -> None:
    trades = trades_of([("01:00", "a", 0.42, 5, "yes"), ("01:00", "b", 0.30, 9000, "yes")])
    trades["is_block_trade"] = pd.array([False, True], dtype="boolean")
    orders = parent_orders(trades)
    assert orders["quantity"].tolist() == [5, 9000]
    assert orders["is_block_trade"].tolist() == [False, True]
    assert "is_block_trade" not in parent_orders(trades.drop(columns="is_block_trade"))


def test_frames_without_ids_or_with_categories_do() -> None:
    trades = trades_of([("01:00", "a", 0.44, 1, "yes"), ("01:00", "b", 0.42, 1, "yes")])
    lean = trades.drop(columns=["trade_id", "no_price"]).astype(
        {"ticker": "category", "taker_side": "category"}
    )
    tape = tape_order(lean)
    assert tape["yes_price"].tolist() == [0.42, 0.44]
    assert tape["ticker"].dtype == "category"


def test_times_in_another_zone_and_unit_are_the_same_instants() -> None:
    trades = trades_of([("01:00", "a", 0.44, 1, "yes"), ("01:00", "b", 0.42, 1, "yes")])
    there = trades.tz_convert("America/New_York")
    there.index = there.index.as_unit("ns")
    orders = parent_orders(there)
    assert orders.index[0] == pd.Timestamp("2026-11-20T15:01Z")
    assert str(orders.index.dtype) == "datetime64[us, UTC]"


# --- taker orders ----------------------------------------------------------------------------


def test_recorded_fills_are_the_orders_they_are_counted_as(weather: pd.DataFrame) -> None:
    """Counted with pandas, group by group."""
    orders = parent_orders(weather)
    keys = [weather["ticker"], weather.index, weather["taker_side"]]
    grouped = weather.groupby(keys)["yes_price"].agg(["size", "nunique"])
    assert len(orders) == len(grouped) == 409_297
    assert int(orders["fills"].sum()) == len(weather)
    assert int((orders["levels"] > 1).sum()) == int((grouped["nunique"] > 1).sum()) == 78_391
    assert int(orders["fills"].max()) == int(grouped["size"].max())
    assert not orders.reset_index().duplicated(["ticker", "time"]).any(), "one side an instant"
    assert orders["quantity"].sum() == weather["quantity"].sum()


def exact_orders(trades: pd.DataFrame) -> dict[Any, dict[str, Any]]:
    """Taker orders by a loop over rows, in fractions of cents and contracts."""
    fills: dict[Any, list[tuple[Fraction, Fraction]]] = defaultdict(list)
    for time, row in zip(trades.index, trades.itertuples(index=False), strict=True):
        price, quantity = Fraction(str(row.yes_price)), Fraction(str(row.quantity))
        fills[time, row.ticker, row.taker_side].append((price, quantity))
    found = {}
    for key, of_order in fills.items():
        ordered = sorted(of_order, reverse=key[2] == "no")
        contracts = sum((q for _, q in ordered), Fraction(0))
        found[key] = {
            "fills": len(ordered),
            "levels": len({p for p, _ in ordered}),
            "quantity": float(contracts),
            "vwap": float(sum((p * q for p, q in ordered), Fraction(0)) / contracts),
            "first_price": float(ordered[0][0]),
            "last_price": float(ordered[-1][0]),
            "walked": float(abs(ordered[-1][0] - ordered[0][0])),
        }
    return found


def assert_orders_are_exact(trades: pd.DataFrame) -> None:
    orders = parent_orders(trades)
    expected = exact_orders(trades)
    assert len(orders) == len(expected)
    for time, row in zip(orders.index, orders.to_dict("records"), strict=True):
        wanted = expected[time, row["ticker"], row["taker_side"]]
        assert {name: row[name] for name in wanted} == wanted


def test_order_figures_are_the_nearest_doubles_of_the_exact_ones(weather: pd.DataFrame) -> None:
    assert_orders_are_exact(weather.iloc[::10].iloc[:5_000])


some_trades = st.lists(
    st.tuples(
        st.sampled_from(["00:01", "00:02", "00:03", "07:00.000001", "59:59.999999"]),
        st.integers(1, 9999),
        st.one_of(st.integers(1, 500), st.integers(1, 10**11)),
        st.sampled_from(["yes", "no"]),
    ),
    min_size=1,
    max_size=40,
)


def frame_of(parts: list[tuple[str, int, int, str]]) -> pd.DataFrame:
    rows = [
        (time, f"{at:04}", price / 10_000, count / 100, side)
        for at, (time, price, count, side) in enumerate(parts)
    ]
    return trades_of(rows)


@given(some_trades)
def test_any_orders_are_exact(parts: list[tuple[str, int, int, str]]) -> None:
    assert_orders_are_exact(frame_of(parts))


@given(some_trades, st.randoms())
def test_parent_leads_to_the_row_of_the_order(
    parts: list[tuple[str, int, int, str]], random: Any
) -> None:
    random.shuffle(parts)
    tape, orders = tape_order(frame_of(parts)), parent_orders(frame_of(parts))
    sums = tape.groupby("parent")["quantity"].sum()
    assert sums.index.tolist() == list(range(len(orders)))
    np.testing.assert_allclose(sums, orders["quantity"], rtol=1e-12)
    assert (tape.groupby("parent")["yes_price"].first().to_numpy() == orders["first_price"]).all()
    assert (tape.groupby("parent")["yes_price"].last().to_numpy() == orders["last_price"]).all()


# --- the tick rule ---------------------------------------------------------------------------


def test_tape_order_lifts_the_tick_rule_as_recorded_trades_show(weather: pd.DataFrame) -> None:
    given_order = classification_accuracy(tick_rule(weather, order="given")).loc["all"]
    tape = classification_accuracy(tick_rule(weather)).loc["all"]
    assert given_order["trades"] == tape["trades"] == len(weather)
    assert round(given_order["accuracy"], 4) == 0.6786
    assert round(tape["accuracy"], 4) == 0.7890


def test_tick_rule_by_hand() -> None:
    prices = [0.40, 0.40, 0.42, 0.42, 0.41, 0.41]
    rows = [(f"0{at}:00", f"{at}", p, 1.0, "yes") for at, p in enumerate(prices)]
    both = pd.concat([trades_of(rows, "A"), trades_of(rows[:2], "B")]).drop(columns="trade_id")
    inferred = tick_rule(both).groupby("ticker")["inferred_side"].apply(list)
    assert [side if isinstance(side, str) else "?" for side in inferred["A"]] == [
        *["?", "?", "yes", "yes", "no", "no"]
    ]
    assert pd.isna(inferred["B"]).all(), "a market does not lean on another one's price"


@given(some_trades)
def test_tick_rule_equals_a_loop(parts: list[tuple[str, int, int, str]]) -> None:
    found = tick_rule(frame_of(parts))
    side: str | None = None
    before: float | None = None
    for price, inferred in zip(found["yes_price"], found["inferred_side"], strict=True):
        if before is not None and price != before:
            side = "yes" if price > before else "no"
        assert inferred == side or (pd.isna(inferred) and side is None)
        before = price


def test_accuracy_by_hand() -> None:
    trades = trades_of(
        [
            ("00:00", "a", 0.40, 1, "yes"),
            ("01:00", "b", 0.40, 2, "yes"),
            ("02:00", "c", 0.40, 4, "no"),
            ("03:00", "d", 0.40, 8, "no"),
        ]
    )
    trades["inferred_side"] = ["yes", None, "yes", "no"]
    table = classification_accuracy(trades)
    assert table.loc["yes", ["trades", "classified", "correct"]].tolist() == [2, 1, 1]
    assert table.loc["no", ["coverage", "accuracy"]].tolist() == [1, 0.5]
    assert table.loc["all", "accuracy"] == 2 / 3
    assert table.loc["all", "accuracy_contracts"] == 9 / 13


# --- bad input -------------------------------------------------------------------------------

GOOD = trades_of([("01:00", "a", 0.44, 1, "yes"), ("01:00", "b", 0.42, 2, "no")])
FUNCTIONS = {
    "tape_order": tape_order,
    "parent_orders": parent_orders,
    "time_bars": lambda trades: time_bars(trades, "1min"),
    "volume_bars": lambda trades: volume_bars(trades, 1),
    "trade_bars": lambda trades: trade_bars(trades, 1),
    "tick_rule": tick_rule,
    "trading_fees": trading_fees,
}


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("column", ["ticker", "yes_price", "quantity", "taker_side"])
def test_a_missing_column_is_named_and_so_is_who_makes_it(name: str, column: str) -> None:
    with pytest.raises(FrameError, match=rf"lacks the column\(s\) {column}; get_trades"):
        FUNCTIONS[name](GOOD.drop(columns=column))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_repeats_are_dropped_counted_and_warned_about(name: str) -> None:
    twice = pd.concat([GOOD, GOOD.iloc[:1]])
    with pytest.warns(PartialDataWarning, match="1 of 3 trades came more than once") as caught:
        found = FUNCTIONS[name](twice)
    assert caught[0].filename == __file__, "the warning points at the caller"
    pd.testing.assert_frame_equal(found, FUNCTIONS[name](GOOD))


def changed(**columns: Any) -> pd.DataFrame:
    return GOOD.assign(**columns)


@pytest.mark.parametrize(
    ("trades", "message"),
    [
        (changed(yes_price=[0.44, np.nan]), "yes_price of trades is not a number: nan in row 1"),
        (changed(yes_price=[0.44, np.inf]), "yes_price of trades is not a number"),
        (changed(yes_price=[44.0, 42.0]), "yes_price of trades is not less than 1: 44.0 in row 0"),
        (changed(yes_price=[0.0, 0.5]), "yes_price of trades is not positive"),
        (changed(yes_price=[0.44005, 0.5]), "is no multiple of 1/10000"),
        (changed(yes_price=["0.44", "0.5"]), "must hold numbers"),
        (changed(quantity=[0.0, 1.0]), "quantity of trades is not positive: 0.0 in row 0"),
        (changed(quantity=[1.0, -3.0]), "quantity of trades is not positive: -3.0 in row 1"),
        (changed(quantity=[1.0, np.nan]), "quantity of trades is not a number"),
        (changed(quantity=[1.0, 0.005]), "is no multiple of 1/100"),
        (changed(quantity=[1.0, 1e30]), "is no multiple of 1/100"),
        (changed(quantity=[4e12, 4e12]), "add up to more"),
        (changed(taker_side=["yes", "maybe\x1b"]), r"must be 'yes' or 'no', but row 1 says 'maybe"),
        (changed(taker_side=["yes", None]), "must be 'yes' or 'no', but row 1"),
        (changed(ticker=["T", None]), "has no ticker: row 1"),
        (GOOD.tz_localize(None), "have no time zone"),
        (GOOD.reset_index(), r"set_index\('time'\)"),
        (GOOD.reset_index(drop=True), "must be indexed by time"),
        (GOOD.set_index(pd.DatetimeIndex(["2026-11-20T15:00Z", pd.NaT])), "has no time: row 1"),
        ([1, 2], "must be a DataFrame, not list"),
    ],
)
def test_what_cannot_be_a_trade_is_refused(trades: Any, message: str) -> None:
    with pytest.raises(FrameError, match=message) as caught:
        tape_order(trades)
    assert str(caught.value).count("\n") < 3
    assert "\x1b" not in str(caught.value)


def test_options_are_checked() -> None:
    with pytest.raises(InputError, match="'tape' or 'given'"):
        tick_rule(GOOD, order="api")  # type: ignore[arg-type]
    with pytest.raises(FrameError, match="inferred_side; tick_rule"):
        classification_accuracy(GOOD)
    with pytest.raises(FrameError, match="inferred_side must be"):
        classification_accuracy(GOOD.assign(inferred_side="buy"))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_no_trades_give_the_columns_of_some(name: str) -> None:
    empty, full = FUNCTIONS[name](GOOD.iloc[:0]), FUNCTIONS[name](GOOD)
    assert len(empty) == 0
    assert empty.dtypes.to_dict() == full.dtypes.to_dict()
    assert (empty.index.dtype, empty.index.name) == (full.index.dtype, full.index.name)
    assert len(classification_accuracy(tick_rule(GOOD.iloc[:0]))) == 3


@pytest.mark.parametrize("trades", [GOOD, GOOD.iloc[:0]], ids=["some", "none"])
def test_the_tables_of_columns_are_true(trades: pd.DataFrame) -> None:
    flagged = trades.assign(is_block_trade=pd.array([False] * len(trades), dtype="boolean"))
    for function, frame in (
        (parent_orders, parent_orders(flagged)),
        (time_bars, time_bars(trades, "1min")),
        (classification_accuracy, classification_accuracy(tick_rule(trades))),
        (tape_order, tape_order(trades)[["sequence", "parent"]]),
    ):
        for column, dtype in frame.dtypes.items():
            row = rf"^ *([\w, ]*, )?{column}(, [\w, ]*)?  +{re.escape(str(dtype))} "
            assert re.search(row, function.__doc__ or "", re.MULTILINE), (function.__name__, column)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_where_the_trades_come_from_is_kept(name: str) -> None:
    known = GOOD.copy()
    known.attrs["kalshi"] = {"environment": "sandbox", "simulated": True, "rows": 2}
    assert FUNCTIONS[name](known).attrs == known.attrs


@settings(max_examples=20)
@given(some_trades)
def test_the_input_is_left_alone(parts: list[tuple[str, int, int, str]]) -> None:
    trades = frame_of(parts)
    before = trades.copy(deep=True)
    for function in FUNCTIONS.values():
        if function is not FUNCTIONS["volume_bars"]:
            function(trades)
    pd.testing.assert_frame_equal(trades, before)
