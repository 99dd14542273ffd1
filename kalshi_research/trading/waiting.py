"""Waiting for what the exchange has still to show, and saying so."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Final, Self

from kalshi_research.progress import Progress, progress

if TYPE_CHECKING:
    from types import TracebackType

    from kalshi_research.trading.pace import Pace

__all__ = ["Wait"]

_log = logging.getLogger(__name__)
_FIRST_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 2.0
_SILENT: Final = 1.0
"""A wait that is over by then is not spoken of [s]."""


class Wait:
    """A time in which is looked again and again; use as a context manager.

    Who waits longer than a second is told what for and how long at most: by a bar where a person
    sits before the cell, and on the log of this module (INFO) everywhere.

    Parameters
    ----------
    pace : Pace
    seconds : float
        At most; 0 looks once [s].
    what : str
        That is waited for, such as ``"the end of order 5f…"``.

    Examples
    --------
    >>> from kalshi_research.trading.pace import Pace
    >>> looks = 0
    >>> with Wait(Pace(), 0.0, "nothing") as wait:
    ...     looks += 1
    ...     while wait.rest():
    ...         looks += 1
    >>> looks
    1
    """

    def __init__(self, pace: Pace, seconds: float, what: str) -> None:
        self._pace, self._seconds, self._what = pace, seconds, what
        self._began = pace.monotonic()
        self._ends = self._began + seconds  # an instant of that clock, which it comes to exactly
        self._pause = _FIRST_PAUSE
        self._told = False
        self._bar = Progress()

    def rest(self) -> bool:
        """Pause before the next look; False, at once, when the time is over."""
        now = self._pace.monotonic()
        left, passed = self._ends - now, now - self._began
        if left <= 0:
            return False
        if passed >= self._pace.seconds(_SILENT):
            self._tell(passed)
        self._pace.sleep(min(self._pace.seconds(self._pause), left))
        self._pause = min(self._pause * 2, _LONGEST_PAUSE)
        return True

    def _tell(self, passed: float) -> None:
        if not self._told:
            self._told = True
            _log.info("waiting for %s, %.0f s at most", self._what, self._seconds)
            # A bar of another thread would come up in whatever cell happens to be the last one.
            here = threading.current_thread() is threading.main_thread()
            self._bar = progress(
                round(self._seconds), "s", enabled=None if here else False, what=self._what
            )
        if int(passed) > self._bar.done:
            self._bar.update(int(passed) - self._bar.done)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.close()
