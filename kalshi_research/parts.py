"""The one durable writer.

A file appears under its name whole or not at all: it is written beside its place,
flushed to the disk, and renamed. A part is a Parquet file whose pages carry checksums,
which reading verifies.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from kalshi_research.errors import ArchiveError, printable

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["read_part", "replaced", "write_part"]


@contextmanager
def replaced(path: Path, *, private: bool = False) -> Iterator[BinaryIO]:
    """A file to write to, which takes the place of `path` when the block ends without an error.

    Parameters
    ----------
    path : Path
        In a folder that exists.
    private : bool
        Let only the owner read it.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "a.txt"
    ...     with replaced(path) as file:
    ...         _ = file.write(b"whole")
    ...     path.read_bytes()
    b'whole'
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.draft")
    try:
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600 if private else 0o644)
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    _flush_folder(path.parent)


def write_part(path: Path, table: pa.Table, *, private: bool = False) -> None:
    """Write `table` to `path`, replacing what is there.

    Parameters
    ----------
    path : Path
        In a folder that exists.
    table : pyarrow.Table
    private : bool
        Let only the owner read it.

    Raises
    ------
    ArchiveError
        If it cannot be written; what was at `path` before is still there.

    Examples
    --------
    >>> import tempfile, pyarrow as pa
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_part(Path(folder) / "a.parquet", pa.table({"x": [1, 2]}))
    ...     read_part(Path(folder) / "a.parquet").num_rows
    2
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with replaced(path, private=private) as file:
            pq.write_table(table, file, compression="zstd", write_page_checksum=True)
    except (OSError, pa.ArrowException) as error:
        raise ArchiveError(
            f"cannot write {printable(path)}: {printable(error)}\nWhat was there before is unchanged."
        ) from error


def _flush_folder(folder: Path) -> None:
    """Make a rename survive a power cut; Windows has no such call."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def read_part(path: Path) -> pa.Table:
    """Read a Parquet file and verify the checksums of its pages.

    Raises
    ------
    ArchiveError
        If there is no such file, or it is damaged.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            return file.read()
    except FileNotFoundError as error:
        raise ArchiveError(f"there is no file {printable(path)}") from error
    except (OSError, pa.ArrowException, ValueError) as error:
        raise ArchiveError(
            f"{printable(path)} is damaged or no Parquet file: {printable(error, 120)}"
        ) from error
