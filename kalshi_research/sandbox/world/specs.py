"""What a series, an event and a market are, before anything trades."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from kalshi_research.money import PRICE_SCALE, PriceGrid
from kalshi_research.sandbox.instants import SECOND

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from kalshi_research.sandbox.world.news import SuddenNews

__all__ = [
    "CENTER_DECI",
    "DECI_CENT",
    "LINEAR_CENT",
    "TAPERED",
    "BeliefPath",
    "EventSpec",
    "Flow",
    "MarketSpec",
    "Process",
    "SeriesSpec",
    "TickStructure",
    "Withdrawal",
]


@dataclass(frozen=True, slots=True)
class TickStructure:
    """A named price grid: the label and its bands [1/10 000 dollar]."""

    label: str
    bands: tuple[tuple[int, int, int], ...]

    @property
    def grid(self) -> PriceGrid:
        """The grid the engine checks orders against."""
        return PriceGrid(self.bands)


LINEAR_CENT = TickStructure("linear_cent", ((0, 10_000, 100),))
DECI_CENT = TickStructure("deci_cent", ((0, 10_000, 10),))
TAPERED = TickStructure("tapered_deci_cent", ((0, 1_000, 10), (1_000, 9_000, 100), (9_000, 10_000, 10)))
CENTER_DECI = TickStructure(
    "center_deci_edge_centi_cent", ((0, 100, 1), (100, 9_900, 10), (9_900, 10_000, 1))
)


@dataclass(frozen=True, slots=True)
class BeliefPath:
    """The truth of one event: what an ideal forecaster believes, and how it ends.

    Attributes
    ----------
    times : int64 array
        Grid of instants from opening to resolution [µs].
    beliefs : float64 array, times by markets
        Probability of YES given everything known at that instant.
    activity : float64 array
        Relative trading intensity on the same grid.
    values : tuple of int
        What one YES contract pays in the end [1/10 000 dollar].
    outcome : str
        The text that becomes ``expiration_value``.
    latent : float64 array
        The forecast behind the beliefs, in the units of the event.
    """

    times: NDArray[np.int64]
    beliefs: NDArray[np.float64]
    activity: NDArray[np.float64]
    values: tuple[int, ...]
    outcome: str
    latent: NDArray[np.float64]


class Process(Protocol):
    """Whatever can draw the truth of an event from a seed."""

    def path(self, seed: int) -> BeliefPath:
        """Draw it: the same seed gives the same path."""
        ...


@dataclass(frozen=True, slots=True)
class Flow:
    """How a market trades.

    Attributes
    ----------
    parents : float
        Expected taker orders over the life of a market that stays a coin flip.
    half_spread : float
        Typical half spread at probability 0.5 [dollars].
    touch : float
        Median size at the touch [contracts].
    parent : float
        Median size of a taker order [contracts].
    informed : float
        Share of takers who see the belief `lead` ahead.
    lead : int
        How far ahead they see [µs].
    pause : int
        How long makers take to requote after a trade [µs].
    whole : bool
        Whether sizes are whole contracts.
    """

    parents: float
    half_spread: float
    touch: float
    parent: float
    informed: float = 0.15
    lead: int = 600 * SECOND
    pause: int = SECOND
    whole: bool = True


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """From `since` on nobody quotes these sides of a market."""

    since: int
    sides: frozenset[str]


@dataclass(frozen=True, slots=True)
class SeriesSpec:
    """A series: what its events have in common."""

    ticker: str
    title: str
    category: str
    tags: tuple[str, ...]
    frequency: str
    sources: tuple[tuple[str, str], ...]
    fee_type: str = "quadratic"
    fee_multiplier: float = 1
    shard: int = 0
    combo: bool = False
    product_metadata: Mapping[str, Any] | None = None


@dataclass
class EventSpec:
    """An event: the question its markets share, and the process that answers it."""

    ticker: str
    series: SeriesSpec
    title: str
    sub_title: str
    process: Process
    seed: int
    mutually_exclusive: bool
    strike_date: int | None = None
    strike_period: str = ""
    fee_multiplier_override: float | None = None
    markets: list[MarketSpec] = field(default_factory=list)
    collection: str = ""
    news: SuddenNews | None = None

    @cached_property
    def jumps(self) -> NDArray[np.int64]:
        """When beliefs jump because of `news` [µs]."""
        if self.news is None:
            return np.empty(0, np.int64)
        times = self.process.path(self.seed).times
        return self.news.moments(self.seed, self.ticker, int(times[0]), int(times[-1]))

    @cached_property
    def path(self) -> BeliefPath:
        """The truth of the event, drawn when first needed."""
        drawn = self.process.path(self.seed)
        return drawn if self.news is None else self.news.told(drawn, self.jumps)


@dataclass
class MarketSpec:
    """A market: what it asks, when it trades, how it settles.

    All times are instants [µs]. `column` is the place of the market among the
    beliefs of its event. `ruling`, where it is set, is what one YES contract pays
    instead of what was drawn [1/10 000 dollar]; `held` is ``disputed`` or
    ``amended`` where that is so between determination and payout.
    """

    ticker: str
    event: EventSpec
    column: int
    title: str
    yes_sub_title: str
    structure: TickStructure
    flow: Flow
    created: int
    opens: int
    closes: int
    determined: int
    settled: int
    expected_expiration: int
    latest_expiration: int
    rules_primary: str
    rules_secondary: str
    timer: int
    strike_type: str
    floor_strike: float | None = None
    cap_strike: float | None = None
    custom_strike: dict[str, str] | None = None
    participant: str = ""
    subtitle: str = ""
    early_close_condition: str = ""
    occurrence: int | None = None
    paused: bool = False
    provisional: bool = False
    legs: tuple[tuple[str, str, str], ...] = ()
    withdrawal: Withdrawal | None = None
    quoted: bool = True
    ruling: int | None = None
    held: str = ""

    def status(self, now: int) -> str:
        """The status at an instant, in the words of a response."""
        if now < self.opens:
            return "initialized"
        if now < self.closes:
            return "inactive" if self.paused else "active"
        if now < self.determined:
            return "closed"
        return self.held or "determined" if now < self.settled else "finalized"

    @property
    def value(self) -> int:
        """What one YES contract pays in the end [1/10 000 dollar]."""
        return self.event.path.values[self.column] if self.ruling is None else self.ruling

    @property
    def result(self) -> str:
        """How it ends: ``yes``, ``no`` or ``scalar``."""
        return {0: "no", PRICE_SCALE: "yes"}.get(self.value, "scalar")
