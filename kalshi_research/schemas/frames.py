"""Typed tables to the frame that users see."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from kalshi_research.schemas.columns import form_of, plain_name
from kalshi_research.schemas.typed import TOKENS
from kalshi_research.schemas.values import ARROW_TYPES, UnreadableError, read

if TYPE_CHECKING:
    import numpy.typing as npt

    from kalshi_research.schemas.schema import Kind, Schema

__all__ = ["empty_frame", "empty_table", "first_of_each", "in_time_order", "resolved", "to_frame"]

_PANDAS_TYPES = {
    pa.bool_(): pd.BooleanDtype(),
    pa.int64(): pd.Int64Dtype(),
    pa.string(): pd.StringDtype(na_value=np.nan),
}


def empty_table(schema: Kind) -> pa.Table:
    """A table of no rows with the types of a full one."""
    return pa.table({column.name: pa.array([], ARROW_TYPES[column.form]) for column in schema.columns})


def resolved(table: pa.Table) -> pa.Table:
    """Give fields nobody has heard of the type that their name or their values tell."""
    for marked in [name for name in table.column_names if name.startswith(TOKENS)]:
        wire = marked.removeprefix(TOKENS)
        texts = table[marked].combine_chunks()
        plain = plain_name(wire.replace(".", "_"))
        name = plain if plain not in table.column_names else wire
        table = table.drop_columns([marked]).append_column(name, _by_content(wire, texts))
    return table


def _by_content(wire: str, texts: pa.Array) -> pa.Array:
    filled = ("null" if text is None else text for text in texts.to_pylist())
    values = msgspec.json.decode(f"[{','.join(filled)}]")
    kinds = {type(value) for value in values} - {type(None)}
    named = form_of(wire)
    try:
        if named is not None:
            return read(named, values)
        if kinds == {bool}:
            return pa.array(values, pa.bool_())
        if kinds <= {int, float}:
            return pa.array(values, pa.float64())
        if kinds == {str}:
            return pa.array(values, pa.string())
    except (UnreadableError, pa.ArrowInvalid, pa.ArrowTypeError):
        pass
    return texts


def first_of_each(table: pa.Table, schema: Schema) -> tuple[pa.Table, int]:
    """The table without rows whose key has come before, and how many those were."""
    if not schema.key or not table.num_rows:
        return table, 0
    if schema.by_time:
        suspects = _at_one_instant(table)
    elif pc.count_distinct(table[schema.key[0]]).as_py() == table.num_rows:
        return table, 0
    else:
        suspects = np.arange(table.num_rows)
    keys = table.select(list(schema.key)).take(pa.array(suspects)).to_pandas()
    repeated = suspects[keys.duplicated().to_numpy()]
    if not repeated.size:
        return table, 0
    kept = np.ones(table.num_rows, dtype=bool)
    kept[repeated] = False
    return table.filter(pa.array(kept)), int(repeated.size)


def _at_one_instant(table: pa.Table) -> npt.NDArray[np.int64]:
    """Rows that share their millisecond with another: in the order of time they stand together.

    Only they can be one and the same. A millisecond, because a copy may come from a tier
    that keeps fewer digits.
    """
    instants = table["time"].cast(pa.int64()).to_numpy() // 1000
    same = instants[1:] == instants[:-1]
    return np.flatnonzero(np.append(same, False) | np.append(False, same))


def in_time_order(table: pa.Table) -> pa.Table:
    """Oldest first. The exchange lists newest first, so rows of one instant are turned round too."""
    times = table["time"].cast(pa.int64()).to_numpy()
    steps = np.diff(times)
    if not (steps < 0).any():
        return table
    if np.count_nonzero(steps < 0) > np.count_nonzero(steps > 0):
        order = len(times) - 1 - np.argsort(times[::-1], kind="stable")
    else:
        order = np.argsort(times, kind="stable")
    return table.take(pa.array(order))


def to_frame(table: pa.Table, schema: Kind) -> pd.DataFrame:
    """A typed Arrow table as a pandas frame with the index and dtypes of `schema`."""
    frame: pd.DataFrame = table.to_pandas(types_mapper=_PANDAS_TYPES.get, ignore_metadata=True)
    if schema.index:
        frame = frame.set_index(schema.index)
    frame.columns.name = None
    return frame


def empty_frame(schema: Kind) -> pd.DataFrame:
    """A frame of no rows with the dtypes of a full one."""
    return to_frame(empty_table(schema), schema)
