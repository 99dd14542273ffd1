"""Frames of one's own account from files and back: fills, orders, positions, payouts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kalshi_research.files.reading import read_rows
from kalshi_research.files.stored import write_frame
from kalshi_research.schemas import FILLS, ORDERS, POSITIONS, SETTLEMENTS

if TYPE_CHECKING:
    from os import PathLike

    import pandas as pd

    from kalshi_research.files.sources import Source

__all__ = [
    "read_fills",
    "read_orders",
    "read_positions",
    "read_settlements",
    "write_fills",
    "write_orders",
    "write_positions",
    "write_settlements",
]


def read_fills(source: Source) -> pd.DataFrame:
    """Read one's own fills.

    Parameters
    ----------
    source : path, str, bytes, dict, list or DataFrame
        As for `read_trades`.

    Returns
    -------
    pandas.DataFrame
        As `get_fills`: indexed by fill_id.

    Examples
    --------
    >>> read_fills('{"fills": []}').index.name
    'fill_id'
    """
    return read_rows(source, FILLS)


def read_orders(source: Source) -> pd.DataFrame:
    """Read one's own orders.

    Parameters
    ----------
    source : path, str, bytes, dict, list or DataFrame
        As for `read_trades`.

    Returns
    -------
    pandas.DataFrame
        As `get_orders`: indexed by order_id.

    Examples
    --------
    >>> read_orders('{"orders": []}').index.name
    'order_id'
    """
    return read_rows(source, ORDERS)


def read_positions(source: Source) -> pd.DataFrame:
    """Read one's own positions by market.

    Parameters
    ----------
    source : path, str, bytes, dict, list or DataFrame
        As for `read_trades`.

    Returns
    -------
    pandas.DataFrame
        As `get_positions`: indexed by ticker.

    Examples
    --------
    >>> read_positions('{"market_positions": []}').index.name
    'ticker'
    """
    return read_rows(source, POSITIONS)


def read_settlements(source: Source) -> pd.DataFrame:
    """Read payouts.

    Parameters
    ----------
    source : path, str, bytes, dict, list or DataFrame
        As for `read_trades`.

    Returns
    -------
    pandas.DataFrame
        As `get_settlements`: indexed by ticker.

    Examples
    --------
    >>> read_settlements('{"settlements": []}').index.name
    'ticker'
    """
    return read_rows(source, SETTLEMENTS)


def write_fills(frame: pd.DataFrame, path: str | PathLike[str]) -> None:
    """Write one's own fills as Parquet, from which `read_fills` restores the frame.

    Parameters
    ----------
    frame : pandas.DataFrame
        Of `get_fills` or `read_fills`; further columns are kept.
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
    ...     write_fills(read_fills({"fills": []}), f"{folder}/fills.parquet")
    ...     len(read_fills(f"{folder}/fills.parquet"))
    0
    """
    write_frame(path, frame, FILLS)


def write_orders(frame: pd.DataFrame, path: str | PathLike[str]) -> None:
    """Write one's own orders as Parquet, from which `read_orders` restores the frame.

    Parameters
    ----------
    frame : pandas.DataFrame
        Of `get_orders` or `read_orders`; further columns are kept.
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
    ...     write_orders(read_orders({"orders": []}), f"{folder}/orders.parquet")
    ...     len(read_orders(f"{folder}/orders.parquet"))
    0
    """
    write_frame(path, frame, ORDERS)


def write_positions(frame: pd.DataFrame, path: str | PathLike[str]) -> None:
    """Write one's own positions by market as Parquet, from which `read_positions` restores the frame.

    Parameters
    ----------
    frame : pandas.DataFrame
        Of `get_positions` or `read_positions`; further columns are kept.
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
    ...     write_positions(read_positions({"market_positions": []}), f"{folder}/positions.parquet")
    ...     len(read_positions(f"{folder}/positions.parquet"))
    0
    """
    write_frame(path, frame, POSITIONS)


def write_settlements(frame: pd.DataFrame, path: str | PathLike[str]) -> None:
    """Write payouts as Parquet, from which `read_settlements` restores the frame.

    Parameters
    ----------
    frame : pandas.DataFrame
        Of `get_settlements` or `read_settlements`; further columns are kept.
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
    ...     write_settlements(read_settlements({"settlements": []}), f"{folder}/settlements.parquet")
    ...     len(read_settlements(f"{folder}/settlements.parquet"))
    0
    """
    write_frame(path, frame, SETTLEMENTS)
