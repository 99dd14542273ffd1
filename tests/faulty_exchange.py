"""Orders by hand against a sandbox whose faults are the subject."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import requests
from sandbox_calls import PREFIX, Caller

if TYPE_CHECKING:
    from kalshi_research.sandbox import Sandbox

ORDERS = "/portfolio/events/orders"
CREATE = f"POST {ORDERS}"


def order_body(ticker: str, client_order_id: str, **more: Any) -> dict[str, Any]:
    return {
        "ticker": ticker,
        "side": "bid",
        "price": "0.0100",
        "count": "4.00",
        "time_in_force": "good_till_canceled",
        "self_trade_prevention_type": "maker",
        "client_order_id": client_order_id,
        **more,
    }


def open_ticker(caller: Caller) -> str:
    """A market of the default shard in which a bid at a cent rests."""
    found = caller.get("/markets", status="open", series_ticker="KXHIGHNY")["markets"]
    return next(row["ticker"] for row in found if row["yes_ask_dollars"] > "0.2000")


def send(
    caller: Caller, method: str, path: str, body: object = None, timeout: float = 5.0
) -> requests.Response:
    """One signed request on a connection of its own."""
    headers = caller.signed_headers(method, path.partition("?")[0]) | {"Connection": "close"}
    return requests.request(
        method,
        caller.sandbox.url + path,
        json=body,
        headers=headers,
        timeout=timeout,
        allow_redirects=False,
        proxies={"http": ""},
    )


def place(caller: Caller, client_order_id: str, timeout: float = 5.0, **more: Any) -> requests.Response:
    return send(
        caller, "POST", ORDERS, order_body(open_ticker(caller), client_order_id, **more), timeout
    )


def on_the_wire(
    caller: Caller,
    method: str,
    path: str,
    body: object = None,
    timeout: float = 5.0,
    *,
    keep: bool = False,
) -> tuple[bytes, str]:
    """All bytes that come back, and how it ended: ``FIN``, ``RST`` or ``silence``.

    With `keep` the connection is asked to be kept.
    """
    text = b"" if body is None else json.dumps(body).encode()
    headers = caller.signed_headers(method, path.partition("?")[0]) | {
        "Host": f"127.0.0.1:{caller.sandbox.port}",
        "Content-Type": "application/json",
        "Content-Length": str(len(text)),
        "Connection": "keep-alive" if keep else "close",
    }
    head = f"{method} {PREFIX}{path} HTTP/1.1\r\n" + "".join(f"{k}: {v}\r\n" for k, v in headers.items())
    got = b""
    with socket.create_connection(("127.0.0.1", caller.sandbox.port), timeout=timeout) as connection:
        connection.sendall(head.encode() + b"\r\n" + text)
        try:
            while piece := connection.recv(65536):
                got += piece
        except ConnectionResetError:
            return got, "RST"
        except TimeoutError:
            return got, "silence"
    return got, "FIN"


def until(condition: Callable[[], object], seconds: float = 10.0) -> None:
    """Return when a condition holds; fail when it does not come to."""
    ends = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends, "it did not come to be"
        time.sleep(0.005)


def ids(sandbox: Sandbox) -> list[str]:
    """The client order ids that the exchange accepted."""
    return list(sandbox.truth.acceptances())
