"""The soak of streams: random faults against the frames of twenty busy markets.

Each script draws one to four faults of all kinds of the stream and lets 1,000 changes of books and
more pass through them. Every book that is live is compared, after each message and in between, with
what the sandbox's engine held at its clock. Afterwards every book has to be live and true again, with
one subscription for each market.

Some faults are lies that nobody can see in a frame, such as a change that was never numbered: there
the books have until the next audits to be true again; these times are measured, and bounded.

Run ``python tests/soak/streams.py --help``; ``--full`` is the form of 200 scripts. A long one may be
done in parts, with ``--first`` and ``--into FILE``; ``--sum FILE`` prints them together.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import threading
import time
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, TypeAlias

import kalshi_research as kr
from kalshi_research.sandbox.engine import BookDelta, Rejection
from kalshi_research.sandbox.stream import StreamOptions as VenueOptions
from kalshi_research.sandbox.stream import hub as hubs_of_the_sandbox
from kalshi_research.streaming.options import StreamOptions

DELTA, SNAPSHOT = "WS /orderbook_delta", "WS /orderbook_snapshot"
MARKETS = 20
DEADLINE = 20.0
"""For the end of a script [s]; a busy machine is slow."""

FAST = StreamOptions(
    connect_timeout=3.0,
    close_timeout=0.5,
    stale_after=0.5,
    dead_after=1.0,
    backoff=0.02,
    most_backoff=0.1,
    stable_after=0.5,
    command_timeout=0.4,
    command_rate=2_000.0,
    repair_timeout=0.15,
    audit_every=0.25,
    tick=0.01,
)

# Kind, places, and whether the frames still tell no more than the truth.
FRAME = ("drop", "duplicate", "hold", "truncated", "garbage", "binary", "huge")
REPLIES = ("WS /subscribed", "WS /ok")
Kinds: TypeAlias = Sequence[tuple[str, tuple[str, ...]]]
KINDS: Kinds = [
    *((f"frame:{variant}", (DELTA, DELTA, DELTA, SNAPSHOT, *REPLIES)) for variant in FRAME),
    ("frame:lose", (DELTA, SNAPSHOT)),
    *((f"seq:{variant}", (DELTA, SNAPSHOT)) for variant in ("reset", "skip", "repeat")),
    ("sid:other", (DELTA, SNAPSHOT)),
    *((f"level:{variant}", (DELTA,)) for variant in ("negative", "unknown_market", "spelling", "side")),
    ("snapshot:again", (DELTA,)),
    ("snapshot:empty", (DELTA,)),
    ("snapshot:race", (SNAPSHOT,)),
    ("clock:back", (DELTA, SNAPSHOT)),
    ("clock:none", (DELTA, SNAPSHOT)),
    *((f"stream_error:{code}", (DELTA,)) for code in (10, 17, 18, 25, 26, 27, 99)),
    *((f"link:{variant}", (DELTA, SNAPSHOT)) for variant in ("silent", "deaf", "close", "FIN", "RST")),
    # 401 and 403 end a stream for good, as they should.
    *((f"upgrade:{how}", ("WS /connect",)) for how in ("429", "503", "hang", "RST")),
]
LIES = {
    ("frame:lose", DELTA), ("level:unknown_market", DELTA), ("level:side", DELTA),
    ("snapshot:empty", DELTA), ("clock:back", SNAPSHOT), ("clock:back", DELTA),
    ("clock:none", DELTA), ("clock:none", SNAPSHOT),
}  # fmt: skip
UNSEEN = {"link:silent", "link:deaf", "upgrade:hang"}
"""Nothing comes that shows them: only a timer does, after a second here."""
CLOSE_CODES = (1000, 1001, 1008, 1009, 1011, 1012, 1013)

Levels = tuple[tuple[tuple[int, int], ...], tuple[tuple[int, int], ...]]


class Oracle:
    """Every state that the books of the engine have been in."""

    def __init__(self, sandbox: Any, markets: Sequence[str]) -> None:
        self._floor = sandbox.floor
        self.changes = 0
        self._now: dict[str, tuple[dict[int, int], dict[int, int]]] = {}
        self._clocks: dict[str, list[int]] = {}
        self._states: dict[str, list[list[Levels]]] = {}
        self._markets = tuple(markets)
        self._floor.call(self._begin, *markets)
        self._floor.listen(self._hear)

    def _begin(self, engine: Any) -> None:
        for ticker in self._markets:
            view = engine.book(ticker)
            self._now[ticker] = (dict(view.yes), dict(view.no))
            self._clocks[ticker] = [0]
            self._states[ticker] = [[self._levels(ticker)]]

    def _levels(self, ticker: str) -> Levels:
        yes, no = self._now[ticker]
        asks = sorted((10_000 - price, count) for price, count in no.items())
        return tuple(sorted(yes.items(), reverse=True)), tuple(asks)

    def forget(self) -> None:
        """Keep the present only; nothing may happen meanwhile."""
        with self._floor.held():
            for ticker in self._markets:
                self._clocks[ticker] = self._clocks[ticker][-1:]
                self._states[ticker] = [self._states[ticker][-1][-1:]]

    def _hear(self, events: Sequence[Any]) -> None:
        for event in events:
            if isinstance(event, BookDelta) and event.ticker in self._now:
                self.changes += 1
                leg = self._now[event.ticker][event.side == "no"]
                left = leg.pop(event.price, 0) + event.delta
                if left:
                    leg[event.price] = left
                clocks, states = self._clocks[event.ticker], self._states[event.ticker]
                if clocks[-1] != event.clock:
                    clocks.append(event.clock)
                    states.append([])
                states[-1].append(self._levels(event.ticker))

    def held(self, ticker: str, clock: int, levels: Levels) -> bool:
        """Whether the book was so at a clock; an action of several changes has several states."""
        at = bisect_right(self._clocks[ticker], clock) - 1
        return at >= 0 and levels in self._states[ticker][at]

    def is_now(self, ticker: str, levels: Levels) -> bool:
        return levels == self._states[ticker][-1][-1]


def plain(found: Any) -> Levels:
    return tuple(found[0]), tuple(found[1])


@dataclass
class Found:
    """What one or all scripts came to."""

    scripts: int = 0
    messages: int = 0
    changes: int = 0
    checks: int = 0
    violations: list[str] = field(default_factory=list)
    lies: int = 0
    deceived: list[float] = field(default_factory=list)
    unsettled: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    recoveries: list[tuple[str, float]] = field(default_factory=list)
    endings: list[float] = field(default_factory=list)
    bites: Counter[str] = field(default_factory=Counter)
    counts: Counter[str] = field(default_factory=Counter)

    @property
    def bad(self) -> int:
        return len(self.violations) + len(self.unsettled) + len(self.doubled)

    def add(self, other: Found) -> None:
        """Take in what another part came to."""
        for name in (each.name for each in fields(self)):
            mine, theirs = getattr(self, name), getattr(other, name)
            if isinstance(mine, Counter):
                mine.update(theirs)
            else:
                setattr(self, name, mine + theirs)

    def report(self) -> dict[str, Any]:
        return {
            "scripts": self.scripts,
            "messages": self.messages,
            "changes": self.changes,
            "checks": self.checks,
            "violations": len(self.violations),
            "unsettled": len(self.unsettled),
            "doubled": len(self.doubled),
            "examples": (self.violations + self.unsettled + self.doubled)[:12],
            "bites": sum(self.bites.values()),
            "kinds": dict(sorted(self.bites.items())),
            "recovery_s": quantiles([each for _, each in self.recoveries]),
            "recovery_when_seen_s": quantiles(
                [each for name, each in self.recoveries if name.split()[0] not in UNSEEN]
            ),
            "recovery_by_kind_s": {
                name: quantiles(
                    [each for label, each in self.recoveries if label.split(" @")[0] == name]
                )
                for name in sorted({label.split(" @")[0] for label, _ in self.recoveries})
            },
            "lies": self.lies,
            "deceived_s": quantiles(self.deceived),
            "ending_s": quantiles(self.endings),
            **self.counts,
            "load": [round(each, 1) for each in os.getloadavg()],
        }


def label(bite: Any, options: StreamOptions) -> str:
    """What a table calls it."""
    kind, place = bite.rule.kind, bite.place.removeprefix("WS /")
    if kind == "link:close":
        kind += f" {bite.rule.details['code']}"
    elif kind == "frame:huge":
        kind += " refused" if options.largest_frame < bite.rule.details["bytes"] else " taken"
    return f"{kind} @ {place}"


def quantiles(times: list[float]) -> dict[str, float]:
    ranked = sorted(times)
    if not ranked:
        return {"n": 0}
    at = {name: ranked[min(int(len(ranked) * share), len(ranked) - 1)] for name, share in SHARES}
    return {"n": len(ranked), **{name: round(value, 3) for name, value in at.items()}}


SHARES = (("p50", 0.5), ("p99", 0.99), ("max", 1.0))


class Checker:
    """Compares live books with the truth, after each message and in between."""

    def __init__(
        self, live: Any, oracle: Oracle, faults: Any, markets: Sequence[str], script: str
    ) -> None:
        self.live, self.oracle, self.faults = live, oracle, faults
        self.markets, self.script = markets, script
        self.checks = 0
        self.violations: list[str] = []
        self.deceived: list[float] = []
        self.line: list[tuple[float, bool]] = []
        self._wrong: dict[str, float] = {}
        self._stop = threading.Event()
        self._untap = live._engine.tap(self._tapped, lambda number, reason: None)
        self._thread = threading.Thread(target=self._sample)
        self._thread.start()

    def close(self) -> None:
        self._untap()
        self._stop.set()
        self._thread.join()

    def _tapped(self, number: int, text: bytes, book: Any) -> None:
        del number, text
        if book is not None:
            self._check(book)

    def _sample(self) -> None:
        engine = self.live._engine
        while not self._stop.wait(0.005):
            with engine.lock:
                books = [engine.book(ticker)[0] for ticker in self.markets]
                self.line.append((time.time(), all(book.status == "live" for book in books)))
                for book in books:
                    self._check(book)

    def _check(self, book: Any) -> None:
        """Under the lock of the stream."""
        if book.status != "live":
            self._healed(book.ticker)
            return
        self.checks += 1
        levels = plain(book.levels())
        if self.oracle.held(book.ticker, book.clock, levels):
            self._healed(book.ticker)
        elif book.ticker not in self._wrong:
            if not self._was_lied_to(book.ticker):
                said = f"{self.script}: {book.ticker} at {book.clock} is live and not the true one"
                self.violations.append(f"{said}; after {self._told()}"[:1200])
            self._wrong[book.ticker] = time.time()

    def _told(self) -> str:
        """The faults until now, shortly."""
        return (
            "; ".join(
                f"{bite.rule.kind} {bite.place} #{bite.call}: {bite.text[:300].strip()}"
                for bite in self.faults.fired[:-3:-1]
            )
            + f" (of {Counter(bite.rule.kind for bite in self.faults.fired)})"
        )

    def _healed(self, ticker: str) -> None:
        since = self._wrong.pop(ticker, None)
        if since is not None:
            self.deceived.append(time.time() - since)

    def _was_lied_to(self, ticker: str) -> bool:
        return any(
            (bite.rule.kind, bite.place) in LIES and f'"{ticker}"' in bite.text
            for bite in self.faults.fired
        )

    def recoveries(self, options: StreamOptions) -> list[tuple[str, float]]:
        """From a bite until all books were live again, where one was not."""
        found, times = [], [moment for moment, _ in self.line]
        for bite in self.faults.fired:
            at = bisect_right(times, bite.at)
            fell = next((n for n in range(at, len(times)) if not self.line[n][1]), None)
            if fell is None or times[fell] - bite.at > 2.5:
                continue
            rose = next((n for n in range(fell, len(times)) if self.line[n][1]), None)
            if rose is not None:
                found.append((label(bite, options), times[rose] - bite.at))
        return found


class Soak:
    """Scripts on one sandbox.

    Parameters
    ----------
    dialect : {"2026", "2025"}
    changes : int
        At least so many changes of books in each script.
    """

    def __init__(
        self, sandbox: Any, hubs: list[Any], *, changes: int = 1000, markets: int = MARKETS
    ) -> None:
        self.sandbox, self.hubs, self.changes = sandbox, hubs, changes
        self.kinds: Kinds = KINDS
        self.faults = sandbox.faults
        self.faults.scale = 1 / 60
        key_id, key = sandbox.credentials(0)
        self.client = kr.connect(
            sandbox.url.removesuffix("/trade-api/v2"), key_id=key_id, private_key=key
        )
        chosen = kr.get_markets(self.client, status="open")
        self.markets = list(chosen.index[chosen.index.str.startswith("KXHIGH")][:markets])
        assert len(self.markets) == markets
        self.oracle = Oracle(sandbox, self.markets)
        self.user = sandbox._exchange.accounts[1].user_id
        sandbox.floor.call(lambda engine: engine.deposit(self.user, 10**15))
        self.found = Found()

    def script(self, name: str) -> None:
        """One script; its name is its seed."""
        rng = random.Random(name)
        found = self.found
        self.faults.clear()
        self.oracle.forget()
        before = self.oracle.changes
        channels = rng.choice((("books",), ("books",), ("books", "trades")))
        # In half of the scripts a huge frame is more than the client takes.
        options = replace(FAST, largest_frame=rng.choice((64 << 20, 1 << 20)))
        with kr.stream(
            self.client, self.markets, channels, connections=rng.choice((1, 1, 2)), options=options
        ) as live:
            live.wait(timeout=DEADLINE)
            checker = Checker(live, self.oracle, self.faults, self.markets, name)
            try:
                rules = [self._draw(rng) for _ in range(rng.randint(1, 4))]
                self._trade(rng, before + self.changes)
                for rule in self.faults.rules:
                    self.faults.remove(rule)
                self._settle(live, name, [rule.kind for rule in rules])
            finally:
                checker.close()
            found.messages += live.health.messages
            for each in ("gaps", "repairs", "renewals", "mismatches", "reconnects", "unreadable"):
                found.counts[each] += getattr(live.health, each)
        found.scripts += 1
        found.changes += self.oracle.changes - before
        found.checks += checker.checks
        found.violations += checker.violations
        found.deceived += checker.deceived
        found.recoveries += checker.recoveries(options)
        for bite in self.faults.fired:
            found.bites[label(bite, options)] += 1
            found.lies += (bite.rule.kind, bite.place) in LIES
        self._clean()

    def _draw(self, rng: random.Random) -> Any:
        kind, places = rng.choice(self.kinds)
        place = rng.choice(places)
        details: dict[str, Any] = {}
        if kind == "frame:hold":
            details["frames"] = rng.randint(1, 5)
        if kind == "link:close":
            details["code"] = rng.choice(CLOSE_CODES)
        if kind == "clock:back":
            details["by"] = rng.choice((1, 30, 1000))
        if place in (*REPLIES, "WS /connect"):  # met by a new connection only
            self.faults.add("link:RST", DELTA, nth=rng.randrange(50, 400))
        nth = rng.randrange(1, 900) if place == DELTA else rng.randrange(1, 40)
        nth = 1 if place in (*REPLIES, "WS /connect") else nth
        return self.faults.add(
            kind, place, nth=nth, times=rng.choice((1, 1, 2, 5)), seed=rng.randrange(10**6), **details
        )

    def _trade(self, rng: random.Random, until: int) -> None:
        """Random orders in all markets until so many changes were made."""
        resting: list[str] = []

        def act(engine: Any) -> None:
            for _ in range(rng.randint(1, 20)):
                try:
                    if resting and rng.random() < 0.4:
                        engine.cancel(self.user, resting.pop(rng.randrange(len(resting))))
                        continue
                    placed = engine.submit(
                        self.user, rng.choice(self.markets), rng.choice(("bid", "ask")),
                        rng.randint(2, 98) * 100, rng.randint(1, 900) * rng.choice((1, 100)),
                        self_trade="maker",
                    )  # fmt: skip
                    resting.append(placed.order.order_id)
                except Rejection:  # a filled order cannot be cancelled
                    continue

        pacing = threading.Event()
        deadline = time.monotonic() + 60
        while self.oracle.changes < until:
            assert time.monotonic() < deadline, "orders change no books"
            self.sandbox.floor.call(act)
            pacing.wait(rng.choice((0.0, 0.01, 0.03)))

    def _clean(self) -> None:
        self.faults.clear()
        self.sandbox.floor.call(lambda engine: engine.cancel_all(self.user))

    # The end of a script

    def _settle(self, live: Any, name: str, kinds: list[str]) -> None:
        began = time.monotonic()
        pacing = threading.Event()
        left = self._not_yet(live)
        while left and time.monotonic() < began + DEADLINE:
            pacing.wait(0.005)
            left = self._not_yet(live)
        self.found.endings.append(time.monotonic() - began)
        if left:
            self.found.unsettled.append(f"{name} ({', '.join(kinds)}): {left}"[:400])
            return
        held = self._subscribed()
        while held != dict.fromkeys(self.markets, 1) and time.monotonic() < began + DEADLINE:
            pacing.wait(0.005)
            held = self._subscribed()
        if held != dict.fromkeys(self.markets, 1):
            self.found.doubled.append(f"{name} ({', '.join(kinds)}): {dict(held)}"[:400])

    def _not_yet(self, live: Any) -> str:
        """Which book is not live and true now, if one is not."""
        if live._engine.error is not None:
            return f"the stream has ended: {live._engine.error}"
        with live._engine.lock:
            for ticker in self.markets:
                book = live._engine.book(ticker)[0]
                if book.status != "live":
                    return f"{ticker} is {book.status}: {book.reason}"
                if not self.oracle.is_now(ticker, plain(book.levels())):
                    return f"{ticker} is not as the engine has it"
        return ""

    def _subscribed(self) -> dict[str, int]:
        """How often each market's book is subscribed to, as the exchange has it."""
        found: Counter[str] = Counter()
        for hub in self.hubs:
            for session in list(hub._sessions):
                for subscription in list(session._subscriptions.values()):
                    if subscription.channel.name in ("orderbook_delta", "orderbook"):
                        found.update(list(subscription.tickers or ()))
        return dict(found)


