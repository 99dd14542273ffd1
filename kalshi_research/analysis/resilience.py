"""How fast the book fills up again after a large order."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from kalshi_research.analysis.estimates import Estimate, Sample, fits, groups_of, table
from kalshi_research.analysis.frames import require
from kalshi_research.analysis.tape import changes, read_tape
from kalshi_research.analysis.timelines import durations, read_tops
from kalshi_research.errors import FrameError, InputError, quoted
from kalshi_research.money import COUNT_SCALE

if TYPE_CHECKING:
    import pandas as pd

    from kalshi_research.analysis.frames import Bools, Floats, Ints
    from kalshi_research.analysis.spreads import Horizons
    from kalshi_research.analysis.tape import Tape
    from kalshi_research.analysis.timelines import Tops

__all__ = ["depth_resilience"]

_DEPTHS = (("yes_depth", "no_depth"), ("yes_bid_size", "yes_ask_size"))
_SECOND = 1_000_000
_MAKERS = "depth_within(book_history), quotes(book_history) and replay_book make such frames"


def depth_resilience(
    trades: pd.DataFrame,
    quotes: pd.DataFrame,
    *,
    horizons: Horizons = ("1s", "5s", "30s", "1min", "5min"),
    largest: float = 0.1,
    by: str | None = "ticker",
    cluster: str | None = None,
) -> pd.DataFrame:
    """What of the depth that large orders took is still missing some time later.

    Parameters
    ----------
    trades : DataFrame
        As for `tape_order`.
    quotes : DataFrame
        The depth on both sides, indexed by time, with `ticker` and either `yes_depth` and
        `no_depth` (`depth_within` of a book history) or `yes_bid_size` and `yes_ask_size` (the
        touch). A row holds until the next one of its market. Empty sides (NaN) have depth 0
        where the other side has some.
    horizons : list of str or Timedelta
        Time since the order.
    largest : float, default 0.1
        Share of the taker orders of each market, by size, that are large.
    by, cluster
        As for `effective_spread`.

    Returns
    -------
    DataFrame
        The columns of `effective_spread`, and `horizon` (timedelta64[us]) after `parameter`:

        =========  ====  ==================================================================
        parameter  unit  meaning
        =========  ====  ==================================================================
        shortfall  1     share of the depth taken that has not come back: 1 at once, 0 when
                         all of it is back, negative when there is more than before
        speed      1/s   κ of a recovery ``exp(−κ t)`` through that point
        =========  ====  ==================================================================

        An observation is a large order after which there was less depth than before.

    Raises
    ------
    FrameError
        As for `tape_order`; also if the quotes have no depth.
    InputError
        If an argument is none of its choices.

    Notes
    -----
    ``Σ (D₋ − Dₕ) / Σ (D₋ − D₊)`` over large orders, on the side that the taker met: D₋ strictly before
    the order, D₊ at its instant (with the changes it made), Dₕ at the horizon; and
    ``κ = −ln(shortfall) / h``, NaN where all of it is back, negative where still more is gone. Its
    standard error is that of a ratio. Horizons that reach another large order of the market are
    left out, as they would count its doing too. Markets recover by more than one clock: κ falls
    with the horizon then.

    At the touch an order that takes a whole level meets the next one, whose size is not a
    recovery; prefer the depth within some cents.

    References
    ----------
    Degryse, de Jong, van Ravenswaaij and Wuyts, "Aggressive orders and the resiliency of a
    limit order market", Review of Finance 9 (2005). Large, "Measuring the resiliency of an
    electronic limit order book", J. Financial Markets 10 (2007).

    Examples
    --------
    >>> import pandas as pd
    >>> time = pd.to_datetime(["2026-11-20T15:00:00Z", "2026-11-20T15:00:01Z",
    ...     "2026-11-20T15:00:05Z", "2026-11-20T15:01:00Z"]).rename("time")
    >>> depth = pd.DataFrame({"ticker": "T", "yes_depth": 100.0,
    ...     "no_depth": [100.0, 20.0, 60.0, 100.0]}, index=time)
    >>> trade = pd.DataFrame({"ticker": "T", "yes_price": 0.42, "quantity": 80.0,
    ...     "taker_side": "yes"}, index=time[1:2])
    >>> found = depth_resilience(trade, depth, horizons=["1s", "10s"], largest=1)
    >>> found.loc[found["parameter"] == "shortfall", "estimate"].tolist()
    [1.0, 0.5]
    """
    if isinstance(largest, bool) or not isinstance(largest, int | float) or not 0 < largest <= 1:
        raise InputError(f"largest must be a share above 0 up to 1, not {quoted(largest, 40)}")
    tape = read_tape(trades)
    require(quotes, ("ticker",), what="quotes", makers=_MAKERS)
    tops = read_tops(quotes, tape.names, _depth_columns(quotes))
    groups = groups_of(tape.names, by, cluster, [trades, quotes])
    order, following = _large_orders(tape, largest)
    market, time, is_yes = tape.market[order], tape.time[order], tape.is_yes[order]
    bids, asks = _depths(tops)

    def depth(when: Ints, *, before: bool = False) -> Floats:
        sides = (tops.at(side, market, when, before=before) for side in (asks, bids))
        return np.where(is_yes, *sides)

    level = depth(time, before=True)
    taken = level - depth(time)
    hit = (taken > 0) | np.isnan(taken)
    found: list[Estimate] = []
    for reach in durations(horizons, "horizons"):
        alone = hit & (time + reach < following)
        gap = level - depth(time + reach)
        with np.errstate(invalid="ignore", divide="ignore"):
            every = Sample(market, time, gap / taken, np.ones((gap.size, 1)), taken)
        more = {"horizon": np.timedelta64(reach, "us")}
        for label, one in fits(every.take(alone), groups):
            value, se = float(one.beta[0]), one.se([1.0])
            seconds = reach / _SECOND
            speed = -float(np.log(value)) / seconds if value > 0 else float("nan")
            reason = "all of the depth is back" if value <= 0 else None
            error = se / (value * seconds) if value > 0 else float("nan")
            found += [
                Estimate(label, "shortfall", "1", value, se, one, more=more),
                Estimate(label, "speed", "1/s", speed, error, one, reason, more),
            ]
    return table(found, groups, [trades, quotes], more={"horizon": "timedelta64[us]"})


def _depth_columns(quotes: pd.DataFrame) -> tuple[str, str]:
    for pair in _DEPTHS:
        if all(name in quotes.columns for name in pair):
            return pair
    pairs = ", or ".join(" and ".join(pair) for pair in _DEPTHS)
    raise FrameError(f"the quotes need the depth of both sides, as columns {pairs}; {_MAKERS}")


def _depths(tops: Tops) -> tuple[Floats, Floats]:
    """The depth of bids and of asks along the timeline [contracts]; NaN while neither is known."""
    names = _depth_columns(tops.frame)
    bids, asks = (tops.values(name) for name in names)
    for name, side in zip(names, (bids, asks), strict=True):
        bad = (side < 0) | np.isinf(side)
        if bad.any():
            raise FrameError(f"a {name} of quotes cannot be a depth: {side[int(np.argmax(bad))]}")
    known = ~(np.isnan(bids) & np.isnan(asks))
    empty: list[Bools] = [np.isnan(side) & known for side in (bids, asks)]
    return np.where(empty[0], 0.0, bids), np.where(empty[1], 0.0, asks)


def _large_orders(tape: Tape, largest: float) -> tuple[Ints, Ints]:
    """The first trade of each large order, and the time of the next one of its market [µs]."""
    first = np.flatnonzero(changes(tape.parent))
    size = np.bincount(tape.parent, tape.count) / COUNT_SCALE
    market = tape.market[first]
    by_size = np.lexsort((size, market))
    edges = np.searchsorted(market[by_size], np.arange(len(tape.names) + 1))
    count = np.diff(edges)
    # The smallest size that is large in each market; orders of that very size are large too.
    place = edges[:-1] + np.clip(count - np.ceil(count * largest).astype(np.int64), 0, None)
    least = size[by_size[place]] if first.size else np.zeros(0)
    large = first[size >= least[market]]
    time, kind = tape.time[large], tape.market[large]
    following = np.full(large.size, np.iinfo(np.int64).max)
    same = kind[1:] == kind[:-1]
    following[:-1][same] = time[1:][same]
    return large, following
