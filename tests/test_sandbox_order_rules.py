"""Orders over HTTP, rule by rule: what is refused, how, what is routed where and what is listed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests
from sandbox_member import ORDERS, OTHER, TICKER, Member, terms

from kalshi_research.sandbox import Sandbox

NOW = 1795186800
DAY = 86_400
IOC = {"time_in_force": "immediate_or_cancel"}
# On another shard than 0, in cents.
MATCH = "KXHARBORMATCH-26NOV21QUARIG-QUA"
MATCH_SHARD = 3


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(users=2, days=1, crypto_hours=1) as made:
        yield made


@pytest.fixture
def member(sandbox: Sandbox) -> Iterator[Member]:
    with Member(sandbox) as made:
        made.clear(TICKER, OTHER)
        made.done(204, "DELETE", ORDERS)
        yield made
        made.done(204, "DELETE", ORDERS)
        made.done(204, "DELETE", ORDERS, user=1)


def match_ticker(member: Member) -> str:
    """An open market of the league, which is not on shard 0."""
    markets = member.get("/markets", series_ticker="KXHARBORMATCH", status="open")["markets"]
    return str(markets[0]["ticker"])


# --- creation ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("missing", list(terms("bid", "0.01", "1")))
def test_every_required_field_is_required(member: Member, missing: str) -> None:
    body = terms("bid", "0.01", "1")
    del body[missing]
    error = member.done(400, "POST", ORDERS, body)["error"]
    assert error["code"] == "invalid_parameters"
    assert f"'{missing}' failed on the 'required' tag" in error["details"]
    assert member.done(400, "POST", ORDERS, body | {missing: ""})["error"]["code"] in (
        "invalid_parameters",
        "invalid_price",
        "invalid_order_size",
    )
    decode = member.done(400, "POST", ORDERS, body | {missing: 1})
    assert decode["code"] == "bad_request"
    assert f"CreateOrderV2Request.{missing} of type string" in decode["details"]


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"side": "yes"}, "invalid_parameters"),
        ({"price": "0.015"}, "invalid_price"),
        ({"price": "0.00"}, "invalid_price"),
        ({"price": "1.00"}, "invalid_price"),
        ({"price": "-0.01"}, "invalid_price"),
        ({"price": "0.01000"}, "invalid_price"),
        ({"price": "a"}, "invalid_price"),
        ({"count": "0"}, "invalid_order_size"),
        ({"count": "0.001"}, "invalid_order_size"),
        ({"count": "1.000"}, "invalid_order_size"),
        ({"count": "-1"}, "invalid_order_size"),
        ({"count": "1e3"}, "invalid_order_size"),
        ({"time_in_force": "day"}, "invalid_parameters"),
        ({"self_trade_prevention_type": "none"}, "invalid_parameters"),
        ({"expiration_time": NOW}, "invalid_parameters"),
        ({"expiration_time": NOW + 60, **IOC}, "invalid_parameters"),
        ({"post_only": True, **IOC}, "invalid_order"),
        ({"reduce_only": True}, "invalid_order"),
        ({"subaccount": 9}, "invalid_parameters"),
        ({"price": "0.99", "count": "20000"}, "insufficient_balance"),
    ],
)
def test_terms_that_cannot_be(member: Member, fields: dict[str, Any], code: str) -> None:
    answer = member.done(400, "POST", ORDERS, terms("bid", "0.01", "1") | fields)
    assert answer["error"]["code"] == code
    assert member.get(f"/markets/{TICKER}/orderbook")["orderbook_fp"]["yes_dollars"] == []


def test_unknown_and_archived_markets_are_not_found(member: Member) -> None:
    old = member.get("/historical/markets", limit=1)["markets"]
    for ticker in ["NONE", *(row["ticker"] for row in old if row["ticker"].startswith("KXFED"))]:
        assert (
            member.order("bid", "0.01", "1", ticker=ticker, status=404)["error"]["code"] == "not_found"
        )
    member.order("bid", "0.01", "1", order_group_id="none", status=404)


def test_a_market_that_is_over_takes_nothing(member: Member) -> None:
    settled = member.get("/markets", status="settled", limit=1)["markets"][0]["ticker"]
    closed = member.get("/markets", status="closed", limit=1)["markets"][0]["ticker"]
    unopened = member.get("/markets", status="unopened", limit=1)["markets"]
    for ticker in [settled, closed, *(row["ticker"] for row in unopened)]:
        error = member.order("bid", "0.01", "1", ticker=ticker, status=400)["error"]
        assert error["code"] == "market_inactive"


@pytest.mark.parametrize("seconds", [253_402_300_800, NOW * 1000, 2**63 - 1])
def test_an_expiration_in_milliseconds_is_a_time_in_the_far_future(member: Member, seconds: int) -> None:
    made = member.order("bid", "0.01", "1", expiration_time=seconds)["order_id"]
    other = member.order("bid", "0.01", "1")["order_id"]
    path, good = f"{ORDERS}/{other}/amend", {"ticker": TICKER, "side": "bid", "price": "0.01"}
    member.done(200, "POST", path, good | {"count": "1", "expiration_time": seconds})
    for order in (made, other):
        row = member.done(200, "GET", f"/portfolio/orders/{order}")["order"]
        assert (row["status"], row["expiration_time"]) == ("resting", "9999-12-31T23:59:59Z")
    assert len(member.done(200, "GET", "/portfolio/orders", query="?status=resting")["orders"]) == 2


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"[" * 100_000, id="lists"),
        pytest.param(b'{"a":' * 50_000, id="objects"),
        pytest.param(b'{"ticker":"\xff"}', id="latin-1"),
    ],
)
@pytest.mark.parametrize("fault", [False, True])
def test_a_body_that_cannot_be_decoded_is_refused(member: Member, raw: bytes, *, fault: bool) -> None:
    faults = member.sandbox.faults
    rule = faults.add("accept_then:503", f"POST {ORDERS}") if fault else None
    headers = member.signed_headers("POST", ORDERS) | {"Content-Type": "application/json"}
    answer = requests.post(f"{member.sandbox.url}{ORDERS}", data=raw, headers=headers, timeout=30)
    if rule is not None:
        faults.remove(rule)
        assert (answer.status_code, faults.fired[-1].status) == (503, 400)
    else:
        assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")


def test_all_that_can_be_asked_of_an_order(member: Member) -> None:
    group = member.done(201, "POST", "/portfolio/order_groups/create", {"contracts_limit": 9})
    made = member.order(
        "bid", "0.01", "2.5",
        client_order_id="all", expiration_time=NOW + 60, post_only=True, cancel_order_on_pause=True,
        order_group_id=group["order_group_id"], exchange_index=0, subaccount=0,
    )  # fmt: skip
    row = member.done(200, "GET", f"/portfolio/orders/{made['order_id']}")["order"]
    assert row["expiration_time"] == "2026-11-20T15:01:00Z"
    assert row["order_group_id"] == group["order_group_id"]
    assert (row["cancel_order_on_pause"], row["subaccount_number"]) == (True, 0)
    assert (row["initial_count_fp"], row["remaining_count_fp"]) == ("2.50", "2.50")
    assert made["ts_ms"] == NOW * 1000
    member.order("ask", "0.01", "1", user=1, time_in_force="fill_or_kill")
    row = member.done(200, "GET", f"/portfolio/orders/{made['order_id']}")["order"]
    assert (row["fill_count_fp"], row["maker_fill_cost_dollars"]) == ("1.00", "0.010000")
    bare = member.order("ask", "0.99", "1", self_trade_prevention_type="maker")
    assert "client_order_id" not in bare
    row = member.done(200, "GET", f"/portfolio/orders/{bare['order_id']}")["order"]
    assert not {"expiration_time", "order_group_id", "cancel_order_on_pause"} & row.keys()
    assert (row["book_side"], row["action"], row["side"], row["outcome_side"]) == (
        "ask", "sell", "yes", "no",
    )  # fmt: skip
    assert (row["yes_price_dollars"], row["no_price_dollars"]) == ("0.9900", "0.0100")
    assert row["self_trade_prevention_type"] == "maker"
    # Post only is refused at the cross, fill or kill without enough to fill.
    crossing = {"post_only": True}
    assert member.order("bid", "0.99", "1", user=1, **crossing, status=400)["error"]["details"] == (
        "post only cross"
    )
    member.order("bid", "0.99", "2", user=1, time_in_force="fill_or_kill", status=409)


def test_reduce_only_takes_no_more_than_is_held(member: Member) -> None:
    member.order("ask", "0.50", "2", user=1)
    member.order("bid", "0.50", "2")
    member.order("bid", "0.40", "9", user=1)
    held = member.done(200, "GET", "/portfolio/positions")["market_positions"][0]["position_fp"]
    sold = member.order("ask", "0.40", "99", reduce_only=True, **IOC)
    assert (sold["fill_count"], sold["remaining_count"]) == (held, "0.00")


def test_averages_are_over_all_fills(member: Member) -> None:
    member.order("ask", "0.40", "1", user=1)
    member.order("ask", "0.50", "3", user=1)
    taken = member.order("bid", "0.50", "4")
    # (0.40 + 3 × 0.50) / 4; fees 0.07 × (0.24 + 3 × 0.25) = 0.0693, a quarter of it a contract.
    assert (taken["average_fill_price"], taken["fill_count"]) == ("0.4750", "4.00")
    assert taken["average_fee_paid"] in ("0.0173", "0.0174")
    fills = member.done(200, "GET", "/portfolio/fills", query=f"?order_id={taken['order_id']}")["fills"]
    assert sum(float(row["fee_cost"]) for row in fills) == pytest.approx(0.0693, abs=1e-4)
    nothing = member.order("bid", "0.30", "1", **IOC)
    assert not {"average_fill_price", "average_fee_paid"} & nothing.keys()


# --- changes -----------------------------------------------------------------------------------------


def test_amend_describes_the_order_it_changes(member: Member) -> None:
    made = member.order("bid", "0.01", "5", client_order_id="before-1")["order_id"]
    path = f"{ORDERS}/{made}/amend"
    good = {"ticker": TICKER, "side": "bid", "price": "0.02", "count": "5"}
    for fields, code in (
        ({"side": "ask"}, "order_side_mismatch"),
        ({"ticker": OTHER}, "order_ticker_mismatch"),
        ({"client_order_id": "x"}, "order_id_and_client_order_id_mismatch"),
        ({"count": "0"}, "invalid_order_size"),
        ({"price": "0.015"}, "invalid_price"),
        ({"expiration_time": NOW - 1}, "invalid_parameters"),
    ):
        assert member.done(400, "POST", path, good | fields)["error"]["code"] == code
    for name in good:
        body = {key: value for key, value in good.items() if key != name}
        member.done(400, "POST", path, body)
    unchanged = {"price": "0.01"}
    assert member.done(200, "POST", path, good | unchanged).keys() == {
        "client_order_id", "order_id", "ts_ms",
    }  # fmt: skip
    more = {
        "client_order_id": "before-1",
        "updated_client_order_id": "after-1",
        "expiration_time": NOW + 9,
    }
    answer = member.done(200, "POST", path, good | {"count": "7"} | more)
    assert (answer["client_order_id"], answer["remaining_count"]) == ("after-1", "7.00")
    row = member.done(200, "GET", f"/portfolio/orders/{made}")["order"]
    assert (row["yes_price_dollars"], row["expiration_time"]) == ("0.0200", "2026-11-20T15:00:09Z")
    member.done(200, "POST", path, good | {"count": "7", "expiration_time": 0})
    row = member.done(200, "GET", f"/portfolio/orders/{made}")["order"]
    assert "expiration_time" not in row
    member.order("bid", "0.01", "1", client_order_id="taken-1")
    member.done(409, "POST", path, good | {"updated_client_order_id": "taken-1"})
    member.done(404, "POST", path, good, query="?subaccount=1")
    member.done(404, "POST", path, good, user=1)
    member.done(404, "POST", f"{ORDERS}/none/amend", good)


def test_an_amendment_that_crosses_takes(member: Member) -> None:
    member.order("ask", "0.50", "1", user=1)
    made = member.order("bid", "0.01", "2")["order_id"]
    body = {"ticker": TICKER, "side": "bid", "price": "0.60", "count": "2"}
    answer = member.done(200, "POST", f"{ORDERS}/{made}/amend", body)
    assert (answer["fill_count"], answer["remaining_count"]) == ("1.00", "1.00")
    assert answer["average_fill_price"] == "0.5000"


def test_decrease_by_or_to(member: Member) -> None:
    made = member.order("bid", "0.01", "5")["order_id"]
    path = f"{ORDERS}/{made}/decrease"
    for body in ({}, {"reduce_by": "1", "reduce_to": "1"}, {"reduce_by": "0"}, {"reduce_by": "6"},
                 {"reduce_to": "6"}, {"reduce_by": "-1"}, {"reduce_by": 1}):  # fmt: skip
        member.done(400, "POST", path, body)
    answer = member.done(200, "POST", path, {"reduce_by": "1.25"})
    assert (answer["order_id"], answer["remaining_count"]) == (made, "3.75")
    assert member.done(200, "POST", path, {"reduce_to": "2"})["remaining_count"] == "2.00"
    member.done(404, "POST", path, {"reduce_by": "1"}, user=1)
    assert member.done(200, "POST", path, {"reduce_to": "0"})["remaining_count"] == "0.00"
    member.done(404, "POST", path, {"reduce_by": "1"})


def test_changes_are_about_the_subaccount_that_is_named(member: Member) -> None:
    rows = member.done(200, "GET", "/portfolio/subaccounts/balances")["subaccount_balances"]
    other = max(row["subaccount_number"] for row in rows)
    if not other:
        other = member.done(201, "POST", "/portfolio/subaccounts", {})["subaccount_number"]
    move = {
        "client_transfer_id": "00000000-0000-4000-8000-0000000000c1",
        "from_subaccount": 0, "to_subaccount": other, "amount_cents": 100,
    }  # fmt: skip
    member.done(200, "POST", "/portfolio/subaccounts/transfer", move)
    mine = member.order("bid", "0.01", "3", subaccount=other)["order_id"]
    here, path = f"?subaccount={other}", f"{ORDERS}/{mine}"
    body = {"ticker": TICKER, "side": "bid", "price": "0.01", "count": "2"}
    for query, status in (("", 404), ("?subaccount=0", 404), (here, 200)):
        member.done(status, "POST", f"{path}/amend", body, query=query)
        member.done(status, "POST", f"{path}/decrease", {"reduce_to": "1"}, query=query)
    for query, status in (("", 404), ("?subaccount=0", 404), (here, 200)):
        member.done(status, "DELETE", path, query=query)
    row = {"order_id": member.order("bid", "0.01", "1", subaccount=other)["order_id"]}
    for more, code in (
        ({}, "not_found"),
        ({"subaccount": 0}, "not_found"),
        ({"subaccount": other}, None),
    ):
        (gone,) = member.done(200, "DELETE", f"{ORDERS}/batched", {"orders": [row | more]})["orders"]
        assert gone.get("error", {}).get("code") == code


def test_an_order_of_another_shard_is_found_by_its_market_or_shard_only(member: Member) -> None:
    ticker = match_ticker(member)
    names = [member.order("bid", "0.01", "3", ticker=ticker)["order_id"] for _ in range(5)]
    for query in ("", "?exchange_index=0", f"?market_ticker={TICKER}", "?exchange_index=2"):
        member.done(404, "DELETE", f"{ORDERS}/{names[0]}", query=query)
    member.done(404, "POST", f"{ORDERS}/{names[0]}/decrease", {"reduce_by": "1"})
    by_shard = {"reduce_by": "1", "exchange_index": MATCH_SHARD}
    member.done(200, "POST", f"{ORDERS}/{names[0]}/decrease", by_shard)
    by_ticker = {"reduce_by": "1", "market_ticker": ticker}
    member.done(200, "POST", f"{ORDERS}/{names[0]}/decrease", by_ticker)
    member.done(200, "DELETE", f"{ORDERS}/{names[0]}", query=f"?market_ticker={ticker}")
    member.done(200, "DELETE", f"{ORDERS}/{names[1]}", query=f"?exchange_index={MATCH_SHARD}")
    rows = [
        {"order_id": names[2]},
        {"order_id": names[2], "market_ticker": ticker},
        {"order_id": names[3], "exchange_index": MATCH_SHARD},
        {"order_id": names[4], "exchange_index": 1},
    ]
    gone = member.done(200, "DELETE", f"{ORDERS}/batched", {"orders": rows})["orders"]
    assert [row["reduced_by"] for row in gone] == ["0.00", "3.00", "3.00", "0.00"]
    assert [row.get("error", {}).get("code") for row in gone] == ["not_found", None, None, "not_found"]
    assert [row["order_id"] for row in gone] == [row["order_id"] for row in rows]


def test_a_shard_that_is_named_comes_before_the_market(member: Member) -> None:
    ticker = match_ticker(member)
    home = {TICKER: 0, ticker: MATCH_SHARD}
    for name, shard in home.items():
        made = [
            member.order("bid", "0.01", "4", ticker=name, exchange_index=index)["order_id"]
            for index in (None, -1, shard)
        ]
        for index in {0, 1, 2, 3} - {shard}:
            error = member.order("bid", "0.01", "1", ticker=name, exchange_index=index, status=404)
            assert error["error"]["code"] == "not_found"
        for index in (-2, 4):
            error = member.order("bid", "0.01", "1", ticker=name, exchange_index=index, status=400)
            assert error["error"]["code"] == "invalid_parameters"
        member.order("bid", "0.01", "1", ticker=name, exchange_index="0", status=400)
        body = {"ticker": name, "side": "bid", "price": "0.01", "count": "3"}
        path = f"{ORDERS}/{made[0]}"
        member.done(404, "POST", f"{path}/amend", body | {"exchange_index": 1})
        member.done(400, "POST", f"{path}/amend", body | {"exchange_index": 4})
        for count, index in (("3", shard), ("2", -1), ("1", None)):
            change = body | {"count": count, "exchange_index": index}
            assert member.done(200, "POST", f"{path}/amend", change)["remaining_count"] == f"{count}.00"
        # A shard that is wrong is not put right by the market.
        less: dict[str, Any] = {"reduce_to": "0.5", "market_ticker": name}
        member.done(404, "POST", f"{path}/decrease", less | {"exchange_index": 1})
        member.done(400, "POST", f"{path}/decrease", less | {"exchange_index": 4})
        member.done(400, "POST", f"{path}/decrease", {"reduce_to": "1", "exchange_index": -1})
        member.done(200, "POST", f"{path}/decrease", less | {"exchange_index": -1})
        for query in ("exchange_index=1", "exchange_index=2"):
            member.done(404, "DELETE", path, query=f"?market_ticker={name}&{query}")
        for query in ("exchange_index=4", "exchange_index=-2", "exchange_index=x"):
            member.done(400, "DELETE", path, query=f"?market_ticker={name}&{query}")
        member.done(400, "DELETE", path, query="?exchange_index=-1")
        member.done(200, "DELETE", path, query=f"?market_ticker={name}&exchange_index=-1")
        rows = [
            {"order_id": made[1], "market_ticker": name, "exchange_index": 1},
            {"order_id": made[1], "exchange_index": -1},
            {"order_id": made[1], "exchange_index": 4},
            {"order_id": made[1], "market_ticker": name, "exchange_index": -1},
            {"order_id": made[2], "market_ticker": "NONE", "exchange_index": shard},
        ]
        gone = member.done(200, "DELETE", f"{ORDERS}/batched", {"orders": rows})["orders"]
        assert [row.get("error", {}).get("code") for row in gone] == [
            "not_found", "invalid_parameters", "invalid_parameters", None, None,
        ]  # fmt: skip


def test_an_amendment_goes_to_the_shard_of_its_market(member: Member) -> None:
    made = member.order("bid", "0.01", "1")["order_id"]
    body = {"ticker": match_ticker(member), "side": "bid", "price": "0.02", "count": "1"}
    assert member.done(404, "POST", f"{ORDERS}/{made}/amend", body)["error"]["code"] == "not_found"
    mismatch = member.done(400, "POST", f"{ORDERS}/{made}/amend", body | {"ticker": OTHER})
    assert mismatch["error"]["code"] == "order_ticker_mismatch"


def test_a_batch_names_the_shard_of_each_order(member: Member) -> None:
    rows = [terms("bid", "0.01", "1") | {"exchange_index": index} for index in (1, 0, 9)]
    made = member.done(201, "POST", f"{ORDERS}/batched", {"orders": rows})["orders"]
    assert [row.get("error", {}).get("code") for row in made] == [
        "not_found", None, "invalid_parameters",
    ]  # fmt: skip


def test_batches_answer_row_by_row(member: Member) -> None:
    good = terms("bid", "0.01", "1")
    rows = [good, good | {"price": "0.015", "client_order_id": "bad-1"}, good | {"count": 1}, {}]
    made = member.done(201, "POST", f"{ORDERS}/batched", {"orders": rows})["orders"]
    assert [row.get("error", {}).get("code") for row in made] == [
        None, "invalid_price", "bad_request", "invalid_parameters",
    ]  # fmt: skip
    assert (made[1]["client_order_id"], "order_id" in made[1]) == ("bad-1", False)
    for body in ({}, {"orders": None}, {"orders": "x"}, {"orders": [1]}, {"orders": [None]}):
        member.done(400, "POST", f"{ORDERS}/batched", body)
        member.done(400, "DELETE", f"{ORDERS}/batched", body)
    member.done(400, "DELETE", f"{ORDERS}/batched", {"orders": [{}]})


def test_cancelling_everything_of_one_subaccount_or_of_all(member: Member) -> None:
    numbers = [
        row["subaccount_number"]
        for row in member.done(200, "GET", "/portfolio/subaccounts/balances")["subaccount_balances"]
    ]
    other = numbers[-1] or member.done(201, "POST", "/portfolio/subaccounts", {})["subaccount_number"]
    move = {
        "client_transfer_id": "00000000-0000-4000-8000-00000000000a",
        "from_subaccount": 0, "to_subaccount": other, "amount_cents": 100,
    }  # fmt: skip
    member.done(200, "POST", "/portfolio/subaccounts/transfer", move)
    ticker = match_ticker(member)

    def resting() -> list[tuple[str, int]]:
        rows = member.done(200, "GET", "/portfolio/orders", query="?status=resting")["orders"]
        return sorted((row["ticker"], row["subaccount_number"]) for row in rows)

    def place() -> None:
        for number in (0, other):
            member.order("bid", "0.01", "1", subaccount=number)
        member.order("bid", "0.01", "1", ticker=ticker)

    place()
    member.done(204, "DELETE", ORDERS, query=f"?subaccount={other}")
    assert resting() == sorted([(TICKER, 0), (ticker, 0)])
    place()
    member.done(204, "DELETE", ORDERS)
    assert resting() == []


# --- lists -------------------------------------------------------------------------------------------


def test_lists_are_filtered(member: Member) -> None:
    ticker = match_ticker(member)
    first = member.order("bid", "0.01", "1")["order_id"]
    second = member.order("bid", "0.02", "1", ticker=OTHER)["order_id"]
    third = member.order("bid", "0.01", "1", ticker=ticker)["order_id"]
    event = ticker.rpartition("-")[0]

    def listed(query: str) -> list[str]:
        rows = member.done(200, "GET", "/portfolio/orders", query=f"?status=resting&{query}")["orders"]
        return [row["order_id"] for row in rows]

    assert listed("") == [third, second, first]
    assert listed(f"ticker={TICKER}") == [first]
    assert listed(f"ticker={TICKER},{OTHER}") == [second, first]
    assert listed(f"event_ticker={event}") == [third]
    assert listed(f"event_ticker=KXHIGHNY-26NOV21,{event}") == [third, second, first]
    assert listed("subaccount=0") == [third, second, first]
    assert listed("subaccount=1") == []
    assert listed(f"min_ts={NOW}") == [third, second, first]
    assert listed(f"min_ts={NOW + 1}") == []
    assert listed(f"max_ts={NOW}") == [third, second, first]
    assert listed(f"max_ts={NOW - 1}") == []
    assert listed("limit=1") == [third]
    for query in ("status=open", "limit=0", "limit=1001", "subaccount=64", "subaccount=-1", "min_ts=x"):
        member.done(400, "GET", "/portfolio/orders", query=f"?{query}")
    many = ",".join(f"E{number}" for number in range(101))
    member.done(400, "GET", "/portfolio/orders", query=f"?event_ticker={many}")
    member.done(200, "GET", "/portfolio/orders", query=f"?event_ticker={many[:-5]}")
    cancelled = member.done(200, "GET", "/portfolio/orders", query="?status=canceled&limit=1")["orders"]
    assert cancelled[0]["status"] == "canceled"
    assert member.done(200, "GET", "/historical/orders")["orders"] == []


def test_queues(member: Member) -> None:
    ticker = match_ticker(member)
    member.order("bid", "0.01", "4", user=1)
    mine = member.order("bid", "0.01", "1")["order_id"]
    better = member.order("bid", "0.02", "2", ticker=OTHER)["order_id"]
    other = member.order("bid", "0.01", "1", ticker=ticker)["order_id"]
    path = "/portfolio/orders/queue_positions"

    def queued(query: str = "") -> dict[str, str]:
        rows = member.done(200, "GET", path, query=query)["queue_positions"]
        assert all(row.keys() == {"market_ticker", "order_id", "queue_position_fp"} for row in rows)
        return {row["order_id"]: row["queue_position_fp"] for row in rows}

    everything = queued()
    assert (everything[mine], everything[better]) == ("4.00", "0.00")
    assert set(everything) == {mine, better, other}
    assert set(queued(f"?market_tickers={TICKER}")) == {mine}
    assert set(queued(f"?market_tickers={TICKER},{OTHER}")) == {mine, better}
    assert set(queued("?event_ticker=KXHIGHNY-26NOV21")) == {mine, better}
    assert queued("?subaccount=1") == {}
    one = member.done(200, "GET", f"/portfolio/orders/{mine}/queue_position")
    assert one == {"queue_position_fp": "4.00"}
    member.done(404, "GET", f"/portfolio/orders/{mine}/queue_position", user=1)
    member.done(200, "DELETE", f"{ORDERS}/{mine}")
    member.done(404, "GET", f"/portfolio/orders/{mine}/queue_position")
    assert mine not in queued()


def test_the_value_of_what_rests(member: Member) -> None:
    path = "/portfolio/summary/total_resting_order_value"
    assert member.done(200, "GET", path) == {
        "resting_order_value_breakdown": [], "total_resting_order_value": 0,
    }  # fmt: skip
    ticker = match_ticker(member)
    member.order("bid", "0.10", "5")
    member.order("ask", "0.80", "3")
    member.order("bid", "0.01", "2", ticker=ticker)
    # 5 × 0.10 and 3 × (1 - 0.80) on shard 0, 2 × 0.01 on the other.
    assert member.done(200, "GET", path) == {
        "resting_order_value_breakdown": [
            {"balance": "1.1000", "exchange_index": 0},
            {"balance": "0.0200", "exchange_index": MATCH_SHARD},
        ],
        "total_resting_order_value": 112,
    }
    member.done(404, "GET", "/portfolio/orders/none")
