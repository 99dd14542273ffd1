"""Orders over a sandbox where things go wrong: placed once, and in a state that can be named."""

from __future__ import annotations

import json
import pickle
import threading
import uuid
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import kalshi_research as kr
from kalshi_research.errors import (
    AuthError,
    ConflictError,
    InputError,
    KalshiError,
    NotFoundError,
    OpenOrdersWarning,
    OrderNotPlaced,
    OrderRejected,
    OrderUnknown,
)
from kalshi_research.sandbox import Sandbox
from kalshi_research.trading import Pace
from kalshi_research.trading.desk import Desk, desk_of

TICKER = "KXHIGHNY-26NOV21-B44.5"
ORDERS = "/portfolio/events/orders"
CREATE, ONE = f"POST {ORDERS}", f"{ORDERS}/{{order_id}}"
SHOWN = (
    "hang", "RST", "FIN", "408", "500", "502", "503", "504",
    "truncated", "schema", "empty", "other", "error",
)  # fmt: skip
# Everything is waited for at one to forty, with margin to spare for a busy machine.
PACE = Pace(settle_margin=20.0, patience=60.0, scale=1 / 40)


class Floor:
    """A sandbox, a client of it, and what is true."""

    def __init__(self, sandbox: Sandbox, journal: Path) -> None:
        self.sandbox, self.journal, self.faults = sandbox, journal, sandbox.faults
        self.faults.scale = 1 / 40
        self.client = self.connect()

    def connect(self, user: int = 0) -> kr.Client:
        key_id, key = self.sandbox.credentials(user)
        client = kr.connect(
            self.sandbox.url.removesuffix("/trade-api/v2"), key_id=key_id, private_key=key
        )
        desk_of(client).pace = PACE
        return client

    @property
    def desk(self) -> Desk:
        return desk_of(self.client)

    def orders(self, **wanted: Any) -> list[Any]:
        """The orders of the first user as the engine has them."""
        user = self.sandbox._exchange.accounts[0].user_id
        found = self.sandbox.floor.call(lambda engine: list(engine.members[user].orders))
        return [o for o in found if all(getattr(o, name) == value for name, value in wanted.items())]

    def requests(self, start: str) -> int:
        return sum(
            f"{row.method} {row.path.removeprefix('/trade-api/v2')}".startswith(start)
            for row in self.sandbox.truth.requests
        )

    def place(self, price: str = "0.02", quantity: Any = 5, **more: Any) -> kr.OrderReport:
        return kr.create_order(self.client, TICKER, quantity=quantity, price=price, **more)


@pytest.fixture
def floor(tmp_path: Path, monkeypatch) -> Iterator[Floor]:
    monkeypatch.setenv("KALSHI_RESEARCH_JOURNAL", str(tmp_path))
    with Sandbox(users=2, days=2, crypto_hours=1) as sandbox:
        yield Floor(sandbox, tmp_path)


def states(floor: Floor) -> list[str]:
    return [intent.state for intent in floor.desk.journal.intents().values()]


# Without faults


def test_a_report_says_what_the_engine_has(floor: Floor) -> None:
    made = floor.place(quantity="2.50", outcome="no", price="0.03")
    (true,) = floor.orders()
    assert (made.order_id, made.client_order_id) == (true.order_id, true.client_order_id)
    assert (true.side, true.price, true.count if hasattr(true, "count") else true.initial) == (
        "ask",
        9700,
        250,
    )
    assert (made.state, made.filled, made.remaining) == ("resting", Decimal("0.00"), Decimal("2.50"))
    taken = floor.place("0.99", 1, time_in_force="immediate_or_cancel")
    assert (taken.state, taken.filled) == ("executed", 1)
    assert taken.average_price == Decimal(
        true.market.asks.best().price if False else taken.average_price
    )
    assert "SIMULATED" in str(made)
    assert uuid.UUID(made.client_order_id).version == 4


def test_it_is_written_down_before_it_is_sent(floor: Floor, monkeypatch) -> None:
    seen: list[str] = []
    real = floor.client.request

    def watched(method: str, path: str, **more: Any) -> Any:
        if method == "POST":
            seen.extend(json.loads(row.split(" ", 1)[1])["state"] for row in _lines(floor))
        return real(method, path, **more)

    monkeypatch.setattr(floor.client, "request", watched)
    floor.place()
    assert seen == ["PREPARED", "SENT"]
    assert states(floor) == ["ACKED"]
    text = "".join(_lines(floor))
    key_id, _ = floor.sandbox.credentials(0)
    assert key_id not in text
    assert "PRIVATE" not in text


def _lines(floor: Floor) -> list[str]:
    (path,) = floor.journal.glob("*.jsonl")
    return path.read_text().splitlines()


