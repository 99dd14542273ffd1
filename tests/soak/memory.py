"""The soak of memory: millions of messages through a live stream, and what the process holds.

A server in a process of its own sends changes of 50 books, one message in twenty a trade with an id
of its own, as fast as they are taken; it answers every question about a book. After each million
it pauses: then everything is taken in, written and passed on, and the memory is measured. What is
bounded is full by the second million; from there on nothing may grow.

Run ``python tests/soak/memory.py --help``; ``--full`` is the form of 10 million, with a recorder and
without; ``--trace`` tells where something grows.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

MARKETS = 50
LEVELS = 30
CHUNK = 500
SLICE = 2_000
CYCLE = 20_000
"""Changes after which every book is as it was; they are sent again and again."""
PATIENCE = 900.0


# --- the server -----------------------------------------------------------------------------------


def made_up() -> tuple[list[bytes], list[list[Any]]]:
    """The messages of a cycle with places for numbers, and the books before each chunk of them."""
    books = [
        [{100 * (45 - at): 1_000 for at in range(LEVELS)} for _ in range(2)] for _ in range(MARKETS)
    ]
    changes: list[tuple[int, int, int, int]] = []
    for number in range(CYCLE // 2):
        market, side, price = number % MARKETS, number // MARKETS % 2, 100 * (1 + number * 7 % 45)
        changes.append((market, side, price, 100 * (1 + number % 9)))
    changes += [(market, side, price, -count) for market, side, price, count in reversed(changes)]
    templates, states = [], []
    for number, (market, side, price, count) in enumerate(changes):
        if number % CHUNK == 0:
            states.append([[dict(leg) for leg in book] for book in books])
        leg = books[market][side]
        leg[price] = leg.get(price, 0) + count
        if not leg[price]:
            del leg[price]
        if number % 20 == 19:
            templates.append(
                b'{"type":"trade","sid":2,"seq":%%d,"msg":{"trade_id":"trade-%%012d",'
                b'"market_ticker":"M%d","yes_price_dollars":"0.4600","no_price_dollars":"0.5400",'
                b'"count_fp":"2.00","taker_side":"yes","taker_outcome_side":"yes","taker_book_side":'
                b'"bid","is_block_trade":false,"ts_ms":%%d},"sending_ts_ms":%%d}\n' % market
            )
        templates.append(
            b'{"type":"orderbook_delta","sid":1,"seq":%%d,"msg":{"market_ticker":"M%d",'
            b'"market_id":"00000000-0000-0000-0000-%012d","price_dollars":"%.4f","delta_fp":"%.2f",'
            b'"side":"%s","clock":%%d,"ts_ms":%%d},"sending_ts_ms":%%d}\n'
            % (market, market, price / 10_000, count / 100, (b"yes", b"no")[side])
        )
    return templates, states


def header(size: int) -> bytes:
    """That of an unmasked text frame."""
    return bytes((0x81, size)) if size < 126 else b"\x81\x7e" + size.to_bytes(2, "big")


class Server:
    """Sends so many messages as it is told on its standard input, to one client."""

    def __init__(self) -> None:
        self._templates, self._states = made_up()
        self._at = 0
        self._numbers = {"seq": 0, "trade": 0}
        self._due = 0
        self._go = asyncio.Event()

    async def run(self) -> None:
        """Until the standard input ends."""
        from websockets.asyncio.server import serve

        loop = asyncio.get_running_loop()
        async with serve(
            self._handle, "127.0.0.1", 0, compression=None, max_size=None, ping_interval=None
        ) as server:
            _say(server.sockets[0].getsockname()[1])
            while line := await loop.run_in_executor(None, sys.stdin.readline):
                self._due += int(line)
                self._go.set()

    async def _handle(self, connection: Any) -> None:
        from websockets.exceptions import ConnectionClosed

        sending: asyncio.Task[None] | None = None
        try:
            while True:
                command = json.loads(await connection.recv())
                params = command.get("params", {})
                if command["cmd"] == "list_subscriptions":
                    _write(connection, {"id": command["id"], "type": "ok", "msg": []})
                elif command["cmd"] == "subscribe":
                    (channel,) = params["channels"]
                    sid = 1 + (channel == "trade")
                    _write(connection, {"id": command["id"], "type": "subscribed",
                                        "msg": {"channel": channel, "sid": sid}})  # fmt: skip
                    if sid == 1:
                        self._snapshots(connection, params["market_tickers"])
                        sending = sending or asyncio.ensure_future(self._send(connection))
                elif params["action"] == "get_snapshot":
                    self._snapshots(connection, params["market_tickers"], id=command["id"])
                else:  # a list of markets, asked for as a proof
                    self._numbers["trade"] += 1
                    _write(connection, {
                        "id": command["id"], "type": "ok", "sid": 2, "seq": self._numbers["trade"],
                        "msg": {"market_tickers": params["market_tickers"]},
                    })  # fmt: skip
        except (ConnectionClosed, RuntimeError):  # it ends in the middle of a message
            if sending is not None:
                sending.cancel()

    def _snapshots(self, connection: Any, tickers: list[str], **more: Any) -> None:
        """The books as they are between two chunks."""
        state = self._states[self._at]
        for ticker in tickers:
            self._numbers["seq"] += 1
            body: dict[str, Any] = {"market_ticker": ticker, "clock": self._numbers["seq"]}
            for name, leg in zip(("yes", "no"), state[int(ticker[1:])], strict=True):
                body[f"{name}_dollars_fp"] = [
                    [f"{price / 10_000:.4f}", f"{count / 100:.2f}"]
                    for price, count in sorted(leg.items())
                ]
            _write(connection, {
                "type": "orderbook_snapshot", "sid": 1, "seq": self._numbers["seq"], "msg": body, **more
            })  # fmt: skip

    async def _send(self, connection: Any) -> None:
        numbers, a_chunk = self._numbers, len(self._templates) // len(self._states)
        while True:
            await self._go.wait()
            if self._due <= 0:
                self._go.clear()
                continue
            now = time.time_ns() // 1_000_000
            parts = []
            for template in self._templates[self._at * a_chunk : (self._at + 1) * a_chunk]:
                if template.startswith(b'{"type":"trade"'):
                    numbers["trade"] += 1
                    text = template % (numbers["trade"], numbers["trade"], now, now)
                else:
                    numbers["seq"] += 1
                    text = template % (numbers["seq"], numbers["seq"], now, now)
                parts += (header(len(text)), text)
            connection.transport.write(b"".join(parts))
            self._due -= a_chunk
            self._at = (self._at + 1) % len(self._states)
            await asyncio.sleep(0)
            while connection.transport.get_write_buffer_size() > 1 << 20:  # noqa: ASYNC110
                await asyncio.sleep(0.001)


def _write(connection: Any, frame: dict[str, Any]) -> None:
    text = json.dumps(frame, separators=(",", ":")).encode() + b"\n"
    size = len(text)
    head = header(size) if size < 65_536 else b"\x81\x7f" + size.to_bytes(8, "big")
    connection.transport.write(head + text)


def _say(text: object) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


@contextmanager
def serving() -> Iterator[tuple[int, Callable[[int], None]]]:
    """A server in a process of its own: its port, and what has it send so many messages."""
    with subprocess.Popen(
        [sys.executable, __file__, "--server"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None

        def send(count: int) -> None:
            assert process.stdin is not None
            process.stdin.write(f"{count}\n")
            process.stdin.flush()

        try:
            yield int(process.stdout.readline()), send
        finally:
            process.stdin.close()
            process.wait(10)


# --- what the stream holds ----------------------------------------------------------------------------


def resident() -> float:
    """Memory of this process [MB]."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def soak(
    batches: int,
    batch: int,
    *,
    record: bool,
    rows: int = 50_000,
    told: Callable[[str], object] = lambda text: None,
    trace: bool = False,
) -> dict[str, Any]:
    """Send batches of messages; after each one, blocks and objects of Python, and memory."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from kalshi_research.client import connect
    from kalshi_research.streaming import StreamOptions, stream

    seen = [0]
    options = StreamOptions(rows=rows, waiting=rows / 10, audit_every=1.0)
    found: dict[str, Any] = {"recorder": record, "blocks": [], "objects": [], "rss_mb": [], "rates": []}
    if trace:
        tracemalloc.start(12)
    with serving() as (port, send), tempfile.TemporaryDirectory() as place:
        client = connect(
            f"http://127.0.0.1:{port}", key_id="key", private_key=Ed25519PrivateKey.generate()
        )
        with stream(client, [f"M{at}" for at in range(MARKETS)], options=options) as live:
            live.wait()
            live.on(("books", "trades"), lambda update: seen.__setitem__(0, seen[0] + 1))
            recorder = live.record(Path(place) / "recording", every="500ms") if record else None
            before: tracemalloc.Snapshot | None = None
            for number in range(1, batches + 1):
                began, goal = time.perf_counter(), live.health.messages + batch
                _take(live, goal, send)
                found["rates"].append(round(batch / (time.perf_counter() - began)))
                _settle(seen, recorder)
                gc.collect()
                found["blocks"].append(sys.getallocatedblocks())
                found["objects"].append(len(gc.get_objects()))
                found["rss_mb"].append(round(resident(), 1))
                told(
                    f"{number * batch:>12,} messages  {found['rss_mb'][-1]:>7,.1f} MB  "
                    f"{found['blocks'][-1]:>9,} blocks  {found['rates'][-1]:>8,}/s"
                )
                if trace and number == 2:
                    before = tracemalloc.take_snapshot()
            if before is not None:
                for line in tracemalloc.take_snapshot().compare_to(before, "lineno")[:12]:
                    told(str(line))
            health = live.health
            found |= {
                "messages": health.messages, "live": health.live, "gaps": health.gaps,
                "audits": health.audits, "mismatches": health.mismatches, "updates": seen[0],
                "reconnects": health.reconnects, "problems": list(health.problems),
            }  # fmt: skip
            if recorder is not None:
                recorder.close()
                files = list((Path(place) / "recording").glob("*.parquet"))
                size = sum(path.stat().st_size for path in files)
                found |= {
                    "rows": recorder.acknowledged, "dropped": recorder.dropped, "files": len(files),
                    "bytes_a_row": round(size / recorder.acknowledged, 1),
                }  # fmt: skip
    return found


def _take(live: Any, goal: int, send: Callable[[int], None]) -> None:
    """Have so many messages sent, a few at once."""
    deadline = time.monotonic() + PATIENCE
    link, pacing, sent = live._engine.links[0], threading.Event(), live.health.messages
    while (taken := link.messages) < goal:
        assert time.monotonic() < deadline, live.health
        if sent - taken < SLICE and sent < goal:
            send(SLICE)
            sent += SLICE
        else:
            pacing.wait(0.001)


def _settle(seen: list[int], recorder: Any) -> None:
    """Until everything that came is passed on and written."""
    deadline = time.monotonic() + PATIENCE
    pacing, last = threading.Event(), -1
    while seen[0] != last:
        assert time.monotonic() < deadline, "a callback does not come to an end"
        last = seen[0]
        pacing.wait(0.3)
    if recorder is not None:
        recorder.flush()


def main() -> int:
    """From the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--server", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--batches", type=int, default=3)
    parser.add_argument("--batch", type=int, default=1_000_000)
    parser.add_argument("--recorder", choices=("no", "yes", "both"), default="both")
    parser.add_argument("--full", action="store_true", help="10 million messages each")
    parser.add_argument("--trace", action="store_true", help="tell where memory grows; slow")
    chosen = parser.parse_args()
    if chosen.server:
        asyncio.run(Server().run())
        return 0
    failed = False
    for record in {"no": (False,), "yes": (True,), "both": (False, True)}[chosen.recorder]:
        _say(f"with{'' if record else 'out'} a recorder")
        found = soak(
            10 if chosen.full else chosen.batches, chosen.batch, record=record, told=_say,
            trace=chosen.trace,
        )  # fmt: skip
        _say(
            json.dumps(
                {name: value for name, value in found.items() if name not in ("blocks", "objects")}
            )
        )
        # Writing a part takes memory for a moment, so the typical size counts, not the last one.
        early, late = median(found["rss_mb"][1:4]), median(found["rss_mb"][-3:])
        blocks = found["blocks"][-1] - found["blocks"][1]
        _say(f"typical size {early:.1f} MB, at last {late:.1f} MB; {blocks:+,} blocks")
        failed |= late > 1.1 * early or blocks > 20_000 or found["live"] != MARKETS
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