def soak(
    scripts: int,
    *,
    seed: int = 0,
    changes: int = 1000,
    only: str = "",
    kinds: Kinds = KINDS,
    told: Callable[[str], object] = lambda text: None,
    budget: float = float("inf"),
    first: int = 0,
    into: Path | None = None,
) -> dict[str, Any]:
    """Run scripts on a sandbox of their own; `only` names one that is to be run again."""
    hubs: list[Any] = []

    class Known(hubs_of_the_sandbox.Hub):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            hubs.append(self)

    original, hubs_of_the_sandbox.Hub = hubs_of_the_sandbox.Hub, Known  # type: ignore[misc]
    began = time.monotonic()
    try:
        # Odd seeds: a new subscription gets the number of one that has ended.
        venue = VenueOptions(heartbeat=0.1, reuse_sids=bool(seed % 2))
        with kr.start_sandbox(days=1, crypto_hours=1, users=2, stream=venue) as sandbox:
            run = Soak(sandbox, hubs, changes=changes)
            run.kinds = kinds
            for name in [only] if only else [f"{seed}/{first + at}" for at in range(scripts)]:
                if time.monotonic() - began > budget:
                    break
                run.script(name)
                told(f"{name}: {run.found.bad} bad, {time.monotonic() - began:.0f} s")
            found = run.found
    finally:
        hubs_of_the_sandbox.Hub = original  # type: ignore[misc]
    if into is not None:
        with into.open("a", encoding="utf-8") as file:
            file.write(json.dumps(vars(found)) + "\n")
    return {"seed": seed, **found.report(), "seconds": round(time.monotonic() - began, 1)}


