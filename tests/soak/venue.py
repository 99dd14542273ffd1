"""A sandbox in a process of its own, with the strings that a soak pulls.

In the process of the clients it would wait for its turn among their threads, and "five seconds late"
at one to thirty would be whatever the machine makes of it.
"""

from __future__ import annotations

import multiprocessing
import threading
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any, Self

import kalshi_research as kr

__all__ = ["TrueOrder", "Venue"]


@dataclass(frozen=True)
class TrueOrder:
    """An order as the engine has it."""

    client_order_id: str
    status: str
    price: int
    initial: int
    filled: int
    remaining: int


class _Strings:
    """What the other process may ask for, by name."""

    def __init__(self, sandbox: Any) -> None:
        self.sandbox, self.faults, self.rules = sandbox, sandbox.faults, {}
        self.serial = 0

    def about(self) -> tuple[str, list[tuple[str, str]]]:
        box = self.sandbox
        users = range(len(box._exchange.accounts))
        keys = [(box.credentials(user)[0], str(box.key_file(user))) for user in users]
        return box.url.removesuffix("/trade-api/v2"), keys

    def scale(self, scale: float) -> None:
        self.faults.scale = scale

    def add(self, kind: str, route: str, details: dict[str, Any]) -> int:
        self.serial += 1
        self.rules[self.serial] = self.faults.add(kind, route, **details)
        return self.serial

    def remove(self, number: int) -> None:
        self.faults.remove(self.rules.pop(number))

    def wait_late(self) -> bool:
        return bool(self.faults.wait(30.0))

    def orders(self, key: str | None = None) -> list[TrueOrder]:
        def found(engine: Any) -> list[TrueOrder]:
            return [
                TrueOrder(o.client_order_id, o.status, o.price, o.initial, o.filled, o.remaining)
                for member in engine.members.values()
                for o in member.orders
                if o.client_order_id and (key is None or o.client_order_id == key)
            ]

        return list(self.sandbox.floor.call(found))

    def committed(self) -> dict[str, float]:
        """When each order came to be, by its client order id [monotonic s]; while reads lag."""
        lag = self.sandbox._exchange.lag
        with lag._lock:
            return {
                history.versions[0].client_order_id: history.moments[0]
                for mine in lag._orders.values()
                for history in mine.values()
            }


def _serve(pipe: Connection, options: dict[str, Any]) -> None:
    with kr.start_sandbox(**options) as sandbox:
        strings = _Strings(sandbox)
        pipe.send(strings.about())
        while True:
            try:
                name, args = pipe.recv()
            except EOFError:  # whoever held the strings is gone
                return
            try:
                pipe.send((True, getattr(strings, name)(*args)))
            except Exception as error:  # noqa: BLE001 - it is raised over there
                pipe.send((False, error))


class Venue:
    """The strings, in the process of the clients; for many threads.

    Parameters
    ----------
    **options
        Of `start_sandbox`.

    Attributes
    ----------
    url : str
    keys : list of (str, str)
        Key id and file of the private key, by user.
    """

    def __init__(self, **options: Any) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._lock = threading.Lock()
        self._process = context.Process(target=_serve, args=(theirs, options), daemon=True)
        self._process.start()
        theirs.close()
        assert self._pipe.poll(60), "the sandbox does not come up"
        self.url, self.keys = self._pipe.recv()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pipe.close()
        self._process.join(10)
        if self._process.is_alive():
            self._process.kill()
            self._process.join(10)

    def _ask(self, name: str, *args: Any) -> Any:
        with self._lock:
            self._pipe.send((name, args))
            fine, answer = self._pipe.recv()
        if not fine:
            raise answer
        return answer

    def scale(self, scale: float) -> None:
        """Multiply all times of faults."""
        self._ask("scale", scale)

    def add(self, kind: str, route: str = "* /**", **details: Any) -> int:
        """Add a rule; its number."""
        return int(self._ask("add", kind, route, details))

    def remove(self, number: int) -> None:
        """Take a rule away."""
        self._ask("remove", number)

    def wait_late(self) -> bool:
        """Wait until nothing is to be done late any more."""
        return bool(self._ask("wait_late"))

    def orders(self, key: str | None = None) -> list[TrueOrder]:
        """Every order of everybody who names theirs, or those of one name."""
        return list(self._ask("orders", key))

    def committed(self) -> dict[str, float]:
        """When each order came to be, by its client order id [monotonic s]; while reads lag."""
        return dict(self._ask("committed"))
