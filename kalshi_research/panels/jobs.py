"""Work that takes long, away from the thread of the cells, which must stay free to answer."""

from __future__ import annotations

import logging
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Any, NamedTuple, Self

from kalshi_research.errors import KalshiError

__all__ = ["Jobs", "Outcome", "Painter"]

_log = logging.getLogger(__name__)

Work = Callable[[], Any]
Then = Callable[[Any], None]
Fail = Callable[[BaseException], None]


class Jobs:
    """Does one thing after another, in a thread that lives while there is anything to do.

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
        self._waiting: deque[tuple[Work, Then | None, Fail | None]] = deque()
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
            self._waiting.append((work, then, fail))
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name=self._name, daemon=True)
                self._thread.start()

    def wait(self, seconds: float) -> bool:
        """Wait until all is done; False if it is not by then.

        Parameters
        ----------
        seconds : float
        """
        with self._idle:
            return self._idle.wait_for(lambda: not self._open, seconds)

    def _work(self) -> None:
        while True:
            with self._idle:
                if not self._waiting:
                    self._thread = None
                    return
                job = self._waiting.popleft()
            _one(*job)
            del job  # it may be what keeps a panel alive
            with self._idle:
                self._open -= 1
                self._idle.notify_all()


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
        self._paint = weakref.WeakMethod(paint)
        self._least, self._idle = 1 / rate, idle
        self._lock = threading.Lock()
        self._closed = False
        self._run: _Run | None = None
        self._begin()

    def soon(self, *_: Any) -> None:
        """Something is new."""
        run = self._run
        if run is not None:
            run.new.set()

    def pause(self) -> None:
        """Paint no more and end the thread, until `resume`."""
        with self._lock:
            run, self._run = self._run, None
        if run is not None:
            run.stop.set()
            run.new.set()

    def resume(self) -> None:
        """Paint at once, and again from now on."""
        self._begin()
        self.soon()

    def rest_or_resume(self, change: Any) -> None:
        """Follow a trait that says whether to rest."""
        if change["new"]:
            self.pause()
        else:
            self.resume()

    def _begin(self) -> None:
        with self._lock:
            if self._run is not None or self._closed:
                return
            self._run = run = _Run(threading.Event(), threading.Event())
            threading.Thread(
                target=_paint,
                args=(self._paint, run, self._least, self._idle),
                name="kalshi-painter",
                daemon=True,
            ).start()

    def close(self) -> None:
        """Paint no more."""
        self._closed = True
        self.pause()


class _Run(NamedTuple):
    new: threading.Event
    stop: threading.Event


def _paint(owner: weakref.WeakMethod[Any], run: _Run, least: float, idle: float) -> None:
    due = time.monotonic()
    while not run.stop.wait(max(0.0, due - time.monotonic())):
        run.new.wait(idle)
        run.new.clear()
        due = time.monotonic() + least
        paint = owner()
        if paint is None or run.stop.is_set():
            return
        with Outcome("a panel could not be drawn"):  # the next picture may be right again
            paint()
        del paint
