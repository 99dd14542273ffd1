"""A world in which somebody trades: what the engine did comes after what was drawn from the seed."""

from __future__ import annotations

from bisect import insort
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from kalshi_research.sandbox.world import MarketHistory, Tick, World
from kalshi_research.sandbox.world.history import Quotes, Tape

if TYPE_CHECKING:
    from kalshi_research.sandbox.engine import Trade

__all__ = ["TradedWorld"]

Touch = tuple[int, int, int, int]


class _Deal(NamedTuple):
    """A trade of the engine and the open interest after it."""

    trade: Trade
    open_interest: int


@dataclass(slots=True)
class _Branch:
    """A market from the moment on at which the engine took it over."""

    since: int
    drawn: MarketHistory
    interest: int
    touches: list[tuple[int, Touch]] = field(default_factory=list)
    deals: list[_Deal] = field(default_factory=list)


class TradedWorld(World):
    """A world whose markets can be taken over by a matching engine, one by one.

    Up to that moment a market's history is the drawn one, after it what was recorded; all
    questions to the world are answered from both.
    """

    _branches: dict[str, _Branch]

    def branch(self, ticker: str) -> None:
        """Forget the drawn future of a market."""
        with self._lock:
            drawn, now = self.history(ticker), self.now
            quotes, tape = drawn.quotes, drawn.tape
            n_quotes = int(np.searchsorted(quotes.times, now, side="right"))
            n_trades = drawn.trades_until(now)
            kept = MarketHistory(
                Quotes(
                    quotes.times[:n_quotes], quotes.bid[:n_quotes], quotes.ask[:n_quotes],
                    quotes.bid_size[:n_quotes], quotes.ask_size[:n_quotes],
                ),
                Tape(
                    tape.times[:n_trades], tape.price[:n_trades], tape.count[:n_trades],
                    tape.taker_yes[:n_trades], tape.block[:n_trades], tape.parent[:n_trades],
                    tape.open_interest[:n_trades], tape.ids[: 32 * n_trades],
                ),
                drawn.parents,
            )  # fmt: skip
            self._taken[ticker] = _Branch(now, kept, kept.open_interest(now))
            self._histories[ticker] = kept

    @property
    def _taken(self) -> dict[str, _Branch]:
        found = self.__dict__.get("_branches")
        if found is None:
            found = self._branches = {}
        return found

    def record(self, ticker: str, trades: list[Trade], interest: int, touch: Touch, now: int) -> None:
        """Add what the engine did in a market: its trades, the open interest it made, the touch."""
        with self._lock:
            branch = self._taken[ticker]
            branch.deals += [_Deal(trade, branch.interest + interest) for trade in trades]
            if not branch.touches or branch.touches[-1][1] != touch:
                branch.touches.append((now, touch))
            elif not trades:
                return
            self._histories[ticker] = _grown(branch)
            self._states.pop(ticker, None)
            ticks = [
                Tick(
                    trade.time, trade.trade_id, ticker, trade.price, trade.count,
                    trade.taker_side == "bid", False,
                )
                for trade in trades
            ]  # fmt: skip
            for rows in (self._ticks.get(ticker), self._all_ticks):
                if rows is not None:
                    for tick in ticks:
                        _add_newest_first(rows, tick)

    def move(self, now: int) -> None:
        """Let the world see a later instant."""
        with self._lock:
            self.now = now
            self._states.clear()
            self._ticks.clear()
            self._all_ticks = None


def _key(tick: Tick) -> tuple[int, int]:
    return -tick.time, -int(tick.trade_id.replace("-", ""), 16)


def _add_newest_first(rows: list[Tick], tick: Tick) -> None:
    insort(rows, tick, key=_key)


def _grown(branch: _Branch) -> MarketHistory:
    quotes, tape = branch.drawn.quotes, branch.drawn.tape
    times = [time for time, _ in branch.touches]
    touches = np.array([touch for _, touch in branch.touches], dtype=np.int64).reshape(-1, 4)
    trades = [deal.trade for deal in branch.deals]
    join = np.concatenate
    return MarketHistory(
        Quotes(
            join([quotes.times, np.array(times, dtype=np.int64)]),
            join([quotes.bid, touches[:, 0]]),
            join([quotes.ask, touches[:, 1]]),
            join([quotes.bid_size, touches[:, 2]]),
            join([quotes.ask_size, touches[:, 3]]),
        ),
        Tape(
            join([tape.times, np.array([trade.time for trade in trades], dtype=np.int64)]),
            join([tape.price, np.array([trade.price for trade in trades], dtype=np.int64)]),
            join([tape.count, np.array([trade.count for trade in trades], dtype=np.int64)]),
            join([tape.taker_yes, np.array([t.taker_side == "bid" for t in trades], dtype=np.bool_)]),
            join([tape.block, np.zeros(len(trades), dtype=np.bool_)]),
            join([tape.parent, np.full(len(trades), -1, dtype=np.int64)]),
            join(
                [
                    tape.open_interest,
                    np.array([deal.open_interest for deal in branch.deals], dtype=np.int64),
                ]
            ),
            tape.ids + "".join(trade.trade_id.replace("-", "") for trade in trades),
        ),
        branch.drawn.parents,
    )
