"""The time of a sandbox: it stands still, is moved by hand, or runs."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sandbox_calls import Caller
from stream_venue import Peer, Reader, signed
from websockets.sync.client import ClientConnection, connect

from kalshi_research.errors import ConfigError
from kalshi_research.sandbox import Sandbox
from kalshi_research.sandbox.stream import StreamOptions

START = datetime(2026, 11, 20, 15, tzinfo=UTC)
LADDER = "KXHIGHNY-26NOV21"


def wait_for(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with Sandbox(speed=600, stream=StreamOptions(heartbeat=0)) as sandbox:
        yield sandbox


@pytest.fixture
def stream(running: Sandbox) -> Iterator[ClientConnection]:
    headers = signed(*running.credentials())
    with connect(running.ws_url, additional_headers=headers, proxy=None, max_queue=None) as connection:
        yield connection


def subscribe(stream: ClientConnection, *channels: str, **params: Any) -> None:
    command = {"id": 1, "cmd": "subscribe", "params": {"channels": list(channels), **params}}
    stream.send(json.dumps(command))


def frames_until(stream: ClientConnection, enough: Callable[[Counter[str]], bool]) -> list[Any]:
    found: list[Any] = []
    kinds: Counter[str] = Counter()
    deadline = time.monotonic() + 30
    while not enough(kinds):
        frame = json.loads(stream.recv(timeout=max(deadline - time.monotonic(), 0.01)))
        kinds[frame["type"]] += 1
        found.append(frame)
    return found


def open_tickers(caller: Caller) -> list[str]:
    return [row["ticker"] for row in caller.get("/markets", status="open", limit=1000)["markets"]]


# Time that stands still


def test_by_default_time_stands_still() -> None:
    before = threading.active_count()
    with Sandbox() as sandbox, Caller(sandbox) as caller:
        assert threading.active_count() == before + 1, "the server, and no clock"
        path = "/markets?status=open&limit=1000"
        first = caller.call("GET", path).content
        time.sleep(0.1)
        assert caller.call("GET", path).content == first
        assert sandbox.now == START


def test_time_moved_by_hand_is_the_time_of_the_exchange() -> None:
    with Sandbox() as sandbox:
        sandbox.advance(90.5)
        assert (sandbox.now - START).total_seconds() == 90.5
        assert "now=2026-11-20T15:01:30Z" in repr(sandbox)
        sandbox.advance(timedelta(minutes=2))
        assert (sandbox.now - START).total_seconds() == 210.5


@pytest.mark.parametrize("seconds", [-1, timedelta(-1), float("nan"), float("inf"), "1h", None, [5]])
def test_time_that_cannot_pass_is_refused(seconds: Any) -> None:
    with Sandbox() as sandbox, pytest.raises(ConfigError, match="seconds="):
        sandbox.advance(seconds)
    assert sandbox.now == START


@pytest.mark.parametrize("speed", [-1, float("nan"), float("inf"), 2_000_000, "fast", True])
def test_a_speed_that_is_none_is_refused(speed: Any) -> None:
    with pytest.raises(ConfigError, match="speed="):
        Sandbox(speed=speed)


# Time that runs


def test_a_running_clock_does_not_drift() -> None:
    with Sandbox(speed=100, days=2, crypto_hours=1) as sandbox:
        wait_for(lambda: sandbox.now > START)
        began, first = time.monotonic(), sandbox.now
        wait_for(lambda: time.monotonic() - began > 2)
        passed = (sandbox.now - first).total_seconds()
        # What a step and a busy machine may hold back does not add up: a second is a hundred.
        assert passed == pytest.approx(100 * (time.monotonic() - began), abs=40)


def test_books_trades_and_tickers_move(running: Sandbox, stream: ClientConnection) -> None:
    with Caller(running) as caller:
        tickers = open_tickers(caller)
    subscribe(stream, "orderbook_delta", "trade", "ticker", market_tickers=tickers)
    frames = frames_until(
        stream,
        lambda kinds: (
            min(kinds["orderbook_delta"] / 200, kinds["trade"] / 10, kinds["ticker"] / 50) >= 1
        ),
    )
    moved = {row["msg"]["market_ticker"] for row in frames if row["type"] == "orderbook_delta"}
    assert len(moved) >= 10
    times = [row["msg"]["ts_ms"] for row in frames if row["type"] == "orderbook_delta"]
    assert times == sorted(times)
    assert times[-1] > times[0]


def test_the_books_of_the_stream_are_those_of_rest_and_never_crossed(
    running: Sandbox, stream: ClientConnection
) -> None:
    with Caller(running) as caller:
        tickers = open_tickers(caller)
        subscribe(stream, "orderbook_delta", market_tickers=tickers)
        reader, peer = Reader(), Peer(stream)
        for frame in frames_until(stream, lambda kinds: kinds["orderbook_delta"] >= 300):
            if frame["type"] != "subscribed":
                reader.read(frame)
                ticker = frame["msg"]["market_ticker"]
                yes, no = reader.book(ticker)
                if yes and no and frame["type"] == "orderbook_snapshot":
                    assert yes[-1][0] + no[-1][0] < 10_000
        # One moment for both: time is moved by nobody while the floor is held.
        with running.floor.held():
            expected = {ticker: running.floor.book(ticker) for ticker in tickers}
            for frame in peer.settled():
                if frame["type"] in ("orderbook_snapshot", "orderbook_delta"):
                    reader.read(frame)
        for ticker in tickers:
            assert reader.book(ticker) == (expected[ticker].yes, expected[ticker].no), ticker


def test_rest_moves_with_the_stream(running: Sandbox) -> None:
    with Caller(running) as caller:
        first = caller.get("/markets/trades", limit=1)["trades"][0]
        ticker = next(name for name in open_tickers(caller) if name.startswith(LADDER))
        wait_for(lambda: caller.get("/markets/trades", limit=1)["trades"][0] != first)
        market = caller.get(f"/markets/{ticker}")["market"]
        traded = caller.walk("/markets/trades", "trades", ticker=ticker, limit=1000)
        assert sum(round(float(row["count_fp"]) * 100) for row in traded) >= round(
            float(market["volume_fp"]) * 100
        )


def test_windows_close_are_determined_and_pay_and_new_ones_are_listed(
    running: Sandbox, stream: ClientConnection
) -> None:
    subscribe(stream, "market_lifecycle_v2")
    told: dict[str, list[Any]] = {"created": [], "determined": [], "settled": []}
    deadline = time.monotonic() + 30
    while not all(told.values()):
        frame = json.loads(stream.recv(timeout=max(deadline - time.monotonic(), 0.01)))
        if frame["type"] == "market_lifecycle_v2":
            told.setdefault(frame["msg"]["event_type"], []).append(frame["msg"])
    with Caller(running) as caller:
        settled = told["settled"][0]["market_ticker"]
        assert caller.get(f"/markets/{settled}")["market"]["status"] == "finalized"
        (created, *_) = told["created"]
        found = caller.get(f"/markets/{created['market_ticker']}")["market"]
        assert found["title"] == created["additional_metadata"]["title"]
        assert created["open_ts"] < created["close_ts"]


def test_time_moved_by_hand_runs_on_from_there() -> None:
    with Sandbox(speed=1, days=2, crypto_hours=1) as sandbox:
        sandbox.advance(7200)
        assert (sandbox.now - START).total_seconds() >= 7200
        there = sandbox.now
        wait_for(lambda: sandbox.now > there)
        assert (sandbox.now - START).total_seconds() < 7230


def test_a_settled_market_pays_while_time_runs() -> None:
    with Sandbox(speed=1, days=2, crypto_hours=1) as sandbox, Caller(sandbox) as caller:
        ticker = "KXFEDDECISION-26DEC-H0"
        sandbox.settle(ticker, "yes")
        market = caller.get(f"/markets/{ticker}")["market"]
        assert (market["status"], market["result"]) == ("finalized", "yes")


def test_an_end_is_an_end() -> None:
    before = threading.active_count()
    sandbox = Sandbox(speed=1000, days=2, crypto_hours=1).start()
    wait_for(lambda: sandbox.now > START)
    began = time.monotonic()
    sandbox.close()
    assert time.monotonic() - began < 3
    assert threading.active_count() == before
    there = sandbox.now
    time.sleep(0.1)
    assert sandbox.now == there
    with sandbox:
        wait_for(lambda: sandbox.now > there)


def test_a_clock_does_not_spin() -> None:
    with Sandbox(speed=1, days=2, crypto_hours=1) as sandbox:
        wait_for(lambda: sandbox.now > START)
        began, used = time.monotonic(), time.process_time()
        wait_for(lambda: time.monotonic() - began > 1)
        assert time.process_time() - used < 0.5


def test_worlds_whose_time_runs_have_no_name_in_common() -> None:
    frozen = [Sandbox(days=2, crypto_hours=1).identity for _ in range(2)]
    moving = [Sandbox(days=2, crypto_hours=1, speed=1).identity for _ in range(2)]
    assert frozen[0] == frozen[1]
    assert len({*frozen, *moving}) == 3


def test_requests_come_in_while_the_clock_has_more_to_do_than_it_can() -> None:
    with Sandbox(speed=1_000_000, days=2, crypto_hours=1) as sandbox, Caller(sandbox) as caller:
        for _ in range(5):
            began = time.monotonic()
            caller.get("/markets", limit=10)
            assert time.monotonic() - began < 3


def test_the_dialect_of_2025_runs_in_whole_cents() -> None:
    with Sandbox(speed=3600, dialect="2025", days=2, crypto_hours=1) as sandbox:
        before = set(sandbox.truth.tickers)
        wait_for(lambda: (sandbox.now - START).total_seconds() > 3600)
        with sandbox.floor.held():
            fresh = set(sandbox.truth.tickers) - before
            assert fresh, "new windows have been listed"
            engine = sandbox.floor.call(lambda engine: engine)
            trades = [trade for market in engine.markets.values() for trade in market.trades]
            assert trades
            assert all(trade.price % 100 == 0 and trade.count % 100 == 0 for trade in trades)
