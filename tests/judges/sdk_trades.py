"""Trade in a sandbox with one of the exchange's own clients and print what it understood, as JSON.

Runs in an environment of its own. Arguments: sync or async, URL, key id, path of the private key. It
prints "settle" and waits for a line, in which time the market has to pay out.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from official import Official, plain

TICKER = "KXHIGHNY-26NOV21-B44.5"
TERMS: dict[str, Any] = {
    "ticker": TICKER,
    "time_in_force": "good_till_canceled",
    "self_trade_prevention_type": "taker_at_cross",
}


def orders(client: Official, found: dict[str, Any]) -> None:
    """Create, read, amend, decrease, cancel, alone and in batches."""
    taken = client.create_order_v2(side="bid", price="0.9900", count="2.00", **TERMS)
    found["taken"] = plain(taken)
    made = client.create_order_v2(side="bid", price="0.0100", count="5.00", **TERMS)
    found["made"] = plain(made)
    name = made.order_id
    found["read"] = plain(client.get_order(order_id=name))
    found["queue"] = plain(client.get_order_queue_position(order_id=name))
    found["amended"] = plain(
        client.amend_order_v2(order_id=name, ticker=TICKER, side="bid", price="0.0100", count="4.00")
    )
    found["decreased"] = plain(client.decrease_order_v2(order_id=name, reduce_by="1.00"))
    found["cancelled"] = plain(client.cancel_order_v2(order_id=name, market_ticker=TICKER))
    batch = [TERMS | {"side": "bid", "price": price, "count": "1.00"} for price in ("0.0100", "0.0105")]
    found["batch"] = plain(client.batch_create_orders_v2(orders=batch))
    gone = [{"order_id": row["order_id"]} for row in found["batch"]["orders"] if "order_id" in row]
    found["batch gone"] = plain(client.batch_cancel_orders_v2(orders=gone))
    found["orders"] = plain(client.get_orders())


def account(client: Official, found: dict[str, Any]) -> None:
    """Groups, subaccounts, keys."""
    group = client.create_order_group(contracts_limit=10)
    found["group"] = plain(client.get_order_group(order_group_id=group.order_group_id))
    client.trigger_order_group(order_group_id=group.order_group_id)
    client.reset_order_group(order_group_id=group.order_group_id)
    client.delete_order_group(order_group_id=group.order_group_id)
    found["groups"] = plain(client.get_order_groups())
    number = client.create_subaccount().subaccount_number
    client.apply_subaccount_transfer(
        client_transfer_id="00000000-0000-4000-8000-000000000001",
        from_subaccount=0,
        to_subaccount=number,
        amount_cents=100,
    )
    found["transfers"] = plain(client.get_subaccount_transfers())
    found["subaccounts"] = plain(client.get_subaccount_balances())
    key = client.generate_api_key(name="short-lived", key_type="ed25519")
    found["keys"] = plain(client.get_api_keys())
    client.delete_api_key(api_key=key.api_key_id)


def main(*arguments: str) -> None:
    """Walk from the list of markets to the settlements."""
    client, stranger = Official(*arguments), Official(*arguments[:2])
    found: dict[str, Any] = {"markets": plain(stranger.get_markets(limit=5))}
    found["book"] = plain(stranger.get_market_orderbook(ticker=TICKER))
    orders(client, found)
    account(client, found)
    found["fills"] = plain(client.get_fills())
    found["positions"] = plain(client.get_positions())
    found["balance"] = plain(client.get_balance())
    sys.stdout.write("settle\n")
    sys.stdout.flush()
    sys.stdin.readline()
    found["settled market"] = plain(stranger.get_market(ticker=TICKER))
    found["settlements"] = plain(client.get_settlements())
    found["settled positions"] = plain(client.get_positions(settlement_status="settled"))
    found["balance after"] = plain(client.get_balance())
    client.close()
    stranger.close()
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
