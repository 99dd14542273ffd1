"""Estimates with their intervals along lengths of time: what impact and volatility are drawn with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from kalshi_research.errors import FrameError, printable, quoted
from kalshi_research.plotting import house
from kalshi_research.plotting.frames import numbers
from kalshi_research.plotting.lettering import drawable, width_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw_estimates", "interval_key", "length_text", "length_ticks", "lengths", "only_group"]

_INTERVAL = "95 % interval"
_UNITS = ((86_400.0, "d"), (3_600.0, "h"), (60.0, "min"), (1.0, "s"), (1e-3, "ms"), (1e-6, "µs"))

Floats = npt.NDArray[np.float64]


def only_group(frame: pd.DataFrame, *, what: str) -> str:
    """What the estimates are of; a figure shows one market, or all of them pooled.

    Raises
    ------
    FrameError
        If there are several.
    """
    found = list(dict.fromkeys(frame.index))
    if len(found) > 1:
        name = printable(frame.index.name or "its index", 40)
        raise FrameError(
            f"the frame of {what} holds {len(found)} values of {name}, "
            f"but a figure shows one\nChoose one: frame.loc[[{quoted(str(found[0]), 80)}]]; "
            "or estimate one for all markets: by=None"
        )
    if not found:
        return ""
    return "all markets" if frame.index.name == "pool" else drawable(found[0], 80)


def lengths(frame: pd.DataFrame, name: str, *, what: str) -> Floats:
    """A column of lengths of time [s].

    Raises
    ------
    FrameError
        If it holds something else, or one that is not positive.
    """
    column = frame[name]
    if len(column) and not pd.api.types.is_timedelta64_dtype(column.dtype):
        raise FrameError(f"the column {name} of {what} must hold lengths of time, not {column.dtype}")
    found: Floats = np.asarray(pd.to_timedelta(column).dt.total_seconds(), dtype=np.float64)
    if not (found > 0).all():
        raise FrameError(f"a {name} of {what} is not positive")
    return found


def length_text(seconds: float) -> str:
    """A length of time in the largest unit in which it is at least 1."""
    size, unit = next((one for one in _UNITS if seconds >= 0.9999 * one[0]), _UNITS[-1])
    return f"{seconds / size:.3g} {unit}"


def length_ticks(ax: Axes, seconds: Floats, label: str) -> None:
    """A logarithmic x axis, labelled at the lengths of time that were asked for."""
    every = np.unique(seconds)
    ax.set_xscale("log")
    low, high = (float(every[0]), float(every[-1])) if every.size else (1.0, 60.0)
    ax.set_xlim(low / (1.3 * (high / low) ** 0.03), high * 1.3 * (high / low) ** 0.03)
    left, right = np.log(ax.get_xlim())
    scale = house.points_wide(ax) / (right - left)
    shown: list[float] = []
    for one in every.tolist():
        gap = np.log(one / shown[-1]) * scale if shown else np.inf
        if gap > 1.25 * width_of("15 min", house.NORMAL):
            shown.append(one)
    ax.xaxis.set_major_locator(FixedLocator(shown))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: length_text(value)))
    ax.set_xlabel(label, fontsize=house.NORMAL, color=house.INK, parse_math=False)


def draw_estimates(ax: Axes, frame: pd.DataFrame, x: Floats, *, what: str, **look: Any) -> list[Any]:
    """A line through estimates and a bar for the 95 % interval of each; nothing where none is known."""
    value, low, high = (numbers(frame, name, what=what) for name in ("estimate", "low", "high"))
    if not np.isfinite(value).any():
        return []
    order = np.argsort(x, kind="stable")
    (line,) = ax.plot(x[order], value[order], linewidth=1.5, markersize=5, zorder=3, **look)
    known = np.isfinite(low) & np.isfinite(high)
    alone = np.isfinite(value) & ~known
    if alone.any():
        empty = {"linestyle": "", "markersize": 5, "markerfacecolor": "white", "zorder": 3.5}
        hollow = {**look, **empty, "label": "_without an interval", "gid": "without an interval"}
        ax.plot(x[alone], value[alone], **hollow)
    if known.any():
        ax.vlines(
            x[known],
            low[known],
            high[known],
            colors=look.get("color"),
            linewidth=1.0,
            zorder=2.5,
            gid=f"{_INTERVAL}: {look['label']}",
        )
    return [line]


def interval_key(ax: Axes) -> list[Line2D]:
    """The entry of the legend that says what the bars are, if there are any."""
    if not any(str(one.get_gid()).startswith(_INTERVAL) for one in ax.collections):
        return []
    look: Any = {"marker": "|", "markersize": 9, "linestyle": "", "color": house.QUIET}
    return [Line2D([], [], label=_INTERVAL, **look)]
