"""The clocks of trading: how long is waited for what, all of it on one scale."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["ExchangeClock", "Pace", "Sighting"]


@dataclass(frozen=True)
class Pace:
    """How long is waited for what.

    Attributes
    ----------
    deadline : float
        For the answer to a write [s].
    settle_margin : float
        How long after the deadline, or after the failure, an order that cannot be found may still
        appear [s]: how late an order can be taken. Where the exchange does not say the time, as a
        simulated one does not, it must exceed that plus how long reads lag.
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


@dataclass(frozen=True, slots=True)
class Sighting:
    """A look at the exchange's clock.

    Attributes
    ----------
    instant : float
        Reads that follow are complete up to this [s since 1970, the exchange's].
    local : float
        When it was asked for [s since 1970, this machine's].
    date : float or None
        What time it was there when it answered, less than a second later [s since 1970].
    monotonic : float
        When the answer was there [s].
    asked : float
        When it was asked for [monotonic s].
    """

    instant: float
    local: float
    date: float | None = None
    monotonic: float = 0.0
    asked: float = 0.0


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
        self._first: Sighting | None = None
        self._last: Sighting | None = None
        self._ahead = float("-inf")

    def observe(self, seen: Sighting) -> None:
        """Learn from what was seen."""
        with self._lock:
            self._first = self._first or seen
            self._last = seen
            # When the answer was there, so that a slow one does not make that clock fast.
            there = seen.local + seen.monotonic - seen.asked
            self._ahead = max(self._ahead, seen.instant - there)

    @property
    def last(self) -> float | None:
        """The latest instant seen [s since 1970]."""
        return self._last.instant if self._last else None

    def at_least(self, monotonic: float) -> float | None:
        """The exchange's clock at an instant after the latest sight of it, or somewhat before."""
        seen = self._last
        if seen is None:
            return None
        if self._simulated:  # it may stand still
            return seen.instant
        known = seen.instant if seen.date is None else seen.date
        return known + max(0.0, monotonic - seen.monotonic)

    def there(self, local: float) -> float:
        """An instant of this machine on the exchange's clock, or somewhat later.

        Where the exchange says what time it is, the clock of this machine does not matter. Where it
        does not, reads that have always been old look like a clock that is behind; then this machine's
        is believed, unless reads are of its future.
        """
        seen = self._last
        if seen is not None and seen.date is not None:
            return local + seen.date + 1.0 - seen.local
        return local + (self._ahead if self._simulated else max(self._ahead, 0.0))

    def covers(self, seen: Sighting, instant: float) -> bool:
        """Whether reads that followed a sighting are complete up to an instant of the exchange.

        The clock of a simulated exchange that stands still says nothing; there the time that has
        passed has to do.
        """
        return (self._simulated and self._stands_still()) or seen.instant >= instant

    def _stands_still(self) -> bool:
        if self._first is None or self._last is None:
            return True
        passed = self._last.local - self._first.local
        return self._last.instant - self._first.instant < 0.5 * passed or passed == 0
