"""The terms of an order: read from what a person writes, kept as integers.

Everything that can be known to be wrong is said here, in sentences, before a byte is sent.
Money comes in as text, `Decimal`, or the double nearest to a price on the grid, and leaves
as integers at this door.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final

from kalshi_research.errors import InputError, printable
from kalshi_research.money import (
    COUNT_SCALE,
    PRICE_SCALE,
    complement,
    fixed_text,
    parse_fixed,
)
from kalshi_research.trading.rules import ANY_CENTICENT, MarketRules

__all__ = [
    "ACTIONS",
    "MAX_CONTRACTS",
    "OUTCOMES",
    "SELF_TRADE",
    "TIMES_IN_FORCE",
    "OrderTerms",
    "as_text",
    "check_ticker",
    "price_text",
    "quantity_text",
    "read_price",
    "read_quantity",
    "read_terms",
]

ACTIONS: Final = ("buy", "sell")
OUTCOMES: Final = ("yes", "no")
TIMES_IN_FORCE: Final = ("good_till_canceled", "immediate_or_cancel", "fill_or_kill")
SELF_TRADE: Final = ("taker_at_cross", "maker")
MAX_CONTRACTS: Final = 100_000_000
"""More is taken for a slip of the hand [contracts]."""

_PLAIN = re.compile(r"-?[0-9]{1,15}(?:\.[0-9]{1,12})?", re.ASCII)
_LOOSE = re.compile(
    r"[-+]?(?:[0-9]{1,20}(?:\.[0-9]{0,20})?|\.[0-9]{1,20})(?:[eE][-+]?[0-9]{1,2})?", re.ASCII
)
_TICKER = re.compile(r"(?!\.+\Z)[A-Za-z0-9._~-]{1,200}\Z")
_FAR = 20 * 366 * 86_400  # an expiry further away was meant in milliseconds [s]


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
        """The terms from the journal."""
        return cls(**stored)


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
        return format(value, "f") if value.is_finite() and abs(value.adjusted()) < 40 else str(value)
    # numpy's numbers are floats or know how to become one.
    if isinstance(value, bool) or type(value).__name__ in ("bool", "bool_"):
        raise InputError(f"{value!r} is no number; nothing was sent. Pass text such as '0.56'.")
    if isinstance(value, int) or hasattr(value, "__index__"):
        return str(int(value)) if abs(int(value)) < 10**18 else "1" + "0" * 18
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


def read_price(value: object, outcome: str, rules: MarketRules | None) -> tuple[int, str]:
    """A price of an outcome [1/10 000 dollar], and what is wrong with it (empty if nothing).

    Examples
    --------
    >>> read_price("0.1", "yes", None)
    (1000, '')
    >>> read_price("1e-1", "yes", None)[1]
    "the price '1e-1' is not plain decimal notation; the nearest valid price is 0.10"
    """
    text, grid = as_text(value, PRICE_SCALE), (rules.grid if rules is not None else ANY_CENTICENT)
    if not text:
        return 0, "no price is given"
    price: int | None = None
    if _PLAIN.fullmatch(text):
        try:
            price = parse_fixed(text, PRICE_SCALE)
        except InputError:
            price = None
        if price is not None and grid.contains(price if outcome == "yes" else complement(price)):
            return price, ""
    shown = printable(repr(text), 60)
    ladder = grid.prices() if outcome == "yes" else [complement(p) for p in reversed(grid.prices())]
    inside = f"prices of this market run from {price_text(ladder[0])} to {price_text(ladder[-1])}"
    if not _LOOSE.fullmatch(text):
        return 0, f"the price {shown} is no number; {inside}"
    exact = Fraction(text) * PRICE_SCALE
    near = _nearest(ladder, exact)
    said = "the nearest valid price is " + " or ".join(price_text(p) for p in near)
    if not 0 < exact < PRICE_SCALE:
        return 0, f"the price {shown} does not lie between 0 and 1 dollar; {said}"
    if not _PLAIN.fullmatch(text):
        return 0, f"the price {shown} is not plain decimal notation; {said}"
    return 0, f"the price {shown} is not on the price grid of this market; {said}"


def _nearest(ladder: list[int], exact: Fraction) -> list[int]:
    below = [p for p in ladder if p <= exact][-1:]
    above = [p for p in ladder if p >= exact][:1]
    return sorted({*below, *above})


def read_quantity(value: object) -> tuple[int, str]:
    """A quantity [1/100 contract], and what is wrong with it (empty if nothing).

    Examples
    --------
    >>> read_quantity("1.5"), read_quantity(0.005)[1]
    ((150, ''), "the quantity '0.005' is finer than 0.01 contract; the nearest valid quantity is 0.01")
    """
    text = as_text(value, COUNT_SCALE)
    if not text:
        return 0, "no quantity is given"
    shown = printable(repr(text), 60)
    if not _LOOSE.fullmatch(text):
        return 0, f"the quantity {shown} is no number; write one such as 10 or 1.50"
    exact = Fraction(text) * COUNT_SCALE
    if exact <= 0:
        return 0, f"the quantity {shown} is not above 0; the nearest valid quantity is 0.01"
    if exact > MAX_CONTRACTS * COUNT_SCALE:
        return (
            0,
            f"the quantity {shown} is more than {MAX_CONTRACTS:,} contracts, the most that is taken",
        )
    near = quantity_text(max(1, math.floor(exact + Fraction(1, 2))))
    if exact.denominator != 1:
        return (
            0,
            f"the quantity {shown} is finer than 0.01 contract; the nearest valid quantity is {near}",
        )
    if not _PLAIN.fullmatch(text):
        return (
            0,
            f"the quantity {shown} is not plain decimal notation; the nearest valid quantity is {near}",
        )
    return int(exact), ""


def _is_name(value: object) -> bool:
    return isinstance(value, str) and _TICKER.match(value) is not None


def check_ticker(ticker: object) -> str:
    """A ticker that may be put into a path.

    Examples
    --------
    >>> check_ticker("KXHIGHNY-26NOV21-B50.5")
    'KXHIGHNY-26NOV21-B50.5'
    """
    if not _is_name(ticker) or not isinstance(ticker, str):
        raise InputError(
            f"ticker={printable(repr(ticker), 60)} is no ticker; nothing was sent.\n"
            "A ticker holds letters, digits and . _ ~ - only."
        )
    return ticker


def _choice(value: object, choices: tuple[str, ...], what: str) -> str:
    if value in choices:
        return ""
    return f"{what} {printable(repr(value), 40)} is unknown; choose {', '.join(choices)}"


def _flag(value: object, what: str) -> str:
    return (
        ""
        if isinstance(value, bool)
        else f"{what} must be True or False, not {printable(repr(value), 40)}"
    )


def read_expiration(value: object, now: datetime) -> tuple[int, str]:
    """An expiry [seconds since 1970; 0 for none], and what is wrong with it (empty if nothing)."""
    if value is None or (value == 0 and not isinstance(value, bool)):
        return 0, ""
    if isinstance(value, datetime):
        if value.tzinfo is None:
            return 0, "the expiry has no time zone; pass a time such as one with tzinfo=UTC"
        seconds = math.ceil(value.timestamp())
    elif isinstance(value, int) and not isinstance(value, bool):
        seconds = value
    else:
        return (
            0,
            f"the expiry {printable(repr(value), 60)} must be an aware datetime or seconds since 1970",
        )
    ahead = seconds - now.timestamp()
    earliest = datetime.fromtimestamp(math.floor(now.timestamp()) + 1, UTC).isoformat()
    if ahead <= 0:
        return 0, f"the expiry lies in the past; the earliest valid one is {earliest}"
    if ahead > _FAR:
        return 0, f"the expiry {seconds} is decades away; give seconds since 1970, not milliseconds"
    return seconds, ""


def read_terms(
    fields: Mapping[str, Any], *, rules: MarketRules | None, now: datetime
) -> tuple[OrderTerms | None, list[str]]:
    """The terms of an order, or the reasons why it cannot be sent.

    Parameters
    ----------
    fields : mapping
        ``ticker``, ``action``, ``outcome``, ``quantity``, ``price``, and any of
        ``time_in_force``, ``self_trade_prevention``, ``expires``, ``post_only``,
        ``reduce_only``, ``cancel_on_pause``, ``order_group``, ``subaccount``.
    rules : MarketRules or None
        None knows no grid but the finest.
    now : datetime
        The present of the exchange.

    Returns
    -------
    tuple
        Terms and reasons; one of them is empty.

    Examples
    --------
    >>> moment = datetime(2026, 11, 20, 15, tzinfo=UTC)
    >>> fields = {"ticker": "T", "action": "buy", "outcome": "yes", "quantity": 2, "price": "0.42"}
    >>> read_terms(fields, rules=None, now=moment)[0].sentence
    'buy 2 YES of T at $0.42'
    >>> read_terms(fields | {"price": "0"}, rules=None, now=moment)[1]
    ["the price '0' does not lie between 0 and 1 dollar; the nearest valid price is 0.0001"]
    """
    get = fields.get
    tif = get("time_in_force", TIMES_IN_FORCE[0])
    outcome, group, subaccount = get("outcome"), get("order_group") or "", get("subaccount")
    price, bad_price = _told(
        read_price, get("price"), "yes" if outcome not in OUTCOMES else outcome, rules
    )
    count, bad_count = _told(read_quantity, get("quantity"))
    expiration, bad_expiry = read_expiration(get("expires"), now)
    flags = {name: get(name, False) for name in ("post_only", "reduce_only", "cancel_on_pause")}
    reasons = [
        "" if _is_name(get("ticker")) else "no valid ticker is given",
        _closed(rules, get("ticker"), now),
        _choice(get("action"), ACTIONS, "the action"),
        _choice(outcome, OUTCOMES, "the outcome"),
        bad_count,
        bad_price,
        _choice(tif, TIMES_IN_FORCE, "the time in force"),
        _choice(get("self_trade_prevention", SELF_TRADE[0]), SELF_TRADE, "the self-trade prevention"),
        bad_expiry,
        *(_flag(value, name) for name, value in flags.items()),
        ""
        if isinstance(group, str) and (not group or _TICKER.match(group))
        else "the order group is no id",
        _bad_subaccount(subaccount),
        *_conflicts(tif, expiration=expiration, **flags),
    ]
    reasons = [reason for reason in reasons if reason]
    if reasons:
        return None, reasons
    terms = OrderTerms(
        ticker=fields["ticker"],
        action=fields["action"],
        outcome=fields["outcome"],
        price=price,
        count=count,
        time_in_force=tif,
        self_trade_prevention=get("self_trade_prevention", SELF_TRADE[0]),
        expiration=expiration,
        order_group=group,
        subaccount=subaccount,
        **flags,
    )
    return terms, []


def _told(read: Any, value: object, *more: Any) -> tuple[int, str]:
    """What a reader says, a refusal of the kind of value included."""
    try:
        found: tuple[int, str] = read("" if value is None else value, *more)
    except InputError as error:
        return 0, str(error).split("; nothing was sent")[0]
    return found


def _closed(rules: MarketRules | None, ticker: object, now: datetime) -> str:
    if rules is None:
        return ""
    name = printable(rules.ticker, 80)
    if ticker != rules.ticker:
        return f"the rules are those of {name}, not of {printable(ticker, 80)}"
    if rules.status != "active":
        return f"{name} does not trade: its status is {printable(rules.status or 'unknown', 40)}"
    if rules.closes is not None and rules.closes <= now:
        return f"{name} closed at {rules.closes:%Y-%m-%d %H:%M} UTC"
    return ""


def _bad_subaccount(value: object) -> str:
    if value is None or (isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 63):
        return ""
    return f"the subaccount {printable(repr(value), 40)} must be a whole number from 0 to 63"


def _conflicts(
    tif: object, *, expiration: int, post_only: object, reduce_only: object, **_: object
) -> list[str]:
    """Conditions that are fine one by one."""
    found = []
    if tif in TIMES_IN_FORCE[1:]:
        if expiration:
            found.append(f"an order that is {tif} never rests, so it takes no expiry")
        if post_only is True:
            found.append(f"post_only orders rest, so they cannot be {tif}; use good_till_canceled")
    if reduce_only is True and tif != "immediate_or_cancel":
        found.append("reduce_only goes with immediate_or_cancel only")
    return found
