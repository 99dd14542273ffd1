"""Long runs: nothing grows, nothing is lost to a kill, and a machine that slept is not believed."""

from __future__ import annotations

import asyncio
import dataclasses
import gc
import random
import re
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from soak.memory import MARKETS
from soak.memory import soak as soak_memory
from soak.recorder import ANY, soak
from stream_faults import PATIENT, Faulty, until
from test_streaming_faults import handles, serving, trade_row
from test_streaming_live import same_books
from test_streaming_poll import books

from kalshi_research.streaming import StreamOptions, moments, poll, read_recording, stream
from kalshi_research.streaming.moments import Moment

NAMES = [f"M{number}" for number in range(6)]


@pytest.fixture
def venue() -> Iterator[Faulty]:
    with Faulty(NAMES) as made:
        yield made


@pytest.mark.timeout(180)
def test_a_recording_is_whole_after_kills_at_any_step() -> None:
    """The quick form of the soak of recordings."""
    points = [
        ANY, "part half", "merged renamed", "manifest half", "first removed", ANY,
        "part renamed", "ending half", "merged half", ANY,
    ]  # fmt: skip
    found = soak(points, seed=7)
    assert (found.bad, found.slow) == ([], [])
    assert found.kills.total() == len(points)
    assert found.acknowledged.total() > 500, "there was something to lose"
    assert found.read.total() >= found.acknowledged.total()
    assert found.restarts >= 6
    assert found.drafts.total() >= 3, "the kills came where they should"


@pytest.mark.timeout(180)
def test_a_recorder_that_writes_in_place_is_found_out() -> None:
    """The soak is worth nothing unless it notices this one."""
    found = soak(["part half", ANY], seed=1, careless=True)
    assert any("damaged" in text or "no part" in text for text in found.bad), found


@pytest.mark.timeout(240)
@pytest.mark.parametrize("record", [False, True], ids=["watched", "recorded"])
def test_nothing_grows_with_the_messages(record: bool) -> None:
    """The quick form of the soak of memory: whole cycles of changes, counted in live blocks."""
    found = soak_memory(4, 40_000, record=record, rows=1_000)
    assert (found["live"], found["gaps"], found["mismatches"]) == (MARKETS, 0, 0)
    assert found["messages"] >= 160_000
    assert found["updates"] > 1_000
    if record:
        assert found["dropped"] == 0
        assert found["rows"] >= 160_000
    # A kept trade is an object, 4,000 in all, and four blocks or more; spellings of numbers, which
    # are kept up to a limit, and the moments of audits make a difference of some thousands.
    assert found["blocks"][-1] - found["blocks"][1] < 8_000, found
    assert found["objects"][-1] - found["objects"][1] < 3_000, found


# The machine slept