def test_nothing_is_sent_when_it_cannot_be_written_down(floor: Floor, monkeypatch) -> None:
    import os

    floor.place()
    before = floor.requests("POST")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(KalshiError, match=r"No space left on device\); nothing was sent"):
        floor.place("0.03")
    for change in (
        lambda: kr.cancel_order(floor.client, floor.orders()[0].order_id),
        lambda: kr.amend_order(floor.client, floor.orders()[0].order_id, quantity=3),
        lambda: kr.create_orders(floor.client, [{"ticker": TICKER, "quantity": 1, "price": "0.01"}]),
    ):
        with pytest.raises(KalshiError, match="nothing was sent"):
            change()
    assert floor.requests("POST") == before
    assert floor.requests("DELETE") == 0


def test_amend_decrease_and_cancel(floor: Floor) -> None:
    made = floor.place()
    amended = kr.amend_order(floor.client, made, price="0.03", quantity=4)
    (true,) = floor.orders()
    assert (true.price, true.remaining, amended.remaining) == (300, 400, 4)
    assert kr.decrease_order(floor.client, made, by="1.50").remaining == Decimal("2.50")
    assert kr.decrease_order(floor.client, made.order_id, to=1).remaining == 1
    gone = kr.cancel_order(floor.client, made)
    assert (gone.state, gone.filled, true.status) == ("canceled", 0, "canceled")
    assert kr.cancel_order(floor.client, made).note == "canceled already"
    with pytest.raises(InputError, match="is canceled"):
        kr.amend_order(floor.client, made, quantity=9)
    with pytest.raises(InputError, match="is canceled"):
        kr.decrease_order(floor.client, made, by=1)


def test_an_order_of_elsewhere_can_be_changed_and_cancelled(floor: Floor, tmp_path, monkeypatch) -> None:
    made = floor.place(action="sell", price="0.97")
    other = floor.connect()
    monkeypatch.setenv("KALSHI_RESEARCH_JOURNAL", str(tmp_path / "another machine"))
    assert kr.amend_order(other, made.order_id, quantity=2, price="0.98").remaining == 2
    gone = kr.cancel_order(other, made.order_id)
    assert (gone.state, gone.action, gone.price) == ("canceled", "sell", Decimal("0.98"))
    with pytest.raises(NotFoundError, match="no order"):
        kr.cancel_order(other, str(uuid.uuid4()))
    with pytest.raises(NotFoundError, match="Nothing was changed"):
        kr.amend_order(other, str(uuid.uuid4()), quantity=1)


# Twins: the same on the wire, another truth


@pytest.mark.parametrize("shown", SHOWN)
def test_accepted_and_not_answered_is_found(floor: Floor, shown: str) -> None:
    floor.faults.add(f"accept_then:{shown}", CREATE)
    made = floor.place()
    (true,) = floor.orders()
    assert (made.state, made.order_id, made.client_order_id) == (
        "resting",
        true.order_id,
        true.client_order_id,
    )
    assert floor.requests(CREATE) == 1
    assert states(floor) == ["ACKED"]


@pytest.mark.parametrize("shown", SHOWN)
def test_lost_and_shown_the_same_is_not_placed(floor: Floor, shown: str) -> None:
    floor.faults.add(f"reject_then:{shown}", CREATE)
    with pytest.raises(OrderRejected if shown == "error" else OrderNotPlaced) as caught:
        floor.place()
    assert floor.orders() == []
    assert states(floor) == ["NOT_PLACED"]
    assert floor.requests(CREATE) == 1
    assert len(str(caught.value).splitlines()) <= 3
    floor.place()  # and may be placed again
    assert len(floor.orders()) == 1


@pytest.mark.parametrize("shown", ["hang", "503", "RST", "empty", "error"])
def test_committed_late_behind_a_lagging_and_lying_mark(floor: Floor, shown: str) -> None:
    floor.faults.add("read_lag", "GET /portfolio/**", seconds=3.0, lie=1.0)
    floor.faults.add(f"late_commit:{shown}", CREATE, after=5.0)
    made = floor.place()
    assert made.state == "resting"
    assert [o.order_id for o in floor.orders()] == [made.order_id]
    assert floor.requests(CREATE) == 1


def test_lost_and_executed_meanwhile_is_found_and_not_sent_again(floor: Floor) -> None:
    floor.faults.add("dedupe:open-only")
    floor.faults.add("accept_then:RST", CREATE)
    made = floor.place("0.99", 1, time_in_force="immediate_or_cancel")
    assert (made.state, made.filled) == ("executed", 1)
    assert len(floor.orders()) == 1


@pytest.mark.parametrize("mode", ["forever", "open-only", "recent", "none", "return-original"])
def test_no_way_of_client_order_ids_makes_two_of_one(floor: Floor, mode: str) -> None:
    floor.faults.add(f"dedupe:{mode}")
    key = str(uuid.uuid4())
    floor.faults.add("accept_then:503", CREATE)
    first = floor.place("0.99", 1, client_order_id=key)
    again = floor.place("0.99", 1, client_order_id=key)
    assert (first.order_id, again.order_id) == (floor.orders()[0].order_id,) * 2
    assert "nothing was sent now" in again.note
    with pytest.raises(InputError, match="was used before"):
        floor.place("0.98", 1, client_order_id=key)
    assert len(floor.orders()) == 1


