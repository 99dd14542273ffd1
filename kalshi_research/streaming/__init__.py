"""Books that are right or say they are not: out of recordings, frame by frame.

`streaming.state` turns decoded frames into books, in integers and without pandas;
`streaming.replay` runs a recording through it and makes frames of what it saw.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kalshi_research.streaming.replay import Replay, replay_book

__all__ = ["Replay", "replay_book"]


def __getattr__(name: str) -> Any:
    """Load what needs pandas only when it is asked for: `state` does without."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from kalshi_research.streaming import replay

    return getattr(replay, name)
