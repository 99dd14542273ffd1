"""A world in which somebody trades: what the engine did comes after what was drawn from the seed."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from kalshi_research.sandbox.world import MarketHistory, World
from kalshi_research.sandbox.world.history import SENDERS, Parents, Quotes, Tape

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from kalshi_research.sandbox.engine import Trade

__all__ = ["Deal", "TradedWorld"]

Touch = tuple[int, int, int, int]


class Deal(NamedTuple):
    """A trade of the engine, and whose order took: its id, its size and its sender (see `SENDERS`)."""

    trade: Trade
    order_id: str
    size: int
    sender: str


class _Table:
    """Columns that only grow. To read them costs as much as what is new since the last time."""

    def __init__(self, columns: Sequence[NDArray[Any]]) -> None:
        self._store = list(columns)
        self._filled = len(columns[0])
        self._new: list[tuple[int, ...]] = []

    def add(self, row: tuple[int, ...]) -> None:
        self._new.append(row)

    def __len__(self) -> int:
        return self._filled + len(self._new)

    def columns(self) -> list[NDArray[Any]]:
        """All rows; arrays handed out before stay as they were."""
        if self._new:
            needed = len(self)
            fresh = np.array(self._new, dtype=np.int64).T
            for place, values in enumerate(fresh):
                held = self._store[place]
                if held.size < needed:
                    wider = np.empty(max(needed, 2 * held.size, 64), held.dtype)
                    wider[: self._filled] = held[: self._filled]
                    self._store[place] = held = wider
                held[self._filled : needed] = values
            self._filled = needed
            self._new = []
        return [column[: self._filled] for column in self._store]


class _Branch:
    """A market from the moment on at which the engine took it over."""

    def __init__(self, drawn: MarketHistory, now: int) -> None:
        quotes, tape, parents = drawn.quotes, drawn.tape, drawn.parents
        n_quotes = int(np.searchsorted(quotes.times, now, side="right"))
        n_trades = drawn.trades_until(now)
        n_parents = int(np.searchsorted(parents.times, now, side="right"))
        self.interest = drawn.open_interest(now)
        self.touch: Touch | None = None
        self._quotes = _Table([column[:n_quotes] for column in _columns(quotes, Quotes.__slots__)])
        self._tape = _Table([column[:n_trades] for column in _columns(tape, Tape.__slots__[:-1])])
        self._ids = bytearray(str(tape.ids)[: 32 * n_trades], "ascii")
        self._parents = _Table([column[:n_parents] for column in _columns(parents, Parents.__slots__)])

    def quote(self, now: int, touch: Touch) -> None:
        self.touch = touch
        self._quotes.add((now, *touch))

    def trade(self, deals: Sequence[Deal], interest: int) -> None:
        """Add the trades of one action."""
        for _, group in groupby(deals, key=lambda deal: (deal.order_id, deal.trade.clock)):
            found = list(group)
            trade = found[0].trade
            buys, parent = trade.taker_side == "bid", len(self._parents)
            sender = SENDERS.index(found[0].sender)
            filled = sum(deal.trade.count for deal in found)
            self._parents.add(
                (
                    trade.time, buys, found[0].size, filled, trade.price,
                    found[0].sender == "informed", False, len(found), sender,
                )
            )  # fmt: skip
            for deal in found:
                trade = deal.trade
                self._tape.add(
                    (trade.time, trade.price, trade.count, buys, False, parent, self.interest + interest)
                )
                self._ids += trade.trade_id.replace("-", "").encode("ascii")

    def history(self) -> MarketHistory:
        """All of it until now."""
        tape: list[Any] = [*self._tape.columns(), self._ids]
        return MarketHistory(
            Quotes(*self._quotes.columns()),
            Tape(*tape),
            Parents(*self._parents.columns()),
        )


def _columns(table: Quotes | Tape | Parents, names: Sequence[str]) -> list[NDArray[Any]]:
    return [getattr(table, name) for name in names]


class TradedWorld(World):
    """A world whose markets can be taken over by a matching engine, one by one.

    Up to that moment a market's history is the drawn one, after it what was recorded; all
    questions to the world are answered from both. Parameters as of `World`.
    """

    def __init__(self, now: int, seed: int = 0, **choices: Any) -> None:
        super().__init__(now, seed, **choices)
        self._branches: dict[str, _Branch] = {}
        self._grown: set[str] = set()

    def branch(self, ticker: str) -> None:
        """Forget the drawn future of a market."""
        with self._lock:
            self._branches[ticker] = _Branch(self.history(ticker), self.now)
            self._grown.add(ticker)
            self._states.pop(ticker, None)

    def history(self, ticker: str) -> MarketHistory:
        """The life of a market: what was recorded, or for one that nobody touched, all of it."""
        with self._lock:
            if ticker in self._grown:
                self._grown.discard(ticker)
                self._histories[ticker] = self._branches[ticker].history()
            return super().history(ticker)

    def record(self, ticker: str, deals: Sequence[Deal], interest: int, touch: Touch, now: int) -> None:
        """Add what the engine did in a market: its trades, the open interest it made, the touch."""
        with self._lock:
            branch = self._branches[ticker]
            if deals:
                branch.trade(deals, interest)
            if branch.touch != touch:
                branch.quote(now, touch)
            elif not deals:
                return
            self._grown.add(ticker)
            self._states.pop(ticker, None)

    def move(self, now: int) -> None:
        """Let the world see a later instant."""
        with self._lock:
            if now != self.now:
                self.now = now
            self._states.clear()
