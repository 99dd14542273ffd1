"""Folding the journal: it stays short, whoever is writing, and whatever ends the one who folds."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from kalshi_research.trading import journal as journals
from kalshi_research.trading.journal import Intent, Journal

TERMS = {"ticker": "T", "price": 4200, "count": 100}
LINES = 60


@pytest.fixture
def path(tmp_path: Path, monkeypatch) -> Path:
    monkeypatch.setattr(journals, "_FEW_LINES", LINES)
    return tmp_path / "prod-x.jsonl"


def settled(key: str, session: str = "gone") -> list[Intent]:
    """Three lines of an order."""
    states = ("PREPARED", "SENT", "ACKED")
    return [Intent(key, "create", state, session, TERMS, order_id=f"o-{key}") for state in states]


def fill(journal: Journal, orders: int = LINES) -> None:
    for number in range(orders):
        journal.write(*settled(str(number)), durable=False)


def lines(path: Path) -> list[dict[str, object]]:
    """What the file holds, read by nothing of the library."""
    return [json.loads(line.split(" ", 1)[1]) for line in path.read_text().splitlines()]


def nothing(_: Intent) -> bool:
    return False


def test_what_matters_stays_as_it_was_last_and_the_rest_goes(path: Path) -> None:
    journal = Journal(path)
    fill(journal)
    journal.write(Intent("open", "create", "UNKNOWN", "gone", TERMS, since=7.5))
    journal.write(Intent("mine", "create", "REJECTED", journal.session, TERMS))
    before = journal.intents()
    assert journal.fold(lambda intent: intent.key == "5")
    kept = {key: before[key] for key in ("5", "open", "mine")}
    assert journal.intents() == Journal(path).intents() == kept
    assert [(row["key"], row["state"]) for row in lines(path)] == [
        ("5", "ACKED"),
        ("open", "UNKNOWN"),
        ("mine", "REJECTED"),
    ]
    assert [i.key for i in journal.open_intents()] == ["open"]
    assert journal.order("o-5") == before["5"]
    assert journal.order("o-6") is None
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_short_journal_and_one_that_matters_are_left_alone(path: Path) -> None:
    journal = Journal(path)
    fill(journal, LINES // 3 - 1)
    data = path.read_bytes()
    assert not journal.fold(nothing)
    assert path.read_bytes() == data
    for number in range(LINES):  # one line each, so that nothing would be gained
        journal.write(Intent(f"long {number}", "create", "REJECTED", "gone", TERMS))
    data = path.read_bytes()
    assert not journal.fold(lambda intent: intent.key.startswith("long"))
    assert path.read_bytes() == data
    assert journal.fold(nothing)


def test_another_process_that_had_it_open_goes_on_in_the_new_one(path: Path) -> None:
    first, second = Journal(path), Journal(path)
    fill(first)
    second.write(Intent("b", "create", "SENT", second.session, TERMS))
    assert first.fold(nothing)
    second.note("b", state="ACKED", order_id="o-b")
    second.write(Intent("c", "create", "SENT", second.session, TERMS))
    assert {key: intent.state for key, intent in first.intents().items()} == {"b": "ACKED", "c": "SENT"}
    assert first.intents() == second.intents() == Journal(path).intents()
    assert second.order("o-b") == first.get("b")


def test_writers_lose_nothing_while_it_is_folded_again_and_again(path: Path) -> None:
    """Two processes and two threads write and settle; each folds whenever it can."""
    code = (
        "import sys; from pathlib import Path\n"
        "from kalshi_research.trading import journal as journals\n"
        "from kalshi_research.trading.journal import Intent, Journal\n"
        f"journals._FEW_LINES = {LINES}\n"
        "journal = Journal(Path(sys.argv[1])); print('ready', flush=True)\n"
        "for n in range(150):\n"
        "    key = f'{sys.argv[2]}-{n}'\n"
        "    journal.write(Intent(key, 'create', 'SENT', 'gone', {}))\n"
        "    if n % 3: journal.note(key, state='ACKED')\n"
        "    journal.fold(lambda intent: False)\n"
    )
    others = [subprocess.Popen([sys.executable, "-c", code, os.fspath(path), str(n)]) for n in range(2)]
    journal = Journal(path)
    folded: list[bool] = []

    def work(name: str) -> None:
        for number in range(150):
            journal.write(Intent(f"{name}-{number}", "create", "SENT", "gone", TERMS))
            if number % 3:
                journal.note(f"{name}-{number}", state="ACKED")
            folded.append(journal.fold(nothing))

    threads = [threading.Thread(target=work, args=(f"here{n}",)) for n in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert [other.wait(120) for other in others] == [0, 0]
    assert sum(folded) > 1
    names = {f"{who}-{n}" for who in ("here0", "here1", "0", "1") for n in range(0, 150, 3)}
    assert {intent.key for intent in Journal(path).open_intents()} == names
    assert len(lines(path)) < 700


@pytest.mark.parametrize("point", ["fsync", "replace", "after"])
def test_killed_while_folding_nothing_open_is_lost(path: Path, point: str) -> None:
    journal = Journal(path)
    fill(journal)
    journal.write(Intent("open", "create", "SENT", "gone", TERMS))
    code = (
        "import os, signal, sys; from pathlib import Path\n"
        "from kalshi_research.trading import journal as journals\n"
        f"journals._FEW_LINES = {LINES}\n"
        "journal = journals.Journal(Path(sys.argv[1]))\n"
        "def die(*_): os.kill(os.getpid(), signal.SIGKILL)\n"
        "if sys.argv[2] == 'fsync': os.fsync = die\n"
        "elif sys.argv[2] == 'replace': Path.replace = die\n"
        "else: journals.Journal._go_on_in = die\n"
        "journal.fold(lambda intent: False)\n"
    )
    killed = subprocess.run([sys.executable, "-c", code, os.fspath(path), point], check=False)
    assert killed.returncode == -signal.SIGKILL
    journal.note("open", state="ACKED", order_id="o")
    after = Journal(path)
    assert after.get("open") == journal.get("open")
    assert len(after.intents()) == (1 if point == "after" else LINES + 1)
    assert not list(path.parent.glob("*.folding")), "what it left is swept by the next"


def test_where_nothing_can_be_replaced_it_stays_as_it_was(path: Path, monkeypatch) -> None:
    journal = Journal(path)
    fill(journal)
    before, data = journal.intents(), path.read_bytes()

    def refused(*_: object) -> None:
        raise PermissionError(13, "somebody has it open")

    for owner, name in ((os, "fsync"), (os, "write"), (Path, "replace")):
        with monkeypatch.context() as patch:
            patch.setattr(owner, name, refused)
            assert not journal.fold(lambda intent: intent.key == "5"), name
    assert path.read_bytes() == data
    assert not list(path.parent.glob("*.folding"))
    assert journal.intents() == before
    journal.write(Intent("later", "create", "SENT", journal.session, TERMS))
    assert "later" in Journal(path).intents()


def test_an_interrupt_while_folding_leaves_a_journal_that_works(path: Path, monkeypatch) -> None:
    journal = Journal(path)
    fill(journal)
    real = Path.replace

    def interrupted(self: Path, target: Path) -> Path:
        real(self, target)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", interrupted)
        with pytest.raises(KeyboardInterrupt):
            journal.fold(nothing)
    journal.write(Intent("later", "create", "SENT", journal.session, TERMS))
    assert list(journal.intents()) == list(Journal(path).intents()) == ["later"]


def test_lines_of_before_there_was_a_clock_of_the_exchange_are_read(path: Path) -> None:
    Journal(path).write(Intent("a", "create", "SENT", "gone", TERMS, sent_at=5.0))
    import zlib

    stored = lines(path)[0]
    del stored["since"]
    text = json.dumps(stored, separators=(",", ":"))
    path.write_text(f"{zlib.crc32(text.encode()):08x} {text}\n")
    found = Journal(path).get("a")
    assert found is not None
    assert (found.sent_at, found.since) == (5.0, 0.0)
