"""Channels that break off before they were whole, or before anything said what time it was."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import pytest
from stream_faults import PATIENT, Faulty, Frame, refusal, until
from test_streaming_faults import trade_row
from test_streaming_outages import complete, reconnected

from kalshi_research.streaming import Stream, stream

BEGIN = 1_700_000_000
"""The time at the exchange on the first connection [s]; a question begins two seconds before."""
OUTAGE = BEGIN + 50
AFTER = BEGIN + 100


@pytest.fixture
def venue() -> Iterator[Faulty]:
    with Faulty(["M0", "M1", "M2"]) as made:
        yield made


def timed(venue: Faulty, second: int | None) -> None:
    """From now on frames were sent at this time, or do not say when."""

    def mangle(frame: Frame) -> list[Any]:
        frame = {name: value for name, value in frame.items() if name != "sending_ts_ms"}
        if second is None or "seq" not in frame:
            return [frame]
        return [{"sending_ts_ms": second * 1000, **frame}]

    venue.mangle = mangle


def taped(venue: Faulty, *times: int) -> None:
    """The tape over REST: trades T0, T1 ... at these times, of which the late ones are answered."""

    def rest(path: str, query: dict[str, list[str]]) -> Any:
        since = int(query.get("min_ts", ["0"])[0])
        rows = [trade_row(number, time) for number, time in enumerate(times) if time >= since]
        return {"trades": rows, "cursor": ""} if path == "/markets/trades" else None

    venue.rest = rest


def unheard(venue: Faulty, *names: str, action: str = "") -> None:
    """Commands that name one of these markets or channels get no answer, and nothing happens."""

    def obey(socket: Any, command: Frame) -> list[Frame] | None:
        params = command["params"]
        said = {*params.get("market_tickers", ()), *params.get("channels", ())}
        return [] if said & set(names) and params.get("action", "") in ("", action) else None

    venue.obey = obey


def follow(venue: Faulty, channels: Any, **more: float) -> Stream:
    options = dataclasses.replace(PATIENT, **{"command_timeout": 0.3, **more})
    return stream(venue.client(), ["M0", "M1", "M2"], channels, options=options)


def held(live: Stream, channel: str) -> set[str]:
    """What the stream knows to be subscribed to."""
    return set(live._engine.links[0].subscriptions.channel(channel).asked)


def books_first(venue: Faulty, live: Stream, second: int | None) -> None:
    """An outage; then the books come, at a time, long before the trades are subscribed to."""
    venue.refuse = lambda request: refusal(503)
    venue.hang_up()
    until(lambda: live.health.connections == 0)
    timed(venue, second)
    unheard(venue, "trade")
    venue.refuse = lambda request: None
    until(lambda: reconnected(live) and live.books()["ticker"].nunique() == 3)
    unheard(venue)


def test_a_time_of_after_the_outage_is_not_that_of_the_subscription_before(venue: Faulty) -> None:
    timed(venue, None)
    taped(venue, OUTAGE)
    with follow(venue, ("books", "trades")).wait() as live:
        assert complete(live.trades())
        books_first(venue, live, AFTER)
        live.wait()
        until(lambda: live._engine.backfill.known, what="the question is settled")
        assert not complete(live.trades()), "nobody knows since when to ask"


def test_what_was_missed_is_asked_for_from_the_time_of_the_subscription_on(venue: Faulty) -> None:
    timed(venue, BEGIN)
    taped(venue, BEGIN - 60, OUTAGE)
    unheard(venue, "trade")
    with follow(venue, ("books", "trades")) as live:
        until(lambda: live.books()["ticker"].nunique() == 3)
        unheard(venue)
        live.wait()
        assert complete(live.trades())
        books_first(venue, live, AFTER)
        until(lambda: complete(live.trades()))
        assert set(live.trades()["trade_id"]) == {"T1"}


@pytest.mark.parametrize("second", [None, BEGIN])
@pytest.mark.parametrize("ends", ["connection", "subscription"])
def test_a_channel_that_breaks_off_half_way_has_missed_something(
    venue: Faulty, second: int | None, ends: str
) -> None:
    timed(venue, second)
    taped(venue, OUTAGE)
    unheard(venue, "M2", action="add_markets")
    with follow(venue, "trades", markets_a_command=1, command_timeout=5.0) as live:
        until(lambda: held(live, "trades") == {"M0", "M1"})
        unheard(venue)
        timed(venue, AFTER)
        if ends == "connection":
            venue.hang_up()
            until(lambda: reconnected(live))
        else:
            (socket,) = venue.sockets
            over = {"type": "error", "sid": 1, "msg": {"code": 25, "msg": "Buffer overflow"}}
            venue.do(lambda: (venue.forget(socket, 1), venue.raw(socket, over)))
            until(lambda: not held(live, "trades") or "M2" in held(live, "trades"))
        live.wait()
        if second is None:
            until(lambda: live._engine.backfill.known, what="the question is settled")
            assert not complete(live.trades())
        else:
            until(lambda: complete(live.trades()))
            assert list(live.trades()["trade_id"]) == ["T0"]


def test_changes_of_ones_own_in_a_break_half_way_are_missing(venue: Faulty) -> None:
    unheard(venue, "M2", action="add_markets")
    with follow(venue, "books", markets_a_command=1, command_timeout=5.0) as live:
        until(lambda: held(live, "books") == {"M0", "M1"})
        unheard(venue)
        venue.hang_up()
        until(lambda: reconnected(live))
        live.wait()
        assert complete(live.books())
        assert not complete(live.own_changes())


def test_a_row_that_is_heard_before_the_channel_is_whole_again_hides_none(venue: Faulty) -> None:
    """The exchange ended the subscription: its first markets are heard before the last ones."""
    timed(venue, BEGIN)
    taped(venue, BEGIN, OUTAGE, AFTER)
    with follow(venue, "trades", markets_a_command=1, command_timeout=5.0).wait() as live:
        venue.do(lambda: venue.trade("M0", "T0", BEGIN * 1000))
        until(lambda: len(live.trades()) == 1)
        unheard(venue, "M2", action="add_markets")
        (socket,) = venue.sockets
        over = {"type": "error", "sid": 1, "msg": {"code": 25, "msg": "Buffer overflow"}}
        venue.do(lambda: (venue.forget(socket, 1), venue.raw(socket, over)))
        until(lambda: held(live, "trades") == {"M0", "M1"})
        venue.do(lambda: venue.trade("M0", "T2", AFTER * 1000))
        until(lambda: len(live.trades()) == 2)
        unheard(venue)
        venue.hang_up()
        until(lambda: complete(live.trades()))
        assert set(live.trades()["trade_id"]) == {"T0", "T1", "T2"}


def test_orders_that_ended_in_a_break_half_way_are_asked_for(venue: Faulty) -> None:
    asked: list[dict[str, list[str]]] = []

    def rest(path: str, query: dict[str, list[str]]) -> Any:
        if path != "/portfolio/orders":
            return None
        asked.append(query)
        return {"orders": [], "cursor": ""}

    venue.rest = rest
    unheard(venue, "M2", action="add_markets")
    with follow(venue, "orders", markets_a_command=1, command_timeout=5.0) as live:
        until(lambda: held(live, "orders") == {"M0", "M1"})
        unheard(venue)
        venue.hang_up()
        until(lambda: reconnected(live))
        live.wait()
        until(lambda: complete(live.orders()))
        assert [query.get("status") for query in asked] == [["resting"], None]
