"""The requests of orders, each written out whole: what is left out is as important as what is sent."""

from __future__ import annotations

from typing import Any

import pytest

from kalshi_research.errors import InputError
from kalshi_research.trading.requests import (
    Request,
    amend_request,
    cancel_all_request,
    cancel_request,
    cancels_request,
    create_request,
    creates_request,
    decrease_request,
    group_request,
)
from kalshi_research.trading.terms import OrderTerms

V2, OLD, GROUPS = "/portfolio/events/orders", "/portfolio/orders", "/portfolio/order_groups"
PLAIN = OrderTerms("T", "buy", "no", 4400, 100)
RICH = OrderTerms(
    "T", "sell", "no", 4400, 200, self_trade_prevention="maker", expiration=1_795_000_300,
    post_only=True, cancel_on_pause=True, order_group="g", subaccount=0,
)  # fmt: skip
PLAIN_V2 = {
    "ticker": "T", "side": "ask", "count": "1.00", "price": "0.5600",
    "time_in_force": "good_till_canceled", "self_trade_prevention_type": "taker_at_cross",
    "client_order_id": "c",
}  # fmt: skip
PLAIN_OLD = {
    "ticker": "T", "action": "buy", "side": "no", "count": 1, "type": "limit", "no_price": 44,
    "client_order_id": "c",
}  # fmt: skip
MORE = {"post_only": True, "cancel_order_on_pause": True, "order_group_id": "g", "subaccount": 0}
RICH_V2 = {
    "ticker": "T", "side": "bid", "count": "2.00", "price": "0.5600",
    "time_in_force": "good_till_canceled", "self_trade_prevention_type": "maker",
    "expiration_time": 1_795_000_300, "client_order_id": "c", **MORE,
}  # fmt: skip
RICH_OLD = {
    "ticker": "T", "action": "sell", "side": "no", "count": 2, "type": "limit", "no_price": 44,
    "self_trade_prevention_type": "maker", "expiration_ts": 1_795_000_300,
    "client_order_id": "c", **MORE,
}  # fmt: skip
AMEND_V2 = {"ticker": "T", "side": "ask", "price": "0.5600", "count": "1.00"}
AMEND_OLD = {"ticker": "T", "action": "buy", "side": "no", "count": 1, "no_price": 44}
NAMES = {"client_order_id": "c", "updated_client_order_id": "d"}
BOTH = [("o", "T", None), ("p", "U", 3)]
OLD_WORDS: dict[str, Any] = {"dialect": "2025"}

