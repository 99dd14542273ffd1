"""The journal of orders: what is in it is true, whoever writes, and however the writer ends."""

from __future__ import annotations

import json
import os
import random
import signal
import stat
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from kalshi_research.errors import JournalError
from kalshi_research.trading import locks
from kalshi_research.trading.journal import OPEN, Intent, Journal

TERMS = {"ticker": "T", "price": 4200, "count": 100}


def intent(key: str = "a", state: str = "PREPARED", **more: object) -> Intent:
    return Intent(key, "create", state, "s", TERMS, **more)  # type: ignore[arg-type]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "prod-x.jsonl"


def lines(path: Path) -> list[dict[str, object]]:
    """What the file holds, read by nothing of the library."""
    return [json.loads(line.split(" ", 1)[1]) for line in path.read_text().splitlines()]


def test_what_is_written_is_read_by_another(path: Path) -> None:
    first = Journal(path)
    first.write(intent("a"), intent("b"))
    first.note("a", state="SENT", sent_at=5.0)
    first.note("a", state="ACKED", order_id="o1", status="resting", filled=0, remaining=100)
    second = Journal(path)
    assert [i.key for i in second.open_intents()] == ["b"]
    assert second.order("o1") == second.get("a")
    assert second.get("a").sent_at == 5.0  # type: ignore[union-attr]
    second.note("b", state="NOT_PLACED")
    assert first.open_intents() == [], "news of another process is seen at once"
    assert [row["state"] for row in lines(path)] == [
        "PREPARED",
        "PREPARED",
        "SENT",
        "ACKED",
        "NOT_PLACED",
    ]


def test_it_is_only_appended_to(path: Path) -> None:
    journal, before = Journal(path), b""
    for number in range(20):
        journal.write(intent(str(number)))
        now = path.read_bytes()
        assert now.startswith(before)
        before = now


def test_only_the_owner_can_read_it(path: Path) -> None:
    path.touch(mode=0o644)
    Journal(path).write(intent())
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    for beside in path.parent.iterdir():
        assert stat.S_IMODE(beside.stat().st_mode) == 0o600


