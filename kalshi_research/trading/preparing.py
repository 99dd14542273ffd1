"""A ticket that knows its market: everything that has to be asked before an order is written."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pandas as pd

from kalshi_research.analysis.fee_terms import market_fee_terms
from kalshi_research.fees import FeeTerms, fee_terms
from kalshi_research.market_data import get_event, get_market, get_orderbook, get_series
from kalshi_research.market_data.tiers import exchange_time
from kalshi_research.portfolio import get_balance, get_positions
from kalshi_research.trading.terms import check_ticker
from kalshi_research.trading.ticket import OrderTicket

if TYPE_CHECKING:
    from kalshi_research.client import Client

__all__ = ["Outlook", "look_up", "prepare_order"]


@dataclass(frozen=True, slots=True)
class Outlook:
    """A market as it stands, and what one's own account has in it.

    Attributes
    ----------
    market : DataFrame
        One row, as of `get_market`.
    book : DataFrame
        As of `get_orderbook`.
    fees : FeeTerms
    at : datetime
        When that was, by the clock of the exchange.
    position, balance : float or None
        [contracts], negative for NO, and [dollars]; None without a key.
    """

    market: pd.DataFrame
    book: pd.DataFrame
    fees: FeeTerms
    at: datetime
    position: float | None = None
    balance: float | None = None

    def tell(self, ticket: OrderTicket) -> None:
        """Tell a ticket all of it."""
        ticket.load(
            self.market,
            book=self.book,
            position=self.position,
            balance=self.balance,
            fees=self.fees,
        )


def look_up(client: Client, ticker: str, *, fees: FeeTerms | None = None) -> Outlook:
    """Ask what there is to know about a market before an order.

    Parameters
    ----------
    client : Client
    ticker : str
    fees : FeeTerms, optional
        What the market charges, where it is known already; else event and series are asked.
    """
    market = get_market(client, check_ticker(ticker))
    at = exchange_time(client).to_pydatetime().astimezone(UTC)
    position = balance = None
    if client.signed:
        held = get_positions(client, ticker, progress=False)
        position = float(held["position"].iloc[0]) if len(held) else 0.0
        balance = float(get_balance(client)["balance"].iloc[0])
    return Outlook(
        market=market,
        book=get_orderbook(client, ticker),
        fees=fees or _fees(client, market, at),
        at=at,
        position=position,
        balance=balance,
    )


def _fees(client: Client, market: pd.DataFrame, at: datetime) -> FeeTerms:
    event = get_event(client, str(market["event_ticker"].iloc[0]))
    series = get_series(client, str(event["series_ticker"].iloc[0]))
    terms = market_fee_terms(market, event, series).iloc[0]
    waived = terms["fee_waiver_expiration_time"]
    return fee_terms(
        str(terms["fee_type"]),
        float(terms["fee_multiplier"]),
        waived_until=None if pd.isna(waived) else waived.to_pydatetime(),
        at=at,
    )


def prepare_order(client: Client, ticker: str, **fields: Any) -> OrderTicket:
    """Write a ticket for a market that has been looked up: grid, book, fees, position and balance.

    Nothing is placed. `OrderTicket.confirm` agrees to exactly this order, and `create_order` places
    it. A ticket is a snapshot: prepare another one when the market has moved.

    Parameters
    ----------
    client : Client
        Without a key position and balance stay unknown, and the order cannot be placed.
    ticker : str
        Market.
    **fields
        Traits of `OrderTicket`: ``action``, ``outcome``, ``quantity``, ``price``, ``time_in_force``,
        ``post_only``, ``reduce_only``, ``expires`` and so on.

    Returns
    -------
    OrderTicket
        Its ``blockers`` say what stands against the order, ``cost``, ``worst_loss``, ``fee`` and
        ``break_even`` what it would mean.

    Raises
    ------
    InputError
        If a field is no trait of a ticket, or its value no number or word of its kind.
    NotFoundError
        If there is no such market.

    Examples
    --------
    >>> import kalshi_research as kr
    >>> client = kr.connect("sandbox")
    >>> ticket = prepare_order(client, "KXHIGHNY-26NOV21-B44.5", quantity=10, price="0.02")
    >>> ticket.blockers, ticket.cost
    ([], Decimal('0.200000'))
    >>> ticket.price = "0.023"
    >>> print(*ticket.blockers)
    the price '0.023' is not on the price grid of this market; the nearest valid price is 0.02 or 0.03
    """
    ticket = OrderTicket(ticker, **fields)  # a wrong field is said before anything is asked
    found = look_up(client, ticker)
    ticket = OrderTicket(ticker, now=(lambda: found.at) if client.simulated else client.clock, **fields)
    found.tell(ticket)
    return ticket
