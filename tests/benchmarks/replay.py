"""How fast a recorded book stream is replayed.

Run ``python tests/benchmarks/replay.py``. One made-up recording (50 markets of about 60
levels) is read four ways in this process, best of some runs each:

* the state machine alone, from decoded columns of integers;
* the same with a top-of-book read after every delta;
* `replay_book` from a file of JSON lines to its four frames;
* what a notebook does without this package: ``json.loads`` and a dict of floats, once bare
  and once with ``max``/``min`` of the ladder after every delta.

Before that it checks that all of them end in the same books.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

from kalshi_research.money import COUNT_SCALE, PRICE_SCALE, fixed_text
from kalshi_research.schemas.stream import Delta, StreamDecoder
from kalshi_research.streaming import replay_book
from kalshi_research.streaming.state import Session

MARKETS, LEVELS, TARGET = 50, 30, 200_000
Columns = list[tuple[int, int, str, int, int, int, int, int]]


def made_up_lines(deltas: int) -> list[bytes]:
    """Snapshots, then changes near the touch, as the exchange writes them."""
    rng = random.Random(11)
    books: dict[str, tuple[dict[int, int], dict[int, int]]] = {}
    lines: list[bytes] = []

    def write(kind: str, msg: dict[str, Any]) -> None:
        frame = {"type": kind, "sid": 1, "seq": len(lines) + 1, "msg": msg}
        lines.append(json.dumps(frame, separators=(",", ":")).encode() + b"\n")

    for market in range(MARKETS):
        ticker = f"KXBENCH-26NOV20-T{market:02d}"
        middle = rng.randrange(35, 65)
        book = books[ticker] = (
            {100 * (middle - 1 - at): rng.randrange(100, 10**6) for at in range(LEVELS)},
            {100 * (99 - middle - at): rng.randrange(100, 10**6) for at in range(LEVELS)},
        )
        ladders = [
            [[fixed_text(price, PRICE_SCALE), fixed_text(count, COUNT_SCALE)]
             for price, count in sorted(leg.items())]
            for leg in book
        ]  # fmt: skip
        write(
            "orderbook_snapshot",
            {
                "market_ticker": ticker,
                "clock": 1,
                "yes_dollars_fp": ladders[0],
                "no_dollars_fp": ladders[1],
            },
        )
    names = list(books)
    for number in range(deltas):
        ticker, side = rng.choice(names), rng.randrange(2)
        leg, other = books[ticker][side], books[ticker][1 - side]
        top = max(leg) if leg else 100
        room = PRICE_SCALE - 100 - (max(other) if other else 0)
        price = max(min(top + 100 * (1 - int(rng.expovariate(0.4))), room), 100)
        held = leg.get(price, 0)
        change = -held if held and rng.random() < 0.4 else rng.randrange(100, 10**5)
        leg[price] = held + change
        if not leg[price]:
            del leg[price]
        second, milli = divmod(number, 1000)
        write("orderbook_delta", {
            "market_ticker": ticker,
            "clock": number + 2,
            "price_dollars": fixed_text(price, PRICE_SCALE),
            "delta_fp": fixed_text(change, COUNT_SCALE),
            "side": ("yes", "no")[side],
            "ts": f"2026-11-20T15:{second // 60 % 60:02d}:{second % 60:02d}.{milli:03d}250Z",
        })  # fmt: skip
    return lines


def decoded(lines: list[bytes]) -> tuple[Session, Columns]:
    """A session that has the snapshots, and the deltas as integers."""
    decoder, session, rows = StreamDecoder(), Session(), []
    for line in lines:
        event = decoder.event(line)
        if isinstance(event, Delta):
            rows.append((event.sid, event.seq, event.ticker, event.side, event.price, event.change,
                         event.clock, event.time_ms))  # fmt: skip
        else:
            session.apply(event)
    return session, rows


def apply(session: Session, rows: Columns) -> None:
    """The state machine alone."""
    delta = session.delta
    for sid, seq, ticker, side, price, change, clock, time in rows:
        delta(sid, seq, ticker, side, price, change, clock, time)


def apply_and_read(session: Session, rows: Columns) -> None:
    """The state machine, and the best prices after every delta."""
    delta = session.delta
    for sid, seq, ticker, side, price, change, clock, time in rows:
        book = delta(sid, seq, ticker, side, price, change, clock, time)
        if book is not None:
            book.best()


def plain(lines: list[bytes], *, reads: bool) -> dict[str, Any]:
    """A dict of floats, as notebooks have it: no numbers checked, nothing noticed."""
    books: dict[str, Any] = {}
    for line in lines:
        frame = json.loads(line)
        msg = frame["msg"]
        if frame["type"] == "orderbook_snapshot":
            books[msg["market_ticker"]] = {
                "yes": {float(price): float(size) for price, size in msg.get("yes_dollars_fp", [])},
                "no": {float(price): float(size) for price, size in msg.get("no_dollars_fp", [])},
            }
        else:
            book = books[msg["market_ticker"]]
            side, price = book[msg["side"]], float(msg["price_dollars"])
            side[price] = side.get(price, 0.0) + float(msg["delta_fp"])
            if side[price] < 0.005:  # floats leave crumbs
                del side[price]
            if reads and book["yes"] and book["no"]:
                _ = max(book["yes"]), 1 - max(book["no"])
    return books


def best(repeats: int, work: Callable[..., object], prepare: Callable[[], tuple[Any, ...]]) -> float:
    """Seconds of the best run; what `prepare` makes is not counted."""
    times = []
    for _ in range(repeats):
        given = prepare()
        begin = perf_counter()
        work(*given)
        times.append(perf_counter() - begin)
    return min(times)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--deltas", type=int, default=200_000)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    deltas, repeats = options.deltas, options.repeats
    lines = made_up_lines(deltas)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "recording.ndjson"
        path.write_bytes(b"".join(lines))
        check(lines, path)
        jobs: list[tuple[str, Callable[..., object], Callable[[], tuple[Any, ...]]]] = [
            ("state machine from decoded columns", apply, lambda: decoded(lines)),
            ("  best prices read after each delta", apply_and_read, lambda: decoded(lines)),
            ("replay_book: raw lines to four frames", replay_book, lambda: (path,)),
            ("plain json and a dict of floats", lambda text: plain(text, reads=False), lambda: (lines,)),
            (
                "  best prices read after each delta",
                lambda text: plain(text, reads=True),
                lambda: (lines,),
            ),
        ]
        print(f"{deltas:,} deltas, {MARKETS} markets, {2 * LEVELS} levels, best of {repeats}")
        rates = []
        for name, work, prepare in jobs:
            rates.append(deltas / best(repeats, work, prepare))
            print(f"  {name:<40} {rates[-1]:>12,.0f} deltas/s")
    print(f"raw lines: {rates[2] / rates[4]:.1f} × the plain loop that reads prices, with every check")
    verdict = "met" if rates[0] >= TARGET else "MISSED"
    print(f"decoded columns: target {TARGET:,} deltas/s {verdict}")


def check(lines: list[bytes], path: Path) -> None:
    """All ways end in the same books."""
    session, rows = decoded(lines)
    apply(session, rows)
    books = plain(lines, reads=False)
    replay = replay_book(path, every=None)
    assert replay.quotes["status"].eq("live").all()
    for ticker, book in books.items():
        levels = session.book(ticker).levels()
        assert levels is not None
        yes = {
            round(price * PRICE_SCALE): round(size * COUNT_SCALE) for price, size in book["yes"].items()
        }
        no = {
            round(price * PRICE_SCALE): round(size * COUNT_SCALE) for price, size in book["no"].items()
        }
        assert dict(levels.bids) == yes
        assert {PRICE_SCALE - price: count for price, count in levels.asks} == no
        mine = replay.books[(replay.books["ticker"] == ticker) & (replay.books["side"] == "bid")]
        assert [round(price * PRICE_SCALE) for price in mine["price"]] == sorted(yes, reverse=True)
    print(f"the books of {len(books)} markets agree")


if __name__ == "__main__":
    main()
