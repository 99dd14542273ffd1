"""What a run of tests is made to do beside running: to note what each runs, or to keep an order."""

from __future__ import annotations

import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from types import CodeType, FrameType
from typing import Any

import pytest

__all__ = ["Order", "Watch"]

_OFTEN = 40


class Watch:
    """Notes how long each test takes and which lines of some files it runs.

    Threads that a test finds running are noted for it too: a server is often there before it. A
    function that is called again and again is looked at a few times only.

    Parameters
    ----------
    files : sequence of str
        Their paths as the interpreter knows them.
    """

    def __init__(self, files: Sequence[str]) -> None:
        self._files = set(files)
        self._lines: set[tuple[str, int]] = set()
        self._calls: Counter[CodeType] = Counter()
        self.found: dict[str, dict[str, Any]] = {}

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        self._lines, self._calls = set(), Counter()
        began = time.perf_counter()
        threading.settrace(self._call)
        sys.settrace(self._call)
        try:
            return (yield)
        finally:
            sys.settrace(None)
            threading.settrace(None)  # type: ignore[arg-type]
            lines: dict[str, list[int]] = {}
            for path, line in self._lines.copy():
                lines.setdefault(path, []).append(line)
            self.found[item.nodeid] = {"seconds": time.perf_counter() - began, "lines": lines}

    def _call(self, frame: FrameType, event: str, _: Any) -> Any:
        del event
        code = frame.f_code
        if code.co_filename not in self._files:
            return None
        self._calls[code] += 1
        return self._line if self._calls[code] <= _OFTEN else None

    def _line(self, frame: FrameType, event: str, _: Any) -> Any:
        if event == "line":
            self._lines.add((frame.f_code.co_filename, frame.f_lineno))
        return self._line


class Order:
    """Keeps an order, in which nothing is left out: tests that are not named come last."""

    def __init__(self, names: Sequence[str]) -> None:
        self._places = {name: place for place, name in enumerate(names)}

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items.sort(key=lambda item: self._places.get(item.nodeid, len(self._places)))
