"""The soak of ends: a client is killed, again and again, while it places orders.

At instants that are drawn, and at every named point of a submit: written down, half a line written,
announced, sent, answered, acknowledged. After each the next session accounts for everything, and what
its journal says is compared with what the engine of the sandbox holds.

Run ``python tests/soak/kills.py --help``.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from collections import Counter
from pathlib import Path
from typing import Any, Self

import kalshi_research as kr
from kalshi_research.errors import OpenOrdersWarning
from kalshi_research.sandbox import Sandbox
from kalshi_research.trading import Pace, desk
from kalshi_research.trading.desk import desk_of

TICKER = "KXHIGHNY-26NOV21-B44.5"
ORDERS = "/portfolio/events/orders"
PACE = {"settle_margin": 20.0, "patience": 60.0, "scale": 1 / 40}
POINTS = ("prepared", "half a line", "journal", "send", "answer", "ack")
UNSENT = ("prepared", "half a line", "journal")
FAULTS = ("", "reject_then:hang", "late_commit:hang")

# A process that has everything loaded and makes a client of itself on demand, as a copy of itself: so
# a death costs some hundredths of a second. What is patched is patched here; the library has no hooks.
NURSERY = """
import json, os, signal, sys, time, warnings
import pandas
import kalshi_research as kr
from kalshi_research.errors import KalshiError
from kalshi_research.client import calls, transport
from kalshi_research.trading import Pace, accounting, desk, listing, orders
from kalshi_research.trading import journal as journals
from kalshi_research.trading.desk import desk_of
warnings.simplefilter("ignore")

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

def arrange(point):
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

def live(folder, url, key_id, key_file, point, number):
    os.environ["KALSHI_RESEARCH_JOURNAL"] = folder
    client = kr.connect(url, key_id=key_id, private_key=key_file)
    desk_of(client).pace = Pace(settle_margin=20.0, patience=60.0, scale=1 / 40)
    kr.get_open_orders(client)
    print("ready", flush=True)
    arrange(point)
    for n in range(1000):
        try:
            size = f"{n + 1}.{number % 100:02d}"
            price = f"0.0{1 + number // 100 % 3}"
            made = kr.create_order(client, "KXHIGHNY-26NOV21-B44.5", quantity=size, price=price)
            print(json.dumps([made.client_order_id, made.state]), flush=True)
        except KalshiError as error:
            print(json.dumps(["", type(error).__name__]), flush=True)

