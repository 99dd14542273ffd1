"""A made-up exchange that breaks things on purpose, and a client of it.

It keeps true books, changes them at random, numbers its frames as the protocol says, and lets
a test drop, repeat, reorder and damage frames, fall silent, hang up and refuse. It knows
nothing of the package but its `Client`.
"""

from __future__ import annotations

import asyncio
import json
import random
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from http import HTTPStatus
from inspect import isawaitable
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from websockets.asyncio.server import ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.protocol import State

from kalshi_research.client import Client, connect
from kalshi_research.streaming.options import StreamOptions

FAST = StreamOptions(
    connect_timeout=5.0,
    close_timeout=0.5,
    stale_after=0.4,
    dead_after=0.8,
    backoff=0.02,
    most_backoff=0.1,
    stable_after=0.5,
    command_timeout=0.3,
    command_rate=2_000.0,
    repair_timeout=0.15,
    audit_every=0.25,
    tick=0.01,
)
"""All intervals, forty times as short."""
PATIENT = StreamOptions(
    close_timeout=0.5, backoff=0.02, most_backoff=0.1, stable_after=0.5, command_rate=2_000.0, tick=0.01
)
"""Quick to come back, but a busy machine is not taken for a dead one."""

Frame = dict[str, Any]
Mangle = Callable[[Frame], "list[Frame | bytes | str]"]


def until(condition: Callable[[], object], timeout: float = 10.0, what: str = "") -> None:
    """Wait for something to become true."""
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, what or "it did not happen in time"
        time.sleep(0.002)


def price_text(price: int) -> str:
    return f"{price // 10_000}.{price % 10_000:04d}"


def count_text(count: int) -> str:
    return f"{'-' if count < 0 else ''}{abs(count) // 100}.{abs(count) % 100:02d}"


@dataclass(eq=False)
class Socket:
    """One connection and its subscriptions: sid to channel, number, markets."""

    connection: ServerConnection
    channels: dict[int, str] = field(default_factory=dict)
    seq: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    markets: dict[int, list[str] | None] = field(default_factory=dict)
    last_sid: int = 0
    muted: bool = False


