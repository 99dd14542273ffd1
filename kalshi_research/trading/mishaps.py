"""What is said when the journal of orders cannot be used."""

from __future__ import annotations

from pathlib import Path

from kalshi_research.errors import JournalError, printable, quoted

__all__ = ["damaged", "unreadable", "unusable", "unwritable"]


def unusable(path: Path, what: str, error: OSError) -> JournalError:
    """The error of a file that the system does not let us use."""
    reason = error.strerror or type(error).__name__
    return JournalError(
        f"the order journal {printable(path)} cannot be {what} ({reason}); nothing was sent.\n"
        "An order that is not written down first could be lost. Make room, or mend the permissions."
    )


def damaged(path: Path, what: str, look: str = "Look") -> JournalError:
    """The error of a file whose contents are not what was written."""
    return JournalError(
        f"the order journal {printable(path)} {what}; nothing was sent.\n"
        f"{look} at your orders on the exchange, then rename that file: a new one will be begun."
    )


def unreadable(path: Path, number: int, line: bytes, problem: str) -> JournalError:
    """The error of a line that is damaged, or that this version cannot act on for a reason."""
    if not problem:
        text = line.decode(errors="replace").rstrip("\n")
        return damaged(path, f"has a damaged line ({number}): {quoted(text, 60)}")
    return damaged(
        path,
        f"has a line ({number}) that this version cannot read, because {problem}",
        "Use the version that wrote it. Or look",
    )


def unwritable(path: Path, problem: str) -> JournalError:
    """The error of a line that could not be read again, and so was not written."""
    return JournalError(
        f"a line that nobody could read was kept out of the order journal {printable(path)}; "
        f"nothing was sent.\nWhat is wrong: {problem}.\n"
        "The journal is as it was, and other orders go on. Look at get_orders(client)."
    )
