"""Faults of lists: pages that repeat, shift, end early or come too large.

=========  =====================================================================================
variant    what the page is
=========  =====================================================================================
repeat     its cursor is the one that was asked with
cycle      its cursor is the one asked with before: A, B, A, B, ... from the third page on
empty      no rows, and a cursor that goes on where this page should have begun
duplicate  its last `rows` rows are its first ones again; none is lost
insert     begins with the last `rows` rows of the page before, as if so many had come in at the head
drop       `rows` rows from its middle are missing
end        has no cursor
expired    400: the cursor is not valid any more
oversize   has the rows of the next page, too
=========  =====================================================================================

The cursors it makes up are translated back when they are asked with.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode

from kalshi_research.sandbox.faults.call import Answer, Outcome, json_answer
from kalshi_research.sandbox.refusals import refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from kalshi_research.sandbox.faults.call import Call, Inner
    from kalshi_research.sandbox.faults.gate import FaultGate
    from kalshi_research.sandbox.faults.rules import Bite

__all__ = ["page", "translated"]

Json = dict[str, Any]


async def page(gate: FaultGate, call: Call, bite: Bite, inner: Inner) -> Outcome:
    """Change a page of a list; what is no list stays as it is."""
    items = dict(parse_qsl(call.query, keep_blank_values=True))
    cursor, variant, rows = items.get("cursor", ""), bite.rule.variant, bite.rule.details["rows"]
    if variant == "expired" and cursor:
        details = "cursor has expired"
        return Outcome(json_answer(400, refused(400, "invalid_parameters", details=details).body))
    asked = call
    memory: dict[str, Any] = bite.rule.memory.setdefault(_walk(call, items), {})
    if variant in ("duplicate", "insert") and (variant == "duplicate" or memory.get("rows")):
        limit = int(items.get("limit") or 100)
        asked = call.asking(urlencode(items | {"limit": str(max(limit - rows, 1))}))
    outcome = await inner(asked)
    bite.status = outcome.answer.status
    found = outcome.answer.json()
    key = _list_name(found)
    if outcome.answer.status != 200 or key is None:
        bite.note = "not a page of a list"
        return outcome
    if variant == "oversize" and found.get("cursor"):
        more = (await gate.ask(call.asking(urlencode(items | {"cursor": found["cursor"]})))).json()
        found[key] += more[key]
        found["cursor"] = more["cursor"]
    else:
        _change(variant, found, key, memory, alias=gate.alias, cursor=cursor, rows=rows)
    return Outcome(_with(outcome.answer, found), outcome.deliver)


def _change(
    variant: str,
    found: Json,
    key: str,
    memory: dict[str, Any],
    *,
    alias: Callable[[str], str],
    cursor: str,
    rows: int,
) -> None:
    listed: list[Any] = found[key]
    if variant == "repeat" and cursor:
        found["cursor"] = cursor
    elif variant == "cycle":
        if memory.get("cursor"):
            found["cursor"] = memory["cursor"]
        memory["cursor"] = cursor
    elif variant == "empty":
        found[key] = []
        found["cursor"] = alias(cursor)
    elif variant == "duplicate":
        listed += listed[:rows]
    elif variant == "insert":
        found[key] = memory.get("rows", []) + listed
        memory["rows"] = found[key][-rows:]
    elif variant == "drop":
        middle = len(listed) // 2
        del listed[middle : middle + rows]
    elif variant == "end":
        found["cursor"] = ""


def _walk(call: Call, items: dict[str, str]) -> str:
    """What the pages of one walk have in common."""
    return f"{call.place}?{urlencode({name: items[name] for name in sorted(items) if name != 'cursor'})}"


def _list_name(found: object) -> str | None:
    if not isinstance(found, dict) or "cursor" not in found:
        return None
    names = [name for name, value in found.items() if isinstance(value, list)]
    return "market_positions" if "market_positions" in names else next(iter(names), None)


def _with(answer: Answer, found: Json) -> Answer:
    body = json_answer(answer.status, found).body
    return answer.with_body(body)


def translated(call: Call, cursors: dict[str, str]) -> Call:
    """The call with the cursor that one of ours stands for."""
    items = parse_qsl(call.query, keep_blank_values=True)
    if not any(name == "cursor" and text in cursors for name, text in items):
        return call
    return call.asking(
        urlencode(
            [(name, cursors.get(text, text) if name == "cursor" else text) for name, text in items]
        )
    )
