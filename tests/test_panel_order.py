"""The order panel without a screen."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from decimal import ROUND_CEILING, Decimal
from typing import Any

import pytest

import kalshi_research as kr
from kalshi_research.panels.jobs import Jobs
from kalshi_research.panels.order_model import OrderModel

TICKER = "KXHIGHNY-26NOV21-B46.5"
CREATE = "POST /portfolio/events/orders"


@pytest.fixture
def sandbox() -> Iterator[Any]:
    with kr.start_sandbox(users=2) as running:
        yield running


@pytest.fixture
def client(sandbox: Any) -> Any:
    return kr.connect(sandbox)


@pytest.fixture
def model(client: Any) -> Iterator[OrderModel]:
    made = OrderModel(client, Jobs("test"))
    made.ticker = TICKER
    yield settled(made)
    made.close()


def settled(model: OrderModel) -> OrderModel:
    assert model._jobs.wait(30)
    return model


def write(model: OrderModel, **fields: Any) -> None:
    model.ticket.edit(**({"quantity": "10", "price": "0.10"} | fields))


def sent(sandbox: Any) -> list[Any]:
    return [
        request
        for request in sandbox.truth.requests
        if (request.method, request.path) == ("POST", "/trade-api/v2/portfolio/events/orders")
    ]


def other(sandbox: Any, side: str, cents: int, contracts: int = 1) -> None:
    name = sandbox._exchange.accounts[1].user_id
    sandbox.floor.call(
        lambda engine: engine.submit(name, TICKER, side, cents * 100, contracts * 100), TICKER
    )


def test_the_market_is_shown_before_anything_is_written(client: Any, model: OrderModel) -> None:
    top = kr.quotes(kr.get_orderbook(client, TICKER)).iloc[0]
    assert f"YES {top['yes_bid']:.2f} bid, {top['yes_ask']:.2f} ask" in model.touch
    assert "you hold nothing · $10,000.00 to spend" in model.touch
    assert model.blockers == "No quantity is given.\nNo price is given."
    assert model.locked == ""


def test_what_it_costs_is_said_while_it_is_written(model: OrderModel) -> None:
    write(model)
    assert model.blockers == ""
    assert model.preview.startswith("Cost $1.00 · fee now $0.00")
    assert model.preview.endswith("would rest: nothing in the book meets it")
    write(model, price="0.19", quantity="5")
    assert model.preview.endswith("the book fills all of it at once")


def test_an_order_is_placed_in_two_steps(sandbox: Any, model: OrderModel) -> None:
    write(model)
    model.send()
    assert settled(model).stage == "editing"
    assert sent(sandbox) == []
    model.check()
    assert settled(model).stage == "confirming"
    assert sent(sandbox) == []
    model.send()
    assert settled(model).stage == "editing"
    assert (model.result_kind, model.result) == ("good", "Resting: buy 10 YES at $0.10.")
    assert len(sent(sandbox)) == 1
    assert [row["cells"][:4] for row in model.orders] == [["buy YES", "0.10", "0 of 10", "resting"]]


def test_twenty_clicks_are_one_order(sandbox: Any, model: OrderModel) -> None:
    write(model)
    model.check()
    settled(model)
    clicks = [threading.Thread(target=model.send) for _ in range(20)]
    for click in clicks:
        click.start()
    for click in clicks:
        click.join()
    settled(model)
    model.send()
    settled(model)
    assert len(sent(sandbox)) == 1


@pytest.mark.parametrize(
    "edit",
    [{"quantity": "11"}, {"price": "0.11"}, {"outcome": "no"}, {"action": "sell"}, {"post_only": True}],
)
def test_any_edit_takes_the_preview_back(sandbox: Any, model: OrderModel, edit: dict[str, Any]) -> None:
    write(model)
    model.check()
    settled(model)
    for name, value in edit.items():
        setattr(model.ticket, name, value)
    assert model.stage == "editing"
    model.send()
    settled(model)
    assert sent(sandbox) == []


def test_another_expiry_takes_the_preview_back(model: OrderModel) -> None:
    write(model)
    model.check()
    settled(model)
    model.expiry = "1 day"
    assert model.stage == "editing"


def test_an_expiry_that_was_previewed_does_not_stand_against_filling_now(model: OrderModel) -> None:
    write(model)
    model.check()
    settled(model)
    model.ticket.time_in_force = "immediate_or_cancel"
    assert (model.stage, model.blockers) == ("editing", "")
    model.check()
    settled(model)
    assert model.stage == "confirming"


def test_a_moved_market_asks_again(sandbox: Any, model: OrderModel) -> None:
    write(model)
    model.check()
    settled(model)
    other(sandbox, "ask", 17, 4)
    other(sandbox, "bid", 17, 4)
    write(model, price="0.19", quantity="5")
    model.check()
    settled(model)
    other(sandbox, "ask", 17, 4)
    model.send()
    settled(model)
    assert sent(sandbox) == []
    assert (model.result_kind, model.stage) == ("warn", "editing")
    assert "The market has moved since you looked: nothing was sent." in model.result


def test_an_order_expires_after_an_hour_unless_something_else_is_chosen(
    client: Any, model: OrderModel
) -> None:
    write(model)
    model.check()
    settled(model)
    model.send()
    settled(model)
    (order,) = kr.get_orders(client, TICKER, status="resting").to_dict("records")
    assert (order["expiration_time"] - order["created_time"]).total_seconds() == 3600
    model.expiry = "never (until canceled)"
    write(model, price="0.11")
    model.check()
    settled(model)
    model.send()
    settled(model)
    orders = kr.get_orders(client, TICKER, status="resting")
    assert orders["expiration_time"].isna().sum() == 1


def test_a_partial_fill_is_told_in_words(sandbox: Any, model: OrderModel) -> None:
    other(sandbox, "ask", 17, 3)
    write(model, price="0.17")
    model.check()
    settled(model)
    model.send()
    settled(model)
    assert model.result.startswith("Filled 3 of 10; the rest is resting (buy 10 YES at $0.17).")
    assert "you hold 3 YES" in model.touch


def test_own_orders_are_amended_and_canceled(client: Any, model: OrderModel) -> None:
    order = kr.create_order(client, TICKER, quantity=10, price="0.10")
    model.look()
    settled(model)
    model.amend("0.11", "")
    assert model.result == "Choose one of your resting orders first."
    model.chosen = order.order_id
    model.amend("0.10", "10")
    assert model.result == "This order has that price and size already."
    model.amend("0.1000", "")
    assert model.result == "This order has that price and size already.", "however it is spelled"
    model.amend("0.11", "8")
    settled(model)
    assert model.result == "Resting: buy 8 YES at $0.11."
    model.cancel(order.order_id)
    settled(model)
    assert model.result == "Canceled: buy 8 YES at $0.11; nothing was filled."
    assert model.orders == []


def test_an_order_of_which_nothing_is_known_says_so_and_is_found(
    sandbox: Any, model: OrderModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kalshi_research.errors import OrderUnknown
    from kalshi_research.panels import order_model

    found = kr.create_order(model.client, TICKER, quantity=1, price="0.05")
    lost = OrderUnknown(
        "it is not known whether the order was placed.\nNothing is lost.\nLook again.",
        resolver=lambda _: found,
    )

    def lose(*_: Any, **__: Any) -> Any:
        raise lost

    monkeypatch.setattr(order_model, "create_order", lose)
    write(model)
    model.check()
    settled(model)
    model.send()
    settled(model)
    assert model.unknown
    assert (model.result_kind, model.result) == ("warn", str(lost))
    model.resolve()
    settled(model)
    assert not model.unknown
    assert model.result == "Resting: buy 1 YES at $0.05."


def test_a_refusal_is_shown(sandbox: Any, model: OrderModel) -> None:
    sandbox.faults.add("reject_then:400", CREATE)
    write(model)
    model.check()
    settled(model)
    model.send()
    settled(model)
    assert model.result_kind == "warn"
    assert model.result
    assert model.stage == "editing"
    assert not model.ticket.confirmed


@pytest.mark.parametrize(
    ("price", "ticks", "then"),
    [("0.10", 1, "0.11"), ("0.10", -1, "0.09"), ("0.105", 1, "0.11"), ("0.105", -1, "0.10"),
     ("0.99", 1, "0.99"), ("0.01", -1, "0.01"), ("", 1, "0.50")],
)  # fmt: skip
def test_the_stepper_knows_the_grid(model: OrderModel, price: str, ticks: int, then: str) -> None:
    model.ticket.price = price
    model.step(ticks)
    assert model.ticket.price == then


def test_a_price_of_the_ladder_is_seen_from_the_outcome_that_is_written(model: OrderModel) -> None:
    model.pick("0.17")
    assert model.ticket.price == "0.17"
    model.ticket.outcome = "no"
    model.pick("0.17")
    assert model.ticket.price == "0.83"


def test_without_a_key_it_is_locked(sandbox: Any) -> None:
    model = OrderModel(kr.connect(sandbox.url), Jobs("test"))
    assert model.locked == "This client has no key, so it cannot trade."
    model.close()


def test_an_unknown_market_says_so(client: Any) -> None:
    model = OrderModel(client, Jobs("test"))
    model.ticker = "NO-SUCH-MARKET"
    assert "NO-SUCH-MARKET" in settled(model).note
    model.close()


def test_the_stepper_goes_along_the_grid_of_the_outcome_that_is_written(model: OrderModel) -> None:
    model.ticket.edit(outcome="no", price="0.83")
    model.step(1)
    assert model.ticket.price == "0.84"
    model.step(-1)
    assert model.ticket.price == "0.83"


def test_nothing_steps_before_the_grid_is_known(client: Any) -> None:
    model = OrderModel(client, Jobs("test"))
    model.step(1)
    assert model.ticket.price == ""
    model.close()


def test_back_takes_the_preview_back_and_nothing_is_sent(sandbox: Any, model: OrderModel) -> None:
    model.back()
    assert model.stage == "editing"
    write(model)
    model.check()
    settled(model)
    model.back()
    assert (model.stage, model.ticket.confirmed) == ("editing", False)
    model.send()
    settled(model)
    assert sent(sandbox) == []


def test_what_is_blocked_is_not_previewed(sandbox: Any, model: OrderModel) -> None:
    write(model, price="1.2")
    model.check()
    settled(model)
    assert (model.stage, model.facts, model.effect) == ("editing", [], "")
    assert "does not lie between 0 and 1 dollar" in model.blockers


def test_a_second_click_on_preview_while_it_looks_is_nothing(sandbox: Any, model: OrderModel) -> None:
    write(model)
    free = threading.Event()
    model._jobs.do(lambda: free.wait(10))
    before = len(sandbox.truth.requests)
    for _ in range(5):
        model.check()
    free.set()
    settled(model)
    assert model.stage == "confirming"
    asked = [request.path for request in sandbox.truth.requests[before:]]
    assert len([path for path in asked if path.endswith("/orderbook")]) == 1
    model.check()
    settled(model)
    assert model.stage == "confirming"


def test_clicks_that_waited_while_the_kernel_was_busy_are_one_order(
    sandbox: Any, model: OrderModel
) -> None:
    """A busy kernel keeps clicks and hands them over at once, one after the other."""
    write(model)
    model.check()
    settled(model)
    for _ in range(20):
        model.send()
    settled(model)
    for _ in range(20):
        model.send()
        model.check()
    settled(model)
    assert len(sent(sandbox)) == 1


def test_two_views_of_a_panel_are_one_model(sandbox: Any, client: Any) -> None:
    """A second view clicks the same buttons; a message that comes twice is one more click."""
    panel = kr.OrderPanel(client, TICKER)
    settled(panel.model)
    panel.model.ticket.edit(quantity="10", price="0.10")
    buttons = {button.description: button for button in buttons_of(panel)}
    click = {"event": "click"}
    for _ in range(2):
        buttons["Preview"]._handle_custom_msg(click, [])
    settled(panel.model)
    assert panel.model.stage == "confirming"
    for _ in range(4):
        buttons["Confirm"]._handle_custom_msg(click, [])
    settled(panel.model)
    assert len(sent(sandbox)) == 1
    table = next(part for part in parts_of(panel) if type(part).__name__ == "Table")
    (row,) = panel.model.orders
    for _ in range(3):
        table._handle_custom_msg({"act": row["key"]}, [])
    settled(panel.model)
    deletes = [request for request in sandbox.truth.requests if request.method == "DELETE"]
    assert {request.status for request in deletes} <= {200, 404}
    assert panel.model.orders == []
    panel.close()


def parts_of(widget: Any) -> Iterator[Any]:
    yield widget
    for child in getattr(widget, "children", ()):
        yield from parts_of(child)


def buttons_of(widget: Any) -> list[Any]:
    return [part for part in parts_of(widget) if type(part).__name__ == "Button"]


def test_a_button_that_fails_is_heard_of(client: Any, caplog: pytest.LogCaptureFixture) -> None:
    from kalshi_research.panels.frame import button

    def fail() -> None:
        raise ZeroDivisionError

    button("Try", fail).click()
    assert "the button 'Try' failed" in caplog.text
    assert "ZeroDivisionError" in caplog.text


def test_an_order_that_is_gone_is_neither_cancelled_nor_amended(sandbox: Any, model: OrderModel) -> None:
    before = len(sandbox.truth.requests)
    model.cancel("not-mine")
    model.resolve()
    settled(model)
    assert len(sandbox.truth.requests) == before


def test_what_cannot_be_cancelled_is_said(sandbox: Any, client: Any, model: OrderModel) -> None:
    order = kr.create_order(client, TICKER, quantity=10, price="0.10")
    model.look()
    settled(model)
    sandbox.faults.add("reject_then:400", "DELETE /portfolio/events/orders")
    model.chosen = order.order_id
    model.amend("2", "")
    settled(model)
    assert model.result_kind == "warn"
    assert model.result
    assert list(kr.get_orders(client, status="resting").index) == [order.order_id]


@pytest.mark.parametrize("again", ["still unknown", "refused"])
def test_an_order_that_is_looked_for_in_vain(
    model: OrderModel, again: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kalshi_research.errors import InputError, OrderUnknown

    def look(_: Any) -> Any:
        raise InputError("refused") if again == "refused" else OrderUnknown(again, resolver=look)

    model._not_sent(OrderUnknown("lost.", resolver=look))
    assert (model.unknown, model.result_kind, model.result) == (True, "warn", "lost.")
    model.resolve()
    settled(model)
    assert model.result == again
    assert model.unknown == (again == "still unknown")


def test_an_answer_about_the_market_before_is_not_shown(client: Any, model: OrderModel) -> None:
    found = model._fetch(TICKER)
    model.ticker = "KXHIGHNY-26NOV21-B44.5"
    settled(model)
    before = model.touch, model.title, model.ticket.ticker
    model._loaded(found)
    assert (model.touch, model.title, model.ticket.ticker) == before
    model.ticker = ""
    assert (model.touch, model.blockers, model.orders) == ("", "", [])


def test_it_looks_again_while_something_is_written_and_not_while_it_is_confirmed(
    sandbox: Any, model: OrderModel
) -> None:
    from kalshi_research.panels.shared_reads import reads_of

    write(model)

    def looked() -> bool:
        reads_of(model.client).changed()
        before = len(sandbox.truth.requests)
        model._look_again()
        settled(model)
        return len(sandbox.truth.requests) > before

    assert looked()
    model.views = 0
    assert not looked()
    model.views = 1
    model.check()
    settled(model)
    assert not looked(), "what was previewed stands until it is confirmed or taken back"


def test_a_look_that_fails_is_said_and_the_next_one_takes_it_back(
    sandbox: Any, model: OrderModel
) -> None:
    sandbox.faults.add("reject_then:400", "GET /markets/{ticker}/orderbook")
    model.look()
    settled(model)
    assert model.note
    assert "ask" in model.touch, "what was known stays"


def test_orders_in_words_and_figures(model: OrderModel) -> None:
    write(model, price="0.19", quantity="5")
    # 7 % of p(1 − p) a contract, rounded up to a hundredth of a cent: 0.053865 becomes 0.0539.
    fee = Decimal("0.07") * Decimal("0.19") * Decimal("0.81") * 5
    fee = fee.quantize(Decimal("0.0001"), ROUND_CEILING)
    cost = Decimal("0.19") * 5
    assert model.facts == [
        ("Cost", f"${cost:.2f}"),
        ("Fee now", f"${fee:.2f}"),
        ("Most you can lose", f"${cost + fee:.2f}"),
        ("Break-even", f"{(cost + fee) / 5:.4f}"),
    ]
    assert model.effect == "The book fills all of it at once"
    write(model, price="0.19", quantity="500")
    assert model.effect.startswith("The book fills ")
    assert model.effect.endswith(" of 500 at once")
    write(model, price="0.05")
    assert model.effect == "Would rest: nothing in the book meets it"
