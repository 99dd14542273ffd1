"""Recorded frames, in the forms people keep them in, to events in the order of arrival.

A recording is a file of one JSON frame a line (``.gz`` or not, blank lines allowed), a
JSON document that holds a list of frames (as such, or under ``frames``), or frames in
memory. A frame may stand in an envelope ``{"received_ms": …, "frame": {…}}``.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import closing
from itertools import chain, islice
from os import PathLike, fspath
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeAlias

import msgspec

from kalshi_research.errors import (
    ArchiveError,
    DecodeError,
    InputError,
    PartialDataWarning,
    printable,
    warn,
)
from kalshi_research.schemas.stream import StreamDecoder
from kalshi_research.streaming import recordings

if TYPE_CHECKING:
    from kalshi_research.schemas.stream import Event

__all__ = ["Arrival", "Recorded", "arrivals", "merged", "name_of", "origin_of"]

Frame: TypeAlias = bytes | str | Mapping[str, Any]
Recorded: TypeAlias = (
    "str | PathLike[str] | Frame | recordings.Recording | Iterable[str | PathLike[str] | Frame]"
)
"""A file or folder, frames, or several files of one connection."""

Arrival: TypeAlias = "tuple[Event, int]"
"""An event, and the recorder's time of receipt [ms], -1 where it is not known."""

_NEAR = 1024
"""A number so little behind the newest one is a repeated frame, not the start of a new count."""
_NEVER = 1 << 62
_KINDS = "a path, several paths, or the frames themselves as dict, bytes or text"


class _Envelope(msgspec.Struct):
    frame: msgspec.Raw
    received_ms: int | float | None = None


class _Document(msgspec.Struct):
    frames: list[msgspec.Raw]


def name_of(recording: Recorded) -> str:
    """What a frame says of its origin."""
    if isinstance(recording, recordings.Recording):
        return printable(recording.folder)
    if isinstance(recording, Path) or _is_path(recording):
        return printable(recording)
    if isinstance(recording, list | tuple) and recording and all(map(_is_path, recording)):
        return printable(", ".join(Path(fspath(each)).name for each in recording))
    return "frames"


def origin_of(recording: Recorded) -> dict[str, Any]:
    """The environment that was recorded, where that is known, and whether it was simulated."""
    if isinstance(recording, str | PathLike) and _is_path(recording):
        path = Path(fspath(recording))
        recording = recordings.read_recording(path) if path.is_dir() else path
    if isinstance(recording, recordings.Recording):
        return recording.origin
    return {"environment": "file"}


def arrivals(recording: Recorded) -> Iterator[Arrival]:
    """The events of a recording.

    Raises
    ------
    DecodeError
        If a frame cannot be read; names the line.
    ArchiveError
        If a file cannot be opened.
    InputError
        If `recording` is nothing that holds frames.
    """
    if isinstance(recording, recordings.Recording):
        return recording.arrivals()
    if isinstance(recording, str | PathLike) and _is_path(recording):
        path = Path(fspath(recording))
        return recordings.read_recording(path).arrivals() if path.is_dir() else _from_file(path)
    if isinstance(recording, str | bytes | bytearray):
        text = recording.encode() if isinstance(recording, str) else bytes(recording)
        return _from_lines(iter(text.splitlines(keepends=True)), "the text")
    if isinstance(recording, Mapping):
        inside = recording.get("frames") if "type" not in recording else None
        recording = [recording] if inside is None else inside
    if not isinstance(recording, Iterable):
        raise InputError(f"cannot replay {type(recording).__name__}: give {_KINDS}")
    items = iter(recording)
    start = list(islice(items, 1))
    if start and _is_path(start[0]):
        return merged([_from_file(Path(fspath(each))) for each in _paths(chain(start, items))])
    return _from_memory(chain(start, items))


def merged(streams: list[Iterator[Arrival]]) -> Iterator[Arrival]:
    """Recordings of one connection that was split, by market for example, put together by number.

    Every subscription counts its frames in one row, so what comes next is in the part whose
    first frame continues that row.
    """
    heads = [(head, stream) for stream in streams if (head := next(stream, None))]
    due: dict[int, int] = {}
    while heads:
        ahead = [_ahead(head[0], due) for head, _ in heads]
        at = ahead.index(min(ahead))
        head, stream = heads[at]
        yield head
        event = head[0]
        if event.sid is not None and event.seq is not None and ahead[at] >= 0:
            due[event.sid] = event.seq + 1
        following = next(stream, None)
        if following is None:
            del heads[at]
        else:
            heads[at] = (following, stream)


def _ahead(event: Event, due: dict[int, int]) -> int:
    """How many frames are missing before this one; -1 where it need not wait for any."""
    if event.sid is None or event.seq is None:
        return -1
    distance = event.seq - due.get(event.sid, 0)
    if distance >= 0:
        return distance
    return -1 if distance >= -_NEAR else _NEVER


