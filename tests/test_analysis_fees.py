"""Fees over frames, judged by recorded fills and, order by order, by the one fee rule."""

from __future__ import annotations

import json
from datetime import date
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import kalshi_research as kr
from kalshi_research.analysis import market_fee_terms, tape_order, trading_fees
from kalshi_research.errors import FrameError, InputError
from kalshi_research.fees import (
    BROKER_PRECISION,
    FeeAccumulator,
    FeeTerms,
    Role,
    Rounding,
    rounding_on,
    trading_fee,
)

# --- recorded fills --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def fills(shared: Path) -> pd.DataFrame:
    """The 33 recorded fills as trades, with what was charged and the multiplier of the series."""
    listed = json.loads((shared / "real/fills/series_fee_fields.json").read_text())["payloads"]
    multiplier = {name: float(body["series"]["fee_multiplier"]) for name, body in listed.items()}
    # KXMLBKS is of the same sport as the recorded baseball series, which all have one multiplier.
    multiplier["KXMLBKS"] = multiplier["KXMLBGAME"]
    text = (shared / "real/fills/portfolio_fills_redacted.json").read_text()
    rows = [
        {
            "time": fill["created_time"],
            "ticker": f"{at:02}/{fill['ticker']}",
            "yes_price": float(fill["yes_price_dollars"]),
            "quantity": float(fill["count_fp"]),
            "taker_side": fill["outcome_side"],
            "role": "taker" if fill["is_taker"] else "maker",
            "charged": float(fill["fee_cost"]),
            "multiplier": multiplier.get(fill["ticker"].split("-")[0], 1.0),
        }
        for at, fill in enumerate(json.loads(text)["payload"]["fills"])
    ]
    frame = pd.DataFrame(rows)
    assert (frame["role"] == "taker").all()
    frame["time"] = pd.to_datetime(frame["time"], utc=True, format="ISO8601")
    return frame.set_index("time")


def terms_of(fills: pd.DataFrame) -> pd.DataFrame:
    columns = {"fee_type": "quadratic", "fee_multiplier": fills["multiplier"].to_numpy()}
    return pd.DataFrame(columns, index=fills["ticker"].to_numpy())


def test_the_rule_of_the_day_gives_the_fees_of_all_recorded_fills(fills: pd.DataFrame) -> None:
    found = trading_fees(fills, terms=terms_of(fills), role="role")
    assert len(found) == 33
    assert (found["fee"] == found["charged"]).all()


def test_todays_rule_gives_32_of_33(fills: pd.DataFrame) -> None:
    found = trading_fees(fills, terms=terms_of(fills), rounding="microdollar")
    off = found[found["fee"] != found["charged"]]
    assert off[["quantity", "yes_price"]].to_numpy().tolist() == [[71.94, 0.013]]


@pytest.mark.parametrize(
    ("options", "right"), [({"rounding": "cent"}, 0), ({"terms": None, "rounding": "microdollar"}, 22)]
)
def test_ignoring_the_rule_or_the_multiplier_does_not(
    fills: pd.DataFrame, options: dict[str, Any], right: int
) -> None:
    found = trading_fees(fills, **{"terms": terms_of(fills), **options})
    assert int((found["fee"] == found["charged"]).sum()) == right


# --- row by row ------------------------------------------------------------------------------


def test_fees_of_recorded_trades_are_those_of_the_one_rule(shared: Path) -> None:
    trades = kr.read_trades(shared / "real/weather_trades/trades.parquet").iloc[::300]
    found = trading_fees(trades)
    for time, row in zip(found.index, found.itertuples(index=False), strict=True):
        price = row.yes_price if row.taker_side == "yes" else row.no_price
        assert row.fee == float(trading_fee(price, row.quantity, on=time.date()))


days = st.sampled_from(
    ["2021-07-31", "2021-08-01", "2025-12-31", "2026-01-01", "2026-08-31", "2026-09-01", "2026-11-20"]
)
multipliers = st.sampled_from([0.0, 0.5, 1.0, 0.1, 1.5, 0.123456789012345])
kinds = st.sampled_from(["quadratic", "quadratic_with_maker_fees", "quadratic_with_combo_maker_fees"])
some = st.lists(
    st.tuples(
        days,
        st.integers(0, 86_399_999_999),
        st.sampled_from("AB"),
        st.integers(1, 9999),
        st.one_of(st.integers(1, 3000), st.integers(1, 10**6), st.integers(1, 10**11)),
        st.sampled_from(["yes", "no"]),
        st.sampled_from(["taker", "maker"]),
        st.integers(0, 3),
    ),
    min_size=1,
    max_size=30,
)


