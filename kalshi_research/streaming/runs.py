"""The files of recordings in a folder: which runs there are, and the parts that count."""

from __future__ import annotations

import io
import os
import re
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple, Self

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from kalshi_research.errors import ArchiveError, InputError, printable, quoted
from kalshi_research.parts import replaced
from kalshi_research.streaming.rows import schema

__all__ = ["Part", "folder_of", "found_parts", "found_runs", "is_recording", "read_rows", "write_rows"]

_PART = re.compile(
    r"(?P<run>[0-9]{8}T[0-9]{6,12}-[0-9]+-[0-9a-f]+)-(?P<first>[0-9]{12})-(?P<last>[0-9]{12})"
    r"-(?P<digest>[0-9a-f]{16})\.parquet"
)
_RUN = re.compile(r"[0-9]{8}T[0-9]{6,12}-[0-9]+-[0-9a-f]+\.json")


class Part(NamedTuple):
    """A file with the rows from `first` to `last` of a run; `digest` is that of its bytes."""

    path: Path
    run: str
    first: int
    last: int
    digest: str

    @classmethod
    def of(cls, path: Path) -> Self | None:
        """What the name of a file says; None where it is no part."""
        found = _PART.fullmatch(path.name)
        if found is None:
            return None
        return cls(path, found["run"], int(found["first"]), int(found["last"]), found["digest"])


def folder_of(path: object) -> Path:
    """A folder as a user writes it, ``~`` included."""
    given = os.fspath(path) if isinstance(path, str | os.PathLike) else None
    if not isinstance(given, str) or not given or "\0" in given:
        raise InputError(f"{quoted(path, 60)} is not the path of a folder")
    return Path(os.path.expanduser(given))  # noqa: PTH111 - an unknown ~user stays as it is


def is_recording(folder: Path) -> bool:
    """Whether a folder holds a recording."""
    return folder.is_dir() and any(
        _RUN.fullmatch(each.name) or Part.of(each) for each in _listed(folder)
    )


def found_parts(folder: Path) -> list[Part]:
    """The parts of a folder in order of run and row, without those that lie inside another one."""
    found = [part for path in _listed(folder) if (part := Part.of(path)) is not None]
    kept: list[Part] = []
    for part in sorted(found, key=lambda part: (part.run, part.first, -part.last)):
        if not kept or kept[-1].run != part.run or part.last > kept[-1].last:
            kept.append(part)
    return kept


def _listed(folder: Path) -> list[Path]:
    """The files of a folder at one moment.

    What is put together meanwhile could be missed in both of its forms, so it is looked twice.
    """
    try:
        before, now = None, sorted(folder.iterdir())
        while now != before:
            before, now = now, sorted(folder.iterdir())
    except OSError as error:
        raise ArchiveError(f"cannot read the folder {printable(folder)}: {printable(error)}") from error
    return now


def found_runs(folder: Path) -> list[dict[str, Any]]:
    """What each run says of itself, the oldest first.

    Raises
    ------
    ArchiveError
        If it cannot be read.
    """
    found = []
    for path in (path for path in _listed(folder) if _RUN.fullmatch(path.name)):
        try:
            about = msgspec.json.decode(path.read_bytes())
        except (OSError, msgspec.DecodeError) as error:
            raise ArchiveError(f"cannot read {printable(path)}: {printable(error, 120)}") from error
        if not isinstance(about, dict) or "run" not in about:
            raise ArchiveError(f"{printable(path)} does not tell of a recording")
        found.append(about)
    return found


def write_rows(folder: Path, run: str, first: int, table: pa.Table, *, private: bool) -> Part:
    """Write rows of a run as a part, whole or not at all.

    The checksums inside a Parquet file do not cover its description of itself, so the name
    holds a digest of all of it.
    """
    buffer = io.BytesIO()
    try:
        labels = [field.name for field in table.schema if pa.types.is_dictionary(field.type)]
        pq.write_table(
            table, buffer, compression="zstd", write_page_checksum=True, use_dictionary=labels
        )
        content = buffer.getvalue()
        last = first + table.num_rows - 1
        digest = _digest(content)
        path = folder / f"{run}-{first:012d}-{last:012d}-{digest}.parquet"
        with replaced(path, private=private) as file:
            file.write(content)
    except (OSError, MemoryError, pa.ArrowException) as error:
        raise ArchiveError(f"cannot write to {printable(folder)}: {printable(error)}") from error
    return Part(path, run, first, last, digest)


def read_rows(part: Part) -> pa.Table:
    """The rows of a part, verified.

    Raises
    ------
    ArchiveError
        If it cannot be read, is not as it was written, or of another version.
    """
    name = printable(part.path)
    try:
        content = part.path.read_bytes()
    except OSError as error:
        raise ArchiveError(f"cannot read {name}: {printable(error, 120)}") from error
    if _digest(content) != part.digest:
        raise ArchiveError(f"{name} is damaged: it is not as it was written")
    try:
        with pq.ParquetFile(pa.BufferReader(content), page_checksum_verification=True) as file:
            table = file.read()
    except (OSError, pa.ArrowException, ValueError) as error:
        raise ArchiveError(f"{name} is no part of a recording: {printable(error, 120)}") from error
    if table.schema.names != schema().names or table.num_rows != part.last - part.first + 1:
        raise ArchiveError(f"{name} is no part of a recording of this version")
    return table


def _digest(content: bytes) -> str:
    return blake2b(content, digest_size=8).hexdigest()
