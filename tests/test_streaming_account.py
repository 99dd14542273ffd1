"""One's own orders and positions in a stream: what stands when it begins, and each once ever after."""

from __future__ import annotations

import asyncio
import dataclasses
import threading
from collections.abc import Iterator
from typing import Any

import pandas as pd
import pytest
from stream_faults import FAST, Faulty, Frame, until
from test_streaming_faults import ORDER, POSITION, follow, serving

import kalshi_research as kr
from kalshi_research.errors import TransportError
from kalshi_research.streaming import stream

STATES = ("orders", "positions")
TICKER = "KXHIGHNY-26NOV21-B46.5"


@pytest.fixture
def venue() -> Iterator[Faulty]:
    with Faulty(["M0", "M1", "M2"]) as made:
        yield made


def listed(order_id: str, ticker: str = "M0", **more: Any) -> Frame:
    """An order as REST lists it."""
    found = {name: value for name, value in ORDER.items() if name not in ("created_ts_ms", "is_yes")}
    return found | {
        "order_id": order_id, "ticker": ticker, "created_time": "2026-01-01T00:00:00Z",
        "type": "limit", "no_price_dollars": "0.6500", **more,
    }  # fmt: skip


def held(ticker: str, position: str) -> Frame:
    """A position as REST lists it."""
    return {
        "ticker": ticker, "exchange_index": 0, "position_fp": position, "total_traded_dollars": "9.0000",
        "market_exposure_dollars": "4.0000", "realized_pnl_dollars": "0.5000",
        "fees_paid_dollars": "0.1000", "last_updated_ts": "2026-01-01T00:00:00Z",
    }  # fmt: skip


def held_up(venue: Faulty) -> tuple[threading.Event, threading.Event]:
    """Answers over REST wait: whether one was asked for, and what lets them go."""
    asked, answering = threading.Event(), threading.Event()
    serve = venue.rest

    async def slow(path: str, query: Any) -> Any:
        found = serve(path, query)
        asked.set()
        await asyncio.to_thread(answering.wait, 20)
        return found

    venue.rest = slow
    return asked, answering


def tell(venue: Faulty, body: Frame) -> None:
    """A frame of the account."""
    channel, kind = ("market_positions", "market_position") if "market_ticker" in body else (
        "user_orders", "user_order")  # fmt: skip
    name = body.get("market_ticker") or body["ticker"]
    venue.do(lambda: venue.tell(channel, kind, name, body, numbered=False))


def said(live: Any) -> dict[str, str]:
    found: dict[str, str] = live.orders()["status"].to_dict()
    return found


def complete(frame: pd.DataFrame) -> bool:
    return bool(frame.attrs["kalshi"]["complete"])


# The sandbox


def test_what_rests_when_a_stream_begins_is_in_it_and_follows() -> None:
    with kr.start_sandbox(users=1, days=1, crypto_hours=1) as sandbox:
        client = kr.connect(sandbox)
        ticker = next(
            name for name in kr.get_markets(client, status="open").index if name.startswith("KXHIGHNY")
        )
        other = next(
            name
            for name in kr.get_markets(client, status="open").index
            if name.startswith("KXHIGHNY") and name != ticker
        )
        mine = [kr.create_order(client, ticker, quantity=5, price=price) for price in ("0.01", "0.02")]
        kr.create_order(client, other, quantity=5, price="0.01")
        asks = kr.get_orderbook(client, ticker).query("side == 'ask'")
        best = asks.iloc[0]
        kr.create_order(client, ticker, quantity=2, price=f"{best['price']:.2f}")
        with stream(client, [ticker], ("books", *STATES)) as live:
            live.wait()
            rest = kr.get_orders(client, status="resting")
            rest = rest[rest["ticker"] == ticker]
            found = live.orders()
            assert sorted(found.index) == sorted(rest.index) == sorted(each.order_id for each in mine)
            same = ["ticker", "status", "outcome_side", "yes_price", "remaining_count", "fill_count"]
            pd.testing.assert_frame_equal(found[same].sort_index(), rest[same].sort_index())
            assert live.positions()["position"].to_dict() == {ticker: 2.0}
            assert complete(live.orders())
            assert complete(live.positions())
            kr.cancel_order(client, mine[0].order_id)
            kr.create_order(client, ticker, quantity=1, price=f"{best['price']:.2f}")
            until(lambda: live.positions()["position"].to_dict() == {ticker: 3.0})
            until(lambda: sorted(said(live).values()) == ["canceled", "executed", "resting"])
            assert live.orders().index.is_unique
            assert live.health.backfilled == 0
            live.add(other)
            live.wait()
            assert sorted(said(live).values()) == ["canceled", "executed", "resting", "resting"]
            live.drop(other)
            assert sorted(said(live).values()) == ["canceled", "executed", "resting"]


