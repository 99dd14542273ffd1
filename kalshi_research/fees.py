"""The fee rule of the exchange, exact, on integers.

The fee model for one trade of `C` contracts at price `P` is::

    rate × multiplier × C × P × (1 − P)      dollars

What is charged is the model fee rounded up, and the way of rounding has changed:

===============  =======================  ====================================================
rounding         in force                 what is charged
===============  =======================  ====================================================
``cent``         until the end of 2025    the fee of the whole order, up to the next $0.01
``centicent``    2026 until August        each fill's fee up to $0.0001, then the balance down
                                          to the member's precision; rebates of whole cents
``microdollar``  since September 2026     each fill's fee up to $0.000001, then the balance down
                                          to the member's precision; rebates of that precision
===============  =======================  ====================================================

The documents of 22 August 2026 still describe the second form and those of October the
third; the day in between is not known, and 1 September is this module's choice. The two
differ only where contracts × price is no multiple of the precision, or an order has
several fills.

What aligning the balance adds is kept per order, whether a fill takes or makes, and is
given back once it reaches the step of the rebate. So fees are charged by an object that
lives as long as the order: `FeeAccumulator`. `trading_fee` is the fee of an order with a
single fill.

`price` is the price of the leg that is **bought**. Selling YES at 0.30 is buying NO at 0.70.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Final, Literal, TypedDict, Unpack, get_args

from kalshi_research.errors import InputError, printable, quoted
from kalshi_research.money import (
    COUNT_SCALE,
    MONEY_SCALE,
    PRICE_SCALE,
    PriceGrid,
    complement,
    fixed_text,
    to_count,
    to_price,
)

__all__ = [
    "BROKER_PRECISION",
    "DIRECT_PRECISION",
    "FEE_TYPES",
    "FeeAccumulator",
    "FeeOptions",
    "FeeTerms",
    "Role",
    "Rounding",
    "align",
    "break_even_price",
    "break_even_probability",
    "fee_terms",
    "raw_fee",
    "round_trip_cost",
    "rounding_on",
    "trading_fee",
]

Role = Literal["taker", "maker"]
Rounding = Literal["cent", "centicent", "microdollar"]
Number = str | Decimal | float


class FeeOptions(TypedDict, total=False):
    """The keyword arguments of `trading_fee` that name the rule; all may be left out."""

    fee_type: str
    multiplier: Number | Fraction
    rounding: Rounding | None
    on: date | str | None


DIRECT_PRECISION: Final = 100
"""Balance precision of a direct member [1/1 000 000 dollar]."""

BROKER_PRECISION: Final = 10_000
"""Balance precision of a member behind a broker [1/1 000 000 dollar]."""

FEE_TYPES: Final[dict[str, tuple[Fraction, Fraction]]] = {
    "quadratic": (Fraction(1), Fraction(0)),
    "quadratic_with_maker_fees": (Fraction(1), Fraction(1, 4)),
    "quadratic_with_combo_maker_fees": (Fraction(1), Fraction(1, 2)),
    "flat": (Fraction(1, 2), Fraction(0)),
}
"""Share of the general rate that takers and makers pay, by fee type.

