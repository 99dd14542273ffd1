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
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

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
        (["--users", "0"], "users="),
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


def test_lab_opens_the_gallery_as_a_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the user has configured comes before our defaults."""
    calls: list[tuple[list[str], dict[str, str]]] = []

    def run(command: list[str], *, env: dict[str, str], **_: object) -> SimpleNamespace:
        calls.append((command, env))
        return SimpleNamespace(returncode=0)

    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setenv("JUPYTER_CONFIG_PATH", str(tmp_path / "own"))
    assert main(["lab", str(tmp_path)]) == 0
    (tmp_path / "README.md").write_text("# Gallery")
    assert main(["lab", str(tmp_path), "--no-browser"]) == 0
    (bare, _), (command, environment) = calls
    assert not [option for option in bare if "default_url" in option]
    assert command[3:] == [str(tmp_path), "--LabApp.default_url=/lab/tree/README.md", "--no-browser"]
    folders = environment["JUPYTER_CONFIG_PATH"].split(os.pathsep)
    assert folders[0] == str(tmp_path / "own")
    settings = Path(folders[1]) / "labconfig" / "default_setting_overrides.json"
    documents = json.loads(settings.read_text())["@jupyterlab/docmanager-extension:plugin"]
    assert documents == {"defaultViewers": {"markdown": "Markdown Preview"}}
