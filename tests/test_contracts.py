"""The import contracts hold, and they notice when they do not."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LINTER = Path(sys.executable).with_name("lint-imports")
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
    "contracts"
]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The package and its contracts, to be spoiled."""
    skip = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "kalshi_research", tmp_path / "kalshi_research", ignore=skip)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def lint(folder: Path) -> tuple[int, str]:
    done = subprocess.run(
        [os.fspath(LINTER), "--no-logo", "--no-cache"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "COLUMNS": "200"},
    )
    return done.returncode, done.stdout + done.stderr


def plant(folder: Path, module: str, statement: str) -> None:
    path = folder / "kalshi_research" / f"{module}.py"
    if not path.exists():
        path = folder / "kalshi_research" / module / "__init__.py"
    with path.open("a", encoding="utf-8") as stream:
        stream.write(f"\n\n{statement}\n")


def test_the_contracts_hold(copy: Path) -> None:
    code, out = lint(copy)
    assert code == 0, out
    assert " 0 broken." in out


@pytest.mark.parametrize(
    ("module", "statement", "contract"),
    [
        ("errors", "from kalshi_research.money import to_price", "layers"),
        ("client", "import kalshi_research.schemas", "layers"),
        ("schemas", "import kalshi_research.files", "layers"),
        ("book", "def f():\n    from kalshi_research.client import Client", "does not fetch"),
        ("plotting", "from kalshi_research.market_data import get_trades", "does not fetch"),
        ("plotting", "from kalshi_research.report import write_report", "layers"),
        ("book", "import kalshi_research.schemas.market", "layers"),
        ("market_data", "import requests", "only client speaks HTTP"),
        ("files", "import urllib3.util", "only client speaks HTTP"),
        ("book", "import matplotlib.pyplot", "only plotting and report draw"),
        ("plotting", "import ipywidgets", "only panels knows widgets"),
        ("client", "from tqdm.auto import tqdm", "only progress knows tqdm"),
        ("client", "import uvicorn", "only the sandbox serves"),
        ("client", "import websockets.client", "only streaming and the sandbox speak WebSocket"),
        ("client", "import pandas", "work without pandas"),
        ("money", "import pandas", "work without pandas"),
        ("sandbox", "def f():\n    import pandas as pd", "work without pandas"),
        ("sandbox", "import kalshi_research.client", "the simulated exchange knows"),
        ("client", "import kalshi_research.sandbox", "only environments opens the sandbox"),
        ("cli", "from kalshi_research.sandbox import Sandbox", "only environments opens the sandbox"),
    ],
)
def test_a_planted_violation_is_found(copy: Path, module: str, statement: str, contract: str) -> None:
    plant(copy, module, statement)
    code, out = lint(copy)
    broken = [
        line for line in out.splitlines() if line.rstrip().endswith("BROKEN") or "BROKEN (" in line
    ]
    assert code != 0
    assert any(contract in line for line in broken), out


def test_a_module_without_a_place_is_found(copy: Path) -> None:
    (copy / "kalshi_research" / "newcomer.py").write_text('"""New."""\n')
    code, out = lint(copy)
    assert code != 0
    assert "kalshi_research.newcomer" in out


def test_every_module_has_a_place() -> None:
    (layers,) = [contract for contract in CONTRACTS if contract["type"] == "layers"]
    assert layers["exhaustive"] is True
    placed = {
        name.strip(" ()") for line in layers["layers"] for name in line.replace(":", "|").split("|")
    } | set(layers["exhaustive_ignores"])
    found = {
        path.stem if path.suffix == ".py" else path.name
        for path in (ROOT / "kalshi_research").iterdir()
        if path.suffix == ".py" or (path / "__init__.py").exists()
    } - {"__init__"}
    assert found <= placed, f"{found - placed} must be placed"


def test_the_sandbox_may_know_what_it_needs_and_nothing_else() -> None:
    (root,) = [contract for contract in CONTRACTS if contract["id"] == "sandbox-root"]
    forbidden = {name.removeprefix("kalshi_research.") for name in root["forbidden_modules"]}
    found = {
        path.stem if path.suffix == ".py" else path.name
        for path in (ROOT / "kalshi_research").iterdir()
        if path.suffix == ".py" or (path / "__init__.py").exists()
    }
    allowed = {"money", "fees", "errors", "sandbox", "__init__", "__main__"}
    assert found - allowed == forbidden & found
    assert found - allowed <= forbidden
