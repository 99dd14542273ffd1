"""The clock of a running exchange: real time, or a multiple of it."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from kalshi_research.errors import ConfigError

if TYPE_CHECKING:
    from kalshi_research.sandbox.floor import Floor

__all__ = ["FASTEST", "Clock", "checked_speed"]

FASTEST = 1_000_000.0
"""The highest speed that makes sense: past it the clock only runs as fast as the traders can act."""

_STEP = 0.02
"""Seconds between two steps, so that 50 of them make a second."""

_PATIENCE = 0.005
"""Seconds of work after which others get their turn with the floor."""

_BREATH = 0.0005
_STOP_SECONDS = 10.0


def checked_speed(speed: float) -> float:
    """A speed that can be used.

    Examples
    --------
    >>> checked_speed(60)
    60.0
    """
    if isinstance(speed, bool) or not isinstance(speed, int | float) or not 0 <= speed <= FASTEST:
        raise ConfigError(
            f"speed= is seconds of the exchange a real second, 0 to {FASTEST:,.0f}, not {speed!r}.\n"
            "The sandbox was not started. 0 lets its time stand still, 1 is live."
        )
    return float(speed)


class Clock:
    """Moves a floor on, in a thread of its own.

    Each step leads to where the exchange ought to be by now, counted from the start, so that delays
    do not add up. Where somebody has moved the floor further than that, it counts from there. Where
    there is more to do than time allows, the exchange falls behind and everybody can still get in.

    Parameters
    ----------
    floor : Floor
    speed : float
        Seconds of the exchange a real second.
    """

    def __init__(self, floor: Floor, speed: float) -> None:
        self._floor = floor
        self._speed = speed
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="kalshi-sandbox-clock", daemon=True)

    def start(self) -> None:
        """Begin at the present time of the floor."""
        self._thread.start()

    def stop(self) -> None:
        """Let time stand still, and wait until it does."""
        self._stopping.set()
        if self._thread is not threading.current_thread():
            self._thread.join(_STOP_SECONDS)

    def _run(self) -> None:
        floor = self._floor
        began, origin = time.monotonic(), floor.now()
        while not self._stopping.wait(_STEP):
            target = origin + round((time.monotonic() - began) * self._speed * 1_000_000)
            ahead = floor.now() - target
            if ahead > 0:  # somebody has moved it by hand
                origin += ahead
                continue
            while not floor.catch_up(target, _PATIENCE):
                if self._stopping.wait(_BREATH):
                    return
