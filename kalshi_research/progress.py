"""A progress bar for long work, in a notebook and in a terminal.

``KALSHI_RESEARCH_PROGRESS=0`` turns every bar off, ``=1`` every bar on; without it a
bar is shown where a person can see it.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["Progress", "progress"]

_VARIABLE = "KALSHI_RESEARCH_PROGRESS"


class Progress:
    """Counts work done; use as a context manager.

    Examples
    --------
    >>> with progress(3, "rows", enabled=False) as bar:
    ...     bar.update(2)
    ...     bar.done
    2
    """

    def __init__(self, bar: Any = None) -> None:
        self.done = 0
        self._bar = bar

    def update(self, n: int = 1, **counts: object) -> None:
        """Add `n` units; `counts` (such as ``pages=3``) are shown beside the bar."""
        self.done += n
        if self._bar is not None:
            if counts:
                self._bar.set_postfix(counts, refresh=False)
            self._bar.update(n)

    def close(self) -> None:
        """Remove the bar."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def progress(total: int | None, unit: str, *, enabled: bool | None = None, what: str = "") -> Progress:
    """Start a progress bar.

    Parameters
    ----------
    total : int or None
        Units of work in all; None when nobody knows.
    unit : str
        Name of one unit of work, such as ``"rows"``.
    enabled : bool, optional
        Force it on or off. By default ``KALSHI_RESEARCH_PROGRESS`` decides, and without
        that the presence of a notebook or terminal.
    what : str
        Said before the bar.

    Returns
    -------
    Progress
        With ``update(n)`` and ``close()``.

    Examples
    --------
    >>> bar = progress(100, "rows", enabled=False)
    >>> bar.update(100)
    >>> bar.close()
    """
    if not (_wanted() if enabled is None else enabled):
        return Progress()
    from tqdm.auto import tqdm

    # A walk that is over in half a second needs no bar.
    return Progress(
        tqdm(
            total=total,
            unit=f" {unit}",
            leave=False,
            delay=0.5,
            dynamic_ncols=True,
            desc=what or None,
            # Of a time that passes, the rate is one.
            bar_format="{desc}: {n_fmt} of {total_fmt}{unit} |{bar}|" if what else None,
        )
    )


def _wanted() -> bool:
    switch = os.environ.get(_VARIABLE, "").strip().lower()
    if switch in ("0", "false", "no", "off"):
        return False
    if switch:
        return True
    return "ipykernel" in sys.modules or (sys.stderr is not None and sys.stderr.isatty())