def frame_of(rows: list[Any]) -> pd.DataFrame:
    day, micros, ticker, price, count, side, role, order = zip(*rows, strict=True)
    frame = pd.DataFrame(
        {
            "trade_id": [f"{at:04}" for at in range(len(rows))],
            "ticker": list(ticker),
            "yes_price": np.array(price) / 10_000,
            "quantity": np.array(count) / 100,
            "taker_side": list(side),
            "role": list(role),
            "order_id": [f"{t}{o}" for t, o in zip(ticker, order, strict=True)],
        }
    )
    time = pd.to_datetime(list(day), utc=True).as_unit("us") + pd.to_timedelta(micros, unit="us")
    return frame.set_index(pd.DatetimeIndex(time, name="time"))


def charged_one_by_one(
    tape: pd.DataFrame,
    terms: dict[str, FeeTerms],
    owner: list[Any],
    rounding: Rounding | None,
    precision: int,
) -> list[float]:
    """The fees of a tape by the accumulator, fill by fill."""
    running: dict[Any, FeeAccumulator] = {}
    found = []
    for key, time, row in zip(owner, tape.index, tape.itertuples(index=False), strict=True):
        day: date = time.date()
        if key not in running:
            rule = rounding or rounding_on(day)
            running[key] = FeeAccumulator(terms[row.ticker], rounding=rule, precision=precision, on=day)
        role: Role = row.role
        price, count = round(row.yes_price * 10_000), round(row.quantity * 100)
        bought_yes = (row.taker_side == "yes") == (role == "taker")
        fee = running[key].charge(price if bought_yes else 10_000 - price, count, role)
        found.append(float(Fraction(fee, 1_000_000)))
    return found


@settings(max_examples=150)
@given(
    rows=some,
    fee_types=st.tuples(kinds, kinds),
    factors=st.tuples(multipliers, multipliers),
    rounding=st.sampled_from([None, "cent", "centicent", "microdollar"]),
    precision=st.sampled_from([100, BROKER_PRECISION]),
    order=st.sampled_from([None, "order_id", "parent"]),
)
def test_every_fee_is_the_accumulators(
    *,
    rows: list[Any],
    fee_types: tuple[str, str],
    factors: tuple[float, float],
    rounding: Rounding | None,
    precision: int,
    order: str | None,
) -> None:
    trades = frame_of(rows)
    listed = pd.DataFrame({"fee_type": fee_types, "fee_multiplier": factors}, index=["A", "B"])
    exact = {
        name: FeeTerms(kind, Fraction(repr(factor)))
        for name, kind, factor in zip("AB", fee_types, factors, strict=True)
    }
    options: dict[str, Any] = {"rounding": rounding, "precision": precision, "order": order}
    found = trading_fees(trades, role="role", terms=listed, **options)
    tape = tape_order(trades)
    owner = list(range(len(tape))) if order is None else tape[order].tolist()
    assert found["fee"].tolist() == charged_one_by_one(tape, exact, owner, rounding, precision)
    pd.testing.assert_frame_equal(found.drop(columns="fee"), tape)


def test_one_order_of_many_fills_pays_less_than_many_orders() -> None:
    rows = [("2026-11-20", 0, "A", 4700, 100, "yes", "taker", 0)] * 50
    alone, together = (
        trading_fees(frame_of(rows), order=order)["fee"].sum() for order in (None, "parent")
    )
    whole = float(trading_fee("0.47", 50))
    assert alone == pytest.approx(50 * 0.0175)
    assert together == pytest.approx(whole)
    assert together < alone


def test_sums_beyond_64_bits_stay_exact() -> None:
    rows = [("2026-11-20", at, "A", 5000, 10**12, "yes", "taker", 0) for at in range(5)]
    for rounding in ("cent", "microdollar"):
        found = trading_fees(frame_of(rows), order="order_id", rounding=rounding)
        assert found["fee"].tolist() == [float(Fraction(7, 400) * 10**10)] * 5


# --- terms -----------------------------------------------------------------------------------

MARKETS = pd.DataFrame(
    {
        "event_ticker": ["E1", "E2", "E2"],
        "fee_waiver_expiration_time": pd.to_datetime([None, None, "2026-11-20T12:00Z"], utc=True),
    },
    index=pd.Index(["M1", "M2", "M3"], name="ticker"),
)
EVENTS = pd.DataFrame(
    {
        "series_ticker": ["S1", "S2"],
        "fee_type_override": [None, "quadratic_with_maker_fees"],
        "fee_multiplier_override": [2.0, np.nan],
    },
    index=["E1", "E2"],
)
SERIES = pd.DataFrame(
    {"fee_type": ["quadratic", "quadratic"], "fee_multiplier": [1.0, 0.5]}, index=["S1", "S2"]
)


