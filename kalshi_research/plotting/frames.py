"""What a frame must have before it is drawn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from kalshi_research.errors import FrameError, printable, quoted
from kalshi_research.plotting.lettering import drawable

__all__ = ["numbers", "only_ticker", "require", "times"]


def require(frame: Any, columns: Sequence[str], *, what: str, makers: str) -> pd.DataFrame:
    """The frame itself, if it is one and has the columns."""
    if not isinstance(frame, pd.DataFrame):
        raise FrameError(f"{what} must be a DataFrame, not {type(frame).__name__}; {makers}")
    missing = [name for name in columns if name not in frame.columns]
    if missing:
        raise FrameError(f"the frame of {what} lacks the column(s) {', '.join(missing)}; {makers}")
    return frame


def only_ticker(frame: pd.DataFrame, *, what: str) -> str:
    """The one ticker of the frame; empty where nothing is known.

    Raises
    ------
    FrameError
        If there are several: a figure shows one market.
    """
    if "ticker" not in frame.columns:
        return ""
    found = list(frame["ticker"].dropna().unique())
    if len(found) > 1:
        raise FrameError(
            f"the frame of {what} holds {len(found)} tickers, but a figure shows one\n"
            f"Choose one: frame[frame['ticker'] == {quoted(str(found[0]), 80)}]"
        )
    if not found and isinstance(frame["ticker"].dtype, pd.CategoricalDtype):
        found = list(frame["ticker"].cat.categories) if len(frame["ticker"].cat.categories) == 1 else []
    return drawable(found[0], 80) if found else ""


def times(frame: pd.DataFrame | pd.Series, *, what: str) -> npt.NDArray[np.datetime64]:
    """The time index as UTC instants without a zone, as matplotlib wants them.

    Raises
    ------
    FrameError
        If the index holds no times, times without a zone, or times out of order.
    """
    index = frame.index
    if not isinstance(index, pd.DatetimeIndex):
        if len(index) == 0:
            return np.array([], dtype="datetime64[us]")
        raise FrameError(f"{what} must be indexed by time, not by {printable(index.dtype, 60)}")
    if index.tz is None:
        raise FrameError(f"the times of {what} have no time zone; say which: frame.tz_localize('UTC')")
    if not index.is_monotonic_increasing:
        raise FrameError(
            f"the times of {what} are not in order; sort with frame.sort_index(kind='stable')"
        )
    return index.tz_convert("UTC").tz_localize(None).to_numpy()


def numbers(frame: pd.DataFrame, name: str, *, what: str) -> npt.NDArray[np.float64]:
    """A column as floats, NaN where it has nothing.

    Raises
    ------
    FrameError
        If it does not hold numbers.
    """
    column = frame[name]
    if len(column) and not pd.api.types.is_numeric_dtype(column.dtype):
        raise FrameError(
            f"the column {name} of {what} must hold numbers, not {printable(column.dtype, 40)}"
        )
    return column.to_numpy(dtype=np.float64, na_value=np.nan)
