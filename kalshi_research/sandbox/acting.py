"""Who asks, about which subaccount, and having the engine do what is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from kalshi_research.sandbox.engine import Rejection
from kalshi_research.sandbox.refusals import refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from kalshi_research.sandbox.engine import Engine
    from kalshi_research.sandbox.exchange import Exchange
    from kalshi_research.sandbox.queries import Query

__all__ = ["act", "subaccount_of", "user_of"]

T = TypeVar("T")
_LAST_SUBACCOUNT = 63


def act(exchange: Exchange, action: Callable[[Engine], T], *tickers: str) -> T:
    """Have the engine do something; what it refuses becomes an answer.

    Parameters
    ----------
    exchange : Exchange
    action : callable
        Given the engine.
    *tickers : str
        Markets that have to be listed in it before.

    Raises
    ------
    Refusal
    """
    try:
        return exchange.floor.call(action, *tickers)
    except Rejection as rejection:
        raise refused(rejection.status, rejection.code, rejection.message, rejection.details) from None


def user_of(exchange: Exchange, path: dict[str, str]) -> str:
    """The engine's name of the caller."""
    return exchange.accounts[int(path["user"])].user_id


def subaccount_of(query: Query) -> int | None:
    """The subaccount asked for; None for all."""
    return query.integer("subaccount", low=0, high=_LAST_SUBACCOUNT)
