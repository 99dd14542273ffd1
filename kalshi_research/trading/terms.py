"""The terms of an order: read from what a person writes, kept as integers.

Everything that can be known to be wrong is said here, in sentences, before a byte is sent.
Money comes in as text, `Decimal`, or the double nearest to a price on the grid, and leaves
as integers at this door.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any, Final, TypeGuard

from kalshi_research.errors import InputError, JournalError, printable, quoted
from kalshi_research.money import (
    COUNT_SCALE,
    PRICE_SCALE,
    complement,
    fixed_text,
)

__all__ = [
    "ACTIONS",
    "MAX_CONTRACTS",
    "OUTCOMES",
    "SELF_TRADE",
    "TIMES_IN_FORCE",
    "OrderTerms",
    "as_text",
    "check_ticker",
    "is_name",
    "price_text",
    "quantity_text",
]

ACTIONS: Final = ("buy", "sell")
OUTCOMES: Final = ("yes", "no")
TIMES_IN_FORCE: Final = ("good_till_canceled", "immediate_or_cancel", "fill_or_kill")
SELF_TRADE: Final = ("taker_at_cross", "maker")
MAX_CONTRACTS: Final = 100_000_000
"""More is taken for a slip of the hand [contracts]."""

_TICKER = re.compile(r"(?!\.+\Z)[A-Za-z0-9._~-]{1,200}\Z")


@dataclass(frozen=True, slots=True)
class OrderTerms:
    """An order as integers, checked.

    Attributes
    ----------
    ticker, action, outcome : str
    price : int
        Limit on the outcome that is named [1/10 000 dollar].
    count : int
        [1/100 contract]
    time_in_force, self_trade_prevention : str
        In the words of the exchange.
    expiration : int
        Seconds since 1970; 0 for none.
    post_only, reduce_only, cancel_on_pause : bool
    order_group : str
        Empty for none.
    subaccount : int or None
        None for that of the key.

    Examples
    --------
    >>> order = OrderTerms("T", "buy", "no", 4400, 100)
    >>> order.side, order.yes_price
    ('ask', 5600)
    """

    ticker: str
    action: str
    outcome: str
    price: int
    count: int
    time_in_force: str = "good_till_canceled"
    self_trade_prevention: str = "taker_at_cross"
    expiration: int = 0
    post_only: bool = False
    reduce_only: bool = False
    cancel_on_pause: bool = False
    order_group: str = ""
    subaccount: int | None = None

    @property
    def side(self) -> str:
        """``bid`` buys YES; ``ask`` sells YES, which is to buy NO."""
        return "bid" if (self.action == "buy") == (self.outcome == "yes") else "ask"

    @property
    def yes_price(self) -> int:
        """The limit on the YES leg [1/10 000 dollar]."""
        return self.price if self.outcome == "yes" else complement(self.price)

    @property
    def paid_price(self) -> int:
        """The limit on the leg that is bought; to sell one is to buy the other [1/10 000 dollar]."""
        return self.yes_price if self.side == "bid" else complement(self.yes_price)

    @property
    def most(self) -> int:
        """What the contracts cost at the limit, without fees [1/1 000 000 dollar]."""
        return self.paid_price * self.count

    @property
    def sentence(self) -> str:
        """The order in words."""
        quantity, price = quantity_text(self.count), price_text(self.price)
        return f"{self.action} {quantity} {self.outcome.upper()} of {self.ticker} at ${price}"

    def equals(self, other: OrderTerms) -> bool:
        """Whether another order would do the same: market, side, price and size."""
        return (self.ticker, self.side, self.yes_price, self.count) == (
            other.ticker,
            other.side,
            other.yes_price,
            other.count,
        )

    def stored(self) -> dict[str, Any]:
        """The terms as plain values, for the journal."""
        return asdict(self)

    @classmethod
    def restored(cls, stored: Mapping[str, Any]) -> OrderTerms:
        """The terms from the journal.

        Raises
        ------
        JournalError
            If they are no terms, as another version of this package may have written them.
        """
        try:
            return cls(**stored)
        except TypeError:
            problem = "the order journal holds an order that this version cannot read; nothing was sent."
        raise JournalError(f"{problem}\nUse the version that wrote it, or the newest one.")


def price_text(price: int) -> str:
    """A price [1/10 000 dollar] as a person writes it.

    Examples
    --------
    >>> price_text(4200), price_text(125)
    ('0.42', '0.0125')
    """
    text = fixed_text(price, PRICE_SCALE)
    return text[:-2] + text[-2:].rstrip("0")


def quantity_text(count: int) -> str:
    """A count [1/100 contract] as a person writes it.

    Examples
    --------
    >>> quantity_text(1000), quantity_text(150)
    ('10', '1.50')
    """
    text = fixed_text(count, COUNT_SCALE)
    return text.removesuffix(".00")


def as_text(value: object, scale: int) -> str:
    """A number as text: a float by the decimal it stands for, if it stands for one.

    Parameters
    ----------
    value : str, Decimal, int or float
    scale : int
        Steps in one.

    Raises
    ------
    InputError
        For what is no number at all, such as a bool.

    Examples
    --------
    >>> as_text(0.29, PRICE_SCALE), as_text(0.1 + 0.2, PRICE_SCALE)
    ('0.29', '0.30000000000000004')
    """
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, Decimal):
        return format(value, "f") if value.is_finite() and abs(value.adjusted()) < 18 else str(value)
    # numpy's numbers are floats or know how to become one.
    if isinstance(value, bool):
        raise InputError(f"{value!r} is no number; nothing was sent. Pass text such as '0.56'.")
    whole = _whole(value)
    if whole is not None:
        return str(whole) if abs(whole) < 10**18 else "1" + "0" * 18
    if not isinstance(value, float):
        kind = type(value).__name__
        raise InputError(
            f"a number is needed, not {printable(kind, 40)}; nothing was sent. Pass text such as '0.56'."
        )
    if not math.isfinite(value) or abs(value) > 1e15:
        return repr(float(value))
    nearest = round(float(value) * scale)
    if nearest / scale != value:
        return repr(float(value))
    if scale == PRICE_SCALE:
        return price_text(nearest)
    return quantity_text(nearest) if scale == COUNT_SCALE else fixed_text(nearest, scale)


def _whole(value: object) -> int | None:
    """A whole number of any kind; None for what is none, arrays of fractions included."""
    try:
        return operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        return None


def is_name(value: object) -> TypeGuard[str]:
    """Whether a ticker or an id could look like this."""
    return isinstance(value, str) and _TICKER.match(value) is not None


def check_ticker(ticker: object) -> str:
    """A ticker that may be put into a path.

    Examples
    --------
    >>> check_ticker("KXHIGHNY-26NOV21-B50.5")
    'KXHIGHNY-26NOV21-B50.5'
    """
    if is_name(ticker):
        return ticker
    raise InputError(
        f"ticker={quoted(ticker, 60)} is no ticker; nothing was sent.\n"
        "A ticker holds letters, digits and . _ ~ - only."
    )
