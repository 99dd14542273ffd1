"""The payload of every kind of frame. Nothing else in the stream knows these names.

A payload begins behind ``"sending_ts_ms":…`` and ends the frame; what comes before it differs
from one subscription to the next. As recorded, each frame ends with a line break.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from kalshi_research.money import PRICE_SCALE
from kalshi_research.sandbox.stream.texts import PRICES, count_text, iso_ms, money_text

if TYPE_CHECKING:
    from kalshi_research.sandbox.engine import (
        BookDelta,
        FeeUpdate,
        Fill,
        GroupUpdate,
        Lifecycle,
        Order,
        OrderUpdate,
        PositionUpdate,
        Trade,
    )
    from kalshi_research.sandbox.stream.mirror import Mirror
    from kalshi_research.sandbox.stream.source import Source

__all__ = [
    "delta",
    "fee_update",
    "fill",
    "group_update",
    "lifecycle",
    "market_position",
    "snapshot",
    "ticker",
    "timed_ticker",
    "trade",
    "user_order",
    "wrap",
]

Json = dict[str, Any]

_encode = msgspec.json.Encoder().encode
_SECOND = 1_000_000


def wrap(payload: Json | list[Json]) -> bytes:
    """A payload as the end of a frame."""
    return b',"msg":' + _encode(payload) + b"}\n"


def _quoted(text: str) -> str:
    return _encode(text).decode()


def _named(order: Order) -> Json:
    """The subaccount, which is only named where the user has several."""
    return {"subaccount": order.wallet.number} if len(order.wallet.member.wallets) > 1 else {}


def snapshot(market: Mirror, *, yes_price: bool) -> bytes:
    """The whole book; the key of an empty side is left out."""
    payload: Json = {
        "market_ticker": market.ticker,
        "market_id": market.market_id,
        "clock": market.clock,
    }
    if market.yes:
        payload["yes_dollars_fp"] = [
            (PRICES[price], count_text(count)) for price, count in sorted(market.yes.items())
        ]
    if market.no:
        rows = sorted(market.no.items())
        if yes_price:
            rows = [(PRICE_SCALE - price, count) for price, count in reversed(rows)]
        payload["no_dollars_fp"] = [(PRICES[price], count_text(count)) for price, count in rows]
    return wrap(payload)


def delta(event: BookDelta, market: Mirror, *, yes_price: bool, cause: Order | None) -> bytes:
    """A change of one level; `cause` is the order behind it, for its owner."""
    price = PRICE_SCALE - event.price if yes_price and event.side == "no" else event.price
    own = ""
    if cause is not None:
        if cause.client_order_id:
            own = f',"client_order_id":{_quoted(cause.client_order_id)}'
        if len(cause.wallet.member.wallets) > 1:
            own += f',"subaccount":{cause.wallet.number}'
    return (
        f',"msg":{{"market_ticker":"{market.ticker}","market_id":"{market.market_id}",'
        f'"clock":{event.clock},"price_dollars":"{PRICES[price]}",'
        f'"delta_fp":"{count_text(event.delta)}","side":"{event.side}",'
        f'"ts":"{iso_ms(event.time)}","ts_ms":{event.time // 1000}{own}}}}}\n'
    ).encode()


def ticker(market: Mirror) -> bytes:
    """The figures of a market, without the times that end the frame."""
    bid, ask, bid_size, ask_size = market.touch()
    return (
        f',"msg":{{"market_id":"{market.market_id}","market_ticker":"{market.ticker}",'
        f'"price_dollars":"{PRICES[market.last_price]}",'
        f'"yes_bid_dollars":"{PRICES[bid]}","yes_ask_dollars":"{PRICES[ask]}",'
        f'"volume_fp":"{count_text(market.volume)}",'
        f'"open_interest_fp":"{count_text(market.open_interest)}",'
        f'"dollar_volume":{market.dollar_volume // _SECOND},'
        f'"dollar_open_interest":{market.open_interest * market.last_price // _SECOND},'
        f'"yes_bid_size_fp":"{count_text(bid_size)}","yes_ask_size_fp":"{count_text(ask_size)}",'
        f'"last_trade_size_fp":"{count_text(market.last_size)}"'
    ).encode()


def timed_ticker(said: bytes, time: int) -> bytes:
    """A ticker with its times."""
    return (
        said + f',"ts":{time // _SECOND},"ts_ms":{time // 1000},"time":"{iso_ms(time)}"}}}}\n'.encode()
    )


def trade(event: Trade) -> bytes:
    """A trade, for everybody."""
    side = "yes" if event.taker_side == "bid" else "no"
    return (
        f',"msg":{{"trade_id":"{event.trade_id}","market_ticker":"{event.ticker}",'
        f'"yes_price_dollars":"{PRICES[event.price]}",'
        f'"no_price_dollars":"{PRICES[PRICE_SCALE - event.price]}",'
        f'"count_fp":"{count_text(event.count)}","taker_side":"{side}",'
        f'"taker_outcome_side":"{side}","taker_book_side":"{event.taker_side}",'
        f'"is_block_trade":false,"ts":{event.time // _SECOND},"ts_ms":{event.time // 1000}}}}}\n'
    ).encode()


def _direction(order: Order) -> Json:
    """Where an order or a fill leads, in the words of today."""
    return {
        "outcome_side": "yes" if order.is_bid else "no",
        "book_side": "bid" if order.is_bid else "ask",
    }


def fill(event: Fill) -> bytes:
    """One party's half of a trade."""
    order = event.order
    payload: Json = {"trade_id": event.trade_id, "order_id": order.order_id}
    if order.client_order_id:
        payload["client_order_id"] = order.client_order_id
    payload |= {
        "market_ticker": order.market.ticker,
        "exchange_index": order.market.shard,
        "is_taker": event.is_taker,
        "side": "yes",
        "yes_price_dollars": PRICES[event.price],
        "count_fp": count_text(event.count),
        "fee_cost": money_text(event.fee),
        "action": "buy" if order.is_bid else "sell",
        "ts": event.time // _SECOND,
        "ts_ms": event.time // 1000,
        "post_position_fp": count_text(event.position),
        "purchased_side": "yes" if order.is_bid else "no",
    }
    return wrap(payload | _direction(order) | _named(order))


