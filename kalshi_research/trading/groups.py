"""Order groups: orders that are cancelled together when too much of them is filled at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kalshi_research.errors import (
    ApiError,
    DecodeError,
    InputError,
    KalshiError,
    NotFoundError,
    TransportError,
    quoted,
)
from kalshi_research.trading.desk import desk_of
from kalshi_research.trading.placing import DEFINITE
from kalshi_research.trading.requests import group_request
from kalshi_research.trading.terms import check_ticker
from kalshi_research.trading.waiting import Wait

if TYPE_CHECKING:
    from kalshi_research.client import Client
    from kalshi_research.trading.desk import Desk
    from kalshi_research.trading.requests import Request

__all__ = [
    "create_order_group",
    "delete_order_group",
    "limit_order_group",
    "reset_order_group",
    "trigger_order_group",
]

_LARGEST = 1_000_000


def _limit(limit: object) -> int:
    if not isinstance(limit, int) or isinstance(limit, bool) or not 1 <= limit <= _LARGEST:
        raise InputError(
            f"limit={quoted(limit, 40)} must be whole contracts from 1 to {_LARGEST:,}; "
            "nothing was sent."
        )
    return limit


def create_order_group(client: Client, limit: int, *, ticker: str | None = None) -> str:
    """Make an order group.

    When more than `limit` contracts of its orders are filled within fifteen seconds, all of them
    are cancelled and new ones refused, until it is reset.

    Parameters
    ----------
    client : Client
        With a key.
    limit : int
        [contracts]
    ticker : str, optional
        A market it is for: groups do not reach over the exchange's shards.

    Returns
    -------
    str
        Its id, for ``order_group=`` of `create_order`.

    Raises
    ------
    TransportError
        It is not known whether it was made. An empty group does no harm: make another one.

    Examples
    --------
    >>> import kalshi_research as kr
    >>> client = kr.connect("sandbox")
    >>> len(kr.create_order_group(client, 10))
    36
    """
    desk = desk_of(client)
    desk.require_permission()
    shard = None
    if ticker is not None:
        shard = desk.shard(ticker)
    answer = desk.send(group_request("create", limit=_limit(limit), shard=shard))
    try:
        return check_ticker(answer["order_group_id"])
    except (InputError, KeyError, TypeError):
        problem = "the answer names no order group; an empty one may have been made, which is harmless"
    raise DecodeError(problem)


def reset_order_group(client: Client, order_group: str) -> None:
    """Let a triggered order group take orders again; its count begins at zero.

    Parameters
    ----------
    client : Client
        With a key.
    order_group : str
        Its id.

    Examples
    --------
    >>> import kalshi_research as kr
    >>> client = kr.connect("sandbox")
    >>> kr.reset_order_group(client, kr.create_order_group(client, 10))
    """
    name = check_ticker(order_group)
    _repeat(desk_of(client), group_request("reset", name), name)


def trigger_order_group(client: Client, order_group: str) -> None:
    """Cancel the orders of a group at once and refuse new ones until it is reset.

    Parameters
    ----------
    client : Client
        With a key.
    order_group : str
        Its id.

    Examples
    --------
    >>> import kalshi_research as kr
    >>> client = kr.connect("sandbox")
    >>> kr.trigger_order_group(client, kr.create_order_group(client, 10))
    """
    name = check_ticker(order_group)
    _repeat(desk_of(client), group_request("trigger", name), name)


def limit_order_group(client: Client, order_group: str, limit: int) -> None:
    """Give an order group another limit; one below what was filled triggers it.

    Parameters
    ----------
    client : Client
        With a key.
    order_group : str
        Its id.
    limit : int
        [contracts]

    Examples
    --------
    >>> import kalshi_research as kr
    >>> client = kr.connect("sandbox")
    >>> kr.limit_order_group(client, kr.create_order_group(client, 10), 20)
    """
    name = check_ticker(order_group)
    _repeat(desk_of(client), group_request("limit", name, limit=_limit(limit)), name)


def delete_order_group(client: Client, order_group: str) -> None:
    """Delete an order group; its resting orders are cancelled.

    Parameters
    ----------
    client : Client
        With a key.
    order_group : str
        Its id.

    Raises
    ------
    NotFoundError
        There is no such group now: it was deleted before, or never was.

    Examples
    --------
    >>> import kalshi_research as kr
    >>> client = kr.connect("sandbox")
    >>> kr.delete_order_group(client, kr.create_order_group(client, 10))
    """
    desk, name = desk_of(client), check_ticker(order_group)
    _repeat(desk, group_request("delete", name), name, gone_is_done=True)
    desk.deleted_groups.add(name)


def _repeat(desk: Desk, request: Request, group: str, *, gone_is_done: bool = False) -> Any:
    """Send what may be sent again until its outcome is known."""
    desk.require_permission()
    pace, tries = desk.pace, 0
    with Wait(pace, pace.seconds(pace.patience), f"a word about order group {group}") as wait:
        while True:
            tries += 1
            try:
                return desk.send(request)
            except ApiError as error:
                if gone_is_done and error.status == 404 and tries > 1:
                    return None  # the first one did it
                if isinstance(error, NotFoundError):
                    raise _no_group(error, request, known=group in desk.deleted_groups) from error
                if error.status in DEFINITE and error.status != 429:
                    raise
                problem: KalshiError = error
            except (TransportError, DecodeError) as error:
                problem = error
            if not wait.rest():
                raise problem


def _no_group(error: NotFoundError, request: Request, *, known: bool) -> NotFoundError:
    """The error of a group that is not there: a group that was deleted is told as that."""
    if request.method == "DELETE":
        hint = (
            "This session deleted it before, and its orders were cancelled then: nothing is left to do."
            if known
            else "Nothing changed. It was deleted before, which cancelled its orders, or this account "
            "never had a group of this id."
        )
    else:
        past = "This session deleted it" if known else "It was deleted, or this account never had it"
        hint = f"Nothing changed. {past}; create_order_group(client, limit) makes a new one."
    return NotFoundError(
        error.status,
        code=error.code,
        message=error.message,
        details=error.details,
        method=error.method,
        path=error.path,
        hint=hint,
    )