@pytest.mark.parametrize("mode", ["forever", "none"])
def test_an_id_used_elsewhere_is_refused_with_both_orders(
    floor: Floor, tmp_path, monkeypatch, mode
) -> None:
    floor.faults.add(f"dedupe:{mode}")
    key = str(uuid.uuid4())
    floor.place("0.02", 5, client_order_id=key)
    monkeypatch.setenv("KALSHI_RESEARCH_JOURNAL", str(tmp_path / "another machine"))
    with pytest.raises(ConflictError) as caught:
        floor.place("0.03", 7, client_order_id=key)
    assert all(part in str(caught.value) for part in ("$0.02", "$0.03", key, "resting"))
    assert len(floor.orders()) == 1


def test_unknown_until_it_is_visible_and_equals_are_blocked_meanwhile(floor: Floor) -> None:
    floor.desk.pace = Pace(settle_margin=1000.0, patience=1.0, scale=1 / 40)
    floor.faults.add("reject_then:503", CREATE)
    with pytest.raises(OrderUnknown) as caught:
        floor.place()
    unknown = caught.value
    assert unknown.client_order_id in str(unknown)
    assert "HTTP 503" in unknown.known
    with pytest.raises(OrderUnknown, match="an equal order is not accounted for"):
        floor.place()
    with pytest.raises(OrderUnknown):
        kr.create_orders(floor.client, [{"ticker": TICKER, "quantity": 5, "price": "0.02"}])
    floor.place("0.03")  # another one is not blocked
    listed = kr.get_open_orders(floor.client)
    assert sorted(listed["state"]) == ["resting", "unknown"]
    with pytest.raises(OrderUnknown):
        unknown.resolve(resubmit=True)
    assert floor.requests(CREATE) == 2, "what is not proven absent is not sent again"
    floor.desk.pace = PACE
    with pytest.raises(OrderNotPlaced):
        unknown.resolve()
    sent = unknown.resolve(resubmit=True)
    assert sent.client_order_id == unknown.client_order_id
    assert [o.client_order_id for o in floor.orders()][-1] == unknown.client_order_id
    assert floor.requests(CREATE) == 3


def test_an_equal_that_turns_out_to_be_placed_is_not_doubled_by_running_the_cell_again(
    floor: Floor,
) -> None:
    floor.desk.pace = Pace(settle_margin=1000.0, patience=0.5, scale=1 / 40)
    floor.faults.add("late_commit:503", CREATE, after=8.0)
    with pytest.raises(OrderUnknown):
        floor.place()
    assert floor.faults.wait(10)
    with pytest.raises(InputError, match="was placed after all"):
        floor.place()
    assert len(floor.orders()) == 1
    floor.place()  # said twice, it is meant
    assert len(floor.orders()) == 2


def test_a_read_that_fails_is_no_evidence(floor: Floor) -> None:
    floor.desk.pace = Pace(settle_margin=1.0, patience=40.0, scale=1 / 40)
    floor.place("0.03")
    floor.faults.add("reject_then:503", CREATE)
    rule = floor.faults.add("accept_then:500", "GET /portfolio/orders", times=None)
    with pytest.raises(OrderUnknown) as caught:
        floor.place()
    floor.faults.remove(rule)
    with pytest.raises(OrderNotPlaced):
        caught.value.resolve()


def test_errors_survive_being_copied_without_their_connection(floor: Floor) -> None:
    floor.desk.pace = Pace(settle_margin=1000.0, patience=0.2, scale=1 / 40)
    floor.faults.add("reject_then:503", CREATE)
    with pytest.raises(OrderUnknown) as caught:
        floor.place()
    copied = pickle.loads(pickle.dumps(caught.value))  # noqa: S301
    assert str(copied) == str(caught.value)
    with pytest.raises(KalshiError, match="still in the journal"):
        copied.resolve()


# Refusals


@pytest.mark.parametrize("form", ["absent", "2.5", "3600", "junk"])
def test_a_rate_limit_is_a_refusal_and_not_repeated(floor: Floor, form: str) -> None:
    floor.faults.add(f"rate_limit:{form}", CREATE)
    with pytest.raises(OrderRejected, match="was not sent again") as caught:
        floor.place()
    assert caught.value.status == 429
    assert floor.requests(CREATE) == 1
    assert floor.orders() == []


@pytest.mark.parametrize(
    ("prepare", "order", "code", "says"),
    [
        (
            lambda f: f.sandbox.floor.call(lambda e: e.pause_trading()),
            {},
            "trading_is_paused",
            "cancels work",
        ),
        (
            lambda f: f.sandbox.floor.call(lambda e: e.pause_exchange()),
            {},
            "exchange_is_paused",
            "is paused",
        ),
        (lambda f: None, {"price": "0.99", "post_only": True}, "invalid_order", "traded at once"),
        (lambda f: None, {"quantity": 10**7}, "insufficient_balance", "Make it smaller"),
        (
            lambda f: None,
            {"quantity": 10**5, "time_in_force": "fill_or_kill"},
            "fill_or_kill",
            "cannot fill",
        ),
        (lambda f: None, {"order_group": "none"}, "not_found", "order group"),
    ],
)
def test_refusals_of_the_exchange(
    floor: Floor, prepare: Callable[[Floor], Any], order, code, says
) -> None:
    floor.place("0.01", 1)
    prepare(floor)
    with pytest.raises(OrderRejected, match=says) as caught:
        floor.place(**{"price": "0.02", "quantity": 5, **order})
    assert caught.value.code.startswith(code)
    assert states(floor)[-1] == "REJECTED"
    assert len(str(caught.value).splitlines()) <= 3
    assert isinstance(caught.value.__cause__, KalshiError)


