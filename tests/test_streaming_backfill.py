"""Questions after outages: few of them, and no row is left out."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from stream_faults import until

from kalshi_research.errors import TransportError
from kalshi_research.streaming.backfill import Backfill
from kalshi_research.streaming.feeds import Feeds
from kalshi_research.streaming.options import StreamOptions


class Exchange:
    """Answers when it is let, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.fails = 0
        self.error: Exception = TransportError("no answer")
        self.let = threading.Event()
        self.simulated = False

    def clock(self) -> datetime:
        return datetime(2026, 11, 20, 15, tzinfo=UTC)

    def pages(self, route: str, key: str, *, params: dict[str, Any], limit: int = 0) -> Iterator[Any]:
        self.asked.append((route, dict(params)))
        assert self.let.wait(10)
        if self.fails:
            self.fails -= 1
            raise self.error
        yield SimpleNamespace(body=b'{"trades":[],"cursor":""}', json=lambda: {key: []})


class Told:
    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.options = StreamOptions(rows=100, backoff=1.0, most_backoff=8.0)
        self.problems: list[str] = []

    def problem(self, text: str) -> None:
        self.problems.append(text)

    def publish(self, update: object) -> None:
        raise AssertionError("there is nothing new")


@pytest.fixture
def exchange() -> Iterator[Exchange]:
    made = Exchange()
    yield made
    made.let.set()


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def backfill(exchange: Exchange, told: Told) -> Iterator[Backfill]:
    made = Backfill(exchange, Feeds(100), told)  # type: ignore[arg-type]
    yield made
    exchange.let.set()
    made.close()


def begins(exchange: Exchange) -> list[int]:
    """From when on trades were asked for [s], two seconds before the newest one."""
    return [params["min_ts"] + 2 for _, params in exchange.asked]


def flap(backfill: Backfill, second: int) -> None:
    """A connection that ends, and is there again."""
    newest = second * 1000
    backfill.interrupted("A", "trades", newest)
    backfill.forget("A")
    backfill.ask("A", "trades", None, float(second), newest=newest)


def test_a_flapping_link_has_one_question_waiting_and_it_begins_at_the_oldest(
    exchange: Exchange, backfill: Backfill
) -> None:
    flap(backfill, 1_000)
    until(lambda: exchange.asked)
    for second in range(1_001, 1_201):
        flap(backfill, second)
    assert backfill._pool._work_queue.qsize() == 1
    exchange.let.set()
    until(lambda: ("A", "trades") in backfill.known)
    assert begins(exchange) == [1_000, 1_001]


def test_a_question_without_an_answer_is_asked_again_with_the_next(
    exchange: Exchange, backfill: Backfill
) -> None:
    exchange.fails = 1
    exchange.let.set()
    flap(backfill, 1_000)
    until(lambda: backfill.failed)
    flap(backfill, 2_000)
    until(lambda: ("A", "trades") in backfill.known)
    flap(backfill, 3_000)
    until(lambda: len(exchange.asked) == 3)
    assert begins(exchange) == [1_000, 1_000, 3_000]


def test_rows_from_before_an_outage_are_asked_for_however_late_that_is(
    exchange: Exchange, backfill: Backfill
) -> None:
    """A part of the channel may be heard again before all of it is subscribed to."""
    exchange.let.set()
    backfill.interrupted("A", "trades", 1_000_000)
    backfill.forget("A")
    backfill.ask("A", "trades", None, 2.0, newest=9_000_000)
    until(lambda: exchange.asked)
    assert begins(exchange) == [1_000]


def test_channels_connections_and_markets_are_not_mixed_up(
    exchange: Exchange, backfill: Backfill
) -> None:
    backfill.ask("B", "orders", None, 1.0, first=True)
    until(lambda: exchange.asked)
    backfill.ask("A", "trades", ["M0"], 1.0, newest=5_000_000)
    backfill.ask("A", "fills", None, 1.0, newest=7_000_000)
    backfill.ask("A", "trades", ["M1", "M0"], 1.0, newest=6_000_000)
    exchange.let.set()
    until(lambda: {("A", "trades"), ("A", "fills"), ("B", "orders")} <= backfill.known)
    assert [(route.split("/")[-1], params.get("ticker")) for route, params in exchange.asked] == [
        ("orders", None), ("trades", "M0"), ("trades", "M1"), ("fills", None),
    ]  # fmt: skip


def test_an_answer_of_before_an_outage_makes_nothing_known(
    exchange: Exchange, backfill: Backfill
) -> None:
    backfill.ask("A", "orders", None, 1.0, first=True)
    until(lambda: exchange.asked)
    backfill.forget("A")
    assert backfill.unsettled == 1
    exchange.let.set()
    until(lambda: not backfill.unsettled)
    assert not backfill.known
    backfill.ask("A", "orders", None, 2.0)
    until(lambda: backfill.known)


