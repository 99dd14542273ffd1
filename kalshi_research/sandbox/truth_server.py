"""The truth over HTTP: a second port of loopback, for judges in other processes.

Every request carries ``Authorization: Bearer TOKEN``. All answers are JSON, in the integers of
`Truth`.

=======================  ==========================================================================
route                    answer
=======================  ==========================================================================
``/orders``              every order that was accepted; ``?user=0``, ``?client_order_id=...``
``/acceptances``         how many orders were accepted under each client order id
``/duplicates``          those with more than one
``/resting``             the orders that rest
``/positions``           what a user holds, ``?user=0``
``/book``                bids and asks, ``?ticker=...``, and ``&clock=...`` for a watched market
``/watch``               watch a market from now on, ``?ticker=...``
``/requests``            the requests that arrived, secrets replaced by their lengths
``/faults``              the rules that stand, and what bit
=======================  ==========================================================================
"""

from __future__ import annotations

import secrets
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import msgspec

from kalshi_research.errors import ConfigError
from kalshi_research.sandbox.order_truth import as_plain

if TYPE_CHECKING:
    from collections.abc import Callable

    from kalshi_research.sandbox.truth import Truth

__all__ = ["TruthServer", "truth_answer"]


def truth_answer(truth: Truth, path: str, query: dict[str, str]) -> Any:
    """What one route answers; None where there is no such route.

    Parameters
    ----------
    truth : Truth
    path : str
    query : dict

    Raises
    ------
    ConfigError
        For a parameter that is missing or makes no sense.
    """
    user = _integer(query, "user")
    if path == "/orders":
        name = query.get("client_order_id")
        return truth.orders(user) if name is None else truth.accepted(name, user)
    if path == "/book":
        bids, asks = truth.book(_needed(query, "ticker"), _integer(query, "clock"))
        return {"bids": bids, "asks": asks}
    if path == "/watch":
        truth.watch(_needed(query, "ticker"))
        return {"watching": query["ticker"]}
    if path == "/positions":
        return truth.positions(user or 0)
    if path == "/faults":
        return {"rules": [str(rule) for rule in truth.faults.rules], "bites": _bites(truth)}
    simple: dict[str, Callable[[], Any]] = {
        "/acceptances": lambda: truth.acceptances(user),
        "/duplicates": lambda: truth.duplicates(user),
        "/resting": lambda: truth.resting(user),
        "/requests": lambda: truth.requests,
    }
    return simple[path]() if path in simple else None


def _bites(truth: Truth) -> list[dict[str, Any]]:
    return [
        {"kind": bite.kind, "place": bite.place, "call": bite.call, "at": bite.at, "status": bite.status}
        for bite in truth.faults.fired
    ]


def _needed(query: dict[str, str], name: str) -> str:
    if not query.get(name):
        raise ConfigError(f"the parameter {name} is missing.")
    return query[name]


def _integer(query: dict[str, str], name: str) -> int | None:
    text = query.get(name)
    if text is None:
        return None
    if not text.isdigit() or len(text) > 18:
        raise ConfigError(f"the parameter {name} is a whole number.")
    return int(text)


class TruthServer:
    """Serves the truth of one sandbox until `stop`.

    Parameters
    ----------
    truth : Truth

    Attributes
    ----------
    url : str
    token : str
        What ``Authorization: Bearer`` has to carry.
    """

    def __init__(self, truth: Truth) -> None:
        self.token = secrets.token_urlsafe(24)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(truth, self.token))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Close the port."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)

    def __repr__(self) -> str:
        return f"<TruthServer {self.url}>"


def _handler(truth: Truth, token: str) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 60

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            host = f"127.0.0.1:{self.server.server_address[1]}"  # type: ignore[index]
            given = self.headers.get("authorization", "").encode()
            if self.headers.get("host") != host or self.headers.get("origin"):
                self._say(403, {"error": "Host or Origin is not this server"})
            elif not secrets.compare_digest(given, f"Bearer {token}".encode()):
                self._say(401, {"error": "Authorization: Bearer with the token is needed"})
            else:
                self._tell(parts.path, dict(parse_qsl(parts.query, keep_blank_values=True)))

        def _tell(self, path: str, query: dict[str, str]) -> None:
            try:
                found = truth_answer(truth, path, query)
            except (ConfigError, KeyError, IndexError) as error:
                self._say(400, {"error": str(error)})
                return
            if found is None:
                self._say(404, {"error": "there is no such route"})
            else:
                self._say(200, found)

        def _say(self, status: int, found: object) -> None:
            body = msgspec.json.encode(as_plain(found))
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- its name there
            """Keep no log."""

    return Handler
