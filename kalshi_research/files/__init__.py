"""Frames from files and back.

A ``read_`` function takes what people have: a recorded answer (a dict, JSON text, bytes,
a file, a list of pages), a table in wire columns (Parquet, CSV or a DataFrame, today's
dialect or the integer one), or a file that the ``write_`` function of the same name made.
It returns exactly what the ``get_`` function of the same name returns.
"""

from __future__ import annotations

from numbers import Integral
from typing import TYPE_CHECKING

from kalshi_research.errors import FrameError, InputError, printable, quoted
from kalshi_research.files.own import (
    read_fills,
    read_orders,
    read_positions,
    read_settlements,
    write_fills,
    write_orders,
    write_positions,
    write_settlements,
)
from kalshi_research.files.reading import file_provenance, read_rows, with_provenance
from kalshi_research.files.sources import Source, content
from kalshi_research.files.stored import is_stored, read_frame, restored, write_frame
from kalshi_research.schemas import (
    CANDLESTICKS,
    EVENTS,
    MARKETS,
    ORDERBOOKS,
    SERIES,
    TRADES,
)
from kalshi_research.schemas.recorded import book_answers
from kalshi_research.schemas.tables import is_own, own_frame

if TYPE_CHECKING:
    from os import PathLike

    import pandas as pd

__all__ = [
    "Source",
    "read_candlesticks",
    "read_events",
    "read_fills",
    "read_frame",
    "read_markets",
    "read_orderbook",
    "read_orderbooks",
    "read_orders",
    "read_positions",
    "read_series",
    "read_settlements",
    "read_trades",
    "write_candlesticks",
    "write_events",
    "write_fills",
    "write_frame",
    "write_markets",
    "write_orderbooks",
    "write_orders",
    "write_positions",
    "write_series",
    "write_settlements",
    "write_trades",
]

_LONGEST = 10**9  # minutes


def read_trades(source: Source) -> pd.DataFrame:
    """Read trades.

    Parameters
    ----------
    source : path, str, bytes, dict, list or DataFrame
        A recorded answer of a trades route, a table in wire columns, or what
        `write_trades` wrote. See the top of the module.

    Returns
    -------
    pandas.DataFrame
        As `get_trades`: indexed by time, oldest first.

    Raises
    ------
    DecodeError, ArchiveError, FrameError
        If it holds no trades, cannot be opened, or is a table of something else.

    Examples
    --------
    >>> page = {"trades": [{"trade_id": "a", "ticker": "T", "count": 3, "yes_price": 42,
    ...     "no_price": 58, "taker_side": "yes", "created_time": "2024-11-14T03:24:19.355Z"}]}
    >>> read_trades(page)[["ticker", "yes_price", "quantity"]].to_dict("records")
    [{'ticker': 'T', 'yes_price': 0.42, 'quantity': 3.0}]
    """
    return read_rows(source, TRADES)


def read_markets(source: Source) -> pd.DataFrame:
    """Read markets, also those nested in events.

    Parameters
    ----------
    source : path, str, bytes, dict, list or DataFrame
        As for `read_trades`.

    Returns
    -------
    pandas.DataFrame
        As `get_markets`: indexed by ticker.

    Examples
    --------
    >>> read_markets({"markets": []}).index.name
    'ticker'
    """
    return read_rows(source, MARKETS)


def read_events(source: Source) -> pd.DataFrame:
    """Read events.

    Parameters
    ----------
    source : path, str, bytes, dict, list or DataFrame
        As for `read_trades`.

    Returns
    -------
    pandas.DataFrame
        As `get_events`: indexed by event_ticker.

    Examples
    --------
    >>> read_events('{"events": []}').index.name
    'event_ticker'
    """
    return read_rows(source, EVENTS)


