"""Kinds of frames that only data sets have: what is computed, not asked for."""

from __future__ import annotations

from kalshi_research.schemas import Column, Kind

__all__ = ["QUOTES"]


def _price(name: str, meaning: str) -> Column:
    return Column(name, "dollars", meaning)


def _size(name: str) -> Column:
    return Column(name, "count", "contracts there")


QUOTES = Kind(
    kind="quotes",
    version=1,
    index="time",
    columns=(
        Column("time", "time", "from which on it stood"),
        Column("ticker", "text", "market"),
        _price("yes_bid", "best YES bid"),
        _size("yes_bid_size"),
        _price("yes_ask", "best YES ask"),
        _size("yes_ask_size"),
        _price("no_bid", "best NO bid"),
        _size("no_bid_size"),
        _price("no_ask", "best NO ask"),
        _size("no_ask_size"),
        _price("spread", "ask − bid"),
        _price("mid", "middle of bid and ask"),
        _price("microprice", "bid and ask, each weighted by the size of the other side"),
    ),
)
"""What `quotes` makes of a book history."""
