"""Public trades."""

from __future__ import annotations

from kalshi_research.schemas.columns import Column, contracts, dollars, moment
from kalshi_research.schemas.plan import ListOf
from kalshi_research.schemas.schema import Schema

__all__ = ["TRADES"]

TRADES = Schema(
    kind="trades",
    version=1,
    items="trades",
    page=ListOf("trades"),
    index="time",
    key=("trade_id",),
    by_time=True,
    columns=(
        moment("time", "execution", "required", wire="created_time"),
        Column("trade_id", "text", "identifier", ("trade_id",), need="required"),
        Column("ticker", "text", "market", ("ticker",), need="required"),
        dollars("yes_price", "price of the YES leg", "required"),
        dollars("no_price", "price of the NO leg", "required"),
        contracts("quantity", "traded; fractions allowed", "required", wire="count"),
        Column(
            "taker_side",
            "text",
            "the leg the taker bought: yes or no",
            ("taker_outcome_side",),
            ("taker_side",),
            need="promised",
            known=("yes", "no"),
        ),
        Column(
            "is_block_trade", "flag", "negotiated off the book", ("is_block_trade",), need="promised"
        ),
    ),
    ignored={
        "taker_book_side": "says the same as taker_outcome_side: bid is yes, ask is no",
        "taker_side": "deprecated; read only where taker_outcome_side is missing",
    },
    ignored_old={
        "price": "repeats the price of the leg the taker bought",
        "price_dollars": "repeats the price of the leg the taker bought",
    },
)