class Clocks:
    """The clocks of the machine, which can be set forward."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.steady = self.wall = 0.0
        monkeypatch.setattr(moments, "now", self.now)

    def now(self) -> Moment:
        return Moment(time.monotonic() + self.steady, time.time() + self.wall)


@pytest.mark.parametrize(("steady", "wall"), [(0, 7200), (7200, 7200), (7200, 0)])
def test_after_a_sleep_no_book_is_live_with_old_prices(
    venue: Faulty, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, steady: float, wall: float
) -> None:
    """Two hours go by in a moment, by one clock or both; the connection has not noticed."""
    clocks = Clocks(monkeypatch)
    with stream(venue.client(), NAMES, ("books", "trades"), options=PATIENT) as live:
        live.wait()
        before = time.time()
        venue.do(lambda: venue.trade("M0", "T0", int(before * 1000)))
        until(lambda: len(live.trades()) == 1)
        with live.record(tmp_path):
            serving(venue, trades=[trade_row(number, before) for number in range(3)])
            # What the other end says from now on reaches nobody, and the books go on.
            venue.mangle = lambda frame: []
            venue.churn(50)
            with live._engine.lock:  # the thread of the stream has not woken yet
                clocks.steady, clocks.wall = steady, wall
                asleep = [live.best(name) for name in NAMES]
                ages = live.status["age"].tolist()
            venue.mangle = lambda frame: [frame]
            assert {quote.status for quote in asleep} == {"stale"}
            assert all(quote.bid != quote.bid for quote in asleep), "it has no numbers"
            assert min(ages) >= 7200
            seen: Counter[str] = Counter()
            deadline = time.monotonic() + 20
            while not live.health.reconnects:
                assert time.monotonic() < deadline, "it does not connect again"
                for name in NAMES:
                    connections, quote = live.health.reconnects, live.best(name)
                    if not connections and not live.health.reconnects:
                        seen[quote.status] += 1
            assert "live" not in seen, seen
            until(lambda: live.health.live == len(NAMES) and same_books(live, venue, *NAMES))
            until(lambda: live.health.backfilled == 2)
            assert live.trades()["is_late"].sum() == 2
        assert live.health.reconnects == 1
        assert any("the machine slept for 2:00:0" in text for text in live.health.problems)
    holes = read_recording(tmp_path).holes
    assert holes["kind"].tolist() == ["begin", "break", "end"]
    assert re.fullmatch(r"the machine slept for 2:00:0\d", holes["note"].iloc[1]), "busy, then asleep"


def test_what_was_on_its_way_before_a_sleep_makes_no_book_live(
    venue: Faulty, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel has kept messages of before: the first thing that the stream reads on waking."""
    clocks = Clocks(monkeypatch)
    options = StreamOptions(tick=60.0, backoff=0.02, most_backoff=0.1)
    with stream(venue.client(), NAMES, options=options) as live:
        live.wait()
        reached: list[str] = []
        untap = live._engine.tap(lambda *given: reached.append(given[2].status), lambda *_: None)
        clocks.wall = 7200
        venue.churn(50)
        until(lambda: "slept" in live.status["reason"].iloc[0])
        assert not reached, "a message of before the sleep was believed"
        assert {live.best(name).status for name in NAMES} == {"stale"}
        untap()


def test_samples_of_before_a_sleep_have_no_numbers(
    venue: Faulty, monkeypatch: pytest.MonkeyPatch
) -> None:
    clocks = Clocks(monkeypatch)
    venue.rest = lambda path, query: books(venue, query["tickers"])
    with poll(venue.client(), NAMES, every="1h") as sampled:
        assert sampled.wait().best("M0").status == "sampled"
        clocks.wall = 7200 * 2
        quote = sampled.best("M0")
        assert (quote.status, quote.bid != quote.bid, quote.age >= 14_400) == ("stale", True, True)


def test_a_clock_that_is_set_back_changes_nothing(
    venue: Faulty, monkeypatch: pytest.MonkeyPatch
) -> None:
    clocks = Clocks(monkeypatch)
    options = dataclasses.replace(PATIENT, audit_every=0.25)
    with stream(venue.client(), NAMES, options=options) as live:
        live.wait()
        clocks.wall = -3600
        audits = live.health.audits
        until(lambda: live.health.audits > audits + 6)
        assert live.health.live == len(NAMES)
        assert live.health.reconnects == 0
        assert live.best("M0").age < 5


# Connections that break


def held(live: Any) -> tuple[int, int, int]:
    """Threads, open files, and tasks in the loop of the stream."""
    loop = live._engine._loop
    counted: list[int] = []
    done = threading.Event()

    def count() -> None:
        counted.append(len(asyncio.all_tasks(loop)))
        done.set()

    loop.call_soon_threadsafe(count)
    assert done.wait(10)
    return threading.active_count(), handles(), counted[0]


