"""What must be true of the stored notebooks, so that comparing their outputs means something."""

from __future__ import annotations

import json
import re
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
NAMES = [path.name for path in NOTEBOOKS]


@pytest.fixture(params=NOTEBOOKS, ids=NAMES)
def notebook(request: pytest.FixtureRequest) -> nbformat.NotebookNode:
    loaded = nbformat.read(request.param, as_version=4)
    nbformat.validate(loaded)
    return loaded


def code_cells(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def tags(cell: nbformat.NotebookNode) -> list[str]:
    return cell.metadata.get("tags", [])


def kinds(cell: nbformat.NotebookNode) -> set[str]:
    return {kind for output in cell.outputs for kind in output.get("data", {})}


def text_of(cell: nbformat.NotebookNode) -> str:
    streams = [output.text for output in cell.outputs if output.output_type == "stream"]
    plain = [output.data.get("text/plain", "") for output in cell.outputs if "data" in output]
    return "".join(streams + plain)


def test_the_first_notebook_is_there() -> None:
    assert "01_quickstart.ipynb" in NAMES


def test_the_gallery_shows_every_notebook() -> None:
    gallery = (ROOT / "notebooks" / "README.md").read_text(encoding="utf-8")
    row = r"\[!\[[^\]]+\]\(([^)]+)\)\]\(([^)]+)\) \| \*\*\[[^\]]+\]\(([^)]+)\)\*\*: \S"
    shown = re.findall(row, gallery)
    assert [name for _, name, _ in shown] == [name for *_, name in shown] == NAMES
    for picture, *_ in shown:
        content = (ROOT / "notebooks" / picture).read_bytes()
        assert content.startswith(b"\x89PNG")
        assert len(content) <= 40_960


def test_it_starts_with_a_title_and_is_short(notebook: nbformat.NotebookNode) -> None:
    assert notebook.cells[0].cell_type == "markdown"
    assert re.match(r"# \S", notebook.cells[0].source)
    assert 1 <= len(code_cells(notebook)) <= 12


def test_it_runs_without_an_account_and_one_parameter_changes_that(
    notebook: nbformat.NotebookNode,
) -> None:
    (parameters,) = [cell for cell in code_cells(notebook) if "parameters" in tags(cell)]
    assert re.search(r'^ENVIRONMENT = "(sandbox|datasets)"', parameters.source, re.MULTILINE)
    rest = "".join(cell.source for cell in code_cells(notebook) if cell is not parameters)
    assert "connect(ENVIRONMENT" in rest
    assert not re.search(r"""connect\(["']""", rest)


def test_it_was_executed_in_order_and_without_an_error(notebook: nbformat.NotebookNode) -> None:
    """A cell without a number would be executed but not compared."""
    cells = code_cells(notebook)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    for cell in cells:
        assert not [output for output in cell.outputs if output.output_type == "error"]
        assert not [output for output in cell.outputs if output.get("name") == "stderr"]
    assert sum(bool(text_of(cell).strip()) for cell in cells) >= len(cells) // 2


def test_nothing_is_kept_out_of_the_comparison(notebook: nbformat.NotebookNode) -> None:
    """Except the one look at a running clock, whose invariants the next cell prints."""
    running = "start_sandbox(speed=" in "".join(cell.source for cell in code_cells(notebook))
    kept_out = 0
    for cell in code_cells(notebook):
        assert not {"nbval-skip", "nbval-ignore-output", "raises-exception"} & set(tags(cell))
        kept_out += cell.source.startswith("# NBVAL_IGNORE_OUTPUT\n")
        assert "NBVAL" not in cell.source.removeprefix("# NBVAL_IGNORE_OUTPUT\n")
    assert kept_out <= running


def test_a_cell_that_draws_is_followed_by_one_that_says_what(notebook: nbformat.NotebookNode) -> None:
    """Pictures are not compared; the numbers in them are."""
    cells = code_cells(notebook)
    for cell, after in zip(cells, [*cells[1:], None], strict=True):
        if any(kind.startswith("image/") for kind in kinds(cell)):
            assert after is not None, "the last cell draws"
            assert re.search(r"\d", text_of(after)), (
                f"nothing is printed about cell {cell.execution_count}"
            )


def test_it_can_be_read_anywhere(notebook: nbformat.NotebookNode) -> None:
    assert notebook.metadata.kernelspec.name == "python3"
    text = json.dumps(notebook)
    assert len(text) < 1_500_000
    assert not re.search(r"/root/|/home/|/work/|/tmp/|/Users/|127\.0\.0\.1:\d|localhost:\d", text)
    assert "PRIVATE KEY" not in text
    assert all(cell.get("id") for cell in notebook.cells)
