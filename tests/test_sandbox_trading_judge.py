"""The exchange's own client trades in the sandbox."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import test_sandbox_judges as judges

from kalshi_research.sandbox import Sandbox

judge = judges.judge


@pytest.mark.parametrize("key_type", ["ed25519", "rsa"])
def test_the_official_client_walks_from_the_list_to_the_settlements(judge: Path, key_type: str) -> None:
    with Sandbox(days=2, crypto_hours=1) as sandbox:
        key_id, _ = sandbox.credentials(key_type=key_type)
        key_path = sandbox.key_file(key_type=key_type)
        done = judges._run(judge, judges.JUDGES / "sdk_trades.py", sandbox.url, key_id, key_path)
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout)
    best = found["book"]["orderbook_fp"]["no_dollars"][-1][0]
    assert float(found["taken"]["average_fill_price"]) == pytest.approx(1 - float(best))
    assert found["read"]["order"]["status"] == "resting"
    assert found["amended"]["remaining_count"] == "4.00"
    assert found["decreased"]["remaining_count"] == "3.00"
    assert found["cancelled"]["reduced_by"] == "3.00"
    assert [row["status"] for row in found["orders"]["orders"]] == ["canceled", "executed"]
    assert found["fills"]["fills"][0]["order_id"] == found["taken"]["order_id"]
    assert found["positions"]["market_positions"][0]["position_fp"] == "2.00"
