"""Whatever ends a client in the middle of an order, nothing is doubled and nothing is lost."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import kalshi_research as kr
from kalshi_research.errors import KalshiError, OpenOrdersWarning
from kalshi_research.sandbox import Sandbox
from kalshi_research.trading import Pace, desk
from kalshi_research.trading.desk import desk_of

TICKER = "KXHIGHNY-26NOV21-B44.5"
PACE = {"settle_margin": 20.0, "patience": 60.0, "scale": 1 / 40}

# A client in a process of its own. What is patched is patched here; the library has no hooks.
CLIENT = """
import json, os, signal, sys, time
import kalshi_research as kr
from kalshi_research.errors import KalshiError
from kalshi_research.trading import Pace
from kalshi_research.trading import journal as journals
from kalshi_research.trading.desk import desk_of
import warnings
warnings.simplefilter("ignore")
url, key_id, key_file, point, number = sys.argv[1:6]
client = kr.connect(url, key_id=key_id, private_key=key_file)
desk_of(client).pace = Pace(settle_margin=20.0, patience=60.0, scale=1 / 40)

def die(*_args, **_more):
    os.kill(os.getpid(), signal.SIGKILL)

def around(owner, name, when, nth):
    real, calls = getattr(owner, name), []
    def patched(*args, **more):
        calls.append(1)
        if len(calls) == nth and when == "before":
            die()
        value = real(*args, **more)
        if len(calls) == nth:
            die()
        return value
    setattr(owner, name, patched)

kr.get_open_orders(client)
print("ready", flush=True)
if point == "prepared":        # written down, and not yet announced as sent
    around(journals.Journal, "write", "after", 1)
