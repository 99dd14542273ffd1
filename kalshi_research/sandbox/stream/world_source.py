"""The world and the floor of a sandbox, as the stream asks for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kalshi_research.sandbox.instants import SECOND
from kalshi_research.sandbox.seeding import derived_uuid
from kalshi_research.sandbox.stream.source import Listing
from kalshi_research.sandbox.world import specs

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kalshi_research.sandbox.engine import Event
    from kalshi_research.sandbox.exchange import Exchange
    from kalshi_research.sandbox.world import MarketSpec

__all__ = ["WorldSource"]

_STRUCTURES = {
    structure.bands: structure.label
    for structure in vars(specs).values()
    if isinstance(structure, specs.TickStructure)
}


class WorldSource:
    """What there is to stream in a sandbox.

    Parameters
    ----------
    exchange : Exchange
    """

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._world = exchange.world
        self._floor = exchange.floor
        self._tickers: dict[str, str] = {}

    def listen(self, callback: Callable[[Sequence[Event]], None]) -> Callable[[], None]:
        """Call back with the events of every action."""
        return self._floor.listen(callback)

    def listing(self, ticker: str) -> Listing | None:
        """A market of the live tier, which the engine takes over if it can."""
        market = self._world.markets.get(ticker)
        if market is None or not self._exchange.live(market):
            return None
        # All of it under one lock, so that it is about one moment.
        return self._floor.call(lambda engine: self._look(ticker, engine.clock))

    def _look(self, ticker: str, clock: int) -> Listing:
        if self._floor.attend(ticker):
            clock = self._floor.clock
        state = self._world.state(ticker)
        book = self._floor.book(ticker)
        history = self._world.history(ticker)
        traded = history.trades_until(self._world.now)
        tape = history.tape
        return Listing(
            ticker,
            self._market_id(ticker),
            clock,
            book.clock,
            book.yes,
            book.no,
            volume=state.volume,
            open_interest=state.open_interest,
            dollar_volume=int((tape.price[:traded] * tape.count[:traded]).sum()),
            last_price=state.last_price,
            last_size=int(tape.count[traded - 1]) if traded else 0,
            quoted=state.quoted,
        )

    def _market_id(self, ticker: str) -> str:
        return derived_uuid(self._world.seed, "market id", ticker)

    def ticker_of(self, market_id: str) -> str | None:
        """The market of a UUID."""
        if market_id not in self._tickers:  # or it has been listed since
            tickers = self._floor.call(lambda _: list(self._world.markets))
            self._tickers = {self._market_id(ticker): ticker for ticker in tickers}
        return self._tickers.get(market_id)

    def now(self) -> int:
        """The time of the exchange [µs]."""
        return self._floor.now()

    def user_id(self, user: str) -> str:
        """Users are known by their UUID."""
        return user

    def is_combo(self, ticker: str) -> bool:
        """Whether a market is a combination of others."""
        market = self._world.markets.get(ticker)
        return market is not None and market.event.series.combo

    def structure(self, ticker: str, bands: tuple[tuple[int, int, int], ...]) -> str:
        """The name of a price grid, empty for one that has none."""
        del ticker
        return _STRUCTURES.get(bands, "")

    def announcement(self, ticker: str) -> dict[str, Any] | None:
        """What is said of a market that is listed while somebody listens."""
        market = self._world.markets.get(ticker)
        return None if market is None else _announcement(market)


def _announcement(market: MarketSpec) -> dict[str, Any]:
    about: dict[str, Any] = {
        "name": market.ticker,
        "title": market.title,
        "yes_sub_title": market.yes_sub_title,
        "no_sub_title": market.yes_sub_title,
        "rules_primary": market.rules_primary,
        "rules_secondary": market.rules_secondary,
        "can_close_early": True,
        "event_ticker": market.event.ticker,
        "expected_expiration_ts": market.expected_expiration // SECOND,
        "strike_type": market.strike_type,
    }
    for name in ("floor_strike", "cap_strike", "custom_strike"):
        value = getattr(market, name)
        if value is not None:
            about[name] = value
    return {
        "open_ts": market.opens // SECOND,
        "exchange_index": market.event.series.shard,
        "additional_metadata": about,
    }
