"""What the operator of the exchange does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kalshi_research.sandbox.engine import lifecycle

if TYPE_CHECKING:
    from kalshi_research.fees import FeeTerms
    from kalshi_research.money import PriceGrid
    from kalshi_research.sandbox.engine.markets import Market, MarketSpec
    from kalshi_research.sandbox.engine.venue import Venue

__all__ = ["Operator"]


class Operator:
    """The acts of the operator; part of `Engine`."""

    _venue: Venue

    def create_market(self, spec: MarketSpec) -> Market:
        """Add a market; it opens and closes by itself as time passes."""
        return lifecycle.create(self._venue, spec)

    def forget(self, user: str) -> None:
        """Drop the fills and the finished orders of a user; money, positions and the tape stay.

        For simulated users, who never ask: they would fill the memory.
        """
        venue = self._venue
        member = venue.wallet(user, 0).member
        for order in member.orders:
            if order.status != "resting":
                venue.orders.pop(order.order_id, None)
        member.orders = [order for order in member.orders if order.status == "resting"]
        member.fills = []
        member.settlements = []

    def deactivate(self, ticker: str) -> None:
        """Stop trading in one market; its orders stay."""
        lifecycle.deactivate(self._venue, self._venue.market(ticker))

    def activate(self, ticker: str) -> None:
        """Let trading go on; what rested is cancelled."""
        lifecycle.activate(self._venue, self._venue.market(ticker))

    def set_close_time(self, ticker: str, time: int) -> None:
        """Move the close [µs]: earlier, later, or to reopen a market that is not determined."""
        lifecycle.set_close_time(self._venue, self._venue.market(ticker), time)

    def set_grid(self, ticker: str, grid: PriceGrid) -> None:
        """Change the price grid; resting orders stay."""
        lifecycle.set_grid(self._venue, self._venue.market(ticker), grid)

    def set_event_fees(self, event_ticker: str, terms: FeeTerms) -> None:
        """Change the fees of all markets of an event."""
        lifecycle.set_event_fees(self._venue, event_ticker, terms)

    def set_floor(self, ticker: str, floor: int) -> None:
        """Raise the lowest value at which YES can settle [1/10 000 dollar]."""
        lifecycle.set_floor(self._venue, self._venue.market(ticker), floor)

    def determine(self, ticker: str, value: int) -> None:
        """Set the payout of one YES of a closed market [1/10 000 dollar] and start the timer."""
        lifecycle.determine(self._venue, self._venue.market(ticker), value)

    def dispute(self, ticker: str) -> None:
        """Stop the settlement timer of a determined market."""
        lifecycle.dispute(self._venue, self._venue.market(ticker))

    def amend_result(self, ticker: str, value: int) -> None:
        """End a dispute with a result, the old or a new one; the timer starts again."""
        lifecycle.amend_result(self._venue, self._venue.market(ticker), value)

    def pause_trading(self) -> None:
        """Take no orders and amendments; cancels go on."""
        venue = self._venue
        lifecycle.set_pause(venue, exchange_active=venue.exchange_active, trading_active=False)

    def resume_trading(self) -> None:
        """End a trading pause."""
        venue = self._venue
        lifecycle.set_pause(venue, exchange_active=venue.exchange_active, trading_active=True)

    def pause_exchange(self) -> None:
        """Take nothing at all, not even cancels."""
        venue = self._venue
        lifecycle.set_pause(venue, exchange_active=False, trading_active=venue.trading_active)

    def resume_exchange(self) -> None:
        """End a pause of the exchange."""
        venue = self._venue
        lifecycle.set_pause(venue, exchange_active=True, trading_active=venue.trading_active)
