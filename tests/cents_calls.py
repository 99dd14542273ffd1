"""A bare caller of a sandbox that speaks as in 2025: `requests`, RSA keys, integer cents."""

from __future__ import annotations

import uuid
from typing import Any

from sandbox_calls import Caller

ORDERS = "/portfolio/orders"


class CentsCaller(Caller):
    def send(self, method: str, path: str, body: Any = None, *, user: int = 0, **params: Any) -> Any:
        """A signed request; its answer as it came."""
        headers = self.signed_headers(method, path, key_type="rsa", user=user)
        return self._session.request(
            method, self.sandbox.url + path, params=params, json=body, headers=headers, timeout=30
        )

    def read(self, path: str, *, user: int = 0, **params: Any) -> Any:
        answer = self.send("GET", path, user=user, **params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def place(self, ticker: str, /, *, user: int = 0, **terms: Any) -> Any:
        """Send an order for one YES at 1 cent, or on other terms; None leaves a field out."""
        body: dict[str, Any] = {
            "ticker": ticker,
            "action": "buy",
            "side": "yes",
            "count": 1,
            "type": "limit",
            "client_order_id": str(uuid.uuid4()),
        }
        if not any("price" in name for name in terms):
            body["yes_price"] = 1
        body = {name: value for name, value in (body | terms).items() if value is not None}
        return self.send("POST", ORDERS, body, user=user)

    def order(self, ticker: str, /, *, user: int = 0, **terms: Any) -> dict[str, Any]:
        """As `place`; the order that was taken."""
        answer = self.place(ticker, user=user, **terms)
        assert answer.status_code == 201, answer.text
        assert answer.json().keys() == {"order"}
        order: dict[str, Any] = answer.json()["order"]
        return order

    def empty(self, ticker: str) -> None:
        """Leave only what users will send to a market: no quotes of the makers, no own orders."""
        self.order(ticker)
        for order in self.read(ORDERS)["orders"]:
            if order["status"] == "resting":
                assert self.send("DELETE", f"{ORDERS}/{order['order_id']}").status_code == 200
        self.clear(ticker)

    def clear(self, ticker: str) -> None:
        """Take the makers' quotes of a market away."""
        makers = "the makers of the world"
        self.sandbox.floor.attend(ticker)
        self.sandbox.floor.call(
            lambda engine: [
                engine.cancel(makers, row.order_id)
                for row in list(engine.wallet(makers).resting.values())
                if row.market.ticker == ticker
            ]
        )
