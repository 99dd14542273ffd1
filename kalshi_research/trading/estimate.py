"""What an order would cost, on integers: against the book as it stands, and at worst."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from kalshi_research.errors import FrameError
from kalshi_research.fees import FeeAccumulator, FeeTerms
from kalshi_research.money import MONEY_SCALE, complement, fixed_text, to_count, to_price

if TYPE_CHECKING:
    from kalshi_research.trading.terms import OrderTerms

__all__ = ["Estimate", "Ladder", "estimate", "ladder_of", "money"]


@dataclass(frozen=True, slots=True)
class Ladder:
    """The YES book as integers: (price, count), best first on either side.

    Examples
    --------
    >>> Ladder(bids=((4200, 1300),), asks=((4400, 1700),)).best("ask")
    4400
    """

    bids: tuple[tuple[int, int], ...] = ()
    asks: tuple[tuple[int, int], ...] = ()

    def against(self, side: str) -> tuple[tuple[int, int], ...]:
        """What an order of this side meets."""
        return self.asks if side == "bid" else self.bids

    def best(self, side: str) -> int | None:
        """The best price of a side; None where it is empty."""
        rows = self.bids if side == "bid" else self.asks
        return rows[0][0] if rows else None


def ladder_of(book: Any) -> Ladder:
    """The integers of a book frame from `get_orderbook`.

    Raises
    ------
    FrameError
        If it lacks the columns ``side``, ``price`` and ``quantity``.
    """
    if isinstance(book, Ladder):
        return book
    try:
        rows: Iterable[tuple[Any, Any, Any]] = zip(
            book["side"], book["price"], book["quantity"], strict=True
        )
        found = [(str(side), to_price(float(p)), to_count(float(q))) for side, p, q in rows]
    except (LookupError, TypeError, ValueError):
        problem = True
    else:
        problem = False
    if problem:
        raise FrameError(
            "book must be a frame of get_orderbook: with side, price and quantity on the grid."
        )
    bids = sorted(((p, q) for side, p, q in found if side == "bid"), reverse=True)
    asks = sorted((p, q) for side, p, q in found if side == "ask")
    return Ladder(tuple(bids), tuple(asks))


@dataclass(frozen=True, slots=True)
class Estimate:
    """What an order would do.

    Attributes
    ----------
    taken : int
        What the book would fill at once [1/100 contract].
    spent : int
        What that costs, on the leg that is bought [1/1 000 000 dollar].
    fee : int
        Of the whole order if the rest fills as a maker at the limit [1/1 000 000 dollar].
    cost : int
        What must be on the account, without fees; closing a position needs nothing.
    worst_loss : int
        What is lost at most: the whole order filled at its limit, the fee of a taker (of a maker
        where it cannot take), and an outcome against it.
    break_even : int
        The settlement value of the named outcome at which the whole order, filled at its limit,
        neither gains nor loses after fees [1/10 000 dollar], rounded against the user.
    """

    taken: int
    spent: int
    fee: int
    cost: int
    worst_loss: int
    break_even: int


def money(value: int) -> Decimal:
    """Integer money as exact dollars.

    Examples
    --------
    >>> money(17500)
    Decimal('0.017500')
    """
    return Decimal(fixed_text(value, MONEY_SCALE))


def estimate(
    terms: OrderTerms, fees: FeeTerms, *, book: Ladder | None = None, position: int | None = None
) -> Estimate:
    """What an order would cost.

    Parameters
    ----------
    terms : OrderTerms
    fees : FeeTerms
    book : Ladder, optional
        Without it the order is taken to fill at its limit.
    position : int, optional
        Contracts held, positive for YES [1/100 contract]; without it none.

    Examples
    --------
    >>> from kalshi_research.trading.terms import OrderTerms
    >>> buy = OrderTerms("T", "buy", "yes", 4700, 100)
    >>> estimate(buy, FeeTerms())
    Estimate(taken=0, spent=0, fee=17500, cost=470000, worst_loss=487500, break_even=4875)
    """
    rests = terms.time_in_force == "good_till_canceled"
    limit, role = terms.paid_price, "maker" if terms.post_only else "taker"
    worst_fee = FeeAccumulator(fees).charge(limit, terms.count, "maker" if terms.post_only else "taker")
    taken = spent = 0
    fee = worst_fee
    if book is not None and role == "taker":
        order = FeeAccumulator(fees)
        met = list(_met(terms, book.against(terms.side)))
        taken, spent = sum(count for _, count in met), sum(price * count for price, count in met)
        fee = sum(order.charge(price, count, "taker") for price, count in met)
        if rests:
            fee += order.charge(limit, terms.count - taken, "maker")
    held = position or 0
    closing = min(terms.count, max(0, -held if terms.side == "bid" else held))
    worst = terms.most + worst_fee
    return Estimate(
        taken, spent, fee, limit * (terms.count - closing), worst, _break_even(terms, worst_fee)
    )


def _met(terms: OrderTerms, rows: Sequence[tuple[int, int]]) -> Iterable[tuple[int, int]]:
    """What an order meets: (price of the leg bought, count)."""
    left = terms.count
    for price, count in rows:
        within = price <= terms.yes_price if terms.side == "bid" else price >= terms.yes_price
        if not within:
            return
        used = min(left, count)
        left -= used
        yield (price if terms.side == "bid" else complement(price)), used


def _break_even(terms: OrderTerms, fee: int) -> int:
    # Money over count is a price; rounded up for whoever buys, down for whoever sells.
    per_contract = -(-fee // terms.count)
    if terms.action == "buy":
        return terms.price + per_contract
    return terms.price - per_contract
