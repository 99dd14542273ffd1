"""Least squares with standard errors for dependent observations, and the table they end up in.

Every estimator of market microstructure here is a (weighted) regression: a mean is one on a
constant. Its standard error follows one rule. Where the observations of a group fall into
several clusters, it is clustered, because the strikes of one event move together. Where they
are one cluster, it is that of Newey and West along time, with the bandwidth of Andrews.

References
----------
Newey and West, "A simple, positive semi-definite, heteroskedasticity and autocorrelation
consistent covariance matrix", Econometrica 55 (1987). Andrews, "Heteroskedasticity and
autocorrelation consistent covariance matrix estimation", Econometrica 59 (1991). Liang and
Zeger, "Longitudinal data analysis using generalized linear models", Biometrika 73 (1986).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from kalshi_research.errors import FrameError, InputError, printable, quoted
from kalshi_research.provenance import KEY, combined

if TYPE_CHECKING:
    from kalshi_research.analysis.frames import Bools, Floats, Ints

__all__ = [
    "Estimate",
    "Fit",
    "Groups",
    "Sample",
    "fit",
    "fits",
    "groups_of",
    "means",
    "sourced",
    "table",
]

_FEWEST = 10
"""Fewer observations than these have no standard error."""
_NORMAL = 1.959963984540054
_EXACT_STUDENT = {1: 12.706204736432095, 2: 4.302652729911275}


@dataclass(frozen=True, slots=True)
class Groups:
    """What estimates are made for, and which markets move together.

    Attributes
    ----------
    name : str
        Of the column that tells the groups apart.
    labels : pandas.Index
        Of the groups.
    group, cluster : int64 array
        For each market.
    """

    name: str
    labels: pd.Index
    group: Ints
    cluster: Ints


def groups_of(
    names: pd.Index, by: str | None, cluster: str | None, frames: Sequence[pd.DataFrame]
) -> Groups:
    """Read from frames which group and which cluster each market belongs to.

    Raises
    ------
    InputError
        If no frame has the column asked for.
    FrameError
        If a market belongs to two, or to none.
    """
    if by is None:
        labels, group = pd.Index(["all"], dtype="str"), np.zeros(len(names), dtype=np.int64)
    else:
        labels, group = _attribute(names, by, "by", frames)
    known = any("event_ticker" in frame.columns for frame in frames)
    found = cluster or ("event_ticker" if known else "ticker")
    return Groups(by or "pool", labels, group, _attribute(names, found, "cluster", frames)[1])


def _attribute(
    names: pd.Index, column: str, argument: str, frames: Sequence[pd.DataFrame]
) -> tuple[pd.Index, Ints]:
    """The distinct values of a column, and for each market the place of its own."""
    if column == "ticker":
        return names, np.arange(len(names), dtype=np.int64)
    named = isinstance(column, str)
    frame = next((frame for frame in frames if named and column in frame.columns), None)
    if frame is None:
        raise InputError(
            f"{argument} must be None, 'ticker' or a column of the frames given, "
            f"not {quoted(column, 60)}; event_ticker is a column of get_markets"
        )
    code, values = pd.factorize(frame[column].astype("str"), sort=True)
    market = names.get_indexer(pd.Index(frame["ticker"].astype("str")))
    mine = (market >= 0) & (code >= 0)
    low, high = np.full(len(names), len(values)), np.full(len(names), -1)
    np.minimum.at(low, market[mine], code[mine])
    np.maximum.at(high, market[mine], code[mine])
    wrong = low != high
    if wrong.any():
        at = int(np.argmax(wrong))
        problem = "no" if high[at] < 0 else "more than one"
        raise FrameError(f"the market {printable(names[at], 60)} has {problem} {printable(column, 60)}")
    return pd.Index(values, dtype="str"), high.astype(np.int64)


@dataclass(frozen=True, slots=True)
class Sample:
    """Observations of a regression of `y` on the columns of `x`; NaN where one is not known.

    Each looks at what happens in the `overlap` [µs] after it, which those that follow see too.
    """

    market: Ints
    time: Ints
    y: Floats
    x: Floats
    weight: Floats | None = None
    overlap: int = 0

    def take(self, rows: Ints | Bools) -> Sample:
        """Some of the observations."""
        weight = None if self.weight is None else self.weight[rows]
        return Sample(
            self.market[rows], self.time[rows], self.y[rows], self.x[rows], weight, self.overlap
        )


@dataclass(frozen=True, slots=True)
class Fit:
    """Coefficients of a regression and their covariance; NaN where there is none, and why."""

    beta: Floats
    covariance: Floats
    n: int
    missing: int
    clusters: int
    kind: str
    r2: float
    reason: str | None

    def se(self, gradient: Sequence[float] | Floats) -> float:
        """The standard error of what changes with the coefficients by `gradient` (delta method)."""
        along = np.asarray(gradient, dtype=np.float64)
        return float(np.sqrt(np.maximum(along @ self.covariance @ along, 0.0)))

    @property
    def quantile(self) -> float:
        """Of Student's t: how many standard errors a 95 % interval reaches to each side."""
        clustered = self.kind == "clustered"
        return student(self.clusters - 1 if clustered else self.n - self.beta.size)


