"""VPIN: how one-sided the volume is, bucket by bucket."""

from __future__ import annotations

from decimal import Decimal
from math import erf, sqrt

import numpy as np
import pandas as pd

from kalshi_research.analysis.frames import Floats, Ints, at_instants, duration, with_attrs
from kalshi_research.analysis.tape import Tape, changes, read_tape
from kalshi_research.errors import InputError, printable, quoted
from kalshi_research.money import COUNT_SCALE, PRICE_SCALE, to_count

__all__ = ["vpin"]

_SIDES = ("taker", "bulk")
_MOST = 10_000_000


def vpin(
    trades: pd.DataFrame,
    contracts: float | str | Decimal,
    *,
    window: int = 50,
    sides: str = "taker",
    bar: str | pd.Timedelta = "1min",
) -> pd.DataFrame:
    """The volume-synchronised probability of informed trading.

    Parameters
    ----------
    trades : DataFrame
        As for `tape_order`.
    contracts : int, float, str or Decimal
        Volume of a bucket, down to 0.01 [contracts].
    window : int, default 50
        Buckets averaged.
    sides : {"taker", "bulk"}
        ``taker``: the side that the exchange tells. ``bulk``: inferred from price changes, as
        data without sides need it; here to compare with what others computed.
    bar : str or Timedelta, default "1min"
        Of the price changes, for ``bulk``.

    Returns
    -------
    DataFrame
        One row for each full bucket, ordered by time; what is left at the end of a market is
        no bucket.

        ============  ===================  ====================================================
        column        dtype                meaning
        ============  ===================  ====================================================
        time          datetime64[us, UTC]  index: of the trade that filled the bucket
        ticker        str                  market
        bucket        int64                place in the market, from 0
        yes_volume    float64              bought by takers of YES [contracts]
        no_volume     float64              bought by takers of NO [contracts]
        imbalance     float64              absolute difference of the two, as a share
        vpin          float64              mean imbalance of the last `window` buckets
        se            float64              its standard error, if buckets are independent
        ============  ===================  ====================================================

        `vpin` is NaN until `window` buckets are full.

    Raises
    ------
    InputError
        If an argument is none of its choices, or makes more than 10 million rows.
    FrameError
        As for `tape_order`.

    Notes
    -----
    ``Σ abs(V_yes − V_no) / (window · V)``. A trade that fills a bucket up is split. Sides that are
    tosses of a coin do not give 0: n orders of one size in a bucket give about ``√(2 / πn)``, so
    that VPIN compares only between markets with orders of like size.

    ``bulk`` gives the share ``Φ(Δp / σ)`` of the volume of each bar to takers of YES, with Δp the
    change of the last price since the last bar with trades, and σ its standard deviation in the
    market; bars without a change are halved, so that prices on a grid as coarse as the moves turn
    it down. σ is estimated from the same prices: where `window` spans most of a market, the
    standard error is too large. On exchanges that tell the taker it loses information.

    References
    ----------
    Easley, López de Prado and O'Hara, "Flow toxicity and liquidity in a high-frequency
    world", Review of Financial Studies 25 (2012).

    Examples
    --------
    >>> import pandas as pd
    >>> time = pd.date_range("2026-11-20T15:00Z", periods=3, freq="min", name="time")
    >>> trades = pd.DataFrame({"ticker": "T", "yes_price": 0.42, "quantity": [6.0, 10.0, 4.0],
    ...     "taker_side": ["yes", "no", "no"]}, index=time)
    >>> vpin(trades, 10, window=2)[["yes_volume", "no_volume", "vpin"]].to_dict("list")
    {'yes_volume': [6.0, 0.0], 'no_volume': [4.0, 10.0], 'vpin': [nan, 0.6]}
    """
    size = to_count(contracts)
    if size <= 0:
        raise InputError(f"contracts must be positive, got {printable(contracts, 40)}")
    if isinstance(window, bool) or not isinstance(window, int | np.integer) or window < 1:
        raise InputError(f"window must be a whole number from 1, not {quoted(window, 40)}")
    if sides not in _SIDES:
        raise InputError(f"sides must be one of {_SIDES}, not {quoted(sides, 40)}")
    length = duration(bar, "bar")
    tape = read_tape(trades)
    share = tape.is_yes.astype(np.float64) if sides == "taker" else _bulk_shares(tape, length)
    market, bucket, time, yes = _buckets(tape, size, share)
    imbalance = np.abs(2 * yes - size) / size
    mean, spread = _rolling(imbalance, bucket, window)
    frame = pd.DataFrame(
        {
            "ticker": tape.names.take(market),
            "bucket": bucket,
            "yes_volume": yes / COUNT_SCALE,
            "no_volume": (size - yes) / COUNT_SCALE,
            "imbalance": imbalance,
            "vpin": mean,
            "se": spread / np.sqrt(window),
        },
        index=at_instants(time),
    )
    return with_attrs(frame.take(np.argsort(time, kind="stable")), tape.frame)


