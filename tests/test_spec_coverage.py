"""Every field of every object that becomes a frame is a column, or left out for a stated reason."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import spec_drift
import wire_pages

from kalshi_research.schemas import SCHEMAS, TRADES, Schema
from kalshi_research.schemas.columns import plain_name

RENAMED = {"quantity": "count", "series_ticker": "ticker"}


@pytest.fixture(scope="module")
def spec(shared: Path) -> dict[str, Any]:
    return spec_drift.load(shared / "spec" / "openapi.yaml")


def test_no_field_of_the_documented_objects_is_unknown(spec: dict[str, Any]) -> None:
    unknown = {found.name: found.unknown for found in spec_drift.coverage(spec) if found.unknown}
    assert unknown == {}


def test_no_value_of_a_documented_enumeration_is_unknown(spec: dict[str, Any]) -> None:
    new = {found.name: found.new_values for found in spec_drift.coverage(spec) if found.new_values}
    assert new == {}


def test_the_script_reports_a_field_and_a_value_that_a_newer_spec_adds(spec: dict[str, Any]) -> None:
    newer = copy.deepcopy(spec)
    market = newer["components"]["schemas"]["Market"]["properties"]
    market["mood"] = {"type": "string"}
    market["status"]["enum"].append("asleep")
    text, drifted = spec_drift.report(newer)
    assert drifted
    assert "unknown: mood" in text
    assert "unknown: status='asleep'" in text


def test_rows_are_looked_for_under_the_documented_keys(spec: dict[str, Any]) -> None:
    paths = spec["paths"]
    for path, key in (("/markets", "markets"), ("/markets/trades", "trades"), ("/events", "events")):
        answer = paths[path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
        name = answer["$ref"].rpartition("/")[2]
        assert key in spec["components"]["schemas"][name]["properties"]
        assert SCHEMAS[key].items == key  # type: ignore[attr-defined]


def test_what_is_left_out_has_a_reason() -> None:
    for schema in SCHEMAS.values():
        if isinstance(schema, Schema):
            for reasons in (schema.ignored, schema.ignored_old):
                assert all(len(reason) > 10 for reason in reasons.values())


@pytest.mark.parametrize("schema", SCHEMAS.values(), ids=SCHEMAS)
def test_columns_are_called_by_the_naming_rule(schema: Any) -> None:
    for column in schema.columns:
        if (
            column.form in ("dollars", "amount", "count", "time")
            and column.wire
            and schema.kind != "orderbooks"
        ):
            group, _, field = column.wire[0].rpartition(".")
            name = plain_name(field)
            prefix = f"{group}_" if group.startswith("yes_") else ""
            special = {"count": "quantity", "created_time": "time", "end_period_time": "time"}
            special["exchange_estimated_resume_time"] = "estimated_resume_time"
            assert column.name in (prefix + name, special.get(name))


def test_made_up_pages_have_the_documented_fields(spec: dict[str, Any]) -> None:
    """The objects other tests and the benchmark use are those of the spec, not of this package."""
    rng = wire_pages.random.Random(1)
    for name, made in (("Market", wire_pages.market(rng, 1)), ("Trade", wire_pages.trade(rng, 1))):
        shape = spec["components"]["schemas"][name]
        assert set(shape["required"]) <= set(made) <= set(shape["properties"])


def test_every_column_says_what_it_means() -> None:
    for schema in SCHEMAS.values():
        assert len(set(schema.names)) == len(schema.names)
        assert all(column.meaning for column in schema.columns)
    assert TRADES.column("yes_price").unit == "$"
