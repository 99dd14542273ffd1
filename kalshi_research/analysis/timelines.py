"""What held in a market at an instant: quotes along time, looked up for many markets at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from kalshi_research.analysis.frames import (
    Bools,
    Floats,
    Ints,
    duration,
    instants,
    nearest,
    numbers,
    require,
    tickers,
)
from kalshi_research.analysis.tape import changes
from kalshi_research.errors import FrameError, InputError, quoted
from kalshi_research.money import PRICE_SCALE

__all__ = ["Grid", "Timeline", "Tops", "durations", "mids", "price_ticks", "read_tops"]

_MAKERS = "quotes(book_history) and replay_book make such frames"
_MOST = 10_000_000
_JOINED = "join_quotes makes such frames"


@dataclass(frozen=True, slots=True)
class Timeline:
    """Rows of many markets: market by market, each in the order of time.

    Attributes
    ----------
    market, time : int64 array
        Which market a row is of; microseconds since 1970.
    markets : int
        How many there are.
    """

    market: Ints
    time: Ints
    markets: int

    def holding(self, market: Ints, time: Ints, *, before: bool = False) -> Ints:
        """The row that holds in a market at a time, -1 where none does.

        It is the last one at or before the time (`before`: strictly before it). After the last
        row of a market nothing is known, so nothing holds there.
        """
        every, rank = np.unique(self.time, return_inverse=True)
        key = self.market * (every.size + 1) + rank + 1
        asked = np.searchsorted(every, time, side="left" if before else "right")
        place = np.searchsorted(key, market * (every.size + 1) + asked, side="right") - 1
        near = np.maximum(place, 0)
        if not key.size:
            return np.full(market.size, -1, dtype=np.int64)
        last = np.full(self.markets, -1, dtype=np.int64)
        np.maximum.at(last, self.market, np.arange(self.market.size))
        good = (place >= 0) & (self.market[near] == market)
        good &= (time <= self.time[last[market]]) | (last[market] < 0)
        return np.where(good, near, -1)

    def grid(self, length: int) -> Grid:
        """Instants that are multiples of `length`, from the first row of each market to its last.

        Raises
        ------
        InputError
            If there would be too many.
        """
        first = np.flatnonzero(changes(self.market))
        last = np.append(first[1:], self.market.size)[: first.size] - 1
        begin, end = -(-self.time[first] // length), self.time[last] // length
        begins, counts = np.zeros(self.markets, np.int64), np.zeros(self.markets, np.int64)
        begins[self.market[first]] = begin
        counts[self.market[first]] = np.maximum(end - begin + 1, 0)
        if counts.sum(dtype=np.float64) > _MOST:
            raise InputError(
                f"these frames have {counts.sum(dtype=np.float64):,.0f} such intervals, "
                f"more than {_MOST:,}; choose a longer interval or a part of the frames"
            )
        offset = np.cumsum(counts) - counts
        market = np.repeat(np.arange(self.markets), counts)
        number = np.arange(market.size) - offset[market] + begins[market]
        return Grid(length, market, number * length, begins, counts, offset)


@dataclass(frozen=True, slots=True)
class Grid:
    """Instants at equal distances in each market.

    An interval is known by the instant that ends it; it reaches back to the one before,
    which does not belong to it.
    """

    length: int
    market: Ints
    time: Ints
    begins: Ints
    counts: Ints
    offset: Ints

    @property
    def opens(self) -> Bools:
        """Which instants end no interval because they are the first of their market."""
        return changes(self.market)

    def sums(self, market: Ints, time: Ints, amount: Floats) -> Floats:
        """The sum of amounts in each interval; NaN where an amount is."""
        nth = -(-time // self.length) - self.begins[market]
        inside = (nth > 0) & (nth < self.counts[market])
        place = self.offset[market[inside]] + nth[inside]
        found: Floats = np.bincount(place, amount[inside], self.market.size).astype(np.float64)
        return found

    def moves(self, value: Floats) -> Floats:
        """By how much a value changes over each interval; NaN at the first instant."""
        found = np.diff(value, prepend=np.nan)
        found[self.opens] = np.nan
        return found


@dataclass(frozen=True, slots=True)
class Tops:
    """Top-of-book rows along a timeline.

    Attributes
    ----------
    frame : pandas.DataFrame
        As given.
    rows : int64 array
        For each row of the timeline its place in `frame`.
    names : pandas.Index
        Of the markets.
    line : Timeline
    """

    frame: pd.DataFrame
    rows: Ints
    names: pd.Index
    line: Timeline

    def mids(self) -> Floats:
        """The mid along the timeline [dollars]."""
        return mids(self.frame, what="quotes")[self.rows]

    def values(self, name: str) -> Floats:
        """A column of numbers along the timeline."""
        return numbers(self.frame, name, what="quotes")[self.rows]

    def at(self, value: Floats, market: Ints, time: Ints, *, before: bool = False) -> Floats:
        """A value along the timeline, as it holds in markets at times; NaN where nothing does."""
        row = self.line.holding(market, time, before=before)
        if not value.size:
            return np.full(market.size, np.nan)
        return np.where(row >= 0, value[np.maximum(row, 0)], np.nan)


def read_tops(
    quotes: pd.DataFrame, names: pd.Index | None = None, columns: Sequence[str] = ("yes_bid", "yes_ask")
) -> Tops:
    """Check top-of-book rows and order them; only those of the markets `names`, if given.

    Raises
    ------
    FrameError
        If the frame cannot be a frame of quotes.
    """
    require(quotes, ("ticker", *columns), what="quotes", makers=_MAKERS)
    word, said = tickers(quotes, what="quotes")
    found = said if names is None else names
    code = found.get_indexer(said).astype(np.int64)[word]
    mine = np.flatnonzero(code >= 0)
    time = instants(quotes)
    order = mine[np.lexsort((time[mine], code[mine]))]
    return Tops(quotes, order, found, Timeline(code[order], time[order], len(found)))


def mids(frame: pd.DataFrame, *, what: str) -> Floats:
    """The mid of each row [dollars].

    NaN where a side is empty, and where the book is crossed or locked, which means that it is
    stale: no price can be compared with it.
    """
    missing = [name for name in ("yes_bid", "yes_ask") if name not in frame.columns]
    if missing:
        raise FrameError(f"the frame of {what} lacks the column(s) {', '.join(missing)}; {_JOINED}")
    bid, has_bid = price_ticks(frame, "yes_bid", what=what)
    ask, has_ask = price_ticks(frame, "yes_ask", what=what)
    return np.where(has_bid & has_ask & (bid < ask), (bid + ask) / (2 * PRICE_SCALE), np.nan)


def price_ticks(frame: pd.DataFrame, name: str, *, what: str) -> tuple[Ints, Bools]:
    """A column of quoted prices [1/10 000 dollar], and whether there is one.

    A quote at 0 or 1 dollar is how the exchange writes an empty side.

    Raises
    ------
    FrameError
        For a price outside 0–1 dollar or finer than 1/10 000 dollar.
    """
    value = numbers(frame, name, what=what)
    known = ~np.isnan(value)
    ticks, good = nearest(np.where(known, value, 0.0), PRICE_SCALE)
    for bad, reason in (
        (~((ticks >= 0) & (ticks <= PRICE_SCALE)), "lies outside 0 to 1 dollar"),
        (~good, f"is no multiple of 1/{PRICE_SCALE} dollar"),
    ):
        if bad.any():
            at = int(np.argmax(bad))
            raise FrameError(f"a {name} of {what} {reason}: {value[at]} in row {at}; {_MAKERS}")
    return ticks, known & (ticks > 0) & (ticks < PRICE_SCALE)


def durations(value: Any, name: str) -> list[int]:
    """One length of time or several, given by the caller, in microseconds, ascending.

    Raises
    ------
    InputError
        If there is none, or one is no positive length of time.
    """
    alone = isinstance(value, str) or not isinstance(value, Sequence | np.ndarray | pd.Index)
    found = [duration(one, name) for one in ([value] if alone else value)]
    if not found:
        raise InputError(f"{name} must hold at least one length of time, not {quoted(value, 40)}")
    return sorted(set(found))
