"""What the dialects of the protocol differ in, beside their routes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from kalshi_research.errors import ConfigError, quoted
from kalshi_research.fees import DIRECT_PRECISION
from kalshi_research.sandbox.exchange import Cutoff
from kalshi_research.sandbox.queries import Query
from kalshi_research.sandbox.rate_limits import ANONYMOUS, COSTS, DEFAULT_COST, Tier, tier_named
from kalshi_research.sandbox.traded import TradedWorld

if TYPE_CHECKING:
    from collections.abc import Callable

    from kalshi_research.sandbox.refusals import Refusal

__all__ = ["DIALECTS", "TODAY", "Dialect", "dialect_named"]

Name = Literal["2026", "2025"]

DIALECTS: tuple[Name, ...] = ("2026", "2025")


@dataclass(frozen=True, slots=True)
class Dialect:
    """One way to speak about the same world and the same engine.

    Attributes
    ----------
    name : {"2026", "2025"}
        The year whose documents describe it.
    world : callable
        Makes the world; takes the arguments of `World`.
    tier : callable
        A usage tier by its name.
    top_tier : str
        What is reported where nobody is limited.
    strangers : Tier
        What callers without a key may spend.
    cutoff : callable
        Beginning of the historical tier, from the instant and a number of days.
    precision : int
        Grid of balances [1/1 000 000 dollar].
    lot : int
        What orders are multiples of [1/100 contract].
    key_types : tuple of str
        What a key may be; the first is made where nothing is asked for.
    query : type of Query
        Decides how query parameters are checked.
    cost : callable
        From method and path to the bucket that pays, and how much for each item.
    retold : callable
        The body of a refusal.
    """

    name: Name
    world: Callable[..., TradedWorld]
    tier: Callable[[str], Tier]
    top_tier: str
    strangers: Tier
    cutoff: Callable[[int, int], Cutoff]
    precision: int
    lot: int
    key_types: tuple[str, ...]
    query: type[Query]
    cost: Callable[[str, str], tuple[str, float]]
    retold: Callable[[Refusal], dict[str, Any]]


def _cost(method: str, path: str) -> tuple[str, float]:
    if (method, path) == ("GET", "/portfolio/balance"):
        return "balance", 1
    cost = COSTS.get((method, path.replace("{", ":").replace("}", "")), DEFAULT_COST)
    return "read" if method == "GET" else "write", cost


TODAY = Dialect(
    name="2026",
    world=TradedWorld,
    tier=tier_named,
    top_tier="prestige",
    strangers=ANONYMOUS,
    cutoff=Cutoff.before,
    precision=DIRECT_PRECISION,
    lot=1,
    key_types=("ed25519", "rsa"),
    query=Query,
    cost=_cost,
    retold=lambda refusal: refusal.body,
)
"""The protocol of today."""


def dialect_named(name: str) -> Dialect:
    """A dialect by its year.

    Examples
    --------
    >>> dialect_named("2025").top_tier
    'prime'
    """
    if name not in DIALECTS:
        raise ConfigError(
            f"there is no dialect {quoted(name, 40)}; the sandbox was not started.\n"
            f'Use dialect="{DIALECTS[0]}" (today\'s protocol) or "{DIALECTS[1]}" (integer cents).'
        )
    if name == TODAY.name:
        return TODAY
    from kalshi_research.sandbox.dialect_2025 import DIALECT

    return DIALECT
