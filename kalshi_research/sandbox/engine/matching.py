"""Resting, matching and cancelling: all that changes a book."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kalshi_research.fees import align, raw_fee
from kalshi_research.money import PRICE_SCALE
from kalshi_research.sandbox.engine.events import (
    BookDelta,
    Fill,
    GroupUpdate,
    OrderUpdate,
    PositionUpdate,
    Trade,
)
from kalshi_research.sandbox.engine.orders import Matched

if TYPE_CHECKING:
    from kalshi_research.sandbox.engine.accounts import Holding, Wallet
    from kalshi_research.sandbox.engine.book import BookSide, Level
    from kalshi_research.sandbox.engine.groups import OrderGroup
    from kalshi_research.sandbox.engine.orders import Order, Reason
    from kalshi_research.sandbox.engine.venue import Venue

__all__ = [
    "announce",
    "announce_position",
    "cancel",
    "crosses",
    "free_margin",
    "leave",
    "match",
    "rest",
    "resting_lock",
    "shrink",
    "taking_lock",
    "trigger",
]


def crosses(order: Order, price: int) -> bool:
    """Whether the order would meet another one at this limit."""
    if order.is_bid:
        keys = order.market.asks.keys
        return bool(keys) and -keys[-1] <= price
    keys = order.market.bids.keys
    return bool(keys) and keys[-1] >= price


def resting_lock(order: Order, price: int, count: int) -> int:
    """Collateral for `count` contracts that rest: the leg's cost, and room for maker fees."""
    leg = price if order.is_bid else PRICE_SCALE - price
    cost = leg * count
    ratio = order.market.maker_ratio
    precision = order.wallet.precision
    if ratio[0]:
        return cost + raw_fee(price, count, ratio) + precision
    # A fill whose cost is off the balance's grid is aligned at the member's expense.
    return cost + precision if leg % order.wallet.step else cost


def taking_lock(order: Order, price: int, count: int) -> int:
    """Cost and fee of `count` contracts taken at the limit, which no better price exceeds."""
    leg = price if order.is_bid else PRICE_SCALE - price
    cost = leg * count
    precision = order.wallet.precision
    fee = raw_fee(price, count, order.market.taker_ratio)
    return cost + align(fee, cost, 0, precision, precision)[0]


def announce(venue: Venue, order: Order, reason: Reason) -> None:
    """Emit the state of an order."""
    order.reason = reason
    order.updated = venue.now
    venue.outbox.append(
        OrderUpdate(
            venue.clock,
            venue.now,
            order,
            reason,
            order.status,
            order.price,
            order.initial,
            order.filled,
            order.remaining,
            order.taker_cost,
            order.maker_cost,
            order.taker_fees,
            order.maker_fees,
            order.expiration,
            order.client_order_id,
        )
    )


def announce_position(venue: Venue, holding: Holding) -> None:
    """Emit the state of a position."""
    holding.updated = venue.now
    wallet = holding.wallet
    venue.outbox.append(
        PositionUpdate(
            venue.clock,
            venue.now,
            wallet.member.user,
            wallet.number,
            holding.market.ticker,
            holding.position,
            holding.cost,
            holding.fee_cost,
            holding.realised,
            holding.fees,
            holding.volume,
        )
    )


def _delta(venue: Venue, order: Order, change: int) -> None:
    market = order.market
    market.clock = venue.clock
    if order.is_bid:
        event = BookDelta(venue.clock, venue.now, market.ticker, "yes", order.price, change, order)
    else:
        leg = PRICE_SCALE - order.price
        event = BookDelta(venue.clock, venue.now, market.ticker, "no", leg, change, order)
    venue.outbox.append(event)


def _side(order: Order) -> BookSide:
    return order.market.bids if order.is_bid else order.market.asks


def rest(venue: Venue, order: Order, lock: int) -> None:
    """Put what remains of an order at the end of its queue; `lock` is its `resting_lock`."""
    venue.ticket = order.ticket = venue.ticket + 1
    holding = order.holding
    remaining = order.remaining
    order.lock = lock
    if order.is_bid:
        order.market.bids.add(order)
        holding.bid_lock += lock
    else:
        order.market.asks.add(order)
        holding.ask_lock += lock
    holding.reserve()
    order.wallet.resting[order.ticket] = order
    if order.group is not None:
        order.group.resting[order.ticket] = order
    order.market.quoted = True
    _delta(venue, order, remaining)


def leave(venue: Venue, order: Order) -> None:
    """Take a resting order off the book; what remains of it is kept in the order."""
    _side(order).remove(order)
    remaining = order.remaining
    _release(order, order.lock)
    order.lock = 0
    _unlist(order)
    order.holding.reserve()
    _delta(venue, order, -remaining)


def shrink(venue: Venue, order: Order, count: int) -> None:
    """Take contracts off a resting order, which keeps its place."""
    side = _side(order)
    side.levels[side.sign * order.price].total -= count
    order.remaining -= count
    lock = resting_lock(order, order.price, order.remaining)
    _release(order, order.lock - lock)
    order.lock = lock
    order.holding.reserve()
    _delta(venue, order, -count)


def _release(order: Order, lock: int) -> None:
    holding = order.holding
    if order.is_bid:
        holding.bid_lock -= lock
    else:
        holding.ask_lock -= lock


def _unlist(order: Order) -> None:
    del order.wallet.resting[order.ticket]
    if order.group is not None:
        order.group.resting.pop(order.ticket, None)


