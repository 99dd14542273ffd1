"""The clocks and the dice of a client, in one place so that a test can hold them."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Timing"]


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Timing:
    """Where a client gets its time from.

    Attributes
    ----------
    now : callable
        Aware UTC wall time; signed into requests.
    monotonic : callable
        Seconds that never jump; deadlines and budgets are measured with it [s].
    sleep : callable
        Waits [s].
    uniform : callable
        A random number between two bounds.
    """

    now: Callable[[], datetime] = _utc_now
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    uniform: Callable[[float, float], float] = random.uniform