def test_what_was_refused_may_be_sent_again_under_its_id(floor: Floor) -> None:
    key = str(uuid.uuid4())
    floor.faults.add("rate_limit:absent", CREATE)
    with pytest.raises(OrderRejected):
        floor.place(client_order_id=key)
    assert floor.place(client_order_id=key).client_order_id == key


def test_a_revoked_key_is_an_auth_error_once(floor: Floor) -> None:
    floor.faults.add("reject_then:401", CREATE)
    with pytest.raises(AuthError):
        floor.place()
    assert floor.requests(CREATE) == 1
    assert states(floor) == ["REJECTED"]


def test_no_connection_means_provably_not_placed(floor: Floor) -> None:
    floor.place("0.01")
    floor.sandbox.close()
    with pytest.raises(KalshiError, match="nothing was sent"):
        floor.place()
    assert states(floor)[-1] == "NOT_PLACED"


def test_every_recorded_refusal_becomes_an_error_in_words(shared: Path, tmp_path, monkeypatch) -> None:
    """The real exchange's bodies, answered by a server that knows nothing else."""
    from stub_server import Answer, Seen, StubServer

    monkeypatch.setenv("KALSHI_RESEARCH_JOURNAL", str(tmp_path))
    folder, seen = shared / "real/rest_demo_2026_06", set()
    market = {
        "ticker": "T", "event_ticker": "E", "status": "active", "market_type": "binary",
        "yes_bid_dollars": "0.0000", "yes_ask_dollars": "1.0000", "last_price_dollars": "0.0000",
        "volume_fp": "0.00",
        "price_ranges": [{"start": "0.0000", "end": "1.0000", "step": "0.0001"}],
    }  # fmt: skip
    for meta_path in sorted(folder.glob("orders__*.meta.json")):
        meta = json.loads(meta_path.read_text())
        if meta["method"] != "POST" or meta["status"] < 400:
            continue
        recorded = (folder / meta_path.name.replace(".meta.json", ".json")).read_text()
        said = json.loads(recorded).get("error", json.loads(recorded))

        def handler(request: Seen, meta: Any = meta, recorded: str = recorded) -> Answer:
            if request.method == "POST":
                return Answer(meta["status"], recorded, {"Content-Type": "application/json"})
            if request.path.endswith("/markets/T"):
                return Answer(200, {"market": market})
            if request.path.endswith("user_data_timestamp"):
                return Answer(200, {"as_of_time": "2026-06-11T06:30:00Z"})
            return Answer(200, {"orders": [], "fills": [], "cursor": ""})

        with StubServer(handler) as server, Sandbox(days=1, crypto_hours=0) as keys:
            key_id, key = keys.credentials(0)
            client = kr.connect(server.url, key_id=key_id, private_key=key)
            desk_of(client).pace = Pace(scale=1 / 100)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # a market of few fields
                with pytest.raises((OrderRejected, OrderNotPlaced)) as caught:
                    kr.create_order(client, "T", quantity=1, price="0.5150")
        error = caught.value
        cause = error.__cause__
        assert (cause.status, cause.code) == (meta["status"], said["code"]), meta_path.name
        assert len(str(error).splitlines()) <= 3
        if isinstance(error, OrderRejected):
            assert (error.code, error.status) == (said["code"], meta["status"])
            assert "Nothing was placed" in str(error)
        else:
            assert said["code"] == "order_already_exists", "an id of one's own that is taken: look it up"
        seen.add(said["code"])
    assert seen >= {
        "insufficient_balance",
        "invalid_price",
        "order_already_exists",
        "invalid_order",
        "bad_request",
    }


# Races


def test_one_id_from_twenty_threads_is_one_order(floor: Floor) -> None:
    key = str(uuid.uuid4())
    floor.faults.add("delay:before", CREATE, seconds=4.0)
    floor.place("0.01")
    with ThreadPoolExecutor(20) as pool:
        results = list(
            pool.map(lambda _: _or_error(lambda: floor.place(client_order_id=key)), range(20))
        )
    true = floor.orders(client_order_id=key)
    assert len(true) == 1
    reports = [r for r in results if isinstance(r, kr.OrderReport)]
    assert {r.order_id for r in reports} == {true[0].order_id}
    assert all(isinstance(r, (kr.OrderReport, OrderUnknown, InputError)) for r in results)
    assert len(reports) >= 2


