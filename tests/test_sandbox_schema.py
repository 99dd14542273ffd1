"""The exchange's specification judges what the sandbox answers, writes included.

Its requests are made by somebody else's tool from the specification; see ``schema_check``, by which
they can also be made for longer.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import schema_check
import test_sandbox_judges
from schema_deviations import DEVIATIONS, reason, unexpected, unsuccessful

from kalshi_research.sandbox import account_routes, group_routes, portfolio_views

judge = test_sandbox_judges.judge


@pytest.fixture(scope="module")
def found(judge: Path, shared: Path) -> dict[str, Any]:
    seed = int(os.environ.get("KALSHI_RESEARCH_SCHEMA_SEED", "0"))
    return schema_check.run(judge, seconds=20, seed=seed)


def test_no_answer_is_outside_its_schema(found: dict[str, Any]) -> None:
    assert [
        (row["operation"], row["message"], row["request"]) for row in unexpected(found["wrong"])
    ] == []


def test_everything_served_was_asked_and_something_of_it_succeeded(found: dict[str, Any]) -> None:
    assert set(found["asked"]) == set(schema_check.operations())
    assert found["requests"] > 8 * len(found["asked"])
    assert unsuccessful(schema_check.operations(), found["statuses"]) == []


def test_the_judge_would_notice(judge: Path, shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer with an unknown key, one with a wrong form, and a status that is not specified."""
    views = {"count": portfolio_views.count, "iso": account_routes.iso}
    monkeypatch.setattr(portfolio_views, "count", lambda value: views["count"](value) + "0")
    monkeypatch.setattr(account_routes, "iso", lambda instant: views["iso"](instant)[:-1])
    monkeypatch.setattr(account_routes, "_SHARDS", (7,))
    monkeypatch.setattr(group_routes, "lock_of", lambda path: path["no such key"])
    planted = {
        "GET /portfolio/positions": "JsonSchemaError",
        "GET /exchange/user_data_timestamp": "JsonSchemaError",
        "GET /exchange/status": "JsonSchemaError",
        "GET /portfolio/subaccounts/balances": "ServerError",
    }
    told = schema_check.run(judge, seconds=1, seed=0, only=list(planted))
    found = {(row["operation"], row["check"]) for row in unexpected(told["wrong"])}
    assert found >= set(planted.items())


def test_deviations_are_of_statuses_only_and_each_has_its_reason() -> None:
    served = {"*", *schema_check.operations()}
    assert all(operation in served and len(why) > 20 for operation, _, _, why in DEVIATIONS)
    row = {"operation": "GET /series/{series_ticker}", "status": 404, "code": "not_found"}
    assert reason(row | {"check": "UndefinedStatusCode"})
    assert not reason(row | {"check": "JsonSchemaError"})
    assert not reason(row | {"check": "UndefinedStatusCode", "code": "shape"})
