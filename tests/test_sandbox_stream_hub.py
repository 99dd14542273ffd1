"""The hub of the stream and its sessions, without a socket: what is counted once, and what may wait."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

from stream_venue import ANNA, BERT, Venue, Wire

from kalshi_research.sandbox.stream import StreamOptions
from kalshi_research.sandbox.stream.hub import Hub
from kalshi_research.sandbox.stream.session import Session


def connected(
    act: Callable[[Venue, Hub, Session, Wire], None], options: StreamOptions | None = None
) -> None:
    """Do something with a session of Anna, whose server has no turn meanwhile."""
    venue, chosen = Venue(), options or StreamOptions()

    async def run() -> None:
        hub, wire = Hub(venue, chosen), Wire()
        session = Session(hub, wire, ANNA, chosen)
        hub.join(session)
        act(venue, hub, session, wire)
        hub.leave(session)

    asyncio.run(run())


def subscribe(session: Session, *channels: str, **params: Any) -> None:
    command = {"id": 1, "cmd": "subscribe", "params": {"channels": channels} | params}
    session.receive(json.dumps(command))
    session.flush()


def trade(venue: Venue, count: int = 100) -> None:
    venue.submit(BERT, "M", "ask", 4700, count)
    venue.submit(ANNA, "M", "bid", 4700, count)


def test_what_a_mirror_was_made_with_is_not_counted_again() -> None:
    def act(venue: Venue, hub: Hub, session: Session, wire: Wire) -> None:
        subscribe(session, "trade")
        venue.submit(BERT, "M", "bid", 4000, 700)
        trade(venue)
        # The market is seen for the first time with the news of the trade still unread.
        mirror = hub.mirror("M")
        assert mirror.since == venue.engine.clock

        def figures() -> tuple[Any, ...]:
            books = dict(mirror.yes), dict(mirror.no)
            return (mirror.volume, mirror.open_interest, mirror.dollar_volume, *books)

        assert figures() == (100, 100, 470_000, {4000: 700}, {})
        hub.catch_up()
        assert figures() == (100, 100, 470_000, {4000: 700}, {})
        trade(venue, 50)
        hub.catch_up()
        assert (mirror.volume, mirror.open_interest) == (150, 150)
        assert venue.engine.market("M").open_interest == 150

    connected(act)


def test_a_slow_reader_may_be_behind_by_the_buffer_and_no_more() -> None:
    def act(venue: Venue, hub: Hub, session: Session, wire: Wire) -> None:
        subscribe(session, "trade")
        wire.paused = True
        for _ in range(5):
            trade(venue)
        hub.catch_up()
        session.flush()
        trade(venue)
        wire.paused = False
        hub.catch_up()
        session.flush()
        assert wire.written.count(b'"type":"trade"') == 6
        assert b'"type":"error"' not in wire.written
        wire.paused = True
        for _ in range(6):
            trade(venue)
        hub.catch_up()
        session.flush()
        wire.paused = False
        session.flush()
        assert wire.written.count(b'"type":"trade"') == 12
        assert b'"code":25' in wire.written
        trade(venue)
        hub.catch_up()
        session.flush()
        assert wire.written.count(b'"type":"trade"') == 12

    connected(act, StreamOptions(buffer_frames=5))
