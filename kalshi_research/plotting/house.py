"""The look of all figures: colours, axes, titles, the source line, the SIMULATED mark.

Everything is set on the given Axes and its artists; no rcParams, no current figure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from math import ceil
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num, num2date
from matplotlib.ticker import FuncFormatter

from kalshi_research.errors import InputError, printable
from kalshi_research.plotting.lettering import SourceLine, drawable, width_of, wrapped
from kalshi_research.provenance import KEY, combined, is_simulated, source_line

if TYPE_CHECKING:
    from datetime import tzinfo

    import numpy as np
    import numpy.typing as npt
    from matplotlib.axis import Axis

__all__ = [
    "DASHED",
    "INK",
    "LARGE",
    "NO",
    "NORMAL",
    "QUIET",
    "SMALL",
    "YES",
    "canvas",
    "contracts_text",
    "contracts_ticks",
    "days",
    "finish",
    "instants",
    "key_row",
    "price_text",
    "price_ticks",
    "say_empty",
    "time_ticks",
    "zone",
]

YES = "#0072B2"
"""YES and bids: blue of the Okabe–Ito palette; always solid or filled."""
NO = "#D55E00"
"""NO and asks: vermilion of the same palette; always dashed or hollow, so that grey is enough."""
DASHED = (0.0, (5.0, 1.5))
INK = "#222222"
QUIET = "#6B6B6B"
_GRID = "#E6E6E6"

SMALL, NORMAL, LARGE = 7.0, 9.0, 11.0
_WIDTH = 7.2
_POINTS_PER_INCH = 72


def canvas(ax: Axes | None, *, height: float = 4.0) -> Axes:
    """The Axes to draw on: the given one, or that of a new figure, which pyplot will show once.

    Raises
    ------
    InputError
        If `ax` is something else, such as a figure or an array of Axes.
    """
    if ax is None:
        from matplotlib import pyplot as plt

        ax = plt.subplots(figsize=(_WIDTH, height), layout="constrained")[1]
    elif not isinstance(ax, Axes):
        raise InputError(
            f"ax must be one matplotlib Axes, not {type(ax).__name__}; "
            "of a figure or an array of Axes pass one member"
        )
    ax.tick_params(labelsize=NORMAL, color=QUIET, labelcolor=INK)
    ax.grid(visible=True, color=_GRID, linewidth=0.8)
    ax.set_axisbelow(True)
    for name, spine in ax.spines.items():
        spine.set_visible(name in ("left", "bottom"))
        spine.set_color(QUIET)
    return ax


def price_text(price: float) -> str:
    """A price with as many decimals as it needs, but at least cents."""
    whole, _, fraction = f"{price:.4f}".partition(".")
    return f"{whole}.{fraction.rstrip('0').ljust(2, '0')}"


def contracts_text(quantity: float) -> str:
    """A quantity with thousands separated and no idle decimals."""
    text = f"{quantity:,.2f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _ticks(axis: Axis, text: Callable[[float], str], label: str) -> None:
    axis.set_major_formatter(FuncFormatter(lambda value, _: text(value)))
    axis.set_label_text(label, fontsize=NORMAL, color=INK, parse_math=False)


def price_ticks(axis: Axis, leg: str = "YES") -> None:
    """Label an axis as prices in dollars."""
    _ticks(axis, price_text, f"{leg} price [$]")


def contracts_ticks(axis: Axis, label: str) -> None:
    """Label an axis as numbers of contracts."""
    _ticks(axis, contracts_text, f"{label} [contracts]")


def zone(tz: str | tzinfo | None) -> tzinfo:
    """The time zone of an axis, UTC unless another one is asked for.

    Raises
    ------
    InputError
        If there is no such zone.
    """
    if tz is None:
        return ZoneInfo("UTC")
    if not isinstance(tz, str):
        if hasattr(tz, "utcoffset"):
            return tz
        raise InputError(f"tz must be a time zone or its name, not {type(tz).__name__}")
    try:
        return ZoneInfo(tz)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InputError(
            f"{printable(repr(tz), 60)} is no time zone; use a name such as 'America/New_York'"
        ) from None


def days(when: npt.NDArray[np.datetime64]) -> npt.NDArray[np.float64]:
    """UTC instants as matplotlib counts them."""
    counted: npt.NDArray[np.float64] = date2num(when)  # type: ignore[no-untyped-call]
    return counted


def instants(counted: Iterable[float]) -> pd.DatetimeIndex:
    """The inverse of `days`; a day as a float is exact to about a microsecond."""
    moments = [num2date(day) for day in counted]  # type: ignore[no-untyped-call]
    return pd.DatetimeIndex(pd.to_datetime(moments, utc=True)).as_unit("us").round("ms")


def time_ticks(ax: Axes, tz: tzinfo) -> None:
    """Label the x axis as time in this zone; the data stay in UTC."""
    ax.xaxis_date()
    locator = AutoDateLocator(tz=tz, minticks=3, maxticks=8)  # type: ignore[no-untyped-call]
    ax.xaxis.set_major_locator(locator)
    ax.xaxis.set_major_formatter(ConciseDateFormatter(locator, tz=tz))  # type: ignore[no-untyped-call]
    ax.xaxis.get_offset_text().set(fontsize=NORMAL, color=INK)
    ax.set_xlabel(f"time [{drawable(tz, 60)}]", fontsize=NORMAL, color=INK, parse_math=False)


def key_row(ax: Axes, handles: Sequence[Any]) -> int:
    """A legend in rows between title and axes, where it covers no data; answers how many rows."""
    shown = [handle for handle in handles if not str(handle.get_label()).startswith("_")]
    if not shown:
        return 0
    widest = max(width_of(str(handle.get_label()), NORMAL) for handle in shown) + 36
    columns = max(1, min(len(shown), int(_points_wide(ax) // widest)))
    legend = ax.legend(
        handles=shown,
        loc="lower left",
        bbox_to_anchor=(0, 1),
        ncols=columns,
        frameon=False,
        fontsize=NORMAL,
        labelcolor=INK,
        borderaxespad=0.2,
        borderpad=0.1,
        handlelength=1.8,
        columnspacing=1.4,
    )
    for text in legend.get_texts():
        text.set_parse_math(False)
    return ceil(len(shown) / columns)


def say_empty(ax: Axes, words: str) -> None:
    """Say in the middle of the axes that there is nothing to draw."""
    ax.text(
        0.5,
        0.5,
        words,
        transform=ax.transAxes,
        ha="center",
        va="center",
        color=QUIET,
        fontsize=LARGE,
        parse_math=False,
        gid="empty",
    )


def finish(ax: Axes, *frames: pd.DataFrame | pd.Series, title: str, key_rows: int = 0) -> Axes:
    """Title, source line and, where any frame is simulated, the mark."""
    room = _points_wide(ax)
    ax.set_title(
        wrapped(drawable(title), room, LARGE, 3),
        loc="left",
        fontsize=LARGE,
        color=INK,
        pad=6 + 14 * key_rows,
        parse_math=False,
    )
    _source(ax, frames)
    if any(is_simulated(frame) for frame in frames):
        _mark_simulated(ax, room)
    return ax


def _points_wide(ax: Axes) -> float:
    """The width the axes will have [points], a little less where a layout engine may take some."""
    figure = ax.get_figure(root=True)
    inches = ax.get_position().width * (figure.get_figwidth() if figure else _WIDTH)
    managed = figure is not None and figure.get_layout_engine() is not None
    return float(inches * _POINTS_PER_INCH * (0.95 if managed else 1.0))


def _source(ax: Axes, frames: Sequence[pd.DataFrame | pd.Series]) -> None:
    found = next((child for child in ax.get_children() if isinstance(child, SourceLine)), None)
    if found is None:
        found = SourceLine(fontsize=SMALL, color=QUIET)
        ax.add_artist(found)
    carrier = pd.Series(dtype="float64")
    known = frames[0].attrs.get(KEY) if len(frames) == 1 else combined(*frames)
    if known is not None:
        carrier.attrs[KEY] = known
    line = source_line(carrier)
    cap = carrier.attrs.get(KEY, {}).get("max_rows")
    if cap is not None:
        line = line.replace("INCOMPLETE", f"INCOMPLETE, capped at {drawable(cap, 20)} rows")
    found.add(drawable(line))


def _mark_simulated(ax: Axes, room: float) -> None:
    if any(text.get_gid() == "simulated" for text in ax.texts):
        return
    ax.text(
        0.5,
        0.5,
        "SIMULATED",
        transform=ax.transAxes,
        ha="center",
        va="center",
        fontsize=min(48.0, room / 9),
        color="#000000",
        alpha=0.07,
        zorder=0.6,
        clip_on=True,
        in_layout=False,
        gid="simulated",
    )
