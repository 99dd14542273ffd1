"""Payloads of the stream in both dialects, figure by figure, and what a sandbox tells of its markets."""

from __future__ import annotations

import json
from datetime import datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest
from sandbox_calls import Caller
from stream_venue import ANNA, BERT, NOW, Venue

from kalshi_research.fees import FeeTerms
from kalshi_research.sandbox import Sandbox
from kalshi_research.sandbox.engine import (
    LINEAR_CENT,
    BookDelta,
    FeeUpdate,
    Fill,
    GroupUpdate,
    Lifecycle,
    OrderUpdate,
    PositionUpdate,
    Trade,
)
from kalshi_research.sandbox.stream import payloads, payloads_2025
from kalshi_research.sandbox.stream.mirror import Mirror
from kalshi_research.sandbox.stream.source import Listing
from kalshi_research.sandbox.stream.texts import count_text, iso_ms, money_text
from kalshi_research.sandbox.stream.world_source import WorldSource

# 2026-06-11T06:31:29.957466Z
SECONDS, MILLISECONDS, TEXT = 1_781_159_489, 1_781_159_489_957, "2026-06-11T06:31:29.957Z"


def said(payload: bytes | None) -> Any:
    assert payload is not None
    assert payload.endswith(b"}\n")
    frame = json.loads(b'{"type":""' + payload)
    if "data" in frame:
        assert frame["data"] == frame["msg"]
    return frame["msg"]


def events(venue: Venue, kind: type) -> list[Any]:
    """What happened since, of one kind."""
    return [event for event in venue.engine.drain() if type(event) is kind]


def mirror(**figures: Any) -> Mirror:
    return Mirror(Listing("M", "an-id", **figures))


BUSY: dict[str, Any] = {
    "changed": 9, "yes": [(4650, 150), (4700, 90), (100, 205)], "no": [(5000, 200), (5250, 50)],
    "volume": 1234, "open_interest": 567, "dollar_volume": 7_999_999, "last_price": 4690,
    "last_size": 33, "quoted": True,
}  # fmt: skip


# --- texts ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0.00"), (1, "0.01"), (-1, "-0.01"), (100, "1.00"), (-12345, "-123.45")]
)
def test_counts(count: int, text: str) -> None:
    assert count_text(count) == text


@pytest.mark.parametrize(
    ("money", "text"),
    [(0, "0.000000"), (1, "0.000001"), (-1, "-0.000001"), (1_000_000, "1.000000"),
     (2_000_001, "2.000001"), (-1_500_000, "-1.500000")],
)  # fmt: skip
def test_money(money: int, text: str) -> None:
    assert money_text(money) == text


def test_times_are_cut_to_milliseconds() -> None:
    first = iso_ms(NOW)
    assert (first, iso_ms(NOW + 500), iso_ms(NOW + 1000)) == (TEXT, TEXT, TEXT.replace("957", "958"))
    assert [iso_ms(instant) for instant in (1_001_999, 2_999_999, 999)] == [
        "1970-01-01T00:00:01.001Z", "1970-01-01T00:00:02.999Z", "1970-01-01T00:00:00Z",
    ]  # fmt: skip


# --- books and tickers ----------------------------------------------------------------------------


def test_a_snapshot_lists_both_ladders_ascending() -> None:
    ident = {"market_ticker": "M", "market_id": "an-id"}
    yes = [["0.0100", "2.05"], ["0.4650", "1.50"], ["0.4700", "0.90"]]
    assert said(payloads.snapshot(mirror(**BUSY), yes_price=False)) == ident | {
        "clock": 9, "yes_dollars_fp": yes, "no_dollars_fp": [["0.5000", "2.00"], ["0.5250", "0.50"]],
    }  # fmt: skip
    assert said(payloads.snapshot(mirror(**BUSY), yes_price=True)) == ident | {
        "clock": 9, "yes_dollars_fp": yes, "no_dollars_fp": [["0.4750", "0.50"], ["0.5000", "2.00"]],
    }  # fmt: skip
    assert said(payloads.snapshot(mirror(), yes_price=True)) == ident | {"clock": 0}
    # In 2025 in whole contracts by whole cents.
    assert said(payloads_2025.snapshot(mirror(**BUSY), yes_price=True)) == {
        "market_ticker": "M", "yes": [[1, 2], [46, 1]], "yes_dollars": [["0.0100", 2], ["0.4600", 1]],
        "no": [[50, 2]], "no_dollars": [["0.5000", 2]],
    }  # fmt: skip


