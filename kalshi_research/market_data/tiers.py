"""Where old data lives: the exchange moves settled markets and old trades to a historical tier.

The boundary moves with time, so it is asked for whenever a question may reach behind it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from kalshi_research.errors import (
    DecodeError,
    InputError,
    KalshiError,
    NotFoundError,
    PaginationError,
    PartialDataWarning,
    printable,
    warn,
)
from kalshi_research.market_data.arguments import TICKERS_A_REQUEST, chunks, timestamp

if TYPE_CHECKING:
    import pandas as pd

    from kalshi_research.client import Client

__all__ = ["cutoff", "exchange_time", "has_history", "is_unknown", "require_known"]


def has_history(client: Client) -> bool:
    """Whether the exchange has a historical tier: in 2025 everything was live."""
    return client.dialect != "2025"


def cutoff(client: Client, what: str) -> pd.Timestamp | None:
    """The instant before which `what` is served by the historical tier only.

    Parameters
    ----------
    client : Client
    what : {"market_settled_ts", "trades_created_ts"}

    Returns
    -------
    pandas.Timestamp or None
        None where the exchange has no historical tier.
    """
    if not has_history(client):
        return None
    try:
        answer = client.request("GET", "/historical/cutoff")
    except NotFoundError:
        return None
    value = answer.get(what)
    if value is None:
        raise DecodeError("the historical cutoff is missing from the answer", where=f"$.{what}")
    try:
        return timestamp(value, what)
    except InputError as error:
        raise DecodeError(f"the historical cutoff cannot be read: {printable(error)}") from None


def is_unknown(error: KalshiError) -> bool:
    """Whether an error only says that the exchange has nothing of this name.

    So it does in the middle of a question about several names, where the error of the
    first request of a walk comes as a `PaginationError`.
    """
    if isinstance(error, PaginationError):
        return isinstance(error.cause, NotFoundError) and error.cursor.endswith("|")
    return isinstance(error, NotFoundError)


def exchange_time(client: Client) -> pd.Timestamp:
    """The present of the exchange: a simulated one may stand still, or run ahead.

    A real one shares the present of this machine.
    """
    if client.simulated:
        try:
            answer = client.request("GET", "/exchange/user_data_timestamp")
            return timestamp(answer.get("as_of_time"), "as_of_time")
        except NotFoundError:
            pass
    return timestamp(client.clock(), "clock")


def require_known(client: Client, names: Sequence[str], *, of: int) -> bool:
    """Tell unknown tickers from markets without data: the exchange answers both with an empty list.

    Parameters
    ----------
    client : Client
    names : sequence of str
        Tickers nothing came back for.
    of : int
        How many were asked for.

    Returns
    -------
    bool
        Whether all of `names` exist; a warning names one that does not.

    Raises
    ------
    NotFoundError
        If nothing came back at all, because neither tier knows any of them.
    """
    unknown = list(names)
    for path in ("/markets", "/historical/markets") if has_history(client) else ("/markets",):
        known: set[str] = set()
        for some in chunks(unknown, TICKERS_A_REQUEST):
            answer = client.request("GET", path, params={"tickers": ",".join(some), "limit": 100})
            known.update(str(row.get("ticker")) for row in answer.get("markets") or [])
        unknown = [name for name in unknown if name not in known]
        if not unknown:
            return True
    if len(unknown) == of:
        raise NotFoundError(
            404,
            code="not_found",
            message=f"no market is called {', '.join(unknown[:3])}{', …' if len(unknown) > 3 else ''}",
            method="GET",
            path="/markets",
            hint="search_markets and get_markets(series_ticker=...) find tickers.",
        )
    warn(
        f"{len(unknown)} of {of} tickers are unknown to the exchange, "
        f"such as {printable(unknown[0], 60)}",
        PartialDataWarning,
    )
    return False
