"""A client that nobody here wrote keeps a book of the stream, in an environment of its own."""

from __future__ import annotations

import json
import random
import subprocess
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import test_sandbox_judges
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from stream_venue import ANNA, Server, Venue, peer
from test_sandbox_stream import trade_at_random

from kalshi_research.sandbox.stream import StreamOptions

judge = test_sandbox_judges.judge


def exact(levels: list[list[str]]) -> list[tuple[Decimal, Decimal]]:
    return [(Decimal(price), Decimal(count)) for price, count in levels]


def ours(levels: list[tuple[int, int]]) -> list[tuple[Decimal, Decimal]]:
    return [(Decimal(price) / 10_000, Decimal(count) / 100) for price, count in levels]


def test_another_client_ends_with_our_books(judge: Path, tmp_path: Path) -> None:
    venue = Venue()
    chance = random.Random(17)
    trade_at_random(venue, chance, 100)
    for ticker in "MN":
        # This client refuses a snapshot without one of its sides, which the exchange leaves out.
        venue.submit(ANNA, ticker, "bid", 100, 100)
        venue.submit(ANNA, ticker, "ask", 9900, 100)
    with Server(venue, StreamOptions()) as server, peer(server) as witness:
        key_id, private = server.private[0, "rsa"]
        key = tmp_path / "key.pem"
        key.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        script = Path(__file__).parent / "judges" / "stream_reads.py"
        client = subprocess.Popen(
            [judge, "-W", "error", script, server.url, key_id, key, "M", "N"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            assert client.stdout is not None
            first = client.stdout.readline()
            if first == "ready\n":
                witness.subscribe("ticker", "trade", "fill", "user_orders", "market_positions")
                trade_at_random(venue, chance, 1000)
                seen = Counter(frame["type"] for frame in witness.settled())
            out, complaints = client.communicate(timeout=60)
        finally:
            client.kill()
        assert first == "ready\n", complaints[-3000:]
        assert client.returncode == 0, complaints[-3000:]
        assert complaints == ""
        told: dict[str, Any] = json.loads(out)
        for ticker in "MN":
            book = venue.engine.book(ticker)
            assert exact(told["books"][ticker]["yes"]) == ours(book.yes)
            assert exact(told["books"][ticker]["no"]) == ours(book.no)
            assert told["books"][ticker]["updates"] > 300
        assert told["messages"] == seen
        assert venue.engine.members[ANNA].fills
