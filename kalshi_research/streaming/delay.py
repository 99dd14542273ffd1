"""How long messages are on their way, by the times that the exchange writes on them."""

from __future__ import annotations

__all__ = ["Delay"]

_NAN = float("nan")
_WINDOW = 300.0
"""The fastest message is looked for in the last one or two of these spans [s]: clocks drift apart."""
_EVIDENCE = 1.0
"""So long a clock is watched before anything is said of its speed [s]."""
_TOLERANCE = 0.1


class Delay:
    """What one connection shows of the time that its messages take.

    The clock here and that of the exchange need not agree: from receipt less sending the smallest
    such difference is taken away, so the fastest message has a lag of 0. That needs a clock there
    that runs as ours does. The exchange's does; that of a simulated one may stand still or fly,
    and then nothing can be known.

    Parameters
    ----------
    simulated : bool
        The clock of the other end may not run as ours does.

    Examples
    --------
    >>> delay = Delay(simulated=False)
    >>> for sent_ms, now in ((1_000, 70.0), (2_000, 71.0), (3_000, 72.25)):
    ...     delay.note(sent_ms, now)
    >>> delay.lag, delay.reason
    (0.25, '')
    """

    def __init__(self, *, simulated: bool) -> None:
        self._simulated = simulated
        self.begin()

    def begin(self) -> None:
        """A new connection, perhaps to another machine with another clock."""
        self._first: tuple[float, float] | None = None
        self._last = (0.0, 0.0)
        self._since = self._now_least = self._then_least = 0.0

    def note(self, sent_ms: int, now: float) -> None:
        """A message was sent at a time of the exchange [ms] and has arrived now [s]."""
        sent = sent_ms / 1000
        offset = now - sent
        self._last = sent, now
        if self._first is None:
            self._first = self._last
            self._since, self._now_least, self._then_least = now, offset, offset
        elif now - self._since >= _WINDOW:
            self._since, self._now_least, self._then_least = now, offset, self._now_least
        else:
            self._now_least = min(self._now_least, offset)

    @property
    def reason(self) -> str:
        """Why the lag is not known; empty where it is."""
        if self._first is None:
            return "no message has told when it was sent"
        if not self._simulated:
            return ""
        sent, elapsed = (last - first for last, first in zip(self._last, self._first, strict=True))
        if elapsed < _EVIDENCE:
            return "the simulated exchange's clock has not been watched for a second"
        speed = sent / elapsed
        if abs(speed - 1) <= _TOLERANCE:
            return ""
        if speed == 0:
            return "the simulated exchange's clock stands still"
        return f"the simulated exchange's clock runs at {speed:,.3g} times the speed of ours"

    @property
    def lag(self) -> float:
        """How much longer than the fastest one the newest message was on its way [s], or NaN."""
        if self.reason:
            return _NAN
        sent, now = self._last
        return max(0.0, round(now - sent - min(self._now_least, self._then_least), 6))
