"""Faults of time: answers that come late, in drops, or before the deed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from kalshi_research.sandbox.faults.answers import shown
from kalshi_research.sandbox.faults.call import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kalshi_research.sandbox.dispatch import Send
    from kalshi_research.sandbox.faults.call import Answer, Call, Deliver, Inner
    from kalshi_research.sandbox.faults.gate import FaultGate
    from kalshi_research.sandbox.faults.line import Line
    from kalshi_research.sandbox.faults.rules import Bite

__all__ = ["delay", "late_commit", "then_close", "trickle"]


async def delay(gate: FaultGate, call: Call, bite: Bite, inner: Inner) -> Outcome:
    """Wait before the deed, after it, or in the middle of the body."""
    details = bite.rule.details
    drawn = bite.rule.random(bite.call, "jitter").uniform(0, details["jitter"])
    seconds = gate.faults.seconds(details["seconds"] + drawn)
    if bite.rule.variant == "before":
        await asyncio.sleep(seconds)
    outcome = await inner(call)
    bite.status = outcome.answer.status
    if bite.rule.variant == "after":
        await asyncio.sleep(seconds)
    if bite.rule.variant == "body":
        half = max(len(outcome.answer.body) // 2, 1)
        return Outcome(outcome.answer, _in_pieces(half, seconds))
    return outcome


async def trickle(gate: FaultGate, call: Call, bite: Bite, inner: Inner) -> Outcome:
    """Send the body a few bytes at a time."""
    outcome = await inner(call)
    bite.status = outcome.answer.status
    pause = gate.faults.seconds(bite.rule.details["pause"])
    return Outcome(outcome.answer, _in_pieces(max(bite.rule.details["size"], 1), pause))


def _in_pieces(size: int, pause: float) -> Deliver:
    async def deliver(line: Line, send: Send, answer: Answer) -> None:
        headers = list(answer.headers)
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        for first, piece in _cut(answer.body, size):
            if not first:
                await asyncio.sleep(pause)
            if line.closing:  # the client has seen enough
                return
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    return deliver


def _cut(body: bytes, size: int) -> Iterator[tuple[bool, bytes]]:
    for start in range(0, len(body), size):
        yield start == 0, body[start : start + size]


async def then_close(_: FaultGate, call: Call, bite: Bite, inner: Inner) -> Outcome:
    """Answer in full, as if the connection were kept, and end it."""
    outcome = await inner(call)
    bite.status = outcome.answer.status

    async def deliver(line: Line, send: Send, answer: Answer) -> None:
        await outcome.deliver(line, send, answer)
        if bite.rule.variant == "RST":
            # What was sent must have left before the reset throws the rest away.
            await line.flushed()
            line.cut()
        else:
            line.end()

    return Outcome(outcome.answer, deliver)


async def late_commit(gate: FaultGate, call: Call, bite: Bite, inner: Inner) -> Outcome:
    """Show something now, and do what was asked for some time after the client had that."""
    shown_now = shown(bite.rule.variant, gate.invent(call, bite), bite, gate.faults)

    async def commit() -> None:
        await asyncio.sleep(gate.faults.seconds(bite.rule.details["after"]))
        bite.status = (await inner(call)).answer.status

    async def deliver(line: Line, send: Send, answer: Answer) -> None:
        gate.faults.begin_late()
        try:
            await shown_now.deliver(line, send, answer)
        finally:
            gate.later(commit())

    return Outcome(shown_now.answer, deliver)
