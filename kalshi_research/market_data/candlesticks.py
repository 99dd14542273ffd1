"""Candlesticks: quotes and trades by the minute, the hour or the day."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from kalshi_research.errors import InputError, NotFoundError, PaginationError
from kalshi_research.market_data.arguments import (
    TICKERS_A_REQUEST,
    Interval,
    Tickers,
    Time,
    check_client,
    chunks,
    interval_minutes,
    resume_cursor,
    ticker_list,
    time_window,
    unix_ceil,
    unix_floor,
)
from kalshi_research.market_data.cache import cached, is_over
from kalshi_research.market_data.tiers import cutoff, exchange_time, is_unknown, require_known
from kalshi_research.market_data.walks import Collection, Walk
from kalshi_research.provenance import note
from kalshi_research.schemas import CANDLESTICKS

if TYPE_CHECKING:
    from kalshi_research.client import Client

__all__ = ["get_candlesticks"]

_CANDLES_A_REQUEST = 10_000
_CANDLES_A_MARKET = 5_000


def get_candlesticks(
    client: Client,
    tickers: Tickers,
    *,
    start: Time,
    end: Time | None = None,
    interval: Interval = "1h",
    include_latest_before_start: bool = False,
    cursor: str = "",
    progress: bool | None = None,
) -> pd.DataFrame:
    """Candlesticks of one or many markets, from both the live and the historical tier.

    Long windows are cut into as many requests as the exchange's limits need.

    Parameters
    ----------
    client : Client
    tickers : str, iterable of str or frame
        Markets; a markets frame serves.
    start, end : time
        The periods that lie inside ``[start, end)`` are returned; without `end`, all up
        to now, the running period included. A plain date means midnight UTC.
    interval : {"1min", "1h", "1d"} or {1, 60, 1440}
        Length of a period. The exchange keeps no others.
    include_latest_before_start : bool
        Begin with the last trade before `start`: a row without prices but with `previous`.
    cursor : str
        Of a `PaginationError`: go on where that call broke off.
    progress : bool, optional
        Show a progress bar on work of several requests.

    Returns
    -------
    pandas.DataFrame
        Indexed by the end of the period, oldest first. Periods in which nothing
        happened are missing, as on the exchange; forward-fill where you need them.

        =============  ===================  =============================================================
        column         dtype                meaning
        =============  ===================  =============================================================
        time           datetime64[us, UTC]  index: end of the period, inclusive, `end_period_ts` [UTC]
        ticker         str                  market
        period_start   datetime64[us, UTC]  start of the period [UTC]
        open           float64              first traded price of YES, `price.open_dollars` [dollars]
        high           float64              highest traded price of YES, `price.high_dollars` [dollars]
        low            float64              lowest traded price of YES, `price.low_dollars` [dollars]
        close          float64              last traded price of YES, `price.close_dollars` [dollars]
        mean           float64              mean traded price of YES, weighted by quantity,
                                            `price.mean_dollars` [dollars]
        previous       float64              last traded price before the period, `price.previous_dollars`
                                            [dollars]
        volume         float64              traded in the period, `volume_fp` [contracts]
        open_interest  float64              outstanding at the end, `open_interest_fp` [contracts]
        yes_bid_open   float64              best bid for YES, at the start, `yes_bid.open_dollars`
                                            [dollars]
        yes_bid_high   float64              best bid for YES, highest, `yes_bid.high_dollars` [dollars]
        yes_bid_low    float64              best bid for YES, lowest, `yes_bid.low_dollars` [dollars]
        yes_bid_close  float64              best bid for YES, at the end, `yes_bid.close_dollars`
                                            [dollars]
        yes_ask_open   float64              best ask for YES, at the start, `yes_ask.open_dollars`
                                            [dollars]
        yes_ask_high   float64              best ask for YES, highest, `yes_ask.high_dollars` [dollars]
        yes_ask_low    float64              best ask for YES, lowest, `yes_ask.low_dollars` [dollars]
        yes_ask_close  float64              best ask for YES, at the end, `yes_ask.close_dollars`
                                            [dollars]
        =============  ===================  =============================================================

    Raises
    ------
    InputError
        For arguments that make no sense; nothing is sent.
    NotFoundError
        If no such market exists.
    PaginationError
        If the work broke off; carries the rows so far and the cursor to go on from.

    Examples
    --------
    >>> import kalshi_research as kr
    >>> client = kr.connect("sandbox")
    >>> candles = kr.get_candlesticks(client, "KXHIGHNY-26NOV20-B39.5", start="2026-11-20")
    >>> bool((candles["low"].dropna() <= candles["high"].dropna()).all())
    True
    """
    check_client(client)
    resume_cursor(cursor)
    names = ticker_list(tickers)
    minutes = interval_minutes(interval)
    low, high = time_window(start, end)
    if low is None:
        raise InputError('start is missing: candlesticks need a beginning, such as start="2026-11-20"')
    question = {
        "tickers": names,
        "start": low,
        "end": high,
        "minutes": minutes,
        "latest": bool(include_latest_before_start),
    }
    return cached(
        client,
        CANDLESTICKS,
        question,
        cacheable=high is not None and not cursor,
        is_final=lambda _: high is not None and is_over(client, high),
        fetch=lambda: _fetch(client, question, cursor, progress),
    )


def _fetch(
    client: Client, question: dict[str, Any], cursor: str, show_progress: bool | None
) -> pd.DataFrame:
    names, minutes, low, high = (question[key] for key in ("tickers", "minutes", "start", "end"))
    rows = Collection(
        client,
        CANDLESTICKS,
        endpoint="/markets/candlesticks",
        question=question,
        cursor=cursor,
        show_progress=show_progress,
        context={"period_interval": minutes},
    )
    until = exchange_time(client).ceil(f"{minutes}min") if high is None else high
    for i, some in enumerate(chunks(names, TICKERS_A_REQUEST)):
        for j, (first, last) in enumerate(_windows(low, until, minutes, len(some))):
            latest = (question["latest"] and j == 0) or None
            _live(rows, f"{i}.{j}", some, _query(first, last, minutes, latest))
    missing = sorted(set(names).difference(rows.so_far()["ticker"].unique()), key=names.index)
    if missing:
        with rows.between():
            boundary = cutoff(client, "market_settled_ts")
        if boundary is not None and low < boundary:
            _history(
                rows, missing, [_query(*window, minutes) for window in _windows(low, until, minutes, 1)]
            )
    frame = rows.frame(asked=names)
    came = set(frame["ticker"].unique())
    silent = [name for name in missing if name not in came]
    with rows.between():
        if silent and not cursor and not require_known(client, silent, of=len(names)):
            note(frame, complete=False)
    # The exchange takes whole seconds and includes both ends.
    inside = frame["period_start"] >= low
    if question["latest"]:
        inside |= frame["close"].isna() & frame["previous"].notna()
    if high is not None:
        inside &= frame.index <= high
    if inside.all():
        return frame
    cut: pd.DataFrame = frame[inside]
    note(cut, rows=len(cut))
    return cut


def _windows(
    start: pd.Timestamp, end: pd.Timestamp, minutes: int, markets: int
) -> list[tuple[pd.Timestamp, pd.Timestamp]]:
    """Cut a window so that no request asks for more candlesticks than the exchange gives."""
    periods = max(1, min(_CANDLES_A_MARKET, _CANDLES_A_REQUEST // markets) - 1)
    step = pd.Timedelta(minutes=minutes) * periods
    windows = []
    while start < end:
        windows.append((start, min(start + step, end)))
        start += step
    return windows


def _query(
    first: pd.Timestamp, last: pd.Timestamp, minutes: int, latest: bool | None = None
) -> dict[str, Any]:
    return {
        "start_ts": unix_floor(first),
        "end_ts": unix_ceil(last),
        "period_interval": minutes,
        "include_latest_before_start": latest,
    }


def _live(rows: Collection, name: str, tickers: Sequence[str], query: dict[str, Any]) -> None:
    params = {"market_tickers": ",".join(tickers), **query}
    try:
        rows.walk(Walk(f"live:{name}", "/markets/candlesticks", "markets", params, limit=None))
    except (NotFoundError, PaginationError) as error:
        if not is_unknown(error):
            raise
        # One archived market refuses the whole batch; alone it only refuses itself.
        if len(tickers) > 1:
            for ticker in tickers:
                _live(rows, f"{name}.{ticker}", [ticker], query)


def _history(rows: Collection, tickers: Sequence[str], queries: Sequence[dict[str, Any]]) -> None:
    for ticker in tickers:
        path = f"/historical/markets/{ticker}/candlesticks"
        for j, query in enumerate(queries):
            try:
                rows.walk(Walk(f"historical:{ticker}.{j}", path, "candlesticks", query, limit=None))
            except (NotFoundError, PaginationError) as error:
                if not is_unknown(error):
                    raise
                break
