"""Long runs: nothing grows, nothing is lost to a kill, and a machine that slept is not believed."""

from __future__ import annotations

import pytest
from soak.memory import MARKETS
from soak.memory import soak as soak_memory
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


@pytest.mark.timeout(240)
@pytest.mark.parametrize("record", [False, True], ids=["watched", "recorded"])
def test_nothing_grows_with_the_messages(record: bool) -> None:
    """The quick form of the soak of memory: whole cycles of changes, counted in live blocks."""
    found = soak_memory(4, 40_000, record=record, rows=1_000)
    assert (found["live"], found["gaps"], found["mismatches"]) == (MARKETS, 0, 0)
    assert found["messages"] >= 160_000
    assert found["updates"] > 1_000
    if record:
        assert found["dropped"] == 0
        assert found["rows"] >= 160_000
    # One block for each trade would be 4,000, one for each message 80,000.
    assert found["blocks"][-1] - found["blocks"][1] < 2_000, found
    assert found["objects"][-1] - found["objects"][1] < 1_500, found
