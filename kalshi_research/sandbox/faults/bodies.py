"""Faults of bodies: answers that are broken, or whole and wrong.

``path`` names a value, such as ``markets.0.ticker`` or ``orders.*.status``; without it the first plain
value is taken. ``to`` is what it becomes, where that may be chosen.

===============  ===============================================================================
variant          what the body is
===============  ===============================================================================
truncate         ends after `at` bytes (half-way by default), its length declared as such
cut              the same, but the full length was declared
bitflip          one bit is another
nan, infinity    the value is ``NaN``, ``Infinity``
duplicate_key    the key comes twice, with `to` the first time
null, missing    the value is null; the key is not there
renamed          the key is called `to`
extra            an object more holds a key that nobody knows
swap             text for a number, a number for text, a list for a flag
enum             the value is a word that nobody knows, or `to`
deep             200 000 brackets in the place of the value
long_integer     a number of 5 000 digits
surrogate, nul   a text with half a surrogate pair, with a character zero
bom, latin1      a byte-order mark comes first; a text in Latin-1
replace          every `old` is `to`
html             a maintenance page
list, top_*      no object at the top, but a list, null, a number, a text
gzip_bomb        packed, and `size` bytes when it is unpacked; ``deflate_bomb`` too
long_length      ten bytes more declared than sent, then the end; ``short_length``: ten less
bad_chunk        sent in chunks, one of which has no length
===============  ===============================================================================
"""

from __future__ import annotations

import json
import zlib
from functools import cache
from typing import TYPE_CHECKING, Any

from kalshi_research.sandbox.faults.call import Answer, Outcome
from kalshi_research.sandbox.faults.line import head

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kalshi_research.sandbox.dispatch import Send
    from kalshi_research.sandbox.faults.call import Call, Deliver, Inner
    from kalshi_research.sandbox.faults.gate import FaultGate
    from kalshi_research.sandbox.faults.line import Line
    from kalshi_research.sandbox.faults.rules import Bite

__all__ = ["body"]

Place = tuple[Any, Any]
"""A dict or list, and the key or index of a value in it."""

_MARK = "@the value@"
_RAW: dict[str, Callable[[str], bytes]] = {
    "nan": lambda _: b"NaN",
    "infinity": lambda _: b"Infinity",
    "deep": lambda _: b"[" * 200_000 + b"]" * 200_000,
    "long_integer": lambda _: b"7" * 5_000,
    "surrogate": lambda _: b'"\\ud800"',
    "nul": lambda _: b'"a\\u0000b"',
    "latin1": lambda _: b'"caf\xe9"',
    "null": lambda _: b"null",
    "enum": lambda to: json.dumps(to or "something_new").encode(),
}
_WHOLE = {
    "html": b"<!DOCTYPE html><html><head><title>Maintenance</title></head>"
    b"<body><h1>We will be back soon</h1><script>alert(1)</script></body></html>",
    "list": b"[]",
    "top_null": b"null",
    "top_number": b"7",
    "top_string": b'"ok"',
}


async def body(_: FaultGate, call: Call, bite: Bite, inner: Inner) -> Outcome:
    """Change the body of an answer, or the way it is sent."""
    outcome = await inner(call)
    bite.status = outcome.answer.status
    answer, variant = outcome.answer, bite.rule.variant
    if variant in ("cut", "long_length", "short_length", "bad_chunk"):
        return Outcome(answer, _misdeclared(variant, bite.rule.details["at"]))
    if variant.endswith("_bomb"):
        return Outcome(_bomb(answer, variant, bite.rule.details["size"]), outcome.deliver)
    if variant == "html":
        html = Answer(answer.status, headers=((b"content-type", b"text/html"),))
        return Outcome(html.with_body(_WHOLE[variant]), outcome.deliver)
    return Outcome(answer.with_body(_changed(answer.body, bite)), outcome.deliver)


