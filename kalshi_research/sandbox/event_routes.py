"""Series, events and what is said about them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kalshi_research.sandbox.instants import DAY, SECOND, iso
from kalshi_research.sandbox.market_routes import STATUS_FILTERS
from kalshi_research.sandbox.queries import Query, cut_page
from kalshi_research.sandbox.refusals import bad_combination, not_found
from kalshi_research.sandbox.seeding import derived_uuid
from kalshi_research.sandbox.views import (
    event_created,
    event_updated,
    event_view,
    market_view,
    series_view,
)

if TYPE_CHECKING:
    from kalshi_research.sandbox.exchange import Exchange
    from kalshi_research.sandbox.world import EventSpec, SeriesSpec

__all__ = [
    "event",
    "event_fee_changes",
    "event_metadata",
    "events",
    "multivariate_events",
    "series",
    "series_fee_changes",
    "series_list",
    "tags_by_categories",
]

Json = dict[str, Any]

_COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00")


def _series_updated(exchange: Exchange) -> int:
    return exchange.world.now // DAY * DAY - 75 * DAY


def _series_view(exchange: Exchange, found: SeriesSpec, query: Query, *, metadata: bool) -> Json:
    volume = None
    if query.flag("include_volume"):
        world = exchange.world
        volume = sum(
            world.state(ticker).volume
            for ticker, market in world.markets.items()
            if market.event.series is found
        )
    return series_view(found, _series_updated(exchange), volume=volume, metadata=metadata)


def series_list(exchange: Exchange, query: Query, _: dict[str, str]) -> Json:
    """GET /series: everything in one answer."""
    category, tags = query.text("category"), set(query.names("tags"))
    earliest = query.integer("min_updated_ts")
    metadata = bool(query.flag("include_product_metadata"))
    recent = earliest is None or _series_updated(exchange) >= earliest * SECOND
    return {
        "series": [
            _series_view(exchange, found, query, metadata=metadata)
            for found in exchange.world.series.values()
            if recent
            and (not category or found.category == category)
            and (not tags or tags & set(found.tags))
        ]
    }


def series(exchange: Exchange, query: Query, path: dict[str, str]) -> Json:
    """GET /series/{series_ticker}."""
    found = exchange.world.series.get(path["series_ticker"])
    if found is None:
        raise not_found()
    return {"series": _series_view(exchange, found, query, metadata=True)}


def series_fee_changes(exchange: Exchange, query: Query, _: dict[str, str]) -> Json:
    """GET /series/fee_changes: one past change, which is shown on request."""
    ticker = query.text("series_ticker")
    past = query.flag("show_historical")
    sports = [found for found in exchange.world.series.values() if found.fee_multiplier != 1]
    return {
        "series_fee_change_arr": [
            {
                "fee_multiplier": found.fee_multiplier,
                "fee_type": found.fee_type,
                "id": derived_uuid(exchange.world.seed, "fee change", found.ticker),
                "scheduled_ts": iso(_series_updated(exchange)),
                "series_ticker": found.ticker,
            }
            for found in sports
            if past and (not ticker or found.ticker == ticker)
        ]
    }


def _nested(exchange: Exchange, found: EventSpec) -> list[Json]:
    """The markets of an event that are not archived."""
    return [market_view(exchange.world, market) for market in found.markets if exchange.live(market)]


def _event_key(found: EventSpec) -> tuple[int, str]:
    return event_created(found), found.ticker


def _event_page(exchange: Exchange, found: list[EventSpec], query: Query, limit: int) -> Json:
    nested = bool(query.flag("with_nested_markets"))
    found.sort(key=_event_key, reverse=True)
    page = cut_page(found, _event_key, query.text("cursor"), limit)
    return {
        "cursor": page.cursor,
        "events": [event_view(row, _nested(exchange, row) if nested else None) for row in page.rows],
    }


def events(exchange: Exchange, query: Query, _: dict[str, str]) -> Json:
    """GET /events, without combos."""
    limit = query.limit(200, 1, 200)
    status = query.choice("status", ("unopened", "open", "closed", "settled"))
    wanted, now = STATUS_FILTERS.get(status), exchange.world.now
    ticker, names = query.text("series_ticker"), set(query.names("tickers"))
    closing, updated = query.integer("min_close_ts"), query.integer("min_updated_ts")
    found = [
        row
        for row in exchange.world.events.values()
        if not row.series.combo
        and (not ticker or row.series.ticker == ticker)
        and (not names or row.ticker in names)
        and (wanted is None or any(market.status(now) in wanted for market in row.markets))
        and (closing is None or any(market.closes >= closing * SECOND for market in row.markets))
        and (updated is None or (event_updated(row) or 0) >= updated * SECOND)
    ]
    body = _event_page(exchange, found, query, limit)
    if query.flag("with_milestones"):
        body["milestones"] = []
    return body


def multivariate_events(exchange: Exchange, query: Query, _: dict[str, str]) -> Json:
    """GET /events/multivariate: combos only."""
    limit = query.limit(100, 1, 200)
    ticker, collection = query.text("series_ticker"), query.text("collection_ticker")
    if ticker and collection:
        raise bad_combination("series_ticker and collection_ticker exclude each other")
    names = set(query.names("tickers"))
    found = [
        row
        for row in exchange.world.events.values()
        if row.series.combo
        and (not ticker or row.series.ticker == ticker)
        and (not collection or row.collection == collection)
        and (not names or row.ticker in names)
    ]
    return _event_page(exchange, found, query, limit)


def _event(exchange: Exchange, ticker: str) -> EventSpec:
    found = exchange.world.events.get(ticker)
    if found is None:
        raise not_found()
    return found


def event(exchange: Exchange, query: Query, path: dict[str, str]) -> Json:
    """GET /events/{event_ticker}."""
    nested, without = query.flag("with_nested_markets"), query.flag("exclude_markets")
    if nested and without:
        raise bad_combination("with_nested_markets and exclude_markets exclude each other")
    found = _event(exchange, path["event_ticker"])
    children = [] if without else _nested(exchange, found)
    return {
        "event": event_view(found, children if nested else None),
        "markets": [] if nested else children,
    }


def event_metadata(exchange: Exchange, _: Query, path: dict[str, str]) -> Json:
    """GET /events/{event_ticker}/metadata."""
    found = _event(exchange, path["event_ticker"])
    picture = f"https://example.invalid/images/{found.ticker}.png"
    body: Json = {
        "featured_image_url": picture,
        "image_url": picture,
        "market_details": [
            {
                "color_code": _COLOURS[place % len(_COLOURS)],
                "image_url": f"https://example.invalid/images/{market.ticker}.png",
                "market_ticker": market.ticker,
            }
            for place, market in enumerate(found.markets)
            if exchange.live(market)
        ],
        "settlement_sources": [{"name": name, "url": url} for name, url in found.series.sources],
    }
    for name in ("competition", "competition_scope"):
        if found.series.product_metadata and name in found.series.product_metadata:
            body[name] = found.series.product_metadata[name]
    return dict(sorted(body.items()))


def event_fee_changes(exchange: Exchange, query: Query, _: dict[str, str]) -> Json:
    """GET /events/fee_changes."""
    limit = query.limit(100, 1, 1000)
    ticker = query.text("event_ticker")
    found = [
        row
        for row in exchange.world.events.values()
        if row.fee_multiplier_override is not None and (not ticker or row.ticker == ticker)
    ]
    found.sort(key=_event_key, reverse=True)
    page = cut_page(found, _event_key, query.text("cursor"), limit)
    return {
        "cursor": page.cursor,
        "event_fee_changes": [
            {
                "event_ticker": row.ticker,
                "fee_multiplier_override": row.fee_multiplier_override,
                "fee_type_override": row.series.fee_type,
                "id": derived_uuid(exchange.world.seed, "fee change", row.ticker),
                "scheduled_ts": iso(event_created(row) + DAY),
                "series_ticker": row.series.ticker,
            }
            for row in page.rows
        ],
    }


def tags_by_categories(exchange: Exchange, _: Query, __: dict[str, str]) -> Json:
    """GET /search/tags_by_categories."""
    tags: dict[str, list[str]] = {}
    for found in exchange.world.series.values():
        known = tags.setdefault(found.category, [])
        known.extend(tag for tag in found.tags if tag not in known)
    return {"tags_by_categories": dict(sorted(tags.items()))}
