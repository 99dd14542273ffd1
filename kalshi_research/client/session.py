"""The `Client`: one exchange, one key, one set of budgets."""

from __future__ import annotations

import html
import math
import secrets
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NoReturn, Self
from urllib.parse import urlsplit

from kalshi_research.client.calls import Call, Caller
from kalshi_research.client.pages import Outline, Pages
from kalshi_research.client.routes import clean_body, clean_method, clean_path, clean_query
from kalshi_research.client.strict_json import parse_object
from kalshi_research.client.timing import Timing
from kalshi_research.errors import ConfigError, InputError, printable, quoted

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path
    from types import TracebackType

    from kalshi_research.client.rate_limits import Tier
    from kalshi_research.credentials import Signer
    from kalshi_research.environments import Environment, Target

__all__ = ["Client", "check_deadline"]

_LARGEST_PAGES = {"2025": 100}
"""The most rows a list route of a dialect answers, where all routes have the same limit."""


def check_deadline(seconds: float) -> float:
    """A deadline that can be met."""
    number = isinstance(seconds, (int, float)) and not isinstance(seconds, bool)
    if not number or not math.isfinite(seconds) or seconds <= 0:
        raise InputError(f"deadline={quoted(seconds, 40)} must be seconds above 0; nothing was sent.")
    return float(seconds)


