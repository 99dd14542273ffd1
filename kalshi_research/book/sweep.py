"""What it costs to take from the book: walking the levels with one order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np

from kalshi_research.book.levels import Floats, Ints, Ladders, ladders, ratio
from kalshi_research.errors import InputError, PartialDataWarning, printable, quoted, warn
from kalshi_research.fees import FeeAccumulator, FeeTerms, rounding_on
from kalshi_research.money import COUNT_SCALE, MONEY_SCALE, PRICE_SCALE, to_count

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["fill_cost"]

_SIDES = ("yes", "no")
_MOST = 10**12 * COUNT_SCALE


@dataclass(frozen=True, slots=True)
class _Sweep:
    """One order of `wanted` hundredths against every book, fill by fill."""

    levels: Ladders
    price: Ints
    """For each level what the taker pays a contract there, in 1/10 000 dollar."""
    taken: Ints
    """For each level the hundredths taken; 0 where the order does not reach."""
    wanted: int


def fill_cost(
    book: pd.DataFrame,
    side: str,
    quantity: float | str | Decimal | Sequence[float | str | Decimal],
    *,
    fees: FeeTerms | None = None,
    on: date | None = None,
) -> pd.DataFrame:
    """Walk the book with an order that takes at once what it can get.

    Parameters
    ----------
    book : DataFrame
        Levels of one book, of many tickers, or of a book history.
    side : {'yes', 'no'}
        The leg that is bought. ``'yes'`` takes the asks. ``'no'`` takes the YES bids and
        pays 1 − bid; to sell YES is the same trade, and its proceeds are
        ``filled - cost``.
    quantity : float, str or Decimal, or a sequence of them
        Contracts wanted, in steps of 0.01; a sequence gives a slippage curve.
    fees : FeeTerms, optional
        What the series charges (`kalshi_research.fees.fee_terms`). With it the fee of a
        taker is added, as one fill a level; without it nothing is said about fees.
    on : date, optional
        Day of the trade, for the fee rule; by default today's.

    Returns
    -------
    DataFrame
        One row per book and quantity, indexed as in `quotes`.

        ==================  =======  ===================================================
        column              dtype    meaning [unit]
        ==================  =======  ===================================================
        side                str      the leg bought
        quantity            float64  wanted [contracts]
        filled              float64  what the book can give [contracts]
        unfilled            float64  what it cannot: quantity − filled [contracts]
        levels              int64    price levels touched
        touch               float64  best price of the leg before the order [dollars]
        worst_price         float64  price of the last level touched [dollars]
        average_price       float64  cost / filled [dollars a contract]
        cost                float64  paid for what was filled, before fees [dollars]
        slippage_touch      float64  average_price − touch, ≥ 0 [dollars a contract]
        slippage_mid        float64  average_price − mid of the leg [dollars a contract]
        fee                 float64  taker fee of what was filled; with `fees` only [dollars]
        ==================  =======  ===================================================

    Warns
    -----
    PartialDataWarning
        If a book cannot fill the quantity: prices and cost of such a row are those of
        `filled` contracts, and of nothing where nobody is there (cost 0, prices NaN).

    Raises
    ------
    InputError
        If `side` is no leg, or a quantity is not positive or finer than 0.01.
    FrameError
        If the frame is no order book.

    Examples
    --------
    >>> import pandas as pd
    >>> book = pd.DataFrame({"ticker": "T", "side": ["bid", "ask", "ask"],
    ...                      "price": [0.42, 0.44, 0.55], "quantity": [13.0, 17.0, 20.0]})
    >>> fill_cost(book, "yes", 20)[["levels", "average_price", "cost", "unfilled"]].reset_index()
      ticker  levels  average_price  cost  unfilled
    0      T       2         0.4565  9.13       0.0
    """
    if not isinstance(side, str) or side not in _SIDES:
        raise InputError(
            f"side must be one of {list(_SIDES)}, the leg that is bought, "
            f"not {quoted(side, 40)}\n"
            "To sell YES pass 'no': selling YES at p is buying NO at 1 - p."
        )
    if fees is not None and not isinstance(fees, FeeTerms):
        raise InputError(
            f"fees must be FeeTerms, as fee_terms('quadratic', 1) makes them, not {type(fees).__name__}"
        )
    wanted = _wanted(quantity)
    levels = ladders(book)
    sweeps = [_walk(levels, side, count) for count in wanted]
    columns = [_costs(sweep, side) for sweep in sweeps]
    if fees is not None:
        for sweep, part in zip(sweeps, columns, strict=True):
            part["fee"] = _fees(sweep, fees, on)
    # Quantities of one book belong next to each other.
    merged = {name: np.stack([part[name] for part in columns], axis=1).ravel() for name in columns[0]}
    found = levels.book_frame(merged, repeat=len(wanted))
    found.insert(list(found.columns).index("quantity"), "side", side)
    found["side"] = found["side"].astype("str")
    _warn_of_partials(found)
    return found


def _wanted(quantity: Any) -> list[int]:
    several = isinstance(quantity, Iterable) and not isinstance(quantity, str)
    several = several and getattr(quantity, "ndim", 1) > 0
    counts = []
    for one in quantity if several else [quantity]:
        if isinstance(one, bool) or not isinstance(one, str | Decimal | Real):
            raise InputError(f"quantity must be a number of contracts, not {quoted(one, 40)}")
        count = to_count(one)  # type: ignore[arg-type]
        if not 0 < count <= _MOST:
            raise InputError(f"quantity must be positive and below 10^12, but is {printable(one, 40)}")
        counts.append(count)
    if not counts:
        raise InputError("quantity is an empty sequence; pass at least one number of contracts")
    return counts


def _walk(levels: Ladders, side: str, wanted: int) -> _Sweep:
    walked = levels.is_ask if side == "yes" else ~levels.is_ask
    price = levels.price if side == "yes" else PRICE_SCALE - levels.price
    before = levels.running(levels.count) - levels.count
    taken = np.where(walked, np.clip(wanted - before, 0, levels.count), 0)
    return _Sweep(levels, price, taken, wanted)


def _costs(sweep: _Sweep, side: str) -> dict[str, Ints | Floats]:
    offset = 1 if side == "yes" else 0
    taken, paid = sweep.taken, sweep.price * sweep.taken
    filled, cost, touched = (
        sweep.levels.total(amount)[offset::2] for amount in (taken, paid, (taken > 0).astype(np.int64))
    )
    best, _, resting = sweep.levels.best()
    there = resting[offset::2]
    both = resting[0::2] & resting[1::2]
    touch, twice_mid = best[offset::2], best[0::2] + best[1::2]
    if side == "no":
        touch, twice_mid = PRICE_SCALE - touch, 2 * PRICE_SCALE - twice_mid
    worst = np.zeros(there.size, dtype=np.int64)
    worst[there] = sweep.price[(sweep.levels.start[offset:-1:2] + touched - 1)[there]]
    return {
        "quantity": np.full(there.size, sweep.wanted / COUNT_SCALE),
        "filled": ratio(filled, COUNT_SCALE),
        "unfilled": ratio(sweep.wanted - filled, COUNT_SCALE),
        "levels": touched,
        "touch": ratio(touch, PRICE_SCALE, there),
        "worst_price": ratio(worst, PRICE_SCALE, there),
        "average_price": ratio(cost, PRICE_SCALE * filled, there),
        "cost": ratio(cost, MONEY_SCALE),
        "slippage_touch": ratio(cost - touch * filled, PRICE_SCALE * filled, there),
        "slippage_mid": ratio(2 * cost - twice_mid * filled, 2 * PRICE_SCALE * filled, both),
    }


def _fees(sweep: _Sweep, terms: FeeTerms, on: date | None) -> Floats:
    """Charge every order its fills, best price first, because rounding is carried along the order."""
    rounding = rounding_on(on) if on is not None else "microdollar"
    fee = np.zeros(sweep.levels.ticker_code.size, dtype=np.int64)
    orders: dict[int, FeeAccumulator] = {}
    for at in np.flatnonzero(sweep.taken):
        book = int(sweep.levels.segment[at]) >> 1
        if book not in orders:
            orders[book] = FeeAccumulator(terms, rounding=rounding, on=on)
        fee[book] += orders[book].charge(int(sweep.price[at]), int(sweep.taken[at]))
    return ratio(fee, MONEY_SCALE)


def _warn_of_partials(found: pd.DataFrame) -> None:
    short = int((found["unfilled"] > 0).sum())
    if short:
        warn(
            f"{short:,} of {len(found):,} orders cannot be filled from the book; "
            "`unfilled` says how much is missing, prices are those of `filled` contracts",
            PartialDataWarning,
        )
