"""Realised variance by sampling interval: how much of it is noise of the microstructure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from kalshi_research.analysis.estimates import Estimate, Sample, groups_of, means, table
from kalshi_research.analysis.tape import read_tape
from kalshi_research.analysis.timelines import Timeline, Tops, durations, read_tops
from kalshi_research.errors import InputError, quoted
from kalshi_research.money import PRICE_SCALE

if TYPE_CHECKING:
    import pandas as pd

    from kalshi_research.analysis.frames import Floats
    from kalshi_research.analysis.spreads import Horizons

__all__ = ["volatility_signature"]

_HOUR = 3_600_000_000
_PRICES = ("mid", "yes_price")


def volatility_signature(
    prices: pd.DataFrame,
    *,
    intervals: Horizons = ("1s", "5s", "15s", "1min", "5min", "15min"),
    price: str = "mid",
    by: str | None = "ticker",
    cluster: str | None = None,
) -> pd.DataFrame:
    """Realised variance per hour, sampled at shorter and longer intervals.

    Parameters
    ----------
    prices : DataFrame
        Quotes, as for `quoted_spread`; or trades, as for `tape_order`.
    intervals : list of str or Timedelta
        Between samples; their ends are multiples of them since 1970.
    price : {"mid", "yes_price"}
        The mid of quotes, or the last price of trades.
    by, cluster
        As for `effective_spread`.

    Returns
    -------
    DataFrame
        The columns of `effective_spread`, and `interval` (timedelta64[us]) after `parameter`,
        which is ``realised_variance`` [dollars²/hour].

    Raises
    ------
    FrameError, InputError
        As for `quoted_spread`, `tape_order` and `kyle_lambda`.

    Notes
    -----
    The mean of ``(p(t) − p(t − Δ))²``, over the length of Δ in hours, with the price that held at t.
    A price without noise gives the same at every Δ. Noise of variance η² that does not last
    adds ``2η² / Δ``, so that the curve rises to the left; a price that follows late falls there.

    References
    ----------
    Andersen, Bollerslev, Diebold and Labys, "Great realizations", Risk 13 (2000). Hansen and
    Lunde, "Realized variance and market microstructure noise", J. Business & Economic
    Statistics 24 (2006).

    Examples
    --------
    >>> import pandas as pd
    >>> time = pd.date_range("2026-11-20T15:00Z", periods=5, freq="min", name="time")
    >>> quotes = pd.DataFrame({"ticker": "T", "yes_bid": [0.40, 0.42, 0.40, 0.42, 0.40],
    ...     "yes_ask": [0.44, 0.46, 0.44, 0.46, 0.44]}, index=time)
    >>> volatility_signature(quotes, intervals=["1min", "2min"])["estimate"].round(4).tolist()
    [0.024, 0.0]
    """
    if price not in _PRICES:
        raise InputError(f"price must be one of {_PRICES}, not {quoted(price, 40)}")
    value: Floats
    if price == "mid":
        tops = read_tops(prices)
        value = tops.mids()
    else:
        tape = read_tape(prices)
        line = Timeline(tape.market, tape.time, len(tape.names))
        tops, value = Tops(tape.frame, tape.rows, tape.names, line), tape.price / PRICE_SCALE
    groups = groups_of(tops.names, by, cluster, [prices])
    found: list[Estimate] = []
    for length in durations(intervals, "intervals"):
        grid = tops.line.grid(length)
        move = grid.moves(tops.at(value, grid.market, grid.time))
        rate = move**2 * (_HOUR / length)
        sample = Sample(grid.market, grid.time, rate, np.ones((rate.size, 1))).take(~grid.opens)
        more = {"interval": np.timedelta64(length, "us")}
        found += means(sample, groups, "realised_variance", "dollars^2/hour", more)
    return table(found, groups, [prices], more={"interval": "timedelta64[us]"})
