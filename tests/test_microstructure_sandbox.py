"""Estimators on the markets of the sandbox, against what really happened there.

Trades come over the wire as for everybody. The quotes, the orders, who was informed and what an
ideal forecaster believed come from behind the scenes; the oracles are plain loops over integers.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

import kalshi_research as kr
from kalshi_research.analysis import join_quotes
from kalshi_research.analysis import microstructure as ms
from kalshi_research.environments import default_sandbox

if TYPE_CHECKING:
    from kalshi_research.sandbox.truth import Truth

SECOND = 1_000_000
HOURS = {"30min": 1800 * SECOND, "2h": 7200 * SECOND}


@dataclass(frozen=True)
class Seen:
    """What a researcher has, and the truth about it."""

    truth: Truth
    tickers: list[str]
    trades: pd.DataFrame
    quotes: pd.DataFrame

    @property
    def joined(self) -> pd.DataFrame:
        return join_quotes(self.trades, self.quotes)


def index_of(micros: np.ndarray) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(micros.view("M8[us]"), name="time").tz_localize("UTC")


def quotes_of(truth: Truth, ticker: str) -> pd.DataFrame:
    seen = truth.quotes(ticker)
    columns = {"ticker": ticker, "yes_bid": seen.bid / 1e4, "yes_ask": seen.ask / 1e4}
    sizes = {"yes_bid_size": seen.bid_size / 100, "yes_ask_size": seen.ask_size / 100}
    return pd.DataFrame(columns | sizes, index=index_of(seen.times))


@pytest.fixture(scope="module")
def seen() -> Seen:
    client = kr.connect("sandbox")
    truth = default_sandbox().truth
    markets = kr.get_markets(client, series_ticker="KXHIGHNY", status="settled")
    trades = kr.get_trades(client, markets.index)
    events = markets["event_ticker"].reindex(trades["ticker"]).to_numpy()
    quotes = pd.concat([quotes_of(truth, ticker) for ticker in markets.index])
    return Seen(truth, list(markets.index), trades.assign(event_ticker=events), quotes)


def touch_before(truth: Truth, ticker: str) -> dict[int, tuple[int, int]]:
    """Bid and ask strictly before each order [1/10 000 dollar], by its instant; only real ones."""
    quotes = truth.quotes(ticker)
    times, found = quotes.times.tolist(), {}
    for instant in truth.parents(ticker).times.tolist():
        place = bisect_left(times, instant) - 1
        if place >= 0 and 0 < quotes.bid[place] < quotes.ask[place] < 10_000:
            found[instant] = (int(quotes.bid[place]), int(quotes.ask[place]))
    return found


def test_the_effective_spread_of_every_market_is_that_of_its_true_touch(seen: Seen) -> None:
    simple = ms.effective_spread(seen.joined)
    weighted = ms.effective_spread(seen.joined, weight="contracts")
    compared = 0
    for ticker in simple.index:
        tape, touch = seen.truth.tape(ticker), touch_before(seen.truth, ticker)
        paid = total = contracts = Fraction(0)
        number = 0
        for instant, price, count, yes in zip(
            *(part.tolist() for part in (tape.times, tape.price, tape.count, tape.taker_yes)),
            strict=True,
        ):
            if instant in touch:
                bid, ask = touch[instant]
                twice = (2 * price - bid - ask) * (1 if yes else -1)
                paid, total, number = paid + twice, total + twice * count, number + 1
                contracts += count
        assert simple.loc[ticker, "n"] == number
        assert simple.loc[ticker, "n"] + simple.loc[ticker, "missing"] == tape.times.size
        if number:
            compared += 1
            expected = float(paid / number / 10_000), float(total / contracts / 10_000)
            assert simple.loc[ticker, "estimate"] == pytest.approx(expected[0], abs=1e-12)
            assert weighted.loc[ticker, "estimate"] == pytest.approx(expected[1], abs=1e-12)
    assert compared > 200


def test_orders_on_the_tape_are_the_orders_that_were_sent(seen: Seen) -> None:
    found = kr.parent_orders(seen.trades)
    for ticker, mine in found.groupby("ticker"):
        parents = seen.truth.parents(str(ticker))
        served = parents.filled > 0
        assert mine.index.as_unit("us").asi8.tolist() == parents.times[served].tolist()
        assert (100 * mine["quantity"]).round().tolist() == parents.filled[served].tolist()
        assert (mine["taker_side"] == "yes").tolist() == parents.buys_yes[served].tolist()
        assert mine["fills"].tolist() == parents.trades[served].tolist()


def test_an_order_of_one_level_pays_the_spread_and_a_walk_pays_more(seen: Seen) -> None:
    spreads = ms.trade_spreads(seen.joined[~seen.joined["is_block_trade"].astype(bool)])
    orders = kr.tape_order(spreads).groupby("parent")
    width = orders["yes_ask"].first() - orders["yes_bid"].first()
    levels, paid = orders["yes_price"].nunique(), orders["effective_spread"].mean()
    known = width.notna() & paid.notna()
    one = known & (levels == 1)
    assert one.sum() > 5_000
    assert np.allclose(paid[one], width[one], rtol=0, atol=1e-12)
    walks = known & (levels > 1)
    assert walks.sum() > 1_000
    assert (paid[walks] > width[walks] + 0.004).all()


def test_the_quoted_spread_is_the_planted_one(seen: Seen) -> None:
    """Makers quote 2·h·(1/4 + 3 p (1 − p)), lognormal about it, and round both sides away: a tick."""
    estimate, planted = [], []
    for ticker in seen.tickers:
        quotes = quotes_of(seen.truth, ticker)
        times, beliefs = seen.truth.belief(ticker)
        place = np.searchsorted(times, quotes.index.asi8, side="right") - 1
        belief = beliefs[np.clip(place, 0, None)]
        # Near 0 and 1 the grid ends; there the plan is another one.
        inner = (belief > 0.15) & (belief < 0.85)
        two_sided = (quotes["yes_bid"] > 0) & (quotes["yes_ask"] < 1)
        kept = inner & two_sided.to_numpy()
        quotes.loc[~kept, ["yes_bid", "yes_ask"]] = np.nan
        held = np.append(np.diff(quotes.index.asi8), 0) * kept
        if held.sum() < 6 * 3600 * SECOND:
            continue
        half = seen.truth.world.markets[ticker].flow.half_spread * (0.25 + 3 * belief * (1 - belief))
        wide = 2 * half * np.exp(0.35**2 / 2) + 0.01
        planted.append(np.average(wide, weights=held))
        estimate.append(ms.quoted_spread(quotes)["estimate"].iloc[0])
    assert len(estimate) > 50
    assert np.mean(estimate) == pytest.approx(np.mean(planted), rel=0.1)
    assert np.corrcoef(estimate, planted)[0, 1] > 0.5


def value_after(truth: Truth, ticker: str, reach: int) -> dict[int, tuple[float, bool]]:
    """What an ideal forecaster believes so long after each order, and whether its sender knew more."""
    times, beliefs = truth.belief(ticker)
    times, parents = times.tolist(), truth.parents(ticker)
    return {
        instant: (beliefs[max(bisect_right(times, instant + reach) - 1, 0)], bool(informed))
        for instant, informed in zip(parents.times.tolist(), parents.informed.tolist(), strict=True)
    }


@pytest.mark.parametrize("horizon", HOURS)
def test_impact_is_what_the_informed_knew_and_nothing_for_the_others(seen: Seen, horizon: str) -> None:
    """Informed orders lead the belief by twenty minutes; the others toss coins."""
    joined = ms.trade_spreads(seen.joined, seen.quotes, horizon=horizon)
    joined = joined[joined["later_mid"].notna() & joined["mid"].notna()]
    sign = np.where(joined["taker_side"] == "yes", 1, -1)
    later = {ticker: value_after(seen.truth, ticker, HOURS[horizon]) for ticker in seen.tickers}
    keys = zip(joined["ticker"], joined.index.as_unit("us").asi8.tolist(), strict=True)
    value, informed = map(
        np.array, zip(*(later[ticker][instant] for ticker, instant in keys), strict=True)
    )
    first = ~pd.MultiIndex.from_arrays([joined["ticker"], joined.index]).duplicated()
    truth = sign * (value - joined["mid"].to_numpy())
    for knew in (True, False):
        mine = joined[informed == knew]
        found = ms.impact_curve(mine, seen.quotes, horizons=horizon, by=None).loc["all"]
        assert found["clusters"] > 30
        assert found["se_kind"] == "clustered"
        really = truth[first & (informed == knew)].mean()
        assert found["low"] <= really <= found["high"]
        if knew:
            assert found["estimate"] == pytest.approx(really, rel=0.1)
            assert found["low"] > 0.02
        else:
            assert found["low"] < 0 < found["high"]


def test_flow_moves_prices_no_further_than_news_does(seen: Seen) -> None:
    """No permanent impact is planted for contracts as such: makers return to the belief in seconds."""
    found = ms.kyle_lambda(seen.trades, seen.quotes, interval="5min", by=None).set_index("parameter")
    assert found.loc["lambda", "low"] < 0 < found.loc["lambda", "high"]
    share = ms.glosten_harris(seen.trades, by=None).set_index("parameter").loc["adverse_share"]
    assert share["low"] < 0.15, "nearly all of the spread bounces back"
    assert share["estimate"] < 0.15
