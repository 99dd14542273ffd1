"""The journal of orders: written before an order is sent, so that none is ever lost.

One file for each exchange and key, one line for each step, only ever appended to, readable
by its owner alone. A line is flushed to the disk before what it announces is sent. Every
line carries a checksum; a last line that is torn stands for nothing, because what it would
have announced was not sent.

::

    PREPARED → SENT → ACKED (resting, partial, executed, canceled)
                    → REJECTED        the exchange said no
                    → NOT_PLACED      evidence says it never arrived
                    → UNKNOWN         → any of the three, by evidence

Now and then the file is folded: another one, which holds the newest state of all that still
matters and nothing else, takes its place at once. Who waits for the lock of the old one goes on in the
new one.
"""

from __future__ import annotations

import os
import secrets
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from kalshi_research.errors import JournalError, printable
from kalshi_research.trading.handles import open_own, read_from, sync_folder, write_all
from kalshi_research.trading.intents import OPEN, SETTLED, Intent, line_of, parsed_line
from kalshi_research.trading.locks import hold, release, try_hold
from kalshi_research.trading.mishaps import damaged, unreadable, unusable, unwritable

__all__ = ["OPEN", "SETTLED", "Intent", "Journal"]

_TORN: Final = b"#torn\n"
_FEW_LINES: Final = 5_000
"""So many are read in a twentieth of a second; folding them would gain nothing."""
_TURNS: Final = 100
_NO_FILE: Final = (-1, -1)


