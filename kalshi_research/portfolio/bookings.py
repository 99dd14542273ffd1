"""Payouts, and the history of the account in one list."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from kalshi_research.errors import InputError
from kalshi_research.market_data.arguments import Tickers, Time, check_ticker, unix_ceil, unix_floor
from kalshi_research.market_data.walks import Collection, Walk
from kalshi_research.portfolio.executions import FILLS_SOURCE
from kalshi_research.portfolio.walking import (
    Question,
    Source,
    ask,
    cut_to_window,
    known_rows,
    subaccount_of,
    walks,
)
from kalshi_research.schemas import HISTORY, SETTLEMENTS

if TYPE_CHECKING:
    import pandas as pd

    from kalshi_research.client import Client
    from kalshi_research.market_data.news import Known

__all__ = ["get_portfolio_history", "get_settlements"]

_SETTLEMENTS = Source(
    SETTLEMENTS,
    "/portfolio/settlements",
    "settlements",
    time="settled_time",
    wire_time="settled_time",
)


def get_settlements(
    client: Client,
    tickers: Tickers | None = None,
    *,
    event_ticker: str | None = None,
    start: Time | None = None,
    end: Time | None = None,
    subaccount: int | None = None,
    newer_than: Time | pd.DataFrame | None = None,
    max_rows: int | None = None,
    cursor: str = "",
    progress: bool | None = None,
) -> pd.DataFrame:
    """Payouts of settled markets in which one held something.

    The exchange keeps these records for a while only and archives none of them. Of older markets
    ``get_positions(settlement_status="settled")`` still tells the profit. So store what you will
    need.

    Parameters
    ----------
    client : Client
    tickers : str, iterable of str or frame, optional
        Markets; a markets frame serves. None is all of them.
    event_ticker : str, optional
        The markets of one event.
    start, end : time, optional
        Payout, `start` inclusive, `end` exclusive; see `get_trades`.
    subaccount : int, optional
        0 for the primary one; None is all.
    newer_than : time or frame of settlements, optional
        Return only what came after it.
    max_rows : int, optional
        At most this many rows, the newest (market by market).
    cursor : str
        Of a `PaginationError`: go on where that call broke off.
    progress : bool, optional
        Show a progress bar on work of several pages.

    Returns
    -------
    pandas.DataFrame
        Newest first, indexed by ticker; a row for each subaccount that held something.

        ==============  ===================  ===========================================
        column          dtype                meaning
        ==============  ===================  ===========================================
        ticker          str                  index: market
        event_ticker    str                  event it belongs to
        settled_time    datetime64[us, UTC]  payout [UTC]
        market_result   str                  yes, no or scalar
        yes_count       float64              YES held at the end [contracts]
        yes_total_cost  float64              what they have cost, without fees [dollars]
        no_count        float64              NO held at the end [contracts]
        no_total_cost   float64              what they have cost, without fees [dollars]
        revenue         float64              paid out, to the cent [dollars]
        fee_cost        float64              all fees of the position [dollars]
        value           float64              paid for one YES, to the cent [dollars]
        exchange_index  Int64                shard the market lives on
        ==============  ===================  ===========================================

    Raises
    ------
    InputError
        For arguments that make no sense; nothing is sent.
    NotFoundError
        If there is no market of any of the names.
    PaginationError
        If the walk broke off; carries the rows so far and the cursor to go on from.

    Examples
    --------
    >>> import kalshi_research as kr
    >>> kr.get_settlements(kr.connect("sandbox")).index.name
    'ticker'
    """
    if tickers is not None and event_ticker is not None:
        raise InputError("tickers and event_ticker exclude each other: give one of them")
    event = None if event_ticker is None else check_ticker(event_ticker, "event ticker")
    question = Question.of(
        client,
        tickers,
        start,
        end,
        _news(known_rows(newer_than, SETTLEMENTS, id_field="ticker", time="settled_time")),
        max_rows=max_rows,
        cursor=cursor,
        params={"event_ticker": event, "subaccount": subaccount_of(subaccount)},
    )
    return ask(client, _SETTLEMENTS, question, cursor=cursor, show_progress=progress)


def _news(known: Known | None) -> Known | None:
    if known is not None and known.marker:
        raise InputError("newer_than must be a time or an earlier frame: payouts have no identifier")
    return known


def get_portfolio_history(
    client: Client,
    tickers: Tickers | None = None,
    *,
    start: Time | None = None,
    end: Time | None = None,
    newer_than: Time | pd.DataFrame | None = None,
    cursor: str = "",
    progress: bool | None = None,
) -> pd.DataFrame:
    """Fills and settlements in one list by time: the diary of an account.

    Today's exchange has no route for it, so it is put together from `get_fills` and
    `get_settlements`; the dialect of 2025 has one. For profit and loss give both frames to `pnl`.

    Parameters
    ----------
    client : Client
    tickers : str, iterable of str or frame, optional
        Markets; a markets frame serves. None is all of them.
    start, end : time, optional
        Execution or payout, `start` inclusive, `end` exclusive; see `get_trades`.
    newer_than : time or frame of this function, optional
        Return only what came after it.
    cursor : str
        Of a `PaginationError`: go on where that call broke off.
    progress : bool, optional
        Show a progress bar on work of several pages.

    Returns
    -------
    pandas.DataFrame
        Indexed by time, oldest first.

        =============  ===================  =============================================================
        column         dtype                meaning
        =============  ===================  =============================================================
        time           datetime64[us, UTC]  index: execution or payout [UTC]
        entry          str                  fill or settlement
        ticker         str                  market
        event_ticker   str                  of a settlement: event the market belongs to
        outcome_side   str                  the leg bought; of a settlement: the leg held
        quantity       float64              traded; of a settlement: held [contracts]
        yes_price      float64              price of YES; of a settlement: what one YES paid, to the cent
                                            [dollars]
        cost           float64              price of the leg × quantity; of a settlement: what was held
                                            has cost [dollars]
        revenue        float64              of a settlement: paid out, to the cent [dollars]
        fee_cost       float64              fee of a fill; a settlement repeats those, so it has none
                                            here [dollars]
        is_taker       boolean              of a fill: took liquidity off the book
        market_result  str                  of a settlement: yes, no or scalar
        entry_id       str                  fill_id; of a settlement: its ticker
        order_id       str                  of a fill
        =============  ===================  =============================================================

    Raises
    ------
    InputError
        For arguments that make no sense; nothing is sent.
    PaginationError
        If the walk broke off; carries the rows so far and the cursor to go on from.

    Examples
    --------
    >>> import kalshi_research as kr
    >>> history = kr.get_portfolio_history(kr.connect("sandbox"))
    >>> set(history["entry"]) <= {"fill", "settlement"}
    True
    """
    known = _news(known_rows(newer_than, HISTORY, id_field="entry_id", time="time"))
    question = Question.of(client, tickers, start, end, known, max_rows=None, cursor=cursor)
    is_old = client.dialect == "2025"
    rows = Collection(
        client,
        HISTORY,
        endpoint="/portfolio/history" if is_old else "/portfolio/fills + /portfolio/settlements",
        question=question.told,
        cursor=cursor,
        show_progress=progress,
    )
    for walk in _old_walks(question) if is_old else _walks(client, rows, question):
        rows.walk(walk)
    return cut_to_window(rows.frame(asked=question.names), "time", question)


def _old_walks(question: Question) -> Iterator[Walk]:
    for name in question.names or [""]:
        params = {
            "ticker": name or None,
            "min_ts": unix_floor(question.low),
            "max_ts": unix_ceil(question.high),
        }
        yield Walk(f"live:{name or '*'}", "/portfolio/history", "history", params)


def _walks(client: Client, rows: Collection, question: Question) -> Iterator[Walk]:
    yield from walks(client, rows, FILLS_SOURCE, question)
    yield from walks(client, rows, _SETTLEMENTS, question)
