"""What a person downloads, installs and reads first."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import venv
import zipfile
from collections.abc import Iterator
from email.parser import Parser
from importlib.metadata import distribution
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

import kalshi_research

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
ON_CI = os.environ.get("KALSHI_RESEARCH_CI") == "1"


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def run(*command: str | Path, cwd: Path, **environment: str) -> str:
    done = subprocess.run(
        [os.fspath(part) for part in command],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return done.stdout


def constraints() -> dict[str, Version]:
    pairs = (line.split("==") for line in read("constraints.txt").split())
    return {name: Version(version) for name, version in pairs}


# pyproject.toml and its companions


def test_the_version_is_the_same_everywhere() -> None:
    assert kalshi_research.__version__ == PROJECT["version"] == distribution("kalshi-research").version


def test_the_named_packages_are_in_sight() -> None:
    def names(requirements: list[str]) -> set[str]:
        return {Requirement(text).name for text in requirements}

    core = names(PROJECT["dependencies"])
    assert {"pandas", "requests", "cryptography", "matplotlib", "ipywidgets"} <= core
    assert {"pytest", "nbval"} <= names(EXTRAS["test"])
    assert not core & {"jupyterlab", "nbclient", "pytest", "dask", "duckdb"}, "heavy packages are extras"


def test_every_dependency_has_a_floor_that_the_constraints_meet() -> None:
    pinned = constraints()
    for text in [*PROJECT["dependencies"], *(t for extra in EXTRAS.values() for t in extra)]:
        requirement = Requirement(text)
        if requirement.name == "kalshi-research":
            assert requirement.extras <= set(EXTRAS)
            continue
        assert any(part.operator == ">=" for part in requirement.specifier), text
        assert pinned[canonicalize_name(requirement.name)] in requirement.specifier, text


def requirements(name: str, extras: frozenset[str]) -> Iterator[Requirement]:
    if name == PROJECT["name"]:
        texts = [*PROJECT["dependencies"], *(text for extra in extras for text in EXTRAS[extra])]
    else:
        texts = distribution(name).requires or []
    for requirement in map(Requirement, texts):
        if requirement.marker is None or any(
            requirement.marker.evaluate({"extra": extra}) for extra in extras or {""}
        ):
            yield requirement


def needed(name: str, extras: frozenset[str], seen: set[tuple[str, frozenset[str]]]) -> Iterator[str]:
    """Everything that an installation brings along."""
    if (name, extras) not in seen:
        seen.add((name, extras))
        for requirement in requirements(name, extras):
            plain = canonicalize_name(requirement.name)
            yield plain
            yield from needed(plain, frozenset(requirement.extras), seen)


def test_the_constraints_cover_everything_and_name_only_versions() -> None:
    lines = read("constraints.txt").splitlines()
    assert all(re.fullmatch(r"[a-z0-9]([a-z0-9._-]*[a-z0-9])?==[0-9][0-9a-z.]*", line) for line in lines)
    names = [line.partition("==")[0] for line in lines]
    assert names == sorted(set(names))
    missing = (
        set(needed("kalshi-research", frozenset({"dev"}), set()))
        - set(constraints())
        - {"kalshi-research"}
    )
    assert not missing


def test_conda_users_get_the_same_thing() -> None:
    environment = yaml.safe_load(read("environment.yml"))
    assert environment["name"] == PROJECT["name"]
    packages = [entry for entry in environment["dependencies"] if isinstance(entry, str)]
    (pip,) = [entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict)]
    assert packages[-1] == "pip"
    python = next(entry for entry in packages if entry.startswith("python"))
    assert SpecifierSet(python.removeprefix("python")) == SpecifierSet(PROJECT["requires-python"])
    (editable,) = [entry for entry in pip if entry.startswith("-e ")]
    extra = re.fullmatch(r"-e \.\[(\w+)\]", editable)
    assert extra
    assert extra.group(1) in EXTRAS
    for entry in pip:
        if entry.startswith("-c "):
            assert (ROOT / entry.removeprefix("-c ")).is_file()


def test_the_changelog_is_kept() -> None:
    text = read("CHANGELOG.md")
    assert text.startswith("# Changelog\n")
    headings = re.findall(r"^## (.*)$", text, re.MULTILINE)
    assert headings[0] == "[Unreleased]"
    released = [
        re.fullmatch(r"\[(\d+\.\d+\.\d+)\] - (\d{4}-\d{2}-\d{2})", heading) for heading in headings[1:]
    ]
    assert all(released)
    versions = [Version(match.group(1)) for match in released if match]
    dates = [match.group(2) for match in released if match]
    assert versions == sorted(versions, reverse=True)
    assert dates == sorted(dates, reverse=True)
    assert all(version <= Version(PROJECT["version"]) for version in versions)
    kinds = set(re.findall(r"^### (.*)$", text, re.MULTILINE))
    assert kinds <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
    assert re.search(r"^- \S", text, re.MULTILINE)


def test_hooks_run_the_tools_of_make_and_fetch_nothing() -> None:
    config = yaml.safe_load(read(".pre-commit-config.yaml"))
    assert [repository["repo"] for repository in config["repos"]] == ["local"]
    hooks = config["repos"][0]["hooks"]
    assert {hook["language"] for hook in hooks} == {"system"}
    makefile = read("Makefile").replace("$(PY)", ".venv/bin/python")
    for hook in hooks[:4]:
        tool = hook["entry"].removesuffix(" --force-exclude").removesuffix(" --check")
        assert tool in makefile


# Make and CI


def make(*arguments: str, cwd: Path, path: str | None = None) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **({"PATH": path} if path else {})}
    for name in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS", "PYTHON"):
        environment.pop(name, None)
    return subprocess.run(
        ["make", *arguments], cwd=cwd, capture_output=True, text=True, check=False, env=environment
    )


def tools(folder: Path, *more: Path) -> str:
    """A PATH with little more than what any system has, and without uv."""
    folder.mkdir()
    for name in ("sh", "make", "rm", "touch", "echo", "cat", "env"):
        (folder / name).symlink_to(shutil.which(name) or pytest.fail(f"no {name}"))
    for program in more:
        (folder / program.name).symlink_to(program)
    return os.fspath(folder)


def test_make_alone_lists_its_targets() -> None:
    done = make(cwd=ROOT)
    targets = re.findall(r"^make (\w+)", done.stdout, re.MULTILINE)
    assert {"run", "test", "lab", "docs"} <= set(targets)
    for target in targets:
        assert make("--dry-run", "--always-make", target, cwd=ROOT).returncode == 0


def test_make_test_checks_everything() -> None:
    done = make("--dry-run", "--always-make", "test", cwd=ROOT)
    for part in (
        "ruff check",
        "ruff format --check",
        "mypy",
        "lint-imports",
        "--doctest-modules",
        "--nbval ",
    ):
        assert part in done.stdout
    assert "KALSHI_RESEARCH_PROGRESS=0" in done.stdout


def test_an_environment_is_made_without_uv_below_a_path_with_spaces(tmp_path: Path) -> None:
    clone = tmp_path / "a clone with spaces"
    clone.mkdir()
    shutil.copy(ROOT / "Makefile", clone)
    base = Path(sys.base_prefix) / "bin" / f"python{sys.version_info[0]}.{sys.version_info[1]}"
    path = tools(tmp_path / "bin")
    done = make(".venv/bin/python", f"PYTHON={base}", cwd=clone, path=path)
    assert done.returncode == 0, done.stderr
    told = run(clone / ".venv" / "bin" / "python", "-c", "import sys; print(sys.prefix)", cwd=clone)
    assert told.strip() == os.fspath(clone / ".venv")
    again = make(".venv/bin/python", f"PYTHON={base}", cwd=clone, path=path)
    assert "up to date" in again.stdout


def test_without_a_python_that_will_do_make_says_so(tmp_path: Path) -> None:
    shutil.copy(ROOT / "Makefile", tmp_path)
    old = tmp_path / "python3"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    done = make(".venv/bin/python", cwd=tmp_path, path=tools(tmp_path / "bin", old))
    assert done.returncode != 0
    assert "No Python of 3.11 to 3.14 was found" in done.stderr
    assert not (tmp_path / ".venv").exists()


def test_the_ci_script_is_sound() -> None:
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    run("bash", "-n", script, cwd=ROOT)
    text = read(".ci/run")
    assert "set -euo pipefail" in text
    assert "KALSHI_RESEARCH_CI=1" in text
    assert "make test" in text


# The wheel and the README


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built without a network: hatchling is in the dev extra."""
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder, cwd=ROOT)
    (built,) = folder.glob("*.whl")
    return built