def test_the_event_wins_over_the_series() -> None:
    terms = market_fee_terms(MARKETS, EVENTS, SERIES)
    assert terms["fee_type"].tolist() == ["quadratic", *["quadratic_with_maker_fees"] * 2]
    assert terms["fee_multiplier"].tolist() == [2.0, 0.5, 0.5]
    assert terms["fee_waiver_expiration_time"].notna().tolist() == [False, False, True]


def test_nothing_is_charged_until_a_waiver_ends() -> None:
    terms = market_fee_terms(MARKETS, EVENTS, SERIES)
    noon = 12 * 3_600_000_000
    rows = [
        ("2026-11-20", at, market, 5000, 10_000, "yes", "taker", 0)
        for at in (noon - 1, noon)
        for market in ("M2", "M3")
    ]
    fees = trading_fees(frame_of(rows), terms=terms)["fee"].tolist()
    assert fees == [0.875, 0.0, 0.875, 0.875]


def test_terms_of_the_simulated_exchange_fit_its_trades() -> None:
    with kr.connect("sandbox") as client:
        markets = kr.get_markets(client, series_ticker="KXHIGHNY").nlargest(3, "volume")
        terms = market_fee_terms(
            markets, kr.get_events(client, series_ticker="KXHIGHNY"), kr.get_series(client)
        )
        trades = kr.get_trades(client, markets)
    assert terms.index.equals(markets.index)
    assert terms.attrs["kalshi"]["simulated"] is True
    fees = trading_fees(trades, terms=terms, order="parent")
    assert (fees["fee"] > 0).all()
    assert fees.attrs == trades.attrs


def test_terms_that_do_not_fit_are_refused() -> None:
    trades = frame_of([("2026-11-20", 0, "M1", 5000, 100, "yes", "taker", 0)])
    terms = market_fee_terms(MARKETS, EVENTS, SERIES)
    for bad, message in (
        (terms.loc[["M2"]], "fee terms lacks the market M1"),
        (terms.drop(columns="fee_type"), r"lacks the column\(s\) fee_type; market_fee_terms"),
        (terms.assign(fee_type="made_up"), "fee terms of M1 cannot be used.*'made_up' is unknown"),
        (terms.assign(fee_multiplier=np.nan), "fee terms of M1 cannot be used"),
        (terms.assign(fee_multiplier=-1.0), "must not be negative"),
        (pd.concat([terms, terms]), "has M1 more than once"),
        (terms.assign(fee_waiver_expiration_time="soon"), "must hold times with a time zone"),
        ("quadratic", "must be a DataFrame, not str"),
    ):
        with pytest.raises(FrameError, match=message):
            trading_fees(trades, terms=bad)  # type: ignore[arg-type]
    with pytest.raises(FrameError, match="events lacks the event E1"):
        market_fee_terms(MARKETS, EVENTS.loc[["E2"]], SERIES)
    with pytest.raises(FrameError, match="series lacks the series S1"):
        market_fee_terms(MARKETS, EVENTS, SERIES.loc[["S2"]])
    with pytest.raises(FrameError, match="get_events and read_events make such frames"):
        market_fee_terms(MARKETS, SERIES, SERIES)


def test_options_are_checked() -> None:
    trades = frame_of([("2026-11-20", 0, "A", 5000, 100, "yes", "taker", 0)] * 2)
    for options, message in (
        ({"role": "both"}, "role must be 'taker', 'maker' or the name of a column"),
        ({"order": "mine"}, "order must be 'parent' or the name of a column"),
        ({"rounding": "up"}, "rounding 'up' is unknown; use one of cent"),
        ({"precision": 0}, "precision must be a whole number"),
    ):
        with pytest.raises(InputError, match=message):
            trading_fees(trades, **options)
    with pytest.raises(FrameError, match="role must say 'taker' or 'maker', not 'me'"):
        trading_fees(trades.assign(role=["taker", "me"]), role="role")
    with pytest.raises(FrameError, match="a trade has no order"):
        trading_fees(trades.assign(order_id=["a", None]), order="order_id")
    with pytest.raises(FrameError, match="order a is in several markets"):
        trading_fees(trades.assign(order_id="a", ticker=["A", "B"]), order="order_id")
