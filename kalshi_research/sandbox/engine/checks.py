"""What the order desk asks before it acts. Nothing here changes anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kalshi_research.sandbox.engine.matching import crosses, resting_lock, taking_lock
from kalshi_research.sandbox.engine.rejections import refuse

if TYPE_CHECKING:
    from kalshi_research.sandbox.engine.accounts import Member, Wallet
    from kalshi_research.sandbox.engine.groups import OrderGroup
    from kalshi_research.sandbox.engine.markets import Market
    from kalshi_research.sandbox.engine.orders import Order, SelfTrade, Side, TimeInForce
    from kalshi_research.sandbox.engine.venue import Venue

__all__ = [
    "check_amendment",
    "check_conditions",
    "check_identity",
    "check_means",
    "check_terms",
    "claimed",
    "dies_by_crossing",
    "find",
    "find_reducible",
    "group_of",
    "require_trading",
]

# A billion contracts: beyond any balance, and products with prices stay small integers.
_LARGEST_COUNT = 100_000_000_000


def require_trading(venue: Venue, market: Market) -> None:
    """Refuse what needs a market that trades."""
    if not venue.exchange_active:
        raise refuse("EXCHANGE_PAUSED")
    if not venue.trading_active:
        raise refuse("TRADING_PAUSED")
    if market.status != "active":
        raise refuse("MARKET_INACTIVE", status=venue.options.inactive_status)


def check_conditions(
    venue: Venue,
    *,
    time_in_force: TimeInForce,
    self_trade: SelfTrade,
    expiration: int,
    post_only: bool,
    reduce_only: bool,
) -> None:
    """Refuse conditions that are unknown or exclude each other."""
    if self_trade not in ("taker_at_cross", "maker"):
        raise refuse("INVALID_PARAMETERS", "self_trade_prevention_type is taker_at_cross or maker")
    if time_in_force == "good_till_canceled":
        if expiration and expiration <= venue.now:
            raise refuse("INVALID_PARAMETERS", "Expiration timestamp must be in the future")
        if reduce_only:
            raise refuse("INVALID_ORDER", "reduce_only needs immediate_or_cancel")
        return
    if time_in_force not in ("immediate_or_cancel", "fill_or_kill"):
        raise refuse("INVALID_PARAMETERS", "time_in_force is not known")
    if expiration:
        raise refuse("INVALID_PARAMETERS", f"Cannot specify both {time_in_force} and expiration_ts")
    if post_only:
        raise refuse("INVALID_ORDER", "post_only needs good_till_canceled")
    if reduce_only and time_in_force != "immediate_or_cancel":
        raise refuse("INVALID_ORDER", "reduce_only needs immediate_or_cancel")


def check_terms(market: Market, side: Side, price: int, count: int) -> None:
    """Refuse a price off the grid and an impossible size."""
    if side not in ("bid", "ask"):
        raise refuse("INVALID_PARAMETERS", "side is bid or ask")
    if price not in market.allowed or price <= market.floor:
        raise refuse("INVALID_PRICE")
    if not 0 < count <= _LARGEST_COUNT:
        raise refuse("INVALID_SIZE")


def claimed(venue: Venue, member: Member, client_order_id: str) -> Order | None:
    """The order to answer with; refused when the id must not be used again."""
    earlier = member.client_ids.get(client_order_id)
    if earlier is None:
        return None
    mode = venue.options.client_ids
    if mode == "return-original":
        return earlier
    free = (
        mode == "none"
        or (mode == "open-only" and earlier.status != "resting")
        or (mode == "recent" and earlier.created <= venue.now - venue.options.recent_window)
    )
    if not free:
        raise refuse("ORDER_ALREADY_EXISTS")
    return None


def group_of(wallet: Wallet, market: Market, group_id: str) -> OrderGroup | None:
    """The group a new order is to belong to; None for an empty id."""
    if not group_id:
        return None
    group = wallet.member.groups.get(group_id)
    if group is None or group.wallet is not wallet or group.shard != market.shard:
        raise refuse("ORDER_GROUP_NOT_FOUND", "order group not found")
    if group.triggered:
        raise refuse("EXCEEDED_ORDER_GROUP_RISK_LIMIT")
    return group


def dies_by_crossing(venue: Venue, order: Order) -> bool:
    """Whether an order that crosses is accepted only to be cancelled; refused where that is the way."""
    if order.post_only and venue.options.post_only_cross == "reject":
        raise refuse("POST_ONLY_CROSS", "post only cross")
    return order.post_only


def check_means(order: Order, price: int, count: int, *, crossing: bool) -> tuple[int, int]:
    """Refuse an order that the wallet cannot pay.

    Answers how much of it could be matched now, and what it reserves if nothing is.
    """
    resting = resting_lock(order, price, count)
    taken, lock = 0, resting
    if crossing:
        side = order.market.asks if order.is_bid else order.market.bids
        taken = min(count, side.volume_within(-price if order.is_bid else price, count))
        lock = taking_lock(order, price, taken)
        if taken < count:
            lock += resting_lock(order, price, count - taken)
    if not order.holding.affords(order.is_bid, lock):
        raise refuse("INSUFFICIENT_BALANCE")
    return taken, resting


def check_identity(order: Order, ticker: str, side: Side, client_order_id: str) -> None:
    """Refuse to amend a finished order, and one that is not the one described."""
    if order.status != "resting":
        raise refuse("NOT_FOUND")
    if order.market.ticker != ticker:
        raise refuse("ORDER_TICKER_MISMATCH")
    if order.side != side:
        raise refuse("ORDER_SIDE_MISMATCH")
    if client_order_id and client_order_id != order.client_order_id:
        raise refuse("ORDER_ID_MISMATCH")


def check_amendment(venue: Venue, order: Order, price: int, count: int, expiration: int) -> bool:
    """Refuse an amendment that cannot be; answer whether the order would cross."""
    check_terms(order.market, order.side, price, count)
    wanted = count - order.filled
    if wanted <= 0:
        raise refuse("INVALID_AMEND_QTY_FOR_ORDER", "the count must exceed what is filled")
    if expiration and expiration <= venue.now:
        raise refuse("INVALID_PARAMETERS", "Expiration timestamp must be in the future")
    if price == order.price and wanted <= order.remaining:
        return False
    crossing = crosses(order, price)
    if crossing and order.post_only:
        raise refuse("POST_ONLY_CROSS", "post only cross")
    # What the order itself reserves is at the disposal of its new form.
    _hold(order, -order.lock)
    try:
        check_means(order, price, wanted, crossing=crossing)
    finally:
        _hold(order, order.lock)
    return crossing


def _hold(order: Order, lock: int) -> None:
    holding = order.holding
    if order.is_bid:
        holding.bid_lock += lock
    else:
        holding.ask_lock += lock
    holding.reserve()


def find(venue: Venue, user: str, order_id: str, subaccount: int | None) -> Order:
    """An order of this user, finished or not."""
    order = venue.orders.get(order_id)
    if (
        order is None
        or order.wallet.member.user != user
        or (subaccount is not None and order.wallet.number != subaccount)
    ):
        raise refuse("NOT_FOUND")
    return order


def find_reducible(venue: Venue, user: str, order_id: str, subaccount: int | None) -> Order:
    """A resting order that may be made smaller: also in a trading pause, not after the close."""
    if not venue.exchange_active:
        raise refuse("EXCHANGE_PAUSED")
    order = find(venue, user, order_id, subaccount)
    if order.market.status not in ("active", "inactive"):
        raise refuse("MARKET_INACTIVE", status=venue.options.inactive_status)
    if order.status != "resting":
        raise refuse("NOT_FOUND")
    return order
