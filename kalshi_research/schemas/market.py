"""Markets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from kalshi_research.schemas.columns import Column, contracts, dollars, moment
from kalshi_research.schemas.plan import ListOf
from kalshi_research.schemas.schema import Schema

__all__ = ["MARKETS", "offered"]

STATUSES = (
    "initialized",
    "inactive",
    "active",
    "closed",
    "determined",
    "disputed",
    "amended",
    "finalized",
)
# The documents of 2025 have the words of the filter in answers too.
_OLD_STATUSES = {
    "unopened": "initialized",
    "paused": "inactive",
    "open": "active",
    "settled": "finalized",
}
_CENTS = '[{"end":"1.0000","start":"0.0000","step":"0.0100"}]'
"""The one price grid of 2025, which no answer told."""

STRIKE_TYPES = (
    "greater",
    "greater_or_equal",
    "less",
    "less_or_equal",
    "between",
    "functional",
    "custom",
    "structured",
)

# On an empty side the exchange sends 0 or 1, at which nothing can trade.
_SIZED = {
    "yes_bid": "yes_bid_size",
    "yes_ask": "yes_ask_size",
    "no_bid": "yes_ask_size",
    "no_ask": "yes_bid_size",
}
_UNSIZED = ("previous_yes_bid", "previous_yes_ask")
_ZERO_IS_NONE = ("last_price", "previous_price")


def offered(price: Any) -> Any:
    """Whether a quoted price is one at which somebody can trade."""
    return pc.and_(pc.greater(price, 0.0), pc.less(price, 1.0))


def _without_sentinels(table: pa.Table, context: Mapping[str, Any]) -> pa.Table:
    """Prices of empty sides, and of markets that never traded, become missing; words are today's."""
    if context.get("dialect") == "2025":
        place = table.column_names.index("price_ranges")
        table = table.set_column(
            place, "price_ranges", pc.fill_null(table["price_ranges"], pa.scalar(_CENTS))
        )
    for old, today in _OLD_STATUSES.items():
        status = table["status"]
        place = table.column_names.index("status")
        table = table.set_column(
            place, "status", pc.if_else(pc.equal(status, old), pa.scalar(today), status)
        )
    none = pa.scalar(None, pa.float64())
    real = {name: offered(table[name]) for name in (*_SIZED, *_UNSIZED)}
    for name, size in _SIZED.items():
        real[name] = pc.coalesce(pc.greater(table[size], 0.0), real[name])
    for name in _ZERO_IS_NONE:
        real[name] = pc.greater(table[name], 0.0)
    for name, is_real in real.items():
        place = table.column_names.index(name)
        table = table.set_column(place, name, pc.if_else(is_real, table[name], none))
    return table


def _text(name: str, meaning: str, *, promised: bool = False, known: tuple[str, ...] = ()) -> Column:
    return Column(
        name, "text", meaning, (name,), need="promised" if promised else "optional", known=known
    )