elif point == "half a line":   # in the middle of a line of the journal
    real = os.write
    def half(handle, data):
        real(handle, data[: len(data) // 2]); die()
    journals.os.write = half
elif point == "journal":       # announced, and nothing sent
    around(os, "fsync", "after", 1)
elif point == "send":          # sent, and no answer read
    from kalshi_research.client import transport
    real_read = transport.Transport._read
    def read(self, response, *more):
        if response.request.method == "POST":
            die()
        return real_read(self, response, *more)
    transport.Transport._read = read
elif point == "answer":        # answered, and not written down
    around(journals.Journal, "note", "before", 1)
elif point == "ack":           # written down, and nobody told
    around(journals.Journal, "note", "after", 1)
for n in range(1000):
    if point == "interrupt" and n:
        break
    try:
        size = f"{n + 1}.{int(number):02d}"
        made = kr.create_order(client, "KXHIGHNY-26NOV21-B44.5", quantity=size, price="0.02")
        print(json.dumps([made.client_order_id, made.state]), flush=True)
    except KalshiError as error:
        print(json.dumps(["", type(error).__name__]), flush=True)
"""


class Venue:
    def __init__(self, sandbox: Sandbox, folder: Path) -> None:
        self.sandbox, self.folder = sandbox, folder
        self.key_id, _ = sandbox.credentials(0)
        self.key_file = sandbox.key_file(0)
        self.url = sandbox.url.removesuffix("/trade-api/v2")
        sandbox.faults.scale = 1 / 40

    def start(self, point: str, number: int | str = 0) -> subprocess.Popen[str]:
        command = [
            sys.executable,
            "-c",
            CLIENT,
            self.url,
            self.key_id,
            os.fspath(self.key_file),
            point,
            str(number),
        ]
        started = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert started.stdout is not None
        line = started.stdout.readline()
        assert line == "ready\n", (line, started.communicate(timeout=20))
        return started

    def client(self) -> kr.Client:
        """A client of a new session."""
        for journal in desk._journals.values():
            journal.close()
        desk._journals.clear()
        client = kr.connect(self.url, key_id=self.key_id, private_key=self.key_file)
        desk_of(client).pace = Pace(**PACE)
        return client

    def truth(self) -> dict[str, list[Any]]:
        user = self.sandbox._exchange.accounts[0].user_id
        found: dict[str, list[Any]] = {}
        for order in self.sandbox.floor.call(lambda engine: list(engine.members[user].orders)):
            found.setdefault(order.client_order_id, []).append(order)
        return found


@pytest.fixture
def venue(tmp_path: Path, monkeypatch) -> Iterator[Venue]:
    monkeypatch.setenv("KALSHI_RESEARCH_JOURNAL", str(tmp_path))
    with Sandbox(days=2, crypto_hours=1) as sandbox:
        yield Venue(sandbox, tmp_path)


def account_for(venue: Venue) -> None:
    """A new session accounts for everything, and what it says is what the engine has."""
    client = venue.client()
    ends = time.monotonic() + 30
    while True:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", OpenOrdersWarning)
            listed = kr.get_open_orders(client)
        left = desk_of(client).journal.open_intents()
        if not left:
            break
        assert time.monotonic() < ends, left
        assert set(listed.loc[listed["state"] == "unknown", "client_order_id"]) <= {i.key for i in left}
    truth, intents = venue.truth(), desk_of(client).journal.intents()
    assert all(len(found) == 1 for found in truth.values()), "doubled"
    assert set(truth) <= set(intents), "an order that the journal does not know"
    for key, intent in intents.items():
        assert (intent.state == "ACKED") == (key in truth), (intent, "lost or invented")
    resting = {
        order.order_id for found in truth.values() for order in found if order.status == "resting"
    }
    assert set(listed.index) == resting
    assert set(listed["placed_by"]) <= {"earlier session"}


@pytest.mark.parametrize("point", ["prepared", "half a line", "journal", "send", "answer", "ack"])
@pytest.mark.parametrize("fault", ["", "reject_then:hang", "late_commit:hang"])
def test_killed_at_a_named_point(venue: Venue, point: str, fault: str) -> None:
    if fault:
        details = {"after": 3.0} if "late" in fault else {}
        venue.sandbox.faults.add(fault, "POST /portfolio/events/orders", **details)
    killed = venue.start(point)
    _, errors = killed.communicate(timeout=60)
    assert killed.returncode == -signal.SIGKILL, errors
    assert venue.sandbox.faults.wait(10)
    sent = any(row.method == "POST" for row in venue.sandbox.truth.requests)
    assert sent == (point not in ("prepared", "half a line", "journal"))
    account_for(venue)


def test_killed_at_random_instants(venue: Venue) -> None:
    rng = random.Random(11)
    told: set[str] = set()
    for number in range(8):
        running = venue.start("none", number)
        assert running.stdout is not None
        time.sleep(rng.uniform(0.0, 0.12))  # the instant of its death is drawn
        running.send_signal(signal.SIGKILL)
        out, _ = running.communicate(timeout=20)
        told |= {json.loads(line)[0] for line in out.splitlines() if line.endswith("]")} - {""}
    assert told
    assert told <= set(venue.truth())
    account_for(venue)


def test_two_processes_on_one_journal(venue: Venue) -> None:
    running = [venue.start("none", number) for number in (1, 2)]
    ends = time.monotonic() + 40
    while len(venue.truth()) < 40:
        assert time.monotonic() < ends
    for process in running:
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=20)
    account_for(venue)


@pytest.mark.timeout(120, method="thread")  # the alarm is in use here
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # sockets left half made
def test_interrupted_at_two_hundred_instants_of_one_submit(venue: Venue) -> None:
    """Ctrl-C anywhere: it is raised again, the journal is right, and the kernel goes on."""
    client = venue.client()
    venue.sandbox.faults.add("delay:before", "POST /portfolio/events/orders", times=None, seconds=0.1)
    kr.create_order(client, TICKER, quantity=1, price="0.01")
    began = time.perf_counter()
    kr.create_order(client, TICKER, quantity=1, price="0.01")
    usual = (time.perf_counter() - began) * 1.1
    main, interrupted, answers = threading.main_thread(), 0, 0
    assert main is threading.current_thread()
    before = signal.getsignal(signal.SIGALRM)

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGALRM, interrupt)
    try:
        for number in range(200):
            try:
                signal.setitimer(signal.ITIMER_REAL, max(1e-5, usual * (number + 1) / 200))
                try:
                    kr.create_order(client, TICKER, quantity=f"{number + 2}", price="0.02")
                finally:
                    signal.setitimer(signal.ITIMER_REAL, 0)
                answers += 1
            except KeyboardInterrupt:
                interrupted += 1
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert interrupted >= 100, (interrupted, answers)
    assert kr.create_order(client, TICKER, quantity=1, price="0.03").state == "resting"
    ends = time.monotonic() + 30
    while desk_of(client).journal.open_intents():
        kr.get_open_orders(client)
        assert time.monotonic() < ends, desk_of(client).journal.open_intents()
    truth, intents = venue.truth(), desk_of(client).journal.intents()
    assert all(len(found) == 1 for found in truth.values())
    for key, intent in intents.items():
        assert (intent.state == "ACKED") == (key in truth), intent
    assert set(truth) <= set(intents)


def test_an_interrupted_order_is_shown_as_unknown_and_resolves(venue: Venue, monkeypatch) -> None:
    client = venue.client()
    kr.create_order(client, TICKER, quantity=1, price="0.01")
    real = client.request

    def interrupted(method: str, path: str, **more: Any) -> Any:
        answer = real(method, path, **more)
        if method == "POST":
            raise KeyboardInterrupt
        return answer

    with monkeypatch.context() as patch:
        patch.setattr(client, "request", interrupted)
        with pytest.raises(KeyboardInterrupt):
            kr.create_order(client, TICKER, quantity=2, price="0.02")
    (left,) = desk_of(client).journal.open_intents()
    assert left.state == "SENT"
    with pytest.raises(KalshiError, match="was placed after all"):
        kr.create_order(client, TICKER, quantity=2, price="0.02")
    assert desk_of(client).journal.open_intents() == []
    assert len(venue.truth()) == 2
