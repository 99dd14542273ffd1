"""Gaussian forecasts that sharpen until they are right.

The quantity an event asks about is the end point of a random walk whose
remaining variance is known at every instant. What is believed about it is then
a normal distribution around the present point, the probability of each outcome
follows exactly, and that probability is a martingale: prices that quote it are
calibrated by construction.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["interval_beliefs", "normal_cdf", "random_walk", "remaining_variance"]

Floats = NDArray[np.float64]


def normal_cdf(z: Floats) -> Floats:
    """The standard normal distribution function, to about 1e-7 (Abramowitz and Stegun 26.2.17).

    Examples
    --------
    >>> normal_cdf(np.array([-1.0, 0.0, 1.0])).round(4).tolist()
    [0.1587, 0.5, 0.8413]
    """
    distance = np.minimum(np.abs(z), 38.0)
    t = 1.0 / (1.0 + 0.2316419 * distance)
    series = t * (
        0.319381530 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429)))
    )
    upper = np.exp(-0.5 * distance * distance) * 0.3989422804014327 * series
    return np.where(z < 0, upper, 1.0 - upper)


def remaining_variance(at: Floats, knots: Sequence[tuple[float, float]]) -> Floats:
    """Variance still to come, from (time, standard deviation) pairs, linear in between.

    Examples
    --------
    >>> remaining_variance(np.array([0.0, 5.0, 10.0]), [(0, 2), (10, 0)]).tolist()
    [4.0, 2.0, 0.0]
    """
    times, deviations = zip(*knots, strict=True)
    return np.interp(at, times, np.square(deviations))


def random_walk(
    rng: np.random.Generator, start: float, variance: Floats, end: float | None = None
) -> Floats:
    """A path from `start` that spends `variance` on its way; pinned to `end` where that is given.

    The end of an unpinned path is normal around every one of its points, with
    the variance that remains there.
    """
    steps = np.sqrt(np.maximum(variance[:-1] - variance[1:], 0.0)) * rng.standard_normal(
        variance.size - 1
    )
    path = start + np.concatenate(([0.0], np.cumsum(steps)))
    if end is not None:
        spent = 1.0 - variance / variance[0]
        path += spent * (end - path[-1])
    return path


def interval_beliefs(path: Floats, variance: Floats, cuts: Sequence[float]) -> Floats:
    """Probability that the end point falls into each interval between the cuts.

    Parameters
    ----------
    path, variance : float64 array
        Where the forecast stands and what is still to come.
    cuts : sequence of float
        Ascending interior boundaries.

    Returns
    -------
    float64 array, instants by intervals
        Rows sum to one.

    Examples
    --------
    >>> interval_beliefs(np.array([0.0, 0.7]), np.array([1.0, 0.0]), [0.0]).round(6).tolist()
    [[0.5, 0.5], [0.0, 1.0]]
    """
    edges = np.asarray(cuts, dtype=np.float64)[None, :]
    distance = edges - path[:, None]
    deviation = np.sqrt(variance)[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.where(deviation > 0, distance / deviation, np.where(distance >= 0, np.inf, -np.inf))
    below = normal_cdf(np.clip(z, -38, 38))
    below = np.where(np.isinf(z), (z > 0).astype(np.float64), below)
    padded = np.concatenate((np.zeros((path.size, 1)), below, np.ones((path.size, 1))), axis=1)
    return np.clip(np.diff(padded, axis=1), 0.0, 1.0)
