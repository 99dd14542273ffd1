"""How long messages take: what can be known of it, and what cannot."""

from __future__ import annotations

import math
import time
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stream_faults import FAST, Faulty, Frame, until

import kalshi_research as kr
from kalshi_research.streaming import stream
from kalshi_research.streaming.delay import Delay


@given(
    skew_ms=st.integers(-(10**13), 10**13),
    start=st.integers(0, 10**7),
    trips=st.lists(st.integers(1, 5_000), min_size=1, max_size=40),
)
def test_the_lag_is_what_the_fastest_message_did_not_need(
    skew_ms: int, start: int, trips: list[int]
) -> None:
    """Whatever the clocks say: sent every 10 ms, each message takes so many milliseconds."""
    delay = Delay(simulated=False)
    for place, trip in enumerate(trips):
        sent = start + 10 * place
        delay.note(10**13 + sent + skew_ms, (sent + trip) / 1000)
        expected = Fraction(trip - min(trips[: place + 1]), 1000)
        assert delay.lag == pytest.approx(float(expected), abs=2e-3)
        assert delay.reason == ""


def test_clocks_that_drift_apart_are_compared_anew() -> None:
    """A second in a day: after a week that would be seven seconds of lag."""
    delay = Delay(simulated=False)
    for minute in range(7 * 24 * 60):
        now = 60.0 * minute
        delay.note(round(1_000_000 + now * 1000 * (1 - 1 / 86_400)), now)
        assert delay.lag < 0.01


def test_a_step_of_the_other_clock_is_forgotten() -> None:
    delay = Delay(simulated=False)
    for second in range(2_000):
        delay.note(1_000 * second + (3_600_000 if second < 5 else 0), float(second))
    assert delay.lag == 0.0


def test_every_connection_is_measured_by_itself() -> None:
    delay = Delay(simulated=False)
    delay.note(5_000, 1.0)
    delay.begin()
    assert math.isnan(delay.lag)
    assert delay.reason == "no message has told when it was sent"
    delay.note(1_000, 2.0)
    assert delay.lag == 0.0


@pytest.mark.parametrize(
    ("speed", "reason"),
    [
        (0, "the simulated exchange's clock stands still"),
        (60, "the simulated exchange's clock runs at 60 times the speed of ours"),
        (0.5, "the simulated exchange's clock runs at 0.5 times the speed of ours"),
        (1, ""),
    ],
)
def test_a_clock_that_does_not_run_as_ours_tells_nothing(speed: float, reason: str) -> None:
    delay = Delay(simulated=True)
    for tick in range(40):
        delay.note(1_000_000 + round(100 * tick * speed), 0.1 * tick)
        if tick < 10:
            assert "has not been watched" in delay.reason
    assert delay.reason == reason
    assert math.isnan(delay.lag) == bool(reason)


# In a stream


def test_a_late_message_is_noticed_and_no_clock_matters() -> None:
    """The exchange's clock is a year ahead; one message is a quarter of a second late."""
    late = 0

    def ahead(frame: Frame) -> list[Frame]:
        sent = frame.get("sending_ts_ms")
        return [frame if sent is None else {**frame, "sending_ts_ms": sent + 365 * 86_400_000 - late}]

    with Faulty(["M"]) as venue:
        venue.mangle = ahead
        with stream(venue.client(), "M", "books", options=FAST) as live:
            live.wait()
            assert math.isnan(live.health.lag)
            assert "unknown: the simulated exchange's clock has not been watched" in str(live.health)
            begin = time.monotonic()

            def known() -> bool:
                venue.do(lambda: venue.change("M"))
                return time.monotonic() - begin > 1.2 and not live.health.lag_reason

            until(known)
            assert 0 <= live.health.lag < 0.2
            late = 250
            venue.do(lambda: venue.change("M"))
            until(lambda: live.health.lag > 0.2)
            assert live.health.lag < 0.6
            assert "lag             0." in str(live.health)
        assert live.health.lag_reason == "there is no connection"


def test_the_sandbox_stands_still_and_says_so() -> None:
    client = kr.connect("sandbox")
    names = kr.get_markets(client, status="open").index
    with stream(client, [names[0]], options=FAST) as live:
        live.wait()
        until(lambda: live.health.lag_reason.endswith("clock stands still"))  # audits bring messages
        assert math.isnan(live.health.lag)
