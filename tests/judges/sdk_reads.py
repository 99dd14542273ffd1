"""Read a sandbox with one of the exchange's own clients and print what it understood, as JSON.

Runs in an environment of its own. Arguments: sync or async, URL, key id, path of the private key.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from official import Official, plain

NOW = 1795186800
HOURS = {"start_ts": NOW - 86400, "end_ts": NOW, "period_interval": 60}


def markets(client: Official) -> dict[str, Any]:
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


def events(client: Official) -> dict[str, Any]:
    """Events, with and without their markets."""
    return {
        "events": plain(client.get_events(limit=200, with_nested_markets=True)),
        "event": plain(client.get_event(event_ticker="KXFEDDECISION-26DEC")),
        "metadata": plain(client.get_event_metadata(event_ticker="KXFEDDECISION-26DEC")),
        "combos": plain(client.get_multivariate_events()),
        "collections": plain(client.get_multivariate_event_collections()),
        "targets": plain(client.get_structured_targets(page_size=5)),
        "sports": plain(client.get_filters_for_sports()),
        "event candlesticks": plain(
            client.get_market_candlesticks_by_event(
                series_ticker="KXFEDDECISION", ticker="KXFEDDECISION-26DEC", **HOURS
            )
        ),
    }


def history(client: Official) -> dict[str, Any]:
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


def account(client: Official) -> dict[str, Any]:
    """What needs a signature, and the exchange itself."""
    return {
        "balance": plain(client.get_balance()),
        "positions": plain(client.get_positions()),
        "fills": plain(client.get_fills()),
        "settlements": plain(client.get_settlements()),
        "limits": plain(client.get_account_api_limits()),
        "progress": plain(client.get_account_api_usage_level_volume_progress()),
        "forecast": plain(
            client.get_event_forecast_percentiles_history(
                ticker="KXHIGHNY-26NOV21", series_ticker="KXHIGHNY", percentiles=[1000, 5000], **HOURS
            )
        ),
        "keys": plain(client.get_api_keys()),
        "status": plain(client.get_exchange_status()),
        "schedule": plain(client.get_exchange_schedule()),
        "tags": plain(client.get_tags_for_series_categories()),
    }


def main(*arguments: str) -> None:
    """Read everything, what is public without a key too, and print it."""
    client, stranger = Official(*arguments), Official(*arguments[:2])
    found = markets(stranger) | events(client) | history(client) | account(client)
    client.close()
    stranger.close()
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
