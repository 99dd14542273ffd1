"""Candlesticks in their four forms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kalshi_research.sandbox.market_routes import live_market
from kalshi_research.sandbox.refusals import Refusal, bad_combination, bad_value, missing, not_found
from kalshi_research.sandbox.views import historical_candle_view, live_candle_view, stand_in_view

if TYPE_CHECKING:
    from kalshi_research.sandbox.exchange import Exchange
    from kalshi_research.sandbox.queries import Query
    from kalshi_research.sandbox.world import Candle

__all__ = ["batch_candlesticks", "candlesticks", "event_candlesticks", "historical_candlesticks"]

Json = dict[str, Any]

_MOST = 5_000
_MOST_IN_BATCH = 10_000


def _window(query: Query) -> tuple[int, int, int]:
    """Start and end [s] and period [min]."""
    start, end = query.needed("start_ts"), query.needed("end_ts")
    minutes = query.needed("period_interval")
    if minutes not in {1, 60, 1440}:
        raise bad_value(query.operation, "period_interval", "oneof")
    if start > end:
        raise bad_combination("start_ts is after end_ts")
    return start, end, minutes


def _too_many(asked: float, most: int) -> Refusal:
    return bad_combination(
        f"requested time range with candlesticks: {asked:.6f}, max candlesticks: {most}"
    )


def _checked(query: Query, most: int = _MOST, times: int = 1) -> tuple[int, int, int]:
    start, end, minutes = _window(query)
    asked = times * (end - start) / (minutes * 60)
    if asked > most:
        raise _too_many(asked, most)
    return start, end, minutes


def _live(exchange: Exchange, ticker: str, query: Query, window: tuple[int, int, int]) -> list[Json]:
    start, end, minutes = window
    history, now = exchange.world.history(ticker), exchange.world.now
    candles = list(history.candles(minutes, start, end, now))
    views = [live_candle_view(candle) for candle in candles]
    if query.flag("include_latest_before_start"):
        first = history.latest_before(minutes, start, now)
        if first is not None and (not candles or candles[0].end > first.end):
            views.insert(0, stand_in_view(first))
    return views


def candlesticks(exchange: Exchange, query: Query, path: dict[str, str]) -> Json:
    """GET /series/{series_ticker}/markets/{ticker}/candlesticks; the series is not looked at."""
    window = _checked(query)
    ticker = live_market(exchange, path["ticker"]).ticker
    return {"candlesticks": _live(exchange, ticker, query, window), "ticker": ticker}


def batch_candlesticks(exchange: Exchange, query: Query, _: dict[str, str]) -> Json:
    """GET /markets/candlesticks; tickers that are not there are left out."""
    tickers = query.names("market_tickers")
    if not tickers:
        raise missing("market_tickers")
    if len(tickers) > 100:
        raise bad_value(query.operation, "market_tickers", "max")
    window = _checked(query, _MOST_IN_BATCH, len(tickers))
    known = exchange.world.markets
    return {
        "markets": [
            {
                "candlesticks": _live(exchange, ticker, query, window),
                "market_ticker": ticker,
            }
            for ticker in tickers
            if ticker in known and exchange.live(known[ticker])
        ]
    }


def event_candlesticks(exchange: Exchange, query: Query, path: dict[str, str]) -> Json:
    """GET /series/{series_ticker}/events/{ticker}/candlesticks; cut short when there are too many."""
    start, end, minutes = _window(query)
    event = exchange.world.events.get(path["ticker"])
    if event is None:
        raise not_found()
    tickers = [market.ticker for market in event.markets if exchange.live(market)]
    periods = _MOST // max(len(tickers), 1)
    adjusted = min(end, start + periods * minutes * 60)
    found = [
        list(exchange.world.history(ticker).candles(minutes, start, adjusted, exchange.world.now))
        for ticker in tickers
    ]
    extremes = _extremes(found)
    return {
        "adjusted_end_ts": adjusted,
        "market_candlesticks": [
            [live_candle_view(candle, extremes.get(candle.end)) for candle in candles]
            for candles in found
        ],
        "market_tickers": tickers,
    }


def _extremes(found: list[list[Candle]]) -> dict[int, tuple[int, int]]:
    closes: dict[int, list[int]] = {}
    for candles in found:
        for candle in candles:
            if candle.price is not None:
                closes.setdefault(candle.end, []).append(candle.price.close)
    return {end: (min(prices), max(prices)) for end, prices in closes.items()}


def historical_candlesticks(exchange: Exchange, query: Query, path: dict[str, str]) -> Json:
    """GET /historical/markets/{ticker}/candlesticks."""
    start, end, minutes = _checked(query)
    market = exchange.world.markets.get(path["ticker"])
    if market is None or not exchange.historical(market):
        raise not_found()
    history = exchange.world.history(market.ticker)
    return {
        "candlesticks": [
            historical_candle_view(candle)
            for candle in history.candles(minutes, start, end, exchange.world.now)
        ],
        "ticker": market.ticker,
    }
