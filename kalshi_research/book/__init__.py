"""Order-book analytics: pure functions on a level frame, exact to the last digit.

A level frame has the columns ``ticker, side, level, price, quantity, cumulative``; it
holds one book, the books of many tickers, or, with a further column ``time``, a book
history. ``side`` is ``bid`` or ``ask`` and ``price`` is the YES price: a NO bid at q is
the YES ask at 1 − q. Prices and quantities are worked on as integers and divided once.

What gives one row per book is indexed by ``ticker``, for a history by ``time`` with
``ticker`` as a column. Every result keeps the ``attrs`` of the book.
"""

from __future__ import annotations

from kalshi_research.book.depth import (
    book_notional,
    cumulative,
    depth_curve,
    depth_within,
    imbalance,
    no_view,
)
from kalshi_research.book.sweep import fill_cost
from kalshi_research.book.top import microprice, quotes, spread

__all__ = [
    "book_notional",
    "cumulative",
    "depth_curve",
    "depth_within",
    "fill_cost",
    "imbalance",
    "microprice",
    "no_view",
    "quotes",
    "spread",
]
