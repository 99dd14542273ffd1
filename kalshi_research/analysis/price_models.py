"""Spreads and their components from trade prices alone: Roll, Glosten and Harris."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from kalshi_research.analysis.estimates import Estimate, Sample, fits, groups_of, table
from kalshi_research.analysis.tape import changes, read_tape
from kalshi_research.errors import InputError, quoted
from kalshi_research.money import COUNT_SCALE, PRICE_SCALE

if TYPE_CHECKING:
    import pandas as pd

    from kalshi_research.analysis.estimates import Fit
    from kalshi_research.analysis.frames import Floats
    from kalshi_research.analysis.tape import Tape

__all__ = ["glosten_harris", "roll_spread"]

_STEPS = ("orders", "trades")


def roll_spread(
    trades: pd.DataFrame,
    *,
    each: str = "orders",
    by: str | None = "ticker",
    cluster: str | None = None,
) -> pd.DataFrame:
    """Roll's spread: what bounces between bid and ask give away in the tape.

    Parameters
    ----------
    trades : DataFrame
        As for `tape_order`.
    each : {"orders", "trades"}
        Steps from one taker order to the next (at the VWAP of its fills), or from fill to fill.
    by, cluster
        As for `effective_spread`.

    Returns
    -------
    DataFrame
        The columns of `effective_spread`. `parameter` is ``roll_spread`` [dollars] and the
        ``autocovariance`` [dollars²] it is computed of.

    Raises
    ------
    FrameError
        As for `tape_order`.
    InputError
        If an argument is none of its choices.

    Notes
    -----
    ``2 √(−γ)`` with γ the first autocovariance of price changes, each change less its mean in the
    market. *Sign*: where γ is positive, which is common on a quiet tape and wherever news or
    walking orders outweigh the bounce, there is no such spread: it is NaN, and `reason` says so.
    Setting it to 0, or dropping such markets, biases a comparison of markets.

    The model takes sides to be a coin's and free of news. Takers who follow each other, and fills
    of one order, turn it down. The standard error is that of γ by the delta method,
    ``se(γ) / √(−γ)``; an interval that reaches 0 says that the spread cannot be told from none.

    References
    ----------
    Roll, "A simple implicit measure of the effective bid-ask spread in an efficient market",
    J. Finance 39 (1984).

    Examples
    --------
    >>> import pandas as pd
    >>> time = pd.date_range("2026-11-20T15:00Z", periods=5, freq="min", name="time")
    >>> trades = pd.DataFrame({"ticker": "T", "yes_price": [0.42, 0.40, 0.42, 0.40, 0.42],
    ...     "quantity": 1.0, "taker_side": ["yes", "no", "yes", "no", "yes"]}, index=time)
    >>> float(roll_spread(trades)["estimate"].round(4).iloc[0])
    0.04
    """
    steps = _Steps(read_tape(trades), each)
    groups = groups_of(steps.tape.names, by, cluster, [trades])
    move, market = steps.moves(steps.price), steps.market
    inner = np.isfinite(move)
    counts = np.bincount(market, inner, len(steps.tape.names))
    drift = np.bincount(market[inner], move[inner], counts.size) / np.maximum(counts, 1)
    move -= drift[market]
    before = np.append(np.nan, move[:-1])[: move.size]
    before[steps.begins] = np.nan
    third = inner & np.isfinite(before)
    sample = Sample(market, steps.time, move * before, np.ones((move.size, 1))).take(third)
    found = []
    for label, one in fits(sample, groups):
        gamma, se = float(one.beta[0]), one.se([1.0])
        root = float(np.sqrt(-gamma)) if gamma < 0 else float("nan")
        reason = "the autocovariance is not negative" if gamma >= 0 else None
        found += [
            Estimate(label, "roll_spread", "dollars", 2 * root, se / root, one, reason),
            Estimate(label, "autocovariance", "dollars^2", gamma, se, one),
        ]
    return table(found, groups, [trades])


def glosten_harris(
    trades: pd.DataFrame,
    *,
    sizes: bool = True,
    each: str = "orders",
    by: str | None = "ticker",
    cluster: str | None = None,
) -> pd.DataFrame:
    """What of a spread stays in the price (adverse selection), and what bounces back.

    Parameters
    ----------
    trades : DataFrame
        As for `tape_order`.
    sizes : bool, default True
        Let both components grow with the size of the order. False: fixed components only.
    each : {"orders", "trades"}
        As for `roll_spread`.
    by, cluster
        As for `effective_spread`.

    Returns
    -------
    DataFrame
        The columns of `effective_spread`, and `r2` (float64) before `unit`, with rows for

        ==============  =================  ===================================================
        parameter       unit               meaning
        ==============  =================  ===================================================
        z0              dollars            adverse selection, fixed
        z1              dollars/contract   adverse selection, per contract
        c0              dollars            transitory: costs and profit of makers, fixed
        c1              dollars/contract   transitory, per contract
        adverse_share   1                  of adverse selection in the half-spread at mean size
        ==============  =================  ===================================================

    Raises
    ------
    FrameError, InputError
        As for `roll_spread`.

    Notes
    -----
    The value is ``mₜ = mₜ₋₁ + (z₀ + z₁Vₜ) Qₜ + eₜ`` and the price ``pₜ = mₜ + (c₀ + c₁Vₜ) Qₜ``, with
    Q = 1 where the taker bought YES, −1 where NO, and V contracts. So least squares, without a
    constant, of ``Δpₜ = z₀Qₜ + z₁QₜVₜ + c₀ΔQₜ + c₁Δ(QₜVₜ) + eₜ``. A spread at size V is
    ``2 (z₀ + c₀ + (z₁ + c₁) V)``. The exchange tells the taker, so that Q need not be inferred.
    Prices rounded to cents make e autocorrelated; the standard errors allow for it.

    Markets in which all orders have one size cannot tell z₁ from z₀: NaN, with the `reason`.
    Components outside 0 to the spread are possible in small samples and are left as they are.

    References
    ----------
    Glosten and Harris, "Estimating the components of the bid/ask spread", J. Financial
    Economics 21 (1988).

    Examples
    --------
    >>> import pandas as pd
    >>> time = pd.date_range("2026-11-20T15:00Z", periods=5, freq="min", name="time")
    >>> trades = pd.DataFrame({"ticker": "T", "yes_price": [0.43, 0.40, 0.39, 0.42, 0.43],
    ...     "quantity": 1.0, "taker_side": ["yes", "no", "no", "yes", "yes"]}, index=time)
    >>> found = glosten_harris(trades, sizes=False).set_index("parameter")["estimate"]
    >>> found.round(4).to_dict()
    {'z0': 0.01, 'c0': 0.01, 'adverse_share': 0.5}
    """
    steps = _Steps(read_tape(trades), each)
    groups = groups_of(steps.tape.names, by, cluster, [trades])
    signed = steps.sign * steps.quantity
    columns = [steps.sign, signed, steps.moves(steps.sign), steps.moves(signed)]
    names = ["z0", "z1", "c0", "c1"]
    if not sizes:
        columns, names = columns[::2], names[::2]
    inner = ~steps.begins
    every = Sample(steps.market, steps.time, steps.moves(steps.price), np.stack(columns, axis=1))
    group = groups.group[steps.market[inner]]
    count = np.bincount(group, minlength=len(groups.labels))
    mean = np.bincount(group, steps.quantity[inner], count.size) / np.maximum(count, 1)
    found: list[Estimate] = []
    regressions = fits(every.take(inner), groups, constant=False)
    for (label, one), size in zip(regressions, mean.tolist(), strict=True):
        unit = np.eye(len(names))
        for at, name in enumerate(names):
            of_size = "dollars/contract" if name.endswith("1") else "dollars"
            found.append(Estimate(label, name, of_size, float(one.beta[at]), one.se(unit[at]), one))
        found.append(_adverse_share(label, one, np.array([1.0, size] if sizes else [1.0])))
    return table(found, groups, [trades], r2=True)


def _adverse_share(label: Any, one: Fit, scale: Floats) -> Estimate:
    """Z / (z + c) at the mean size, and its error by the delta method."""
    k = scale.size
    adverse, transitory = float(one.beta[:k] @ scale), float(one.beta[k:] @ scale)
    half = adverse + transitory
    if not half > 0:
        reason = "the half-spread is not positive" if half <= 0 else None
        return Estimate(label, "adverse_share", "1", np.nan, np.nan, one, reason)
    gradient = np.concatenate((scale * transitory, -scale * adverse)) / half**2
    return Estimate(label, "adverse_share", "1", adverse / half, one.se(gradient), one)


class _Steps:
    """The tape order by order, or trade by trade: price [dollars], quantity [contracts], sign."""

    def __init__(self, tape: Tape, each: str) -> None:
        if each not in _STEPS:
            raise InputError(f"each must be one of {_STEPS}, not {quoted(each, 40)}")
        self.tape = tape
        start = np.arange(tape.rows.size)
        count, notional = tape.count.astype(np.float64), (tape.count * tape.price).astype(np.float64)
        if each == "orders":
            start = np.flatnonzero(changes(tape.parent))
            count, notional = (
                np.bincount(tape.parent, amount).astype(np.float64) for amount in (count, notional)
            )
        self.market, self.time = tape.market[start], tape.time[start]
        self.price = notional / count / PRICE_SCALE
        self.quantity = count / COUNT_SCALE
        self.sign = np.where(tape.is_yes[start], 1.0, -1.0)
        self.begins = changes(self.market)

    def moves(self, value: Floats) -> Floats:
        """By how much a value changes from the step before; NaN at the first of a market."""
        found = np.diff(value, prepend=np.nan)
        found[self.begins] = np.nan
        return found
