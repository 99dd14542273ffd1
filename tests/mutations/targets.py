"""Which tests concern which modules, and which changes change nothing.

Another package joins by a line here; paths are from the root of the project.
"""

from __future__ import annotations

from pathlib import Path

__all__ = ["EQUIVALENT", "PINNED", "QUICK", "TARGETS", "concerning", "modules"]

_ENGINE = (
    "tests/test_engine_orders.py",
    "tests/test_engine_accounts.py",
    "tests/test_engine_groups.py",
    "tests/test_engine_lifecycle.py",
    "tests/test_engine_invariants.py",
    "tests/test_engine_reference.py",
)
_STREAM = (
    "tests/test_sandbox_stream_sessions.py",
    "tests/test_sandbox_stream_payloads.py",
    "tests/test_sandbox_stream_hub.py",
    "tests/test_sandbox_stream_spec.py",
    "tests/test_sandbox_stream.py",
    "tests/test_sandbox_stream_floor.py",
    "tests/test_sandbox_faults_stream.py",
    "tests/test_dialect_2025_payloads.py",
    "tests/test_dialect_2025_stream.py",
    "tests/test_sandbox_keys.py",
)

_GUARDS = (
    "tests/test_trading_answers.py",
    "tests/test_trading_refusals.py",
    "tests/test_trading_earlier.py",
    "tests/test_trading_equals.py",
    "tests/test_trading_permission.py",
    "tests/test_trading_absence.py",
)
_ORDERS = (
    *_GUARDS,
    "tests/test_trading_input.py",
    "tests/test_trading_evidence.py",
    "tests/test_trading_waiting.py",
    "tests/test_trading_lines.py",
    "tests/test_trading_values.py",
    "tests/test_trading_origin.py",
    "tests/test_trading_together.py",
)
_MONEY = (*_GUARDS, "tests/test_trading_limits.py")
_TERMS = ("tests/test_ticket.py", "tests/test_trading_input.py")

TARGETS: dict[str, tuple[str, ...]] = {
    "kalshi_research/sandbox/engine/*.py": (*_ENGINE, "tests/test_sandbox_order_rules.py"),
    "kalshi_research/sandbox/order_routes.py": (
        "tests/test_sandbox_orders.py",
        "tests/test_sandbox_order_rules.py",
        "tests/test_sandbox_portfolio.py",
        "tests/test_sandbox_keys.py",
        "tests/test_sandbox_history.py",
        "tests/test_sandbox_fault_rows.py",
        "tests/test_dialect_2025_rest_orders.py",
    ),
    "kalshi_research/sandbox/auth.py": ("tests/test_sandbox_auth.py", "tests/test_sandbox_keys.py"),
    "kalshi_research/sandbox/scopes.py": ("tests/test_sandbox_keys.py",),
    "kalshi_research/sandbox/shard_routes.py": (
        "tests/test_sandbox_history.py",
        "tests/test_sandbox_keys.py",
    ),
    "kalshi_research/sandbox/rate_limits.py": (
        "tests/test_sandbox_limits.py",
        "tests/test_sandbox_auth.py",
        "tests/test_sandbox_tiers.py",
    ),
    "kalshi_research/sandbox/stream/*.py": _STREAM,
    "kalshi_research/client/session.py": (
        "tests/test_connect_guards.py",
        "tests/test_client_errors.py",
        "tests/test_client_pages.py",
        "tests/test_dialect_2025_client.py",
        *_GUARDS,
    ),
    "kalshi_research/credentials.py": ("tests/test_connect_guards.py", "tests/test_credentials.py"),
    "kalshi_research/environments.py": ("tests/test_connect_guards.py", "tests/test_environments.py"),
    "kalshi_research/trading/arming.py": _MONEY,
    "kalshi_research/trading/estimate.py": _TERMS,
    "kalshi_research/trading/fields.py": _TERMS,
    "kalshi_research/trading/handles.py": ("tests/test_trading_journal.py",),
    "kalshi_research/trading/intents.py": ("tests/test_trading_journal.py",),
    "kalshi_research/trading/journal.py": ("tests/test_trading_journal.py", *_GUARDS),
    "kalshi_research/trading/limits.py": _MONEY,
    "kalshi_research/trading/lines.py": ("tests/test_trading_lines.py",),
    "kalshi_research/trading/lists.py": ("tests/test_trading_values.py",),
    "kalshi_research/trading/locks.py": ("tests/test_trading_journal.py",),
    "kalshi_research/trading/places.py": _MONEY,
    "kalshi_research/trading/preparing.py": ("tests/test_trading_preparing.py",),
    "kalshi_research/trading/reading.py": _TERMS,
    "kalshi_research/trading/requests.py": ("tests/test_trading_requests.py", *_TERMS),
    "kalshi_research/trading/rules.py": _TERMS,
    "kalshi_research/trading/terms.py": _TERMS,
    "kalshi_research/trading/ticket.py": (*_TERMS, "tests/test_trading_origin.py"),
    "kalshi_research/trading/together.py": ("tests/test_trading_together.py",),
    "kalshi_research/trading/waiting.py": ("tests/test_trading_waiting.py", *_GUARDS),
    "kalshi_research/trading/*.py": _ORDERS,
}
"""Modules, and the tests that have to notice, quick ones first."""

