"""The last trades of one market: each once, the newest first."""

from __future__ import annotations

import threading
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from kalshi_research.money import COUNT_SCALE, PRICE_SCALE, to_count, to_price
from kalshi_research.panels.words import contracts, decimal

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pandas as pd

__all__ = ["Print", "Tape", "prints"]


class Print(NamedTuple):
    """A trade: time [ms], its id, what the taker bought, price and size in integers."""

    time_ms: int
    trade_id: str
    taker: str
    price: int
    size: int


class Tape:
    """The newest trades; some come late, after an outage, and some twice.

    Parameters
    ----------
    most : int
        So many are kept.

    Attributes
    ----------
    today : date
        A trade of another day than this, which is the last one known, says so.

    Examples
    --------
    >>> tape = Tape(20)
    >>> tape.keep([Print(1_763_650_800_000, "a", "YES", 4200, 150)] * 2)
    >>> [row["cells"] for row in tape.rows()]
    [['15:00:00', 'takes YES', '0.42', '1.50']]
    """

    def __init__(self, most: int) -> None:
        self.today = date.min
        self._most = most
        self._known: dict[str, Print] = {}
        self._lock = threading.Lock()

    def clear(self) -> None:
        """Begin with another market."""
        with self._lock:
            self._known = {}

    def keep(self, more: Iterable[Print]) -> None:
        """Take down trades.

        Parameters
        ----------
        more : iterable of Print
        """
        with self._lock:
            known = self._known | {each.trade_id: each for each in more}
            newest = sorted(known.values(), key=_in_order, reverse=True)[: self._most]
            self._known = {each.trade_id: each for each in newest}

    def newest(self) -> list[Print]:
        """What is kept."""
        return list(self._known.values())

    def rows(self) -> list[dict[str, Any]]:
        """Rows for a `Table`."""
        shown = self.newest()
        moments = [datetime.fromtimestamp(each.time_ms / 1000, UTC) for each in shown]
        last = max((self.today, *(moment.date() for moment in moments)))
        return [_row(each, at, last) for each, at in zip(shown, moments, strict=True)]


def prints(trades: pd.DataFrame) -> list[Print]:
    """Trades of a frame.

    Parameters
    ----------
    trades : DataFrame
        Of `get_trades`.
    """
    return [
        Print(
            int(row["time"].timestamp() * 1000),
            str(row["trade_id"]),
            str(row["taker_side"]).upper(),
            to_price(float(row["yes_price"])),
            to_count(float(row["quantity"])),
        )
        for row in trades.reset_index().to_dict("records")
    ]


def _in_order(trade: Print) -> tuple[int, int, str]:
    """Trades of one instant are a sweep, as a rule: from the best price to the worst."""
    worse = trade.price if trade.taker == "YES" else -trade.price
    return trade.time_ms, worse, trade.trade_id


def _row(trade: Print, moment: datetime, today: date) -> dict[str, Any]:
    day = "" if moment.date() == today else f"{moment:%b} {moment.day} "
    cells = [
        f"{day}{moment:%H:%M:%S}",
        f"takes {trade.taker}",
        decimal(trade.price, PRICE_SCALE),
        contracts(trade.size / COUNT_SCALE),
    ]
    return {"key": trade.trade_id, "cells": cells}
