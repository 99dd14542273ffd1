"""The order desk: takes, changes and cancels orders."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from kalshi_research.sandbox.engine.checks import (
    check_amendment,
    check_conditions,
    check_identity,
    check_means,
    check_terms,
    claimed,
    dies_by_crossing,
    find,
    find_reducible,
    group_of,
    require_trading,
)
from kalshi_research.sandbox.engine.matching import (
    announce,
    cancel,
    crosses,
    free_margin,
    leave,
    match,
    rest,
    resting_lock,
    shrink,
)
from kalshi_research.sandbox.engine.orders import Matched, Order, Receipt
from kalshi_research.sandbox.engine.rejections import refuse

if TYPE_CHECKING:
    from kalshi_research.sandbox.engine.orders import Reason, SelfTrade, Side, TimeInForce
    from kalshi_research.sandbox.engine.venue import Venue

__all__ = ["OrderDesk"]

_NOT_MATCHED = Matched()


class OrderDesk:
    """The requests of users about orders; part of `Engine`."""

    _venue: Venue

    def submit(
        self,
        user: str,
        ticker: str,
        side: Side,
        price: int,
        count: int,
        *,
        time_in_force: TimeInForce = "good_till_canceled",
        self_trade: SelfTrade = "taker_at_cross",
        client_order_id: str = "",
        expiration: int = 0,
        post_only: bool = False,
        reduce_only: bool = False,
        cancel_on_pause: bool = False,
        subaccount: int = 0,
        group_id: str = "",
    ) -> Receipt:
        """Take a new order.

        Parameters
        ----------
        user, ticker : str
        side : {"bid", "ask"}
            Buy YES, or sell YES, which is to buy NO at one minus the price.
        price : int
            Limit on the YES leg [1/10 000 dollar].
        count : int
            [1/100 contract]
        time_in_force : {"good_till_canceled", "immediate_or_cancel", "fill_or_kill"}
        self_trade : {"taker_at_cross", "maker"}
            Which order is cancelled when it would meet one of the same user.
        client_order_id : str
            Empty for none.
        expiration : int
            [µs], 0 for none.
        post_only, reduce_only, cancel_on_pause : bool
        subaccount : int
        group_id : str
            Empty for none.

        Returns
        -------
        Receipt

        Raises
        ------
        Rejection
        """
        venue = self._venue
        venue.begin()
        market = venue.market(ticker)
        wallet = venue.purse(venue.wallet(user, subaccount), market.shard)
        require_trading(venue, market)
        check_conditions(
            venue,
            time_in_force=time_in_force,
            self_trade=self_trade,
            expiration=expiration,
            post_only=post_only,
            reduce_only=reduce_only,
        )
        check_terms(market, side, price, count)
        if client_order_id in wallet.member.client_ids:
            earlier = claimed(venue, wallet.member, client_order_id)
            if earlier is not None:
                return _receipt(venue, earlier, _so_far(earlier), 0, changed=False)
        holding = venue.holding(wallet, market)
        order = Order(
            holding,
            wallet,
            market,
            client_order_id,
            side == "bid",
            price,
            count,
            count,
            self_trade,
            post_only,
            cancel_on_pause,
            expiration,
            group_of(wallet, market, group_id),
            venue.now,
            venue.now,
        )
        if reduce_only:
            position = holding.position
            order.remaining = max(0, min(count, -position if order.is_bid else position))
        crossing = crosses(order, price)
        kills = crossing and dies_by_crossing(venue, order)
        within_reach, lock = check_means(order, price, order.remaining, crossing=crossing)
        if time_in_force == "fill_or_kill" and within_reach < count:
            raise refuse("FOK_INSUFFICIENT_VOLUME")

        order.order_id = venue.identifier()
        venue.orders[order.order_id] = order
        wallet.member.orders.append(order)
        if client_order_id:
            wallet.member.client_ids[client_order_id] = order
        matched = _NOT_MATCHED
        if kills:
            _end(venue, order, "PostOnlyCrossCancel")
        elif crossing:
            matched = match(venue, order)
            rests = time_in_force == "good_till_canceled"
            _conclude(venue, order, matched, rests=rests, reason="")
        elif time_in_force == "good_till_canceled":
            rest(venue, order, lock)
            announce(venue, order, "")
        else:
            _end(venue, order, "ReduceOnlyCancel" if order.remaining < count else "")
        if order.status == "resting":
            _set_expiration(venue, order, expiration)
        return _receipt(venue, order, matched, 0)

    def amend(
        self,
        user: str,
        order_id: str,
        *,
        ticker: str,
        side: Side,
        price: int,
        count: int,
        client_order_id: str = "",
        updated_client_order_id: str = "",
        expiration: int | None = None,
        subaccount: int | None = None,
    ) -> Receipt:
        """Change price, size, expiry or client id of a resting order.

        Parameters
        ----------
        user, order_id : str
        ticker, side
            As they are; another value is refused.
        price : int
            [1/10 000 dollar]
        count : int
            The total: what is filled plus what is to remain [1/100 contract].
        client_order_id : str
            When given, as it is.
        updated_client_order_id : str
            When given, the new one.
        expiration : int, optional
            [µs]; None keeps it, 0 clears it.
        subaccount : int, optional

        Returns
        -------
        Receipt
            Its `changed` tells whether there were fills or another size rests.

        Raises
        ------
        Rejection

        Notes
        -----
        A smaller size or another expiry keeps the order's place; another price or a larger size sends
        it to the back of its level, and may match.
        """
        venue = self._venue
        venue.begin()
        order = find(venue, user, order_id, subaccount)
        require_trading(venue, order.market)
        check_identity(order, ticker, side, client_order_id)
        crossing = check_amendment(venue, order, price, count, expiration or 0)
        renamed = _rename(venue, order, updated_client_order_id)
        expires = expiration is not None and expiration != order.expiration
        if expires:
            _set_expiration(venue, order, expiration or 0)
        wanted = count - order.filled
        removed = order.remaining - wanted
        matched = _NOT_MATCHED
        if price == order.price and removed >= 0:
            if removed:
                order.initial = count
                shrink(venue, order, removed)
            if removed or expires or renamed:
                announce(venue, order, "Amend")
        else:
            leave(venue, order)
            order.price = price
            order.initial = count
            order.remaining = wanted
            if crossing:
                matched = match(venue, order)
            _conclude(venue, order, matched, rests=True, reason="Amend")
        changed = removed != 0 or matched.filled > 0
        return _receipt(venue, order, matched, max(removed, 0), changed=changed)

    def decrease(
        self,
        user: str,
        order_id: str,
        *,
        reduce_by: int | None = None,
        reduce_to: int | None = None,
        subaccount: int | None = None,
    ) -> Receipt:
        """Take contracts off a resting order, by or to a count [1/100 contract].

        The order keeps its place; to decrease it to nothing is to cancel it.
        """
        venue = self._venue
        venue.begin()
        order = find_reducible(venue, user, order_id, subaccount)
        remaining = order.remaining
        if reduce_by is not None and reduce_to is None:
            removed = reduce_by
        elif reduce_to is not None and reduce_by is None:
            removed = remaining - reduce_to
        else:
            raise refuse("INVALID_PARAMETERS", "exactly one of reduce_by and reduce_to is needed")
        if not 0 <= removed <= remaining or removed == reduce_by == 0:
            raise refuse("INVALID_SIZE", "an order is reduced by some or all of what remains of it")
        if removed == remaining:
            cancel(venue, order, "Decrease")
        elif removed:
            shrink(venue, order, removed)
            announce(venue, order, "Decrease")
        return _receipt(venue, order, _NOT_MATCHED, removed, changed=removed > 0)

    def cancel(self, user: str, order_id: str, *, subaccount: int | None = None) -> Receipt:
        """Cancel a resting order; ``receipt.reduced_by`` is what was taken off the book."""
        venue = self._venue
        venue.begin()
        order = find_reducible(venue, user, order_id, subaccount)
        return _receipt(venue, order, _NOT_MATCHED, cancel(venue, order, ""))

    def cancel_all(self, user: str, *, subaccount: int | None = None) -> list[Order]:
        """Cancel all resting orders of a user, or of one subaccount, and answer them."""
        venue = self._venue
        venue.begin()
        if not venue.exchange_active:
            raise refuse("EXCHANGE_PAUSED")
        wallet = venue.wallet(user, subaccount or 0)
        found = [
            order
            for wallet in wallet.member.everything(subaccount)
            for order in wallet.resting.values()
            if order.market.status in ("active", "inactive")
        ]
        for order in found:
            cancel(venue, order, "")
        return found


def _conclude(venue: Venue, order: Order, matched: Matched, *, rests: bool, reason: Reason) -> None:
    """Give an order that has met the book its place or its end."""
    if order.remaining and rests and not matched.stopped:
        rest(venue, order, resting_lock(order, order.price, order.remaining))
        announce(venue, order, "Trade" if matched.filled else reason)
    elif order.filled == order.initial:
        order.status = "executed"
        announce(venue, order, "Trade")
    elif order.filled + order.remaining < order.initial:  # what reduces only was cut to the position
        _end(venue, order, "ReduceOnlyCancel")
    elif matched.stopped == "SelfTradeCancel":
        _end(venue, order, "SelfTradeCancel")
    else:
        _end(venue, order, "Trade" if matched.filled else "")
    free_margin(venue, order.wallet)


def _end(venue: Venue, order: Order, reason: Reason) -> None:
    order.remaining = 0
    order.status = "canceled"
    announce(venue, order, reason)


def _rename(venue: Venue, order: Order, client_order_id: str) -> bool:
    if client_order_id in ("", order.client_order_id):
        return False
    if claimed(venue, order.wallet.member, client_order_id) is not None:
        raise refuse("ORDER_ALREADY_EXISTS")
    order.client_order_id = client_order_id
    order.wallet.member.client_ids[client_order_id] = order
    return True


def _set_expiration(venue: Venue, order: Order, expiration: int) -> None:
    order.expiration = expiration
    if expiration:
        venue.at(expiration, partial(_expire, venue, order, expiration))


def _expire(venue: Venue, order: Order, expiration: int) -> None:
    if order.status == "resting" and order.expiration == expiration:
        cancel(venue, order, "ExpiryCancel")


def _receipt(
    venue: Venue, order: Order, matched: Matched, reduced_by: int, *, changed: bool = True
) -> Receipt:
    return Receipt(
        order,
        matched.filled,
        matched.value,
        matched.fees,
        order.remaining,
        reduced_by,
        changed,
        venue.clock,
        venue.now,
    )


def _so_far(order: Order) -> Matched:
    """All fills of an order, as if they had come with the request."""
    matched = Matched()
    spent = order.taker_cost + order.maker_cost
    matched.filled = order.filled
    matched.value = spent if order.is_bid else order.filled * 10_000 - spent
    matched.fees = order.taker_fees + order.maker_fees
    return matched
