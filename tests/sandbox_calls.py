"""A bare caller of a sandbox: `requests` and nothing of the library."""

from __future__ import annotations

import base64
import time
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlencode

import requests
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from kalshi_research.sandbox import Sandbox

PREFIX = "/trade-api/v2"


class Caller:
    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self._session = requests.Session()
        self._session.trust_env = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._session.close()

    def call(
        self, method: str, path: str, *, headers: dict[str, str] | None = None, **params: Any
    ) -> requests.Response:
        query = urlencode(params, doseq=True)
        return self._session.request(
            method, f"{self.sandbox.url}{path}{'?' if query else ''}{query}", headers=headers, timeout=30
        )

    def get(self, path: str, /, **params: Any) -> Any:
        answer = self.call("GET", path, **params)
        assert answer.status_code == 200, (path, params, answer.text)
        assert answer.headers["content-type"] == "application/json"
        return answer.json()

    def refused(self, status: int, path: str, /, **params: Any) -> Any:
        answer = self.call("GET", path, **params)
        assert answer.status_code == status, (path, params, answer.text)
        return answer.json()

    def walk(self, path: str, key: str, /, **params: Any) -> Iterator[dict[str, Any]]:
        cursor = ""
        for _ in range(10_000):
            page = self.get(path, **params, **({"cursor": cursor} if cursor else {}))
            yield from page[key]
            cursor = page["cursor"]
            if not cursor:
                return
        raise AssertionError("the walk does not end")

    def signed_headers(
        self,
        method: str,
        path: str,
        *,
        key_type: str = "ed25519",
        user: int = 0,
        skew: float = 0.0,
        text: str | None = None,
    ) -> dict[str, str]:
        key_id, private = self.sandbox.credentials(user, key_type=key_type)
        timestamp = str(int((time.time() + skew) * 1000))
        message = (text if text is not None else f"{timestamp}{method}{PREFIX}{path}").encode()
        if isinstance(private, Ed25519PrivateKey):
            raw = private.sign(message)
        else:
            padding = PSS(mgf=MGF1(hashes.SHA256()), salt_length=PSS.DIGEST_LENGTH)
            raw = private.sign(message, padding, hashes.SHA256())
        return {
            "KALSHI-ACCESS-KEY": key_id,
            "KALSHI-ACCESS-TIMESTAMP": timestamp,
            "KALSHI-ACCESS-SIGNATURE": base64.b64encode(raw).decode(),
        }

    def signed(self, path: str, **params: Any) -> Any:
        answer = self.call("GET", path, headers=self.signed_headers("GET", path), **params)
        assert answer.status_code == 200, answer.text
        return answer.json()
