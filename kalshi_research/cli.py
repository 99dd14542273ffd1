"""The command ``kalshi-research``: reports, JupyterLab, a simulated exchange, recordings.

Every command is a call of a public function. Exit codes: 0 done, 2 something is wrong and
the message says what, 130 interrupted.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType

from kalshi_research import __version__
from kalshi_research.errors import ConfigError, KalshiError

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
    record.add_argument("tickers", nargs="+", metavar="TICKER")
    record.add_argument(
        "-e",
        "--environment",
        default="sandbox",
        metavar="NAME",
        help="sandbox (the default), demo, prod or the loopback URL of a sandbox",
    )
    record.add_argument(
        "-c", "--channels", default="books,trades", metavar="LIST", help="default: books,trades"
    )
    record.add_argument(
        "-o",
        "--output",
        type=Path,
        default=Path("recordings"),
        metavar="FOLDER",
        help="default: recordings",
    )
    record.add_argument("--every", default="5s", metavar="TIME", help="how often what came is written")
    record.add_argument("--duration", type=float, metavar="SECONDS", help="default: until Ctrl-C")


def _add_sandbox_options(sandbox: argparse.ArgumentParser) -> None:
    sandbox.add_argument(
        "--speed",
        type=float,
        default=0.0,
        help="seconds of the exchange a real second: 0 stands still (the default), 1 is live",
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
    # Defaults only, which the user's settings overrule: texts open as pages, not in an editor.
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
            print(f"Truth      {sandbox.truth_url}")
            print(f"Token      {sandbox.serve_truth().token}")
        print(f"Use it     export {SANDBOX_URL_VARIABLE}=http://127.0.0.1:{sandbox.port}", flush=True)
        while not stop.wait(1):
            pass
    print("Stopped.")
    return 0


def _record(options: argparse.Namespace) -> int:
    from kalshi_research.client import connect
    from kalshi_research.streaming.terminal import record_until

    stop = threading.Event()
    _stop_at_signals(stop)
    with connect(options.environment) as client:
        print(
            f"Recording into {options.output} ({client.environment.banner}). Ctrl-C stops it.",
            flush=True,
        )
        last = record_until(
            stop,
            client,
            options.tickers,
            options.output,
            channels=options.channels.split(","),
            every=options.every,
            duration=options.duration,
            report=_status_line(),
        )
    print(f"\nStopped after {last}")
    print(f"Read it back with kalshi_research.read_recording({str(options.output)!r})")
    return 0


def _status_line() -> Callable[[str], None]:
    """One line that is written over itself on a terminal, and said once a minute elsewhere."""
    if sys.stdout.isatty():
        return lambda line: print(f"\r{line}\x1b[K", end="", flush=True)
    due = [0.0]

    def say(line: str) -> None:
        if time.monotonic() >= due[0]:
            due[0] = time.monotonic() + 60
            print(line, flush=True)

    return say


def _stop_at_signals(stop: threading.Event) -> None:
    def handler(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, handler)
