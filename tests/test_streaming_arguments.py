"""What nobody can mean is refused, with words of this package, before anything is sent."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import kalshi_research as kr
from kalshi_research.errors import ArchiveError, InputError, TransportError

TICKER = "KXHIGHNY-26NOV21-B46.5"


@pytest.fixture(scope="module")
def client() -> Iterator[kr.Client]:
    with kr.start_sandbox() as sandbox, kr.connect(sandbox) as made:
        yield made


@pytest.fixture(scope="module")
def live(client: kr.Client) -> Iterator[Any]:
    with kr.stream(client, TICKER) as made:
        yield made.wait()


@pytest.mark.parametrize("channels", [None, 5, 1.5, True])
def test_channels_are_names(client: kr.Client, channels: Any) -> None:
    with pytest.raises(InputError, match="channels must be names"):
        kr.stream(client, TICKER, channels)


@pytest.mark.parametrize("timeout", ["1", [1], float("nan"), True])
def test_a_timeout_is_a_number_of_seconds(client: kr.Client, live: Any, timeout: Any) -> None:
    calls: list[Callable[[], object]] = [
        lambda: live.wait(timeout=timeout),
        lambda: next(live.updates(timeout=timeout)),
    ]
    with kr.poll(client, TICKER) as sampled:
        for call in (*calls, lambda: sampled.wait(timeout=timeout)):
            with pytest.raises(InputError, match="must be a number of seconds"):
                call()


def test_to_wait_for_ever_is_a_number_too(live: Any) -> None:
    assert live.wait(timeout=float("inf")) is live
    assert next(live.updates(timeout=float("inf"))).ticker == TICKER


@pytest.mark.parametrize("path", [None, 5, "", b"folder", "a\0b"])
def test_a_folder_is_a_path(live: Any, path: Any) -> None:
    for call in (live.record, kr.read_recording):
        with pytest.raises(InputError, match="is not the path of a folder"):
            call(path)
    assert not live._engine.recorders


def test_a_file_is_no_folder(live: Any, tmp_path: Path) -> None:
    file = tmp_path / "notes"
    file.write_text("of somebody", encoding="utf-8")
    with pytest.raises(ArchiveError, match="is a file, and a recording is a folder"):
        live.record(file)
    with pytest.raises(ArchiveError, match="is a file; give the folder"):
        kr.read_recording(file)
    with pytest.raises(ArchiveError, match="does not exist"):
        kr.read_recording(tmp_path / "nothing")
    assert file.read_text(encoding="utf-8") == "of somebody"
    assert not live._engine.recorders


def test_a_folder_that_may_not_be_read_is_told_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbidden(folder: Path) -> Iterator[Path]:
        raise PermissionError(13, "Permission denied", str(folder))

    monkeypatch.setattr(Path, "iterdir", forbidden)
    with pytest.raises(ArchiveError, match=r"cannot read the folder .* Permission denied"):
        kr.read_recording(tmp_path)


def test_a_recording_lies_in_the_home_that_it_is_said_to(
    live: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    live.record("~/recorded").close()
    assert any((tmp_path / "recorded").iterdir())
    assert len(kr.read_recording("~/recorded").runs) == 1


def test_a_mistyped_ticker_is_asked_about(client: kr.Client) -> None:
    with (
        kr.stream(client, [TICKER, "KXHIGHNY-NOT"]) as wrong,
        pytest.raises(TransportError, match=r"such as KXHIGHNY-NOT: .*; is that its ticker\?"),
    ):
        wrong.wait(timeout=1.0)