def test_the_exchange_of_2025_has_positions_and_no_orders_to_follow() -> None:
    with kr.start_sandbox(users=1, days=1, crypto_hours=1, dialect="2025") as sandbox:
        client = kr.connect(sandbox)
        names = kr.get_markets(client, status="open").index
        ticker = next(name for name in names if name.startswith("KXHIGHNY"))
        best = kr.get_orderbook(client, ticker).query("side == 'ask'").iloc[0]
        for quantity in (2, 1):
            kr.create_order(client, ticker, quantity=quantity, price=f"{best['price']:.2f}")
            if quantity == 2:
                live = stream(client, [ticker], STATES).wait()
                assert live.positions()["position"].to_dict() == {ticker: 2.0}
        with live:
            until(lambda: live.positions()["position"].to_dict() == {ticker: 3.0})
            assert complete(live.positions())
            assert not complete(live.orders())
            assert any(text.startswith("orders: all of it refused") for text in live.health.problems)


# An exchange that lags, loses and fails


def test_there_are_no_states_before_the_answer_and_waiting_waits_for_it(venue: Faulty) -> None:
    serving(venue, orders=[listed("A")], market_positions=[held("M0", "3.00"), held("M9", "4.00")])
    asked, answering = held_up(venue)
    with stream(venue.client(), ["M0", "M1"], STATES, options=FAST) as live:
        assert asked.wait(10)
        assert (len(live.orders()), complete(live.orders())) == (0, False)
        assert not complete(live.positions())
        with pytest.raises(TransportError, match="in time"):
            live.wait(timeout=0.05)
        answering.set()
        live.wait()
        assert said(live) == {"A": "resting"}
        assert live.positions()["position"].to_dict() == {"M0": 3.0}, "M9 is not followed"
        assert complete(live.orders())
        assert complete(live.positions())


def test_what_was_heard_while_asking_is_newer_than_the_answer(venue: Faulty) -> None:
    serving(venue, orders=[listed("A"), listed("B")], market_positions=[held("M0", "3.00")])
    asked, answering = held_up(venue)
    with stream(venue.client(), ["M0"], STATES, options=FAST) as live:
        assert asked.wait(10)
        until(lambda: venue.subscriptions() == 2)
        tell(venue, {**ORDER, "order_id": "A", "status": "executed", "remaining_count_fp": "0.00"})
        tell(venue, {**POSITION, "position_fp": "13.00"})
        until(lambda: len(live.orders()) == 1 and len(live.positions()) == 1)
        answering.set()
        live.wait()
        assert said(live) == {"A": "executed", "B": "resting"}
        assert live.positions()["position"].to_dict() == {"M0": 13.0}


def test_states_come_to_consumers_too_and_each_once(venue: Faulty) -> None:
    serving(venue, orders=[listed("A")], market_positions=[held("M0", "3.00")])
    seen: list[Any] = []
    with stream(venue.client(), ["M0"], STATES, options=FAST) as live:
        live.on(STATES, seen.append)
        live.wait()
        tell(venue, {**ORDER, "order_id": "B"})
        until(lambda: any(each.value.get("order_id") == "B" for each in seen))
        for _ in range(2):
            before = live.health.reconnects
            venue.hang_up()
            until(lambda before=before: live.health.reconnects == before + 1)
            live.wait()
        tell(venue, {**ORDER, "order_id": "C"})
        until(lambda: any(each.value.get("order_id") == "C" for each in seen))
        ids = [each.value["order_id"] for each in seen if each.kind == "orders"]
        assert len(ids) == len(set(ids)), "an answer that says nothing new is no news"


