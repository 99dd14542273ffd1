"""The world as the documents of 2025 know it: whole cents, whole contracts, and their tickers."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from kalshi_research.money import COUNT_SCALE, PRICE_SCALE
from kalshi_research.sandbox.dialect_2025.listings import (
    EXAMPLE,
    EXAMPLE_NO,
    EXAMPLE_YES,
    documented_events,
)
from kalshi_research.sandbox.traded import TradedWorld
from kalshi_research.sandbox.world import MarketHistory
from kalshi_research.sandbox.world.history import Parents, Quotes, Tape
from kalshi_research.sandbox.world.specs import LINEAR_CENT

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kalshi_research.sandbox.world import MarketSpec

__all__ = ["CENT", "World2025"]

CENT = PRICE_SCALE // 100
"""One cent in the prices of the world."""

Levels = list[tuple[int, int]]


class World2025(TradedWorld):
    """A world without fractions of cents, fractions of contracts and combos, and with more markets.

    Takes the arguments of `World`. The markets it shares with the world of today have the same
    beliefs and results; prices differ where their grid was finer.
    """

    def __init__(self, now: int, seed: int = 0, **choices: Any) -> None:
        super().__init__(now, seed, **choices)
        self._began = now
        listed = self._listed
        for event in [event for event in listed.events.values() if event.series.combo]:
            listed.series.pop(event.series.ticker, None)
            del listed.events[event.ticker]
            for market in event.markets:
                del listed.markets[market.ticker]
        for event in documented_events(now, seed, listed.series):
            self._behave(event.markets)
            listed.add(event)

    def _behave(self, markets: Iterable[MarketSpec]) -> None:
        """Trade all markets in whole cents and whole contracts."""
        found = list(markets)
        super()._behave(found)
        for market in found:
            market.structure = LINEAR_CENT
            market.flow = replace(market.flow, whole=True)

    def history(self, ticker: str) -> MarketHistory:
        """The life of a market; the example's stands still at the touch that is printed."""
        with self._lock:
            if ticker == EXAMPLE and ticker not in self._histories:
                self._histories[ticker] = _stopped(super().history(ticker), self._began)
            return super().history(ticker)

    def book(self, ticker: str) -> tuple[Levels, Levels]:
        """Resting bids and asks on the YES leg, best first."""
        if ticker != EXAMPLE or self.state(ticker).status not in {"active", "inactive"}:
            return super().book(ticker)
        bids = [(cents * CENT, count * COUNT_SCALE) for cents, count in reversed(EXAMPLE_YES)]
        asks = [
            (PRICE_SCALE - cents * CENT, count * COUNT_SCALE) for cents, count in reversed(EXAMPLE_NO)
        ]
        return bids, asks


def _stopped(drawn: MarketHistory, began: int) -> MarketHistory:
    """A history up to an instant, at which the printed book is there, and its last quote."""
    quotes, tape, parents = drawn.quotes, drawn.tape, drawn.parents
    quoted, traded, sent = (
        int(np.searchsorted(table.times, began, side="left")) for table in (quotes, tape, parents)
    )
    (bid, bid_size), (ask, ask_size) = EXAMPLE_YES[-1], EXAMPLE_NO[-1]
    touch = (
        began,
        bid * CENT,
        PRICE_SCALE - ask * CENT,
        bid_size * COUNT_SCALE,
        ask_size * COUNT_SCALE,
    )
    return MarketHistory(
        Quotes(
            *(
                np.concatenate((column[:quoted], [value], column[-1:]))
                for column, value in zip(_columns(quotes), touch, strict=True)
            )
        ),
        Tape(
            tape.times[:traded], tape.price[:traded], tape.count[:traded], tape.taker_yes[:traded],
            tape.block[:traded], tape.parent[:traded], tape.open_interest[:traded],
            tape.ids[: 32 * traded],
        ),
        Parents(*(column[:sent] for column in _columns(parents))),
    )  # fmt: skip


def _columns(table: Quotes | Parents) -> list[Any]:
    return [getattr(table, field.name) for field in fields(table)]
