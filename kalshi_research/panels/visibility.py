"""Whether anybody can see a panel: what nobody sees asks nothing of the exchange."""

from __future__ import annotations

import threading
from typing import Any

import traitlets

__all__ = ["Watched"]


class Watched(traitlets.HasTraits):
    """What is shown in some places, or in none.

    Attributes
    ----------
    views : int or None
        In how many places a person can see it. None: not counted, because no panel shows it.

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

    def __init__(self) -> None:
        super().__init__()
        self._seeing: set[str] = set()
        self._attending = threading.Lock()

    @property
    def is_watched(self) -> bool:
        """Whether it is worth asking for anything new."""
        return self.views != 0

    def attend(self, message: Any) -> None:
        """Take down what a view says of itself.

        Parameters
        ----------
        message : mapping
            ``view``, its name, and ``seen``, whether a person can see it now. The same message twice
            says nothing more, and anything else says nothing.
        """
        if not isinstance(message, dict) or not isinstance(message.get("view"), str):
            return
        with self._attending:
            if message.get("seen"):
                self._seeing.add(message["view"])
            else:
                self._seeing.discard(message["view"])
            self.views = len(self._seeing)
