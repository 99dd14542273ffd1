"""Keep books from a stream with somebody else's client and print them, as JSON.

Runs in an environment of its own. Arguments: WebSocket URL, key id, path of the private key, and
tickers. Says ``ready`` once it has the first books, and ends when its standard input does.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

from kalshi.auth import KalshiAuth
from kalshi.config import KalshiConfig
from kalshi.ws.client import KalshiWebSocket

QUIET = 0.7
"""Seconds without a frame after which all is said."""


class Ended:
    """Whether there is more to come."""

    def __init__(self) -> None:
        self.flag = False

    async def watch(self) -> None:
        """Wait for the end of standard input."""
        await asyncio.to_thread(sys.stdin.read)
        self.flag = True


async def drain(stream: AsyncIterator[Any], ended: Ended) -> list[Any]:
    """All of a stream."""
    found: list[Any] = []
    while True:
        try:
            found.append(await asyncio.wait_for(anext(stream), QUIET))
        except TimeoutError:
            if ended.flag:
                return found


async def keep(url: str, auth: KalshiAuth, ticker: str, ended: Ended, ready: asyncio.Event) -> Any:
    """The last book of a market, as the client has it."""
    config = KalshiConfig(
        base_url=url.replace("ws://", "http://").replace("ws/v2", "v2"), ws_base_url=url
    )
    client = KalshiWebSocket(auth, config)
    async with client.connect() as session:
        books = await session.orderbook(ticker, maxsize=100_000)
        first = await anext(books)
        ready.set()
        later = await drain(books, ended)
        book = (later or [first])[-1]
        return {
            "updates": len(later),
            "yes": [[str(level.price), str(level.quantity)] for level in book.yes],
            "no": [[str(level.price), str(level.quantity)] for level in book.no],
        }


async def listen(url: str, auth: KalshiAuth, ended: Ended, ready: asyncio.Event) -> Any:
    """How many messages of each kind the client understood."""
    config = KalshiConfig(
        base_url=url.replace("ws://", "http://").replace("ws/v2", "v2"), ws_base_url=url
    )
    client = KalshiWebSocket(auth, config)
    async with client.connect() as session:
        streams = [
            await session.subscribe_ticker(maxsize=100_000),
            await session.subscribe_trade(maxsize=100_000),
            await session.subscribe_fill(maxsize=100_000),
            await session.subscribe_user_orders(maxsize=100_000),
            await session.subscribe_market_positions(maxsize=100_000),
        ]
        ready.set()
        found = await asyncio.gather(*(drain(stream, ended) for stream in streams))
        return Counter(message.type for messages in found for message in messages)


async def run(url: str, key_id: str, key_path: str, tickers: list[str]) -> None:
    """Read until there is no more."""
    auth = KalshiAuth.from_key_path(key_id, key_path)
    ended = Ended()
    ready = [asyncio.Event() for _ in range(len(tickers) + 1)]
    work = [
        *(keep(url, auth, ticker, ended, flag) for ticker, flag in zip(tickers, ready, strict=False)),
        listen(url, auth, ended, ready[-1]),
    ]
    tasks = [asyncio.create_task(part) for part in work]
    for flag in ready:
        await asyncio.wait_for(flag.wait(), 20)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    watching = asyncio.create_task(ended.watch())
    *books, messages = await asyncio.gather(*tasks)
    await watching
    json.dump({"books": dict(zip(tickers, books, strict=True)), "messages": messages}, sys.stdout)


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING)
    asyncio.run(run(*sys.argv[1:4], sys.argv[4:]))
