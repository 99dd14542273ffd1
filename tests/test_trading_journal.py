"""The journal of orders: what is in it is true, whoever writes, and however the writer ends."""

from __future__ import annotations

import json
import os
import random
import signal
import stat
import subprocess
import sys
import threading
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
        with pytest.raises(JournalError, match=r"cannot be written \(No space left"):
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


# What each guard of the file is there for


@pytest.mark.parametrize(
    "read",
    [
        lambda journal: journal.intents()["a"],
        lambda journal: journal.open_intents()[0],
        lambda journal: journal.order("o"),
        lambda journal: journal.get("a"),
        lambda journal: journal.some(["a"])[0],
        lambda journal: journal.note("a", note="n"),
        lambda journal: journal.settle({"a": {"note": "n"}})["a"],
    ],
)
def test_whoever_asks_hears_the_news_of_others(path: Path, read) -> None:
    first, second = Journal(path), Journal(path)
    second.write(intent("a", "SENT", order_id="o"))
    assert read(first).state == "SENT"


def test_a_note_keeps_what_another_process_found_out(path: Path) -> None:
    first, second = Journal(path), Journal(path)
    first.write(intent("a", "SENT"))
    second.note("a", state="ACKED", order_id="o", remaining=100)
    assert first.settle({"a": {"state": "UNKNOWN"}})["a"].state == "ACKED"
    assert first.note("a", note="n").order_id == "o"
    first.write(intent("b", "NOT_PLACED"))
    assert first.settle({"b": {"state": "ACKED"}})["b"].state == "NOT_PLACED"
    assert first.settle({"b": {"state": "ACKED"}, "c": {}}, reopen=True)["b"].state == "ACKED"
    assert second.get("b").state == "ACKED"  # type: ignore[union-attr]


def test_an_order_is_the_one_that_was_created_not_its_changes(path: Path) -> None:
    journal = Journal(path)
    journal.write(intent("a", "ACKED", order_id="o"))
    journal.write(Intent("change", "amend", "SENT", "s", {}, order_id="o"), intent("b", "SENT"))
    assert journal.order("o").key == "a"  # type: ignore[union-attr]
    assert journal.order("") is None
    assert journal.order("other") is None


def test_nothing_to_say_costs_no_disk_and_what_is_not_urgent_does_not_wait(
    path: Path, monkeypatch
) -> None:
    journal, synced = Journal(path), []
    journal.write(intent("a", "SENT"))
    monkeypatch.setattr(os, "fsync", synced.append)
    journal.settle({})
    journal.settle({"unknown": {"state": "ACKED"}})
    journal.write(intent("b"), durable=False)
    assert synced == []
    journal.write(intent("c"))
    assert len(synced) == 1


def test_only_what_is_new_is_read(path: Path, monkeypatch) -> None:
    journal = Journal(path)
    journal.write(*(intent(str(number)) for number in range(50)))
    counts, real = [], os.read
    monkeypatch.setattr(os, "read", lambda handle, count: counts.append(count) or real(handle, count))
    journal.get("1")
    journal.write(intent("51"))
    assert sum(counts) < 600


def test_nobody_writes_into_what_is_there_wherever_the_file_stands(path: Path) -> None:
    journal = Journal(path)
    journal.write(intent("a"))
    before = path.read_bytes()
    os.lseek(journal._handle, 0, os.SEEK_SET)
    os.write(journal._handle, b"x")
    assert path.read_bytes() == before + b"x"


