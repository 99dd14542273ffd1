"""The time in which a kernel can hear: while a cell runs, what views say waits."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

__all__ = ["FREE_TIME", "FreeTime", "follow_cells"]


class FreeTime:
    """A clock that stands still while a cell runs.

    Parameters
    ----------
    now : callable
        Seconds of any clock that only goes forward.

    Examples
    --------
    >>> seconds = iter([10.0, 12.0, 500.0, 501.0])
    >>> clock = FreeTime(lambda: next(seconds))
    >>> clock()
    10.0
    >>> clock.busy()  # from 12 to 500
    >>> clock.free()
    >>> clock()
    13.0
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._since: float | None = None
        self._lost = 0.0

    def __call__(self) -> float:
        """Seconds that the kernel was free."""
        with self._lock:
            return (self._now() if self._since is None else self._since) - self._lost

    def busy(self) -> None:
        """A cell begins."""
        with self._lock:
            if self._since is None:
                self._since = self._now()

    def free(self) -> None:
        """A cell has ended."""
        with self._lock:
            if self._since is not None:
                self._lost += self._now() - self._since
                self._since = None


FREE_TIME = FreeTime()
"""That of this kernel; without one it is the time of any clock."""
_following = threading.Event()


def follow_cells() -> None:
    """Begin to stop the clock while cells run; called by every panel, the first one does it."""
    from IPython import get_ipython  # heavy, and known to whoever shows a panel

    shell = get_ipython()
    if shell is None or _following.is_set():
        return
    _following.set()
    parent = getattr(shell, "parent_header", {})  # what the kernel is answering
    if parent.get("msg_type", "execute_request") == "execute_request":
        FREE_TIME.busy()  # a cell makes the first panel, not a click
    shell.events.register("pre_execute", FREE_TIME.busy)
    shell.events.register("post_execute", FREE_TIME.free)
