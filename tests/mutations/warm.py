"""Runs tests again and again, each time in a child of a process that has loaded what is slow to load.

Reads a line of JSON for each run and answers with one. Nothing of the project is loaded before a
child is made, so each child finds the code as it is then.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
import time
from contextlib import redirect_stdout
from importlib import import_module
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from watching import Order, Watch

_SLOW = (
    "cryptography.hazmat.primitives.asymmetric.rsa",
    "cryptography.hazmat.primitives.serialization",
    "msgspec",
    "numpy",
    "requests",
    "uvicorn.protocols.http.h11_impl",
    "uvicorn.protocols.websockets.websockets_sansio_impl",
    "websockets.sync.client",
)


def _tests(task: dict[str, Any]) -> int:
    """In the child: run tests and answer pytest's status."""
    sys.dont_write_bytecode = not task["watch"]
    arguments = ["-xq", "-p", "no:cacheprovider", "-W", "ignore::pytest.PytestAssertRewriteWarning"]
    arguments += [f"--timeout={task['patience']}"] if task["patience"] else []
    watch = Watch(task["watch"])
    plugins: list[object] = [watch] if task["watch"] else [Order(task["order"])]
    status = int(pytest.main([*arguments, *task["tests"]], plugins=plugins))
    if task["watch"]:
        Path(task["report"]).write_text(json.dumps(watch.found), encoding="utf-8")
    return status


def _run(task: dict[str, Any]) -> dict[str, Any]:
    """Answer the status, None where there was no end in time, and what was said last."""
    with tempfile.TemporaryFile() as said:
        child = os.fork()
        if not child:
            status = 3
            try:
                os.setsid()
                for stream in (1, 2):
                    os.dup2(said.fileno(), stream)
                os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
                status = _tests(task)
            finally:
                sys.stdout.flush()
                os._exit(status)
        ended = _wait(child, time.monotonic() + task["seconds"])
        said.seek(0)
        return {"status": ended, "said": said.read()[-1500:].decode(errors="replace")}


def _wait(child: int, deadline: float) -> int | None:
    """The status with which a child ends, None where it has to be ended."""
    while time.monotonic() < deadline:
        found, status = os.waitpid(child, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.02)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return None


def _warm_up() -> None:
    """Load what the tests use, and pytest's plugins by having it look for tests where there are none."""
    for name in _SLOW:
        import_module(name)
    with tempfile.TemporaryDirectory() as empty, redirect_stdout(StringIO()):
        pytest.main(["-qq", "-p", "no:cacheprovider", "-c", os.devnull, "--rootdir", empty, empty])


def main() -> None:
    _warm_up()
    for line in sys.stdin:
        answer = _run(json.loads(line))
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
