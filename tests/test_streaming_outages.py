"""What an outage took: it is asked for until it comes, and a frame says so long that it is missing."""

from __future__ import annotations

import dataclasses
import socket
import time
from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from stream_faults import PATIENT, Faulty, Frame, refusal, until
from test_streaming_account import listed
from test_streaming_faults import FILL, ORDER, Once, serving, trade_row

import kalshi_research as kr
from kalshi_research.streaming import Stream, stream

if TYPE_CHECKING:
    import pandas as pd


@pytest.fixture
def venue() -> Iterator[Faulty]:
    with Faulty(["M0", "M1", "M2"]) as made:
        yield made


def follow(venue: Faulty, names: Any, channels: Any, **more: float) -> Stream:
    options = dataclasses.replace(PATIENT, **more)
    return stream(venue.client(), names, channels, options=options).wait()


def complete(frame: pd.DataFrame) -> bool:
    return bool(frame.attrs["kalshi"]["complete"])


def asked(venue: Faulty, route: str) -> int:
    """How often a question was asked."""
    return sum(path.startswith(f"/trade-api/v2{route}") for path in venue.questions)


def reconnected(live: Stream, times: int = 1) -> bool:
    health = live.health
    return health.reconnects >= times and health.state == "open"


def fill(number: int) -> Frame:
    """A fill as REST lists it."""
    return {**FILL, "trade_id": f"F{number}", "ticker": "M0", "created_time": "2026-01-01T00:00:00Z"}


@pytest.mark.parametrize(
    ("kind", "route"), [("trades", "/markets/trades"), ("fills", "/portfolio/fills")]
)
def test_rows_are_asked_for_until_they_come_and_are_missing_until_then(
    venue: Faulty, kind: str, route: str
) -> None:
    now = time.time()
    with follow(venue, ["M0"], kind) as live:
        if kind == "trades":
            venue.do(lambda: venue.trade("M0", "T0", int(now * 1000)))
        else:
            venue.do(lambda: venue.tell("fill", "fill", "M0", FILL, numbered=False))
        read = getattr(live, kind)
        until(lambda: len(read()) == 1)
        assert complete(read())
        venue.hang_up()
        until(lambda: asked(venue, route) >= 4, what="it is asked for again and again")
        assert reconnected(live)
        assert not complete(read())
        told = [text for text in live.health.problems if "could not be asked for" in text]
        assert len(told) == 1
        serving(venue, trades=[trade_row(number, now) for number in range(3)], fills=[fill(1), fill(2)])
        until(lambda: complete(read()))
        names = [f"{kind[0].upper()}{number}" for number in range(3)]
        assert sorted(read().reset_index().get("trade_id", read().index)) == names
        assert not live._engine.backfill._due, "nothing is asked for any more"


def test_questions_come_after_pauses_that_grow(venue: Faulty) -> None:
    moments: list[float] = []

    def rest(path: str, query: Any) -> Any:
        moments.append(time.monotonic())
        return None

    with follow(venue, ["M0"], "trades", backoff=0.1, most_backoff=0.4) as live:
        venue.do(lambda: venue.trade("M0", "T0"))
        until(lambda: len(live.trades()) == 1)
        venue.rest = rest
        venue.hang_up()
        until(lambda: len(moments) == 6)
        for (one, other), least in zip(pairwise(moments), (0.05, 0.1, 0.2, 0.2, 0.2), strict=True):
            assert other - one >= least


@pytest.mark.parametrize("kind", ["trades", "fills", "tickers", "lifecycle", "orders", "positions"])
def test_in_an_outage_nothing_is_complete(venue: Faulty, kind: str) -> None:
    serving(venue)
    with follow(venue, ["M0"], kind) as live:
        read = getattr(live, kind)
        assert complete(read())
        if kind == "trades":
            venue.do(lambda: venue.trade("M0", "T0"))
            until(lambda: len(read()) == 1)
        venue.refuse = lambda request: refusal(503)
        venue.hang_up()
        until(lambda: live.health.connections == 0)
        assert not complete(read())
        venue.refuse = lambda request: None
        until(lambda: reconnected(live))
        if kind != "lifecycle":
            until(lambda: complete(read()))


def test_what_nobody_can_be_asked_for_is_missing_for_good(venue: Faulty) -> None:
    with follow(venue, ["M0"], ("books", "lifecycle")) as live:
        assert complete(live.own_changes())
        assert complete(live.lifecycle())
        venue.hang_up()
        until(lambda: reconnected(live))
        live.wait()
        assert not complete(live.own_changes())
        assert not complete(live.lifecycle())
        assert complete(live.books()), "the books are whole again"


def test_a_lost_frame_of_the_books_may_have_been_a_change_of_ones_own(venue: Faulty) -> None:
    with follow(venue, ["M0"], ("books", "lifecycle")) as live:
        venue.mangle = Once("orderbook_delta", 1, lambda frame: [])
        venue.churn(50, "M0")
        until(lambda: live.health.gaps == 1)
        assert not complete(live.own_changes())
        assert complete(live.lifecycle())