def user_order(event: OrderUpdate, user_id: str) -> bytes:
    """The full state of an order."""
    order = event.order
    payload: Json = {
        "order_id": order.order_id,
        "user_id": user_id,
        "ticker": order.market.ticker,
        "exchange_index": order.market.shard,
        "status": event.status,
        "side": "yes",
        "is_yes": True,
        **_direction(order),
        "yes_price_dollars": PRICES[event.price],
        "fill_count_fp": count_text(event.filled),
        "remaining_count_fp": count_text(event.remaining),
        "initial_count_fp": count_text(event.initial),
        "taker_fill_cost_dollars": money_text(event.taker_cost),
        "maker_fill_cost_dollars": money_text(event.maker_cost),
        "taker_fees_dollars": money_text(event.taker_fees),
        "maker_fees_dollars": money_text(event.maker_fees),
        "client_order_id": event.client_order_id,
        "self_trade_prevention_type": order.self_trade,
        "created_time": iso_ms(order.created),
        "created_ts_ms": order.created // 1000,
        "last_update_time": iso_ms(event.time),
        "last_updated_ts_ms": event.time // 1000,
        "subaccount_number": order.wallet.number,
    }
    if order.group is not None:
        payload["order_group_id"] = order.group.group_id
    if event.reason:
        payload["last_update_reason"] = event.reason
    if event.expiration:
        payload["expiration_time"] = iso_ms(event.expiration)
        payload["expiration_ts_ms"] = event.expiration // 1000
    return wrap(payload)


def market_position(event: PositionUpdate, user_id: str) -> bytes:
    """The state of a position."""
    payload: Json = {
        "user_id": user_id,
        "market_ticker": event.ticker,
        "position_fp": count_text(event.position),
        "position_cost_dollars": money_text(event.cost),
        "realized_pnl_dollars": money_text(event.realised),
        "fees_paid_dollars": money_text(event.fees),
        "position_fee_cost_dollars": money_text(event.fee_cost),
        "volume_fp": count_text(event.volume),
    }
    if event.subaccount:
        payload["subaccount"] = event.subaccount
    return wrap(payload)


def lifecycle(event: Lifecycle, source: Source) -> bytes | None:
    """What the life of a market brought; None for what the exchange does not announce."""
    kind = event.kind
    payload: Json = {"market_ticker": event.ticker, "event_type": kind}
    combo = source.is_combo(event.ticker)
    seconds = event.time // _SECOND
    if kind == "created":
        told = source.announcement(event.ticker)
        if told is None:
            return None
        payload |= told | {"close_ts": event.close_time // _SECOND} | _grid(event, source)
        if combo:  # their channel has the name of the grid only
            del payload["price_ranges"]
    elif kind in ("activated", "deactivated"):
        payload["is_deactivated"] = kind == "deactivated"
    elif kind == "close_date_updated":
        payload["close_ts"] = event.close_time // _SECOND
    elif kind == "determined":
        payload["result"] = event.result
        payload["settlement_value"] = PRICES[event.value or 0]
        payload["determination_ts"] = seconds
    elif kind == "settled":
        payload["settled_ts"] = seconds
    elif kind == "price_level_structure_updated" and not combo:
        payload |= _grid(event, source)
    else:
        return None
    return wrap(payload)


def _grid(event: Lifecycle, source: Source) -> Json:
    bands = event.grid.bands
    return {
        "price_level_structure": source.structure(event.ticker, bands),
        "price_ranges": [
            {"start": PRICES[start], "end": PRICES[end], "step": PRICES[step]}
            for start, end, step in bands
        ],
    }


def fee_update(event: FeeUpdate) -> bytes:
    """The fees of an event changed."""
    return wrap(
        {
            "event_ticker": event.event_ticker,
            "fee_type_override": event.terms.fee_type,
            "fee_multiplier_override": 0 if event.terms.waived else float(event.terms.multiplier),
        }
    )


def group_update(event: GroupUpdate) -> bytes:
    """An order group changed."""
    payload: Json = {"event_type": event.kind, "order_group_id": event.group_id}
    if event.kind in ("created", "limit_updated"):
        payload["contracts_limit_fp"] = count_text(event.limit)
    payload["ts_ms"] = event.time // 1000
    return wrap(payload)
