"""A level frame, checked and turned into integers: what every function of this package reads.

The arrays hold the levels of all books, best first. Each book owns two neighbouring
*segments*: its bids (even) and its asks (odd), so that "the best bid of every book"
or "the depth of every side" is one array operation.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from decimal import Decimal
from numbers import Real
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from kalshi_research.errors import FrameError, InputError, printable, quoted
from kalshi_research.money import COUNT_SCALE, PRICE_SCALE, to_price

__all__ = ["Ladders", "as_levels", "as_ticks", "ladders", "ratio"]

Ints: TypeAlias = npt.NDArray[np.int64]
Floats: TypeAlias = npt.NDArray[np.float64]
Bools: TypeAlias = npt.NDArray[np.bool_]

_NEEDED = ("ticker", "side", "price", "quantity")
_MAKERS = "get_orderbook, get_orderbooks and read_orderbook make such frames"
_SIDES = pd.Index(["bid", "ask"], dtype="str")
_NOISE = 1e-6
"""How far from a whole tick float arithmetic may have carried a price or quantity."""
_RANKS = 1 << 14
"""More than there are ticks in a dollar: a segment and a price fit one sortable integer."""


@dataclass(frozen=True, slots=True)
class Ladders:
    """The levels of many books, in integers.

    Attributes
    ----------
    segment : int64 array
        For each level ``2 * book`` for a bid, ``2 * book + 1`` for an ask; ascending.
    price, count : int64 array
        For each level, in 1/10 000 dollar and 1/100 contract; best price first in a segment.
    start : int64 array
        The first level of each segment, and the number of levels at the end.
    tickers : pandas.Index
        The names of all books.
    ticker_code : int64 array
        For each book its place in `tickers`.
    time : pandas.DatetimeIndex or None
        For each book its instant, in a book history.
    attrs : dict
        Those of the frame.
    """

    segment: Ints
    price: Ints
    count: Ints
    start: Ints
    tickers: pd.Index
    ticker_code: Ints
    time: pd.DatetimeIndex | None
    attrs: Mapping[Any, Any]

    @property
    def is_ask(self) -> Bools:
        """For each level whether it is an ask."""
        return (self.segment & 1).astype(np.bool_)

    def level(self) -> Ints:
        """For each level its place in its segment, 0 for the best."""
        return np.arange(self.segment.size, dtype=np.int64) - self.start[self.segment]

    def distance(self) -> Ints:
        """For each level how far it is behind the best of its side [1/10 000 dollar]."""
        best: Ints = self.price[self.start[self.segment]]
        away: Ints = np.abs(self.price - best)
        return away

    def running(self, amount: Ints) -> Ints:
        """For each level the sum of `amount` from the best level of its side to itself."""
        before: Ints = np.concatenate(([0], np.cumsum(amount)))
        return before[1:] - before[self.start[self.segment]]

    def total(self, amount: Ints) -> Ints:
        """The sum of `amount` over each segment; 0 where nothing rests."""
        before: Ints = np.concatenate(([0], np.cumsum(amount)))
        return np.diff(before[self.start])

    def best(self) -> tuple[Ints, Ints, Bools]:
        """Of each segment the best price, the count there, and whether anything rests at all."""
        resting = np.diff(self.start) > 0
        price = np.zeros(resting.size, dtype=np.int64)
        count = np.zeros(resting.size, dtype=np.int64)
        price[resting] = self.price[self.start[:-1][resting]]
        count[resting] = self.count[self.start[:-1][resting]]
        return price, count, resting

    def book_frame(self, columns: Mapping[str, Any], repeat: int = 1) -> pd.DataFrame:
        """One row (or `repeat` neighbouring rows) per book, indexed by ticker or by time."""
        code = np.repeat(self.ticker_code, repeat)
        if self.time is None:
            frame = pd.DataFrame(dict(columns), index=pd.Index(self.tickers.take(code), name="ticker"))
        else:
            ticker = pd.Categorical.from_codes(code, categories=self.tickers)
            index = pd.DatetimeIndex(self.time.repeat(repeat), name="time")
            frame = pd.DataFrame({"ticker": ticker, **columns}, index=index)
        frame.attrs = deepcopy(dict(self.attrs))
        return frame

    def level_frame(self, columns: Mapping[str, Any]) -> pd.DataFrame:
        """One row per level: ticker, side and `columns`, after `time` in a history."""
        book = self.segment >> 1
        found: dict[str, Any] = {} if self.time is None else {"time": self.time.take(book)}
        found["ticker"] = pd.Categorical.from_codes(self.ticker_code[book], categories=self.tickers)
        found["side"] = pd.Categorical.from_codes(self.segment & 1, categories=_SIDES)
        frame = pd.DataFrame({**found, **columns})
        frame.attrs = deepcopy(dict(self.attrs))
        return frame


def ratio(numerator: Ints, denominator: Ints | int, where: Bools | None = None) -> Floats:
    """Divide integers once, so that the result is the double nearest to the exact quotient.

    NaN where `where` is false.
    """
    result: Floats = np.full(numerator.shape, np.nan)
    np.divide(numerator, denominator, out=result, where=True if where is None else where)
    return result


def as_ticks(dollars: Any, name: str) -> int:
    """A distance given by the caller [dollars], as an integer number of 1/10 000 dollar."""
    if isinstance(dollars, bool) or not isinstance(dollars, str | Decimal | Real):
        said = quoted(dollars, 60)
        raise InputError(f"{name} must be a number of dollars such as 0.05, not {said}")
    ticks = to_price(dollars)  # type: ignore[arg-type]
    if ticks < 0:
        raise InputError(f"{name} must not be negative, but is {printable(dollars, 60)}")
    return ticks


def as_levels(number: object) -> int:
    """A number of levels given by the caller."""
    if isinstance(number, bool) or not isinstance(number, int | np.integer) or number < 1:
        raise InputError(f"levels must be a whole number from 1, not {quoted(number, 40)}")
    return int(number)


def ladders(book: pd.DataFrame) -> Ladders:
    """Check a level frame and turn it into integers.

    `level` and `cumulative` are not read but computed again, so a book that was
    filtered or put together by hand is as good as a fetched one.

    Raises
    ------
    FrameError
        If a column is missing, or a level cannot be a level.
    """
    if not isinstance(book, pd.DataFrame):
        raise FrameError(f"an order book must be a DataFrame, not {type(book).__name__}; {_MAKERS}")
    missing = [name for name in _NEEDED if name not in book.columns]
    if missing:
        raise FrameError(f"the order book lacks the column(s) {', '.join(missing)}; {_MAKERS}")
    if book.columns.has_duplicates:
        twice = book.columns[book.columns.duplicated()][0]
        raise FrameError(f"the order book has the column {printable(twice, 60)} twice; drop one")
    price, quantity = _numbers(book, "price"), _numbers(book, "quantity")
    vacant = ((price == 0) | (price == 1)) & ((quantity == 0) | np.isnan(quantity))
    if vacant.any():
        # So does the exchange write "nobody there": no level, and never a price.
        return ladders(book[~vacant])
    tickers, code = _tickers(book)
    is_ask = _sides(book)
    ticks = _scaled(book, price, "price", PRICE_SCALE)
    count = _scaled(book, quantity, "quantity", COUNT_SCALE)
    owner, ticker_code, time = _books(book, tickers, code)
    rank = np.where(is_ask, ticks, PRICE_SCALE - ticks)
    key = (owner * 2 + is_ask) * _RANKS + rank
    if not (np.diff(key) > 0).all():
        order = np.argsort(key, kind="stable")
        key = key[order]
        repeated = np.flatnonzero(np.diff(key) == 0)
        if repeated.size:
            raise FrameError(
                f"the order book has two levels at one price: {_row(book, order[repeated[0] + 1])}\n"
                "Books of one ticker at several times need a column `time` that tells them apart."
            )
        ticks, count = ticks[order], count[order]
    segment = key // _RANKS
    start = np.searchsorted(segment, np.arange(2 * ticker_code.size + 1)).astype(np.int64)
    return Ladders(segment, ticks, count, start, tickers, ticker_code, time, book.attrs)


def _row(book: pd.DataFrame, at: int | np.int64) -> str:
    row = book.iloc[at]
    return (
        f"ticker {printable(row['ticker'], 60)}, {printable(row['side'], 12)} {row['price']}, row {at}"
    )


def _numbers(book: pd.DataFrame, name: str) -> Floats:
    column = book[name]
    if not pd.api.types.is_numeric_dtype(column.dtype) or pd.api.types.is_bool_dtype(column.dtype):
        raise FrameError(
            f"the column {name} of the order book must hold numbers, "
            f"not {printable(column.dtype, 40)}; {_MAKERS}"
        )
    return column.to_numpy(dtype=np.float64, na_value=np.nan)


def _scaled(book: pd.DataFrame, value: Floats, name: str, scale: int) -> Ints:
    """Whole ticks or hundredths, or the reason why not, with the first row it is true of."""
    scaled = value * scale
    whole = np.rint(scaled)
    with np.errstate(invalid="ignore"):
        off_grid = ~(np.abs(scaled - whole) <= _NOISE * np.maximum(1.0, np.abs(scaled) / PRICE_SCALE))
        checks = [(~np.isfinite(value), "is not a number")]
        if name == "price":
            checks.append(((whole <= 0) | (whole >= PRICE_SCALE), "is not between 0 and 1 dollar"))
        else:
            checks.append((value <= 0, "is not positive"))
        checks.append((off_grid | (whole <= 0), f"is finer than 1/{scale}"))
    for bad, reason in checks:
        if bad.any():
            at = int(np.argmax(bad))
            raise FrameError(
                f"a {name} of the order book {reason}: {value[at]} ({_row(book, at)}; "
                f"{int(bad.sum()):,} of {bad.size:,} rows are like that)"
            )
    return whole.astype(np.int64)


def _tickers(book: pd.DataFrame) -> tuple[pd.Index, Ints]:
    column = book["ticker"]
    if isinstance(column.dtype, pd.CategoricalDtype):
        code, names = column.cat.codes.to_numpy(), column.cat.categories
    else:
        try:
            code, names = pd.factorize(column)
        except TypeError:
            raise FrameError("the column ticker of the order book must hold text") from None
    if (code < 0).any():
        raise FrameError(f"a row of the order book has no ticker: row {int(np.argmin(code))}")
    if not all(isinstance(name, str) for name in names):
        raise FrameError(f"the column ticker of the order book must hold text, not {column.dtype}")
    return pd.Index(names, dtype="str"), code.astype(np.int64)


def _sides(book: pd.DataFrame) -> Bools:
    column = book["side"]
    try:
        values = column if isinstance(column.dtype, pd.CategoricalDtype) else column.astype("category")
    except TypeError:
        raise FrameError("the column side of the order book must hold 'bid' or 'ask'") from None
    names = list(values.cat.categories)
    code = values.cat.codes.to_numpy()
    known = np.isin(code, [names.index(side) for side in ("bid", "ask") if side in names])
    if not known.all():
        at = int(np.argmin(known))
        raise FrameError(
            f"side must be 'bid' or 'ask', but row {at} of the order book "
            f"says {quoted(column.iloc[at], 40)}"
        )
    is_ask: Bools = code == (names.index("ask") if "ask" in names else -1)
    return is_ask


def _books(
    book: pd.DataFrame, tickers: pd.Index, code: Ints
) -> tuple[Ints, Ints, pd.DatetimeIndex | None]:
    """For each row the book it belongs to; for each book its ticker and, in a history, its time."""
    if "time" not in book.columns:
        return code, np.arange(len(tickers), dtype=np.int64), None
    column = book["time"]
    complete = isinstance(column.dtype, pd.CategoricalDtype)
    if complete:
        instants, at = pd.Index(column.cat.categories), column.cat.codes.to_numpy().astype(np.int64)
    else:
        at, found = pd.factorize(column, sort=True)
        instants = pd.Index(found)
    if not isinstance(instants, pd.DatetimeIndex) or instants.tz is None:
        raise FrameError(
            "the column time of a book history must hold times with a time zone, "
            f"not {printable(column.dtype, 60)}"
        )
    if (at < 0).any():
        raise FrameError(f"a row of the book history has no time: row {int(np.argmin(at))}")
    pair = at * len(tickers) + code
    if complete:
        every = np.arange(len(instants) * len(tickers), dtype=np.int64)
        owner = pair
    else:
        every, owner = np.unique(pair, return_inverse=True)
    size = max(len(tickers), 1)
    return owner.astype(np.int64), every % size, instants.take(every // size)
