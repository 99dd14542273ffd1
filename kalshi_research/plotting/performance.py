"""Profit and loss through time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from matplotlib.ticker import FuncFormatter

from kalshi_research.plotting import house
from kalshi_research.plotting.frames import numbers, require, times

if TYPE_CHECKING:
    from datetime import tzinfo

    import pandas as pd
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

__all__ = ["plot_pnl"]

_MAKERS = "equity_curve makes such frames"
_ALONE = np.timedelta64(30, "m")
"""Room on each side of entries that share one instant."""
_FEW = 60
"""More markers than this are small ones, so that the lines stay in sight."""
_MANY = 4_000
"""From so many markers on they are drawn as pixels also in a vector file."""
_LEAST = 0.01
"""The axis spans at least a cent, so that a fee does not look like a crash [dollars]."""

Floats = npt.NDArray[np.float64]


def plot_pnl(
    curve: pd.DataFrame,
    *,
    ax: Axes | None = None,
    tz: str | tzinfo | None = None,
    title: str | None = None,
) -> Axes:
    """Draw realised profit and loss through time, before and after fees.

    Parameters
    ----------
    curve : DataFrame
        From `equity_curve` (index `time`; entry, realized_pnl, equity).
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure if not given.
    tz : str or tzinfo, optional
        Time zone of the axis, UTC if not given. The frame stays as it is.
    title : str, optional
        Instead of "Realised profit and loss".

    Returns
    -------
    matplotlib.axes.Axes
        The solid step line is after fees, the dashed one before them, and the grey between
        them is what fees took. Filled dots are payouts, hollow ones fills. Unknown fees leave
        the rest of the solid line away.

    Raises
    ------
    FrameError
        If a column is missing, or times are out of order or have no zone.

    Examples
    --------
    >>> import pandas as pd
    >>> from matplotlib.figure import Figure
    >>> time = pd.to_datetime(["2026-11-20 15:00", "2026-11-20 16:00"], utc=True)
    >>> curve = pd.DataFrame({"entry": ["fill", "settlement"], "realized_pnl": [0.0, 6.0],
    ...     "equity": [-0.17, 5.83]}, index=time)
    >>> plot_pnl(curve, ax=Figure().subplots()).lines[0].get_ydata().tolist()
    [-0.17, 5.83]
    """
    require(curve, ("entry", "realized_pnl", "equity"), what="profit and loss", makers=_MAKERS)
    when = times(curve, what="profit and loss")
    net = numbers(curve, "equity", what="profit and loss")
    gross = np.cumsum(numbers(curve, "realized_pnl", what="profit and loss"))
    where = house.zone(tz)
    ax = house.canvas(ax)
    handles = _draw(ax, curve, when, net, gross) if when.size else []
    house.time_ticks(ax, where)
    _dollars(ax)
    if handles:
        _limit(ax, np.concatenate([net, gross, [0.0]]))
        if when[0] == when[-1]:
            ax.set_xlim(when[0] - _ALONE, when[0] + _ALONE)
    else:
        house.say_empty(ax, "no fills and no payouts")
    above = house.key_row(ax, handles)
    heading = title if title is not None else "Realised profit and loss"
    return house.finish(ax, curve, title=heading, above=above)


def _draw(
    ax: Axes, curve: pd.DataFrame, when: npt.NDArray[np.datetime64], net: Floats, gross: Floats
) -> list[Artist]:
    handles: list[Artist] = []
    known = np.isfinite(net)
    if known.any():
        (after,) = ax.plot(
            when, net, drawstyle="steps-post", color=house.YES, linewidth=1.6, zorder=3,
            label=f"after fees, last {_money(net[known][-1])}",
        )  # fmt: skip
        handles.append(after)
    (before,) = ax.plot(
        when, gross, drawstyle="steps-post", color=house.INK, linestyle=house.DASHED, linewidth=1.0,
        zorder=2, label=f"before fees, last {_money(gross[-1])}",
    )  # fmt: skip
    handles.append(before)
    if known.any():
        ax.fill_between(
            when, net, gross, where=known, step="post", color=house.QUIET, alpha=0.13, linewidth=0,
            zorder=1, gid="fees",
        )  # fmt: skip
    said = curve["entry"].to_numpy(dtype=object)
    y = np.where(known, net, gross)
    for entry, label, face in (("fill", "fill", "none"), ("settlement", "payout", house.YES)):
        mine = said == entry
        if mine.any():
            handles.append(
                ax.scatter(
                    house.days(when[mine]),
                    y[mine],
                    s=16.0 if mine.sum() <= _FEW else 4.0,
                    facecolors=face,
                    edgecolors=house.YES,
                    linewidths=0.8,
                    zorder=4,
                    label=label,
                    gid=label,
                    rasterized=int(mine.sum()) > _MANY,
                )
            )
    ax.hlines(0.0, when[0], when[-1], color=house.QUIET, linewidth=0.8, zorder=1, gid="zero")
    return handles


def _money(value: float) -> str:
    """Signed dollars, with as many decimals as there are, from cents to a hundredth of one."""
    text = f"{abs(value):,.4f}"
    whole, _, fraction = text.partition(".")
    digits = fraction.rstrip("0").ljust(2, "0")
    sign = "−" if value < 0 and float(text.replace(",", "")) else "+"
    return f"{sign}${whole}.{digits}"


def _dollars(ax: Axes) -> None:
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}".replace("-", "−")))
    ax.set_ylabel("profit and loss [$]", fontsize=house.NORMAL, color=house.INK, parse_math=False)


def _limit(ax: Axes, every: Floats) -> None:
    every = every[np.isfinite(every)]
    low, high = float(every.min()), float(every.max())
    pad = max(0.08 * (high - low), _LEAST / 2)
    ax.set_ylim(low - pad, high + pad)
