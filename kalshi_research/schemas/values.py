"""Wire values of one field to one typed Arrow array."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from kalshi_research.schemas.columns import Form

__all__ = ["ARROW_TYPES", "UnreadableError", "Values", "read"]

TIME = pa.timestamp("us", tz="UTC")

ARROW_TYPES: dict[Form, pa.DataType] = {
    "dollars": pa.float64(),
    "amount": pa.float64(),
    "cents": pa.float64(),
    "count": pa.float64(),
    "number": pa.float64(),
    "integer": pa.int64(),
    "flag": pa.bool_(),
    "text": pa.string(),
    "json": pa.string(),
    "time": TIME,
    "label": pa.string(),
    "rank": pa.int64(),
}

_CAST_ERRORS = (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError)

# The server's zero time, 0001-01-01T00:00:00Z, means "none".
_ZERO_MICROSECONDS = -62_135_596_800_000_000
_ZERO_TIME = pa.scalar(_ZERO_MICROSECONDS, pa.int64()).cast(TIME)

_REMEMBERED = 4096
"""JSON texts that a memo holds at most."""

_NUMBER = re.compile(r"[+-]?[0-9]{1,18}(\.[0-9]{1,18})?", re.ASCII)

Values: TypeAlias = Sequence[Any]
"""A list with None for a missing value, or an Arrow array."""


class UnreadableError(Exception):
    """A wire value does not have the form its field promises; `row` says where."""

    def __init__(self, row: int, value: object) -> None:
        self.row = row
        self.value = value
        super().__init__(row, value)


def read(
    form: Form, values: Values, *, cents: bool = False, memo: dict[bytes, str] | None = None
) -> pa.Array:
    """Turn the wire values of one field into a typed Arrow array.

    Parameters
    ----------
    form : Form
    values : list or pyarrow.Array
    cents : bool
        A number is cents; a text is dollars all the same.
    memo : dict, optional
        Remembers JSON texts already seen, as most rows repeat a few.

    Raises
    ------
    UnreadableError
        If a value does not have the form.

    Examples
    --------
    >>> read("dollars", ["0.5600", None]).to_pylist()
    [0.56, None]
    >>> read("dollars", [56.0, "0.5650"], cents=True).to_pylist()
    [0.56, 0.565]
    """
    if isinstance(values, pa.Array):
        values = _settled(values)
    if form in ("dollars", "amount", "cents", "count", "number"):
        return _decimals(values, 100 if cents or form == "cents" else 1)
    if form == "time":
        return _times(values)
    if form == "json":
        return pa.array(_json_texts(values, {} if memo is None else memo), pa.string())
    if form == "text" and isinstance(values, pa.Array) and not _is_text(values):
        _refuse_any(values)
    return _cast(values, ARROW_TYPES[form])


def _refuse_any(values: pa.Array) -> None:
    """Raise if an array of another type than text holds anything."""
    if values.null_count < len(values):
        row = values.is_valid().index(True).as_py()
        raise UnreadableError(row, values[row].as_py())


def _settled(values: pa.Array) -> pa.Array:
    """A table's array without its encodings: no dictionary, NaN as missing."""
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    if pa.types.is_floating(values.type):
        values = pc.if_else(pc.is_nan(values), pa.scalar(None, values.type), values)
    return values


def _cast(values: Values, wanted: pa.DataType) -> pa.Array:
    try:
        if isinstance(values, pa.Array) and wanted == pa.int64() and _is_text(values):
            return values.cast(pa.float64()).cast(wanted)  # pandas writes 60.0 where one is missing
        return values.cast(wanted) if isinstance(values, pa.Array) else pa.array(values, wanted)
    except _CAST_ERRORS:
        for row, value in enumerate(values):
            try:
                pa.array([value.as_py() if isinstance(value, pa.Scalar) else value], wanted)
            except _CAST_ERRORS:
                raise UnreadableError(row, value) from None
        raise


def _is_text(values: pa.Array) -> bool:
    return bool(pa.types.is_string(values.type) or pa.types.is_large_string(values.type))


def _as_array(values: Values) -> pa.Array | None:
    """The values as one Arrow array of text or numbers; None where they are mixed."""
    if isinstance(values, pa.Array):
        return values
    for wanted in (pa.string(), pa.float64()):
        try:
            return pa.array(values, wanted)
        except _CAST_ERRORS:
            continue
    return None


