"""Open files of the journal: appended to whole, read by stretches, closed to everybody else."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from kalshi_research.errors import JournalError, printable

__all__ = ["open_own", "read_from", "sync_folder", "write_all"]


def open_own(path: Path) -> int:
    """Open a file of its owner alone, for reading and appending; a link is not followed.

    Raises
    ------
    JournalError
        If it cannot be opened.
    """
    flags = (
        os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    )
    try:
        handle = os.open(path, flags, 0o600)
        if hasattr(os, "fchmod"):
            os.fchmod(handle, 0o600)
    except OSError as error:
        reason = error.strerror or type(error).__name__
    else:
        return handle
    raise JournalError(
        f"the order journal {printable(path)} cannot be opened ({reason}); nothing was sent.\n"
        "An order that is not written down first could be lost. Mend the permissions of that file."
    )


def sync_folder(folder: Path) -> None:
    """Let the disk have the names in a folder; where a folder cannot be opened there is no way."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def write_all(handle: int, data: bytes) -> None:
    """Append all of it, however many calls that takes."""
    while data:
        data = data[os.write(handle, data) :]


def read_from(handle: int, offset: int, count: int) -> bytes:
    """A stretch of a file, or what there is of it."""
    os.lseek(handle, offset, os.SEEK_SET)
    pieces = []
    while count > 0:
        piece = os.read(handle, count)
        if not piece:
            break
        pieces.append(piece)
        count -= len(piece)
    return b"".join(pieces)
