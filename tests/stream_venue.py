"""An engine with a WebSocket in front and nothing in between, and a bare client of it."""

from __future__ import annotations

import base64
import json
import socket
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Self

import uvicorn
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from websockets.sync.client import ClientConnection, connect

from kalshi_research.sandbox.auth import SKEW_MS, KeyRing, RegisteredKey
from kalshi_research.sandbox.engine import Engine, Event, MarketSpec
from kalshi_research.sandbox.exchange import Account
from kalshi_research.sandbox.faults import Faults
from kalshi_research.sandbox.seeding import derived_uuid
from kalshi_research.sandbox.stream.endpoint import StreamEndpoint
from kalshi_research.sandbox.stream.hub import Hub
from kalshi_research.sandbox.stream.source import Listing

if TYPE_CHECKING:
    from kalshi_research.sandbox.stream import StreamOptions

RSA_KEY = generate_private_key(public_exponent=65537, key_size=2048)
NOW = 1_781_159_489_957_466
FAR = 10**18
USERS = tuple(derived_uuid(7, "user", number) for number in range(3))
ANNA, BERT, CARL = USERS


class Venue:
    """An engine that can be listened to."""

    def __init__(self) -> None:
        self.engine = Engine(now=NOW, seed=7)
        self.lock = threading.RLock()
        self._callbacks: list[Callable[[Sequence[Event]], None]] = []
        for user in USERS:
            self.engine.create_user(user, cash=1_000_000_000_000)
        for name in ("M", "N"):
            self.engine.create_market(MarketSpec(name, "E", open_time=0, close_time=FAR))
        self.engine.drain()

    def __getattr__(self, name: str) -> Any:
        """A call of the engine whose events are told."""
        method = getattr(self.engine, name)

        def call(*arguments: Any, **named: Any) -> Any:
            with self.lock:
                try:
                    return method(*arguments, **named)
                finally:
                    events = self.engine.drain()
                    for callback in list(self._callbacks):
                        callback(events)

        return call

    def listen(self, callback: Callable[[Sequence[Event]], None]) -> Callable[[], None]:
        self._callbacks.append(callback)
        return lambda: self._callbacks.remove(callback)

    def listing(self, ticker: str) -> Listing | None:
        with self.lock:
            market = self.engine.markets.get(ticker)
            if market is None:
                return None
            book = self.engine.book(ticker)
            return Listing(
                ticker,
                derived_uuid(7, "market", ticker),
                self.engine.clock,
                book.clock,
                book.yes,
                book.no,
                market.volume,
                market.open_interest,
                market.dollar_volume,
                market.last_price,
                market.last_size,
                market.quoted,
            )

    def ticker_of(self, market_id: str) -> str | None:
        return next(
            (name for name in self.engine.markets if derived_uuid(7, "market", name) == market_id), None
        )

    def now(self) -> int:
        return self.engine.now

    def user_id(self, user: str) -> str:
        return user

    def is_combo(self, ticker: str) -> bool:
        return ticker.startswith("COMBO")

    def structure(self, ticker: str, bands: tuple[tuple[int, int, int], ...]) -> str:
        return "linear_cent" if bands == ((0, 10_000, 100),) else "deci_cent"

    def announcement(self, ticker: str) -> dict[str, Any] | None:
        return {
            "open_ts": 0,
            "exchange_index": 0,
            "additional_metadata": {
                "name": ticker,
                "title": "A market",
                "yes_sub_title": "Yes",
                "no_sub_title": "No",
                "rules_primary": "",
                "rules_secondary": "",
                "can_close_early": True,
                "event_ticker": "E",
                "expected_expiration_ts": 1,
            },
        }


class Wire:
    """What a session writes to; a reader that can be slow."""

    paused = False

    def __init__(self) -> None:
        self.written = b""

    def write(self, frames: bytes) -> None:
        self.written += frames

    def silence(self, *, pings: bool) -> None:
        raise AssertionError("nothing goes wrong on purpose here")

    def end(self, code: int) -> None:
        raise AssertionError("nothing goes wrong on purpose here")

    def cut(self, *, reset: bool) -> None:
        raise AssertionError("nothing goes wrong on purpose here")


