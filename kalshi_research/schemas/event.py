"""Events."""

from __future__ import annotations

from kalshi_research.schemas.columns import Column, moment
from kalshi_research.schemas.plan import ListOf
from kalshi_research.schemas.schema import Schema

__all__ = ["EVENTS", "FEE_TYPES"]

FEE_TYPES = (
    "quadratic",
    "quadratic_with_maker_fees",
    "quadratic_with_combo_maker_fees",
    "flat",
    "margin_market_maker_program_fees",
)

EVENTS = Schema(
    kind="events",
    version=1,
    items="events",
    index="event_ticker",
    key=("event_ticker",),
    page=ListOf("events", single="event"),
    columns=(
        Column("event_ticker", "text", "event", ("event_ticker",), need="required"),
        Column("series_ticker", "text", "series it belongs to", ("series_ticker",), need="required"),
        Column("title", "text", "question", ("title",), need="required"),
        Column("sub_title", "text", "short form of the title", ("sub_title",), need="promised"),
        Column("category", "text", "deprecated by the exchange: see the series", ("category",)),
        Column(
            "mutually_exclusive",
            "flag",
            "at most one market pays YES",
            ("mutually_exclusive",),
            need="promised",
        ),
        Column(
            "collateral_return_type",
            "text",
            "MECNET or DIRECNET, or empty: how positions in it are netted",
            ("collateral_return_type",),
            need="promised",
            known=("", "MECNET", "DIRECNET"),
        ),
        moment("strike_date", "date the event is about"),
        Column("strike_period", "text", "period the event is about", ("strike_period",)),
        moment("last_updated_time", "last change of these data", wire="last_updated_ts"),
        Column(
            "fee_type_override",
            "text",
            "fee rule that replaces the series'",
            ("fee_type_override",),
            known=FEE_TYPES,
        ),
        Column(
            "fee_multiplier_override", "number", "replaces the series'", ("fee_multiplier_override",)
        ),
        Column("exchange_index", "integer", "shard it lives on", ("exchange_index",)),
        Column("settlement_sources", "json", "who decides: name, url", ("settlement_sources",)),
        Column("product_metadata", "json", "further data", ("product_metadata",)),
    ),
    ignored={
        "markets": "the nested markets are a frame of their own",
        "available_on_brokers": "removed by the exchange on 2026-09-10",
    },
)
