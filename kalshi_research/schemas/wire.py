"""Pages of JSON, or tables in wire columns, to one typed frame."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec
import pyarrow as pa

from kalshi_research.errors import DecodeError, DriftWarning, printable, warn
from kalshi_research.provenance import KEY
from kalshi_research.schemas.display import keep_as_text
from kalshi_research.schemas.frames import empty_table, first_of_each, in_time_order, resolved, to_frame
from kalshi_research.schemas.plan import (
    ANYTHING,
    Plan,
    WireField,
    can_be_column,
    fields_of,
    plan_for,
    read_objection,
)
from kalshi_research.schemas.typed import Typing, missing_field

if TYPE_CHECKING:
    import pandas as pd

    from kalshi_research.schemas.schema import Schema
    from kalshi_research.schemas.values import Values

__all__ = ["Decoder"]

_MOST_NEW_FIELDS = 64
"""More unknown fields than this are no drift but another protocol."""


class Decoder:
    """Gathers pages into one frame.

    Parameters
    ----------
    schema : Schema
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
    cursor : str
        Of the page added last: what fetches the next one.
    first : object
        The key of the first row of that page.

    Examples
    --------
    >>> from kalshi_research.schemas import TRADES
    >>> decoder = TRADES.decoder()
    >>> decoder.add(b'{"trades": [], "cursor": ""}')
    0
    >>> decoder.frame({}).index.name
    'time'
    """

    def __init__(self, schema: Schema, **context: Any) -> None:
        self._schema = schema
        self._context = context
        self._fields = fields_of(schema.columns, schema.ignored)
        self._notes: dict[str, str] = {}
        self._tables: list[pa.Table] = []
        self._memo: dict[bytes, str] = {}
        self._told = 0
        self.rows = 0
        self.duplicates = 0
        self.left_out: list[str] = []
        self.cursor = ""
        self.first: object = None

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
        plan, page, rows, given = self._parse(body, fields, notes)
        values: dict[str, Values] = {**given, **dict(plan.columns(rows))}
        table = Typing(self._schema, fields, notes, self._memo).table(values, len(rows))
        self._fields, self._notes = fields, notes
        if len(rows):
            self._tables.append(table)
        self.rows += len(rows)
        self.cursor = getattr(page, "cursor", None) or ""
        self.first = table[self._schema.key[0]][0].as_py() if len(rows) and self._schema.key else None
        return len(rows)

    def add_table(self, table: pa.Table) -> int:
        """Add a table whose columns have wire names, of either dialect."""
        fields, notes = dict(self._fields), dict(self._notes)
        _accept_old(self._schema, fields)
        arrays = {name: table[name].combine_chunks() for name in table.column_names if name in fields}
        given = [column for column in self._schema.columns if not column.wire and not column.old]
        arrays |= {c.name: table[c.name].combine_chunks() for c in given if c.name in table.column_names}
        typed = Typing(self._schema, fields, notes, self._memo, is_table=True)
        self._tables.append(typed.table(arrays, table.num_rows))
        self._notes = notes
        known = set(fields) | {column.name for column in given}
        self.left_out += [name for name in table.column_names if name not in known]
        self.rows += table.num_rows
        return int(table.num_rows)

    def frame(self, provenance: Mapping[str, Any]) -> pd.DataFrame:
        """All rows added so far; warns once of what has drifted."""
        schema = self._schema
        table = pa.concat_tables([empty_table(schema), *self._tables], promote_options="default")
        table = resolved(table)
        if schema.finish is not None:
            table = schema.finish(table, self._context)
        if schema.by_time:
            table = in_time_order(table)
        table, self.duplicates = first_of_each(table, schema)
        frame = to_frame(table, schema)
        more = {"rows": len(frame)} if self.duplicates else {}
        frame.attrs[KEY] = {**provenance, **more}
        keep_as_text()
        self._warn()
        return frame

    def _warn(self) -> None:
        fresh = self.drift[self._told :]
        self._told = len(self._notes)
        if fresh:
            warn(
                f"{self._schema.kind}: the exchange sent what this version does not know: "
                f"{'; '.join(fresh[:8])}{'; …' if len(fresh) > 8 else ''}\n"
                "The values are in the frame, typed by their names.",
                DriftWarning,
            )

    def _parse(
        self, body: bytes, fields: dict[str, WireField], notes: dict[str, str]
    ) -> tuple[Plan, Any, Any, Mapping[str, list[Any]]]:
        while True:
            plan = plan_for(self._schema.page, tuple(fields.values()))
            try:
                page = plan.decode(body)
                found = plan.form.rows(page)
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
        return plan, page, *found

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
            raise missing_field(found.name, found.where)
        elif found.kind == "type" and found.name in fields and fields[found.name].can_loosen:
            if found.got not in ("int", "float", "str"):
                raise _mistyped(found.name, found.got, found.where)
            fields[found.name] = replace(fields[found.name], loose=True)
            kind = "text" if found.got == "str" else "a number"
            notes[f"{found.name}:type"] = f"`{found.name}` comes as {kind}"
        else:
            raise _mistyped(found.name, found.got, found.where)


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
        if not column.old:
            continue
        for name in column.wire:
            fields[name] = replace(fields[name], strict=False, watched=column.required)
        for name in column.old:
            known = fields.get(name)
            if known is None or known.is_skipped:
                fields[name] = WireField(name, column.form, loose=True, watched=column.required)
    for name in schema.ignored_old:
        fields.setdefault(name, WireField(name, None, loose=True))
