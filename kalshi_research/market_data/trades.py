"""The public tape."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from kalshi_research.errors import InputError, NotFoundError, PaginationError, quoted
from kalshi_research.market_data.arguments import (
    Tickers,
    Time,
    check_client,
    resume_cursor,
    row_cap,
    ticker_list,
    time_window,
    timestamp,
    unix_ceil,
    unix_floor,
)
from kalshi_research.market_data.cache import cached, is_over
from kalshi_research.market_data.news import Known, known_items
from kalshi_research.market_data.tiers import cutoff, is_unknown, require_known
from kalshi_research.market_data.walks import Collection, Row, Test, Walk
from kalshi_research.provenance import note
from kalshi_research.schemas import TRADES

if TYPE_CHECKING:
    import pandas as pd

    from kalshi_research.client import Client

__all__ = ["get_trades"]


def get_trades(
    client: Client,
    tickers: Tickers | None = None,
    *,
    start: Time | None = None,
    end: Time | None = None,
    is_block_trade: bool | None = None,
    newer_than: str | Time | pd.DataFrame | None = None,
    max_rows: int | None = None,
    cursor: str = "",
    progress: bool | None = None,
) -> pd.DataFrame:
    """Public trades, from both the live and the historical tier.

    Parameters
    ----------
    client : Client
    tickers : str, iterable of str or frame, optional
        Markets; a markets frame serves. None is the tape of the whole exchange.
    start, end : time, optional
        Execution time, `start` inclusive, `end` exclusive. Anything pandas reads as an
        instant; a naive time of day is refused, a plain date means midnight UTC.
    is_block_trade : bool, optional
        Only block trades, or none of them.
    newer_than : trade id, time or frame of trades, optional
        Return only what came after it: the way to ask "what is new?".
    max_rows : int, optional
        At most this many rows, the newest (market by market). ``max_rows=10`` is one
        request for ten rows. ``attrs["kalshi"]["complete"]`` says whether it cut.
    cursor : str
        Of a `PaginationError`: go on where that call broke off.
    progress : bool, optional
        Show a progress bar on work of several pages (default: in the way of
        ``KALSHI_RESEARCH_PROGRESS``).

    Returns
    -------
    pandas.DataFrame
        Indexed by time, oldest first. Trades that share an instant stand in no
        particular order, because the exchange sends them so.

        ==============  ===================  ================================================
        column          dtype                meaning
        ==============  ===================  ================================================
        time            datetime64[us, UTC]  index: execution (`created_time`)
        trade_id        str                  identifier; a taker's fill carries the same
        ticker          str                  market
        yes_price       float64              price of the YES leg [dollars]
        no_price        float64              price of the NO leg [dollars]
        quantity        float64              contracts (`count_fp`), fractions allowed
        taker_side      str                  leg the taker bought: `yes` or `no`
        is_block_trade  boolean              negotiated off the book
        ==============  ===================  ================================================

    Raises
    ------
    InputError
        For arguments that make no sense; nothing is sent.
    NotFoundError
        If there is no market of any of the names; of one among others a warning says so.
    PaginationError
        If the walk broke off; carries the rows so far and the cursor to go on from.

    Examples
    --------
    >>> import kalshi_research as kr
    >>> client = kr.connect("sandbox")
    >>> trades = kr.get_trades(client, "KXHIGHNY-26NOV20-B39.5", max_rows=3)
    >>> trades[["yes_price", "quantity"]].shape
    (3, 2)
    """
    check_client(client)
    resume_cursor(cursor)
    names = None if tickers is None else ticker_list(tickers)
    low, high = time_window(start, end)
    if newer_than is not None and start is not None:
        raise InputError("newer_than and start both say where to begin: give one of them")
    known = None if newer_than is None else known_items(newer_than, TRADES, id_field="trade_id")
    if known is not None:
        low = known.since or known.newest
    if is_block_trade is not None and not isinstance(is_block_trade, bool):
        raise InputError(f"is_block_trade must be True, False or None, not {quoted(is_block_trade, 40)}")
    question = {
        "tickers": names,
        "start": low,
        "end": high,
        "is_block_trade": is_block_trade,
        "max_rows": row_cap(max_rows),
    }
    return cached(
        client,
        TRADES,
        question,
        cacheable=high is not None and known is None and not cursor,
        is_final=lambda _: high is not None and is_over(client, high),
        fetch=lambda: _fetch(client, question, known, cursor=cursor, show_progress=progress),
    )


def _fetch(
    client: Client,
    question: dict[str, Any],
    known: Known | None,
    *,
    cursor: str,
    show_progress: bool | None,
) -> pd.DataFrame:
    names, low, high = (question[key] for key in ("tickers", "start", "end"))
    rows = Collection(
        client,
        TRADES,
        endpoint="/markets/trades",
        question=question,
        max_rows=question["max_rows"],
        cursor=cursor,
        show_progress=show_progress,
    )
    # Trades of one instant come in no order, so only a lone identifier can end a walk.
    stop = known.stop if known is not None and low is None else None
    for walk in _walks(client, rows, question, stop):
        try:
            rows.walk(walk)
        except (NotFoundError, PaginationError) as error:
            if names is None or not is_unknown(error):
                raise
    frame = rows.frame(asked=names)
    if names is not None and not rows.capped and not cursor:
        came = set(frame["ticker"].unique())
        silent = [name for name in names if name not in came]
        with rows.between():
            if silent and not require_known(client, silent, of=len(names)):
                note(frame, complete=False)
    if known is not None:
        known.warn_unless(rows.met or rows.capped, len(frame))
    # The exchange filters by whole seconds; the window is exact.
    if low is not None:
        after = known is not None and known.since is not None
        frame = frame[frame.index > low] if after else frame[frame.index >= low]
    if high is not None:
        frame = frame[frame.index < high]
    if known is not None and known.ids:
        frame = frame[~frame["trade_id"].isin(known.ids)]
    note(frame, rows=len(frame))
    return frame


def _walks(
    client: Client, rows: Collection, question: dict[str, Any], stop: Test | None
) -> Iterator[Walk]:
    low, high = question["start"], question["end"]
    # The cap counts what is asked for: not the rest of the second in which the window ends.
    keep = _before(high) if question["max_rows"] and high is not None and high.microsecond else None
    boundary: pd.Timestamp | None = None
    asked = False
    for name in question["tickers"] or [None]:
        params = {
            "ticker": name,
            "min_ts": unix_floor(low),
            "max_ts": unix_ceil(high),
            "is_block_trade": question["is_block_trade"],
        }
        yield Walk(f"live:{name or '*'}", "/markets/trades", "trades", params, keep=keep, stop=stop)
        if rows.full or rows.met:
            continue
        if not asked:
            with rows.between():
                boundary, asked = cutoff(client, "trades_created_ts"), True
        if boundary is not None and (low is None or low < boundary):
            yield Walk(
                f"historical:{name or '*'}", "/historical/trades", "trades", params, keep=keep, stop=stop
            )


def _before(end: pd.Timestamp) -> Test:
    def keep(row: Row) -> bool:
        when = row.get("created_time")
        return not isinstance(when, str) or timestamp(when, "created_time") < end

    return keep
