"""Whether anybody can see a panel: what nobody sees asks nothing of the exchange."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Final

import traitlets

from kalshi_research.panels.kernel_time import FREE_TIME

__all__ = ["Watched"]

_SILENCE: Final = 90.0
"""A view that is seen says so three times in this time; one that does not is lost [s]."""
_GONE: Final = 5.0
"""After so long a panel rests that stands nowhere any more [s]: one that is moved comes back."""
_ASIDE: Final = 60.0
"""After so long a panel rests that stands where nobody looks, as on another page [s]."""
_front_end = threading.Event()
"""Whether any view has ever spoken: where a notebook runs without a screen, none does."""


class Watched(traitlets.HasTraits):
    """What is shown in some places, or in none.

    Attributes
    ----------
    views : int or None
        In how many places a person can see it. None: not counted, because no panel shows it.
    resting : bool
        Whether nobody has looked for so long that nothing goes on; the first look ends that.

    Examples
    --------
    >>> watched = Watched()
    >>> watched.attend({"view": "a", "seen": True})
    >>> watched.attend({"view": "a", "seen": True})
    >>> watched.views, watched.is_watched
    (1, True)
    >>> watched.attend({"view": "a", "seen": False})
    >>> watched.is_watched
    False
    """

    views = traitlets.Int(None, allow_none=True)
    resting = traitlets.Bool(False)

    def __init__(self, *, now: Callable[[], float] = FREE_TIME) -> None:
        super().__init__()
        self._passed = now
        self._places: dict[str, tuple[bool, float]] = {}
        self._was_heard = False
        self._shown_at: float | None = None
        self._unseen_since: float | None = None
        self._attending = threading.RLock()

    @property
    def is_watched(self) -> bool:
        """Whether it is worth asking for anything new."""
        return self.views != 0

    def attend(self, message: Any) -> None:
        """Take down what a view says of itself.

        Parameters
        ----------
        message : mapping
            ``view``, its name, and ``seen``, whether a person can see it now; ``gone`` is its last
            word. The same message twice says nothing more, and anything else says nothing.
        """
        if not isinstance(message, dict) or not isinstance(message.get("view"), str):
            return
        _front_end.set()
        with self._attending:
            self._was_heard = True
            if message.get("gone"):
                self._places.pop(message["view"], None)
            else:
                self._places[message["view"]] = bool(message.get("seen")), self._passed()
            self._count()

    def shown(self) -> None:
        """A cell has shown it: views are on their way, if there is a screen at all."""
        with self._attending:
            self._shown_at = self._passed()

    def look_around(self) -> None:
        """Take notice of those who have not said for long that they still look."""
        with self._attending:
            if self._was_heard:
                self._count()
            elif self._shown_at is not None and _front_end.is_set():
                # What is run again at once takes its place before it is ever drawn.
                self.resting = self._passed() - self._shown_at >= _SILENCE

    def put_aside(self) -> None:
        """Rest until somebody looks for the first time."""
        self.views, self.resting = 0, True

    def _count(self) -> None:
        now = self._passed()
        self._places = {
            view: (seen, heard)
            for view, (seen, heard) in self._places.items()
            if not seen or now - heard < _SILENCE
        }
        seeing = sum(seen for seen, _ in self._places.values())
        if seeing:
            self._unseen_since = None
        elif self._unseen_since is None:
            self._unseen_since = now
        self.views = seeing
        patience = _ASIDE if self._places else _GONE
        self.resting = self._unseen_since is not None and now - self._unseen_since >= patience
