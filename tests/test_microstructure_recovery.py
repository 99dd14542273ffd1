"""Estimators find what was planted in simulated markets; twenty seeds of the study of two hundred."""

from __future__ import annotations

import pytest
from planted_markets import CENT, FINE
from recovery import CASES, Case, recovery

SEEDS = range(20)
RUNS = [(case, step) for case in CASES for step in case.steps]
GRIDS = {CENT: "cents", FINE: "fine grid"}


@pytest.mark.parametrize(
    ("case", "step"), RUNS, ids=[f"{case.name}, {GRIDS[step]}" for case, step in RUNS]
)
def test_planted_parameters_are_recovered(case: Case, step: float) -> None:
    """Bias within 10 %, beyond what chance explains; 15 of 20 intervals (a chance of 1 in 3,900)."""
    found = recovery(case, step, SEEDS)
    assert (found["seeds"] == len(SEEDS)).all(), "an estimate is missing"
    assert found["estimate"].notna().all()
    assert (found["bias"].abs() <= 0.1 + 2 * found["bias_se"]).all(), found.to_string()
    assert (found["bias_se"] < 0.06).all(), "too noisy to judge"
    assert (found["coverage"] >= 0.75).all(), found.to_string()


def test_every_planted_parameter_is_asked_for() -> None:
    asked = {}
    for case in CASES:
        market = case.market(0, FINE)
        asked.setdefault(case.market, (set(market.truth), set()))[1].update(case.estimate(market))
    for truth, found in asked.values():
        assert truth <= found
