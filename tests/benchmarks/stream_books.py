"""How fast live books are kept, beside others and beside a bare loop.

Run ``python tests/benchmarks/stream_books.py``. A server in a process of its own sends one
made-up recording over loopback (200,000 deltas over 50 markets of about 60 levels); each
contestant, in a process of its own, keeps the books and reads the best bid and ask after every
message:

* ours: a `stream` with every check, read in a tap;
* bare loop: the same transport, msgspec, books of integers in dicts whose best prices are kept,
  no check at all. It was fixed before anything was measured and is not to be tuned to the result;
* plain loop: `websockets` and `json`, books of floats, as a notebook has them;
* pykalshi 2.0.0: its ``Feed`` and ``OrderbookManager``, in an environment of its own
  (``--peer``, else KALSHI_RESEARCH_PEERS/pykalshi); left out where there is none.

Then the same with 200 frames lost near the end: how many of the 100 book sides are right at
last. Then the time from sending a frame to the readable book at 5,000 messages a second,
beside an idle and beside a busy main thread; and the memory after a million messages.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

MARKETS, DELTAS, LOST, LOST_AT = 50, 200_000, 200, 195_000
CONTESTANTS = ("ours", "bare loop", "plain loop", "pykalshi")
TARGETS = {"bare loop": 0.7, "pykalshi": 4.0}
RATE, SECONDS = 5_000, 4
PATIENCE = 240


# --- the server -----------------------------------------------------------------------------------


def header(size: int) -> bytes:
    """That of an unmasked text frame."""
    if size < 126:
        return bytes((0x81, size))
    return (
        b"\x81\x7e" + size.to_bytes(2, "big") if size < 65_536 else b"\x81\x7f" + size.to_bytes(8, "big")
    )


class Server:
    """Sends the recording to whoever subscribes; answers get_snapshot with the books at its end."""

    def __init__(self, lines: list[bytes]) -> None:
        self._snapshots = [line for line in lines if b"orderbook_snapshot" in line[:40]]
        self._deltas = lines[len(self._snapshots) :]
        self._truth = final_books(lines)

    async def run(self) -> None:
        """Until the standard input ends."""
        from websockets.asyncio.server import serve

        async with serve(
            self._handle, "127.0.0.1", 0, compression=None, max_size=None, ping_interval=None
        ) as server:
            print(server.sockets[0].getsockname()[1], flush=True)
            await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)

    async def _handle(self, connection: Any) -> None:
        from websockets.protocol import State

        mode = (connection.request.path.partition("?")[2] or "fast").partition("&")[0]
        sent = 0

        async def write(texts: Sequence[bytes]) -> None:
            nonlocal sent
            if connection.state is not State.OPEN:
                return  # who has seen enough has gone
            sent += len(texts)
            connection.transport.write(
                b"".join(part for text in texts for part in (header(len(text)), text))
            )
            while connection.transport.get_write_buffer_size() > 1 << 20:  # noqa: ASYNC110
                await asyncio.sleep(0.001)

        while (text := await heard(connection)) is not None:
            command = json.loads(text)
            params = command.get("params", {})
            if command["cmd"] == "subscribe":
                answer = {"id": command["id"], "type": "subscribed"}
                answer["msg"] = {"channel": params["channels"][0], "sid": 1}
                await write([json.dumps(answer).encode()])
                sent = 0
                await write(self._snapshots)
                sending = asyncio.ensure_future(self._send(mode, write))
                sending.add_done_callback(lambda done: done.result())
            elif params.get("action") == "get_snapshot":
                await sending
                number = len(self._snapshots) + (0 if mode == "paced" else len(self._deltas)) + 1
                number += getattr(connection, "answered", 0)
                connection.answered = getattr(connection, "answered", 0) + len(params["market_tickers"])
                await write([
                    self._snapshot(ticker, number + at, command["id"])
                    for at, ticker in enumerate(params["market_tickers"])
                ])  # fmt: skip

    async def _send(self, mode: str, write: Callable[[Sequence[bytes]], Any]) -> None:
        if mode == "paced":
            await self._send_paced(write)
            return
        for at in range(0, len(self._deltas), 500):
            if mode == "lossy" and LOST_AT <= at < LOST_AT + LOST:
                some = self._deltas[at + LOST : at + 500]
            else:
                some = self._deltas[at : at + 500]
            await write(some)

    async def _send_paced(self, write: Callable[[Sequence[bytes]], Any]) -> None:
        """Five messages a millisecond, each with the time of its sending."""
        begin = time.monotonic()
        for at in range(0, RATE * SECONDS, 5):
            delay = begin + at / RATE - time.monotonic()
            if delay > 0:
                await asyncio.sleep(delay)
            stamp = b'"market_id":"%020d","market_ticker"' % time.monotonic_ns()
            await write(
                [line.replace(b'"market_ticker"', stamp, 1) for line in self._deltas[at : at + 5]]
            )

    def _snapshot(self, ticker: str, number: int, command: int) -> bytes:
        yes, no = (
            [[f"{price / 10_000:.4f}", f"{count / 100:.2f}"] for price, count in sorted(leg.items())]
            for leg in self._truth[ticker]
        )
        body = {"market_ticker": ticker, "clock": 10**9, "yes_dollars_fp": yes, "no_dollars_fp": no}
        frame = {"type": "orderbook_snapshot", "id": command, "sid": 1, "seq": number, "msg": body}
        return json.dumps(frame).encode() + b"\n"


async def heard(connection: Any) -> str | None:
    """The next command; None where the client has gone."""
    from websockets.exceptions import ConnectionClosed

    try:
        text: str = await connection.recv()
    except ConnectionClosed:
        return None
    return text


def final_books(lines: list[bytes]) -> dict[str, tuple[dict[int, int], dict[int, int]]]:
    """The books at the end, by plain arithmetic on the texts."""
    books: dict[str, tuple[dict[int, int], dict[int, int]]] = {}
    for line in lines:
        frame = json.loads(line)
        msg = frame["msg"]
        if frame["type"] == "orderbook_snapshot":
            books[msg["market_ticker"]] = tuple(  # type: ignore[assignment]
                {whole(price): whole(count) for price, count in msg[name]}
                for name in ("yes_dollars_fp", "no_dollars_fp")
            )
        else:
            leg = books[msg["market_ticker"]][msg["side"] == "no"]
            price = whole(msg["price_dollars"])
            leg[price] = leg.get(price, 0) + whole(msg["delta_fp"])
            if not leg[price]:
                del leg[price]
    return books


def whole(text: str) -> int:
    """The digits of a decimal, without its point."""
    return int(text.replace(".", ""))


def recording() -> list[bytes]:
    """The frames, the same for everybody."""
    from replay import made_up_lines

    return made_up_lines(DELTAS)


# --- the contestants ------------------------------------------------------------------------------

Found = dict[str, Any]


class Clock:
    """Seconds, and seconds of computing, from the first change to the last."""

    def __init__(self) -> None:
        self.wall = self.cpu = 0.0

    def start(self) -> None:
        """The first change is about to be made."""
        self.wall, self.cpu = time.perf_counter(), time.process_time()

    def stop(self) -> None:
        """The last one has been made and read."""
        self.wall, self.cpu = time.perf_counter() - self.wall, time.process_time() - self.cpu

    def found(self, count: int, books: dict[str, Any]) -> Found:
        """What is to be told."""
        legs = {name: [sorted(leg.items()) for leg in both] for name, both in books.items()}
        return {"rate": count / self.wall, "cpu": self.cpu / count * 1e6, "books": legs}


def wrong_sides(books: dict[str, Any], truth: dict[str, Any]) -> int:
    """How many of all book sides, as pairs of price and count in integers, are not as they should be."""
    return sum(
        [tuple(pair) for pair in mine or ()] != sorted(theirs.items())
        for ticker, legs in truth.items()
        for mine, theirs in zip(books.get(ticker, (None, None)), legs, strict=True)
    )


def keyed_client(port: int) -> Any:
    """A client of ours."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from kalshi_research.client import connect

    return connect(f"http://127.0.0.1:{port}", key_id="key", private_key=Ed25519PrivateKey.generate())


