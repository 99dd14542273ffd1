"""Trades as marks: which side took, and how much."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from matplotlib.lines import Line2D

from kalshi_research.plotting import house

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["SIDES", "draw_prints", "taken_by"]

SIDES = (
    ("yes", "taker buys YES", "^", house.YES, house.YES),
    ("no", "taker buys NO", "v", house.NO, "none"),
    ("", "trade", "o", house.INK, "none"),
)
"""Of each side of a taker: its word, label, marker, colour, and what fills the marker."""
_LARGEST = 170.0
"""Area of the marker of the largest trade [points²]."""
_MANY = 4_000
"""From so many markers on they are drawn as pixels also in a vector file."""

Floats = npt.NDArray[np.float64]


def taken_by(frame: pd.DataFrame, side: str) -> npt.NDArray[np.bool_]:
    """Which trades a side took; where no side is known, those of the empty word."""
    if "taker_side" not in frame.columns:
        return np.full(len(frame), side == "")
    if not side:
        return ~frame["taker_side"].isin(["yes", "no"]).to_numpy(dtype=bool)
    return (frame["taker_side"] == side).to_numpy(dtype=bool, na_value=False)


def draw_prints(ax: Axes, frame: pd.DataFrame, x: Floats, price: Floats, size: Floats) -> list[Line2D]:
    """A mark for each trade, its area proportional to the contracts; answers the legend's handles."""
    largest = float(np.nanmax(size, initial=0.0, where=np.isfinite(size)))
    area = np.clip(_LARGEST * size / max(largest, 1e-9), 3.0, None)
    handles = []
    for side, label, marker, colour, face in SIDES:
        mine = taken_by(frame, side) & np.isfinite(price)
        if mine.any():
            ax.scatter(
                x[mine],
                price[mine],
                s=area[mine],
                marker=marker,
                facecolors=face,
                edgecolors=colour,
                linewidths=0.8,
                alpha=0.75,
                zorder=4,
                gid=label,
                rasterized=int(mine.sum()) > _MANY,
            )
            look: Any = {"marker": marker, "color": colour, "markerfacecolor": face, "label": label}
            handles.append(Line2D([], [], linestyle="", markersize=6, **look))
    said = f"area ∝ contracts, largest {house.contracts_text(largest)}"
    return [*handles, Line2D([], [], linestyle="", label=said)]
