"""Requests a second: the four tiers of 2025, and which requests count as what."""

from __future__ import annotations

from kalshi_research.errors import ConfigError, quoted
from kalshi_research.sandbox.rate_limits import Tier

__all__ = ["TIERS", "cost_of", "tier_named"]

TIERS = {
    name: Tier(name, read, write, read, write, read)
    for name, read, write in (
        ("basic", 20, 10),
        ("advanced", 30, 30),
        ("premier", 100, 100),
        ("prime", 400, 400),
    )
}
"""Requests a second, which is also as many as can be saved up."""

_ORDERS = "/portfolio/orders"
_WRITES = {
    ("POST", _ORDERS): 1.0,
    ("POST", f"{_ORDERS}/batched"): 1.0,
    ("DELETE", f"{_ORDERS}/batched"): 0.2,
    ("DELETE", f"{_ORDERS}/{{order_id}}"): 1.0,
    ("POST", f"{_ORDERS}/{{order_id}}/amend"): 1.0,
    ("PUT", f"{_ORDERS}/{{order_id}}"): 1.0,
    ("POST", f"{_ORDERS}/{{order_id}}/decrease"): 1.0,
}


def cost_of(method: str, path: str) -> tuple[str, float]:
    """The limit a request falls under, and what each of its items counts.

    Create, amend, decrease, cancel and the two batches fall under the write limit; everything
    else is a read.

    Examples
    --------
    >>> cost_of("DELETE", "/portfolio/orders/batched"), cost_of("GET", "/portfolio/balance")
    (('write', 0.2), ('read', 1.0))
    """
    cost = _WRITES.get((method, path))
    return ("read", 1.0) if cost is None else ("write", cost)


def tier_named(name: str) -> Tier:
    """A tier by its name, in either spelling of the documents.

    Examples
    --------
    >>> tier_named("Basic").write
    10
    """
    found = TIERS.get(name.lower())
    if found is None:
        raise ConfigError(
            f"the documents of 2025 know no usage tier {quoted(name, 40)}; the sandbox was "
            f"not started. Use one of {', '.join(TIERS)}."
        )
    return found
