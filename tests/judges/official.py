"""The exchange's own clients, the blocking and the asynchronous one, called alike."""

from __future__ import annotations

import asyncio
import importlib
import inspect
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any


class Official:
    """One of the two clients; every call blocks and answers what the client understood."""

    def __init__(self, flavour: str, url: str, key_id: str = "", key_path: str = "") -> None:
        package = importlib.import_module(f"kalshi_python_{flavour}")
        configuration = package.Configuration(host=url)
        if key_id:
            configuration.api_key_id = key_id
            configuration.private_key_pem = Path(key_path).read_text(encoding="ascii")
        self._loop = asyncio.new_event_loop()

        async def made() -> Any:
            return package.KalshiClient(configuration)

        self._client = self._loop.run_until_complete(made())

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(**arguments: Any) -> Any:
            answer = getattr(self._client, name)(**arguments)
            return self._loop.run_until_complete(answer) if inspect.isawaitable(answer) else answer

        return call

    def close(self) -> None:
        """End connections and the loop."""
        closing = getattr(self._client, "close", None)
        answer = closing() if closing else None
        if inspect.isawaitable(answer):
            self._loop.run_until_complete(answer)
        # The transport of a closed connection needs one more turn of the loop.
        self._loop.run_until_complete(asyncio.sleep(0.05))
        self._loop.close()


def plain(answer: Any) -> Any:
    """What the client made of an answer, without what it did not find."""
    return json.loads(answer.model_dump_json(by_alias=True, exclude_none=True))