def student(freedom: int) -> float:
    """The 97.5 % quantile of Student's t, to three digits (Cornish and Fisher's expansion)."""
    if freedom < 1:
        return float("nan")
    if freedom in _EXACT_STUDENT:
        return _EXACT_STUDENT[freedom]
    z = _NORMAL
    terms = (
        z,
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return float(sum(term / freedom**power for power, term in enumerate(terms)))


def fit(sample: Sample, cluster: Ints, *, constant: bool) -> Fit:
    """Least squares over observations in the order of time.

    Parameters
    ----------
    sample : Sample
        In the order of time.
    cluster : int64 array
        Of each observation.
    constant : bool
        Whether a column of `x` is constant, so that `r2` counts from the mean.
    """
    good = np.isfinite(sample.y) & np.isfinite(sample.x).all(axis=1)
    if sample.weight is not None:
        good &= np.isfinite(sample.weight)
    missing, cluster, sample = int((~good).sum()), cluster[good], sample.take(good)
    n, k = sample.x.shape
    size = int(np.unique(cluster).size)
    none = np.full(k, np.nan)

    def failed(reason: str) -> Fit:
        return Fit(none, np.full((k, k), np.nan), n, missing, size, "", float("nan"), reason)

    if n < k + (k > 1) or n == 0:
        return failed("too few observations")
    weight = np.ones(n) if sample.weight is None else sample.weight
    scale = np.sqrt((sample.x**2).mean(axis=0))
    if not (scale > 0).all():
        return failed("a regressor is always 0")
    x = sample.x / scale
    gram = (x * weight[:, None]).T @ x
    if np.linalg.matrix_rank(gram / n, tol=1e-10 * np.trace(gram) / n) < k:
        return failed("the regressors cannot be told apart")
    inverse = np.linalg.inv(gram)
    beta = inverse @ (x.T @ (weight * sample.y))
    error = sample.y - x @ beta
    centre = np.average(sample.y, weights=weight) if constant else 0.0
    total = float((weight * (sample.y - centre) ** 2).sum())
    r2 = 1 - float((weight * error**2).sum()) / total if total > 0 else float("nan")
    scores = x * (weight * error)[:, None]
    if n < _FEWEST or n <= k:
        kind, meat, reason = "", np.full((k, k), np.nan), "too few observations for a standard error"
    elif size > 1:
        kind, meat, reason = "clustered", _clustered(scores, cluster, size), None
    else:
        kind, meat, reason = "newey-west", _newey_west(scores, _in_sight(sample)), None
    covariance = inverse @ meat @ inverse / np.outer(scale, scale)
    return Fit(beta / scale, covariance, n, missing, size, kind, r2, reason)


def _clustered(scores: Floats, cluster: Ints, size: int) -> Floats:
    n, k = scores.shape
    _, code = np.unique(cluster, return_inverse=True)
    sums = np.stack([np.bincount(code, column, size) for column in scores.T], axis=1)
    found: Floats = sums.T @ sums * (size / (size - 1) * (n - 1) / (n - k))
    return found


def _newey_west(scores: Floats, least: int) -> Floats:
    """Bartlett's weights are what sums over a moving window come to: no loop over lags."""
    n, k = scores.shape
    width = min(max(_bandwidth(scores), least), max(n // 4, 1))
    running = np.concatenate((np.zeros((1, k)), np.cumsum(scores, axis=0)))
    end = np.arange(1, n + width)
    window = running[np.minimum(end, n)] - running[np.maximum(end - width, 0)]
    found: Floats = window.T @ window * (n / (width * (n - k)))
    return found


def _in_sight(sample: Sample) -> int:
    """Twice the number of observations that one overlaps with, on average."""
    if not sample.overlap:
        return 1
    after = np.searchsorted(sample.time, sample.time + sample.overlap) - np.arange(sample.time.size)
    return int(np.ceil(2 * after.mean()))


def _bandwidth(scores: Floats) -> int:
    """Andrews' choice for Bartlett's weights, from an AR(1) in each score."""
    n = scores.shape[0]
    before, after = scores[:-1], scores[1:]
    spread = (before**2).sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        rho = np.where(spread > 0, (before * after).sum(axis=0) / spread, 0.0).clip(-0.97, 0.97)
    weight = 1 / (1 - rho) ** 4
    alpha = (4 * rho**2 / ((1 - rho) ** 6 * (1 + rho) ** 2)).sum() / weight.sum()
    return max(int(np.ceil(1.1447 * (alpha * n) ** (1 / 3))), 1)


@dataclass(frozen=True, slots=True)
class Estimate:
    """One row of a table."""

    label: Any
    parameter: str
    unit: str
    value: float
    se: float
    fit: Fit
    reason: str | None = None
    more: Mapping[str, Any] | None = None


def fits(sample: Sample, groups: Groups, *, constant: bool = True) -> list[tuple[Any, Fit]]:
    """The regression of each group, also of those without an observation."""
    group = groups.group[sample.market]
    order = np.lexsort((sample.time, group))
    edges = np.searchsorted(group[order], np.arange(len(groups.labels) + 1))
    cluster = groups.cluster[sample.market]
    found = []
    for at, label in enumerate(groups.labels):
        mine = order[edges[at] : edges[at + 1]]
        found.append((label, fit(sample.take(mine), cluster[mine], constant=constant)))
    return found


def means(
    sample: Sample,
    groups: Groups,
    parameter: str,
    unit: str,
    more: Mapping[str, Any] | None = None,
) -> list[Estimate]:
    """The (weighted) mean of `y` in each group; `x` is a constant."""
    return [
        Estimate(label, parameter, unit, float(one.beta[0]), one.se([1.0]), one, more=more)
        for label, one in fits(sample, groups)
    ]


def table(
    found: Iterable[Estimate],
    groups: Groups,
    like: Sequence[pd.DataFrame],
    *,
    more: Mapping[str, str] | None = None,
    r2: bool = False,
) -> pd.DataFrame:
    """Estimates as a frame; `more` tells the further columns and their dtypes."""
    rows = list(found)

    def column(value: Callable[[Estimate], Any], dtype: Any) -> Any:
        return pd.array([value(row) for row in rows], dtype=dtype)

    half = np.array([row.fit.quantile * row.se for row in rows], dtype=np.float64)
    value = np.array([row.value for row in rows], dtype=np.float64)
    columns: dict[str, Any] = {"parameter": column(lambda row: row.parameter, "str")}
    for name, dtype in (more or {}).items():
        columns[name] = pd.Series([(row.more or {})[name] for row in rows], dtype=dtype).array
    columns |= {
        "estimate": value,
        "se": np.array([row.se for row in rows], dtype=np.float64),
        "low": value - half,
        "high": value + half,
        "n": np.array([row.fit.n for row in rows], dtype=np.int64),
        "missing": np.array([row.fit.missing for row in rows], dtype=np.int64),
        "clusters": np.array([row.fit.clusters for row in rows], dtype=np.int64),
        "se_kind": column(lambda row: row.fit.kind or None, "str"),
    }
    if r2:
        columns["r2"] = np.array([row.fit.r2 for row in rows], dtype=np.float64)
    columns["unit"] = column(lambda row: row.unit, "str")
    columns["reason"] = column(lambda row: row.reason or row.fit.reason, "str")
    index = pd.Index([row.label for row in rows], dtype="str", name=groups.name)
    frame = pd.DataFrame(columns, index=index)
    return sourced(frame, like)


def sourced(frame: pd.DataFrame, like: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """The frame itself, with the attributes of those it was made of."""
    source = combined(*like)
    frame.attrs = {**like[0].attrs, **({} if source is None else {KEY: source})}
    return frame
