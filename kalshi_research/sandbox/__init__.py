"""A simulated exchange on loopback.

It speaks Kalshi's REST protocol about a world of its own: made from a seed, with
markets whose true probabilities are known. Nothing in it is real, no account is
needed and nothing leaves the machine.

The world (:mod:`~kalshi_research.sandbox.world`) knows nothing of the protocol;
the protocol (``rest``, ``views``) reads the world through a handful of calls.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kalshi_research.sandbox.server import Sandbox
    from kalshi_research.sandbox.traders import Traders

__all__ = ["Sandbox", "Traders"]


def __getattr__(name: str) -> Any:
    if name == "Sandbox":
        from kalshi_research.sandbox.server import Sandbox

        return Sandbox
    if name == "Traders":
        from kalshi_research.sandbox.traders import Traders

        return Traders
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