WRITTEN: list[tuple[Request, str, str, Any, dict[str, Any]]] = [
    (create_request(PLAIN, "c"), "POST", V2, PLAIN_V2, {}),
    (create_request(RICH, "c"), "POST", V2, RICH_V2, {}),
    (create_request(PLAIN, "c", **OLD_WORDS), "POST", OLD, PLAIN_OLD, {}),
    (create_request(RICH, "c", **OLD_WORDS), "POST", OLD, RICH_OLD, {}),
    (creates_request([(PLAIN, "c")]), "POST", f"{V2}/batched", {"orders": [PLAIN_V2]}, {}),
    (creates_request([(RICH, "c")], **OLD_WORDS), "POST", f"{OLD}/batched", {"orders": [RICH_OLD]}, {}),
    (cancel_request("o", "T"), "DELETE", f"{V2}/o", None, {"market_ticker": "T"}),
    (
        cancel_request("o", "T", subaccount=0),
        "DELETE", f"{V2}/o", None, {"market_ticker": "T", "subaccount": 0},
    ),
    (cancel_request("o", "T", **OLD_WORDS), "DELETE", f"{OLD}/o", None, {}),
    (
        cancels_request(BOTH),
        "DELETE", f"{V2}/batched",
        {
            "orders": [
                {"order_id": "o", "market_ticker": "T"},
                {"order_id": "p", "market_ticker": "U", "subaccount": 3},
            ]
        },
        {},
    ),
    (cancels_request(BOTH, **OLD_WORDS), "DELETE", f"{OLD}/batched", {"ids": ["o", "p"]}, {}),
    (cancel_all_request(), "DELETE", V2, None, {}),
    (cancel_all_request(subaccount=0), "DELETE", V2, None, {"subaccount": 0}),
    (amend_request("o", PLAIN), "POST", f"{V2}/o/amend", AMEND_V2, {}),
    (
        amend_request("o", PLAIN, expiration=0, **NAMES),
        "POST", f"{V2}/o/amend", AMEND_V2 | {"expiration_time": 0, **NAMES}, {},
    ),
    (
        amend_request("o", RICH),
        "POST", f"{V2}/o/amend", AMEND_V2 | {"side": "bid", "count": "2.00"}, {"subaccount": 0},
    ),
    (amend_request("o", PLAIN, **OLD_WORDS), "PUT", f"{OLD}/o", AMEND_OLD, {}),
    (amend_request("o", PLAIN, **NAMES, **OLD_WORDS), "PUT", f"{OLD}/o", AMEND_OLD | NAMES, {}),
    (
        decrease_request("o", "T", reduce_by=150),
        "POST", f"{V2}/o/decrease", {"reduce_by": "1.50", "market_ticker": "T"}, {},
    ),
    (
        decrease_request("o", "T", reduce_to=0, subaccount=0),
        "POST", f"{V2}/o/decrease", {"reduce_to": "0.00", "market_ticker": "T"}, {"subaccount": 0},
    ),
    (
        decrease_request("o", "T", reduce_to=200, **OLD_WORDS),
        "POST", f"{OLD}/o/decrease", {"reduce_to": 2}, {},
    ),
    (group_request("create", limit=5), "POST", f"{GROUPS}/create", {"contracts_limit": 5}, {}),
    (
        group_request("create", limit=5, shard=0),
        "POST", f"{GROUPS}/create", {"contracts_limit": 5, "exchange_index": 0}, {},
    ),
    (group_request("reset", "g"), "PUT", f"{GROUPS}/g/reset", None, {}),
    (group_request("trigger", "g"), "PUT", f"{GROUPS}/g/trigger", None, {}),
    (group_request("limit", "g", limit=5), "PUT", f"{GROUPS}/g/limit", {"contracts_limit": 5}, {}),
    (group_request("delete", "g"), "DELETE", f"{GROUPS}/g", None, {}),
]  # fmt: skip


@pytest.mark.parametrize(("request_", "method", "path", "body", "params"), WRITTEN)
def test_a_request_says_what_it_must_and_no_more(
    request_: Request, method: str, path: str, body: Any, params: dict[str, Any]
) -> None:
    assert (request_.method, request_.path, request_.body, dict(request_.params)) == (
        method,
        path,
        body,
        params,
    )


def test_an_order_of_a_kind_that_never_rests_says_so_in_both_protocols() -> None:
    terms = OrderTerms("T", "sell", "yes", 4400, 100, "immediate_or_cancel", reduce_only=True)
    for dialect in ("2026", "2025"):
        body = create_request(terms, "c", dialect=dialect).body
        assert body is not None
        assert (body["time_in_force"], body["reduce_only"]) == ("immediate_or_cancel", True)
        assert "subaccount" not in body


@pytest.mark.parametrize("dialect", ["2024", "", None])
def test_a_protocol_that_nobody_speaks_has_no_routes(dialect: Any) -> None:
    for make in (
        lambda: create_request(PLAIN, "c", dialect=dialect),
        lambda: cancel_request("o", "T", dialect=dialect),
        lambda: amend_request("o", PLAIN, dialect=dialect),
        lambda: decrease_request("o", "T", reduce_by=100, dialect=dialect),
    ):
        with pytest.raises(InputError, match="is unknown; nothing was sent"):
            make()
