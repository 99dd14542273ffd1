"""The account itself: money, limits, keys, deposits and withdrawals."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kalshi_research.market_data.arguments import check_client, resume_cursor
from kalshi_research.market_data.walks import Collection, Walk
from kalshi_research.portfolio.walking import subaccount_of
from kalshi_research.schemas import API_KEYS, BALANCE, DEPOSITS, LIMITS, WITHDRAWALS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    import pandas as pd

    from kalshi_research.client import Client
    from kalshi_research.schemas import Schema

__all__ = ["get_account_limits", "get_api_keys", "get_balance", "get_deposits", "get_withdrawals"]


def get_balance(client: Client, *, subaccount: int | None = None) -> pd.DataFrame:
    """The money at hand, and what the positions are worth.

    The exchange has a rate limit of its own for this question: about one call a second.

    Parameters
    ----------
    client : Client
    subaccount : int, optional
        None is the primary one, number 0.

    Returns
    -------
    pandas.DataFrame
        One row. Whether money behind resting orders counts as at hand, the exchange does not say.

        =================  ===================  =========================================================
        column             dtype                meaning
        =================  ===================  =========================================================
        balance            float64              money at hand [dollars]
        portfolio_value    float64              what the positions are worth to the exchange, to the cent
                                                [dollars]
        updated_time       datetime64[us, UTC]  last change, `updated_ts` [UTC]
        balance_breakdown  str                  by shard: exchange_index, balance
        =================  ===================  =========================================================

    Raises
    ------
    KalshiError
        If the exchange cannot be reached, refuses, or answers what cannot be read.

    Examples
    --------
    >>> import kalshi_research as kr
    >>> balance = kr.get_balance(kr.connect("sandbox"))
    >>> bool(balance["balance"].item() > 0)
    True
    """
    return _single(client, BALANCE, "/portfolio/balance", {"subaccount": subaccount_of(subaccount)})


def get_account_limits(client: Client) -> pd.DataFrame:
    """How fast the account may ask and write; see also `Client.usage`.

    A request costs 10 tokens where nothing else is said.

    Parameters
    ----------
    client : Client

    Returns
    -------
    pandas.DataFrame
        One row.

        =====================  =====  ===================================================
        column                 dtype  meaning
        =====================  =====  ===================================================
        usage_tier             str    basic, advanced, expert …
        read_refill_rate       Int64  tokens a second for reads, `read.refill_rate`
        read_bucket_capacity   Int64  tokens saved up for reads, `read.bucket_capacity`
        write_refill_rate      Int64  tokens a second for writes, `write.refill_rate`
        write_bucket_capacity  Int64  tokens saved up for writes, `write.bucket_capacity`
        grants                 str    tiers granted: level, source, expires_ts
        =====================  =====  ===================================================

    Raises
    ------
    KalshiError
        If the exchange cannot be reached, refuses, or answers what cannot be read.

    Examples
    --------
    >>> import kalshi_research as kr
    >>> limits = kr.get_account_limits(kr.connect("sandbox"))
    >>> bool(limits["read_refill_rate"].item() >= 200)
    True
    """
    return _single(client, LIMITS, "/account/limits", {})


def get_api_keys(client: Client) -> pd.DataFrame:
    """The API keys of the account; never the private ones, which the exchange does not keep.

    To replace a key before somebody else uses it:

    1. On the exchange's page of the account, make a new key; ``["read"]`` is enough for research.
       The private key is shown once: save it as a file that only you can read.
    2. ``client = connect("demo", key_id="the new id", private_key="path of that file")``
    3. ``get_api_keys(client)`` answers, and lists both: the new key works.
    4. Let programs and the variables of the environment name the new key.
    5. On the same page delete the old one; it is gone from this list.

    Parameters
    ----------
    client : Client

    Returns
    -------
    pandas.DataFrame
        Indexed by api_key_id.

        ======================  ===================  ==============================================
        column                  dtype                meaning
        ======================  ===================  ==============================================
        api_key_id              str                  index: the id that connect takes
        name                    str                  given by its owner
        scopes                  str                  what it may do, such as read and write
        subaccount              Int64                the only subaccount it may use
        region_expiration_time  datetime64[us, UTC]  until when the owner's place is attested [UTC]
        fcm_subtrader_id        str                  brokers only
        ======================  ===================  ==============================================

    Raises
    ------
    KalshiError
        If the exchange cannot be reached, refuses, or answers what cannot be read.

    Examples
    --------
    >>> import kalshi_research as kr
    >>> keys = kr.get_api_keys(kr.connect("sandbox"))
    >>> keys["scopes"].iloc[0]
    '["read","write"]'
    """
    return _single(client, API_KEYS, "/api_keys", {})


def get_deposits(client: Client, *, cursor: str = "") -> pd.DataFrame:
    """Money paid into the account.

    Parameters
    ----------
    client : Client
    cursor : str
        Of a `PaginationError`: go on where that call broke off.

    Returns
    -------
    pandas.DataFrame
        Indexed by id.

        ==============  ===================  ============================================
        column          dtype                meaning
        ==============  ===================  ============================================
        id              str                  index: identifier
        created_time    datetime64[us, UTC]  request, `created_ts` [UTC]
        status          str                  state
        type            str                  way of payment
        amount          float64              paid in, `amount_cents` [dollars]
        fee             float64              fee of the payment, `fee_cents` [dollars]
        finalized_time  datetime64[us, UTC]  end of it, good or bad, `finalized_ts` [UTC]
        ==============  ===================  ============================================

    Raises
    ------
    PaginationError
        If the walk broke off; carries the rows so far and the cursor to go on from.

    Examples
    --------
    >>> import kalshi_research as kr
    >>> len(kr.get_deposits(kr.connect("sandbox")))
    0
    """
    return _list(client, DEPOSITS, cursor)


def get_withdrawals(client: Client, *, cursor: str = "") -> pd.DataFrame:
    """Money paid out of the account.

    Parameters
    ----------
    client : Client
    cursor : str
        Of a `PaginationError`: go on where that call broke off.

    Returns
    -------
    pandas.DataFrame
        With the columns of `get_deposits`.

    Raises
    ------
    PaginationError
        If the walk broke off; carries the rows so far and the cursor to go on from.

    Examples
    --------
    >>> import kalshi_research as kr
    >>> len(kr.get_withdrawals(kr.connect("sandbox")))
    0
    """
    return _list(client, WITHDRAWALS, cursor)


def _single(client: Client, schema: Schema, path: str, params: Mapping[str, Any]) -> pd.DataFrame:
    check_client(client)
    rows = Collection(client, schema, endpoint=path, question=params)
    rows.add_body(client.get_bytes(path, params=params), "live")
    return rows.frame()


def _list(client: Client, schema: Schema, cursor: str) -> pd.DataFrame:
    check_client(client)
    path = f"/portfolio/{schema.kind}"
    rows = Collection(client, schema, endpoint=path, question={}, cursor=resume_cursor(cursor))
    rows.walk(Walk("live:*", path, schema.items, limit=500))
    return rows.frame()
