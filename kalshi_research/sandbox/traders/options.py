"""The planted parameters: how many traders come, what they know, and how makers answer."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kalshi_research.errors import ConfigError

if TYPE_CHECKING:
    from kalshi_research.sandbox.world.specs import Flow

__all__ = ["Traders"]

_LEAST = {"rate": 0.0, "half_spread": 0.0, "requotes": 1.0, "impact": 0.0, "skew": 0.0}
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
        if not 0 < self.memory < math.inf:
            raise ConfigError(f"memory= of the traders is a time above 0 s, not {self.memory}.")

    def flow_of(self, own: Flow) -> Flow:
        """How a market trades under these parameters, given its series' own manners."""
        return dataclasses.replace(
            own,
            parents=own.parents * self.rate,
            half_spread=own.half_spread * self.half_spread,
            informed=own.informed if self.informed is None else self.informed,
        )