class Server:
    """Serves the WebSocket of a venue."""

    def __init__(self, venue: Venue, options: StreamOptions) -> None:
        self.venue = venue
        self.keys = KeyRing()
        self.private: dict[tuple[int, str], tuple[str, Any]] = {}
        for user in range(len(USERS)):
            for kind, key in (("ed25519", Ed25519PrivateKey.generate()), ("rsa", RSA_KEY)):
                if user and kind == "rsa":
                    continue
                name = derived_uuid(7, "key", user, kind)
                self.private[user, kind] = (name, key)
                self.keys.add(RegisteredKey(name, user, kind, key.public_key()))
        # All that the handshake asks of an exchange; there is no world behind it.
        self.exchange: Any = SimpleNamespace(
            keys=self.keys,
            accounts=[Account(user) for user in USERS],
            requests=[],
            wall_ms=lambda: time.time_ns() // 1_000_000,
            skew_ms=lambda: SKEW_MS,
            faults=Faults(),
        )
        self.hub = Hub(venue, options)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        hosts = frozenset({f"127.0.0.1:{self.port}"})
        app = StreamEndpoint(self.exchange, lambda: hosts, lambda: self.hub)
        self.server = uvicorn.Server(
            uvicorn.Config(
                app,
                log_config=None,
                log_level="error",
                lifespan="off",
                ws="kalshi_research.sandbox.stream.endpoint:open_socket",
                ws_per_message_deflate=False,
                ws_ping_interval=None,
                timeout_graceful_shutdown=1,
            )
        )
        self.thread = threading.Thread(target=self.server.run, args=([self.listener],), daemon=True)

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/trade-api/ws/v2"

    def headers(self, user: int = 0, key_type: str = "ed25519") -> dict[str, str]:
        return signed(*self.private[user, key_type])

    def __enter__(self) -> Self:
        self.thread.start()
        deadline = time.monotonic() + 10
        while not self.server.started:
            assert time.monotonic() < deadline, "the server has not started"
            time.sleep(0.005)
        return self

    def __exit__(self, *_: object) -> None:
        self.server.should_exit = True
        self.thread.join(10)
        self.listener.close()


def signed(
    key_id: str, private: Any, path: str = "/trade-api/ws/v2", skew_ms: int = 0
) -> dict[str, str]:
    timestamp = str(time.time_ns() // 1_000_000 + skew_ms)
    text = f"{timestamp}GET{path}".encode()
    if isinstance(private, Ed25519PrivateKey):
        raw = private.sign(text)
    else:
        raw = private.sign(text, PSS(MGF1(hashes.SHA256()), PSS.DIGEST_LENGTH), hashes.SHA256())
    return {
        "KALSHI-ACCESS-KEY": key_id,
        "KALSHI-ACCESS-TIMESTAMP": timestamp,
        "KALSHI-ACCESS-SIGNATURE": base64.b64encode(raw).decode(),
    }


class Peer:
    """A client that keeps every frame."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self.frames: list[dict[str, Any]] = []
        self._number = 0

    def send(self, cmd: str, params: Any = None, **more: Any) -> int:
        self._number += 1
        frame: dict[str, Any] = {"id": self._number, "cmd": cmd} | more
        if params is not None:
            frame["params"] = params
        self.connection.send(json.dumps(frame))
        return self._number

    def next(self, timeout: float = 5) -> dict[str, Any]:
        frame: dict[str, Any] = json.loads(self.connection.recv(timeout))
        self.frames.append(frame)
        return frame

    def take(self, count: int) -> list[dict[str, Any]]:
        return [self.next() for _ in range(count)]

    def ask(self, cmd: str, params: Any = None, **more: Any) -> dict[str, Any]:
        """Send a command and answer the first frame."""
        self.send(cmd, params, **more)
        return self.next()

    def subscribe(self, *channels: str, **params: Any) -> list[dict[str, Any]]:
        self.send("subscribe", {"channels": list(channels)} | params)
        return self.settled()

    def settled(self) -> list[dict[str, Any]]:
        """All frames up to the answer of a command sent now."""
        number = self.send("list_subscriptions")
        found = []
        while True:
            frame = self.next()
            if frame.get("id") == number:
                self.frames.pop()
                return found
            found.append(frame)


@contextmanager
def peer(server: Server, user: int = 0, key_type: str = "ed25519", **more: Any) -> Iterator[Peer]:
    with connect(
        server.url, additional_headers=server.headers(user, key_type), proxy=None, **more
    ) as connection:
        yield Peer(connection)


class Reader:
    """Keeps books from frames alone, in the way the protocol describes."""

    def __init__(self, *, yes_price: bool = False) -> None:
        self.yes_price = yes_price
        self.seqs: dict[int, int] = {}
        self.books: dict[str, dict[str, dict[int, int]]] = {}
        self.clocks: dict[str, int] = defaultdict(int)

    def read(self, frame: dict[str, Any]) -> None:
        if "seq" in frame:
            assert frame["seq"] == self.seqs.get(frame["sid"], 0) + 1, frame
            self.seqs[frame["sid"]] = frame["seq"]
        message = frame.get("msg")
        if frame["type"] == "orderbook_snapshot":
            self.books[message["market_ticker"]] = {
                side: {whole(price): whole(count) for price, count in message.get(key, [])}
                for side, key in (("yes", "yes_dollars_fp"), ("no", "no_dollars_fp"))
            }
            self.clocks[message["market_ticker"]] = message["clock"]
        elif frame["type"] == "orderbook_delta":
            ticker = message["market_ticker"]
            assert message["clock"] >= self.clocks[ticker]
            self.clocks[ticker] = message["clock"]
            level = self.books[ticker][message["side"]]
            price = whole(message["price_dollars"])
            level[price] = level.get(price, 0) + whole(message["delta_fp"])
            assert level[price] >= 0
            if not level[price]:
                del level[price]

    def book(self, ticker: str) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
        """Both ladders at the prices of the leg, ascending."""
        no = self.books[ticker]["no"].items()
        leg = [(10_000 - price, count) for price, count in no] if self.yes_price else no
        return sorted(self.books[ticker]["yes"].items()), sorted(leg)


def whole(text: str) -> int:
    """The digits of a decimal, without its point."""
    return int(text.replace(".", ""))
