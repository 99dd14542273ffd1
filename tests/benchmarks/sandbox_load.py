"""What the sandbox serves in a second: signed reads, signed orders, and frames of its WebSocket.

The sandbox runs in a process of its own, with its default world of more than 600 markets, the
matching engine and the verification of every RSA-2048 signature. The load comes from another
process: four connections that are kept alive, each with one request under way, all requests signed
before the clock runs. One request is one round trip: to create an order and to cancel it are two.

The frames are those of one subscriber that looks at the number of each; the book is changed by
orders that a thread of the server's process gives to the exchange, as fast as it can.

    python tests/benchmarks/sandbox_load.py [--seconds S] [--profile reads|orders]
"""

from __future__ import annotations

import argparse
import base64
import cProfile
import json
import multiprocessing
import platform
import pstats
import selectors
import socket
import threading
import time
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from typing import Any
from urllib.parse import urlsplit

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from websockets.sync.client import connect

import kalshi_research as kr
from kalshi_research.sandbox import Sandbox

CONNECTIONS = 4
PREFIX = "/trade-api/v2"
ORDERS = "/portfolio/events/orders"
MARKET = "KXHIGHNY-26NOV21-B44.5"
TARGETS = {"reads": 1_500, "orders": 700, "frames": 30_000}
# Requests whose signatures the exchange still takes; older than 15 s is too old.
FRESH = 9.0


