"""The quick form of the soak of streams: some scripts of random faults, and whether it would notice."""

from __future__ import annotations

import time
from typing import Any

import pytest
from soak.streams import DEADLINE, DELTA, FAST, KINDS, LIES, SNAPSHOT, Oracle, plain, soak

import kalshi_research as kr
from kalshi_research.sandbox.faults import kinds
from kalshi_research.sandbox.stream import StreamOptions as VenueOptions
from kalshi_research.streaming.options import StreamOptions
from kalshi_research.streaming.state import Session

NOTHING = {"violations": 0, "unsettled": 0, "doubled": 0}


@pytest.mark.timeout(300)
def test_live_books_are_true_ones_through_eight_scripts_of_faults() -> None:
    found = soak(8, seed=2026)
    assert {name: found[name] for name in NOTHING} == NOTHING, found
    assert found["scripts"] == 8
    assert found["changes"] >= 8_000
    assert found["checks"] > 8_000, "books are looked at after every message"
    assert found["bites"] >= 8, found
    # What no frame shows is found by the next comparison with a snapshot.
    assert found["deceived_s"].get("max", 0.0) < 10.0, found


@pytest.mark.timeout(300)
def test_a_client_that_passes_over_lost_frames_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The soak is worth nothing unless it finds this one."""

    def careless(self: Any, subscription: Any, frame: Any, holds: bool | None = None) -> bool:
        del self, holds
        subscription.next = frame[0] + 1
        return True

    monkeypatch.setattr(Session, "_in_step", careless)
    # One script may be mended by a comparison before the next change shows what is missing.
    found = soak(5, seed=1, kinds=[("frame:drop", ("WS /orderbook_delta",))])
    assert found["violations"] > 0


def test_the_soak_draws_every_fault_of_the_stream() -> None:
    every = {
        f"{name}:{variant}"
        for name, kind in kinds().items()
        if kind.plane == "stream"
        for variant in kind.variants
    }
    # These end a stream for good, or send it elsewhere.
    assert every - {kind for kind, _ in KINDS} == {"upgrade:401", "upgrade:403", "upgrade:redirect"}
    assert {kind for kind, _ in LIES} <= every


@pytest.mark.parametrize("book_change", ["orderbook_delta", "orderbook_update"])
def test_the_protocol_of_2025_is_followed_under_both_names(book_change: Any) -> None:
    venue = VenueOptions(dialect="2025", book_change=book_change, heartbeat=0.1)
    with kr.start_sandbox(dialect="2025", users=2, days=1, crypto_hours=1, stream=venue) as sandbox:
        client = kr.connect(sandbox)
        markets = list(kr.get_markets(client, status="open").index[:3])
        user = sandbox._exchange.accounts[1].user_id
        with kr.stream(client, markets, options=FAST) as live:
            live.wait(timeout=DEADLINE)
            for price in (100, 200, 300):
                for ticker in markets:
                    sandbox.floor.call(
                        lambda engine, ticker=ticker, price=price: engine.submit(
                            user, ticker, "bid", price, 100 * price, self_trade="maker"
                        )
                    )
            truth = {ticker: sandbox.truth.book(ticker) for ticker in markets}
            deadline = time.monotonic() + DEADLINE
            while not all(in_truth(live, ticker, *truth[ticker]) for ticker in markets):
                assert time.monotonic() < deadline, live.health
                time.sleep(0.005)
            assert (live.health.unknown, live.health.unreadable) == (0, 0)


def in_truth(live: Any, ticker: str, bids: dict[int, int], asks: dict[int, int]) -> bool:
    """Whether a book is live and in whole contracts what the engine has."""
    book = live._engine.book(ticker)[0].levels()
    if book is None:
        return False
    return [dict(side) for side in book] == [
        {price: count // 100 * 100 for price, count in side.items() if count >= 100}
        for side in (bids, asks)
    ]


def test_a_first_snapshot_in_the_middle_of_an_action_is_not_believed() -> None:
    """The first snapshot is lost; the next one comes unasked, after one of three changes of a taker."""
    with kr.start_sandbox(days=1, crypto_hours=1, users=2, stream=VenueOptions()) as sandbox:
        client = kr.connect(sandbox)
        names = kr.get_markets(client, status="open").index
        ticker = str(names[names.str.startswith("KXHIGH")][0])
        oracle = Oracle(sandbox, [ticker])
        user = sandbox._exchange.accounts[1].user_id
        sandbox.floor.call(lambda engine: engine.deposit(user, 10**15))
        sandbox.faults.add("frame:drop", SNAPSHOT, nth=1)
        sandbox.faults.add("snapshot:again", DELTA, nth=1)
        patient = StreamOptions(
            **{name: getattr(FAST, name) for name in FAST.__slots__} | {"audit_every": 3600.0}
        )
        wrong: list[str] = []
        seen: list[str] = []

        def tap(number: int, text: bytes, book: Any) -> None:
            del number
            seen.append(text.split(b'"')[3].decode())
            if book is not None and book.status == "live":
                levels = plain(book.levels())
                if not oracle.held(ticker, book.clock, levels):
                    wrong.append(f"after {text[:200]!r}")

        with kr.stream(client, [ticker], "books", options=patient) as live:
            live._engine.tap(tap, lambda number, reason: None)
            deadline = time.monotonic() + DEADLINE
            while not sandbox.faults.fired:
                assert time.monotonic() < deadline, "nobody has subscribed"
                time.sleep(0.005)
            sandbox.floor.call(lambda engine: _sweep(engine, user, ticker))
            live.wait(timeout=DEADLINE)
            sandbox.floor.call(
                lambda engine: engine.submit(user, ticker, "bid", 100, 700, self_trade="maker")
            )
            deadline = time.monotonic() + DEADLINE
            while not oracle.is_now(ticker, plain(live._engine.book(ticker)[0].levels() or ((), ()))):
                assert time.monotonic() < deadline, (wrong, live.health)
                time.sleep(0.005)
        assert [bite.rule.kind for bite in sandbox.faults.fired] == ["frame:drop", "snapshot:again"]
        assert not wrong, wrong
        doubt = seen.index("orderbook_snapshot")
        assert seen[doubt - 1] == seen[doubt + 1] == "orderbook_delta", "in the middle of it"


def _sweep(engine: Any, user: Any, ticker: str) -> None:
    """Take the three best offers at once."""
    levels = sorted(dict(engine.book(ticker).no).items(), reverse=True)[:3]
    assert len(levels) == 3
    engine.submit(
        user,
        ticker,
        "bid",
        10_000 - levels[-1][0],
        sum(count for _, count in levels),
        self_trade="maker",
    )
