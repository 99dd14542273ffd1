"""What really is the case: for tests and for judging methods, never for the library."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kalshi_research.money import PRICE_SCALE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from kalshi_research.sandbox.exchange import Exchange, RequestRecord
    from kalshi_research.sandbox.world import World
    from kalshi_research.sandbox.world.history import Parents, Quotes, Tape

__all__ = ["Truth"]


@dataclass(frozen=True)
class Truth:
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
        """Every taker order."""
        return self.world.history(ticker).parents

    @property
    def requests(self) -> list[RequestRecord]:
        """The requests that arrived, oldest first (the last 20 000)."""
        return list(self._exchange.requests)

    def __repr__(self) -> str:
        return f"<Truth of {len(self.world.markets)} markets, {len(self._exchange.requests)} requests>"