def _buckets(tape: Tape, size: int, share: Floats) -> tuple[Ints, Ints, Ints, Floats]:
    """Market, number, time and YES volume [1/100 contract] of each full bucket."""
    done = np.cumsum(tape.count)
    first = np.flatnonzero(tape.begins)
    volume = np.add.reduceat(tape.count, first) if first.size else first
    full = volume // size
    if full.sum(dtype=np.float64) > _MOST:
        raise InputError(f"these trades would fill more than {_MOST:,} buckets; choose larger contracts")
    market = np.repeat(tape.market[first], full)
    bucket = np.arange(market.size) - np.repeat(np.cumsum(full) - full, full)
    offset = np.repeat((done - tape.count)[first], full)
    bought = np.append(0.0, np.cumsum(share * tape.count))

    def trade_at(volume: Ints) -> Ints:
        return np.searchsorted(done, volume, side="left")

    def bought_until(volume: Ints) -> Floats:
        at = np.minimum(trade_at(volume), max(done.size - 1, 0))
        if not volume.size:
            return volume.astype(np.float64)
        inside = volume - (done[at] - tape.count[at])
        return bought[at] + share[at] * inside

    begin, end = offset + bucket * size, offset + (bucket + 1) * size
    time = tape.time[trade_at(end)] if end.size else end
    yes = bought_until(end) - bought_until(begin)
    return market, bucket, time, yes


def _bulk_shares(tape: Tape, length: int) -> Floats:
    """The share of each trade's volume given to takers of YES by the price change of its bar."""
    bar = -(-tape.time // length)
    starts = tape.begins | changes(bar)
    last = np.append(np.flatnonzero(starts)[1:], starts.size)[: int(starts.sum())] - 1
    market, close = tape.market[last], tape.price[last] / PRICE_SCALE
    move = np.diff(close, prepend=np.nan)
    opens = changes(market)
    move[opens] = 0.0
    counted = np.bincount(market[~opens], minlength=len(tape.names))
    mean = np.bincount(market[~opens], move[~opens], counted.size) / np.maximum(counted, 1)
    off = np.where(opens, 0.0, move - mean[market])
    deviation = np.sqrt(np.bincount(market, off**2, counted.size) / np.maximum(counted - 1, 1))[market]
    score = np.divide(move, deviation, out=np.zeros(move.size), where=deviation > 0)
    distinct, code = np.unique(score, return_inverse=True)
    normal = np.array([(1 + erf(z / sqrt(2))) / 2 for z in distinct.tolist()], dtype=np.float64)
    found: Floats = normal[code][np.cumsum(starts) - 1]
    return found


def _rolling(value: Floats, nth: Ints, window: int) -> tuple[Floats, Floats]:
    """Mean and standard deviation of the last `window` values of a market; NaN before that."""
    end = np.flatnonzero(nth >= window - 1) + 1
    mean, spread = np.full(value.size, np.nan), np.full(value.size, np.nan)
    for at, out in ((value, mean), (value**2, spread)):
        total = np.append(0.0, np.cumsum(at))
        out[end - 1] = (total[end] - total[end - window]) / window
    if window > 1:
        spread = np.sqrt(np.maximum(spread - mean**2, 0.0) * window / (window - 1))
    else:
        spread[:] = np.nan
    return mean, spread
