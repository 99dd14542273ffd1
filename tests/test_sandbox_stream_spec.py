"""Every frame against the exchange's own AsyncAPI document and against recorded frames."""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator, FormatChecker
from stream_venue import ANNA, BERT, CARL, Peer, Server, Venue, peer
from test_sandbox_stream import trade_at_random

from kalshi_research.fees import FeeTerms
from kalshi_research.money import PriceGrid
from kalshi_research.sandbox.engine import SECOND, MarketSpec
from kalshi_research.sandbox.stream import StreamOptions
from kalshi_research.sandbox.stream.codes import MESSAGES

CHANNELS = (
    "orderbook_delta",
    "ticker",
    "trade",
    "fill",
    "user_orders",
    "market_positions",
    "market_lifecycle_v2",
    "multivariate_market_lifecycle",
    "order_group_updates",
    "communications",
)
PAYLOADS = {
    "subscribed": "subscribedResponsePayload",
    "unsubscribed": "unsubscribedResponsePayload",
    "ok": "okResponsePayload",
    "list": "listSubscriptionsResponsePayload",
    "error": "errorResponsePayload",
    "orderbook_snapshot": "orderbookSnapshotPayload",
    "orderbook_delta": "orderbookDeltaPayload",
    "ticker": "tickerPayload",
    "trade": "tradePayload",
    "fill": "fillPayload",
    "user_order": "userOrderPayload",
    "market_position": "marketPositionPayload",
    "market_lifecycle_v2": "marketLifecycleV2Payload",
    "multivariate_market_lifecycle": "multivariateMarketLifecyclePayload",
    "event_fee_update": "eventFeeUpdatePayload",
    "order_group_updates": "orderGroupUpdatesPayload",
}
# Sent by the real exchange, and never by this one.
NEVER_SENT = {
    "event_lifecycle": "the engine has markets, and nothing that makes an event",
    "marketMetadataUpdated": "titles and strikes of a market never change here",
}
# What recorded frames lack, because it was added to the protocol later.
ADDED_LATER = {"sending_ts_ms": "2026-10-01", "clock": "after the recordings of August 2026"}
formats = FormatChecker(("uuid",))


@formats.checks("date-time", raises=ValueError)
def is_time(text: object) -> bool:
    return isinstance(text, str) and text.endswith("Z") and bool(datetime.fromisoformat(text))


@pytest.fixture(scope="module")
def frames() -> list[dict[str, Any]]:
    """Some of everything there is."""
    venue = Venue()
    with (
        Server(venue, StreamOptions(unknown_ticker="empty")) as server,
        peer(server, 0) as anna,
        peer(server, 1) as bert,
    ):
        anna.subscribe(*CHANNELS, market_tickers=["M", "N", "NONE"], send_initial_snapshot=True)
        bert.subscribe(*CHANNELS, market_tickers=["M"], use_yes_price=True)
        trade_at_random(venue, random.Random(1), 300)
        groups_and_life(venue)
        every_answer(anna)
        for connection in (anna, bert):
            connection.settled()
            connection.ask("list_subscriptions")
            connection.ask("unsubscribe", {"sids": [1]})
        return anna.frames + bert.frames


def groups_and_life(venue: Venue) -> None:
    group = venue.create_group(ANNA, 1000).group_id
    venue.submit(
        ANNA,
        "M",
        "bid",
        100,
        100,
        client_order_id="mine",
        group_id=group,
        expiration=venue.now() + 9 * SECOND,
    )
    venue.set_group_limit(ANNA, group, 2000)
    venue.trigger_group(ANNA, group)
    venue.reset_group(ANNA, group)
    venue.delete_group(ANNA, group)
    for ticker in ("LIFE", "COMBO"):
        close = venue.now() + 5 * SECOND
        venue.create_market(MarketSpec(ticker, "E", 0, close, settlement_timer=SECOND))
        venue.submit(ANNA, ticker, "bid", 4700, 1)
        venue.submit(CARL, ticker, "ask", 4700, 1)
        venue.deactivate(ticker)
        venue.activate(ticker)
        venue.set_grid(ticker, PriceGrid(((0, 10_000, 10),)))
        venue.set_close_time(ticker, venue.now() + 2 * SECOND)
        venue.advance(venue.now() + 3 * SECOND)
        venue.determine(ticker, 3300)
        venue.advance(venue.now() + 3 * SECOND)
    venue.set_event_fees("E", FeeTerms("quadratic_with_maker_fees"))
    venue.submit(ANNA, "M", "bid", 9900, 10_000)
    venue.submit(BERT, "M", "ask", 9900, 10_000)


def every_answer(anna: Peer) -> None:
    sids = {frame["msg"]["channel"]: frame["msg"]["sid"] for frame in anna.frames[:20] if "id" in frame}
    for channel in ("orderbook_delta", "trade", "ticker"):
        for action in ("delete_markets", "add_markets", "get_snapshot", "nothing"):
            params = {"sid": sids[channel], "action": action, "market_ticker": "N"}
            anna.send("update_subscription", params)
            anna.settled()
    anna.send("subscribe", {"channels": ["orderbook_delta"]})
    anna.send("subscribe", {"channels": ["nothing"]})


@pytest.fixture(scope="module")
def schemas(shared: Path) -> dict[str, Any]:
    document = yaml.safe_load((shared / "spec/asyncapi.yaml").read_text(encoding="utf-8"))
    found: dict[str, Any] = document["components"]["schemas"]
    return found


