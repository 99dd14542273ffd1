"""What a source holds: JSON text or a table, told by its first bytes rather than by its name."""

from __future__ import annotations

import gzip
import io
import os
import zlib
from collections.abc import Mapping, Sequence
from os import PathLike, fspath
from pathlib import Path
from typing import Any, TypeAlias

import msgspec
import pandas as pd
import pyarrow as pa
from pyarrow import csv

from kalshi_research.errors import ArchiveError, DecodeError, InputError, printable, quoted
from kalshi_research.parts import read_part
from kalshi_research.schemas.tables import as_table

__all__ = ["Source", "content", "file_path", "is_untyped"]

Source: TypeAlias = (
    "str | bytes | PathLike[str] | Mapping[str, Any] | Sequence[Any] | pd.DataFrame | pa.Table"
)
"""A recorded answer, a table, or where one of them is. Text that begins with ``{`` or ``[`` is JSON."""

_LARGEST = 1 << 31
"""More bytes than this, unpacked, are no recorded answer."""


def file_path(path: object) -> Path:
    """A path as a user writes it, ``~`` included."""
    if not isinstance(path, str | PathLike) or not fspath(path):
        raise InputError(f"{quoted(path, 60)} is not the path of a file")
    return Path(os.path.expanduser(path))  # noqa: PTH111 - an unknown ~user stays as it is


def content(source: Source) -> tuple[bytes | pa.Table, str]:
    """What a source holds, JSON text or a table, and a name for it."""
    if isinstance(source, pd.DataFrame):
        return as_table(source), "DataFrame"
    if isinstance(source, pa.Table):
        return source, "Table"
    if isinstance(source, str) and source.lstrip()[:1] in ("{", "["):
        return _utf8(source), "JSON text"
    if isinstance(source, bytes):
        return source, "JSON text"
    if isinstance(source, str | PathLike):
        return _file_content(file_path(source)), str(source)
    if isinstance(source, Mapping | Sequence):
        try:
            return msgspec.json.encode(source), type(source).__name__
        except (TypeError, ValueError, msgspec.MsgspecError, RecursionError) as error:
            raise DecodeError(f"this is no recorded answer: {printable(error, 120)}") from None
    raise InputError(
        f"cannot read from {type(source).__name__}: give a path, JSON text, a dict, a list of pages "
        "or a DataFrame"
    )


def _utf8(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise DecodeError("the JSON text holds half a character (a lone surrogate)") from None


def _file_content(path: Path) -> bytes | pa.Table:
    """The content of a file, told by its first bytes rather than by its name."""
    try:
        with path.open("rb") as file:
            start = file.read(4)
            if start == b"PAR1":
                return read_part(path)
            body = start + file.read()
        if start[:2] == b"\x1f\x8b":
            with gzip.open(io.BytesIO(body)) as packed:
                body = packed.read(_LARGEST)
    except FileNotFoundError:
        raise ArchiveError(f"there is no file {printable(path)}") from None
    except (OSError, EOFError, zlib.error) as error:
        raise ArchiveError(f"cannot read {printable(path)}: {printable(error, 120)}") from error
    if not body.strip():
        raise ArchiveError(f"{printable(path)} is empty")
    if body.lstrip()[:1] in (b"{", b"["):
        return body
    return _csv_table(body, path)


def _csv_table(body: bytes, path: Path) -> pa.Table:
    """A CSV file with every cell as text: what a column is, its name decides."""
    try:
        header = csv.open_csv(pa.BufferReader(body)).schema.names
        return csv.read_csv(
            pa.BufferReader(body),
            parse_options=csv.ParseOptions(newlines_in_values=True),
            convert_options=csv.ConvertOptions(
                column_types=dict.fromkeys(header, pa.string()), strings_can_be_null=True
            ),
        )
    except (pa.ArrowException, ValueError) as error:
        raise ArchiveError(
            f"{printable(path)} is neither Parquet nor JSON nor CSV: {printable(error, 120)}"
        ) from None


def is_untyped(table: pa.Table) -> bool:
    """Whether a table is all text, as a CSV file is."""
    return all(kind == pa.string() for kind in table.schema.types)
