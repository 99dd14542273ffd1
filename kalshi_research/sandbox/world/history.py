"""What happened in one market, and its state and candlesticks at any instant of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from kalshi_research.money import PRICE_SCALE
from kalshi_research.sandbox.instants import SECOND

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["SENDERS", "Candle", "MarketHistory", "Parents", "Quotes", "Span", "Tape"]

SENDERS = ("noise", "informed", "maker", "user")
"""Who sends taker orders: `Parents.sender` counts in these. A maker whose new quote meets the order
of a user takes it."""

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Quotes:
    """The touch whenever it moved: instants [µs], prices [1/10 000 dollar], sizes [1/100 contract].

    An empty side shows 0 (bid) or one dollar (ask) with size 0.
    """

    times: Ints
    bid: Ints
    ask: Ints
    bid_size: Ints
    ask_size: Ints


@dataclass(frozen=True, slots=True)
class Tape:
    """Every trade in the order of execution.

    `parent` is the place of the taker order in `Parents`; `open_interest` is
    counted after the trade; `ids` holds 32 hexadecimal digits a trade.
    """

    times: Ints
    price: Ints
    count: Ints
    taker_yes: Flags
    block: Flags
    parent: Ints
    open_interest: Ints
    ids: str | bytearray

    def trade_id(self, place: int) -> str:
        """The id of one trade, in the form of a UUID."""
        found = self.ids[32 * place : 32 * place + 32]
        digits = found if isinstance(found, str) else found.decode("ascii")
        return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


@dataclass(frozen=True, slots=True)
class Parents:
    """Every taker order: the truth behind the tape.

    `first_price` is that of the touch it found; `sender` is a place in `SENDERS`.
    """

    times: Ints
    buys_yes: Flags
    size: Ints
    filled: Ints
    first_price: Ints
    informed: Flags
    block: Flags
    trades: Ints
    sender: Ints


@dataclass(frozen=True, slots=True)
class Span:
    """Open, low, high, close of one thing in one period [1/10 000 dollar]."""

    open: int
    low: int
    high: int
    close: int


@dataclass(frozen=True, slots=True)
class Candle:
    """One period: its end [s], quotes, traded prices (None: no trade), volume and open interest."""

    end: int
    bid: Span
    ask: Span
    price: Span | None
    mean: int | None
    previous: int | None
    volume: int
    open_interest: int


@dataclass(frozen=True, slots=True)
class MarketHistory:
    """The whole life of a market; every question is asked as of an instant."""

    quotes: Quotes
    tape: Tape
    parents: Parents

    def trades_until(self, instant: int) -> int:
        """How many trades have happened."""
        return int(np.searchsorted(self.tape.times, instant, side="right"))

    def quote_at(self, instant: int) -> tuple[int, int, int, int] | None:
        """Bid, ask and their sizes, or None before the first quote."""
        place = int(np.searchsorted(self.quotes.times, instant, side="right")) - 1
        if place < 0:
            return None
        quotes = self.quotes
        return (
            int(quotes.bid[place]), int(quotes.ask[place]),
            int(quotes.bid_size[place]), int(quotes.ask_size[place]),
        )  # fmt: skip

    def last_price(self, instant: int) -> int:
        """Price of the latest trade, 0 where there is none."""
        place = self.trades_until(instant)
        return int(self.tape.price[place - 1]) if place else 0

    def volume(self, instant: int, since: int | None = None) -> int:
        """Contracts traded in (since, instant] [1/100 contract]."""
        start = 0 if since is None else self.trades_until(since)
        return int(self.tape.count[start : self.trades_until(instant)].sum())

    def open_interest(self, instant: int) -> int:
        """Contracts held [1/100 contract]."""
        place = self.trades_until(instant)
        return int(self.tape.open_interest[place - 1]) if place else 0

    def candles(self, minutes: int, start: int, end: int, now: int) -> Iterator[Candle]:
        """Candlesticks whose end lies in [start, end] [s], as known at `now` [µs].

        A period holds what happened after its start up to and including its end.
        Periods in which neither a trade nor a change of the touch happened are
        left out.
        """
        period = minutes * 60 * SECOND
        n_trades = self.trades_until(now)
        n_quotes = int(np.searchsorted(self.quotes.times, now, side="right"))
        trade_ends = _period_ends(self.tape.times[:n_trades], period)
        quote_ends = _period_ends(self.quotes.times[:n_quotes], period)
        ends = np.union1d(trade_ends, quote_ends)
        ends = ends[(ends >= start * SECOND) & (ends <= end * SECOND)]
        trade_from = np.searchsorted(trade_ends, ends, side="left")
        trade_to = np.searchsorted(trade_ends, ends, side="right")
        quote_from = np.searchsorted(quote_ends, ends, side="left")
        quote_to = np.searchsorted(quote_ends, ends, side="right")
        for place in range(ends.size):
            yield self._candle(
                int(ends[place]) // SECOND,
                slice(int(trade_from[place]), int(trade_to[place])),
                slice(int(quote_from[place]), int(quote_to[place])),
            )

    def latest_before(self, minutes: int, start: int, now: int) -> Candle | None:
        """The stand-in for what came before `start` [s], at the first period end from there on."""
        period = minutes * 60
        first = -(-start // period) * period
        edge = min((first - period) * SECOND, now)
        quote = self.quote_at(edge)
        if quote is None:
            return None
        bid, ask = quote[0], quote[1]
        return Candle(
            first, Span(bid, bid, bid, bid), Span(ask, ask, ask, ask), None, None,
            self.last_price(edge) or None, 0, self.open_interest(edge),
        )  # fmt: skip

    def _candle(self, end: int, trades: slice, quotes: slice) -> Candle:
        tape = self.tape
        prices, counts = tape.price[trades], tape.count[trades]
        volume = int(counts.sum())
        price = mean = None
        if prices.size:
            price = Span(int(prices[0]), int(prices.min()), int(prices.max()), int(prices[-1]))
            mean = (2 * int((prices * counts).sum()) + volume) // (2 * volume)
        return Candle(
            end,
            _span(self.quotes.bid, quotes, 0),
            _span(self.quotes.ask, quotes, PRICE_SCALE),
            price,
            mean,
            int(tape.price[trades.start - 1]) if trades.start else None,
            volume,
            int(tape.open_interest[trades.stop - 1]) if trades.stop else 0,
        )


def _period_ends(times: Ints, period: int) -> Ints:
    return -(-times // period) * period


def _span(prices: Ints, within: slice, empty: int) -> Span:
    """The touch over a period: it begins with what the period before left."""
    seen = prices[max(within.start - 1, 0) : within.stop]
    if not seen.size:
        return Span(empty, empty, empty, empty)
    return Span(int(seen[0]), int(seen.min()), int(seen.max()), int(seen[-1]))
