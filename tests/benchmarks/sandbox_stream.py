"""Frames a second from the engine to one subscriber in a process of its own.

The engine is fed through its public calls in a thread of the server's process, as fast as it goes.
The subscriber, with the `websockets` library, checks that the numbers have no hole; in a second run
it parses every frame. The time is that from the first order to the last frame seen.

Run it with ``python tests/benchmarks/sandbox_stream.py [deltas]``.
"""

from __future__ import annotations

import json
import multiprocessing
import sys
import threading
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from stream_venue import ANNA, Server, Venue
from websockets.sync.client import connect

from kalshi_research.sandbox.stream import StreamOptions

SUBSCRIBE = '{"id":1,"cmd":"subscribe","params":{"channels":["orderbook_delta"],"market_ticker":"M"}}'


def count_raw(url: str, headers: dict[str, str], frames: int, report: Connection) -> None:
    """Look at the number of every frame."""
    with connect(url, additional_headers=headers, proxy=None, compression=None) as connection:
        connection.send(SUBSCRIBE)
        connection.recv(), connection.recv()
        report.send("ready")
        expected = 2
        while expected < frames + 2:
            text = connection.recv(decode=False)
            start = text.index(b'"seq":') + 6
            assert int(text[start : text.index(b",", start)]) == expected
            expected += 1
        report.send(time.perf_counter())


def count_parsed(url: str, headers: dict[str, str], frames: int, report: Connection) -> None:
    """Parse every frame."""
    with connect(url, additional_headers=headers, proxy=None, compression=None) as connection:
        connection.send(SUBSCRIBE)
        connection.recv(), connection.recv()
        report.send("ready")
        for expected in range(2, frames + 2):
            assert json.loads(connection.recv())["seq"] == expected
        report.send(time.perf_counter())


def feed(venue: Venue, frames: int) -> None:
    """Orders that come and go, one change of the book each."""
    order: Any = None
    for _ in range(frames // 2):
        order = venue.submit(ANNA, "M", "bid", 4700, 100, client_order_id="")
        venue.cancel(ANNA, order.order.order_id)


def measure(reader: Any, frames: int) -> float:
    """Frames a second from the first order to the last frame seen."""
    venue = Venue()
    with Server(venue, StreamOptions(buffer_frames=10 * frames)) as server:
        ours, theirs = multiprocessing.Pipe()
        process = multiprocessing.get_context("spawn").Process(
            target=reader, args=(server.url, server.headers(), frames, theirs)
        )
        process.start()
        ours.recv()
        feeder = threading.Thread(target=feed, args=(venue, frames))
        began = time.perf_counter()
        feeder.start()
        ended = ours.recv()
        feeder.join()
        process.join()
        return frames / (ended - began)


def main() -> None:
    """Print the figures."""
    frames = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    for name, reader in (("looked at", count_raw), ("parsed", count_parsed)):
        print(f"{measure(reader, frames):10,.0f} frames/s, each {name} by one subscriber")


if __name__ == "__main__":
    main()