def _decimals(values: Values, scale: int) -> pa.Array:
    array = _as_array(values)
    if array is not None:
        try:
            numbers = array.cast(pa.float64())
        except _CAST_ERRORS:
            pass
        else:
            if scale == 1 or _is_text(array):
                if _all_finite(numbers):
                    return numbers
            elif _all_hold(pc.equal(numbers, pc.floor(numbers))):
                return pc.divide(numbers, float(scale))
        values = array.to_pylist()
    return pa.array([_decimal(value, row, scale) for row, value in enumerate(values)], pa.float64())


def _all_finite(numbers: pa.Array) -> bool:
    if numbers.null_count:
        return _all_hold(pc.is_finite(numbers))
    return bool(np.isfinite(numbers.to_numpy()).all())


def _all_hold(answers: pa.Array) -> bool:
    """Whether no answer is False; a missing one does not count."""
    return pc.all(answers).as_py() is not False


def _decimal(value: Any, row: int, scale: int) -> float | None:
    if value is None:
        return None
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        return float(value)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if is_number and abs(value) < 1e18 and (scale == 1 or value == int(value)):
        return float(value / scale)
    raise UnreadableError(row, value)


def _times(values: Values) -> pa.Array:
    array = _as_array(values)
    if array is not None and pa.types.is_timestamp(array.type):
        if array.type.tz is None:
            raise UnreadableError(0, "a time without a time zone")
        times = array.cast(TIME, safe=False)
    elif array is not None and _is_text(array):
        try:
            times = array.cast(TIME)
        except _CAST_ERRORS:
            times = pa.array([_time(value, row) for row, value in enumerate(array.to_pylist())], TIME)
    else:
        plain = values if array is None else array.to_pylist()
        times = pa.array([_time(value, row) for row, value in enumerate(plain)], TIME)
    if times.null_count < len(times) and _microseconds(times).min() <= _ZERO_MICROSECONDS:
        times = pc.if_else(pc.less_equal(times, _ZERO_TIME), pa.scalar(None, TIME), times)
    return times


def _microseconds(times: pa.Array) -> Any:
    """Since 1970, as a numpy array; a missing time is later than any other."""
    numbers = times.view(pa.int64())
    return (pc.fill_null(numbers, 1 << 62) if numbers.null_count else numbers).to_numpy()


def _time(value: object, row: int) -> int | None:
    """One odd time as microseconds since 1970: empty text, nanoseconds, or a Unix number."""
    if value is None or value == "":
        return None
    if isinstance(value, int | float) and not isinstance(value, bool):
        seconds = int(value)
        for unit, limit in ((1_000_000, 10**11), (1_000, 10**14), (1, 10**17)):
            if abs(seconds) < limit:
                return seconds * unit
    if isinstance(value, str):
        try:
            found = datetime.fromisoformat(value)
        except ValueError:
            pass
        else:
            if found.tzinfo is not None:
                elapsed = found - datetime(1970, 1, 1, tzinfo=UTC)
                return (elapsed.days * 86_400 + elapsed.seconds) * 1_000_000 + elapsed.microseconds
    raise UnreadableError(row, value)


def _json_texts(values: Values, memo: dict[bytes, str]) -> list[str | None]:
    return [None if value is None else _json_text(value, row, memo) for row, value in enumerate(values)]


def _json_text(value: object, row: int, memo: dict[bytes, str]) -> str | None:
    """Compact JSON text of raw bytes from a page, or of what a table holds in its cell."""
    if isinstance(value, msgspec.Raw):
        raw = bytes(value)
        text = memo.get(raw)
        if text is None:
            text = _compact(raw, row)
            if len(memo) < _REMEMBERED:
                memo[raw] = text
        return text or None
    if isinstance(value, pa.Scalar):
        value = value.as_py()
        if value is None:
            return None
    if not isinstance(value, str):
        return msgspec.json.encode(value).decode()
    if value.strip() in ("", "null"):
        return None
    try:
        return msgspec.json.encode(msgspec.json.decode(value)).decode()
    except msgspec.DecodeError:
        pass
    try:  # what pandas writes into a CSV cell
        return msgspec.json.encode(ast.literal_eval(value)).decode()
    except (ValueError, SyntaxError, MemoryError, RecursionError, msgspec.MsgspecError, TypeError):
        raise UnreadableError(row, value) from None


def _compact(raw: bytes, row: int) -> str:
    if raw == b"null":
        return ""
    try:
        return msgspec.json.format(raw, indent=-1).decode()
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise UnreadableError(row, raw[:60]) from None