No series uses ``flat`` today; that its makers pay nothing is the schedule's default.
"""

_RATE = Fraction(7, 100)
_RATE_OF_THE_FIRST_MONTHS = Fraction(14, 100)
_FIRST_MONTHS_END = date(2021, 8, 1)
_CENTICENT_SINCE = date(2026, 1, 1)
_MICRODOLLAR_SINCE = date(2026, 9, 1)
# contracts × price × (1 − price) in the units of `money`, times this, is money.
_UNIT = Fraction(MONEY_SCALE, COUNT_SCALE * PRICE_SCALE * PRICE_SCALE)
_CENT = MONEY_SCALE // 100
_CENTICENT = MONEY_SCALE // 10_000
_LINEAR_CENT = PriceGrid(((0, PRICE_SCALE, PRICE_SCALE // 100),))


@dataclass(frozen=True, slots=True)
class FeeTerms:
    """What a market charges: the type, the multiplier, and whether fees are waived.

    Examples
    --------
    >>> FeeTerms("quadratic_with_maker_fees", Fraction(1, 2)).rate("maker")
    Fraction(7, 800)
    """

    fee_type: str = "quadratic"
    multiplier: Fraction = Fraction(1)
    waived: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.fee_type, str) or self.fee_type not in FEE_TYPES:
            raise InputError(
                f"fee type {quoted(self.fee_type, 60)} is unknown; no fee was computed. "
                f"Known types: {', '.join(FEE_TYPES)}"
            )
        if self.multiplier < 0:
            raise InputError(f"the fee multiplier must not be negative, got {self.multiplier}")

    def rate(self, role: Role, *, on: date | None = None) -> Fraction:
        """The share of ``C × P × (1 − P)`` that the model charges, today or for a trade `on` a day."""
        if role not in get_args(Role):
            raise _unknown_role(role)
        if self.waived:
            return Fraction(0)
        general = _RATE_OF_THE_FIRST_MONTHS if on is not None and on < _FIRST_MONTHS_END else _RATE
        return general * self.multiplier * FEE_TYPES[self.fee_type][role == "maker"]

    def ratio(self, role: Role, *, on: date | None = None) -> tuple[int, int]:
        """The rate as the pair of integers that `raw_fee` takes."""
        scaled = self.rate(role, on=on) * _UNIT
        return scaled.numerator, scaled.denominator


def fee_terms(
    fee_type: str,
    multiplier: Number | Fraction = 1,
    *,
    type_override: str | None = None,
    multiplier_override: Number | Fraction | None = None,
    waived_until: datetime | None = None,
    at: datetime | None = None,
) -> FeeTerms:
    """Combine what the series says with what the event and the market override.

    Parameters
    ----------
    fee_type, multiplier
        Of the series.
    type_override, multiplier_override : optional
        Of the event; each one that is given wins over the series.
    waived_until, at : datetime, optional
        End of the market's fee waiver and the time of the trade, both with a time zone.

    Returns
    -------
    FeeTerms

    Raises
    ------
    InputError
        For a type this version does not know, or a multiplier that is no number ≥ 0.

    Examples
    --------
    >>> fee_terms("quadratic", 0.5, multiplier_override=1)
    FeeTerms(fee_type='quadratic', multiplier=Fraction(1, 1), waived=False)
    """
    if waived_until is not None and (at is None or at.tzinfo is None or waived_until.tzinfo is None):
        raise InputError("a fee waiver needs at=, the time of the trade; both times need a time zone")
    return FeeTerms(
        type_override or fee_type,
        _multiplier(multiplier if multiplier_override is None else multiplier_override),
        waived_until is not None and at is not None and at < waived_until,
    )


def rounding_on(day: date) -> Rounding:
    """The rounding in force on a day.

    Examples
    --------
    >>> rounding_on(date(2025, 6, 1))
    'cent'
    """
    if day < _CENTICENT_SINCE:
        return "cent"
    return "centicent" if day < _MICRODOLLAR_SINCE else "microdollar"


def raw_fee(price: int, count: int, ratio: tuple[int, int]) -> int:
    """The model fee rounded up to $0.000001, before the balance is aligned.

    Parameters
    ----------
    price : int
        Of either leg [1/10 000 dollar]; the model is symmetric.
    count : int
        [1/100 contract]
    ratio : tuple of int
        From `FeeTerms.ratio`.

    Returns
    -------
    int
        [1/1 000 000 dollar]

    Examples
    --------
    >>> raw_fee(4700, 100, FeeTerms().ratio("taker"))
    17437
    """
    return -(-ratio[0] * count * price * (PRICE_SCALE - price) // ratio[1])


def align(fee: int, cost: int, carried: int, precision: int, step: int) -> tuple[int, int]:
    """Align the balance after a fill and give back what earlier alignments took.

    Parameters
    ----------
    fee : int
        Fee of this fill before alignment [1/1 000 000 dollar].
    cost : int
        What the leg bought costs, price × count [1/1 000 000 dollar].
    carried : int
        Alignment that this order has paid and not been given back.
    precision, step : int
        Of the balance and of rebates [1/1 000 000 dollar].

    Returns
    -------
    net : int
        What the fill is charged in all.
    carried : int
        What the order carries to its next fill.

    Examples
    --------
    >>> align(3639, 55_000, 0, 10_000, 10_000)
    (5000, 1361)
    """
    rounding = -(cost + fee) % precision
    gross = fee + rounding
    carried += rounding
    if carried < step:
        return gross, carried
    # A rebate is a whole number of steps and never turns the fee negative.
    rebate = min(carried, gross) // step * step
    return gross - rebate, carried - rebate


class FeeAccumulator:
    """Charges the fills of one order, in the order in which they happen.

    Parameters
    ----------
    terms : FeeTerms
    rounding : {"microdollar", "centicent", "cent"}
    precision : int
        Of the member's balance [1/1 000 000 dollar]: `DIRECT_PRECISION` or `BROKER_PRECISION`.
    on : date, optional
        Day of the trades, for the rate; today's by default.

    Attributes
    ----------
    carried : int
        Alignment paid and not yet given back [1/1 000 000 dollar].

    Examples
    --------
    Two fills of one order cost what a single fill would:

    >>> order = FeeAccumulator(FeeTerms())
    >>> [order.charge(4700, 100, "taker"), order.charge(4700, 100, "taker")]
    [17500, 17400]
    """

    __slots__ = ("_charged", "_due", "_ratios", "carried", "precision", "rounding", "terms")

    def __init__(
        self,
        terms: FeeTerms,
        *,
        rounding: Rounding = "microdollar",
        precision: int = DIRECT_PRECISION,
        on: date | None = None,
    ) -> None:
        if rounding not in get_args(Rounding):
            raise InputError(
                f"rounding {quoted(rounding, 60)} is unknown; use one of {', '.join(get_args(Rounding))}"
            )
        self.terms = terms
        self.rounding = rounding
        self.precision = precision
        self.carried = 0
        self._ratios: dict[str, tuple[int, int]] = {
            role: terms.ratio(role, on=on) for role in get_args(Role)
        }
        self._due = Fraction(0)
        self._charged = 0

    def charge(self, price: int, count: int, role: Role = "taker") -> int:
        """The fee of the next fill [1/1 000 000 dollar].

        Parameters
        ----------
        price : int
            Of the leg bought [1/10 000 dollar].
        count : int
            [1/100 contract]
        role : {"taker", "maker"}
        """
        ratio = self._ratios.get(role)
        if ratio is None:
            raise _unknown_role(role)
        if self.rounding == "cent":
            self._due += Fraction(ratio[0] * count * price * complement(price), ratio[1])
            fee = -(-self._due // _CENT) * _CENT - self._charged
            self._charged += fee
            return fee
        fee = raw_fee(price, count, ratio)
        step = self.precision
        if self.rounding == "centicent":
            fee = -(-fee // _CENTICENT) * _CENTICENT
            step = _CENT
        net, self.carried = align(fee, price * count, self.carried, self.precision, step)
        return net


def trading_fee(
    price: Number,
    quantity: Number,
    *,
    role: Role = "taker",
    fee_type: str = "quadratic",
    multiplier: Number | Fraction = 1,
    rounding: Rounding | None = None,
    on: date | str | None = None,
) -> Decimal:
    """The fee of one trade, as it is reported and charged.

    Parameters
    ----------
    price : str, Decimal or float
        Of the leg bought [dollars]; for a sale, one minus the price.
    quantity : str, Decimal, int or float
        [contracts]
    role : {"taker", "maker"}
    fee_type, multiplier
        Of the series, unless the event overrides them; see `fee_terms`.
    rounding : {"microdollar", "centicent", "cent"}, optional
        By default the one in force `on` that day.
    on : date or ISO text, optional
        Day of the trade; by default today's rule.

    Returns
    -------
    Decimal
        [dollars], exact, with six decimals.

    Raises
    ------
    InputError
        For a price outside 0–1 or finer than $0.0001, a quantity that is not positive or finer than
        0.01 contract, an unknown fee type or role.

    Examples
    --------
    >>> trading_fee("0.47", 1)
    Decimal('0.017500')
    >>> trading_fee("0.47", 1, on="2025-06-01")
    Decimal('0.020000')
    """
    order = _order(fee_type, multiplier, rounding, on)
    return _dollars(order.charge(_inside(price), _positive(quantity), role))


def break_even_probability(
    price: Number,
    quantity: Number = 1,
    *,
    role: Role = "taker",
    **rule: Unpack[FeeOptions],
) -> Fraction:
    """The chance of winning at which buying and holding to settlement neither gains nor loses.

    It is cost plus fee, by contract. Settlement is free. Parameters as in `trading_fee`.

    Returns
    -------
    Fraction
        Above one where even a certain win does not pay for the fee.

    Examples
    --------
    >>> break_even_probability("0.50", 100)
    Fraction(207, 400)
    """
    at, count = _inside(price), _positive(quantity)
    fee = _order(**rule).charge(at, count, role)
    return Fraction(at * count + fee, PRICE_SCALE * count)


def round_trip_cost(
    entry: Number,
    exit_price: Number,
    quantity: Number = 1,
    *,
    role: Role = "taker",
    exit_role: Role | None = None,
    **rule: Unpack[FeeOptions],
) -> Decimal:
    """The fees of buying at one price and selling the same contracts at another.

    Parameters
    ----------
    entry, exit_price : str, Decimal or float
        Of the same leg [dollars].
    quantity : str, Decimal, int or float
        [contracts]
    role, exit_role : {"taker", "maker"}
        Of the purchase and the sale; the sale's is by default the purchase's.
    **rule
        ``fee_type``, ``multiplier``, ``rounding`` and ``on`` of `trading_fee`.

    Returns
    -------
    Decimal
        [dollars], without what the move of the price gains or loses.

    Examples
    --------
    >>> round_trip_cost("0.50", "0.55", 100)
    Decimal('3.482500')
    """
    count = _positive(quantity)
    bought = _order(**rule).charge(_inside(entry), count, role)
    sold = _order(**rule)
    return _dollars(bought + sold.charge(complement(_inside(exit_price)), count, exit_role or role))


def break_even_price(
    entry: Number,
    quantity: Number = 1,
    *,
    role: Role = "taker",
    exit_role: Role | None = None,
    grid: PriceGrid | None = None,
    **rule: Unpack[FeeOptions],
) -> Decimal | None:
    """The lowest price at which selling pays back the purchase and both fees.

    Parameters
    ----------
    entry : str, Decimal or float
        Price of the purchase [dollars].
    quantity : str, Decimal, int or float
        [contracts]
    role, exit_role : {"taker", "maker"}
        Of the purchase and the sale; the sale's is by default the purchase's.
    grid : PriceGrid, optional
        Prices to choose from; by default every whole cent.
    **rule
        ``fee_type``, ``multiplier``, ``rounding`` and ``on`` of `trading_fee`.

    Returns
    -------
    Decimal or None
        [dollars]; None when no tradable price is high enough.

    Examples
    --------
    >>> break_even_price("0.50", 100)
    Decimal('0.5400')
    """
    bought, count = _inside(entry), _positive(quantity)
    spent = bought * count + _order(**rule).charge(bought, count, role)
    for price in (grid or _LINEAR_CENT).prices():
        sold = _order(**rule)
        if price * count - sold.charge(complement(price), count, exit_role or role) >= spent:
            return Decimal(fixed_text(price, PRICE_SCALE))
    return None


def _order(
    fee_type: str = "quadratic",
    multiplier: Number | Fraction = 1,
    rounding: Rounding | None = None,
    on: date | str | None = None,
) -> FeeAccumulator:
    day = _day(on)
    rule: Rounding = rounding or ("microdollar" if day is None else rounding_on(day))
    return FeeAccumulator(FeeTerms(fee_type, _multiplier(multiplier)), rounding=rule, on=day)


def _unknown_role(role: object) -> InputError:
    return InputError(f"role must be 'taker' or 'maker', not {quoted(role, 60)}")


def _day(on: date | str | None) -> date | None:
    if on is None:
        return None
    if isinstance(on, datetime):
        return on.date()
    if isinstance(on, date):
        return on
    try:
        return date.fromisoformat(on[:10])
    except (ValueError, TypeError):
        raise InputError(f"on must be a day such as '2026-11-20', not {quoted(on, 40)}") from None


def _multiplier(value: Number | Fraction) -> Fraction:
    try:
        # A float stands for the decimal it prints as: 0.1 is one tenth.
        exact = Fraction(repr(value)) if isinstance(value, float) else Fraction(value)
    except (ValueError, OverflowError, TypeError, ZeroDivisionError):
        raise InputError(f"the fee multiplier must be a number, not {quoted(value, 40)}") from None
    if exact < 0:
        raise InputError(f"the fee multiplier must not be negative, got {printable(value, 40)}")
    return exact


def _inside(price: Number) -> int:
    value = to_price(price)
    if not 0 < value < PRICE_SCALE:
        raise InputError(f"price must lie strictly between 0 and 1 dollar, got {printable(price, 40)}")
    return value


def _positive(quantity: Number) -> int:
    value = to_count(quantity)
    if value <= 0:
        raise InputError(f"quantity must be positive, got {printable(quantity, 40)}")
    return value


def _dollars(money: int) -> Decimal:
    return Decimal(fixed_text(money, MONEY_SCALE))