def total(path: Path) -> dict[str, Any]:
    """What the parts in a file came to together."""
    found = Found()
    for line in path.read_text(encoding="utf-8").splitlines():
        part = json.loads(line)
        part["bites"], part["counts"] = Counter(part["bites"]), Counter(part["counts"])
        found.add(Found(**part))
    return found.report()


def main() -> int:
    """From the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scripts", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--changes", type=int, default=1000)
    parser.add_argument("--only", default="", help="the name of one script, such as 0/17")
    parser.add_argument("--budget", type=float, default=float("inf"), help="begin none after [s]")
    parser.add_argument("--full", action="store_true", help="200 scripts")
    parser.add_argument("--first", type=int, default=0, help="number of the first script")
    parser.add_argument("--into", type=Path, help="append what this part came to")
    parser.add_argument("--sum", type=Path, help="only print what the parts in this file came to")
    chosen = parser.parse_args()
    if chosen.sum is not None:
        sys.stdout.write(json.dumps(total(chosen.sum), indent=1) + "\n")
        return 0
    found = soak(
        200 if chosen.full else chosen.scripts,
        seed=chosen.seed,
        changes=chosen.changes,
        only=chosen.only,
        told=lambda text: sys.stderr.write(text + "\n"),
        budget=chosen.budget,
        first=chosen.first,
        into=chosen.into,
    )
    sys.stdout.write(json.dumps(found, indent=1) + "\n")
    return 1 if found["violations"] or found["unsettled"] or found["doubled"] else 0


if __name__ == "__main__":
    sys.exit(main())
