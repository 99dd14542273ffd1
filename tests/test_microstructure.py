"""Estimators of market microstructure on small literals, recorded data, and the other leg."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from math import erf, log, sqrt
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import planted_markets as planted
import pytest
from test_house import column_tables

import kalshi_research as kr
from kalshi_research.analysis import join_quotes
from kalshi_research.analysis import microstructure as ms
from kalshi_research.errors import FrameError, InputError, PartialDataWarning

T0 = pd.Timestamp("2026-11-20T15:00Z")


def at(*seconds: float) -> pd.DatetimeIndex:
    index = pd.DatetimeIndex([T0 + pd.Timedelta(microseconds=round(s * 1e6)) for s in seconds])
    return index.as_unit("us").rename("time")


def tape(*rows: tuple[float, float, float, str], ticker: str = "T") -> pd.DataFrame:
    """Trades written out as (second, price, quantity, side)."""
    second, price, quantity, side = zip(*rows, strict=True)
    columns = {"ticker": ticker, "yes_price": price, "quantity": quantity, "taker_side": side}
    return pd.DataFrame(columns, index=at(*second))


def touch(*rows: tuple[float, float, float], ticker: str = "T") -> pd.DataFrame:
    """Quotes written out as (second, bid, ask)."""
    second, bid, ask = zip(*rows, strict=True)
    return pd.DataFrame({"ticker": ticker, "yes_bid": bid, "yes_ask": ask}, index=at(*second))


def value(frame: pd.DataFrame, parameter: str, column: str = "estimate") -> float:
    (found,) = frame.loc[frame["parameter"] == parameter, column]
    return float(found)


NAN = float("nan")


# --- quoted spread ---------------------------------------------------------------------------


def test_quoted_spread_is_weighted_by_time_and_leaves_out_what_is_no_market() -> None:
    quotes = touch(
        (0, 0.40, 0.42),
        (10, 0.40, NAN),
        (20, 0.45, 0.44),
        (25, 0.44, 0.44),
        (30, 0.30, 0.36),
        (50, 0.1, 0.9),
    )
    (row,) = ms.quoted_spread(quotes).itertuples()
    assert row.estimate == pytest.approx((0.02 * 10 + 0.06 * 20) / 30, abs=1e-15)
    assert (row.seconds, row.two_sided, row.crossed, row.n) == (50, 0.6, 0.2, 6)


def test_quoted_spread_without_time_or_market_is_nan() -> None:
    quotes = pd.concat(
        [touch((0, 0.4, 0.5), ticker="A"), touch((0, 0.4, NAN), (9, 0.4, NAN), ticker="B")]
    )
    found = ms.quoted_spread(quotes)
    assert found["estimate"].isna().all()
    assert found.loc["B", "two_sided"] == 0
    assert np.isnan(found.loc["A", "two_sided"])
    assert len(ms.quoted_spread(quotes.iloc[:0])) == 0


def test_the_sentinels_of_an_empty_side_are_no_quotes() -> None:
    found = ms.quoted_spread(touch((0, 0, 1), (10, 0.4, 1.0), (20, 0.40, 0.42), (30, 0.4, 0.42)))
    assert found.loc["T", "estimate"] == pytest.approx(0.02)
    assert found.loc["T", "two_sided"] == pytest.approx(1 / 3)


# --- effective and realised ------------------------------------------------------------------

QUOTES = touch((0, 0.40, 0.42), (60, 0.41, 0.43), (120, 0.40, 0.44), (600, 0.40, 0.44))
TRADES = tape((1, 0.42, 10, "yes"), (61, 0.41, 30, "no"))


def test_spreads_trade_by_trade_by_hand() -> None:
    found = ms.trade_spreads(join_quotes(TRADES, QUOTES), QUOTES, horizon="1min")
    assert found["mid"].tolist() == [0.41, 0.42]
    assert found["effective_spread"].tolist() == [0.02, 0.02]
    assert found["later_mid"].tolist() == [0.42, 0.42]
    assert found["realised_spread"].tolist() == [0.0, 0.02]
    assert found["price_impact"].tolist() == [0.02, 0.0]
    assert "later_mid" not in ms.trade_spreads(join_quotes(TRADES, QUOTES))


def test_means_over_trades_and_over_contracts() -> None:
    joined = join_quotes(TRADES, QUOTES)
    for weight, impact in (("trades", 0.01), ("contracts", 0.005)):
        found = ms.spread_decomposition(joined, QUOTES, horizons="1min", weight=weight)
        assert value(found, "effective_spread") == pytest.approx(0.02)
        assert value(found, "price_impact") == pytest.approx(impact)
        assert value(found, "realised_spread") == pytest.approx(0.02 - impact)


def test_the_parts_add_up_over_the_same_trades() -> None:
    market = planted.decaying(3, 0.01, seconds=900)
    joined = join_quotes(market.trades, market.quotes)
    found = ms.spread_decomposition(joined, market.quotes, horizons=["10s", "3min"], weight="contracts")
    for _, one in found.groupby("horizon"):
        parts = one.set_index("parameter")
        assert set(parts["n"]) == {parts["n"].iloc[0]}
        total = parts.loc["realised_spread", "estimate"] + parts.loc["price_impact", "estimate"]
        assert parts.loc["effective_spread", "estimate"] == pytest.approx(total, abs=1e-12)
    assert found["n"].iloc[0] > found["n"].iloc[-1], "late trades have no mid after three minutes"
    assert (found["n"] + found["missing"] == len(market.trades)).all()


def test_after_the_record_nothing_is_known() -> None:
    joined = join_quotes(TRADES, QUOTES)
    for horizon, known in (("539s", 2), ("540s", 1), ("599s", 1), ("600s", 0)):
        found = ms.trade_spreads(joined, QUOTES, horizon=horizon)
        assert int(found["later_mid"].notna().sum()) == known, horizon
    none = ms.spread_decomposition(joined, QUOTES, horizons="1h")
    assert none["estimate"].isna().all()
    assert none["n"].eq(0).all()
    assert none["reason"].eq("too few observations").all()


@pytest.mark.parametrize(
    ("bid", "ask"), [(NAN, 0.42), (0.4, NAN), (0.42, 0.42), (0.43, 0.42), (0, 0.42), (0.4, 1)]
)
def test_without_a_mid_there_is_no_spread(bid: float, ask: float) -> None:
    joined = join_quotes(tape((1, 0.42, 1, "yes")), touch((0, bid, ask)))
    assert np.isnan(ms.trade_spreads(joined)["effective_spread"].iloc[0])
    found = ms.effective_spread(joined)
    assert (found.loc["T", "n"], found.loc["T", "missing"]) == (0, 1)


# --- standard errors, worked out another way -------------------------------------------------


def spread_of(values: list[float], **more: Any) -> pd.DataFrame:
    """Trades whose effective spreads are these."""
    rows = [(60.0 * at, 0.5, 1.0, "yes") for at in range(len(values))]
    half = np.array(values) / 2
    joined = tape(*rows).assign(yes_bid=0.5 - half - 0.01, yes_ask=np.round(0.51 - half, 4), **more)
    joined["yes_bid"] = joined["yes_bid"].round(4)
    return joined


def test_newey_west_by_its_definition() -> None:
    values = np.round(0.02 + 0.001 * np.array([3, 2, 4, 6, 9, 7, 5, 1, -1, -4, -3, -6, -2, 1, 2, 0]), 4)
    found = ms.effective_spread(spread_of(values.tolist())).loc["T"]
    u, n = values - values.mean(), len(values)
    rho = sum(a * b for a, b in pairwise(u)) / sum(a * a for a in u[:-1])
    # Andrews (1991), eq. 6.4 for one series: alpha(1) = 4 rho² / ((1 − rho)² (1 + rho)²).
    alpha = 4 * rho**2 / ((1 - rho) ** 2 * (1 + rho) ** 2)
    width = min(int(np.ceil(1.1447 * (alpha * n) ** (1 / 3))), n // 4)
    assert width == 4
    long_run = sum(
        (1 - abs(i - j) / width) * u[i] * u[j] for i in range(n) for j in range(n) if abs(i - j) < width
    )
    assert found["estimate"] == pytest.approx(values.mean())
    assert found["se"] == pytest.approx(sqrt(long_run * n / (n - 1)) / n)
    assert found["se_kind"] == "newey-west"
    assert (found["high"] - found["low"]) / 2 / found["se"] == pytest.approx(2.131, abs=5e-4)


def test_clustered_by_its_definition() -> None:
    values = [0.02, 0.03, 0.05, 0.04, 0.02, 0.06, 0.02, 0.02, 0.03, 0.08]
    event = list("aabbbccaac")
    joined = spread_of(values, event_ticker=event)
    joined["ticker"] = [f"{name}-{at % 2}" for at, name in enumerate(event)]
    found = ms.effective_spread(joined, by=None).loc["all"]
    mean, n = np.mean(values), len(values)
    sums = [sum(v - mean for v, e in zip(values, event, strict=True) if e == name) for name in "abc"]
    expected = sqrt(sum(s * s for s in sums) * 3 / 2) / n
    assert found["se"] == pytest.approx(expected)
    assert (found["clusters"], found["se_kind"]) == (3, "clustered")
    assert (found["high"] - found["low"]) / 2 / expected == pytest.approx(4.303, abs=5e-4)
    markets = ms.effective_spread(joined, by=None, cluster="ticker").loc["all"]
    assert markets["clusters"] == joined["ticker"].nunique()


@pytest.mark.parametrize(
    ("freedom", "quantile"),
    [(1, 12.706), (2, 4.303), (3, 3.182), (5, 2.571), (10, 2.228), (29, 2.045), (119, 1.980)],
)
def test_intervals_use_students_t(freedom: int, quantile: float) -> None:
    """Against a printed table."""
    n = max(freedom + 1, 10)
    values = [0.02 + 0.0002 * (at**2 % 7) for at in range(n)]
    joined = spread_of(values)
    joined["ticker"] = [f"M{at % (freedom + 1)}" for at in range(n)]
    found = ms.effective_spread(joined, by=None).loc["all"]
    assert found["clusters"] == freedom + 1
    assert (found["high"] - found["estimate"]) / found["se"] == pytest.approx(
        quantile, abs=2e-2 if freedom == 3 else 2e-3
    )


def test_few_observations_have_no_standard_error() -> None:
    nine = ms.effective_spread(spread_of([0.02, 0.03, 0.04] * 3)).loc["T"]
    assert nine["estimate"] == pytest.approx(0.03)
    assert np.isnan([nine["se"], nine["low"], nine["high"]]).all()
    assert nine["reason"] == "too few observations for a standard error"
    ten = ms.effective_spread(spread_of([0.02, 0.03, 0.04] * 3 + [0.03])).loc["T"]
    assert ten["se"] > 0
    assert pd.isna(ten["reason"])


def test_groups_by_any_column_and_all_together() -> None:
    joined = spread_of([0.02, 0.04, 0.06], series_ticker=["S", "S", "R"])
    joined["ticker"] = ["A", "B", "C"]
    found = ms.effective_spread(joined, by="series_ticker")
    assert found.index.name == "series_ticker"
    assert found["estimate"].round(12).to_dict() == {"R": 0.06, "S": 0.03}
    assert ms.effective_spread(joined, by=None).loc["all", "estimate"] == pytest.approx(0.04)


# --- Roll, Glosten and Harris ----------------------------------------------------------------


def test_roll_by_hand() -> None:
    prices = [0.40, 0.42, 0.41, 0.44, 0.40, 0.43]
    trades = tape(*((60.0 * at, price, 1.0, "yes") for at, price in enumerate(prices)))
    moves = np.diff(prices) - np.diff(prices).mean()
    gamma = np.mean(moves[1:] * moves[:-1])
    found = ms.roll_spread(trades)
    assert value(found, "autocovariance") == pytest.approx(gamma)
    assert value(found, "roll_spread") == pytest.approx(2 * sqrt(-gamma))
    assert found["n"].tolist() == [4, 4]


def test_a_positive_autocovariance_is_said_and_no_spread_is_made_up() -> None:
    trend = [0.30, 0.31, 0.33, 0.36, 0.38, 0.39, 0.39, 0.40, 0.43, 0.47, 0.50, 0.52, 0.53, 0.53]
    trades = tape(*((60.0 * at, price, 1.0, "yes") for at, price in enumerate(trend)))
    found = ms.roll_spread(trades).set_index("parameter")
    assert found.loc["autocovariance", "estimate"] > 0
    assert np.isnan(found.loc["roll_spread", ["estimate", "se", "low", "high"]].to_numpy(float)).all()
    assert found.loc["roll_spread", "reason"] == "the autocovariance is not negative"


def test_fills_of_an_order_are_one_step_unless_asked() -> None:
    rows = [
        (0, 0.40, 1, "no"),
        (60, 0.42, 1, "yes"),
        (60, 0.44, 1, "yes"),
        (120, 0.40, 2, "no"),
        (180, 0.43, 1, "yes"),
    ]
    trades = tape(*rows)
    by_order = tape(
        *(
            (s, p, 1, side)
            for s, p, side in ((0, 0.40, "no"), (60, 0.43, "yes"), (120, 0.40, "no"), (180, 0.43, "yes"))
        )
    )
    assert value(ms.roll_spread(trades), "roll_spread") == pytest.approx(
        value(ms.roll_spread(by_order), "roll_spread")
    )
    assert ms.roll_spread(trades, each="trades")["n"].iloc[0] == 3


def test_roll_of_the_busiest_recorded_market(shared: Path) -> None:
    """3.69 cents on the tape; 10.49 where fills of an instant stand as the exchange lists them."""
    trades = kr.read_trades(shared / "real/weather_trades/trades.parquet")
    busiest = trades[trades["ticker"] == trades["ticker"].value_counts().index[0]]
    found = ms.roll_spread(busiest, each="trades")
    assert round(100 * value(found, "roll_spread"), 2) == 3.69
    assert found["n"].iloc[0] == len(busiest) - 2


def test_glosten_harris_equals_least_squares_written_out() -> None:
    rng = np.random.default_rng(5)
    price, size = rng.integers(30, 70, 40) / 100, rng.integers(1, 90, 40).astype(float)
    q = rng.choice([-1, 1], 40)
    trades = tape(
        *(
            (60.0 * i, p, v, "yes" if s > 0 else "no")
            for i, (p, v, s) in enumerate(zip(price, size, q, strict=True))
        )
    )
    regressors = [
        [q[t], q[t] * size[t], q[t] - q[t - 1], q[t] * size[t] - q[t - 1] * size[t - 1]]
        for t in range(1, 40)
    ]
    x = np.array(regressors)
    expected = np.linalg.lstsq(x, np.diff(price), rcond=None)[0]
    found = ms.glosten_harris(trades).set_index("parameter")
    assert found["estimate"].iloc[:4].to_numpy() == pytest.approx(expected, rel=1e-8)
    error = np.diff(price) - x @ expected
    assert found["r2"].iloc[0] == pytest.approx(1 - error @ error / (np.diff(price) @ np.diff(price)))


def test_sizes_that_never_differ_cannot_be_told_from_fixed_parts() -> None:
    rng = np.random.default_rng(6)
    rows = [
        (60.0 * i, p, 5.0, s)
        for i, (p, s) in enumerate(
            zip(rng.integers(40, 60, 30) / 100, rng.choice(["yes", "no"], 30), strict=True)
        )
    ]
    found = ms.glosten_harris(tape(*rows))
    assert found["estimate"].isna().all()
    assert found["reason"].eq("the regressors cannot be told apart").all()
    assert ms.glosten_harris(tape(*rows), sizes=False)["estimate"].notna().all()
    buys = tape(*((s, p, q, "yes") for s, p, q, _ in rows))
    assert ms.glosten_harris(buys, sizes=False)["reason"].eq("a regressor is always 0").all()


# --- flow ------------------------------------------------------------------------------------


def test_kyle_by_hand() -> None:
    quotes = touch(
        (0, 0.40, 0.42), (60, 0.41, 0.43), (120, 0.40, 0.42), (180, 0.43, 0.45), (240, 0.43, 0.45)
    )
    trades = tape(
        (0, 0.42, 99, "yes"),
        (30, 0.42, 10, "yes"),
        (60, 0.41, 4, "no"),
        (61, 0.41, 8, "no"),
        (150, 0.43, 20, "yes"),
    )
    found = ms.kyle_lambda(trades, quotes, interval="1min")
    flow = np.array(
        [6.0, -8.0, 20.0, 0.0]
    )  # the trade at 0 s is before the first interval, that at 60 s in it
    slope, constant = np.polyfit(flow, [0.01, -0.01, 0.03, 0.0], 1)
    assert value(found, "lambda") == pytest.approx(slope)
    assert value(found, "intercept") == pytest.approx(constant)
    assert found["n"].tolist() == [4, 4]


def test_intervals_without_a_mid_at_both_ends_are_left_out() -> None:
    quotes = touch(
        (0, 0.40, 0.42), (60, 0.41, NAN), (120, 0.40, 0.42), (180, 0.43, 0.45), (300, 0.43, 0.45)
    )
    found = ms.kyle_lambda(tape((30, 0.42, 10, "yes"), (150, 0.42, 10, "yes")), quotes, interval="1min")
    assert (found["n"].iloc[0], found["missing"].iloc[0]) == (3, 2)


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ((0.40, 5, 0.44, 7), (0.40, 9, 0.44, 7), 4),
        ((0.40, 5, 0.44, 7), (0.41, 3, 0.44, 7), 3),
        ((0.40, 5, 0.44, 7), (0.39, 8, 0.44, 7), -5),
        ((0.40, 5, 0.44, 7), (0.40, 5, 0.44, 9), -2),
        ((0.40, 5, 0.44, 7), (0.40, 5, 0.43, 2), -2),
        ((0.40, 5, 0.44, 7), (0.40, 5, 0.46, 9), 7),
        ((0.40, 5, 0.44, 7), (NAN, NAN, 0.44, 7), -5),
        ((NAN, NAN, 0.44, 7), (0.40, 5, 0.44, 7), 5),
        ((0.40, 5, 0.44, 7), (0.40, 5, NAN, NAN), 7),
        ((0.40, 5, 0.44, 7), (NAN, NAN, NAN, NAN), NAN),
        ((NAN, NAN, NAN, NAN), (0.40, 5, 0.44, 7), NAN),
    ],
)
def test_order_flow_imbalance_of_one_change(
    before: tuple[float, ...], after: tuple[float, ...], expected: float
) -> None:
    names = ["yes_bid", "yes_bid_size", "yes_ask", "yes_ask_size"]
    quotes = pd.DataFrame([before, after], columns=names, index=at(0, 1)).assign(ticker="T")
    first, second = ms.order_flow_imbalance(quotes)["ofi"]
    assert np.isnan(first)
    assert second == expected or (np.isnan(second) and np.isnan(expected))


def test_markets_have_their_own_flow() -> None:
    two = pd.concat(
        [planted.queues(s, 0.01, n=400).quotes.assign(ticker=name) for s, name in ((1, "A"), (2, "B"))]
    )
    together = ms.order_flow_imbalance(two.sort_index(kind="stable"))
    for name, mine in two.groupby("ticker"):
        alone = ms.order_flow_imbalance(mine)["ofi"]
        pd.testing.assert_series_equal(together.loc[together["ticker"] == name, "ofi"], alone)
    pooled = ms.ofi_regression(two, interval="20s", by=None)
    assert pooled["n"].iloc[0] == ms.ofi_regression(two, interval="20s").loc[["A", "B"], "n"].sum() // 2


# --- impact, volatility, VPIN, resilience ----------------------------------------------------


def test_impact_counts_orders_by_their_size() -> None:
    quotes = touch((0, 0.40, 0.42), (10, 0.42, 0.44), (30, 0.42, 0.44))
    trades = tape((5, 0.42, 30, "yes"), (5, 0.43, 30, "yes"), (6, 0.40, 5, "no"))
    found = ms.impact_curve(join_quotes(trades, quotes), quotes, horizons=["1s", "10s"], sizes=[50])
    assert found["estimate"].tolist() == [0.0, 0.0, -0.02, 0.02]
    assert found["n"].tolist() == [1, 1, 1, 1]
    assert found["size_from"].tolist() == [0, 50, 0, 50]


def test_signature_by_hand_on_mids_and_on_trades() -> None:
    quotes = touch((0, 0.40, 0.42), (60, 0.42, 0.44), (120, 0.41, 0.43), (200, 0.41, 0.43))
    by_mid = ms.volatility_signature(quotes, intervals=["1min", "2min"])
    assert by_mid["estimate"].to_numpy() == pytest.approx([(4e-4 + 1e-4 + 0) / 3 * 60, 1e-4 * 30])
    trades = tape((0, 0.40, 1, "yes"), (60, 0.42, 1, "yes"), (60, 0.44, 1, "yes"), (125, 0.44, 1, "yes"))
    by_price = ms.volatility_signature(trades, intervals="1min", price="yes_price")
    assert by_price["estimate"].to_numpy() == pytest.approx([(0.04**2 + 0) / 2 * 60])


def test_vpin_splits_trades_and_drops_what_is_left() -> None:
    trades = tape((0, 0.5, 6, "yes"), (1, 0.5, 16, "no"), (2, 0.5, 10, "yes"), (3, 0.5, 0.5, "no"))
    found = ms.vpin(trades, 10, window=2)
    assert found["yes_volume"].tolist() == [6, 0, 8]
    assert found["no_volume"].tolist() == [4, 10, 2]
    assert found["imbalance"].tolist() == [0.2, 1, 0.6]
    assert found["vpin"].fillna(-1).round(12).tolist() == [-1, 0.6, 0.8]
    assert found.index.tolist() == list(at(1, 1, 2))
    assert found["se"].iloc[-1] == pytest.approx(np.std([1, 0.6], ddof=1) / sqrt(2))
    assert len(ms.vpin(trades, 100)) == 0


def test_bulk_volume_by_hand() -> None:
    prices = [0.50, 0.52, 0.52, 0.49, 0.50]
    trades = tape(*((60.0 * at + 1, price, 10.0, "yes") for at, price in enumerate(prices)))
    found = ms.vpin(trades, 10, window=1, sides="bulk")
    sigma = np.std(np.diff(prices), ddof=1)
    shares = [0.5] + [(1 + erf(d / sigma / sqrt(2))) / 2 for d in np.diff(prices)]
    assert found["yes_volume"].to_numpy() == pytest.approx([10 * share for share in shares])


def test_resilience_by_hand_and_only_alone() -> None:
    depth = pd.DataFrame(
        {"ticker": "T", "yes_depth": 500.0, "no_depth": [100.0, 40, 70, 100, 100, 60, 60, 80, 80]},
        index=at(0, 10, 15, 20, 99, 100, 104, 106, 300),
    )
    trades = tape(
        (10, 0.42, 60, "yes"), (50, 0.42, 1, "yes"), (100, 0.42, 40, "yes"), (104, 0.42, 40, "no")
    )
    found = ms.depth_resilience(trades, depth, horizons=["3s", "6s"], largest=0.75)
    short = found[(found["horizon"] == "3s") & (found["parameter"] == "shortfall")].iloc[0]
    assert short["estimate"] == pytest.approx((60 + 40) / (60 + 40))
    late = found[found["horizon"] == "6s"].set_index("parameter")
    assert late.loc["shortfall", "estimate"] == pytest.approx(30 / 60), "at 104 s another one comes"
    assert late.loc["speed", "estimate"] == pytest.approx(-log(0.5) / 6)
    back = ms.depth_resilience(trades.iloc[:1], depth, horizons="10s", largest=1).set_index("parameter")
    assert back.loc["shortfall", "estimate"] == 0
    assert back.loc["speed", "reason"] == "all of the depth is back"


# --- the other leg, another scale, another day, another order ---------------------------------

Market = tuple[pd.DataFrame, pd.DataFrame]


def other_leg(market: Market) -> Market:
    trades, quotes = market
    flipped = {"yes": "no", "no": "yes"}
    trades = trades.assign(
        yes_price=(1 - trades["yes_price"]).round(4), taker_side=trades["taker_side"].map(flipped)
    )
    found = quotes.assign(
        yes_bid=(1 - quotes["yes_ask"]).round(4), yes_ask=(1 - quotes["yes_bid"]).round(4)
    )
    for one, two in (("yes_bid_size", "yes_ask_size"), ("yes_depth", "no_depth")):
        found[one], found[two] = quotes[two], quotes[one]
    return trades, found


def tenfold(market: Market) -> Market:
    trades, quotes = market
    sizes = ["yes_bid_size", "yes_ask_size", "yes_depth", "no_depth"]
    return trades.assign(quantity=trades["quantity"] * 10), quotes.assign(
        **{s: quotes[s] * 10 for s in sizes}
    )


def next_week(market: Market) -> Market:
    return tuple(frame.set_axis(frame.index + pd.Timedelta(days=7)) for frame in market)  # type: ignore[return-value]


def shuffled(market: Market) -> Market:
    trades, quotes = market
    return trades.sample(frac=1, random_state=1), quotes.sample(frac=1, random_state=2)


def elsewhere(market: Market) -> Market:
    return tuple(frame.tz_convert("Asia/Kolkata") for frame in market)  # type: ignore[return-value]


def both(function: Callable[..., pd.DataFrame], **more: Any) -> Callable[[Market], pd.DataFrame]:
    return lambda market: function(join_quotes(*market), market[1], **more)


ESTIMATORS: dict[str, Callable[[Market], pd.DataFrame]] = {
    "quoted_spread": lambda m: ms.quoted_spread(m[1]),
    "effective_spread": lambda m: ms.effective_spread(join_quotes(*m), weight="contracts"),
    "spread_decomposition": both(ms.spread_decomposition, horizons="1min"),
    "impact_curve": both(ms.impact_curve, horizons=["5s", "1min"]),
    "roll_spread": lambda m: ms.roll_spread(m[0]),
    "glosten_harris": lambda m: ms.glosten_harris(m[0]),
    "kyle_lambda": lambda m: ms.kyle_lambda(*m, interval="1min"),
    "ofi_regression": lambda m: ms.ofi_regression(m[1], interval="1min"),
    "volatility_signature": lambda m: ms.volatility_signature(m[1], intervals=["10s", "1min"]),
    "vpin": lambda m: ms.vpin(m[0], m[0]["quantity"].iloc[0] * 20, window=10).reset_index(drop=True),
    "depth_resilience": lambda m: ms.depth_resilience(*m, horizons=["2s", "10s"]),
}


def flow_of_a_market() -> Market:
    found = planted.moved_by_flow(4, 0.01, minutes=60)
    rng = np.random.default_rng(8)
    n = len(found.quotes)
    depth = {
        name: rng.integers(50, 400, n).astype(float)
        for name in ("yes_bid_size", "yes_ask_size", "yes_depth", "no_depth")
    }
    return found.trades.assign(quantity=rng.permutation(found.trades["quantity"])), found.quotes.assign(
        **depth
    )


@pytest.mark.parametrize("name", sorted(ESTIMATORS))
@pytest.mark.parametrize("view", [other_leg, next_week, shuffled, elsewhere])
def test_the_view_does_not_matter(name: str, view: Callable[[Market], Market]) -> None:
    market = flow_of_a_market()
    if name == "vpin" and view is shuffled:
        market = (market[0].assign(quantity=20.0), market[1])
    plain, seen = ESTIMATORS[name](market), ESTIMATORS[name](view(market))
    if name == "vpin":
        pd.testing.assert_series_equal(plain["vpin"], seen["vpin"])
        return
    signed = plain["parameter"].eq("intercept") & (view is other_leg) if "parameter" in plain else False
    sign = np.where(signed, -1.0, 1.0)
    for column in ("estimate", "se"):
        if column in plain:
            flip = sign if column == "estimate" else 1.0
            np.testing.assert_allclose(seen[column], flip * plain[column], rtol=1e-8, atol=1e-14)
    assert seen["n"].tolist() == plain["n"].tolist()


def test_from_the_other_leg_flow_has_the_other_sign() -> None:
    market = flow_of_a_market()
    plain = ms.order_flow_imbalance(market[1])["ofi"]
    assert (ms.order_flow_imbalance(other_leg(market)[1])["ofi"].dropna() == -plain.dropna()).all()


PER_CONTRACT = {"dollars/contract"}


@pytest.mark.parametrize("name", sorted(set(ESTIMATORS) - {"quoted_spread", "vpin"}))
def test_ten_times_the_contracts_is_a_tenth_for_each(name: str) -> None:
    market = flow_of_a_market()
    plain, large = ESTIMATORS[name](market), ESTIMATORS[name](tenfold(market))
    scale = np.where(plain["unit"].isin(PER_CONTRACT), 0.1, 1.0)
    for column in ("estimate", "se"):
        np.testing.assert_allclose(large[column], scale * plain[column], rtol=1e-8, atol=1e-14)


# --- a recorded session ----------------------------------------------------------------------


def test_a_recorded_session(shared: Path) -> None:
    """2.77 cents with the quote before the trade; no trade inside a quote that stood before it."""
    path = shared / "real/ws/KXUFCFIGHT-26MAR07TOBNUR-NUR.ndjson.gz"
    session = kr.replay_book(path, seq="sparse", every=None)
    trades = kr.stream_times(session.trades, session.changes).drop(columns="matched")
    joined = join_quotes(trades, session.quotes)
    found = ms.effective_spread(joined).iloc[0]
    assert (round(100 * found["estimate"], 2), found["n"], found["missing"]) == (2.77, 3955, 181)
    assert found["low"] > 0.02
    assert (ms.trade_spreads(joined)["effective_spread"].dropna() > 0).all()
    quoted = ms.quoted_spread(session.quotes).iloc[0]
    assert quoted["crossed"] == 0
    assert 0.01 <= quoted["estimate"] < found["estimate"]
    slope = ms.ofi_regression(session.quotes).set_index("parameter").loc["slope"]
    assert slope["low"] > 0, "demand moves prices up"
    assert ms.kyle_lambda(trades, session.quotes, interval="10s")["estimate"].iloc[0] > 0


# --- what a frame says, and what is refused --------------------------------------------------


def test_tables_have_the_columns_that_are_documented() -> None:
    (documented,) = column_tables(ms.effective_spread)
    market = flow_of_a_market()
    for name, function in ESTIMATORS.items():
        if name in {"quoted_spread", "vpin"}:
            continue
        for frame in (function(market), function((market[0].iloc[:0], market[1].iloc[:0]))):
            kinds = {frame.index.name: str(frame.index.dtype)} | frame.dtypes.astype(str).to_dict()
            assert {column: kinds[column] for column in documented} == documented, name
            assert [column for column in frame.columns if column in documented] == list(documented)[1:]
    for function in (ms.quoted_spread, ms.order_flow_imbalance):
        (table,) = column_tables(function)
        frame = function(market[1])
        assert list(table) == [frame.index.name, *frame.columns]
        assert [table[column] for column in frame.columns] == frame.dtypes.astype(str).tolist()
    (table,) = column_tables(ms.vpin)
    for frame in (ms.vpin(market[0], 100), ms.vpin(market[0].iloc[:0], 100)):
        assert frame.reset_index().dtypes.astype(str).to_dict() == table


def test_results_can_be_put_together() -> None:
    market = flow_of_a_market()
    found = pd.concat(
        [ESTIMATORS[name](market) for name in ("effective_spread", "roll_spread", "kyle_lambda")]
    )
    assert set(found["parameter"]) == {
        "effective_spread",
        "roll_spread",
        "autocovariance",
        "lambda",
        "intercept",
    }


@pytest.mark.parametrize("name", sorted(ESTIMATORS))
def test_the_source_is_told(name: str) -> None:
    trades, quotes = flow_of_a_market()
    trades.attrs["kalshi"] = {"environment": "prod", "simulated": False, "complete": True, "rows": 1}
    quotes.attrs["kalshi"] = {"environment": "sandbox", "simulated": True, "complete": True, "rows": 1}
    found = ESTIMATORS[name]((trades, quotes))
    trades_only = name in {"roll_spread", "glosten_harris", "vpin"}
    assert found.attrs["kalshi"]["simulated"] is not trades_only
    trades.attrs, quotes.attrs = {}, {}
    assert ESTIMATORS[name]((trades, quotes)).attrs == {}


@pytest.mark.parametrize("name", sorted(ESTIMATORS))
def test_without_quotes_there_is_nothing_to_estimate(name: str) -> None:
    trades, quotes = flow_of_a_market()
    found = ESTIMATORS[name]((trades.iloc[:20], quotes.iloc[:0]))
    if name not in {"roll_spread", "glosten_harris", "vpin"}:
        assert found["estimate"].isna().all()
        assert found["n"].eq(0).all()


def test_frames_of_another_kind_are_refused() -> None:
    trades, quotes = flow_of_a_market()
    joined = join_quotes(trades, quotes)
    with pytest.raises(FrameError, match=r"lacks the column\(s\) yes_bid, yes_ask; join_quotes makes"):
        ms.effective_spread(trades)
    with pytest.raises(FrameError, match="get_trades and read_trades make such frames"):
        ms.kyle_lambda(quotes, quotes)
    with pytest.raises(FrameError, match=r"lacks the column\(s\) yes_ask; quotes\(book_history\)"):
        ms.spread_decomposition(joined, quotes.drop(columns="yes_ask"))
    with pytest.raises(FrameError, match="yes_bid_size"):
        ms.ofi_regression(quotes.drop(columns="yes_bid_size"))
    with pytest.raises(
        FrameError, match="yes_depth and no_depth, or yes_bid_size and yes_ask_size; depth_within"
    ):
        ms.depth_resilience(trades, quotes[["ticker", "yes_bid"]])
    with pytest.raises(FrameError, match="quotes must be a DataFrame"):
        ms.quoted_spread(None)  # type: ignore[arg-type]
    with pytest.raises(FrameError, match="times of quotes have no time zone"):
        ms.quoted_spread(quotes.tz_localize(None))
    with pytest.raises(FrameError, match="indexed by time"):
        ms.roll_spread(trades.reset_index(drop=True))


@pytest.mark.parametrize(
    ("bid", "message"), [(0.400001, "no multiple"), (1.2, "outside"), (-0.1, "outside")]
)
def test_impossible_quotes_are_refused(bid: float, message: str) -> None:
    with pytest.raises(FrameError, match=f"a yes_bid of quotes .*{message}.* in row 1"):
        ms.quoted_spread(touch((0, 0.4, 0.5), (1, bid, 0.5)))
    with pytest.raises(FrameError, match=f"a yes_bid of trades .*{message}"):
        ms.effective_spread(tape((1, 0.42, 1, "yes")).assign(yes_bid=bid, yes_ask=0.5))


def test_impossible_trades_and_sizes_are_refused() -> None:
    trades, quotes = flow_of_a_market()
    with pytest.raises(FrameError, match="yes_price of trades is not a number"):
        ms.roll_spread(trades.assign(yes_price=NAN))
    with pytest.raises(FrameError, match="quantity of trades is not positive"):
        ms.glosten_harris(trades.assign(quantity=0.0))
    with pytest.raises(FrameError, match="a price without a size is no quote"):
        ms.order_flow_imbalance(quotes.assign(yes_ask_size=NAN))
    with pytest.raises(FrameError, match="no_depth of quotes cannot be a depth: -1"):
        ms.depth_resilience(trades, quotes.assign(no_depth=-1.0))
    with pytest.raises(FrameError, match="more than one event_ticker"):
        ms.roll_spread(trades.assign(event_ticker=["A", "B"] * (len(trades) // 2)))


def test_repeated_trades_are_dropped_with_a_warning() -> None:
    trades, _ = flow_of_a_market()
    trades["trade_id"] = [f"{at:x}" for at in range(len(trades))]
    with pytest.warns(PartialDataWarning, match="came more than once") as caught:
        twice = ms.roll_spread(pd.concat([trades, trades.iloc[:7]]))
    assert [warning.filename for warning in caught] == [__file__]
    pd.testing.assert_frame_equal(twice, ms.roll_spread(trades))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda t, q: ms.effective_spread(join_quotes(t, q), weight="volume"), "weight must be one of"),
        (
            lambda t, q: ms.effective_spread(join_quotes(t, q), by="series"),
            "by must be None, 'ticker' or",
        ),
        (lambda t, q: ms.roll_spread(t, cluster="day"), "cluster must be"),
        (lambda t, q: ms.roll_spread(t, each="fills"), "each must be one of"),
        (lambda t, q: ms.spread_decomposition(join_quotes(t, q), q, horizons=[]), "horizons must hold"),
        (lambda t, q: ms.spread_decomposition(join_quotes(t, q), q, horizons=60), "of what unit"),
        (
            lambda t, q: ms.impact_curve(join_quotes(t, q), q, sizes=[50, 10]),
            "sizes must be numbers that ascend",
        ),
        (lambda t, q: ms.impact_curve(join_quotes(t, q), q, sizes=["a"]), "sizes must be"),
        (lambda t, q: ms.kyle_lambda(t, q, interval="soon"), "interval must be a length of time"),
        (lambda t, q: ms.kyle_lambda(t, q, interval="1us"), "choose a longer interval"),
        (lambda t, q: ms.volatility_signature(q, price="last"), "price must be one of"),
        (lambda t, q: ms.vpin(t, 0), "contracts must be positive"),
        (lambda t, q: ms.vpin(t, 1, window=0), "window must be a whole number"),
        (lambda t, q: ms.vpin(t, 1, sides="guess"), "sides must be one of"),
        (lambda t, q: ms.depth_resilience(t, q, largest=0), "largest must be a share"),
    ],
)
def test_wrong_arguments_are_refused(
    call: Callable[[pd.DataFrame, pd.DataFrame], Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        call(*flow_of_a_market())
