"""One page of wire values to one typed table, with notes on what is odd about them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from kalshi_research.errors import DecodeError, printable, quoted
from kalshi_research.schemas.plan import ABSENT, WireField
from kalshi_research.schemas.values import ARROW_TYPES, UnreadableError, Values, read

if TYPE_CHECKING:
    from kalshi_research.schemas.columns import Column
    from kalshi_research.schemas.schema import Schema

__all__ = ["TOKENS", "Typing", "missing_field"]

TOKENS = "\x00"
"""Begins the name of the column that holds the JSON texts of a field nobody has heard of."""

_SLACK = 0.01 - 1e-9
"""Prices differ by less [dollars] where the integer dialect has cut off what is finer than a cent."""

_SIGNED = ("position", "yes_bid_size", "yes_ask_size")
"""Counts that may be below 0: a NO position, and sizes of quotes on demo (recorded in June 2026)."""


def missing_field(name: str, where: str) -> DecodeError:
    """The error for a field without which nothing is decoded."""
    return DecodeError(
        f"required field `{printable(name, 64)}` is missing, perhaps renamed by the exchange; "
        "nothing of this page is used",
        where=where,
    )


def _is_filled(values: Values) -> bool:
    """Whether a field of a page, or a column of a table, holds anything."""
    if isinstance(values, pa.Array):
        return bool(values.null_count < len(values))
    return any(value is not None and value is not ABSENT for value in values)


class Typing:
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
        old = any(
            _is_filled(values[name])
            for column in self._schema.columns
            for name in column.old
            if name in values
        )
        arrays: dict[str, pa.Array] = {}
        for column in self._schema.columns:
            if not column.wire and not column.old:
                if column.name in values:
                    arrays[column.name] = self._read(column, column.name, values[column.name])
                continue
            array = self._column(column, values, n_rows)
            self._check(column, array, n_rows, old=old)
            arrays[column.name] = array
        if "yes_price" in arrays and "no_price" in arrays:
            self._check_legs(arrays["yes_price"], arrays["no_price"])
        for name, field in self._fields.items():
            if field.is_new and name in values:
                texts = self._try(name, partial(read, "json", values[name], memo=self._memo))
                arrays[TOKENS + name] = texts
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
            raise missing_field(column.wire[0], "$")
        watched = {
            name: values
            for name, values in found
            if self._fields[name].watched and isinstance(values, list) and ABSENT in values
        }
        if not watched:
            return found
        for row in range(n_rows if len(watched) == len(found) else 0):
            if all(values[row] is ABSENT for values in watched.values()):
                raise missing_field(column.wire[0], f"$.{self._schema.items}[{row}]")
        return [
            (
                name,
                [None if value is ABSENT else value for value in values] if name in watched else values,
            )
            for name, values in found
        ]

    def _read(self, column: Column, name: str, values: Values) -> pa.Array:
        cents = column.form in ("dollars", "amount") and name in column.old
        return self._try(name, partial(read, column.form, values, cents=cents, memo=self._memo))

    def _try(self, name: str, reading: Callable[[], pa.Array]) -> pa.Array:
        try:
            return reading()
        except UnreadableError as error:
            raise DecodeError(
                f"field `{printable(name, 64)}` holds {quoted(error.value, 60)}, "
                "which cannot be read; nothing of this page is used",
                where=f"$.{self._schema.items}[{error.row}]",
            ) from None

    def _compare(
        self, column: Column, name: str, best: pa.Array, other_name: str, other: pa.Array
    ) -> None:
        """Note where two fields of one object contradict each other."""
        if column.form in ("dollars", "amount", "count"):
            slack = 1.0 - 1e-9 if column.form == "count" else _SLACK
            differs = pc.greater(pc.abs(pc.subtract(best, other)), slack)
        else:
            differs = pc.not_equal(best, other)
        if pc.any(differs).as_py():
            self._notes[f"{name}:{other_name}"] = (
                f"`{name}` and `{other_name}` disagree (the first is used)"
            )

    def _check_legs(self, yes: pa.Array, no: pa.Array) -> None:
        """Note where the two legs of a contract do not cost a dollar together."""
        off = pc.abs(pc.subtract(pc.add(yes, no), 1.0))
        if pc.any(pc.greater(off, _SLACK)).as_py():
            self._notes["yes:no"] = "`yes_price` and `no_price` do not add up to 1 dollar"

    def _check(self, column: Column, array: pa.Array, n_rows: int, *, old: bool) -> None:
        name = (column.wire or column.old or (column.name,))[0]
        if array.null_count and column.need != "optional" and not old and not self._is_table:
            state = "is no longer sent" if array.null_count == n_rows else "is missing or null"
            self._notes[f"{name}:null"] = f"`{name}` {state}"
        if column.form == "dollars" and array.null_count < n_rows:
            prices = array.drop_null().to_numpy()
            if prices.min() < 0 or prices.max() > 1:
                self._notes[f"{name}:range"] = f"`{name}` is outside 0–1 dollar"
        counts = column.form == "count" and column.name not in _SIGNED
        if counts and (pc.min(array).as_py() or 0) < 0:
            self._notes[f"{name}:sign"] = f"`{name}` is below 0"
        if column.known:
            for value in pc.unique(array).to_pylist():
                if value is not None and value not in column.known:
                    shown = quoted(value, 40)
                    self._notes[f"{name}={shown}"] = f"`{name}` has the new value {shown}"
