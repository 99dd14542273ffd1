"""The life of a market, from its creation to the payout, and the pauses of the exchange."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from kalshi_research.errors import InputError, printable
from kalshi_research.money import PRICE_SCALE
from kalshi_research.sandbox.engine.events import ExchangeUpdate, FeeUpdate, Lifecycle, Settlement
from kalshi_research.sandbox.engine.markets import Market, MarketSpec
from kalshi_research.sandbox.engine.matching import announce_position, cancel

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kalshi_research.fees import FeeTerms
    from kalshi_research.money import PriceGrid
    from kalshi_research.sandbox.engine.accounts import Holding
    from kalshi_research.sandbox.engine.markets import MarketStatus
    from kalshi_research.sandbox.engine.orders import Order, Reason
    from kalshi_research.sandbox.engine.venue import Venue

__all__ = [
    "activate",
    "amend_result",
    "create",
    "deactivate",
    "determine",
    "dispute",
    "set_close_time",
    "set_event_fees",
    "set_floor",
    "set_grid",
    "set_pause",
]


def create(venue: Venue, spec: MarketSpec) -> Market:
    """Add a market and set its alarms."""
    if spec.ticker in venue.markets:
        raise InputError(f"there already is a market {printable(spec.ticker, 60)}")
    if spec.close_time <= spec.open_time:
        raise InputError(f"market {printable(spec.ticker, 60)} would close before it opens")
    venue.begin()
    market = venue.markets[spec.ticker] = Market(spec)
    if venue.now < spec.fee_waiver_until:
        market.set_fees(spec.fees, waived=True)
        venue.at(spec.fee_waiver_until, lambda: market.set_fees(market.fees))
    _tell(venue, market, "created")
    if spec.open_time <= venue.now:
        _open(venue, market)
    else:
        venue.at(spec.open_time, partial(_open, venue, market))
    _arm_close(venue, market)
    return market


def _tell(venue: Venue, market: Market, kind: str = "") -> None:
    venue.outbox.append(
        Lifecycle(
            venue.clock,
            venue.now,
            market.ticker,
            kind,  # type: ignore[arg-type]
            market.status,
            market.close_time,
            market.result,
            market.value,
            market.grid,
        )
    )


def _change(venue: Venue, market: Market, status: MarketStatus, kind: str = "") -> None:
    market.status = status
    _tell(venue, market, kind)


def _expect(market: Market, *allowed: MarketStatus) -> None:
    if market.status not in allowed:
        raise InputError(
            f"market {printable(market.ticker, 60)} is {market.status}; "
            f"this needs it to be {' or '.join(allowed)}"
        )


def _cancel_all(venue: Venue, orders: Iterable[Order], reason: Reason) -> None:
    for order in list(orders):
        cancel(venue, order, reason)


def _resting(market: Market) -> list[Order]:
    return [*market.bids.orders(), *market.asks.orders()]


def _open(venue: Venue, market: Market) -> None:
    if market.status == "initialized":
        _change(venue, market, "active")


def _arm_close(venue: Venue, market: Market) -> None:
    if market.close_time <= venue.now:
        _close(venue, market, market.close_time)
    else:
        venue.at(market.close_time, partial(_close, venue, market, market.close_time))


def _close(venue: Venue, market: Market, time: int) -> None:
    if market.close_time != time or market.status not in ("initialized", "active", "inactive"):
        return
    _change(venue, market, "closed")
    delay = venue.options.close_cancel_delay
    if delay:
        venue.at(venue.now + delay, partial(_sweep, venue, market))
    else:
        _sweep(venue, market)


def _sweep(venue: Venue, market: Market) -> None:
    if market.status != "active":
        _cancel_all(venue, _resting(market), "CloseCancel")


def deactivate(venue: Venue, market: Market) -> None:
    """Stop trading in one market; its orders stay."""
    _expect(market, "active")
    venue.begin()
    _change(venue, market, "inactive", "deactivated")


def activate(venue: Venue, market: Market) -> None:
    """Let trading go on; what rested is cancelled."""
    _expect(market, "inactive")
    venue.begin()
    _cancel_all(venue, _resting(market), "HaltCancel")
    _change(venue, market, "active", "activated")


def set_close_time(venue: Venue, market: Market, time: int) -> None:
    """Move the close: earlier, later, or, of a market closed and not determined, to reopen it."""
    _expect(market, "initialized", "active", "inactive", "closed")
    if time < market.close_time and not market.spec.can_close_early:
        raise InputError(f"market {printable(market.ticker, 60)} cannot close early")
    venue.begin()
    market.close_time = time
    _tell(venue, market, "close_date_updated")
    if market.status == "closed" and time > venue.now:
        _change(venue, market, "active", "activated")
    _arm_close(venue, market)


def set_grid(venue: Venue, market: Market, grid: PriceGrid) -> None:
    """Change the price grid; resting orders stay where they are."""
    venue.begin()
    market.set_grid(grid)
    _tell(venue, market, "price_level_structure_updated")


def set_event_fees(venue: Venue, event_ticker: str, terms: FeeTerms) -> None:
    """Change the fees of all markets of an event."""
    venue.begin()
    for market in venue.markets.values():
        if market.event_ticker == event_ticker:
            market.set_fees(terms, waived=venue.now < market.spec.fee_waiver_until)
    venue.outbox.append(FeeUpdate(venue.clock, venue.now, event_ticker, terms))


def set_floor(venue: Venue, market: Market, floor: int) -> None:
    """Raise the lowest value at which YES can settle; orders at or below it are cancelled."""
    if not market.floor <= floor < PRICE_SCALE:
        raise InputError(f"a settlement floor only rises, from {market.floor} to below {PRICE_SCALE}")
    venue.begin()
    market.floor = floor
    low = [order for order in _resting(market) if order.price <= floor]
    _cancel_all(venue, low, "SettlementBoundsCancel")


def determine(venue: Venue, market: Market, value: int) -> None:
    """Set the result and start the settlement timer."""
    _expect(market, "closed")
    _check_value(market, value)
    venue.begin()
    _sweep(venue, market)
    _decide(venue, market, value, "determined")


def dispute(venue: Venue, market: Market) -> None:
    """Stop the settlement timer."""
    _expect(market, "determined", "amended")
    venue.begin()
    _change(venue, market, "disputed")


def amend_result(venue: Venue, market: Market, value: int) -> None:
    """End a dispute with a result, the old or a new one, and start the timer again."""
    _expect(market, "disputed")
    _check_value(market, value)
    venue.begin()
    _decide(venue, market, value, "amended")


def _check_value(market: Market, value: int) -> None:
    if not market.floor <= value <= PRICE_SCALE:
        raise InputError(f"a YES settles between {market.floor} and {PRICE_SCALE}, not at {value}")


def _decide(venue: Venue, market: Market, value: int, status: MarketStatus) -> None:
    market.value = value
    market.result = "yes" if value == PRICE_SCALE else "scalar" if value else "no"
    market.determined_time = venue.now
    market.decisions += 1
    _change(venue, market, status, "determined" if status == "determined" else "")
    due = venue.now + market.spec.settlement_timer
    venue.at(due, partial(_finalize, venue, market, market.decisions, value))


def _finalize(venue: Venue, market: Market, decision: int, value: int) -> None:
    # A dispute in between has stopped this timer; a later decision has set its own.
    if market.decisions != decision or market.status not in ("determined", "amended"):
        return
    for holding in market.holdings.values():
        if holding.position:
            _pay(venue, holding, value)
    market.open_interest = 0
    market.settled_time = venue.now
    _change(venue, market, "finalized", "settled")


def _pay(venue: Venue, holding: Holding, value: int) -> None:
    """Pay a position out, down to the member's precision; what is left over is a fee."""
    wallet, market = holding.wallet, holding.market
    cost = holding.cost
    yes, no = max(holding.position, 0), max(-holding.position, 0)
    worth = yes * value + no * (PRICE_SCALE - value)
    rounding = worth % wallet.precision
    wallet.cash += worth - rounding
    venue.rounding_income += rounding
    holding.realised += worth - cost
    holding.fees += rounding
    holding.position = holding.cost = holding.fee_cost = 0
    record = Settlement(
        venue.clock,
        venue.now,
        wallet.member.user,
        wallet.number,
        market.ticker,
        market.event_ticker,
        market.result,
        value,
        yes,
        cost if yes else 0,
        no,
        cost if no else 0,
        worth,
        rounding,
        holding.fees,
    )
    wallet.member.settlements.append(record)
    venue.outbox.append(record)
    announce_position(venue, holding)


def set_pause(venue: Venue, *, exchange_active: bool, trading_active: bool) -> None:
    """Pause or resume trading or the whole exchange; orders that ask for it are cancelled by a pause."""
    venue.begin()
    paused = (venue.exchange_active and not exchange_active) or (
        venue.trading_active and not trading_active
    )
    venue.exchange_active = exchange_active
    venue.trading_active = trading_active
    venue.outbox.append(ExchangeUpdate(venue.clock, venue.now, exchange_active, trading_active))
    if paused:
        for member in venue.members.values():
            for wallet in member.everything():
                leaving = [order for order in wallet.resting.values() if order.cancel_on_pause]
                _cancel_all(venue, leaving, "HaltCancel")
