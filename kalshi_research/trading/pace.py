"""The clocks of trading: how long is waited for what, all of it on one scale."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["ExchangeClock", "Pace"]


@dataclass(frozen=True)
class Pace:
    """How long is waited for what.

    Attributes
    ----------
    deadline : float
        For the answer to a write [s].
    settle_margin : float
        How long after the deadline, or after the failure, an order that cannot be found may still
        appear [s]. It must exceed how long reads lag plus how late an order can be taken.
    looks_apart : float
        Between the two looks that prove an absence [s].
    patience : float
        How long a call goes on looking before it says that it does not know [s].
    scale : float
        What all of these are multiplied by.
    sleep, monotonic, now : callable
        The clocks themselves; `now` in seconds since 1970.

    Examples
    --------
    >>> Pace(scale=0.5).margin
    5.0
    """

    deadline: float = 10.0
    settle_margin: float = 10.0
    looks_apart: float = 1.0
    patience: float = 30.0
    scale: float = 1.0
    sleep: Callable[[float], None] = time.sleep
    monotonic: Callable[[], float] = time.monotonic
    now: Callable[[], float] = time.time

    @property
    def margin(self) -> float:
        """`settle_margin` as it is waited [s]."""
        return self.settle_margin * self.scale

    def seconds(self, seconds: float) -> float:
        """A time as it is waited [s]."""
        return seconds * self.scale


class ExchangeClock:
    """What is known of the exchange's clock, from the instants up to which its reads are complete.

    Parameters
    ----------
    simulated : bool
        The clock of a simulated exchange may stand still or show another year.
    """

    def __init__(self, *, simulated: bool) -> None:
        self._simulated = simulated
        self._lock = threading.Lock()
        self._first: tuple[float, float] | None = None
        self._last: tuple[float, float] | None = None
        self._ahead = float("-inf")

    def observe(self, instant: float, local: float) -> None:
        """Reads are complete up to `instant`, seen at `local` [both s since 1970]."""
        with self._lock:
            self._first = self._first or (instant, local)
            self._last = (instant, local)
            self._ahead = max(self._ahead, instant - local)

    @property
    def last(self) -> float | None:
        """The latest instant seen [s since 1970]."""
        return self._last[0] if self._last else None

    def covers(self, local: float, margin: float) -> bool:
        """Whether reads are complete up to `margin` after the local instant `local`.

        It is measured on the exchange's own clock: how far that is ahead is learned from the same
        instants, so a wrong clock of this machine does not matter. The clock of a simulated
        exchange that stands still says nothing; there the time that has passed has to do.
        """
        with self._lock:
            if self._first is None or self._last is None:
                return False
            if self._simulated and self._stands_still():
                return True
            return self._last[0] >= local + self._ahead + margin

    def _stands_still(self) -> bool:
        if self._first is None or self._last is None:
            return True
        passed = self._last[1] - self._first[1]
        return self._last[0] - self._first[0] < 0.5 * passed or passed == 0
