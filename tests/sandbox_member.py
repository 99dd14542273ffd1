"""A caller of a sandbox who also writes, with any key."""

from __future__ import annotations

import base64
import time
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from sandbox_calls import PREFIX, Caller

if TYPE_CHECKING:
    import requests

ORDERS = "/portfolio/events/orders"
TICKER = "KXHIGHNY-26NOV21-B44.5"
OTHER = "KXHIGHNY-26NOV21-B46.5"
CRYPTO_SHARD = 2


class Key:
    """A key that a sandbox made, and its private half."""

    def __init__(self, made: dict[str, Any]) -> None:
        self.key_id: str = made["api_key_id"]
        private = load_pem_private_key(made["private_key"].encode(), None)
        assert isinstance(private, Ed25519PrivateKey)
        self.private = private

    def headers(self, method: str, path: str, prefix: str = PREFIX) -> dict[str, str]:
        now = str(time.time_ns() // 1_000_000)
        raw = self.private.sign(f"{now}{method}{prefix}{path}".encode())
        return {
            "KALSHI-ACCESS-KEY": self.key_id,
            "KALSHI-ACCESS-TIMESTAMP": now,
            "KALSHI-ACCESS-SIGNATURE": base64.b64encode(raw).decode(),
        }


class Member(Caller):
    """Signs and sends; answers are checked for the status that is expected."""

    def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        user: int = 0,
        key: Key | None = None,
        query: str = "",
    ) -> requests.Response:
        headers = (
            self.signed_headers(method, path, user=user) if key is None else key.headers(method, path)
        )
        url = f"{self.sandbox.url}{path}{query}"
        return self._session.request(method, url, json=body, headers=headers, timeout=30)

    def done(self, status: int, method: str, path: str, body: Any = None, **how: Any) -> Any:
        answer = self.send(method, path, body, **how)
        assert answer.status_code == status, (method, path, body, answer.text)
        return answer.json() if answer.content else None

    def order(self, side: str, price: str, count: str, *, status: int = 201, **more: Any) -> Any:
        how = {name: more.pop(name) for name in ("user", "key") if name in more}
        return self.done(status, "POST", ORDERS, terms(side, price, count) | more, **how)

    def generate(self, **fields: Any) -> Key:
        made = {"name": "made by a test", "key_type": "ed25519"} | fields
        return Key(self.done(201, "POST", "/api_keys/generate", made))

    def clear(self, *tickers: str) -> None:
        """Take the makers' quotes away, so that only the users are there."""

        def leave(engine: Any) -> None:
            for row in [*engine.wallet("the makers of the world").resting.values()]:
                engine.cancel("the makers of the world", row.order_id)

        self.sandbox.floor.call(leave, *(tickers or (TICKER,)))


def terms(side: str, price: str, count: str) -> dict[str, Any]:
    return {
        "ticker": TICKER, "side": side, "price": price, "count": count,
        "time_in_force": "good_till_canceled", "self_trade_prevention_type": "taker_at_cross",
    }  # fmt: skip
