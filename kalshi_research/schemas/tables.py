"""Tables to frames: those in wire columns, and those in the columns of a frame."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa

from kalshi_research.errors import FrameError, printable, quoted
from kalshi_research.schemas.frames import to_frame
from kalshi_research.schemas.values import UnreadableError, read

if TYPE_CHECKING:
    from kalshi_research.schemas.columns import Column
    from kalshi_research.schemas.schema import Kind, Schema

__all__ = ["as_table", "check", "is_own", "numbered", "own_frame"]

_SEARCHED = 8
"""How many names a message lists."""


def as_table(frame: pd.DataFrame) -> pa.Table:
    """A pandas frame as an Arrow table, its named index among the columns."""
    if frame.index.name is not None:
        frame = frame.reset_index()
    frame = frame.copy(deep=False)
    frame.columns = [str(name) for name in frame.columns]
    try:
        return pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata()
    except (pa.ArrowException, ValueError, TypeError) as error:
        raise FrameError(f"this table cannot be read: {printable(error, 160)}") from None


def is_own(names: list[str], schema: Kind) -> bool:
    """Whether a table has all columns of a frame of this kind, rather than wire columns."""
    return set(schema.names) <= set(names)


def own_frame(
    table: pa.Table, schema: Kind, categories: Mapping[str, list[str]] | None = None
) -> pd.DataFrame:
    """A table in the columns of `schema` as the frame it stands for, dtypes and order restored."""
    arrays: dict[str, Any] = {}
    for column in schema.columns:
        array = table[column.name].combine_chunks()
        # What the wire sends in cents is dollars here.
        form = "amount" if column.form == "cents" else column.form
        try:
            arrays[column.name] = read(form, array)
        except UnreadableError as error:
            raise FrameError(
                f"{schema.kind}: column {column.name!r} holds {quoted(error.value, 60)} in row "
                f"{error.row}, which is no {column.dtype}"
            ) from None
    extra = [name for name in table.column_names if name not in arrays]
    frame = to_frame(pa.table(arrays | {name: table[name] for name in extra}), schema)
    for column in schema.columns:
        if column.form == "label":
            order = (categories or {}).get(
                column.name, list(column.known) or _as_met(frame[column.name])
            )
            frame[column.name] = pd.Categorical(frame[column.name], pd.Index(order, dtype="str"))
        elif column.form == "rank":
            frame[column.name] = _whole(frame, column, schema)
    return frame


def _as_met(values: pd.Series[Any]) -> list[str]:
    return [str(value) for value in values.dropna().unique()]


def _whole(frame: pd.DataFrame, column: Column, schema: Kind) -> pd.Series[Any]:
    values = frame[column.name]
    if values.isna().any():
        raise FrameError(f"{schema.kind}: column {column.name!r} has missing values")
    return values.astype(np.int64)


def numbered(table: pa.Table, schema: Schema) -> pa.Table:
    """A table of text, with the columns of the integer dialect read as numbers.

    In a CSV file ``45`` and ``"0.4500"`` look alike, so there the name alone decides.
    """
    for column in schema.columns:
        numeric = column.old if column.form in ("dollars", "amount", "count") else ()
        numeric = column.wire if column.form == "cents" else numeric
        for name in set(numeric).intersection(table.column_names):
            try:
                array = read("number", table[name].combine_chunks())
            except UnreadableError as error:
                raise FrameError(
                    f"column {name!r} holds {quoted(error.value, 60)}, which is no number"
                ) from None
            table = table.set_column(table.column_names.index(name), name, array)
    return table


def check(frame: pd.DataFrame, schema: Kind) -> None:
    """Raise where `frame` is not a frame of this kind.

    Raises
    ------
    FrameError
        Names what is missing or has another dtype.
    """
    if not isinstance(frame, pd.DataFrame):
        raise FrameError(f"{schema.kind} must be a pandas DataFrame, not {type(frame).__name__}")
    if schema.index and frame.index.name != schema.index:
        raise FrameError(
            f"this is no frame of {schema.kind}: its index is {frame.index.name!r}, not {schema.index!r}"
        )
    missing = [name for name in schema.names if name != schema.index and name not in frame.columns]
    if missing:
        more = f" and {len(missing) - _SEARCHED} more" if len(missing) > _SEARCHED else ""
        raise FrameError(
            f"this is no frame of {schema.kind}: it lacks {', '.join(missing[:_SEARCHED])}{more}\n"
            f"get_{schema.kind} and read_{schema.kind} make such frames."
        )
    for column in schema.columns:
        found = frame.index.dtype if column.name == schema.index else frame[column.name].dtype
        if str(found) != column.dtype:
            raise FrameError(
                f"this is no frame of {schema.kind}: {column.name!r} is {found}, not {column.dtype}"
            )
