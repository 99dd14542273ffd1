"""Which fields a page is decoded into, and the compiled decoder for them.

The row type knows exactly the fields that have been met so far and refuses others, so
a field nobody has heard of is found at no cost: decoding stops at it, the plan grows by
that field, and the page is decoded once more.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

if TYPE_CHECKING:
    from kalshi_research.schemas.columns import Column, Form


__all__ = ["ListOf", "Objection", "PageForm", "Plan", "WireField", "plan_for", "read_objection"]

ABSENT = msgspec.UNSET
"""What a field that is not there decodes to, where that differs from null."""

_TYPES: dict[Form, Any] = {
    "dollars": str,
    "amount": str,
    "cents": int,
    "count": str,
    "number": float,
    "integer": int,
    "flag": bool,
    "text": str,
    "json": msgspec.Raw,
    "time": str | int,
    "label": str,
    "rank": int,
}
_NUMERIC = ("dollars", "amount", "count", "number")


@dataclass(frozen=True, slots=True)
class WireField:
    """One field of a row.

    `form` is None for a field whose value is kept as it came. `loose` takes text and
    numbers alike. A `strict` field must be there, and may only be null if `nullable`.
    `watched` tells absent from null.
    """

    name: str
    form: Form | None
    loose: bool = False
    strict: bool = False
    nullable: bool = True
    watched: bool = False

    @property
    def is_new(self) -> bool:
        """Whether nobody has heard of it, so that its value is kept as it came."""
        return self.form is None and not self.loose

    @property
    def is_skipped(self) -> bool:
        """Whether its value is not looked at."""
        return self.form is None and self.loose

    @property
    def can_loosen(self) -> bool:
        """Whether a number may come as text and the other way round."""
        return self.form in _NUMERIC and not self.loose

    def definition(self, attribute: str) -> tuple[Any, ...]:
        """The field for `msgspec.defstruct`."""
        if self.form is None or self.form == "json":
            return (attribute, msgspec.Raw, None)
        kind = float | str if self.loose and self.form in _NUMERIC else _TYPES[self.form]
        if self.strict:
            return (attribute, kind | None) if self.nullable else (attribute, kind)
        if self.watched:
            return (attribute, kind | None | msgspec.UnsetType, ABSENT)
        return (attribute, kind | None, None)


ANYTHING = WireField("*", None, loose=True)
"""Among the fields of a plan: those that are not named are skipped instead of refused."""


class PageForm(Hashable, Protocol):
    """Where the rows of a page are."""

    @property
    def keys(self) -> frozenset[str]:
        """The keys by one of which a page is known."""

    def page_type(self, row: type) -> Any:
        """The type of a page whose rows have the type `row`."""

    def rows(self, page: Any) -> tuple[Sequence[Any], Mapping[str, list[Any]]] | None:
        """The rows, and columns that stand outside of them; None where the page has neither."""


@dataclass(frozen=True)
class ListOf:
    """Rows under `items`, one object under `single`, or lists of them inside `nested` objects."""

    items: str
    single: str = ""
    nested: tuple[str, ...] = ()

    @property
    def keys(self) -> frozenset[str]:
        """The keys by one of which a page is known."""
        return frozenset({self.items, self.single, *self.nested} - {""})

    def page_type(self, row: type) -> Any:
        """The type of a page."""
        fields: list[tuple[str, Any, Any]] = []
        if self.items == self.single:
            fields.append((self.items, list[row] | row | None | msgspec.UnsetType, ABSENT))  # type: ignore[valid-type]
        else:
            fields.append((self.items, list[row] | None | msgspec.UnsetType, ABSENT))  # type: ignore[valid-type]
            if self.single:
                fields.append((self.single, row | None, None))
        if self.nested:
            holder = msgspec.defstruct(
                "Holder",
                [(self.items, list[row] | None, None)],  # type: ignore[valid-type]
                gc=False,
            )
            fields += [(key, list[holder] | holder | None, None) for key in self.nested]  # type: ignore[valid-type]
        fields.append(("cursor", str | None, None))
        return msgspec.defstruct("Page", fields, gc=False)

    def rows(self, page: Any) -> tuple[Sequence[Any], Mapping[str, list[Any]]] | None:
        """The rows of a decoded page."""
        found = getattr(page, self.items)
        lists: list[Sequence[Any]] = []
        if isinstance(found, list):
            lists.append(found)
        elif isinstance(found, msgspec.Struct):
            lists.append([found])
        if self.single and self.single != self.items:
            one = getattr(page, self.single)
            lists += [] if one is None else [[one]]
        for key in self.nested:
            holders = getattr(page, key)
            holders = [holders] if isinstance(holders, msgspec.Struct) else holders
            lists += [] if holders is None else [_holder_rows(holder, self.items) for holder in holders]
        if not lists and found is ABSENT:
            return None
        return (lists[0] if len(lists) == 1 else list(chain.from_iterable(lists))), {}


def _holder_rows(holder: Any, items: str) -> Sequence[Any]:
    """The rows of a nested object; none where it has none."""
    found: Sequence[Any] | None = getattr(holder, items)
    return found or []


@dataclass(frozen=True, slots=True)
class Plan:
    """A compiled page decoder."""

    decode: Callable[[bytes], Any]
    form: PageForm
    getters: tuple[tuple[str, Callable[[Any], Any]], ...]
    groups: Mapping[str, Any]
    """For each nested object the row that stands for a missing one."""

    def columns(self, rows: Sequence[Any]) -> Iterator[tuple[str, list[Any]]]:
        """The values of each field, column by column."""
        inner = {
            group: [empty if value is None else value for value in map(attrgetter(group), rows)]
            for group, empty in self.groups.items()
        }
        for name, getter in self.getters:
            group = name.partition(".")[0] if "." in name else ""
            yield name, list(map(getter, inner[group] if group else rows))


@lru_cache(maxsize=64)
def plan_for(form: PageForm, fields: tuple[WireField, ...]) -> Plan:
    """Compile a decoder for pages of `form` whose rows have `fields`."""
    top: list[WireField] = []
    nested: dict[str, list[WireField]] = {}
    strict = ANYTHING not in fields
    for field in fields:
        if field is ANYTHING:
            continue
        group, dot, _ = field.name.partition(".")
        (nested.setdefault(group, []) if dot else top).append(field)
    getters: list[tuple[str, Callable[[Any], Any]]] = []
    definitions, rename = _definitions(top, "", getters)
    groups: dict[str, Any] = {}
    for group, members in nested.items():
        inner, inner_rename = _definitions(members, f"{group}.", getters)
        kind = msgspec.defstruct(
            "Group", inner, rename=inner_rename, forbid_unknown_fields=strict, gc=False
        )
        groups[group] = kind()
        definitions.append((group, kind | None, None))
    definitions.sort(key=len)  # fields without a default first
    row = msgspec.defstruct("Row", definitions, rename=rename, forbid_unknown_fields=strict, gc=False)
    return Plan(msgspec.json.Decoder(form.page_type(row)).decode, form, tuple(getters), groups)


def _definitions(
    fields: list[WireField], prefix: str, getters: list[tuple[str, Callable[[Any], Any]]]
) -> tuple[list[tuple[Any, ...]], dict[str, str]]:
    definitions: list[tuple[Any, ...]] = []
    rename: dict[str, str] = {}
    for number, field in enumerate(fields):
        attribute = f"f{number}_"
        rename[attribute] = field.name.removeprefix(prefix)
        definitions.append(field.definition(attribute))
        if not field.is_skipped:
            getters.append((field.name, attrgetter(attribute)))
    return definitions, rename


@dataclass(frozen=True, slots=True)
class Objection:
    """Why a page does not fit the plan: a field is unknown, missing, or of another type."""

    kind: str
    name: str
    got: str
    where: str


_UNKNOWN = r"Object contains unknown field `(?P<name>.*)`"
_MISSING = r"Object missing required field `(?P<name>.*)`"
_PLACE = r" - at `(?P<where>.*)`"
_NAMED = [
    (kind, re.compile(text + place, re.DOTALL))
    # Where the page itself is the row, no place is named.
    for place in (_PLACE, "(?P<where>)")
    for kind, text in (("unknown", _UNKNOWN), ("missing", _MISSING))
]
_OTHER = re.compile(r"Expected `.*`, got `(?P<got>.*)`" + _PLACE, re.DOTALL)


def read_objection(message: str, groups: Mapping[str, Any]) -> Objection | None:
    """What the message of a `msgspec.ValidationError` says; None where it is about something else."""
    for kind, pattern in _NAMED:
        found = pattern.fullmatch(message)
        if found:
            where = found["where"] or "$"
            holder = where.rpartition(".")[2]
            prefix = f"{holder}." if holder in groups else ""
            return Objection(kind, prefix + found["name"], "", where)
    found = _OTHER.fullmatch(message)
    if not found:
        return None
    holder, _, name = found["where"].rpartition(".")
    holder = holder.rpartition(".")[2]
    return Objection(
        "type", f"{holder}.{name}" if holder in groups else name, found["got"], found["where"]
    )


def can_be_column(name: str, plan: Plan) -> bool:
    """Whether a field may have this name: no quotes, no controls, no dot but after a known group."""
    group, dot, rest = name.partition(".")
    rest = rest if dot and group in plan.groups else name
    return rest.isprintable() and not set(rest) & set('."\\')


def fields_of(columns: Sequence[Column], ignored: Mapping[str, str]) -> dict[str, WireField]:
    """The fields of today's dialect; an ignored field is skipped without being looked at."""
    fields: dict[str, WireField] = {}
    for column in columns:
        for place, name in enumerate(column.wire):
            # Where another name may stand in, absence must be noticed.
            strict = place == 0 and (column.required or (column.need == "promised" and bool(column.old)))
            nullable = not column.required or column.form in _NUMERIC
            fields[name] = WireField(name, column.form, strict=strict, nullable=nullable)
    for name in ignored.keys() - fields.keys():
        fields[name] = WireField(name, None, loose=True)
    return fields
