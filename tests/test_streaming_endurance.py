"""Long runs: nothing grows, nothing is lost to a kill, and a machine that slept is not believed."""

from __future__ import annotations

import pytest
from soak.recorder import ANY, soak


@pytest.mark.timeout(180)
def test_a_recording_is_whole_after_kills_at_any_step() -> None:
    """The quick form of the soak of recordings."""
    points = [
        ANY, "part half", "merged renamed", "manifest half", "first removed", ANY,
        "part renamed", "ending half", "merged half", ANY,
    ]  # fmt: skip
    found = soak(points, seed=7)
    assert (found.bad, found.slow) == ([], [])
    assert found.kills.total() == len(points)
    assert found.acknowledged.total() > 500, "there was something to lose"
    assert found.read.total() >= found.acknowledged.total()
    assert found.restarts >= 6
    assert found.drafts.total() >= 3, "the kills came where they should"


@pytest.mark.timeout(180)
def test_a_recorder_that_writes_in_place_is_found_out() -> None:
    """The soak is worth nothing unless it notices this one."""
    found = soak(["part half", ANY], seed=1, careless=True)
    assert any("damaged" in text or "no part" in text for text in found.bad), found
