"""What a column is, and the naming rule between the wire and a frame.

The exchange tells the type of a field by its name, so a new field is typed without
a release of this package:

=====================================  =========================  =====================
wire name ends with                    on the wire                in the frame
=====================================  =========================  =====================
``_dollars``                           text ``"0.5600"``          float64 [dollars]
``_fp``                                text ``"10.00"``           float64 [contracts]
``_time``, ``_date``, ``_datetime``    RFC 3339 text              datetime64[us, UTC]
``_ts``                                RFC 3339 text or seconds   datetime64[us, UTC]
=====================================  =========================  =====================

The integer dialect, used until March 2026, has the same names without the suffix:
there a number is cents (or whole contracts) and a text is dollars.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = [
    "DTYPES",
    "Column",
    "Form",
    "amount",
    "contracts",
    "dollars",
    "form_of",
    "moment",
    "plain_name",
]

Form = Literal[
    "dollars", "amount", "cents", "count", "number", "integer", "flag", "text", "json", "time", "label",
    "rank",
]  # fmt: skip
"""What a column holds.

``dollars`` is a price, so between 0 and 1; ``amount`` is money of any size; ``cents`` is money that
the exchange sends as a whole number of cents in today's dialect too. All three are dollars in the
frame. ``label`` is a category, ``rank`` an integer that is never missing.
"""

Need = Literal["required", "promised", "optional"]

DTYPES: dict[Form, str] = {
    "dollars": "float64",
    "amount": "float64",
    "cents": "float64",
    "count": "float64",
    "number": "float64",
    "integer": "Int64",
    "flag": "boolean",
    "text": "str",
    "json": "str",
    "time": "datetime64[us, UTC]",
    "label": "category",
    "rank": "int64",
}

_UNITS: dict[Form, str] = {
    "dollars": "$",
    "amount": "$",
    "cents": "$",
    "count": "contracts",
    "time": "UTC",
}

_FORMS: dict[str, Form] = {
    "_dollars": "dollars",
    "_fp": "count",
    "_time": "time",
    "_date": "time",
    "_datetime": "time",
    "_ts": "time",
}

_RENAMES = {"_dollars": "", "_fp": "", "_datetime": "_time", "_ts": "_time"}


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a frame.

    Attributes
    ----------
    name : str
        In the frame.
    form : Form
        What it holds; decides `dtype` and `unit`.
    meaning : str
        One line.
    wire : tuple of str
        Names in today's dialect, the best first. A dot leads into a nested object.
        Empty for a column that this package computes.
    old : tuple of str
        Names in the integer dialect.
    need : {"required", "promised", "optional"}
        Without a required field nothing is decoded. A promised one is in every object of
        today's dialect, so its absence is reported.
    known : tuple of str
        The known values of an enumeration; another one is reported.

    Examples
    --------
    >>> column = dollars("yes_bid", "best bid for YES")
    >>> column.dtype, column.unit, column.wire, column.old
    ('float64', '$', ('yes_bid_dollars',), ('yes_bid',))
    """

    name: str
    form: Form
    meaning: str
    wire: tuple[str, ...] = ()
    old: tuple[str, ...] = ()
    need: Need = "optional"
    known: tuple[str, ...] = ()

    @property
    def dtype(self) -> str:
        """The pandas dtype."""
        return DTYPES[self.form]

    @property
    def unit(self) -> str:
        """The unit; empty where there is none."""
        return _UNITS.get(self.form, "")

    @property
    def required(self) -> bool:
        """Whether nothing is decoded without it."""
        return self.need == "required"


def dollars(
    name: str, meaning: str, need: Need = "optional", *, group: str = "", wire: str = ""
) -> Column:
    """A price [dollars]; `group` is the nested object it comes from."""
    field = f"{group}.{wire or name}" if group else wire or name
    return Column(name, "dollars", meaning, (f"{field}_dollars",), (field,), need)


def amount(name: str, meaning: str, need: Need = "optional") -> Column:
    """Money of any size and sign [dollars]."""
    return Column(name, "amount", meaning, (f"{name}_dollars",), (name,), need)


def contracts(name: str, meaning: str, need: Need = "optional", *, wire: str = "") -> Column:
    """A number of contracts."""
    field = wire or name
    return Column(name, "count", meaning, (f"{field}_fp",), (field,), need)


def moment(name: str, meaning: str, need: Need = "optional", *, wire: str = "") -> Column:
    """A time [UTC]."""
    return Column(name, "time", meaning, (wire or name,), (), need)


def form_of(wire_name: str) -> Form | None:
    """The form that the name of a field promises; None where the name says nothing.

    Examples
    --------
    >>> form_of("reserve_price_dollars"), form_of("halted_ts"), form_of("mood")
    ('dollars', 'time', None)
    """
    return next((form for suffix, form in _FORMS.items() if wire_name.endswith(suffix)), None)


def plain_name(wire_name: str) -> str:
    """The column name for a wire name.

    Examples
    --------
    >>> plain_name("yes_bid_dollars"), plain_name("volume_fp"), plain_name("settlement_ts")
    ('yes_bid', 'volume', 'settlement_time')
    """
    for suffix, new in _RENAMES.items():
        if wire_name.endswith(suffix):
            return wire_name.removesuffix(suffix) + new
    return wire_name
