"""A ticket that has looked up its market."""

from __future__ import annotations

from datetime import UTC, datetime

import pandas as pd
import pytest

import kalshi_research as kr
from kalshi_research.errors import InputError

TICKER = "KXHIGHNY-26NOV21-B44.5"


def test_a_prepared_order_knows_grid_book_fees_and_money_of_its_market() -> None:
    with kr.start_sandbox() as sandbox:
        client = kr.connect(sandbox)
        ticket = kr.prepare_order(client, TICKER, quantity=10, price="0.02")
        by_hand = kr.OrderTicket(TICKER, quantity=10, price="0.02", now=lambda: sandbox.now)
        by_hand.load(
            kr.get_market(client, TICKER),
            book=kr.get_orderbook(client, TICKER),
            balance=kr.get_balance(client)["balance"].item(),
        )
        assert (ticket.blockers, ticket.cost, ticket.fee, ticket.taken) == (
            by_hand.blockers, by_hand.cost, by_hand.fee, by_hand.taken,
        )  # fmt: skip
        ticket.quantity = 10_000_000
        assert ticket.blockers == ["this needs $200,000.00 with its fee, and $10,000.00 can be spent"]
        before = len(sandbox.truth.requests)
        with pytest.raises(InputError, match="a ticket has no leverage"):
            kr.prepare_order(client, TICKER, leverage=3)
        assert len(sandbox.truth.requests) == before, "nothing was asked"


def test_a_market_of_a_simulated_exchange_is_not_closed_by_the_clock_on_the_wall() -> None:
    client = kr.connect("sandbox")
    market = kr.get_market(client, TICKER)
    assert market["close_time"].item() < pd.Timestamp("2026-12-01", tz="UTC")
    later = kr.OrderTicket(now=lambda: datetime(2030, 1, 1, tzinfo=UTC), quantity=1, price="0.02")
    later.load(market)
    assert "closed at" in later.blockers[0]
    untold = kr.OrderTicket(quantity=1, price="0.02")
    untold.load(market.iloc[0])
    assert untold.blockers == []
