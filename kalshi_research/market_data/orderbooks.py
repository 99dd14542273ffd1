"""Order books: what is bid for YES, and what the bids for NO imply as offers of YES."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from kalshi_research.errors import InputError, NotFoundError, PartialDataWarning, printable, quoted, warn
from kalshi_research.market_data.arguments import (
    TICKERS_A_REQUEST,
    Tickers,
    check_client,
    chunks,
    ticker_list,
    whole_number,
)
from kalshi_research.market_data.walks import Collection, Walk
from kalshi_research.progress import progress as bar_of
from kalshi_research.provenance import note
from kalshi_research.schemas import ORDERBOOKS

if TYPE_CHECKING:
    import pandas as pd

    from kalshi_research.client import Client

__all__ = ["get_orderbook", "get_orderbooks"]

_DEEPEST = 100


def get_orderbook(client: Client, ticker: Tickers, *, depth: int = 0) -> pd.DataFrame:
    """The order book of one market, asks included.

    The exchange lists bids only, for YES and for NO. A bid for NO at q is an offer of
    YES at 1 − q; those are the asks here.

    Parameters
    ----------
    client : Client
    ticker : str
        A list or a frame of markets serves too; then see `get_orderbooks`.
    depth : int
        Levels of each side, the best ones, at most 100; 0 is all of them.

    Returns
    -------
    pandas.DataFrame
        One row a level, the best bid first, then the best ask.

        ==========  ========  ================================================
        column      dtype     meaning
        ==========  ========  ================================================
        ticker      category  market; the categories are all markets asked for
        side        category  bid or ask, of the YES leg
        level       int64     place in its side, 0 for the best
        price       float64   of the YES leg [dollars]
        quantity    float64   at this price [contracts]
        cumulative  float64   from the best price to this one [contracts]
        ==========  ========  ================================================

    Raises
    ------
    NotFoundError
        If there is no such market.

    Examples
    --------
    >>> import kalshi_research as kr
    >>> book = kr.get_orderbook(kr.connect("sandbox"), "KXHIGHNY-26NOV21-B46.5", depth=1)
    >>> book["side"].tolist()
    ['bid', 'ask']
    """
    check_client(client)
    names, depth = ticker_list(ticker), _levels(depth)
    if len(names) > 1:
        return get_orderbooks(client, names, depth=depth)
    rows = Collection(
        client,
        ORDERBOOKS,
        endpoint="/markets/{ticker}/orderbook",
        question={"tickers": names, "depth": depth},
        context={"tickers": names},
    )
    body = client.get_bytes(f"/markets/{names[0]}/orderbook", params={"depth": depth or None})
    rows.add_body(body, "live")
    return _cut(rows.frame(), depth)


def get_orderbooks(
    client: Client, tickers: Tickers, *, depth: int = 0, progress: bool | None = None
) -> pd.DataFrame:
    """The order books of many markets, a hundred a request.

    Parameters
    ----------
    client : Client
    tickers : str, iterable of str or frame
        Markets; a markets frame serves.
    depth : int
        Levels of each side, the best ones, at most 100; 0 is all of them.
    progress : bool, optional
        Show a progress bar on work of several requests.

    Returns
    -------
    pandas.DataFrame
        The columns of `get_orderbook`, book after book in the order of `tickers`. The
        categories of ``ticker`` are all markets asked for, so an empty book is not lost:
        `quotes` has a row for it.

    Raises
    ------
    PaginationError
        If one of several requests failed; carries the books so far.

    Examples
    --------
    >>> import kalshi_research as kr
    >>> client = kr.connect("sandbox")
    >>> markets = kr.get_markets(client, series_ticker="KXHIGHNY", status="open")
    >>> books = kr.get_orderbooks(client, markets)
    >>> len(kr.quotes(books)) == len(markets)
    True
    """
    check_client(client)
    names, depth = ticker_list(tickers), _levels(depth)
    rows = Collection(
        client,
        ORDERBOOKS,
        endpoint="/markets/orderbooks",
        question={"tickers": names, "depth": depth},
        show_progress=progress,
        context={"tickers": names},
    )
    if client.dialect == "2025":
        _one_by_one(client, rows, names, depth, progress)
    else:
        for i, some in enumerate(chunks(names, TICKERS_A_REQUEST)):
            params = {"tickers": some}
            rows.walk(Walk(f"live:{i}", "/markets/orderbooks", "orderbooks", params, limit=None))
    frame = _cut(rows.frame(), depth)
    missing = rows.missing
    if missing:
        warn(
            f"no book came back for {len(missing)} of {len(names)} markets, such as "
            f"{printable(missing[0], 60)}: unknown, or moved to the historical tier",
            PartialDataWarning,
        )
        known = [name for name in names if name not in set(missing)]
        frame["ticker"] = frame["ticker"].cat.set_categories(known)
        note(frame, complete=False)
    return frame


def _one_by_one(
    client: Client, rows: Collection, names: list[str], depth: int, show_progress: bool | None
) -> None:
    """A request for each market: in 2025 no route answered several books."""
    with ExitStack() as stack:
        bar = None
        if len(names) > 1:
            bar = stack.enter_context(bar_of(len(names), "orderbooks", enabled=show_progress))
        for name in names:
            with rows.between():
                try:
                    body = client.get_bytes(
                        f"/markets/{name}/orderbook", params={"depth": depth or None}
                    )
                except NotFoundError:
                    continue
            rows.add_body(body, "live", ticker=name)
            if bar is not None:
                bar.update(1)


def _levels(depth: int) -> int:
    levels = whole_number(depth)
    if levels is None or not 0 <= levels <= _DEEPEST:
        said = quoted(depth, 40)
        raise InputError(
            f"depth must be a whole number of levels from 0 (all) to {_DEEPEST}, not {said}"
        )
    return levels


def _cut(frame: pd.DataFrame, depth: int) -> pd.DataFrame:
    """The best `depth` levels: one of the two routes cannot be asked for them."""
    if not depth or not (frame["level"] >= depth).any():
        return frame
    cut = frame[frame["level"] < depth].reset_index(drop=True)
    cut.attrs = dict(frame.attrs)
    return cut
