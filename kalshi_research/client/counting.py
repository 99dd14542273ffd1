"""How the dialects count requests."""

from __future__ import annotations

from kalshi_research.client.rate_limits import DEFAULT_COST, fits, price

__all__ = ["MARGINS", "PRICES", "price_2025"]

# The calls that fell under the write limit in 2025, and what each item counted [tokens].
_WRITES_2025: dict[tuple[str, str], float] = {
    ("POST", "/portfolio/orders"): 10,
    ("POST", "/portfolio/orders/batched"): 10,
    ("DELETE", "/portfolio/orders/batched"): 2,
    ("DELETE", "/portfolio/orders/*"): 10,
    ("PUT", "/portfolio/orders/*"): 10,
    ("POST", "/portfolio/orders/*/amend"): 10,
    ("POST", "/portfolio/orders/*/decrease"): 10,
}


def price_2025(method: str, route: str, items: int = 1) -> tuple[str, float]:
    """`price` by the documents of 2025: six calls are writes, everything else is one read.

    Examples
    --------
    >>> price_2025("DELETE", "/portfolio/orders/batched", items=5)
    ('write', 10)
    >>> price_2025("GET", "/portfolio/balance")
    ('read', 10)
    """
    for (verb, form), cost in _WRITES_2025.items():
        if verb == method and fits(route, form):
            return "write", cost * max(items, 1)
    return "read", DEFAULT_COST


PRICES = {"2026": price, "2025": price_2025}
"""Which bucket pays for a request, and how much, by dialect."""

MARGINS = {"2026": 0.0, "2025": 0.05}
"""How much longer than needed to wait [s]: where a bucket holds but a few requests, one that is
quicker on its way than those before would come too early."""