class Client:
    """A connection to one exchange, made by `connect`.

    It may be used from many threads at once, and as a context manager.

    Attributes
    ----------
    environment : Environment
        Which exchange.
    host : str
        The REST host.
    identity : str
        What tells this exchange from all others.
    signed : bool
        Whether requests carry a signature.
    simulated : bool
        Whether everything that comes from here is invented.
    websocket : str
        Address of the streams that belong to `host`.
    cache : Path or None
        Folder for answers that cannot change any more.
    deadline : float
        Time a call may take, retries and waiting included [s].
    dialect : str
        ``"2026"``, or ``"2025"`` for a sandbox that speaks as in the documents of that year.
    clock : callable
        Aware UTC wall time.
    """

    def __init__(
        self,
        target: Target,
        *,
        signer: Signer | None = None,
        tier: Tier | None = None,
        cache: Path | None = None,
        deadline: float = 30.0,
        proxies: bool = False,
        timing: Timing | None = None,
    ) -> None:
        timing = timing or Timing()
        self._environment: Environment = target.environment
        self.host = urlsplit(target.root).netloc
        self.websocket = target.environment.websocket_beside(target.root)
        self.cache = cache
        self.deadline = deadline
        self.dialect = target.dialect
        self.clock: Callable[[], datetime] = timing.now
        self._signer = signer
        self._embedded = target.embedded
        self._token = secrets.token_hex(8)
        self._caller = Caller(target, signer=signer, tier=tier, proxies=proxies, timing=timing)
        # Set by the trading layer: says whether a write to the real exchange is allowed now.
        self._write_grant: Callable[[str, str], bool] | None = None
        self._closed = False

    @property
    def identity(self) -> str:
        """What tells this exchange from all others, for answers kept across processes.

        The address of a simulated exchange does not: the next one at it may be another world.
        """
        if not self.simulated:
            return self.host
        return self._embedded.identity if self._embedded is not None else self._token

    @property
    def signed(self) -> bool:
        """Whether requests carry a signature."""
        return self._signer is not None

    @property
    def fingerprint(self) -> str:
        """Hash of the public key; empty without one."""
        return self._signer.fingerprint if self._signer is not None else ""

    @property
    def environment(self) -> Environment:
        """Which exchange; it cannot be changed."""
        return self._environment

    @property
    def simulated(self) -> bool:
        """Whether everything that comes from here is invented."""
        return self.environment.simulated

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | None = None,
        deadline: float | None = None,
    ) -> Any:
        """Send one request and return its answer as plain data.

        Parameters
        ----------
        method : str
            ``"GET"``, ``"POST"``, ``"PUT"`` or ``"DELETE"``.
        path : str
            Route such as ``"/exchange/status"``, with or without ``/trade-api/v2``.
        params : mapping, optional
            Query. None values are left out, a sequence repeats its parameter.
        body : mapping, optional
            Sent as JSON.
        deadline : float, optional
            Time for the whole call [s].

        Returns
        -------
        dict or None
            None when the exchange answers without a body (204).

        Raises
        ------
        KalshiError
            One of the tree in `kalshi_research.errors`. Reads are repeated on faults that
            pass; writes never.

        Examples
        --------
        >>> import kalshi_research as kr
        >>> client = kr.connect("sandbox")
        >>> client.request("GET", "/exchange/status")["exchange_active"]
        True
        """
        call = self._checked(clean_method(method), path, params, body)
        reply = self._caller.call(call, self._seconds(deadline))
        if reply.status == 204:
            return None
        answer = parse_object(reply.body)
        if answer.keys() == {"error"}:  # seen with status 200 on removed routes
            raise self._caller.refused(call, reply)
        return answer

    def get_bytes(
        self, path: str, *, params: Mapping[str, Any] | None = None, deadline: float | None = None
    ) -> bytes:
        """The body of a GET, checked to be one complete JSON object but not parsed."""
        call = self._checked("GET", path, params, None)
        return self._caller.call(call, self._seconds(deadline)).body

    def dated(self, path: str, *, deadline: float | None = None) -> tuple[Any, str]:
        """The answer of a GET as plain data, with the header ``Date`` that it came with.

        That header is the exchange's own clock. Reads of one's account lag behind it.
        """
        reply = self._caller.call(self._checked("GET", path, None, None), self._seconds(deadline))
        return parse_object(reply.body), reply.date

    def pages(
        self,
        path: str,
        items_key: str,
        *,
        params: Mapping[str, Any] | None = None,
        cursor: str = "",
        limit: int | None = 1000,
        max_rows: int | None = None,
        outline: Callable[[bytes], Outline] | None = None,
    ) -> Pages:
        """Walk over the pages of a list.

        Parameters
        ----------
        path : str
            Route such as ``"/markets"``.
        items_key : str
            Name of the list in the answer, such as ``"markets"``.
        params : mapping, optional
            Filters.
        cursor : str
            Where to start; empty for the beginning.
        limit : int or None
            Rows per page, at most what the dialect allows; None sends no limit.
        max_rows : int, optional
            Stop when this many rows have arrived.
        outline : callable, optional
            Reads what the walk must know off a body, for a caller who decodes the page
            anyway; what it raises counts as a fault of that page.

        Returns
        -------
        Pages
            An iterator of `Page`. Every page but the first fails with `PaginationError`,
            which holds the cursor to go on from.
        """
        clean_path(path)
        largest = _LARGEST_PAGES.get(self.dialect)
        if limit is not None and largest is not None:
            limit = min(limit, largest)
        return Pages(
            lambda query: self.get_bytes(path, params=query),
            items_key,
            params=params,
            cursor=cursor,
            limit=limit,
            max_rows=max_rows,
            outline=outline,
        )

    def usage(self) -> list[dict[str, Any]]:
        """What is left of the rate limits: one row per bucket.

        Returns
        -------
        list of dict
            ``bucket``, ``tier``, ``refill_rate`` [tokens/s], ``capacity`` [tokens],
            ``tokens_left``, ``calls``, ``waited_seconds`` [s], ``status_429``. A call of the
            balance bucket counts one token.
        """
        return self._caller.limits.rows()

    def close(self) -> None:
        """Close the connections. The client cannot be used afterwards."""
        self._closed = True
        self._caller.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        how = f"signed ({self._signer.algorithm})" if self._signer else "public data only"
        proxy = ", through a proxy" if self._caller.proxied else ""
        state = ", closed" if self._closed else ""
        place = f"{self.environment.name} at {self.host}"
        return f"<Client {place}, {how}{proxy}{state}: {self.environment.banner}>"

    def _repr_html_(self) -> str:
        return f"<code>{html.escape(repr(self))}</code>"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError(
            "a Client cannot be copied or pickled: it holds a key and open connections; "
            "call connect() where it is needed"
        )

    def _checked(
        self,
        method: str,
        path: str,
        params: Mapping[str, Any] | None,
        body: Mapping[str, Any] | None,
    ) -> Call:
        call = Call(
            method, clean_path(path), clean_query(params), clean_body(method, body), _items(body)
        )
        self._check_write(call)
        if self._closed:
            raise ConfigError("this client is closed; nothing was sent. Call connect() again.")
        return call

    def _seconds(self, deadline: float | None) -> float:
        return self.deadline if deadline is None else check_deadline(deadline)

    def _check_write(self, call: Call) -> None:
        if call.method == "GET" or self._environment.name != "prod":
            return
        if self._write_grant is None or not self._write_grant(call.method, call.route):
            raise ConfigError(
                f"{call.method} {printable(call.route, 80)} writes to prod; nothing was sent.\n"
                "Changing the real exchange needs a grant: a trading function, and kr.arm() first.\n"
                'Use "demo" or "sandbox" to try things out.'
            )


def _items(body: Mapping[str, Any] | None) -> int:
    """How many orders a batch holds; each is billed."""
    orders = body.get("orders", body.get("ids")) if isinstance(body, Mapping) else None
    return len(orders) if isinstance(orders, (list, tuple)) else 1
