"""The channels of the WebSocket, and the commands a client sends: their names on the wire."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from kalshi_research.money import COUNT_SCALE, PRICE_SCALE, fixed_text

__all__ = ["CHANNELS", "Channel", "command", "snapshot_frame"]

Action = Literal["subscribe", "add", "delete", "snapshot", "unsubscribe", "list"]


@dataclass(frozen=True, slots=True)
class Channel:
    """One kind of news.

    Attributes
    ----------
    name : str
        As users say it.
    wire : str
        As it is subscribed to.
    markets : {"required", "optional", "none"}
        Whether it is subscribed to market by market.
    numbered : bool
        Whether its frames are counted, so that a lost one is noticed.
    frames : tuple of str
        The ``type`` of its frames.
    """

    name: str
    wire: str
    markets: Literal["required", "optional", "none"]
    numbered: bool
    frames: tuple[str, ...]


CHANNELS = {
    channel.name: channel
    for channel in (
        Channel("books", "orderbook_delta", "required", True, ("orderbook_snapshot", "orderbook_delta")),
        Channel("trades", "trade", "optional", True, ("trade",)),
        Channel("tickers", "ticker", "optional", False, ("ticker",)),
        Channel("fills", "fill", "optional", False, ("fill",)),
        Channel("orders", "user_orders", "optional", False, ("user_order",)),
        Channel("positions", "market_positions", "optional", False, ("market_position",)),
        Channel(
            "lifecycle",
            "market_lifecycle_v2",
            "none",
            True,
            ("market_lifecycle_v2", "event_lifecycle", "event_fee_update"),
        ),
    )
}
"""By the name that users say."""

_ACTIONS = {"add": "add_markets", "delete": "delete_markets", "snapshot": "get_snapshot"}


def command(
    number: int, action: Action, channel: Channel, sid: int | None = None, tickers: Sequence[str] = ()
) -> bytes:
    """One command as the exchange reads it.

    Parameters
    ----------
    number : int
        Comes back with the answer.
    action : {"subscribe", "add", "delete", "snapshot", "unsubscribe", "list"}
    channel : Channel
        Unless all subscriptions are asked for, which changes nothing.
    sid : int, optional
        The subscription, unless it is to be made.
    tickers : sequence of str
        None at all means all markets, where a subscription is made.

    Examples
    --------
    >>> command(5, "unsubscribe", CHANNELS["books"], 2)
    b'{"id":5,"cmd":"unsubscribe","params":{"sids":[2]}}'
    >>> command(6, "list", CHANNELS["books"])
    b'{"id":6,"cmd":"list_subscriptions"}'
    """
    if action == "list":
        return msgspec.json.encode({"id": number, "cmd": "list_subscriptions"})
    params: dict[str, Any]
    name = "update_subscription"
    if action == "subscribe":
        name, params = action, {"channels": [channel.wire]}
        if channel.name == "tickers":
            params["send_initial_snapshot"] = True
    elif action == "unsubscribe":
        name, params = action, {"sids": [sid]}
    else:
        params = {"sids": [sid], "action": _ACTIONS[action]}
    if tickers and action != "unsubscribe":
        params["market_tickers"] = list(tickers)
    return msgspec.json.encode({"id": number, "cmd": name, "params": params})


def snapshot_frame(  # noqa: PLR0917  the fields of a frame
    sid: int,
    seq: int,
    ticker: str,
    clock: int,
    yes: Iterable[tuple[int, int]],
    no: Iterable[tuple[int, int]],
) -> bytes:
    """A book as the exchange would send it, for a recording that begins in the middle.

    Examples
    --------
    >>> snapshot_frame(1, 2, "T", 7, [(4200, 1300)], [])[-76:]
    b'"msg":{"market_ticker":"T","clock":7,"yes_dollars_fp":[["0.4200","13.00"]]}}'
    """
    body: dict[str, Any] = {"market_ticker": ticker}
    if clock >= 0:
        body["clock"] = clock
    for name, leg in (("yes_dollars_fp", yes), ("no_dollars_fp", no)):
        levels = [
            (fixed_text(price, PRICE_SCALE), fixed_text(count, COUNT_SCALE)) for price, count in leg
        ]
        if levels:
            body[name] = levels
    return msgspec.json.encode({"type": "orderbook_snapshot", "sid": sid, "seq": seq, "msg": body})
