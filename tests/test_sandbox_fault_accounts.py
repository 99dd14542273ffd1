"""Reads that lag, ids that repeat, fills and halts around a request, clocks that are off."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import pytest
from faulty_exchange import CREATE, ORDERS, open_ticker, order_body, place, send, until
from sandbox_calls import Caller

import kalshi_research as kr
from kalshi_research.errors import ApiError, AuthError, ServerError
from kalshi_research.sandbox import Sandbox


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(days=1, crypto_hours=0) as running:
        yield running


@pytest.fixture
def caller(sandbox: Sandbox) -> Iterator[Caller]:
    with Caller(sandbox) as made:
        yield made


def listed(caller: Caller) -> list[str]:
    return [row["client_order_id"] for row in caller.signed("/portfolio/orders")["orders"]]


def as_of(caller: Caller) -> datetime:
    return datetime.fromisoformat(caller.get("/exchange/user_data_timestamp")["as_of_time"])


# Reads that lag


def test_reads_show_what_was_some_time_ago(sandbox: Sandbox, caller: Caller) -> None:
    first = place(caller, "early").json()["order_id"]
    rule = sandbox.faults.add("read_lag", seconds=3600)
    second = place(caller, "late").json()["order_id"]
    assert send(caller, "DELETE", f"{ORDERS}/{first}").status_code == 200
    assert listed(caller) == ["early"]
    assert caller.signed("/portfolio/orders")["orders"][0]["status"] == "resting"
    assert send(caller, "GET", f"/portfolio/orders/{second}").status_code == 404
    assert caller.signed(f"/portfolio/orders/{first}")["order"]["status"] == "resting"
    assert [row.status for row in sandbox.truth.orders()] == ["canceled", "resting"]
    sandbox.faults.scale = 0
    assert listed(caller) == ["late", "early"]
    assert caller.signed(f"/portfolio/orders/{first}")["order"]["status"] == "canceled"
    sandbox.faults.scale = 1
    sandbox.faults.remove(rule)
    assert listed(caller) == ["late", "early"]


def test_fills_and_positions_lag_too(sandbox: Sandbox, caller: Caller) -> None:
    sandbox.faults.add("read_lag", seconds=3600)
    answer = place(caller, "taker", price="0.9900", time_in_force="immediate_or_cancel", count="1.00")
    assert answer.json()["fill_count"] == "1.00"
    assert caller.signed("/portfolio/fills")["fills"] == []
    assert caller.signed("/portfolio/positions")["market_positions"] == []
    assert list(sandbox.truth.positions().values()) == [100]
    sandbox.faults.scale = 0
    assert len(caller.signed("/portfolio/fills")["fills"]) == 1
    assert caller.signed("/portfolio/positions")["market_positions"][0]["position_fp"] == "1.00"


def test_the_balance_lags_too(sandbox: Sandbox, caller: Caller) -> None:
    def balance() -> tuple[str, int, list[dict[str, Any]]]:
        found = caller.signed("/portfolio/balance")
        return found["balance_dollars"], found["portfolio_value"], found["balance_breakdown"]

    before = balance()
    assert before[:2] == ("10000.0000", 0)
    lag = sandbox.faults.add("read_lag", "GET /portfolio/balance", seconds=3600)
    place(caller, "rests", price="0.0100", count="100.00")
    answer = place(caller, "taker", price="0.9900", time_in_force="immediate_or_cancel", count="1.00")
    assert answer.json()["fill_count"] == "1.00"
    assert balance() == before
    # The other reads are not late.
    assert len(caller.signed("/portfolio/positions")["market_positions"]) == 1
    sandbox.faults.scale = 0
    late = balance()
    assert float(late[0]) < 9999
    assert late[1] > 0
    sandbox.faults.remove(lag)
    assert balance() == late
    other = sandbox.faults.add("read_lag", "GET /portfolio/orders", seconds=3600)
    sandbox.faults.scale = 1
    place(caller, "more", price="0.0100", count="100.00")
    assert balance() < late
    sandbox.faults.remove(other)


def test_money_that_is_moved_without_an_order_is_late_as_well(sandbox: Sandbox, caller: Caller) -> None:
    sandbox.faults.add("read_lag", seconds=3600)
    assert send(caller, "POST", "/portfolio/subaccounts", {}).status_code == 201
    move = {
        "client_transfer_id": "00000000-0000-4000-8000-00000000000b",
        "from_subaccount": 0, "to_subaccount": 1, "amount_cents": 500,
    }  # fmt: skip
    assert send(caller, "POST", "/portfolio/subaccounts/transfer", move).status_code == 200

    def balances() -> list[str]:
        return [
            caller.signed("/portfolio/balance", subaccount=number)["balance_dollars"]
            for number in (0, 1)
        ]

    assert balances() == ["10000.0000", "0.0000"]
    sandbox.faults.scale = 0
    assert balances() == ["9995.0000", "5.0000"]


def test_a_lag_ends_by_itself(sandbox: Sandbox, caller: Caller) -> None:
    sandbox.faults.scale = 0.1
    sandbox.faults.add("read_lag", seconds=4)
    place(caller, "soon")
    accepted = time.monotonic()
    assert listed(caller) == []
    until(lambda: listed(caller) == ["soon"])
    assert 0.3 <= time.monotonic() - accepted < 5


def test_a_lag_of_one_route_leaves_the_others(sandbox: Sandbox, caller: Caller) -> None:
    sandbox.faults.add("read_lag", "GET /portfolio/fills", seconds=3600)
    place(caller, "seen", price="0.9900", time_in_force="immediate_or_cancel", count="1.00")
    assert listed(caller) == ["seen"]
    assert caller.signed("/portfolio/fills")["fills"] == []


def test_the_watermark_never_claims_what_is_hidden(sandbox: Sandbox, caller: Caller) -> None:
    now = sandbox.now
    assert as_of(caller) == now
    sandbox.faults.add("read_lag", seconds=3600)
    place(caller, "hidden")
    assert as_of(caller) < now
    sandbox.advance(10)
    assert as_of(caller) < now
    sandbox.faults.scale = 0
    assert as_of(caller) == sandbox.now


def test_the_watermark_may_lie_by_the_seed(sandbox: Sandbox, caller: Caller) -> None:
    def lies(seed: int) -> list[float]:
        sandbox.faults.clear()
        sandbox.faults.add("read_lag", seconds=0, lie=1.0, seed=seed)
        return [(as_of(caller) - sandbox.now).total_seconds() for _ in range(20)]

    drawn = lies(4)
    assert min(drawn) < -0.1 < 0.1 < max(drawn)
    assert max(map(abs, drawn)) <= 1
    sandbox.faults.clear()
    sandbox.faults.add("read_lag", seconds=3600, ahead=7200.0)
    place(caller, "hidden")
    assert as_of(caller) > sandbox.now
    assert listed(caller) == []


# Client order ids


@pytest.mark.parametrize(
    ("mode", "while_open", "after_cancel"),
    [("forever", 409, 409), ("open-only", 409, 201), ("none", 201, 201), ("return-original", 201, 201)],
)
def test_ids_are_taken_again_as_the_mode_says(
    sandbox: Sandbox, caller: Caller, mode: str, while_open: int, after_cancel: int
) -> None:
    sandbox.faults.add(f"dedupe:{mode}")
    first = place(caller, "same").json()["order_id"]
    again = place(caller, "same")
    assert again.status_code == while_open
    send(caller, "DELETE", f"{ORDERS}/{first}")
    last = place(caller, "same")
    assert last.status_code == after_cancel
    accepted = {"forever": 1, "open-only": 2, "none": 3, "return-original": 1}[mode]
    assert sandbox.truth.acceptances() == {"same": accepted}
    assert sandbox.truth.duplicates() == ({"same": accepted} if accepted > 1 else {})
    if mode == "return-original":
        assert {again.json()["order_id"], last.json()["order_id"]} == {first}


def test_recent_ids_are_taken_and_the_usual_mode_comes_back(sandbox: Sandbox, caller: Caller) -> None:
    rule = sandbox.faults.add("dedupe:recent", seconds=30)
    place(caller, "same")
    assert place(caller, "same").status_code == 409
    sandbox.advance(31)
    assert place(caller, "same").status_code == 201
    sandbox.faults.remove(rule)
    assert place(caller, "same").status_code == 409


# Fills around amendments and cancels


def resting(caller: Caller) -> tuple[str, dict[str, Any]]:
    """An order that rests with room above it, and what it was made of."""
    ticker = open_ticker(caller)
    body = order_body(ticker, "mine")
    made = send(caller, "POST", ORDERS, body)
    assert made.json()["remaining_count"] == "4.00"
    return made.json()["order_id"], body


def amendment(body: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {name: body[name] for name in ("ticker", "side", "price", "count")} | more


def test_a_cancel_crosses_a_fill(sandbox: Sandbox, caller: Caller) -> None:
    order_id, _ = resting(caller)
    sandbox.faults.add("fill:before", "DELETE /portfolio/events/orders/{order_id}")
    assert send(caller, "DELETE", f"{ORDERS}/{order_id}").status_code in (404, 410)
    (found,) = sandbox.truth.accepted("mine")
    assert (found.status, found.filled) == ("executed", 400)
    assert sum(row.count for row in found.fills) == 400
    assert not any(row.is_taker for row in found.fills)


def test_a_part_is_filled_before_a_cancel(sandbox: Sandbox, caller: Caller) -> None:
    order_id, _ = resting(caller)
    sandbox.faults.add("fill:before", "DELETE /portfolio/events/orders/{order_id}", counts="1,0.5")
    answer = send(caller, "DELETE", f"{ORDERS}/{order_id}")
    assert answer.json()["reduced_by"] == "2.50"
    (found,) = sandbox.truth.accepted("mine")
    assert (found.status, [row.count for row in found.fills]) == ("canceled", [100, 50])


@pytest.mark.parametrize(
    ("when", "answered", "filled"),
    [("before", "3.00", [100, 200]), ("between", "5.00", [100, 200]), ("after", "6.00", [100, 200])],
)
def test_fills_come_around_an_amendment(
    sandbox: Sandbox, caller: Caller, when: str, answered: str, filled: list[int]
) -> None:
    order_id, body = resting(caller)
    sandbox.faults.add(f"fill:{when}", "POST /portfolio/events/orders/{order_id}/amend", counts="1,2")
    answer = send(caller, "POST", f"{ORDERS}/{order_id}/amend", amendment(body, count="6.00"))
    assert answer.json()["remaining_count"] == answered
    (found,) = sandbox.truth.accepted("mine")
    assert ([row.count for row in found.fills], found.remaining) == (filled, 300)


def test_a_new_order_is_filled_before_its_answer_is_lost(sandbox: Sandbox, caller: Caller) -> None:
    sandbox.faults.add("accept_then:503", CREATE)
    sandbox.faults.add("fill:after", CREATE)
    assert place(caller, "lost").status_code == 503
    assert sandbox.truth.accepted("lost")[0].status == "executed"


def test_a_fill_of_nothing_is_noted(sandbox: Sandbox, caller: Caller) -> None:
    sandbox.faults.add("fill:before", "DELETE /portfolio/events/orders/{order_id}")
    send(caller, "DELETE", f"{ORDERS}/00000000-0000-0000-0000-000000000000")
    assert "no such resting order" in sandbox.faults.fired[0].note


# Halts


@pytest.mark.parametrize(
    ("act", "still_cancelled"),
    [("pause_trading", True), ("pause_exchange", False), ("close", False), ("deactivate", True),
     ("settle_yes", False)],
)  # fmt: skip
def test_a_halt_falls_between_a_look_and_an_order(
    sandbox: Sandbox, caller: Caller, act: str, still_cancelled: bool
) -> None:
    order_id, _ = resting(caller)
    sandbox.faults.add(f"operate:{act}", CREATE)
    refused = place(caller, "refused")
    assert 400 <= refused.status_code < 500
    assert sandbox.faults.fired[0].note == ""
    assert "refused" not in sandbox.truth.acceptances()
    answer = send(caller, "DELETE", f"{ORDERS}/{order_id}")
    assert (answer.status_code == 200) == still_cancelled


def test_a_pause_begins_later_and_ends(sandbox: Sandbox, caller: Caller) -> None:
    sandbox.faults.scale = 0.01
    sandbox.faults.add("operate:pause_trading", "GET /exchange/status", seconds=10, lasts=30)
    assert caller.get("/exchange/status")["trading_active"] is True
    until(lambda: caller.get("/exchange/status")["trading_active"] is False)
    assert sandbox.faults.wait()
    assert caller.get("/exchange/status")["trading_active"] is True


def test_a_market_is_settled_by_name(sandbox: Sandbox, caller: Caller) -> None:
    ticker = open_ticker(caller)
    sandbox.faults.add("operate:settle_no", "GET /exchange/status", ticker=ticker)
    caller.get("/exchange/status")
    assert caller.get(f"/markets/{ticker}")["market"]["result"] == "no"


# Clocks


def test_the_clock_of_the_exchange_is_off(sandbox: Sandbox, caller: Caller) -> None:
    def off() -> float:
        date = caller.call("GET", "/exchange/status").headers["date"]
        return (parsedate_to_datetime(date) - datetime.now(UTC)).total_seconds()

    assert abs(off()) < 3
    rule = sandbox.faults.add("wall_clock", offset=-7200)
    assert abs(off() + 7200) < 3
    assert send(caller, "GET", "/portfolio/balance").status_code == 401
    headers = caller.signed_headers("GET", "/portfolio/balance", skew=-7200)
    assert caller.call("GET", "/portfolio/balance", headers=headers).status_code == 200
    sandbox.faults.remove(rule)
    assert abs(off()) < 3
    assert send(caller, "GET", "/portfolio/balance").status_code == 200


def test_our_client_says_by_how_much(sandbox: Sandbox) -> None:
    sandbox.faults.add("wall_clock", offset=7200)
    with (
        kr.connect(
            f"http://127.0.0.1:{sandbox.port}",
            key_id=sandbox.credentials()[0],
            private_key=sandbox.key_file(),
        ) as client,
        pytest.raises(AuthError, match=r"7,(199|20\d) s behind"),
    ):
        client.request("GET", "/portfolio/balance")


def test_the_tolerance_and_the_date_are_set(sandbox: Sandbox, caller: Caller) -> None:
    headers = caller.signed_headers("GET", "/portfolio/balance", skew=-5)
    assert caller.call("GET", "/portfolio/balance", headers=headers).status_code == 200
    sandbox.faults.add("tolerance", seconds=2)
    headers = caller.signed_headers("GET", "/portfolio/balance", skew=-5)
    refused = caller.call("GET", "/portfolio/balance", headers=headers)
    assert refused.json()["error"]["code"] == "header_timestamp_expired"
    sandbox.faults.add("date:off")
    assert "date" not in caller.call("GET", "/exchange/status").headers
    sandbox.faults.add("date:junk")
    assert caller.call("GET", "/exchange/status").headers["date"] == "half past never"


# The dialect of 2025


def test_the_old_protocol_goes_wrong_by_the_same_script() -> None:
    with Sandbox(days=1, crypto_hours=0, dialect="2025") as sandbox, kr.connect(sandbox) as client:
        ticker = client.request("GET", "/markets", params={"status": "open", "limit": 1})["markets"][0]
        body = {
            "ticker": ticker["ticker"], "action": "buy", "side": "yes", "type": "limit", "count": 3,
            "yes_price": 1,
        }  # fmt: skip
        for kind in ("accept_then", "reject_then"):
            sandbox.faults.add(f"{kind}:503", "POST /portfolio/orders", where=kind)
            with pytest.raises(ServerError):
                client.request("POST", "/portfolio/orders", body=body | {"client_order_id": kind})
            sandbox.faults.add(f"{kind}:schema", "POST /portfolio/orders", where=f"schema-{kind}")
            name = f"schema-{kind}"
            answer = client.request("POST", "/portfolio/orders", body=body | {"client_order_id": name})
            assert answer == {"order": {"id": "1", "state": "ok"}}
        accepted = sandbox.truth.acceptances()
        assert accepted == {"accept_then": 1, "schema-accept_then": 1}
        sandbox.faults.add("read_lag", seconds=3600)
        client.request("POST", "/portfolio/orders", body=body | {"client_order_id": "hidden"})
        shown = client.request("GET", "/portfolio/orders")["orders"]
        assert sorted(row["client_order_id"] for row in shown) == sorted(accepted)
        (hidden,) = sandbox.truth.accepted("hidden")
        sandbox.faults.add("fill:before", "DELETE /portfolio/orders/{order_id}")
        with pytest.raises(ApiError):
            client.request("DELETE", f"/portfolio/orders/{hidden.order_id}")
        assert sandbox.truth.accepted("hidden")[0].status == "executed"
