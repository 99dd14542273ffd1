"""What is waited for, for how long, and what is said meanwhile."""

from __future__ import annotations

import logging
import warnings
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

import kalshi_research as kr
from kalshi_research.errors import NotFoundError, OrderUnknown
from kalshi_research.sandbox import Sandbox
from kalshi_research.trading import Pace, waiting
from kalshi_research.trading.waiting import Wait

if TYPE_CHECKING:
    from pathlib import Path

    from tests.order_venue import Venue

pytest_plugins = ["tests.order_fixtures"]

CANCEL = "DELETE /portfolio/events/orders/*"
BUSY = (503, {"error": {"code": "service_unavailable"}})


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO, logger="kalshi_research.trading.waiting")
    return caplog


def place(venue: Venue) -> kr.OrderReport:
    return kr.create_order(venue.client, "T", quantity=5, price="0.42")


# An order that exists nowhere


@pytest.mark.parametrize("lag", [0.0, 1.0, 3.0])
def test_a_cancel_of_no_order_ends_when_reads_are_as_new_as_the_call(venue: Venue, lag: float) -> None:
    venue.lag = lag
    began = venue.elapsed
    with pytest.raises(NotFoundError, match=r"T has no order o-none of yours\nNothing was cancelled"):
        kr.cancel_order(venue.client, "o-none", ticker="T")
    assert lag <= venue.elapsed - began <= lag + 2.1
    assert venue.states == ["REJECTED"]
    assert len(venue.sent(CANCEL)) == 1
    assert venue.sent("GET /historical/orders"), "also where old orders are"


def test_as_long_as_reads_are_older_than_the_call_nothing_follows(venue: Venue) -> None:
    """An order of elsewhere, filled a moment ago: reads do not show it yet, and it exists."""
    venue.lag = 8.0

    def filled(venue: Venue, *_: Any) -> None:
        if venue.elapsed >= 6.0:
            venue.put("late", status="executed", fill_count_fp="5.00", remaining_count_fp="0.00")

    venue.answer("GET /portfolio/orders/o-late", *[filled] * 50)
    report = kr.cancel_order(venue.client, "o-late", ticker="T")
    assert (report.state, report.filled) == ("executed", 5)


def test_an_order_that_only_the_archive_shows_exists(venue: Venue) -> None:
    row = venue.put("old", status="canceled", remaining_count_fp="0.00")
    venue.archive.append(row)
    venue.orders.clear()
    assert kr.cancel_order(venue.client, "o-old", ticker="T").state == "canceled"


def test_reads_that_fail_prove_nothing(venue: Venue) -> None:
    venue.answer("GET /portfolio/orders/o-none", *[BUSY] * 200)
    began = venue.elapsed
    with pytest.raises(OrderUnknown, match="Cancelling again is harmless"):
        kr.cancel_order(venue.client, "o-none", ticker="T")
    assert venue.elapsed - began >= 30
    assert venue.states == ["UNKNOWN"]


def test_an_exchange_that_does_not_say_how_old_reads_are_proves_nothing(venue: Venue) -> None:
    venue.answer("GET /exchange/user_data_timestamp", *[BUSY] * 200)
    with pytest.raises(OrderUnknown):
        kr.cancel_order(venue.client, "o-none", ticker="T")
    assert venue.elapsed >= 30


def test_a_cancel_without_an_answer_proves_nothing(venue: Venue) -> None:
    venue.answer(CANCEL, *[BUSY] * 200)
    with pytest.raises(OrderUnknown):
        kr.cancel_order(venue.client, "o-none", ticker="T")


def test_an_order_that_this_journal_placed_exists_whatever_reads_show(
    venue: Venue, told: pytest.LogCaptureFixture
) -> None:
    made = place(venue)
    venue.orders.clear()
    with pytest.raises(OrderUnknown):
        kr.cancel_order(venue.client, made)
    assert venue.elapsed >= 30
    assert [record.getMessage() for record in told.records] == [
        f"waiting for the end of order {made.order_id}, 30 s at most"
    ]


def test_a_simulated_exchange_is_looked_at_twice(simulated: Venue) -> None:
    simulated.mark = 1_800_000_000.0  # its clock stands
    began = simulated.elapsed
    with pytest.raises(NotFoundError):
        kr.cancel_order(simulated.client, "o-none", ticker="T")
    assert 1.0 <= simulated.elapsed - began <= 3.0


def test_an_order_of_another_market_is_told_as_one(venue: Venue) -> None:
    row = venue.put(ticker="U")
    gone = (404, {"error": {"code": "not_found"}})
    venue.answer(CANCEL, gone)
    with pytest.raises(NotFoundError, match=r"T has no order .*\n.*It is an order of U: leave ticker="):
        kr.cancel_order(venue.client, row["order_id"], ticker="T")
    assert venue.elapsed == 0
    assert kr.cancel_order(venue.client, row["order_id"]).state == "canceled"


def test_several_cancels_of_which_one_is_of_no_order(venue: Venue) -> None:
    made = place(venue)
    began = venue.elapsed
    reports = kr.cancel_orders(venue.client, [made, replace(made, order_id="o-none")])
    assert [report.state for report in reports] == ["canceled", "rejected"]
    assert venue.elapsed - began < 4


