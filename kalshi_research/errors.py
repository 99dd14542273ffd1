"""Everything that can go wrong, as one tree.

::

    KalshiError
    ├── ConfigError          environment, host, key or option is wrong; nothing was sent
    ├── InputError           an argument is wrong; nothing was sent
    │   └── LimitError       a limit of yours forbids it; nothing was sent
    ├── TransportError       no usable answer arrived
    │   ├── NotSentError     provably nothing reached the exchange
    │   └── DeadlineError    the time set for the call ran out
    │       └── UnsentDeadlineError  before anything was sent; a NotSentError as well
    ├── ApiError             the exchange answered with an error
    │   ├── BadRequestError  400
    │   ├── AuthError        401, 403
    │   ├── NotFoundError    404
    │   ├── ConflictError    409
    │   ├── GoneError        410
    │   ├── RateLimitError   429
    │   ├── ServerError      5xx
    │   └── OrderRejected    an order or a change of one was refused; nothing changed
    ├── OrderNotPlaced       evidence says that an order never reached the exchange
    ├── OrderUnknown         what became of an order is not known yet; ask its ``resolve()``
    ├── DecodeError          the answer is not what the protocol promises
    ├── PaginationError      a walk over pages ended before its end; carries what arrived
    ├── ArchiveError         a file of ours cannot be read or written
    │   └── JournalError     the journal of orders; nothing was sent
    ├── FrameError           a frame lacks what the function needs
    └── ReportError          a notebook could not be executed or exported

    KalshiWarning
    ├── DriftWarning         the exchange sent something this version does not know
    ├── OpenOrdersWarning    orders of an earlier session still rest or are unaccounted for
    ├── PartialDataWarning   rows are missing, repeated or capped
    └── SecurityWarning      a key file is readable by others

Nothing else leaves a public function, except ``KeyboardInterrupt`` and its kind. An
interrupted walk raises `WalkInterrupted`, a ``KeyboardInterrupt`` that carries the rows.
A message says what happened, what state you are in, and what to do next.
"""

from __future__ import annotations

import html
import re
import reprlib
import sys
import warnings
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

__all__ = [
    "ApiError",
    "ArchiveError",
    "AuthError",
    "BadRequestError",
    "ConfigError",
    "ConflictError",
    "DeadlineError",
    "DecodeError",
    "DriftWarning",
    "FrameError",
    "GoneError",
    "InputError",
    "JournalError",
    "KalshiError",
    "KalshiWarning",
    "LimitError",
    "NotFoundError",
    "NotSentError",
    "OpenOrdersWarning",
    "OrderNotPlaced",
    "OrderRejected",
    "OrderUnknown",
    "PaginationError",
    "PartialDataWarning",
    "RateLimitError",
    "ReportError",
    "SecurityWarning",
    "ServerError",
    "TransportError",
    "UnsentDeadlineError",
    "WalkInterrupted",
    "printable",
    "quoted",
    "warn",
]

# C0/C1 controls, surrogates, zero-width and direction-changing characters.
_UNPRINTABLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]"
)

# What the ``__str__`` of other classes raises, and of numbers that are too long.
_UNSPEAKABLE = (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)


def printable(text: object, limit: int = 200) -> str:
    r"""Foreign text made safe for one line of a message or a log.

    Control, zero-width and direction-changing characters are escaped and the
    text is cut at `limit` characters.

    Examples
    --------
    >>> printable("a\nb\x1b[31m")
    'a\\nb\\x1b[31m'
    """
    try:
        said = str(text)
    except _UNSPEAKABLE:
        said = _SHORT.repr(text)
    escaped = _UNPRINTABLE.sub(
        lambda m: m.group().encode("unicode_escape", "surrogatepass").decode("ascii"),
        said[: limit + 1],
    )
    return escaped if len(escaped) <= limit else escaped[: limit - 1] + "…"


def quoted(value: object, limit: int = 60) -> str:
    """A value as Python writes it, made safe for one line of a message.

    However large, deep or strange it is, no more of it is written than can be shown.

    Examples
    --------
    >>> quoted("0.56"), quoted([1, None]), quoted(10**5000)
    ("'0.56'", '[1, None]', '<int of about 5,000 digits>')
    """
    return printable(_SHORT.repr(value), limit)