def test_a_journal_that_was_cut_or_taken_away(path: Path) -> None:
    journal = Journal(path)
    journal.write(intent("a", "SENT"), intent("b", "SENT"))
    path.rename(path.with_name("elsewhere.jsonl"))
    assert [i.key for i in journal.open_intents()] == ["a", "b"], "what is known is kept"
    journal.write(intent("c", "SENT"))
    path.with_name("elsewhere.jsonl").rename(path)
    os.truncate(path, path.stat().st_size // 2)
    for _ in range(2):  # as long as it is so: what is gone must not be taken for what never was
        with pytest.raises(JournalError, match="is shorter than it was; nothing was sent"):
            journal.get("a")
    path.rename(path.with_name("elsewhere.jsonl"))
    journal.write(intent("d", "SENT"))
    assert [i.key for i in Journal(path).open_intents()] == ["d"], "a new one is begun"


def test_a_damaged_journal_is_given_up_or_mended_as_its_message_says(path: Path) -> None:
    journal = Journal(path)
    journal.write(intent("a", "SENT"))
    whole = path.read_bytes()
    path.write_bytes(whole + b"a line of somebody else\n")
    for _ in range(2):
        with pytest.raises(JournalError, match=r"damaged line \(2\).*\n.*rename that file: a new one"):
            journal.open_intents()
    path.write_bytes(whole)
    assert [i.key for i in journal.open_intents()] == ["a"], "mended in place"
    path.write_bytes(whole + b"a line of somebody else\n")
    with pytest.raises(JournalError, match="damaged line"):
        journal.get("a")
    path.rename(path.with_name("elsewhere.jsonl"))
    journal.write(intent("b", "SENT"))
    assert [i.key for i in journal.open_intents()] == ["b"]
    assert [i.key for i in Journal(path).open_intents()] == ["b"], "a new one, for everybody"


def test_a_file_that_changes_places_all_the_time_is_an_error(path: Path, monkeypatch) -> None:
    journal = Journal(path)
    monkeypatch.setattr(os.path, "samestat", lambda *_: False)
    with pytest.raises(JournalError, match=r"cannot be locked.*nothing was sent"):
        journal.write(intent("a"))


def test_a_disk_that_cannot_be_read_is_an_error(path: Path, monkeypatch) -> None:
    Journal(path).write(intent("a"))
    journal = Journal(path)

    def broken(*_: object) -> bytes:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "read", broken)
        with pytest.raises(JournalError, match=r"cannot be read \(Input/output error\)"):
            journal.get("a")
    assert journal.get("a") is not None


def test_a_stretch_that_is_not_there_any_more_is_not_waited_for(path: Path) -> None:
    from kalshi_research.trading.handles import read_from

    path.write_bytes(b"abcdef")
    with path.open("rb") as file:
        assert read_from(file.fileno(), 2, 100) == b"cdef"


def test_while_one_is_alone_with_it_nobody_else_is(path: Path) -> None:
    first, second = Journal(path), Journal(path)
    done: list[str] = []
    others = [
        threading.Thread(target=lambda: (first.write(intent("t", "SENT")), done.append("thread"))),
        threading.Thread(target=lambda: (second.write(intent("p", "SENT")), done.append("process"))),
    ]
    with first.locked():
        for other in others:
            other.start()
            other.join(0.2)
        assert done == []
        first.write(intent("a", "SENT"))
        handle = os.open(path, os.O_RDWR)
        assert not locks.try_hold(handle), "what is done inside does not let go of it"
        os.close(handle)
    for other in others:
        other.join(10)
    assert sorted(done) == ["process", "thread"]
    assert set(first.intents()) == {"a", "t", "p"}


def test_the_lock_is_taken_once_and_let_go_of_whatever_happens_inside(path: Path, monkeypatch) -> None:
    from kalshi_research.trading import journal as module

    journal, real, taken = Journal(path), module.hold, []
    monkeypatch.setattr(module, "hold", lambda handle: taken.append(handle) or real(handle))
    with journal.locked():
        journal.write(intent("a"))
        journal.get("a")
    assert len(taken) == 1
    with pytest.raises(ZeroDivisionError), journal.locked():
        _ = 1 / 0
    handle = os.open(path, os.O_RDWR)
    assert locks.try_hold(handle)
    os.close(handle)
    with journal.locked():
        journal.close()  # as at the end of a process


def test_a_fold_loses_nothing_that_another_process_wrote_meanwhile(long: Journal, path: Path) -> None:
    other = Journal(path)
    long.get("1")
    other.write(intent("fresh", "SENT"))
    assert long.fold(lambda _: False)
    assert "fresh" in Journal(path).intents()


def test_who_lives(path: Path) -> None:
    first, second = Journal(path), Journal(path)
    assert second.is_alive(first.session)
    mark = first._session_path(first.session)
    mark.unlink()
    assert first.is_alive(first.session), "one's own life needs no proof"
    assert not second.is_alive("never-lived")
    second._session_path("odd").mkdir()
    assert not second.is_alive("odd")


def test_the_beginning_of_a_session_survives_a_sweep_in_the_same_moment(path: Path, monkeypatch) -> None:
    from kalshi_research.trading import journal as module

    real, calls = module.try_hold, []

    def swept(handle: int) -> bool:
        calls.append(handle)
        (mark,) = path.parent.glob("*.session") or [None]
        if len(calls) == 1:
            return False
        if len(calls) == 2:
            mark.unlink()
        if len(calls) == 3:
            mark.unlink()
            mark.touch()
        return real(handle)

    monkeypatch.setattr(module, "try_hold", swept)
    made = Journal(path)
    monkeypatch.undo()
    assert Journal(path).is_alive(made.session)
    monkeypatch.setattr(module, "try_hold", lambda _: False)
    with pytest.raises(JournalError, match="no session can be begun"):
        Journal(path)


