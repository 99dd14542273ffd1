"""What is really on an Axes, in words and numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import (
    FillBetweenPolyCollection,
    LineCollection,
    PathCollection,
    PolyCollection,
)
from matplotlib.dates import AutoDateFormatter, ConciseDateFormatter, DateFormatter
from matplotlib.lines import Line2D

from kalshi_research.errors import InputError
from kalshi_research.plotting.house import instants

if TYPE_CHECKING:
    from collections.abc import Iterator

    from matplotlib.artist import Artist

__all__ = ["drawn"]

_TIMES = (AutoDateFormatter, ConciseDateFormatter, DateFormatter)
_COLUMNS = ["what", "label", "count", "x_min", "x_max", "y_min", "y_max"]


def drawn(ax: Axes) -> pd.DataFrame:
    """What was drawn: one row per line, set of markers, area or row of boxes.

    Pictures cannot be compared as text, this can. It is read from the artists on the
    Axes, not from the data that were handed to the function that drew them.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Panels inside it, such as the volume under candlesticks, are included.

    Returns
    -------
    DataFrame
        In drawing order.

        ============  ================  =================================================
        column        dtype             meaning
        ============  ================  =================================================
        what          str               line, points, segments, area or boxes
        label         str               as in the legend, or what it is
        count         int64             points, segments or boxes with finite coordinates
        x_min, x_max  float64           range along x; UTC times on a time axis
        y_min, y_max  float64           range along y
        ============  ================  =================================================

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> ax = Figure().subplots()
    >>> _ = ax.plot([1, 2, 3], [0.4, float("nan"), 0.5], label="price")
    >>> drawn(ax)[["what", "label", "count", "y_min", "y_max"]]
       what  label  count  y_min  y_max
    0  line  price      2    0.4    0.5
    """
    if not isinstance(ax, Axes):
        raise InputError(
            f"ax must be one matplotlib Axes, as plot_price returns it, not {type(ax).__name__}"
        )
    rows = []
    for one in (ax, *ax.child_axes):
        for artist in one.get_children():
            for what, count, points in _measured(artist):
                low, high = points.min(axis=0), points.max(axis=0)
                rows.append((what, _label(artist), count, low[0], high[0], low[1], high[1]))
    frame = pd.DataFrame(rows, columns=_COLUMNS).astype(
        {"what": "str", "label": "str", "count": "int64"} | dict.fromkeys(_COLUMNS[3:], "float64")
    )
    if isinstance(ax.xaxis.get_major_formatter(), _TIMES):
        frame["x_min"], frame["x_max"] = instants(frame["x_min"]), instants(frame["x_max"])
    return frame


def _label(artist: Artist) -> str:
    label = str(artist.get_label())
    return str(artist.get_gid() or "") if label.startswith("_") or not label else label


def _measured(artist: Artist) -> Iterator[tuple[str, int, npt.NDArray[np.float64]]]:
    """The kind, how many there are, and all finite points of an artist that shows data."""
    if not artist.get_visible():
        return
    what, parts = _parts(artist)
    finite = [part[np.isfinite(part).all(axis=1)] for part in parts]
    finite = [part for part in finite if len(part)]
    if finite:
        points = np.concatenate(finite)
        yield what, len(points) if what in ("line", "points") else len(finite), points


def _parts(artist: Any) -> tuple[str, list[npt.NDArray[np.float64]]]:
    if isinstance(artist, Line2D):
        kind = "points" if artist.get_linestyle() in ("None", "", " ") else "line"
        return kind, [np.asarray(artist.get_xydata(), dtype=float)]
    if isinstance(artist, PathCollection):
        return "points", [np.asarray(artist.get_offsets(), dtype=float)]
    if isinstance(artist, LineCollection):
        return "segments", [np.asarray(part, dtype=float) for part in artist.get_segments()]
    if isinstance(artist, FillBetweenPolyCollection | PolyCollection):
        what = "area" if isinstance(artist, FillBetweenPolyCollection) else "boxes"
        return what, [np.asarray(path.vertices, dtype=float) for path in artist.get_paths()]
    return "", []