class Signer:
    """Signs with RSA-2048, as a client does."""

    def __init__(self, key_id: str, pem: bytes) -> None:
        self.key_id = key_id
        self._key: Any = load_pem_private_key(pem, None)
        self._padding = PSS(mgf=MGF1(hashes.SHA256()), salt_length=PSS.DIGEST_LENGTH)

    def headers(self, method: str, path: str) -> dict[str, str]:
        stamp = str(time.time_ns() // 1_000_000)
        signature = self._key.sign(f"{stamp}{method}{path}".encode(), self._padding, hashes.SHA256())
        return {
            "KALSHI-ACCESS-KEY": self.key_id,
            "KALSHI-ACCESS-TIMESTAMP": stamp,
            "KALSHI-ACCESS-SIGNATURE": base64.b64encode(signature).decode(),
        }

    def request(self, host: str, method: str, path: str, body: bytes = b"") -> bytes:
        """The bytes of a request."""
        lines = [f"{method} {PREFIX}{path} HTTP/1.1", f"Host: {host}", "Accept: application/json"]
        signed = self.headers(method, f"{PREFIX}{path.partition('?')[0]}")
        lines += [f"{name}: {value}" for name, value in signed.items()]
        if body:
            lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
        return "\r\n".join([*lines, "", ""]).encode() + body


def serve(pipe: Connection, profile: bool) -> None:
    """The sandbox, told what to do through a pipe."""
    began = time.perf_counter()
    profiler = cProfile.Profile()
    if profile:
        started = threading.Thread.run

        def run(thread: threading.Thread) -> None:
            if thread.name.startswith("kalshi-sandbox-"):
                profiler.enable()
            started(thread)

        threading.Thread.run = run  # type: ignore[method-assign]
    with Sandbox() as sandbox:
        up = time.perf_counter() - began
        key_id, key = sandbox.credentials(key_type="rsa")
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        tickers = [
            ticker
            for ticker, market in sandbox.truth.world.markets.items()
            if market.status(sandbox.truth.world.now) == "active"
        ]
        pipe.send((sandbox.url, sandbox.ws_url, key_id, pem, tickers, up, len(sandbox.truth.tickers)))
        while (asked := pipe.recv()) is not None:
            if asked != "used":
                feed(sandbox, *asked)
            pipe.send(time.process_time())
    if profile:
        pstats.Stats(profiler).sort_stats("tottime").print_stats(45)


def feed(sandbox: Sandbox, ticker: str, changes: int) -> None:
    """Orders that come and go, one change of the book each."""
    floor, user = sandbox.floor, sandbox._exchange.accounts[0].user_id
    for _ in range(changes // 2):
        order = floor.call(lambda engine: engine.submit(user, ticker, "bid", 100, 100), ticker).order
        floor.call(lambda engine, order=order: engine.cancel(user, order.order_id))


def hammer(address: tuple[str, int], requests: list[bytes], seconds: float) -> tuple[list[bytes], float]:
    """Send requests over four connections, one after the other on each; bodies and seconds."""
    todo: Iterator[bytes] = iter(requests)
    bodies: list[bytes] = []
    began = time.perf_counter()
    with selectors.DefaultSelector() as selector:
        for _ in range(CONNECTIONS):
            wire = socket.create_connection(address)
            wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            wire.sendall(next(todo))
            selector.register(wire, selectors.EVENT_READ, bytearray())
        while selector.get_map():
            for key, _ in selector.select():
                wire, held = key.fileobj, key.data
                held += wire.recv(1 << 20)
                head = held.find(b"\r\n\r\n")
                if head < 0:
                    continue
                start = held.index(b"content-length: ") + 16
                end = head + 4 + int(held[start : held.index(b"\r", start)])
                if len(held) < end:
                    continue
                status = int(held[9:12])
                if status not in (200, 201):
                    raise SystemExit(bytes(held).decode())
                bodies.append(bytes(held[head + 4 : end]))
                held.clear()
                following = next(todo, None) if time.perf_counter() - began < seconds else None
                if following is None:
                    selector.unregister(wire)
                    wire.close()
                else:
                    wire.sendall(following)
    return bodies, time.perf_counter() - began


def signed_many(make: Callable[[int], bytes], most: int, seconds: float) -> list[bytes]:
    """As many requests as can be signed in a time, at most so many."""
    deadline = time.perf_counter() + seconds
    found: list[bytes] = []
    while len(found) < most and time.perf_counter() < deadline:
        found.append(make(len(found)))
    return found


def say(what: str, rate: float, target: float = 0, used: float = 0) -> None:
    verdict = "" if not target else f"   target {target:,}: {'met' if rate >= target else 'MISSED'}"
    busy = f"{1e6 * used:>7,.0f} µs of the server each" if used else ""
    print(f"{what:<40}{rate:>10,.0f} /s{busy}{verdict}", flush=True)


class Load:
    """Requests and what they cost the server."""

    def __init__(self, pipe: Connection, address: tuple[str, int]) -> None:
        self._pipe, self._address = pipe, address
        self.done, self.spent, self.used = 0, 0.0, 0.0

    def processor(self) -> float:
        self._pipe.send("used")
        return float(self._pipe.recv())

    def run(self, what: str, requests: list[bytes], seconds: float) -> list[bytes]:
        before = self.processor()
        bodies, spent = hammer(self._address, requests, seconds)
        used = self.processor() - before
        self.done, self.spent, self.used = self.done + len(bodies), self.spent + spent, self.used + used
        say(what, len(bodies) / spent, used=used / len(bodies))
        return bodies

    def sum_up(self, what: str) -> None:
        say(f"signed {what}, all", self.done / self.spent, TARGETS[what], self.used / self.done)


def reads(load: Load, signer: Signer, host: str, tickers: list[str], seconds: float) -> None:
    kinds = {
        "order books": lambda n: f"/markets/{tickers[n % len(tickers)]}/orderbook",
        "markets": lambda n: f"/markets/{tickers[n % len(tickers)]}",
        "balances": lambda n: "/portfolio/balance",
        "positions": lambda n: "/portfolio/positions?limit=100",
    }
    # The histories of the markets are drawn with the first question about each.
    warm_up = [signer.request(host, "GET", f"/markets/{ticker}/orderbook") for ticker in tickers]
    load.run("signed reads, the first of each market", warm_up, FRESH)
    load.done, load.spent, load.used = 0, 0.0, 0.0
    for name, path in kinds.items():
        ready = signed_many(lambda n: signer.request(host, "GET", path(n)), 20_000, FRESH)  # noqa: B023
        load.run(f"signed reads, {name}", ready, seconds / len(kinds))
    load.sum_up("reads")


def orders(load: Load, signer: Signer, host: str, tickers: list[str], seconds: float) -> None:
    def create(number: int) -> bytes:
        body = {
            "ticker": tickers[number % len(tickers)],
            "client_order_id": f"load-{time.time_ns()}-{number}",
            "side": "bid", "count": "1.00", "price": "0.0100",
            "time_in_force": "good_till_canceled", "self_trade_prevention_type": "taker_at_cross",
        }  # fmt: skip
        return signer.request(host, "POST", ORDERS, json.dumps(body).encode())

    # A market is taken over by the engine with the first order in it.
    load.run("signed orders, the first of each market", [create(n) for n in range(len(tickers))], FRESH)
    load.done, load.spent, load.used = 0, 0.0, 0.0
    ready = signed_many(create, 20_000, FRESH)
    made = load.run("signed orders, created", ready, seconds / 2)
    answers = [json.loads(body) for body in made]
    # Where an offer of a cent waited, there is nothing left to cancel.
    ids = [answer["order_id"] for answer in answers if answer["remaining_count"] != "0.00"]
    cancels = signed_many(
        lambda n: signer.request(host, "DELETE", f"{ORDERS}/{ids[n]}"), len(ids), FRESH
    )
    load.run("signed orders, cancelled", cancels, seconds / 2)
    load.sum_up("orders")


def frames(pipe: Connection, signer: Signer, url: str, ticker: str, changes: int) -> None:
    headers = signer.headers("GET", "/trade-api/ws/v2")
    command = {
        "id": 1,
        "cmd": "subscribe",
        "params": {"channels": ["orderbook_delta"], "market_ticker": ticker},
    }
    with connect(url, additional_headers=headers, proxy=None, compression=None) as stream:
        stream.send(json.dumps(command))
        stream.recv(), stream.recv()
        pipe.send("used")
        before = pipe.recv()
        began = time.perf_counter()
        pipe.send((ticker, changes))
        for expected in range(2, changes + 2):
            text = stream.recv(decode=False)
            start = text.index(b'"seq":') + 6
            if int(text[start : text.index(b",", start)]) != expected:
                raise SystemExit("a frame is missing")
        took = time.perf_counter() - began
        used = pipe.recv() - before
    say("frames to one subscriber", changes / took, TARGETS["frames"], used / changes)


def own_client(url: str, key_id: str, pem: bytes, tickers: list[str], seconds: float) -> None:
    """The same reads through our own client, one after the other, signing as it goes."""
    key: Any = load_pem_private_key(pem, None)
    with kr.connect(url, key_id=key_id, private_key=key) as client:
        kr.get_orderbook(client, tickers[0])
        began, done = time.perf_counter(), 0
        while time.perf_counter() - began < seconds:
            client.request("GET", f"/markets/{tickers[done % len(tickers)]}/orderbook")
            done += 1
        say("  our client, requests one by one", done / (time.perf_counter() - began))
        began, done = time.perf_counter(), 0
        while time.perf_counter() - began < seconds:
            kr.get_orderbook(client, tickers[done % len(tickers)])
            done += 1
        say("  our client, get_orderbook to a frame", done / (time.perf_counter() - began))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--changes", type=int, default=60_000)
    parser.add_argument("--only", choices=("reads", "orders", "client", "frames"))
    parser.add_argument("--profile", choices=("reads", "orders"))
    asked = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=serve, args=(theirs, asked.profile is not None), daemon=True)
    process.start()
    url, ws_url, key_id, pem, tickers, up, markets = ours.recv()
    signer = Signer(key_id, pem)
    print(f"Python {platform.python_version()}, {markets} markets, {CONNECTIONS} connections")
    print(f"the sandbox was up after {up:.2f} s   target 0.5 s: {'met' if up < 0.5 else 'MISSED'}")
    host = urlsplit(url).netloc
    address = (host.partition(":")[0], int(host.partition(":")[2]))
    wanted = {asked.only or asked.profile} - {None} or {"reads", "orders", "client", "frames"}
    if "reads" in wanted:
        reads(Load(ours, address), signer, host, tickers, asked.seconds)
    if "orders" in wanted:
        ladders = [ticker for ticker in tickers if "HIGH" in ticker]
        orders(Load(ours, address), signer, host, ladders, asked.seconds)
    if "client" in wanted:
        own_client(url, key_id, pem, tickers, asked.seconds / 2)
    if "frames" in wanted:
        frames(ours, signer, ws_url, MARKET, asked.changes)
    ours.send(None)
    process.join()


if __name__ == "__main__":
    main()
