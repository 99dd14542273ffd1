"""What is said when something was sent and its outcome cannot be written down."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from kalshi_research.errors import JournalError, OrderUnknown

__all__ = ["once_sent"]


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
