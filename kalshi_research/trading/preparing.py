"""A ticket that knows its market: everything that has to be asked before an order is written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from kalshi_research.analysis.fee_terms import market_fee_terms
from kalshi_research.fees import FeeTerms, fee_terms
from kalshi_research.market_data import get_event, get_market, get_orderbook, get_series
from kalshi_research.market_data.tiers import exchange_time
from kalshi_research.portfolio import get_balance, get_positions
from kalshi_research.trading.ticket import OrderTicket

if TYPE_CHECKING:
    from datetime import datetime

    from kalshi_research.client import Client

__all__ = ["fees_of", "prepare_order"]


def fees_of(client: Client, market: pd.DataFrame, at: datetime) -> FeeTerms:
    """What a market charges at a moment, asked of its event and its series.

    Parameters
    ----------
    client : Client
    market : DataFrame
        One row, as of `get_market`.
    at : datetime
        Aware; a waiver of fees ends some day.
    """
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
    OrderTicket(ticker, **fields)  # a wrong field is said before anything is asked
    market = get_market(client, ticker)
    at = exchange_time(client).to_pydatetime()
    ticket = OrderTicket(ticker, now=(lambda: at) if client.simulated else client.clock, **fields)
    held = get_positions(client, ticker, progress=False) if client.signed else None
    ticket.load(
        market,
        book=get_orderbook(client, ticker),
        position=None if held is None else float(held["position"].sum()),
        balance=float(get_balance(client)["balance"].iloc[0]) if client.signed else None,
        fees=fees_of(client, market, at),
    )
    return ticket
