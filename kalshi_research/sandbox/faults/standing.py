"""Faults that hold as long as their rule: what is told to the engine, and what is asked by reads."""

from __future__ import annotations

from dataclasses import replace
from email.utils import formatdate
from typing import TYPE_CHECKING

from kalshi_research.sandbox.faults.lag import Lag
from kalshi_research.sandbox.instants import SECOND

if TYPE_CHECKING:
    from kalshi_research.sandbox.engine import Engine, EngineOptions
    from kalshi_research.sandbox.exchange import Exchange

__all__ = ["date_header", "install"]


def install(exchange: Exchange) -> None:
    """Let the rules that hold all the time reach the exchange.

    Parameters
    ----------
    exchange : Exchange
    """
    faults, floor = exchange.faults, exchange.floor
    usual: list[EngineOptions] = []

    def dedupe() -> None:
        rule = faults.standing("dedupe")
        if not usual:
            usual.append(floor.call(lambda engine: engine.options))
        options = usual[0]
        if rule is not None:
            window = round(rule.details["seconds"] * SECOND)
            options = replace(options, client_ids=rule.variant, recent_window=window)  # type: ignore[arg-type]
        floor.call(lambda engine: _choose(engine, options))

    def lag() -> None:
        if faults.standing("read_lag") is None:
            if exchange.lag is not None:
                exchange.lag.end()
            exchange.lag = None
        elif exchange.lag is None:
            exchange.lag = Lag(floor, faults)

    def served() -> list[str]:
        from kalshi_research.sandbox.rest import served_places

        return served_places(exchange.dialect.name)

    faults.served = served
    faults.attend("dedupe", dedupe)
    faults.attend("read_lag", lag)


def _choose(engine: Engine, options: EngineOptions) -> None:
    engine.options = options


def date_header(exchange: Exchange) -> list[tuple[bytes, bytes]]:
    """The header ``Date`` as it is sent now; nothing where it is off."""
    rule = exchange.faults.standing("date")
    if rule is not None:
        return [] if rule.variant == "off" else [(b"date", b"half past never")]
    return [(b"date", formatdate(exchange.wall_ms() / 1000, usegmt=True).encode())]
