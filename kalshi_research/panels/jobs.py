"""Work that takes long, away from the thread of the cells, which must stay free to answer."""

from __future__ import annotations

import logging
import queue
import threading
import time
import weakref
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from kalshi_research.errors import KalshiError

__all__ = ["Jobs", "Outcome", "Painter"]

_log = logging.getLogger(__name__)

Work = Callable[[], Any]
Then = Callable[[Any], None]
Fail = Callable[[BaseException], None]


class Jobs:
    """One thread that does one thing after another.

    Parameters
    ----------
    name : str
        Of the thread.

    Attributes
    ----------
    busy : bool
        Whether anything is being done or waits.

    Examples
    --------
    >>> jobs, found = Jobs("example"), []
    >>> jobs.do(lambda: 1 + 1, found.append)
    >>> jobs.wait(5)
    True
    >>> found
    [2]
    """

    def __init__(self, name: str) -> None:
        self._queue: queue.SimpleQueue[tuple[Work, Then | None, Fail | None] | None] = (
            queue.SimpleQueue()
        )
        self._open = 0
        self._idle = threading.Condition()
        self._thread: threading.Thread | None = None
        self._name = f"kalshi-{name}"

    @property
    def busy(self) -> bool:
        """Whether anything is being done or waits."""
        with self._idle:
            return self._open > 0

    def do(self, work: Work, then: Then | None = None, fail: Fail | None = None) -> None:
        """Do something; `then` gets what it returned, `fail` what it raised, in the same thread.

        Parameters
        ----------
        work : callable
        then : callable, optional
        fail : callable, optional
            Without it an error is logged.
        """
        with self._idle:
            self._open += 1
            if self._thread is None:
                self._thread = threading.Thread(
                    target=_run, args=(weakref.ref(self), self._queue), name=self._name, daemon=True
                )
                self._thread.start()
                weakref.finalize(self, self._queue.put, None)
        self._queue.put((work, then, fail))

    def wait(self, seconds: float) -> bool:
        """Wait until all is done; False if it is not by then.

        Parameters
        ----------
        seconds : float
        """
        with self._idle:
            return self._idle.wait_for(lambda: not self._open, seconds)

    def _done(self) -> None:
        with self._idle:
            self._open -= 1
            self._idle.notify_all()


def _run(
    owner: weakref.ref[Jobs], jobs: queue.SimpleQueue[tuple[Work, Then | None, Fail | None] | None]
) -> None:
    while (job := jobs.get()) is not None:
        _one(*job)
        found = owner()
        if found is not None:
            found._done()  # noqa: SLF001 - its own thread
        del found, job


def _one(work: Work, then: Then | None, fail: Fail | None) -> None:
    """Nothing that goes wrong is lost: it goes to `fail`, and what fails there to the log."""
    with Outcome("a panel could not show what happened"):
        with Outcome("a panel met an error that is not the exchange's", but=KalshiError) as outcome:
            result = work()
        if outcome.error is None:
            if then is not None:
                then(result)
        elif fail is not None:
            fail(outcome.error)
        else:
            raise outcome.error


class Outcome:
    """Keeps what was raised in a block: a thread has nobody above it who would hear of it.

    Parameters
    ----------
    words : str
        What the log says of it.
    but : type, optional
        Errors that are not for the log.

    Attributes
    ----------
    error : Exception or None

    Examples
    --------
    >>> with Outcome("it could not be halved", but=TypeError) as outcome:
    ...     "text" / 2
    >>> outcome.error
    TypeError("unsupported operand type(s) for /: 'str' and 'int'")
    """

    def __init__(self, words: str, *, but: type[Exception] | tuple[type[Exception], ...] = ()) -> None:
        self.error: Exception | None = None
        self._words = words
        self._but = but

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if not isinstance(error, Exception):
            return False
        self.error = error
        if not isinstance(error, self._but):
            _log.error(self._words, exc_info=error)
        return True


class Painter:
    """Calls a method again and again in a thread of its own, at most so often.

    Parameters
    ----------
    paint : callable
        A method, held weakly: the thread ends with its owner.
    rate : float
        Most calls [1/s].
    idle : float
        Seconds after which it is called though nothing is new [s].
    """

    def __init__(self, paint: Callable[[], None], *, rate: float, idle: float = 1.0) -> None:
        self._new = threading.Event()
        self._stop = threading.Event()
        thread = threading.Thread(
            target=_paint,
            args=(weakref.WeakMethod(paint), self._new, self._stop, 1 / rate, idle),
            name="kalshi-painter",
            daemon=True,
        )
        thread.start()

    def soon(self, *_: Any) -> None:
        """Something is new."""
        self._new.set()

    def close(self) -> None:
        """Paint no more."""
        self._stop.set()
        self._new.set()


def _paint(
    owner: weakref.WeakMethod[Any],
    new: threading.Event,
    stop: threading.Event,
    least: float,
    idle: float,
) -> None:
    due = time.monotonic()
    while not stop.wait(max(0.0, due - time.monotonic())):
        new.wait(idle)
        new.clear()
        due = time.monotonic() + least
        paint = owner()
        if paint is None or stop.is_set():
            return
        with Outcome("a panel could not be drawn"):  # the next picture may be right again
            paint()
        del paint
