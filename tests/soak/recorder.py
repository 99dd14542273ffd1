"""The soak of recordings: a process that records a busy sandbox is killed again and again.

Half of the kills come at any moment, the others at a chosen step of what a recorder does on the
disk: a draft is opened, half written, written, flushed, renamed; parts are put together and the small
ones removed; the file that describes the recording is written, and again at its end. Ten kills share
a folder, so that every recording but the first one goes on where another was killed.

A pipe tells this process every message before the recorder sees it, and another one how many rows
were acknowledged. After each kill the folder has to be readable, with every acknowledged row, the
messages as they came and none twice, the missing end as a hole, and all earlier recordings as they
were. At last a recording in each folder ends as it should; replayed, it has the books of the engine.

Run ``python tests/soak/recorder.py --help``; ``--full`` is the form of 200 kills.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple, Self

import kalshi_research as kr
from kalshi_research import parts
from kalshi_research.sandbox.engine import Rejection
from kalshi_research.streaming import recorder as recorders
from kalshi_research.streaming import runs

MARKETS = 20
A_FOLDER = 10
"""Kills that share a folder."""
PATIENCE = 30.0
STEPS = ("opened", "half", "written", "synced", "renamed", "flushed")
POINTS = (
    *(f"{kind} {step}" for kind in ("manifest", "part", "merged", "ending") for step in STEPS),
    "first removed", "last removed",
)  # fmt: skip
ANY = "any moment"
EVERY = "15ms"
SMALL_PARTS = 4


# --- the process that is killed -------------------------------------------------------------------


class Death:
    """Kills the process when it comes to a point for the n-th time."""

    def __init__(self, point: str, nth: int) -> None:
        self.point, self.left = point, nth
        self.kind = ""
        self.manifests = self.synced = 0

    def at(self, point: str) -> None:
        """It has come to a point."""
        if point == self.point:
            self.left -= 1
            if not self.left:
                os.kill(os.getpid(), signal.SIGKILL)

    def lurk(self) -> None:
        """Wait at every step of a recorder."""
        self._in_the_writer()
        self._in_the_system()
        self._in_the_merge()

    def _in_the_writer(self) -> None:
        whole, death = parts.replaced, self

        @contextmanager
        def replaced(path: Path, *, private: bool = False) -> Iterator[Any]:
            outer = death.kind
            if path.suffix == ".json":
                death.manifests += 1
                death.kind = "manifest" if death.manifests == 1 else "ending"
            else:
                death.kind = outer or "part"
            death.synced = 0
            with whole(path, private=private) as file:
                death.at(f"{death.kind} opened")
                yield Half(file, death)
                file.flush()
                death.at(f"{death.kind} written")
            death.at(f"{death.kind} flushed")
            death.kind = outer

        runs.replaced = recorders.replaced = replaced

    def _in_the_system(self) -> None:
        sync, rename, death = os.fsync, Path.replace, self

        def fsync(handle: int) -> None:
            sync(handle)
            death.synced += 1
            if death.synced == 1:  # the second one is that of the folder
                death.at(f"{death.kind} synced")

        def replace(path: Path, target: Any) -> Any:
            found = rename(path, target)
            death.at(f"{death.kind} renamed")
            return found

        os.fsync = fsync
        Path.replace = replace  # type: ignore[method-assign]

    def _in_the_merge(self) -> None:
        merge, unlink, death = recorders.Recorder._merge, Path.unlink, self

        def put_together(recorder: Any) -> None:
            death.kind = "merged"
            left = len(recorder._small)

            def remove(path: Path, missing_ok: bool = False) -> None:
                nonlocal left
                unlink(path, missing_ok)
                if path.suffix == ".parquet":
                    left -= 1
                    death.at("first removed" if left else "last removed")

            Path.unlink = remove  # type: ignore[method-assign]
            try:
                merge(recorder)
            finally:
                Path.unlink = unlink  # type: ignore[method-assign]
                death.kind = ""

        recorders.Recorder._merge = put_together  # type: ignore[method-assign]


class Half:
    """A file whose one write comes to a point in its middle."""

    def __init__(self, file: Any, death: Death) -> None:
        self._file, self._death = file, death

    def write(self, content: bytes) -> None:
        """In two halves."""
        self._file.write(content[: len(content) // 2])
        self._file.flush()
        self._death.at(f"{self._death.kind} half")
        self._file.write(content[len(content) // 2 :])


class Plan(NamedTuple):
    """What a process is to record, and where it is to be killed."""

    url: str
    key: tuple[str, str]
    markets: list[str]
    folder: str
    point: str
    nth: int
    careless: bool


@contextmanager
def carelessly(path: Path, *, private: bool = False) -> Iterator[Any]:
    """A file that is written in its place, as it should not be."""
    del private
    with path.open("wb") as file:
        yield file


def record(plan: Plan, messages: Connection, told: Connection) -> None:
    """Record until killed, and say of every message and row what this process is to know."""
    recorders._SMALL_PARTS = SMALL_PARTS
    if plan.careless:
        parts.replaced = carelessly
    Death(plan.point, plan.nth).lurk()
    with kr.connect(plan.url, key_id=plan.key[0], private_key=plan.key[1]) as client:
        live = kr.stream(client, plan.markets).wait(timeout=PATIENCE)
        live._engine.tap(
            lambda _number, text, _book: messages.send_bytes(text), lambda _number, _reason: None
        )
        recorder = live.record(plan.folder, every=EVERY)
        known = -1
        while True:
            if recorder.acknowledged != known:
                known = recorder.acknowledged
                told.send(known)
                if plan.point.startswith("ending") and known > 200:
                    recorder.close()
            live._engine.stopped.wait(0.001)


# --- the exchange -------------------------------------------------------------------------------------


class Floor:
    """A sandbox on which orders are placed as fast as it goes."""

    def __init__(self, seed: int) -> None:
        self.sandbox = kr.start_sandbox(days=1, crypto_hours=1, users=2)
        self.client = kr.connect(self.sandbox)
        self.markets = list(kr.get_markets(self.client, status="open").index[:MARKETS])
        self.user = self.sandbox._exchange.accounts[1].user_id
        key_id, key_file = self.sandbox.credentials(0)[0], self.sandbox.key_file(0)
        self.key = (key_id, os.fspath(key_file))
        self.url = self.sandbox.url.removesuffix("/trade-api/v2")
        self._rng = random.Random(seed)
        self._resting: list[str] = []
        self._running = threading.Event()
        self._over = threading.Event()
        self._idle = threading.Event()
        self._thread = threading.Thread(target=self._trade, name="orders")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._running.set()
        self._thread.join()
        self.client.close()
        self.sandbox.close()

    @contextmanager
    def busy(self) -> Iterator[None]:
        """Orders are placed."""
        self._idle.clear()
        self._running.set()
        try:
            yield
        finally:
            self._running.clear()
            assert self._idle.wait(PATIENCE)

    def _trade(self) -> None:
        while not self._over.is_set():
            if not self._running.is_set():
                self._idle.set()
                self._running.wait()
                continue
            self.sandbox.floor.call(self._act)
            self._over.wait(0.002)

    def _act(self, engine: Any) -> None:
        rng = self._rng
        for _ in range(20):
            try:
                if len(self._resting) > 2_000 or (self._resting and rng.random() < 0.4):
                    engine.cancel(self.user, self._resting.pop(rng.randrange(len(self._resting))))
                    continue
                placed = engine.submit(
                    self.user, rng.choice(self.markets), rng.choice(("bid", "ask")),
                    rng.randint(2, 98) * 100, rng.randint(1, 900) * 100, self_trade="maker",
                )  # fmt: skip
                self._resting.append(placed.order.order_id)
            except Rejection:  # a filled order cannot be cancelled
                continue


# --- what has come of it ------------------------------------------------------------------------------


class Heard:
    """What a killed process had said."""

    def __init__(self, messages: Connection, told: Connection) -> None:
        self.messages: list[bytes] = []
        self.acknowledged = 0
        self.began = threading.Event()
        self._threads = [
            threading.Thread(target=self._listen, args=(messages.recv_bytes, self._message)),
            threading.Thread(target=self._listen, args=(told.recv, self._rows)),
        ]
        for thread in self._threads:
            thread.start()

    def _listen(self, receive: Callable[[], Any], take: Callable[[Any], None]) -> None:
        while True:
            try:
                said = receive()
            except (EOFError, OSError):  # the last words may be cut off
                return
            take(said)

    def _message(self, text: bytes) -> None:
        self.messages.append(text)

    def _rows(self, count: int) -> None:
        self.acknowledged = count
        self.began.set()

    def join(self) -> None:
        """All is heard."""
        for thread in self._threads:
            thread.join()


@dataclass
class Found:
    """Figures, and what is wrong."""

    kills: Counter[str] = field(default_factory=Counter)
    acknowledged: Counter[str] = field(default_factory=Counter)
    read: Counter[str] = field(default_factory=Counter)
    holes: Counter[str] = field(default_factory=Counter)
    drafts: Counter[str] = field(default_factory=Counter)
    restarts: int = 0
    bad: list[str] = field(default_factory=list)
    slow: list[str] = field(default_factory=list)
    rate: float = 0.0
    bytes_a_row: float = 0.0

    def table(self) -> str:
        """By point."""
        lines = [
            f"{'killed at':<18}{'kills':>6}{'acknowledged':>14}{'read':>10}{'holes':>7}{'drafts':>8}"
        ]
        columns = (self.kills, self.acknowledged, self.read, self.holes, self.drafts)
        names = [name for name in (ANY, *POINTS) if self.kills[name]]
        lines += [f"{name:<18}" + _row([each[name] for each in columns]) for name in names]
        lines.append(f"{'all':<18}" + _row([each.total() for each in columns]))
        return "\n".join(lines)


def _row(values: list[int]) -> str:
    widths = (6, 14, 10, 7, 8)
    return "".join(f"{value:>{width},}" for value, width in zip(values, widths, strict=True))


class Soak:
    """Kills on one sandbox."""

    def __init__(self, floor: Floor, *, seed: int, careless: bool = False) -> None:
        self.floor = floor
        self.careless = careless
        self.rng = random.Random(f"{seed}/kills")
        self.found = Found()
        self.captured: list[bytes] = []
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(
            ["kalshi_research.streaming.replay", "kalshi_research.streaming.live",
             "kalshi_research.sandbox", "kalshi_research.client"]
        )  # fmt: skip

    def folder(self, points: list[str], folder: Path) -> None:
        """Some kills in one folder, and at last a recording that ends as it should."""
        rows: dict[str, int] = {}
        for point in points:
            with self.floor.busy():
                heard = self._kill(point, folder)
            self._judge(point, folder, heard, rows)
        if not self.careless:
            self._end(folder, rows)

    def _kill(self, point: str, folder: Path) -> Heard:
        name = "" if point == ANY else point
        nth = self.rng.randint(1, 3) if name.startswith("part") else 1
        (theirs, ours), (their_rows, our_rows) = (
            tuple(reversed(self._context.Pipe(duplex=False))) for _ in range(2)
        )
        floor = self.floor
        plan = Plan(floor.url, floor.key, floor.markets, os.fspath(folder), name, nth, self.careless)
        child = self._context.Process(target=record, args=(plan, theirs, their_rows), daemon=True)
        child.start()
        theirs.close()
        their_rows.close()
        heard = Heard(ours, our_rows)
        if name:
            child.join(PATIENCE)
            if child.is_alive():
                self.found.slow.append(f"{name} was not reached")
        else:
            heard.began.wait(PATIENCE)
            self.floor._over.wait(self.rng.uniform(0.0, 0.6))
        child.kill()
        child.join()
        heard.join()
        ours.close()
        our_rows.close()
        if child.exitcode != -signal.SIGKILL:
            self.found.bad.append(f"{point}: ended by itself with {child.exitcode}")
        return heard

    def _judge(self, point: str, folder: Path, heard: Heard, rows: dict[str, int]) -> None:
        found = self.found
        found.kills[point] += 1
        found.acknowledged[point] += heard.acknowledged
        found.drafts[point] += len(list(folder.glob(".*.draft")))
        fresh: list[str] = []
        try:
            recording = kr.read_recording(folder)
            frame = recording.frame
        except kr.KalshiError as error:
            if heard.acknowledged or rows or list(folder.glob("*.parquet")):
                found.bad.append(f"{point}: {error}")
            return
        for run, mine in frame.groupby("run", observed=True):
            name = str(run)
            if name in rows:
                if rows[name] != len(mine):
                    found.bad.append(f"{point}: {name} had {rows[name]} rows, now {len(mine)}")
                continue
            rows[name] = len(mine)
            fresh.append(name)
            found.read[point] += self._run(f"{point} ({name})", mine, heard)
            found.holes[point] += int((mine["kind"] == "hole").sum())
        if len(fresh) > 1 or (heard.acknowledged and not fresh):
            found.bad.append(f"{point}: {len(fresh)} recordings are new")

    def _run(self, name: str, frame: Any, heard: Heard) -> int:
        """One recording against what came and what was acknowledged; its rows without the hole."""
        bad = self.found.bad
        last = frame.iloc[-1]
        is_torn = last["kind"] == "hole" and "no end" in last["note"]
        real = frame.iloc[:-1] if is_torn else frame
        if is_torn == (real["kind"] == "end").any():
            bad.append(f"{name}: the end is there and missing, or neither")
        if len(real) < heard.acknowledged:
            bad.append(f"{name}: {heard.acknowledged} rows were acknowledged, {len(real)} can be read")
        if real["arrival"].tolist() != list(range(len(real))):
            bad.append(f"{name}: rows are missing or there twice")
        if (real["kind"] == "hole").any():
            bad.append(f"{name}: a hole, and nothing was lost")
        came = real[real["frame"].notna() & (real["note"] != "as it stood")]["frame"].tolist()
        begin = heard.messages.index(came[0]) if came else 0
        if came != heard.messages[begin : begin + len(came)]:
            bad.append(f"{name}: other messages than came")
        self.captured += came[: 100_000 - len(self.captured)]
        return len(real)

    def _end(self, folder: Path, rows: dict[str, int]) -> None:
        """A recording that goes on where others were killed, and is replayed to the books."""
        found, floor = self.found, self.floor
        live = kr.stream(floor.client, floor.markets)
        with live.wait(timeout=PATIENCE), live.record(folder):
            with floor.busy():
                floor._over.wait(0.1)
            truth = {ticker: floor.sandbox.truth.book(ticker) for ticker in floor.markets}
            deadline = time.monotonic() + PATIENCE
            while any(not _is(live, ticker, *truth[ticker]) for ticker in floor.markets):
                if time.monotonic() > deadline:
                    found.slow.append("the books of the last recording")
                    break
                floor._over.wait(0.005)
        recording = kr.read_recording(folder)
        frame = recording.frame
        begins = recording.holes[recording.holes["kind"] == "begin"]["note"]
        found.restarts += int(begins.str.contains("without a goodbye").sum())
        if list(folder.glob(".*.draft")):
            found.bad.append("drafts of killed processes stay")
        if frame["run"].nunique() != len(rows) + 1 or recording.holes["kind"].iloc[-1] != "end":
            found.bad.append("the last recording is not one more")
        books = recording.replay(every=None).books
        for ticker, sides in truth.items():
            mine = books[books["ticker"] == ticker]
            for side, levels in zip(("bid", "ask"), sides, strict=True):
                shown = mine[mine["side"] == side]
                if _levels(shown["price"], shown["quantity"]) != _whole(levels):
                    found.bad.append(f"{ticker}: replayed to another book")

    def speed(self, folder: Path) -> None:
        """Rows a second and bytes a row, of messages that the sandbox sent."""
        texts = self.captured
        floor = self.floor
        live = kr.stream(floor.client, floor.markets)
        with live.wait(timeout=PATIENCE), live.record(folder, every="1h") as recorder:
            recorder.flush()
            before = recorder.acknowledged
            began = time.perf_counter()
            with live._engine.lock:
                for text in texts:
                    recorder._tap(99, text, None)
            recorder.flush()
            self.found.rate = (recorder.acknowledged - before) / (time.perf_counter() - began)
        size = sum(path.stat().st_size for path in folder.glob("*.parquet"))
        self.found.bytes_a_row = size / max(recorder.acknowledged, 1)


def _is(live: Any, ticker: str, bids: dict[int, int], asks: dict[int, int]) -> bool:
    levels = live._engine.book(ticker)[0].levels()
    return levels is not None and [dict(side) for side in levels] == [_whole(bids), _whole(asks)]


def _whole(levels: dict[int, int]) -> dict[int, int]:
    return {price: count // 100 * 100 for price, count in levels.items() if count >= 100}


def _levels(prices: Any, quantities: Any) -> dict[int, int]:
    return {
        round(price * 10_000): round(quantity * 100)
        for price, quantity in zip(prices, quantities, strict=True)
    }


def drawn(kills: int, seed: int) -> list[str]:
    """So many kills, half of them at points in turn."""
    points = [POINTS[number % len(POINTS)] for number in range(kills - kills // 2)]
    points += [ANY] * (kills // 2)
    random.Random(seed).shuffle(points)
    return points


def soak(
    points: list[str],
    *,
    seed: int = 0,
    told: Callable[[str], object] = lambda text: None,
    careless: bool = False,
) -> Found:
    """Kill at these points; `careless` is a recorder that writes where it should not."""
    with Floor(seed) as floor, tempfile.TemporaryDirectory() as place:
        run = Soak(floor, seed=seed, careless=careless)
        for at in range(0, len(points), A_FOLDER):
            run.folder(points[at : at + A_FOLDER], Path(place) / str(at))
            told(f"{min(at + A_FOLDER, len(points))} kills, {len(run.found.bad)} bad")
        if not careless:
            run.speed(Path(place) / "speed")
        return run.found


def main() -> int:
    """From the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--full", action="store_true", help="200 kills")
    chosen = parser.parse_args()
    began = time.monotonic()
    found = soak(
        drawn(200 if chosen.full else chosen.kills, chosen.seed),
        seed=chosen.seed,
        told=lambda text: sys.stderr.write(text + "\n"),
    )
    summary = {
        "seed": chosen.seed, "restarts that say so": found.restarts,
        "rows/s": round(found.rate), "bytes/row": round(found.bytes_a_row, 1),
        "bad": found.bad, "slow": found.slow, "seconds": round(time.monotonic() - began, 1),
    }  # fmt: skip
    sys.stdout.write(f"{found.table()}\n{json.dumps(summary, indent=1)}\n")
    return 1 if found.bad or found.slow else 0


if __name__ == "__main__":
    sys.exit(main())
