"""How much rests, and where: the ladder itself and sums over it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from kalshi_research.book.levels import Bools, Ladders, as_levels, as_ticks, ladders, ratio
from kalshi_research.errors import InputError
from kalshi_research.money import COUNT_SCALE, MONEY_SCALE, PRICE_SCALE

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["book_notional", "cumulative", "depth_curve", "depth_within", "imbalance", "no_view"]


def cumulative(book: pd.DataFrame) -> pd.DataFrame:
    """The book in order, best first, with `level` and `cumulative` computed anew.

    Use it for a book that was filtered, changed or put together by hand.

    Parameters
    ----------
    book : DataFrame
        At least ticker, side, price, quantity; `time` makes it a history.

    Returns
    -------
    DataFrame
        RangeIndex; by ticker as asked, bids best first, then asks best first.

        ==========  ========  ========================================================
        column      dtype     meaning [unit]
        ==========  ========  ========================================================
        time        datetime  instant of the book; in a history only
        ticker      category  categories are all books, also empty ones
        side        category  bid or ask
        level       int64     0 for the best
        price       float64   YES price [dollars]
        quantity    float64   resting there [contracts]
        cumulative  float64   resting there or better [contracts]
        ==========  ========  ========================================================

    Examples
    --------
    >>> import pandas as pd
    >>> book = pd.DataFrame({"ticker": "T", "side": ["bid", "bid", "ask"],
    ...                      "price": [0.41, 0.42, 0.44], "quantity": [10.0, 13.0, 17.0]})
    >>> cumulative(book)
      ticker side  level  price  quantity  cumulative
    0      T  bid      0   0.42      13.0        13.0
    1      T  bid      1   0.41      10.0        23.0
    2      T  ask      0   0.44      17.0        17.0
    """
    return _level_frame(ladders(book))


def no_view(book: pd.DataFrame) -> pd.DataFrame:
    """The book as somebody sees it who trades NO.

    Every YES bid at p is a NO ask at 1 − p, and every YES ask a NO bid; the same
    contracts rest, seen from the other leg. Taking the view twice gives the book back,
    exactly. ``attrs["leg"]`` says ``"no"``, so that plots name the right price.

    The functions of this package answer for the NO contract then; `quotes` gives every price
    under the name of its own leg, as it does for the book itself.

    Parameters
    ----------
    book : DataFrame
        Levels of one book, of many tickers, or of a book history.

    Returns
    -------
    DataFrame
        The columns of `cumulative`, with `price` the NO price [dollars].

    Examples
    --------
    >>> import pandas as pd
    >>> book = pd.DataFrame({"ticker": "T", "side": ["bid", "ask"],
    ...                      "price": [0.42, 0.44], "quantity": [13.0, 17.0]})
    >>> no_view(book)[["side", "price", "quantity"]]
      side  price  quantity
    0  bid   0.56      17.0
    1  ask   0.58      13.0
    """
    levels = ladders(book)
    flipped = levels.segment ^ 1
    order = np.argsort(flipped, kind="stable")
    sizes = np.diff(levels.start).reshape(-1, 2)[:, ::-1].ravel()
    attrs = dict(levels.attrs)
    if attrs.pop("leg", "yes") == "yes":
        attrs["leg"] = "no"
    return _level_frame(
        replace(
            levels,
            segment=flipped[order],
            price=(PRICE_SCALE - levels.price)[order],
            count=levels.count[order],
            start=np.concatenate(([0], np.cumsum(sizes))),
            attrs=attrs,
        )
    )


def depth_curve(book: pd.DataFrame) -> pd.DataFrame:
    """How much rests within each distance of the best price, side by side.

    Parameters
    ----------
    book : DataFrame
        Levels of one book, of many tickers, or of a book history.

    Returns
    -------
    DataFrame
        RangeIndex, one row per level, best first.

        ==========  ========  ========================================================
        column      dtype     meaning [unit]
        ==========  ========  ========================================================
        time        datetime  instant of the book; in a history only
        ticker      category  categories are all books, also empty ones
        side        category  bid or ask
        price       float64   YES price [dollars]
        distance    float64   behind the best price of the same side, ≥ 0 [dollars]
        quantity    float64   resting there [contracts]
        cumulative  float64   resting there or better [contracts]
        ==========  ========  ========================================================

    Examples
    --------
    >>> import pandas as pd
    >>> book = pd.DataFrame({"ticker": "T", "side": ["bid", "bid", "ask"],
    ...                      "price": [0.42, 0.35, 0.44], "quantity": [13.0, 11.0, 17.0]})
    >>> depth_curve(book)
      ticker side  price  distance  quantity  cumulative
    0      T  bid   0.42      0.00      13.0        13.0
    1      T  bid   0.35      0.07      11.0        24.0
    2      T  ask   0.44      0.00      17.0        17.0
    """
    levels = ladders(book)
    return levels.level_frame(
        {
            "price": ratio(levels.price, PRICE_SCALE),
            "distance": ratio(levels.distance(), PRICE_SCALE),
            "quantity": ratio(levels.count, COUNT_SCALE),
            "cumulative": ratio(levels.running(levels.count), COUNT_SCALE),
        }
    )


def depth_within(book: pd.DataFrame, dollars: float | str = 0.05) -> pd.DataFrame:
    """Contracts bid on each leg within a distance of that leg's best bid.

    Parameters
    ----------
    book : DataFrame
        Levels of one book, of many tickers, or of a book history.
    dollars : float or str, default 0.05
        The distance [dollars]. A level exactly that far away belongs to it; distances
        are compared as integers.

    Returns
    -------
    DataFrame
        One row per book as in `quotes`: `yes_depth` and `no_depth`, float64 [contracts].
        0 where nobody bids: no contracts is a count, not a missing one.

    Raises
    ------
    InputError
        If `dollars` is negative, not a number, or finer than $0.0001.

    Examples
    --------
    >>> import pandas as pd
    >>> book = pd.DataFrame({"ticker": "T", "side": ["bid", "bid", "bid", "ask"],
    ...                      "price": [0.42, 0.37, 0.36, 0.44], "quantity": [13.0, 10.0, 5.0, 17.0]})
    >>> depth_within(book, dollars=0.05).reset_index()
      ticker  yes_depth  no_depth
    0      T       23.0      17.0
    """
    ticks = as_ticks(dollars, "dollars")
    levels = ladders(book)
    total = levels.total(np.where(levels.distance() <= ticks, levels.count, 0))
    return levels.book_frame(
        {
            "yes_depth": ratio(total[0::2], COUNT_SCALE),
            "no_depth": ratio(total[1::2], COUNT_SCALE),
        }
    )


def imbalance(
    book: pd.DataFrame, *, levels: int | None = None, within: float | str | None = None
) -> pd.DataFrame:
    """How much more rests to buy YES than to sell it, from −1 to 1.

    Parameters
    ----------
    book : DataFrame
        Levels of one book, of many tickers, or of a book history.
    levels : int, optional
        Count this many levels of each side. Without either choice: 1, the touch.
    within : float or str, optional
        Count what lies within this distance of the best price of its side [dollars],
        boundary included.

    Returns
    -------
    DataFrame
        One row per book as in `quotes`: `bid_quantity`, `ask_quantity` [contracts] and
        `imbalance`, (bid − ask) / (bid + ask), float64. A one-sided book gives ±1, an
        empty one NaN.

    Raises
    ------
    InputError
        If both choices are made, or one makes no sense.

    Examples
    --------
    >>> import pandas as pd
    >>> book = pd.DataFrame({"ticker": "T", "side": ["bid", "bid", "ask"],
    ...                      "price": [0.42, 0.41, 0.44], "quantity": [30.0, 10.0, 10.0]})
    >>> imbalance(book).reset_index()
      ticker  bid_quantity  ask_quantity  imbalance
    0      T          30.0          10.0        0.5
    >>> imbalance(book, within=0.05)["imbalance"].item()
    0.6
    """
    found = ladders(book)
    total = found.total(np.where(_near(found, levels, within), found.count, 0))
    bid, ask = total[0::2], total[1::2]
    return found.book_frame(
        {
            "bid_quantity": ratio(bid, COUNT_SCALE),
            "ask_quantity": ratio(ask, COUNT_SCALE),
            "imbalance": ratio(bid - ask, bid + ask, bid + ask > 0),
        }
    )


def _near(found: Ladders, levels: int | None, within: float | str | None) -> Bools:
    if levels is not None and within is not None:
        raise InputError("choose either levels= or within=, not both")
    if within is not None:
        return found.distance() <= as_ticks(within, "within")
    return found.level() < as_levels(1 if levels is None else levels)


def book_notional(book: pd.DataFrame) -> pd.DataFrame:
    """The money that the resting orders would pay if all of them were filled.

    A YES bid at p ties up p dollars a contract, a YES ask at p (a NO bid at 1 − p) ties
    up 1 − p.

    Parameters
    ----------
    book : DataFrame
        Levels of one book, of many tickers, or of a book history.

    Returns
    -------
    DataFrame
        One row per book as in `quotes`: `yes_notional` (bids for YES), `no_notional`
        (bids for NO) and their sum `notional`, float64 [dollars]. 0 where nobody bids.

    Examples
    --------
    >>> import pandas as pd
    >>> book = pd.DataFrame({"ticker": "T", "side": ["bid", "ask"],
    ...                      "price": [0.42, 0.44], "quantity": [100.0, 10.0]})
    >>> book_notional(book).reset_index()
      ticker  yes_notional  no_notional  notional
    0      T          42.0          5.6      47.6
    """
    levels = ladders(book)
    paid = np.where(levels.is_ask, PRICE_SCALE - levels.price, levels.price)
    total = levels.total(paid * levels.count)
    yes, no = total[0::2], total[1::2]
    return levels.book_frame(
        {
            "yes_notional": ratio(yes, MONEY_SCALE),
            "no_notional": ratio(no, MONEY_SCALE),
            "notional": ratio(yes + no, MONEY_SCALE),
        }
    )


def _level_frame(levels: Ladders) -> pd.DataFrame:
    return levels.level_frame(
        {
            "level": levels.level(),
            "price": ratio(levels.price, PRICE_SCALE),
            "quantity": ratio(levels.count, COUNT_SCALE),
            "cumulative": ratio(levels.running(levels.count), COUNT_SCALE),
        }
    )
