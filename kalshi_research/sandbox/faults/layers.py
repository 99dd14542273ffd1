"""Which function does what a kind of fault says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kalshi_research.sandbox.faults import acts, answers, bodies, pages, timing

if TYPE_CHECKING:
    from kalshi_research.sandbox.faults.gate import Layer

__all__ = ["LAYERS"]

LAYERS: dict[str, Layer] = {
    "accept_then": answers.accept,
    "reject_then": answers.reject,
    "rate_limit": answers.rate_limit,
    "redirect": answers.redirect,
    "delay": timing.delay,
    "late_commit": timing.late_commit,
    "then_close": timing.then_close,
    "trickle": timing.trickle,
    "body": bodies.body,
    "page": pages.page,
    "fill": acts.fill,
    "operate": acts.operate,
}