def test_a_lost_trade_is_missing_until_there_is_an_answer(venue: Faulty) -> None:
    now = time.time()
    with follow(venue, ["M0"], "trades") as live:
        venue.do(lambda: venue.trade("M0", "T0", int(now * 1000)))
        venue.mangle = Once("trade", 1, lambda frame: [])
        venue.do(lambda: [venue.trade("M0", f"T{number}") for number in (1, 2)])
        until(lambda: asked(venue, "/markets/trades") >= 2)
        assert not complete(live.trades())
        serving(venue, trades=[trade_row(number, now) for number in range(3)])
        until(lambda: complete(live.trades()))
        assert len(live.trades()) == 3


def test_a_subscription_that_ends_is_an_outage(venue: Faulty) -> None:
    with follow(venue, ["M0"], "trades", command_timeout=0.3) as live:
        now = time.time()
        venue.do(lambda: venue.trade("M0", "T0", int(now * 1000)))
        until(lambda: len(live.trades()) == 1)
        serving(venue, trades=[trade_row(number, now) for number in range(2)])
        venue.obey = lambda socket, command: []
        (socket,) = venue.sockets
        overflow = {
            "type": "error",
            "sid": 1,
            "msg": {"code": 25, "msg": "Subscription buffer overflow"},
        }
        venue.do(lambda: (venue.forget(socket, 1), venue.raw(socket, overflow)))
        until(lambda: not complete(live.trades()))
        assert live.health.connections == 1
        venue.obey = lambda socket, command: None
        until(lambda: complete(live.trades()))
        assert set(live.trades()["trade_id"]) == {"T0", "T1"}


def test_where_nothing_says_since_when_rows_are_missing_for_good(venue: Faulty) -> None:
    """Frames of 2025 do not say when they were sent, and no trade was seen before the outage."""
    serving(venue)
    with follow(venue, ["M0"], "trades") as live:
        assert complete(live.trades())
        venue.hang_up()
        until(lambda: reconnected(live))
        live.wait()
        assert not complete(live.trades())
        assert asked(venue, "/markets/trades") == 0


def test_what_was_heard_to_the_end_is_complete_and_a_state_is_not(venue: Faulty) -> None:
    serving(venue)
    with follow(venue, ["M0"], ("trades", "fills", "orders")) as live:
        venue.do(lambda: venue.trade("M0", "T0"))
        until(lambda: len(live.trades()) == 1)
    assert complete(live.trades())
    assert complete(live.fills())
    assert not complete(live.orders())


def test_closing_in_an_outage_leaves_it_open(venue: Faulty) -> None:
    with follow(venue, ["M0"], "trades") as live:
        venue.refuse = lambda request: refusal(503)
        venue.hang_up()
        until(lambda: live.health.connections == 0)
    assert not complete(live.trades())


def test_more_than_is_kept_is_told(venue: Faulty) -> None:
    """Of the tape of all markets only the newest rows are looked at: ours may be among the others."""
    now = time.time()
    rows = [trade_row(number, now, "Z") for number in range(30)] + [trade_row(99, now, "M0")]

    def rest(path: str, query: dict[str, list[str]]) -> Any:
        (at,) = map(int, query.get("cursor", ["0"]))
        more = str(at + 10) if at + 10 < len(rows) else ""
        return {"trades": rows[at : at + 10], "cursor": more} if path == "/markets/trades" else None

    names = [f"M{number}" for number in range(12)]
    with follow(venue, names, "trades", rows=20) as live:
        venue.do(lambda: venue.trade("M0", "T0"))
        until(lambda: len(live.trades()) == 1)
        venue.rest = rest
        venue.hang_up()
        until(lambda: any("oldest are left out" in text for text in live.health.problems))
        assert not complete(live.trades())


def test_many_orders_that_ended_are_looked_up_a_hundred_at_a_time(venue: Faulty) -> None:
    names = [f"O{number}" for number in range(250)]
    serving(venue, orders=[listed(name) for name in names])
    with follow(venue, ["M0"], "orders") as live:
        assert set(live.orders()["status"]) == {"resting"}
        serving(venue, orders=[], gone=[listed(name, status="canceled") for name in names])
        venue.hang_up()
        until(lambda: (live.orders()["status"] == "canceled").sum() >= 100)
        until(lambda: complete(live.orders()))
        assert set(live.orders()["status"]) == {"canceled"}
        assert asked(venue, "/portfolio/orders/") == len(names)


def test_an_order_that_the_exchange_does_not_know_is_told_once(venue: Faulty) -> None:
    serving(venue, orders=[listed("A")])
    with follow(venue, ["M0"], "orders") as live:
        venue.rest = lambda path, query: (
            None if path.endswith("/A") else {"orders": [], "cursor": ""} if "orders" in path else None
        )
        for number in (1, 2):
            venue.hang_up()
            until(lambda number=number: reconnected(live, number) and live.wait())
        told = [text for text in live.health.problems if "no longer knows A" in text]
        assert len(told) == 1
        assert not complete(live.orders()), "nobody knows what became of it"


