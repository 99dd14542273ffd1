"""Payloads of the stream of late 2025, figure by figure: whole contracts, cents, seconds."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any, cast

from kalshi_research.sandbox.engine import LINEAR_CENT, BookDelta, Lifecycle, PositionUpdate
from kalshi_research.sandbox.stream import payloads_2025

NOW = 1_795_186_800_250_000


def said(payload: bytes | None) -> Any:
    assert payload is not None
    return json.loads(b"{" + payload.lstrip(b",").strip().removesuffix(b"}") + b"}")["msg"]


def life(kind: Any) -> Lifecycle:
    close = NOW + 3_600_000_000
    return Lifecycle(7, NOW, "M", kind, "active", close, "yes", 10_000, LINEAR_CENT)


def test_a_position_is_in_contracts_and_money_in_cents_and_dollars() -> None:
    event = PositionUpdate(1, NOW, "A", 0, "M", -300, 1_410_000, 0, -20_000, 70_000, 1_700)
    told = said(payloads_2025.market_position(event, "user"))
    assert {name: told[name] for name in ("user_id", "market_ticker", "position", "volume")} == {
        "user_id": "user", "market_ticker": "M", "position": -3, "volume": 17,
    }  # fmt: skip
    assert (told["position_cost"], told["realized_pnl"], told["fees_paid"]) == (141, -2, 7)
    assert told["position_cost_dollars"].startswith("1.41")


def test_a_change_names_the_order_of_its_owner() -> None:
    level = cast("Any", SimpleNamespace(yes={4700: 300}, no={}, ticker="M"))
    event = BookDelta(1, NOW, "M", "yes", 4700, 300, cast("Any", None))
    for name, told in (("mine", {"client_order_id": "mine"}), ("", {})):
        cause = cast("Any", SimpleNamespace(client_order_id=name))
        assert said(payloads_2025.delta(event, level, yes_price=False, cause=cause)) == {
            "market_ticker": "M", "price": 47, "price_dollars": "0.4700", "delta": 3, "side": "yes",
            "ts": NOW // 1_000_000,
        } | told  # fmt: skip


def test_the_life_of_a_market_is_told_in_seconds() -> None:
    announced = {"open_ts": 5}
    source = cast("Any", SimpleNamespace(announcement=lambda ticker: announced))
    silent = cast("Any", SimpleNamespace(announcement=lambda ticker: None))
    seconds = NOW // 1_000_000
    created = said(payloads_2025.lifecycle(life("created"), source))
    assert created == {
        "market_ticker": "M", "event_type": "created", "open_ts": 5, "close_ts": seconds + 3600,
    }  # fmt: skip
    assert payloads_2025.lifecycle(life("created"), silent) is None
    assert payloads_2025.lifecycle(life(""), source) is None
    for kind, more in (
        ("activated", {"is_deactivated": False}),
        ("deactivated", {"is_deactivated": True}),
        ("close_date_updated", {"close_ts": seconds + 3600}),
        ("determined", {"result": "yes", "determination_ts": seconds}),
        ("settled", {"settled_ts": seconds}),
    ):
        told = said(payloads_2025.lifecycle(life(kind), source))
        assert told == {"market_ticker": "M", "event_type": kind} | more
