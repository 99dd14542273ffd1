"""Markets, order books and trades."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kalshi_research.sandbox.exchange import OVERLAP, Exchange
from kalshi_research.sandbox.instants import DAY, SECOND
from kalshi_research.sandbox.queries import Query, cursor_key, cut_page, first_below
from kalshi_research.sandbox.refusals import bad_combination, bad_value, missing, not_found
from kalshi_research.sandbox.views import market_view, orderbook_view, trade_views, updated_at

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kalshi_research.sandbox.world import MarketSpec, Tick

__all__ = [
    "batch_orderbooks",
    "historical_market",
    "historical_markets",
    "historical_trades",
    "live_market",
    "market",
    "markets",
    "orderbook",
    "trades",
]

Json = dict[str, Any]
Key = tuple[int, str]

STATUS_FILTERS = {
    "unopened": {"initialized"},
    "open": {"active"},
    "paused": {"inactive"},
    "closed": {"closed", "determined", "disputed", "amended"},
    "settled": {"finalized"},
}
_FAMILIES = ("created", "close", "settled", "updated")
_ALLOWED_STATUS = {
    "created": {"", "unopened", "open"},
    "close": {"", "closed"},
    "settled": {"", "settled"},
    "updated": {""},
}


def live_market(exchange: Exchange, ticker: str) -> MarketSpec:
    """A market of the live tier, or 404."""
    market = exchange.world.markets.get(ticker)
    if market is None or not exchange.live(market):
        raise not_found()
    return market


def markets(exchange: Exchange, query: Query, _: dict[str, str]) -> Json:
    """GET /markets."""
    limit = query.limit(100, 0, 1000)
    status = query.choice("status", tuple(STATUS_FILTERS))
    combos = query.choice("mve_filter", ("only", "exclude"))
    family, low, high = _time_filter(query, status, combos)
    event, series = query.text("event_ticker"), query.text("series_ticker")
    if "," in event:
        raise bad_combination("event_ticker takes one ticker")
    tickers = set(query.names("tickers"))
    now = exchange.world.now
    clock = _time_of(exchange, family)
    wanted = STATUS_FILTERS.get(status)
    found = [
        market
        for market in exchange.world.markets.values()
        if exchange.live(market)
        and (wanted is None or market.status(now) in wanted)
        and (not tickers or market.ticker in tickers)
        and (not event or market.event.ticker == event)
        and (not series or market.event.series.ticker == series)
        and (not combos or market.event.series.combo == (combos == "only"))
        and (clock is None or _within(clock(market), low, high))
    ]
    return _market_page(exchange, found, _order(status), query, limit)


def _time_filter(query: Query, status: str, combos: str) -> tuple[str, int | None, int | None]:
    given = {
        family: (query.integer(f"min_{family}_ts"), query.integer(f"max_{family}_ts"))
        for family in _FAMILIES
    }
    used = [family for family, bounds in given.items() if bounds != (None, None)]
    if not used:
        return "", None, None
    if len(used) > 1:
        raise bad_combination("timestamp filters of different kinds exclude each other")
    family = used[0]
    if status not in _ALLOWED_STATUS[family]:
        raise bad_combination(f"{family}_ts filters cannot be combined with status {status}")
    if family == "updated":
        _check_updated(query, combos)
    return family, *given[family]


def _check_updated(query: Query, combos: str) -> None:
    if query.text("event_ticker") or query.text("tickers") or combos == "only":
        raise bad_combination("updated_ts filters go with mve_filter=exclude and series_ticker only")
    if query.text("series_ticker") and combos != "exclude":
        raise bad_combination("updated_ts filters with series_ticker require mve_filter=exclude")


def _time_of(exchange: Exchange, family: str) -> Callable[[MarketSpec], int | None] | None:
    world = exchange.world
    return {
        "created": lambda market: market.created,
        "close": lambda market: market.closes,
        "settled": lambda market: market.settled if market.settled <= world.now else None,
        "updated": lambda market: updated_at(world, market),
    }.get(family)


def _within(instant: int | None, low: int | None, high: int | None) -> bool:
    """Inclusive bounds [s]."""
    return (
        instant is not None
        and (low is None or instant >= low * SECOND)
        and (high is None or instant <= high * SECOND)
    )


def _order(status: str) -> Callable[[MarketSpec], Key]:
    if status == "closed":
        return lambda market: (market.closes, market.ticker)
    return lambda market: (market.created, market.ticker)


def _market_page(
    exchange: Exchange,
    found: list[MarketSpec],
    key: Callable[[MarketSpec], Key],
    query: Query,
    limit: int,
) -> Json:
    found.sort(key=key, reverse=True)
    page = cut_page(found, key, query.text("cursor"), limit)
    return {
        "cursor": page.cursor,
        "markets": [market_view(exchange.world, market) for market in page.rows],
    }


def market(exchange: Exchange, _: Query, path: dict[str, str]) -> Json:
    """GET /markets/{ticker}."""
    return {"market": market_view(exchange.world, live_market(exchange, path["ticker"]))}


def historical_markets(exchange: Exchange, query: Query, _: dict[str, str]) -> Json:
    """GET /historical/markets, latest settlement first."""
    limit = query.limit(100, 0, 1000)
    tickers = set(query.names("tickers"))
    event, series = query.text("event_ticker"), query.text("series_ticker")
    combos = query.choice("mve_filter", ("exclude",))
    if sum(map(bool, (tickers, event, series))) > 1:
        raise bad_combination("tickers, event_ticker and series_ticker exclude each other")
    found = [
        market
        for market in exchange.world.markets.values()
        if exchange.historical(market)
        and (not tickers or market.ticker in tickers)
        and (not event or market.event.ticker == event)
        and (not series or market.event.series.ticker == series)
        and (not combos or not market.event.series.combo)
    ]
    return _market_page(exchange, found, lambda market: (market.settled, market.ticker), query, limit)


def historical_market(exchange: Exchange, _: Query, path: dict[str, str]) -> Json:
    """GET /historical/markets/{ticker}."""
    market = exchange.world.markets.get(path["ticker"])
    if market is None or not exchange.historical(market):
        raise not_found()
    return {"market": market_view(exchange.world, market)}


def orderbook(exchange: Exchange, query: Query, path: dict[str, str]) -> Json:
    """GET /markets/{ticker}/orderbook."""
    depth = query.integer("depth", low=0, high=100) or 0
    market = live_market(exchange, path["ticker"])
    return {"orderbook_fp": orderbook_view(exchange.floor.book(market.ticker, depth))}


def batch_orderbooks(exchange: Exchange, query: Query, _: dict[str, str]) -> Json:
    """GET /markets/orderbooks; tickers that are not there are left out."""
    asked = query.repeated("tickers")
    if not asked:
        raise missing("tickers")
    if len(asked) > 100:
        raise bad_value(query.operation, "tickers", "max")
    # A comma-separated list is read as its first ticker only.
    names = dict.fromkeys(text.split(",")[0] for text in asked)
    world = exchange.world
    return {
        "orderbooks": [
            {"orderbook_fp": orderbook_view(exchange.floor.book(name)), "ticker": name}
            for name in names
            if name in world.markets and exchange.live(world.markets[name])
        ]
    }


def _trade_page(exchange: Exchange, query: Query, low: int | None, high: int | None) -> Json:
    """Trades with low <= time < high [µs], newest first."""
    limit = query.limit(100, 0, 1000)
    ticker, block = query.text("ticker"), query.flag("is_block_trade")
    earliest, latest = query.integer("min_ts"), query.integer("max_ts")
    low = max((bound for bound in (low, _instant(earliest)) if bound is not None), default=None)
    # A second is included as a whole instant, as everywhere: up to its beginning.
    above = None if latest is None else latest * SECOND + 1
    high = min((bound for bound in (high, above) if bound is not None), default=None)
    world = exchange.world
    if ticker:
        rows: Sequence[Tick] = world.ticks(ticker) if ticker in world.markets else []
    else:
        rows = world.all_ticks() if block is not None else _enough(exchange, query, high, limit)
    start = 0 if high is None else first_below(rows, _time, high)
    stop = len(rows) if low is None else first_below(rows, _time, low)
    chosen = rows[start:stop]
    if block is not None:
        chosen = [tick for tick in chosen if tick.block == block]
    page = cut_page(chosen, lambda tick: (tick.time, tick.trade_id), query.text("cursor"), limit)
    return {"cursor": page.cursor, "trades": trade_views(page.rows)}


def _enough(exchange: Exchange, query: Query, high: int | None, limit: int) -> Sequence[Tick]:
    """The trades of all markets as far back as a page needs them: mostly a day, else all."""
    world = exchange.world
    bounds = [(world.now + 1 if high is None else high, "")]
    after = cursor_key(query.text("cursor"))
    if after is not None:
        bounds.append(after)
    bound = min(bounds)
    rows = world.ticks_since(bound[0] - DAY)
    start = first_below(rows, lambda tick: (tick.time, tick.trade_id), bound)
    return rows if len(rows) - start > limit else world.all_ticks()


def _instant(seconds: int | None) -> int | None:
    return None if seconds is None else seconds * SECOND


def _time(tick: Tick) -> int:
    return tick.time


def trades(exchange: Exchange, query: Query, _: dict[str, str]) -> Json:
    """GET /markets/trades: silent about what is older than the cutoff."""
    return _trade_page(exchange, query, exchange.cutoff.trades, None)


def historical_trades(exchange: Exchange, query: Query, _: dict[str, str]) -> Json:
    """GET /historical/trades."""
    ticker = query.text("ticker")
    if ticker and ticker not in exchange.world.markets:
        raise not_found()
    return _trade_page(exchange, query, None, exchange.cutoff.trades + OVERLAP)
