"""Combos on demand, and what markets are about."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kalshi_research.sandbox.bodies import Body
from kalshi_research.sandbox.instants import DAY, HOUR, iso
from kalshi_research.sandbox.queries import Query, cut_page
from kalshi_research.sandbox.refusals import bad_combination, not_found
from kalshi_research.sandbox.seeding import derived_uuid
from kalshi_research.sandbox.views import event_created, market_view, price_range_views
from kalshi_research.sandbox.world.matches import COMBOS, combo_event
from kalshi_research.sandbox.world.specs import CENTER_DECI

if TYPE_CHECKING:
    from kalshi_research.sandbox.exchange import Exchange
    from kalshi_research.sandbox.world import EventSpec, MarketSpec

__all__ = ["collection", "collections", "create_combo", "filters_by_sport", "target", "targets"]

Json = dict[str, Any]

COLLECTION = f"{COMBOS.ticker}-R"
_LEGS = (2, 6)


# --- combos ----------------------------------------------------------------------------------------


def _associated(exchange: Exchange) -> list[EventSpec]:
    """The events whose markets can be legs: open, and no combos themselves."""
    now = exchange.world.now
    return [
        event
        for event in exchange.world.events.values()
        if not event.series.combo and any(row.status(now) == "active" for row in event.markets)
    ]


def _view(exchange: Exchange) -> Json:
    midnight = exchange.world.now // DAY * DAY
    events = _associated(exchange)
    return {
        "associated_event_tickers": [event.ticker for event in events],
        "associated_events": [
            {
                "active_quoters": [],
                "is_yes_only": False,
                "size_max": 1,
                "size_min": 0,
                "ticker": event.ticker,
            }
            for event in events
        ],
        "close_date": iso(midnight + 365 * DAY),
        "collection_ticker": COLLECTION,
        "description": "Simulated combinations of markets of different events.",
        "exchange_index": COMBOS.shard,
        "functional_description": "YES when every leg ends on its side.",
        "is_all_yes": False,
        "is_ordered": False,
        "is_single_market_per_event": True,
        "open_date": iso(midnight - 365 * DAY),
        "price_level_structure": CENTER_DECI.label,
        "price_ranges": price_range_views(CENTER_DECI),
        "series_ticker": COMBOS.ticker,
        "size_max": _LEGS[1],
        "size_min": _LEGS[0],
        "title": "Combinations of markets",
    }


def collections(exchange: Exchange, query: Query, _: dict[str, str]) -> Json:
    """GET /multivariate_event_collections: there is one, and it is open."""
    query.integer("limit", low=1, high=200)
    status = query.choice("status", ("unopened", "open", "closed"))
    event, series = query.text("associated_event_ticker"), query.text("series_ticker")
    view = _view(exchange)
    found = (
        status in ("", "open")
        and series in ("", COMBOS.ticker)
        and (not event or event in view["associated_event_tickers"])
    )
    return {"cursor": "", "multivariate_contracts": [view] if found else []}


def collection(exchange: Exchange, _: Query, path: dict[str, str]) -> Json:
    """GET /multivariate_event_collections/{collection_ticker}."""
    if path["collection_ticker"] != COLLECTION:
        raise not_found()
    return {"multivariate_contract": _view(exchange)}


def create_combo(exchange: Exchange, _: Query, path: dict[str, str], fields: Json) -> Json:
    """POST /multivariate_event_collections/{collection_ticker}: the same legs are the same market."""
    if path["collection_ticker"] != COLLECTION:
        raise bad_combination("there is no such collection")
    body = Body("CreateMarketInMultivariateEventCollectionRequest", fields)
    legs = [_leg(exchange, Body("TickerPair", row)) for row in body.rows("selected_markets")]
    events = {market.event.ticker for market, _ in legs}
    if not _LEGS[0] <= len(legs) <= _LEGS[1] or len(events) < len(legs):
        raise bad_combination("a combination has two to six legs, each of another event")
    legs.sort(key=lambda leg: leg[0].ticker)
    with exchange.lock:
        market = _known(exchange, legs) or _listed(exchange, legs)
    answer: Json = {"event_ticker": market.event.ticker, "market_ticker": market.ticker}
    if body.flag("with_market_payload"):
        answer["market"] = market_view(exchange.world, market)
    return answer


def _known(exchange: Exchange, legs: list[tuple[MarketSpec, str]]) -> MarketSpec | None:
    """The market of these legs that is there already."""
    wanted = {(market.event.ticker, market.ticker, side) for market, side in legs}
    for market in exchange.world.markets.values():
        if market.legs and set(market.legs) == wanted:
            return market
    return None


def _listed(exchange: Exchange, legs: list[tuple[MarketSpec, str]]) -> MarketSpec:
    """A new market, which opens now: nobody has quoted or traded it."""
    sides, world = ",".join(side for _, side in legs), exchange.world
    event = combo_event(legs, world.now + 9 * HOUR, world.seed, variant=sides)
    world.events[event.ticker] = event
    (market,) = event.markets
    world.markets[market.ticker] = market
    return market


def _leg(exchange: Exchange, row: Body) -> tuple[MarketSpec, str]:
    names = {name: row.text(name, required=True) for name in ("event_ticker", "market_ticker", "side")}
    market = exchange.world.markets.get(names["market_ticker"])
    if (
        market is None
        or market.event.ticker != names["event_ticker"]
        or market.event.series.combo
        or market.status(exchange.world.now) != "active"
        or names["side"] not in ("yes", "no")
    ):
        raise bad_combination("a leg is an open market of its event, and yes or no")
    return market, names["side"]


# --- what markets are about ------------------------------------------------------------------------


def _targets(exchange: Exchange) -> list[Json]:
    """Everything that the strikes of markets name, each once."""
    found: dict[str, Json] = {}
    for market in exchange.world.markets.values():
        for kind, named in (market.custom_strike or {}).items():
            if kind.lower() == market.participant:
                target_id = named if len(named) == 36 else derived_uuid(exchange.world.seed, kind, named)
                row = found.setdefault(
                    target_id,
                    {
                        "details": {},
                        "id": target_id,
                        "last_updated_ts": iso(event_created(market.event)),
                        "name": market.yes_sub_title,
                        "source_ids": {},
                        "type": market.participant,
                    },
                )
                metadata = market.event.series.product_metadata or {}
                if "competition" in metadata:
                    row["details"] = {"competition": metadata["competition"]}
    return sorted(found.values(), key=lambda row: str(row["id"]), reverse=True)


def targets(exchange: Exchange, query: Query, _: dict[str, str]) -> Json:
    """GET /structured_targets."""
    limit = query.integer("page_size", low=1, high=2000) or 100
    ids, kind = query.repeated("ids"), query.text("type")
    competition = query.text("competition")
    found = [
        row
        for row in _targets(exchange)
        if (not ids or row["id"] in ids)
        and (not kind or row["type"] == kind)
        and (not competition or row["details"].get("competition") == competition)
    ]
    page = cut_page(found, lambda row: (0, str(row["id"])), query.text("cursor"), limit)
    return {"cursor": page.cursor, "structured_targets": list(page.rows)}


def target(exchange: Exchange, _: Query, path: dict[str, str]) -> Json:
    """GET /structured_targets/{structured_target_id}."""
    for row in _targets(exchange):
        if row["id"] == path["structured_target_id"]:
            return {"structured_target": row}
    raise not_found()


def filters_by_sport(exchange: Exchange, _: Query, __: dict[str, str]) -> Json:
    """GET /search/filters_by_sport."""
    sports: dict[str, dict[str, set[str]]] = {}
    for series in exchange.world.series.values():
        metadata = series.product_metadata or {}
        if series.category == "Sports" and "competition" in metadata:
            league = sports.setdefault(metadata["competition"], {})
            league.setdefault(metadata["competition"], set()).add(metadata["competition_scope"])
    return {
        "filters_by_sports": {
            sport: {
                "competitions": {name: {"scopes": sorted(scopes)} for name, scopes in leagues.items()},
                "scopes": sorted(set().union(*leagues.values())),
            }
            for sport, leagues in sports.items()
        },
        "sport_ordering": sorted(sports),
    }
