"""Have the schemas of the specification judge a sandbox, writes included.

``python tests/schema_check.py --seconds 600`` asks for ten minutes with a seed that it prints;
``--seed`` repeats a run. CI runs it for a few rounds by ``test_sandbox_schema.py``.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from sandbox_calls import Caller

from kalshi_research.sandbox import Sandbox, routes

SPECIFICATION = Path(__file__).resolve().parents[2] / "shared/spec/openapi.yaml"
JUDGE = Path(__file__).parent / "judges" / "schema_judge.py"
NOW = 1795186800
OPEN = "KXHIGHNY-26NOV21-B44.5"
SETTLED = "KXHIGHNY-26NOV21-B46.5"
OTHERS = ["KXFEDDECISION-26DEC-H0", "KXFEDDECISION-26DEC-H26"]
LEGS = [
    {"event_ticker": "KXFEDDECISION-26DEC", "market_ticker": OTHERS[0], "side": "yes"},
    {"event_ticker": "KXHIGHNY-26NOV21", "market_ticker": OPEN, "side": "no"},
]


def operations() -> list[str]:
    """What is served, by method and path."""
    return [f"GET {path}" for path, *_ in routes.READS] + [
        f"{method} {path}" for method, path, *_ in routes.WRITES
    ]


def _send(caller: Caller, method: str, path: str, body: Any) -> Any:
    answer = caller._session.request(
        method, f"{caller.sandbox.url}{path}", json=body, headers=caller.signed_headers(method, path)
    )
    assert answer.status_code < 300, answer.text
    return answer.json()


def prepare(caller: Caller) -> dict[str, list[Any]]:
    """Trade, settle, transfer; answer the names that exist now."""
    orders = "/portfolio/events/orders"
    for side, price, ticker in (("bid", "0.99", OPEN), ("ask", "0.01", SETTLED), ("bid", "0.01", OPEN)):
        terms = {
            "ticker": ticker, "side": side, "price": price, "count": "1.50",
            "time_in_force": "good_till_canceled", "self_trade_prevention_type": "maker",
        }  # fmt: skip
        _send(caller, "POST", orders, terms)
    caller.sandbox.settle(SETTLED, "no")
    _send(caller, "POST", "/portfolio/subaccounts", {})
    move = {
        "source": "event_contract", "destination": "event_contract", "amount": 100,
        "destination_exchange_shard": 2,
    }  # fmt: skip
    made = _send(caller, "POST", "/portfolio/intra_exchange_instance_transfer", move)
    old = caller.get("/historical/markets", limit=3, series_ticker="KXHIGHNY")["markets"]
    tickers = [OPEN, OPEN, SETTLED, *OTHERS, *(row["ticker"] for row in old)]
    return {
        "ticker": tickers,
        "open ticker": [OPEN],
        "market_ticker": tickers,
        "tickers": [[OPEN, OTHERS[0]], [OPEN]],
        "market_tickers": [f"{OPEN},{OTHERS[0]}", OPEN],
        "event_ticker": ["KXHIGHNY-26NOV21", "KXFEDDECISION-26DEC"],
        "series_ticker": ["KXHIGHNY", "KXFEDDECISION"],
        "start_ts": [NOW - 86400, NOW - 3600],
        "end_ts": [NOW],
        "min_ts": [NOW - 86400],
        "max_ts": [NOW],
        "subaccount": [0, 0, 0, 1],
        "exchange_index": [0, -1],
        "expiration_time": [NOW + 3600],
        "client_order_id": [""],
        "order_group_id": [""],
        "cursor": [""],
        "period_interval": [1, 60, 1440],
        "percentiles": [[1000, 5000]],
        "public_key": [_public_key()],
        "from_subaccount": [0],
        "to_subaccount": [1],
        "amount_cents": [1, 250],
        "amount": [1, 250],
        "source": ["event_contract"],
        "destination": ["event_contract"],
        "source_exchange_shard": [0],
        "destination_exchange_shard": [2, 1],
        "source_subaccount": [0],
        "destination_subaccount": [0],
        "transfer_id": [made["transfer_id"]],
        "allocations": [[{"exchange_index": 0, "percent": 100}], []],
        "scopes": [["read", "write"], ["read"]],
        "collection_ticker": ["KXMVECROSSCATEGORY-R"],
        "selected_markets": [LEGS],
        "structured_target_id": [
            row["id"] for row in caller.get("/structured_targets")["structured_targets"]
        ],
    }


def _public_key() -> str:
    key = Ed25519PrivateKey.generate().public_key()
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def run(python: Path, *, seconds: float, seed: int, only: list[str] | None = None) -> dict[str, Any]:
    """Ask for so long, all operations or some; answers what the judge found."""
    with Sandbox() as sandbox, Caller(sandbox) as caller, tempfile.TemporaryDirectory() as folder:
        key_id, _ = sandbox.credentials()
        task = {
            "specification": str(SPECIFICATION),
            "url": sandbox.url,
            "key_id": key_id,
            "key_path": str(sandbox.key_file()),
            "operations": only or operations(),
            "seconds": seconds,
            "seed": seed,
            "names": prepare(caller),
        }
        file = Path(folder) / "task.json"
        file.write_text(json.dumps(task), encoding="utf-8")
        done = subprocess.run(
            [str(python), str(JUDGE), str(file)], capture_output=True, text=True, check=False
        )
    if done.returncode != 0:
        raise RuntimeError(f"the judge failed: {done.stderr[-3000:]}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**9))
    parser.add_argument("--verbose", action="store_true")
    options = parser.parse_args(arguments)
    sys.stdout.write(f"seed {options.seed}\n")
    sys.stdout.flush()
    folder = os.environ.get("KALSHI_RESEARCH_JUDGES") or Path.home() / ".cache/kalshi-research-judges"
    found = run(Path(folder) / "bin/python", seconds=options.seconds, seed=options.seed)
    from schema_deviations import unexpected

    wrong = unexpected(found["wrong"])
    sys.stdout.write(
        f"{found['requests']} requests to {len(found['asked'])} operations in {found['rounds']} rounds\n"
    )
    for row in wrong:
        sys.stdout.write(json.dumps(row, indent=1) + "\n")
    if options.verbose:
        sys.stdout.write(json.dumps(found["statuses"], indent=1, sort_keys=True) + "\n")
    sys.stdout.write(f"{len(wrong)} unexpected\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
