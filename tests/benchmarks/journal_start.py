"""How long the first trading call of a session takes, with much in its journal.

1,000 orders whose answers were lost are accounted for; and a journal of 100,000 settled orders is read,
folded once, and read again. ``python tests/benchmarks/journal_start.py`` prints what the time went
into; waits for the second look are not work, and are told apart.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
import uuid
import warnings
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import kalshi_research as kr
from kalshi_research.sandbox import Sandbox
from kalshi_research.trading import accounting, desk, evidence, reconcile, settling
from kalshi_research.trading.desk import desk_of
from kalshi_research.trading.journal import Intent, Journal
from kalshi_research.trading.places import journal_path
from kalshi_research.trading.terms import OrderTerms

OPEN, CLOSED = 1_000, 100_000


class Watch:
    """Seconds by what was done in them, and how often."""

    def __init__(self) -> None:
        self.seconds: Counter[str] = Counter()
        self.times: Counter[str] = Counter()

    def around(self, owner: Any, name: str, label: str) -> None:
        """Count the calls of a function."""
        real = getattr(owner, name)

        def watched(*args: Any, **more: Any) -> Any:
            begun = time.perf_counter()
            try:
                return real(*args, **more)
            finally:
                self.seconds[label] += time.perf_counter() - begun
                self.times[label] += 1

        setattr(owner, name, watched)

    def rows(self) -> dict[str, str]:
        """As text."""
        return {name: f"{s:.3f} s in {self.times[name]}" for name, s in self.seconds.most_common()}


@contextmanager
def session(sandbox: Sandbox) -> Any:
    """A client whose journal is read anew."""
    for journal in desk._journals.values():
        journal.close()
    desk._journals.clear()
    key_id, key = sandbox.credentials(0)
    with kr.connect(sandbox.url.removesuffix("/trade-api/v2"), key_id=key_id, private_key=key) as client:
        yield client


def terms(ticker: str, number: int) -> OrderTerms:
    return OrderTerms(ticker, "buy", "yes", 100 + 100 * (number % 3), 100 + number)


def lost_orders(sandbox: Sandbox, count: int, markets: int) -> dict[str, Any]:
    """Account for orders of a dead session: half of them rest, half were never taken."""
    watch = Watch()
    with session(sandbox) as client:
        path, now = journal_path(client), time.time()
        open_markets = kr.get_markets(client, status="open")
        tickers = open_markets[open_markets.yes_ask > 0.06].index[:markets].tolist()
        since = desk_of(client).observe().instant
    user = sandbox._exchange.accounts[0].user_id
    rows = []
    for number in range(count):
        key, wanted = str(uuid.uuid4()), terms(tickers[number % len(tickers)], number)
        rows.append(
            Intent(key, "create", "SENT", "dead", wanted.stored(), now - 60, until=now - 50, sends=1,
                   since=since)
        )  # fmt: skip
        if number % 2:
            sandbox.floor.call(
                lambda engine, w=wanted, k=key: engine.submit(
                    user, w.ticker, w.side, w.yes_price, w.count, client_order_id=k
                ),
                wanted.ticker,
            )
    journal = Journal(path)
    journal.write(*rows)
    journal.close()
    with session(sandbox) as client, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = desk_of(client)
        for owner in (reconcile, accounting, settling):
            watch.around(owner, "read_orders", "reading orders")
        watch.around(desk, "watermark", "asking how fresh reads are")
        watch.around(reconcile, "strange_fills", "reading fills")
        watch.around(evidence, "order_facts", "of these: decoding rows")
        watch.around(Journal, "settle", "writing the journal")
        watch.around(Journal, "_catch_up", "reading the journal")
        waited: list[float] = []
        made.pace = kr.trading.Pace(
            sleep=waited.append, monotonic=lambda: time.monotonic() + sum(waited)
        )
        begun = time.perf_counter()
        accounting.account(made)
        took = time.perf_counter() - begun
        states = Counter(
            i.state for i in made.journal.intents().values() if i.key in {r.key for r in rows}
        )
    return {
        "open intents": count, "markets": len(tickers), "work [s]": round(took, 3),
        "wait for the second look [s]": round(sum(waited), 3), "became": dict(states),
        "in": watch.rows(),
    }  # fmt: skip


def settled_orders(sandbox: Sandbox, count: int) -> list[dict[str, Any]]:
    """First calls with months in the journal: before it is folded, and after."""
    with session(sandbox) as client:
        path = journal_path(client)
    path.unlink(missing_ok=True)
    journal, old = Journal(path), time.time() - 90 * 86_400
    journal.session = "dead"
    for first in range(0, count, 1_000):
        rows = []
        for number in range(first, min(first + 1_000, count)):
            wanted, sent = terms("KXHIGHNY-26NOV21-B44.5", number), old + 77.0 * number
            base = (f"{number:08d}-0000-4000-8000-000000000000", "create")
            for state, order_id in (("PREPARED", ""), ("SENT", ""), ("ACKED", f"order-{number}")):
                rows.append(
                    Intent(*base, state, "dead", wanted.stored(), sent, order_id, "canceled", 0, 0, "",
                           sent + 10, 1, sent)
                )  # fmt: skip
        journal.write(*rows, durable=False)
    journal.close()
    found = []
    for which in ("first", "second"):
        size, begun = path.stat().st_size, time.perf_counter()
        with session(sandbox) as client, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            opened = desk_of(client).journal
            opened.intents()
            read = time.perf_counter() - begun
            begun = time.perf_counter()
            accounting.account(desk_of(client))
            took, kept = time.perf_counter() - begun, len(opened.intents())
        found.append(
            {
                "settled orders": count,
                "session": which,
                "megabytes": round(size / 1e6, 1),
                "reading [s]": round(read, 3),
                "accounting [s]": round(took, 3),
                "kept": kept,
            }
        )
    return found


def main() -> None:
    """From the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--open", type=int, default=OPEN)
    parser.add_argument("--closed", type=int, default=CLOSED)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, Sandbox(days=2, crypto_hours=1) as sandbox:
        os.environ["KALSHI_RESEARCH_JOURNAL"] = folder
        found: list[Any] = settled_orders(sandbox, chosen.closed)
        for markets in (1, 20):
            Path(folder, next(p.name for p in Path(folder).glob("*.jsonl"))).unlink()
            found.append(lost_orders(sandbox, chosen.open, markets))
        sys.stdout.write(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