def cancel(venue: Venue, order: Order, reason: Reason) -> int:
    """Cancel a resting order; answer the contracts taken off the book."""
    leave(venue, order)
    removed = order.remaining
    order.remaining = 0
    order.status = "canceled"
    announce(venue, order, reason)
    return removed


def trigger(venue: Venue, group: OrderGroup) -> None:
    """Cancel all orders of a group and take no more until it is reset."""
    group.triggered = True
    for order in list(group.resting.values()):
        cancel(venue, order, "")
    wallet = group.wallet
    user, number = wallet.member.user, wallet.number
    venue.outbox.append(
        GroupUpdate(venue.clock, venue.now, user, group.group_id, "triggered", group.limit, number)
    )


def match(venue: Venue, taker: Order) -> Matched:
    """Match an incoming order against the book as far as its limit goes."""
    matched = Matched()
    market = taker.market
    side = market.asks if taker.is_bid else market.bids
    limit = -taker.price if taker.is_bid else taker.price
    keys = side.keys
    by_user = venue.options.self_trade_scope == "user"
    # A level without orders is removed with its last order.
    while taker.remaining and keys and keys[-1] >= limit and (maker := side.levels[keys[-1]].first):
        level = side.levels[keys[-1]]
        if maker.wallet is taker.wallet or (by_user and maker.wallet.member is taker.wallet.member):
            if taker.self_trade == "maker":
                cancel(venue, maker, "SelfTradeCancel")
                continue
            matched.stopped = "SelfTradeCancel"
            break
        _trade(venue, level, maker, taker, matched)
        group = taker.group
        if group is not None and group.triggered:
            matched.stopped = "group"
            break
    if matched.filled:
        taker.holding.reserve()
        announce_position(venue, taker.holding)
    return matched


def _trade(venue: Venue, level: Level, maker: Order, taker: Order, matched: Matched) -> None:
    market = maker.market
    price = level.price
    count = min(maker.remaining, taker.remaining)
    clock, now, emit = venue.clock, venue.now, venue.outbox.append

    # The book and the resting order.
    if count == maker.remaining:
        _side(maker).remove(maker)
        _release(maker, maker.lock)
        maker.remaining = maker.lock = 0
        maker.status = "executed"
        _unlist(maker)
        _delta(venue, maker, -count)
    else:
        level.total -= count
        maker.remaining -= count
        lock = resting_lock(maker, price, maker.remaining)
        _release(maker, maker.lock - lock)
        maker.lock = lock
        _delta(venue, maker, -count)

    # Money and positions.
    maker_fee = _charge(maker, price, count, market.maker_ratio)
    taker_fee = _charge(taker, price, count, market.taker_ratio)
    opened = maker.holding.fill(maker.is_bid, count, price, maker_fee)
    opened += taker.holding.fill(taker.is_bid, count, price, taker_fee)
    maker.holding.reserve()
    maker.filled += count
    taker.filled += count
    taker.remaining -= count
    bought = price if maker.is_bid else PRICE_SCALE - price
    maker.maker_cost += bought * count
    taker.taker_cost += (PRICE_SCALE - bought) * count
    maker.maker_fees += maker_fee
    taker.taker_fees += taker_fee
    venue.fee_income += maker_fee + taker_fee
    matched.filled += count
    matched.value += price * count
    matched.fees += taker_fee

    # The tape.
    market.open_interest += opened
    market.volume += count
    market.dollar_volume += price * count
    market.last_price = price
    market.last_size = count
    trade_id = venue.identifier()
    trade = Trade(clock, now, trade_id, market.ticker, price, count, "bid" if taker.is_bid else "ask")
    market.trades.append(trade)
    emit(trade)
    half = Fill(clock, now, trade_id, maker, price, count, False, maker_fee, maker.holding.position)
    maker.wallet.member.fills.append(half)
    emit(half)
    half = Fill(clock, now, trade_id, taker, price, count, True, taker_fee, taker.holding.position)
    taker.wallet.member.fills.append(half)
    emit(half)
    announce(venue, maker, "Trade")
    announce_position(venue, maker.holding)

    if maker.group is not None or taker.group is not None:
        _count_in_groups(venue, maker.group, taker.group, count)
    free_margin(venue, maker.wallet)


def _charge(order: Order, price: int, count: int, ratio: tuple[int, int]) -> int:
    leg = price if order.is_bid else PRICE_SCALE - price
    precision = order.wallet.precision
    if not ratio[0] and not leg % order.wallet.step:
        return 0
    fee = raw_fee(price, count, ratio)
    net, order.carried = align(fee, leg * count, order.carried, precision, precision)
    return net


def _count_in_groups(
    venue: Venue, making: OrderGroup | None, taking: OrderGroup | None, count: int
) -> None:
    options = venue.options
    for group in (making, taking):
        if group is None:
            continue
        group.add(venue.now, count)
        total = group.matched(venue.now, options.group_window)
        reached = options.group_trigger == "reaches" and total == group.limit
        if not group.triggered and (total > group.limit or reached):
            trigger(venue, group)


def free_margin(venue: Venue, wallet: Wallet) -> None:
    """Cancel the newest orders of an overdrawn wallet until the rest is covered."""
    while wallet.cash < wallet.reserved and wallet.resting:
        newest = wallet.resting[next(reversed(wallet.resting))]
        cancel(venue, newest, "MarginCancel")