def tapped(port: int, mode: str, tap: Callable[[Any], Callable[[int, bytes, Any], None]]) -> Any:
    """A stream that gives every message to a tap, from the first one on."""
    from kalshi_research.streaming import Stream, StreamOptions

    client = keyed_client(port)
    client.websocket += f"?{mode}"
    names = [f"KXBENCH-26NOV20-T{market:02d}" for market in range(MARKETS)]
    options = StreamOptions(audit_every=3600.0)
    live = Stream(client, names, ("books",), connections=1, options=options)
    live._engine.tap(tap(live), lambda number, reason: None)
    live._start()
    return live


def ours(port: int, mode: str, expected: int) -> Found:
    """A stream with all its checks, read after every message."""
    done = threading.Event()
    clock = Clock()

    def tap(live: Any) -> Callable[[int, bytes, Any], None]:
        count, read = -MARKETS, None

        def each(connection: int, text: bytes, book: Any) -> None:
            nonlocal count, read
            if book is not None and book.status == "live":
                read = book.yes.best, 10_000 - book.no.best
            if b'"orderbook' in text[:20]:
                count += 1
                if count == 1:
                    clock.start()
                elif count == expected:
                    clock.stop()
                    done.set()

        return each

    live = tapped(port, mode, tap)
    assert done.wait(PATIENCE)
    deadline = time.monotonic() + 30
    while live.health.live < MARKETS and time.monotonic() < deadline:
        time.sleep(0.01)
    found = {
        name: (dict(book.yes.counts), dict(book.no.counts))
        for name, book in live._engine.links[0].session.books.items()
        if book.status == "live"
    }
    live.close()
    return clock.found(expected, found)


