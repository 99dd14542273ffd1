"""Today's views of the same things, told in the words of 2025: cents beside dollars, whole counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kalshi_research.money import COUNT_SCALE, MONEY_SCALE, parse_fixed
from kalshi_research.sandbox import portfolio_views

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from kalshi_research.sandbox.engine import BookView, Order
    from kalshi_research.sandbox.exchange import Exchange

__all__ = [
    "candle_view",
    "fill_view",
    "in_both_formats",
    "market_view",
    "order_view",
    "orderbook_view",
    "page_of",
    "position_view",
    "trade_view",
    "without",
]

Json = dict[str, Any]

_MONEY_CENT = MONEY_SCALE // 100

# What came after the documents, or is not in them.
_LATER = frozenset(
    {
        "book_side", "cancel_order_on_pause", "exchange_index", "fee_multiplier_override",
        "is_block_trade", "is_provisional", "outcome_side", "price_level_structure", "price_ranges",
        "settlement_bounds_type", "subaccount_number", "taker_book_side", "taker_outcome_side",
        "yes_ask_size_fp", "yes_bid_size_fp",
    }
)  # fmt: skip
# The documents have the words of the filter only.
_STATUSES = {
    "initialized": "unopened",
    "active": "open",
    "inactive": "paused",
    "determined": "closed",
    "disputed": "closed",
    "amended": "closed",
    "finalized": "settled",
}
_CANDLE_PRICES = ("close", "high", "low", "mean", "open", "previous")


def without(view: Json) -> Json:
    """A view without the fields that the documents do not know."""
    return {name: value for name, value in view.items() if name not in _LATER}


def _whole(text: str | None, scale: int, unit: int) -> int | None:
    """Whole units; what is finer is cut off."""
    if text is None:
        return None
    value = parse_fixed(text, scale)
    return value // unit if value >= 0 else -(-value // unit)


def in_both_formats(view: Json) -> Json:
    """A view with integer cents beside every amount of dollars, and whole contracts.

    Examples
    --------
    >>> in_both_formats({"price_dollars": "0.1200", "count_fp": "3.00"})
    {'price': 12, 'price_dollars': '0.1200', 'count': 3}
    """
    told: Json = {}
    for name, value in view.items():
        if name.endswith("_dollars"):
            told[name.removesuffix("_dollars")] = _whole(value, MONEY_SCALE, _MONEY_CENT)
            told[name] = value
        elif name.endswith("_fp"):
            told[name.removesuffix("_fp")] = _whole(value, COUNT_SCALE, COUNT_SCALE)
        else:
            told[name] = in_both_formats(value) if isinstance(value, dict) else value
    return told


def _retold(view: Json) -> Json:
    return in_both_formats(without(view))


def _with_price(view: Json, side: str) -> Json:
    """A view with the price of the leg it is about under the plain name."""
    view |= {"price": view[f"{side}_price"], "price_dollars": view[f"{side}_price_dollars"]}
    return dict(sorted(view.items()))


def page_of(body: Json, key: str, view: Callable[[Json], Json]) -> Json:
    """A page of a list; the cursor of the last one is null."""
    return {"cursor": body["cursor"] or None, key: [view(row) for row in body[key]]}


def market_view(exchange: Exchange, view: Json) -> Json:
    """A market. Its price is the last one traded; before the first, what is asked or bid for YES."""
    told = _retold(view)
    price = told["last_price"] or told["yes_ask"] % 100 or told["yes_bid"]
    dollars = f"{price // 100}.{price % 100:02d}00"
    other = f"{(100 - price) // 100}.{(100 - price) % 100:02d}00"
    told |= {
        "category": exchange.world.markets[told["ticker"]].event.series.category,
        "no_price": 100 - price,
        "no_price_dollars": other,
        "response_price_units": "usd_cent",
        "status": _STATUSES.get(told["status"], told["status"]),
        "tick_size": 1,
        "yes_price": price,
        "yes_price_dollars": dollars,
    }
    return _with_price(told, "yes")


def orderbook_view(book: BookView) -> Json:
    """Two ladders of bids, [cents, contracts], best last."""
    return {
        "no": [[price // 100, count // COUNT_SCALE] for price, count in book.no],
        "yes": [[price // 100, count // COUNT_SCALE] for price, count in book.yes],
    }


def trade_view(view: Json) -> Json:
    """A trade; its price is that of the leg the taker bought."""
    return _with_price(_retold(view), view["taker_side"])


def candle_view(view: Json) -> Json:
    """A candlestick; where nothing was traded its prices are null."""
    told = in_both_formats(view)
    nothing: Json = {}
    for name in _CANDLE_PRICES:
        nothing |= {name: None, f"{name}_dollars": None}
    return told | {"price": dict(sorted((nothing | told["price"]).items()))}


def _words(exchange: Exchange, order_id: str, view: Json) -> Json:
    """Side and action as the order was written: buying NO is the same as selling YES."""
    side, action = exchange.words.get(order_id, (view["side"], view["action"]))
    return {"action": action, "side": side}


def order_view(exchange: Exchange, order: Order) -> Json:
    """An order as it is now."""
    view = _retold(portfolio_views.order_view(order))
    view.setdefault("expiration_time", None)
    view |= _words(exchange, order.order_id, view)
    return _with_price(view, view["side"])


def fill_view(exchange: Exchange, view: Json) -> Json:
    """One's own half of a trade."""
    told = _retold(view)
    told |= _words(exchange, told["order_id"], told)
    return _with_price(told, told["side"])


def position_view(view: Json, resting: Iterable[Order]) -> Json:
    """A position in one market, and how many orders rest there."""
    told = _retold(view)
    told["resting_orders_count"] = sum(order.market.ticker == told["ticker"] for order in resting)
    return dict(sorted(told.items()))
