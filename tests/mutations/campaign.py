"""Change the code in small wrong ways and see whether the tests notice.

``python tests/mutations/campaign.py`` makes 60 changes with a seed that it prints, each in a copy of
the project, and runs the tests that concern the changed module. ``--seed`` repeats it, ``--modules``
keeps to modules whose path contains a text, ``--count`` says how many. What tests do not notice is
printed; less than 95 % noticed is a failure. The project itself is not touched.
"""

from __future__ import annotations

import argparse
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
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

sys.path.insert(0, str(Path(__file__).parent))
from mutants import Mutant, mutants
from targets import EQUIVALENT, PINNED, concerning, modules

ROOT = Path(__file__).resolve().parents[2]
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


class Copy:
    """A copy of the project that may be broken."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "project"
        self.root.mkdir(parents=True)
        for name in PARTS:
            if (ROOT / name).is_dir():
                ignored = shutil.ignore_patterns("__pycache__", "mutations", "*.pyc")
                shutil.copytree(ROOT / name, self.root / name, ignore=ignored)
            elif (ROOT / name).exists():
                shutil.copy(ROOT / name, self.root / name)
        # Tests look for recorded answers beside the project.
        shared = ROOT.parent / "shared"
        if shared.is_dir():
            (folder / "shared").symlink_to(shared)

    def run(self, tests: Sequence[str], seconds: float) -> tuple[int | None, str]:
        """Exit status of the tests, None when they did not end in time, and what they said last."""
        environment = os.environ | {
            "PYTHONPATH": str(self.root),
            "PYTHONDONTWRITEBYTECODE": "1",
            "KALSHI_RESEARCH_PROGRESS": "0",
        }
        command = [sys.executable, "-m", "pytest", "-xq", "-p", "no:cacheprovider", *tests]

        try:
            done = subprocess.run(
                command,
                cwd=self.root,
                env=environment,
                capture_output=True,
                timeout=seconds,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return None, f"no end within {seconds:.0f} s"
        return done.returncode, done.stdout.decode(errors="replace")[-1500:]

    def judge(self, mutant: Mutant, tests: Sequence[str], seconds: float) -> Verdict:
        """Put the change in, run the tests, take it out again."""
        file = self.root / mutant.path
        sound = file.read_text(encoding="utf-8")
        began = time.monotonic()
        file.write_text(mutant.source, encoding="utf-8")
        try:
            status, _ = self.run(tests, seconds)
        finally:
            file.write_text(sound, encoding="utf-8")
        outcome = {None: "timeout", 0: "survived"}.get(status, "killed")
        return Verdict(mutant, outcome, time.monotonic() - began)


def choose(count: int, seed: int, pattern: str = "", root: Path = ROOT) -> list[Mutant]:
    """Some mutants, drawn without those that are known to change nothing."""
    everything = [
        mutant
        for path in modules(root, pattern)
        for mutant in mutants(root, path)
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
    known = {mutant.key: mutant for path in sorted(paths) for mutant in mutants(root, path)}
    gone = [key for key in PINNED if key not in known]
    if gone:
        raise LookupError(f"no such change any more; pin another one: {gone}")
    return [known[key] for key in PINNED]


def campaign(
    chosen: Sequence[Mutant], *, jobs: int = 2, seconds: float = 180, quick: bool = False
) -> list[Verdict]:
    """Judge the mutants, some at a time, and say what became of each.

    Raises
    ------
    RuntimeError
        If the tests fail without any change.
    """
    copies: SimpleQueue[Copy] = SimpleQueue()
    with tempfile.TemporaryDirectory(prefix="mutations-") as folder:
        for number in range(jobs):
            copies.put(Copy(Path(folder) / str(number)))
        sound = copies.get()
        needed = [concerning(mutant.path, quick=quick) for mutant in chosen]
        tests = list(dict.fromkeys(test for group in needed for test in group))
        began = time.monotonic()
        status, said = sound.run(tests, 900)
        # A busy machine is no endless loop.
        patience = max(seconds, 4 * (time.monotonic() - began))
        copies.put(sound)
        if status != 0:
            raise RuntimeError(f"the tests fail without any change:\n{said}")

        def one(mutant: Mutant) -> Verdict:
            copy = copies.get()
            try:
                verdict = copy.judge(mutant, concerning(mutant.path, quick=quick), patience)
            finally:
                copies.put(copy)
            sys.stdout.write(f"{verdict.outcome:8} {verdict.seconds:5.1f} s  {mutant.key}\n")
            sys.stdout.flush()
            return verdict

        with ThreadPoolExecutor(jobs) as pool:
            return list(pool.map(one, chosen))


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6))
    parser.add_argument("--modules", default="", help="part of the path of the modules to change")
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args(arguments)
    sys.stdout.write(f"seed {options.seed}\n")
    verdicts = campaign(choose(options.count, options.seed, options.modules), jobs=options.jobs)
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
