"""Which streams are open, as the exchange sees it.

A test module asks for it with ``pytest_plugins = ["tests.open_streams"]``.
"""

from __future__ import annotations

from typing import Any

import pytest

from kalshi_research.sandbox.stream.hub import Hub


@pytest.fixture
def streams(monkeypatch: pytest.MonkeyPatch) -> set[Any]:
    """The streams that are open, as the exchange sees it."""
    running: set[Any] = set()
    join, leave = Hub.join, Hub.leave

    def joined(hub: Hub, session: Any) -> None:
        running.add(session)
        join(hub, session)

    def left(hub: Hub, session: Any) -> None:
        running.discard(session)
        leave(hub, session)

    monkeypatch.setattr(Hub, "join", joined)
    monkeypatch.setattr(Hub, "leave", left)
    return running
