"""What can go wrong between a client and the exchange, on purpose and by a script.

A rule says what happens (`kind`), where (`route`) and when (`nth`, `times`, `share`). Without
rules nothing here is entered. Everything that is drawn comes from the seed of the rule and the
number of the call, so the same script bites the same calls.

`script` keeps the rules and counts; `catalogue` says what there is for requests; `gate` stands before
the routes and does what the rules say; the other modules are one kind of fault each.
"""

from __future__ import annotations

from kalshi_research.sandbox.faults import catalogue as _catalogue  # noqa: F401 -- registers kinds
from kalshi_research.sandbox.faults import frames as _frames  # noqa: F401 -- registers kinds
from kalshi_research.sandbox.faults.kinds import kinds
from kalshi_research.sandbox.faults.script import Faults
from kalshi_research.sandbox.faults.spelling import parse_fault

__all__ = ["Faults", "kinds", "parse_fault"]
