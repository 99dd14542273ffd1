"""What the world looks like on the wire. Nothing else knows these names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kalshi_research.money import COUNT_SCALE, PRICE_SCALE, fixed_text
from kalshi_research.sandbox.instants import MINUTE, SECOND, iso, iso_many

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kalshi_research.sandbox.engine import BookView
    from kalshi_research.sandbox.world import Candle, EventSpec, MarketSpec, SeriesSpec, Tick, World
    from kalshi_research.sandbox.world.history import Span
    from kalshi_research.sandbox.world.specs import TickStructure
    from kalshi_research.sandbox.world.world import MarketState

__all__ = [
    "event_view",
    "historical_candle_view",
    "live_candle_view",
    "market_view",
    "orderbook_view",
    "price_range_views",
    "series_view",
    "trade_views",
]

Json = dict[str, Any]

_PRICES = [fixed_text(price, PRICE_SCALE) for price in range(PRICE_SCALE + 1)]
ZERO_TIME = "0001-01-01T00:00:00Z"


def count_text(count: int) -> str:
    """Contracts with two decimals."""
    return f"{count // COUNT_SCALE}.{count % COUNT_SCALE:02d}"


def market_view(world: World, market: MarketSpec) -> Json:
    """A market as of now. Keys that have nothing to say are left out, as on the exchange."""
    state = world.state(market.ticker)
    view = _terms(market) | _figures(state) | _outcome(world, market) | _optional(market)
    view["status"] = state.status
    view["updated_time"] = iso(updated_at(world, market))
    if market.legs:
        view["mve_collection_ticker"] = market.event.collection
        view["mve_selected_legs"] = [_leg(world, leg) for leg in market.legs]
    if state.status == "finalized":
        view["settlement_ts"] = iso(market.settled)
    return dict(sorted(view.items()))


def _terms(market: MarketSpec) -> Json:
    """What was said of a market when it was listed, and its dates."""
    return {
        "can_close_early": True,
        "close_time": iso(market.closes),
        "created_time": iso(market.created),
        "event_ticker": market.event.ticker,
        "exchange_index": market.event.series.shard,
        "expected_expiration_time": iso(market.expected_expiration),
        "expiration_time": iso(market.latest_expiration),
        "latest_expiration_time": iso(market.latest_expiration),
        "market_type": "binary",
        "no_sub_title": market.yes_sub_title,
        "notional_value_dollars": "1.0000",
        "open_time": iso(market.opens),
        "price_level_structure": market.structure.label,
        "price_ranges": price_range_views(market.structure),
        "rules_primary": market.rules_primary,
        "rules_secondary": market.rules_secondary,
        "settlement_bounds_type": "default",
        "settlement_timer_seconds": market.timer,
        "ticker": market.ticker,
        "title": market.title,
        "yes_sub_title": market.yes_sub_title,
    }


def _figures(state: MarketState) -> Json:
    """Prices, sizes and volumes."""
    return {
        "last_price_dollars": _PRICES[state.last_price],
        "no_ask_dollars": _PRICES[PRICE_SCALE - state.bid],
        "no_bid_dollars": _PRICES[PRICE_SCALE - state.ask],
        "open_interest_fp": count_text(state.open_interest),
        "previous_price_dollars": _PRICES[state.previous_price],
        "previous_yes_ask_dollars": _PRICES[state.previous_ask],
        "previous_yes_bid_dollars": _PRICES[state.previous_bid],
        "volume_24h_fp": count_text(state.volume_24h),
        "volume_fp": count_text(state.volume),
        "yes_ask_dollars": _PRICES[state.ask],
        "yes_ask_size_fp": count_text(state.ask_size),
        "yes_bid_dollars": _PRICES[state.bid],
        "yes_bid_size_fp": count_text(state.bid_size),
    }


def _outcome(world: World, market: MarketSpec) -> Json:
    """How it ended, empty until it is determined."""
    value = world.settled_value(market.ticker)
    if value is None:
        return {"expiration_value": "", "result": ""}
    return {
        "expiration_value": market.event.path.outcome,
        "result": market.result,
        "settlement_value_dollars": _PRICES[value],
    }


def price_range_views(structure: TickStructure) -> list[Json]:
    """The bands of a price grid."""
    return [
        {"end": _PRICES[end], "start": _PRICES[start], "step": _PRICES[step]}
        for start, end, step in structure.bands
    ]


def _optional(market: MarketSpec) -> Json:
    said: Json = {
        "cap_strike": market.cap_strike,
        "custom_strike": market.custom_strike,
        "early_close_condition": market.early_close_condition,
        "floor_strike": market.floor_strike,
        "is_provisional": market.provisional,
        "occurrence_datetime": None if market.occurrence is None else iso(market.occurrence),
        "primary_participant_key": market.participant,
        "strike_type": market.strike_type,
        "subtitle": market.subtitle,
    }
    return {
        name: value for name, value in said.items() if value is not None and value not in ("", False)
    }


def _leg(world: World, leg: tuple[str, str, str]) -> Json:
    event, ticker, side = leg
    view: Json = {"event_ticker": event, "market_ticker": ticker, "side": side}
    value = world.settled_value(ticker)
    if value is not None:
        view["yes_settlement_value_dollars"] = _PRICES[value]
    return view


def updated_at(world: World, market: MarketSpec) -> int:
    """When the description of a market last changed."""
    if world.now >= market.settled:
        return market.settled + SECOND // 35
    if world.now >= market.opens:
        return market.opens + SECOND - SECOND // 6
    return market.created + 130


def event_created(event: EventSpec) -> int:
    """When an event was listed."""
    return max(market.created for market in event.markets)


def event_updated(event: EventSpec) -> int | None:
    """When an event last changed; None where the exchange never recorded it."""
    return None if event.fee_multiplier_override is not None else event_created(event) + 9 * MINUTE


def event_view(event: EventSpec, markets: Sequence[Json] | None) -> Json:
    """An event, with its markets inside where they are given."""
    updated = event_updated(event)
    view: Json = {
        "category": event.series.category,
        "collateral_return_type": "MECNET" if event.mutually_exclusive else "",
        "event_ticker": event.ticker,
        "exchange_index": event.series.shard,
        "last_updated_ts": ZERO_TIME if updated is None else iso(updated),
        "mutually_exclusive": event.mutually_exclusive,
        "series_ticker": event.series.ticker,
        "settlement_sources": _sources(event.series),
        "sub_title": event.sub_title,
        "title": event.title,
    }
    if markets is not None:
        view["markets"] = markets
    if event.strike_date is None:
        view["strike_period"] = event.strike_period
    else:
        view["strike_date"] = iso(event.strike_date)
    if event.series.product_metadata:
        view["product_metadata"] = event.series.product_metadata
    if event.fee_multiplier_override is not None:
        view["fee_multiplier_override"] = event.fee_multiplier_override
    return dict(sorted(view.items()))


def _sources(series: SeriesSpec) -> list[Json]:
    return [{"name": name, "url": url} for name, url in series.sources]


def series_view(series: SeriesSpec, updated: int, *, volume: int | None, metadata: bool) -> Json:
    """A series; its volume only where it was asked for."""
    view: Json = {
        "additional_prohibitions": ["Nothing is prohibited: nothing here is real."],
        "categories": [series.category],
        "category": series.category,
        "contract_terms_url": f"https://example.invalid/terms/{series.ticker}.pdf",
        "contract_url": f"https://example.invalid/contract/{series.ticker}.pdf",
        "exchange_index": series.shard,
        "fee_multiplier": series.fee_multiplier,
        "fee_type": series.fee_type,
        "frequency": series.frequency,
        "last_updated_ts": iso(updated),
        "settlement_sources": _sources(series),
        "tags": list(series.tags),
        "ticker": series.ticker,
        "title": series.title,
    }
    if metadata and series.product_metadata:
        view["product_metadata"] = series.product_metadata
    if volume is not None:
        view["volume_fp"] = count_text(volume)
    return dict(sorted(view.items()))


def orderbook_view(book: BookView) -> Json:
    """Two ladders of bids, best last."""
    return {
        "no_dollars": [[_PRICES[price], count_text(count)] for price, count in book.no],
        "yes_dollars": [[_PRICES[price], count_text(count)] for price, count in book.yes],
    }


def trade_views(ticks: Iterable[Tick]) -> list[Json]:
    """Trades in the order given."""
    rows = list(ticks)
    times = iso_many([tick.time for tick in rows])
    return [
        {
            "count_fp": count_text(tick.quantity),
            "created_time": time,
            "is_block_trade": tick.block,
            "no_price_dollars": _PRICES[PRICE_SCALE - tick.price],
            "taker_book_side": "bid" if tick.taker_yes else "ask",
            "taker_outcome_side": "yes" if tick.taker_yes else "no",
            "taker_side": "yes" if tick.taker_yes else "no",
            "ticker": tick.ticker,
            "trade_id": tick.trade_id,
            "yes_price_dollars": _PRICES[tick.price],
        }
        for tick, time in zip(rows, times, strict=True)
    ]


def _span_view(span: Span, suffix: str) -> Json:
    return {
        f"close{suffix}": _PRICES[span.close],
        f"high{suffix}": _PRICES[span.high],
        f"low{suffix}": _PRICES[span.low],
        f"open{suffix}": _PRICES[span.open],
    }


def live_candle_view(candle: Candle, extremes: tuple[int, int] | None = None) -> Json:
    """A candlestick of the live tier: no trade, no prices.

    `extremes` are the lowest and highest close among the markets of an event.
    """
    price: Json = {}
    if candle.price is not None and candle.mean is not None:
        price = _span_view(candle.price, "_dollars")
        if extremes is not None:
            price["max_dollars"] = _PRICES[extremes[1]]
        price["mean_dollars"] = _PRICES[candle.mean]
        if extremes is not None:
            price["min_dollars"] = _PRICES[extremes[0]]
    if candle.previous is not None:
        price["previous_dollars"] = _PRICES[candle.previous]
    return {
        "end_period_ts": candle.end,
        "open_interest_fp": count_text(candle.open_interest),
        "price": dict(sorted(price.items())),
        "volume_fp": count_text(candle.volume),
        "yes_ask": _span_view(candle.ask, "_dollars"),
        "yes_bid": _span_view(candle.bid, "_dollars"),
    }


def stand_in_view(candle: Candle) -> Json:
    """The made-up first candlestick of the live tier: its prices are null instead of absent."""
    view = live_candle_view(candle)
    names = ("close_dollars", "high_dollars", "low_dollars", "mean_dollars", "open_dollars")
    view["price"] = dict(sorted((dict.fromkeys(names) | view["price"]).items()))
    return view


def historical_candle_view(candle: Candle) -> Json:
    """A candlestick of the historical tier: other names, and nulls where nothing traded."""
    price: Json = dict.fromkeys(("close", "high", "low", "mean", "open", "previous"))
    if candle.price is not None and candle.mean is not None:
        price |= _span_view(candle.price, "")
        price["mean"] = _PRICES[candle.mean]
    if candle.previous is not None:
        price["previous"] = _PRICES[candle.previous]
    return {
        "end_period_ts": candle.end,
        "open_interest": count_text(candle.open_interest),
        "price": price,
        "volume": count_text(candle.volume),
        "yes_ask": _span_view(candle.ask, ""),
        "yes_bid": _span_view(candle.bid, ""),
    }