class BareBook:
    """Two dicts of integers and their best prices."""

    __slots__ = ("best", "legs")

    def __init__(self, legs: list[dict[int, int]]) -> None:
        self.legs = legs
        self.best = [max(leg, default=0) for leg in legs]


def bare_loop(port: int, mode: str, expected: int) -> Found:
    """The transport in use, msgspec and dicts: nothing is checked."""
    import msgspec

    from kalshi_research.streaming.wire import Handlers, open_wire

    pairs = list[tuple[str, str]] | None
    body = msgspec.defstruct(
        "Body",
        [
            ("market_ticker", str), ("side", str, ""), ("price_dollars", str, ""), ("delta_fp", str, ""),
            ("yes_dollars_fp", pairs, None), ("no_dollars_fp", pairs, None),
        ],
        gc=False,
    )  # fmt: skip
    message_type: Any = msgspec.defstruct("Message", [("type", str), ("msg", body)], gc=False)
    decode = msgspec.json.Decoder(message_type).decode
    books: dict[str, BareBook] = {}
    count, read, clock = 0, None, Clock()
    loop = asyncio.new_event_loop()
    done: asyncio.Future[None] = loop.create_future()

    def take(texts: list[bytes]) -> None:
        nonlocal count, read
        for text in texts:
            if b"subscribed" in text[:40]:
                continue
            message = decode(text)
            msg = message.msg
            if message.type == "orderbook_snapshot":
                books[msg.market_ticker] = BareBook([
                    {whole(price): whole(size) for price, size in pairs or ()}
                    for pairs in (msg.yes_dollars_fp, msg.no_dollars_fp)
                ])  # fmt: skip
                continue
            if not count:
                clock.start()
            book = books[msg.market_ticker]
            side = 1 if msg.side == "no" else 0
            leg = book.legs[side]
            price = int(msg.price_dollars.replace(".", ""))
            size = leg.get(price, 0) + int(msg.delta_fp.replace(".", ""))
            if size > 0:
                leg[price] = size
                book.best[side] = max(book.best[side], price)
            else:
                leg.pop(price, None)
                if price == book.best[side]:
                    book.best[side] = max(leg, default=0)
            read = book.best[0], 10_000 - book.best[1]
            count += 1
            if count == expected:
                clock.stop()
                done.set_result(None)

    async def run() -> None:
        url = f"ws://127.0.0.1:{port}/trade-api/ws/v2?{mode}"
        wire = await open_wire(url, {}, Handlers(take, lambda: None), largest=1 << 26, patience=10)
        wire.send(b'{"id":1,"cmd":"subscribe","params":{"channels":["orderbook_delta"]}}')
        await done
        wire.abort("done")

    loop.run_until_complete(run())
    return clock.found(expected, {name: tuple(book.legs) for name, book in books.items()})