def test_who_is_busy(path: Path) -> None:
    first, second = Journal(path), Journal(path)
    row = Intent("a", "create", "SENT", first.session, TERMS, until=100.0)
    stop = threading.Event()
    worker = threading.Thread(target=stop.wait, daemon=True)
    worker.start()
    first.workers["a"] = worker
    assert first.is_busy(row, 200.0), "a thread that lives may be slow"
    assert second.is_busy(row, 99.0)
    assert not second.is_busy(row, 100.0), "after its deadline nobody sends it"
    for state in ("UNKNOWN", "ACKED", "REJECTED", "NOT_PLACED"):
        done = Intent("a", "create", state, first.session, TERMS, until=100.0)
        assert not first.is_busy(done, 50.0)
        assert not second.is_busy(done, 50.0)
    stop.set()
    worker.join()
    assert not first.is_busy(row, 50.0)
    first.workers["a"] = threading.current_thread()
    assert not first.is_busy(row, 50.0), "one does not wait for oneself"
    gone = Intent("a", "create", "SENT", "gone", TERMS, until=100.0)
    assert not first.is_busy(gone, 50.0)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_child_leaves_the_journal_of_its_parent_alone(path: Path) -> None:
    journal = Journal(path)
    child = os.fork()
    if not child:
        journal.close()
        os._exit(0)
    os.waitpid(child, 0)
    assert Journal(path).is_alive(journal.session)
    journal.write(intent("a"))
    journal.close()
    journal.close()
    assert not Journal(path).is_alive(journal.session)


@pytest.fixture
def long(path: Path, monkeypatch) -> Journal:
    """A journal of twenty lines, which is thought to be long."""
    from kalshi_research.trading import journal as module

    monkeypatch.setattr(module, "_FEW_LINES", 10)
    made = Journal(path)
    made.write(*(Intent(str(n), "create", "ACKED", "gone", TERMS) for n in range(18)))
    made.write(intent("open", "SENT"), intent("matters", "ACKED"))
    return made


def test_what_is_folded_away_is_what_does_not_matter(long: Journal, path: Path, monkeypatch) -> None:
    other, steps = Journal(path), []
    other.get("1")
    real_sync, real_replace = os.fsync, Path.replace
    monkeypatch.setattr(os, "fsync", lambda handle: steps.append("fsync") or real_sync(handle))
    monkeypatch.setattr(
        Path, "replace", lambda old, new: steps.append("replace") or real_replace(old, new)
    )
    with long.locked():
        assert long.fold(lambda row: row.key == "matters")
        handle = os.open(path, os.O_RDWR)
        assert not locks.try_hold(handle), "the new file is held before anybody can see it"
        os.close(handle)
    assert steps == ["fsync", "replace", "fsync"]
    assert set(other.intents()) == set(long.intents()) == {"open", "matters"}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    other.write(intent("next", "SENT"))
    assert set(Journal(path).intents()) == {"open", "matters", "next"}
    assert not long.fold(lambda _: False), "it is short now"


def test_what_is_not_worth_it_is_not_folded(long: Journal, path: Path) -> None:
    before = path.read_bytes()
    assert not long.fold(lambda row: row.key.isdigit()), "nearly all of it matters"
    assert path.read_bytes() == before


@pytest.mark.parametrize("fails", ["replace", "fsync", "write"])
def test_a_fold_that_fails_leaves_everything_as_it_was(long, path, monkeypatch, fails) -> None:
    def broken(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path if fails == "replace" else os, fails, broken)
        assert not long.fold(lambda _: False)
    assert len(long.intents()) == 20
    long.write(intent("next", "SENT"))
    assert len(Journal(path).intents()) == 21
    assert list(path.parent.glob("*.folding")) == []


def test_half_a_fold_of_the_dead_is_swept_and_that_of_the_living_is_not(path: Path) -> None:
    living = Journal(path)
    theirs = path.with_name(f"{path.stem}.{living.session}.folding")
    dead = path.with_name(f"{path.stem}.gone.folding")
    theirs.touch()
    dead.touch()
    Journal(path)
    assert (theirs.exists(), dead.exists()) == (True, False)