def _or_error(call: Callable[[], Any]) -> Any:
    try:
        return call()
    except KalshiError as error:
        return error


def test_a_ticket_clicked_twenty_times_is_one_order(floor: Floor) -> None:
    ticket = kr.OrderTicket(TICKER, quantity=3, price="0.02", now=floor.desk.present)
    ticket.load(kr.get_market(floor.client, TICKER))
    ticket.confirm()
    with ThreadPoolExecutor(20) as pool:
        results = list(
            pool.map(lambda _: _or_error(lambda: kr.create_order(floor.client, ticket)), range(20))
        )
    assert sum(isinstance(r, kr.OrderReport) for r in results) == 1
    assert len(floor.orders()) == 1
    with pytest.raises(InputError, match="sent already"):
        kr.create_order(floor.client, ticket)


def test_equal_orders_of_two_threads_are_two_only_one_after_the_other(floor: Floor) -> None:
    floor.place("0.01")
    floor.faults.add("delay:before", CREATE, seconds=6.0)
    begun = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(lambda: (begun.set(), floor.place())[1])
        begun.wait(5)
        while not any(i.state == "SENT" for i in floor.desk.journal.open_intents()):
            assert not first.done()
        with pytest.raises(OrderUnknown, match="is on its way"):
            floor.place()
        assert first.result().state == "resting"
    assert floor.place().state == "resting"


# Changes that go wrong


@pytest.mark.parametrize("shown", SHOWN)
@pytest.mark.parametrize("how", ["accept_then", "reject_then"])
def test_an_amend_whose_answer_is_lost(floor: Floor, how: str, shown: str) -> None:
    made = floor.place()
    floor.faults.add(f"{how}:{shown}", f"POST {ONE}/amend")
    if how == "accept_then":
        after = kr.amend_order(floor.client, made, price="0.03", quantity=4)
        assert (after.price, after.remaining) == (Decimal("0.03"), 4)
    else:
        with pytest.raises(OrderNotPlaced, match="as it was"):
            kr.amend_order(floor.client, made, price="0.03", quantity=4)
    (true,) = floor.orders()
    assert (true.price, true.remaining) == ((300, 400) if how == "accept_then" else (200, 500))
    assert floor.requests(f"POST {ORDERS}/{made.order_id}/amend") == 1


@pytest.mark.parametrize("shown", ["hang", "503", "other", "empty"])
@pytest.mark.parametrize("how", ["accept_then", "reject_then"])
def test_a_decrease_whose_answer_is_lost_is_never_repeated(floor: Floor, how: str, shown: str) -> None:
    made = floor.place()
    floor.faults.add(f"{how}:{shown}", f"POST {ONE}/decrease")
    if how == "accept_then":
        assert kr.decrease_order(floor.client, made, by=2).remaining == 3
    else:
        with pytest.raises(OrderNotPlaced):
            kr.decrease_order(floor.client, made, by=2)
    assert floor.orders()[0].remaining == (300 if how == "accept_then" else 500)
    assert floor.requests(f"POST {ORDERS}/{made.order_id}/decrease") == 1


@pytest.mark.parametrize("shown", SHOWN)
@pytest.mark.parametrize("how", ["accept_then", "reject_then", "late_commit"])
def test_a_cancel_whose_answer_is_lost(floor: Floor, how: str, shown: str) -> None:
    floor.faults.add("read_lag", "GET /portfolio/**", seconds=2.0)
    made = floor.place()
    floor.faults.add(f"{how}:{shown}", f"DELETE {ONE}")
    gone = kr.cancel_order(floor.client, made)
    (true,) = floor.orders()
    assert (gone.state, gone.filled, true.status) == ("canceled", 0, "canceled")


def test_a_cancel_that_was_lost_with_a_lying_404_is_sent_again(floor: Floor) -> None:
    made = floor.place()
    floor.faults.add("reject_then:404", f"DELETE {ONE}")
    assert kr.cancel_order(floor.client, made).state == "canceled"
    assert floor.orders()[0].status == "canceled"


@pytest.mark.parametrize("counts", ["", "2.00"])
@pytest.mark.parametrize("when", ["before", "after", "between"])
def test_a_cancel_that_crosses_a_fill(floor: Floor, when: str, counts: str) -> None:
    floor.faults.add("read_lag", "GET /portfolio/**", seconds=2.0)
    made = floor.place("0.05")
    floor.faults.add(f"fill:{when}", f"DELETE {ONE}", counts=counts)
    gone = kr.cancel_order(floor.client, made)
    (true,) = floor.orders()
    assert (gone.state, gone.filled) == (true.status, Decimal(true.filled) / 100)
    if gone.state == "executed":
        assert gone.note == "filled before the cancel"