@pytest.mark.timeout(240)
def test_two_hundred_broken_connections_leave_nothing_and_each_is_a_row(
    venue: Faulty, tmp_path: Path
) -> None:
    """With trades, a consumer, questions after each outage and a recorder."""
    rng = random.Random(11)
    options = dataclasses.replace(PATIENT, backoff=0.001, most_backoff=0.004, rows=100, waiting=50)
    serving(venue, trades=[trade_row(number, time.time()) for number in range(3)])
    at_first = threading.active_count(), handles()
    with stream(venue.client(), NAMES, ("books", "trades"), options=options) as live:
        live.wait()
        live.on(("books", "trades"), lambda update: None)
        with live.record(tmp_path, every="20ms") as recorder:
            venue.do(lambda: venue.trade("M0", "T0"))

            def settled(count: int) -> bool:
                return live.health.reconnects >= count and live.health.live == len(NAMES)

            def break_it(times: int) -> None:
                for _ in range(times):
                    goal = live.health.reconnects + 1
                    venue.hang_up(rng.choice([1006, 1006, 1001, 1012]))
                    until(lambda goal=goal: settled(goal), 20)
                    venue.churn(5)

            def objects() -> int:
                """All is quiet, and the exchange, which is of this process too, has forgotten."""
                until(lambda: len(venue.sockets) == 1)
                until(live._engine.backfill._pool._work_queue.empty, 60, "questions stay unasked")
                recorder.flush()
                for kept in (venue.handshakes, venue.commands, venue.questions, venue._closing):
                    venue.do(kept.clear)
                gc.collect()
                return len(gc.get_objects())

            break_it(60)
            until(lambda: live.health.backfilled >= 2)
            before, begin = held(live), objects()
            break_it(140)
            grown = objects() - begin
            until(lambda: held(live) <= before, what=f"{held(live)} threads, files, tasks; had {before}")
            # A connection that is kept is dozens of objects, thousands in all.
            assert grown < 1_000
            assert len(recorder._rows._recent) <= 4
            reconnects = live.health.reconnects
        assert recorder.dropped == 0
        until(lambda: same_books(live, venue, *NAMES))
    until(lambda: (threading.active_count(), handles()) <= at_first, what="something stays")
    kinds = Counter(read_recording(tmp_path).holes["kind"])
    assert kinds == {"begin": 1, "break": reconnects, "end": 1}


# In a notebook

KERNEL = """
import sys, threading
from jupyter_client.manager import start_new_kernel

manager, client = start_new_kernel(kernel_name="python3")

def run(code, interrupt=False):
    out = []

    def hear(message):
        content = message["content"]
        if interrupt and content.get("text", "").startswith("begun"):
            threading.Timer(0.3, manager.interrupt_kernel).start()
        else:
            out.append(content.get("text", "") or content.get("ename", ""))

    client.execute_interactive(code, timeout=60, output_hook=hear)
    return "".join(out).strip()

try:
    print(run(f'''
import kalshi_research as kr
sandbox = kr.start_sandbox(speed=600)
client = kr.connect(sandbox)
markets = kr.get_markets(client, series_ticker="KXHIGHNY", status="open")
live = kr.stream(client, markets).wait()
recorder = live.record({sys.argv[1]!r}, every="100ms")
print(type(__import__("asyncio").get_running_loop()).__name__ != "")'''))
    for code in ("for _ in live: pass", "while True: recorder.flush()", "async for _ in live: pass"):
        print(run("print('begun', flush=True)\\n" + code, interrupt=True))
    print(run("recorder.flush(); health = live.health"))
    print(run("print(recorder.acknowledged, health.lost, health.reconnects)"))
finally:
    client.stop_channels()
    manager.shutdown_kernel(now=True)  # as a crash: nothing is closed
"""


@pytest.mark.timeout(180)
def test_a_recording_outlives_interrupts_and_the_death_of_its_kernel(tmp_path: Path) -> None:
    """Interrupted in a loop, while writing and in a running event loop, then killed."""
    done = subprocess.run(
        [sys.executable, "-c", KERNEL, str(tmp_path / "recording")],
        capture_output=True, text=True, timeout=170, check=False,
    )  # fmt: skip
    said = done.stdout.split()
    assert said[:3] == ["True", "KeyboardInterrupt", "KeyboardInterrupt"], done.stdout + done.stderr
    assert said[3] in {"KeyboardInterrupt", "CancelledError"}, done.stderr
    acknowledged, lost, reconnects = map(int, said[4:])
    assert (lost, reconnects) == (0, 0)
    recording = read_recording(tmp_path / "recording")
    assert recording.holes["kind"].tolist() == ["begin", "hole"], "only the end is missing"
    frame = recording.frame
    assert len(frame) > acknowledged > 20
    assert frame["arrival"].tolist() == list(range(len(frame)))