def test_a_ticker_has_every_figure() -> None:
    market = mirror(**BUSY)
    assert said(payloads.timed_ticker(payloads.ticker(market), NOW)) == {
        "market_id": "an-id", "market_ticker": "M", "price_dollars": "0.4690",
        "yes_bid_dollars": "0.4700", "yes_ask_dollars": "0.4750", "volume_fp": "12.34",
        "open_interest_fp": "5.67", "dollar_volume": 7, "dollar_open_interest": 2,
        "yes_bid_size_fp": "0.90", "yes_ask_size_fp": "0.50", "last_trade_size_fp": "0.33",
        "ts": SECONDS, "ts_ms": MILLISECONDS, "time": TEXT,
    }  # fmt: skip
    assert said(payloads_2025.timed_ticker(payloads_2025.ticker(market), NOW)) == {
        "market_ticker": "M", "price": 46, "price_dollars": "0.4600", "yes_bid": 47,
        "yes_bid_dollars": "0.4700", "yes_ask": 47, "yes_ask_dollars": "0.4700", "bid": "0.4700",
        "ask": "0.4700", "volume": 12, "open_interest": 5, "dollar_volume": 7, "dollar_open_interest": 2,
        "ts": SECONDS,
    }  # fmt: skip


def test_a_market_that_nothing_is_known_of_has_nothing() -> None:
    zero, price = "0.00", "0.0000"
    assert said(payloads.timed_ticker(payloads.ticker(mirror()), 0)) == {
        "market_id": "an-id", "market_ticker": "M", "price_dollars": price, "yes_bid_dollars": price,
        "yes_ask_dollars": price, "volume_fp": zero, "open_interest_fp": zero, "dollar_volume": 0,
        "dollar_open_interest": 0, "yes_bid_size_fp": zero, "yes_ask_size_fp": zero,
        "last_trade_size_fp": zero, "ts": 0, "ts_ms": 0, "time": "1970-01-01T00:00:00Z",
    }  # fmt: skip
    nothing = Listing("M", "an-id")
    assert (nothing.clock, nothing.changed, nothing.dollar_volume) == (0, 0, 0)


def test_a_side_that_is_empty_is_at_its_end() -> None:
    """As recorded: an ask of a dollar where nothing is offered, of nothing where nothing ever was."""
    for figures, bid, ask in (
        ({"quoted": True}, ("0.0000", "0.00"), ("1.0000", "0.00")),
        ({}, ("0.0000", "0.00"), ("0.0000", "0.00")),
        ({"quoted": True, "yes": [(100, 5)]}, ("0.0100", "0.05"), ("1.0000", "0.00")),
        ({"quoted": True, "no": [(100, 5)]}, ("0.0000", "0.00"), ("0.9900", "0.05")),
    ):
        told = said(payloads.timed_ticker(payloads.ticker(mirror(**figures)), NOW))
        assert (told["yes_bid_dollars"], told["yes_bid_size_fp"]) == bid
        assert (told["yes_ask_dollars"], told["yes_ask_size_fp"]) == ask


def test_a_change_of_a_level() -> None:
    venue, market = Venue(), mirror()
    venue.engine.submit(ANNA, "M", "ask", 5200, 150, client_order_id='a "b"')
    (event,) = events(venue, BookDelta)
    told = {
        "market_ticker": "M", "market_id": "an-id", "clock": event.clock, "price_dollars": "0.4800",
        "delta_fp": "1.50", "side": "no", "ts": TEXT, "ts_ms": MILLISECONDS,
    }  # fmt: skip
    assert said(payloads.delta(event, market, yes_price=False, cause=None)) == told
    assert said(payloads.delta(event, market, yes_price=True, cause=event.order)) == told | {
        "price_dollars": "0.5200", "client_order_id": 'a "b"',
    }  # fmt: skip
    venue.engine.create_subaccount(ANNA)
    venue.engine.submit(ANNA, "M", "bid", 100, 50)
    (event,) = events(venue, BookDelta)
    mine = said(payloads.delta(event, market, yes_price=True, cause=event.order))
    assert (mine["side"], mine["price_dollars"], mine["subaccount"]) == ("yes", "0.0100", 0)
    assert "client_order_id" not in mine


