"""The same order under the same id from several threads, or kernels, at once: one order, one outcome."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import kalshi_research as kr
from kalshi_research.errors import (
    ConflictError,
    InputError,
    KalshiError,
    LimitError,
    NotSentError,
    OrderNotPlaced,
    OrderRejected,
    OrderUnknown,
    TransportError,
)
from kalshi_research.sandbox import Sandbox
from kalshi_research.trading import placing, reconcile, together
from kalshi_research.trading.intents import Intent
from kalshi_research.trading.journal import Journal
from kalshi_research.trading.terms import OrderTerms
from tests.order_calls import left_open
from tests.order_venue import EPOCH, Venue, opened

CREATE = "POST /portfolio/events/orders"
TERMS = OrderTerms("T", "buy", "yes", 4200, 500)


@pytest.fixture
def venue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Venue]:
    with opened(tmp_path, monkeypatch) as made:
        made.desk.journal.intents()
        yield made


def place(venue: Venue, price: str = "0.42", key: str = "one") -> kr.OrderReport:
    return kr.create_order(venue.client, "T", quantity=5, price=price, client_order_id=key)


def caught(call: Callable[[], Any]) -> Any:
    try:
        return call()
    except KalshiError as error:
        return error


def aloft(venue: Venue) -> bool:
    return bool(together._aloft)


def until(condition: Callable[[], Any]) -> None:
    ends = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < ends
        time.sleep(0.002)


class Gate:
    """Stops whoever gets there first, until it is opened; the others pass."""

    def __init__(self) -> None:
        self.reached, self.opened = threading.Event(), threading.Event()

    def __call__(self) -> None:
        if not self.reached.is_set():
            self.reached.set()
            assert self.opened.wait(10)


def at_once(
    venue: Venue, monkeypatch: pytest.MonkeyPatch, where: str, calls: list[Callable[[], Any]]
) -> list[Any]:
    """What comes of calls of which the first is stopped somewhere until all others have begun."""
    gate, real = Gate(), getattr(placing, where)

    def slow(*asked: Any, **more: Any) -> Any:
        found = real(*asked, **more)
        gate()
        return found

    waits, landed = [0], threading.Event.wait

    def counted(event: threading.Event, timeout: float | None = None) -> bool:
        waits[0] += any(flight.landed is event for flight in list(together._aloft.values()))
        return landed(event, timeout)

    with monkeypatch.context() as patch, ThreadPoolExecutor(len(calls)) as pool:
        patch.setattr(placing, where, slow)
        patch.setattr(threading.Event, "wait", counted)
        first = pool.submit(caught, calls[0])
        assert gate.reached.wait(10)
        others = [pool.submit(caught, call) for call in calls[1:]]
        until(lambda: waits[0] + sum(one.done() for one in others) >= len(others))
        gate.opened.set()
        return [one.result(20) for one in (first, *others)]


@pytest.mark.parametrize("where", ["account", "check_limits", "mark_sent", "judge", "settle"])
def test_all_get_the_report_of_the_first(venue: Venue, monkeypatch: Any, where: str) -> None:
    reports = at_once(venue, monkeypatch, where, [lambda: place(venue)] * 4)
    assert [report.state for report in reports] == ["resting"] * 4
    assert all(report is reports[0] for report in reports)
    assert venue.writes == [CREATE]
    assert not aloft(venue)


def test_of_two_clients_too(venue: Venue, monkeypatch: Any) -> None:
    first, second = venue.client, venue.connect()

    def call(client: kr.Client) -> kr.OrderReport:
        return kr.create_order(client, "T", quantity=5, price="0.42", client_order_id="one")

    one, two = at_once(venue, monkeypatch, "mark_sent", [lambda: call(first), lambda: call(second)])
    assert one is two
    assert venue.writes == [CREATE]


def test_another_order_under_the_id_is_refused_at_once(venue: Venue, monkeypatch: Any) -> None:
    one, two = at_once(
        venue, monkeypatch, "check_limits", [lambda: place(venue), lambda: place(venue, "0.43")]
    )
    assert one.state == "resting"
    assert isinstance(two, InputError)
    assert "id one was used before, for: buy 5 YES of T at $0.42; nothing was sent" in str(two)
    assert venue.writes == [CREATE]


def test_other_ids_wait_for_nobody(venue: Venue, monkeypatch: Any) -> None:
    reports = at_once(
        venue, monkeypatch, "mark_sent", [lambda: place(venue), lambda: place(venue, "0.43", "two")]
    )
    assert [report.client_order_id for report in reports] == ["one", "two"]


REFUSED = (400, {"error": {"code": "invalid_order", "message": "no", "details": "post only cross"}})
OUTCOMES = {
    "refused": (REFUSED, OrderRejected, "must rest"),
    "lost": (TransportError("the connection broke"), OrderNotPlaced, "was not placed"),
    "not sent": (NotSentError("no connection; nothing was sent"), NotSentError, "no connection"),
}


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_all_get_the_error_of_the_first(venue: Venue, monkeypatch: Any, outcome: str) -> None:
    answer, kind, says = OUTCOMES[outcome]
    venue.answer(CREATE, answer)
    errors = at_once(venue, monkeypatch, "mark_sent", [lambda: place(venue)] * 3)
    assert {type(error) for error in errors} == {kind}
    assert {str(error) for error in errors} == {str(errors[0])}
    assert says in str(errors[0])
    assert len({id(error) for error in errors}) == 3, "each thread has a traceback of its own"
    assert {id(error.__cause__) for error in errors[1:]} == {id(errors[0])}
    assert venue.writes == [CREATE], "what was refused is not sent again by who waited"
    assert place(venue).state == "resting", "and it may be sent again by who calls again"


def test_all_may_ask_what_became_of_an_order_that_is_not_known(venue: Venue, monkeypatch: Any) -> None:
    venue.answer(CREATE, lambda v, _m, _r, asked: v.take(asked["body"]) and (503, {}))
    venue.answer("GET /portfolio/orders", None, *[(503, {})] * 2)  # the first look is for the id
    venue.desk.pace = replace(venue.desk.pace, patience=0.0)
    errors = at_once(venue, monkeypatch, "mark_sent", [lambda: place(venue)] * 2)
    assert {type(error) for error in errors} == {OrderUnknown}
    assert {(error.client_order_id, error.known) for error in errors} == {("one", errors[0].known)}
    venue._scripts.clear()
    assert {error.resolve().order_id for error in errors} == {"o-one"}
    assert venue.writes == [CREATE]


def test_a_limit_that_forbids_it_forbids_it_to_all(venue: Venue, monkeypatch: Any) -> None:
    kr.arm(venue.client, max_order_cost=1, max_position=500, minutes=5)
    real = placing.check_limits
    gate = Gate()

    def slow(*asked: Any) -> Any:
        gate()
        return real(*asked)

    monkeypatch.setattr(placing, "check_limits", slow)
    with ThreadPoolExecutor(2) as pool:
        found = [pool.submit(caught, lambda: place(venue)) for _ in range(2)]
        assert gate.reached.wait(10)
        gate.opened.set()
        assert {type(one.result(20)) for one in found} == {LimitError}
    assert venue.writes == []


def test_who_waits_does_so_no_longer_than_the_first_may_take(venue: Venue, monkeypatch: Any) -> None:
    venue.desk.pace = replace(venue.desk.pace, scale=0.002)
    gate, real = Gate(), placing.mark_sent

    def slow(*asked: Any) -> None:
        real(*asked)
        gate()

    monkeypatch.setattr(placing, "mark_sent", slow)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(place, venue)
        assert gate.reached.wait(10)
        with pytest.raises(OrderUnknown, match="another call is placing this order: buy 5") as error:
            place(venue)
        assert "has not ended within 0 s" in str(error.value)
        assert len(str(error.value).splitlines()) == 2
        gate.opened.set()
        assert error.value.client_order_id == first.result(10).client_order_id
    assert error.value.resolve().state == "resting"
    assert venue.writes == [CREATE]


@pytest.mark.parametrize("where", ["account", "mark_sent"])
def test_a_first_call_that_is_interrupted_leaves_it_to_the_next(
    venue: Venue, monkeypatch: Any, where: str
) -> None:
    gate, real = Gate(), getattr(placing, where)

    def interrupted(*asked: Any) -> Any:
        if not gate.reached.is_set():
            gate()
            raise KeyboardInterrupt
        return real(*asked)

    def first() -> None:
        with pytest.raises(KeyboardInterrupt):
            place(venue)

    monkeypatch.setattr(placing, where, interrupted)
    with ThreadPoolExecutor(2) as pool:
        one = pool.submit(first)
        assert gate.reached.wait(10)
        two = pool.submit(caught, lambda: place(venue))
        gate.opened.set()
        one.result(20)
        found = two.result(20)
    if where == "account":  # nothing had been written down
        assert found.state == "resting"
    else:
        assert isinstance(found, OrderNotPlaced)
        assert venue.writes == []
    assert not aloft(venue)


# Two kernels: two journals on one file


def elsewhere(venue: Venue) -> Journal:
    return Journal(venue.desk.journal.path)


def racing(venue: Venue, monkeypatch: Any, other: Journal, **row: Any) -> None:
    """Another kernel writes the order down after this one has looked for it, and before it writes."""
    real = placing.check_limits

    def slow(*asked: Any) -> Any:
        found = real(*asked)
        if other.get("one") is None:
            said = {"sent_at": EPOCH, "until": EPOCH + 10, **row}
            other.write(Intent("one", "create", "SENT", other.session, TERMS.stored(), **said))
        return found

    monkeypatch.setattr(placing, "check_limits", slow)


OUTCOMES_ELSEWHERE = {
    "placed": (
        {"state": "ACKED", "order_id": "o-one", "status": "resting", "filled": 0, "remaining": 500},
        None, "",
    ),
    "refused": ({"state": "REJECTED", "note": "post only cross"}, OrderRejected, "post only cross"),
    "not placed": ({"state": "NOT_PLACED", "note": "nothing was sent"}, OrderNotPlaced, "not placed"),
}  # fmt: skip


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("outcome", OUTCOMES_ELSEWHERE)
def test_what_becomes_of_it_in_another_kernel_is_the_outcome_here(
    venue: Venue, monkeypatch: Any, outcome: str, *, late: bool
) -> None:
    other = elsewhere(venue)
    end, kind, says = OUTCOMES_ELSEWHERE[outcome]
    if late:
        racing(venue, monkeypatch, other)
    else:
        other.write(
            Intent("one", "create", "SENT", other.session, TERMS.stored(), EPOCH, until=EPOCH + 10)
        )
    real = venue.desk.pace.sleep

    def sleep(seconds: float) -> None:
        real(seconds)
        if venue.elapsed > 2:
            other.note("one", **end)

    venue.desk.pace = replace(venue.desk.pace, sleep=sleep)
    found = caught(lambda: place(venue))
    if kind is None:
        assert (found.state, found.order_id) == ("resting", "o-one")
    else:
        assert isinstance(found, kind)
        assert says in str(found)
    assert 2 <= venue.elapsed < 6
    assert venue.writes == []
    other.close()


def test_another_order_of_another_kernel_under_the_id_is_refused(venue: Venue, monkeypatch: Any) -> None:
    other = elsewhere(venue)
    racing(venue, monkeypatch, other)
    with pytest.raises(InputError, match=r"id one was used before, for: buy 5 YES of T at .0\.42"):
        place(venue, "0.43")
    assert venue.writes == []
    other.close()


def test_another_kernel_is_not_waited_for_beyond_its_deadline(venue: Venue, monkeypatch: Any) -> None:
    other = elsewhere(venue)
    racing(venue, monkeypatch, other)
    venue.put("one", initial_count_fp="5.00")
    venue.archive.clear()
    rows = dict(venue.orders)
    venue.orders.clear()
    real = venue.desk.pace.sleep

    def sleep(seconds: float) -> None:
        real(seconds)
        if venue.elapsed > 12:  # its answer was lost; reads show the order
            venue.orders.update(rows)

    venue.desk.pace = replace(venue.desk.pace, sleep=sleep)
    found = place(venue)
    assert (found.state, found.note) == ("resting", "placed by an earlier call; nothing was sent now")
    assert 10 <= venue.elapsed < 20
    assert venue.writes == []
    other.close()


@pytest.mark.parametrize("state", ["SENT", "ACKED"])
def test_an_order_that_goes_again_in_another_kernel_is_left_to_it(
    venue: Venue, monkeypatch: Any, state: str
) -> None:
    """It had not arrived; between looking that up here and asking once more it is sent there."""
    other = elsewhere(venue)
    row = Intent(
        "one",
        "create",
        "NOT_PLACED",
        other.session,
        TERMS.stored(),
        EPOCH - 99,
        until=EPOCH - 89,
        sends=1,
    )
    other.write(row)
    waiting, began, real = placing.Wait, [], venue.desk.pace.sleep

    def late(*asked: Any) -> Any:
        if not began:
            placed = OUTCOMES_ELSEWHERE["placed"][0] if state == "ACKED" else {"state": state}
            began.append(other.write(replace(row, until=EPOCH + 10, sends=2, **placed)))
        return waiting(*asked)

    def sleep(seconds: float) -> None:
        real(seconds)
        if venue.elapsed > 2:
            other.note("one", **OUTCOMES_ELSEWHERE["placed"][0])

    monkeypatch.setattr(placing, "Wait", late)
    venue.desk.pace = replace(venue.desk.pace, sleep=sleep)
    found = place(venue)
    assert (found.state, found.order_id) == ("resting", "o-one")
    assert venue.elapsed < 6
    assert venue.writes == []
    assert "UNKNOWN" not in other.path.read_text(), "what the other kernel wrote stays as it is"
    other.close()


@pytest.mark.parametrize("state", ["SENT", "ACKED"])
def test_an_order_that_another_kernel_places_while_its_id_is_looked_for_is_joined(
    venue: Venue, state: str
) -> None:
    """This kernel finds its own id on the exchange: the order there is the one it was to place."""
    other, real = elsewhere(venue), venue.desk.pace.sleep
    row = Intent(
        "one", "create", "SENT", other.session, TERMS.stored(), EPOCH, until=EPOCH + 10, sends=1
    )
    end = OUTCOMES_ELSEWHERE["placed"][0]

    def placed(_venue: Venue, *_: Any) -> None:
        venue.put("one")
        other.write(row)
        if state == "ACKED":
            other.note("one", **end)

    def sleep(seconds: float) -> None:
        real(seconds)
        if venue.elapsed > 2:
            other.note("one", **end)

    venue.answer("GET /portfolio/orders", placed)
    venue.desk.pace = replace(venue.desk.pace, sleep=sleep)
    found = place(venue)
    assert (found.state, found.order_id) == ("resting", "o-one")
    assert venue.elapsed < 6
    assert venue.writes == []
    other.close()


def test_an_id_that_was_used_without_this_journal_is_still_refused(venue: Venue) -> None:
    venue.put("one")
    with pytest.raises(ConflictError, match="id one belongs to order o-one"):
        place(venue)
    assert venue.writes == []


# What is found out of one sending says nothing of the next


def test_two_that_ask_for_a_lost_order_once_more_send_it_once(venue: Venue, monkeypatch: Any) -> None:
    """The slower look began before the quicker one sent it again, and ends while that is in flight."""
    left_open(venue, "one", "UNKNOWN")
    journal, gate, real = venue.desk.journal, Gate(), reconcile.Search._elsewhere
    slow: list[threading.Thread] = []

    def again() -> Any:
        return caught(lambda: placing.resolve(venue.desk, "one", resubmit=True))

    def taken(_venue: Venue, _method: str, _route: str, asked: dict[str, Any]) -> Any:
        gate()
        return 201, venue.take(asked["body"])

    with ThreadPoolExecutor(1) as pool:
        quick = []

        def elsewhere(search: Any, *asked: Any) -> Any:
            found = real(search, *asked)
            if not slow:
                slow.append(threading.current_thread())
                quick.append(pool.submit(again))
                assert gate.reached.wait(10)
            return found

        monkeypatch.setattr(reconcile.Search, "_elsewhere", elsewhere)
        venue.answer(CREATE, taken)
        second = again()
        kept = journal.get("one")
        gate.opened.set()
        first = quick[0].result(20)
    assert kept is not None
    assert (kept.state, kept.sends) == ("SENT", 1)
    assert isinstance(second, OrderUnknown)
    assert (first.state, first.order_id) == ("resting", "o-one")
    assert venue.writes == [CREATE]
    assert second.resolve().order_id == "o-one"


def test_evidence_of_one_sending_changes_nothing_of_the_next(venue: Venue) -> None:
    left_open(venue, "one", "UNKNOWN")
    journal = venue.desk.journal
    seen = journal.some(["one"])
    absent = {"one": {"state": "NOT_PLACED"}}
    assert journal.settle(absent, seen=seen)["one"].state == "NOT_PLACED"
    for more in ({"sends": 1}, {"sends": 0, "until": EPOCH + 10}):
        journal.note("one", state="SENT", **more)
        assert journal.settle(absent, seen=seen)["one"].state == "SENT"
        assert journal.settle(absent, seen=journal.some(["one"]))["one"].state == "NOT_PLACED"


# Against the sandbox, over a real wire


def test_twenty_threads_place_one_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KALSHI_RESEARCH_JOURNAL", str(tmp_path))
    with Sandbox(days=2, crypto_hours=1) as sandbox:
        key_id, key = sandbox.credentials(0)
        root = sandbox.url.removesuffix("/trade-api/v2")
        with kr.connect(root, key_id=key_id, private_key=key) as client:
            start = threading.Barrier(20)

            def call(_: int) -> kr.OrderReport:
                start.wait(20)
                return kr.create_order(
                    client, "KXHIGHNY-26NOV21-B44.5", quantity=2, price="0.01", client_order_id="one"
                )

            with ThreadPoolExecutor(20) as pool:
                reports = list(pool.map(call, range(20)))
        (order,) = sandbox.truth.accepted("one")
    assert {report.order_id for report in reports} == {order.order_id}
    assert {report.state for report in reports} == {"resting"}
