"""The one durable writer.

A file appears under its name whole or not at all: it is written beside its place,
flushed to the disk, and renamed. A part is a Parquet file whose pages carry checksums,
which reading verifies.
"""

from __future__ import annotations

import os
import re
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from kalshi_research.errors import ArchiveError, printable

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["read_part", "replaced", "sweep", "write_part"]

_DRAFT = re.compile(r"\..+\.(?P<process>[0-9]+)-[0-9a-f]{8}\.draft")
_OLD = 3600.0
"""A draft is finished within seconds; so old a one is nobody's [s]."""


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


def sweep(folder: Path) -> int:
    """Remove the drafts that killed processes have left in a folder; how many there were.

    A draft of a process on another machine that shares the folder may be taken for one of those;
    its write then fails, as any other may, and nothing that was written before is touched.

    Parameters
    ----------
    folder : Path

    Raises
    ------
    ArchiveError
        If the folder cannot be read, or written to.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     sweep(Path(folder))
    0
    """
    count = 0
    try:
        for path in folder.iterdir():
            draft = _DRAFT.fullmatch(path.name)
            if draft is not None and _is_left(path, int(draft["process"])):
                path.unlink(missing_ok=True)
                count += 1
    except OSError as error:
        raise ArchiveError(f"cannot tidy up {printable(folder)}: {printable(error)}") from error
    return count


def _is_left(draft: Path, process: int) -> bool:
    """Whether the process that began a draft will not finish it."""
    try:
        if time.time() - draft.stat().st_mtime > _OLD:
            return True
        if os.name == "posix":  # elsewhere a signal of 0 is one
            os.kill(process, 0)
    except FileNotFoundError:  # finished meanwhile
        return False
    except (ProcessLookupError, OverflowError):
        return True
    except PermissionError:  # somebody else's, and running
        return False
    return False


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
