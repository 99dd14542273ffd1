"""The engine is pure: integers only, no input or output, nothing heavy behind it."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import kalshi_research.sandbox.engine as engine_package
from kalshi_research import fees
from kalshi_research.sandbox.engine import Identifiers

SOURCES = [*sorted(Path(engine_package.__path__[0]).glob("*.py")), Path(fees.__file__)]


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_no_floats_no_clocks_no_files(source: Path) -> None:
    for node in ast.walk(ast.parse(source.read_text())):
        assert not isinstance(node, ast.Div), f"line {node.lineno}: true division"
        if isinstance(node, ast.Constant):
            assert not isinstance(node.value, float), f"line {node.lineno}: float"
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in {"float", "open", "print", "input"}, f"line {node.lineno}"
        if isinstance(node, ast.Import):
            names = {alias.name.split(".")[0] for alias in node.names}
            assert not names & {"time", "os", "io", "socket", "threading", "asyncio", "numpy", "pandas"}


def test_importing_it_is_cheap() -> None:
    code = "import sys, kalshi_research.sandbox.engine; print([*sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    loaded = set(ast.literal_eval(done.stdout))
    assert not loaded & {"numpy", "pandas", "pyarrow", "requests", "uvicorn"}


def test_identifiers_look_like_uuids_and_are_distinct() -> None:
    source = Identifiers(3)
    drawn = [source() for _ in range(10_000)]
    assert len(set(drawn)) == len(drawn)
    assert len({text[:8] for text in drawn}) == len(drawn)
    for text in drawn[:100]:
        groups = text.split("-")
        assert [len(group) for group in groups] == [8, 4, 4, 4, 12]
        assert groups[2][0] == "4"
        assert groups[3][0] in "89ab"
    assert drawn[0] != Identifiers(4)()


def test_identifiers_of_a_seed_never_change() -> None:
    """Stored outputs of notebooks name them, so they are the same in every version."""
    source = Identifiers(3)
    assert [source() for _ in range(2)] == [
        "db22b9ae-97b7-48b5-8858-ea7b5eb561a4",
        "795a335f-97b7-48b5-8858-ea7b5eb561a4",
    ]
