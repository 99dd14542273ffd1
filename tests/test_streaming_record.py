"""Recordings: what was acknowledged is readable, what is missing is a row, replay is live again."""

from __future__ import annotations

import fcntl
import json
import os
import random
import select
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest
from stream_faults import PATIENT, Faulty, until
from test_streaming_live import same_books

import kalshi_research as kr
from kalshi_research.errors import ArchiveError, PartialDataWarning
from kalshi_research.streaming import read_recording, stream
from kalshi_research.streaming import recorder as recorder_module

NAMES = ["M0", "M1", "M2"]
TICKER = "KXHIGHNY-26NOV21-B46.5"


@pytest.fixture
def venue() -> Iterator[Faulty]:
    with Faulty(NAMES) as made:
        yield made


def levels_at_end(replay: Any, name: str) -> tuple[list[tuple[int, int]], ...]:
    last = replay.books[replay.books["time"] == replay.books["time"].max()]
    mine = last[last["ticker"] == name]
    return tuple(
        [
            (round(row.price * 10_000), round(row.quantity * 100))
            for row in mine[mine["side"] == side].itertuples()
        ]
        for side in ("bid", "ask")
    )


def test_a_recording_is_replayed_to_the_books_of_the_stream(venue: Faulty, tmp_path: Path) -> None:
    with stream(venue.client(), NAMES, options=PATIENT) as live:
        live.wait()
        venue.churn(100)
        with live.record(tmp_path, every="50ms") as recorder:
            venue.churn(300)
            venue.do(lambda: venue.trade("M1", "T1"))
            until(lambda: same_books(live, venue, *NAMES) and len(live.trades()) == 1)
            until(lambda: recorder.acknowledged > 100)
        assert recorder.acknowledged == recorder.rows > 300
    recording = read_recording(tmp_path)
    replay = recording.replay(every=None)
    for name in NAMES:
        assert levels_at_end(replay, name) == venue.levels(name)
    assert replay.trades["trade_id"].tolist() == ["T1"]
    assert (replay.quotes["status"] == "live").all(), "the books as they stood come first"
    assert recording.holes["kind"].tolist() == ["begin", "end"]
    same = kr.replay_book(tmp_path, every=None)
    for frame in (*replay, *same):
        source = frame.attrs["kalshi"]
        assert (source["environment"], source["simulated"]) == ("sandbox", True)
    pd.testing.assert_frame_equal(same.quotes, replay.quotes)


def test_the_rows_say_what_the_messages_say(venue: Faulty, tmp_path: Path) -> None:
    with stream(venue.client(), NAMES, options=PATIENT) as live:
        live.wait()
        with live.record(tmp_path):
            venue.churn(50)
            until(lambda: same_books(live, venue, *NAMES))
    recording = read_recording(tmp_path)
    frame = recording.frame
    deltas = frame[frame["kind"] == "delta"]
    assert len(deltas) == 50
    for row in deltas.itertuples():
        message = json.loads(row.frame)["msg"]
        yes = float(message["price_dollars"])
        assert row.price == (yes if message["side"] == "yes" else round(1 - yes, 4))
        assert row.quantity == float(message["delta_fp"])
        assert row.side == {"yes": "bid", "no": "ask"}[message["side"]]
        assert (row.ticker, row.clock) == (message["market_ticker"], message["clock"])
    assert frame["arrival"].tolist() == list(range(len(frame)))
    assert frame.attrs["kalshi"]["simulated"] is True
    assert list(recording) == [text for text in frame["frame"] if text is not None]


