"""Time that goes on while the machine sleeps.

A monotonic clock may stand still then, and a wall clock may be set back. Whoever must not take an
old price for a new one asks both and believes the one that says more: an error makes a price look
older than it is, never younger.
"""

from __future__ import annotations

import time
from typing import NamedTuple

__all__ = ["Moment", "now", "since"]


class Moment(NamedTuple):
    """One moment by two clocks [s]."""

    steady: float
    wall: float


def now() -> Moment:
    """The present moment.

    Examples
    --------
    >>> now().wall > now().steady
    True
    """
    return Moment(time.monotonic(), time.time())


def since(moment: Moment) -> float:
    """How long ago a moment was, by the clock that says more [s].

    Parameters
    ----------
    moment : Moment

    Examples
    --------
    >>> here = now()
    >>> round(since(here._replace(wall=here.wall - 7200)), -1)
    7200.0
    """
    here = now()
    return max(here.steady - moment.steady, here.wall - moment.wall, 0.0)
