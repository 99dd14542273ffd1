"""Exchanges for tests of the order side, each with a journal of its own.

A test module asks for them with ``pytest_plugins = ["tests.order_fixtures"]``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.order_venue import Venue, opened

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def venue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Venue]:
    with opened(tmp_path, monkeypatch) as made:
        yield made


@pytest.fixture
def old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Venue]:
    with opened(tmp_path, monkeypatch, dialect="2025") as made:
        yield made


@pytest.fixture
def simulated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Venue]:
    with opened(tmp_path, monkeypatch, environment="sandbox") as made:
        yield made


@pytest.fixture
def prod(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Venue]:
    with opened(tmp_path, monkeypatch, environment="prod") as made:
        yield made
