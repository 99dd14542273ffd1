"""Request bodies, taken apart as strictly as the exchange does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from kalshi_research.errors import InputError
from kalshi_research.money import COUNT_SCALE, PRICE_SCALE, parse_fixed
from kalshi_research.sandbox.instants import SECOND
from kalshi_research.sandbox.refusals import Refusal, refused

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Body", "read_body"]

# 9999-12-31T23:59:59Z: the last second that RFC 3339 can write.
_LAST_SECOND = 253_402_300_799

_GO: dict[type, str] = {str: "string", int: "int64", bool: "bool", list: "[]"}


def _bad(code: str, details: str) -> Refusal:
    return Refusal(400, {"code": code, "message": code.replace("_", " "), "details": details})


def _kind(value: object) -> str:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int | float):
        return "number"
    return "string" if isinstance(value, str) else "array" if isinstance(value, list) else "object"


def read_body(raw: bytes, content_type: str) -> dict[str, Any]:
    """The JSON object of a request; no body at all is an empty one.

    Raises
    ------
    Refusal
        400, in the shape of errors of decoding.

    Examples
    --------
    >>> read_body(b'{"count": "1"}', "application/json")
    {'count': '1'}
    """
    if not raw:
        return {}
    if content_type.partition(";")[0].strip().lower() != "application/json":
        raise _bad("invalid_content_type", "Content-Type must be application/json")
    try:
        found = msgspec.json.decode(raw)
    except RecursionError:
        raise _bad("bad_request", "json: the body is nested too deep") from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise _bad("bad_request", "json: the body is not valid JSON") from None
    if not isinstance(found, dict):
        raise _bad("bad_request", "json: cannot unmarshal the body into Go value of type struct")
    return found


@dataclass(frozen=True, slots=True)
class Body:
    """The fields of one request; null is as good as absent, unknown ones are not looked at.

    Parameters
    ----------
    name : str
        Of the request, as the specification calls it.
    fields : mapping
    """

    name: str
    fields: Mapping[str, Any]

    def _get(self, field: str, kind: type, *, required: bool) -> Any:
        value = self.fields.get(field)
        if value is None:
            if required:
                raise refused(
                    400,
                    "invalid_parameters",
                    details=f"Key: '{self.name}.{field}' Error:Field validation for '{field}' "
                    "failed on the 'required' tag",
                )
            return None
        if type(value) is not kind:
            raise _bad(
                "bad_request",
                f"json: cannot unmarshal {_kind(value)} into Go struct field {self.name}.{field} "
                f"of type {_GO[kind]}",
            )
        return value

    def text(self, field: str, *, required: bool = False) -> str:
        """A string, empty where it is absent."""
        found: str = self._get(field, str, required=required) or ""
        if required and not found:
            raise refused(400, "invalid_parameters", details=f"{field} is empty")
        return found

    def integer(self, field: str, *, required: bool = False) -> int | None:
        """An integer of 64 bits."""
        found: int | None = self._get(field, int, required=required)
        if found is not None and not -(2**63) <= found < 2**63:
            raise _bad("bad_request", f"json: cannot unmarshal number into {self.name}.{field}")
        return found

    def instant(self, field: str) -> int | None:
        """Seconds since 1970 as an instant [µs].

        Milliseconds given by mistake lie tens of thousands of years ahead. They are taken, as any
        time in the future is, for the last instant that can be told again.
        """
        found = self.integer(field)
        return None if found is None else min(found, _LAST_SECOND) * SECOND

    def flag(self, field: str) -> bool:
        """A boolean, false where it is absent."""
        return self._get(field, bool, required=False) or False

    def rows(self, field: str) -> list[dict[str, Any]]:
        """A list of objects that has to be there."""
        found: list[Any] = self._get(field, list, required=True)
        for row in found:
            if not isinstance(row, dict):
                raise _bad(
                    "bad_request",
                    f"json: cannot unmarshal {'null' if row is None else _kind(row)} into Go struct "
                    f"field {self.name}.{field} of type struct",
                )
        return found

    def price(self, field: str) -> int:
        """A price [1/10 000 dollar]."""
        return self._fixed(field, self.text(field, required=True), PRICE_SCALE, "invalid_price")

    def count(self, field: str, *, required: bool = True) -> int | None:
        """Contracts [1/100 contract]."""
        text = self.text(field, required=required)
        return self._fixed(field, text, COUNT_SCALE, "invalid_order_size") if text else None

    def _fixed(self, field: str, text: str, scale: int, code: str) -> int:
        refusal = refused(400, code, details=f"{field} is no decimal of the needed form")
        # More decimals are refused also where they are zeros.
        if len(text.partition(".")[2]) > len(str(scale)) - 1:
            raise refusal
        try:
            return parse_fixed(text, scale)
        except InputError:
            raise refusal from None
