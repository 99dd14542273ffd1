"""Pages of JSON, or tables in wire columns, to one typed frame."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from kalshi_research.errors import DecodeError, DriftWarning, printable
from kalshi_research.provenance import KEY
from kalshi_research.schemas.columns import Column, form_of, plain_name
from kalshi_research.schemas.plan import (
    ABSENT,
    ANYTHING,
    Plan,
    WireField,
    can_be_column,
    fields_of,
    plan_for,
    read_objection,
)
from kalshi_research.schemas.values import ARROW_TYPES, UnreadableError, Values, read

if TYPE_CHECKING:
    from kalshi_research.schemas.schema import Kind, Schema

__all__ = ["Decoder", "empty_frame", "outside_stacklevel", "to_frame"]

_MOST_NEW_FIELDS = 64
"""More unknown fields than this are no drift but another protocol."""

_TOKENS = "\x00"
"""Marks, inside the decoder, the column of a field nobody has heard of: its JSON texts."""

_PANDAS_TYPES = {
    pa.bool_(): pd.BooleanDtype(),
    pa.int64(): pd.Int64Dtype(),
    pa.string(): pd.StringDtype(na_value=np.nan),
}


class Decoder:
    """Gathers pages into one frame.

    Parameters
    ----------
    schema : Schema
    dedupe : bool
        Keep the first of rows with the same key; `duplicates` counts the others.
    **context
        What the pages do not say themselves.

    Attributes
    ----------
    rows : int
        Added so far.
    duplicates : int
        Rows left out of the last frame because their key had come before.
    left_out : list of str
        Columns of added tables that are no wire fields.

    Examples
    --------
    >>> from kalshi_research.schemas import TRADES
    >>> decoder = TRADES.decoder()
    >>> decoder.add(b'{"trades": [], "cursor": ""}')
    0
    >>> decoder.frame({}).index.name
    'time'
    """

    def __init__(self, schema: Schema, *, dedupe: bool = True, **context: Any) -> None:
        self._schema = schema
        self._dedupe = dedupe
        self._context = context
        self._fields = fields_of(schema.columns, schema.ignored)
        self._notes: dict[str, str] = {}
        self._tables: list[pa.Table] = []
        self._memo: dict[bytes, str] = {}
        self._told = 0
        self.rows = 0
        self.duplicates = 0
        self.left_out: list[str] = []

    @property
    def drift(self) -> list[str]:
        """What the exchange sent that this version does not know."""
        return list(self._notes.values())

    def add(self, body: bytes) -> int:
        """Add the rows of one page.

        Returns
        -------
        int
            How many.

        Raises
        ------
        DecodeError
            If the page is not what the protocol promises; then the decoder is as before.
        """
        fields, notes = dict(self._fields), dict(self._notes)
        plan, rows, given = self._parse(body, fields, notes)
        values: dict[str, Values] = {**given, **dict(plan.columns(rows))}
        table = _Typing(self._schema, fields, notes, self._memo).table(values, len(rows))
        self._fields, self._notes = fields, notes
        if len(rows):
            self._tables.append(table)
        self.rows += len(rows)
        return len(rows)

    def add_table(self, table: pa.Table) -> int:
        """Add a table whose columns have wire names, of either dialect."""
        fields, notes = dict(self._fields), dict(self._notes)
        _accept_old(self._schema, fields)
        arrays = {name: table[name].combine_chunks() for name in table.column_names if name in fields}
        given = [column for column in self._schema.columns if not column.wire and not column.old]
        arrays |= {c.name: table[c.name].combine_chunks() for c in given if c.name in table.column_names}
        typed = _Typing(self._schema, fields, notes, self._memo, is_table=True)
        self._tables.append(typed.table(arrays, table.num_rows))
        self._notes = notes
        known = set(fields) | {column.name for column in given}
        self.left_out += [name for name in table.column_names if name not in known]
        self.rows += table.num_rows
        return int(table.num_rows)

    def frame(self, provenance: Mapping[str, Any]) -> pd.DataFrame:
        """All rows added so far; warns once of what has drifted."""
        schema = self._schema
        table = pa.concat_tables([_empty_table(schema), *self._tables], promote_options="default")
        table = _resolve_new_fields(table)
        if schema.finish is not None:
            table = schema.finish(table, self._context)
        table, self.duplicates = _first_of_each(table, schema.key) if self._dedupe else (table, 0)
        frame = to_frame(_in_time_order(table) if schema.by_time else table, schema)
        more = {"rows": len(frame)} if self.duplicates else {}
        frame.attrs[KEY] = {**provenance, **more}
        self._warn()
        return frame

    def _warn(self) -> None:
        fresh = self.drift[self._told :]
        self._told = len(self._notes)
        if fresh:
            warnings.warn(
                f"{self._schema.kind}: the exchange sent what this version does not know: "
                f"{'; '.join(fresh[:8])}{'; …' if len(fresh) > 8 else ''}\n"
                "The values are in the frame, typed by their names.",
                DriftWarning,
                stacklevel=outside_stacklevel(),
            )

    def _parse(
        self, body: bytes, fields: dict[str, WireField], notes: dict[str, str]
    ) -> tuple[Plan, Any, Mapping[str, list[Any]]]:
        while True:
            plan = plan_for(self._schema.page, tuple(fields.values()))
            try:
                found = plan.form.rows(plan.decode(body))
            except msgspec.ValidationError as error:
                self._adapt(str(error), plan, fields, notes)
            except msgspec.DecodeError as error:
                raise DecodeError(f"the answer is not JSON: {printable(error, 120)}") from None
            except (UnicodeDecodeError, RecursionError):
                raise DecodeError("the answer is not readable JSON text") from None
            else:
                break
        if found is None:
            raise DecodeError(
                f"the answer has no `{self._schema.items}`: this is not a page of {self._schema.kind}",
                where="$",
            )
        return plan, *found

    def _adapt(
        self, message: str, plan: Plan, fields: dict[str, WireField], notes: dict[str, str]
    ) -> None:
        """Let the plan accept what `message` objects to, or raise."""
        found = read_objection(message, plan.groups)
        if found is None:
            raise DecodeError(f"the answer has another form: {printable(message, 160)}")
        old = _old_names(self._schema)
        if found.kind == "unknown" and found.name in old and found.name not in fields:
            _accept_old(self._schema, fields)
        elif found.kind == "unknown" and not {found.name, ANYTHING.name} & fields.keys():
            if sum(field.is_new for field in fields.values()) >= _MOST_NEW_FIELDS:
                raise DecodeError(f"the answer has dozens of unknown fields: no {self._schema.kind}")
            new = WireField(found.name, None) if can_be_column(found.name, plan) else ANYTHING
            fields[new.name] = new
            fate = "" if new.is_new else ", left out for its odd name"
            notes[found.name] = f"new field `{printable(found.name, 64)}`{fate}"
        elif found.kind == "missing" and _has_old(self._schema, found.name):
            _accept_old(self._schema, fields)
        elif found.kind == "missing":
            raise _missing(found.name, found.where)
        elif found.kind == "type" and found.name in fields and fields[found.name].can_loosen:
            if found.got not in ("int", "float", "str"):
                raise _mistyped(found.name, found.got, found.where)
            fields[found.name] = replace(fields[found.name], loose=True)
            kind = "text" if found.got == "str" else "a number"
            notes[f"{found.name}:type"] = f"`{found.name}` comes as {kind}"
        else:
            raise _mistyped(found.name, found.got, found.where)


def _missing(name: str, where: str) -> DecodeError:
    return DecodeError(
        f"required field `{printable(name, 64)}` is missing, perhaps renamed by the exchange; "
        "nothing of this page is used",
        where=where,
    )


def _mistyped(name: str, got: str, where: str) -> DecodeError:
    return DecodeError(
        f"field `{printable(name, 64)}` is a JSON {printable(got, 40)}, which it must not be; "
        "nothing of this page is used",
        where=printable(where, 120),
    )


def _old_names(schema: Schema) -> frozenset[str]:
    return (
        frozenset(name for column in schema.columns for name in column.old) | schema.ignored_old.keys()
    )


def _has_old(schema: Schema, name: str) -> bool:
    return any(column.old for column in schema.columns if name in column.wire)


def _accept_old(schema: Schema, fields: dict[str, WireField]) -> None:
    """From now on a required field may come under its name in the integer dialect."""
    for column in schema.columns:
        watched = column.required and bool(column.old)
        for name in column.wire:
            if watched:
                fields[name] = replace(fields[name], strict=False, watched=True)
        for name in column.old:
            fields.setdefault(name, WireField(name, column.form, loose=True, watched=watched))
    for name in schema.ignored_old:
        fields.setdefault(name, WireField(name, None, loose=True))


class _Typing:
    """Types the values of one page and notes what is odd about them."""

    def __init__(
        self,
        schema: Schema,
        fields: Mapping[str, WireField],
        notes: dict[str, str],
        memo: dict[bytes, str],
        *,
        is_table: bool = False,
    ) -> None:
        self._schema = schema
        self._fields = fields
        self._notes = notes
        self._memo = memo
        self._is_table = is_table

    def table(self, values: dict[str, Values], n_rows: int) -> pa.Table:
        """The typed table of a page."""
        old = any(name in values for column in self._schema.columns for name in column.old)
        arrays: dict[str, pa.Array] = {}
        for column in self._schema.columns:
            if not column.wire and not column.old:
                if column.name in values:
                    arrays[column.name] = self._read(column, column.name, values[column.name])
                continue
            array = self._column(column, values, n_rows)
            self._check(column, array, n_rows, old=old)
            arrays[column.name] = array
        for name, field in self._fields.items():
            if field.is_new and name in values:
                texts = self._try(name, partial(read, "json", values[name], memo=self._memo))
                arrays[_TOKENS + name] = texts
        return pa.table(arrays)

    def _column(self, column: Column, values: dict[str, Values], n_rows: int) -> pa.Array:
        """One column from all the fields that may carry it; the best of them wins."""
        found = [(name, values[name]) for name in (*column.wire, *column.old) if name in values]
        if column.required:
            found = self._present(column, found, n_rows)
        if not found:
            return pa.nulls(n_rows, ARROW_TYPES[column.form])
        (_, first), *others = found
        result = self._read(column, *found[0])
        for name, other in others:
            if isinstance(first, list) and first == other:
                continue
            array = self._read(column, name, other)
            if array.null_count < n_rows:
                self._compare(column, found[0][0], result, name, array)
                result = pc.coalesce(result, array) if result.null_count else result
        return result

    def _present(
        self, column: Column, found: list[tuple[str, Values]], n_rows: int
    ) -> list[tuple[str, Values]]:
        """Raise where no field carries a required column; otherwise absent becomes null."""
        if not found and n_rows:
            raise _missing(column.wire[0], "$")
        watched = {name: v for name, v in found if isinstance(v, list) and ABSENT in v}
        if not watched:
            return found
        for row in range(n_rows if len(watched) == len(found) else 0):
            if all(values[row] is ABSENT for values in watched.values()):
                raise _missing(column.wire[0], f"$.{self._schema.items}[{row}]")
        return [
            (
                name,
                [None if value is ABSENT else value for value in values] if name in watched else values,
            )
            for name, values in found
        ]

    def _read(self, column: Column, name: str, values: Values) -> pa.Array:
        cents = column.form == "dollars" and name in column.old
        return self._try(name, partial(read, column.form, values, cents=cents, memo=self._memo))

    def _try(self, name: str, reading: Callable[[], pa.Array]) -> pa.Array:
        try:
            return reading()
        except UnreadableError as error:
            raise DecodeError(
                f"field `{printable(name, 64)}` holds {printable(repr(error.value), 60)}, "
                "which cannot be read; nothing of this page is used",
                where=f"$.{self._schema.items}[{error.row}]",
            ) from None

    def _compare(
        self, column: Column, name: str, best: pa.Array, other_name: str, other: pa.Array
    ) -> None:
        """Note where two fields of one object contradict each other."""
        if column.form in ("dollars", "count"):
            # The integer dialect cut off what is finer than a cent or a contract.
            slack = (0.01 if column.form == "dollars" else 1.0) - 1e-9
            differs = pc.greater(pc.abs(pc.subtract(best, other)), slack)
        else:
            differs = pc.not_equal(best, other)
        if pc.any(differs).as_py():
            self._notes[f"{name}:{other_name}"] = (
                f"`{name}` and `{other_name}` disagree (the first is used)"
            )

    def _check(self, column: Column, array: pa.Array, n_rows: int, *, old: bool) -> None:
        name = (column.wire or column.old or (column.name,))[0]
        if array.null_count and column.need != "optional" and not old and not self._is_table:
            state = "is no longer sent" if array.null_count == n_rows else "is missing or null"
            self._notes[f"{name}:null"] = f"`{name}` {state}"
        if column.form == "dollars" and array.null_count < n_rows:
            ends = pc.min_max(array)
            if ends["min"].as_py() < 0 or ends["max"].as_py() > 1:
                self._notes[f"{name}:range"] = f"`{name}` is outside 0–1 dollar"
        if column.known:
            for value in pc.unique(array).to_pylist():
                if value is not None and value not in column.known:
                    shown = printable(repr(value), 40)
                    self._notes[f"{name}={shown}"] = f"`{name}` has the new value {shown}"


def _empty_table(schema: Kind) -> pa.Table:
    return pa.table({column.name: pa.array([], ARROW_TYPES[column.form]) for column in schema.columns})


def _resolve_new_fields(table: pa.Table) -> pa.Table:
    """Give fields nobody has heard of the type that their name or their values tell."""
    for marked in [name for name in table.column_names if name.startswith(_TOKENS)]:
        wire = marked.removeprefix(_TOKENS)
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


def _first_of_each(table: pa.Table, key: tuple[str, ...]) -> tuple[pa.Table, int]:
    """The table without rows whose key has come before, and how many those were."""
    if not key or not table.num_rows:
        return table, 0
    if len(key) == 1 and pc.count_distinct(table[key[0]], mode="all").as_py() == table.num_rows:
        return table, 0
    repeated = table.select(list(key)).to_pandas().duplicated().to_numpy()
    if not repeated.any():
        return table, 0
    return table.filter(pa.array(~repeated)), int(repeated.sum())


def _in_time_order(table: pa.Table) -> pa.Table:
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
    return to_frame(_empty_table(schema), schema)


def outside_stacklevel() -> int:
    """How far up the first caller outside this package is, for warnings."""
    depth, frame = 1, sys._getframe(1)  # noqa: SLF001
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith("kalshi_research"):
        depth, frame = depth + 1, frame.f_back
    return depth
