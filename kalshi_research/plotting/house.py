"""The look of all figures: colours, axes, titles, the source line, the SIMULATED mark.

Everything is set on the given Axes and its artists; no rcParams, no current figure.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num, num2date
from matplotlib.ticker import Formatter, FuncFormatter
from matplotlib.transforms import Bbox

from kalshi_research.errors import InputError, quoted
from kalshi_research.plotting.lettering import POINTS_PER_INCH, SourceLine, drawable, width_of, wrapped
from kalshi_research.provenance import KEY, is_simulated, source_line

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
    "points_high",
    "points_wide",
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
_NARROW = 220.0
"""Axes narrower than this get smaller letters [points]."""
_DATE = 110.0
"""Room for the date on the right of a time axis [points]."""
_HANDLE, _BETWEEN = 22.0, 13.0
"""Room in a legend for a handle, and between its columns [points]."""


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


class _Times(ConciseDateFormatter):
    """Times, also where the view holds not a single tick."""

    def format_ticks(self, values: Sequence[float]) -> list[str]:
        if len(values) == 0:
            return []
        labels: list[str] = super().format_ticks(values)  # type: ignore[no-untyped-call]
        return labels


class _Prices(Formatter):
    """Prices with the same number of decimals on the whole axis."""

    def __call__(self, x: float, pos: int | None = None) -> str:  # noqa: ARG002
        return price_text(x)

    def format_ticks(self, values: Sequence[float]) -> list[str]:
        decimals = max((len(price_text(value).partition(".")[2]) for value in values), default=2)
        return [f"{value:.{decimals}f}" for value in values]


def price_ticks(axis: Axis, leg: str = "YES") -> None:
    """Label an axis as prices in dollars."""
    axis.set_major_formatter(_Prices())
    axis.set_label_text(f"{leg} price [$]", fontsize=NORMAL, color=INK, parse_math=False)


def contracts_ticks(axis: Axis, label: str) -> None:
    """Label an axis as numbers of contracts."""
    axis.set_major_formatter(FuncFormatter(lambda value, _: contracts_text(value)))
    axis.set_label_text(f"{label} [contracts]", fontsize=NORMAL, color=INK, parse_math=False)


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
            f"{quoted(tz, 60)} is no time zone; use a name such as 'America/New_York'"
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
    ax.xaxis.set_major_formatter(_Times(locator, tz=tz))  # type: ignore[no-untyped-call]
    ax.xaxis.get_offset_text().set(fontsize=NORMAL, color=INK)
    # On the left, because the date of the ticks stands on the right.
    label = f"time [{drawable(tz, 60)}]"
    narrow = points_wide(ax) < width_of(label, NORMAL) + _DATE
    pad = NORMAL + 4 if narrow else None
    ax.set_xlabel(label, loc="left", labelpad=pad, fontsize=NORMAL, color=INK, parse_math=False)


def key_row(ax: Axes, handles: Sequence[Any]) -> float:
    """A legend between title and axes, where it covers no data; answers its height [points].

    It is left out where it would leave too little of the axes.
    """
    shown = [handle for handle in handles if not str(handle.get_label()).startswith("_")]
    if not shown:
        return 0.0
    room = points_wide(ax)
    size = NORMAL if room > _NARROW else SMALL + 0.5
    labels = [wrapped(str(handle.get_label()), room - _HANDLE - _BETWEEN, size, 2) for handle in shown]
    columns = _columns([max(width_of(line, size) for line in one.splitlines()) for one in labels], room)
    rows = max(sum(one.count("\n") + 1 for one in part) for part in _split(labels, columns))
    height = float(1.55 * size * rows)
    if height > 0.4 * points_high(ax):
        return 0.0
    legend = ax.legend(
        handles=shown,
        labels=labels,
        loc="lower left",
        bbox_to_anchor=(0, 1),
        ncols=columns,
        frameon=False,
        fontsize=size,
        labelcolor=INK,
        borderaxespad=0.2,
        borderpad=0.1,
        handlelength=1.8,
        handletextpad=0.6,
        columnspacing=_BETWEEN / size,
    )
    for text in legend.get_texts():
        text.set_parse_math(False)
    return height


def _columns(widths: Sequence[float], room: float) -> int:
    """How many columns of a legend, which is filled column by column, fit into the room [points]."""
    for columns in range(len(widths), 1, -1):
        widest = [max(part) for part in _split(widths, columns)]
        if sum(widest) + columns * (_HANDLE + _BETWEEN) <= room:
            return columns
    return 1


def _split(entries: Sequence[Any], columns: int) -> list[Sequence[Any]]:
    """The columns of a legend: the first ones take one entry more where it does not come out even."""
    size, more = divmod(len(entries), columns)
    starts = [at * size + min(at, more) for at in range(columns + 1)]
    return [entries[starts[at] : starts[at + 1]] for at in range(columns)]


def say_empty(ax: Axes, words: str) -> None:
    """Say in the middle of the axes that there is nothing to draw, instead of made-up ticks."""
    ax.set_xticks([])
    ax.set_yticks([])
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


def finish(ax: Axes, *frames: pd.DataFrame | pd.Series, title: str, above: float = 0.0) -> Axes:
    """Title (`above` the axes by so many points), source line and, where it is due, the mark."""
    room = points_wide(ax)
    ax.set_title(
        wrapped(drawable(title), room, LARGE, 3),
        loc="left",
        fontsize=LARGE,
        color=INK,
        pad=6 + above,
        parse_math=False,
    )
    _source(ax, frames)
    if any(is_simulated(frame) for frame in frames):
        _mark_simulated(ax, room)
    _make_room(ax)
    return ax


def _make_room(ax: Axes) -> None:
    """Where no layout engine does it, take from the axes what its texts need at the figure's edges."""
    figure = ax.get_figure(root=True)
    if figure is None or figure.get_layout_engine() is not None:
        return
    box, place = ax.get_tightbbox(), ax.get_position()
    if box is None:
        return
    width, height = figure.bbox.width, figure.bbox.height
    left, bottom = max(0.0, -box.x0 / width), max(0.0, -box.y0 / height)
    right, top = max(0.0, box.x1 / width - 1), max(0.0, box.y1 / height - 1)
    smaller = Bbox.from_extents(place.x0 + left, place.y0 + bottom, place.x1 - right, place.y1 - top)
    changed = left + bottom + right + top > 0
    if changed and smaller.width > 0.4 * place.width and smaller.height > 0.4 * place.height:
        ax.set_position(smaller)
        ax.set_in_layout(True)


