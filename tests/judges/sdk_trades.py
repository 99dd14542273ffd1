"""Trade in a sandbox with the exchange's own client and print what it understood, as JSON.

Runs in an environment of its own. Arguments: URL, key id, path of the private key.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from kalshi_python_sync import Configuration, KalshiClient

TICKER = "KXHIGHNY-26NOV21-B44.5"
TERMS: dict[str, Any] = {
    "ticker": TICKER,
    "time_in_force": "good_till_canceled",
    "self_trade_prevention_type": "taker_at_cross",
}


def plain(answer: Any) -> Any:
    """What the client made of an answer, without what it did not find."""
    return json.loads(answer.model_dump_json(by_alias=True, exclude_none=True))


def main(url: str, key_id: str, key_path: str) -> None:
    """Walk from the list of markets to the settlements."""
    configuration = Configuration(host=url)
    configuration.api_key_id = key_id
    configuration.private_key_pem = Path(key_path).read_text(encoding="ascii")
    client = KalshiClient(configuration)
    found: dict[str, Any] = {"markets": plain(client.get_markets(limit=5))}
    found["book"] = plain(client.get_market_orderbook(ticker=TICKER))
    taken = client.create_order_v2(side="bid", price="0.9900", count="2.00", **TERMS)
    found["taken"] = plain(taken)
    made = client.create_order_v2(side="bid", price="0.0100", count="5.00", **TERMS)
    found["made"] = plain(made)
    name = made.order_id
    found["read"] = plain(client.get_order(order_id=name))
    found["amended"] = plain(
        client.amend_order_v2(order_id=name, ticker=TICKER, side="bid", price="0.0100", count="4.00")
    )
    found["decreased"] = plain(client.decrease_order_v2(order_id=name, reduce_by="1.00"))
    found["cancelled"] = plain(client.cancel_order_v2(order_id=name, market_ticker=TICKER))
    found["orders"] = plain(client.get_orders())
    found["fills"] = plain(client.get_fills())
    found["positions"] = plain(client.get_positions())
    found["balance"] = plain(client.get_balance())
    found["settlements"] = plain(client.get_settlements())
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
