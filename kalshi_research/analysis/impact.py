"""How prices answer to taker orders: the impact curve, Kyle's lambda, order-flow imbalance."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

import numpy as np
import pandas as pd

from kalshi_research.analysis.estimates import (
    Estimate,
    Groups,
    Sample,
    fits,
    groups_of,
    means,
    sourced,
    table,
)
from kalshi_research.analysis.frames import Bools, Floats, Ints, at_instants, duration
from kalshi_research.analysis.spreads import Costs, Horizons
from kalshi_research.analysis.tape import changes, read_tape
from kalshi_research.analysis.timelines import Grid, Tops, durations, price_ticks, read_tops
from kalshi_research.errors import FrameError, InputError, quoted
from kalshi_research.money import COUNT_SCALE, PRICE_SCALE

__all__ = ["impact_curve", "kyle_lambda", "ofi_regression", "order_flow_imbalance"]

_MOST = 1e18  # contracts; nobody counts further
_SIZES = ("yes_bid_size", "yes_ask_size")


def impact_curve(
    trades: pd.DataFrame,
    quotes: pd.DataFrame,
    *,
    horizons: Horizons = "5min",
    sizes: Sequence[float] = (),
    by: str | None = "ticker",
    cluster: str | None = None,
) -> pd.DataFrame:
    """How far the mid moves after taker orders, by their size and by the time since.

    Parameters
    ----------
    trades : DataFrame
        Trades with the quote before each, as `join_quotes` makes them.
    quotes : DataFrame
        As for `quoted_spread`.
    horizons : str, Timedelta, or list of them, default "5min"
        Time since the order.
    sizes : sequence of float, optional
        Ascending sizes at which one class of orders ends and the next begins [contracts]. By
        default all orders are one class.
    by, cluster
        As for `effective_spread`.

    Returns
    -------
    DataFrame
        The columns of `effective_spread`, and after `parameter` (``impact`` [dollars]):

        ==================  ===============  ===================================================
        column              dtype            meaning
        ==================  ===============  ===================================================
        horizon             timedelta64[us]  time since the order
        size_from, size_to  float64          size of the orders: from, to below [contracts]
        ==================  ===============  ===================================================

        An observation is a taker order (see `parent_orders`), not a fill.

    Raises
    ------
    FrameError, InputError
        As for `trade_spreads`; also if `sizes` do not ascend.

    Notes
    -----
    ``q (m′ − m)``: from the mid before the order to that at the horizon, in the direction of the
    taker. It counts one way; `price_impact` of `spread_decomposition`, which belongs to a round
    trip, is twice as large.

    References
    ----------
    Bouchaud, Gefen, Potters and Wyart, "Fluctuations and response in financial markets",
    Quantitative Finance 4 (2004).

    Examples
    --------
    >>> import pandas as pd
    >>> time = pd.to_datetime(["2026-11-20T15:00Z", "2026-11-20T15:01Z"]).rename("time")
    >>> quotes = pd.DataFrame({"ticker": "T", "yes_bid": [0.40, 0.41], "yes_ask": [0.42, 0.44]},
    ...     index=time)
    >>> trade = pd.DataFrame({"ticker": "T", "yes_price": 0.42, "quantity": 80.0,
    ...     "taker_side": "yes", "yes_bid": 0.40, "yes_ask": 0.42},
    ...     index=time[:1] + pd.Timedelta("1s"))
    >>> curve = impact_curve(trade, quotes, horizons="59s", sizes=[50])
    >>> curve[["size_from", "size_to", "estimate"]].to_dict("list")
    {'size_from': [0.0, 50.0], 'size_to': [50.0, inf], 'estimate': [nan, 0.015]}
    """
    edges = _edges(sizes)
    costs = Costs.of(trades)
    later_mids = costs.mids_after(quotes, durations(horizons, "horizons"))
    groups = groups_of(costs.tape.names, by, cluster, [trades, quotes])
    first = np.flatnonzero(changes(costs.tape.parent))
    size = np.bincount(costs.tape.parent, costs.tape.count) / COUNT_SCALE
    found: list[Estimate] = []
    for reach, later in later_mids.items():
        every = costs.sample(costs.moved(later) / 2, "trades", reach).take(first)
        for low, high in pairwise(edges):
            more = {"horizon": np.timedelta64(reach, "us"), "size_from": low, "size_to": high}
            found += means(every.take((size >= low) & (size < high)), groups, "impact", "dollars", more)
    dtypes = {"horizon": "timedelta64[us]", "size_from": "float64", "size_to": "float64"}
    return table(found, groups, [trades, quotes], more=dtypes)


def _edges(sizes: Sequence[float]) -> list[float]:
    """Where the classes of orders begin and end [contracts]."""
    several = isinstance(sizes, Iterable) and getattr(sizes, "ndim", 1) == 1
    numeric = several and all(
        isinstance(size, int | float | np.number) and abs(size) < _MOST for size in sizes
    )
    edges = [0.0, *(float(size) for size in sizes), np.inf] if numeric else []
    if not numeric or not all(low < high for low, high in pairwise(edges)):
        raise InputError(f"sizes must be numbers that ascend from above 0, not {quoted(sizes, 60)}")
    return edges


def kyle_lambda(
    trades: pd.DataFrame,
    quotes: pd.DataFrame,
    *,
    interval: str | pd.Timedelta = "5min",
    by: str | None = "ticker",
    cluster: str | None = None,
) -> pd.DataFrame:
    """Kyle's λ: how far the mid moves for each contract bought on balance.

    Parameters
    ----------
    trades : DataFrame
        As for `tape_order`.
    quotes : DataFrame
        As for `quoted_spread`.
    interval : str or Timedelta, default "5min"
        Over which flow and price changes are taken; its ends are multiples of it since 1970.
    by, cluster
        As for `effective_spread`.

    Returns
    -------
    DataFrame
        The columns of `effective_spread`, and `r2` (float64) before `unit`. `parameter` is
        ``lambda`` [dollars/contract] and ``intercept`` [dollars]; `n` counts intervals.

    Raises
    ------
    FrameError
        As for `tape_order` and `quoted_spread`.
    InputError
        If `interval` is no length of time, or makes more than 10 million intervals.

    Notes
    -----
    Least squares of ``Δm = α + λ · (bought YES − bought NO) + u`` over intervals in which the mid
    is known at both ends. Intervals without a trade count: their flow is 0; markets
    without any are left out. The flow may answer
    to the price as well as the price to the flow; λ does not tell the two apart.

    References
    ----------
    Kyle, "Continuous auctions and insider trading", Econometrica 53 (1985). Estimated as in
    Hasbrouck, "Trading costs and returns for U.S. equities", J. Finance 64 (2009).

    Examples
    --------
    >>> import pandas as pd
    >>> time = pd.date_range("2026-11-20T15:00Z", periods=4, freq="min", name="time")
    >>> quotes = pd.DataFrame({"ticker": "T", "yes_bid": [0.40, 0.41, 0.40, 0.42],
    ...     "yes_ask": [0.42, 0.43, 0.42, 0.44]}, index=time)
    >>> trades = pd.DataFrame({"ticker": "T", "yes_price": 0.42, "quantity": [10.0, 10.0, 20.0],
    ...     "taker_side": ["yes", "no", "yes"]}, index=time[:3] + pd.Timedelta("1s"))
    >>> found = kyle_lambda(trades, quotes, interval="1min").set_index("parameter")["estimate"]
    >>> round(float(found["lambda"]), 6)
    0.001
    """
    length = duration(interval, "interval")
    tape = read_tape(trades)
    tops = read_tops(quotes, tape.names)
    grid = tops.line.grid(length)
    signed = np.where(tape.is_yes, tape.count, -tape.count) / COUNT_SCALE
    flow = grid.sums(tape.market, tape.time, signed)
    groups = groups_of(tape.names, by, cluster, [trades, quotes])
    found = _slopes(tops, grid, flow, groups, "lambda")
    return table(found, groups, [trades, quotes], r2=True)


def _slopes(tops: Tops, grid: Grid, flow: Floats, groups: Groups, parameter: str) -> list[Estimate]:
    """The regression of changes of the mid on a flow, interval by interval."""
    move = grid.moves(tops.at(tops.mids(), grid.market, grid.time))
    inner = ~grid.opens
    x = np.stack((flow, np.ones(flow.size)), axis=1)
    sample = Sample(grid.market, grid.time, move, x).take(inner)
    found = []
    for label, one in fits(sample, groups):
        slope, constant = one.beta.tolist()
        found += [
            Estimate(label, parameter, "dollars/contract", slope, one.se([1.0, 0.0]), one),
            Estimate(label, "intercept", "dollars", constant, one.se([0.0, 1.0]), one),
        ]
    return found


def order_flow_imbalance(quotes: pd.DataFrame) -> pd.DataFrame:
    """What each change at the top of the book adds to demand, less what it adds to supply.

    Parameters
    ----------
    quotes : DataFrame
        As for `quoted_spread`, with `yes_bid_size` and `yes_ask_size`. Every change of the top
        of the book must be a row: `replay_book` gives them all.

    Returns
    -------
    DataFrame
        One row for each row of `quotes`, ordered by time.

        ============  ===================  =====================================================
        column        dtype                meaning
        ============  ===================  =====================================================
        time          datetime64[us, UTC]  index
        ticker        str                  market
        ofi           float64              e: order-flow imbalance of the change [contracts]
        ============  ===================  =====================================================

        NaN at the first row of a market, and where a book is not known (neither side has a
        price) before or after the change.

    Raises
    ------
    FrameError
        If a column is missing, a price or a size cannot be one, or times have no zone.

    Notes
    -----
    ``e = 1{b ≥ b′} q − 1{b ≤ b′} q′ − 1{a ≤ a′} s + 1{a ≥ a′} s′`` with bid b and its size q, ask
    a and its size s, and a dash for the row before. An empty side is an infinitely bad price
    with size 0. Seen from the NO leg, e has the opposite sign.

    References
    ----------
    Cont, Kukanov and Stoikov, "The price impact of order book events", J. Financial
    Econometrics 12 (2014).

    Examples
    --------
    >>> import pandas as pd
    >>> time = pd.date_range("2026-11-20T15:00Z", periods=3, freq="s", name="time")
    >>> quotes = pd.DataFrame({"ticker": "T", "yes_bid": [0.40, 0.41, 0.41],
    ...     "yes_bid_size": [10.0, 5.0, 5.0], "yes_ask": 0.44, "yes_ask_size": [7.0, 7.0, 4.0]},
    ...     index=time)
    >>> order_flow_imbalance(quotes)["ofi"].tolist()
    [nan, 5.0, 3.0]
    """
    tops = read_tops(quotes, columns=("yes_bid", "yes_ask", *_SIZES))
    order = np.argsort(tops.line.time, kind="stable")
    frame = pd.DataFrame(
        {"ticker": tops.names.take(tops.line.market[order]), "ofi": _imbalance(tops)[order]},
        index=at_instants(tops.line.time[order]),
    )
    return sourced(frame, [quotes])


def ofi_regression(
    quotes: pd.DataFrame,
    *,
    interval: str | pd.Timedelta = "10s",
    by: str | None = "ticker",
    cluster: str | None = None,
) -> pd.DataFrame:
    """How far the mid moves for each contract of order-flow imbalance.

    Parameters
    ----------
    quotes : DataFrame
        As for `order_flow_imbalance`.
    interval : str or Timedelta, default "10s"
        As for `kyle_lambda`.
    by, cluster
        As for `effective_spread`.

    Returns
    -------
    DataFrame
        As `kyle_lambda`; `parameter` is ``slope`` [dollars/contract] and ``intercept`` [dollars].

    Raises
    ------
    FrameError, InputError
        As for `order_flow_imbalance` and `kyle_lambda`.

    Notes
    -----
    Least squares of ``Δm = α + β · Σ e + u`` over intervals. In a book with the same depth D at
    every price, β is one half of the tick over D.

    References
    ----------
    Cont, Kukanov and Stoikov, "The price impact of order book events", J. Financial
    Econometrics 12 (2014).

    Examples
    --------
    >>> import pandas as pd
    >>> time = pd.date_range("2026-11-20T15:00Z", periods=4, freq="10s", name="time")
    >>> quotes = pd.DataFrame({"ticker": "T", "yes_bid": [0.40, 0.41, 0.41, 0.40],
    ...     "yes_bid_size": 5.0, "yes_ask": [0.44, 0.45, 0.45, 0.44], "yes_ask_size": 5.0},
    ...     index=time)
    >>> found = ofi_regression(quotes).set_index("parameter")["estimate"]
    >>> round(float(found["slope"]), 6)
    0.001
    """
    length = duration(interval, "interval")
    tops = read_tops(quotes, columns=("yes_bid", "yes_ask", *_SIZES))
    grid = tops.line.grid(length)
    flow = grid.sums(tops.line.market, tops.line.time, _imbalance(tops))
    groups = groups_of(tops.names, by, cluster, [quotes])
    return table(_slopes(tops, grid, flow, groups, "slope"), groups, [quotes], r2=True)


def _imbalance(tops: Tops) -> Floats:
    """The order-flow imbalance of each row of the timeline [contracts]."""
    bid, has_bid = _quoted(tops, "yes_bid")
    ask, has_ask = _quoted(tops, "yes_ask")
    bid, ask = np.where(has_bid, bid, -1), np.where(has_ask, ask, PRICE_SCALE + 1)
    demand = _side(bid, _size(tops, _SIZES[0], has_bid))
    supply = _side(-ask, _size(tops, _SIZES[1], has_ask))
    known = has_bid | has_ask
    good = known & np.append(False, known[:-1])[: known.size] & ~changes(tops.line.market)
    return np.where(good, demand - supply, np.nan)


def _quoted(tops: Tops, name: str) -> tuple[Ints, Bools]:
    price, known = price_ticks(tops.frame, name, what="quotes")
    return price[tops.rows], known[tops.rows]


def _side(price: Ints, size: Floats) -> Floats:
    """What a change of the best price, higher being better, and of its size adds to a side."""
    before, had = np.roll(price, 1), np.roll(size, 1)
    return np.where(price >= before, size, 0.0) - np.where(price <= before, had, 0.0)


def _size(tops: Tops, name: str, quoted: Bools) -> Floats:
    value = tops.values(name)
    bad = quoted & ~(np.isfinite(value) & (value > 0))
    if bad.any():
        at = int(np.argmax(bad))
        raise FrameError(
            f"a {name} of quotes is {value[at]} where there is a price (row {tops.rows[at]}); "
            "a price without a size is no quote"
        )
    return np.where(quoted, value, 0.0)
