"""When recorded frames happened, and at which instants the full books are wanted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import pandas as pd

from kalshi_research.errors import DecodeError, InputError, quoted
from kalshi_research.market_data.arguments import timestamp
from kalshi_research.schemas.stream import Delta, Trade
from kalshi_research.schemas.values import UnreadableError, read

if TYPE_CHECKING:
    import numpy.typing as npt

    from kalshi_research.streaming.sources import Arrival

__all__ = ["UNTIMED", "Instant", "Instants", "given_instants", "step", "times_of"]

Instant: TypeAlias = "str | datetime | pd.Timestamp"

UNTIMED = -1
"""Stands for a time [µs] that nothing tells."""

_MOST_INSTANTS = 100_000
_NEVER = 1 << 62


class Instants:
    """When the full books are due: at multiples of a step and at the end, or at given times."""

    def __init__(self, step: int | None, given: Sequence[int]) -> None:
        self._step = step
        self._given = list(given)
        self._made = 0
        self.due = UNTIMED

    def start(self, time: int) -> None:
        """The first frame that has a time came: nothing is known of what was before."""
        self._given = [instant for instant in self._given if instant >= time]
        if self._step:
            self.due = -(-time // self._step) * self._step
        else:
            self.due = self._given[0] if self._given else _NEVER

    def passed(self, time: int) -> list[int]:
        """The instants before `time` that have not been given yet."""
        if self.due == UNTIMED:
            self.start(time)
        found = []
        while self.due < time:
            found.append(self.due)
            if self._step:
                self.due += self._step
            else:
                self._given.pop(0)
                self.due = self._given[0] if self._given else _NEVER
            self._made += 1
            if self._made > _MOST_INSTANTS:
                raise InputError(
                    f"more than {_MOST_INSTANTS:,} instants of full books: choose a longer every, or at"
                )
        return found

    def last(self, time: int) -> list[int]:
        """The instants that are left when the recording ends at `time`."""
        found = self.passed(time + 1) if time >= 0 else []
        ends = self._step is not None and (not found or found[-1] != time)
        return [*found, time] if ends else found


def step(every: object) -> int:
    """The distance of two instants [µs]; 0 for none."""
    if every is None:
        return 0
    try:
        step = pd.Timedelta(every)  # type: ignore[arg-type]
        micros = 0 if pd.isna(step) else int(step / pd.Timedelta(1, "us"))
    except (ValueError, TypeError, OverflowError):
        micros = 0
    if micros <= 0:
        raise InputError(f"every must be a length of time such as '1s', not {quoted(every, 40)}")
    return micros


def given_instants(at: Instant | Iterable[Instant]) -> list[int]:
    """The instants [µs] that the caller named, in order."""
    each = [at] if isinstance(at, str | datetime) or not isinstance(at, Iterable) else at
    stamps = [timestamp(instant, "at") for instant in each]
    return sorted({int(stamp.value // 1000) for stamp in stamps})


def times_of(chunk: list[Arrival], before: int) -> list[int]:
    """When each frame happened [µs], never before an earlier one; -1 while nothing tells.

    The exchange's own time counts. A frame without it lies between its neighbours: where its
    recorder noted the receipt, as near to that as they allow.
    """
    texts = [event.time if type(event) is Delta else "" for event, _ in chunk]
    millis = np.array(
        [
            max(event.time_ms, event.sent_ms if event.time_ms < 0 else -1)
            if type(event) is Delta
            else (-1 if type(event) is Trade else event.sent_ms)
            for event, _ in chunk
        ],
        dtype=np.int64,
    )
    exact = np.where(millis < 0, UNTIMED, millis * 1000)
    if any(texts):
        exact = np.maximum(exact, _micros(texts))
    received = np.array([stamp for _, stamp in chunk], dtype=np.int64) * 1000
    told = exact >= 0
    following = np.minimum.accumulate(np.where(told, exact, _NEVER)[::-1])[::-1]
    earlier = np.maximum.accumulate(np.concatenate(([before], exact)))[:-1]
    guessed = np.maximum(np.where(received >= 0, np.minimum(received, following), earlier), earlier)
    guessed = np.where((guessed < 0) & (following < _NEVER), following, guessed)
    found: list[int] = np.maximum.accumulate(np.where(told, np.maximum(exact, before), guessed)).tolist()
    return found


def _micros(texts: list[str]) -> npt.NDArray[np.int64]:
    try:
        times = read("time", texts)
    except UnreadableError as error:
        raise DecodeError(
            f"a change of a book has the time {quoted(error.value, 60)}, which cannot be read"
        ) from None
    found: npt.NDArray[np.int64] = times.cast("int64").fill_null(UNTIMED).to_numpy()
    return found
