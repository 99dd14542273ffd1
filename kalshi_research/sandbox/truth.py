"""What really is the case: for tests and for judging methods, never for the library."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kalshi_research.money import PRICE_SCALE
from kalshi_research.sandbox.instants import SECOND
from kalshi_research.sandbox.order_truth import OrderTruth
from kalshi_research.sandbox.world.history import SENDERS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from kalshi_research.sandbox.exchange import Exchange, RequestRecord
    from kalshi_research.sandbox.faults import Faults
    from kalshi_research.sandbox.traders import Traders
    from kalshi_research.sandbox.world import World
    from kalshi_research.sandbox.world.history import Parents, Quotes, Tape

__all__ = ["Planted", "Truth"]


@dataclass(frozen=True, slots=True)
class Planted:
    """The parameters by which one market trades.

    Attributes
    ----------
    half_spread : float
        Typical distance from what makers believe to their bid and ask at a probability of 0.5
        [dollars]; at another it is ``0.25 + 3 p (1 − p)`` times that, before the price grid.
    touch : float
        Median size of a new quote [contracts].
    order : float
        Median size of a taker order [contracts].
    orders : float
        Taker orders expected over the life of a market that stays a coin flip.
    informed : float
        Share of takers who see what will be believed `lead` later.
    lead, pause : float
        Seconds; `pause` is how long makers take to quote anew after a trade, at most [s].
    bias : float
        By what share the makers shrink log-odds.
    impact : float
        By how much makers move their quotes for a contract taken [dollars]; 0 where nobody plays.
    memory : float
        Half-life of that [s].
    skew : float
        By how much they move them against an inventory of ten touches [dollars].
    """

    half_spread: float
    touch: float
    order: float
    orders: float
    informed: float
    lead: float
    pause: float
    bias: float
    impact: float
    memory: float
    skew: float


@dataclass(frozen=True)
class Truth(OrderTruth):
    """A window behind the scenes of one sandbox.

    Everything is in the integers of the world: instants [µs], prices [1/10 000
    dollar], counts [1/100 contract]. Histories reach to the end of each market,
    past the present of the sandbox.
    """

    _exchange: Exchange

    @property
    def world(self) -> World:
        """The world itself."""
        return self._exchange.world

    @property
    def tickers(self) -> list[str]:
        """All markets, archived ones included."""
        return list(self.world.markets)

    @property
    def bias(self) -> float:
        """The favourite-longshot bias planted in all quotes."""
        return self.world.bias

    @property
    def traders(self) -> Traders | None:
        """What the simulated traders do as time passes; None where books stand still."""
        return self.world.traders

    def planted(self, ticker: str) -> Planted:
        """The parameters by which a market trades."""
        flow, traders = self.world.markets[ticker].flow, self.world.traders
        return Planted(
            flow.half_spread,
            flow.touch,
            flow.parent,
            flow.parents,
            flow.informed,
            flow.lead / SECOND,
            flow.pause / SECOND,
            self.bias,
            0.0 if traders is None else traders.impact * flow.half_spread / flow.touch,
            0.0 if traders is None else traders.memory,
            0.0 if traders is None else traders.skew * flow.half_spread,
        )

    def jumps(self, event_ticker: str) -> NDArray[Any]:
        """When beliefs about an event jumped, or will, because of planted news [µs]."""
        return self.world.events[event_ticker].jumps

    def activity(self, event_ticker: str) -> tuple[NDArray[Any], NDArray[Any]]:
        """Instants [µs] and the relative intensity of trading from each to the next."""
        path = self.world.events[event_ticker].path
        return path.times, path.activity

    def belief(self, ticker: str) -> tuple[NDArray[Any], NDArray[Any]]:
        """Instants [µs] and the true probability of YES at each."""
        market = self.world.markets[ticker]
        path = market.event.path
        return path.times, path.beliefs[:, market.column]

    def latent(self, event_ticker: str) -> tuple[NDArray[Any], NDArray[Any]]:
        """Instants [µs] and the forecast behind all beliefs of an event."""
        path = self.world.events[event_ticker].path
        return path.times, path.latent

    def settlement(self, ticker: str) -> float:
        """What one YES contract pays in the end [dollars], whether that is known yet or not."""
        return self.world.markets[ticker].value / PRICE_SCALE

    def result(self, ticker: str) -> str:
        """How a market ends: ``yes``, ``no`` or ``scalar``."""
        return self.world.markets[ticker].result

    def quotes(self, ticker: str) -> Quotes:
        """Every move of the touch."""
        return self.world.history(ticker).quotes

    def tape(self, ticker: str) -> Tape:
        """Every trade in the order of execution, with the order it belongs to."""
        return self.world.history(ticker).tape

    def parents(self, ticker: str) -> Parents:
        """Every taker order; see `senders`."""
        return self.world.history(ticker).parents

    def senders(self, ticker: str) -> list[str]:
        """Who sent each taker order: ``noise``, ``informed``, ``maker`` or ``user``.

        A maker takes where its new quote meets the order of a user.
        """
        return [SENDERS[place] for place in self.parents(ticker).sender.tolist()]

    @property
    def faults(self) -> Faults:
        """What goes wrong on purpose."""
        return self._exchange.faults

    @property
    def requests(self) -> list[RequestRecord]:
        """The requests that arrived, oldest first (the last 20 000)."""
        return list(self._exchange.requests)

    def __repr__(self) -> str:
        return f"<Truth of {len(self.world.markets)} markets, {len(self._exchange.requests)} requests>"
