"""The rules of the house that a reader would otherwise have to watch."""

from __future__ import annotations

import ast
import inspect
import os
import pkgutil
import re
import subprocess
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import kalshi_research as kr
from kalshi_research.schemas import SCHEMAS

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "kalshi_research"
MODULES = sorted(PACKAGE.rglob("*.py"))
TREES = {path.relative_to(PACKAGE): ast.parse(path.read_text(encoding="utf-8")) for path in MODULES}
FUNCTIONS = {name: value for name in kr.__all__ if inspect.isfunction(value := getattr(kr, name))}


def committed() -> list[Path]:
    """Every file of the project: what git knows, and what is about to be added."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    names = listed.stdout.decode().split("\0")
    return [path for name in names if name and (path := ROOT / name).is_file()]


def texts() -> Iterator[tuple[str, str]]:
    for path in committed():
        try:
            yield os.fspath(path.relative_to(ROOT)), path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue


def literals(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """The strings of a module that are not documentation."""
    documentation = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and id(node) not in documentation
        ):
            yield node.lineno, node.value


# The public names


def test_public_names_are_sorted_and_each_leads_somewhere() -> None:
    assert kr.__all__ == sorted(kr.__all__)
    assert len(set(kr.__all__)) == len(kr.__all__)
    assert set(kr.__all__) <= set(dir(kr))
    for name in kr.__all__:
        assert getattr(kr, name) is not None


def test_public_names_are_complete() -> None:
    """What the public modules offer under a verb of the house is offered by the package."""
    verbs = re.compile(r"(get|search|read|write|plot)_(?!frame$)\w+")  # read_frame serves the cache
    for module in ("book", "files", "market_data", "plotting", "portfolio", "report"):
        offered = __import__(f"kalshi_research.{module}", fromlist=["x"]).__all__
        missing = {name for name in offered if verbs.fullmatch(name)} - set(kr.__all__)
        assert not missing, f"{module} offers {missing}, the package does not"


def test_no_public_name_hides_a_module() -> None:
    """Importing ``kalshi_research.book`` must not change what ``kalshi_research.book`` means."""
    modules = {info.name for info in pkgutil.iter_modules([os.fspath(PACKAGE)])}
    for name in modules & set(kr.__all__):
        assert isinstance(getattr(kr, name), types.ModuleType)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = kr.no_such_name


def sections(function: Any) -> dict[str, str]:
    doc = inspect.getdoc(function) or ""
    found = re.split(r"^(\w[\w ]*)\n-{3,}$", doc, flags=re.MULTILINE)
    return {"": found[0], **dict(zip(found[1::2], found[2::2], strict=True))}


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_public_functions_are_documented(name: str) -> None:
    function = FUNCTIONS[name]
    found = sections(function)
    assert found[""].strip(), "no summary"
    signature = inspect.signature(function)
    listed = found.get("Parameters", "")
    for parameter in signature.parameters.values():
        plain = re.escape(parameter.name)
        assert re.search(rf"^[*\w, ]*\b{plain}\b", listed, re.MULTILINE), (
            f"{parameter.name} is not described"
        )
    if signature.return_annotation not in (None, "None"):
        assert found.get("Returns", "").strip(), "no Returns"
    if name.startswith(("get_", "read_", "write_", "search_", "connect")):
        referred = re.search(r"[Aa]s (?:for )?`(?:get|read|write)_\w+`", "".join(found.values()))
        assert referred or found.get("Raises", "").strip(), "no Raises"
    assert ">>>" in found.get("Examples", ""), "no example that can be run"


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_the_verb_tells_the_cost(name: str) -> None:
    parameters = inspect.signature(FUNCTIONS[name]).parameters
    changes = re.match(
        r"(prepare|create|amend|decrease|cancel|delete|limit|reset|trigger)_(all_)?order|(dis)?arm$",
        name,
    )
    follows = name in ("poll", "stream")
    asks = name.startswith(("get_", "search_")) or follows or changes is not None
    assert ("client" in parameters) == asks, (
        "only get_, search_, poll, stream and the verbs of orders ask the exchange"
    )
    if asks:
        assert next(iter(parameters)) == "client"
    if name.startswith("plot_"):
        assert parameters["ax"].kind is inspect.Parameter.KEYWORD_ONLY
        assert "Axes" in str(inspect.signature(FUNCTIONS[name]).return_annotation)


# Column tables

Table = dict[str, str]


def column_tables(function: Any) -> list[Table]:
    """The tables of a docstring with the columns `column`, `dtype`, `meaning`: name to dtype."""
    lines = (inspect.getdoc(function) or "").splitlines()
    tables: list[Table] = []
    rules = [i for i, line in enumerate(lines) if re.fullmatch(r"\s*=+(\s+=+){2}\s*", line)]
    for top, head, bottom in zip(rules[::3], rules[1::3], rules[2::3], strict=True):
        spans = [match.span() for match in re.finditer(r"=+", lines[top])]

        def cells(line: str, spans: list[tuple[int, int]] = spans) -> list[str]:
            return [line[begin:end].strip() for begin, end in spans]

        if cells(lines[top + 1])[:2] != ["column", "dtype"]:
            continue
        table: Table = {}
        for line in lines[head + 1 : bottom]:
            names, dtype = cells(line)[:2]
            for name in filter(None, (part.strip("` ") for part in names.split(","))):
                table[name] = dtype
        tables.append(table)
    return tables


KINDS = {
    "get_trades": "trades",
    "get_markets": "markets",
    "get_events": "events",
    "get_series": "series",
    "get_candlesticks": "candlesticks",
    "get_orderbook": "orderbooks",
    "get_exchange_status": "exchange_status",
    "get_exchange_schedule": "exchange_schedule",
    "get_fills": "fills",
    "get_orders": "orders",
    "get_positions": "positions",
    "get_event_positions": "event_positions",
    "get_settlements": "settlements",
    "get_portfolio_history": "portfolio_history",
    "get_balance": "balance",
    "get_account_limits": "account_limits",
    "get_api_keys": "api_keys",
    "get_deposits": "deposits",
}


@pytest.mark.parametrize("name", sorted(KINDS))
def test_the_documented_columns_are_those_of_the_schema(name: str) -> None:
    schema = SCHEMAS[KINDS[name]]
    tables = column_tables(FUNCTIONS[name])
    assert len(tables) == 1, "one table of columns"
    assert list(tables[0].items()) == [(column.name, column.dtype) for column in schema.columns]


@pytest.mark.parametrize("name", sorted(KINDS))
def test_the_schema_tells_the_truth_about_empty_frames(name: str) -> None:
    schema = SCHEMAS[KINDS[name]]
    frame = schema.empty()
    columns = frame.reset_index() if schema.index else frame
    assert [(column, str(columns[column].dtype)) for column in columns] == [
        (column.name, column.dtype) for column in schema.columns
    ]


@pytest.mark.parametrize(
    "name", sorted(n for n in FUNCTIONS if n.startswith(("get_", "read_", "search_")))
)
def test_a_function_that_returns_a_frame_says_which_columns(name: str) -> None:
    for _ in range(3):
        if column_tables(FUNCTIONS[name]):
            return
        refers = re.search(r"`(get_\w+)`", sections(FUNCTIONS[name])["Returns"])
        assert refers, "neither a table of columns nor a reference to one"
        name = refers.group(1)
    pytest.fail("the references lead nowhere")


@pytest.mark.parametrize("name", ["depth_curve", "quotes"])
def test_the_documented_columns_of_computed_frames_are_those_computed(name: str) -> None:
    book = pd.DataFrame(
        {
            "ticker": pd.Categorical(["T", "T", "T"], categories=["T"]),
            "side": pd.Categorical(["bid", "bid", "ask"], categories=["bid", "ask"]),
            "level": [0, 1, 0],
            "price": [0.42, 0.41, 0.44],
            "quantity": [13.0, 10.0, 17.0],
            "cumulative": [13.0, 23.0, 17.0],
        }
    )
    (table,) = column_tables(FUNCTIONS[name])
    computed = FUNCTIONS[name](book)
    elsewhere = {computed.index.name, "time"}  # only the history of a book has times
    assert [column for column in table if column not in elsewhere] == list(computed.columns)
    for column in computed.columns:
        assert str(computed[column].dtype) == table[column], column


# The code


def test_wire_names_live_in_schemas_and_sandbox_only() -> None:
    wire = re.compile(r"(\w_dollars|\w_fp)\b")
    found = [
        f"{path}:{line}: {text[:60]!r}"
        for path, tree in TREES.items()
        if path.parts[0] not in ("schemas", "sandbox")
        for line, text in literals(tree)
        if wire.search(text)
    ]
    assert not found


def test_errors_are_caught_by_name() -> None:
    """A handler for everything may only clean up and let the error go on."""
    for path, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ExceptHandler):
                caught = (
                    {n.id for n in ast.walk(node.type) if isinstance(n, ast.Name)} if node.type else {""}
                )
                if caught & {"", "Exception", "BaseException"}:
                    last = node.body[-1]
                    goes_on = isinstance(last, ast.Raise) and last.exc is None
                    assert goes_on, f"{path}:{node.lineno} catches everything"


def test_the_library_does_not_print_or_show() -> None:
    for path, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                name = ast.unparse(node.func)
                assert name != "print" or path == Path("cli.py"), f"{path}:{node.lineno} prints"
                assert not re.fullmatch(r"(plt|pyplot)\.show", name), f"{path}:{node.lineno} shows"


def test_modules_are_named_for_what_they_are_for() -> None:
    vague = {"utils", "util", "helpers", "common", "core", "misc", "manager", "base", "tools"}
    assert not [path for path in TREES if vague & {part.removesuffix(".py") for part in path.parts}]


def test_modules_can_be_read_in_one_sitting() -> None:
    long = {
        os.fspath(path): len(text.splitlines()) for path, text in sources() if text.count("\n") > 600
    }
    assert not long


def sources() -> list[tuple[Path, str]]:
    return [(path.relative_to(PACKAGE), path.read_text(encoding="utf-8")) for path in MODULES]


def test_nothing_is_left_unfinished() -> None:
    marks = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b|\bNotImplementedError")
    found = [os.fspath(path) for path, text in sources() if marks.search(text)]
    assert not found


# Importing


def in_fresh_python(source: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", source],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_importing_is_light_and_touches_nothing() -> None:
    """No heavy package, no socket, no file written."""
    out = in_fresh_python(
        """
