"""Candlesticks with their volume."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, MaxNLocator

from kalshi_research.errors import FrameError
from kalshi_research.plotting import house
from kalshi_research.plotting.frames import numbers, only_ticker, require, times

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import tzinfo

    from matplotlib.axes import Axes

__all__ = ["plot_candlesticks"]

_MAKERS = "get_candlesticks and read_candlesticks make such frames"
_VOLUME_SHARE = 0.22
"""Share of the height that the volume takes."""
_PERIODS = {60: "1-minute", 3600: "hourly", 86400: "daily"}

Floats = npt.NDArray[np.float64]


class _AboveVolume(MaxNLocator):
    """Ticks of the price, none of them beside the volume."""

    floor = -np.inf

    def tick_values(self, vmin: float, vmax: float) -> Sequence[float]:
        return [tick for tick in super().tick_values(vmin, vmax) if tick >= self.floor]


def plot_candlesticks(
    candles: pd.DataFrame,
    *,
    volume: bool = True,
    quotes: bool = False,
    ax: Axes | None = None,
    tz: str | tzinfo | None = None,
    title: str | None = None,
) -> Axes:
    """Draw open, high, low and close of each period, with the volume below.

    Parameters
    ----------
    candles : DataFrame
        Of one ticker: index `time` (the *end* of the period), period_start, open, high,
        low, close [dollars], volume [contracts].
    volume : bool, default True
        Draw the volume in the lower part of the axes.
    quotes : bool, default False
        Draw the closing bid and ask of each period (yes_bid_close, yes_ask_close).
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure if not given.
    tz : str or tzinfo, optional
        Time zone of the axis, UTC if not given. The frame stays as it is.
    title : str, optional
        Instead of the ticker and the length of a period.

    Returns
    -------
    matplotlib.axes.Axes
        A body reaches from the start to the end of its period: hollow where the price
        rose or stayed, filled where it fell. A period without a trade stays blank. The
        volume is in ``ax.child_axes[-1]``.

    Raises
    ------
    FrameError
        If a column is missing, there are several tickers, or times have no zone.

    Examples
    --------
    >>> import pandas as pd
    >>> from matplotlib.figure import Figure
    >>> time = pd.to_datetime(["2026-11-20 15:01", "2026-11-20 15:02"], utc=True)
    >>> candles = pd.DataFrame({"period_start": time - pd.Timedelta(minutes=1),
    ...     "open": [0.42, 0.44], "high": [0.45, 0.44], "low": [0.41, 0.40],
    ...     "close": [0.44, 0.41], "volume": [10.0, 25.5]}, index=time)
    >>> ax = plot_candlesticks(candles, ax=Figure().subplots())
    >>> ax.get_title(loc="left")
    'Candlesticks, 1-minute · no ticker'
    """
    wanted = ["period_start", "open", "high", "low", "close"]
    wanted += ["volume"] if volume else []
    wanted += ["yes_bid_close", "yes_ask_close"] if quotes else []
    require(candles, wanted, what="candlesticks", makers=_MAKERS)
    ticker = only_ticker(candles, what="candlesticks")
    begin, end = _periods(candles)
    ohlc = np.column_stack(
        [numbers(candles, name, what="candlesticks") for name in ("open", "high", "low", "close")]
    )
    for name in wanted[5:]:
        numbers(candles, name, what="candlesticks")
    where = house.zone(tz)
    ax = house.canvas(ax)
    handles = _draw_quotes(ax, candles, begin, end) if quotes else []
    handles += _draw_candles(ax, begin, end, ohlc)
    if begin.size:
        pad = 0.01 * (end.max() - begin.min())
        ax.set_xlim(begin.min() - pad, end.max() + pad)
    house.time_ticks(ax, where)
    house.price_ticks(ax.yaxis)
    _limit(ax, candles, ohlc, quotes=quotes, volume=volume)
    if volume and begin.size:
        _draw_volume(ax, begin, end, numbers(candles, "volume", what="candlesticks"))
    if not handles:
        house.say_empty(ax, "no candlesticks" if candles.empty else "no trades in these periods")
    above = house.key_row(ax, handles)
    heading = title if title is not None else f"{_name(begin, end)} · {ticker or 'no ticker'}"
    return house.finish(ax, candles, title=heading, above=above)


def _periods(candles: pd.DataFrame) -> tuple[Floats, Floats]:
    """Begin and end of every period, in days as matplotlib counts them."""
    end = times(candles, what="candlesticks")
    start = candles["period_start"]
    if len(start) and (not isinstance(start.dtype, pd.DatetimeTZDtype) or start.isna().any()):
        raise FrameError("the column period_start of candlesticks must hold times with a time zone")
    begin = start.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy() if len(start) else end
    first, last = house.days(begin), house.days(end)
    if (last <= first).any():
        raise FrameError("a candlestick ends before it starts: period_start must lie before `time`")
    return first, last


def _name(begin: Floats, end: Floats) -> str:
    if not begin.size:
        return "Candlesticks"
    seconds = round(float(np.median(end - begin)) * 86400)
    return f"Candlesticks, {_PERIODS.get(seconds, f'{seconds / 60:g}-minute')}"


def _boxes(left: Floats, right: Floats, low: Floats, high: Floats) -> Floats:
    return np.stack(
        [np.column_stack(corner) for corner in ((left, low), (left, high), (right, high), (right, low))],
        axis=1,
    )


def _draw_candles(ax: Axes, begin: Floats, end: Floats, ohlc: Floats) -> list[Any]:
    traded = np.isfinite(ohlc).all(axis=1)
    if not traded.any():
        return []
    left, right = begin[traded], end[traded]
    margin = 0.14 * (right - left)
    first, high, low, last = ohlc[traded].T
    centre = (left + right) / 2
    fell = last < first
    wicks = np.stack([np.column_stack([centre, low]), np.column_stack([centre, high])], axis=1)
    handles: list[Any] = []
    for mine, label, edge, face in (
        (~fell, "close ≥ open", house.YES, "white"),
        (fell, "close < open", house.NO, house.NO),
    ):
        if not mine.any():
            continue
        ax.add_collection(
            LineCollection(
                list(wicks[mine]), colors=edge, linewidths=1.0, zorder=3, gid=f"wicks, {label}"
            )
        )
        boxes = _boxes(
            (left + margin)[mine],
            (right - margin)[mine],
            np.minimum(first, last)[mine],
            np.maximum(first, last)[mine],
        )
        ax.add_collection(
            PolyCollection(
                list(boxes),
                facecolors=face,
                edgecolors=edge,
                linewidths=1.0,
                zorder=4,
                gid=f"bodies, {label}",
            )
        )
        handles.append(Patch(facecolor=face, edgecolor=edge, label=label))
    blank = round(float((end.max() - begin.min()) / np.median(end - begin))) - int(traded.sum())
    if blank > 0:
        label = f"{blank:,} periods without trades"
        handles.append(Patch(facecolor="none", edgecolor=house.QUIET, linestyle=":", label=label))
    return handles


def _draw_quotes(ax: Axes, candles: pd.DataFrame, begin: Floats, end: Floats) -> list[Any]:
    """Closing quotes hold for their own period only; between periods that do not touch is a gap."""
    handles = []
    style: Any
    for name, label, colour, style in (
        ("yes_bid_close", "bid at close", house.YES, "-"),
        ("yes_ask_close", "ask at close", house.NO, house.DASHED),
    ):
        y = numbers(candles, name, what="candlesticks")
        known = np.isfinite(y)
        if known.any():
            ends = (np.column_stack([at[known], y[known]]) for at in (begin, end))
            lines = LineCollection(
                list(np.stack(list(ends), axis=1)),
                colors=colour,
                linestyles=[style],
                linewidths=1.0,
                zorder=2,
                gid=label,
            )
            ax.add_collection(lines)
            handles.append(Line2D([], [], color=colour, linestyle=style, linewidth=1.0, label=label))
    return handles


def _limit(ax: Axes, candles: pd.DataFrame, ohlc: Floats, *, quotes: bool, volume: bool) -> None:
    shown = [ohlc.ravel()]
    if quotes:
        shown += [
            numbers(candles, name, what="candlesticks") for name in ("yes_bid_close", "yes_ask_close")
        ]
    every = np.concatenate(shown)
    every = every[np.isfinite(every)]
    if not every.size:
        return
    pad = max(0.06 * (every.max() - every.min()), 0.01)
    low, high = every.min() - pad, every.max() + pad
    locator = _AboveVolume(nbins=int(min(max(house.points_high(ax) // 26, 3), 8)), steps=[1, 2, 5, 10])
    locator.floor = low
    ax.yaxis.set_major_locator(locator)
    share = _VOLUME_SHARE if volume else 0.0
    ax.set_ylim(high - (high - low) / (1 - share), high)


def _draw_volume(ax: Axes, begin: Floats, end: Floats, volume: Floats) -> None:
    """Bars in the lower part of the axes, with a scale of their own on the right."""
    inset = ax.inset_axes((0, 0, 1, _VOLUME_SHARE - 0.03), sharex=ax, zorder=1)
    inset.patch.set_visible(False)
    margin = 0.14 * (end - begin)
    known = np.isfinite(volume)
    bars = _boxes(begin + margin, end - margin, np.zeros_like(volume), volume)[known]
    inset.add_collection(PolyCollection(list(bars), facecolors="#A9A9A9", linewidths=0, gid="volume"))
    largest = float(volume[known].max(initial=0.0))
    inset.set_ylim(0, 1.1 * largest if largest > 0 else 1.0)
    look = {"labelsize": house.NORMAL - 1, "labelcolor": house.QUIET, "color": house.QUIET}
    inset.tick_params(axis="x", bottom=False, labelbottom=False)
    inset.tick_params(axis="y", left=False, labelleft=False, right=True, labelright=True, **look)
    inset.yaxis.set_label_position("right")
    crowded = _VOLUME_SHARE * house.points_high(ax) < 3 * house.NORMAL
    inset.set_yticks([largest] if crowded else sorted({0.0, largest}))
    inset.yaxis.set_major_formatter(FuncFormatter(lambda value, _: house.contracts_text(value)))
    inset.set_ylabel("contracts", fontsize=house.NORMAL - 1, color=house.QUIET)
    for name, spine in inset.spines.items():
        spine.set_visible(name == "right")
        spine.set_color(house.QUIET)