def _is_path(value: object) -> bool:
    if isinstance(value, str):
        return value.lstrip()[:1] not in ("{", "[") and "\n" not in value
    return isinstance(value, PathLike)


def _paths(items: Iterable[Any]) -> Iterator[Any]:
    for item in items:
        if not _is_path(item):
            raise InputError(f"cannot mix paths and {type(item).__name__}: give {_KINDS}")
        yield item


def _from_file(path: Path) -> Iterator[Arrival]:
    name = printable(path)
    try:
        with path.open("rb") as file:
            packed = file.read(2) == b"\x1f\x8b"
        with gzip.open(path) if packed else path.open("rb") as opened:
            yield from _from_stream(opened, name)  # type: ignore[arg-type]
    except FileNotFoundError:
        raise ArchiveError(f"there is no file {name}") from None
    except (OSError, zlib.error) as error:
        raise ArchiveError(f"cannot read {name}: {printable(error, 120)}") from error


def _from_stream(file: IO[bytes], name: str) -> Iterator[Arrival]:
    lines = _unbroken(file, name)
    with closing(lines):
        blank = []
        for line in lines:
            if line.isspace():
                blank.append(line)
                continue
            if _is_json(line) and line.lstrip()[:1] == b"{" and not _is_document(line):
                yield from _from_lines(chain(blank, [line], lines), name)
            else:
                yield from _from_document(line + b"".join(lines), name)
            return
    raise ArchiveError(f"{name} is empty")


def _unbroken(file: IO[bytes], name: str) -> Generator[bytes, None, None]:
    """The lines of a file; one whose compressed end is missing ends where it breaks off."""
    try:
        yield from file
    except EOFError:
        _warn_torn(name)


def _is_json(line: bytes) -> bool:
    try:
        msgspec.json.decode(line, type=msgspec.Raw)
    except (msgspec.DecodeError, RecursionError):
        return False
    return True


def _is_document(line: bytes) -> bool:
    try:
        msgspec.json.decode(line, type=_Document)
    except msgspec.DecodeError:
        return False
    return True


def _from_document(text: bytes, name: str) -> Iterator[Arrival]:
    """A list of frames, or an object that holds one under ``frames``."""
    try:
        if text.lstrip()[:1] == b"[":
            frames = msgspec.json.decode(text, type=list[msgspec.Raw])
        else:
            frames = msgspec.json.decode(text, type=_Document).frames
    except (msgspec.DecodeError, RecursionError) as error:
        raise DecodeError(
            f"{name} holds no recorded frames: {printable(error, 120)}\n"
            "One JSON frame a line is expected, or a JSON list of frames."
        ) from None
    yield from _from_lines(map(bytes, frames), name, unit="frame")


def _from_lines(lines: Iterator[bytes], name: str, unit: str = "line") -> Iterator[Arrival]:
    decoder = StreamDecoder()
    decode = decoder.event
    enveloped: bool | None = None
    number, line = 0, b""
    try:
        for number, line in enumerate(lines, 1):  # noqa: B007  the handler tells where it stopped
            if not line or line.isspace():
                continue
            if enveloped is None:
                enveloped = _opened(line) is not None
            if enveloped and (envelope := _opened(line)) is not None:
                yield decode(bytes(envelope.frame)), _millis(envelope.received_ms)
            else:
                yield decode(line), -1
    except DecodeError as error:
        if unit == "line" and number > 1 and not line.endswith(b"\n") and not _is_json(line):
            _warn_torn(name)
        else:
            raise DecodeError(f"{name}, {unit} {number:,}: {error}") from None


def _opened(line: bytes) -> _Envelope | None:
    try:
        return msgspec.json.decode(line, type=_Envelope)
    except msgspec.DecodeError:
        return None


def _millis(value: object) -> int:
    inside = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1 << 47
    return int(value) if inside else -1  # type: ignore[call-overload]


def _from_memory(frames: Iterable[Any]) -> Iterator[Arrival]:
    decoder = StreamDecoder()
    number = 0
    try:
        for number, item in enumerate(frames, 1):
            frame, received = item, -1
            if isinstance(item, Mapping) and "frame" in item and "type" not in item:
                frame, received = item["frame"], _millis(item.get("received_ms"))
            elif isinstance(item, bytes | str):
                if not item.strip():
                    continue
                if (envelope := _opened(item if isinstance(item, bytes) else item.encode())) is not None:
                    frame, received = bytes(envelope.frame), _millis(envelope.received_ms)
            if not isinstance(frame, bytes | str | Mapping):
                raise InputError(f"frame {number:,} is {type(frame).__name__}: give {_KINDS}")
            yield decoder.event(frame), received
    except DecodeError as error:
        raise DecodeError(f"frame {number:,}: {error}") from None
    except UnicodeEncodeError:
        raise DecodeError(f"frame {number:,}: the text holds half a character") from None


def _warn_torn(name: str) -> None:
    warn(
        f"{name} breaks off in the middle of its last frame, as a recorder leaves it that was killed; "
        "everything before it is used",
        PartialDataWarning,
    )
