"""Orders as the documents of late 2025 describe them, and what comes of them."""

from __future__ import annotations

import math
import random
import uuid
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import pytest
from cents_calls import ORDERS, CentsCaller
from test_dialect_2025_rest import both_formats

from kalshi_research.sandbox import Sandbox

TICKER = "KXFUT24-LSV"
PRINTED = "KXHIGHNY-24JAN01-T60"
OTHER = "HOMEUSY-24-T4"


@pytest.fixture
def calls() -> Iterator[CentsCaller]:
    sandbox = Sandbox(dialect="2025", users=2, days=2, crypto_hours=1)
    with sandbox, CentsCaller(sandbox) as made:
        yield made


def book(calls: CentsCaller, ticker: str = TICKER) -> dict[str, list[list[int]]]:
    found: dict[str, list[list[int]]] = calls.get(f"/markets/{ticker}/orderbook")["orderbook"]
    return found


def refused(answer: Any, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    body: dict[str, Any] = answer.json()
    inside: dict[str, Any] = body.get("error", body)
    return inside


# --- create -------------------------------------------------------------------------------------


def test_the_first_order_of_the_guide(calls: CentsCaller) -> None:
    mine = str(uuid.uuid4())
    order = calls.order(TICKER, client_order_id=mine)
    assert order["order_id"]
    said = {
        "client_order_id": mine, "ticker": TICKER, "action": "buy", "side": "yes", "type": "limit",
        "status": "resting", "yes_price": 1, "no_price": 99, "price": 1, "price_dollars": "0.0100",
        "initial_count": 1, "remaining_count": 1, "fill_count": 0,
    }  # fmt: skip
    assert {name: order[name] for name in said} == said
    assert both_formats(order) >= 7
    assert book(calls)["yes"][0][0] == 1


def test_an_expiration_in_milliseconds_can_be_read_again(calls: CentsCaller) -> None:
    order = calls.order(TICKER, client_order_id="far", expiration_ts=1_795_186_800_000)
    assert order["expiration_time"] == "9999-12-31T23:59:59Z"


def test_the_order_of_the_second_document(calls: CentsCaller) -> None:
    body = {
        "action": "buy", "client_order_id": "1fa1be86-3f8e-49be-8c1e-1e46ea490d59", "count": 3,
        "side": "yes", "ticker": "HOMEUSY-24-T4", "type": "limit", "yes_price": 30,
    }  # fmt: skip
    answer = calls.send("POST", ORDERS, body)
    assert answer.status_code == 201
    order = answer.json()["order"]
    assert (order["initial_count"], order["yes_price"]) == (3, 30)


@pytest.mark.parametrize(
    "said",
    [("yes", "buy", "yes"), ("no", "sell", "yes"), ("no", "buy", "no"), ("yes", "sell", "no")],
)
@pytest.mark.parametrize("named", ["yes", "no"])
@pytest.mark.parametrize("form", ["cents", "dollars"])
def test_four_ways_to_say_two_things(
    calls: CentsCaller, said: tuple[str, str, str], named: str, form: str
) -> None:
    """Buying YES at 30 is selling NO at 70, and rests as a bid for YES at 30."""
    side, action, ladder = said
    calls.empty(TICKER)
    yes_price = 30 if ladder == "yes" else 60
    cents = yes_price if named == "yes" else 100 - yes_price
    price: dict[str, Any] = {f"{named}_price": cents}
    if form == "dollars":
        price = {f"{named}_price_dollars": f"0.{cents}"}
    order = calls.order(TICKER, side=side, action=action, count=7, **price)
    assert (order["side"], order["action"], order["status"]) == (side, action, "resting")
    assert (order["yes_price"], order["no_price"]) == (yes_price, 100 - yes_price)
    assert order["price"] == order[f"{side}_price"]
    other = "no" if ladder == "yes" else "yes"
    assert book(calls) == {ladder: [[yes_price if ladder == "yes" else 40, 7]], other: []}
    assert calls.read(f"{ORDERS}/{order['order_id']}") == {"order": order}


@pytest.mark.parametrize("price", [0, 100, -1, 101, 56.5, "56", True, 10**30, 1.0])
@pytest.mark.parametrize("leg", ["yes_price", "no_price"])
def test_a_price_is_1_to_99_cents(calls: CentsCaller, leg: str, price: Any) -> None:
    before = book(calls)
    refused(calls.place(TICKER, **{leg: price}), 400)
    assert book(calls) == before
    assert calls.read(ORDERS)["orders"] == []


@pytest.mark.parametrize("cents", [1, 99])
def test_the_ends_are_prices_too(calls: CentsCaller, cents: int) -> None:
    assert calls.place(TICKER, side="yes", yes_price=cents).status_code == 201
    assert calls.place(TICKER, side="no", no_price=cents).status_code == 201


@pytest.mark.parametrize(
    "terms",
    [
        {"yes_price": None},
        {"yes_price": 30, "no_price": 70},
        {"yes_price": 30, "yes_price_dollars": "0.3000"},
        {"yes_price_dollars": "0.3050"},
        {"yes_price_dollars": 0.3},
        {"yes_price_dollars": "30 cents"},
        {"yes_price_dollars": "1.0000"},
        {"count": 0},
        {"count": -1},
        {"count": 1.5},
        {"count": "1"},
        {"count": None},
        {"count": True},
        {"count": 10**12},
        {"side": "maybe"},
        {"side": None},
        {"action": "hold"},
        {"action": None},
        {"ticker": None},
        {"type": "stop"},
        {"type": "market", "yes_price": 30},
        {"type": "market", "yes_price": None, "buy_max_cost": 500},
        {"time_in_force": "for_ever"},
        {"expiration_ts": 1},
        {"client_order_id": 7},
        {"order_group_id": "x"},
        {"sell_position_floor": 1},
        {"subaccount": 1},
        {"reduce_only": True},
    ],
)
def test_a_bad_order_changes_nothing(calls: CentsCaller, terms: dict[str, Any]) -> None:
    before = calls.read("/portfolio/balance")
    full = {"yes_price": 1} | terms if "yes_price_dollars" not in terms else terms
    refused(calls.place(TICKER, **full), 400)
    assert calls.read(ORDERS)["orders"] == []
    assert calls.read("/portfolio/balance") == before


def test_an_unknown_market_is_not_found(calls: CentsCaller) -> None:
    assert refused(calls.place("KXNONE-1"), 404)["code"] == "not_found"


def test_an_order_without_means_is_refused(calls: CentsCaller) -> None:
    assert refused(calls.place(TICKER, yes_price=99, count=1_000_000), 400)["code"] == (
        "insufficient_balance"
    )


def test_a_repeated_client_order_id_is_a_conflict_for_ever(calls: CentsCaller) -> None:
    order = calls.order(TICKER, client_order_id="mine")
    assert refused(calls.place(TICKER, client_order_id="mine"), 409)["code"] == "order_already_exists"
    assert calls.send("DELETE", f"{ORDERS}/{order['order_id']}").status_code == 200
    refused(calls.place(OTHER, client_order_id="mine"), 409)
    assert len(calls.read(ORDERS)["orders"]) == 1
    assert calls.place(TICKER, user=1, client_order_id="mine").status_code == 201
    for _ in range(2):
        assert calls.place(TICKER, client_order_id=None).status_code == 201


def test_a_market_order_takes_what_there_is(calls: CentsCaller) -> None:
    calls.empty(TICKER)
    calls.order(TICKER, user=1, side="no", no_price=40, count=3)
    order = calls.order(TICKER, type="market", yes_price=None, count=5)
    assert (order["status"], order["fill_count"], order["remaining_count"]) == ("canceled", 3, 0)
    assert book(calls) == {"yes": [], "no": []}


def test_post_only_and_fill_or_kill(calls: CentsCaller) -> None:
    refused(calls.place(PRINTED, yes_price=44, post_only=True), 400)
    refused(calls.place(PRINTED, yes_price=44, count=18, time_in_force="fill_or_kill"), 409)
    order = calls.order(PRINTED, yes_price=44, count=17, time_in_force="fill_or_kill")
    assert (order["status"], order["fill_count"]) == ("executed", 17)
    assert book(calls, PRINTED)["no"][-1] == [45, 20]


def test_an_order_may_only_reduce(calls: CentsCaller) -> None:
    calls.empty(TICKER)
    calls.order(TICKER, user=1, side="no", no_price=60, count=3)
    calls.order(TICKER, yes_price=40, count=3)
    calls.order(TICKER, user=1, yes_price=40, count=9)
    terms = {"action": "sell", "yes_price": 40, "reduce_only": True}
    order = calls.order(TICKER, count=5, time_in_force="immediate_or_cancel", **terms)
    assert order["fill_count"] == 3
    (position,) = calls.read("/portfolio/positions")["market_positions"]
    assert (position["position"], position["realized_pnl"]) == (0, 0)


def test_a_body_is_json_and_signed(calls: CentsCaller) -> None:
    headers = calls.signed_headers("POST", ORDERS, key_type="rsa")
    url = calls.sandbox.url + ORDERS
    for body, kind in (("{", "application/json"), ("[]", "application/json"), ("{}", "text/plain")):
        answer = calls._session.post(url, data=body, headers=headers | {"Content-Type": kind})
        assert answer.status_code == 400
    assert calls._session.post(url, json={}).status_code == 401


# --- read ---------------------------------------------------------------------------------------


def test_orders_are_listed_newest_first_and_filtered(calls: CentsCaller) -> None:
    placed = [calls.order(TICKER, yes_price=cents)["order_id"] for cents in (1, 2, 3)]
    placed.append(calls.order(OTHER)["order_id"])
    calls.send("DELETE", f"{ORDERS}/{placed[0]}")

    def listed(**params: Any) -> list[str]:
        return [order["order_id"] for order in calls.read(ORDERS, **params)["orders"]]

    assert listed() == placed[::-1]
    assert listed(ticker=TICKER) == placed[2::-1]
    assert listed(event_ticker="HOMEUSY-24") == placed[3:]
    assert listed(status="canceled") == placed[:1]
    assert listed(status="resting") == placed[:0:-1]
    assert listed(limit=2) == placed[:1:-1]
    page = calls.read(ORDERS, limit=3)
    assert [order["order_id"] for order in page["orders"]] == placed[:0:-1]
    rest = calls.read(ORDERS, limit=3, cursor=page["cursor"])
    assert ([order["order_id"] for order in rest["orders"]], rest["cursor"]) == (placed[:1], None)
    assert calls.send("GET", ORDERS, status="open").status_code == 400
    assert calls.send("GET", f"{ORDERS}/{placed[0]}", user=1).status_code == 404
    assert calls.send("GET", f"{ORDERS}/none").status_code == 404


# --- change -------------------------------------------------------------------------------------


def send_amendment(calls: CentsCaller, how: str, order_id: str, body: Any, user: int = 0) -> Any:
    if how == "PUT":
        return calls.send("PUT", f"{ORDERS}/{order_id}", body, user=user)
    return calls.send("POST", f"{ORDERS}/{order_id}/amend", body, user=user)


@pytest.mark.parametrize("how", ["PUT", "POST"])
class TestAmend:
    def test_price_and_quantity(self, calls: CentsCaller, how: str) -> None:
        calls.empty(TICKER)
        order = calls.order(TICKER, yes_price=20, count=5)
        answer = send_amendment(calls, how, order["order_id"], {"yes_price": 25, "count": 3})
        assert answer.status_code == 200
        after = answer.json()["order"]
        assert answer.json()["old_order"] == order
        assert (after["order_id"], after["yes_price"]) == (order["order_id"], 25)
        assert (after["initial_count"], after["remaining_count"]) == (3, 3)
        assert book(calls) == {"yes": [[25, 3]], "no": []}
        assert calls.read(f"{ORDERS}/{order['order_id']}")["order"] == after

    def test_what_is_not_said_stays(self, calls: CentsCaller, how: str) -> None:
        calls.empty(TICKER)
        order = calls.order(TICKER, side="no", no_price=20, count=5)
        for body, expected in (
            ({"count": 4}, [20, 4]),
            ({"no_price": 21}, [21, 4]),
            ({"yes_price_dollars": "0.7800"}, [22, 4]),
        ):
            answer = send_amendment(calls, how, order["order_id"], body)
            assert (answer.json()["order"]["side"], answer.json()["order"]["action"]) == ("no", "buy")
            assert book(calls) == {"yes": [], "no": [expected]}

    def test_the_whole_description_may_be_repeated(self, calls: CentsCaller, how: str) -> None:
        order = calls.order(TICKER, client_order_id="a")
        body = {
            "ticker": TICKER, "side": "yes", "action": "buy", "count": 2, "yes_price": 2,
            "client_order_id": "a", "updated_client_order_id": "b",
        }  # fmt: skip
        answer = send_amendment(calls, how, order["order_id"], body)
        assert answer.json()["order"]["client_order_id"] == "b"
        refused(calls.place(TICKER, client_order_id="b"), 409)

    def test_the_count_is_the_total(self, calls: CentsCaller, how: str) -> None:
        calls.empty(TICKER)
        order = calls.order(TICKER, yes_price=40, count=10)
        calls.order(TICKER, user=1, side="no", no_price=60, count=4)
        after = send_amendment(calls, how, order["order_id"], {"count": 7}).json()["order"]
        assert (after["initial_count"], after["fill_count"], after["remaining_count"]) == (7, 4, 3)
        refused(send_amendment(calls, how, order["order_id"], {"count": 4}), 400)

    def test_an_amended_order_may_trade(self, calls: CentsCaller, how: str) -> None:
        order = calls.order(PRINTED, yes_price=43, count=5)
        after = send_amendment(calls, how, order["order_id"], {"yes_price": 44}).json()["order"]
        assert (after["status"], after["fill_count"]) == ("executed", 5)
        assert book(calls, PRINTED)["no"][-1] == [56, 12]

    @pytest.mark.parametrize(
        "body",
        [
            {},
            {"yes_price": 0},
            {"yes_price": 100},
            {"count": 0},
            {"count": "2"},
            {"yes_price": 3, "no_price": 97},
            {"count": 2, "ticker": OTHER},
            {"count": 2, "side": "no"},
            {"count": 2, "action": "sell"},
            {"count": 2, "client_order_id": "another"},
        ],
    )
    def test_a_bad_amendment_changes_nothing(
        self, calls: CentsCaller, how: str, body: dict[str, Any]
    ) -> None:
        order = calls.order(TICKER, client_order_id="a")
        refused(send_amendment(calls, how, order["order_id"], body), 400)
        assert calls.read(f"{ORDERS}/{order['order_id']}")["order"] == order

    def test_only_what_rests_and_is_mine(self, calls: CentsCaller, how: str) -> None:
        order = calls.order(TICKER)["order_id"]
        refused(send_amendment(calls, how, order, {"count": 2}, user=1), 404)
        refused(send_amendment(calls, how, "none", {"count": 2}), 404)
        calls.send("DELETE", f"{ORDERS}/{order}")
        refused(send_amendment(calls, how, order, {"count": 2}), 404)


def test_decrease(calls: CentsCaller) -> None:
    calls.empty(TICKER)
    path = f"{ORDERS}/{calls.order(TICKER, yes_price=20, count=9)['order_id']}/decrease"
    assert calls.send("POST", path, {"reduce_by": 2}).json()["order"]["remaining_count"] == 7
    assert calls.send("POST", path, {"reduce_to": 4}).json()["order"]["remaining_count"] == 4
    assert book(calls)["yes"] == [[20, 4]]
    for body in (
        {},
        {"reduce_by": 1, "reduce_to": 1},
        {"reduce_by": 0},
        {"reduce_to": 5},
        {"reduce_by": "1"},
    ):
        refused(calls.send("POST", path, body), 400)
    assert book(calls)["yes"] == [[20, 4]]
    order = calls.send("POST", path, {"reduce_to": 0}).json()["order"]
    assert (order["status"], order["remaining_count"]) == ("canceled", 0)
    refused(calls.send("POST", path, {"reduce_to": 0}), 404)


def test_cancel(calls: CentsCaller) -> None:
    calls.empty(TICKER)
    order = calls.order(TICKER, yes_price=20, count=9)
    path = f"{ORDERS}/{order['order_id']}"
    refused(calls.send("DELETE", path, user=1), 404)
    answer = calls.send("DELETE", path).json()
    assert (answer["order"]["status"], answer["reduced_by"]) == ("canceled", 9)
    assert book(calls) == {"yes": [], "no": []}
    refused(calls.send("DELETE", path), 404)
    assert calls.read(path)["order"]["status"] == "canceled"


# --- batches ------------------------------------------------------------------------------------


def test_a_batch_answers_order_by_order(calls: CentsCaller) -> None:
    good = {
        "ticker": TICKER, "action": "buy", "side": "yes", "count": 1, "type": "limit", "yes_price": 1,
    }  # fmt: skip
    rows = [good | {"client_order_id": name} for name in ("a", "b", "a")]
    rows.append(good | {"yes_price": 100, "client_order_id": "c"})
    answer = calls.send("POST", f"{ORDERS}/batched", {"orders": rows})
    assert answer.status_code == 201
    told = answer.json()["orders"]
    assert [row["client_order_id"] for row in told] == ["a", "b", "a", "c"]
    assert [row["order"] and row["order"]["status"] for row in told] == [
        "resting",
        "resting",
        None,
        None,
    ]
    assert [row["error"] and row["error"]["code"] for row in told] == [
        None, None, "order_already_exists", "invalid_price",
    ]  # fmt: skip
    for body in ({}, {"orders": {}}, {"orders": [1]}):
        refused(calls.send("POST", f"{ORDERS}/batched", body), 400)


@pytest.mark.parametrize("form", ["ids", "orders"])
def test_a_batch_of_cancels(calls: CentsCaller, form: str) -> None:
    ids = [calls.order(TICKER, count=count)["order_id"] for count in (2, 3)] + ["none"]
    rows: list[Any] = ids if form == "ids" else [{"order_id": one} for one in ids]
    answer = calls.send("DELETE", f"{ORDERS}/batched", {form: rows})
    assert answer.status_code == 200
    told = answer.json()["orders"]
    assert [row["order_id"] for row in told] == ids
    assert [row["reduced_by"] for row in told] == [2, 3, 0]
    assert [row["order"] and row["order"]["status"] for row in told] == ["canceled", "canceled", None]
    assert told[2]["error"]["code"] == "not_found"
    for body in ({}, {"ids": "x"}, {"ids": [1]}):
        refused(calls.send("DELETE", f"{ORDERS}/batched", body), 400)


# --- what comes of it ---------------------------------------------------------------------------


def fee_in_cents(cents: int, count: int) -> int:
    """7 % of price × (1 − price) a contract, rounded up to the next cent."""
    price = Fraction(cents, 100)
    return math.ceil(Fraction(7, 100) * count * price * (1 - price) * 100)


@pytest.mark.parametrize(("count", "cents"), [(1, 50), (3, 44), (17, 44), (10, 7), (1, 99)])
def test_money_is_whole_cents(calls: CentsCaller, count: int, cents: int) -> None:
    calls.empty(TICKER)
    before = calls.read("/portfolio/balance")["balance"]
    calls.order(TICKER, user=1, side="no", no_price=100 - cents, count=count)
    order = calls.order(TICKER, yes_price=cents, count=count)
    fee = fee_in_cents(cents, count)
    assert (order["taker_fill_cost"], order["taker_fees"]) == (count * cents, fee)
    after = calls.read("/portfolio/balance")
    assert after["balance"] == before - count * cents - fee
    assert both_formats(after) == 2
    (position,) = calls.read("/portfolio/positions")["market_positions"]
    assert position["ticker"] == TICKER
    assert (position["position"], position["market_exposure"]) == (count, count * cents)
    assert (position["fees_paid"], position["realized_pnl"]) == (fee, 0)
    theirs = calls.read("/portfolio/balance", user=1)["balance"]
    assert theirs == 1_000_000 - count * (100 - cents)


def test_fills_in_the_words_of_the_order(calls: CentsCaller) -> None:
    calls.empty(TICKER)
    maker = calls.order(TICKER, user=1, side="no", no_price=60, count=4)
    taker = calls.order(TICKER, side="no", action="sell", no_price=55, count=4)
    (mine,), (theirs,) = (calls.read("/portfolio/fills", user=user)["fills"] for user in (0, 1))
    assert mine["trade_id"] == theirs["trade_id"]
    assert (mine["side"], mine["action"], mine["is_taker"]) == ("no", "sell", True)
    assert (theirs["side"], theirs["action"], theirs["is_taker"]) == ("no", "buy", False)
    for fill, order in ((mine, taker), (theirs, maker)):
        assert fill["order_id"] == order["order_id"]
        assert (fill["yes_price"], fill["no_price"], fill["price"], fill["count"]) == (40, 60, 60, 4)
        assert both_formats(fill) == 3
    (trade,) = calls.get("/markets/trades", ticker=TICKER, limit=1)["trades"]
    assert (trade["trade_id"], trade["taker_side"], trade["price"]) == (mine["trade_id"], "yes", 40)
    assert calls.read("/portfolio/fills", ticker=OTHER)["fills"] == []
    assert calls.read("/portfolio/fills", order_id=taker["order_id"])["fills"] == [mine]


def test_a_position_counts_the_orders_that_rest(calls: CentsCaller) -> None:
    calls.order(PRINTED, yes_price=44, count=2)
    calls.order(PRINTED, yes_price=2)
    calls.order(OTHER, yes_price=2)
    body = calls.read("/portfolio/positions")
    (position,) = body["market_positions"]
    assert (position["position"], position["resting_orders_count"]) == (2, 1)
    (event,) = body["event_positions"]
    assert (event["event_ticker"], event["total_cost"], event["total_cost_shares"]) == (
        "KXHIGHNY-24JAN01", 88, 2,
    )  # fmt: skip
    assert both_formats(body) >= 7


def test_a_market_settles_and_the_history_tells_it(calls: CentsCaller) -> None:
    calls.order(PRINTED, yes_price=44, count=2)
    calls.order(OTHER, yes_price=99, count=1)
    before = calls.read("/portfolio/balance")["balance"]
    calls.sandbox.settle(PRINTED, "yes")
    assert calls.read("/portfolio/balance")["balance"] == before + 200
    assert calls.get(f"/markets/{PRINTED}")["market"]["status"] == "settled"
    assert calls.get(f"/markets/{PRINTED}")["market"]["settlement_value"] == 100
    (settlement,) = calls.read("/portfolio/settlements")["settlements"]
    assert (settlement["yes_count"], settlement["yes_total_cost"], settlement["revenue"]) == (2, 88, 200)
    history = calls.read("/portfolio/history")["history"]
    assert [row["type"] for row in history] == ["settlement", "fill", "fill"]
    assert [row["ticker"] for row in history] == [PRINTED, OTHER, PRINTED]
    assert [row["ts"] for row in history] == sorted((row["ts"] for row in history), reverse=True)
    fills = calls.read("/portfolio/fills")["fills"]
    assert [{**row, "ts": 0} for row in history[1:]] == [
        {**fill, "type": "fill", "ts": 0} for fill in fills
    ]
    pages, cursor = [], {}
    for _ in range(5):
        page = calls.read("/portfolio/history", limit=1, **cursor)
        pages += page["history"]
        if page["cursor"] is None:
            break
        cursor = {"cursor": page["cursor"]}
    assert pages == history
    assert [row["ticker"] for row in calls.read("/portfolio/history", ticker=OTHER)["history"]] == [
        OTHER
    ]
    refused(calls.place(PRINTED), 400)


def test_no_money_appears_or_vanishes(calls: CentsCaller) -> None:
    """Two users trade with each other only: what both lose are the fees, in whole cents."""
    calls.empty(TICKER)
    for cents, count in ((30, 5), (45, 7), (70, 2), (12, 9)):
        calls.order(TICKER, user=cents % 2, yes_price=cents, count=count)
        calls.order(TICKER, user=1 - cents % 2, side="yes", action="sell", yes_price=cents, count=count)
    cash = sum(calls.read("/portfolio/balance", user=user)["balance"] for user in (0, 1))
    held = [calls.read("/portfolio/positions", user=user)["market_positions"] for user in (0, 1)]
    positions = [row["position"] for rows in held for row in rows]
    assert sum(positions) == 0
    fees = sum(row["fees_paid"] for rows in held for row in rows)
    assert fees > 0
    assert cash == 2_000_000 - fees - 100 * max(positions)


def send_intent(calls: CentsCaller, market: str, intent: tuple[int, bool, int, int], side: str) -> Any:
    """The same order in the words of either dialect; in the old one on either leg."""
    user, is_bid, cents, count = intent
    mine = {"ticker": market}
    if calls.sandbox.dialect == "2025":
        action = "buy" if is_bid == (side == "yes") else "sell"
        price = cents if side == "yes" else 100 - cents
        terms = {"side": side, "action": action, f"{side}_price": price, "count": count, "type": "limit"}
        return calls.send("POST", ORDERS, mine | terms, user=user)
    terms = {
        "side": "bid" if is_bid else "ask", "price": f"{cents / 100:.4f}", "count": f"{count}.00",
        "time_in_force": "good_till_canceled", "self_trade_prevention_type": "taker_at_cross",
    }  # fmt: skip
    headers = calls.signed_headers("POST", "/portfolio/events/orders", key_type="rsa", user=user)
    url = f"{calls.sandbox.url}/portfolio/events/orders"
    return calls._session.post(url, json=mine | terms, headers=headers, timeout=30)


def test_both_dialects_trade_alike() -> None:
    """The same orders lead to the same book, positions and trades, whatever they are written in."""
    seen = []
    for dialect in ("2025", "2026"):
        dice = random.Random(7)
        market = PRINTED if dialect == "2025" else "KXHIGHNY-26NOV21-B44.5"
        with (
            Sandbox(dialect=dialect, users=2, days=2, crypto_hours=1) as sandbox,
            CentsCaller(sandbox) as calls,
        ):
            calls.clear(market)
            placed = []
            for _ in range(80):
                is_bid, cents = dice.random() < 0.5, dice.randint(30, 70)
                intent = dice.randrange(2), is_bid, cents, dice.randint(1, 9)
                side = dice.choice(("yes", "no"))
                placed.append(send_intent(calls, market, intent, side).status_code)
            engine = sandbox.floor.call(lambda engine: engine)
            book = engine.book(market)
            users = [account.user_id for account in sandbox._exchange.accounts]
            held = [engine.holding(user, market) for user in users]
            seen.append(
                (
                    placed,
                    (book.yes, book.no),
                    [(row.position, row.cost, row.traded, row.realised) for row in held if row],
                    [(trade.price, trade.count) for trade in engine.market(market).trades],
                )
            )
    assert seen[0] == seen[1]
    assert len(seen[0][3]) > 10
    assert set(seen[0][0]) == {201}
