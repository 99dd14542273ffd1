"""Permission to trade real money."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from kalshi_research.trading.desk import desk_of
from kalshi_research.trading.limits import ask_person, read_limits

if TYPE_CHECKING:
    from kalshi_research.client import Client

__all__ = ["arm", "disarm"]

Number = str | Decimal | float


def arm(
    client: Client,
    *,
    max_order_cost: Number,
    max_position: Number,
    minutes: float,
    max_day_cost: Number | None = None,
) -> None:
    """Allow this client to trade for some minutes, within limits.

    ``"prod"`` refuses every order without it, and asks for the name of the environment to be typed.
    The permission is kept nowhere: another kernel, and this one after a restart, have none. What
    orders have cost today is counted from the journal, so a restart does not reset it. In
    ``"demo"`` and ``"sandbox"``, which trade freely, it sets limits and asks nothing.

    Parameters
    ----------
    client : Client
        With a key.
    max_order_cost : str, Decimal or number
        Of one order, fees left out [dollars].
    max_position : str, Decimal or number
        Held in one market, either way, if everything that rests were filled [contracts].
    minutes : float
        At most 720.
    max_day_cost : str, Decimal or number, optional
        Of all orders of a day (UTC), cancelled ones too [dollars]; by default ten orders.

    Raises
    ------
    ConfigError
        Nobody typed the name.
    InputError
        A limit makes no sense.

    Examples
    --------
    >>> import kalshi_research as kr
    >>> client = kr.connect("sandbox")
    >>> kr.arm(client, max_order_cost=5, max_position=100, minutes=30)
    >>> kr.create_order(client, "KXHIGHCHI-26NOV21-T39", quantity=100, price="0.50")
    Traceback (most recent call last):
    ...
    kalshi_research.errors.LimitError: buy 100 YES of KXHIGHCHI-26NOV21-T39 at $0.50 costs $50; ...
    >>> kr.disarm(client)
    """
    desk = desk_of(client)
    limits = read_limits(
        desk,
        max_order_cost=max_order_cost,
        max_position=max_position,
        max_day_cost=max_day_cost,
        minutes=minutes,
    )
    if client.environment.name == "prod":
        ask_person(desk, minutes)
    desk.limits = limits


def disarm(client: Client) -> None:
    """Take the permission and the limits of `arm` back.

    Parameters
    ----------
    client : Client

    Examples
    --------
    >>> import kalshi_research as kr
    >>> kr.disarm(kr.connect("sandbox"))
    """
    desk_of(client).limits = None
