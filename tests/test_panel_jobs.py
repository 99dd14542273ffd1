"""The threads of panels: nothing blocks, nothing is lost, nothing outlives its panel."""

from __future__ import annotations

import gc
import logging
import threading
import time
import weakref
from typing import Any

import pandas as pd
import pytest
from faulty_exchange import until

from kalshi_research.errors import InputError
from kalshi_research.panels.jobs import Jobs, Outcome, Painter
from kalshi_research.panels.words import capital, contracts, dollars, moment, money, text

NOW = pd.Timestamp("2026-11-20 15:00Z").to_pydatetime()


def test_jobs_are_done_one_after_the_other_and_never_here() -> None:
    jobs, free, done = Jobs("test"), threading.Event(), []
    jobs.do(lambda: free.wait(10), lambda _: done.append(threading.current_thread().name))
    jobs.do(lambda: 2, done.append)
    assert (jobs.busy, done, jobs.wait(0.01)) == (True, [], False)
    free.set()
    assert jobs.wait(10)
    assert (jobs.busy, done) == (False, ["kalshi-test", 2])


def test_what_the_exchange_refuses_is_told_and_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    jobs, told = Jobs("test"), []

    def refuse() -> None:
        raise InputError("that is no price")

    jobs.do(refuse, None, told.append)
    assert jobs.wait(10)
    assert [str(error) for error in told] == ["that is no price"]
    assert caplog.records == []


@pytest.mark.parametrize("place", ["work", "then", "fail", "nobody"])
def test_a_defect_is_logged_with_its_trace_and_the_next_job_is_done(
    caplog: pytest.LogCaptureFixture, place: str
) -> None:
    jobs, done, told = Jobs("test"), [], []

    def broken(*_: Any) -> Any:
        raise ZeroDivisionError(place)

    jobs.do(
        broken if place != "then" else lambda: 1,
        broken if place == "then" else None,
        {"work": told.append, "fail": broken}.get(place),
    )
    jobs.do(lambda: "next", done.append)
    assert jobs.wait(10)
    assert done == ["next"]
    assert len(told) == (place == "work"), "the panel says it too"
    assert all(record.levelno == logging.ERROR for record in caplog.records)
    logged = [record.exc_info[1] for record in caplog.records if record.exc_info]
    assert ZeroDivisionError in {type(error) for error in logged}


def test_nothing_but_errors_is_kept_back() -> None:
    with pytest.raises(KeyboardInterrupt), Outcome("it was interrupted"):
        raise KeyboardInterrupt


def test_a_thread_lives_only_while_there_is_something_to_do() -> None:
    jobs, free, threads = Jobs("ending"), threading.Event(), []
    jobs.do(lambda: free.wait(10), lambda _: threads.append(threading.current_thread()))
    jobs.do(lambda: threads.append(threading.current_thread()))
    free.set()
    assert jobs.wait(10)
    assert threads[0] is threads[1], "one thread for what waits"
    threads[0].join(10)
    assert not threads[0].is_alive()
    kept = weakref.ref(jobs)
    del jobs
    gc.collect()
    assert kept() is None
    again = Jobs("ending")
    for turn in range(200):  # one begins while the thread of the one before ends
        again.do(lambda turn=turn: threads.append(turn))
        assert again.wait(10)
    assert threads[2:] == list(range(200))


class Canvas:
    """Counts how often it is painted."""

    def __init__(self) -> None:
        self.times: list[float] = []
        self.broken = False

    def paint(self) -> None:
        self.times.append(time.monotonic())
        if self.broken:
            raise ZeroDivisionError


def test_a_painter_is_called_for_news_at_most_so_often_and_now_and_then_without() -> None:
    canvas = Canvas()
    began = time.monotonic()
    painter = Painter(canvas.paint, rate=50, idle=0.2)
    for _ in range(200):
        painter.soon()
        time.sleep(0.001)
    calls = len(canvas.times)
    assert calls <= 50 * (time.monotonic() - began) + 1, "not once for each piece of news"
    until(lambda: len(canvas.times) > calls + 1)
    painter.close()


def test_a_picture_that_fails_is_logged_and_drawn_again(caplog: pytest.LogCaptureFixture) -> None:
    canvas = Canvas()
    canvas.broken = True
    painter = Painter(canvas.paint, rate=200, idle=0.01)
    until(lambda: len(canvas.times) > 2)
    painter.close()
    assert "a panel could not be drawn" in caplog.text


@pytest.mark.parametrize("how", ["closed", "forgotten"])
def test_a_painter_ends(how: str) -> None:
    before = set(threading.enumerate())
    canvas = Canvas()
    painter = Painter(canvas.paint, rate=200, idle=0.01)
    (thread,) = set(threading.enumerate()) - before
    until(lambda: bool(canvas.times))
    if how == "closed":
        painter.close()
    else:
        del canvas
        gc.collect()
    thread.join(10)
    assert not thread.is_alive()


def test_a_painter_that_rests_has_no_thread_and_paints_at_once_when_it_goes_on() -> None:
    before = set(threading.enumerate())
    canvas = Canvas()
    painter = Painter(canvas.paint, rate=200, idle=60)
    (thread,) = set(threading.enumerate()) - before
    painter.soon()
    until(lambda: len(canvas.times) == 1)
    painter.pause()
    painter.pause()
    thread.join(10)
    assert not thread.is_alive()
    painter.soon()
    assert set(threading.enumerate()) <= before
    painter.resume()
    painter.resume()
    assert len(set(threading.enumerate()) - before) == 1
    until(lambda: len(canvas.times) == 2)
    painter.close()
    painter.resume()
    until(lambda: set(threading.enumerate()) <= before)


def test_words_for_numbers_and_for_what_is_missing() -> None:
    nan = float("nan")
    assert [text("Yes"), text(""), text(None), text(nan), text(3)] == ["Yes", "–", "–", "–", "–"]
    assert [dollars(0.4), dollars("0.4275"), dollars(nan)] == ["0.40", "0.4275", "–"]
    assert [money(1234.5), money(-0.07), money(0), money(-0.004), money(None), money(nan)] == [
        "$1,234.50", "-$0.07", "$0.00", "$0.00", "–", "–",
    ]  # fmt: skip
    assert [contracts(1500.0), contracts(0.25), contracts(None), contracts(nan)] == [
        "1,500", "0.25", "–", "–",
    ]  # fmt: skip
    assert [capital("no price"), capital("")] == ["No price", ""]


@pytest.mark.parametrize(
    ("time_", "words"),
    [
        ("2026-11-20 23:30Z", "23:30 UTC"),
        ("2026-11-22 04:59Z", "22 Nov 04:59 UTC"),
        ("2027-01-01 00:00Z", "1 Jan 2027 00:00 UTC"),
        ("2026-11-20 20:30-05:00", "21 Nov 01:30 UTC"),
        (None, "–"),
        ("NaT", "–"),
    ],
)
def test_a_time_is_said_as_shortly_as_it_can_be(time_: str | None, words: str) -> None:
    assert moment(None if time_ is None else pd.Timestamp(time_), NOW) == words