@pytest.mark.parametrize(
    ("before", "change", "told"),
    [
        # (price, count) of the other levels of the cent, change of 0.4650, contracts told
        ([], 150, 1), ([], 99, None), ([], 100, 1), ([(4600, 50)], 50, 1), ([(4699, 99)], 100, 1),
        ([(4599, 50), (4700, 50)], 99, None), ([(4600, 50)], -150, -2), ([(4600, 99)], -1, -1),
        ([(4600, 30)], -20, None), ([(4600, 200)], 49, None),
    ],
)  # fmt: skip
def test_a_change_in_whole_contracts(
    before: list[tuple[int, int]], change: int, told: int | None
) -> None:
    old = max(0, -change)
    after = mirror(yes=[*before, (4650, old + change)])
    event = BookDelta(1, NOW, "M", "yes", 4650, change, cast("Any", None))
    payload = payloads_2025.delta(event, after, yes_price=True, cause=None)
    if told is None:
        assert payload is None
    else:
        assert said(payload) == {
            "market_ticker": "M", "price": 46, "price_dollars": "0.4600", "delta": told, "side": "yes",
            "ts": SECONDS,
        }  # fmt: skip


# --- trades, orders, positions --------------------------------------------------------------------


def traded(side: Any = "ask", count: int = 250) -> tuple[Venue, list[Any], list[Any]]:
    """Bert rests at 0.4700 and Anna takes: all trades and fills."""
    venue = Venue()
    venue.engine.submit(BERT, "M", "bid" if side == "ask" else "ask", 4700, 250)
    venue.engine.submit(ANNA, "M", side, 4700, count, client_order_id="a")
    found = venue.engine.drain()
    return (
        venue,
        [event for event in found if type(event) is Trade],
        [event for event in found if type(event) is Fill],
    )


@pytest.mark.parametrize(("side", "outcome"), [("bid", "yes"), ("ask", "no")])
def test_a_trade_tells_the_side_of_the_taker(side: str, outcome: str) -> None:
    _, (trade,), _ = traded(side)
    assert said(payloads.trade(trade)) == {
        "trade_id": trade.trade_id, "market_ticker": "M", "yes_price_dollars": "0.4700",
        "no_price_dollars": "0.5300", "count_fp": "2.50", "taker_side": outcome,
        "taker_outcome_side": outcome, "taker_book_side": side, "is_block_trade": False,
        "ts": SECONDS, "ts_ms": MILLISECONDS,
    }  # fmt: skip
    assert said(payloads_2025.trade(trade)) == {
        "trade_id": trade.trade_id, "market_ticker": "M", "yes_price": 47, "yes_price_dollars": "0.4700",
        "no_price": 53, "no_price_dollars": "0.5300", "count": 2, "taker_side": outcome, "ts": SECONDS,
    }  # fmt: skip


def test_a_trade_of_less_than_a_contract_is_none_in_2025() -> None:
    for count, told in ((99, False), (100, True)):
        _, (trade,), _ = traded("ask", count)
        assert (payloads_2025.trade(trade) is not None) == told


