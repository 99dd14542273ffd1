"""How fast pages become frames, against the clients people use today.

Run ``python tests/benchmarks/bulk_frames.py``. A process of its own serves generated pages
on loopback; every contestant runs in a process of its own and must end with the same
numbers. Printed are rows a second, peak memory over the imports, and how many times as
long the others take; below them the targets.

Other clients are installed, once, into environments under ``--peers`` (default
``~/.cache/kalshi_research/peers``, or ``KALSHI_RESEARCH_PEERS``); where that fails they
are left out with the reason. The official SDK needs a Python 3.13 on the machine.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

HERE = Path(__file__).resolve().parent
TASKS = {"trades": 100_000, "markets": 20_000, "books": 1_000}
FIELD = {
    "trades": ("ours", "bare loop", "plain loop", "kalshi-pandas", "pykalshi", "official SDK"),
    "markets": ("ours", "bare loop", "plain loop", "kalshi-pandas", "pykalshi", "official SDK"),
    "books": ("ours", "pykalshi"),
}
TARGETS = {
    "trades": {"plain loop": 3.5, "pykalshi": 9.0, "bare loop": 0.75},
    "markets": {"plain loop": 2.5, "pykalshi": 4.0, "bare loop": 0.75},
    "books": {"pykalshi": 50.0},
}
PEAK_TARGET = 60.0
CACHE_TARGET = 400.0
IMPORT_TARGET = 0.100
LATENCY = 0.060
REPEATS = 5

PEERS = {
    "pykalshi": (None, ("pykalshi[dataframe]==2.0.0",)),
    "kalshi-pandas": (None, ("kalshi-pandas==0.1.0",)),
    "official SDK": ("3.13", ("kalshi-python-sync==3.34.0",)),
}


@dataclass
class Result:
    """What one contestant took for one task."""

    seconds: float
    peak: float
    checksums: list[float]


def find_python(version: str | None) -> str | None:
    """An interpreter of that version, or this one."""
    if version is None:
        return sys.executable
    kept = Path.home() / ".pyenv" / "versions"
    candidates = [
        shutil.which(f"python{version}"),
        *map(str, sorted(kept.glob(f"{version}*/bin/python"))),
    ]
    for candidate in filter(None, candidates):
        probe = [candidate, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
        found = subprocess.run(probe, capture_output=True, text=True, check=False)
        if found.stdout.strip() == version:
            return candidate
    return None


def peer_python(name: str, folder: Path) -> tuple[str | None, str]:
    """The interpreter of a peer's environment, made when it is missing; or why there is none."""
    version, packages = PEERS[name]
    home = folder / name.replace(" ", "-")
    python = home / ("Scripts" if os.name == "nt" else "bin") / "python"
    if (home / "complete").exists():
        return str(python), ""
    base = find_python(version)
    if base is None:
        return None, f"no Python {version} on this machine"
    wanted = [*packages, "pandas==3.*", "pyarrow"]
    uv = shutil.which("uv")
    if uv is not None:
        steps = [[uv, "venv", "--clear", "--python", base, str(home)]]
        steps.append([uv, "pip", "install", "--python", str(python), *wanted])
    else:
        steps = [[base, "-m", "venv", "--clear", str(home)]]
        steps.append([str(python), "-m", "pip", "install", "--quiet", *wanted])
    print(f"installing {name} into {home} ...", file=sys.stderr)
    for step in steps:
        done = subprocess.run(step, capture_output=True, text=True, check=False)
        if done.returncode:
            return None, f"cannot be installed: {done.stderr.strip().splitlines()[-1:]}"
    (home / "complete").touch()
    return str(python), ""


@contextmanager
def exchange(latency: float = 0.0) -> Iterator[str]:
    """The URL of a running server process."""
    command = [sys.executable, str(HERE / "loopback_exchange.py"), str(latency)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        yield process.stdout.readline().strip()
        process.stdin.close()


def measure(python: str, name: str, task: str, url: str, key: str) -> Result | str:
    """Run a contestant; says why where it fails."""
    command = [python, str(HERE / "contestants.py"), name, task, url, str(REPEATS), key]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("KALSHI")}
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=HERE, env=environment, timeout=600
    )
    if done.returncode:
        return f"failed: {(done.stderr.strip().splitlines() or ['?'])[-1][:90]}"
    return Result(**json.loads(done.stdout.splitlines()[-1]))


