"""Frames of the channels that carry rows: tickers, own fills, orders and positions, life cycles."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from kalshi_research.schemas.columns import Column, amount, contracts, dollars, moment
from kalshi_research.schemas.direction import OUTCOME_SIDE
from kalshi_research.schemas.plan import ListOf
from kalshi_research.schemas.schema import Schema

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "STREAMED",
    "closed_position",
    "key_of",
    "market_of",
    "numbered_time",
    "rest_row",
    "row_frame",
]

Body = Mapping[str, Any]

_SAID_OTHERWISE = {
    "book_side": "says the same as outcome_side: bid is yes, ask is no",
    "exchange_index": "the part of the exchange that the market lives on",
    "user_id": "who one is",
    "market_id": "another name of the market",
    "ts": "deprecated; ts_ms is exact",
    "ts_ms": "becomes the time",
    "action": "deprecated; follows from outcome_side",
    "side": "deprecated; outcome_side says it today",
    "is_yes": "deprecated; outcome_side says it today",
    "purchased_side": "deprecated; outcome_side says it today",
}

TICKERS = Schema(
    kind="stream_tickers",
    version=1,
    items="rows",
    page=ListOf("rows"),
    index="ticker",
    columns=(
        Column("ticker", "text", "market", ("market_ticker",), need="required"),
        moment("time", "of the last change"),
        dollars("last_price", "of the last trade", wire="price"),
        dollars("yes_bid", "best bid for YES"),
        contracts("yes_bid_size", "bid at it"),
        dollars("yes_ask", "best offer of YES"),
        contracts("yes_ask_size", "offered at it"),
        contracts("last_trade_size", "of the last trade"),
        contracts("volume", "traded so far"),
        contracts("open_interest", "held by both sides"),
        Column("dollar_volume", "integer", "traded so far [$]", ("dollar_volume",)),
        Column("dollar_open_interest", "integer", "held by both sides [$]", ("dollar_open_interest",)),
    ),
    ignored=_SAID_OTHERWISE,
)
FILLS = Schema(
    kind="stream_fills",
    version=1,
    items="rows",
    page=ListOf("rows"),
    index="fill_id",
    key=("fill_id", "order_id"),
    columns=(
        Column("fill_id", "text", "identifier, as of the trade", ("trade_id",), need="required"),
        moment("time", "execution"),
        Column("ticker", "text", "market", ("market_ticker",), need="required"),
        Column("order_id", "text", "the order that was filled", ("order_id",)),
        Column("client_order_id", "text", "one's own name for the order", ("client_order_id",)),
        OUTCOME_SIDE,
        dollars("yes_price", "price of the YES leg"),
        contracts("quantity", "filled", wire="count"),
        Column("fee_cost", "amount", "fee paid", ("fee_cost",)),
        Column("is_taker", "flag", "took liquidity", ("is_taker",)),
        contracts("position", "signed, afterwards", wire="post_position"),
        Column("subaccount_number", "integer", "0 is the primary one", ("subaccount",)),
    ),
    ignored=_SAID_OTHERWISE,
)
ORDERS = Schema(
    kind="stream_orders",
    version=1,
    items="rows",
    page=ListOf("rows"),
    index="order_id",
    columns=(
        Column("order_id", "text", "identifier", ("order_id",), need="required"),
        Column("ticker", "text", "market", ("ticker",)),
        Column("client_order_id", "text", "one's own name for the order", ("client_order_id",)),
        Column("status", "text", "resting, executed or canceled", ("status",)),
        OUTCOME_SIDE,
        dollars("yes_price", "limit, of the YES leg"),
        contracts("initial_count", "ordered"),
        contracts("fill_count", "filled"),
        contracts("remaining_count", "resting"),
        amount("taker_fill_cost", "paid for what was taken"),
        amount("maker_fill_cost", "paid for what was made"),
        amount("taker_fees", "on what was taken"),
        amount("maker_fees", "on what was made"),
        moment("created_time", "arrival of the order"),
        moment("last_update_time", "last change"),
        moment("expiration_time", "when it ends by itself"),
        Column("last_update_reason", "text", "why it changed", ("last_update_reason",)),
        Column("order_group_id", "text", "its group", ("order_group_id",)),
        Column(
            "self_trade_prevention_type",
            "text",
            "what happens when it meets one's own order",
            ("self_trade_prevention_type",),
        ),
        Column("subaccount_number", "integer", "0 is the primary one", ("subaccount_number",)),
    ),
    ignored={
        **_SAID_OTHERWISE,
        "created_ts_ms": "becomes created_time",
        "last_updated_ts_ms": "becomes last_update_time",
        "expiration_ts_ms": "becomes expiration_time",
    },
)
POSITIONS = Schema(
    kind="stream_positions",
    version=1,
    items="rows",
    page=ListOf("rows"),
    index="ticker",
    columns=(
        Column("ticker", "text", "market", ("market_ticker",), need="required"),
        contracts("position", "signed: above 0 is YES, below is NO"),
        amount("position_cost", "paid for what is held"),
        amount("realized_pnl", "profit already made"),
        amount("fees_paid", "so far"),
        amount("position_fee_cost", "fees in the cost of what is held"),
        contracts("volume", "traded"),
        Column("subaccount_number", "integer", "0 is the primary one", ("subaccount",)),
    ),
    ignored=_SAID_OTHERWISE,
)
LIFECYCLE = Schema(
    kind="stream_lifecycle",
    version=1,
    items="rows",
    page=ListOf("rows"),
    index="time",
    columns=(
        moment("time", "receipt"),
        Column("type", "text", "what it is news of: a market or an event", ("type",)),
        Column("event_type", "text", "what happened", ("event_type",)),
        Column("ticker", "text", "market", ("market_ticker",)),
        Column("event_ticker", "text", "event", ("event_ticker",)),
        Column("result", "text", "the outcome, once it is determined", ("result",)),
        Column("settlement_value", "dollars", "of a YES contract", ("settlement_value",)),
        Column("close_time", "time", "new end of trading", ("close_ts",)),
        Column("details", "json", "what else it said", ("details",)),
    ),
)
STREAMED = {
    "tickers": TICKERS,
    "fills": FILLS,
    "orders": ORDERS,
    "positions": POSITIONS,
    "lifecycle": LIFECYCLE,
}
"""By the name of the channel."""

_KINDS = {
    "ticker": "tickers",
    "fill": "fills",
    "user_order": "orders",
    "market_position": "positions",
    "market_lifecycle_v2": "lifecycle",
    "event_lifecycle": "lifecycle",
    "event_fee_update": "lifecycle",
}
_KEYS = {
    "tickers": ("market_ticker",),
    "fills": ("trade_id", "order_id"),
    "orders": ("order_id",),
    "positions": ("market_ticker", "subaccount"),
}
_TIMES = {
    "created_ts_ms": "created_time",
    "last_updated_ts_ms": "last_update_time",
    "expiration_ts_ms": "expiration_time",
}


def key_of(frame: str, body: Body) -> tuple[str, tuple[Any, ...] | None]:
    """The channel of a frame, and what tells its row from others; None where each is new."""
    kind = _KINDS[frame]
    names = _KEYS.get(kind)
    if names is None:
        return kind, None
    # Who does not name a subaccount means the primary one.
    return kind, tuple(body.get(name) or (0 if name == "subaccount" else None) for name in names)


def market_of(body: Body) -> str:
    """The market that a row is about; empty where it is about none."""
    found = body.get("market_ticker") or body.get("ticker") or ""
    return found if isinstance(found, str) else ""


def closed_position(body: Body) -> dict[str, Any] | None:
    """What a position has become that is listed no longer; None where it was none before.

    Examples
    --------
    >>> closed_position({"market_ticker": "T", "position_fp": "3.00", "volume_fp": "3.00"})
    {'market_ticker': 'T', 'position_fp': '0.00'}
    """
    held = str(body.get("position_fp", body.get("position", 0)))
    if body.get("subaccount") or not held.strip("-0."):
        return None
    return {"market_ticker": body.get("market_ticker"), "position_fp": "0.00"}


def numbered_time(body: Body) -> int:
    """When a row happened [ms]; -1 where it does not say."""
    millis, seconds = body.get("ts_ms"), body.get("ts")
    if isinstance(millis, int):
        return millis
    return seconds * 1000 if isinstance(seconds, int) else -1


def rest_row(kind: str, row: Body) -> dict[str, Any]:
    """A row of a REST answer as the stream would have sent it."""
    found = dict(row)
    if kind == "fills":
        found.setdefault("market_ticker", row.get("ticker"))
        found["time"] = row.get("created_time")
    elif kind == "positions":
        found.setdefault("market_ticker", row.get("ticker"))
        found.setdefault("position_cost_dollars", row.get("market_exposure_dollars"))
    schema = STREAMED[kind]
    known = {name for column in schema.columns for name in (*column.wire, *column.old)}
    return {name: value for name, value in found.items() if name in known}


def row_frame(kind: str, bodies: Iterable[Body], provenance: Mapping[str, Any]) -> pd.DataFrame:
    """The rows of one channel as a frame.

    Raises
    ------
    DecodeError
        If a row is not what the protocol promises.
    """
    schema = STREAMED[kind]
    decoder = schema.decoder()
    dated = _life if kind == "lifecycle" else _dated
    decoder.add(msgspec.json.encode({"rows": [dated(body) for body in bodies]}))
    frame = decoder.frame(provenance)
    if kind == "tickers":
        frame = _without_sentinels(frame)
    return frame


def _dated(body: Body) -> dict[str, Any]:
    """A row whose times are texts."""
    row = dict(body)
    if "outcome_side" not in row and row.get("action") in ("buy", "sell"):
        other = {"yes": "no", "no": "yes"}
        bought, side = row["action"] == "buy", row.get("side")
        row["outcome_side"] = side if bought else other.get(str(side))
    stamp = numbered_time(row)
    if stamp >= 0 and not row.get("time"):
        row["time"] = _text(stamp)
    for numbered, named in _TIMES.items():
        if isinstance(row.get(numbered), int) and not row.get(named):
            row[named] = _text(row[numbered])
    return row


def _life(body: Body) -> dict[str, Any]:
    """A row of the life of a market; what has no column of its own is in `details`."""
    known = {name for column in LIFECYCLE.columns for name in column.wire}
    row = {name: value for name, value in body.items() if name in known}
    row["time"] = _text(body["received_ms"])
    if isinstance(row.get("close_ts"), int):
        row["close_ts"] = _text(row["close_ts"] * 1000)
    row["details"] = {name: body[name] for name in body if name not in known and name != "received_ms"}
    return row


def _text(millis: int) -> str:
    return datetime.fromtimestamp(millis / 1000, UTC).isoformat(timespec="milliseconds")


def _without_sentinels(frame: pd.DataFrame) -> pd.DataFrame:
    """An empty side is written as a price of 0 or 1 dollar, no trade as a price of 0."""
    for name, sentinel in (("yes_bid", 0.0), ("yes_ask", 1.0), ("last_price", 0.0)):
        frame.loc[frame[name] == sentinel, name] = np.nan
    for price in ("yes_bid", "yes_ask"):
        frame.loc[frame[price].isna(), f"{price}_size"] = np.nan
    return frame
