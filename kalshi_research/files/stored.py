"""Frames as Parquet files of this package: the kind, the provenance and the dtypes survive."""

from __future__ import annotations

import json
from collections.abc import Mapping
from os import PathLike
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from kalshi_research.errors import ArchiveError, FrameError, InputError, printable
from kalshi_research.files.sources import file_path
from kalshi_research.parts import read_part, write_part
from kalshi_research.schemas.tables import check, is_own, own_frame

if TYPE_CHECKING:
    import pandas as pd

    from kalshi_research.schemas import Kind

__all__ = ["is_stored", "read_frame", "restored", "write_frame"]

_META = b"kalshi_research"


_OTHER_FORMATS = frozenset(
    (".csv", ".tsv", ".txt", ".json", ".jsonl", ".xlsx", ".feather", ".pkl", ".h5")
)


def write_frame(path: str | PathLike[str], frame: pd.DataFrame, schema: Kind) -> None:
    """Write a frame of the kind `schema` as Parquet."""
    check(frame, schema)
    to = file_path(path)
    if to.suffix.lower() in _OTHER_FORMATS:
        raise InputError(
            f"{printable(to.name, 80)} would be Parquet under another name; nothing was written.\n"
            f"Name it {printable(to.stem, 80)}.parquet, or use the frame's own to_csv and the like."
        )
    labels = {
        column.name: [str(name) for name in frame[column.name].cat.categories]
        for column in schema.columns
        if column.form == "label"
    }
    meta = {
        "kind": schema.kind,
        "version": schema.version,
        "attrs": _plain(frame.attrs),
        "labels": labels,
    }
    bare = frame.copy(deep=False)
    bare.attrs = {}
    try:
        table = pa.Table.from_pandas(bare)
    except (pa.ArrowException, ValueError, TypeError) as error:
        raise FrameError(f"this frame cannot be written: {printable(error, 160)}") from None
    metadata = {**(table.schema.metadata or {}), _META: json.dumps(meta).encode()}
    write_part(to, table.replace_schema_metadata(metadata))


def _plain(attrs: Mapping[Any, Any]) -> dict[str, Any]:
    """Those attrs that JSON can hold."""
    kept: dict[str, Any] = {}
    for key, value in attrs.items():
        try:
            same = json.loads(json.dumps(value)) == value
        except (TypeError, ValueError):
            continue
        if same and isinstance(key, str):
            kept[key] = value
    return kept


def read_frame(path: str | PathLike[str], schema: Kind) -> pd.DataFrame:
    """Read a frame that `write_frame` wrote.

    Raises
    ------
    ArchiveError
        If the file is missing, damaged, or of another kind or version.
    """
    table = read_part(file_path(path))
    if not is_stored(table):
        raise ArchiveError(f"{printable(path)} was not written by this package")
    return restored(table, schema, str(path))


def is_stored(table: pa.Table) -> bool:
    """Whether `write_frame` wrote this table."""
    return _META in (table.schema.metadata or {})


def restored(table: pa.Table, schema: Kind, name: str) -> pd.DataFrame:
    """The frame that was written as `table`; `name` is where it was found."""
    try:
        meta = json.loads(table.schema.metadata[_META])
        kind, version = str(meta["kind"]), int(meta["version"])
        attrs, labels = dict(meta["attrs"]), dict(meta["labels"])
    except (ValueError, KeyError, TypeError):
        raise ArchiveError(f"{printable(name)} has damaged metadata") from None
    if (kind, version) != (schema.kind, schema.version):
        raise ArchiveError(
            f"{printable(name)} holds {printable(kind, 40)}/{version}, but {schema.tag} was asked for"
        )
    if not is_own(table.column_names, schema):
        raise ArchiveError(f"{printable(name)} lacks columns of {schema.tag}: it is damaged")
    frame = own_frame(table.replace_schema_metadata(), schema, labels)
    frame.attrs = attrs
    return frame