def read_series(source: Source) -> pd.DataFrame:
    """Read series.

    Parameters
    ----------
    source : path, str, bytes, dict, list or DataFrame
        As for `read_trades`.

    Returns
    -------
    pandas.DataFrame
        As `get_series`: indexed by series_ticker.

    Examples
    --------
    >>> read_series('{"series": []}').index.name
    'series_ticker'
    """
    return read_rows(source, SERIES)


def _check_period(value: object) -> None:
    whole = isinstance(value, Integral) and not isinstance(value, bool)
    if value is not None and not (whole and 0 < value <= _LONGEST):  # type: ignore[operator]
        raise InputError(
            f"period_interval must be a positive number of minutes, not {quoted(value, 40)}"
        )


def read_candlesticks(
    source: Source, *, ticker: str | None = None, period_interval: int | None = None
) -> pd.DataFrame:
    """Read candlesticks of either tier.

    Parameters
    ----------
    source : path, str, bytes, dict, list or DataFrame
        As for `read_trades`.
    ticker : str, optional
        The market of candlesticks that do not name it.
    period_interval : int, optional
        Length of a period [minutes]. An answer does not tell it; without it
        `period_start` is missing.

    Returns
    -------
    pandas.DataFrame
        As `get_candlesticks`: indexed by time, the end of the period.

    Examples
    --------
    >>> read_candlesticks({"ticker": "T", "candlesticks": []}).shape
    (0, 18)
    """
    _check_period(period_interval)
    return read_rows(source, CANDLESTICKS, ticker=ticker, period_interval=period_interval)


def read_orderbook(source: Source, *, ticker: str | None = None) -> pd.DataFrame:
    """Read one order book.

    Parameters
    ----------
    source : path, str, bytes, dict or DataFrame
        As for `read_trades`.
    ticker : str, optional
        The market of an answer that does not name it; ``unknown`` without it.

    Returns
    -------
    pandas.DataFrame
        As `get_orderbook`: one row a level, seen from the YES leg.

    Examples
    --------
    >>> book = read_orderbook({"orderbook": {"yes": [[42, 3]], "no": [[56, 5]]}}, ticker="T")
    >>> book["price"].tolist()
    [0.42, 0.44]
    """
    frame = _read_books(source, ticker)
    if len(frame["ticker"].cat.categories) > 1:
        raise FrameError("these are several order books: use read_orderbooks")
    return frame


def read_orderbooks(source: Source) -> pd.DataFrame:
    """Read order books.

    Parameters
    ----------
    source : path, str, bytes, dict, list or DataFrame
        As for `read_trades`; also an object that maps tickers to answers.

    Returns
    -------
    pandas.DataFrame
        As `get_orderbooks`: one row a level, seen from the YES leg.

    Examples
    --------
    >>> bids = {"yes_dollars": [["0.4200", "3.00"]], "no_dollars": []}
    >>> books = read_orderbooks({"A": {"orderbook_fp": bids}, "B": {"orderbook": {}}})
    >>> books["ticker"].cat.categories.tolist()
    ['A', 'B']
    """
    return _read_books(source, None)


def write_trades(frame: pd.DataFrame, path: str | PathLike[str]) -> None:
    """Write trades as Parquet, from which `read_trades` restores the frame with its provenance.

    Parameters
    ----------
    frame : pandas.DataFrame
        Of `get_trades` or `read_trades`; further columns are kept.
    path : path
        Replaced whole, or left as it is.

    Raises
    ------
    FrameError
        If it is no frame of trades; names what is missing.
    ArchiveError
        If the file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_trades(read_trades({"trades": []}), f"{folder}/trades.parquet")
    ...     len(read_trades(f"{folder}/trades.parquet"))
    0
    """
    write_frame(path, frame, TRADES)


def write_markets(frame: pd.DataFrame, path: str | PathLike[str]) -> None:
    """Write markets as Parquet, from which `read_markets` restores the frame.

    Parameters
    ----------
    frame : pandas.DataFrame
        Of `get_markets` or `read_markets`; further columns are kept.
    path : path
        Replaced whole, or left as it is.

    Raises
    ------
    FrameError, ArchiveError
        As for `write_trades`.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_markets(read_markets({"markets": []}), f"{folder}/markets.parquet")
    ...     len(read_markets(f"{folder}/markets.parquet"))
    0
    """
    write_frame(path, frame, MARKETS)


