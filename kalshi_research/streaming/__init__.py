"""Books that are right or say they are not: live, out of recordings, or sampled.

`streaming.state` turns decoded frames into books, in integers and without pandas. A live
stream and a replay of a recording run the same frames through it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kalshi_research.streaming.live import Stream, stream
    from kalshi_research.streaming.options import StreamOptions
    from kalshi_research.streaming.polling import Poll, poll
    from kalshi_research.streaming.recordings import Recording, read_recording
    from kalshi_research.streaming.replay import Replay, replay_book

_HOME = {
    "Poll": "polling",
    "Recording": "recordings",
    "Replay": "replay",
    "Stream": "live",
    "StreamOptions": "options",
    "poll": "polling",
    "read_recording": "recordings",
    "replay_book": "replay",
    "stream": "live",
}

__all__ = [
    "Poll",
    "Recording",
    "Replay",
    "Stream",
    "StreamOptions",
    "poll",
    "read_recording",
    "replay_book",
    "stream",
]


def __getattr__(name: str) -> Any:
    """Load what needs pandas only when it is asked for: `state` does without."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
