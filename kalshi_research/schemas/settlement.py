"""Payouts."""

from __future__ import annotations

from kalshi_research.schemas.columns import Column, amount, contracts, moment
from kalshi_research.schemas.plan import ListOf
from kalshi_research.schemas.schema import Schema

__all__ = ["SETTLEMENTS"]

# No key: two subaccounts may have been paid the same for the same, and one tier serves all.
SETTLEMENTS = Schema(
    kind="settlements",
    version=1,
    items="settlements",
    page=ListOf("settlements"),
    index="ticker",
    columns=(
        Column("ticker", "text", "market", ("ticker",), need="required"),
        Column("event_ticker", "text", "event it belongs to", ("event_ticker",), need="promised"),
        moment("settled_time", "payout", "required"),
        Column(
            "market_result",
            "text",
            "yes, no or scalar",
            ("market_result",),
            need="required",
            known=("yes", "no", "scalar"),
        ),
        contracts("yes_count", "YES held at the end", "required"),
        amount("yes_total_cost", "what they have cost, without fees", "required"),
        contracts("no_count", "NO held at the end", "required"),
        amount("no_total_cost", "what they have cost, without fees", "required"),
        Column("revenue", "cents", "paid out, to the cent", ("revenue",), need="required"),
        Column("fee_cost", "amount", "all fees of the position", ("fee_cost",), need="promised"),
        Column("value", "cents", "paid for one YES, to the cent", ("value",)),
        Column("exchange_index", "integer", "shard the market lives on", ("exchange_index",)),
    ),
)