def closed(schema: Any, schemas: dict[str, Any]) -> Any:
    """A schema without references, in which an object has no other keys than those it names."""
    if isinstance(schema, list):
        return [closed(part, schemas) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        target = schemas[schema["$ref"].rpartition("/")[2]]
        return closed(target | {key: value for key, value in schema.items() if key != "$ref"}, schemas)
    found = {key: closed(value, schemas) for key, value in schema.items()}
    if isinstance(found.get("properties"), dict):
        found["additionalProperties"] = False
    return found


def kind(frame: dict[str, Any]) -> str:
    return "list" if isinstance(frame.get("msg"), list) else str(frame["type"])


def test_every_frame_is_one_of_the_specification(
    frames: list[dict[str, Any]], schemas: dict[str, Any]
) -> None:
    validators = {
        name: Draft202012Validator(closed(schemas[schema], schemas), format_checker=formats)
        for name, schema in PAYLOADS.items()
    }
    wrong = Counter(
        f"{kind(frame)} {error.json_path}: {error.message[:120]}"
        for frame in frames
        for error in validators[kind(frame)].iter_errors(frame)
    )
    assert not wrong
    assert {kind(frame) for frame in frames} == set(PAYLOADS)


def test_the_validator_would_notice(schemas: dict[str, Any]) -> None:
    closed_schema = closed(schemas["tradePayload"], schemas)
    errors = Draft202012Validator(closed_schema, format_checker=formats).iter_errors(
        {"type": "trade", "sid": 0, "seq": 1, "msg": {"trade_id": "1", "more": 1}}
    )
    assert {error.validator for error in errors} >= {
        "additionalProperties",
        "format",
        "minimum",
        "required",
    }


def test_all_error_numbers_are_those_of_the_specification(schemas: dict[str, Any]) -> None:
    numbers = schemas["errorResponsePayload"]["properties"]["msg"]["properties"]["code"]
    assert set(MESSAGES) == set(numbers["enum"])
    told = re.findall(r"- (\d+): (.*?) - ", numbers["description"])
    assert {int(number): text for number, text in told} == MESSAGES


def test_every_life_event_of_the_specification_is_sent(
    frames: list[dict[str, Any]], schemas: dict[str, Any]
) -> None:
    message = schemas["marketLifecycleV2Payload"]["properties"]["msg"]["properties"]
    seen = {frame["msg"]["event_type"] for frame in frames if frame["type"] == "market_lifecycle_v2"}
    assert seen == set(message["event_type"]["enum"])
    groups = schemas["orderGroupUpdatesPayload"]["properties"]["msg"]["properties"]
    seen = {frame["msg"]["event_type"] for frame in frames if frame["type"] == "order_group_updates"}
    assert seen == set(groups["event_type"]["enum"])


def test_every_frame_carries_its_time(frames: list[dict[str, Any]]) -> None:
    assert all(frame["sending_ts_ms"] > 1_781_000_000_000 for frame in frames)


def recorded(shared: Path) -> list[dict[str, Any]]:
    found = [
        json.loads(line)
        for path in sorted((shared / "wire_examples").glob("ws__*.jsonl"))
        for line in path.read_text(encoding="utf-8").splitlines()
        if line.strip()
    ]
    stream = json.loads((shared / "real/ws/ws_orderbook_stream.json").read_text(encoding="utf-8"))
    rows = next(value for value in stream.values() if isinstance(value, list) and "frame" in value[0])
    return found + [row["frame"] for row in rows]


def shape(value: Any) -> Any:
    """Types, and the form of numbers in texts; lists by their first element."""
    if isinstance(value, dict):
        return {name: shape(part) for name, part in sorted(value.items())}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    if isinstance(value, str):
        if re.fullmatch(r"-?\d+\.\d\d", value):
            return "two decimals"
        if re.fullmatch(r"\d\.\d{4}", value):
            return "four decimals"
        if re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", value):
            return "UUID"
        return "time" if re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z", value) else "text"
    return type(value).__name__


def as_then(frame: dict[str, Any]) -> dict[str, Any]:
    """A frame of ours without what recordings cannot have, nor tags of the reader's own orders."""
    gone = {*ADDED_LATER, "client_order_id"}
    return {
        name: {key: part for key, part in value.items() if key not in gone}
        if isinstance(value, dict)
        else value
        for name, value in frame.items()
        if name not in gone
    }


def test_recorded_frames_have_the_same_fields(frames: list[dict[str, Any]], shared: Path) -> None:
    ours = {json.dumps(shape(as_then(frame)), sort_keys=True) for frame in frames}
    foreign = [
        frame
        for frame in recorded(shared)
        if json.dumps(shape(as_then(frame)), sort_keys=True) not in ours
        # A scoped error that was recorded without the number of its command.
        and frame["type"] != "error"
    ]
    assert [shape(frame) for frame in foreign] == []
    assert len(recorded(shared)) > 200


def test_recorded_errors_have_the_same_fields(frames: list[dict[str, Any]], shared: Path) -> None:
    told = [shape(frame) for frame in recorded(shared) if frame["type"] == "error"]
    ours = [
        shape(as_then({name: part for name, part in frame.items() if name != "id"}))
        for frame in frames
        if frame["type"] == "error"
    ]
    assert told
    assert all(error in ours for error in told)