def test_an_amend_that_crosses_a_fill_ends_with_the_total_that_was_asked(floor: Floor) -> None:
    made = floor.place("0.05")
    floor.faults.add("fill:before", f"POST {ONE}/amend", counts="2.00")
    after = kr.amend_order(floor.client, made, quantity=4)
    (true,) = floor.orders()
    assert (true.filled, true.remaining) == (200, 200)
    assert after.quantity == 4
    assert (after.filled, after.remaining) == (2, 2)
    floor.faults.add("fill:before", f"POST {ONE}/amend", counts="1.00")
    with pytest.raises((OrderRejected, InputError)):
        kr.amend_order(floor.client, made, quantity=3)
    assert (true.filled, true.remaining) == (300, 100)
    floor.faults.add("fill:before", f"POST {ONE}/amend", counts="")
    with pytest.raises(OrderRejected, match="It is executed, 4 filled"):
        kr.amend_order(floor.client, made, quantity=9)


def test_an_interrupted_amend_is_looked_for_before_the_next(floor: Floor, monkeypatch) -> None:
    made, real = floor.place(), floor.client.request

    def interrupted(method: str, path: str, **more: Any) -> Any:
        answer = real(method, path, **more)
        if method == "POST":
            raise KeyboardInterrupt
        return answer

    with monkeypatch.context() as patch:
        patch.setattr(floor.client, "request", interrupted)
        with pytest.raises(KeyboardInterrupt):
            kr.amend_order(floor.client, made, quantity=4)
    assert kr.amend_order(floor.client, made, quantity=3).remaining == 3
    assert [i.state for i in floor.desk.journal.intents().values()] == ["ACKED"] * 3


def test_an_unknown_amend_blocks_other_changes_but_not_the_cancel(floor: Floor) -> None:
    made = floor.place()
    floor.desk.pace = Pace(settle_margin=1000.0, patience=0.5, scale=1 / 40)
    floor.faults.add("reject_then:503", f"POST {ONE}/amend")
    with pytest.raises(OrderUnknown) as caught:
        kr.amend_order(floor.client, made, quantity=4)
    with pytest.raises(OrderUnknown, match="an earlier change"):
        kr.decrease_order(floor.client, made, by=1)
    assert kr.cancel_order(floor.client, made).state == "canceled"
    assert caught.value.resolve().state == "canceled"


# Batches


def test_a_batch_tells_of_each(floor: Floor) -> None:
    rows = [{"ticker": TICKER, "quantity": 1, "price": f"0.0{n}"} for n in (1, 2)]
    rows.insert(1, {"ticker": TICKER, "quantity": 1, "price": "0.99", "post_only": True})
    first, second, third = kr.create_orders(floor.client, rows)
    assert (first.state, second.state, third.state) == ("resting", "rejected", "resting")
    assert isinstance(second.error, OrderRejected)
    assert len(floor.orders()) == 2
    assert states(floor) == ["ACKED", "REJECTED", "ACKED"]


@pytest.mark.parametrize("shown", ["hang", "503", "truncated", "other", "schema"])
@pytest.mark.parametrize("kept", [-1, 0, 2])
def test_a_batch_whose_answer_is_lost_is_accounted_for_one_by_one(
    floor: Floor, shown: str, kept: int
) -> None:
    rows = [{"ticker": TICKER, "quantity": 1, "price": f"0.0{n}"} for n in (1, 2, 3)]
    floor.faults.add(f"accept_then:{shown}", f"{CREATE}/batched", items=kept)
    reports = kr.create_orders(floor.client, rows)
    here = 3 if kept < 0 else kept
    assert [r.state for r in reports] == ["resting"] * here + ["not placed"] * (3 - here)
    assert [o.client_order_id for o in floor.orders()] == [r.client_order_id for r in reports[:here]]
    assert floor.requests(f"{CREATE}/batched") == 1


@pytest.mark.parametrize("shown", ["", "503", "other", "hang"])
def test_several_are_cancelled_and_each_is_accounted_for(floor: Floor, shown: str) -> None:
    made = [floor.place(f"0.0{n}") for n in (1, 2, 3)]
    kr.cancel_order(floor.client, made[1])
    if shown:
        floor.faults.add(f"accept_then:{shown}", f"DELETE {ORDERS}/batched")
    gone = kr.cancel_orders(floor.client, made)
    assert [r.state for r in gone] == ["canceled"] * 3
    assert [r.order_id for r in gone] == [r.order_id for r in made]
    assert {o.status for o in floor.orders()} == {"canceled"}
    assert kr.cancel_orders(floor.client, []) == []


@pytest.mark.parametrize(
    "kind", ["", "accept_then:503", "reject_then:hang", "reject_then:RST", "accept_then:empty"]
)
def test_everything_is_cancelled(floor: Floor, kind: str) -> None:
    made = [floor.place(f"0.0{n}") for n in (1, 2)]
    if kind:
        floor.faults.add(kind, f"DELETE {ORDERS}")
    gone = kr.cancel_all_orders(floor.client)
    assert {r.order_id for r in gone} == {r.order_id for r in made}
    assert {r.state for r in gone} == {"canceled"}
    assert {o.status for o in floor.orders()} == {"canceled"}


# Groups and queues


