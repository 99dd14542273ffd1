"""Faults of frames: what a connection of the stream does with them on their way out.

Places are ``WS /connect`` for the handshake and ``WS /TYPE`` for a frame, such as
``WS /orderbook_delta`` or ``WS /ok``; `Rule.where` is looked for in the frame.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import msgspec

from kalshi_research.sandbox.faults.kinds import Kind, register

if TYPE_CHECKING:
    from kalshi_research.sandbox.faults.rules import Bite
    from kalshi_research.sandbox.faults.script import Faults

__all__ = ["Bender", "Link", "Numbered", "Repeats"]

# What a handshake may be answered with.
_UPGRADES = ("401", "403", "429", "503", "redirect", "hang", "RST")

_BINARY = b"\x82\x04\x00\xff\x00\xff"
_GARBAGE = b'{"type":"orderbook_delta","sid":1,"seq":'

for _kind in (
    Kind("upgrade", "stream", _UPGRADES, {"seconds": 60.0, "location": ""}),
    Kind(
        "frame",
        "stream",
        ("drop", "lose", "duplicate", "hold", "truncated", "garbage", "binary", "huge"),
        {"frames": 1, "bytes": 2_000_000},
    ),
    Kind("seq", "stream", ("reset", "skip", "repeat")),
    Kind("sid", "stream", ("other",)),
    Kind("level", "stream", ("negative", "unknown_market", "spelling", "side")),
    Kind("snapshot", "stream", ("again", "empty", "race"), {"frames": 3}),
    Kind("clock", "stream", ("back", "none"), {"by": 1000}),
    Kind("stream_error", "stream", ("10", "17", "18", "25", "26", "27", "99")),
    Kind("link", "stream", ("silent", "deaf", "close", "FIN", "RST"), {"code": 1001}),
):
    register(_kind)


Frame: TypeAlias = "bytes | tuple[bytes]"
"""A text, or in a tuple a frame with its header."""


class Link(Protocol):
    """The connection under a session."""

    def silence(self, *, pings: bool) -> None:
        """Send no frame any more, and without `pings` nothing at all."""
        ...

    def end(self, code: int) -> None:
        """Close with a code."""
        ...

    def cut(self, *, reset: bool) -> None:
        """End the connection without a word."""
        ...


class Numbered(Protocol):
    """A subscription, as far as its frames are numbered."""

    sid: int
    seq: int


class Repeats(Protocol):
    """What a session can be asked to send besides."""

    def snapshot(self, subscription: Any, ticker: str, *, empty: bool) -> None:
        """A snapshot that nobody asked for."""
        ...

    def error(self, subscription: Any, code: int) -> None:
        """An error of a subscription; 10 and 25 end it."""
        ...


class Bender:
    """The frames of one connection, as the script lets them through.

    Parameters
    ----------
    faults : Faults
    link : Link
    repeats : Repeats
    """

    def __init__(self, faults: Faults, link: Link, repeats: Repeats) -> None:
        self._faults = faults
        self._link = link
        self._repeats = repeats
        self._held: list[tuple[int, Frame]] = []
        self._recent: list[bytes] = []
        self._after: list[Callable[[], None]] = []
        self._bending = False

    @property
    def on(self) -> bool:
        """Whether frames have to pass here."""
        return self._faults.on("stream") or bool(self._held)

    def bend(self, frame: bytes, subscription: Numbered | None) -> list[Frame]:
        """What goes out instead of a frame; call `finish` when it is on its way.

        Parameters
        ----------
        frame : bytes
        subscription : Numbered, optional
            The one that the frame is numbered by.
        """
        kind = msgspec.json.decode(frame, type=_Typed).type
        # What a fault sends besides is not bitten again.
        bites = [] if self._bending else self._faults.meet("stream", f"WS /{kind}", frame.decode())
        frames: list[Frame] = [frame]
        for bite in bites:
            frames = self._bitten(bite, frames, subscription)
        if kind == "orderbook_delta":
            self._recent = [*self._recent[-31:], frame]
        due = [held for wait, held in self._held if wait == 0]
        self._held = [(wait - 1, held) for wait, held in self._held if wait]
        if bites and bites[-1].rule.variant == "hold":
            self._held += [(bites[-1].rule.details["frames"] - 1, each) for each in frames]
            frames = []
        return frames + due

    def finish(self) -> None:
        """Send what comes besides."""
        after, self._after = self._after, []
        self._bending = True
        try:
            for send in after:
                send()
        finally:
            self._bending = False

    def _bitten(self, bite: Bite, frames: list[Frame], subscription: Numbered | None) -> list[Frame]:
        name, variant = bite.rule.name, bite.rule.variant
        if name == "frame":
            return self._misplaced(variant, bite.rule.details, frames, subscription)
        if name == "link":
            self._cut(variant, bite.rule.details["code"])
            return [] if variant in ("silent", "deaf", "RST") else frames
        if name == "stream_error":
            if subscription is not None:
                self._after.append(partial(self._repeats.error, subscription, int(variant)))
            return frames
        if name == "seq":
            _renumber(variant, subscription)
            return frames
        change = _CHANGES.get(f"{name}:{variant}")
        if change is not None:
            by = bite.rule.details.get("by", 0)
            return [_changed(each, lambda said: change(said, by)) for each in frames]
        return self._with_snapshot(variant, bite, frames, subscription)

    def _misplaced(
        self,
        variant: str,
        details: dict[str, Any],
        frames: list[Frame],
        subscription: Numbered | None,
    ) -> list[Frame]:
        if variant == "drop":
            return []
        if variant == "lose":  # as if it had never been: not even its number is missing
            if subscription is not None:
                subscription.seq -= 1
            return []
        if variant == "duplicate":
            return frames * 2
        if variant == "truncated":
            return [each[: len(each) // 2] if isinstance(each, bytes) else each for each in frames]
        if variant == "garbage":
            return [_GARBAGE]
        if variant == "binary":
            return [(_BINARY,), *frames]
        if variant == "hold":
            return frames
        return [b'{"type":"notice","msg":"%b"}' % (b"x" * details["bytes"]), *frames]

    def _cut(self, variant: str, code: int) -> None:
        if variant in ("silent", "deaf"):
            self._link.silence(pings=variant == "silent")
        elif variant == "close":
            self._link.end(code)
        else:
            self._link.cut(reset=variant == "RST")

    def _with_snapshot(
        self,
        variant: str,
        bite: Bite,
        frames: list[Frame],
        subscription: Numbered | None,
    ) -> list[Frame]:
        """Snapshots that come unasked, and changes that a snapshot has already seen."""
        if subscription is None:
            return frames
        ticker = msgspec.json.decode(bite.text).get("msg", {}).get("market_ticker", "")
        if variant != "race":
            empty = variant == "empty"
            self._after.append(partial(self._repeats.snapshot, subscription, ticker, empty=empty))
            return frames
        again = [raw for raw in self._recent if f'"{ticker}"'.encode() in raw]
        for raw in again[-bite.rule.details["frames"] :]:
            subscription.seq += 1
            frames = [*frames, _changed(raw, partial(_numbered, seq=subscription.seq))]
        return frames


class _Typed(msgspec.Struct):
    type: str


Change = Callable[[dict[str, Any], int], dict[str, Any]]


def _changed(frame: Frame, change: Callable[[dict[str, Any]], dict[str, Any]]) -> Frame:
    if isinstance(frame, tuple):
        return frame
    return msgspec.json.encode(change(msgspec.json.decode(frame))) + b"\n"


def _inside(said: dict[str, Any], change: Callable[[dict[str, Any]], dict[str, Any]]) -> dict[str, Any]:
    """Change the message of a frame, under both of its names."""
    return said | {
        name: change(said[name]) for name in ("msg", "data") if isinstance(said.get(name), dict)
    }


def _numbered(said: dict[str, Any], *, seq: int) -> dict[str, Any]:
    return said | {"seq": seq}


def _set(said: dict[str, Any], **values: Any) -> dict[str, Any]:
    known = {name: value for name, value in values.items() if name in said}
    return said | known


def _spelled(said: dict[str, Any]) -> dict[str, Any]:
    """Another way to write the same price and count."""
    found = dict(said)
    for name in ("price_dollars", "delta_fp"):
        if isinstance(found.get(name), str) and "." in found[name]:
            text = found[name].rstrip("0").removesuffix(".")
            found[name] = text.replace("0.", ".", 1) if text.startswith("0.") else text or "0"
    return found


def _other_side(said: dict[str, Any]) -> dict[str, Any]:
    return _set(said, side="no" if said.get("side") == "yes" else "yes")


def _back(said: dict[str, Any], by: int) -> dict[str, Any]:
    return _set(said, clock=max(said.get("clock", 0) - by, 0))


_CHANGES: dict[str, Change] = {
    "sid:other": lambda said, _: _set(said, sid=said.get("sid", 0) + 1),
    "level:negative": lambda said, _: _inside(
        said, lambda found: _set(found, delta_fp="-9000000.00", delta=-9_000_000)
    ),
    "level:unknown_market": lambda said, _: _inside(
        said, lambda found: _set(found, market_ticker="NO-SUCH-MARKET")
    ),
    "level:spelling": lambda said, _: _inside(said, _spelled),
    "level:side": lambda said, _: _inside(said, _other_side),
    "clock:back": lambda said, by: _inside(said, lambda found: _back(found, by)),
    "clock:none": lambda said, _: _inside(
        said, lambda found: {name: value for name, value in found.items() if name != "clock"}
    ),
}


def _renumber(variant: str, subscription: Numbered | None) -> None:
    """Change the number of the next frame."""
    if subscription is not None:
        subscription.seq = {
            "reset": 0,
            "skip": subscription.seq + 3,
            "repeat": subscription.seq - 1,
        }[variant]
