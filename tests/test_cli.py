"""The command line, as a person or a script uses it."""

from __future__ import annotations

import html
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import nbformat
import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from nbformat.v4 import new_code_cell, new_notebook

import kalshi_research
from kalshi_research.cli import main

COMMAND = [sys.executable, "-W", "error", "-m", "kalshi_research"]


def notebook(path: Path, source: str = "print(1)") -> Path:
    cells = [
        new_code_cell('NAME = "a"\nCOUNT = 1', metadata={"tags": ["parameters"]}),
        new_code_cell(source),
    ]
    nbformat.write(new_notebook(cells=cells), path)
    return path


@contextmanager
def started(*arguments: str, folder: Path) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [*COMMAND, *arguments],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "KALSHI_RESEARCH_PROGRESS": "0"},
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out.strip() == f"kalshi-research {kalshi_research.__version__}"


@pytest.mark.parametrize(
    "arguments",
    [[], ["reports"], ["report"], ["report", "a.ipynb", "--to", "docx"], ["report", "a", "--no"]],
)
def test_a_wrong_command_shows_the_usage(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "usage: kalshi-research" in capsys.readouterr().err


def test_a_report_is_written_where_asked_with_the_parameters_given(tmp_path: Path) -> None:
    made = notebook(tmp_path / "n.ipynb", "print(repr(NAME), repr(COUNT))")
    arguments = ["report", str(made), "-p", "NAME", "2026", "-p", "COUNT", "5", "-o", "r/n.html"]
    with started(*arguments, folder=tmp_path) as process:
        out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    assert out == f"Report: {tmp_path.resolve() / 'r' / 'n.html'}\n"
    assert "'2026' 5" in html.unescape((tmp_path / "r" / "n.html").read_text())


def test_without_a_place_the_report_goes_to_reports(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["report", str(notebook(tmp_path / "n.ipynb"))]) == 0
    assert (tmp_path / "reports" / "n.html").is_file()
    assert "reports" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["report", "missing.ipynb"], "there is no notebook"),
        (["report", "n.ipynb", "-p", "COUNT", "many"], "COUNT takes a value like 1"),
        (["report", "n.ipynb", "-p", "OTHER", "1"], "has no parameter OTHER"),
        (["report", "n.ipynb", "-o", "n.txt"], "txt"),
        (["report", "bad.ipynb"], "NameError"),
        (["lab", "nowhere"], "there is no folder nowhere"),
    ],
)
def test_what_goes_wrong_is_said_without_a_traceback(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    said: str,
) -> None:
    notebook(tmp_path / "n.ipynb")
    notebook(tmp_path / "bad.ipynb", "undefined_name")
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"kalshi-research {arguments[0]}: ")
    assert said in err
    assert "Traceback" not in err
    assert not (tmp_path / "reports").exists()


def test_ctrl_c_ends_a_report_and_its_kernel(tmp_path: Path) -> None:
    slow = notebook(
        tmp_path / "n.ipynb",
        "import os, pathlib, time\npathlib.Path('pid').write_text(str(os.getpid()))\ntime.sleep(60)",
    )
    pid_file = tmp_path / "pid"
    with started("report", str(slow), folder=tmp_path) as process:
        deadline = time.monotonic() + 60
        while not (pid_file.is_file() and pid_file.read_text()):
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (130, "", "")
    assert not is_running(int(pid_file.read_text()))
    assert not (tmp_path / "reports").exists()


def test_the_sandbox_command_runs_an_exchange_until_it_is_stopped(tmp_path: Path) -> None:
    with started("sandbox", "--seed", "3", folder=tmp_path) as process:
        said: dict[str, str] = {}
        assert process.stdout is not None
        for line in process.stdout:
            name, _, value = line.strip().partition("  ")
            said[name] = value.strip()
            if name == "Use it":
                break
        assert said["REST"].startswith("http://127.0.0.1:")
        assert said["WebSocket"].startswith("ws://127.0.0.1:")
        assert said["Key id"]
        key_file = Path(said["Key file"])
        assert stat.S_IMODE(key_file.stat().st_mode) == 0o600
        load_pem_private_key(key_file.read_bytes(), None)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(said["REST"] + "/exchange/status", timeout=10) as answer:
            assert answer.status == 200
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=30)
        assert (process.returncode, err) == (0, "")
        assert out == "Stopped.\n"
        assert not key_file.exists()