@pytest.mark.parametrize(
    ("side", "outcome", "action", "position"),
    [("bid", "yes", "buy", "2.50"), ("ask", "no", "sell", "-2.50")],
)
def test_a_fill_tells_whose_half_it_is(side: str, outcome: str, action: str, position: str) -> None:
    venue, (trade,), (made, taken) = traded(side)
    mine = said(payloads.fill(taken))
    assert mine == {
        "trade_id": trade.trade_id, "order_id": taken.order.order_id, "client_order_id": "a",
        "market_ticker": "M", "exchange_index": 0, "is_taker": True, "side": "yes",
        "yes_price_dollars": "0.4700", "count_fp": "2.50", "fee_cost": money_text(taken.fee),
        "action": action, "ts": SECONDS, "ts_ms": MILLISECONDS, "post_position_fp": position,
        "purchased_side": outcome, "outcome_side": outcome, "book_side": side,
    }  # fmt: skip
    # 0.07 × 2.5 × 0.47 × 0.53 = 0.0435925, and the balance stays on a grid of 1/10 000 dollar.
    assert mine["fee_cost"] == "0.043600" if side == "bid" else mine["fee_cost"].startswith("0.0436")
    other = said(payloads.fill(made))
    assert (other["is_taker"], "client_order_id" in other) == (False, False)
    assert "subaccount" not in mine
    venue.engine.create_subaccount(ANNA)
    assert said(payloads.fill(taken))["subaccount"] == 0
    old = said(payloads_2025.fill(taken))
    assert old == {
        "trade_id": trade.trade_id, "order_id": taken.order.order_id, "client_order_id": "a",
        "market_ticker": "M", "is_taker": True, "side": "yes", "yes_price": 47,
        "yes_price_dollars": "0.4700", "no_price": 53, "no_price_dollars": "0.5300", "count": 2,
        "action": action, "post_position": 2 if side == "bid" else -3, "ts": SECONDS,
    }  # fmt: skip
    assert "client_order_id" not in said(payloads_2025.fill(made))


def test_an_order_is_told_whole() -> None:
    venue = Venue()
    engine = venue.engine
    group = engine.create_group(ANNA, 10_000)
    end = NOW + 3_600_000_000
    bare = engine.submit(ANNA, "M", "bid", 4700, 250).order
    engine.submit(
        ANNA, "M", "ask", 5200, 300, client_order_id="a", expiration=end, group_id=group.group_id,
        self_trade="maker",
    )  # fmt: skip
    plain, full = events(venue, OrderUpdate)
    times = {
        "created_time": TEXT, "created_ts_ms": MILLISECONDS, "last_update_time": TEXT,
        "last_updated_ts_ms": MILLISECONDS,
    }  # fmt: skip
    nothing = dict.fromkeys(
        (
            "taker_fill_cost_dollars",
            "maker_fill_cost_dollars",
            "taker_fees_dollars",
            "maker_fees_dollars",
        ),
        "0.000000",
    )
    ident = {"user_id": "u", "ticker": "M", "exchange_index": 0, "side": "yes", "is_yes": True}
    assert said(payloads.user_order(plain, "u")) == ident | times | nothing | {
        "order_id": bare.order_id, "status": "resting", "outcome_side": "yes", "book_side": "bid",
        "yes_price_dollars": "0.4700", "fill_count_fp": "0.00", "remaining_count_fp": "2.50",
        "initial_count_fp": "2.50", "client_order_id": "", "subaccount_number": 0,
        "self_trade_prevention_type": "taker_at_cross",
    }  # fmt: skip
    assert said(payloads.user_order(full, "u")) == ident | times | nothing | {
        "order_id": full.order.order_id, "status": "resting", "outcome_side": "no", "book_side": "ask",
        "yes_price_dollars": "0.5200", "fill_count_fp": "0.00", "remaining_count_fp": "3.00",
        "initial_count_fp": "3.00", "client_order_id": "a", "self_trade_prevention_type": "maker",
        "subaccount_number": 0, "order_group_id": group.group_id,
        "expiration_time": TEXT.replace("T06", "T07"), "expiration_ts_ms": MILLISECONDS + 3_600_000,
    }  # fmt: skip
    engine.advance(NOW + 1000)
    engine.decrease(ANNA, bare.order_id, reduce_to=100)
    (less,) = events(venue, OrderUpdate)
    told = said(payloads.user_order(less, "u"))
    assert (told["last_update_reason"], told["remaining_count_fp"]) == ("Decrease", "1.00")
    assert (told["created_ts_ms"], told["last_updated_ts_ms"]) == (MILLISECONDS, MILLISECONDS + 1)
    assert (told["created_time"], told["last_update_time"]) == (TEXT, TEXT.replace("957", "958"))


