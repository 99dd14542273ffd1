"""Sudden news: what was found out in the time before is kept back, and told at once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from kalshi_research.sandbox.instants import DAY
from kalshi_research.sandbox.seeding import generator

if TYPE_CHECKING:
    from kalshi_research.sandbox.world.specs import BeliefPath

__all__ = ["SuddenNews"]

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class SuddenNews:
    """News that makes beliefs jump.

    Beliefs stand still for a while and then jump to where they would have been: a martingale that
    is looked at less often is one still, so prices stay as calibrated as they were.

    Attributes
    ----------
    rate : float
        Pieces of news a day.
    quiet : int
        How long beliefs stand still before each [µs].
    """

    rate: float
    quiet: int

    def moments(self, seed: int, name: str, start: int, stop: int) -> Ints:
        """When the news of an event comes [µs], ascending and at least `quiet` apart.

        Examples
        --------
        >>> news = SuddenNews(24.0, 60_000_000)
        >>> moments = news.moments(0, "E", 0, 10 * 24 * 3_600_000_000)
        >>> 150 < moments.size < 300, bool((np.diff(moments) > 60_000_000).all())
        (True, True)
        """
        first = start + self.quiet
        if first >= stop:
            return np.empty(0, np.int64)
        rng = generator(seed, name, "sudden news")
        drawn = np.sort(rng.integers(first, stop, rng.poisson(self.rate * (stop - first) / DAY)))
        kept: list[int] = []
        for moment in drawn.tolist():
            if not kept or moment - kept[-1] > self.quiet:
                kept.append(moment)
        return np.array(kept, np.int64)

    def told(self, path: BeliefPath, moments: Ints) -> BeliefPath:
        """A path as it is believed when the news comes only at these moments."""
        times = np.union1d(path.times, np.concatenate((moments - self.quiet, moments)))
        following = np.searchsorted(moments, times, side="right")
        nearest = np.append(moments, times[-1] + 2 * self.quiet)[following]
        known = np.where(times >= nearest - self.quiet, nearest - self.quiet, times)
        at = np.clip(np.searchsorted(path.times, known, side="right") - 1, 0, None)
        usual = np.clip(np.searchsorted(path.times, times, side="right") - 1, 0, None)
        return replace(
            path,
            times=times,
            beliefs=path.beliefs[at],
            latent=path.latent[at],
            activity=path.activity[usual],
        )
