"""The exchange's fees over a whole frame of trades.

The rule is that of `kalshi_research.fees`, with the terms and dates from there; here it runs on
arrays of integers, so that half a million trades take a second. Where 64 bits are not enough
(huge trades with a finely divided multiplier), the same code runs on Python's integers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
import pandas as pd

from kalshi_research.analysis.fee_terms import terms_of_trades
from kalshi_research.analysis.tape import Tape, changes, read_tape
from kalshi_research.book.levels import ratio
from kalshi_research.errors import FrameError, InputError, printable, quoted
from kalshi_research.fees import DIRECT_PRECISION, FeeTerms, Role, Rounding, rounding_on
from kalshi_research.money import MONEY_SCALE, PRICE_SCALE

if TYPE_CHECKING:
    from kalshi_research.analysis.frames import Bools, Ints

__all__ = ["trading_fees"]

_DAY = 86_400_000_000
_CENT = MONEY_SCALE // 100
_CENTICENT = MONEY_SCALE // 10_000
_ROUNDINGS = get_args(Rounding)
_MOST = 2.0**62


def trading_fees(
    trades: pd.DataFrame,
    *,
    role: str = "taker",
    terms: FeeTerms | pd.DataFrame | None = None,
    order: str | None = None,
    rounding: Rounding | None = None,
    precision: int = DIRECT_PRECISION,
) -> pd.DataFrame:
    """What each trade cost in fees, by the rule of its day.

    Parameters
    ----------
    trades : DataFrame
        As for `tape_order`.
    role : {"taker", "maker"} or the name of a column
        Whose fee; a column says it trade by trade.
    terms : FeeTerms or DataFrame, optional
        What the markets charge: one for all, or what `market_fee_terms` returns. By default the
        general terms, ``FeeTerms()``: quadratic, multiplier 1.
    order : str, optional
        Fills of one order share the rounding. The name of a column that tells the order; or
        ``"parent"`` for the taker orders of `parent_orders`. By default each trade is an order
        of its own.
    rounding : {"cent", "centicent", "microdollar"}, optional
        By default the one in force on the day (UTC) of the order's first fill.
    precision : int, default 100
        Of the member's balance [1/1 000 000 dollar]: 100 for direct members, 10 000 behind a
        broker. Without meaning for ``cent``.

    Returns
    -------
    DataFrame
        The trades as `tape_order` returns them, and `fee` (float64) [dollars].

    Raises
    ------
    InputError
        For an unknown role, rounding, or precision.
    FrameError
        As for `tape_order`; also if a market has no terms, or an order is in two markets.

    Notes
    -----
    Taker and maker buy opposite legs; the price that counts is that of the leg bought. Every
    value is the one that `kalshi_research.fees.FeeAccumulator` gives for the fills of the order
    one after the other.

    Fees of one day are not those of another: terms change (see the exchange's routes on fee
    changes), and `terms` holds for all trades of the frame. Split the frame where they changed.

    Examples
    --------
    >>> import pandas as pd
    >>> time = pd.to_datetime(["2025-06-01T15:00Z", "2026-11-20T15:00Z"]).rename("time")
    >>> trades = pd.DataFrame({"ticker": "T", "yes_price": 0.47, "quantity": 1.0,
    ...     "taker_side": "yes"}, index=time)
    >>> trading_fees(trades)["fee"].tolist()
    [0.02, 0.0175]
    """
    _check_options(rounding, precision)
    tape = read_tape(trades)
    fills = _fills(tape, _is_maker(tape, role), _owners(tape, order), terms, rounding)
    fee = np.zeros(tape.rows.size, dtype=np.int64)
    for rule in _ROUNDINGS:
        mine = fills.under(rule)
        if mine.place.size:
            fee[mine.place] = _by_order(mine) if rule == "cent" else _by_fill(mine, rule, precision)
    return tape.trades(
        {
            "sequence": tape.place_in_market(),
            "parent": tape.parent_by_time(),
            "fee": ratio(fee, MONEY_SCALE),
        }
    )


@dataclass(frozen=True, slots=True)
class _Fills:
    """Fills, order by order, each order's in the order of execution.

    `place` is that on the tape, `nth` that in the order; `price` is of the leg bought; `rate` is
    a place in `rates`, pairs of integers as `raw_fee` takes them; `rule` one in `_ROUNDINGS`.
    """

    place: Ints
    nth: Ints
    price: Ints
    count: Ints
    rate: Ints
    rule: Ints
    rates: list[tuple[int, int]]

    def under(self, rounding: str) -> _Fills:
        """The fills of orders under one rule."""
        mine = self.rule == _ROUNDINGS.index(rounding)
        columns = (self.place, self.nth, self.price, self.count, self.rate, self.rule)
        place, nth, price, count, rate, rule = (column[mine] for column in columns)
        return _Fills(place, nth, price, count, rate, rule, self.rates)

    def order(self) -> Ints:
        """The number of each fill's order."""
        return np.cumsum(self.nth == 0) - 1

    def due(self, shares: list[int], of: int) -> Any:
        """``share × contracts × price × (1 − price)``, with the share of each rate.

        On Python's integers where a sum over an order, or `of`, might not fit 64 bits.
        """
        curve = self.price * (PRICE_SCALE - self.price)
        size = np.array([float(share) for share in shares])[self.rate] * curve * self.count
        # A running sum over all orders may overflow: differences of it come out right all the same.
        if np.bincount(self.order(), weights=size).max() < _MOST and max(of, *shares) < _MOST:
            return np.array(shares, dtype=np.int64)[self.rate] * curve * self.count
        wide = np.array(shares, dtype=object)[self.rate]
        return wide * curve.astype(object) * self.count.astype(object)


