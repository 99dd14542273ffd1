"""Changes that cross fills: what is reported of an order is what the engine holds."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import kalshi_research as kr
from kalshi_research.errors import ApiError, OrderNotPlaced, OrderRejected
from kalshi_research.sandbox import Sandbox
from kalshi_research.trading import Pace
from kalshi_research.trading.desk import desk_of

TICKER = "KXHIGHNY-26NOV21-B44.5"
ONE = "/portfolio/events/orders/{order_id}"


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(days=2, crypto_hours=1) as made:
        made.faults.scale = 1 / 40
        yield made


@pytest.fixture
def client(sandbox: Sandbox, tmp_path: Path, monkeypatch) -> Iterator[kr.Client]:
    monkeypatch.setenv("KALSHI_RESEARCH_JOURNAL", str(tmp_path))
    key_id, key = sandbox.credentials(0)
    with kr.connect(sandbox.url.removesuffix("/trade-api/v2"), key_id=key_id, private_key=key) as made:
        desk_of(made).pace = Pace(settle_margin=20.0, patience=60.0, scale=1 / 40)
        yield made
    sandbox.faults.clear()


def true(sandbox: Sandbox, report: kr.OrderReport) -> Any:
    (found,) = sandbox.truth.accepted(report.client_order_id)
    return found


def same(sandbox: Sandbox, report: kr.OrderReport) -> bool:
    found = true(sandbox, report)
    state = "partial" if found.status == "resting" and found.filled else found.status
    assert report.filled is not None
    assert report.remaining is not None
    said = (report.state, int(report.filled * 100), int(report.remaining * 100))
    return said == (state, found.filled, found.remaining)


@pytest.mark.parametrize("lag", [False, True])
@pytest.mark.parametrize("fill", ["", "fill:before", "fill:between", "fill:after"])
@pytest.mark.parametrize("counts", ["0.40", "0.30,0.30", ""])
@pytest.mark.parametrize("price", ["0.02", "0.99"])
def test_an_amendment(
    sandbox: Sandbox, client: kr.Client, *, lag: bool, fill: str, counts: str, price: str
) -> None:
    """Also one that is filled in part before, and crosses the book itself."""
    made = kr.create_order(client, TICKER, quantity=2, price="0.01")
    if lag:
        sandbox.faults.add("read_lag", "GET /portfolio/**", seconds=3.0)
    if fill:
        sandbox.faults.add(fill, f"POST {ONE}/amend", counts=counts)
    try:
        report = kr.amend_order(client, made, price=price, quantity=3)
    except OrderRejected:
        assert true(sandbox, made).status == "executed"
        return
    found = true(sandbox, made)
    if fill in ("fill:after", "fill:between"):
        # What others take after it was carried out, its answer does not know of.
        assert report.state in (found.status, "resting", "partial")
        assert report.filled is not None
        assert int(report.filled * 100) <= found.filled
        if found.status == report.state == "executed":
            assert int(report.filled * 100) == found.filled
    else:
        assert same(sandbox, report)
    kr.cancel_order(client, made)


@pytest.mark.parametrize("by", ["0.50", "1.60", "2"])
@pytest.mark.parametrize("counts", ["", "0.40"])
def test_a_decrease(sandbox: Sandbox, client: kr.Client, by: str, counts: str) -> None:
    """Also one that takes away more than a fill in between has left."""
    made = kr.create_order(client, TICKER, quantity=2, price="0.01")
    if counts:
        sandbox.faults.add("fill:before", f"POST {ONE}/decrease", counts=counts)
    try:
        report = kr.decrease_order(client, made, by=by)
    except OrderRejected:
        # More than is left: nothing is taken away.
        assert (by, counts) == ("2", "0.40")
        assert (true(sandbox, made).status, true(sandbox, made).remaining) == ("resting", 160)
        return
    assert same(sandbox, report)
    if report.open:
        kr.cancel_order(client, made)


def test_an_amendment_that_meets_an_own_order(sandbox: Sandbox, client: kr.Client) -> None:
    """What is left of it is cancelled: it is not executed, however much it has filled."""
    best = float(kr.quotes(kr.get_orderbook(client, TICKER)).yes_ask.iloc[0])
    ask = kr.create_order(client, TICKER, action="sell", quantity=5, price=f"{best - 0.01:.2f}")
    bid = kr.create_order(client, TICKER, quantity=2, price="0.01")
    report = kr.amend_order(client, bid, price=f"{best - 0.01:.2f}", quantity=3)
    assert same(sandbox, report)
    kr.cancel_order(client, ask)


def test_changes_that_follow_each_other_faster_than_reads(sandbox: Sandbox, client: kr.Client) -> None:
    """What a change starts from is the order as it was changed last, not as reads still show it."""
    made = kr.create_order(client, TICKER, quantity=2, price="0.01")
    sandbox.faults.add("read_lag", "GET /portfolio/**", seconds=6.0)
    assert same(sandbox, kr.amend_order(client, made, quantity=3))
    assert same(sandbox, kr.decrease_order(client, made, by="0.25"))
    sandbox.faults.add("fill:before", f"POST {ONE}/decrease", counts="0.10")
    assert same(sandbox, kr.decrease_order(client, made, by="0.25"))
    assert same(sandbox, kr.decrease_order(client, made, by="0.50"))
    gone = kr.cancel_order(client, made)
    assert same(sandbox, gone)
    assert gone.filled is not None
    assert int(gone.filled * 100) == 10


@pytest.mark.parametrize("shown", ["hang", "503"])
def test_a_lost_change_back_is_not_taken_for_the_state_before(
    sandbox: Sandbox, client: kr.Client, shown: str
) -> None:
    """Reads are old: they may still show the price that the lost change was to lead back to."""
    made = kr.create_order(client, TICKER, quantity=2, price="0.01")
    sandbox.faults.add("read_lag", "GET /portfolio/**", seconds=6.0)
    kr.amend_order(client, made, price="0.02")
    sandbox.faults.add(f"reject_then:{shown}", f"POST {ONE}/amend")
    with pytest.raises(OrderNotPlaced, match="as it was"):
        kr.amend_order(client, made, price="0.01")
    assert true(sandbox, made).price == 200
    kr.cancel_order(client, made)


def test_a_lost_change_of_an_order_that_no_read_shows_yet(sandbox: Sandbox, client: kr.Client) -> None:
    """The journal alone knows what it was; reads will show it as it was placed first."""
    sandbox.faults.add("read_lag", "GET /portfolio/**", seconds=6.0)
    made = kr.create_order(client, TICKER, quantity=2, price="0.01")
    kr.amend_order(client, made, price="0.02")
    sandbox.faults.add("reject_then:503", f"POST {ONE}/amend")
    with pytest.raises(OrderNotPlaced, match="as it was"):
        kr.amend_order(client, made, price="0.01")
    assert true(sandbox, made).price == 200
    kr.cancel_order(client, made)


def test_a_lost_change_that_somebody_else_overtook(
    sandbox: Sandbox, client: kr.Client, monkeypatch
) -> None:
    """The order is told as it is then, and that nobody can see any more what this change did."""
    made = kr.create_order(client, TICKER, quantity=2, price="0.01")
    user, real = sandbox._exchange.accounts[0].user_id, client.request

    def overtaken(method: str, path: str, **more: Any) -> Any:
        try:
            return real(method, path, **more)
        except ApiError:
            sandbox.floor.call(
                lambda engine: engine.amend(
                    user, made.order_id, ticker=TICKER, side="bid", price=300, count=500
                ),
                TICKER,
            )
            raise

    sandbox.faults.add("accept_then:503", f"POST {ONE}/amend")
    with monkeypatch.context() as patch:
        patch.setattr(client, "request", overtaken)
        report = kr.amend_order(client, made, price="0.02", quantity=4)
    assert (report.price, report.quantity) == (Decimal("0.03"), 5)
    assert "cannot be seen any more" in report.note
    assert same(sandbox, report)
    kr.cancel_order(client, made)
