"""When to ask again, and how long to wait before.

Only reads are repeated. Waits are drawn between zero and a growing bound (full jitter),
so that many callers do not come back together, and all calls of a client share one quota,
so that an outage is not answered with a storm.
"""

from __future__ import annotations

import re
import threading
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kalshi_research.client.timing import Timing

__all__ = ["MAX_ATTEMPTS", "MAX_RETRY_AFTER", "RETRIED", "RetryQuota", "backoff", "retry_after"]

MAX_ATTEMPTS = 3
MAX_RETRY_AFTER = 30.0
"""The longest wait a server can impose [s]."""
RETRIED = frozenset({408, 429, 500, 502, 503, 504})
_BASE = 0.5
_BOUND = 8.0
_SECONDS = re.compile(r"\d{1,9}(?:\.\d{1,9})?", re.ASCII)


class RetryQuota:
    """A stock of retries: each takes one, ten successes give one back."""

    def __init__(self, size: int = 20) -> None:
        self._size = float(size)
        self._left = float(size)
        self._lock = threading.Lock()

    def take(self) -> bool:
        """Whether one more retry is allowed."""
        with self._lock:
            if self._left < 1:
                return False
            self._left -= 1
            return True

    def refund(self) -> None:
        """A call has succeeded."""
        with self._lock:
            self._left = min(self._size, self._left + 0.1)


def backoff(attempt: int, timing: Timing) -> float:
    """How long to wait after the given attempt, counted from 1 [s]."""
    return timing.uniform(0.0, min(_BOUND, _BASE * 2.0**attempt))


def retry_after(header: str | None, now: datetime) -> float | None:
    """The wait a ``Retry-After`` header asks for [s], at most `MAX_RETRY_AFTER`; None for junk.

    Examples
    --------
    >>> moment = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)
    >>> [retry_after(text, moment) for text in ("2", "2.5", "3600", "-1", "NaN", "soon")]
    [2.0, 2.5, 30.0, None, None, None]
    >>> retry_after("Fri, 20 Nov 2026 15:00:07 GMT", moment)
    7.0
    """
    if header is None:
        return None
    text = header.strip()
    if _SECONDS.fullmatch(text):
        return min(float(text), MAX_RETRY_AFTER)
    try:
        moment = parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    wait = (aware - now).total_seconds()
    return min(wait, MAX_RETRY_AFTER) if wait >= 0 else None