def write_events(frame: pd.DataFrame, path: str | PathLike[str]) -> None:
    """Write events as Parquet, from which `read_events` restores the frame.

    Parameters
    ----------
    frame : pandas.DataFrame
        Of `get_events` or `read_events`; further columns are kept.
    path : path
        Replaced whole, or left as it is.

    Raises
    ------
    FrameError, ArchiveError
        As for `write_trades`.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_events(read_events({"events": []}), f"{folder}/events.parquet")
    ...     len(read_events(f"{folder}/events.parquet"))
    0
    """
    write_frame(path, frame, EVENTS)


def write_series(frame: pd.DataFrame, path: str | PathLike[str]) -> None:
    """Write series as Parquet, from which `read_series` restores the frame.

    Parameters
    ----------
    frame : pandas.DataFrame
        Of `get_series` or `read_series`; further columns are kept.
    path : path
        Replaced whole, or left as it is.

    Raises
    ------
    FrameError, ArchiveError
        As for `write_trades`.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_series(read_series({"series": []}), f"{folder}/series.parquet")
    ...     len(read_series(f"{folder}/series.parquet"))
    0
    """
    write_frame(path, frame, SERIES)


def write_candlesticks(frame: pd.DataFrame, path: str | PathLike[str]) -> None:
    """Write candlesticks as Parquet, from which `read_candlesticks` restores the frame.

    Parameters
    ----------
    frame : pandas.DataFrame
        Of `get_candlesticks` or `read_candlesticks`; further columns are kept.
    path : path
        Replaced whole, or left as it is.

    Raises
    ------
    FrameError, ArchiveError
        As for `write_trades`.

    Examples
    --------
    >>> import tempfile
    >>> empty = read_candlesticks({"candlesticks": []}, ticker="T", period_interval=60)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_candlesticks(empty, f"{folder}/candlesticks.parquet")
    ...     len(read_candlesticks(f"{folder}/candlesticks.parquet"))
    0
    """
    write_frame(path, frame, CANDLESTICKS)


def write_orderbooks(frame: pd.DataFrame, path: str | PathLike[str]) -> None:
    """Write one order book or several as Parquet. Empty books keep their names.

    Parameters
    ----------
    frame : pandas.DataFrame
        Of `get_orderbook`, `get_orderbooks` or their `read_` forms; further columns are kept.
    path : path
        Replaced whole, or left as it is.

    Raises
    ------
    FrameError, ArchiveError
        As for `write_trades`.

    Examples
    --------
    >>> import tempfile
    >>> book = read_orderbook({"orderbook": {"yes": [[42, 13]], "no": None}}, ticker="T")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_orderbooks(book, f"{folder}/book.parquet")
    ...     read_orderbooks(f"{folder}/book.parquet")["price"].tolist()
    [0.42]
    """
    write_frame(path, frame, ORDERBOOKS)


def _read_books(source: Source, ticker: str | None) -> pd.DataFrame:
    found, name = content(source)
    if isinstance(found, bytes):
        decoder = ORDERBOOKS.decoder()
        n_pages = 0
        for own_name, answer in book_answers(found):
            decoder.add(answer, ticker=ticker or own_name or "unknown")
            n_pages += 1
        return decoder.frame(file_provenance(name, ORDERBOOKS, decoder.rows, n_pages))
    if is_stored(found):
        return restored(found, ORDERBOOKS, name)
    if not is_own(found.column_names, ORDERBOOKS):
        raise FrameError(
            f"{printable(name)} is no table of order books: it needs the columns "
            f"{', '.join(ORDERBOOKS.names)}"
        )
    return with_provenance(own_frame(found, ORDERBOOKS), source, name, ORDERBOOKS)
