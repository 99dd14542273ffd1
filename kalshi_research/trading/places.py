"""Where the journals lie."""

from __future__ import annotations

import hashlib
import os
import stat
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from kalshi_research.errors import JournalError, printable

if TYPE_CHECKING:
    from kalshi_research.client import Client

__all__ = ["JOURNAL_VARIABLE", "journal_path"]

JOURNAL_VARIABLE: Final = "KALSHI_RESEARCH_JOURNAL"
"""The variable that names another folder for all journals."""


def journal_path(client: Client) -> Path:
    """The journal of one exchange and one key.

    Those of ``prod`` and ``demo`` lie in the data folder of the user. The key of a sandbox is made
    with the sandbox and is worth nothing after it, so its journal lies among the temporary files.
    Only hashes are in the name.

    Raises
    ------
    JournalError
        If the folder cannot be made, or others may write into it.
    """
    name = client.environment.name
    mark = hashlib.sha256(f"{name} {client.fingerprint}".encode()).hexdigest()[:20]
    folder = _folder(temporary=client.simulated)
    _make_private(folder)
    return folder / f"{name}-{mark}.jsonl"


def _folder(*, temporary: bool) -> Path:
    chosen = os.environ.get(JOURNAL_VARIABLE)
    if chosen:
        return Path(chosen).expanduser()
    if temporary:
        who = str(os.getuid()) if hasattr(os, "getuid") else "user"
        return Path(tempfile.gettempdir()) / f"kalshi-research-{who}"
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData/Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library/Application Support"
    else:
        base = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share")
    return base / "kalshi-research" / "journal"


def _make_private(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        found = folder.lstat()
    except OSError as error:
        problem = error.strerror or type(error).__name__
    else:
        if sys.platform == "win32":
            return
        problem = ""
        if not stat.S_ISDIR(found.st_mode):
            problem = "it is no folder"
        elif found.st_uid != os.getuid():
            problem = "it belongs to somebody else"
        elif found.st_mode & 0o022:
            problem = "others may write into it"
        if not problem:
            return
    raise JournalError(
        f"the folder of the order journal, {printable(folder)}, cannot be used: {problem}.\n"
        f"Nothing was sent. Set {JOURNAL_VARIABLE} to a folder of your own."
    )