def test_a_position_is_told_whole() -> None:
    event = PositionUpdate(1, NOW, ANNA, 0, "M", -300, 1_410_000, 7, -20_000, 70_000, 1_725)
    expected = {
        "user_id": "u", "market_ticker": "M", "position_fp": "-3.00",
        "position_cost_dollars": "1.410000", "realized_pnl_dollars": "-0.020000",
        "fees_paid_dollars": "0.070000",
        "position_fee_cost_dollars": "0.000007", "volume_fp": "17.25",
    }  # fmt: skip
    assert said(payloads.market_position(event, "u")) == expected
    event.subaccount = 2
    assert said(payloads.market_position(event, "u")) == expected | {"subaccount": 2}


def test_a_group_tells_its_limit_where_that_is_new() -> None:
    for kind, named in (("created", True), ("limit_updated", True), ("triggered", False),
                        ("reset", False), ("deleted", False)):  # fmt: skip
        told = said(payloads.group_update(GroupUpdate(1, NOW, ANNA, "g", cast("Any", kind), 1050, 0)))
        limit = {"contracts_limit_fp": "10.50"} if named else {}
        assert told == {"event_type": kind, "order_group_id": "g", "ts_ms": MILLISECONDS} | limit


def test_the_fees_of_an_event() -> None:
    terms = FeeTerms("quadratic_with_maker_fees", cast("Any", 2))
    for waived, multiplier in ((False, 2.0), (True, 0)):
        event = FeeUpdate(1, NOW, "E", FeeTerms(terms.fee_type, terms.multiplier, waived=waived))
        assert said(payloads.fee_update(event)) == {
            "event_ticker": "E", "fee_type_override": "quadratic_with_maker_fees",
            "fee_multiplier_override": multiplier,
        }  # fmt: skip
        assert said(payloads_2025.fee_update(event)) == {
            "event_ticker": "E", "fee_type_override": "quadratic_with_maker_fees",
        }  # fmt: skip


# --- the life of markets --------------------------------------------------------------------------


def life(kind: Any, value: int | None = 10_000) -> Lifecycle:
    return Lifecycle(7, NOW, "M", kind, "active", NOW + 3_600_000_000, "yes", value, LINEAR_CENT)


def source(*, combo: bool = False, told: Any = None) -> Any:
    return SimpleNamespace(
        announcement=lambda ticker: None if told is None else dict(told),
        is_combo=lambda ticker: combo,
        structure=lambda ticker, bands: "a_grid" if bands == LINEAR_CENT.bands else "another",
    )


def test_the_life_of_a_market_is_told_in_seconds() -> None:
    grid = {
        "price_level_structure": "a_grid",
        "price_ranges": [{"start": "0.0000", "end": "1.0000", "step": "0.0100"}],
    }
    close = {"close_ts": SECONDS + 3600}
    told = {"open_ts": 5}

    def tells(kind: str, more: dict[str, Any], where: Any = None, value: int | None = 10_000) -> None:
        found = said(payloads.lifecycle(life(kind, value), where or source(told=told)))
        assert found == {"market_ticker": "M", "event_type": kind} | more

    tells("created", told | close | grid)
    tells("created", told | close | {"price_level_structure": "a_grid"}, source(combo=True, told=told))
    tells("activated", {"is_deactivated": False})
    tells("deactivated", {"is_deactivated": True})
    tells("close_date_updated", close)
    result = {"result": "yes", "determination_ts": SECONDS}
    tells("determined", result | {"settlement_value": "1.0000"})
    tells("determined", result | {"settlement_value": "0.0000"}, value=0)
    tells("determined", result | {"settlement_value": "0.0000"}, value=None)
    tells("settled", {"settled_ts": SECONDS})
    tells("price_level_structure_updated", grid)
    for kind, where in (
        ("created", source()), ("", source(told=told)), ("metadata_updated", source(told=told)),
        ("price_level_structure_updated", source(combo=True, told=told)),
        ("metadata_updated", source(combo=True, told=told)),
    ):  # fmt: skip
        assert payloads.lifecycle(life(kind), where) is None


# --- what a sandbox tells -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sandbox() -> Any:
    with Sandbox(days=2, crypto_hours=1) as running:
        yield running


