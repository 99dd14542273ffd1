"""The web server of a sandbox: a port of loopback, and the thread that serves on it."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING

import uvicorn

from kalshi_research.errors import ConfigError, printable
from kalshi_research.sandbox.faults.gate import FaultGate
from kalshi_research.sandbox.faults.line import LoopbackProtocol
from kalshi_research.sandbox.faults.standing import date_header
from kalshi_research.sandbox.rest import build_app

if TYPE_CHECKING:
    from kalshi_research.sandbox.exchange import Exchange

__all__ = ["Serving"]

_START_SECONDS = 10.0


class _Server(uvicorn.Server):
    """A server that says when it is ready, and whose ``Date`` is the exchange's."""

    def __init__(self, config: uvicorn.Config, exchange: Exchange) -> None:
        super().__init__(config)
        self.ready = threading.Event()
        self._exchange = exchange
        for kind in ("wall_clock", "date"):
            exchange.faults.attend(kind, self._tell_date)

    def _tell_date(self) -> None:
        headers = date_header(self._exchange) + self.config.encoded_headers
        self.server_state.default_headers = headers

    async def on_tick(self, counter: int) -> bool:
        found = await super().on_tick(counter)
        if self._exchange.faults.on("standing"):
            self._tell_date()
        return found

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()


class Serving:
    """An exchange that is served, from now on until `stop`.

    Parameters
    ----------
    exchange : Exchange
    port : int
        0 takes a free one.

    Attributes
    ----------
    port : int
        The one that was taken.

    Raises
    ------
    ConfigError
        If the port cannot be bound, or the server does not come up.
    """

    def __init__(self, exchange: Exchange, port: int) -> None:
        listener = _listen(port)
        self.port: int = listener.getsockname()[1]
        hosts = frozenset({f"127.0.0.1:{self.port}", f"localhost:{self.port}"})
        self._gate = FaultGate(build_app(exchange, lambda: hosts), exchange)
        self._server = _Server(_config(self._gate), exchange)
        self._thread = threading.Thread(
            target=_serve, args=(self._server, listener), name=f"kalshi-sandbox-{self.port}", daemon=True
        )
        self._thread.start()
        if not self._server.ready.wait(_START_SECONDS):
            self._server.should_exit = True
            raise ConfigError(
                f"the sandbox did not come up on port {self.port} within {_START_SECONDS:.0f} s.\n"
                "Nothing is running. Try again, or pass another port=."
            )

    def stop(self) -> None:
        """Let go of every connection and of the port."""
        self._gate.release()
        self._server.should_exit = True
        if self._thread is not threading.current_thread():
            self._thread.join(_START_SECONDS)


def _listen(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen(128)
    except (OSError, OverflowError) as error:
        listener.close()
        raise ConfigError(
            f"port {port} of 127.0.0.1 cannot be bound ({printable(error)}); nothing is running.\n"
            "Pass another port=, or 0 for a free one."
        ) from None
    return listener


def _config(gate: FaultGate) -> uvicorn.Config:
    return uvicorn.Config(
        gate,
        http=LoopbackProtocol,
        proxy_headers=False,
        log_config=None,
        log_level="error",
        access_log=False,
        lifespan="off",
        ws="kalshi_research.sandbox.stream.endpoint:open_socket",
        ws_max_size=64 * 1024 * 1024,
        # Frames are shared between connections, and pings carry a text: both are ours to do.
        ws_per_message_deflate=False,
        ws_ping_interval=None,
        loop="asyncio",
        server_header=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=1,
    )


def _serve(server: _Server, listener: socket.socket) -> None:
    with listener:
        server.run(sockets=[listener])