_VENUE = "kalshi_research/sandbox/engine/venue.py"
_CLOCK = "kalshi_research/trading/pace.py::ExchangeClock._stands_still: "
_FLAGS = "os.O_RDWR | os.O_CREAT | os.O_APPEND"
_JOURNAL = "kalshi_research/trading/journal.py::Journal"
EQUIVALENT: dict[str, str] = {
    "kalshi_research/credentials.py::_read: "
    'sys.platform != "win32" and mode & 0o077 -> (mode & 63)': "there are no such modes on Windows",
    "kalshi_research/trading/accounting.py::account: desk.accounted -> False": (
        "`account_once` asks again, alone; asking here only spares the lock"
    ),
    "kalshi_research/trading/cancelling.py::cancelled: mine is not None and "
    "receipt.reduced is not None -> (mine is not None)": "no other receipt gets here; for the types",
    "kalshi_research/trading/handles.py::open_own: "
    f'{_FLAGS} | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BI... -> '
    f"({_FLAGS} | getattr(os, 'O_NOFOLLOW', 0))": "only Windows tells texts from other files",
    'kalshi_research/trading/handles.py::open_own: hasattr(os, "fchmod") -> True': (
        "only Windows lacks it, in older versions"
    ),
    f"{_JOURNAL}.is_alive: session in self._dead -> False": "spares a look at the disk, no more",
    f"{_JOURNAL}.is_alive: FileNotFoundError -> ()": "it is an OSError too; remembering spares a look",
    f"{_JOURNAL}._catch_up: os.fsync(self._handle) -> pass": (
        "a torn end that comes back after a crash is marked again"
    ),
    **{
        f"{_CLOCK}self._first is None or self._last is None -> {other}": (
            "nobody asks before something was seen; for the types"
        )
        for other in ("False", "(self._first is None)", "(self._last is None)")
    },
    'kalshi_research/trading/places.py::_make_private: sys.platform == "win32" -> False': (
        "modes and owners of folders are not looked at on Windows, where no test runs"
    ),
    "kalshi_research/trading/settling.py::_concluded: effect or not absent_twice(desk, intent, seen) -> "
    "(not absent_twice(desk, intent, seen))": (
        "what was seen and not believed is not old enough, so it does not count as absent either"
    ),
    "kalshi_research/sandbox/stream/hub.py::Hub._dispatch: 0 -> 1": (
        "how many events are worked off before the sockets get their turn is a choice"
    ),
    "kalshi_research/sandbox/stream/hub.py::Hub._receive: self._inbox.clear() -> pass": (
        "after the server has stopped nobody reads what has arrived"
    ),
    "kalshi_research/sandbox/stream/options.py::StreamOptions: 65_536 -> 65537": (
        "how many frames may wait is a choice, and no test hangs on one more"
    ),
    "kalshi_research/sandbox/order_routes.py::_matched: receipt.average_price is not None and "
    "receipt.average_fee is not None -> (receipt.average_price is not None or "
    "receipt.average_fee is not None)": "both are there where anything was filled, and only there",
    f"{_VENUE}::Venue.begin: moment > self.now -> (moment >= self.now)": (
        "at the same instant there is nothing left to fall due"
    ),
    "kalshi_research/sandbox/engine/identifiers.py::Identifiers.__call__: "
    "self._offset + count * _ODD -> (self._offset - count * _ODD)": (
        "either way every number is used once; that identifiers follow the seed is tested"
    ),
}
"""Changes that no test can notice, by `Mutant.key`, and why."""


PINNED = (
    "kalshi_research/sandbox/engine/accounts.py::Holding.affords: lock <= spare -> (lock < spare)",
    "kalshi_research/sandbox/engine/matching.py::_trade: level.total -= count -> pass",
    "kalshi_research/sandbox/engine/lifecycle.py::_finalize: "
    "market.decisions != decision -> (market.decisions == decision)",
    "kalshi_research/sandbox/engine/groups.py::OrderGroup.matched: now - window -> (now + window)",
    "kalshi_research/sandbox/rate_limits.py::Buckets.charge: "
    "bucket.tokens < cost -> (bucket.tokens <= cost)",
    # Guards of orders, taken away.
    "kalshi_research/trading/desk.py::Desk.may_write: "
    'getattr(self._writing, "now", False) and self.limits is not None and self.limits.live -> '
    "(getattr(self._writing, 'now', False) and self.limits is not None)",
    "kalshi_research/trading/placing.py::prepare: "
    "journal.locked() -> __import__('contextlib').nullcontext()",
    "kalshi_research/trading/placing.py::echo_problem: receipt.client_order_id != key -> False",
    "kalshi_research/trading/placing.py::_send: _UNSENT -> ()",
    "kalshi_research/trading/proof.py::absent_twice: not is_old_enough(desk, intent, seen) -> False",
)
"""Changes by `Mutant.key` that are made on every run of the tests, each of another rule."""

QUICK = {
    "kalshi_research/sandbox/engine/*.py": _ENGINE[:4],
    "kalshi_research/sandbox/rate_limits.py": ("tests/test_sandbox_limits.py",),
    "kalshi_research/trading/*.py": _GUARDS,
}
"""The tests that are enough for `PINNED`."""


def modules(root: Path, pattern: str = "") -> list[str]:
    """The modules that there are tests for; only those whose path contains one of `pattern`."""
    found = {
        path.relative_to(root).as_posix()
        for target in TARGETS
        for path in root.glob(target)
        if path.name != "__init__.py"
    }
    return sorted(path for path in found if any(part in path for part in pattern.split(",")))


def concerning(path: str, *, quick: bool = False) -> tuple[str, ...]:
    """The tests that concern a module, all or the quick ones."""
    for target, tests in (QUICK if quick else TARGETS).items():
        if Path(path).match(target):
            return tests
    raise KeyError(path)
