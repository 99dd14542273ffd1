"""Locks on open files, which the system lets go of when their process ends, however it ends."""

from __future__ import annotations

import sys
import time

__all__ = ["hold", "release", "try_hold"]

_PATIENCE = 10.0  # seconds


def hold(handle: int) -> None:
    """Wait for the lock; nobody has it for longer than a few writes.

    Raises
    ------
    OSError
        If somebody has it all the same.
    """
    ends = time.monotonic() + _PATIENCE
    while not try_hold(handle):
        if time.monotonic() >= ends:
            raise OSError(f"another process has held it for {_PATIENCE:.0f} s")
        time.sleep(0.002)


if sys.platform == "win32":
    import msvcrt
    import os

    # Beyond any journal, so that locking does not hinder reading.
    _PLACE = 1 << 40

    def try_hold(handle: int) -> bool:
        """Take the lock if nobody has it."""
        os.lseek(handle, _PLACE, os.SEEK_SET)
        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def release(handle: int) -> None:
        """Let go of the lock."""
        os.lseek(handle, _PLACE, os.SEEK_SET)
        msvcrt.locking(handle, msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def try_hold(handle: int) -> bool:
        """Take the lock if nobody has it."""
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def release(handle: int) -> None:
        """Let go of the lock."""
        fcntl.flock(handle, fcntl.LOCK_UN)
