"""What open positions would bring now."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from kalshi_research.analysis.frames import nearest, numbers
from kalshi_research.analysis.performance_ledger import amounts, contracts, need
from kalshi_research.errors import FrameError, InputError, printable
from kalshi_research.fees import DIRECT_PRECISION, FeeTerms, align, fee_terms, raw_fee
from kalshi_research.money import COUNT_SCALE, MONEY_SCALE, PRICE_SCALE
from kalshi_research.provenance import KEY, combined

__all__ = ["mark_positions"]

_MAKERS = "get_positions and pnl make such frames"
_TERMS = ("fee_type", "fee_multiplier")
_QUOTES = "quotes(get_orderbooks(client, tickers)) and get_markets make such frames"


def mark_positions(
    positions: pd.DataFrame, quotes: pd.DataFrame, *, terms: FeeTerms | pd.DataFrame | None = None
) -> pd.DataFrame:
    """Open positions at the prices of the book: what selling them now would bring, and at the mid.

    Selling meets the best bid of the leg that is held, whatever its size; `fill_cost` tells what
    depth adds. The mid is nobody's offer, so no fee stands against it.

    Parameters
    ----------
    positions : DataFrame
        Of `get_positions`, or of `pnl` by market. Positions of 0 are left out.
    quotes : DataFrame
        Of `quotes`, or of `get_markets`: yes_bid and yes_ask by ticker. A market that is missing,
        or has an empty side, is not valued at it.
    terms : FeeTerms or DataFrame, optional
        Of `market_fee_terms`; the general terms if not given. A waiver of fees does not count.

    Returns
    -------
    DataFrame
        Indexed by ticker.

        ==================  =======  ==============================================================
        column              dtype    meaning
        ==================  =======  ==============================================================
        position            float64  above 0 YES, below 0 NO [contracts]
        cost                float64  of what is held, without fees [dollars]
        bid                 float64  best bid for the leg held [dollars]
        mid                 float64  middle of bid and ask of the leg held [dollars]
        value_bid           float64  at the bid [dollars]
        value_mid           float64  at the mid [dollars]
        exit_fee            float64  taker fee of selling at the bid [dollars]
        unrealized_pnl      float64  value_bid − cost − exit_fee [dollars]
        unrealized_pnl_mid  float64  value_mid − cost [dollars]
        ==================  =======  ==============================================================

    Raises
    ------
    FrameError
        If a frame lacks a column or has a market twice.

    Examples
    --------
    >>> import pandas as pd
    >>> tickers = pd.Index(["T", "U"], name="ticker")
    >>> held = pd.DataFrame({"position": [10.0, -5.0], "market_exposure": [4.0, 3.0]}, index=tickers)
    >>> quotes = pd.DataFrame({"yes_bid": [0.42, 0.30], "yes_ask": [0.44, None]}, index=tickers)
    >>> marks = mark_positions(held, quotes)
    >>> marks.loc["T", ["bid", "value_bid", "exit_fee", "unrealized_pnl"]].tolist()
    [0.42, 4.2, 0.1706, 0.0294]
    """
    columns = getattr(positions, "columns", ())
    cost_column = "market_exposure" if "market_exposure" in columns else "cost_basis"
    held = need(positions, ("ticker", "position", cost_column), "positions", _MAKERS)
    held = held[held["position"] != 0].reset_index(drop=True)
    _once(held, "positions")
    touch = need(quotes, ("ticker", "yes_bid", "yes_ask"), "quotes", _QUOTES)
    _once(touch, "quotes")
    touch = touch.set_index("ticker").reindex(held["ticker"])
    prices = [_price(touch, name) for name in ("yes_bid", "yes_ask")]
    rates = _rates(held["ticker"].tolist(), terms)
    rows = [
        _marked(*row)
        for row in zip(
            contracts(held, "position", "positions"),
            amounts(held, cost_column, "positions"),
            *prices,
            rates,
            strict=True,
        )
    ]
    index = pd.Index(held["ticker"], name="ticker", dtype="str")
    table = pd.DataFrame(rows, columns=_COLUMNS, index=index, dtype="float64")
    source = combined(positions, quotes)
    table.attrs = {} if source is None else {KEY: source}
    return table


_COLUMNS = [
    "position", "cost", "bid", "mid", "value_bid", "value_mid", "exit_fee", "unrealized_pnl",
    "unrealized_pnl_mid",
]  # fmt: skip


def _marked(
    position: int, cost: int | None, bid: int | None, ask: int | None, rate: tuple[int, int]
) -> dict[str, float]:
    """One row; what cannot be said is left out and so becomes missing."""
    count = abs(position)
    if position < 0:  # the NO leg: its bid is what the best YES ask leaves
        bid, ask = _complement(ask), _complement(bid)
    row = {"position": position / COUNT_SCALE}
    if cost is not None:
        row["cost"] = cost / MONEY_SCALE
    if bid is not None:
        fee, _ = align(
            raw_fee(bid, count, rate), (PRICE_SCALE - bid) * count, 0, DIRECT_PRECISION, DIRECT_PRECISION
        )
        row |= {
            "bid": bid / PRICE_SCALE,
            "value_bid": count * bid / MONEY_SCALE,
            "exit_fee": fee / MONEY_SCALE,
        }
        if cost is not None:
            row["unrealized_pnl"] = (count * bid - cost - fee) / MONEY_SCALE
    if bid is not None and ask is not None:
        row["mid"] = (bid + ask) / (2 * PRICE_SCALE)
        row["value_mid"] = count * (bid + ask) / (2 * MONEY_SCALE)
        if cost is not None:
            row["unrealized_pnl_mid"] = (count * (bid + ask) - 2 * cost) / (2 * MONEY_SCALE)
    return row


def _complement(price: int | None) -> int | None:
    return None if price is None else PRICE_SCALE - price


def _once(frame: pd.DataFrame, what: str) -> None:
    twice = frame["ticker"].duplicated()
    if twice.any():
        name = printable(frame.loc[twice, "ticker"].iloc[0], 60)
        raise FrameError(f"the frame of {what} has {name} more than once; one row a market is needed")


def _price(frame: pd.DataFrame, name: str) -> list[int | None]:
    value = numbers(frame, name, what="quotes")
    there = np.isfinite(value)
    whole, good = nearest(np.where(there, value, 0.0), PRICE_SCALE)
    if not good.all():
        at = int(np.argmin(good))
        raise FrameError(
            f"a {name} of quotes is no multiple of 1/{PRICE_SCALE}: {value[at]} in row {at}"
        )
    return [int(price) if known else None for price, known in zip(whole, there, strict=True)]


def _rates(tickers: list[str], terms: FeeTerms | pd.DataFrame | None) -> list[tuple[int, int]]:
    """What a taker pays in each market."""
    if terms is None or isinstance(terms, FeeTerms):
        return [(terms or FeeTerms()).ratio("taker")] * len(tickers)
    plain = need(terms, ("ticker", *_TERMS), "fee terms", "market_fee_terms makes such frames")
    of = {row[0]: row[1:] for row in zip(*(plain[name] for name in ("ticker", *_TERMS)), strict=True)}
    unknown = [ticker for ticker in tickers if ticker not in of]
    if unknown:
        raise FrameError(f"the frame of fee terms lacks the market {printable(unknown[0], 60)}")
    return [_ratio(ticker, *of[ticker]) for ticker in tickers]


def _ratio(ticker: str, fee_type: Any, multiplier: Any) -> tuple[int, int]:
    try:
        return fee_terms(str(fee_type), float(multiplier)).ratio("taker")
    except InputError as error:
        raise FrameError(f"the fee terms of {printable(ticker, 60)} cannot be used: {error}") from None
