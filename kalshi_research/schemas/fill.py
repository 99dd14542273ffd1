"""One's own fills."""

from __future__ import annotations

from kalshi_research.schemas.columns import Column, contracts, dollars, moment
from kalshi_research.schemas.direction import ACTION, OUTCOME_SIDE, SIDE, with_outcome_side
from kalshi_research.schemas.plan import ListOf
from kalshi_research.schemas.schema import Schema

__all__ = ["FILLS"]

FILLS = Schema(
    kind="fills",
    version=1,
    items="fills",
    page=ListOf("fills"),
    index="fill_id",
    # Who trades between own subaccounts has both halves of a trade, under one identifier.
    key=("fill_id", "order_id"),
    finish=with_outcome_side,
    columns=(
        Column(
            "fill_id",
            "text",
            "identifier; the public trade carries the same",
            ("fill_id",),
            ("trade_id",),
            need="required",
        ),
        moment("time", "execution", "promised", wire="created_time"),
        Column("ticker", "text", "market", ("ticker",), ("market_ticker",), need="required"),
        Column("order_id", "text", "order it belongs to", ("order_id",), need="required"),
        OUTCOME_SIDE,
        dollars("yes_price", "price of the YES leg", "required"),
        dollars("no_price", "price of the NO leg", "required"),
        contracts("quantity", "traded; fractions allowed", "required", wire="count"),
        Column("fee_cost", "amount", "fee paid", ("fee_cost",), need="promised"),
        Column("is_taker", "flag", "took liquidity off the book", ("is_taker",), need="promised"),
        Column("subaccount_number", "integer", "0 is the primary one", ("subaccount_number",)),
        Column("exchange_index", "integer", "shard the market lives on", ("exchange_index",)),
        SIDE,
        ACTION,
    ),
    ignored={
        "trade_id": "says the same as fill_id; read only where that is missing",
        "market_ticker": "says the same as ticker; read only where that is missing",
        "book_side": "says the same as outcome_side: bid is yes, ask is no",
        "ts": "created_time cut to whole seconds",
    },
    ignored_old={
        "price": "repeats the price of one leg",
        "price_dollars": "repeats the price of one leg",
        "yes_price_fixed": "repeats yes_price",
        "no_price_fixed": "repeats no_price",
        "client_order_id": "belongs to the order; left the fills on 2026-03-30",
        "purchased_side": "says the same as side and action together",
    },
)
"""Old rows may lack fee_cost, which is then missing, not zero."""