def test_every_hole_is_a_row_and_repeated_messages_are_none(venue: Faulty, tmp_path: Path) -> None:
    with stream(venue.client(), NAMES, options=PATIENT) as live:
        live.wait()
        with live.record(tmp_path):
            seen: list[Any] = []

            def mangle(frame: Any) -> list[Any]:
                if frame["type"] != "orderbook_delta":
                    return [frame]
                seen.append(frame)
                return {3: [], 5: [frame, frame]}.get(len(seen), [frame])

            venue.mangle = mangle
            venue.churn(50)
            until(lambda: live.health.gaps == 1 and live.health.live == 3)
            venue.hang_up()
            until(lambda: live.health.reconnects == 1 and live.health.live == 3)
            venue.churn(50)
            until(lambda: same_books(live, venue, *NAMES))
    recording = read_recording(tmp_path)
    assert recording.holes["kind"].tolist() == ["begin", "hole", "break", "end"]
    hole = recording.holes.iloc[1]
    assert hole["note"].startswith("1 messages before number")
    assert (
        "without a goodbye" in recording.holes.iloc[2]["note"]
        or "broke" in recording.holes.iloc[2]["note"]
    )
    frame = recording.frame
    numbered = frame[frame["seq"].notna() & ~frame["kind"].isin(["hole"])]
    assert not numbered.duplicated(["connection", "sid", "seq"]).any()
    with pytest.warns(PartialDataWarning, match="1 holes"):
        replay = recording.replay(every=None)
    for name in NAMES:
        assert levels_at_end(replay, name) == venue.levels(name)
    told = replay.quotes.loc[replay.quotes["status"] == "syncing", "reason"].unique()
    assert any("goodbye" in text or "broke" in text for text in told), "the broken connection is seen"


def test_two_recorders_and_a_second_run_share_a_folder(venue: Faulty, tmp_path: Path) -> None:
    with stream(venue.client(), NAMES, options=PATIENT) as live:
        live.wait()
        with live.record(tmp_path), live.record(tmp_path):
            venue.churn(50)
            until(lambda: same_books(live, venue, *NAMES))
        with live.record(tmp_path):
            pass
    recording = read_recording(tmp_path)
    assert len(recording.runs) == 3
    assert all(run["ended"] for run in recording.runs)
    frame = recording.frame
    assert not frame.duplicated(["run", "arrival"]).any()
    assert frame["run"].nunique() == 3


def test_small_parts_are_put_together(
    venue: Faulty, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder_module, "_SMALL_PARTS", 4)
    with stream(venue.client(), NAMES, options=PATIENT) as live:
        live.wait()
        with live.record(tmp_path, every="1h") as recorder:
            for _ in range(10):
                venue.churn(50)
                until(lambda: same_books(live, venue, *NAMES))
                recorder.flush()
            assert len(list(tmp_path.glob("*.parquet"))) < 6
    assert len(list(tmp_path.glob("*.parquet"))) <= 3
    assert (read_recording(tmp_path).frame["kind"] == "delta").sum() == 500


def test_a_part_inside_another_counts_once(venue: Faulty, tmp_path: Path) -> None:
    """As a process leaves it that dies after putting parts together and before removing them."""
    with stream(venue.client(), NAMES, options=PATIENT) as live:
        live.wait()
        with live.record(tmp_path, every="1h") as recorder:
            venue.churn(50)
            until(lambda: same_books(live, venue, *NAMES))
            recorder.flush()
            early = {path: path.read_bytes() for path in tmp_path.glob("*.parquet")}
            venue.churn(50)
    for path, content in early.items():
        path.write_bytes(content)
    frame = read_recording(tmp_path).frame
    assert frame["arrival"].tolist() == list(range(len(frame)))


@pytest.mark.parametrize("offset", [0.1, 0.5, 0.9])
def test_a_damaged_part_is_named_and_the_rest_is_readable(
    venue: Faulty, tmp_path: Path, offset: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder_module, "_SMALL_PARTS", 1_000)
    monkeypatch.setattr(recorder_module.Recorder, "_merge", lambda self: None)
    with stream(venue.client(), NAMES, options=PATIENT) as live:
        live.wait()
        with live.record(tmp_path, every="1h") as recorder:
            for _ in range(3):
                venue.churn(50)
                until(lambda: same_books(live, venue, *NAMES))
                recorder.flush()
    parts = sorted(tmp_path.glob("*.parquet"))
    spoilt = bytearray(parts[1].read_bytes())
    spoilt[int(len(spoilt) * offset)] ^= 0x10
    parts[1].write_bytes(bytes(spoilt))
    with pytest.raises(ArchiveError, match="skip_damaged") as caught:
        _ = read_recording(tmp_path).frame
    assert parts[1].name in str(caught.value)
    with pytest.warns(PartialDataWarning):
        frame = read_recording(tmp_path, skip_damaged=True).frame
    holes = frame[frame["kind"] == "hole"]
    assert holes["note"].str.contains("missing or damaged").any()
    assert frame["arrival"].is_monotonic_increasing