def test_order_groups(floor: Floor) -> None:
    group = kr.create_order_group(floor.client, 2, ticker=TICKER)
    made = floor.place(order_group=group)
    kr.trigger_order_group(floor.client, group)
    assert floor.orders()[0].status == "canceled"
    with pytest.raises(OrderRejected, match="reset_order_group"):
        floor.place("0.03", order_group=group)
    floor.faults.add("accept_then:503", "PUT /portfolio/order_groups/**")
    kr.reset_order_group(floor.client, group)
    kr.limit_order_group(floor.client, group, 50)
    assert floor.place("0.03", order_group=group).state == "resting"
    floor.faults.add("accept_then:RST", "DELETE /portfolio/order_groups/**")
    kr.delete_order_group(floor.client, group)
    assert floor.orders()[1].status == "canceled"
    assert made.state == "resting"
    for wrong in (0, 10**7, True, "5"):
        with pytest.raises(InputError, match="1 to 1,000,000"):
            kr.create_order_group(floor.client, wrong)  # type: ignore[arg-type]


def test_queue_positions(floor: Floor) -> None:
    first, second = floor.place("0.01", 3), floor.place("0.01", 4)
    found = kr.get_queue_positions(floor.client, TICKER)
    assert found.loc[second.order_id, "ahead"] - found.loc[first.order_id, "ahead"] == 3
    empty = kr.get_queue_positions(floor.client, "KXHIGHNY-26NOV21-T42")
    assert {name: str(kind) for name, kind in empty.dtypes.items()} == {
        "ticker": "str",
        "ahead": "float64",
    }


# Bad input


@pytest.mark.parametrize(
    ("order", "says"),
    [
        ({"price": "0.425"}, "0.42 or 0.43"),
        ({"price": 0.1 + 0.2}, "0.30 or 0.31"),
        ({"price": "0"}, "nearest valid price is 0.01"),
        ({"price": 1}, "nearest valid price is 0.99"),
        ({"price": float("nan")}, "run from 0.01 to 0.99"),
        ({"price": "1e-1"}, "nearest valid price is 0.10"),
        ({"price": True}, "is no number"),
        ({"price": None}, "no price"),
        ({"quantity": -1}, "nearest valid quantity is 0.01"),
        ({"quantity": 10**12}, "100,000,000"),
        ({"quantity": None}, "no quantity"),
        ({"expires": 5}, "in the past"),
        ({"expires": 4102444800000}, "not milliseconds"),
        ({"expires": 1795273200 + 86400, "time_in_force": "immediate_or_cancel"}, "takes no expiry"),
        ({"reduce_only": True}, "immediate_or_cancel only"),
        ({"action": "short"}, "choose buy, sell"),
        ({"outcome": "maybe"}, "choose yes, no"),
        ({"time_in_force": "day"}, "choose good_till_canceled"),
        ({"client_order_id": "a/b"}, "is no id"),
    ],
)  # fmt: skip
def test_bad_input_is_refused_before_anything_is_sent(floor: Floor, order, says) -> None:
    with pytest.raises(InputError, match=says):
        floor.place(**{"price": "0.02", "quantity": 5, **order})
    assert floor.requests("POST") == 0
    assert floor.orders() == []


def test_markets_that_are_closed_or_unknown_and_bad_ids(floor: Floor) -> None:
    with pytest.raises(NotFoundError, match="no market KXNONE; no order was sent"):
        kr.create_order(floor.client, "KXNONE", quantity=1, price="0.5")
    with pytest.raises(InputError, match="is no ticker"):
        kr.create_order(floor.client, "../portfolio", quantity=1, price="0.5")
    floor.sandbox.floor.close(TICKER)
    with pytest.raises(InputError, match="does not trade: its status is closed"):
        floor.place()
    for wrong in ("", "a/b", None, 5):
        with pytest.raises(InputError):
            kr.cancel_order(floor.client, wrong)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="first argument must be a client"):
        kr.create_order("sandbox", TICKER, quantity=1, price="0.5")  # type: ignore[arg-type]
    stranger = kr.connect(floor.sandbox.url.removesuffix("/trade-api/v2"))
    with pytest.raises(KalshiError, match="needs a key"):
        kr.create_order(stranger, TICKER, quantity=1, price="0.5")
    assert floor.requests("POST") == 0


def test_bad_changes_are_refused_before_anything_is_sent(floor: Floor) -> None:
    made = floor.place("0.05")
    floor.sandbox.floor.call(lambda e: _fill(e, made.order_id, 200))
    client = floor.client
    for change, says in (
        (lambda: kr.amend_order(client, made, quantity=2), "smallest valid quantity is 2.01"),
        (lambda: kr.amend_order(client, made, price="0.055"), "0.05 or 0.06"),
        (lambda: kr.amend_order(client, made, quantity="1e3"), "nearest valid quantity is 1000"),
        (lambda: kr.amend_order(client, made, action="sell", quantity=9), "has the action buy"),
        (lambda: kr.amend_order(client, made, outcome="no", quantity=9), "has the outcome yes"),
        (
            lambda: kr.amend_order(client, made, ticker="KXHIGHNY-26NOV21-T42", quantity=9),
            "has the ticker",
        ),
        (lambda: kr.amend_order(client, made, expires=5), "in the past"),
        (lambda: kr.amend_order(client, made), "needs a price"),
        (lambda: kr.decrease_order(client, made, by=4), "3 remain"),
        (lambda: kr.decrease_order(client, made, to=3), "3 remain"),
        (lambda: kr.decrease_order(client, made), "by= or to="),
        (lambda: kr.decrease_order(client, made, by=1, to=1), "by= or to="),
        (lambda: kr.decrease_order(client, made, by=-1), "not above 0"),
    ):
        with pytest.raises(InputError, match=says):
            change()
    assert floor.requests("POST") == 1


