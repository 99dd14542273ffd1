"""A process that serves generated pages on loopback, so that the clients are what is measured.

``python loopback_exchange.py [LATENCY]`` prints the URL it listens on and serves until its
standard input closes. Bodies are made once, before the first request; LATENCY [seconds]
is added to every answer.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from urllib.parse import parse_qs, urlsplit

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import wire_pages

TRADES, MARKETS, BOOKS = 100_000, 20_000, 1_000
PAGE, BATCH = 1_000, 100
ROOT = "/trade-api/v2"

_CUTOFF = wire_pages.json.dumps(
    dict.fromkeys(
        ("market_settled_ts", "trades_created_ts", "orders_updated_ts"), "2024-01-01T00:00:00Z"
    )
).encode()


def book_batches() -> Iterator[bytes]:
    """Bodies of the order-book route, a hundred books each."""
    rng = Random(5)
    for start in range(0, BOOKS, BATCH):
        entries = [wire_pages.orderbook(rng, start + number) for number in range(BATCH)]
        yield wire_pages.page("orderbooks", entries)


def _response(status: str, body: bytes) -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def _walk(items: str, make: Callable[[Random, int], wire_pages.Row], rows: int) -> dict[str, bytes]:
    bodies = wire_pages.pages(items, make, rows, PAGE)
    return {f"c{at * PAGE}" if at else "": _response("200 OK", body) for at, body in enumerate(bodies)}


class Answers:
    """What each route answers, by cursor."""

    def __init__(self) -> None:
        self._walks = {
            "/markets/trades": _walk("trades", wire_pages.trade, TRADES),
            "/markets": _walk("markets", wire_pages.market, MARKETS),
            "/historical/trades": {"": _response("200 OK", wire_pages.page("trades", []))},
            "/historical/markets": {"": _response("200 OK", wire_pages.page("markets", []))},
            "/historical/cutoff": {"": _response("200 OK", _CUTOFF)},
        }
        self._absent = _response(
            "404 Not Found", b'{"error":{"code":"not_found","message":"not found"}}'
        )

    def to(self, target: str) -> bytes:
        parts = urlsplit(target)
        cursor = parse_qs(parts.query).get("cursor", [""])[0]
        return self._walks.get(parts.path.removeprefix(ROOT), {}).get(cursor, self._absent)


class Connection(asyncio.Protocol):
    """One keep-alive connection; requests have no body."""

    def __init__(self, answers: Answers, latency: float) -> None:
        self._answers = answers
        self._latency = latency
        self._pending = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def data_received(self, data: bytes) -> None:
        self._pending += data
        while b"\r\n\r\n" in self._pending:
            head, _, self._pending = self._pending.partition(b"\r\n\r\n")
            answer = self._answers.to(head.split(b" ", 2)[1].decode("ascii"))
            if self._latency:
                asyncio.get_running_loop().call_later(self._latency, self._transport.write, answer)
            else:
                self._transport.write(answer)


async def serve(latency: float) -> None:
    """Serve until standard input closes."""
    answers = Answers()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(answers, latency), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    print(f"http://127.0.0.1:{port}{ROOT}", flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


if __name__ == "__main__":
    asyncio.run(serve(float(sys.argv[1]) if len(sys.argv) > 1 else 0.0))