def test_the_wheel_holds_the_package_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        information = next(name for name in names if name.endswith(".dist-info/METADATA"))
        metadata = Parser().parsestr(archive.read(information).decode())
        entry_points = archive.read(information.replace("METADATA", "entry_points.txt")).decode()
    packaged = {
        os.fspath(path.relative_to(ROOT))
        for path in (ROOT / "kalshi_research").rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    assert packaged <= names
    assert {name.split("/")[0] for name in names} == {"kalshi_research", information.split("/")[0]}
    assert "kalshi-research = kalshi_research.cli:main" in entry_points
    assert metadata["Requires-Python"] == ",".join(sorted(PROJECT["requires-python"].split(",")))
    assert metadata["License-Expression"] == "MIT"
    assert metadata["Description-Content-Type"] == "text/markdown"


def readme_example() -> tuple[str, str]:
    """The first Python block of the README, and the block with its output behind it."""
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", read("README.md"), re.MULTILINE | re.DOTALL)
    first = next(i for i, (language, _) in enumerate(blocks) if language == "python")
    assert blocks[first + 1][0] in ("", "text"), "the output follows the code"
    return blocks[first][1], blocks[first + 1][1]


def shown(text: str) -> list[str]:
    """Lines as a reader sees them: pandas pads with spaces, an editor strips them."""
    return [line.rstrip() for line in text.strip().splitlines()]


def test_the_ten_lines_of_the_readme_print_what_it_says(tmp_path: Path) -> None:
    source, output = readme_example()
    assert len([line for line in source.splitlines() if line.strip()]) <= 10
    said = run(sys.executable, "-W", "error", "-c", source, cwd=tmp_path, MPLBACKEND="agg")
    assert shown(said) == shown(output)


def test_every_other_example_of_the_readme_runs_in_its_order(tmp_path: Path) -> None:
    """What needs a key of Kalshi's own is left out, and what is printed of orders is compared."""
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", read("README.md"), re.MULTILINE | re.DOTALL)
    sources = [source for language, source in blocks if language == "python"]
    mine = [source for source in sources if 'connect("demo"' not in source]
    assert len(mine) >= 5, "the README lost its examples"
    said = run(sys.executable, "-W", "error", "-c", "\n".join(mine), cwd=tmp_path, MPLBACKEND="agg")
    (output,) = (text for _, text in blocks if "SIMULATED" in text)
    found = re.sub(r"\[id [0-9a-f-]{36}\]", "[id ...]", said)
    assert "\n".join(shown(output)) in "\n".join(shown(found))


def test_the_readme_speaks_of_what_exists() -> None:
    text = read("README.md")
    targets = set(re.findall(r"^(\w+):", read("Makefile"), re.MULTILINE))
    named = set(re.findall(r"(?:^|`)make (\w+)", text, re.MULTILINE))
    assert {"run", "test"} <= named <= targets
    for link in re.findall(r"\]\((?!https?:|#)([^)#]+)", text):
        assert (ROOT / link).exists(), link


@pytest.mark.timeout(600)
def test_the_wheel_works_in_an_environment_of_its_own(wheel: Path, tmp_path: Path) -> None:
    if not ON_CI:
        pytest.skip("installs all dependencies anew; done on CI, or with KALSHI_RESEARCH_CI=1")
    home = tmp_path / "clean environment"
    venv.create(home, with_pip=True)
    python = home / "bin" / "python"
    install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"]
    run(python, *install, "-c", ROOT / "constraints.txt", wheel, cwd=tmp_path)
    source, output = readme_example()
    isolated = {"PYTHONPATH": "", "MPLBACKEND": "agg"}
    said = run(python, "-W", "error", "-c", source, cwd=tmp_path, **isolated)
    assert shown(said) == shown(output)
    installed = json.loads(run(python, "-m", "pip", "list", "--format", "json", cwd=tmp_path))
    names = {canonicalize_name(entry["name"]) for entry in installed}
    assert not names & {"pytest", "jupyterlab", "mypy"}, "the core stays light"
    assert PROJECT["version"] in run(
        home / "bin" / "kalshi-research", "--version", cwd=tmp_path, **isolated
    )


# The API reference


def test_the_api_reference_reads_offline(tmp_path: Path) -> None:
    run(sys.executable, ROOT / ".ci" / "reference.py", tmp_path / "site", cwd=tmp_path)
    pages = {path.name: path.read_text(encoding="utf-8") for path in (tmp_path / "site").rglob("*.html")}
    main = pages["kalshi_research.html"]
    for name in kalshi_research.__all__:
        assert f'id="{name}"' in main or f"{name}.html" in pages, name
    fetched = [
        match
        for page in pages.values()
        for match in re.findall(
            r"<(?:script|img|link|iframe)\b[^>]*(?:src|href)=\"(?:https?:)?//[^\"]*", page
        )
        + re.findall(r"url\(\s*[\"']?(?:https?:)?//|@import", page)
    ]
    assert not fetched
    assert "<th>column</th><th>dtype</th>" in main
    assert "=====" not in re.sub(r"<(style|script)\b.*?</\1>", "", main, flags=re.DOTALL)