def test_markets_that_went_to_another_connection_are_asked_for_by_it(venue: Faulty) -> None:
    """The exchange may have room for the books of a market here, and for its trades there."""
    now = time.time()

    def obey(socket: Any, command: Frame) -> list[Frame] | None:
        params = command["params"]
        held = [name for sid, each in socket.markets.items() for name in each or []
                if socket.channels[sid] == "trade"]  # fmt: skip
        wanted = params.get("market_tickers", [])
        is_trade = "trade" in params.get("channels", ()) or (
            params.get("action") == "add_markets" and socket.channels.get(params["sids"][0]) == "trade"
        )
        if is_trade and len(set(held) | set(wanted)) > 2:
            message = {"code": 26, "msg": "Subscription market limit exceeded"}
            return [{"id": command["id"], "type": "error", "msg": message}]
        return None

    venue.obey = obey
    with stream(venue.client(), ["M0", "M1", "M2"], ("books", "trades"), options=PATIENT) as live:
        live.wait()
        assert len(venue.sockets) == 2
        (other,) = [each for each in venue.sockets if each.channels == {1: "trade"}]
        alone = list(other.markets[1] or ())
        venue.do(lambda: [venue.trade(name, f"T{name}", int(now * 1000)) for name in alone])
        until(lambda: len(live.trades()) == len(alone))
        venue.rest = lambda path, query: {
            "trades": [trade_row(7, now, alone[0])] if alone[0] in query.get("ticker", []) else [],
            "cursor": "",
        }
        venue.do(other.connection.transport.abort)
        until(lambda: "T7" in set(live.trades()["trade_id"]))
        until(lambda: complete(live.trades()))


def test_states_that_had_no_answer_at_the_beginning_come_without_an_outage(venue: Faulty) -> None:
    with follow(venue, ["M0"], "orders") as live:
        assert not complete(live.orders())
        serving(venue, orders=[{**ORDER, "created_time": "2026-01-01T00:00:00Z"}])
        until(lambda: complete(live.orders()))
        assert live.orders()["status"].to_dict() == {"A": "resting"}
        assert live.health.reconnects == 0


@pytest.mark.parametrize("ends", ["the sandbox", "the client"])
def test_a_handshake_that_hangs_ends_with_either_side_and_nothing_is_said(
    ends: str, caplog: pytest.LogCaptureFixture
) -> None:
    with kr.start_sandbox(users=1, days=1, crypto_hours=1) as sandbox:
        sandbox.faults.add("upgrade:hang", "WS /connect", seconds=60)
        client = kr.connect(sandbox)
        port = urlsplit(sandbox.url).port
        request = (
            f"GET /trade-api/ws/v2 HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        with socket.create_connection(("127.0.0.1", port), 10) as raw:
            raw.sendall(request.encode())
            until(lambda: sandbox.faults.fired)
            if ends == "the sandbox":
                begin = time.monotonic()
                sandbox.close()
                assert time.monotonic() - begin < 0.9, "it is waited for a second, then ended by force"
        if ends == "the client":
            ticker = kr.get_markets(client, status="open").index[0]
            with stream(client, ticker) as live:
                assert live.wait().best(ticker).status == "live"
    assert not [record for record in caplog.records if record.levelname in ("WARNING", "ERROR")]


@pytest.mark.parametrize("dialect", ["2026", "2025"])
def test_the_question_of_a_quiet_link_is_one_that_the_exchange_knows(dialect: str) -> None:
    options = dataclasses.replace(PATIENT, audit_every=0.25)
    with (
        kr.start_sandbox(users=1, days=1, crypto_hours=1, dialect=dialect) as sandbox,
        stream(kr.connect(sandbox), None, "fills", options=options).wait() as live,
    ):
        subscriptions = live._engine.links[0].subscriptions
        asked = subscriptions.commands
        until(lambda: subscriptions.commands >= asked + 4 and not subscriptions._pending)
        health = live.health
        assert (health.reconnects, health.unreadable, health.unknown) == (0, 0, 0)
        assert not health.problems


def test_what_only_proves_something_is_not_waited_for(venue: Faulty) -> None:
    """On a slow link an audit may be under way all the time."""
    with follow(
        venue, ["M0"], ("books", "trades", "fills"), audit_every=0.1, command_timeout=30, dead_after=60
    ) as live:
        subscriptions = live._engine.links[0].subscriptions
        venue.obey = lambda socket, command: []
        until(lambda: {sent.action for sent in subscriptions._pending.values()} == {"snapshot", "prove"})
        assert live.settled
        assert live.wait(timeout=0) is live
        live.add(["M1"])
        assert not live.settled
