"""The payloads of the guide of late 2025: integer cents beside dollars, said under two names.

Contracts are whole there: what a level holds is rounded down, and a change too small to be seen
is not told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from kalshi_research.money import PRICE_SCALE
from kalshi_research.sandbox.stream.texts import PRICES, money_text

if TYPE_CHECKING:
    from kalshi_research.sandbox.engine import (
        BookDelta,
        FeeUpdate,
        Fill,
        Lifecycle,
        Order,
        PositionUpdate,
        Trade,
    )
    from kalshi_research.sandbox.stream.mirror import Mirror
    from kalshi_research.sandbox.stream.source import Source

__all__ = [
    "delta",
    "fee_update",
    "fill",
    "lifecycle",
    "market_position",
    "snapshot",
    "ticker",
    "timed_ticker",
    "trade",
]

Json = dict[str, Any]

_encode = msgspec.json.Encoder().encode
_SECOND = 1_000_000
_CENT = 100
_CONTRACT = 100
_MONEY_CENT = 10_000


def _twice(said: bytes) -> bytes:
    """The end of a frame: one object under both of its names."""
    return b',"msg":%b,"data":%b}\n' % (said, said)


def _wrap(payload: Json) -> bytes:
    return _twice(_encode(payload))


def _levels(side: dict[int, int]) -> list[tuple[int, int]]:
    """Whole contracts by cent, ascending."""
    found: dict[int, int] = {}
    for price, count in side.items():
        found[price // _CENT] = found.get(price // _CENT, 0) + count
    return [(cents, count // _CONTRACT) for cents, count in sorted(found.items()) if count >= _CONTRACT]


def snapshot(market: Mirror, *, yes_price: bool) -> bytes:  # noqa: ARG001
    """The whole book; NO is always at its own price here."""
    payload: Json = {"market_ticker": market.ticker}
    for name, side in (("yes", market.yes), ("no", market.no)):
        levels = _levels(side)
        payload[name] = levels
        payload[f"{name}_dollars"] = [(PRICES[cents * _CENT], count) for cents, count in levels]
    return _wrap(payload)


def delta(
    event: BookDelta,
    market: Mirror,
    *,
    yes_price: bool,  # noqa: ARG001 - NO is always at its own price here
    cause: Order | None,
) -> bytes | None:
    """A change of one level, as it looks in whole contracts; the market is as it is after it."""
    side = market.yes if event.side == "yes" else market.no
    cents = event.price // _CENT
    after = sum(side.get(price, 0) for price in range(cents * _CENT, (cents + 1) * _CENT))
    change = after // _CONTRACT - (after - event.delta) // _CONTRACT
    if not change:
        return None
    payload: Json = {
        "market_ticker": market.ticker,
        "price": cents,
        "price_dollars": PRICES[cents * _CENT],
        "delta": change,
        "side": event.side,
        "ts": event.time // _SECOND,
    }
    if cause is not None and cause.client_order_id:
        payload["client_order_id"] = cause.client_order_id
    return _wrap(payload)


def _both(name: str, price: int) -> Json:
    return {name: price // _CENT, f"{name}_dollars": PRICES[price // _CENT * _CENT]}


def ticker(market: Mirror) -> bytes:
    """The figures of a market, without the time; `bid` and `ask` are dollars as in the guide."""
    bid, ask, _, _ = market.touch()
    payload = {
        "market_ticker": market.ticker,
        **_both("price", market.last_price),
        **_both("yes_bid", bid),
        **_both("yes_ask", ask),
        "bid": PRICES[bid // _CENT * _CENT],
        "ask": PRICES[ask // _CENT * _CENT],
        "volume": market.volume // _CONTRACT,
        "open_interest": market.open_interest // _CONTRACT,
        "dollar_volume": market.dollar_volume // _SECOND,
        "dollar_open_interest": market.open_interest * market.last_price // _SECOND,
    }
    return _encode(payload)[:-1]


def timed_ticker(said: bytes, time: int) -> bytes:
    """A ticker with its time."""
    return _twice(b'%b,"ts":%d}' % (said, time // _SECOND))


def trade(event: Trade) -> bytes | None:
    """A trade, for everybody; one of less than a contract is not told."""
    if event.count < _CONTRACT:
        return None
    return _wrap(
        {
            "trade_id": event.trade_id,
            "market_ticker": event.ticker,
            **_both("yes_price", event.price),
            **_both("no_price", PRICE_SCALE - event.price),
            "count": event.count // _CONTRACT,
            "taker_side": "yes" if event.taker_side == "bid" else "no",
            "ts": event.time // _SECOND,
        }
    )


def fill(event: Fill) -> bytes:
    """One party's half of a trade."""
    order = event.order
    payload: Json = {"trade_id": event.trade_id, "order_id": order.order_id}
    if order.client_order_id:
        payload["client_order_id"] = order.client_order_id
    payload |= {
        "market_ticker": order.market.ticker,
        "is_taker": event.is_taker,
        "side": "yes",
        **_both("yes_price", event.price),
        **_both("no_price", PRICE_SCALE - event.price),
        "count": event.count // _CONTRACT,
        "action": "buy" if order.is_bid else "sell",
        "post_position": event.position // _CONTRACT,
        "ts": event.time // _SECOND,
    }
    return _wrap(payload)


def market_position(event: PositionUpdate, user_id: str) -> bytes:
    """The state of a position, in cents and dollars."""
    payload: Json = {
        "user_id": user_id,
        "market_ticker": event.ticker,
        "position": event.position // _CONTRACT,
        "volume": event.volume // _CONTRACT,
    }
    for name, money in (
        ("position_cost", event.cost),
        ("realized_pnl", event.realised),
        ("fees_paid", event.fees),
    ):
        payload |= {name: money // _MONEY_CENT, f"{name}_dollars": money_text(money)}
    return _wrap(payload)


def lifecycle(event: Lifecycle, source: Source) -> bytes | None:
    """What the life of a market brought; None for what the exchange did not announce."""
    kind = event.kind
    payload: Json = {"market_ticker": event.ticker, "event_type": kind}
    seconds = event.time // _SECOND
    if kind == "created":
        told = source.announcement(event.ticker)
        if told is None:
            return None
        payload |= told | {"close_ts": event.close_time // _SECOND}
    elif kind in ("activated", "deactivated"):
        payload["is_deactivated"] = kind == "deactivated"
    elif kind == "close_date_updated":
        payload["close_ts"] = event.close_time // _SECOND
    elif kind == "determined":
        payload |= {"result": event.result, "determination_ts": seconds}
    elif kind == "settled":
        payload["settled_ts"] = seconds
    else:
        return None
    return _wrap(payload)


def fee_update(event: FeeUpdate) -> bytes:
    """The fees of an event changed."""
    return _wrap({"event_ticker": event.event_ticker, "fee_type_override": event.terms.fee_type})