@pytest.fixture(scope="module")
def world(sandbox: Sandbox) -> WorldSource:
    return WorldSource(sandbox._exchange)


def seconds(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())


def test_what_is_announced_is_what_the_market_says(sandbox: Sandbox, world: WorldSource) -> None:
    with Caller(sandbox) as rest:
        rows = rest.get("/markets", limit=1000, mve_filter="exclude")["markets"]
    seen = set()
    for row in rows:
        told = world.announcement(row["ticker"])
        assert told is not None
        about = told["additional_metadata"]
        assert told["open_ts"] == seconds(row["open_time"])
        assert told["exchange_index"] == row["exchange_index"]
        assert about["expected_expiration_ts"] == seconds(row["expected_expiration_time"])
        assert about["can_close_early"] is row["can_close_early"] is True
        for name in ("title", "yes_sub_title", "no_sub_title", "rules_primary", "rules_secondary",
                     "event_ticker", "strike_type"):  # fmt: skip
            assert about[name] == row[name], name
        assert about["name"] == row["ticker"]
        for name in ("floor_strike", "cap_strike", "custom_strike"):
            assert about.get(name) == row.get(name), (row["ticker"], name)
            assert (name in about) == (row.get(name) is not None)
        seen |= about.keys()
    assert {"floor_strike", "cap_strike"} <= seen
    assert world.announcement("NONE") is None


def test_a_listing_is_what_rest_shows(sandbox: Sandbox, world: WorldSource) -> None:
    with Caller(sandbox) as rest:
        rows = rest.get("/markets", limit=1000, status="open")["markets"]
        quiet = next(row for row in rows if float(row["volume_fp"]) == 0)
        rows = rest.get("/markets", series_ticker="KXHIGHNY", status="open")["markets"]
        lone = 0
        for row in (*rows, quiet):
            ticker = row["ticker"]
            before = sandbox.floor.clock
            listing = world.listing(ticker)
            assert listing is not None
            # The engine has taken it over, and what that did is in the listing.
            assert before < listing.clock == sandbox.floor.clock
            trades = list(rest.walk("/markets/trades", "trades", ticker=ticker, limit=1000))
            cents = sum(
                round(float(trade["yes_price_dollars"]) * 10_000) * round(float(trade["count_fp"]) * 100)
                for trade in trades
            )
            assert listing.dollar_volume == cents
            assert f"{listing.volume / 100:.2f}" == row["volume_fp"]
            assert f"{listing.open_interest / 100:.2f}" == row["open_interest_fp"]
            assert f"{listing.last_price / 10_000:.4f}" == row["last_price_dollars"]
            newest = {
                round(float(trade["count_fp"]) * 100)
                for trade in trades
                if trade["created_time"] == trades[0]["created_time"]
            }
            lone += len(newest) == 1
            assert listing.last_size in (newest or {0})
            again = world.listing(ticker)
            assert again is not None
            assert (again.clock, again.market_id) == (listing.clock, listing.market_id)
            assert world.ticker_of(listing.market_id) == ticker
    assert lone > 2
    assert world.listing("NONE") is None
    assert world.ticker_of("00000000-0000-4000-8000-000000000000") is None
    with Caller(sandbox) as rest:
        old = rest.get("/historical/markets", limit=1)["markets"][0]["ticker"]
    assert world.listing(old) is None


def test_combos_and_grids_are_known(sandbox: Sandbox, world: WorldSource) -> None:
    with Caller(sandbox) as rest:
        rows = rest.get("/markets", limit=1000)["markets"]
    kinds = {bool(row.get("mve_collection_ticker")) for row in rows}
    assert kinds == {True, False}
    for row in rows:
        assert world.is_combo(row["ticker"]) == bool(row.get("mve_collection_ticker")), row["ticker"]
        bands = tuple(
            tuple(round(float(band[edge]) * 10_000) for edge in ("start", "end", "step"))
            for band in row["price_ranges"]
        )
        assert world.structure(row["ticker"], cast("Any", bands)) == row["price_level_structure"]
    assert not world.is_combo("NONE")
    assert world.structure("M", ((0, 10_000, 7),)) == ""
