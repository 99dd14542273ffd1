"""Read an account of a sandbox with one of the exchange's own clients and print it, as JSON.

Runs in an environment of its own. Arguments: sync or async, URL, key id, path of the private key.
"""

from __future__ import annotations

import json
import sys

from official import Official, plain


def main(*arguments: str) -> None:
    """What `get_fills` and its kin answer too."""
    client = Official(*arguments)
    found = {
        "fills": plain(client.get_fills(limit=1000))["fills"],
        "orders": plain(client.get_orders(limit=1000))["orders"],
        "positions": plain(client.get_positions(limit=1000, settlement_status="all")),
        "settlements": plain(client.get_settlements(limit=1000))["settlements"],
        "balance": plain(client.get_balance()),
    }
    client.close()
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
