"""The exchange's own clients trade in the sandbox."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
import test_sandbox_judges as judges

from kalshi_research.sandbox import Sandbox

judge = judges.judge


@pytest.mark.parametrize("flavour", ["sync", "async"])
@pytest.mark.parametrize("key_type", ["ed25519", "rsa"])
def test_the_official_clients_walk_from_the_list_to_the_settlements(
    judge: Path, flavour: str, key_type: str
) -> None:
    with Sandbox(days=2, crypto_hours=1) as sandbox:
        key_id, _ = sandbox.credentials(key_type=key_type)
        key_path = sandbox.key_file(key_type=key_type)
        script = judges.JUDGES / "sdk_trades.py"
        client = subprocess.Popen(
            [judge, "-W", "error", script, flavour, sandbox.url, key_id, key_path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            assert client.stdout is not None
            if client.stdout.readline() == "settle\n":
                sandbox.settle("KXHIGHNY-26NOV21-B44.5", "yes")
            out, complaints = client.communicate("go on\n", timeout=60)
        finally:
            client.kill()
    assert (client.returncode, complaints) == (0, ""), complaints[-3000:]
    found = json.loads(out)
    best = found["book"]["orderbook_fp"]["no_dollars"][-1][0]
    assert float(found["taken"]["average_fill_price"]) == pytest.approx(1 - float(best))
    assert found["read"]["order"]["status"] == "resting"
    assert found["queue"] == {"queue_position_fp": found["queue"]["queue_position_fp"]}
    assert found["amended"]["remaining_count"] == "4.00"
    assert found["decreased"]["remaining_count"] == "3.00"
    assert found["cancelled"]["reduced_by"] == "3.00"
    made, refused = found["batch"]["orders"]
    assert (made["remaining_count"], refused["error"]["code"]) == ("1.00", "invalid_price")
    assert [row["reduced_by"] for row in found["batch gone"]["orders"]] == ["1.00"]
    statuses = [row["status"] for row in found["orders"]["orders"]]
    assert statuses == ["canceled", "canceled", "executed"]
    assert found["group"]["contracts_limit_fp"] == "10.00"
    assert found["groups"] == {"order_groups": []}
    assert [row["amount_cents"] for row in found["transfers"]["transfers"]] == [100]
    assert [row["balance"] for row in found["subaccounts"]["subaccount_balances"]][1] == "1.0000"
    assert len(found["keys"]["api_keys"]) == 2
    assert found["fills"]["fills"][0]["order_id"] == found["taken"]["order_id"]
    assert found["positions"]["market_positions"][0]["position_fp"] == "2.00"
    # Two contracts pay a dollar each.
    assert found["settled market"]["market"]["status"] == "finalized"
    (paid,) = found["settlements"]["settlements"]
    assert (paid["market_result"], paid["revenue"], paid["yes_count_fp"]) == ("yes", 200, "2.00")
    (done,) = found["settled positions"]["market_positions"]
    assert done["position_fp"] == "0.00"
    gained = float(found["balance after"]["balance_dollars"]) - float(
        found["balance"]["balance_dollars"]
    )
    assert gained == pytest.approx(2.0)