import sys
seen = []
def watch(event, args):
    if event.startswith("socket.") or event in ("os.mkdir", "os.rename", "subprocess.Popen"):
        seen.append(event)
    if event == "open" and isinstance(args[1], str) and set(args[1]) & set("wax+"):
        if "__pycache__" not in str(args[0]):
            seen.append(args[:2])
sys.addaudithook(watch)
import kalshi_research
dir(kalshi_research)
heavy = {"pandas", "numpy", "pyarrow", "matplotlib", "requests", "urllib3", "cryptography", "uvicorn",
         "tqdm", "ipywidgets", "IPython", "asyncio"}
print(sorted(heavy & set(sys.modules)), seen)
"""
    )
    assert out == "[] []\n"


def test_loading_everything_leaves_matplotlib_alone() -> None:
    out = in_fresh_python(
        """
import matplotlib
before = dict(matplotlib.rcParams)
backend = matplotlib.get_backend(auto_select=False)
import kalshi_research as kr
for name in kr.__all__:
    getattr(kr, name)
changed = [key for key, value in matplotlib.rcParams.items() if before[key] != value]
print(changed, matplotlib.get_backend(auto_select=False) == backend)
"""
    )
    assert out == "[] True\n"


# What is committed


def test_no_machine_and_no_registry_is_named() -> None:
    hosts = ("pypi" + r"\.org", "python" + r"hosted\.org", "npm" + r"js\.org", "ana" + r"conda\.org/")
    places = (
        r"/root/|/home/(?!me/|you/)\w+/|/Users/\w+/|/work/\w|/tmp/(?:uvenv|bash)|/opt/pypi|index-url"
    )
    pattern = re.compile("|".join((*hosts, places)))
    own = {"tests/test_house.py", "tests/test_notebooks_static.py"}  # they name what they look for
    found = [
        f"{name}: {match.group()}"
        for name, text in texts()
        if name not in own and (match := pattern.search(text))
    ]
    assert not found


def test_no_private_key_is_committed() -> None:
    body = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----\s*(?:\\n)?[A-Za-z0-9+/]{40,}")
    assert not [name for name, text in texts() if body.search(text)]
    assert not [path for path in committed() if path.suffix in (".pem", ".key", ".p8")]


def test_the_project_lies_where_everybody_looks() -> None:
    expected = {
        "pyproject.toml", "kalshi_research", "notebooks", "tests", "datasets", "environment.yml",
        "README.md", "LICENSE", "CHANGELOG.md", "CONTRIBUTING.md", "Makefile", "constraints.txt",
    }  # fmt: skip
    assert expected <= {path.name for path in ROOT.iterdir()}
    unexpected = {path.relative_to(ROOT).parts[0] for path in committed()} - expected
    assert unexpected <= {".ci", ".gitignore", ".gitattributes", ".pre-commit-config.yaml"}
