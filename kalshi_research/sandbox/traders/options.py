"""The planted parameters: how many traders come, what they know, and how makers answer."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kalshi_research.errors import ConfigError
from kalshi_research.sandbox.instants import SECOND
from kalshi_research.sandbox.world.news import SuddenNews

if TYPE_CHECKING:
    from kalshi_research.sandbox.world.specs import Flow

__all__ = ["Traders"]

_LEAST = {
    "rate": 0.0, "half_spread": 0.0, "requotes": 1.0, "jumps": 0.0, "impact": 0.0, "skew": 0.0,
}  # fmt: skip
_SHARES = ("informed", "bias")


@dataclass(frozen=True, slots=True)
class Traders:
    """How the simulated traders behave. The defaults leave every series its own manners.

    Attributes
    ----------
    rate : float
        Taker orders, as a multiple of what the series sees by itself.
    informed : float or None
        Share of takers who see what will be believed soon, in [0, 1); None: the series' own.
    half_spread : float
        Half spread of the makers, as a multiple of the series' own.
    requotes : float
        How often makers quote anew, as a multiple of the market's own pace; at least 1.
    bias : float
        Favourite-longshot bias planted in the quotes: the log-odds of the true probability are
        shrunk by this share, in [0, 1).
    jumps : float
        Pieces of sudden news a day in each event.
    quiet : float
        How long beliefs stand still before such news [s], which then comes at once.
    impact : float
        By how many half spreads makers move their quotes in the direction of takers who have taken
        as many contracts as the touch typically has. Only what is played in a book has impact, not
        what was drawn before a market was listed there.
    memory : float
        Half-life of that impact [s of exchange time].
    skew : float
        By how many half spreads makers move their quotes against an inventory of ten touches;
        larger inventories move them by up to 1.3 times that.

    Examples
    --------
    >>> Traders(rate=20, impact=0.5).informed is None
    True
    """

    rate: float = 1.0
    informed: float | None = None
    half_spread: float = 1.0
    requotes: float = 1.0
    bias: float = 0.0
    jumps: float = 0.0
    quiet: float = 1800.0
    impact: float = 0.25
    memory: float = 900.0
    skew: float = 0.5

    def __post_init__(self) -> None:
        for name, least in _LEAST.items():
            value = getattr(self, name)
            if not least <= value < math.inf:
                raise ConfigError(f"{name}= of the traders is at least {least:g}, not {value}.")
        for name in _SHARES:
            value = getattr(self, name)
            if value is not None and not 0 <= value < 1:
                raise ConfigError(f"{name}= of the traders is a share in [0, 1), not {value}.")
        for name in ("memory", "quiet"):
            value = getattr(self, name)
            if not 0 < value < math.inf:
                raise ConfigError(f"{name}= of the traders is a time above 0 s, not {value}.")

    @property
    def news(self) -> SuddenNews | None:
        """The sudden news; None where there is none."""
        return SuddenNews(self.jumps, round(self.quiet * SECOND)) if self.jumps else None

    def flow_of(self, own: Flow) -> Flow:
        """How a market trades under these parameters, given its series' own manners."""
        return dataclasses.replace(
            own,
            parents=own.parents * self.rate,
            half_spread=own.half_spread * self.half_spread,
            informed=own.informed if self.informed is None else self.informed,
        )
