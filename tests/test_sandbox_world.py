"""What the sandbox says about its markets has to hang together, judged from the wire alone."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from itertools import groupby, pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from sandbox_calls import Caller

from kalshi_research.sandbox import Sandbox
from kalshi_research.sandbox.world import World

if TYPE_CHECKING:
    from collections.abc import Iterator

NOW = 1795186800
SEPTEMBER = 1788000000
JUNE = 1780000000
OPEN_DAY = "KXHIGHNY-26NOV21"
SAMPLE = (
    "KXHIGHNY-26NOV20-B39.5",
    "KXHIGHCHI-26NOV15-B57.5",
    "KXFEDDECISION-26DEC-C25",
    "KXMAYORPORTVELA-27-ALDER",
    "KXHARBORMATCH-26NOV18OFFPIE-OFF",
)


@pytest.fixture(scope="module")
def caller() -> Iterator[Caller]:
    with Sandbox() as sandbox, Caller(sandbox) as calls:
        yield calls


@pytest.fixture(scope="module")
def markets(caller: Caller) -> dict[str, dict[str, Any]]:
    live = caller.walk("/markets", "markets", limit=1000)
    old = caller.walk("/historical/markets", "markets", limit=1000)
    return {row["ticker"]: row for row in [*old, *live]}


def seconds(text: str) -> Fraction:
    whole, _, fraction = text.removesuffix("Z").partition(".")
    moment = datetime.strptime(whole, "%Y-%m-%dT%H:%M:%S").replace(tzinfo=UTC)
    return int(moment.timestamp()) + (Fraction(int(fraction), 10 ** len(fraction)) if fraction else 0)


def tape(caller: Caller, ticker: str) -> list[dict[str, Any]]:
    """All trades of a market, both tiers, oldest first (within an instant: any order)."""
    rows = {
        row["trade_id"]: row
        for path in ("/historical/trades", "/markets/trades")
        for row in caller.walk(path, "trades", ticker=ticker, limit=1000)
    }
    return sorted(rows.values(), key=lambda row: seconds(row["created_time"]))


def test_the_world_has_what_a_researcher_asks_for(caller: Caller, markets: dict[str, Any]) -> None:
    series = {row["ticker"]: row for row in caller.get("/series")["series"]}
    assert {"KXHIGHNY", "KXHIGHCHI", "KXFEDDECISION", "KXBTC15M"} < series.keys()
    assert series["KXFEDDECISION"]["fee_type"] == "quadratic_with_maker_fees"
    assert {row["status"] for row in markets.values()} == {
        "initialized", "active", "inactive", "closed", "finalized",
    }  # fmt: skip
    assert {row["result"] for row in markets.values()} == {"", "yes", "no", "scalar"}
    assert any("mve_selected_legs" in row for row in markets.values())
    settled = [row for row in markets.values() if row["status"] == "finalized"]
    assert any(row["volume_fp"] == "0.00" and row["last_price_dollars"] == "0.0000" for row in settled)
    assert {row["price_level_structure"] for row in markets.values()} >= {
        "linear_cent", "tapered_deci_cent", "center_deci_edge_centi_cent",
    }  # fmt: skip
    traded = sum(1 for _ in caller.walk("/markets/trades", "trades", limit=1000))
    older = sum(
        1 for _ in caller.walk("/historical/trades", "trades", limit=1000, max_ts=NOW - 22 * 86400)
    )
    assert 60_000 <= traded + older <= 120_000


def test_ladders_have_six_strikes_without_holes_and_one_yes(
    caller: Caller, markets: dict[str, Any]
) -> None:
    ladders = defaultdict(list)
    for row in markets.values():
        if row["event_ticker"].startswith("KXHIGH"):
            ladders[row["event_ticker"]].append(row)
    assert len(ladders) == 2 * 48
    for rows in ladders.values():
        assert len(rows) == 6
        by_kind = {
            kind: [row for row in rows if row["strike_type"] == kind]
            for kind in ("less", "between", "greater")
        }
        (less,), between, (greater,) = by_kind.values()
        assert "floor_strike" not in less
        assert "cap_strike" not in greater
        bands = sorted((row["floor_strike"], row["cap_strike"]) for row in between)
        assert less["cap_strike"] == bands[0][0]
        assert greater["floor_strike"] == bands[-1][1]
        assert all(high + 1 == low for (_, high), (low, _) in pairwise(bands))
        if less["status"] == "finalized":
            (yes,) = [row for row in rows if row["result"] == "yes"]
            value = Decimal(yes["expiration_value"])
            floor = yes.get("floor_strike", -999)
            cap = yes.get("cap_strike", 999)
            inclusive = yes["strike_type"] == "between"
            assert floor <= value <= cap if inclusive else floor < value < cap
            assert sum(Decimal(row["settlement_value_dollars"]) for row in rows) == 1
        else:
            assert all(row["result"] == "" and "settlement_value_dollars" not in row for row in rows)


def test_exclusive_events_pay_one_dollar(caller: Caller) -> None:
    paid = defaultdict(list)
    for event in caller.walk("/events", "events", with_nested_markets="true", status="settled"):
        assert (event["collateral_return_type"] == "MECNET") == event["mutually_exclusive"]
        if event["mutually_exclusive"]:
            paid[event["event_ticker"]] = [row["settlement_value_dollars"] for row in event["markets"]]
    complete = [values for values in paid.values() if values]
    assert len(complete) > 30
    assert all(sum(map(Decimal, values)) == 1 for values in complete)


def _on_grid(price: str, ranges: list[dict[str, str]]) -> bool:
    value = Decimal(price)
    return 0 < value < 1 and any(
        Decimal(band["start"]) <= value <= Decimal(band["end"])
        and (value - Decimal(band["start"])) % Decimal(band["step"]) == 0
        for band in ranges
    )


def test_books_are_uncrossed_on_the_grid_and_agree_with_the_market(
    caller: Caller, markets: dict[str, Any]
) -> None:
    trading = [row for row in markets.values() if row["status"] in {"active", "inactive"}]
    books = {}
    for start in range(0, len(trading), 50):
        batch = [row["ticker"] for row in trading[start : start + 50]]
        answer = caller.get("/markets/orderbooks", tickers=batch)["orderbooks"]
        assert [row["ticker"] for row in answer] == batch
        books.update({row["ticker"]: row["orderbook_fp"] for row in answer})
    shapes = set()
    for row in trading:
        book = books[row["ticker"]]
        for leg, touch, size in (
            ("yes", row["yes_bid_dollars"], row["yes_bid_size_fp"]),
            ("no", row["no_bid_dollars"], row["yes_ask_size_fp"]),
        ):
            levels = book[f"{leg}_dollars"]
            prices = [Decimal(price) for price, _ in levels]
            assert prices == sorted(set(prices))
            assert len(levels) <= 30
            assert all(_on_grid(price, row["price_ranges"]) for price, _ in levels)
            assert all(Decimal(count) > 0 for _, count in levels)
            if levels:
                assert levels[-1] == [touch, size]
            else:
                assert size == "0.00"
                never_quoted = row["yes_ask_dollars"] == "0.0000"
                assert touch == ("1.0000" if never_quoted and leg == "no" else "0.0000")
        yes, no = book["yes_dollars"], book["no_dollars"]
        if yes and no:
            assert Decimal(yes[-1][0]) + Decimal(no[-1][0]) < 1
        shapes.add((bool(yes), bool(no)))
    assert shapes == {(True, True), (True, False), (False, True), (False, False)}


def test_touch_identities_and_sentinels(markets: dict[str, Any]) -> None:
    for row in markets.values():
        bid, ask = Decimal(row["yes_bid_dollars"]), Decimal(row["yes_ask_dollars"])
        assert Decimal(row["no_bid_dollars"]) == 1 - ask
        assert Decimal(row["no_ask_dollars"]) == 1 - bid
        if ask == 0:
            # Never quoted: not open yet, or opened at this very instant.
            assert row["status"] == "initialized" or seconds(row["open_time"]) == NOW
            assert bid == 0
            assert row["volume_fp"] == "0.00"
        else:
            assert row["status"] != "initialized"
            assert bid < ask
            assert (Decimal(row["yes_bid_size_fp"]) == 0) == (bid == 0)
            assert (Decimal(row["yes_ask_size_fp"]) == 0) == (ask == 1)
        if row["status"] in {"closed", "finalized"}:
            assert (bid, ask) == (0, 1)


def test_books_cut_to_a_depth_keep_the_best(caller: Caller) -> None:
    path = "/markets/KXHIGHNY-26NOV21-B44.5/orderbook"
    whole = caller.get(path)["orderbook_fp"]
    assert len(whole["yes_dollars"]) > 3
    cut = caller.get(path, depth=3)["orderbook_fp"]
    assert cut == {side: levels[-3:] for side, levels in whole.items()}
    assert caller.get(path, depth=0)["orderbook_fp"] == whole


def test_market_figures_are_those_of_the_tape(caller: Caller, markets: dict[str, Any]) -> None:
    for ticker in SAMPLE:
        rows, market = tape(caller, ticker), markets[ticker]
        assert sum(Decimal(row["count_fp"]) for row in rows) == Decimal(market["volume_fp"])
        day = [row for row in rows if seconds(row["created_time"]) > NOW - 86400]
        assert sum(Decimal(row["count_fp"]) for row in day) == Decimal(market["volume_24h_fp"])
        last = max(seconds(row["created_time"]) for row in rows)
        lasting = {row["yes_price_dollars"] for row in rows if seconds(row["created_time"]) == last}
        assert market["last_price_dollars"] in lasting
        interest = Decimal(market["open_interest_fp"])
        assert 0 < interest <= Decimal(market["volume_fp"])
        earlier = [row for row in rows if seconds(row["created_time"]) <= NOW - 86400]
        assert (market["previous_price_dollars"] == "0.0000") == (not earlier)
        for row in rows:
            assert Decimal(row["yes_price_dollars"]) + Decimal(row["no_price_dollars"]) == 1
            assert _on_grid(row["yes_price_dollars"], market["price_ranges"])
            assert row["taker_side"] == row["taker_outcome_side"]
            assert (row["taker_book_side"] == "bid") == (row["taker_side"] == "yes")
            assert (
                seconds(market["open_time"])
                < seconds(row["created_time"])
                < seconds(market["close_time"])
            )


@pytest.mark.parametrize("minutes", [1, 60, 1440])
@pytest.mark.parametrize("ticker", SAMPLE)
def test_candlesticks_are_the_tape_aggregated(caller: Caller, ticker: str, minutes: int) -> None:
    period = minutes * 60
    candles: dict[int, dict[str, Any]] = {}
    start = {1: NOW - 4 * 86400, 60: NOW - 200 * 86400, 1440: JUNE}[minutes]
    step = 4999 * period
    for low in range(start, NOW + 86400, step):
        path = f"/series/ANY/markets/{ticker}/candlesticks"
        page = caller.get(
            path, start_ts=low, end_ts=min(low + step - 1, NOW + 86400), period_interval=minutes
        )
        assert page["ticker"] == ticker
        candles.update({row["end_period_ts"]: row for row in page["candlesticks"]})
    rows = [row for row in tape(caller, ticker) if seconds(row["created_time"]) > start]
    buckets = defaultdict(list)
    for row in rows:
        end = -(-seconds(row["created_time"]) // period) * period
        buckets[end].append(row)
    assert rows or minutes == 1
    assert {end for end, row in candles.items() if Decimal(row["volume_fp"])} == set(buckets)
    assert list(candles) == sorted(candles)
    previous = None
    for end, candle in candles.items():
        trades = buckets.get(end, [])
        price = candle["price"]
        prices = [Decimal(row["yes_price_dollars"]) for row in trades]
        if not trades:
            assert price.keys() <= {"previous_dollars"}
            assert candle["volume_fp"] == "0.00"
        else:
            counts = [Decimal(row["count_fp"]) for row in trades]
            assert sum(counts) == Decimal(candle["volume_fp"])
            assert Decimal(price["high_dollars"]) == max(prices)
            assert Decimal(price["low_dollars"]) == min(prices)
            first, last = seconds(trades[0]["created_time"]), seconds(trades[-1]["created_time"])
            assert price["open_dollars"] in {
                row["yes_price_dollars"] for row in trades if seconds(row["created_time"]) == first
            }
            assert price["close_dollars"] in {
                row["yes_price_dollars"] for row in trades if seconds(row["created_time"]) == last
            }
            mean = sum(p * c for p, c in zip(prices, counts, strict=True)) / sum(counts)
            assert abs(Decimal(price["mean_dollars"]) - mean) <= Decimal("0.00005")
        if previous is not None:
            assert candle["yes_bid"]["open_dollars"] == previous["yes_bid"]["close_dollars"]
            assert candle["yes_ask"]["open_dollars"] == previous["yes_ask"]["close_dollars"]
            before = previous["price"].get("close_dollars", previous["price"].get("previous_dollars"))
            assert price.get("previous_dollars") == before
        for span in (candle["yes_bid"], candle["yes_ask"]):
            low, high = Decimal(span["low_dollars"]), Decimal(span["high_dollars"])
            assert low <= min(Decimal(span["open_dollars"]), Decimal(span["close_dollars"]))
            assert high >= max(Decimal(span["open_dollars"]), Decimal(span["close_dollars"]))
        assert not end % period
        previous = candle


def test_last_candle_agrees_with_the_market(caller: Caller, markets: dict[str, Any]) -> None:
    market = markets["KXHIGHNY-26NOV20-B39.5"]
    page = caller.get(
        f"/series/ANY/markets/{market['ticker']}/candlesticks",
        start_ts=NOW - 86400 * 3, end_ts=NOW, period_interval=60,
    )  # fmt: skip
    last = page["candlesticks"][-1]
    assert last["end_period_ts"] == NOW
    assert last["open_interest_fp"] == market["open_interest_fp"]
    assert last["yes_bid"]["close_dollars"] == market["yes_bid_dollars"]
    assert last["yes_ask"]["close_dollars"] == market["yes_ask_dollars"]
    assert sum(Decimal(row["volume_fp"]) for row in page["candlesticks"]) == Decimal(market["volume_fp"])


def test_trades_of_one_instant_are_one_order_walking_the_book(caller: Caller) -> None:
    shuffled = several = 0
    for ticker in SAMPLE:
        wire = list(caller.walk("/markets/trades", "trades", ticker=ticker, limit=1000))
        times = [seconds(row["created_time"]) for row in wire]
        assert times == sorted(times, reverse=True)
        for _, group in groupby(wire, key=lambda row: row["created_time"]):
            rows = list(group)
            prices = [Decimal(row["yes_price_dollars"]) for row in rows]
            assert len({row["taker_side"] for row in rows}) == 1
            levels = sorted(set(prices))
            assert all(b - a == Decimal("0.01") for a, b in pairwise(levels))
            several += len(levels) > 1
            in_order = sorted(prices, reverse=rows[0]["taker_side"] == "yes")
            shuffled += prices != in_order
    assert several > 50
    assert shuffled > 20


def test_tape_against_its_truth(caller: Caller) -> None:
    truth = caller.sandbox.truth
    for ticker in SAMPLE:
        tape_, parents = truth.tape(ticker), truth.parents(ticker)
        assert int(parents.trades.sum()) == tape_.times.size
        filled = np.zeros(parents.times.size, np.int64)
        np.add.at(filled, tape_.parent, tape_.count)
        assert (filled == parents.filled).all()
        assert (parents.filled <= parents.size).all()
        first = np.searchsorted(tape_.parent, np.arange(parents.times.size))
        assert (tape_.price[first] == parents.first_price).all()
        quotes = truth.quotes(ticker)
        place = np.searchsorted(quotes.times, parents.times) - 1
        touch = np.where(parents.buys_yes, quotes.ask[place], quotes.bid[place])
        plain = ~parents.block
        assert (touch == parents.first_price)[plain].all()
        assert (np.diff(quotes.times) > 0).all()
        assert (quotes.bid < quotes.ask).all()


def test_the_crypto_window_trades_fractions_of_contracts_on_a_tapered_grid(caller: Caller) -> None:
    rows = [
        row
        for market in caller.get("/markets", series_ticker="KXBTC15M", status="settled", limit=20)[
            "markets"
        ]
        for row in caller.get("/markets/trades", ticker=market["ticker"], limit=1000)["trades"]
    ]
    assert sum(not row["count_fp"].endswith(".00") for row in rows) > 0.7 * len(rows)
    tapered = [row for row in rows if Decimal(row["yes_price_dollars"]) % Decimal("0.01")]
    assert tapered
    assert all(
        not Decimal("0.10") < Decimal(row["yes_price_dollars"]) < Decimal("0.90") for row in tapered
    )


def test_volume_has_an_intraday_shape(caller: Caller) -> None:
    hours = np.zeros(24)
    for row in caller.walk("/historical/trades", "trades", limit=1000, max_ts=NOW - 22 * 86400):
        if row["ticker"].startswith("KXHIGHNY"):
            hours[(int(row["created_time"][11:13]) - 5) % 24] += 1
    assert hours[10:15].mean() > 4 * hours[1:5].mean()


def test_combos_follow_their_legs(caller: Caller) -> None:
    events = caller.get("/events/multivariate", with_nested_markets="true")["events"]
    assert events
    for event in events:
        (market,) = event["markets"]
        belief = 1.0
        for leg in market["mve_selected_legs"]:
            yes = caller.sandbox.truth.world.belief(leg["market_ticker"])
            belief *= yes if leg["side"] == "yes" else 1 - yes
        assert abs(caller.sandbox.truth.world.belief(market["ticker"]) - belief) < 0.03


def test_beliefs_are_probabilities_and_end_at_the_outcome(caller: Caller) -> None:
    truth = caller.sandbox.truth
    for event in truth.world.events.values():
        path = event.path
        assert (path.beliefs >= 0).all()
        assert (path.beliefs <= 1).all()
        if event.series.ticker == "KXHIGHNY":
            assert abs(path.beliefs.sum(axis=1) - 1).max() < 1e-12
            assert path.beliefs[-1].round(9).tolist() == [value / 10_000 for value in path.values]
        for market in event.markets:
            if truth.result(market.ticker) != "scalar":
                assert truth.belief(market.ticker)[1][-1] == truth.settlement(market.ticker)


def _brier_gap(world: World, series: str, when: float) -> list[tuple[float, float, float]]:
    """Belief, price in the middle of the touch and outcome of each market, part-way through its life."""
    found = []
    for ticker, market in world.markets.items():
        if market.event.series.ticker != series or market.result == "scalar":
            continue
        instant = int(market.opens + when * (market.closes - market.opens))
        quote = world.history(ticker).quote_at(instant)
        if quote is not None:
            found.append(
                (world.belief(ticker, instant), (quote[0] + quote[1]) / 20_000, market.value / 10_000)
            )
    return found


@pytest.mark.parametrize(("series", "days", "hours"), [("KXHIGHNY", 60, 0), ("KXBTC15M", 1, 72)])
def test_beliefs_and_prices_are_calibrated(series: str, days: int, hours: int) -> None:
    rows = np.array(
        [
            row
            for seed in range(6)
            for row in _brier_gap(
                World(NOW * 1_000_000, seed, days=days, crypto_hours=hours), series, 0.5
            )
        ]
    )
    belief, price, outcome = rows.T
    assert outcome.size > 1500
    for low, high in pairwise([0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0001]):
        chosen = (belief >= low) & (belief < high)
        expected, seen = belief[chosen].mean(), outcome[chosen].mean()
        error = np.sqrt((belief[chosen] * (1 - belief[chosen])).sum()) / chosen.sum() + 1e-9
        assert abs(seen - expected) < 3.5 * error, (low, high, expected, seen)
    assert abs(price - belief).mean() < 0.03
    assert abs((price - belief).mean()) < 0.004


def test_a_planted_bias_overprices_longshots() -> None:
    plain, biased = (World(NOW * 1_000_000, 0, days=20, bias=bias) for bias in (0.0, 0.25))
    rows = [np.array(_brier_gap(world, "KXHIGHNY", 0.5)).T for world in (plain, biased)]
    (belief, price, _), (same, shrunk, _) = rows
    assert (belief == same).all()
    longshot = (belief > 0.02) & (belief < 0.2)
    assert (shrunk - price)[longshot].mean() > 0.02