for line in sys.stdin:
    told, args = json.loads(line)
    child = os.fork()
    if not child:
        out = os.open(told, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(out, 1); os.dup2(out, 2)
        try:
            live(*args)
        finally:
            os._exit(1)
    print(child, flush=True)
    print(os.waitpid(child, 0)[1], flush=True)
"""


class Nursery:
    """Makes clients in processes of their own, one at a time."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._count = folder, 0
        self._process = subprocess.Popen(
            [sys.executable, "-c", NURSERY], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()
        assert self._process.wait(20) == 0

    def start(self, *args: Any) -> Client:
        """Have a client live; return when it begins to place orders."""
        assert self._process.stdin is not None
        self._count += 1
        told = self._folder / f"told-{os.getpid()}-{id(self)}-{self._count}"
        self._process.stdin.write(json.dumps([os.fspath(told), args]) + "\n")
        self._process.stdin.flush()
        client = Client(int(self._line()), told, self)
        ends = time.monotonic() + 30
        while not client.lines():
            assert time.monotonic() < ends, "it does not come up"
            time.sleep(0.002)
        assert client.lines()[0] == "ready", client.lines()
        return client

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()


class Client:
    """A client in a process of its own."""

    def __init__(self, pid: int, told: Path, nursery: Nursery) -> None:
        self._pid, self._told, self._nursery = pid, told, nursery

    def lines(self) -> list[str]:
        """What it has said, whole lines."""
        text = self._told.read_text() if self._told.exists() else ""
        return text[: text.rfind("\n") + 1].splitlines()

    def kill(self) -> None:
        """As the system does when it runs out of memory."""
        os.kill(self._pid, signal.SIGKILL)

    def wait(self) -> int:
        """How it ended: minus the signal, or its exit code."""
        status = int(self._nursery._line())
        return -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)

    def placed(self) -> set[str]:
        """The client order ids of orders that it was told were placed."""
        return {json.loads(line)[0] for line in self.lines()[1:]} - {""}


class Site:
    """One user of a sandbox, and a folder for the journal."""

    def __init__(self, sandbox: Sandbox, user: int, folder: Path) -> None:
        self.sandbox, self.user, self.folder = sandbox, user, folder
        self.key_id, _ = sandbox.credentials(user)
        self.key_file = sandbox.key_file(user)
        self.url = sandbox.url.removesuffix("/trade-api/v2")
        sandbox.faults.scale = 1 / 40

    def args(self, point: str = "none", number: int = 0) -> tuple[Any, ...]:
        """Of a client here."""
        folder = os.fspath(self.folder)
        return (folder, self.url, self.key_id, os.fspath(self.key_file), point, number)

    def client(self) -> kr.Client:
        """A client of a new session in this process."""
        for journal in desk._journals.values():
            journal.close()
        desk._journals.clear()
        client = kr.connect(self.url, key_id=self.key_id, private_key=self.key_file)
        desk_of(client).pace = Pace(**PACE)
        return client

    def truth(self) -> dict[str, list[Any]]:
        """The orders of the user, as the engine has them."""
        found: dict[str, list[Any]] = {}
        for order in self.sandbox.truth.orders(self.user):
            found.setdefault(order.client_order_id, []).append(order)
        return found

    def account(self) -> tuple[float, Counter[str]]:
        """A new session accounts for everything; its time, and how the intents ended.

        Fails unless its journal says what the engine has, and its list shows what rests.
        """
        client, begun = self.client(), time.monotonic()
        while True:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", OpenOrdersWarning)
                listed = kr.get_open_orders(client)
            left = desk_of(client).journal.open_intents()
            if not left:
                break
            assert time.monotonic() < begun + 30, left
            shown = listed.loc[listed["state"] == "unknown", "client_order_id"]
            assert set(shown) <= {intent.key for intent in left}
        took = time.monotonic() - begun
        truth, intents = self.truth(), desk_of(client).journal.intents()
        assert all(len(found) == 1 for found in truth.values()), "doubled"
        assert set(truth) <= set(intents), "an order that the journal does not know"
        for key, intent in intents.items():
            assert (intent.state == "ACKED") == (key in truth), (intent, "lost or invented")
        resting = {o.order_id for found in truth.values() for o in found if o.status == "resting"}
        assert set(listed.index) == resting
        assert set(listed["placed_by"]) <= {"earlier session"}
        client.close()
        return took, Counter(intent.state for intent in intents.values())


def kill_at_point(site: Site, nursery: Nursery, point: str, fault: str) -> tuple[float, Counter[str]]:
    """Kill a client at a named point, under a fault; how long the next session accounts for what."""
    faults, before = site.sandbox.faults, len(site.truth())
    rule = None
    if fault:
        details = {"after": 3.0} if "late" in fault else {}
        rule = faults.add(fault, f"POST {ORDERS}", **details)
    killed = nursery.start(*site.args(point))
    assert killed.wait() == -signal.SIGKILL, killed.lines()
    assert faults.wait(10)
    if rule is not None:
        assert rule.bites == (point not in UNSENT), "it was sent, or it was not"
        faults.remove(rule)
    elif point in UNSENT:
        assert len(site.truth()) == before
    return site.account()


def kill_at_points(folder: Path, times: int) -> list[dict[str, Any]]:
    """Kill clients at every named point, under each fault."""
    rows = []
    users = len(POINTS) * len(FAULTS) * times
    with Sandbox(days=2, crypto_hours=1, users=users) as sandbox, Nursery(folder) as nursery:
        for place, (point, fault) in enumerate((p, f) for p in POINTS for f in FAULTS):
            ended: Counter[str] = Counter()
            slowest = 0.0
            for user in range(place * times, (place + 1) * times):
                took, states = kill_at_point(Site(sandbox, user, folder), nursery, point, fault)
                slowest, ended = max(slowest, took), ended + states
            row = {"point": point, "fault": fault or "none", "kills": times}
            rows.append(row | dict(ended) | {"slowest account [s]": round(slowest, 2)})
    return rows


def kill_at_instants(site: Site, nursery: Nursery, times: int, rng: random.Random) -> set[str]:
    """Kill clients at instants that are drawn; the ids of orders that they were told were placed."""
    told: set[str] = set()
    for number in range(times):
        running = nursery.start(*site.args(number=number))
        few, ends = rng.randrange(4), time.monotonic() + 60
        while len(running.placed()) < few:
            assert time.monotonic() < ends, running.lines()
            time.sleep(0.001)
        time.sleep(rng.uniform(0.0, 0.04))  # the instant of its death is drawn
        running.kill()
        assert running.wait() == -signal.SIGKILL
        told |= running.placed()
    return told


def kill_at_random(folder: Path, times: int, seed: int) -> dict[str, Any]:
    """Kill clients at instants that are drawn; all on one journal."""
    with Sandbox(days=2, crypto_hours=1) as sandbox, Nursery(folder) as nursery:
        site = Site(sandbox, 0, folder)
        told = kill_at_instants(site, nursery, times, random.Random(seed))
        assert told <= set(site.truth()), "an order that a client was told of is not there"
        took, ended = site.account()
    about = {"kills": times, "seed": seed, "told placed": len(told), "account [s]": round(took, 2)}
    return about | dict(ended)


def _timed(client: kr.Client) -> float:
    begun = time.perf_counter()
    kr.create_order(client, TICKER, quantity=1, price="0.01")
    return time.perf_counter() - begun


def interrupt(site: Site, instants: int) -> dict[str, Any]:
    """Raise KeyboardInterrupt at instants of one submit, from its first to past its last.

    Fails unless the client goes on after each, and the journal says in the end what the engine has.
    """
    client = site.client()
    slow = site.sandbox.faults.add("delay:before", f"POST {ORDERS}", times=None, seconds=0.1)
    kr.create_order(client, TICKER, quantity=1, price="0.01")
    usual = 1.1 * min(_timed(client) for _ in range(5))
    journal, left, answered = desk_of(client).journal, Counter[str](), 0

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupted)
    try:
        for number in range(instants):
            known = set(journal.intents())
            try:
                signal.setitimer(signal.ITIMER_REAL, max(1e-5, usual * (number + 1) / instants))
                try:
                    kr.create_order(client, TICKER, quantity=f"{number + 2}", price="0.02")
                finally:
                    signal.setitimer(signal.ITIMER_REAL, 0)
                answered += 1
            except KeyboardInterrupt:
                new = [intent.state for key, intent in journal.intents().items() if key not in known]
                left[new[0] if new else "nothing"] += 1
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    site.sandbox.faults.remove(slow)
    assert kr.create_order(client, TICKER, quantity=1, price="0.03").state == "resting"
    ends = time.monotonic() + 30
    while journal.open_intents():
        kr.get_open_orders(client)
        assert time.monotonic() < ends, journal.open_intents()
    truth, intents = site.truth(), journal.intents()
    assert all(len(found) == 1 for found in truth.values()), "doubled"
    assert set(truth) <= set(intents), "an order that the journal does not know"
    for key, intent in intents.items():
        assert (intent.state == "ACKED") == (key in truth), (intent, "lost or invented")
    return {
        "instants": instants, "interrupted": sum(left.values()), "answered": answered,
        "left in the journal": dict(left),
        "ended": dict(Counter(intent.state for intent in intents.values())),
    }  # fmt: skip


def main() -> int:
    """From the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--random", type=int, default=200)
    parser.add_argument("--times", type=int, default=10, help="at each point, under each fault")
    parser.add_argument("--interrupts", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["KALSHI_RESEARCH_JOURNAL"] = folder
        if chosen.random:
            found = kill_at_random(Path(folder), chosen.random, chosen.seed)
            sys.stdout.write(json.dumps(found) + "\n")
        for row in kill_at_points(Path(folder), chosen.times) if chosen.times else []:
            sys.stdout.write(json.dumps(row) + "\n")
        if chosen.interrupts:
            with Sandbox(days=2, crypto_hours=1) as sandbox:
                found = interrupt(Site(sandbox, 0, Path(folder)), chosen.interrupts)
                sys.stdout.write(json.dumps(found) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
