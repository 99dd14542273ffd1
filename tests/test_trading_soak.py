"""The quick form of the soak: a thousand operations, one fault each, waits at one to thirty."""

from __future__ import annotations

from pathlib import Path

import pytest
from soak.orders import soak


@pytest.mark.timeout(300)
def test_a_thousand_operations_with_one_fault_each(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("KALSHI_RESEARCH_JOURNAL", str(tmp_path))
    found = soak(1000, seed=2026)
    nothing = {"duplicates": 0, "lost": 0, "wrong": 0, "strangers": 0, "messages": 0}
    assert {name: found[name] for name in nothing} == nothing, found
    assert found["unknown_at_end"] <= 1, found
    assert found["faults"] > 50
