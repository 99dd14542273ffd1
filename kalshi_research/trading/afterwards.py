"""What is said when something was sent and its outcome cannot be written down."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from kalshi_research.errors import JournalError, OrderUnknown

__all__ = ["forgotten", "once_sent"]


@contextmanager
def once_sent(
    what: str, resolver: Callable[[bool], Any], *, client_order_id: str = ""
) -> Iterator[None]:
    """Tell a journal that fails from here on as what it is: the request has left.

    A disk that is full, or a line that somebody else spoils at this moment, is an error that says
    that nothing was sent; after a request has left, that would be wrong.

    Parameters
    ----------
    what : str
        That was sent, such as ``"the order to buy 1 YES of T at $0.42"``.
    resolver : callable
        Looks again when the journal is mended; see `OrderUnknown`.
    client_order_id : str
        Of the order.

    Raises
    ------
    OrderUnknown
        Instead of a `JournalError`.
    """
    try:
        yield
    except JournalError as error:
        reason = str(error).splitlines()[0].replace("; nothing was sent", "").rstrip(".")
        raise OrderUnknown(
            f"{what} was sent, but its outcome is not known here: {reason}.\n"
            "It may rest or be filled; get_orders(client) shows it without the journal.\n"
            "Mend that file or make room, then call resolve() on this error.",
            client_order_id=client_order_id,
            known=reason,
            resolver=resolver,
        ) from error


def forgotten(what: str, resolver: Callable[[bool], Any], *, client_order_id: str = "") -> OrderUnknown:
    """The error of what was sent, or is being sent, in another journal than the one that is there.

    Parameters
    ----------
    what : str
        That was sent, such as ``"order 1b2c"``.
    resolver : callable
        Looks again when the old file is back; see `OrderUnknown`.
    client_order_id : str
        Of the order.

    Examples
    --------
    >>> print(forgotten("order 1b2c", lambda _: None))
    order 1b2c may have been sent; the journal does not know it (any more), so nothing is proven.
    It may rest or be filled: look at get_orders(client) before you place it anew.
    """
    return OrderUnknown(
        f"{what} may have been sent; the journal does not know it (any more), so nothing is proven.\n"
        "It may rest or be filled: look at get_orders(client) before you place it anew.",
        client_order_id=client_order_id,
        known="the journal does not know it (any more)",
        resolver=resolver,
    )