def plain_loop(port: int, mode: str, expected: int) -> Found:
    """The library for WebSockets and the one for JSON, books of floats."""
    from websockets.asyncio.client import connect

    books: dict[str, dict[str, dict[float, float]]] = {}

    async def listen() -> Clock:
        count, read, clock = 0, None, Clock()
        url = f"ws://127.0.0.1:{port}/trade-api/ws/v2?{mode}"
        async with connect(url, max_size=None, compression=None) as connection:
            await connection.send('{"id":1,"cmd":"subscribe","params":{"channels":["orderbook_delta"]}}')
            async for text in connection:
                frame = json.loads(text)
                msg = frame["msg"]
                if frame["type"] == "orderbook_snapshot":
                    books[msg["market_ticker"]] = {
                        side: {float(price): float(size) for price, size in msg[f"{side}_dollars_fp"]}
                        for side in ("yes", "no")
                    }
                elif frame["type"] == "orderbook_delta":
                    if not count:
                        clock.start()
                    book = books[msg["market_ticker"]]
                    leg, price = book[msg["side"]], float(msg["price_dollars"])
                    leg[price] = leg.get(price, 0.0) + float(msg["delta_fp"])
                    if leg[price] < 0.005:
                        del leg[price]
                    read = max(book["yes"], default=None), max(book["no"], default=None)
                    count += 1
                    if count == expected:
                        clock.stop()
                        break
            connection.transport.abort()
        del read
        return clock

    clock = asyncio.run(listen())
    found = {
        name: tuple(
            {round(price * 10_000): round(size * 100) for price, size in legs[side].items()}
            for side in ("yes", "no")
        )
        for name, legs in books.items()
    }
    return clock.found(expected, found)