def _fill(engine: Any, order_id: str, count: int) -> None:
    from kalshi_research.sandbox.faults.acts import fill_order

    fill_order(engine, order_id, count)


def test_a_bad_row_of_a_batch_sends_none(floor: Floor) -> None:
    good = {"ticker": TICKER, "quantity": 1, "price": "0.01"}
    key = str(uuid.uuid4())
    for rows, says in (
        ([good, good | {"price": "0.015"}], "order 1: the price"),
        (
            [good | {"client_order_id": key}, good | {"price": "0.02", "client_order_id": key}],
            "the same",
        ),
        ([good | {"colour": "red"}], "has no colour"),
        ([], "at least one"),
        (good, "must be a list"),
        ([5], "is no mapping"),
    ):
        with pytest.raises(InputError, match=says):
            kr.create_orders(floor.client, rows)  # type: ignore[arg-type]
    assert floor.requests("POST") == 0


# Sessions


def test_what_rests_of_an_earlier_session_is_told_before_the_first_order(floor: Floor) -> None:
    made = floor.place()
    other = _restarted(floor)
    with pytest.warns(OpenOrdersWarning, match="1 resting"):
        kr.create_order(other, TICKER, quantity=1, price="0.01")
    listed = kr.get_open_orders(other)
    assert listed.loc[made.order_id, "placed_by"] == "earlier session"
    assert sorted(listed["placed_by"]) == ["earlier session", "this session"]


def _restarted(floor: Floor) -> kr.Client:
    """As after a restart of the kernel: another journal object, another desk."""
    from kalshi_research.trading import desk

    for journal in desk._journals.values():
        journal.close()
    desk._journals.clear()
    floor.client = floor.connect()
    return floor.client


@pytest.mark.parametrize("state", ["PREPARED", "SENT", "UNKNOWN"])
@pytest.mark.parametrize("arrived", [True, False])
def test_a_new_session_accounts_for_what_the_last_left_open(
    floor: Floor, state: str, arrived: bool
) -> None:
    import time

    from kalshi_research.trading.journal import Intent
    from kalshi_research.trading.requests import create_body
    from kalshi_research.trading.terms import OrderTerms

    arrived = arrived and state != "PREPARED"
    key, terms = str(uuid.uuid4()), OrderTerms(TICKER, "buy", "yes", 200, 500)
    long_ago = time.time() - 600
    journal = floor.desk.journal
    journal.write(
        Intent(key, "create", state, journal.session, terms.stored(), long_ago, until=long_ago)
    )
    if arrived:
        body = create_body(terms, key)
        floor.client.request("POST", ORDERS, body=body)
    other = _restarted(floor)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        if arrived:
            with pytest.raises(InputError, match="was placed after all"):
                kr.create_order(other, TICKER, quantity=5, price="0.02")
        kr.create_order(other, TICKER, quantity=5, price="0.02")
    after = desk_of(other).journal.get(key)
    assert after is not None
    assert after.state == ("ACKED" if arrived else "NOT_PLACED")
    assert bool([w for w in told if issubclass(w.category, OpenOrdersWarning)]) == arrived
    assert len(floor.orders()) == (2 if arrived else 1)


def test_a_thousand_open_orders_are_accounted_for_in_seconds(floor: Floor) -> None:
    import time

    from kalshi_research.trading.journal import Intent
    from kalshi_research.trading.terms import OrderTerms

    journal, long_ago = floor.desk.journal, time.time() - 600
    user = floor.sandbox._exchange.accounts[0].user_id
    rows = []
    for number in range(1000):
        key, terms = str(uuid.uuid4()), OrderTerms(TICKER, "buy", "yes", 100, 1 + number)
        rows.append(Intent(key, "create", "SENT", "gone", terms.stored(), long_ago, until=long_ago))
        if number % 2:
            floor.sandbox.floor.call(
                lambda e, k=key, t=terms: e.submit(user, TICKER, "bid", 100, t.count, client_order_id=k),
                TICKER,
            )
    journal.write(*rows)
    other = _restarted(floor)
    began = time.monotonic()
    with pytest.warns(OpenOrdersWarning, match="500 resting"):
        kr.create_order(other, TICKER, quantity=100, price="0.02")
    took = time.monotonic() - began
    found = [i.state for i in desk_of(other).journal.intents().values()]
    assert (found.count("ACKED"), found.count("NOT_PLACED")) == (501, 500)
    assert took < 10, "two seconds on a machine that is not shared"
