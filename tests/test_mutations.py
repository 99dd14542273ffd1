"""Small wrong changes of the code are noticed by its tests.

Ten pinned ones on every run; ``tests/mutations/campaign.py`` makes as many as one likes.
"""

from __future__ import annotations

import ast
import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent / "mutations"
sys.path.insert(0, str(HERE))
import campaign  # noqa: E402
import mutants  # noqa: E402
import targets  # noqa: E402

ROOT = campaign.ROOT
EXAMPLE = '''
"""Says nothing."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import os

LIMIT = 7


def guarded(count: int = 3, *, strict: bool = True) -> int:
    """Text for people."""
    if count > 2 and not strict:
        raise ValueError(f"{count + 1} is too many")
    total: list[int] = []
    total.append(count)
    return min(count * 2, -1)
'''


def code() -> str:
    """What the package is now."""
    files = sorted(ROOT.glob("kalshi_research/**/*.py"))
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


@pytest.mark.mutations
@pytest.mark.timeout(600)
def test_pinned_changes_are_noticed() -> None:
    before = code()
    verdicts = campaign.campaign(campaign.pinned(), jobs=2, quick=True)
    assert {verdict.mutant.key: verdict.outcome for verdict in verdicts} == dict.fromkeys(
        targets.PINNED, "killed"
    )
    assert code() == before


@pytest.mark.mutations
@pytest.mark.timeout(600)
def test_a_change_that_no_test_looks_at_survives(tmp_path: Path) -> None:
    """The tool can say no: here the tests of something else are run."""
    mutant = campaign.pinned()[0]
    with campaign.Copy(tmp_path) as copy:
        file = copy.root / mutant.path
        sound = file.read_text()
        verdict = copy.judge(mutant, ["tests/test_engine_purity.py"], 250)
        assert (verdict.outcome, verdict.noticed) == ("survived", False)
        assert file.read_text() == sound == (ROOT / mutant.path).read_text()
        with pytest.raises(RuntimeError, match="cannot be run"):
            copy.judge(mutant, ["tests/no_such_test.py"], 250)
        assert file.read_text() == sound
        assert copy.run(["tests/test_engine_purity.py"], 0.01)[0] is None


@pytest.mark.mutations
@pytest.mark.timeout(600)
def test_what_runs_a_changed_line_comes_first(tmp_path: Path) -> None:
    path = "kalshi_research/sandbox/engine/accounts.py"
    with campaign.Copy(tmp_path) as copy:
        tests = ["tests/test_engine_groups.py", "tests/test_engine_purity.py"]
        watched = copy.watch(tests, [path], 250)
        change = next(mutant for mutant in campaign.pinned() if mutant.path == path)
        names = watched.order(change)
        assert {name.partition("::")[0] for name in names} == set(tests)
        runs = [
            any(line in change.span for line in watched.tests[name]["lines"].get(path, ()))
            for name in names
        ]
        assert runs == sorted(runs, reverse=True)
        assert runs[0]
        assert not runs[-1]
        # The order leaves nothing out and is kept.
        last = names[-1]
        status, said = copy.run(tests, 250, order=[last])
        assert status == 0
        assert f"{len(names)} passed" in said


def test_each_change_is_one_change_of_code(tmp_path: Path) -> None:
    (tmp_path / "example.py").write_text(EXAMPLE)
    found = list(mutants.mutants(tmp_path, "example.py"))
    assert {(mutant.old, mutant.new) for mutant in found} == {
        ("count > 2 and not strict", "not (count > 2 and (not strict))"),
        ("count > 2 and not strict", "(count > 2 or not strict)"),
        ("count > 2", "(count >= 2)"),
        ("2", "3"),
        ("1", "2"),
        ("not strict", "(strict)"),
        ('raise ValueError(f"{count + 1} is too many")', "pass"),
        ("total.append(count)", "pass"),
        ("min", "max"),
        ("count * 2", "(count // 2)"),
        ("-1", "(1)"),
    }
    for mutant in found:
        ast.parse(mutant.source)
        assert mutant.source != EXAMPLE
        assert mutant.where == "guarded"
        assert mutant.span == range(mutant.line, mutant.line + 1)


GUARDED = '''
import os
from threading import Lock

_lock = Lock()
FLAGS = os.O_RDWR | os.O_CREAT


def send(order, client):
    """Text for people."""
    check_client(client)
    if order is None or not order.price:
        raise ValueError("nothing to send")
    name = check_ticker(order.ticker)
    with _lock:
        handle = os.open(name, os.O_RDWR | os.O_NOFOLLOW)
        try:
            os.fsync(handle)
        except OSError:
            raise KeyError(name) from None
    if order.closed:
        return None
    if order.owned and client.alive:
        os.close(handle)
    total = 1 + 2
    return order.price > 0 and total > 0
'''


def test_each_guard_is_taken_away_whole(tmp_path: Path) -> None:
    (tmp_path / "guarded.py").write_text(GUARDED)
    found = list(mutants.mutants(tmp_path, "guarded.py", "guards"))
    assert {(mutant.old, mutant.new) for mutant in found} == {
        ("check_client(client)", "pass"),
        ("order is None or not order.price", "False"),
        ("order is None or not order.price", "(not order.price)"),
        ("order is None or not order.price", "(order is None)"),
        ("check_ticker(order.ticker)", "(order.ticker)"),
        ("_lock", "__import__('contextlib').nullcontext()"),
        ("os.O_RDWR | os.O_NOFOLLOW", "(os.O_RDWR)"),
        ("os.O_RDWR | os.O_NOFOLLOW", "(os.O_NOFOLLOW)"),
        ("os.fsync(handle)", "pass"),
        ("OSError", "()"),
        ("raise KeyError(name) from None", "pass"),
        ("order.closed", "False"),
        ("order.owned and client.alive", "True"),
        ("order.owned and client.alive", "(client.alive)"),
        ("order.owned and client.alive", "(order.owned)"),
        ("order.price > 0 and total > 0", "(total > 0)"),
        ("order.price > 0 and total > 0", "(order.price > 0)"),
    }
    for mutant in found:
        compile(mutant.source, "guarded.py", "exec")
    some = campaign.choose(20, 3, "trading", kind="guards")
    assert some == campaign.choose(20, 3, "trading", kind="guards")
    assert all("/trading/" in mutant.path for mutant in some)


def test_every_target_has_modules_and_tests() -> None:
    for target, tests in targets.TARGETS.items():
        assert list(ROOT.glob(target)), target
        assert all((ROOT / test).exists() for test in tests)
    for path in targets.modules(ROOT):
        assert targets.concerning(path)
    assert len(campaign.choose(60, 1)) == 60
    assert campaign.choose(60, 1) == campaign.choose(60, 1) != campaign.choose(60, 2)
    known = {
        m.key
        for path in targets.modules(ROOT)
        for kind in mutants.KINDS
        for m in mutants.mutants(ROOT, path, kind)
    }
    assert [key for key in targets.EQUIVALENT if key not in known] == []
    assert all(len(why) > 20 for why in targets.EQUIVALENT.values())


def test_a_pin_that_is_gone_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    gone = f"{targets.PINNED[0]} and more"
    monkeypatch.setattr(campaign, "PINNED", (gone,))
    with pytest.raises(LookupError, match="pin another one"):
        campaign.pinned()


def test_the_command_says_what_it_does() -> None:
    done = subprocess.run(
        [sys.executable, str(HERE / "campaign.py"), "--help"], capture_output=True, text=True, check=True
    )
    assert "--seed" in done.stdout
