"""Where old data lives: the exchange moves settled markets and old trades to a historical tier.

The boundary moves with time, so it is asked for whenever a question may reach behind it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from kalshi_research.errors import DecodeError, InputError, NotFoundError, printable
from kalshi_research.market_data.arguments import timestamp

if TYPE_CHECKING:
    from kalshi_research.client import Client

__all__ = ["cutoff"]


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
