"""Change the code in small wrong ways and see whether the tests notice.

``python tests/mutations/campaign.py`` makes 60 changes with a seed that it prints, each in a copy of
the project, and runs the tests that concern the changed module, those first that run the changed
lines. ``--seed`` repeats it, ``--modules`` keeps to modules whose path contains one of some texts,
``--count`` says how many, ``--kind guards`` takes protections away instead of making slips. What
tests do not notice is printed; less than 95 % noticed is a failure. The project itself is not touched.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import os
import random
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue
from types import TracebackType
from typing import Any, Self

sys.path.insert(0, str(Path(__file__).parent))
from mutants import KINDS, Mutant, mutants
from targets import EQUIVALENT, PINNED, concerning, modules

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PARTS = ("kalshi_research", "tests", "datasets", "pyproject.toml", "README.md", "CHANGELOG.md")
ENOUGH = 0.95


@dataclass(frozen=True)
class Verdict:
    """What became of a mutant: ``killed``, ``timeout`` (which counts as noticed) or ``survived``."""

    mutant: Mutant
    outcome: str
    seconds: float

    @property
    def noticed(self) -> bool:
        return self.outcome != "survived"


@dataclass(frozen=True)
class Watched:
    """What each test runs and how long it takes, as `watching.Watch` found it."""

    tests: dict[str, dict[str, Any]] = field(default_factory=dict)

    def order(self, mutant: Mutant) -> list[str]:
        """The tests that run a changed line, and then the others; quick ones first.

        Those of a file that take about as long stay together: what a file sets up is set up once.
        """

        def place(name: str) -> tuple[bool, int, str, float]:
            seconds = self.tests[name]["seconds"]
            lines = self.tests[name]["lines"].get(mutant.path, ())
            file = name.partition("::")[0]
            runs = any(line in mutant.span for line in lines)
            return not runs, round(math.log10(seconds + 0.01)), file, seconds

        return sorted(self.tests, key=place)

    @property
    def slowest(self) -> float:
        return max((test["seconds"] for test in self.tests.values()), default=0.0)


class Copy:
    """A copy of the project that may be broken, and a process that runs its tests."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "project"
        self.root.mkdir(parents=True)
        for name in PARTS:
            if (ROOT / name).is_dir():
                ignored = shutil.ignore_patterns("__pycache__", "mutations", "*.pyc")
                shutil.copytree(ROOT / name, self.root / name, ignore=ignored)
            elif (ROOT / name).exists():
                shutil.copy2(ROOT / name, self.root / name)
        # Tests look for recorded answers beside the project.
        shared = ROOT.parent / "shared"
        if shared.is_dir():
            (folder / "shared").symlink_to(shared)
        self._runner = subprocess.Popen(
            [sys.executable, HERE / "warm.py"],
            cwd=self.root,
            env=os.environ | {"PYTHONPATH": str(self.root), "KALSHI_RESEARCH_PROGRESS": "0"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._runner.communicate()

    def run(
        self,
        tests: Sequence[str],
        seconds: float,
        *,
        order: Sequence[str] = (),
        patience: float = 0,
    ) -> tuple[int | None, str]:
        """Exit status of the tests, None when they did not end in time, and what they said last.

        `order` names tests that come first; `patience` is for a single test [s], 0 for the usual one.
        """
        return self._ask(tests, seconds, order=list(order), patience=patience, watch=[], report="")

    def watch(self, tests: Sequence[str], paths: Sequence[str], seconds: float) -> Watched:
        """What each test runs of some modules, in the sound code.

        Raises
        ------
        RuntimeError
            If a test fails.
        """
        files, report = [str(self.root / path) for path in paths], self.root.parent / "watched.json"
        status, said = self._ask(tests, seconds, order=[], patience=0, watch=files, report=str(report))
        if status != 0:
            raise RuntimeError(f"the tests fail without any change:\n{said}")
        found = json.loads(report.read_text(encoding="utf-8"))
        for test in found.values():
            lines = test["lines"]
            test["lines"] = {path.removeprefix(f"{self.root}/"): lines[path] for path in lines}
        return Watched(found)

    def _ask(self, tests: Sequence[str], seconds: float, **more: Any) -> tuple[int | None, str]:
        entry, answer = self._runner.stdin, self._runner.stdout
        assert entry is not None
        assert answer is not None
        entry.write(json.dumps({"tests": list(tests), "seconds": seconds} | more) + "\n")
        entry.flush()
        done = json.loads(answer.readline())
        return done["status"], done["said"]

    def judge(
        self, mutant: Mutant, tests: Sequence[str], seconds: float, watched: Watched | None = None
    ) -> Verdict:
        """Put the change in, run the tests, take it out again.

        Raises
        ------
        RuntimeError
            If no tests could be run, which says nothing of the change.
        """
        file = self.root / mutant.path
        sound, times = file.read_text(encoding="utf-8"), file.stat()
        watched = watched or Watched()
        patience = max(20.0, 5 * watched.slowest) if watched.tests else 0.0
        began = time.monotonic()
        file.write_text(mutant.source, encoding="utf-8")
        try:
            status, said = self.run(tests, seconds, order=watched.order(mutant), patience=patience)
        finally:
            file.write_text(sound, encoding="utf-8")
            os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
        if status in (4, 5):
            raise RuntimeError(f"the tests cannot be run:\n{said}")
        outcome = {None: "timeout", 0: "survived"}.get(status, "killed")
        return Verdict(mutant, outcome, time.monotonic() - began)


def choose(
    count: int, seed: int, pattern: str = "", root: Path = ROOT, *, kind: str = "slips"
) -> list[Mutant]:
    """Some mutants of a kind, drawn without those that are known to change nothing."""
    everything = [
        mutant
        for path in modules(root, pattern)
        for mutant in mutants(root, path, kind)
        if mutant.key not in EQUIVALENT
    ]
    return random.Random(seed).sample(everything, min(count, len(everything)))


def pinned(root: Path = ROOT) -> list[Mutant]:
    """The changes that are made on every run of the tests.

    Raises
    ------
    LookupError
        If one of them is no longer possible: the code has changed, and `PINNED` needs another.
    """
    paths = {key.partition("::")[0] for key in PINNED}
    known = {
        mutant.key: mutant
        for path in sorted(paths)
        for kind in KINDS
        for mutant in mutants(root, path, kind)
    }
    gone = [key for key in PINNED if key not in known]
    if gone:
        raise LookupError(f"no such change any more; pin another one: {gone}")
    return [known[key] for key in PINNED]


def _state() -> str:
    """What the code and the tests are now."""
    files = sorted(file for part in PARTS[:2] for file in (ROOT / part).rglob("*.py"))
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def _watched(copies: list[Copy], paths: Sequence[str], *, quick: bool) -> Watched:
    """What the tests of modules run, found once for the same code and kept with temporary files."""
    tests = sorted({test for path in paths for test in concerning(path, quick=quick)})
    name = hashlib.sha256(json.dumps([_state(), tests, paths]).encode()).hexdigest()[:16]
    kept = Path(tempfile.gettempdir()) / f"kalshi-research-watched-{name}.json"
    if not kept.exists():
        with ThreadPoolExecutor(len(copies)) as pool:
            parts = [tests[number :: len(copies)] for number in range(len(copies))]
            found = pool.map(lambda copy, part: copy.watch(part, paths, 900), copies, parts)
            together = {name: test for part in found for name, test in part.tests.items()}
        kept.write_text(json.dumps(together), encoding="utf-8")
    return Watched(json.loads(kept.read_text(encoding="utf-8")))


def campaign(
    chosen: Sequence[Mutant],
    *,
    among: Sequence[str] = (),
    jobs: int = 2,
    seconds: float = 180,
    quick: bool = False,
) -> list[Verdict]:
    """Judge the mutants, some at a time, and say what became of each.

    `among` names the modules that they were drawn from, whose tests are watched once for all seeds.

    Raises
    ------
    RuntimeError
        If the tests fail without any change.
    """
    tests = {mutant.path: concerning(mutant.path, quick=quick) for mutant in chosen}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mutations-")))
        copies = [stack.enter_context(Copy(folder / str(number))) for number in range(jobs)]
        paths = sorted({mutant.path for mutant in chosen} | set(among))
        watched = _watched(copies, paths, quick=quick)
        free: SimpleQueue[Copy] = SimpleQueue()
        for copy in copies:
            free.put(copy)
        # A busy machine is no endless loop.
        patience = max(seconds, 4 * sum(test["seconds"] for test in watched.tests.values()))

        def one(mutant: Mutant) -> Verdict:
            copy = free.get()
            try:
                verdict = copy.judge(mutant, tests[mutant.path], patience, watched)
            finally:
                free.put(copy)
            sys.stdout.write(f"{verdict.outcome:8} {verdict.seconds:5.1f} s  {mutant.key}\n")
            sys.stdout.flush()
            return verdict

        with ThreadPoolExecutor(jobs) as pool:
            return list(pool.map(one, chosen))


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6))
    parser.add_argument("--modules", default="", help="parts of paths of the modules to change")
    parser.add_argument("--kind", choices=sorted(KINDS), default="slips")
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args(arguments)
    sys.stdout.write(f"seed {options.seed}\n")
    chosen = choose(options.count, options.seed, options.modules, kind=options.kind)
    verdicts = campaign(chosen, among=modules(ROOT, options.modules), jobs=options.jobs)
    survivors = [verdict.mutant for verdict in verdicts if not verdict.noticed]
    share = 1 - len(survivors) / len(verdicts)
    sys.stdout.write(f"\n{len(verdicts)} changes, {share:.1%} noticed\n")
    late = sum(verdict.outcome == "timeout" for verdict in verdicts)
    sys.stdout.write(f"{late} of them by not ending in time\n" if late else "")
    for mutant in survivors:
        sys.stdout.write(f"survived {mutant.path}:{mutant.line}  {mutant.old} -> {mutant.new}\n")
    return 0 if share >= ENOUGH else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
