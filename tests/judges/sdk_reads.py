"""Read a sandbox with the exchange's own client and print what it understood, as JSON.

Runs in an environment of its own. Arguments: URL, key id, path of the private key.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from kalshi_python_sync import Configuration, KalshiClient

NOW = 1795186800
HOURS = {"start_ts": NOW - 86400, "end_ts": NOW, "period_interval": 60}


def plain(answer: Any) -> Any:
    """What the client made of an answer, without what it did not find."""
    return json.loads(answer.model_dump_json(by_alias=True, exclude_none=True))


def markets(client: KalshiClient) -> dict[str, Any]:
    """Markets, books, trades, candlesticks."""
    ticker = "KXHIGHNY-26NOV21-B44.5"
    found: dict[str, Any] = {}
    cursor: str | None = None
    pages = []
    while cursor != "":
        page = client.get_markets(limit=300, cursor=cursor)
        pages += plain(page)["markets"]
        cursor = page.cursor
    found["/markets"] = pages
    found["one"] = plain(client.get_market(ticker=ticker))
    found["book"] = plain(client.get_market_orderbook(ticker=ticker))
    found["books"] = plain(client.get_market_orderbooks(tickers=[ticker, "KXFEDDECISION-26DEC-H0"]))
    found["trades"] = plain(client.get_trades(ticker=ticker, limit=1000))
    found["candlesticks"] = plain(
        client.get_market_candlesticks(series_ticker="KXHIGHNY", ticker=ticker, **HOURS)
    )
    found["batch"] = plain(client.batch_get_market_candlesticks(market_tickers=ticker, **HOURS))
    found["series"] = plain(client.get_series_list(include_volume=True))
    found["one series"] = plain(client.get_series(series_ticker="KXBTC15M"))
    return found


def events(client: KalshiClient) -> dict[str, Any]:
    """Events, with and without their markets."""
    return {
        "events": plain(client.get_events(limit=200, with_nested_markets=True)),
        "event": plain(client.get_event(event_ticker="KXFEDDECISION-26DEC")),
        "metadata": plain(client.get_event_metadata(event_ticker="KXFEDDECISION-26DEC")),
        "combos": plain(client.get_multivariate_events()),
        "event candlesticks": plain(
            client.get_market_candlesticks_by_event(
                series_ticker="KXFEDDECISION", ticker="KXFEDDECISION-26DEC", **HOURS
            )
        ),
    }


def history(client: KalshiClient) -> dict[str, Any]:
    """The historical tier."""
    old = client.get_historical_markets(limit=1, series_ticker="KXHIGHNY").markets[0]
    end = int(old.close_time.timestamp())
    return {
        "cutoff": plain(client.get_historical_cutoff()),
        "old markets": plain(client.get_historical_markets(limit=200)),
        "old market": plain(client.get_historical_market(ticker=old.ticker)),
        "old trades": plain(client.get_trades_historical(ticker=old.ticker, limit=200)),
        "old candlesticks": plain(
            client.get_market_candlesticks_historical(
                ticker=old.ticker, start_ts=end - 86400, end_ts=end, period_interval=60
            )
        ),
    }


def account(client: KalshiClient) -> dict[str, Any]:
    """What needs a signature, and the exchange itself."""
    return {
        "balance": plain(client.get_balance()),
        "positions": plain(client.get_positions()),
        "fills": plain(client.get_fills()),
        "settlements": plain(client.get_settlements()),
        "limits": plain(client.get_account_api_limits()),
        "keys": plain(client.get_api_keys()),
        "status": plain(client.get_exchange_status()),
        "schedule": plain(client.get_exchange_schedule()),
        "tags": plain(client.get_tags_for_series_categories()),
    }


def main(url: str, key_id: str, key_path: str) -> None:
    """Read everything and print it."""
    configuration = Configuration(host=url)
    configuration.api_key_id = key_id
    configuration.private_key_pem = Path(key_path).read_text(encoding="ascii")
    client = KalshiClient(configuration)
    found = markets(client) | events(client) | history(client) | account(client)
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