def _points(ax: Axes) -> tuple[float, float]:
    """Width and height the axes will have [points], a little less where a layout engine takes some."""
    figure = ax.get_figure(root=True)
    width, height = figure.get_size_inches() if figure else (_WIDTH, 4.0)
    managed = figure is not None and figure.get_layout_engine() is not None
    place, scale = ax.get_position(), POINTS_PER_INCH * (0.95 if managed else 1.0)
    return float(place.width * width * scale), float(place.height * height * scale)


def points_wide(ax: Axes) -> float:
    """About how wide the axes will be [points]."""
    return _points(ax)[0]


def points_high(ax: Axes) -> float:
    """About how high the axes will be [points]."""
    return _points(ax)[1]


def _source(ax: Axes, frames: Sequence[pd.DataFrame | pd.Series]) -> None:
    found = next((child for child in ax.get_children() if isinstance(child, SourceLine)), None)
    if found is None:
        found = SourceLine(fontsize=SMALL, color=QUIET)
        ax.add_artist(found)
    for frame in frames:
        line = source_line(frame)
        cap = (frame.attrs.get(KEY) or {}).get("max_rows")
        if isinstance(cap, int):
            line = line.replace("INCOMPLETE", f"INCOMPLETE, capped at {cap:,} rows")
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
        fontsize=min(48.0, room / 10),
        color="#000000",
        alpha=0.07,
        zorder=0.6,
        clip_on=True,
        in_layout=False,
        gid="simulated",
    )
