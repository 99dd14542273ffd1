"""Each knob of the sandbox bites, at the wire, where and when its rule says."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
import yaml
from faulty_exchange import CREATE, ORDERS, ids, on_the_wire, open_ticker, order_body, place, send, until
from sandbox_calls import Caller
from stub_server import Answer, StubServer

from kalshi_research.errors import ConfigError
from kalshi_research.sandbox import Sandbox
from kalshi_research.sandbox.faults import Faults, kinds, parse_fault
from kalshi_research.sandbox.faults.kinds import ANSWERS
from kalshi_research.sandbox.faults.rules import STREAM_PLACES


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(running: Sandbox) -> Iterator[Sandbox]:
    running.faults.clear()
    running.faults.scale = 1.0
    yield running
    running.faults.clear()


@pytest.fixture
def caller(sandbox: Sandbox) -> Iterator[Caller]:
    with Caller(sandbox) as made:
        yield made


def fresh(name: str) -> str:
    return f"{name}-{time.monotonic_ns()}"


# The script


def test_rules_count_the_calls_that_match_them() -> None:
    faults = Faults()
    rule = faults.add("reject_then:503", "GET /markets/{ticker}", nth=2, times=2)
    places = ["GET /markets", "GET /markets/A", "POST /markets/A", "GET /markets/A/orderbook"]
    bitten = [bool(faults.meet("rest", place)) for place in places + ["GET /markets/B"] * 4]
    assert bitten == [False, False, False, False, True, True, False, False]
    assert (rule.calls, rule.bites) == (5, 2)
    assert [bite.call for bite in faults.fired] == [2, 3]


@pytest.mark.parametrize(
    ("route", "hit", "missed"),
    [
        ("* /**", "DELETE /a/b", None),
        ("GET /**", "GET /a", "POST /a"),
        ("* /portfolio/**", "GET /portfolio/orders/1", "GET /markets"),
        ("GET /trade-api/v2/markets", "GET /markets", "GET /markets/A"),
        ("DELETE /portfolio/events/orders/*", f"DELETE {ORDERS}/x", f"DELETE {ORDERS}"),
        (f"POST {ORDERS}/{{order_id}}/amend", f"POST {ORDERS}/x/amend", f"POST {ORDERS}/x/decrease"),
    ],
)
def test_routes_name_places(route: str, hit: str, missed: str | None) -> None:
    faults = Faults()
    faults.add("reject_then:503", route, times=None)
    assert faults.meet("rest", hit)
    if missed is not None:
        assert not faults.meet("rest", missed)


def test_a_share_is_the_same_for_the_same_seed_and_about_as_large_as_asked() -> None:
    def drawn(seed: int) -> list[bool]:
        faults = Faults()
        faults.add("reject_then:503", "* /**", share=0.3, seed=seed)
        return [bool(faults.meet("rest", "GET /x")) for _ in range(2000)]

    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)
    # 2000 draws at 0.3: five standard deviations are 0.051.
    assert 0.249 < sum(drawn(1)) / 2000 < 0.351


def test_a_rule_may_look_for_a_text_and_be_taken_away() -> None:
    faults = Faults()
    rule = faults.add("reject_then:503", "* /**", times=None, where="abc")
    assert not faults.meet("rest", "GET /x", "ab")
    assert faults.meet("rest", "GET /x", "xabcx")
    assert faults.on("rest")
    faults.remove(rule)
    faults.remove(rule)
    assert not faults.on("rest")
    assert not faults.meet("rest", "GET /x", "abc")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"kind": "acept_then:hang"}, 'Did you mean "accept_then"'),
        ({"kind": "accept_then"}, "accept_then:hang"),
        ({"kind": "accept_then:404"}, "accept_then:408"),
        ({"kind": "accept_then:hang", "second": 1.0}, "seconds"),
        ({"kind": "accept_then:hang", "seconds": "1"}, "float"),
        ({"kind": "accept_then:hang", "nth": 0}, "from 1"),
        ({"kind": "accept_then:hang", "times": True}, "times="),
        ({"kind": "accept_then:hang", "share": 1.5}, "share="),
        ({"kind": "accept_then:hang", "route": "/markets"}, "a word and a path"),
        ({"kind": "read_lag", "nth": 2}, "until it is removed"),
    ],
)
def test_what_is_wrong_with_a_rule_is_said_and_none_is_added(
    arguments: dict[str, object], said: str
) -> None:
    faults = Faults()
    with pytest.raises(ConfigError, match=re.escape(said)) as caught:
        faults.add(**arguments)  # type: ignore[arg-type]
    assert faults.rules == []
    assert len(str(caught.value).splitlines()) <= 3


def test_a_line_of_text_is_a_rule() -> None:
    faults = Faults()
    rule = faults.add_text(f"late_commit:RST {CREATE} #3 x* share=0.5 seed=7 where=abc after=2")
    assert (rule.kind, rule.route, rule.nth, rule.times) == ("late_commit:RST", CREATE, 3, None)
    assert (rule.share, rule.seed, rule.where) == (0.5, 7, "abc")
    assert rule.details == {"seconds": 60.0, "after": 2.0}
    assert parse_fault("read_lag")["kind"] == "read_lag"
    for wrong in ("", "nothing", "accept_then:hang GET", "accept_then:hang 3", "delay:after seconds=x"):
        with pytest.raises(ConfigError):
            faults.add_text(wrong)
    assert faults.rules == [rule]


def test_every_kind_can_be_written_in_a_line() -> None:
    for kind in kinds().values():
        for variant in kind.variants or ("",):
            faults = Faults()
            rule = faults.add_text(f"{kind.name}:{variant}" if variant else kind.name)
            assert (rule.name, rule.variant) == (kind.name, variant)


def test_many_threads_are_counted_once_each() -> None:
    faults = Faults()
    rule = faults.add("reject_then:503", "* /**", nth=100, times=1)
    found: list[int] = []

    def work() -> None:
        found.extend(len(faults.meet("rest", "GET /x")) for _ in range(250))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (rule.calls, sum(found), faults.fired[0].call) == (2000, 1, 100)


# Accepted or lost, shown the same

_ID = rb"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|(?<=order_id\":\")[0-9a-f-]*$"


def _anonymous(raw: bytes) -> bytes:
    return re.sub(rb"date: [^\r]+\r\n", b"", re.sub(_ID, b"ID", raw), flags=re.IGNORECASE)


@pytest.mark.parametrize("shown", ANSWERS)
def test_accepted_and_lost_orders_look_the_same_on_the_wire(
    sandbox: Sandbox, caller: Caller, shown: str
) -> None:
    sandbox.faults.scale = 1 / 200
    ticker, wires, ends = open_ticker(caller), [], []
    names = {"accept_then": fresh("order-one"), "reject_then": fresh("order-two")}
    for kind, name in names.items():
        sandbox.faults.add(f"{kind}:{shown}", CREATE, where=name)
        raw, end = on_the_wire(caller, "POST", ORDERS, order_body(ticker, name), timeout=1)
        wires.append(_anonymous(raw).replace(name.encode(), b"NAME"))
        ends.append(end)
    assert wires[0] == wires[1]
    assert ends[0] == ends[1]
    accepted = sandbox.truth.acceptances()
    assert accepted.get(names["accept_then"]) == 1
    assert names["reject_then"] not in accepted
    expected = {"hang": (b"", "FIN"), "RST": (b"", "RST"), "FIN": (b"", "FIN")}
    if shown in expected:
        assert (wires[0], ends[0]) == expected[shown]
    assert [bite.status for bite in sandbox.faults.fired] == [201, None]


@pytest.mark.parametrize("shown", ["408", "500", "502", "503", "504"])
def test_a_shown_status_is_that_status(sandbox: Sandbox, caller: Caller, shown: str) -> None:
    sandbox.faults.add(f"accept_then:{shown}", CREATE)
    answer = place(caller, fresh("status"))
    assert answer.status_code == int(shown)
    html = answer.headers["content-type"].startswith("text/html")
    assert html == (shown in ("502", "504"))


def test_what_comes_with_the_status_of_success(sandbox: Sandbox, caller: Caller) -> None:
    bodies = {}
    for shown in ("schema", "empty", "other", "error"):
        name = fresh(shown)
        sandbox.faults.add(f"accept_then:{shown}", CREATE)
        answer = place(caller, name)
        assert answer.status_code == 201
        bodies[shown] = answer.json() if answer.content else None
        assert sandbox.truth.accepted(name)[0].status == "resting"
    assert bodies["empty"] is None
    assert "order_id" not in bodies["schema"]
    assert bodies["error"]["error"]["code"] == "deprecated_v1_order_endpoint"
    known = {row.order_id for row in sandbox.truth.orders()}
    assert bodies["other"]["order_id"] not in known
    assert bodies["other"]["client_order_id"] not in ids(sandbox)


def test_a_truncated_answer_declares_more_than_it_holds(sandbox: Sandbox, caller: Caller) -> None:
    sandbox.faults.add("accept_then:truncated", CREATE)
    raw, end = on_the_wire(caller, "POST", ORDERS, order_body(open_ticker(caller), fresh("t")))
    head, _, body = raw.partition(b"\r\n\r\n")
    declared = int(re.search(rb"content-length: (\d+)", head)[1])  # type: ignore[index]
    assert 0 < len(body) < declared
    assert end == "FIN"


def test_silence_lasts_until_the_client_leaves(sandbox: Sandbox, caller: Caller) -> None:
    sandbox.faults.add("accept_then:hang", CREATE)
    started = time.monotonic()
    with pytest.raises(requests.ReadTimeout):
        place(caller, fresh("silent"), timeout=0.4)
    assert time.monotonic() - started < 3
    # The exchange goes on for all others meanwhile and after.
    assert place(caller, fresh("next")).status_code == 201


def test_half_of_a_batch_is_committed(sandbox: Sandbox, caller: Caller) -> None:
    ticker, names = open_ticker(caller), [fresh(f"batch{i}") for i in range(4)]
    body = {"orders": [order_body(ticker, name) for name in names]}
    sandbox.faults.add("accept_then:RST", f"POST {ORDERS}/batched", items=2)
    assert on_the_wire(caller, "POST", f"{ORDERS}/batched", body) == (b"", "RST")
    assert [name in ids(sandbox) for name in names] == [True, True, False, False]


def test_a_held_request_does_not_hold_up_the_end(caplog: pytest.LogCaptureFixture) -> None:
    sandbox = Sandbox().start()
    with Caller(sandbox) as caller:
        sandbox.faults.add("accept_then:hang", "GET /markets")
        ended: list[str] = []
        thread = threading.Thread(
            target=lambda: ended.append(on_the_wire(caller, "GET", "/markets", timeout=20)[1])
        )
        thread.start()
        until(lambda: sandbox.faults.fired)
        started = time.monotonic()
        sandbox.close()
        assert time.monotonic() - started < 5
        thread.join(5)
    assert ended == ["RST"]
    assert caplog.records == []


# Time


def test_an_order_may_be_committed_after_it_was_given_up(sandbox: Sandbox, caller: Caller) -> None:
    sandbox.faults.scale = 0.05
    name = fresh("late")
    sandbox.faults.add("late_commit:503", CREATE, after=10)
    assert place(caller, name).status_code == 503
    assert name not in ids(sandbox)
    assert sandbox.faults.pending == 1
    assert sandbox.faults.wait()
    assert sandbox.truth.acceptances()[name] == 1
    assert sandbox.faults.fired[-1].status == 201


def test_late_is_counted_from_when_the_client_left(sandbox: Sandbox, caller: Caller) -> None:
    sandbox.faults.scale = 0.05
    name = fresh("late")
    sandbox.faults.add("late_commit:hang", CREATE, seconds=600, after=6)
    with pytest.raises(requests.ReadTimeout):
        place(caller, name, timeout=0.3)
    left = time.monotonic()
    assert name not in ids(sandbox)
    assert sandbox.faults.wait()
    assert time.monotonic() - left >= 0.25
    assert name in ids(sandbox)


@pytest.mark.parametrize("phase", ["before", "after", "body"])
def test_a_delay_falls_into_its_phase(sandbox: Sandbox, caller: Caller, phase: str) -> None:
    sandbox.faults.add(f"delay:{phase}", CREATE, seconds=0.4)
    name, got = fresh(phase), []
    thread = threading.Thread(target=lambda: got.append(place(caller, name)))
    started = time.monotonic()
    thread.start()
    until(lambda: sandbox.faults.fired)
    if phase == "before":
        assert name not in ids(sandbox)
    else:
        until(lambda: name in ids(sandbox), 0.3)
    thread.join()
    assert time.monotonic() - started >= 0.4
    assert got[0].json()["client_order_id"] == name


def test_jitter_comes_from_the_seed(sandbox: Sandbox, caller: Caller) -> None:
    def took(seed: int) -> float:
        sandbox.faults.clear()
        sandbox.faults.add("delay:before", "GET /exchange/status", seconds=0, jitter=0.6, seed=seed)
        started = time.monotonic()
        caller.get("/exchange/status")
        return time.monotonic() - started

    rule = Faults().add("delay:before", "GET /exchange/status", seconds=0, jitter=0.6, seed=3)
    expected = rule.random(1, "jitter").uniform(0, 0.6)
    assert took(3) == pytest.approx(expected, abs=0.15)


def test_a_body_may_trickle(sandbox: Sandbox, caller: Caller) -> None:
    sandbox.faults.scale = 0.01
    sandbox.faults.add("trickle", "GET /exchange/status", size=8, pause=0.7)
    started = time.monotonic()
    answer = caller.call("GET", "/exchange/status")
    pieces = -(-len(answer.content) // 8)
    assert answer.json()["exchange_active"] is True
    assert time.monotonic() - started >= (pieces - 1) * 0.007


@pytest.mark.parametrize("way", ["FIN", "RST"])
def test_a_kept_connection_may_be_closed_after_the_answer(
    sandbox: Sandbox, caller: Caller, way: str
) -> None:
    sandbox.faults.add(f"then_close:{way}", "GET /exchange/status")
    raw, end = on_the_wire(caller, "GET", "/exchange/status", keep=True)
    assert raw.startswith(b"HTTP/1.1 200")
    assert raw.endswith(b"}")
    assert b"connection: close" not in raw.lower()
    assert end == way


# Refusals and redirects


@pytest.mark.parametrize(
    ("form", "sent"),
    [("absent", None), ("0", "0"), ("2.5", "2.5"), ("3600", "3600"), ("-1", "-1"), ("nan", "NaN"),
     ("junk", "in a while")],
)  # fmt: skip
def test_429_comes_with_each_form_of_retry_after(
    sandbox: Sandbox, caller: Caller, form: str, sent: str | None
) -> None:
    sandbox.faults.add(f"rate_limit:{form}", CREATE)
    name = fresh("limited")
    answer = place(caller, name)
    assert answer.status_code == 429
    assert answer.headers.get("retry-after") == sent
    assert name not in ids(sandbox)


def test_retry_after_may_be_a_date(sandbox: Sandbox, caller: Caller) -> None:
    sandbox.faults.add("rate_limit:date", "GET /markets")
    answer = caller.call("GET", "/markets")
    assert re.fullmatch(r"\w{3}, \d\d \w{3} \d{4} [\d:]{8} GMT", answer.headers["retry-after"])


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_names_another_host_or_itself(sandbox: Sandbox, caller: Caller, status: int) -> None:
    with StubServer([Answer(body={"captured": True})]) as capture:
        sandbox.faults.add(f"redirect:{status}", "GET /markets", location=f"{capture.url}/x")
        answer = send(caller, "GET", "/markets")
        assert (answer.status_code, answer.headers["location"]) == (status, f"{capture.url}/x")
        assert capture.seen == []
        sandbox.faults.clear()
        sandbox.faults.add(f"redirect:{status}", CREATE)
        answer = place(caller, fresh("moved"))
        assert answer.headers["location"] == f"/trade-api/v2{ORDERS}"


def test_faults_that_match_together_are_put_around_each_other(sandbox: Sandbox, caller: Caller) -> None:
    name = fresh("both")
    sandbox.faults.add("delay:before", CREATE, seconds=0.2)
    sandbox.faults.add("accept_then:503", CREATE)
    started = time.monotonic()
    assert place(caller, name).status_code == 503
    assert time.monotonic() - started >= 0.2
    assert sandbox.truth.acceptances()[name] == 1
    record = sandbox.truth.requests[-1]
    assert (record.status, record.fault) == (201, "delay:before accept_then:503")


def test_the_script_and_the_truth_agree_when_many_order_at_once(sandbox: Sandbox) -> None:
    sandbox.faults.scale = 1 / 200
    kept, lost = ("accept_then", "late_commit"), ("reject_then",)
    shows = ("503", "RST", "FIN", "truncated", "hang")
    drawn = {
        fresh(f"many-{number}"): ((*kept, *lost)[number % 3], shows[number % 5]) for number in range(90)
    }
    for name, (kind, show) in drawn.items():
        sandbox.faults.add(f"{kind}:{show}", CREATE, where=name, seconds=40)
    with Caller(sandbox) as caller:
        ticker = open_ticker(caller)
        sandbox.credentials()

        def work(names: list[str]) -> None:
            for name in names:
                on_the_wire(caller, "POST", ORDERS, order_body(ticker, name), timeout=10)

        threads = [threading.Thread(target=work, args=([*drawn][part::6],)) for part in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sandbox.faults.wait()
    accepted = sandbox.truth.acceptances()
    assert {name: accepted.get(name, 0) for name in drawn} == {
        name: int(kind in kept) for name, (kind, _) in drawn.items()
    }
    assert sorted(bite.kind for bite in sandbox.faults.fired) == sorted(
        f"{kind}:{show}" for kind, show in drawn.values()
    )


def test_a_place_where_nothing_is_served_is_refused() -> None:
    with Sandbox(days=1, crypto_hours=0) as sandbox:
        faults = sandbox.faults
        for kind, route, near in (
            ("accept_then:hang", "POST /portfolio/event/orders", "POST /portfolio/events/orders"),
            ("reject_then:503", "GET /market", "GET /markets"),
            ("reject_then:503", "POST /markets", "GET /markets"),
            ("reject_then:503", "* /portfolio/ordrs/**", "/portfolio/orders"),
            ("read_lag", "GET /portfolio/order", "GET /portfolio/orders"),
            ("frame:drop", "WS /orderbook", "WS /orderbook_delta"),
            ("frame:drop", "GET /markets", "WS /"),
        ):
            with pytest.raises(ConfigError) as caught:
                faults.add(kind, route)
            message = str(caught.value)
            assert f"nothing is served at '{route}'; no rule was added." in message
            assert near in message.split("Nearest: ")[1]
        assert faults.rules == []
        for kind, route in (
            ("reject_then:503", "* /**"), ("reject_then:503", "* /*/*"), ("reject_then:503", "GET /**"),
            ("reject_then:503", "GET /trade-api/v2/markets/{any}"),
            ("reject_then:503", "GET /markets/KXHIGHNY-26NOV21-B44.5/orderbook"),
            ("reject_then:503", "DELETE /portfolio/events/**"),
            ("reject_then:503", "POST /portfolio/orders"),  # gone since 2026, and known to be
            ("frame:drop", "WS /*"), ("frame:drop", "* /ticker"), ("frame:drop", "* /**"),
        ):  # fmt: skip
            faults.add(kind, route)
        assert len(faults.rules) == 10


def test_each_dialect_has_places_of_its_own() -> None:
    with Sandbox(days=1, crypto_hours=0, dialect="2025") as sandbox:
        sandbox.faults.add("reject_then:503", "POST /portfolio/orders")
        with pytest.raises(ConfigError, match="POST /portfolio/orders"):
            sandbox.faults.add("reject_then:503", "POST /portfolio/events/orders")


def test_every_type_of_frame_is_a_place(shared: Path) -> None:
    """Of those that the specification has, but for the life of events, which is never told."""
    spec = yaml.safe_load((shared / "spec/asyncapi.yaml").read_text())
    types = {
        schema["properties"]["type"]["const"]
        for schema in spec["components"]["schemas"].values()
        if "const" in schema.get("properties", {}).get("type", {})
    }
    sent = {name.removeprefix("WS /") for name in STREAM_PLACES} - {"connect", "orderbook_update"}
    assert len(types) > 15
    assert sent <= types