def test_a_question_that_waited_through_an_outage_makes_nothing_known(
    exchange: Exchange, backfill: Backfill
) -> None:
    """It was about the time before; who asked has not been heard since."""
    backfill.ask("B", "trades", None, 1.0, newest=1_000)
    until(lambda: exchange.asked)
    backfill.ask("A", "fills", None, 1.0)
    backfill.forget("A")
    exchange.let.set()
    until(lambda: len(exchange.asked) == 2 and not backfill._waiting)
    until(lambda: ("B", "trades") in backfill.known)
    assert ("A", "fills") not in backfill.known


def test_a_question_that_fails_while_another_waits_joins_it(
    exchange: Exchange, backfill: Backfill
) -> None:
    backfill.ask("A", "trades", None, 1.0, newest=5_000_000)
    until(lambda: exchange.asked)
    backfill.ask("A", "trades", None, 2.0, newest=9_000_000)
    exchange.fails = 1
    exchange.let.set()
    until(lambda: ("A", "trades") in backfill.known)
    assert begins(exchange) == [5_000, 5_000]
    assert not backfill._unanswered


def test_without_its_connection_nothing_is_asked_again(exchange: Exchange, backfill: Backfill) -> None:
    exchange.fails = 2
    exchange.let.set()
    backfill.ask("A", "trades", None, 1.0, newest=5_000_000)
    until(lambda: backfill._due)
    backfill.again("B", 1e12)
    assert backfill.failed == 1
    backfill.interrupted("A", "trades", 6_000_000)
    backfill.forget("A")
    backfill.again("A", 1e12)
    backfill.ask("A", "trades", None, 2.0, newest=9_000_000)
    until(lambda: backfill.failed == 2)
    until(lambda: backfill._due)
    backfill.again("A", 1e12)
    until(lambda: ("A", "trades") in backfill.known)
    assert begins(exchange) == [5_000, 5_000, 5_000]


@pytest.mark.parametrize("error", [TransportError("no answer"), ValueError("a defect")])
def test_whatever_a_question_meets_is_told_once_and_asked_again(
    exchange: Exchange, backfill: Backfill, told: Told, error: Exception
) -> None:
    exchange.fails, exchange.error = 3, error
    exchange.let.set()
    backfill.ask("A", "trades", None, 1.0, newest=5_000_000)
    for failed in (1, 2, 3):
        until(lambda failed=failed: backfill.failed == failed and backfill._due)
        backfill.again("A", 1e12)
    until(lambda: ("A", "trades") in backfill.known)
    assert len(told.problems) == 1
    assert str(error) in told.problems[0]


def test_what_is_being_asked_for_is_not_known_because_the_channel_is_whole(
    exchange: Exchange, backfill: Backfill
) -> None:
    """A hole between the first markets of a channel and the last ones."""
    key = ("A", "trades")
    backfill.ask("B", "trades", None, 1.0, newest=1_000_000)
    until(lambda: exchange.asked)
    backfill.ask(*key, None, 1.0, newest=5_000_000)
    assert not backfill.nothing_missed(*key), "it waits"
    exchange.let.set()
    until(lambda: key in backfill.known)
    exchange.let.clear()
    backfill.ask(*key, None, 1.0, newest=6_000_000)
    until(lambda: len(exchange.asked) == 3)
    assert not backfill.nothing_missed(*key), "it is being asked"
    exchange.fails = 1
    exchange.let.set()
    until(lambda: backfill._due)
    assert not backfill.nothing_missed(*key), "it has no answer"
    assert not backfill.known & {key}
    backfill.again("A", 1e12)
    until(lambda: key in backfill.known)
    assert backfill.nothing_missed(*key)


def test_an_answer_in_parts_is_no_failure(
    exchange: Exchange, backfill: Backfill, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What fails after it is told, as anything that fails first."""
    monkeypatch.setattr(exchange, "request", lambda *_: {"order": {}}, raising=False)
    for number in range(150):
        resting = {"order_id": f"O{number}", "status": "resting"}
        backfill._feeds.rows["orders"][number,] = resting
    monkeypatch.setattr(backfill, "_publish", lambda update: None)
    exchange.let.set()
    backfill.ask("A", "orders", None, 1.0)
    until(lambda: backfill._due)
    assert (backfill.failed, told.problems) == (0, [])
    exchange.fails = 2
    for failed in (1, 2):
        backfill.again("A", 1e12)
        until(lambda failed=failed: backfill.failed == failed and backfill._due)
        assert len(told.problems) == 1
