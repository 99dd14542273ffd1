"""Series: the recurring questions that events are instances of."""

from __future__ import annotations

from kalshi_research.schemas.columns import Column, contracts, moment
from kalshi_research.schemas.event import FEE_TYPES
from kalshi_research.schemas.plan import ListOf
from kalshi_research.schemas.schema import Schema

__all__ = ["SERIES"]

SERIES = Schema(
    kind="series",
    version=1,
    items="series",
    index="series_ticker",
    key=("series_ticker",),
    page=ListOf("series", single="series"),
    columns=(
        Column("series_ticker", "text", "series", ("ticker",), need="required"),
        Column("title", "text", "what it is about", ("title",), need="required"),
        Column("category", "text", "main category", ("category",), need="promised"),
        Column("categories", "json", "all categories", ("categories",)),
        Column("tags", "json", "subjects", ("tags",)),
        Column("frequency", "text", "how often an event comes", ("frequency",), need="promised"),
        Column("fee_type", "text", "fee rule", ("fee_type",), need="promised", known=FEE_TYPES),
        Column(
            "fee_multiplier", "number", "factor of the fee rule", ("fee_multiplier",), need="promised"
        ),
        contracts("volume", "traded in all its events, where asked for"),
        moment("last_updated_time", "last change of these data", wire="last_updated_ts"),
        Column("contract_url", "text", "filing of the contract", ("contract_url",)),
        Column("contract_terms_url", "text", "terms of the contract", ("contract_terms_url",)),
        Column("settlement_sources", "json", "who decides: name, url", ("settlement_sources",)),
        Column("additional_prohibitions", "json", "who may not trade", ("additional_prohibitions",)),
        Column("product_metadata", "json", "further data", ("product_metadata",)),
        Column("exchange_index", "integer", "shard it lives on", ("exchange_index",)),
    ),
)
