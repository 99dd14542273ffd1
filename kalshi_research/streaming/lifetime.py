"""What it takes to begin a stream, and what ends one that nobody has closed."""

from __future__ import annotations

import threading
import weakref
from typing import TYPE_CHECKING

from kalshi_research.errors import ConfigError

if TYPE_CHECKING:
    from kalshi_research.client import Client
    from kalshi_research.streaming.engine import Engine

__all__ = ["check_key", "closing"]


def closing(owner: object, engine: Engine) -> None:
    """End the engine when nothing refers to its owner any more, and at the end of the process."""
    weakref.finalize(owner, _close, engine)


def _close(engine: Engine) -> None:
    if threading.current_thread() is threading.main_thread():
        engine.close(2.0)
    else:  # garbage is collected in any thread, even in that of the engine
        threading.Thread(target=engine.close, args=(2.0,), daemon=True).start()


def check_key(client: Client) -> None:
    """Refuse a client that cannot open a stream."""
    if not client.signed:
        names = f"KALSHI_{client.environment.name.upper()}_"
        raise ConfigError(
            "a stream needs a key, and this client has none; nothing was sent.\n"
            f"Pass key_id= and private_key= to connect(), or set {names}KEY_ID and "
            f"{names}PRIVATE_KEY_PATH;\nwithout a key kr.poll(client, tickers) samples books."
        )
