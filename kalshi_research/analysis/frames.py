"""What a frame must have before it is analysed, and how its columns become integers."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from kalshi_research.errors import FrameError, InputError, printable, quoted

__all__ = [
    "Bools",
    "Floats",
    "Ints",
    "at_instants",
    "duration",
    "instants",
    "legs",
    "nearest",
    "numbers",
    "require",
    "scaled",
    "tickers",
    "with_attrs",
]

Ints: TypeAlias = npt.NDArray[np.int64]
Floats: TypeAlias = npt.NDArray[np.float64]
Bools: TypeAlias = npt.NDArray[np.bool_]

_NOISE = 1e-6
"""How far from a whole unit float arithmetic may have carried a price or quantity."""
_MOST = 2.0**53
"""Above it a float no longer holds every integer, so nothing exact can be read from it."""


def require(frame: Any, columns: Sequence[str], *, what: str, makers: str) -> None:
    """Refuse what is no frame indexed by time with these columns.

    Raises
    ------
    FrameError
        Naming what is missing and which functions make such frames.
    """
    if not isinstance(frame, pd.DataFrame):
        raise FrameError(f"{what} must be a DataFrame, not {type(frame).__name__}; {makers}")
    missing = [name for name in columns if name not in frame.columns]
    if missing:
        raise FrameError(f"the frame of {what} lacks the column(s) {', '.join(missing)}; {makers}")
    if frame.columns.has_duplicates:
        twice = frame.columns[frame.columns.duplicated()][0]
        raise FrameError(f"the frame of {what} has the column {printable(twice, 60)} twice; drop one")
    if not isinstance(frame.index, pd.DatetimeIndex):
        hint = "; use frame.set_index('time')" if "time" in frame.columns else ""
        raise FrameError(
            f"{what} must be indexed by time, not by {printable(frame.index.dtype, 60)}{hint}; {makers}"
        )
    if frame.index.tz is None:
        raise FrameError(f"the times of {what} have no time zone; say which: frame.tz_localize('UTC')")
    if frame.index.hasnans:
        at = int(np.argmax(frame.index.isna()))
        raise FrameError(f"a row of {what} has no time: row {at}; drop or complete such rows")


def instants(frame: pd.DataFrame) -> Ints:
    """The index as microseconds since 1970, UTC."""
    found: Ints = pd.DatetimeIndex(frame.index).as_unit("us").asi8
    return found


def at_instants(times: Ints, name: str = "time") -> pd.DatetimeIndex:
    """Microseconds since 1970 as an index of times."""
    return pd.DatetimeIndex(times.view("M8[us]"), name=name).tz_localize("UTC")


def duration(value: Any, name: str) -> int:
    """A length of time given by the caller, in microseconds.

    Raises
    ------
    InputError
        If it is no positive length of time of whole microseconds.
    """
    example = f"{name} must be a length of time such as '5min' or pd.Timedelta(minutes=5)"
    if isinstance(value, int | float | np.number):
        raise InputError(f"{example}, not the bare number {quoted(value, 40)}: of what unit?")
    try:
        found = pd.Timedelta(value)
    except (ValueError, TypeError, OverflowError):
        raise InputError(f"{example}, not {quoted(value, 60)}") from None
    one = pd.Timedelta(microseconds=1)
    if pd.isna(found) or found <= pd.Timedelta(0) or found % one:
        raise InputError(f"{example}; it must be positive and of whole microseconds")
    return int(found // one)


def numbers(frame: pd.DataFrame, name: str, *, what: str) -> Floats:
    """A column as floats, NaN where it has nothing.

    Raises
    ------
    FrameError
        If it does not hold numbers.
    """
    column = frame[name]
    numeric = pd.api.types.is_numeric_dtype(column.dtype)
    if len(column) and (not numeric or pd.api.types.is_bool_dtype(column.dtype)):
        raise FrameError(
            f"the column {name} of {what} must hold numbers, not {printable(column.dtype, 40)}"
        )
    return column.to_numpy(dtype=np.float64, na_value=np.nan)


def nearest(value: Floats, scale: int) -> tuple[Ints, Bools]:
    """Floats as whole numbers of ``1/scale``, and which of them are such numbers."""
    raw = value * scale
    whole = np.rint(raw)
    with np.errstate(invalid="ignore"):
        good = (np.abs(raw - whole) <= _NOISE * np.maximum(1.0, np.abs(raw) * 1e-4)) & (
            np.abs(whole) < _MOST
        )
    return np.where(good, whole, 0).astype(np.int64), good


def scaled(frame: pd.DataFrame, name: str, scale: int, *, what: str, below: float | None = None) -> Ints:
    """A column of positive numbers as integers of ``1/scale``.

    Raises
    ------
    FrameError
        For NaN, what is not positive, not less than `below`, or finer than ``1/scale``;
        the message names the first such row.
    """
    value = numbers(frame, name, what=what)
    whole, on_grid = nearest(value, scale)
    checks = [
        (~np.isfinite(value), "is not a number"),
        (value <= 0, "is not positive"),
        (whole >= (np.inf if below is None else below * scale), f"is not less than {below}"),
        (~on_grid | (whole <= 0), f"is no multiple of 1/{scale}"),
    ]
    for bad, reason in checks:
        if bad.any():
            at = int(np.argmax(bad))
            raise FrameError(
                f"a {name} of {what} {reason}: {value[at]} in row {at} "
                f"({int(bad.sum()):,} of {bad.size:,} rows are like that); drop or repair such rows"
            )
    return whole


def tickers(frame: pd.DataFrame, *, what: str) -> tuple[Ints, pd.Index]:
    """For each row the place of its ticker among the names, and the names, sorted.

    Raises
    ------
    FrameError
        If a row has none, or one that is no text.
    """
    try:
        code, found = pd.factorize(frame["ticker"])
    except TypeError:
        raise FrameError(f"the column ticker of {what} must hold text") from None
    if (code < 0).any():
        raise FrameError(f"a row of {what} has no ticker: row {int(np.argmin(code))}")
    wrong = [place for place, name in enumerate(found) if not isinstance(name, str)]
    if wrong:
        at = int(np.argmax(code == wrong[0]))
        raise FrameError(
            f"a ticker of {what} must be text, but row {at} says {quoted(found[wrong[0]], 40)}"
        )
    said = pd.Index(found, dtype="str")
    order = said.argsort()
    rank = np.empty(order.size, dtype=np.int64)
    rank[order] = np.arange(order.size)
    return rank[code], said.take(order)


def legs(frame: pd.DataFrame, name: str, *, what: str) -> Bools:
    """A column of ``yes`` and ``no`` as True and False.

    Raises
    ------
    FrameError
        If a row says something else.
    """
    try:
        code, words = pd.factorize(frame[name])
    except TypeError:
        raise FrameError(f"the column {name} of {what} must hold 'yes' or 'no'") from None
    said = [str(word) for word in words]
    known = np.isin(code, [at for at, word in enumerate(said) if word in {"yes", "no"}])
    if not known.all():
        at = int(np.argmin(known))
        raise FrameError(
            f"{name} of {what} must be 'yes' or 'no', but row {at} "
            f"says {quoted(frame[name].iloc[at], 40)}"
        )
    is_yes: Bools = code == (said.index("yes") if "yes" in said else -1)
    return is_yes


def with_attrs(frame: pd.DataFrame, like: pd.DataFrame) -> pd.DataFrame:
    """The frame itself, with the attributes of the one it was made of."""
    frame.attrs = deepcopy(like.attrs)
    return frame
