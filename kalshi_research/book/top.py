"""The top of the book: best prices of both legs, spread, mid, microprice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from kalshi_research.book.levels import Ladders, as_levels, ladders, ratio
from kalshi_research.money import COUNT_SCALE, PRICE_SCALE

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["microprice", "quotes", "spread"]


_SIDES = tuple(
    f"{leg}_{side}{what}" for leg in ("yes", "no") for side in ("bid", "ask") for what in ("", "_size")
)


def quotes(book: pd.DataFrame) -> pd.DataFrame:
    """Best bid and ask of both legs, with sizes, spread, mid and microprice.

    Parameters
    ----------
    book : DataFrame
        Levels of one book, of many tickers, or of a book history (with a column `time`).

    Returns
    -------
    DataFrame
        One row per book, indexed by `ticker`; a history is indexed by `time` and has
        `ticker` as first column.

        ============================  =======  ==========================================
        column                        dtype    meaning [unit]
        ============================  =======  ==========================================
        yes_bid, yes_bid_size         float64  best YES bid [dollars], [contracts]
        yes_ask, yes_ask_size         float64  best YES ask: 1 − best NO bid, and its size
        no_bid, no_bid_size           float64  best NO bid: 1 − best YES ask, and its size
        no_ask, no_ask_size           float64  best NO ask: 1 − best YES bid, and its size
        spread                        float64  ask − bid, the same on both legs [dollars]
        mid                           float64  (bid + ask) / 2 of YES, or of NO for a
                                               book of `no_view` [dollars]
        microprice                    float64  bid and ask of that leg, each weighted by
                                               the size of the *other* side [dollars]
        ============================  =======  ==========================================

    Notes
    -----
    *Empty side*: its price and size are NaN, and so is whatever needs both sides; a
    book without any level keeps its row when `ticker` is categorical, and in a history
    when `time` is categorical too. *Sentinel*: a level at 0 or 1 dollar without a
    quantity is how the exchange writes an empty side; it counts as no level.
    *Crossed* (best bid above best ask) or *locked* (equal): such a book cannot rest on
    the exchange; it is stale or mixed. The numbers are given as they are, and a
    `spread` ≤ 0 is the mark.

    Raises
    ------
    FrameError
        If a column is missing, a price is NaN, outside 0–1 dollar or finer than
        $0.0001, a quantity is not positive, or two levels share a price.

    Examples
    --------
    >>> import pandas as pd
    >>> book = pd.DataFrame({"ticker": "T", "side": ["bid", "bid", "ask"],
    ...                      "price": [0.42, 0.41, 0.44], "quantity": [13.0, 10.0, 17.0]})
    >>> quotes(book)[["yes_bid", "yes_ask", "no_bid", "no_ask", "spread"]].reset_index()
      ticker  yes_bid  yes_ask  no_bid  no_ask  spread
    0      T     0.42     0.44    0.56    0.58    0.02
    """
    levels = ladders(book)
    price, count, resting = levels.best()
    bid, ask = price[0::2], price[1::2]
    bid_size = ratio(count[0::2], COUNT_SCALE, resting[0::2])
    ask_size = ratio(count[1::2], COUNT_SCALE, resting[1::2])
    both = resting[0::2] & resting[1::2]
    leg, other = ("no", "yes") if levels.attrs.get("leg") == "no" else ("yes", "no")
    sides = {
        f"{leg}_bid": ratio(bid, PRICE_SCALE, resting[0::2]),
        f"{leg}_bid_size": bid_size,
        f"{leg}_ask": ratio(ask, PRICE_SCALE, resting[1::2]),
        f"{leg}_ask_size": ask_size,
        f"{other}_bid": ratio(PRICE_SCALE - ask, PRICE_SCALE, resting[1::2]),
        f"{other}_bid_size": ask_size,
        f"{other}_ask": ratio(PRICE_SCALE - bid, PRICE_SCALE, resting[0::2]),
        f"{other}_ask_size": bid_size,
    }
    return levels.book_frame(
        {
            **{name: sides[name] for name in _SIDES},
            "spread": ratio(ask - bid, PRICE_SCALE, both),
            "mid": ratio(bid + ask, 2 * PRICE_SCALE, both),
            "microprice": _weighted(levels, count),
        }
    )


def spread(book: pd.DataFrame) -> pd.DataFrame:
    """Bid, ask and spread of the YES leg and of the NO leg.

    The two spreads are always equal, because each leg's ask is one dollar less the
    other's bid.

    Parameters
    ----------
    book : DataFrame
        Levels of one book, of many tickers, or of a book history.

    Returns
    -------
    DataFrame
        One row per book as in `quotes`: yes_bid, yes_ask, yes_spread, no_bid, no_ask,
        no_spread, float64 [dollars]. NaN where a side is empty, ≤ 0 where the book is
        crossed or locked.

    Examples
    --------
    >>> import pandas as pd
    >>> book = pd.DataFrame({"ticker": "T", "side": ["bid", "ask"],
    ...                      "price": [0.42, 0.44], "quantity": [13.0, 17.0]})
    >>> spread(book)[["yes_spread", "no_spread"]].reset_index()
      ticker  yes_spread  no_spread
    0      T        0.02       0.02
    """
    found = quotes(book)
    found["yes_spread"] = found["no_spread"] = found["spread"]
    names = ["yes_bid", "yes_ask", "yes_spread", "no_bid", "no_ask", "no_spread"]
    return found[["ticker", *names] if "ticker" in found else names]


def microprice(book: pd.DataFrame, levels: int = 1) -> pd.DataFrame:
    """The mid, and the mid tilted towards the side that is about to be used up.

    Best bid and best ask are averaged, each weighted by the quantity that rests on
    the *other* side, because a long queue of bids next to a short queue of asks makes
    an upward move the likelier next one.

    Parameters
    ----------
    book : DataFrame
        Levels of one book, of many tickers, or of a book history.
    levels : int, default 1
        How many levels of each side give the weights.

    Returns
    -------
    DataFrame
        One row per book as in `quotes`: `mid` and `microprice`, float64 [dollars]; NaN
        unless both sides are there.

    Examples
    --------
    >>> import pandas as pd
    >>> book = pd.DataFrame({"ticker": "T", "side": ["bid", "ask"],
    ...                      "price": [0.40, 0.50], "quantity": [30.0, 10.0]})
    >>> microprice(book).reset_index()
      ticker   mid  microprice
    0      T  0.45       0.475
    """
    wanted = as_levels(levels)
    found = ladders(book)
    price, _, resting = found.best()
    both = resting[0::2] & resting[1::2]
    weight = found.total(np.where(found.level() < wanted, found.count, 0))
    return found.book_frame(
        {
            "mid": ratio(price[0::2] + price[1::2], 2 * PRICE_SCALE, both),
            "microprice": _weighted(found, weight),
        }
    )


def _weighted(levels: Ladders, weight: np.ndarray) -> np.ndarray:
    price, _, resting = levels.best()
    numerator = price[0::2] * weight[1::2] + price[1::2] * weight[0::2]
    both = resting[0::2] & resting[1::2]
    return ratio(numerator, PRICE_SCALE * (weight[0::2] + weight[1::2]), both)
