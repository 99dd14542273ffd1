"""Bodies of the sandbox against the exchange's own specification and its recorded bodies."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator, FormatChecker
from sandbox_calls import Caller

from kalshi_research.sandbox import Sandbox, routes

NOW = 1795186800
HOURS = {"start_ts": NOW - 86400, "end_ts": NOW, "period_interval": 60}
OPEN = "KXHIGHNY-26NOV21-B44.5"
WHOLE = {"limit": 1000}

# path as in the specification, values of its parameters, query, whether it is signed
CALLS: list[tuple[str, dict[str, str], dict[str, Any], bool]] = [
    ("/exchange/status", {}, {}, False),
    ("/exchange/schedule", {}, {}, False),
    ("/exchange/user_data_timestamp", {}, {}, False),
    ("/series", {}, {"include_volume": "true", "include_product_metadata": "true"}, False),
    ("/series/{series_ticker}", {"series_ticker": "KXHIGHNY"}, {}, False),
    ("/series/fee_changes", {}, {"show_historical": "true"}, False),
    ("/events", {}, {"with_nested_markets": "true", "with_milestones": "true"}, False),
    ("/events/{event_ticker}", {"event_ticker": "KXFEDDECISION-26DEC"}, {}, False),
    (
        "/events/{event_ticker}",
        {"event_ticker": "KXHARBORMATCH-26NOV18OFFPIE"},
        {"with_nested_markets": "true"},
        False,
    ),
    ("/events/{event_ticker}/metadata", {"event_ticker": "KXHARBORMATCH-26NOV18OFFPIE"}, {}, False),
    ("/events/fee_changes", {}, {}, False),
    ("/events/multivariate", {}, {"with_nested_markets": "true"}, False),
    ("/markets", {}, WHOLE, False),
    ("/markets/{ticker}", {"ticker": OPEN}, {}, False),
    ("/markets/{ticker}/orderbook", {"ticker": OPEN}, {}, False),
    ("/markets/orderbooks", {}, {"tickers": [OPEN, "KXFEDDECISION-26DEC-H26"]}, False),
    ("/markets/trades", {}, WHOLE, False),
    (
        "/series/{series_ticker}/markets/{ticker}/candlesticks",
        {"series_ticker": "KXHIGHNY", "ticker": OPEN},
        HOURS | {"include_latest_before_start": "true"},
        False,
    ),
    ("/markets/candlesticks", {}, HOURS | {"market_tickers": f"{OPEN},KXFEDDECISION-26DEC-H0"}, False),
    (
        "/series/{series_ticker}/events/{ticker}/candlesticks",
        {"series_ticker": "KXHIGHNY", "ticker": "KXHIGHNY-26NOV20"},
        HOURS,
        False,
    ),
    ("/historical/cutoff", {}, {}, False),
    ("/historical/markets", {}, WHOLE, False),
    ("/historical/trades", {}, WHOLE, False),
    ("/search/tags_by_categories", {}, {}, False),
    ("/account/endpoint_costs", {}, {}, False),
    ("/account/limits", {}, {}, True),
    ("/api_keys", {}, {}, True),
    ("/portfolio/balance", {}, {}, True),
    ("/portfolio/positions", {}, {}, True),
    ("/portfolio/fills", {}, {}, True),
    ("/portfolio/orders", {}, {}, True),
    ("/portfolio/settlements", {}, {}, True),
    ("/historical/fills", {}, {}, True),
    ("/historical/orders", {}, {}, True),
    ("/historical/positions", {}, {}, True),
]

formats = FormatChecker(formats=())


@formats.checks("date-time")
def _is_time(text: object) -> bool:
    if not isinstance(text, str):
        return True
    return text.endswith("Z") and datetime.fromisoformat(text).tzinfo is not None


@pytest.fixture(scope="module")
def caller() -> Iterator[Caller]:
    with Sandbox() as sandbox, Caller(sandbox) as calls:
        yield calls


class Spec:
    """The response schemas of an OpenAPI 3.0 file as plain JSON schemas that know no other keys."""

    def __init__(self, file: Path) -> None:
        self._file = yaml.safe_load(file.read_text())

    def operations(self) -> dict[str, tuple[str, bool]]:
        """Name of each GET, and whether it needs a signature."""
        return {
            path: (verbs["get"]["operationId"], bool(verbs["get"].get("security")))
            for path, verbs in self._file["paths"].items()
            if "get" in verbs
        }

    def answer(self, path: str, status: str = "200") -> Any:
        found = self._file["paths"][path]["get"]["responses"][status]
        return self.plain(found["content"]["application/json"]["schema"])

    def plain(self, schema: Any, depth: int = 0) -> Any:
        assert depth < 40
        if "$ref" in schema:
            name = schema["$ref"].rpartition("/")[2]
            found = self.plain(self._file["components"]["schemas"][name], depth + 1)
            form = {"FixedPointDollars": r"^-?\d+\.\d{4,6}$", "FixedPointCount": r"^-?\d+\.\d{2}$"}
            return found | ({"pattern": form[name]} if name in form else {})
        made = {key: schema[key] for key in ("type", "enum", "format", "required") if key in schema}
        if "allOf" in schema:
            for part in schema["allOf"]:
                made |= self.plain(part, depth + 1)
        if "items" in schema:
            made["items"] = self.plain(schema["items"], depth + 1)
        if "properties" in schema:
            made["properties"] = {
                name: self.plain(part, depth + 1) for name, part in schema["properties"].items()
            }
            made["additionalProperties"] = False
        elif isinstance(schema.get("additionalProperties"), dict) and schema["additionalProperties"]:
            made["additionalProperties"] = self.plain(schema["additionalProperties"], depth + 1)
        return {"anyOf": [made, {"type": "null"}]} if schema.get("nullable") else made


@cache
def specification(file: Path) -> Spec:
    return Spec(file)


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call[0])
def test_bodies_follow_the_specification(
    caller: Caller, shared: Path, call: tuple[str, dict[str, str], dict[str, Any], bool]
) -> None:
    path, names, query, signed = call
    ask = caller.signed if signed else caller.get
    body = ask(path.format(**names), **query)
    schema = specification(shared / "spec" / "openapi.yaml").answer(path)
    problems = Draft202012Validator(schema, format_checker=formats).iter_errors(body)
    assert [f"{problem.json_path}: {problem.message[:200]}" for problem in problems] == []


def test_operations_are_named_and_guarded_as_specified(shared: Path) -> None:
    operations = specification(shared / "spec" / "openapi.yaml").operations()
    for path, _, name, private in routes.READS:
        assert operations[path] == (name, private), path
    served = {path for path, *_ in routes.READS}
    assert {path for path, *_ in CALLS} <= served
    unserved = {path.split("/")[1] for path in operations.keys() - served}
    assert unserved <= {
        "account", "communications", "fcm", "incentive_programs", "live_data", "milestones",
        "multivariate_event_collections", "portfolio", "search", "series", "structured_targets",
    }  # fmt: skip


def test_archived_bodies_follow_the_specification(caller: Caller, shared: Path) -> None:
    (row,) = caller.get("/historical/markets", limit=1, series_ticker="KXHIGHNY")["markets"]
    spec = specification(shared / "spec" / "openapi.yaml")
    end = int(datetime.fromisoformat(row["close_time"]).timestamp())
    window = {"start_ts": end - 2 * 86400, "end_ts": end, "period_interval": 60}
    for path, query in (
        ("/historical/markets/{ticker}", {}),
        ("/historical/markets/{ticker}/candlesticks", window),
    ):
        body = caller.get(path.format(ticker=row["ticker"]), **query)
        validator = Draft202012Validator(spec.answer(path), format_checker=formats)
        assert [problem.message for problem in validator.iter_errors(body)] == []


# What the recordings have and today's protocol no longer has (the changelog says so), what it has
# since then, and what a market has or has not by its nature.
GONE = {"liquidity_dollars", "fractional_trading_enabled", "response_price_units"}
SINCE = {"settlement_bounds_type", "exchange_index"}
BY_NATURE = {
    "cap_strike", "custom_strike", "floor_strike", "is_provisional", "mve_collection_ticker",
    "mve_selected_legs", "primary_participant_key", "settlement_ts", "settlement_value_dollars",
    "strike_type", "subtitle", "early_close_condition", "occurrence_datetime",
}  # fmt: skip


def _kind(value: Any) -> str:
    return (
        "number"
        if isinstance(value, int | float) and not isinstance(value, bool)
        else type(value).__name__
    )


def _kinds(rows: list[dict[str, Any]]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for row in rows:
        for name, value in row.items():
            found.setdefault(name, set()).add(_kind(value))
    return found


def _always(rows: list[dict[str, Any]]) -> set[str]:
    return set.intersection(*(set(row) for row in rows))


def _recorded(shared: Path, name: str) -> Any:
    return json.loads((shared / "wire_examples" / f"{name}.json").read_text())


def test_markets_look_like_recorded_ones(caller: Caller, shared: Path) -> None:
    recorded = [
        *_recorded(shared, "markets_page")["markets"],
        *_recorded(shared, "markets_settled")["markets"],
        *_recorded(shared, "event_single_nested")["event"]["markets"],
        *_recorded(shared, "events_page_trimmed")["events"][0]["markets"],
        _recorded(shared, "market_single")["market"],
        _recorded(shared, "market_finalized_prod"),
        *json.loads((shared / "real/settled/kxhighny_open_trimmed_2026.json").read_text())["markets"],
        *json.loads((shared / "real/settled/kxhighny_settled_trimmed_2026.json").read_text())["markets"],
    ]
    ours = list(caller.walk("/markets", "markets", limit=1000))
    assert _always(ours) - _always(recorded) - BY_NATURE == SINCE
    assert _always(recorded) - _always(ours) <= GONE
    theirs, mine = _kinds(recorded), _kinds(ours)
    assert theirs.keys() - mine.keys() == GONE
    assert mine.keys() - theirs.keys() == SINCE - theirs.keys()
    assert mine.keys() - _always(ours) == BY_NATURE - {"strike_type"}
    assert {
        name: kinds for name, kinds in mine.items() if name in theirs and not kinds <= theirs[name]
    } == {}
    # Every recorded market has the keys in alphabetical order, and so have ours.
    assert all(list(row) == sorted(row) for row in ours)
    for row in ours:
        for name, value in row.items():
            if name.endswith("_dollars"):
                assert re.fullmatch(r"\d\.\d{4}", value)
            elif name.endswith("_fp"):
                assert re.fullmatch(r"\d+\.\d{2}", value)


def test_temperature_ladders_look_like_recorded_ones(caller: Caller, shared: Path) -> None:
    recorded = [
        row
        for state in ("open", "settled")
        for row in json.loads((shared / f"real/settled/kxhighny_{state}_trimmed_2026.json").read_text())[
            "markets"
        ]
    ]
    ours = list(caller.walk("/markets", "markets", series_ticker="KXHIGHNY", limit=1000))
    for kind in ("less", "between", "greater"):
        for status in ("active", "finalized"):
            mine = [row for row in ours if (row["strike_type"], row["status"]) == (kind, status)]
            theirs = [row for row in recorded if (row["strike_type"], row["status"]) == (kind, status)]
            assert mine
            for row in theirs:
                assert set(row) - GONE == set(mine[0]) - SINCE
                pattern = re.sub(r"\d+(\.\d)?", "N", row["yes_sub_title"])
                assert re.sub(r"\d+(\.\d)?", "N", mine[0]["yes_sub_title"]) == pattern
                assert row["settlement_timer_seconds"] == mine[0]["settlement_timer_seconds"]


@pytest.mark.parametrize(
    "case",
    [
        ("exchange_status_2026-09", "", "/exchange/status", {}, set()),
        ("historical_cutoff_2026-09", "", "/historical/cutoff", {}, set()),
        ("orderbook", "", f"/markets/{OPEN}/orderbook", {}, set()),
        ("orderbooks_batch_trimmed", "orderbooks", "/markets/orderbooks", {"tickers": OPEN}, set()),
        ("trades", "trades", "/markets/trades", {}, set()),
        (
            "events_page_trimmed",
            "events",
            "/events",
            {"with_nested_markets": "true", "series_ticker": "KXHARBORMATCH"},
            set(),
        ),
        ("series_list_trimmed", "series", "/series", {}, {"categories"}),
        (
            "candlesticks_live",
            "candlesticks",
            f"/series/KXHIGHNY/markets/{OPEN}/candlesticks",
            HOURS,
            set(),
        ),
        ("account_limits_basic", "", "/account/limits", {}, set()),
        ("balance", "", "/portfolio/balance", {}, set()),
    ],
    ids=lambda case: case[0],
)
def test_bodies_look_like_recorded_ones(
    caller: Caller, shared: Path, case: tuple[str, str, str, dict[str, Any], set[str]]
) -> None:
    name, inside, path, query, differences = case
    recorded = _recorded(shared, name)
    ask = caller.signed if path.startswith(("/account/limits", "/portfolio")) else caller.get
    body = ask(path, **query)
    if path.startswith("/series/KXHIGHNY"):
        assert recorded.pop("ticker")
        assert body.pop("ticker") == OPEN
    assert set(body) - {"cursor"} == set(recorded) - {"cursor"}
    rows = body[inside] if inside else [body]
    theirs = recorded[inside] if inside else [recorded]
    mine_kinds, their_kinds = _kinds(rows), _kinds(theirs)
    assert mine_kinds.keys() ^ their_kinds.keys() == differences
    shared_names = mine_kinds.keys() & their_kinds.keys()
    assert {key: mine_kinds[key] for key in shared_names} == {
        key: their_kinds[key] for key in shared_names
    }


def test_trades_are_written_like_recorded_ones(caller: Caller, shared: Path) -> None:
    recorded = _recorded(shared, "trades")["trades"]
    ours = caller.get("/markets/trades", limit=1000)["trades"]
    forms = {
        "created_time": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{0,5}[1-9])?Z",
        "trade_id": r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}",
        "count_fp": r"\d+\.\d\d",
        "yes_price_dollars": r"0\.\d{4}",
        "no_price_dollars": r"0\.\d{4}",
    }
    for row in [*recorded, *ours]:
        assert list(row) == list(recorded[0])
        assert all(re.fullmatch(form, row[name]) for name, form in forms.items()), row


def test_historical_candlesticks_look_like_the_recorded_one(caller: Caller, shared: Path) -> None:
    (recorded,) = _recorded(shared, "candlesticks_historical")["candlesticks"]
    (old,) = caller.get("/historical/markets", limit=1, series_ticker="KXHIGHNY")["markets"]
    end = int(datetime.fromisoformat(old["close_time"]).timestamp())
    rows = caller.get(
        f"/historical/markets/{old['ticker']}/candlesticks",
        start_ts=end - 86400, end_ts=end, period_interval=60,
    )["candlesticks"]  # fmt: skip
    traded = [row for row in rows if row["price"]["close"] is not None]
    assert traded
    for row in traded:
        assert {name: _kind(value) for name, value in row.items()} == {
            name: _kind(value) for name, value in recorded.items()
        }
        for part in ("price", "yes_bid", "yes_ask"):
            assert set(row[part]) == set(recorded[part])