def test_a_link_is_not_followed(path: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("precious")
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(JournalError, match="nothing was sent"):
        Journal(path)
    assert (tmp_path / "elsewhere").read_text() == "precious"


def test_the_disk_has_it_before_write_returns(path: Path, monkeypatch) -> None:
    done: list[str] = []
    journal = Journal(path)
    real_write, real_sync = os.write, os.fsync
    monkeypatch.setattr(os, "write", lambda fd, data: done.append("write") or real_write(fd, data))
    monkeypatch.setattr(os, "fsync", lambda fd: done.append("fsync") or real_sync(fd))
    journal.write(intent())
    assert done == ["write", "fsync"]


@pytest.mark.parametrize("cut", range(1, 300, 7))
def test_a_torn_last_line_stands_for_nothing_and_hides_nothing(path: Path, cut: int) -> None:
    journal = Journal(path)
    journal.write(intent("a", "SENT"))
    whole = path.stat().st_size
    journal.write(intent("b", "SENT"))
    cut = min(cut, path.stat().st_size - whole - 1)
    os.truncate(path, whole + cut)
    after = Journal(path)
    assert [i.key for i in after.open_intents()] == ["a"]
    after.write(intent("c", "SENT"))
    assert [i.key for i in Journal(path).open_intents()] == ["a", "c"]


def test_no_flipped_bit_is_read_as_something_else(path: Path) -> None:
    journal = Journal(path)
    for number in range(5):
        journal.write(intent(str(number), "SENT", sent_at=float(number)))
    true, data = journal.intents(), path.read_bytes()
    rng = random.Random(1)
    refused = 0
    for _ in range(400):
        spoiled = bytearray(data)
        spoiled[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        other = path.with_name("spoiled.jsonl")
        other.write_bytes(spoiled)
        try:
            found, said = Journal(other).intents(), ""
        except JournalError as error:
            found, said = {}, str(error)
        if said:
            assert "damaged line" in said
            assert "rename that file" in said
            refused += 1
        else:
            # Only the end of the last line may be lost: it is then as if it had not been written.
            assert found in (true, dict(list(true.items())[:-1]))
        other.unlink()
    assert refused > 350


@pytest.mark.parametrize("fails", ["write", "fsync"])
@pytest.mark.parametrize("number", [28, 5, 30])
def test_what_cannot_be_written_is_an_error_and_leaves_no_half(path, monkeypatch, fails, number) -> None:
    journal = Journal(path)
    journal.write(intent("a", "SENT"))

    def broken(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(os, fails, broken)
        with pytest.raises(JournalError, match="nothing was sent") as caught:
            journal.write(intent("b", "SENT"))
    assert len(str(caught.value).splitlines()) <= 3
    keys = {i.key for i in Journal(path).open_intents()}
    assert keys == ({"a"} if fails == "write" else {"a", "b"})


def test_half_a_write_and_then_a_full_disk(path: Path, monkeypatch) -> None:
    journal, real = Journal(path), os.write
    journal.write(intent("a", "SENT"))
    calls = []

    def half(handle: int, data: bytes) -> int:
        calls.append(data)
        if len(calls) > 1:
            raise OSError(28, "No space left on device")
        return real(handle, data[: len(data) // 2])

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", half)
        with pytest.raises(JournalError, match="No space left"):
            journal.write(intent("b", "SENT"))
        with pytest.raises(JournalError, match="No space left"):
            journal.write(intent("c", "SENT"))
    journal.write(intent("d", "SENT"))
    assert [i.key for i in Journal(path).open_intents()] == ["a", "d"]


def test_a_lock_that_nobody_lets_go_of_is_an_error(path: Path, monkeypatch) -> None:
    journal = Journal(path)
    monkeypatch.setattr(locks, "_PATIENCE", 0.05)
    handle = os.open(path, os.O_RDWR)
    assert locks.try_hold(handle)
    with pytest.raises(JournalError, match="cannot be locked"):
        journal.write(intent())
    os.close(handle)
    journal.write(intent())


def test_threads_and_processes_lose_nothing(path: Path) -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "from kalshi_research.trading.journal import Intent, Journal\n"
        "journal = Journal(Path(sys.argv[1]))\n"
        "for n in range(60):\n"
        "    journal.write(Intent(f'{sys.argv[2]}-{n}', 'create', 'SENT', journal.session, {}))\n"
    )
    others = [subprocess.Popen([sys.executable, "-c", code, os.fspath(path), str(n)]) for n in range(3)]
    journal = Journal(path)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: journal.write(intent(f"here-{n}", "SENT")), range(120)))
    assert [other.wait(60) for other in others] == [0, 0, 0]
    expected = {f"here-{n}" for n in range(120)} | {f"{p}-{n}" for p in range(3) for n in range(60)}
    assert {row["key"] for row in lines(path)} == expected
    assert set(Journal(path).intents()) == set(journal.intents()) == expected


def test_killed_writers_leave_a_journal_that_is_right(path: Path) -> None:
    """What a writer was told is written is there; the next one goes on after it."""
    code = (
        "import sys; from pathlib import Path\n"
        "from kalshi_research.trading.journal import Intent, Journal\n"
        "journal = Journal(Path(sys.argv[1]))\n"
        "for n in range(10_000):\n"
        "    journal.write(Intent(f'{sys.argv[2]}-{n}', 'create', 'SENT', journal.session, {}))\n"
        "    print(f'{sys.argv[2]}-{n}', flush=True)\n"
    )
    rng, told = random.Random(3), set()
    for number in range(15):
        command = [sys.executable, "-c", code, os.fspath(path), str(number)]
        writer = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert writer.stdout is not None
        first = writer.stdout.readline()
        time.sleep(rng.uniform(0, 0.05))  # the instant of its death is drawn
        writer.send_signal(signal.SIGKILL)
        told |= {first.strip(), *writer.stdout.read().split("\n")[:-1]} - {""}
        writer.wait(10)
        writer.stdout.close()
    found = Journal(path)
    assert told <= set(found.intents())
    assert not [i for i in found.open_intents() if found.is_alive(i.session)]
    assert len(list(path.parent.glob("*.session"))) == 1, "the marks of the dead are swept"


def test_who_lives_is_known_by_a_lock_that_dies_with_it(path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from kalshi_research.trading.journal import Journal\n"
        "journal = Journal(Path(sys.argv[1])); print(journal.session, flush=True); sys.stdin.read()\n"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", code, os.fspath(path)],
        stdout=subprocess.PIPE,
        stdin=subprocess.PIPE,
        text=True,
    )
    assert other.stdout is not None
    session = other.stdout.readline().strip()
    journal = Journal(path)
    assert journal.is_alive(session)
    busy = Intent("k", "create", "SENT", session, {}, until=time.time() + 60)
    assert journal.is_busy(busy, time.time())
    other.kill()
    other.wait(10)
    other.stdout.close()
    other.stdin.close()
    assert not journal.is_alive(session)
    assert not journal.is_busy(busy, time.time())


def test_open_states_are_those_that_are_looked_after() -> None:
    assert set(OPEN) == {"PREPARED", "SENT", "UNKNOWN"}