def test_a_missing_part_is_a_hole(
    venue: Faulty, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder_module.Recorder, "_merge", lambda self: None)
    with stream(venue.client(), NAMES, options=PATIENT) as live:
        live.wait()
        with live.record(tmp_path, every="1h") as recorder:
            for _ in range(3):
                venue.churn(50)
                until(lambda: same_books(live, venue, *NAMES))
                recorder.flush()
    sorted(tmp_path.glob("*.parquet"))[1].unlink()
    holes = read_recording(tmp_path).holes
    assert holes["note"].str.contains("rows of the recording are missing").sum() == 1


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """While it is set the disk is full."""
    full, whole = threading.Event(), recorder_module.write_rows

    def write(*given: Any, **more: Any) -> Any:
        if full.is_set():
            raise ArchiveError("cannot write: No space left on device")
        return whole(*given, **more)

    monkeypatch.setattr(recorder_module, "write_rows", write)
    return full


def test_a_full_disk_loses_nothing_that_is_written_and_is_told(
    venue: Faulty, tmp_path: Path, full: threading.Event
) -> None:
    with stream(venue.client(), NAMES, options=PATIENT) as live:
        live.wait()
        with live.record(tmp_path, every="20ms") as recorder:
            venue.churn(50)
            until(lambda: recorder.acknowledged >= 50)
            full.set()
            venue.churn(100)
            until(lambda: "No space" in recorder.trouble)
            assert "NOT WRITING" in repr(recorder)
            assert any("No space" in text for text in live.health.problems)
            assert live.health.live == 3
            until(lambda: same_books(live, venue, *NAMES))
            full.clear()
            until(lambda: not recorder.trouble and recorder.acknowledged >= 150)
    assert (read_recording(tmp_path).frame["kind"] == "delta").sum() == 150