def pykalshi(port: int, mode: str, expected: int) -> Found:
    """pykalshi 2.0.0, in the way its documentation shows."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa
    from pykalshi import KalshiClient
    from pykalshi.orderbook import OrderbookManager

    with tempfile.NamedTemporaryFile(suffix=".pem") as key:
        private = rsa.generate_private_key(65537, 2048)  # it does not start without one
        key.write(
            private.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        key.flush()
        client = KalshiClient(api_key_id="key", private_key_path=key.name)
    feed = client.feed()
    feed._ws_url = f"ws://127.0.0.1:{port}/trade-api/ws/v2?{mode}"
    books: dict[str, Any] = {}
    done = threading.Event()
    count, read, clock = 0, None, Clock()

    @feed.on("orderbook_delta")
    def handle(msg: Any) -> None:
        nonlocal count, read
        ticker = msg.market_ticker
        if hasattr(msg, "yes_dollars"):
            book = books[ticker] = OrderbookManager(ticker)
            book.apply_snapshot(msg.yes_dollars, msg.no_dollars)
            return
        if not count:
            clock.start()
        book = books[ticker]
        book.apply_delta(msg.side, msg.price_dollars, msg.delta_fp)
        read = book.best_bid, book.best_ask
        count += 1
        if count == expected:
            clock.stop()
            done.set()

    feed.subscribe("orderbook_delta", market_tickers=["KXBENCH-26NOV20-T00"])
    feed.start()
    assert done.wait(PATIENCE)
    feed.stop()
    found = {
        name: tuple(
            {whole(f"{float(price):.4f}"): whole(f"{float(size):.2f}") for price, size in leg.items()}
            for leg in (book.yes, book.no)
        )
        for name, book in books.items()
    }
    return clock.found(expected, found)


def latency(port: int, mode: str, expected: int) -> Found:
    """Milliseconds from sending a frame to the readable book, idle or beside a busy thread."""
    busy = mode == "busy"
    seen: list[int] = []
    done = threading.Event()

    def tap(live: Any) -> Callable[[int, bytes, Any], None]:
        def each(connection: int, text: bytes, book: Any) -> None:
            if book is not None and b"delta" in text[:26]:
                at = text.index(b'"market_id":"') + 13
                seen.append(time.monotonic_ns() - int(text[at : at + 20]))
                if len(seen) == RATE * SECONDS:
                    done.set()

        return each

    live = tapped(port, "paced", tap)
    if busy:
        total = 0
        while not done.is_set():
            total += 1
    assert done.wait(60)
    live.close()
    later = sorted(seen[RATE // 2 :])
    return {"p50": later[len(later) // 2] / 1e6, "p99": later[int(len(later) * 0.99)] / 1e6}


def memory(port: int, mode: str, expected: int) -> Found:
    """Megabytes of this process after one and after five recordings."""
    sizes = []
    for _ in range(5):
        done = threading.Event()

        def tap(live: Any, done: threading.Event = done) -> Callable[[int, bytes, Any], None]:
            count = 0

            def each(connection: int, text: bytes, book: Any) -> None:
                nonlocal count
                count += b"orderbook_delta" in text[:26]
                if count == expected:
                    done.set()

            return each

        live = tapped(port, "fast", tap)
        assert done.wait(PATIENCE)
        live.close()
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
        sizes.append(pages * os.sysconf("SC_PAGE_SIZE") / 2**20)
    return {"first": sizes[0], "last": sizes[-1]}


WORK: dict[str, Callable[[int, str, int], Found]] = {
    "ours": ours,
    "bare loop": bare_loop,
    "plain loop": plain_loop,
    "pykalshi": pykalshi,
    "latency": latency,
    "memory": memory,
}


# --- the race -------------------------------------------------------------------------------------


@contextmanager
def server() -> Iterator[int]:
    """A server in a process of its own."""
    with subprocess.Popen(
        [sys.executable, __file__, "--server"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.stdin.close()
            process.wait(10)


def run(python: str, name: str, port: int, mode: str) -> Found:
    """One contestant in a process of its own."""
    done = subprocess.run(
        [python, __file__, "--work", name, str(port), mode],
        capture_output=True, text=True, check=False, timeout=PATIENCE + 120,
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(f"{name} failed:\n{done.stderr[-2000:]}")
    found: Found = json.loads(done.stdout)
    return found


def peer(given: str | None) -> tuple[str, str]:
    """The Python that has pykalshi, or why there is none."""
    folder = Path(os.environ.get("KALSHI_RESEARCH_PEERS", "~/.cache/kalshi_research/peers")).expanduser()
    python = given or os.fspath(folder / "pykalshi" / "bin" / "python")
    if not Path(python).exists():
        return "", f"there is no {python}; make it and install pykalshi==2.0.0"
    probe = subprocess.run([python, "-c", "import pykalshi"], capture_output=True, check=False)
    return (python, "") if not probe.returncode else ("", f"{python} has no pykalshi")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=2, help="the best of so many runs counts")
    parser.add_argument("--peer", help="a Python that has pykalshi")
    parser.add_argument("--server", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--work", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.server:
        asyncio.run(Server(recording()).run())
        return
    if options.work:
        name, port, mode = options.work
        expected = DELTAS - LOST if mode == "lossy" else DELTAS
        print(json.dumps(WORK[name](int(port), mode, expected)))
        return
    python, reason = peer(options.peer)
    names = [name for name in CONTESTANTS if name != "pykalshi" or python]
    if reason:
        print(f"pykalshi is left out: {reason}")
    with server() as port:
        race(names, {"pykalshi": python}, port, options.rounds)
        print(f"\nfrom sending to the readable book, {RATE:,} messages/s")
        for mode, target in (("idle", 5.0), ("busy", 25.0)):
            found = run(sys.executable, "latency", port, mode)
            verdict = "met" if found["p99"] <= target else "MISSED"
            print(
                f"  {mode} main thread    p50 {found['p50']:6.2f} ms   p99 {found['p99']:6.2f} ms   "
                f"target {target:g} ms {verdict}"
            )
        found = run(sys.executable, "memory", port, "fast")
        grown = found["last"] - found["first"]
        print(f"\nmemory after {DELTAS:,} messages {found['first']:.0f} MB, after {5 * DELTAS:,} "
              f"{found['last']:.0f} MB: {'flat' if grown < 10 else 'GROWS'}")  # fmt: skip


def race(names: list[str], pythons: dict[str, str], port: int, rounds: int) -> None:
    """Rates and wrong sides of everybody, in turns."""
    truth = final_books(recording())
    rates: dict[str, float] = {}
    cpu: dict[str, float] = {}
    wrong: dict[str, tuple[int, int]] = {}
    for _ in range(rounds):
        for name in names:
            python = pythons.get(name) or sys.executable
            found = run(python, name, port, "fast")
            rates[name] = max(rates.get(name, 0.0), found["rate"])
            cpu[name] = min(cpu.get(name, 1e9), found["cpu"])
            wrong[name] = (wrong_sides(found["books"], truth), 0)
    for name in names:
        lossy = run(pythons.get(name) or sys.executable, name, port, "lossy")
        wrong[name] = (wrong[name][0], wrong_sides(lossy["books"], truth))
    print(f"{DELTAS:,} deltas, {MARKETS} markets, best bid and ask read after each, best of {rounds}")
    print(
        f"  {'':<12} {'messages/s':>12} {'CPU µs each':>12}"
        f"   wrong sides of {2 * MARKETS}: nothing lost / {LOST} lost"
    )
    for name in names:
        sides = f"{wrong[name][0]} / {wrong[name][1]}"
        print(f"  {name:<12} {rates[name]:>12,.0f} {cpu[name]:>12.2f}   {sides}")
    for name, target in TARGETS.items():
        if name in rates:
            ratio = rates["ours"] / rates[name]
            verdict = "met" if ratio >= target else "MISSED"
            by_cpu = cpu[name] / cpu["ours"]
            print(f"  ours / {name}: {ratio:.2f} by CPU {by_cpu:.2f}; {target:g} {verdict}")


if __name__ == "__main__":
    main()