class Faulty:
    """The exchange.

    Attributes
    ----------
    mangle : callable
        Turns each frame that is about to be sent into the frames that are sent.
    obey : callable
        Gets each command; if it answers a list, that is sent instead of obeying.
    refuse : callable
        Gets the headers of each handshake; if it answers a response, that is the end of it.
    rest : callable
        Gets path and query of each other question; None is HTTP 404. It may be a coroutine.
    questions, commands : list
        Every question and every command that came.
    handshakes : list
        The headers of every handshake.
    """

    def __init__(self, markets: Iterable[str], *, seed: int = 0, ping_every: float = 0.1) -> None:
        self.rng = random.Random(seed)
        self.books: dict[str, tuple[dict[int, int], dict[int, int]]] = {}
        self.clocks: dict[str, int] = {}
        self.clock = 100
        for name in markets:
            self.books[name] = tuple(  # type: ignore[assignment]
                {100 * price: self.rng.randrange(1, 500) * 100 for price in range(40, 50)}
                for _ in range(2)
            )
            self.clocks[name] = self.clock
        self.mangle: Mangle = lambda frame: [frame]
        self.obey: Callable[[Socket, Frame], list[Frame] | None] = lambda socket, command: None
        self.refuse: Callable[[Request], Response | None] = lambda request: None
        self.rest: Callable[[str, dict[str, list[str]]], Any] = lambda path, query: None
        self.questions: list[str] = []
        self.commands: list[Frame] = []
        self.handshakes: list[dict[str, str]] = []
        self.sockets: list[Socket] = []
        self.truth: dict[tuple[str, int], Any] | None = None
        self.ping_every = ping_every
        self.separators = (",", ":")  # as the exchange writes; others are read by the careful way
        self._loop = asyncio.new_event_loop()
        self._started = threading.Event()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=lambda: self._loop.run_until_complete(self._serve()))
        self._closing: list[asyncio.Task[None]] = []
        self.port = 0

    # --- life ---------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._started.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)
        assert not self._thread.is_alive()
        self._loop.close()

    async def _serve(self) -> None:
        async with serve(
            self._handle, "127.0.0.1", 0, process_request=self._shake, ping_interval=None,
            compression=None, max_size=None, close_timeout=0.2,
        ) as server:  # fmt: skip
            self.port = server.sockets[0].getsockname()[1]
            pinging = asyncio.ensure_future(self._ping())
            self._started.set()
            await self._stop.wait()
            pinging.cancel()
            for socket in list(self.sockets):
                socket.connection.transport.abort()
            await asyncio.gather(pinging, *self._closing, return_exceptions=True)

    async def _ping(self) -> None:
        while True:
            await asyncio.sleep(self.ping_every)
            for socket in list(self.sockets):
                if not socket.muted:
                    try:
                        await socket.connection.ping(b"heartbeat")
                    except ConnectionClosed:
                        continue

    def client(self) -> Client:
        key = Ed25519PrivateKey.generate()
        return connect(f"http://127.0.0.1:{self.port}", key_id="key", private_key=key)

    def do(self, work: Callable[[], Any]) -> Any:
        """Do something in the thread of the exchange, and wait for it."""
        done: list[Any] = []
        finished = threading.Event()

        def run() -> None:
            try:
                done.append(work())
            finally:
                finished.set()

        self._loop.call_soon_threadsafe(run)
        assert finished.wait(10)
        return done[0] if done else None

    # --- talking ------------------------------------------------------------------------------

    async def _shake(self, connection: ServerConnection, request: Request) -> Response | None:
        if "upgrade" not in request.headers:
            parts = urlsplit(request.path)
            self.questions.append(request.path)
            found = self.rest(parts.path.removeprefix("/trade-api/v2"), parse_qs(parts.query))
            if isawaitable(found):
                found = await found
            return answer(200 if found is not None else 404, {} if found is None else found)
        self.handshakes.append({name.lower(): value for name, value in request.headers.raw_items()})
        return self.refuse(request)

    async def _handle(self, connection: ServerConnection) -> None:
        socket = Socket(connection)
        self.sockets.append(socket)
        try:
            async for text in connection:
                command = json.loads(text)
                command.setdefault("params", {})
                self.commands.append(command)
                answer = self.obey(socket, command)
                if answer is None:
                    self._obey(socket, command)
                else:
                    for frame in answer:
                        self.raw(socket, frame)
        except ConnectionClosed:
            pass
        finally:
            self.sockets.remove(socket)

    def _obey(self, socket: Socket, command: Frame) -> None:
        number, params = command["id"], command["params"]
        names = params.get("market_tickers")
        if command["cmd"] == "subscribe":
            for channel in params["channels"]:
                held = next((sid for sid, name in socket.channels.items() if name == channel), None)
                if held is None:
                    socket.last_sid += 1
                    sid = socket.last_sid
                    socket.channels[sid] = channel
                    socket.markets[sid] = None if names is None else []
                    self.raw(
                        socket,
                        {"id": number, "type": "subscribed", "msg": {"channel": channel, "sid": sid}},
                    )
                    self._add(socket, sid, names or [])
                else:
                    self._add(socket, held, names or [], number)
            return
        if command["cmd"] == "list_subscriptions":
            listed = [{"channel": name, "sid": sid} for sid, name in socket.channels.items()]
            self.raw(socket, {"id": number, "type": "ok", "msg": listed})
            return
        sid = params["sids"][0]
        if sid not in socket.channels:
            self.raw(socket, {"id": number, "type": "error", "msg": {"code": 7, "msg": "Unknown sid"}})
        elif command["cmd"] == "unsubscribe":
            self.send(socket, sid, "unsubscribed", None, id=number)
            self.forget(socket, sid)
        elif params["action"] == "add_markets":
            self._add(socket, sid, names, number)
        elif params["action"] == "delete_markets":
            held_markets = socket.markets[sid] or []
            socket.markets[sid] = [name for name in held_markets if name not in names]
            self.send(socket, sid, "ok", {"market_tickers": socket.markets[sid]}, id=number)
        else:
            for name in names:
                self.snapshot(socket, sid, name, id=number)

    def _add(self, socket: Socket, sid: int, names: list[str], number: int = 0) -> None:
        held = socket.markets[sid]
        fresh = [] if held is None else [name for name in names if name not in held]
        if held is not None:
            held.extend(fresh)
        if number:
            self.send(socket, sid, "ok", {"market_tickers": list(held or [])}, id=number)
        if socket.channels[sid] == "orderbook_delta":
            for name in fresh:
                self.snapshot(socket, sid, name)

    def forget(self, socket: Socket, sid: int) -> None:
        del socket.channels[sid], socket.markets[sid]
        socket.seq.pop(sid, None)

    def snapshot(self, socket: Socket, sid: int, name: str, **more: Any) -> None:
        if name not in self.books:
            return
        body: Frame = {"market_ticker": name, "market_id": "x", "clock": self.clocks[name]}
        for key, leg in zip(("yes_dollars_fp", "no_dollars_fp"), self.books[name], strict=True):
            if leg:
                body[key] = [
                    [price_text(price), count_text(count)] for price, count in sorted(leg.items())
                ]
        self.send(socket, sid, "orderbook_snapshot", body, **more)

    def send(self, socket: Socket, sid: int, kind: str, body: Any, **more: Any) -> None:
        """A numbered frame."""
        socket.seq[sid] += 1
        frame = {"type": kind, "sid": sid, "seq": socket.seq[sid], **more}
        frame["sending_ts_ms"] = time.time_ns() // 1_000_000
        if body is not None:
            frame["msg"] = body
        self.raw(socket, frame)

    def raw(self, socket: Socket, frame: Frame) -> None:
        """Whatever the mangling makes of a frame."""
        for each in self.mangle(frame):
            text = (
                each
                if isinstance(each, bytes | str)
                else json.dumps(each, separators=self.separators) + "\n"
            )
            if not socket.muted and socket.connection.protocol.state is State.OPEN:
                socket.connection.protocol.send_text(text.encode()) if isinstance(
                    text, str
                ) else socket.connection.protocol.send_binary(text)
                for data in socket.connection.protocol.data_to_send():
                    socket.connection.transport.write(data)

    # --- what happens on the floor ----------------------------------------------------------------

    def change(self, name: str | None = None) -> None:
        """One random change of one true book, told to all who listen."""
        name = name or self.rng.choice(list(self.books))
        side = self.rng.randrange(2)
        leg = self.books[name][side]
        # Bids below 0.50 on both legs never cross.
        price = min(max(100, max(leg, default=3_000) + 100 * self.rng.randrange(-5, 2)), 4_900)
        held = leg.get(price, 0)
        change = -held if held and self.rng.random() < 0.5 else self.rng.randrange(1, 300) * 50
        leg[price] = held + change
        if not leg[price]:
            del leg[price]
        self.clock += 1
        self.clocks[name] = self.clock
        if self.truth is not None:
            self.truth[name, self.clock] = self.levels(name)
        body = {
            "market_ticker": name, "market_id": "x", "clock": self.clock,
            "price_dollars": price_text(price), "delta_fp": count_text(change),
            "side": ("yes", "no")[side], "ts_ms": time.time_ns() // 1_000_000,
        }  # fmt: skip
        self.tell("orderbook_delta", "orderbook_delta", name, body)

    def trade(self, name: str, trade_id: str, time_ms: int = 0, yes: int = 5_000) -> None:
        body = {
            "trade_id": trade_id, "market_ticker": name, "yes_price_dollars": price_text(yes),
            "no_price_dollars": price_text(10_000 - yes), "count_fp": "2.00", "taker_side": "yes",
            "taker_outcome_side": "yes", "taker_book_side": "bid", "is_block_trade": False,
            "ts_ms": time_ms or time.time_ns() // 1_000_000,
        }  # fmt: skip
        self.tell("trade", "trade", name, body)

    def tell(self, channel: str, kind: str, name: str, body: Frame, *, numbered: bool = True) -> None:
        for socket in list(self.sockets):
            for sid, held in list(socket.channels.items()):
                markets = socket.markets[sid]
                if held == channel and (markets is None or name in markets):
                    if numbered:
                        self.send(socket, sid, kind, body)
                    else:
                        self.raw(socket, {"type": kind, "sid": sid, "msg": body})

    def churn(self, changes: int, name: str | None = None) -> None:
        """Many changes, from another thread."""
        for _ in range(0, changes, 50):
            self.do(lambda: [self.change(name) for _ in range(min(50, changes))])

    def levels(self, name: str) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
        """The true book, as YES bids and YES asks, best first."""
        yes, no = self.books[name]
        asks = sorted((10_000 - price, count) for price, count in no.items())
        return sorted(yes.items(), reverse=True), asks

    def held(self) -> dict[str, int]:
        """How often each market is subscribed to, over all sockets and the book channel."""
        found: dict[str, int] = defaultdict(int)
        for socket in list(self.sockets):
            for sid, channel in list(socket.channels.items()):
                if channel == "orderbook_delta":
                    for name in socket.markets[sid] or []:
                        found[name] += 1
        return dict(found)

    def subscriptions(self) -> int:
        return sum(len(socket.channels) for socket in list(self.sockets))

    def fall_silent(self) -> None:
        """Neither send nor read, nor hang up: as if a cable had been cut."""
        for socket in self.sockets:
            socket.muted = True
            socket.connection.transport.pause_reading()

    def hang_up(self, code: int = 1006) -> None:
        """End every connection; 1006 is no goodbye at all."""

        def end() -> None:
            for socket in list(self.sockets):
                if code == 1006:
                    socket.connection.transport.abort()
                else:
                    closing = asyncio.ensure_future(socket.connection.close(code, "as wanted"))
                    self._closing.append(closing)

        self.do(end)


def answer(status: int, body: Any) -> Response:
    """A whole HTTP answer."""
    text = json.dumps(body).encode()
    headers = {
        "Content-Length": str(len(text)),
        "Content-Type": "application/json",
        "Connection": "close",
    }
    return Response(status, HTTPStatus(status).phrase, Headers(headers), text)


def refusal(status: int, **headers: str) -> Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(status, HTTPStatus(status).phrase, Headers({"Content-Length": "0", **named}), b"")
