"""Connections that wait for the next request, kept without a lock."""

from __future__ import annotations

import queue
from collections import deque
from typing import Any

__all__ = ["IdleConnections"]


class IdleConnections:
    """What a pool of urllib3 needs of `queue.LifoQueue`, in single steps that nothing can split.

    Ctrl-C may come between the taking of a queue's lock and the code that gives it back. The same
    call then puts its connection back while it is unwound, and waits for that lock for ever.

    Parameters
    ----------
    maxsize : int

    Examples
    --------
    >>> idle = IdleConnections(1)
    >>> idle.put("connection")
    >>> idle.get(), idle.qsize()
    ('connection', 0)
    """

    def __init__(self, maxsize: int) -> None:
        self._maxsize = maxsize
        self._waiting: deque[Any] = deque()

    def put(self, item: Any, block: bool = True) -> None:
        """Keep a connection; `queue.Full` where there are enough, whatever `block` says."""
        del block
        if len(self._waiting) >= self._maxsize:
            raise queue.Full
        self._waiting.append(item)

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        """The connection that was used last; `queue.Empty` where there is none: nobody waits for one."""
        del block, timeout
        try:
            return self._waiting.pop()
        except IndexError:
            raise queue.Empty from None

    def qsize(self) -> int:
        """How many wait."""
        return len(self._waiting)