class _Short(reprlib.Repr):
    """``repr`` of any value within bounds, which names what cannot be written by its kind."""

    _DIGITS_A_BIT = 0.30103

    def __init__(self) -> None:
        super().__init__()
        self.maxstring = self.maxlong = self.maxother = 1_000  # the end is cut, not the middle
        self.maxlist = self.maxtuple = self.maxset = self.maxdict = 20

    def repr_bytes(self, x: bytes, _level: int) -> str:
        return repr(x[: self.maxstring])

    def repr_int(self, x: int, level: int) -> str:
        try:
            return super().repr_int(x, level)
        except ValueError:
            return f"<int of about {x.bit_length() * self._DIGITS_A_BIT:,.0f} digits>"


_SHORT = _Short()


class KalshiError(Exception):
    """Base of every error this package raises."""

    def _repr_html_(self) -> str:
        name = type(self).__name__
        return f"<pre><strong>{name}</strong>: {html.escape(str(self))}</pre>"


class ConfigError(KalshiError):
    """The environment, host, key or an option is wrong. Nothing was sent."""


class InputError(KalshiError, ValueError):
    """An argument is wrong. Nothing was sent."""


class LimitError(InputError):
    """A limit that you have set, or a missing permission to trade, forbids it. Nothing was sent."""


class TransportError(KalshiError):
    """The connection failed, so no usable answer arrived.

    For a read this means "try again". For a write it means that the outcome is
    not known.
    """


class NotSentError(TransportError):
    """The connection failed before a single byte of the request left."""


class DeadlineError(TransportError):
    """The total time set for the call ran out."""


class UnsentDeadlineError(DeadlineError, NotSentError):
    """The total time set for the call ran out before a single byte of the request left."""


class ApiError(KalshiError):
    """The exchange answered with an error.

    Attributes
    ----------
    status : int
        HTTP status.
    code, message, details : str
        What the body said; empty where it said nothing.
    method, path : str
        The request, without its query. Headers are never kept.
    """

    def __init__(
        self,
        status: int,
        *,
        code: str = "",
        message: str = "",
        details: str = "",
        method: str = "",
        path: str = "",
        hint: str = "",
    ) -> None:
        self.status = status
        self.code = code
        self.message = message
        self.details = details
        self.method = method
        self.path = path
        self.hint = hint
        said = " · ".join(printable(part) for part in (code, message, details) if part)
        text = f"{method} {printable(path)} answered HTTP {status}: {said or 'no reason given'}"
        super().__init__(f"{text}\n{hint}" if hint else text)

    def __reduce__(self) -> tuple[Any, ...]:
        return (_rebuild_api_error, (type(self), dict(self.__dict__)))


def _rebuild_api_error(cls: type[ApiError], state: dict[str, Any]) -> ApiError:
    return cls(**state)


class BadRequestError(ApiError):
    """HTTP 400: the exchange refused the request; nothing changed."""


class AuthError(ApiError):
    """HTTP 401 or 403: the key was refused or may not do this."""


class NotFoundError(ApiError):
    """HTTP 404: no such object (for a cancel: it is finished or unknown)."""


class ConflictError(ApiError):
    """HTTP 409: the state of the exchange forbids it."""


class GoneError(ApiError):
    """HTTP 410: the exchange has removed this route."""


class RateLimitError(ApiError):
    """HTTP 429: the token bucket is empty."""


class ServerError(ApiError):
    """HTTP 5xx: the exchange failed; the outcome of a write is not known."""


class OrderRejected(ApiError):  # noqa: N818 - a state of an order
    """An order, or a change of one, was refused by the exchange; nothing changed.

    The error it stands for is its ``__cause__``.

    Attributes
    ----------
    client_order_id : str
        Of the order.
    """

    def __init__(self, status: int, *, client_order_id: str = "", **said: str) -> None:
        super().__init__(status, **said)
        self.client_order_id = client_order_id


class OrderNotPlaced(KalshiError):  # noqa: N818 - a state of an order
    """Evidence says that an order never reached the exchange. It may be sent again.

    Attributes
    ----------
    client_order_id : str
        Of the order. To send it again, send it under this id.
    """

    def __init__(self, message: str, *, client_order_id: str = "") -> None:
        super().__init__(message)
        self.client_order_id = client_order_id

    def __reduce__(self) -> tuple[Any, ...]:
        return (_rebuild_order_error, (type(self), str(self), self.client_order_id))


