"""The soak of orders: thousands of submits, amends, decreases and cancels, one fault each.

Every fault comes from the kinds K1–K9 of the fault plan: delays, accepted and rejected twins that
look the same, late commits, lagging and lying reads, every way of client order ids, fills that
cross, pauses, rate limits. Afterwards what the library said of every order is compared with what the
engine of the sandbox holds.

Run ``python tests/soak/orders.py --help``; ``--full`` is the form of 10,000.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

if __package__ in (None, ""):
    sys.path.insert(0, os.fspath(Path(__file__).resolve().parents[1]))

from soak.venue import TrueOrder, Venue

import kalshi_research as kr
from kalshi_research.errors import (
    InputError,
    KalshiError,
    OrderNotPlaced,
    OrderRejected,
    OrderUnknown,
)
from kalshi_research.trading import MarketRules, Pace
from kalshi_research.trading.desk import desk_of

ORDERS = "/portfolio/events/orders"
SHOWN = (
    "hang", "RST", "FIN", "408", "500", "502", "503", "504",
    "truncated", "schema", "empty", "other", "error",
)  # fmt: skip
TWINS = [f"{how}:{shown}" for shown in SHOWN for how in ("accept_then", "reject_then", "late_commit")]
REFUSED = [f"reject_then:{status}" for status in ("400", "401", "403", "409", "410", "429")]
SLOW = ["delay:before", "delay:after", "delay:body", "trickle", "then_close:FIN", "then_close:RST"]
LIMITED = [f"rate_limit:{form}" for form in ("absent", "0", "2.5", "date", "3600", "-1", "nan", "junk")]
CROSSING = ["fill:before", "fill:after", "fill:between"]
PAUSES = ["operate:pause_trading", "operate:pause_exchange"]
DEDUPE = ("forever", "open-only", "recent", "none", "return-original")


@dataclass
class Placed:
    """An order as the library says it is, and what may be true of it."""

    key: str
    order_id: str
    ticker: str
    price: int
    total: int
    state: str
    filled: int
    sure: bool = True


@dataclass
class Tally:
    """What was said, and what was found out."""

    said: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    ended: Counter[tuple[str, str]] = field(default_factory=Counter)
    creates: dict[str, str] = field(default_factory=dict)
    kinds: dict[str, str] = field(default_factory=dict)
    orders: dict[str, Placed] = field(default_factory=dict)
    unknown: list[OrderUnknown] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)


class Soak:
    """One run.

    Parameters
    ----------
    venue : Venue
        With a user for each way of client order ids.
    operations, threads, seed : int
    scale : float
        Of all waits, of the faults and of the library.
    spare : float
        Added to the margin of the library [s, scaled]: at one to thirty a machine that is late by
        hundredths of a second is late by seconds.
    """

    def __init__(
        self,
        venue: Venue,
        *,
        operations: int,
        threads: int = 8,
        seed: int = 0,
        scale: float = 1 / 30,
        spare: float | None = None,
    ) -> None:
        self.venue = venue
        self.operations = operations
        self.threads = threads
        self.seed = seed
        self.scale = scale
        self.spare = (5.0 if scale < 0.5 else 0.0) if spare is None else spare
        venue.scale(scale)
        self.clients = [
            kr.connect(venue.url, key_id=key_id, private_key=file) for key_id, file in venue.keys
        ]
        for client in self.clients:
            desk_of(client).pace = Pace(
                settle_margin=10.0 + self.spare, patience=30.0 + 2 * self.spare, scale=scale
            )
        self.client, self.desk = self.clients[0], desk_of(self.clients[0])
        self.tally = Tally()
        self.latest = 0.0
        markets = kr.get_markets(self.client, status="open")
        chosen = markets[markets.index.str.startswith("KXHIGH") & (markets.yes_ask > 0.06)]
        self.rules = [MarketRules.of(chosen.loc[ticker]) for ticker in chosen.index[: 3 * threads]]

    # One operation

    def run(self) -> dict[str, Any]:
        """Run all operations and judge."""
        began = time.monotonic()
        lag = self.venue.add("read_lag", "GET /portfolio/**", seconds=3.0, lie=1.0)
        each = self.operations // self.threads
        modes, spent = len(DEDUPE), []
        for part, mode in enumerate(DEDUPE):
            begun = time.monotonic()
            self.client = self.clients[part % len(self.clients)]
            self.desk = desk_of(self.client)
            rule = self.venue.add(f"dedupe:{mode}", seconds=60.0)
            share = each * (part + 1) // modes - each * part // modes
            with ThreadPoolExecutor(self.threads) as pool:
                work = [
                    pool.submit(self._work, number, share, f"{self.seed}/{mode}/{number}")
                    for number in range(self.threads)
                ]
                for done in work:
                    done.result()
            self.venue.remove(rule)
            spent.append(round(time.monotonic() - begun, 1))
        assert self.venue.wait_late(), "what is to be committed late is committed"
        self._measure_lateness()
        self.venue.remove(lag)
        left = self._resolve_rest()
        took = round(time.monotonic() - began, 1)
        return self._judge(left) | {
            "seconds": took,
            "seconds_by_mode": dict(zip(DEDUPE, spent, strict=True)),
        }

    def _measure_lateness(self) -> None:
        """How late orders were taken after their client had given up: five seconds, by the script."""
        moments = self.venue.committed()
        for client in self.clients:
            for key, gave_up in desk_of(client).gave_up.items():
                if key in moments and self.tally.kinds.get(key, "").startswith("late_commit"):
                    self.latest = max(self.latest, (moments[key] - gave_up) / self.scale)

    def _work(self, number: int, count: int, seed: str) -> None:
        rng = random.Random(seed)
        mine: list[Placed] = []
        for _ in range(count):
            resting = [order for order in mine if order.state in ("resting", "partial") and order.sure]
            act = rng.choices(("create", "amend", "decrease", "cancel"), (5, 2, 1, 2))[0]
            if act == "create" or not resting:
                # Every thread has markets of its own: an equal order of another would be blocked.
                own = [self.rules[place] for place in range(number, len(self.rules), self.threads)]
                self._create(rng, rng.choice(own), mine)
            else:
                self._change(rng, act, rng.choice(resting))

    def _fault(self, rng: random.Random, act: str) -> tuple[str, dict[str, Any]]:
        pools = [TWINS] * 6 + [REFUSED, SLOW, LIMITED] + ([CROSSING] * 2 if act != "create" else [])
        kind = rng.choice(rng.choice(pools))
        if rng.random() < 0.004:
            kind = rng.choice(PAUSES)
        details: dict[str, Any] = {"seed": rng.randrange(10**6)}
        if kind.startswith("delay"):
            details["seconds"] = rng.choice((0.5, 3.0, 12.0))
        if kind.startswith("fill"):
            details["counts"] = rng.choice(("0.01", "0.01,0.01", ""))
        if kind.startswith("operate"):
            details["lasts"] = 2.0
        if kind == "trickle":
            details["pause"] = 0.05
        return kind, details

    def _create(self, rng: random.Random, rules: MarketRules, mine: list[Placed]) -> None:
        force = rng.choices(("good_till_canceled", "immediate_or_cancel", "fill_or_kill"), (8, 2, 1))[0]
        ticket = kr.OrderTicket(
            rules.ticker,
            quantity=f"{rng.randrange(2, 400) / 100:.2f}",
            price=f"0.{rng.randrange(1, 5):02d}" if force == "good_till_canceled" else "0.99",
            time_in_force=force,
            now=self.desk.present,
        )
        ticket.load(rules)
        ticket.confirm()
        terms, key = ticket.terms(), ticket.client_order_id
        kind, details = self._fault(rng, "create")
        rule = self.venue.add(kind, f"POST {ORDERS}", where=key, **details)
        try:
            report = kr.create_order(self.client, ticket)
        except KalshiError as error:
            self._said("create", kind, error, key)
        else:
            self._said("create", kind, None, key, report.state)
            order = Placed(
                key, report.order_id, rules.ticker, terms.yes_price, terms.count, report.state,
                int((report.filled or 0) * 100),
            )  # fmt: skip
            mine.append(order)
            with self.tally.lock:
                self.tally.orders[key] = order
        finally:
            self.venue.remove(rule)

    def _change(self, rng: random.Random, act: str, order: Placed) -> None:
        kind, details = self._fault(rng, act)
        word = "DELETE" if act == "cancel" else "POST"
        tail = "" if act == "cancel" else f"/{act}"
        rule = self.venue.add(kind, f"{word} {ORDERS}/{order.order_id}{tail}", **details)
        price, total = order.price, order.total
        try:
            if act == "cancel":
                report = kr.cancel_order(self.client, order.order_id)
            elif act == "amend":
                price, total = rng.randrange(1, 5) * 100, order.total + rng.randrange(-50, 100)
                total = max(total, 2)
                report = kr.amend_order(
                    self.client,
                    order.order_id,
                    price=f"{price / 10000:.2f}",
                    quantity=f"{total / 100:.2f}",
                )
            else:
                report = kr.decrease_order(self.client, order.order_id, by="0.01")
                total = order.total - 1
        except InputError as error:  # smaller than what is filled, or finished by a fill
            self.tally.said[f"{act} refused here"] += 1
            self._look(order, error)
        except KalshiError as error:
            self._said(act, kind, error)
            if isinstance(error, OrderUnknown):
                order.sure = False
            else:
                self._look(order, error)
        else:
            self._said(act, kind, None, state=report.state)
            order.price, order.total, order.state = price, total, report.state
            order.filled = int((report.filled or 0) * 100)
        finally:
            self.venue.remove(rule)

    def _look(self, order: Placed, error: KalshiError) -> None:
        """After a refusal the order is as it was, unless a fill has finished it."""
        del error
        found = self.venue.orders(order.key)
        if len(found) == 1 and found[0].status != "resting":
            order.state, order.filled = found[0].status, found[0].filled

    def _said(
        self, act: str, kind: str, error: KalshiError | None, key: str = "", state: str = "done"
    ) -> None:
        names = {OrderRejected: "rejected", OrderNotPlaced: "not placed", OrderUnknown: "unknown"}
        word = state
        if error is not None:
            word = next(
                (word for cls, word in names.items() if isinstance(error, cls)), type(error).__name__
            )
        with self.tally.lock:
            self.tally.said[f"{act} {word}"] += 1
            self.tally.faults[kind] += 1
            self.tally.ended[kind, word] += 1
            if act == "create":
                self.tally.creates[key], self.tally.kinds[key] = word, kind
            if isinstance(error, OrderUnknown):
                self.tally.unknown.append(error)
            if len(str(error or "").splitlines()) > 3:
                self.tally.foreign.append(f"more than three lines: {error}")

    # Judging

    def _resolve_rest(self) -> list[OrderUnknown]:
        """What was unknown, once more, now that nothing goes wrong any more."""
        left = []
        for unknown in self.tally.unknown:
            try:
                report = unknown.resolve()
            except OrderUnknown as still:
                left.append(still)
            except KalshiError as error:
                if self.tally.creates.get(unknown.client_order_id) == "unknown":
                    self.tally.creates[unknown.client_order_id] = type(error).__name__
            else:
                if self.tally.creates.get(unknown.client_order_id) == "unknown":
                    self.tally.creates[unknown.client_order_id] = report.state
        return left

    def _judge(self, left: list[OrderUnknown]) -> dict[str, Any]:
        truth: dict[str, list[TrueOrder]] = {}
        for order in self.venue.orders():
            truth.setdefault(order.client_order_id, []).append(order)
        wrong: list[str] = []
        duplicates = [key for key, found in truth.items() if len(found) > 1]
        strangers = [key for key in truth if key not in self.tally.creates]
        placed = {"resting", "partial", "executed", "canceled"}
        for key, word in self.tally.creates.items():
            exists = key in truth
            if word != "unknown" and exists != (word in placed):
                shown = f"truth {'has' if exists else 'has not'} it ({self.tally.kinds[key]})"
                wrong.append(f"{key}: said {word}, {shown}")
        lost = [line for line in wrong if "truth has it" in line]
        wrong = [line for line in wrong if line not in lost]
        for placed_order in self.tally.orders.values():
            wrong += self._wrong_state(placed_order, truth.get(placed_order.key, []))
        for intent in [i for client in self.clients for i in desk_of(client).journal.open_intents()]:
            if not any(intent.note == u.known for u in left):
                wrong.append(f"{intent.key} ({intent.act}) is left open in the journal: {intent.note}")
        return {
            "seed": self.seed,
            "operations": self.operations,
            "threads": self.threads,
            "scale": round(self.scale, 4),
            "duplicates": len(duplicates),
            "lost": len(lost),
            "wrong": len(wrong),
            "strangers": len(strangers),
            "unknown_at_end": len(left),
            "unknown_meanwhile": len(self.tally.unknown),
            "examples": (duplicates + lost + wrong + strangers + self.tally.foreign)[:8],
            "messages": len(self.tally.foreign),
            "said": dict(sorted(self.tally.said.items())),
            "faults": len(self.tally.faults),
            "margin": 10.0 + self.spare,
            "latest_commit": round(self.latest, 2),
            "by_fault": self._by_fault(),
        }

    def _by_fault(self) -> dict[str, dict[str, int]]:
        """How operations ended, by family of faults."""
        found: dict[str, Counter[str]] = {}
        for (kind, word), times in self.tally.ended.items():
            found.setdefault(kind.partition(":")[0], Counter())[word] += times
        return {kind: dict(sorted(found[kind].items())) for kind in sorted(found)}

    def _wrong_state(self, order: Placed, found: list[TrueOrder]) -> list[str]:
        if len(found) != 1 or not order.sure:
            return []
        true = found[0]
        name = f"{order.key}: said {order.state} {order.filled}/{order.total} at {order.price}"
        shown = f"truth {true.status} {true.filled}+{true.remaining}/{true.initial} at {true.price}"
        if order.state in ("canceled", "executed"):
            same = (order.state, order.filled) == (true.status, true.filled)
            return [] if same else [f"{name}, {shown}"]
        if true.status == "executed":  # filled later
            return [] if true.filled == order.total else [f"{name}, {shown}"]
        same = (true.status, true.price, true.filled + true.remaining) == (
            "resting",
            order.price,
            order.total,
        )
        return [] if same else [f"{name}, {shown}"]


def soak(
    operations: int,
    *,
    threads: int = 8,
    seed: int = 0,
    scale: float = 1 / 30,
    spare: float | None = None,
) -> dict[str, Any]:
    """Run a soak on a sandbox of its own, whose time runs."""
    with Venue(days=2, crypto_hours=1, speed=1, users=len(DEDUPE)) as venue:
        return Soak(
            venue, operations=operations, threads=threads, seed=seed, scale=scale, spare=spare
        ).run()


def main() -> int:
    """From the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--operations", type=int, default=1000)
    parser.add_argument("--threads", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--scale", type=float, default=1 / 30)
    parser.add_argument("--spare", type=float, help="added to the margin of the library [s, scaled]")
    parser.add_argument("--full", action="store_true", help="10,000 operations")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["KALSHI_RESEARCH_JOURNAL"] = folder
        found = soak(
            10_000 if chosen.full else chosen.operations,
            threads=chosen.threads,
            seed=chosen.seed,
            scale=chosen.scale,
            spare=chosen.spare,
        )
    sys.stdout.write(json.dumps(found, indent=1) + "\n")
    bad = found["duplicates"] + found["lost"] + found["wrong"] + found["strangers"] + found["messages"]
    return 1 if bad or found["unknown_at_end"] > found["operations"] // 1000 else 0


if __name__ == "__main__":
    sys.exit(main())
