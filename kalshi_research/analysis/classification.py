"""Who started a trade, inferred from prices, and how often that is right.

The exchange records the taker's side, so nothing needs to be inferred from its data. The rules
are here to be judged against the recorded side, and for comparison with markets that have none.
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
import pandas as pd

from kalshi_research.analysis.frames import Bools, Floats, with_attrs
from kalshi_research.analysis.tape import Tape, changes, read_tape, side_names
from kalshi_research.analysis.timelines import price_ticks
from kalshi_research.analysis.trade_quotes import join_quotes
from kalshi_research.book.levels import ratio
from kalshi_research.errors import FrameError, InputError, quoted

__all__ = ["classification_accuracy", "quote_rule", "tick_rule"]

Order = Literal["tape", "given"]

_MAKERS = "tick_rule and quote_rule make such frames"


def tick_rule(trades: pd.DataFrame, *, order: Order = "tape") -> pd.DataFrame:
    """Infer the taker's side from the last move of the price.

    A trade above the last different price is taken for a purchase of YES, one below for a
    purchase of NO.

    Parameters
    ----------
    trades : DataFrame
        As for `tape_order`.
    order : {"tape", "given"}, default "tape"
        What comes before what: the order of execution, or, for comparison, the rows as they
        stand inside each instant.

    Returns
    -------
    DataFrame
        The trades in that order and `inferred_side` (str): ``yes``, ``no``, or missing before
        the price of a market has moved.

    Raises
    ------
    FrameError
        As for `tape_order`.

    Notes
    -----
    `tape_order` uses the recorded side of the taker to order the fills of one order. So the
    accuracy in that order is what the rule reaches where the sequence is known; it is no
    estimate for data that lack the side. For those, ``order="given"`` is the honest figure.

    References
    ----------
    Lee and Ready, "Inferring trade direction from intraday data", J. Finance 46 (1991).

    Examples
    --------
    >>> import pandas as pd
    >>> time = pd.date_range("2026-11-20T15:00Z", periods=3, freq="min", name="time")
    >>> trades = pd.DataFrame({"ticker": "T", "yes_price": [0.42, 0.44, 0.44], "quantity": 1.0,
    ...     "taker_side": "yes"}, index=time)
    >>> tick_rule(trades)["inferred_side"].tolist()
    [nan, 'yes', 'yes']
    """
    if order not in get_args(Order):
        raise InputError(f"order must be 'tape' or 'given', not {quoted(order, 40)}")
    tape = read_tape(trades, as_given=order == "given")
    moved = changes(tape.price) & ~tape.begins
    here = np.arange(moved.size)
    latest = np.maximum.accumulate(np.where(moved, here, -1)) if moved.size else here
    begin = here - tape.place_in_market()
    before = tape.price[np.maximum(latest - 1, 0)]
    inferred = side_names(tape.price > before, latest >= begin)
    if order == "given":
        return tape.trades({"inferred_side": inferred})
    return tape.trades(
        {
            "sequence": tape.place_in_market(),
            "parent": tape.parent_by_time(),
            "inferred_side": inferred,
        }
    )


def quote_rule(
    trades: pd.DataFrame,
    quotes: pd.DataFrame | None = None,
    *,
    tolerance: str | pd.Timedelta | None = None,
) -> pd.DataFrame:
    """Infer the taker's side from the quote before the trade.

    A trade above the mid is taken for a purchase of YES, one below for a purchase of NO.

    Parameters
    ----------
    trades : DataFrame
        As for `tape_order`; or what `join_quotes` returned, and no `quotes`.
    quotes, tolerance : optional
        As for `join_quotes`.

    Returns
    -------
    DataFrame
        As `join_quotes`, and `inferred_side` (str): ``yes``, ``no``, or missing at the mid and
        where no quote is known. Where one side of the book was empty, a trade at the other
        side's price or beyond is classified too.

    Raises
    ------
    FrameError, InputError
        As for `join_quotes`.

    Examples
    --------
    >>> import pandas as pd
    >>> time = pd.to_datetime(["2026-11-20T15:00:00Z", "2026-11-20T15:00:07Z"]).rename("time")
    >>> quotes = pd.DataFrame({"ticker": "T", "yes_bid": 0.40, "yes_ask": 0.42}, index=time[:1])
    >>> trade = pd.DataFrame({"ticker": "T", "yes_price": 0.42, "quantity": 5.0,
    ...     "taker_side": "yes"}, index=time[1:])
    >>> quote_rule(trade, quotes)["inferred_side"].tolist()
    ['yes']
    """
    if quotes is not None:
        joined = join_quotes(trades, quotes, tolerance=tolerance)
    elif not isinstance(trades, pd.DataFrame) or not {"yes_bid", "yes_ask"} <= set(trades.columns):
        raise FrameError(
            "the trades have no quotes (columns yes_bid and yes_ask); "
            "give quotes=, or trades that join_quotes returned"
        )
    elif tolerance is not None:
        raise InputError("tolerance goes with quotes=; these trades have been joined before")
    else:
        joined = trades
    tape = read_tape(joined)
    bid, has_bid = _quoted(tape, "yes_bid")
    ask, has_ask = _quoted(tape, "yes_ask")
    both = has_bid & has_ask
    twice = 2 * tape.price.astype(np.float64)
    above = np.where(both, twice > bid + ask, has_ask & (tape.price >= ask))
    below = np.where(both, twice < bid + ask, has_bid & (tape.price <= bid))
    inferred = side_names(above, above != below)
    frame = tape.trades(
        {"sequence": tape.place_in_market(), "parent": tape.parent_by_time(), "inferred_side": inferred}
    )
    return with_attrs(frame, joined)


def _quoted(tape: Tape, name: str) -> tuple[Floats, Bools]:
    """A quoted price along the tape [1/10 000 dollar], and whether there is one."""
    ticks, known = price_ticks(tape.frame, name, what="trades with quotes")
    return ticks[tape.rows].astype(np.float64), known[tape.rows]


def classification_accuracy(classified: pd.DataFrame) -> pd.DataFrame:
    """How often the inferred side is the recorded one.

    Parameters
    ----------
    classified : DataFrame
        Trades with `inferred_side`, from `tick_rule` or `quote_rule`.

    Returns
    -------
    DataFrame
        Rows ``yes``, ``no`` and ``all``, by the recorded side (index `taker_side`).

        ==================  =======  ======================================================
        column              dtype    meaning
        ==================  =======  ======================================================
        trades              int64    number of trades
        classified          int64    of them with an inferred side
        correct             int64    of those with the recorded one
        coverage            float64  classified / trades
        accuracy            float64  correct / classified
        accuracy_contracts  float64  the same, each trade weighted by its quantity
        ==================  =======  ======================================================

    Raises
    ------
    FrameError
        If `inferred_side` is missing.

    Examples
    --------
    >>> import pandas as pd
    >>> time = pd.date_range("2026-11-20T15:00Z", periods=3, freq="min", name="time")
    >>> trades = pd.DataFrame({"ticker": "T", "yes_price": [0.42, 0.44, 0.43], "quantity": 1.0,
    ...     "taker_side": "yes"}, index=time)
    >>> classification_accuracy(tick_rule(trades)).loc["all", ["classified", "accuracy"]].tolist()
    [2.0, 0.5]
    """
    if isinstance(classified, pd.DataFrame) and "inferred_side" not in classified.columns:
        raise FrameError(f"the frame lacks the column inferred_side; {_MAKERS}")
    tape = read_tape(classified)
    said = tape.frame["inferred_side"].take(tape.rows)
    known = said.notna().to_numpy()
    unknown_word = known & ~said.isin(["yes", "no"]).to_numpy(dtype=np.bool_)
    if unknown_word.any():
        word = said.iloc[int(np.argmax(unknown_word))]
        raise FrameError(f"inferred_side must be 'yes' or 'no', not {quoted(word, 40)}")
    correct = known & ((said == "yes").to_numpy(dtype=np.bool_, na_value=False) == tape.is_yes)
    rows = []
    for mine in (tape.is_yes, ~tape.is_yes, np.ones(known.size, dtype=np.bool_)):
        counts = [int((mine & part).sum()) for part in (mine, known, correct)]
        weights = [int(tape.count[mine & part].sum()) for part in (known, correct)]
        rows.append((*counts, *weights))
    total, found, right, weight, right_weight = np.array(rows, dtype=np.int64).T
    frame = pd.DataFrame(
        {
            "trades": total,
            "classified": found,
            "correct": right,
            "coverage": ratio(found, total, total > 0),
            "accuracy": ratio(right, found, found > 0),
            "accuracy_contracts": ratio(right_weight, weight, weight > 0),
        },
        index=pd.Index(["yes", "no", "all"], name="taker_side", dtype="str"),
    )
    return with_attrs(frame, classified)