def test_a_folder_that_cannot_be_made_is_an_error(venue: Faulty, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with stream(venue.client(), NAMES, options=PATIENT) as live, pytest.raises(ArchiveError):
        live.record(tmp_path / "file" / "folder")
    with pytest.raises(ArchiveError, match="does not exist"):
        read_recording(tmp_path / "nothing")
    with pytest.raises(ArchiveError, match="no recording"):
        read_recording(tmp_path)


def test_what_is_of_an_account_is_for_its_owner_only(venue: Faulty, tmp_path: Path) -> None:
    with stream(venue.client(), NAMES, ("books", "fills"), options=PATIENT) as live:
        live.wait()
        with live.record(tmp_path):
            pass
    assert {path.stat().st_mode & 0o077 for path in tmp_path.glob("*.parquet")} == {0}


# Killed

RECORD = """
import sys
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from kalshi_research.client import connect
from kalshi_research.streaming import stream
client = connect(sys.argv[1], key_id="key", private_key=Ed25519PrivateKey.generate())
live = stream(client, ["M0", "M1", "M2"]).wait()
recorder = live.record(sys.argv[2], every="1h")
while True:
    recorder.flush()
    print(recorder.acknowledged, flush=True)
"""


def killed_recording(venue: Faulty, folder: Path, rng: random.Random) -> int:
    """Record in another process, kill it at some moment, and answer what it had acknowledged."""
    child = subprocess.Popen(
        [sys.executable, "-c", RECORD, f"http://127.0.0.1:{venue.port}", os.fspath(folder)],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert child.stdout is not None
    acknowledged = int(child.stdout.readline())
    stop = threading.Event()

    def churn() -> None:
        while not stop.is_set():
            venue.churn(50)

    churning = threading.Thread(target=churn)
    churning.start()
    try:
        deadline = time.monotonic() + rng.uniform(0.05, 0.4)
        while time.monotonic() < deadline:
            acknowledged = int(child.stdout.readline())
    finally:
        child.send_signal(signal.SIGKILL)
        stop.set()
        churning.join()
    said = [line for line in child.stdout.read().splitlines(keepends=True) if line.endswith("\n")]
    child.wait()
    child.stdout.close()
    return int(said[-1]) if said else acknowledged


def test_what_was_acknowledged_survives_a_kill(venue: Faulty, tmp_path: Path) -> None:
    """Every time: readable, nothing acknowledged is lost, nothing is there twice, the end is told."""
    rng = random.Random(3)
    total = 0
    for turn in range(4):
        total += killed_recording(venue, tmp_path, rng)
        recording = read_recording(tmp_path)
        frame = recording.frame
        runs = frame[frame["note"] != recording.holes["note"].iloc[-1]].groupby("run", observed=True)
        assert len(runs) == turn + 1
        assert sum(len(rows) for _, rows in runs) >= total
        for _, rows in runs:
            real = rows[~rows["note"].str.contains("no end", na=False)]
            assert real["arrival"].tolist() == list(range(len(real)))
        assert recording.holes["note"].str.contains("no end").sum() == turn + 1
        for path in tmp_path.glob("*.parquet"):
            pq.ParquetFile(path, page_checksum_verification=True).read()
    begins = recording.holes.loc[recording.holes["kind"] == "begin", "note"]
    assert begins.str.contains("ended without a goodbye").sum() == 3


# From a terminal


def has_a_book(folder: Path) -> bool:
    """Whether a book is on the disk; the first part may hold less."""
    return bool(list(folder.glob("*.parquet"))) and "snapshot" in set(
        read_recording(folder).frame["kind"]
    )


def test_the_record_command_records_until_it_is_stopped(tmp_path: Path) -> None:
    folder = tmp_path / "books"
    arguments = ["record", "KXHIGHNY-26NOV21-B46.5", "--output", os.fspath(folder), "--every", "100ms"]
    process = subprocess.Popen(
        [sys.executable, "-m", "kalshi_research", *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert "SIMULATED" in process.stdout.readline()
    assert "messages" in process.stdout.readline()
    until(lambda: has_a_book(folder), 30)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (0, "")
    assert "Stopped after 0:00:" in out
    recording = read_recording(folder)
    assert recording.holes["kind"].tolist() == ["begin", "end"]
    assert recording.replay().quotes["status"].iloc[-1] == "live"


def test_the_record_command_says_what_is_wrong(
    venue: Faulty, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from kalshi_research.cli import main

    monkeypatch.setattr("kalshi_research.cli._stop_at_signals", lambda *events: None)
    url = f"http://127.0.0.1:{venue.port}"
    assert main(["record", "M0", "-e", url, "-o", os.fspath(tmp_path / "a")]) == 2
    out, err = capsys.readouterr()
    assert out == "", "nothing is being recorded"
    assert "needs a key" in err
    assert "KALSHI_SANDBOX_KEY_ID and KALSHI_SANDBOX_PRIVATE_KEY_PATH" in err
    assert main(["record", "M0", "-c", "candles", "-o", os.fspath(tmp_path / "a")]) == 2
    assert "no channel" in capsys.readouterr().err
    for duration in ("-1", "0", "nan"):
        where = ["-o", os.fspath(tmp_path / "a"), "--duration", duration]
        assert main(["record", TICKER, *where]) == 2
        assert "must be above 0 seconds" in capsys.readouterr().err
    assert not (tmp_path / "a").exists()


def test_channels_may_be_written_with_a_space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from kalshi_research.cli import main

    monkeypatch.setattr("kalshi_research.cli._stop_at_signals", lambda *events: None)
    where = ["-o", os.fspath(tmp_path), "--duration", "0.1"]
    assert main(["record", TICKER, "-c", "books, trades", *where]) == 0
    assert read_recording(tmp_path).runs[0]["channels"] == ["books", "trades"]


AT_A_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.executable, [sys.executable, "-m", "kalshi_research", *sys.argv[1:]])
"""


class Terminal:
    """A terminal of 60 columns with the command in it."""

    def __init__(self, *arguments: str) -> None:
        self.said = ""
        self.handle, theirs = os.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 60, 0, 0))
        self.process = subprocess.Popen(
            [sys.executable, "-c", AT_A_TERMINAL, *arguments],
            stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
            env={name: value for name, value in os.environ.items() if name != "COLUMNS"},
        )  # fmt: skip
        os.close(theirs)

    def wait_for(self, text: str) -> None:
        """Until it has said this."""
        deadline = time.monotonic() + 60
        while text not in self.read():
            assert self.process.poll() is None, f"it has ended: {self.said}"
            assert time.monotonic() < deadline, f"it says only: {self.said}"
            time.sleep(0.01)

    def read(self) -> str:
        """What is on the screen, with all that was written over."""
        while select.select([self.handle], [], [], 0)[0]:
            try:
                self.said += os.read(self.handle, 65_536).decode()
            except OSError:  # the command has ended
                break
        return self.said


@pytest.mark.parametrize("how", ["Ctrl-C", "SIGTERM", "the terminal is closed"])
def test_a_person_records_at_a_terminal(tmp_path: Path, how: str) -> None:
    folder = tmp_path / "books"
    arguments = ["record", TICKER, "-o", os.fspath(folder), "--every", "100ms", "--speed", "600"]
    terminal = Terminal(*arguments)
    terminal.wait_for("rows written")
    until(lambda: list(folder.glob("*.parquet")), 30)
    if how == "Ctrl-C":
        os.write(terminal.handle, b"\x03")
    elif how == "SIGTERM":
        terminal.process.terminate()
    else:
        os.close(terminal.handle)
    if how != "the terminal is closed":
        terminal.wait_for("recording.replay()")
        lines = [line.replace("^C", "") for line in terminal.said.replace("\x1b[K", "\r").split("\r")]
        shown = [line for line in lines if "books live" in line and "Stopped" not in line]
        assert shown
        assert all(len(line) < 60 for line in shown), "a line that is too long would not be overwritten"
        assert f"kr.read_recording({os.fspath(folder)!r})" in terminal.said
        assert "Traceback" not in terminal.said
    assert terminal.process.wait(30) == 0
    if how != "the terminal is closed":
        os.close(terminal.handle)
    assert read_recording(folder).holes["kind"].tolist() == ["begin", "end"]


def test_nobody_reads_what_the_record_command_says(tmp_path: Path) -> None:
    """As in `kalshi-research record … | head -1`: the recording matters, and goes on."""
    folder = tmp_path / "books"
    arguments = ["record", TICKER, "-o", os.fspath(folder), "--every", "50ms", "--duration", "1"]
    process = subprocess.Popen(
        [sys.executable, "-m", "kalshi_research", *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(60) == 0
    assert process.stderr.read() == ""
    process.stderr.close()
    assert read_recording(folder).holes["kind"].tolist() == ["begin", "end"]


def test_an_interrupt_before_anything_is_recorded_ends_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from kalshi_research.cli import main
    from kalshi_research.streaming import terminal

    def still_connecting(stop: threading.Event, *_: Any, **__: Any) -> str:
        signal.raise_signal(signal.SIGTERM)
        raise AssertionError("it goes on")

    monkeypatch.setattr(terminal, "record_until", still_connecting)
    before = {name: signal.getsignal(name) for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        assert main(["record", TICKER, "-o", os.fspath(tmp_path / "a")]) == 130
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)
    assert "Traceback" not in capsys.readouterr().err


def test_a_ticker_without_a_book_is_told_and_the_others_are_recorded(
    venue: Faulty, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kalshi_research.streaming import terminal

    monkeypatch.setattr(terminal, "_PATIENCE", 1.0)
    told: list[str] = []
    stop = threading.Event()

    def tell(problem: str) -> None:
        told.append(problem)
        stop.set()

    said = terminal.record_until(
        stop, venue.client(), ["M0", "NOBODY"], tmp_path / "a", tell=tell, options=PATIENT, every="10ms"
    )
    assert told == ["no book of NOBODY has come; is that its ticker?"]
    assert "1 of 2 books live" in said


def test_a_recording_that_fails_says_where_it_is(
    venue: Faulty, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from kalshi_research import cli
    from kalshi_research.streaming import terminal

    def failing(*_: Any, begun: Any, **__: Any) -> str:
        begun()
        raise ArchiveError("cannot write: No space left on device")

    monkeypatch.setattr(terminal, "record_until", failing)
    monkeypatch.setattr(cli, "_stop_at_signals", lambda *events: None)
    assert cli.main(["record", TICKER, "-o", os.fspath(tmp_path / "a")]) == 2
    out, err = capsys.readouterr()
    assert f"recorded until then is in {tmp_path / 'a'}" in out
    assert "No space left" in err


# What a long recording must not do


def test_drafts_of_killed_processes_are_swept_and_others_stay(venue: Faulty, tmp_path: Path) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    left = tmp_path / f".20261121T160000-{gone.pid}-abcdef-0-9-0.parquet.{gone.pid}-01234567.draft"
    mine = tmp_path / f".a.parquet.{os.getpid()}-01234567.draft"
    old = tmp_path / f".b.parquet.{os.getpid()}-89abcdef.draft"
    note = tmp_path / ".notes.draft"
    for path in (left, mine, old, note):
        path.write_bytes(b"half")
    os.utime(old, (time.time() - 7200, time.time() - 7200))
    with stream(venue.client(), NAMES, options=PATIENT) as live:
        live.wait().record(tmp_path)
    assert {path.name for path in tmp_path.glob(".*")} == {mine.name, note.name}


def test_a_reader_never_misses_what_is_put_together_meanwhile(
    venue: Faulty, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder_module, "_SMALL_PARTS", 3)
    with stream(venue.client(), NAMES, options=PATIENT) as live:
        live.wait()
        with live.record(tmp_path, every="2ms") as recorder:
            for _ in range(40):
                venue.churn(50)
                known = recorder.acknowledged
                frame = read_recording(tmp_path).frame
                real = frame[frame["kind"] != "hole"]
                assert len(real) >= known
                assert real["arrival"].tolist() == list(range(len(real)))
                assert frame["note"].str.contains("missing").sum() == 0


def test_a_part_that_vanishes_under_the_reader_is_found_in_the_larger_one(
    venue: Faulty, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worst moment: parts are listed, and put together before they are read."""
    from kalshi_research.streaming import recordings

    with stream(venue.client(), NAMES, options=PATIENT) as live:
        live.wait()
        recorder = live.record(tmp_path, every="1h")
        for _ in range(3):
            venue.churn(50)
            until(lambda: same_books(live, venue, *NAMES))
            recorder.flush()
        listed = recordings.found_parts
        begun: list[Any] = []

        def list_and_close(folder: Path) -> Any:
            found = listed(folder)
            if not begun:
                begun.extend(found)
                recorder.close()
            return found

        monkeypatch.setattr(recordings, "found_parts", list_and_close)
        frame = read_recording(tmp_path).frame
    assert len(begun) == 3
    assert len(list(tmp_path.glob("*.parquet"))) == 1
    real = frame[frame["kind"] != "hole"]
    assert real["arrival"].tolist() == list(range(recorder.rows))


def test_much_is_written_before_its_time_and_nothing_is_dropped(
    venue: Faulty, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder_module, "_ENOUGH", 200)
    monkeypatch.setattr(recorder_module, "_MOST_WAITING", 600)
    with stream(venue.client(), NAMES, options=PATIENT) as live:
        live.wait()
        with live.record(tmp_path, every="1h") as recorder:
            for turn in range(10):
                venue.churn(200)
                until(lambda: same_books(live, venue, *NAMES))
                until(lambda turn=turn: recorder.acknowledged >= 200 * (turn + 1))
            assert recorder.dropped == 0
    assert (read_recording(tmp_path).frame["kind"] == "delta").sum() == 2000


def test_what_is_dropped_while_the_disk_is_full_is_counted_in_a_hole(
    venue: Faulty, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, full: threading.Event
) -> None:
    monkeypatch.setattr(recorder_module, "_MOST_WAITING", 100)
    with stream(venue.client(), NAMES, options=PATIENT) as live:
        live.wait()
        with live.record(tmp_path, every="10ms") as recorder:
            full.set()
            venue.churn(500)
            until(lambda: same_books(live, venue, *NAMES))
            full.clear()
            until(lambda: recorder.dropped > 0 and not recorder.trouble)
            venue.churn(50)
            until(lambda: same_books(live, venue, *NAMES))
    frame = read_recording(tmp_path).frame
    holes = frame[frame["kind"] == "hole"]["note"].tolist()
    told = [int(note.split()[0].replace(",", "")) for note in holes if "disk" in note]
    missing = [int(note.split()[0].replace(",", "")) for note in holes if "before number" in note]
    assert sum(told) == recorder.dropped > 0
    assert sum(missing) <= sum(told), "the numbers of the exchange tell of the same hole"
    assert missing
    assert frame["arrival"].tolist() == list(range(len(frame)))


def test_a_close_that_fails_can_be_repeated_and_loses_nothing(
    venue: Faulty, tmp_path: Path, full: threading.Event
) -> None:
    with stream(venue.client(), NAMES, options=PATIENT) as live:
        live.wait()
        recorder = live.record(tmp_path, every="1h")
        venue.churn(100)
        until(lambda: same_books(live, venue, *NAMES))
        full.set()
        for act in (recorder.flush, recorder.close, recorder.close):
            with pytest.raises(ArchiveError, match="No space"):
                act()
        full.clear()
        recorder.close()
        assert live._engine.recorders == []
        until(lambda: not recorder._thread.is_alive())
    recording = read_recording(tmp_path)
    assert (recording.frame["kind"] == "delta").sum() == 100
    assert recording.holes["kind"].tolist() == ["begin", "end"]


def test_an_interrupt_while_one_waits_for_the_disk_tears_nothing(
    venue: Faulty, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C in `flush` and in `close`: the thread that writes goes on, and closing again works."""
    slow, whole = threading.Event(), recorder_module.write_rows
    writing = threading.Event()

    def write(*given: Any, **more: Any) -> Any:
        writing.set()
        assert slow.wait(10)
        return whole(*given, **more)

    monkeypatch.setattr(recorder_module, "write_rows", write)
    with stream(venue.client(), NAMES, options=PATIENT) as live:
        live.wait()
        recorder = live.record(tmp_path, every="1h")
        venue.churn(100)
        until(lambda: same_books(live, venue, *NAMES))
        for act in (recorder.flush, recorder.close):
            writing.clear()
            slow.clear()
            venue.churn(50)

            def interrupt() -> None:
                assert writing.wait(10)
                os.kill(os.getpid(), signal.SIGINT)

            interrupting = threading.Thread(target=interrupt)
            interrupting.start()
            with pytest.raises(KeyboardInterrupt):
                act()
            interrupting.join()
            slow.set()
        recorder.close()
    recording = read_recording(tmp_path)
    assert recording.holes["kind"].tolist() == ["begin", "end"]
    frame = recording.frame
    assert frame["arrival"].tolist() == list(range(len(frame)))
    assert (frame["kind"] == "delta").sum() >= 150


def test_a_message_that_no_column_can_hold_is_kept_as_it_came(venue: Faulty, tmp_path: Path) -> None:
    with stream(venue.client(), NAMES, options=PATIENT) as live:
        live.wait()
        with live.record(tmp_path, every="1h") as recorder:
            mangled: list[Any] = []

            def mangle(frame: Any) -> list[Any]:
                if frame["type"] != "orderbook_delta" or mangled:
                    return [frame]
                mangled.append(frame)
                return [{**frame, "msg": {**frame["msg"], "ts_ms": 1 << 61}}]

            venue.mangle = mangle
            venue.churn(50)
            until(lambda: same_books(live, venue, *NAMES))
            recorder.flush()
    frame = read_recording(tmp_path).frame
    assert (frame["kind"] == "delta").sum() == 49
    unreadable = frame[frame["kind"] == "unreadable"]
    assert [json.loads(text)["msg"]["ts_ms"] for text in unreadable["frame"]] == [1 << 61]


def test_a_recording_killed_before_its_first_part_is_told(tmp_path: Path, venue: Faulty) -> None:
    with stream(venue.client(), NAMES, options=PATIENT) as live:
        live.wait()
        with live.record(tmp_path):
            pass
    about = json.loads(next(tmp_path.glob("*.json")).read_bytes())
    run = "20991231T000000000000-1-abcdef"
    (tmp_path / f"{run}.json").write_text(json.dumps({**about, "run": run, "ended": None}))
    holes = read_recording(tmp_path).holes
    assert holes["kind"].tolist() == ["begin", "end", "hole"]
    assert holes["run"].iloc[-1] == run
