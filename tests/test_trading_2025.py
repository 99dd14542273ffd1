"""Orders in the protocol of the documents of 2025: the same promises, other words."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import kalshi_research as kr
from kalshi_research.errors import InputError, OrderNotPlaced, OrderRejected
from kalshi_research.sandbox import Sandbox
from kalshi_research.trading import Pace
from kalshi_research.trading.desk import desk_of

TICKER = "KXHIGHNY-26NOV21-B44.5"


class Venue:
    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        sandbox.faults.scale = 1 / 40
        key_id, key = sandbox.credentials(0, key_type="rsa")
        self.client = kr.connect(
            sandbox.url.removesuffix("/trade-api/v2"), key_id=key_id, private_key=key, dialect="2025"
        )
        desk_of(self.client).pace = Pace(settle_margin=20.0, patience=60.0, scale=1 / 40)

    def place(self, price: str = "0.02", quantity: Any = 5, **more: Any) -> kr.OrderReport:
        return kr.create_order(self.client, TICKER, quantity=quantity, price=price, **more)

    def orders(self) -> list[Any]:
        user = self.sandbox._exchange.accounts[0].user_id
        found: list[Any] = self.sandbox.floor.call(lambda engine: list(engine.members[user].orders))
        return found


@pytest.fixture
def venue(tmp_path: Path, monkeypatch) -> Iterator[Venue]:
    monkeypatch.setenv("KALSHI_RESEARCH_JOURNAL", str(tmp_path))
    with Sandbox(days=2, crypto_hours=1, dialect="2025") as sandbox:
        yield Venue(sandbox)


@pytest.mark.parametrize(
    ("action", "outcome", "side", "yes"),
    [("buy", "yes", "bid", 200), ("sell", "no", "bid", 9800), ("buy", "no", "ask", 9800)],
)
def test_an_order_from_beginning_to_end(venue: Venue, action, outcome, side, yes) -> None:
    if side == "bid" and yes == 9800:
        venue.sandbox.floor.call(lambda engine: None)
        made = venue.place("0.98", action=action, outcome=outcome)  # bids YES at 0.02
        yes = 200
    else:
        made = venue.place("0.02", action=action, outcome=outcome)
    (true,) = venue.orders()
    assert (made.state, true.side, true.price, true.remaining) == ("resting", side, yes, 500)
    assert kr.amend_order(venue.client, made, quantity=4).remaining == 4
    assert kr.decrease_order(venue.client, made, by=1).remaining == 3
    assert true.remaining == 300
    listed = kr.get_open_orders(venue.client)
    assert listed.loc[made.order_id, ["action", "outcome"]].tolist() == [action, outcome]
    gone = kr.cancel_order(venue.client, made)
    assert (gone.state, true.status) == ("canceled", "canceled")
    assert kr.cancel_order(venue.client, made).note == "canceled already"


@pytest.mark.parametrize("shown", ["hang", "RST", "503", "truncated", "schema", "empty", "other"])
@pytest.mark.parametrize("how", ["accept_then", "reject_then", "late_commit"])
def test_lost_answers(venue: Venue, how: str, shown: str) -> None:
    venue.sandbox.faults.add(f"{how}:{shown}", "POST /portfolio/orders")
    if how == "reject_then":
        with pytest.raises(OrderNotPlaced):
            venue.place()
        assert venue.orders() == []
        return
    made = venue.place()
    assert [o.order_id for o in venue.orders()] == [made.order_id]


def test_batches_and_cancelling_everything(venue: Venue) -> None:
    rows = [{"ticker": TICKER, "quantity": 1, "price": f"0.0{n}"} for n in (1, 2)]
    rows.append({"ticker": TICKER, "quantity": 1, "price": "0.99", "post_only": True})
    first, second, third = kr.create_orders(venue.client, rows)
    assert [first.state, second.state, third.state] == ["resting", "resting", "rejected"]
    gone = kr.cancel_orders(venue.client, [first])
    assert [report.state for report in gone] == ["canceled"]
    assert [report.state for report in kr.cancel_all_orders(venue.client)] == ["canceled"]
    assert {o.status for o in venue.orders()} == {"canceled"}


def test_what_it_cannot_say_and_what_it_refuses(venue: Venue) -> None:
    with pytest.raises(InputError, match="whole contracts"):
        venue.place(quantity="1.50")
    assert venue.orders() == []
    with pytest.raises(OrderRejected):
        venue.place(quantity=10**6)
