"""What trading costs: quoted, effective and realised spread, and the price impact between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from kalshi_research.analysis.estimates import Estimate, Sample, groups_of, means, sourced, table
from kalshi_research.analysis.frames import Floats, with_attrs
from kalshi_research.analysis.tape import Tape, changes, read_tape
from kalshi_research.analysis.timelines import durations, mids, price_ticks, read_tops
from kalshi_research.book.levels import ratio
from kalshi_research.errors import InputError, quoted
from kalshi_research.money import COUNT_SCALE, PRICE_SCALE

__all__ = ["effective_spread", "quoted_spread", "spread_decomposition", "trade_spreads"]

Horizons: TypeAlias = str | pd.Timedelta | Sequence[str | pd.Timedelta]

_WEIGHTS = ("trades", "contracts")
_SECOND = 1_000_000


def quoted_spread(quotes: pd.DataFrame) -> pd.DataFrame:
    """The quoted spread of each market, averaged over time.

    Parameters
    ----------
    quotes : DataFrame
        Top of the book, indexed by time, with `ticker`, `yes_bid` and `yes_ask`, as
        ``quotes(book_history)`` and `replay_book` make it. A row holds until the next one of
        its market; the last one only ends the record.

    Returns
    -------
    DataFrame
        ============  =======  =============================================================
        column        dtype    meaning
        ============  =======  =============================================================
        ticker        str      index: market
        estimate      float64  ask − bid, averaged over the time with both sides [dollars]
        seconds       float64  length of the record [s]
        two_sided     float64  share of it with both sides, not crossed or locked
        crossed       float64  share of it with bid ≥ ask: a stale or mixed book
        n             int64    number of rows
        ============  =======  =============================================================

        NaN where a market has no time, or no time with both sides.

    Raises
    ------
    FrameError
        If a column is missing, times have no zone, or a price cannot be one.

    Notes
    -----
    ``Σ (ask − bid) Δt / Σ Δt``. It is a census of the record and no sample, so that it has no
    standard error. Rows are not averaged as such: a book that changes often is not wider for it.

    Examples
    --------
    >>> import pandas as pd
    >>> time = pd.to_datetime(["2026-11-20T15:00Z", "2026-11-20T15:03Z", "2026-11-20T15:04Z"])
    >>> quotes = pd.DataFrame({"ticker": "T", "yes_bid": [0.40, 0.38, 0.40],
    ...     "yes_ask": [0.42, 0.44, 0.42]}, index=time)
    >>> quoted_spread(quotes)[["estimate", "seconds", "n"]].to_dict("records")
    [{'estimate': 0.03, 'seconds': 240.0, 'n': 3}]
    """
    tops = read_tops(quotes)
    bid, has_bid = price_ticks(quotes, "yes_bid", what="quotes")
    ask, has_ask = price_ticks(quotes, "yes_ask", what="quotes")
    line, markets = tops.line, len(tops.names)
    ends = np.append(changes(line.market)[1:], True)[: line.market.size]
    held = np.where(ends, 0, np.diff(line.time, append=0))
    wide = (ask - bid)[tops.rows]
    both = (has_bid & has_ask)[tops.rows]

    def time(where: Any) -> Any:
        total = np.zeros(markets, dtype=np.int64)
        np.add.at(total, line.market, np.where(where, held, 0))
        return total

    whole, usable, crossed = time(True), time(both & (wide > 0)), time(both & (wide <= 0))
    area = np.bincount(line.market, np.where(both & (wide > 0), wide, 0) * held.astype(float), markets)
    frame = pd.DataFrame(
        {
            "estimate": np.divide(
                area,
                usable * float(PRICE_SCALE),
                out=np.full(markets, np.nan),
                where=usable > 0,
            ),
            "seconds": ratio(whole, _SECOND),
            "two_sided": ratio(usable, whole, whole > 0),
            "crossed": ratio(crossed, whole, whole > 0),
            "n": np.bincount(line.market, minlength=markets),
        },
        index=pd.Index(tops.names, name="ticker"),
    )
    return with_attrs(frame, quotes)


def trade_spreads(
    trades: pd.DataFrame,
    quotes: pd.DataFrame | None = None,
    *,
    horizon: str | pd.Timedelta = "5min",
) -> pd.DataFrame:
    """What each trade paid, and what of it the other side kept.

    Parameters
    ----------
    trades : DataFrame
        Trades with the quote before each, as `join_quotes` makes them.
    quotes : DataFrame, optional
        As for `quoted_spread`. Without it there is no realised spread.
    horizon : str or Timedelta, default "5min"
        After which the mid is taken for the value.

    Returns
    -------
    DataFrame
        The trades, and with them:

        ================  =======  ==========================================================
        column            dtype    meaning
        ================  =======  ==========================================================
        mid               float64  m: that before the trade [dollars]
        effective_spread  float64  2 q (p − m) [dollars]
        later_mid         float64  m′: that `horizon` after the trade [dollars]
        realised_spread   float64  2 q (p − m′) [dollars]
        price_impact      float64  2 q (m′ − m), the difference of the two [dollars]
        ================  =======  ==========================================================

        with p the YES price and q = 1 where the taker bought YES, −1 where NO. The last three
        come with `quotes`. NaN where a mid is not known: a side was empty, the book crossed or
        locked, or the record ended before the horizon.

    Raises
    ------
    FrameError
        As for `tape_order` and `quoted_spread`; also if the trades have no quotes.
    InputError
        If `horizon` is no length of time.

    Notes
    -----
    Spreads are those of a round trip: twice what one trade paid over the mid.

    References
    ----------
    Huang and Stoll, "Dealer versus auction markets", J. Financial Economics 41 (1996).

    Examples
    --------
    >>> import pandas as pd
    >>> trades = pd.DataFrame({"ticker": "T", "yes_price": 0.42, "quantity": 5.0,
    ...     "taker_side": "yes", "yes_bid": 0.40, "yes_ask": 0.42},
    ...     index=pd.DatetimeIndex(["2026-11-20T15:00:01Z"], name="time"))
    >>> trade_spreads(trades)[["mid", "effective_spread"]].to_dict("records")
    [{'mid': 0.41, 'effective_spread': 0.02}]
    """
    costs = Costs.of(trades)
    columns = {"mid": costs.mid, "effective_spread": costs.against(costs.mid)}
    like = [trades]
    if quotes is not None:
        (reach,) = durations([horizon], "horizon")
        later = costs.mids_after(quotes, [reach])[reach]
        columns |= {
            "later_mid": later,
            "realised_spread": costs.against(later),
            "price_impact": costs.moved(later),
        }
        like.append(quotes)
    tape = costs.tape
    return sourced(tape.trades(columns), like)


@dataclass(frozen=True, slots=True)
class Costs:
    """Trades along the tape with the mid before each.

    Attributes
    ----------
    tape : Tape
    mid : float64 array
        [dollars]
    """

    tape: Tape
    mid: Floats

    @classmethod
    def of(cls, trades: pd.DataFrame) -> Costs:
        """Read trades that have been joined with quotes."""
        tape = read_tape(trades)
        return cls(tape, mids(tape.frame, what="trades")[tape.rows])

    @property
    def sign(self) -> Floats:
        """1 where the taker bought YES, −1 where NO."""
        return np.where(self.tape.is_yes, 1.0, -1.0)

    def against(self, mid: Floats) -> Floats:
        """Twice the distance of the price from a mid, on the grid of half a tick."""
        return self._exact(2 * self.sign * (self.tape.price / PRICE_SCALE - mid))

    def moved(self, later: Floats) -> Floats:
        """Twice the distance from the mid before the trade to a later one, with the taker."""
        return self._exact(2 * self.sign * (later - self.mid))

    def _exact(self, dollars: Floats) -> Floats:
        return np.rint(dollars * PRICE_SCALE) / PRICE_SCALE

    def mids_after(self, quotes: pd.DataFrame, horizons: Sequence[int]) -> dict[int, Floats]:
        """For each horizon [µs] the mid that holds so long after each trade."""
        tops = read_tops(quotes, self.tape.names)
        value = tops.mids()
        return {h: tops.at(value, self.tape.market, self.tape.time + h) for h in horizons}

    def sample(self, y: Floats, weight: str, overlap: int = 0) -> Sample:
        """Values of the trades as observations of a mean."""
        if weight not in _WEIGHTS:
            raise InputError(f"weight must be one of {_WEIGHTS}, not {quoted(weight, 40)}")
        tape = self.tape
        count = tape.count / COUNT_SCALE if weight == "contracts" else None
        return Sample(tape.market, tape.time, y, np.ones((y.size, 1)), count, overlap)


def effective_spread(
    trades: pd.DataFrame,
    *,
    weight: str = "trades",
    by: str | None = "ticker",
    cluster: str | None = None,
) -> pd.DataFrame:
    """The mean effective spread: what trades paid against the mid before them.

    Parameters
    ----------
    trades : DataFrame
        Trades with the quote before each, as `join_quotes` makes them.
    weight : {"trades", "contracts"}
        A mean over trades, or over contracts.
    by : str or None, default "ticker"
        Column whose values get an estimate each; None pools all markets.
    cluster : str, optional
        Column that tells which markets depend on each other; by default `event_ticker` where
        there is one, else each market is its own.

    Returns
    -------
    DataFrame
        ===============  =======  =============================================================
        column           dtype    meaning
        ===============  =======  =============================================================
        ticker           str      index: the value of `by`; ``all`` where pooled
        parameter        str      what is estimated: ``effective_spread``
        estimate         float64  in `unit`
        se               float64  its standard error
        low, high        float64  bounds of its 95 % interval
        n                int64    number of observations
        missing          int64    observations left out because something of them is not known
        clusters         int64    independent clusters among them
        se_kind          str      ``newey-west`` or ``clustered``; see Notes
        unit             str      ``dollars``
        reason           str      why something is NaN; missing where nothing is
        ===============  =======  =============================================================

    Raises
    ------
    FrameError
        As for `tape_order`; also if the trades have no quotes.
    InputError
        If an argument is none of its choices.

    Notes
    -----
    ``2 q (p − m)`` with m the mid before the trade: see `trade_spreads`. Quotes that were read
    with or after the trade halve it.

    Where a group has several clusters, the standard error is clustered and the interval uses
    Student's t with one degree of freedom less than clusters (with fewer than about 20 it is
    rough). Else it is that of Newey and West along time. Fewer than 10 observations have none.

    Examples
    --------
    >>> import pandas as pd
    >>> trades = pd.DataFrame({"ticker": "T", "yes_price": [0.42, 0.40], "quantity": [1.0, 3.0],
    ...     "taker_side": ["yes", "no"], "yes_bid": [0.40, 0.40], "yes_ask": [0.42, 0.44]},
    ...     index=pd.to_datetime(["2026-11-20T15:00Z", "2026-11-20T15:01Z"]).rename("time"))
    >>> float(effective_spread(trades).loc["T", "estimate"].round(4))
    0.03
    >>> float(effective_spread(trades, weight="contracts").loc["T", "estimate"].round(4))
    0.035
    """
    costs = Costs.of(trades)
    groups = groups_of(costs.tape.names, by, cluster, [trades])
    sample = costs.sample(costs.against(costs.mid), weight)
    return table(means(sample, groups, "effective_spread", "dollars"), groups, [trades])


def spread_decomposition(
    trades: pd.DataFrame,
    quotes: pd.DataFrame,
    *,
    horizons: Horizons = "5min",
    weight: str = "trades",
    by: str | None = "ticker",
    cluster: str | None = None,
) -> pd.DataFrame:
    """Effective spread = realised spread + price impact, at one horizon or several.

    Parameters
    ----------
    trades : DataFrame
        Trades with the quote before each, as `join_quotes` makes them.
    quotes : DataFrame
        As for `quoted_spread`.
    horizons : str, Timedelta, or list of them, default "5min"
        After which the mid is taken for the value.
    weight, by, cluster
        As for `effective_spread`.

    Returns
    -------
    DataFrame
        The columns of `effective_spread`, and `horizon` (timedelta64[us]) after `parameter`,
        which is ``effective_spread``, ``realised_spread`` or ``price_impact`` [dollars].
        The three are means over the same trades, those with a mid at the horizon, and add up.

    Raises
    ------
    FrameError, InputError
        As for `trade_spreads`.

    Notes
    -----
    Definitions are those of `trade_spreads`. The realised spread is what makers kept if the mid
    at the horizon is the value; the price impact is what they lost to takers who knew more.
    Horizons of neighbouring trades overlap: Newey and West's bandwidth is at least twice the
    number of trades in one.

    References
    ----------
    Huang and Stoll, "Dealer versus auction markets", J. Financial Economics 41 (1996).

    Examples
    --------
    >>> import pandas as pd
    >>> time = pd.to_datetime(["2026-11-20T15:00Z", "2026-11-20T15:01Z"]).rename("time")
    >>> quotes = pd.DataFrame({"ticker": "T", "yes_bid": [0.40, 0.41], "yes_ask": [0.42, 0.42]},
    ...     index=time)
    >>> trade = pd.DataFrame({"ticker": "T", "yes_price": 0.42, "quantity": 1.0,
    ...     "taker_side": "yes", "yes_bid": 0.40, "yes_ask": 0.42},
    ...     index=time[:1] + pd.Timedelta("1s"))
    >>> found = spread_decomposition(trade, quotes, horizons="59s")
    >>> found.set_index("parameter")["estimate"].round(4).to_dict()
    {'effective_spread': 0.02, 'realised_spread': 0.01, 'price_impact': 0.01}
    """
    costs = Costs.of(trades)
    later_mids = costs.mids_after(quotes, durations(horizons, "horizons"))
    groups = groups_of(costs.tape.names, by, cluster, [trades, quotes])
    found: list[Estimate] = []
    for reach, later in later_mids.items():
        known = np.isfinite(later) & np.isfinite(costs.mid)
        for name, value in (
            ("effective_spread", costs.against(costs.mid)),
            ("realised_spread", costs.against(later)),
            ("price_impact", costs.moved(later)),
        ):
            horizon = {"horizon": np.timedelta64(reach, "us")}
            sample = costs.sample(np.where(known, value, np.nan), weight, reach)
            found += means(sample, groups, name, "dollars", horizon)
    return table(found, groups, [trades, quotes], more={"horizon": "timedelta64[us]"})