def test_in_the_sandbox_it_takes_a_second(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    monkeypatch.setenv("KALSHI_RESEARCH_JOURNAL", str(tmp_path))
    with Sandbox(days=2, crypto_hours=1) as sandbox:
        key_id, key = sandbox.credentials(0)
        root = sandbox.url.removesuffix("/trade-api/v2")
        with kr.connect(root, key_id=key_id, private_key=key) as client:
            began = time.monotonic()
            with pytest.raises(NotFoundError, match="has no order 5f-none of yours"):
                kr.cancel_order(client, "5f-none", ticker="KXHIGHNY-26NOV21-B44.5")
            assert time.monotonic() - began < 10


# What is said


class Bar:
    """Stands for a bar and keeps what it was told."""

    made: list[tuple[Any, ...]]

    def __init__(self, total: int | None, unit: str, *, enabled: bool | None, what: str) -> None:
        self.done = 0
        self.made.append((total, unit, enabled, what))

    def update(self, n: int = 1) -> None:
        assert n >= 0
        self.done += n

    def close(self) -> None:
        self.made.append(("closed", self.done))


@pytest.fixture
def bars(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    Bar.made = []
    monkeypatch.setattr(waiting, "progress", Bar)
    return Bar.made


def slept(venue: Venue, seconds: float, upto: float) -> None:
    with Wait(venue.desk.pace, seconds, "something") as wait:
        while venue.elapsed < upto and wait.rest():
            pass


def test_a_wait_is_as_long_as_it_is_said_to_be(venue: Venue) -> None:
    slept(venue, 30.0, 1000.0)
    assert venue.elapsed == pytest.approx(30.0)


@pytest.mark.parametrize("begin", [1000.0, 1e6 + 1 / 3, 0.1])
@pytest.mark.parametrize("seconds", [0.03, 0.1, 7.7])
def test_a_clock_that_moves_by_sleeping_alone_comes_to_the_end(begin: float, seconds: float) -> None:
    clock, rests = [begin], 0
    pace = Pace(monotonic=lambda: clock[0], sleep=lambda s: clock.__setitem__(0, clock[0] + s))
    with Wait(pace, seconds, "something") as wait:
        while wait.rest():
            rests += 1
            assert rests < 100
    assert clock[0] - begin == pytest.approx(seconds, abs=1e-6)


@pytest.mark.parametrize("seconds", [0.0, -1.0])
def test_without_time_there_is_one_look(venue: Venue, seconds: float) -> None:
    with Wait(venue.desk.pace, seconds, "nothing") as wait:
        assert not wait.rest()
    assert venue.elapsed == 0


def test_a_short_wait_is_not_spoken_of(
    venue: Venue, bars: list[Any], told: pytest.LogCaptureFixture
) -> None:
    slept(venue, 30.0, 0.9)
    assert (bars, told.records) == ([], [])


def test_a_long_wait_says_once_what_for_and_how_long(
    venue: Venue, bars: list[Any], told: pytest.LogCaptureFixture
) -> None:
    slept(venue, 30.0, 1000.0)
    assert bars == [(30, "s", None, "something"), ("closed", bars[-1][1])]
    assert 27 <= bars[-1][1] <= 30
    assert [record.getMessage() for record in told.records] == ["waiting for something, 30 s at most"]


def test_a_bar_of_another_thread_is_not_shown(venue: Venue, bars: list[Any]) -> None:
    import threading

    thread = threading.Thread(target=slept, args=(venue, 30.0, 1000.0))
    thread.start()
    thread.join(10)
    assert bars[0] == (30, "s", False, "something")


def test_whoever_asks_what_became_of_an_order_is_told(venue: Venue, bars: list[Any]) -> None:
    venue.answer("POST */orders", BUSY)
    venue.mark = 0.0  # reads that never become newer
    with pytest.raises(OrderUnknown) as error:
        place(venue)
    assert bars[0] == (30, "s", None, f"what became of order {error.value.client_order_id}")


def test_the_bar_is_one_that_a_terminal_shows(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KALSHI_RESEARCH_PROGRESS", "1")
    with Wait(Pace(scale=0.6), 2.0, "the end of order o-1") as wait:
        while wait.rest():
            pass
    assert "the end of order o-1" in capsys.readouterr().err


def test_a_cancel_of_no_order_that_could_not_be_told_at_first_is_closed_by_the_next(
    venue: Venue,
) -> None:
    """Reads were far behind; the next cancel proves that there is no such order."""
    place(venue)
    venue.lag = 1000.0
    with pytest.raises(OrderUnknown):
        kr.cancel_order(venue.client, "o-none", ticker="T")
    with pytest.raises(OrderUnknown):
        kr.cancel_order(venue.client, "o-none", ticker="U")
    with pytest.raises(OrderUnknown):
        kr.cancel_order(venue.client, "o-other", ticker="T")
    venue.lag = 1.0
    with pytest.raises(NotFoundError):
        kr.cancel_order(venue.client, "o-none", ticker="T")
    kept = {
        (intent.order_id, intent.terms["ticker"], intent.state)
        for intent in venue.desk.journal.intents().values()
        if intent.act == "cancel"
    }
    assert kept == {
        ("o-none", "T", "REJECTED"),
        ("o-none", "U", "UNKNOWN"),
        ("o-other", "T", "UNKNOWN"),
    }


def test_the_next_session_is_not_warned_of_a_cancel_of_no_order(venue: Venue) -> None:
    venue.lag = 1000.0
    with pytest.raises(OrderUnknown):
        kr.cancel_order(venue.client, "o-none", ticker="T")
    venue.lag = 1.0
    with pytest.raises(NotFoundError):
        kr.cancel_order(venue.client, "o-none", ticker="T")
    venue.restart()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert kr.get_open_orders(venue.client).empty