def _by_fill(fills: _Fills, rule: str, precision: int) -> Ints:
    """Each fill rounded up, and what an order paid too much given back with its later fills."""
    whole, shares = _shares(fills.rates)
    fee: Ints = (-(-fills.due(shares, whole) // whole)).astype(np.int64)
    step = precision
    if rule == "centicent":
        fee = -(-fee // _CENTICENT) * _CENTICENT
        step = _CENT
    rounding = -(fills.price * fills.count + fee) % precision
    charged: Ints = fee + rounding
    order = fills.order()
    carried = np.zeros(int(order[-1]) + 1, dtype=np.int64)
    by_turn = np.argsort(fills.nth, kind="stable")
    turns = np.searchsorted(fills.nth[by_turn], np.arange(int(fills.nth.max()) + 2))
    for begin, end in pairwise(turns.tolist()):
        # The first fills of all orders at once, then the second ones, and so on.
        turn = by_turn[begin:end]
        carry = carried[order[turn]] + rounding[turn]
        rebate = np.where(carry >= step, np.minimum(carry, charged[turn]) // step * step, 0)
        charged[turn] -= rebate
        carried[order[turn]] = carry - rebate
    return charged


def _by_order(fills: _Fills) -> Ints:
    """The fee of the whole order rounded up to a cent; a fill pays what it adds to that."""
    whole, shares = _shares(fills.rates)
    due = fills.due(shares, whole * _CENT)
    running = np.cumsum(due)
    first = np.flatnonzero(fills.nth == 0)
    before = (running - due)[first]
    so_far = running - before[fills.order()]
    owed: Ints = (-(-so_far // (whole * _CENT)) * _CENT).astype(np.int64)
    charged: Ints = np.diff(owed, prepend=0)
    charged[first] = owed[first]
    return charged


def _shares(rates: list[tuple[int, int]]) -> tuple[int, list[int]]:
    """The rates over one denominator: the denominator and the numerators."""
    whole = math.lcm(*(of for _, of in rates))
    return whole, [share * (whole // of) for share, of in rates]


def _fills(
    tape: Tape,
    is_maker: Bools,
    owner: Ints,
    terms: FeeTerms | pd.DataFrame | None,
    rounding: Rounding | None,
) -> _Fills:
    """The fills of the tape, put together by order, with the rate and the rule of each."""
    kinds, kind = terms_of_trades(tape, terms)
    place = np.argsort(owner, kind="stable")
    begins = changes(owner[place])
    first = np.flatnonzero(begins)
    order = np.cumsum(begins) - 1
    # The day of an order's first fill is that of the whole order.
    day = (tape.time[place] // _DAY)[first][order] if first.size else order
    days, day = np.unique(day, return_inverse=True)
    dates = [datetime.fromtimestamp(int(d) * 86_400, UTC).date() for d in days]
    rules = [_ROUNDINGS.index(rounding or rounding_on(day_)) for day_ in dates]
    pair = (kind[place] * len(days) + day) * 2 + is_maker[place]
    pairs, rate = np.unique(pair, return_inverse=True)
    rates = [
        kinds[int(p) // 2 // len(days)].ratio(
            "maker" if p % 2 else "taker", on=dates[int(p) // 2 % len(days)]
        )
        for p in pairs
    ]
    leg_is_yes = tape.is_yes[place] != is_maker[place]
    price = tape.price[place]
    return _Fills(
        place,
        np.arange(place.size) - first[order],
        np.where(leg_is_yes, price, PRICE_SCALE - price),
        tape.count[place],
        rate,
        np.array(rules, dtype=np.int64)[day],
        rates,
    )


def _is_maker(tape: Tape, role: str) -> Bools:
    """For each trade of the tape whether the fee is the maker's."""
    if role in get_args(Role):
        return np.full(tape.rows.size, role == "maker")
    if not isinstance(role, str) or role not in tape.frame.columns:
        raise InputError(
            "role must be 'taker', 'maker' or the name of a column that says which, "
            f"not {quoted(role, 60)}"
        )
    said = tape.frame[role].take(tape.rows)
    known = said.isin(get_args(Role)).to_numpy(dtype=np.bool_)
    if not known.all():
        word = said.iloc[int(np.argmin(known))]
        raise FrameError(
            f"the column {printable(role, 60)} must say 'taker' or 'maker', not {quoted(word, 40)}"
        )
    return (said == "maker").to_numpy(dtype=np.bool_)


def _owners(tape: Tape, order: str | None) -> Ints:
    """For each trade of the tape the number of the order it is charged with."""
    if order is None:
        return np.arange(tape.rows.size)
    if order == "parent":
        return tape.parent
    if not isinstance(order, str) or order not in tape.frame.columns:
        raise InputError(
            "order must be 'parent' or the name of a column that tells the orders apart, "
            f"not {quoted(order, 60)}"
        )
    code, names = pd.factorize(tape.frame[order].take(tape.rows))
    if (code < 0).any():
        raise FrameError(f"a trade has no order: the column {printable(order, 60)} is empty there")
    owner: Ints = code.astype(np.int64)
    by_owner = np.argsort(owner, kind="stable")
    split = ~changes(owner[by_owner]) & changes(tape.market[by_owner])
    if split.any():
        name = printable(names[owner[by_owner][int(np.argmax(split))]], 60)
        raise FrameError(f"the order {name} is in several markets; an order belongs to one")
    return owner


def _check_options(rounding: Rounding | None, precision: int) -> None:
    if rounding is not None and rounding not in _ROUNDINGS:
        raise InputError(
            f"rounding {quoted(rounding, 60)} is unknown; use one of {', '.join(_ROUNDINGS)}"
        )
    whole = isinstance(precision, int) and not isinstance(precision, bool)
    if not whole or not 1 <= precision <= 10**9 * MONEY_SCALE:
        raise InputError(
            f"precision must be a whole number of 1/{MONEY_SCALE:,} dollar, not {quoted(precision, 40)}"
        )