MARKETS = Schema(
    kind="markets",
    version=1,
    items="markets",
    index="ticker",
    key=("ticker",),
    page=ListOf("markets", single="market", nested=("events", "event")),
    finish=_without_sentinels,
    columns=(
        Column("ticker", "text", "market", ("ticker",), need="required"),
        Column("event_ticker", "text", "event it belongs to", ("event_ticker",), need="required"),
        _text("title", "question; deprecated by the exchange"),
        _text("yes_sub_title", "what YES stands for", promised=True),
        _text("no_sub_title", "what NO stands for", promised=True),
        Column(
            "status",
            "text",
            "state of its life",
            ("status",),
            need="required",
            known=(*STATUSES, *_OLD_STATUSES),
        ),
        dollars("yes_bid", "best bid for YES", "required"),
        dollars("yes_ask", "best ask for YES", "required"),
        dollars("last_price", "last traded price of YES", "required"),
        contracts("volume", "traded so far", "required"),
        contracts("open_interest", "outstanding", "promised"),
        contracts("yes_bid_size", "at the best bid for YES", "promised"),
        contracts("yes_ask_size", "at the best ask for YES", "promised"),
        dollars("no_bid", "best bid for NO", "promised"),
        dollars("no_ask", "best ask for NO", "promised"),
        dollars("previous_yes_bid", "best bid for YES 24 hours before", "promised"),
        dollars("previous_yes_ask", "best ask for YES 24 hours before", "promised"),
        dollars("previous_price", "last price of YES 24 hours before", "promised"),
        contracts("volume_24h", "traded in the last 24 hours", "promised"),
        moment("created_time", "creation", "promised"),
        moment("updated_time", "last change that was no trade", "promised"),
        moment("open_time", "start of trading", "promised"),
        moment("close_time", "end of trading, unless closed early", "promised"),
        moment("expected_expiration_time", "when the outcome is expected"),
        moment("latest_expiration_time", "when the outcome is known at the latest", "promised"),
        moment("expiration_time", "deprecated by the exchange"),
        moment("occurrence_time", "when the event happened or happens", wire="occurrence_datetime"),
        moment("settlement_time", "payout", wire="settlement_ts"),
        moment("fee_waiver_expiration_time", "end of a fee waiver"),
        _text(
            "result",
            "yes, no or scalar; empty until determined",
            promised=True,
            known=("", "yes", "no", "scalar"),
        ),
        dollars("settlement_value", "paid for one YES contract"),
        dollars("settlement_floor", "the least a YES contract pays"),
        _text("expiration_value", "the observation that decided; empty until known", promised=True),
        _text("strike_type", "how the strikes are meant", known=STRIKE_TYPES),
        Column("floor_strike", "number", "lower strike, in units of the observation", ("floor_strike",)),
        Column("cap_strike", "number", "upper strike, in units of the observation", ("cap_strike",)),
        _text("functional_strike", "payout as a function of the observation"),
        Column("custom_strike", "json", "strike of another kind", ("custom_strike",)),
        _text("market_type", "binary or scalar", promised=True, known=("binary", "scalar")),
        _text("subtitle", "deprecated by the exchange"),
        _text("price_level_structure", "label of the price grid", promised=True),
        Column(
            "price_ranges",
            "json",
            "price grid: bands with start, end, step",
            ("price_ranges",),
            need="promised",
        ),
        dollars("notional_value", "what a winning contract pays", "promised"),
        _text("settlement_bounds_type", "bounds of the payout", known=("default", "floor")),
        Column(
            "settlement_timer_seconds",
            "integer",
            "from determination to payout [s]",
            ("settlement_timer_seconds",),
            need="promised",
        ),
        Column(
            "can_close_early",
            "flag",
            "may close before close_time",
            ("can_close_early",),
            need="promised",
        ),
        _text("early_close_condition", "what closes it early"),
        Column("is_provisional", "flag", "removed if nothing happens in it", ("is_provisional",)),
        _text("primary_participant_key", "key of the participant it is about"),
        _text("mve_collection_ticker", "collection of a combo market"),
        Column("mve_selected_legs", "json", "legs of a combo market", ("mve_selected_legs",)),
        Column("exchange_index", "integer", "shard it lives on", ("exchange_index",)),
        _text("rules_primary", "terms", promised=True),
        _text("rules_secondary", "further terms", promised=True),
    ),
    ignored={
        "liquidity_dollars": "always zero, removed by the exchange on 2026-10-01",
        "response_price_units": "names the unit of the integer dialect, removed on 2026-07-09",
        "fractional_trading_enabled": "true everywhere, removed on 2026-07-09",
    },
    ignored_old={
        "liquidity": "always zero",
        "risk_limit_cents": "no longer a rule of the exchange",
        "tick_size": "says less than price_ranges",
        "category": "belongs to the series",
        "yes_price": "repeats last_price",
        "yes_price_dollars": "repeats last_price",
        "no_price": "one dollar less last_price",
        "no_price_dollars": "one dollar less last_price",
        "price": "repeats last_price",
        "price_dollars": "repeats last_price",
    },
)
