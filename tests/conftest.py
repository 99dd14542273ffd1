"""What every test may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

# How long an example takes says how busy the machine is. The gate draws the same ones each time.
settings.register_profile("desk", deadline=None)
settings.register_profile("gate", deadline=None, derandomize=True)
settings.load_profile("gate" if os.environ.get("KALSHI_RESEARCH_CI") == "1" else "desk")

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with recorded responses of the real exchange, which is not part of the project."""
    if not SHARED.is_dir():
        pytest.skip("recorded exchange responses (../shared) are not on this machine")
    return SHARED


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]):
    """On CI a judge that could have run must run: a skip beside present recordings is a failure."""
    report = yield
    if report.skipped and os.environ.get("KALSHI_RESEARCH_CI") == "1" and SHARED.is_dir():
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        report.outcome = "failed"
        report.longrepr = f"skipped on CI, where nothing may be skipped: {reason}"
    return report
