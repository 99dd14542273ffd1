"""The command ``kalshi-research``: reports, JupyterLab, a simulated exchange, recordings.

Every command is a call of a public function. Exit codes: 0 done, 2 something is wrong and
the message says what, 130 interrupted.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from kalshi_research import __version__
from kalshi_research.errors import ConfigError, KalshiError

if TYPE_CHECKING:
    from kalshi_research.client import Client

__all__ = ["main"]

_WRONG = 2
_INTERRUPTED = 130
_GALLERY = "README.md"
"""What JupyterLab opens first, where the folder has it."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    argv : sequence of str, optional
        The arguments; by default those of the process.

    Returns
    -------
    int
        The exit code.
    """
    parser = _parser()
    options, rest = parser.parse_known_args(argv)
    if rest and options.command != "lab":
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    try:
        if options.command == "report":
            return _report(options)
        if options.command == "sandbox":
            return _sandbox(options)
        if options.command == "record":
            return _record(options)
        return _lab(options.folder, rest)
    except KalshiError as error:
        print(f"kalshi-research {options.command}: {error}", file=sys.stderr)
        return _WRONG
    except KeyboardInterrupt:
        return _INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="kalshi-research", description="A Jupyter toolkit for research on Kalshi's event contracts."
    )
    parser.add_argument("--version", action="version", version=f"kalshi-research {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    report = commands.add_parser(
        "report", help="execute a notebook and export it as one self-contained file"
    )
    report.add_argument("notebook", type=Path, metavar="NOTEBOOK")
    report.add_argument(
        "-p",
        "--parameter",
        nargs=2,
        action="append",
        default=[],
        metavar=("NAME", "VALUE"),
        help='value for a name that the cell tagged "parameters" assigns; may be repeated',
    )
    report.add_argument("--to", choices=("html", "pdf"), help="default: what FILE ends in, else html")
    report.add_argument(
        "-o", "--output", type=Path, metavar="FILE", help="default: reports/NOTEBOOK.html"
    )
    report.add_argument(
        "--timeout", type=float, default=600.0, metavar="SECONDS", help="longest time for one cell"
    )

    lab = commands.add_parser("lab", help="open JupyterLab; further options are passed on to it")
    lab.add_argument("folder", nargs="?", type=Path, default=Path("notebooks"), metavar="FOLDER")

    sandbox = commands.add_parser("sandbox", help="run a simulated exchange until Ctrl-C")
    sandbox.add_argument("--seed", type=int, default=0, help="which world; the same seed gives the same")
    sandbox.add_argument("--port", type=int, default=0, help="default: any free one")
    _add_sandbox_options(sandbox)
    _add_record(commands.add_parser("record", help="record live books and trades until Ctrl-C"))
    return parser


def _add_record(record: argparse.ArgumentParser) -> None:
    record.description = (
        "Record order books and trades of markets, every message as it comes, until Ctrl-C. Needs a "
        "key: KALSHI_DEMO_KEY_ID and KALSHI_DEMO_PRIVATE_KEY_PATH, or KALSHI_PROD_...; the sandbox has "
        "its own. kalshi_research.read_recording(FOLDER) reads it back."
    )
    record.add_argument("tickers", nargs="+", metavar="TICKER", help="such as KXHIGHNY-26NOV21-B46.5")
    record.add_argument(
        "-e",
        "--environment",
        default="sandbox",
        metavar="NAME",
        help="sandbox (the default), demo, prod or the loopback URL of a sandbox",
    )
    record.add_argument(
        "-c",
        "--channels",
        default="books,trades",
        metavar="LIST",
        help="default: books,trades; also tickers, lifecycle; of the account: fills, orders, positions",
    )
    record.add_argument(
        "-o",
        "--output",
        type=Path,
        default=Path("recordings"),
        metavar="FOLDER",
        help="default: recordings; several recordings may lie in one",
    )
    record.add_argument(
        "--speed",
        type=float,
        metavar="X",
        help="of the simulated exchange: seconds that go by in a second; default: 1",
    )
    record.add_argument(
        "--every",
        default="5s",
        metavar="TIME",
        help="how often what came is written: a crash loses no more; default: 5s",
    )
    record.add_argument("--duration", type=float, metavar="SECONDS", help="default: until Ctrl-C")


def _add_sandbox_options(sandbox: argparse.ArgumentParser) -> None:
    sandbox.add_argument(
        "--speed",
        type=float,
        default=0.0,
        help="seconds of the exchange a real second: 0 stands still (the default), 1 is live; "
        "beyond some 100,000 it goes as fast as it can",
    )
    sandbox.add_argument(
        "--dialect", default="2026", help="how it speaks: 2026 (the default) or 2025, as it was then"
    )
    sandbox.add_argument(
        "--users", type=int, default=1, metavar="N", help="accounts with a key each; default: 1"
    )
    sandbox.add_argument(
        "--rate-limits", action="store_true", help="limit requests, as the basic tier does"
    )
    sandbox.add_argument("--tier", metavar="NAME", help="limit requests as this usage tier does")
    sandbox.add_argument(
        "--fault",
        action="append",
        default=[],
        metavar="TEXT",
        help='what is to go wrong, such as "accept_then:hang POST /portfolio/events/orders #1"; '
        "may be repeated",
    )
    sandbox.add_argument(
        "--truth", action="store_true", help="serve on another port what is really the case"
    )


def _report(options: argparse.Namespace) -> int:
    from kalshi_research.report import typed_parameters, write_report

    parameters = typed_parameters(options.notebook, options.parameter)
    written = write_report(
        options.notebook,
        parameters=parameters,
        to=options.to,
        output=options.output,
        timeout=options.timeout,
    )
    print(f"Report: {written}")
    return 0


def _lab(folder: Path, options: Sequence[str]) -> int:
    if importlib.util.find_spec("jupyterlab") is None:
        raise ConfigError(
            "JupyterLab is not installed.\nInstall with: pip install 'kalshi-research[lab]'"
        )
    if not folder.is_dir():
        raise ConfigError(f"there is no folder {folder} here.\nName one: kalshi-research lab FOLDER")
    command = [sys.executable, "-m", "jupyterlab", str(folder)]
    if (folder / _GALLERY).is_file():
        command.append(f"--LabApp.default_url=/lab/tree/{_GALLERY}")
    # Defaults only, which the user's settings overrule: texts open as pages, not in an editor, and what
    # is clicked goes to the kernel itself: JupyterLab 4.6 may end the subshell that it sends clicks to.
    paths = [*filter(None, [os.environ.get("JUPYTER_CONFIG_PATH")]), str(Path(__file__).parent)]
    environment = {**os.environ, "JUPYTER_CONFIG_PATH": os.pathsep.join(paths)}
    command += options
    if os.name == "posix":
        # It takes the place of this process: whatever ends the one ends the other, and none is left.
        sys.stdout.flush()
        os.execve(command[0], command, environment)  # noqa: S606 -- the user's own arguments
    return subprocess.run(command, check=False, env=environment).returncode  # noqa: S603


def _sandbox(options: argparse.Namespace) -> int:
    from kalshi_research.environments import SANDBOX_URL_VARIABLE, start_sandbox

    if options.users < 1:
        raise ConfigError("--users is a number of accounts, from 1; the sandbox was not started.")
    stop = threading.Event()
    _stop_at_signals(stop)
    with start_sandbox(
        seed=options.seed,
        port=options.port,
        speed=options.speed,
        dialect=options.dialect,
        users=options.users,
        rate_limits=options.tier or options.rate_limits,
    ) as sandbox:
        rules = [sandbox.faults.add_text(text) for text in options.fault]
        print("A simulated exchange: nothing here is real. Ctrl-C stops it.")
        print(f"REST       {sandbox.url}")
        print(f"WebSocket  {sandbox.ws_url}")
        for user in range(options.users):
            name = f"  user {user}" if user else ""
            print(f"Key id     {sandbox.credentials(user)[0]}{name}")
            print(f"Key file   {sandbox.key_file(user)}{name}")
        for rule in rules:
            print(f"Fault      {rule.kind} {rule.route}")
        if options.truth:
            truth = sandbox.serve_truth()
            print(f"Truth      {truth.url}")
            print(f"Token      {truth.token}")
        print(f"Use it     export {SANDBOX_URL_VARIABLE}=http://127.0.0.1:{sandbox.port}", flush=True)
        while not stop.wait(1):
            pass
    print("Stopped.")
    return 0


def _exchange_to_record(options: argparse.Namespace, stack: ExitStack) -> Client:
    """A simulated exchange that begins now, or the one that was named."""
    from kalshi_research.client import connect
    from kalshi_research.environments import SANDBOX_URL_VARIABLE, start_sandbox

    if options.environment == "sandbox" and not os.environ.get(SANDBOX_URL_VARIABLE):
        speed = 1.0 if options.speed is None else options.speed
        return stack.enter_context(connect(stack.enter_context(start_sandbox(speed=speed))))
    if options.speed is not None:
        raise ConfigError(
            "--speed is for a simulated exchange that begins with the recording; another one has its "
            "own. Nothing was recorded.\nLeave --speed out."
        )
    return stack.enter_context(connect(options.environment))


def _record(options: argparse.Namespace) -> int:
    from kalshi_research.streaming.terminal import record_until

    stop, begun, terminal = threading.Event(), threading.Event(), _Terminal()
    _stop_at_signals(stop, begun)
    where = options.output.absolute()
    with ExitStack() as stack:
        client = _exchange_to_record(options, stack)

        def begin() -> None:
            begun.set()
            terminal.say(f"Recording into {where} ({client.environment.banner}). Ctrl-C stops it.")

        try:
            last = record_until(
                stop,
                client,
                options.tickers,
                options.output,
                channels=[name.strip() for name in options.channels.split(",")],
                every=options.every,
                duration=options.duration,
                begun=begin,
                report=terminal.status,
                tell=lambda problem: terminal.say(f"! {problem}"),
            )
        except KalshiError:
            if begun.is_set():
                terminal.say(f"What was recorded until then is in {where}")
            raise
    terminal.say(f"Stopped after {last}")
    terminal.say("Read it back:")
    terminal.say("    import kalshi_research as kr")
    terminal.say(f"    recording = kr.read_recording({str(where)!r})")
    terminal.say("    books, quotes, trades, changes = recording.replay()")
    return 0


class _Terminal:
    """Where a long command says how it goes: one line that is written over itself, and what is to stay.

    Elsewhere than on a terminal the line comes once a minute. Nobody may be listening any more, when
    the terminal has been closed or the other end of a pipe has: that is no reason to stop.
    """

    def __init__(self) -> None:
        self._is_terminal = sys.stdout.isatty()
        self._due = 0.0

    def status(self, line: str) -> None:
        """How it goes now."""
        if self._is_terminal:
            room = shutil.get_terminal_size().columns - 1
            self._write(f"\r{line if len(line) <= room else line[: room - 1] + '…'}\x1b[K")
        elif time.monotonic() >= self._due:
            self._due = time.monotonic() + 60
            self._write(f"{line}\n")

    def say(self, text: str) -> None:
        """Something that stays."""
        self._write(f"\r\x1b[K{text}\n" if self._is_terminal else f"{text}\n")

    def _write(self, text: str) -> None:
        try:
            sys.stdout.write(text)
            sys.stdout.flush()
        except OSError:  # else Python complains of it again at the very end
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _stop_at_signals(stop: threading.Event, begun: threading.Event | None = None) -> None:
    """Set `stop` where one is asked to end; before `begun` is set there is nothing to finish."""

    def handler(_number: int, _frame: FrameType | None) -> None:
        if begun is not None and not begun.is_set():
            raise KeyboardInterrupt
        stop.set()

    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is None or (name == "SIGHUP" and signal.getsignal(number) is signal.SIG_IGN):
            continue  # not on this system, or told by nohup to stay
        signal.signal(number, handler)
