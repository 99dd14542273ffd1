"""One's own positions, by market and by event."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kalshi_research.errors import InputError
from kalshi_research.market_data.arguments import (
    Tickers,
    check_client,
    check_ticker,
    choice,
    resume_cursor,
    ticker_list,
)
from kalshi_research.market_data.tiers import cutoff
from kalshi_research.market_data.walks import Collection, Walk
from kalshi_research.portfolio.walking import subaccount_of
from kalshi_research.provenance import note
from kalshi_research.schemas import EVENT_POSITIONS, POSITIONS

if TYPE_CHECKING:
    import pandas as pd

    from kalshi_research.client import Client
    from kalshi_research.schemas import Schema

__all__ = ["get_event_positions", "get_positions"]

_STATUSES = ("unsettled", "settled", "all")


def get_positions(
    client: Client,
    tickers: Tickers | None = None,
    *,
    event_ticker: str | None = None,
    settlement_status: str = "unsettled",
    subaccount: int | None = None,
    cursor: str = "",
    progress: bool | None = None,
) -> pd.DataFrame:
    """What one holds in each market, and what it has brought.

    A market in which everything was sold again has a row too, with a position of 0, until it is
    settled.

    Parameters
    ----------
    client : Client
    tickers : str, iterable of str or frame, optional
        Markets; a markets frame serves. None is all of them.
    event_ticker : str, optional
        The markets of one event.
    settlement_status : {"unsettled", "settled", "all"}
        Settled ones come from the historical tier too.
    subaccount : int, optional
        None is the primary one, number 0: the exchange tells one subaccount at a time.
    cursor : str
        Of a `PaginationError`: go on where that call broke off.
    progress : bool, optional
        Show a progress bar on work of several pages.

    Returns
    -------
    pandas.DataFrame
        Indexed by ticker.

        =================  ===================  =========================================================
        column             dtype                meaning
        =================  ===================  =========================================================
        ticker             str                  index: market
        position           float64              held: above 0 YES, below 0 NO [contracts]
        market_exposure    float64              what the contracts held have cost, without fees [dollars]
        realized_pnl       float64              profit locked in, without fees [dollars]
        fees_paid          float64              fees of all fills [dollars]
        total_traded       float64              spent on either leg so far [dollars]
        last_updated_time  datetime64[us, UTC]  last change, `last_updated_ts` [UTC]
        exchange_index     Int64                shard the market lives on
        =================  ===================  =========================================================

    Raises
    ------
    InputError
        For arguments that make no sense; nothing is sent.
    PaginationError
        If the walk broke off; carries the rows so far and the cursor to go on from.

    Examples
    --------
    >>> import kalshi_research as kr
    >>> positions = kr.get_positions(kr.connect("sandbox"))
    >>> positions.index.name, positions["position"].dtype
    ('ticker', dtype('float64'))
    """
    names = None if tickers is None else ticker_list(tickers)
    if names is not None and event_ticker is not None:
        raise InputError("tickers and event_ticker exclude each other: give one of them")
    question = _question(event_ticker, settlement_status, subaccount)
    frame = _ask(client, POSITIONS, question, cursor=cursor, show_progress=progress)
    if names is not None:
        frame = frame[frame.index.isin(names)]
        note(frame, rows=len(frame))
    return frame


def get_event_positions(
    client: Client,
    event_ticker: str | None = None,
    *,
    settlement_status: str = "unsettled",
    subaccount: int | None = None,
    cursor: str = "",
    progress: bool | None = None,
) -> pd.DataFrame:
    """What one holds in each event, and what it has brought.

    Parameters
    ----------
    client : Client
    event_ticker : str, optional
        One event; None is all of them.
    settlement_status : {"unsettled", "settled", "all"}
        Settled ones come from the historical tier too.
    subaccount : int, optional
        None is the primary one, number 0.
    cursor : str
        Of a `PaginationError`: go on where that call broke off.
    progress : bool, optional
        Show a progress bar on work of several pages.

    Returns
    -------
    pandas.DataFrame
        Indexed by event_ticker.

        =================  =======  =========================================================
        column             dtype    meaning
        =================  =======  =========================================================
        event_ticker       str      index: event
        event_exposure     float64  what the contracts held have cost, without fees [dollars]
        realized_pnl       float64  profit locked in, without fees [dollars]
        fees_paid          float64  fees of all fills [dollars]
        total_cost         float64  spent on either leg so far [dollars]
        total_cost_shares  float64  traded so far, of either leg [contracts]
        =================  =======  =========================================================

    Raises
    ------
    InputError
        For arguments that make no sense; nothing is sent.
    PaginationError
        If the walk broke off; carries the rows so far and the cursor to go on from.

    Examples
    --------
    >>> import kalshi_research as kr
    >>> kr.get_event_positions(kr.connect("sandbox")).index.name
    'event_ticker'
    """
    question = _question(event_ticker, settlement_status, subaccount)
    return _ask(client, EVENT_POSITIONS, question, cursor=cursor, show_progress=progress)


def _question(event: str | None, status: str, subaccount: int | None) -> dict[str, Any]:
    return {
        "event_ticker": None if event is None else check_ticker(event, "event ticker"),
        "settlement_status": choice(status, _STATUSES, "settlement_status"),
        "subaccount": subaccount_of(subaccount),
    }


def _ask(
    client: Client,
    schema: Schema,
    question: dict[str, Any],
    *,
    cursor: str,
    show_progress: bool | None,
) -> pd.DataFrame:
    check_client(client)
    rows = Collection(
        client,
        schema,
        endpoint="/portfolio/positions",
        question=question,
        cursor=resume_cursor(cursor),
        show_progress=show_progress,
    )
    rows.walk(Walk("live:*", "/portfolio/positions", schema.items, question))
    if question["settlement_status"] != "unsettled":
        with rows.between():
            # The horizon of positions is no guarantee, so the tier is asked whenever there is one.
            has_tier = cutoff(client, "market_settled_ts") is not None
        if has_tier:
            params = {name: question[name] for name in ("event_ticker", "subaccount")}
            rows.walk(Walk("historical:*", "/historical/positions", schema.items, params))
    return rows.frame()
