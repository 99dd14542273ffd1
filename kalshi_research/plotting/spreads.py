"""Spreads and depth through the day."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from matplotlib.ticker import FuncFormatter

from kalshi_research.errors import FrameError
from kalshi_research.plotting import house
from kalshi_research.plotting.frames import numbers, only_ticker, require, times

if TYPE_CHECKING:
    from datetime import tzinfo

    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

__all__ = ["plot_spreads"]

_MAKERS = "quotes(book_history) and replay_book make such frames"
_QUOTED = ("quoted_spread", "spread")
_EFFECTIVE = "effective_spread"
_DEPTHS = (("yes_bid_size", "yes_ask_size"), ("yes_depth", "no_depth"))
_DEPTH_SHARE = 0.34
"""Share of the height that the depth takes."""

Floats = npt.NDArray[np.float64]


def plot_spreads(
    frame: pd.DataFrame,
    *,
    ax: Axes | None = None,
    tz: str | tzinfo | None = None,
    title: str | None = None,
) -> Axes:
    """Draw quoted and effective spreads through time, with the depth below.

    Parameters
    ----------
    frame : DataFrame
        Of one market, indexed by `time`: spread or quoted_spread, effective_spread [dollars],
        at least one of them; and where known the depth on both sides, as yes_bid_size and
        yes_ask_size (`quotes`) or yes_depth and no_depth (`depth_within`) [contracts].
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure if not given.
    tz : str or tzinfo, optional
        Time zone of the axis, UTC if not given. The frame stays as it is.
    title : str, optional
        Instead of the ticker.

    Returns
    -------
    matplotlib.axes.Axes
        A quoted spread holds until the next row and leaves a gap where a side is empty; an
        effective spread is a mark of its row. The depth is in ``ax.child_axes[-1]``, bids
        solid, asks dashed.

    Raises
    ------
    FrameError
        If there is no spread, there are several tickers, or times have no zone.

    Examples
    --------
    >>> import pandas as pd
    >>> from matplotlib.figure import Figure
    >>> time = pd.to_datetime(["2026-11-20 15:00", "2026-11-20 15:05"], utc=True)
    >>> spreads = pd.DataFrame({"spread": [0.02, 0.04]}, index=time)
    >>> plot_spreads(spreads, ax=Figure().subplots()).lines[0].get_ydata().tolist()
    [0.02, 0.04]
    """
    require(frame, (), what="spreads", makers=_MAKERS)
    quoted = next((name for name in _QUOTED if name in frame.columns), None)
    effective = _EFFECTIVE if _EFFECTIVE in frame.columns else None
    if quoted is None and effective is None:
        raise FrameError(
            f"the frame of spreads lacks the column spread, quoted_spread or effective_spread; {_MAKERS}"
        )
    ticker = only_ticker(frame, what="spreads")
    when = times(frame, what="spreads")
    spreads = {name: numbers(frame, name, what="spreads") for name in (quoted, effective) if name}
    pair = next((names for names in _DEPTHS if set(names) <= set(frame.columns)), None)
    depth = [numbers(frame, name, what="spreads") for name in pair or ()]
    where = house.zone(tz)
    ax = house.canvas(ax)
    handles = _draw(ax, when, spreads, quoted)
    house.time_ticks(ax, where)
    house.price_ticks(ax.yaxis)
    ax.set_ylabel("spread [$]", fontsize=house.NORMAL, color=house.INK, parse_math=False)
    if not handles:
        house.say_empty(ax, "no spreads" if frame.empty else "never two sides to take a spread of")
    else:
        share = _DEPTH_SHARE if depth else 0.0
        _limit(ax, np.concatenate(list(spreads.values())), share)
        if depth:
            handles += _draw_depth(ax, when, depth, "at the touch" if pair == _DEPTHS[0] else "near it")
    above = house.key_row(ax, handles)
    heading = title if title is not None else f"Spread · {ticker or 'no ticker'}"
    return house.finish(ax, frame, title=heading, above=above)


def _draw(ax: Axes, when: Any, spreads: dict[str, Floats], quoted: str | None) -> list[Line2D]:
    handles = []
    for name, y in spreads.items():
        if not np.isfinite(y).any():
            continue
        if name == quoted:
            look: dict[str, Any] = {"color": house.INK, "linewidth": 1.2, "drawstyle": "steps-post"}
            label = "quoted spread"
        else:
            look = {
                "linestyle": "",
                "marker": "o",
                "markersize": 4.0,
                "markerfacecolor": "none",
                "markeredgecolor": house.NO,
                "markeredgewidth": 0.9,
                "rasterized": y.size > 4_000,
            }
            label = "effective spread"
        (line,) = ax.plot(when, y, label=label, zorder=3, **look)
        handles.append(line)
    return handles


def _limit(ax: Axes, spread: Floats, share: float) -> None:
    """Zero in sight, and the depth below it, apart from the spreads."""
    known = spread[np.isfinite(spread)]
    low, high = min(0.0, 1.08 * float(known.min())), max(1.08 * float(known.max()), 0.01)
    ax.set_ylim(high - (high - low) / (1 - share), high)
    if share:
        ticks = [tick for tick in ax.get_yticks() if low - 1e-9 <= tick <= high]
        ax.set_yticks(ticks)
        ax.set_ylim(high - (high - low) / (1 - share), high)
    ax.axhline(0.0, color=house.QUIET, linewidth=0.8, zorder=1, label="_zero", gid="zero")


def _draw_depth(ax: Axes, when: Any, depth: list[Floats], words: str) -> list[Line2D]:
    inset = ax.inset_axes((0, 0, 1, _DEPTH_SHARE - 0.05), sharex=ax, zorder=1)
    inset.patch.set_visible(False)
    handles = []
    for y, side, colour, style in (
        (depth[0], "bids", house.YES, "-"),
        (depth[1], "asks", house.NO, house.DASHED),
    ):
        (line,) = inset.plot(
            when,
            y,
            drawstyle="steps-post",
            color=colour,
            linestyle=style,
            linewidth=1.1,
            label=f"{side} {words}",
        )
        handles.append(line)
    largest = float(
        np.nanmax(np.concatenate(depth), initial=0.0, where=np.isfinite(np.concatenate(depth)))
    )
    inset.set_ylim(0, 1.1 * largest if largest > 0 else 1.0)
    look = {"labelsize": house.NORMAL - 1, "labelcolor": house.QUIET, "color": house.QUIET}
    inset.tick_params(axis="x", bottom=False, labelbottom=False)
    inset.tick_params(axis="y", left=False, labelleft=False, right=True, labelright=True, **look)
    inset.yaxis.set_label_position("right")
    inset.set_yticks(sorted({0.0, largest}))
    inset.yaxis.set_major_formatter(FuncFormatter(lambda value, _: house.contracts_text(value)))
    inset.set_ylabel("contracts", fontsize=house.NORMAL - 1, color=house.QUIET)
    for name, spine in inset.spines.items():
        spine.set_visible(name == "right")
        spine.set_color(house.QUIET)
    return handles