def race(task: str, pythons: dict[str, str], url: str, rounds: int, key: str) -> dict[str, Result | str]:
    """All contestants by turns, the best of their rounds."""
    results: dict[str, Result | str] = {}
    for _ in range(rounds):
        for name in FIELD[task]:
            if name not in pythons:
                continue
            found = measure(pythons[name], name, task, url, key)
            before = results.get(name)
            if isinstance(before, Result) and isinstance(found, Result):
                found = min(before, found, key=lambda result: result.seconds)
            results[name] = found
    sums = {tuple(r.checksums) for r in results.values() if isinstance(r, Result)}
    if len(sums) != 1:
        raise SystemExit(f"the contestants disagree about {task}: {results}")
    return results


def show(task: str, results: dict[str, Result | str]) -> None:
    """The table of one task."""
    rows = TASKS[task]
    ours = results["ours"]
    if isinstance(ours, str):
        raise SystemExit(f"ours {ours}")
    print(f"\n{rows:,} {task}")
    print(f"  {'':16}{'seconds':>9}{'per second':>13}{'peak MB':>9}{'x as long as ours':>19}")
    for name, found in results.items():
        if isinstance(found, str):
            print(f"  {name:16}{found}")
            continue
        print(
            f"  {name:16}{found.seconds:9.3f}{rows / found.seconds:13,.0f}{found.peak:9.0f}"
            f"{found.seconds / ours.seconds:19.2f}"
        )
    for name, target in TARGETS[task].items():
        other = results.get(name)
        if isinstance(other, Result):
            verdict(f"{task}: {name} / ours", other.seconds / ours.seconds, target)
    if task == "trades" and ours.peak:
        met = "met" if ours.peak <= PEAK_TARGET else "MISSED"
        print(f"  target {met}: trades, peak memory {ours.peak:.0f} MB (at most {PEAK_TARGET:.0f})")


def verdict(what: str, found: float, target: float) -> None:
    """One line on a target."""
    print(f"  target {'met' if found >= target else 'MISSED'}: {what} {found:.2f} (at least {target:g})")


CACHE_PROBE = """
import sys, time, tempfile
import kalshi_research as kr
with tempfile.TemporaryDirectory() as folder, kr.connect(sys.argv[1], cache=folder) as client:
    took = []
    for _ in range(10):
        started = time.perf_counter()
        frame = kr.get_trades(client, start="2025-01-01", end="2025-11-01", progress=False)
        took.append(time.perf_counter() - started)
        assert len(frame) == 100_000
    print(took[0], min(took[1:]))
"""

IMPORT_PROBE = """
import time, pandas
started = time.perf_counter()
import kalshi_research
print(time.perf_counter() - started)
"""


def probe(code: str, *arguments: str) -> list[float]:
    """The numbers that a piece of code prints."""
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True
    )
    return [float(number) for number in done.stdout.split()]


def main(arguments: Sequence[str] | None = None) -> None:
    """Print everything."""
    default = os.environ.get("KALSHI_RESEARCH_PEERS", "~/.cache/kalshi_research/peers")
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--peers", type=Path, default=Path(default), help="folder of their environments")
    parser.add_argument("--rounds", type=int, default=2, help="turns of five runs each")
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS))
    options = parser.parse_args(arguments)
    pythons = dict.fromkeys(("ours", "bare loop", "plain loop"), sys.executable)
    for name in PEERS:
        python, reason = peer_python(name, options.peers.expanduser())
        if python is None:
            print(f"{name} is left out: {reason}")
        else:
            pythons[name] = python
    with tempfile.NamedTemporaryFile(suffix=".pem") as key:
        private = rsa.generate_private_key(65537, 2048)  # pykalshi does not start without one
        key.write(
            private.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        key.flush()
        with exchange() as url:
            for task in options.tasks:
                show(task, race(task, pythons, url, options.rounds, key.name))
    with exchange(LATENCY) as url:
        first, again = probe(CACHE_PROBE, url)
    print(f"\nthe same question again, {LATENCY * 1000:.0f} ms a request")
    print(f"  asked {first:.2f} s, from the cache {again * 1000:.1f} ms")
    verdict("cache: asked / kept", first / again, CACHE_TARGET)
    extra = min(probe(IMPORT_PROBE)[0] for _ in range(5))
    met = "met" if extra <= IMPORT_TARGET else "MISSED"
    print(f"\nimport kalshi_research after pandas\n  target {met}: {extra * 1000:.0f} ms (at most 100)")


if __name__ == "__main__":
    main()
