"""The exchange itself: is it open, and when."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kalshi_research.market_data.arguments import check_client
from kalshi_research.market_data.walks import Collection
from kalshi_research.schemas import SCHEDULE, STATUS

if TYPE_CHECKING:
    import pandas as pd

    from kalshi_research.client import Client

__all__ = ["get_exchange_schedule", "get_exchange_status"]


def get_exchange_status(client: Client) -> pd.DataFrame:
    """Whether the exchange and its parts are open.

    Parameters
    ----------
    client : Client

    Returns
    -------
    pandas.DataFrame
        ===============================  ===================  ==========================================
        column                           dtype                meaning
        ===============================  ===================  ==========================================
        exchange_index                   Int64                shard; missing for the exchange as a whole
        description                      str                  what trades there
        exchange_active                  boolean              takes any change at all
        trading_active                   boolean              takes orders
        intra_exchange_transfers_active  boolean              takes transfers between shards
        estimated_resume_time            datetime64[us, UTC]  end of an outage, not guaranteed,
                                                              `exchange_estimated_resume_time` [UTC]
        ===============================  ===================  ==========================================

    Raises
    ------
    KalshiError
        If the exchange cannot be reached, refuses, or answers what cannot be read.

    Examples
    --------
    >>> import kalshi_research as kr
    >>> status = kr.get_exchange_status(kr.connect("sandbox"))
    >>> bool(status["trading_active"].all())
    True
    """
    check_client(client)
    rows = Collection(client, STATUS, endpoint="/exchange/status", question={})
    rows.add_body(client.get_bytes("/exchange/status"), "live")
    return rows.frame()


def get_exchange_schedule(client: Client) -> pd.DataFrame:
    """Weekly trading hours and announced maintenance.

    Parameters
    ----------
    client : Client

    Returns
    -------
    pandas.DataFrame
        ==========  ===================  ===================================
        column      dtype                meaning
        ==========  ===================  ===================================
        entry       str                  trading or maintenance
        start_time  datetime64[us, UTC]  from when the entry holds [UTC]
        end_time    datetime64[us, UTC]  until when the entry holds [UTC]
        weekday     str                  day of trading hours
        opens       str                  start of trading, HH:MM in New York
        closes      str                  end of trading, HH:MM in New York
        ==========  ===================  ===================================

    Raises
    ------
    KalshiError
        If the exchange cannot be reached, refuses, or answers what cannot be read.

    Examples
    --------
    >>> import kalshi_research as kr
    >>> schedule = kr.get_exchange_schedule(kr.connect("sandbox"))
    >>> "trading" in set(schedule["entry"])
    True
    """
    check_client(client)
    rows = Collection(client, SCHEDULE, endpoint="/exchange/schedule", question={})
    rows.add_body(client.get_bytes("/exchange/schedule"), "live")
    return rows.frame()
