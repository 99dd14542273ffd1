"""A ticket is sent to the exchange it was written for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import kalshi_research as kr
from kalshi_research.errors import InputError
from kalshi_research.trading import MarketRules
from tests.order_venue import Venue, opened

FIELDS = {"quantity": 5, "price": "0.42"}


@pytest.fixture
def demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Venue]:
    with opened(tmp_path, monkeypatch) as made:
        yield made


@pytest.fixture
def prod(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Venue]:
    with opened(tmp_path, monkeypatch, environment="prod") as made:
        monkeypatch.setattr("builtins.input", lambda _: "prod")
        kr.arm(made.client, max_order_cost=50, max_position=500, minutes=5)
        yield made


def written(venue: Venue, market: object) -> kr.OrderTicket:
    ticket = kr.OrderTicket("T", now=venue.now, **FIELDS)
    ticket.load(market)
    ticket.confirm()
    return ticket


@pytest.mark.parametrize("row", [False, True])
def test_a_ticket_for_one_exchange_is_not_sent_to_another(demo: Venue, prod: Venue, row: bool) -> None:
    for here, there, name, other in ((demo, prod, "demo", "prod"), (prod, demo, "prod", "demo")):
        market = kr.get_market(here.client, "T")
        ticket = written(here, market.loc["T"] if row else market)
        assert ticket.environment == name
        with pytest.raises(InputError, match=f"written for {name}, and this client is one of {other}"):
            kr.create_order(there.client, ticket)
        assert there.writes == []
        assert ticket.confirmed, "it may still be sent where it belongs"
        before = len(here.writes)
        assert kr.create_order(here.client, ticket).state == "resting"
        assert len(here.writes) == before + 1
        here.seen.clear()


def test_another_market_brings_its_own_origin(demo: Venue, prod: Venue) -> None:
    ticket = written(demo, kr.get_market(demo.client, "T"))
    ticket.load(kr.get_market(prod.client, "T"))
    ticket.confirm()
    assert kr.create_order(prod.client, ticket).environment == "prod"


def test_a_ticket_that_nobody_says_the_origin_of_is_free(demo: Venue, prod: Venue) -> None:
    market = kr.get_market(demo.client, "T")
    mixed = market.copy()
    mixed.attrs["kalshi"] = {**market.attrs["kalshi"], "environment": "mixed"}
    free = (MarketRules.of(market), dict(market.loc["T"], ticker="T"), mixed)
    for number, given in enumerate(free):
        ticket = written(demo, given)
        ticket.price = f"0.1{number}"
        ticket.confirm()
        assert ticket.environment == ""
        assert kr.create_order(prod.client, ticket).state == "resting"