class OrderUnknown(KalshiError):  # noqa: N818 - a state of an order
    """What became of an order, or of a change of one, is not known yet. Nothing is lost.

    Until it is known, an equal order is not sent.

    Attributes
    ----------
    client_order_id : str
        Of the order.
    known : str
        What is known, in words.
    """

    def __init__(
        self,
        message: str,
        *,
        client_order_id: str = "",
        known: str = "",
        resolver: Callable[[bool], Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.client_order_id = client_order_id
        self.known = known
        self._resolver = resolver

    def resolve(self, *, resubmit: bool = False) -> Any:
        """Look again.

        Parameters
        ----------
        resubmit : bool
            If it is then proven that the order never arrived, send it again under the same id.

        Returns
        -------
        OrderReport
            What became of it.

        Raises
        ------
        OrderUnknown
            It is still not known.
        OrderNotPlaced
            It never arrived, and `resubmit` is False.
        """
        if self._resolver is None:
            raise ConfigError(
                f"this error was copied and has lost its connection; order {self.client_order_id} is "
                "still in the journal.\nConnect, and call get_open_orders(client)."
            )
        return self._resolver(resubmit)

    def __reduce__(self) -> tuple[Any, ...]:
        return (_rebuild_order_error, (type(self), str(self), self.client_order_id))


def _rebuild_order_error(
    cls: type[OrderNotPlaced | OrderUnknown], message: str, client_order_id: str
) -> KalshiError:
    return cls(message, client_order_id=client_order_id)


class DecodeError(KalshiError):
    """The answer is not what the protocol promises; nothing of it was used.

    Attributes
    ----------
    where : str
        The place in the body, such as ``$.markets[3].ticker``; empty for the body as a whole.
    """

    def __init__(self, message: str, *, where: str = "") -> None:
        self.where = where
        super().__init__(f"{message} (at {where})" if where else message)


class PaginationError(KalshiError):
    """A walk over pages ended before its end. What had arrived is kept.

    Attributes
    ----------
    frame : pandas.DataFrame or None
        The rows that arrived, typed like the complete result.
    cursor : str
        Where to go on: pass it as ``cursor=``. Empty when the walk cannot be resumed.
    rows, pages : int
        How much arrived.
    cause : Exception or None
        What ended the walk.
    """

    def __init__(
        self,
        message: str,
        *,
        cursor: str = "",
        rows: int = 0,
        pages: int = 0,
        cause: BaseException | None = None,
        frame: pd.DataFrame | None = None,
    ) -> None:
        super().__init__(message)
        self.cursor = cursor
        self.rows = rows
        self.pages = pages
        self.cause = cause
        self.frame = frame


class WalkInterrupted(KeyboardInterrupt):
    """The user interrupted a walk over pages. What had arrived is kept.

    Attributes
    ----------
    frame : pandas.DataFrame or None
        The rows that arrived, typed like the complete result.
    cursor : str
        Where to go on: pass it as ``cursor=``.
    rows : int
        How many rows arrived.
    """

    def __init__(
        self, message: str, *, cursor: str = "", rows: int = 0, frame: pd.DataFrame | None = None
    ) -> None:
        super().__init__(message)
        self.cursor = cursor
        self.rows = rows
        self.frame = frame


class ArchiveError(KalshiError):
    """A file of this toolkit cannot be read or written."""


class JournalError(ArchiveError):
    """The journal of orders cannot be read or written, so nothing was sent."""


class FrameError(KalshiError, ValueError):
    """A frame lacks what the function needs, or holds what it cannot use."""


class ReportError(KalshiError):
    """A notebook could not be executed or exported."""


class KalshiWarning(UserWarning):
    """Base of every warning this package gives."""


class DriftWarning(KalshiWarning):
    """The exchange sent something this version does not know; it was kept, typed by its name."""


class OpenOrdersWarning(KalshiWarning):
    """Orders of an earlier session still rest, or what became of them is not known."""


class PartialDataWarning(KalshiWarning):
    """Rows are missing, repeated or capped."""


class SecurityWarning(KalshiWarning):
    """A secret is less safe than it should be."""


def warn(message: str, category: type[KalshiWarning]) -> None:
    """Warn at the line that called this package, however deep inside it the reason was found."""
    depth, frame = 1, sys._getframe()  # noqa: SLF001
    while frame.f_back is not None and _is_ours(frame.f_globals.get("__name__", "")):
        depth, frame = depth + 1, frame.f_back
    warnings.warn(message, category, stacklevel=depth)


def _is_ours(module: str) -> bool:
    return module.partition(".")[0] == "kalshi_research"
