"""What the prices of a ladder say about the figure behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kalshi_research.money import PRICE_SCALE
from kalshi_research.sandbox.instants import MINUTE, SECOND
from kalshi_research.sandbox.refusals import bad_combination, bad_format, bad_value, missing

if TYPE_CHECKING:
    from kalshi_research.sandbox.exchange import Exchange
    from kalshi_research.sandbox.queries import Query
    from kalshi_research.sandbox.world import EventSpec, MarketSpec

__all__ = ["forecast_percentiles"]

Json = dict[str, Any]
Steps = list[tuple[float, float, float]]

_MOST = 5_000
_PERIODS = {0: 5 * SECOND, 1: MINUTE, 60: 60 * MINUTE, 1440: 1440 * MINUTE}
_DIGITS = "0123456789"


def _percentiles(query: Query) -> list[int]:
    """Numbers of ten-thousandths, repeated or in a list."""
    texts = [part for text in query.repeated("percentiles") for part in text.split(",")]
    if not texts:
        raise missing("percentiles")
    if not all(text and len(text) < 5 and all(sign in _DIGITS for sign in text) for text in texts):
        raise bad_format("percentiles")
    if len(texts) > 10:
        raise bad_value(query.operation, "percentiles", "max")
    return [int(text) for text in texts]


def forecast_percentiles(exchange: Exchange, query: Query, path: dict[str, str]) -> Json:
    """GET /series/{series_ticker}/events/{ticker}/forecast_percentile_history.

    Of the middles of the quotes of a ladder; empty for events that ask for no number.
    """
    wanted = _percentiles(query)
    start, end = query.needed("start_ts"), query.needed("end_ts")
    minutes = query.needed("period_interval")
    if minutes not in _PERIODS:
        raise bad_value(query.operation, "period_interval", "oneof")
    event = exchange.world.events.get(path["ticker"])
    if event is None or event.series.ticker != path["series_ticker"]:
        raise bad_combination("there is no such event in this series")
    step = _PERIODS[minutes]
    if start > end or (end - start) * SECOND > _MOST * step:
        raise bad_combination(f"a time range has at most {_MOST} periods")
    ladder = _ladder(event)
    ends = range(-(-start * SECOND // step) * step, min(end * SECOND, exchange.world.now) + 1, step)
    return {
        "forecast_history": [
            {
                "end_period_ts": instant // SECOND,
                "event_ticker": event.ticker,
                "percentile_points": [_point(steps, percentile) for percentile in wanted],
                "period_interval": minutes,
            }
            for instant in ends
            if ladder and (steps := _steps(exchange, ladder, instant))
        ]
    }


def _ladder(event: EventSpec) -> list[tuple[MarketSpec, float, float]]:
    """The markets with the range of the figure that each stands for, lowest first."""
    if not event.mutually_exclusive:
        return []
    bounds = [(market, market.floor_strike, market.cap_strike) for market in event.markets]
    widths = [cap - floor for _, floor, cap in bounds if floor is not None and cap is not None]
    if not widths or any(floor is None and cap is None for _, floor, cap in bounds):
        return []
    # The figure is whole; a strike that is open to one side leaves its own number out, and counts as
    # wide as the widest step.
    wide = max(widths) + 1
    found = []
    for market, floor, cap in bounds:
        if floor is not None and cap is not None:
            found.append((market, floor - 0.5, cap + 0.5))
        elif floor is not None:
            found.append((market, floor + 0.5, floor + 0.5 + wide))
        elif cap is not None:
            found.append((market, cap - 0.5 - wide, cap - 0.5))
    return sorted(found, key=lambda row: row[1])


def _steps(exchange: Exchange, ladder: list[tuple[MarketSpec, float, float]], instant: int) -> Steps:
    """Ends of each range and its share of the ladder's price; nothing before the ladder is quoted."""
    middles = []
    for market, low, high in ladder:
        quote = exchange.world.history(market.ticker).quote_at(instant)
        if quote is None:
            return []
        middles.append((low, high, (quote[0] + quote[1]) / (2 * PRICE_SCALE)))
    total = sum(middle for *_, middle in middles)
    return [(low, high, middle / total) for low, high, middle in middles] if total else []


def _point(steps: Steps, percentile: int) -> Json:
    left = percentile / 10_000
    value = steps[-1][1]
    for low, high, share in steps:
        if share > 0 and left <= share:
            value = low + (high - low) * left / share
            break
        left -= share
    return {
        "formatted_forecast": f"{value:.1f}",
        "numerical_forecast": round(value, 1),
        "percentile": percentile,
        "raw_numerical_forecast": value,
    }
