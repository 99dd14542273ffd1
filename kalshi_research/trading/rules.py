"""What a market allows: its price grid, whether it trades, until when, and what it charges."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from kalshi_research.errors import DecodeError, FrameError, printable
from kalshi_research.fees import FeeTerms
from kalshi_research.money import PRICE_SCALE, PriceGrid

__all__ = ["ANY_CENTICENT", "MarketRules"]

ANY_CENTICENT = PriceGrid(((0, PRICE_SCALE, 1),))
"""The finest grid that any market has."""


@dataclass(frozen=True, slots=True)
class MarketRules:
    """The rules of one market, as far as an order must know them.

    Attributes
    ----------
    ticker : str
    grid : PriceGrid
        Of the YES price; that of NO is its mirror image.
    status : str
        As the exchange calls it; only ``active`` takes orders.
    closes : datetime or None
        End of trading, which may come earlier.
    fees : FeeTerms
        By default those of nearly all series: quadratic, multiplier 1.
    title : str
        What YES stands for.
    shard : int or None
        Part of the exchange it lives on.

    Examples
    --------
    >>> rules = MarketRules.of({"ticker": "T", "status": "active", "close_time": None,
    ...     "price_ranges": '[{"start": "0.0000", "end": "1.0000", "step": "0.0100"}]'})
    >>> rules.grid.contains(5600), rules.grid.contains(5650)
    (True, False)
    """

    ticker: str
    grid: PriceGrid
    status: str = "active"
    closes: datetime | None = None
    fees: FeeTerms = field(default_factory=FeeTerms)
    title: str = ""
    shard: int | None = None

    @classmethod
    def of(cls, market: Any, *, fees: FeeTerms | None = None) -> MarketRules:
        """Read the rules off a market.

        Parameters
        ----------
        market : DataFrame, Series or mapping
            A frame of one row or a row of `get_markets`, or a mapping with the same names.
        fees : FeeTerms, optional
            What the market charges; see `market_fee_terms`.

        Raises
        ------
        FrameError
            If it is no single market.
        DecodeError
            If its price grid cannot be read.
        """
        row, ticker = _row(market)
        ranges = _get(row, "price_ranges")
        try:
            bands = json.loads(ranges) if isinstance(ranges, str) else ranges
        except ValueError:
            bands = None
        if not isinstance(bands, list):
            raise DecodeError(f"the price grid of {printable(ticker, 80)} cannot be read")
        closes = _get(row, "close_time")
        shard = _get(row, "exchange_index")
        title = _get(row, "yes_sub_title") or _get(row, "title") or ""
        return cls(
            ticker=ticker,
            grid=PriceGrid.from_ranges(bands),
            status=str(_get(row, "status") or ""),
            closes=closes if isinstance(closes, datetime) else None,
            fees=fees or FeeTerms(),
            title=str(title),
            shard=None if shard is None else int(shard),
        )


def _row(market: Any) -> tuple[Any, str]:
    row, ticker = market, getattr(market, "name", None)
    if hasattr(market, "iloc") and hasattr(market, "columns"):
        if len(market) != 1:
            raise FrameError(f"the rules of one market are needed, not of {len(market)}; pass one row.")
        row, ticker = market.iloc[0], market.index[0]
    if not (isinstance(row, Mapping) or hasattr(row, "get")):
        kind = type(market).__name__
        raise FrameError(
            f"market must be a row of get_markets, not {kind}; use market=markets.loc[ticker]."
        )
    ticker = _get(row, "ticker") or ticker
    if not isinstance(ticker, str) or not ticker:
        raise FrameError("this row names no market; pass one row of get_markets, indexed by ticker.")
    return row, ticker


def _get(row: Any, name: str) -> Any:
    value = row.get(name)
    missing = isinstance(value, float) or type(value).__name__ in ("NaTType", "NAType")
    return None if missing else value
