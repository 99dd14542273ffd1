"""Calls that place the same order under the same id at the same moment: one order, one outcome.

Two buttons, two cells, a loop in two threads: whoever comes second means the same order, and wants
to know what became of it. So it waits for the first call and answers with its very report, or with
its error. It waits no longer than the first may take by its own deadline and patience.

This is for the threads of one process and a convenience only. That there is one order is for the
journal to guard, whose lock also holds among processes: of two kernels at the same moment one
writes the order down, and the other follows in the journal what becomes of it (`placing`).
"""

from __future__ import annotations

import copy
import logging
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from kalshi_research.errors import KalshiError, OrderUnknown
from kalshi_research.trading.refusing import used_before

if TYPE_CHECKING:
    from kalshi_research.trading.report import OrderReport
    from kalshi_research.trading.terms import OrderTerms

__all__ = ["together"]

_log = logging.getLogger(__name__)
_SILENT: Final = 1.0
"""A wait that is over by then is not spoken of [s]."""


@dataclass(eq=False)
class _Flight:
    """A call that is on its way."""

    terms: OrderTerms
    landed: threading.Event = field(default_factory=threading.Event)
    report: OrderReport | None = None
    error: KalshiError | None = None


_lock = threading.Lock()
_aloft: dict[tuple[int, Path, str], _Flight] = {}


def together(
    place: tuple[Path, str],
    terms: OrderTerms,
    seconds: float,
    work: Callable[[], OrderReport],
    look_again: Callable[[bool], OrderReport],
) -> OrderReport:
    """Do some work, unless another thread is at it: then wait for its outcome.

    Parameters
    ----------
    place : tuple of (Path, str)
        The journal that guards the order, and its client order id.
    terms : OrderTerms
        Of the order; another one under the same id is refused at once.
    seconds : float
        How long the other one is waited for at most [s].
    work : callable
        Places the order.
    look_again : callable
        Finds out what became of it; see `OrderUnknown`.

    Raises
    ------
    InputError
        If the other thread places another order under this id.
    OrderUnknown
        If it has not ended in time.
    """
    mine, key, name = _Flight(terms), place[1], (os.getpid(), *place)
    try:
        with _lock:
            first = _aloft.get(name)
            if first is None or first.landed.is_set():
                first = _aloft[name] = mine
        if first is mine:
            return _fly(mine, work)
    finally:
        mine.landed.set()
        with _lock:
            if _aloft.get(name) is mine:
                del _aloft[name]
    if first.terms != terms:
        raise used_before(key, first.terms.sentence, terms)
    if not _landed(first, key, seconds):
        raise OrderUnknown(
            f"another call is placing this order: {terms.sentence} (id {key}); nothing was sent now.\n"
            f"It has not ended within {seconds:.0f} s. Wait for it, or call resolve() on this error.",
            client_order_id=key,
            known="another call is placing it",
            resolver=look_again,
        )
    if first.report is not None:
        return first.report
    if first.error is not None:
        raise _copied(first.error) from first.error
    return work()  # it was interrupted; the journal knows how far it came


def _fly(flight: _Flight, work: Callable[[], OrderReport]) -> OrderReport:
    try:
        flight.report = work()
    except KalshiError as error:
        flight.error = error
        raise
    return flight.report


def _landed(flight: _Flight, key: str, seconds: float) -> bool:
    """Wait for another call, in the time of this machine, by which it is at work."""
    if flight.landed.wait(min(seconds, _SILENT)):
        return True
    _log.info("waiting for the call that places order %s, %.0f s at most", key, seconds)
    return flight.landed.wait(max(0.0, seconds - _SILENT))


def _copied(error: KalshiError) -> KalshiError:
    """An error to raise in another thread: one of its own, so that each keeps its own traceback."""
    if isinstance(error, OrderUnknown):
        return OrderUnknown(
            str(error),
            client_order_id=error.client_order_id,
            known=error.known,
            resolver=lambda resubmit: error.resolve(resubmit=resubmit),
        )
    return copy.copy(error)
