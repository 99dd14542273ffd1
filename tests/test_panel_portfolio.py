"""The portfolio panel and the desk without a screen."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from decimal import ROUND_CEILING, Decimal
from pathlib import Path
from typing import Any

import pytest

import kalshi_research as kr
from kalshi_research.panels.jobs import Jobs
from kalshi_research.panels.portfolio_model import PortfolioModel

TICKER = "KXHIGHNY-26NOV21-B46.5"
OTHER = "KXHIGHNY-26NOV21-B44.5"
CREATE = "POST /portfolio/events/orders"


@pytest.fixture(autouse=True)
def journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "journal"
    monkeypatch.setenv("KALSHI_RESEARCH_JOURNAL", str(folder))


@pytest.fixture
def sandbox() -> Iterator[Any]:
    with kr.start_sandbox(users=2) as running:
        yield running


@pytest.fixture
def client(sandbox: Any) -> Any:
    return kr.connect(sandbox)


@pytest.fixture
def model(client: Any) -> Iterator[PortfolioModel]:
    made = PortfolioModel(client, Jobs("test"))
    made.refresh()
    yield settled(made)
    made.close()


def settled(model: Any) -> Any:
    assert model._jobs.wait(60)
    return model


def offer(sandbox: Any, side: str, cents: int, contracts: int) -> None:
    name = sandbox._exchange.accounts[1].user_id
    sandbox.floor.call(
        lambda engine: engine.submit(name, TICKER, side, cents * 100, contracts * 100), TICKER
    )


def cells(model: PortfolioModel, rows: str) -> list[dict[str, str]]:
    from kalshi_research.panels import portfolio_panel

    columns = {
        "positions": portfolio_panel._POSITIONS,
        "orders": portfolio_panel._ORDERS,
        "fills": portfolio_panel._FILLS,
        "lost": portfolio_panel._LOST,
    }[rows]
    heads = [column["label"] for column in columns]
    found = [row["cells"] for row in getattr(model, rows)]
    return [dict(zip(heads, row, strict=True)) for row in found]


def test_an_account_that_has_done_nothing(model: PortfolioModel) -> None:
    assert model.summary == "$10,000.00 to spend"
    assert model.state.startswith("as of 20 Nov 15:00:")
    assert [model.positions, model.orders, model.fills, model.lost] == [[], [], [], []]
    assert (model.note, model.result, model.busy) == ("", "", False)


def test_a_position_is_worth_what_selling_it_brings(sandbox: Any, client: Any) -> None:
    offer(sandbox, "ask", 17, 10)
    bought = kr.create_order(client, TICKER, quantity=10, price="0.17")
    assert bought.state == "executed"
    model = PortfolioModel(client, Jobs("test"))
    model.refresh()
    settled(model)
    (row,) = cells(model, "positions")
    touch = kr.quotes(kr.get_orderbook(client, TICKER)).iloc[0]
    bid = Decimal(str(touch["yes_bid"]))
    # 7 % of p(1 − p) a contract, rounded up to a hundredth of a cent.
    fee = (Decimal("0.07") * bid * (1 - bid) * 10).quantize(Decimal("0.0001"), ROUND_CEILING)
    assert (row["Market"], row["Held"], row["Cost"]) == (TICKER, "10 YES", "$1.70")
    assert row["Bid"] == f"{bid:.2f}"
    assert row["Sold now"] == f"${10 * bid:.2f}"
    gain = Decimal(row["Gain if sold"].replace("$", "").replace("+", ""))
    assert gain == round(10 * bid - Decimal("1.70") - fee, 2)
    (fill,) = cells(model, "fills")
    assert (fill["Market"], fill["Bought"], fill["Price"], fill["Contracts"], fill["As"]) == (
        TICKER,
        "YES",
        "0.17",
        "10",
        "taker",
    )
    assert "positions bring" in model.summary
    model.close()


def test_what_nobody_bids_for_is_not_worth_nothing(sandbox: Any, client: Any) -> None:
    offer(sandbox, "ask", 17, 1)
    kr.create_order(client, TICKER, quantity=1, price="0.17")
    book = kr.get_orderbook(client, TICKER)
    offer(sandbox, "ask", 1, int(book.loc[book["side"] == "bid", "quantity"].sum()))
    assert "bid" not in set(kr.get_orderbook(client, TICKER)["side"])
    model = PortfolioModel(client, Jobs("test"))
    model.refresh()
    settled(model)
    (row,) = cells(model, "positions")
    assert (row["Bid"], row["Sold now"], row["Gain if sold"]) == ("–", "–", "–")
    assert "nobody bids for the positions" in model.summary
    model.close()


def test_resting_orders_are_cancelled_from_here(client: Any, model: PortfolioModel) -> None:
    one = kr.create_order(client, TICKER, quantity=3, price="0.05")
    two = kr.create_order(client, OTHER, quantity=2, price="0.04")
    model.refresh()
    settled(model)
    assert {(row["Market"], row["Order"], row["Placed by"]) for row in cells(model, "orders")} == {
        (TICKER, "buy YES", "this session"),
        (OTHER, "buy YES", "this session"),
    }
    model.cancel("somebody-elses")
    model.cancel(one.order_id)
    settled(model)
    assert (model.result_kind, model.result) == (
        "good",
        "Canceled: buy 3 YES at $0.05; nothing was filled.",
    )
    assert [row["key"] for row in model.orders] == [two.order_id]
    assert list(kr.get_orders(client, status="resting").index) == [two.order_id]


def test_what_another_session_left_is_shown_as_such(sandbox: Any, client: Any) -> None:
    name, key = sandbox.credentials(0)[0], sandbox.key_file(0)
    code = (
        "import kalshi_research as kr\n"
        f"client = kr.connect({sandbox.url!r}, key_id={name!r}, private_key={str(key)!r})\n"
        f"print(kr.create_order(client, {TICKER!r}, quantity=4, price='0.06').order_id)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    model = PortfolioModel(client, Jobs("test"))
    with pytest.warns(kr.errors.OpenOrdersWarning):
        found = model._fetch()
    model._loaded(found)
    (row,) = cells(model, "orders")
    assert (row["Order"], row["Filled"], row["Placed by"]) == ("buy YES", "0 of 4", "earlier session")
    assert model.orders[0]["key"] == done.stdout.strip()
    model.cancel(model.orders[0]["key"])
    assert settled(model).orders == []
    model.close()


@pytest.mark.parametrize("arrived", [True, False])
def test_an_order_whose_answer_was_lost_is_named_and_looked_for(
    sandbox: Any, client: Any, arrived: bool
) -> None:
    from kalshi_research.trading import OrderTerms, Pace
    from kalshi_research.trading.desk import desk_of
    from kalshi_research.trading.journal import Intent

    desk = desk_of(client)
    kr.get_open_orders(client)
    desk.pace = Pace(scale=1 / 40)
    terms, now = OrderTerms(TICKER, "buy", "yes", 700, 500), desk.pace.now()
    desk.journal.write(
        Intent("lost-one", "create", "SENT", "another-session", terms.stored(), sent_at=now, until=now)
    )
    model = PortfolioModel(client, Jobs("test"))
    model.refresh()
    settled(model)
    (row,) = cells(model, "lost")
    assert row["Not accounted for"] == f"buy 5 YES of {TICKER} at $0.07"
    assert row["Own id"] == "lost-one"
    placed = kr.create_order(client, OTHER, quantity=1, price="0.01")  # the exchange goes on
    assert placed.state == "resting"
    if arrived:
        me = sandbox._exchange.accounts[0].user_id
        sandbox.floor.call(
            lambda engine: engine.submit(me, TICKER, "bid", 700, 500, client_order_id="lost-one"), TICKER
        )
    model.seek("unheard-of")
    assert (model.busy, model.result) == (False, "")
    model.seek("lost-one")
    settled(model)
    assert model.lost == []
    found = desk.journal.get("lost-one")
    assert found is not None
    if arrived:
        assert (found.state, model.result_kind) == ("ACKED", "good")
        assert model.result.startswith("Resting: buy 5 YES at $0.07")
        assert {row["Market"] for row in cells(model, "orders")} == {TICKER, OTHER}
    else:
        assert (found.state, model.result_kind) == ("NOT_PLACED", "warn")
        assert "was not placed" in model.result
        assert [row["Market"] for row in cells(model, "orders")] == [OTHER]
    model.close()


@pytest.mark.parametrize("arrived", [True, False])
def test_a_cancel_whose_answer_was_lost_is_named_and_looked_for(
    sandbox: Any, client: Any, arrived: bool
) -> None:
    from kalshi_research.trading import Pace
    from kalshi_research.trading.desk import desk_of
    from kalshi_research.trading.journal import Intent

    order = kr.create_order(client, TICKER, quantity=3, price="0.05")
    desk = desk_of(client)
    desk.pace = Pace(scale=1 / 40)
    now = desk.pace.now()
    desk.journal.write(
        Intent(
            "lost-cancel", "cancel", "SENT", "another-session", {"ticker": TICKER}, sent_at=now,
            until=now, order_id=order.order_id,
        )
    )  # fmt: skip
    if arrived:
        me = sandbox._exchange.accounts[0].user_id
        sandbox.floor.call(lambda engine: engine.cancel(me, order.order_id), TICKER)
    model = PortfolioModel(client, Jobs("test"))
    model._loaded(model._fetch() | {"lost": [desk.journal.get("lost-cancel")]})
    (row,) = cells(model, "lost")
    assert row["Not accounted for"] == f"cancel order {order.order_id} in {TICKER}"
    model.seek("lost-cancel")
    settled(model)
    assert model.result.startswith(f"Cancel order {order.order_id} in {TICKER}: It ")
    assert bool(model.orders) == (not arrived)
    model.close()


def test_positions_without_a_bid_are_left_out_and_counted(sandbox: Any, client: Any) -> None:
    name = sandbox._exchange.accounts[1].user_id
    for ticker, cents in ((TICKER, 17), (OTHER, 26)):
        sandbox.floor.call(
            lambda engine, t=ticker, c=cents: engine.submit(name, t, "ask", c * 100, 100), ticker
        )
        kr.create_order(client, ticker, quantity=1, price=f"0.{cents}")
    book = kr.get_orderbook(client, TICKER)
    offer(sandbox, "ask", 1, int(book.loc[book["side"] == "bid", "quantity"].sum()))
    model = PortfolioModel(client, Jobs("test"))
    model.refresh()
    settled(model)
    assert "1 of 2 without a bid left out" in model.summary
    model.close()


def test_a_cancel_that_is_refused_is_said_and_the_order_is_still_there(
    sandbox: Any, client: Any, model: PortfolioModel
) -> None:
    order = kr.create_order(client, TICKER, quantity=3, price="0.05")
    model.refresh()
    settled(model)
    sandbox.faults.add("reject_then:400", "DELETE /portfolio/events/orders/{order_id}")
    model.cancel(order.order_id)
    settled(model)
    assert model.result_kind == "warn"
    assert model.result
    assert [row["key"] for row in model.orders] == [order.order_id]


def test_a_panel_that_fails_before_it_ever_saw_the_account_shows_no_state(
    sandbox: Any, client: Any
) -> None:
    sandbox.faults.add("reject_then:400", "GET /portfolio/positions")
    model = PortfolioModel(client, Jobs("test"))
    model.refresh()
    settled(model)
    assert (model.state, bool(model.note), model.busy) == ("", True, False)
    model.close()


def test_what_goes_wrong_is_said_and_what_was_there_is_marked(
    sandbox: Any, client: Any, model: PortfolioModel
) -> None:
    kr.create_order(client, TICKER, quantity=3, price="0.05")
    model.refresh()
    before = settled(model).orders
    sandbox.faults.add("reject_then:400", "GET /portfolio/positions")
    model.refresh()
    settled(model)
    assert model.note
    assert model.state.endswith("not current")
    assert model.orders == before
    model.refresh()
    settled(model)
    assert (model.note, "not current" in model.state) == ("", False)


def test_without_a_key_there_is_no_portfolio(sandbox: Any) -> None:
    model = PortfolioModel(kr.connect(sandbox.url), Jobs("test"))
    model.refresh()
    assert model.note == "This client has no key, so it has no portfolio."
    assert not model.busy
    model.close()


def test_a_panel_that_nobody_sees_does_not_ask(sandbox: Any, client: Any, model: PortfolioModel) -> None:
    model.views = 0
    before = len(sandbox.truth.requests)
    model._look_again()
    settled(model)
    assert len(sandbox.truth.requests) == before
    model.views = 1
    model._look_again()
    settled(model)
    assert len(sandbox.truth.requests) > before


@pytest.fixture
def desk(client: Any) -> Iterator[Any]:
    made = kr.Desk(client)
    yield waited(made)
    made.close()


def waited(desk: Any) -> Any:
    for _ in range(3):  # what one has done may give another something to do
        for panel in (desk.browser, desk.book, desk.order, desk.portfolio):
            assert panel.jobs.wait(60)
    return desk


def test_one_market_is_that_of_all_panels(desk: Any) -> None:
    desk.browser.model.go(("KXHIGHNY", "KXHIGHNY-26NOV21"))
    waited(desk).browser.model.open(TICKER)
    waited(desk)
    assert desk.ticker == desk.book.ticker == desk.order.ticker == TICKER
    assert desk.order.model.ticket.ticker == TICKER
    desk.ticker = OTHER
    waited(desk)
    assert desk.browser.ticker == desk.book.model.ticker == desk.order.model.ticket.ticker == OTHER


def test_a_price_of_the_book_is_written_into_the_order_and_nothing_is_sent(
    sandbox: Any, desk: Any
) -> None:
    desk.ticker = TICKER
    waited(desk)
    desk.book._pick(None, {"price": "0.19", "side": "ask"}, None)
    assert desk.order.model.ticket.price == "0.19"
    desk.order.model.ticket.outcome = "no"
    desk.book._pick(None, {"price": "0.19", "side": "ask"}, None)
    assert desk.order.model.ticket.price == "0.81"
    desk.book._pick(None, {"price": "<b>", "side": "ask"}, None)
    assert desk.order.model.ticket.price == "0.81"
    assert desk.order.model.note
    waited(desk)
    assert [r for r in sandbox.truth.requests if r.method != "GET"] == []


def test_an_order_is_in_the_portfolio_at_once_and_gone_when_cancelled_there(desk: Any) -> None:
    desk.ticker = TICKER
    waited(desk)
    desk.order.model.ticket.edit(quantity="4", price="0.05")
    desk.order.model.check()
    waited(desk)
    desk.order.model.send()
    waited(desk)
    assert [row["cells"][3] for row in desk.portfolio.model.orders] == ["0 of 4"]
    assert desk.order.model.orders
    desk.portfolio.model.cancel(desk.portfolio.model.orders[0]["key"])
    waited(desk)
    assert desk.order.model.orders == []
    assert desk.portfolio.model.orders == []


def test_a_position_that_is_clicked_is_the_market_of_all_panels(desk: Any, client: Any) -> None:
    order = kr.create_order(client, OTHER, quantity=1, price="0.02")
    desk.portfolio.model.refresh()
    waited(desk)
    desk.portfolio._choose("orders", order.order_id)
    assert desk.ticker == OTHER


def test_a_desk_without_a_key_shows_books_and_trades_nothing(sandbox: Any) -> None:
    desk = kr.Desk(kr.connect(sandbox.url), TICKER)
    waited(desk)
    assert desk.order.model.locked == "This client has no key, so it cannot trade."
    assert "NO" in desk.order.model.touch
    assert "no portfolio" in desk.portfolio.model.note
    desk.close()


def test_no_click_waits_for_the_exchange(
    sandbox: Any, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cell that runs or a person who clicks gets on, though nothing is answered."""
    free, call = threading.Event(), client._caller.call

    def stuck(*arguments: Any, **more: Any) -> Any:
        assert free.wait(60)
        return call(*arguments, **more)

    monkeypatch.setattr(client._caller, "call", stuck)
    began = time.monotonic()
    desk = kr.Desk(client, TICKER)
    for _ in range(3):
        for part in parts_of(desk):
            if type(part).__name__ == "Button":
                part.click()
        desk.ticker = OTHER if desk.ticker == TICKER else TICKER
    desk.book._pick(None, {"price": "0.19", "side": "ask"}, None)
    desk.order.model.ticket.edit(quantity="1", price="0.05")
    for panel in (desk.browser, desk.book, desk.order, desk.portfolio):
        assert panel.jobs.busy
    assert time.monotonic() - began < 5, "hundreds of answers were waited for"
    free.set()
    waited(desk)
    desk.close()
    assert [request.method for request in sandbox.truth.requests if request.method != "GET"] == []


def parts_of(widget: Any) -> Iterator[Any]:
    yield widget
    for child in getattr(widget, "children", ()):
        yield from parts_of(child)