def test_an_outage_is_looked_up_and_lagging_answers_are_not_believed(venue: Faulty) -> None:
    serving(venue, orders=[listed("A")], market_positions=[held("M0", "3.00"), held("M1", "4.00")])
    with follow(venue, ["M0", "M1"], STATES) as live:
        tell(venue, {**ORDER, "order_id": "B", "status": "canceled", "remaining_count_fp": "0.00"})
        until(lambda: said(live) == {"A": "resting", "B": "canceled"})
        gone = listed("A", status="executed", remaining_count_fp="0.00")
        # B is listed as resting still: a read that lags behind the cancel.
        serving(
            venue, orders=[listed("B"), listed("C")], gone=[gone], market_positions=[held("M0", "5.00")]
        )
        venue.hang_up()
        until(lambda: live.health.reconnects == 1)
        until(lambda: said(live) == {"A": "executed", "B": "canceled", "C": "resting"})
        until(lambda: live.positions()["position"].to_dict() == {"M0": 5.0, "M1": 0.0})
        assert live.health.backfilled == 4
        until(lambda: complete(live.orders()))


def test_orders_that_came_and_ended_in_an_outage_are_there_afterwards() -> None:
    with kr.start_sandbox(speed=1) as sandbox:
        client = kr.connect(sandbox)
        with stream(client, TICKER, ["books", "orders", "fills"], options=FAST).wait() as live:
            placed = []
            for number in range(3):
                sandbox.faults.add("link:RST", "WS /user_order", nth=1)
                order = kr.create_order(client, TICKER, quantity=1, price="0.99")
                placed.append(order.order_id)
                until(lambda number=number: live.health.reconnects == number + 1)
            until(lambda: set(live.orders().index) == set(placed))
            until(lambda: set(live.orders()["status"]) == {"executed"})
            until(lambda: complete(live.orders()))


def test_an_answer_that_does_not_come_is_told_and_the_frame_is_not_complete(venue: Faulty) -> None:
    with follow(venue, ["M0"], STATES) as live:
        told = "orders: what there was at the beginning could not be asked for"
        assert any(text.startswith(told) for text in live.health.problems)
        assert not complete(live.orders())
        tell(venue, ORDER)
        until(lambda: len(live.orders()) == 1)
        assert not complete(live.orders()), "there may be others"
        serving(venue, orders=[listed("A")], market_positions=[])
        venue.hang_up()
        until(lambda: complete(live.orders()) and complete(live.positions()))


def test_connections_ask_for_their_own_markets(venue: Faulty) -> None:
    serving(venue, orders=[listed(name, name) for name in ("M0", "M1", "M2")], market_positions=[])
    with stream(venue.client(), ["M0", "M1", "M2"], STATES, connections=2, options=FAST) as live:
        live.wait()
        assert said(live) == dict.fromkeys(("M0", "M1", "M2"), "resting")
        assert complete(live.orders())


def test_what_is_behind_a_list_that_was_cut_has_not_ended(venue: Faulty) -> None:
    mine = [held("M0", "3.00"), held("M1", "4.00")]
    serving(venue, market_positions=mine)
    options = dataclasses.replace(FAST, rows=2)
    with stream(venue.client(), ["M0", "M1"], "positions", options=options).wait() as live:
        assert complete(live.positions())
        serving(venue, market_positions=[held("Z0", "1.00"), held("M0", "5.00"), *mine[1:]])
        venue.hang_up()
        until(lambda: live.positions()["position"].to_dict() == {"M0": 5.0, "M1": 4.0})
        assert not complete(live.positions())
        assert any("more than 2 rows" in text for text in live.health.problems)


def test_orders_behind_a_list_that_was_cut_are_looked_up_once(venue: Faulty) -> None:
    """They may rest all the same: nothing is gained by asking for them again and again."""
    mine = [listed(f"A{number:03}") for number in range(150)]
    serving(venue, orders=mine)
    options = dataclasses.replace(FAST, rows=150)
    with stream(venue.client(), ["M0"], "orders", options=options).wait() as live:
        serving(venue, orders=[listed(f"Z{number}", "Z") for number in range(150)] + mine, gone=mine)
        venue.hang_up()
        until(lambda: live.health.reconnects == 1)
        until(lambda: any(kind == "orders" for _, kind in live._engine.backfill.known))
        assert set(said(live).values()) == {"resting"}
        assert len(said(live)) == 150
        assert not complete(live.orders())