def _changed(text: bytes, bite: Bite) -> bytes:
    variant, details = bite.rule.variant, bite.rule.details
    if variant in _WHOLE:
        return _WHOLE[variant]
    if variant == "truncate":
        return text[: details["at"] if details["at"] >= 0 else len(text) // 2]
    if variant == "bom":
        return b"\xef\xbb\xbf" + text
    if variant == "replace":
        return text.replace(details["old"].encode(), details["to"].encode())
    if variant == "bitflip":
        return _flipped(text, bite)
    return _edited(text, bite)


def _flipped(text: bytes, bite: Bite) -> bytes:
    if not text:
        return text
    drawn, at = bite.rule.random(bite.call, "bit"), bite.rule.details["at"]
    place = at if at >= 0 else drawn.randrange(len(text))
    changed = bytearray(text)
    changed[min(place, len(text) - 1)] ^= 1 << drawn.randrange(8)
    return bytes(changed)


def _edited(text: bytes, bite: Bite) -> bytes:
    """The JSON with one value, or all that a path with ``*`` names, changed."""
    variant, details = bite.rule.variant, bite.rule.details
    try:
        found = json.loads(text)
    except ValueError:
        bite.note = "no JSON to change"
        return text
    places = list(_named(found, details["path"].split("."))) if details["path"] else _first(found)
    if not places:
        bite.note = "no such value"
    raw = b""
    for holder, key in places:
        raw = _edit(variant, holder, key, details["to"])
    written = json.dumps(found, separators=(",", ":")).encode()
    return written.replace(json.dumps(_MARK).encode(), raw) if raw else written


def _edit(variant: str, holder: Any, key: Any, to: str) -> bytes:
    """Change a value in its place; what JSON cannot say is marked, and answered to be put there."""
    value = holder[key]
    if variant in _RAW:
        holder[key] = _MARK
        return _RAW[variant](to)
    if variant == "duplicate_key":
        holder[key] = _MARK
        return b"%s,%s:%s" % tuple(json.dumps(each).encode() for each in (to, key, value))
    if variant == "missing":
        del holder[key]
    elif variant == "renamed":
        _rename(holder, key, to or f"{key}_dollars")
    elif variant == "extra":
        holder["something_new"] = {"nested": [1, "two", None]}
    elif variant == "swap":
        holder[key] = _other_type(value)
    return b""


def _rename(holder: Any, key: Any, to: str) -> None:
    if isinstance(holder, dict):
        holder[to] = holder.pop(key)


def _other_type(value: Any) -> Any:
    if isinstance(value, bool) or value is None:
        return [value]
    return 7 if isinstance(value, str) else str(value) if isinstance(value, int | float) else "text"


def _first(found: Any) -> list[Place]:
    """The first plain value, in the first row of a list where there is one."""
    items: Iterator[tuple[Any, Any]] = iter(())
    if isinstance(found, dict):
        items = iter(found.items())
    elif isinstance(found, list):
        items = iter(enumerate(found))
    plain: list[Place] = []
    for key, value in items:
        if isinstance(value, dict | list):
            inside = _first(value)
            if inside:
                return inside
        elif not plain and isinstance(found, dict):
            plain = [(found, key)]
    return plain


def _named(found: Any, path: list[str]) -> Iterator[Place]:
    name, *rest = path
    keys: list[Any] = []
    if isinstance(found, list):
        keys = list(range(len(found))) if name == "*" else [int(name)] if name.isdigit() else []
        keys = [key for key in keys if key < len(found)]
    elif isinstance(found, dict):
        keys = list(found) if name == "*" else [name] if name in found else []
    for key in keys:
        if rest:
            yield from _named(found[key], rest)
        else:
            yield found, key


# --- the way it is sent ----------------------------------------------------------------------------


def _misdeclared(variant: str, at: int) -> Deliver:
    async def deliver(line: Line, _: Send, answer: Answer) -> None:
        text = answer.body
        kept = tuple(header for header in answer.headers if header[0].lower() != b"content-length")
        if variant == "bad_chunk":
            start = head(answer.status, (*kept, (b"transfer-encoding", b"chunked")))
            half = len(text) // 2
            line.write(start + b"%x\r\n%s\r\nzz\r\n%s\r\n" % (half, text[:half], text[half:]))
        else:
            declared = {"long_length": len(text) + 10, "short_length": max(len(text) - 10, 0)}
            length = declared.get(variant, len(text))
            line.write(head(answer.status, (*kept, (b"content-length", b"%d" % length))))
            line.write(text[: at if at >= 0 else len(text) // 2] if variant == "cut" else text)
        await line.close()

    return deliver


def _bomb(answer: Answer, variant: str, size: int) -> Answer:
    coding = variant.removesuffix("_bomb")
    headers = ((b"content-type", b"application/json"), (b"content-encoding", coding.encode()))
    return Answer(answer.status, headers=headers).with_body(_packed_zeros(coding, size))


@cache
def _packed_zeros(coding: str, size: int) -> bytes:
    """A packed JSON text of one long string; a megabyte is packed once and repeated."""
    megabyte, begun, ended = b"0" * 2**20, b'{"a":"', b'"}'
    count = max(size // 2**20, 1)
    packer = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    first = packer.compress(begun) + packer.flush(zlib.Z_FULL_FLUSH)
    unit = packer.compress(megabyte) + packer.flush(zlib.Z_FULL_FLUSH)
    last = packer.compress(ended) + packer.flush()
    raw = first + unit * count + last
    check, total = zlib.crc32(begun), len(begun) + count * len(megabyte) + len(ended)
    sums = zlib.adler32(begun)
    for _ in range(count):
        check, sums = zlib.crc32(megabyte, check), zlib.adler32(megabyte, sums)
    if coding == "gzip":
        tail = zlib.crc32(ended, check).to_bytes(4, "little") + (total % 2**32).to_bytes(4, "little")
        return b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff" + raw + tail
    return b"\x78\xda" + raw + zlib.adler32(ended, sums).to_bytes(4, "big")
