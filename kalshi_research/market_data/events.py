"""Series and events: what the markets are about."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kalshi_research.errors import InputError
from kalshi_research.market_data.arguments import (
    EVENT_STATUSES,
    TICKERS_A_REQUEST,
    Tickers,
    Time,
    check_client,
    check_ticker,
    choice,
    chunks,
    resume_cursor,
    row_cap,
    ticker_list,
    timestamp,
    unix_floor,
)
from kalshi_research.market_data.news import known_items
from kalshi_research.market_data.walks import Collection, Walk
from kalshi_research.schemas import EVENTS, SERIES

if TYPE_CHECKING:
    import pandas as pd

    from kalshi_research.client import Client

__all__ = ["get_event", "get_events", "get_series"]

_EVENTS_A_PAGE = 200


def get_series(
    client: Client,
    tickers: Tickers | None = None,
    *,
    category: str | None = None,
    tags: str | None = None,
    min_updated_ts: Time | None = None,
    include_volume: bool = False,
    include_product_metadata: bool = False,
) -> pd.DataFrame:
    """Series: the templates that events are made from, such as "highest temperature in New York".

    Parameters
    ----------
    client : Client
    tickers : str, iterable of str or frame, optional
        These series; a frame of series or events serves. None is all of them, which on
        the whole exchange is one large answer (some 14,000 rows).
    category : str, optional
        Exact, upper and lower case differ: ``"Climate and Weather"``.
    tags : str, optional
        Kalshi's filter, comma-separated.
    min_updated_ts : time, optional
        Only series whose description changed since.
    include_volume, include_product_metadata : bool
        Ask for these columns too.

    Returns
    -------
    pandas.DataFrame
        Indexed by series ticker.

        =======================  ===================  ==================================================
        column                   dtype                meaning
        =======================  ===================  ==================================================
        series_ticker            str                  index: series, `ticker`
        title                    str                  what it is about
        category                 str                  main category
        categories               str                  all categories
        tags                     str                  subjects
        frequency                str                  how often an event comes
        fee_type                 str                  fee rule
        fee_multiplier           float64              factor of the fee rule
        volume                   float64              traded in all its events, where asked for,
                                                      `volume_fp` [contracts]
        last_updated_time        datetime64[us, UTC]  last change of these data, `last_updated_ts` [UTC]
        contract_url             str                  filing of the contract
        contract_terms_url       str                  terms of the contract
        settlement_sources       str                  who decides: name, url
        additional_prohibitions  str                  who may not trade
        product_metadata         str                  further data
        exchange_index           Int64                shard it lives on
        =======================  ===================  ==================================================

    Raises
    ------
    NotFoundError
        If one of `tickers` does not exist.

    Examples
    --------
    >>> import kalshi_research as kr
    >>> kr.get_series(kr.connect("sandbox"), "KXHIGHNY")["frequency"].tolist()
    ['daily']
    """
    check_client(client)
    filters = {
        "category": category,
        "tags": tags,
        "min_updated_ts": None
        if min_updated_ts is None
        else unix_floor(timestamp(min_updated_ts, "min_updated_ts")),
    }
    extras = {
        "include_volume": include_volume or None,
        "include_product_metadata": include_product_metadata or None,
    }
    if tickers is None:
        rows = Collection(client, SERIES, endpoint="/series", question=filters)
        rows.walk(Walk("live:*", "/series", "series", {**filters, **extras}, limit=None))
        return rows.frame()
    given = [name for name, value in filters.items() if value is not None]
    if given:
        raise InputError(
            f"{' and '.join(given)} filter the list of all series; they do not go with tickers"
        )
    names = ticker_list(tickers, "series ticker", ("series_ticker",))
    rows = Collection(client, SERIES, endpoint="/series/{ticker}", question={"tickers": names})
    for name in names:
        rows.add_one(f"/series/{name}", "series", "series", "live", params=extras)
    return rows.frame(asked=set(names))


def get_events(
    client: Client,
    tickers: Tickers | None = None,
    *,
    series_ticker: Tickers | None = None,
    status: str | None = None,
    min_close_ts: Time | None = None,
    min_updated_ts: Time | None = None,
    newer_than: str | pd.DataFrame | None = None,
    max_rows: int | None = None,
    cursor: str = "",
    progress: bool | None = None,
) -> pd.DataFrame:
    """Events: the questions that markets answer. Combo events are not among them.

    Parameters
    ----------
    client : Client
    tickers : str, iterable of str or frame, optional
        These events; a markets frame serves.
    series_ticker : str, iterable of str or frame, optional
        All events of these series. Give `tickers` or `series_ticker`, not both.
    status : {"unopened", "open", "closed", "settled"}, optional
        An event matches if any of its markets does.
    min_close_ts : time, optional
        Only events with a market that closes at or after it.
    min_updated_ts : time, optional
        Only events whose description changed since.
    newer_than : event ticker or frame of events, optional
        Return only what is listed before it: the exchange lists the newest first.
    max_rows, cursor, progress
        As for `get_markets`.

    Returns
    -------
    pandas.DataFrame
        Indexed by event ticker. Markets are not nested: ask
        ``get_markets(client, event_ticker=events)``.

        =======================  ===================  ==================================================
        column                   dtype                meaning
        =======================  ===================  ==================================================
        event_ticker             str                  index: event
        series_ticker            str                  series it belongs to
        title                    str                  question
        sub_title                str                  short form of the title
        category                 str                  deprecated by the exchange: see the series
        mutually_exclusive       boolean              at most one market pays YES
        collateral_return_type   str                  MECNET or DIRECNET, or empty: how positions in it
                                                      are netted
        strike_date              datetime64[us, UTC]  date the event is about [UTC]
        strike_period            str                  period the event is about
        last_updated_time        datetime64[us, UTC]  last change of these data, `last_updated_ts` [UTC]
        fee_type_override        str                  fee rule that replaces the series'
        fee_multiplier_override  float64              replaces the series'
        exchange_index           Int64                shard it lives on
        settlement_sources       str                  who decides: name, url
        product_metadata         str                  further data
        =======================  ===================  ==================================================

    Raises
    ------
    InputError
        For arguments that make no sense; nothing is sent.
    PaginationError
        If the walk broke off; carries the rows so far and the cursor to go on from.

    Examples
    --------
    >>> import kalshi_research as kr
    >>> events = kr.get_events(kr.connect("sandbox"), series_ticker="KXHIGHNY", status="open")
    >>> events["mutually_exclusive"].all()
    np.True_
    """
    check_client(client)
    resume_cursor(cursor)
    if tickers is not None and series_ticker is not None:
        raise InputError("tickers and series_ticker exclude each other: give one of them")
    names = None if tickers is None else ticker_list(tickers, "event ticker", ("event_ticker",))
    series = (
        None
        if series_ticker is None
        else ticker_list(series_ticker, "series ticker", ("series_ticker",))
    )
    known = None if newer_than is None else known_items(newer_than, EVENTS, id_field="event_ticker")
    if known is not None and known.since is not None:
        raise InputError(
            "events have no time of creation; newer_than needs an event ticker or an earlier frame"
        )
    question: dict[str, Any] = {
        "tickers": names,
        "series": series,
        "status": choice(status, EVENT_STATUSES, "status"),
        "min_close_ts": None
        if min_close_ts is None
        else unix_floor(timestamp(min_close_ts, "min_close_ts")),
        "min_updated_ts": None
        if min_updated_ts is None
        else unix_floor(timestamp(min_updated_ts, "min_updated_ts")),
    }
    rows = Collection(
        client,
        EVENTS,
        endpoint="/events",
        question=question,
        max_rows=row_cap(max_rows),
        cursor=cursor,
        show_progress=progress,
    )
    filters = {key: question[key] for key in ("status", "min_close_ts", "min_updated_ts")}
    stop = None if known is None else known.stop
    wheres: list[dict[str, str]]
    if names is not None:
        wheres = [{"tickers": ",".join(some)} for some in chunks(names, TICKERS_A_REQUEST)]
    else:
        wheres = [{"series_ticker": name} for name in series or []] or [{}]
    for i, where in enumerate(wheres):
        rows.walk(
            Walk(f"live:{i}", "/events", "events", {**filters, **where}, _EVENTS_A_PAGE, stop=stop)
        )
    frame = rows.frame(asked=names, all_expected=True)
    if known is not None:
        known.warn_unless(rows.met or rows.capped, len(frame))
    return frame


def get_event(client: Client, event_ticker: str) -> pd.DataFrame:
    """One event.

    Parameters
    ----------
    client : Client
    event_ticker : str

    Returns
    -------
    pandas.DataFrame
        One row, with the columns of `get_events`.

    Raises
    ------
    NotFoundError
        If there is no such event.

    Examples
    --------
    >>> import kalshi_research as kr
    >>> kr.get_event(kr.connect("sandbox"), "KXHIGHNY-26NOV20")["series_ticker"].tolist()
    ['KXHIGHNY']
    """
    check_client(client)
    name = check_ticker(event_ticker, "event ticker")
    rows = Collection(client, EVENTS, endpoint="/events/{event_ticker}", question={"tickers": [name]})
    rows.add_one(f"/events/{name}", "event", "events", "live")
    return rows.frame()