class Journal:
    """The journal in one file, for all threads of this process.

    Parameters
    ----------
    path : Path
        In a folder that exists and belongs to the user alone.
    check : callable, optional
        What of an intent cannot be acted on, in words; empty for nothing.

    Attributes
    ----------
    session : str
        Names this process among those that write here.
    workers : dict
        Which thread of this process is busy with which intent, or was.
    """

    def __init__(self, path: Path, *, check: Callable[[Intent], str] = lambda _: "") -> None:
        self.path = path
        self._check = check
        self.session = secrets.token_hex(8)
        self._intents: dict[str, Intent] = {}
        self._open: dict[str, Intent] = {}
        self._orders: dict[str, str] = {}
        self._offset = 0
        self._lines = 0
        self._file = _NO_FILE
        self._damaged = False
        self._dead: set[str] = set()
        self._lock = threading.RLock()
        self._held = False
        self.workers: dict[str, threading.Thread] = {}
        self._handles = [open_own(path)]
        self._handles.append(self._sign_on())
        mark = self._session_path(self.session)
        self._finish = weakref.finalize(self, _let_go, os.getpid(), self._handles, mark)

    @property
    def _handle(self) -> int:
        """Of the file that this process reads and writes; below 0 after the end."""
        return self._handles[0]

    # Reading

    def intents(self) -> dict[str, Intent]:
        """Everything in the journal by key, oldest first."""
        with self.locked():
            return dict(self._intents)

    def open_intents(self) -> list[Intent]:
        """Those that something has still to become of, oldest first."""
        with self.locked():
            return list(self._open.values())

    def order(self, order_id: str) -> Intent | None:
        """The intent that an order of the exchange came from."""
        with self.locked():
            key = self._orders.get(order_id)
            return self._intents.get(key) if key is not None else None

    def get(self, key: str) -> Intent | None:
        """One intent."""
        with self.locked():
            return self._intents.get(key)

    def some(self, keys: Iterable[str]) -> list[Intent]:
        """Several intents, those that there are."""
        with self.locked():
            return [self._intents[key] for key in keys if key in self._intents]

    def is_alive(self, session: str) -> bool:
        """Whether the process of a session still runs."""
        if session == self.session:
            return True
        if session in self._dead:
            return False
        path = self._session_path(session)
        try:
            handle = os.open(path, os.O_RDWR)
        except FileNotFoundError:
            self._dead.add(session)  # no other one will ever have its name
            return False
        except OSError:
            return False
        try:
            if not try_hold(handle):
                return True
            path.unlink(missing_ok=True)
            return False
        finally:
            os.close(handle)

    # Writing

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Be alone with the journal, among threads and processes, and up to date with it."""
        # Written so that an interrupt at any line leaves nothing held that the next call does not
        # set right.
        with self._lock:
            outermost = not self._held
            try:
                if outermost:
                    self._take()
                    self._catch_up()
                yield
            finally:
                if outermost:
                    self._held = False
                    if self._handle >= 0:
                        release(self._handle)

    def _take(self) -> None:
        try:
            self._hold_current()
        except OSError as error:
            raise unusable(self.path, "locked", error) from None
        self._held = True

    def _hold_current(self) -> None:
        for _ in range(_TURNS):
            hold(self._handle)
            if self._is_current():
                return
            # Another process has folded it: nobody reads this one any more.
            self._go_on_in(open_own(self.path))
        raise OSError(0, "another file takes its place again and again")

    def _is_current(self) -> bool:
        try:
            return os.path.samestat(os.fstat(self._handle), self.path.stat())
        except FileNotFoundError:  # somebody took it away; what is known is better kept here
            return not self._damaged

    def _go_on_in(self, handle: int) -> None:
        """Read and write another file from now on."""
        self._file = _NO_FILE  # the numbers of files that are gone are given to new ones
        before, self._handles[0] = self._handles[0], handle
        os.close(before)

    def write(self, *intents: Intent, durable: bool = True) -> None:
        """Append the newest state of intents.

        Parameters
        ----------
        *intents : Intent
        durable : bool
            Wait until the disk has it.

        Raises
        ------
        JournalError
            If it cannot be written, or could not be read again: that would stop everything from
            then on. What it announces must then not be sent.
        """
        with self.locked():
            lines = [line_of(intent) for intent in intents]
            for line in lines:
                found = parsed_line(line)
                problem = self._check(found) if found is not None else "it is damaged"
                if problem:
                    raise unwritable(self.path, problem)
            try:
                write_all(self._handle, b"".join(lines))
                if durable:
                    os.fsync(self._handle)
            except OSError as error:
                raise unusable(self.path, "written", error) from None
            finally:
                self._catch_up(mine=True)

    def note(self, key: str, **changes: Any) -> Intent:
        """Append a change of one intent, and answer it as it is then."""
        with self.locked():
            if key not in self._intents:  # another file was begun since
                raise JournalError(f"the order journal {printable(self.path)} does not know {key}.")
            changed = replace(self._intents[key], **changes)
            self.write(changed)
            return changed

    def settle(
        self,
        changes: Mapping[str, Mapping[str, Any]],
        *,
        seen: Iterable[Intent] = (),
        reopen: bool = False,
    ) -> dict[str, Intent]:
        """Append changes of intents that are still open, all at once.

        What another thread or process has settled meanwhile stays as it is.

        Parameters
        ----------
        changes : mapping
            Fields by name, by key.
        seen : iterable of Intent
            What the evidence is about. One that was sent again since then stays as it is.
        reopen : bool
            Also of those that are settled as not placed.

        Returns
        -------
        dict
            The intents by key, as they are then.
        """
        with self.locked():
            found = {key: self._intents[key] for key in changes if key in self._intents}
            before = {intent.key: intent.sending for intent in seen}
            changed = {
                key: replace(intent, **changes[key])
                for key, intent in found.items()
                if (intent.open or (reopen and intent.state == "NOT_PLACED"))
                and before.get(key, intent.sending) == intent.sending
            }
            if changed:
                self.write(*changed.values())
            return found | changed

    def fold(self, matters: Callable[[Intent], bool]) -> bool:
        """Begin the file anew with what still matters, if it is long and little of it does.

        Open intents are kept, and all those of processes that live.

        Parameters
        ----------
        matters : callable
            Whether a settled intent of a process that is gone is to be kept.

        Returns
        -------
        bool
            Whether it was done.
        """
        with self.locked():
            if self._lines < _FEW_LINES:
                return False
            alive = {session: self.is_alive(session) for session in self._sessions()}
            kept = [i for i in self._intents.values() if i.open or alive[i.session] or matters(i)]
            if 2 * len(kept) > self._lines:
                return False
            lines = b"".join(map(line_of, kept))
            # A folder that is full, or a system that lets no open file be replaced: it stays as it is.
            with suppress(OSError, JournalError):
                self._replace(lines)
                return True
            return False

    def _sessions(self) -> set[str]:
        return {intent.session for intent in self._intents.values()}

    def _replace(self, data: bytes) -> None:
        """Put a file with other contents in the place of this one; a crash leaves one of the two."""
        temporary = self.path.with_name(f"{self.path.stem}.{self.session}.folding")
        temporary.unlink(missing_ok=True)
        handle = open_own(temporary)
        try:
            hold(handle)  # nobody else knows its name
            write_all(handle, data)
            os.fsync(handle)
            temporary.replace(self.path)
        except BaseException:
            os.close(handle)
            temporary.unlink(missing_ok=True)
            raise
        # From here on others wait for the new file, whose lock is held.
        self._go_on_in(handle)
        sync_folder(self.path.parent)

    def close(self) -> None:
        """Let go of the files."""
        with self._lock:
            self._finish()

    # Inside

    def _sign_on(self) -> int:
        """Hold a file that says that this process lives; remove those of the dead."""
        for path in self.path.parent.glob(f"{self.path.stem}.*.session"):
            self.is_alive(path.name.split(".")[-2])
        for path in self.path.parent.glob(f"{self.path.stem}.*.folding"):
            if not self.is_alive(path.name.split(".")[-2]):
                path.unlink(missing_ok=True)
        path = self._session_path(self.session)
        for _ in range(10):
            handle = open_own(path)
            # Between opening and holding it another process may have swept it.
            if try_hold(handle) and path.exists() and os.path.samestat(os.fstat(handle), path.stat()):
                return handle
            os.close(handle)
        raise JournalError(f"no session can be begun beside {printable(self.path)}; nothing was sent.")

    def is_busy(self, intent: Intent, now: float) -> bool:
        """Whether somebody may still be sending an intent."""
        if not intent.open or intent.state == "UNKNOWN":
            return False
        if intent.session == self.session:
            worker = self.workers.get(intent.key)
            mine = worker is threading.current_thread()
            return worker is not None and not mine and worker.is_alive()
        return now < intent.until and self.is_alive(intent.session)

    def ended(self, *keys: str) -> None:
        """Nobody is sending these intents any more, an interrupt included: this thread was the one."""
        for key in keys:
            if self.workers.get(key) is threading.current_thread():
                del self.workers[key]

    def _session_path(self, session: str) -> Path:
        return self.path.with_name(f"{self.path.stem}.{session}.session")

    def _catch_up(self, *, mine: bool = False) -> None:
        """Read what was appended since; mark a torn end, whose writer is dead."""
        try:
            about = os.fstat(self._handle)
            size = about.st_size
            if (about.st_dev, about.st_ino) != self._file:
                self._forget()
                self._file = (about.st_dev, about.st_ino)
            if size < self._offset:
                self._damaged = True
                raise damaged(self.path, "is shorter than it was")
            data = read_from(self._handle, self._offset, size - self._offset)
            whole = data[: data.rfind(b"\n") + 1]
            if len(whole) < len(data) and not mine:
                write_all(self._handle, _TORN)
                os.fsync(self._handle)
                data = read_from(
                    self._handle, self._offset, os.fstat(self._handle).st_size - self._offset
                )
                whole = data[: data.rfind(b"\n") + 1]
        except OSError as error:
            raise unusable(self.path, "read", error) from None
        for line in whole.splitlines(keepends=True):
            found = parsed_line(line)
            problem = self._check(found) if found is not None else ""
            if found is not None and not problem:
                self._keep(found)
            elif not line.endswith(_TORN):
                number = self._lines + 1
                self._forget()
                self._damaged = True
                raise unreadable(self.path, number, line, problem)
            # Last, so that a line is read twice rather than not at all.
            self._offset += len(line)
            self._lines += 1
        self._damaged = False

    def _keep(self, intent: Intent) -> None:
        self._intents[intent.key] = intent
        if intent.open:
            self._open[intent.key] = intent
        else:
            self._open.pop(intent.key, None)
        if intent.order_id and intent.act == "create":
            self._orders[intent.order_id] = intent.key

    def _forget(self) -> None:
        self._offset = self._lines = 0
        for known in (self._intents, self._open, self._orders):
            known.clear()


def _let_go(process: int, handles: list[int], mark: Path) -> None:
    if process == os.getpid():  # a forked child must not take the mark of its parent away
        left, handles[:] = handles[:], [-1, -1]
        for handle in left:
            os.close(handle)
        mark.unlink(missing_ok=True)