def said_by(process: subprocess.Popen[str]) -> list[tuple[str, str]]:
    """The lines of the sandbox command up to the last."""
    said: list[tuple[str, str]] = []
    assert process.stdout is not None
    for line in process.stdout:
        name, _, value = line.strip().partition("  ")
        said.append((name, value.strip()))
        if name == "Use it":
            break
    return said


def test_the_sandbox_command_takes_users_limits_faults_and_tells_the_truth(tmp_path: Path) -> None:
    arguments = ["--users", "3", "--tier", "premier", "--speed", "60"]
    arguments += ["--fault", "reject_then:503 GET /exchange/status #2", "--fault", "read_lag seconds=2"]
    with started("sandbox", *arguments, "--truth", folder=tmp_path) as process:
        lines = said_by(process)
        said = dict(lines)
        ids = [value.split()[0] for name, value in lines if name == "Key id"]
        files = [Path(value.split()[0]) for name, value in lines if name == "Key file"]
        assert len(set(ids)) == len(set(files)) == 3
        for file in files:
            assert stat.S_IMODE(file.stat().st_mode) == 0o600
            assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
        assert [value for name, value in lines if name == "Fault"] == [
            "reject_then:503 GET /exchange/status", "read_lag * /**",
        ]  # fmt: skip
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(said["REST"] + "/exchange/status", timeout=10) as answer:
            assert answer.status == 200
        with pytest.raises(urllib.error.HTTPError, match="503"):
            opener.open(said["REST"] + "/exchange/status", timeout=10)
        asked = urllib.request.Request(  # noqa: S310 -- loopback
            said["Truth"] + "/faults", headers={"Authorization": f"Bearer {said['Token']}"}
        )
        with opener.open(asked, timeout=10) as answer:
            assert b"reject_then:503" in answer.read()
        with kalshi_research.connect(
            f"http://127.0.0.1:{said['REST'].split(':')[2].split('/')[0]}",
            key_id=ids[2],
            private_key=files[2],
        ) as client:
            assert client.request("GET", "/account/limits")["usage_tier"] == "premier"
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
        assert (process.returncode, err) == (0, "")
        assert not any(file.exists() for file in files)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--fault", "acept_then:hang"], 'Did you mean "accept_then"'),
        (["--fault", "accept_then:hang markets"], "says nothing about a fault"),
        (["--users", "0"], "--users is a number of accounts, from 1"),
        (["--fault", "accept_then:hang POST /portfolio/event/orders"], "POST /portfolio/events/orders"),
        (["--speed", "-1"], "speed="),
        (["--tier", "gold"], "gold"),
        (["--dialect", "1999"], "1999"),
    ],
)
def test_a_sandbox_that_makes_no_sense_is_not_left_running(
    capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    handlers = {name: signal.getsignal(name) for name in (signal.SIGINT, signal.SIGTERM)}
    threads = set(threading.enumerate())
    try:
        assert main(["sandbox", *arguments]) == 2
    finally:
        for name, handler in handlers.items():
            signal.signal(name, handler)
    out, err = capsys.readouterr()
    assert (out, said in err) == ("", True)
    assert set(threading.enumerate()) <= threads


def test_the_speed_of_an_exchange_that_runs_already_is_not_to_be_chosen(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    handlers = {name: signal.getsignal(name) for name in (signal.SIGINT, signal.SIGTERM)}
    where = tmp_path / "recorded"
    try:
        assert main(["record", "T", "-e", "demo", "--speed", "60", "-o", str(where)]) == 2
    finally:
        for name, handler in handlers.items():
            signal.signal(name, handler)
    assert "--speed is for a simulated exchange" in capsys.readouterr().err
    assert not where.exists()


def test_a_port_that_is_taken_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        handlers = {name: signal.getsignal(name) for name in (signal.SIGINT, signal.SIGTERM)}
        try:
            assert main(["sandbox", "--port", str(port)]) == 2
        finally:
            for name, handler in handlers.items():
                signal.signal(name, handler)
    assert str(port) in capsys.readouterr().err


def test_lab_passes_its_options_on(tmp_path: Path) -> None:
    with started("lab", str(tmp_path), "--version", folder=tmp_path) as process:
        out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert out.strip()[0].isdigit()


class ReplacedError(Exception):
    """Raised where another program would take the place of this one."""


@pytest.mark.skipif(os.name != "posix", reason="elsewhere JupyterLab is a child")
def test_lab_opens_the_gallery_as_a_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the user has configured comes before our defaults."""
    calls: list[tuple[list[str], dict[str, str]]] = []

    def execve(program: str, command: list[str], env: dict[str, str]) -> None:
        assert program == command[0] == sys.executable
        calls.append((command, env))
        raise ReplacedError

    monkeypatch.setattr(os, "execve", execve)
    monkeypatch.setenv("JUPYTER_CONFIG_PATH", str(tmp_path / "own"))
    with pytest.raises(ReplacedError):
        main(["lab", str(tmp_path)])
    (tmp_path / "README.md").write_text("# Gallery")
    with pytest.raises(ReplacedError):
        main(["lab", str(tmp_path), "--no-browser"])
    (bare, _), (command, environment) = calls
    assert not [option for option in bare if "default_url" in option]
    assert command[3:] == [str(tmp_path), "--LabApp.default_url=/lab/tree/README.md", "--no-browser"]
    folders = environment["JUPYTER_CONFIG_PATH"].split(os.pathsep)
    assert folders[0] == str(tmp_path / "own")
    settings = Path(folders[1]) / "labconfig" / "default_setting_overrides.json"
    assert json.loads(settings.read_text()) == {
        "@jupyterlab/docmanager-extension:plugin": {"defaultViewers": {"markdown": "Markdown Preview"}},
        "@jupyterlab/apputils-extension:kernels-settings": {"commsOverSubshells": "disabled"},
    }


STAND_IN = """
import os, pathlib, signal, sys, time
pathlib.Path("pid.draft").write_text(str(os.getpid()))
os.rename("pid.draft", "pid")
time.sleep(60)
"""


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGINT", "SIGKILL"])
def test_what_ends_the_lab_command_ends_jupyterlab(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """SIGHUP is what comes when a terminal is closed."""
    stand_in = tmp_path / "modules" / "jupyterlab"
    stand_in.mkdir(parents=True)
    (stand_in / "__init__.py").touch()
    (stand_in / "__main__.py").write_text(STAND_IN)
    monkeypatch.setenv("PYTHONPATH", str(stand_in.parent))
    with started("lab", str(tmp_path), folder=tmp_path) as process:
        deadline = time.monotonic() + 30
        while not (tmp_path / "pid").is_file():
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.01)
        pid = int((tmp_path / "pid").read_text())
        process.send_signal(getattr(signal, name))
        process.communicate(timeout=30)
    assert not is_running(pid)


def spoken_of(folder: Path) -> list[str]:
    """The processes that a folder stands in the environment of."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            if os.fsencode(folder) in (place / "environ").read_bytes():
                found.append((place / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:  # it has ended, or is somebody else's
            continue
    return found


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="looks at processes in /proc")
def test_sigterm_ends_jupyterlab_and_its_kernels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR"):
        monkeypatch.setenv(name, str(tmp_path / name))
    arguments = ["--no-browser", "--allow-root", "--ServerApp.ip=127.0.0.1", "--ServerApp.port=0"]
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with started("lab", ".", *arguments, "--IdentityProvider.token=t", folder=tmp_path) as process:
        deadline = time.monotonic() + 60
        answer: dict[str, str] = {}
        while not answer:
            assert time.monotonic() < deadline, "JupyterLab does not answer"
            assert process.poll() is None
            time.sleep(0.1)
            for file in tmp_path.glob("JUPYTER_RUNTIME_DIR/jpserver-*.json"):
                url = json.loads(file.read_text() or "{}").get("url", "http://127.0.0.1:9/")
                asked = urllib.request.Request(  # noqa: S310 -- loopback
                    f"{url}api/kernels?token=t", data=b"{}", method="POST"
                )
                with suppress(urllib.error.URLError), opener.open(asked, timeout=30) as said:
                    answer = json.load(said)
        while sum("-m ipykernel" in line for line in spoken_of(tmp_path)) != 1:
            assert time.monotonic() < deadline, "there is no kernel"
            time.sleep(0.05)
        assert sum("-m jupyterlab" in line for line in spoken_of(tmp_path)) == 1
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)
    while left := spoken_of(tmp_path):
        assert time.monotonic() < deadline, left
        time.sleep(0.05)
