"""What is really the case, and the second port that tells it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from faulty_exchange import CREATE, ORDERS, open_ticker, order_body, place, send
from sandbox_calls import Caller

from kalshi_research.errors import ConfigError
from kalshi_research.sandbox import Sandbox


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(days=1, crypto_hours=0, users=2) as running:
        yield running


@pytest.fixture
def caller(sandbox: Sandbox) -> Iterator[Caller]:
    with Caller(sandbox) as made:
        yield made


def test_orders_are_told_as_they_are_whatever_was_answered(sandbox: Sandbox, caller: Caller) -> None:
    sandbox.faults.add("accept_then:502", CREATE)
    sandbox.faults.add("reject_then:502", CREATE, nth=2)
    place(caller, "kept")
    place(caller, "lost")
    truth = sandbox.truth
    (kept,) = truth.accepted("kept")
    assert truth.accepted("lost") == []
    assert (kept.side, kept.price, kept.initial, kept.remaining) == ("bid", 100, 400, 400)
    assert (kept.user, kept.status, kept.fills) == (0, "resting", ())
    assert truth.resting(0) == [kept]
    assert truth.resting(1) == []
    send(caller, "DELETE", f"{ORDERS}/{kept.order_id}")
    assert truth.resting() == []


def test_a_fill_is_told_with_its_fee_and_position(sandbox: Sandbox, caller: Caller) -> None:
    answer = place(caller, "taker", price="0.9900", time_in_force="immediate_or_cancel").json()
    (found,) = sandbox.truth.accepted("taker")
    assert found.status == "executed"
    assert sum(row.count for row in found.fills) == 400
    told = caller.signed("/portfolio/fills")["fills"]
    assert sorted(row.trade_id for row in found.fills) == sorted(row["trade_id"] for row in told)
    assert sum(row.fee for row in found.fills) == round(
        sum(float(row["fee_cost"]) for row in told) * 1_000_000
    )
    assert sandbox.truth.positions() == {found.ticker: 400}
    assert answer["fill_count"] == "4.00"


def test_books_are_told_at_every_clock(sandbox: Sandbox, caller: Caller) -> None:
    ticker = open_ticker(caller)
    sandbox.truth.watch(ticker)
    steps: list[tuple[int, Any]] = []
    for number in range(6):
        body = order_body(ticker, f"step{number}", price=f"0.0{number + 1}00", count="7.00")
        if number == 3:
            body |= {"price": "0.9900", "time_in_force": "immediate_or_cancel"}
        assert send(caller, "POST", ORDERS, body).status_code == 201
        view = sandbox.floor.book(ticker)
        book = (dict(view.yes), {10_000 - price: count for price, count in view.no})
        steps.append((sandbox.floor.clock, book))
        assert sandbox.truth.book(ticker) == book
    for clock, book in steps:
        assert sandbox.truth.book(ticker, clock) == book
    assert len({json.dumps(book[0]) for _, book in steps}) > 3
    with pytest.raises(ConfigError, match="not watched"):
        sandbox.truth.book(ticker, 0)


def test_the_log_has_headers_and_no_secret(sandbox: Sandbox, caller: Caller) -> None:
    headers = caller.signed_headers("GET", "/portfolio/balance")
    caller.call("GET", "/portfolio/balance", headers=headers | {"X-Asked-By": "a test"})
    sandbox.faults.add("reject_then:503", CREATE)
    place(caller, "lost")
    asked = next(row for row in sandbox.truth.requests if row.path.endswith("/balance"))
    found = dict(asked.headers)
    assert found["x-asked-by"] == "a test"
    assert found["kalshi-access-timestamp"] == headers["KALSHI-ACCESS-TIMESTAMP"]
    lost = sandbox.truth.requests[-1]
    assert (lost.method, lost.status, lost.fault) == ("POST", 0, "reject_then:503")
    secrets = (headers["KALSHI-ACCESS-SIGNATURE"], headers["KALSHI-ACCESS-KEY"])
    for text in (repr(sandbox.truth.requests), str([row.headers for row in sandbox.truth.requests])):
        assert not any(secret in text for secret in secrets)


# The second port


def ask(sandbox: Sandbox, path: str, **more: Any) -> requests.Response:
    headers = {"Authorization": f"Bearer {sandbox.serve_truth().token}"} | more.pop("headers", {})
    return requests.get(
        sandbox.serve_truth().url + path, params=more, headers=headers, timeout=10, proxies={"http": ""}
    )


def test_the_port_tells_what_the_handle_tells(sandbox: Sandbox, caller: Caller) -> None:
    sandbox.faults.add("dedupe:none")
    sandbox.faults.add("accept_then:503", CREATE)
    for _ in range(2):
        place(caller, "twice")
    place(caller, "taker", price="0.9900", time_in_force="immediate_or_cancel", count="1.00")
    ticker = open_ticker(caller)
    assert sandbox.serve_truth().url != sandbox.url
    assert ask(sandbox, "/duplicates").json() == {"twice": 2}
    assert ask(sandbox, "/acceptances").json() == {"twice": 2, "taker": 1}
    orders = ask(sandbox, "/orders", client_order_id="twice").json()
    assert [row["order_id"] for row in orders] == [
        row.order_id for row in sandbox.truth.accepted("twice")
    ]
    assert ask(sandbox, "/orders", client_order_id="taker").json()[0]["fills"][0]["count"] == 100
    assert len(ask(sandbox, "/resting", user=0).json()) == 2
    assert ask(sandbox, "/resting", user=1).json() == []
    assert list(ask(sandbox, "/positions", user=0).json().values()) == [100]
    bids, _ = sandbox.truth.book(ticker)
    assert ask(sandbox, "/book", ticker=ticker).json()["bids"] == {str(k): v for k, v in bids.items()}
    assert ask(sandbox, "/watch", ticker=ticker).status_code == 200
    assert ask(sandbox, "/book", ticker=ticker, clock=sandbox.floor.clock).status_code == 200
    assert ask(sandbox, "/requests").json()[-1]["method"] == "GET"
    faults = ask(sandbox, "/faults").json()
    assert [bite["kind"] for bite in faults["bites"]] == ["accept_then:503"]


def test_the_port_wants_its_token_and_no_page_of_a_browser(sandbox: Sandbox) -> None:
    for headers in ({"Authorization": ""}, {"Authorization": "Bearer x"}):
        assert ask(sandbox, "/orders", headers=headers).status_code == 401
    assert ask(sandbox, "/orders", headers={"Origin": "http://evil.example"}).status_code == 403
    assert ask(sandbox, "/orders", headers={"Host": "evil.example"}).status_code == 403
    assert ask(sandbox, "/nothing").status_code == 404
    assert ask(sandbox, "/orders", user="x").status_code == 400
    assert ask(sandbox, "/orders", user="7").status_code == 400
    assert ask(sandbox, "/book").status_code == 400
    assert sandbox.serve_truth().token not in repr(sandbox.serve_truth())


def test_the_port_ends_with_the_sandbox() -> None:
    with Sandbox(days=1, crypto_hours=0) as sandbox:
        url = sandbox.serve_truth().url
        assert sandbox.serve_truth() is sandbox.serve_truth()
    with pytest.raises(requests.ConnectionError):
        requests.get(url, timeout=2, proxies={"http": ""})
