"""One's own positions, by market and by event."""

from __future__ import annotations

from kalshi_research.schemas.columns import Column, amount, contracts, moment
from kalshi_research.schemas.plan import ListOf
from kalshi_research.schemas.schema import Schema

__all__ = ["EVENT_POSITIONS", "POSITIONS"]

_REALIZED = amount("realized_pnl", "profit locked in, without fees", "promised")
_FEES = amount("fees_paid", "fees of all fills", "promised")

POSITIONS = Schema(
    kind="positions",
    version=1,
    items="market_positions",
    page=ListOf("market_positions"),
    index="ticker",
    key=("ticker",),
    columns=(
        Column("ticker", "text", "market", ("ticker",), need="required"),
        contracts("position", "held: above 0 YES, below 0 NO", "required"),
        amount("market_exposure", "what the contracts held have cost, without fees", "required"),
        _REALIZED,
        _FEES,
        amount("total_traded", "spent on either leg so far", "promised"),
        moment("last_updated_time", "last change", "promised", wire="last_updated_ts"),
        Column("exchange_index", "integer", "shard the market lives on", ("exchange_index",)),
    ),
    ignored={"resting_orders_count": "removed by the exchange on 2026-07-09"},
)

EVENT_POSITIONS = Schema(
    kind="event_positions",
    version=1,
    items="event_positions",
    page=ListOf("event_positions"),
    index="event_ticker",
    # An event cut in two by the end of a page comes twice, with different sums; a repeated row does not.
    key=("event_ticker", "total_cost", "total_cost_shares", "event_exposure", "realized_pnl"),
    columns=(
        Column("event_ticker", "text", "event", ("event_ticker",), need="required"),
        amount("event_exposure", "what the contracts held have cost, without fees", "required"),
        _REALIZED,
        _FEES,
        amount("total_cost", "spent on either leg so far", "promised"),
        contracts("total_cost_shares", "traded so far, of either leg", "promised"),
    ),
    ignored_old={
        "resting_order_count": "removed by the exchange",
        "resting_orders_count": "removed by the exchange",
    },
)
