"""What is wanted of one channel of a connection, and what the exchange has granted of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from kalshi_research.schemas.channels import Channel

__all__ = ["Action", "ChannelSubscription", "Command", "Owner"]

Action = Literal["subscribe", "add", "delete", "snapshot", "unsubscribe", "list", "prove"]


class Owner(Protocol):
    """Who is told what cannot be settled here."""

    def problem(self, text: str) -> None:
        """Something a person should know."""

    def elsewhere(self, channel: Channel, tickers: list[str]) -> None:
        """Markets that this connection has no room for."""

    def lost(self, sid: int, reason: str) -> None:
        """A subscription that the exchange no longer knows."""

    def begun(self, channel: Channel) -> None:
        """The first part of a channel is subscribed to: it is heard from now on."""

    def interrupted(self, channel: Channel) -> None:
        """What was heard of a channel, and is wanted still, is heard no longer."""

    def complete(self, channel: Channel) -> None:
        """All that is wanted of a channel is subscribed to."""

    def grown(self, channel: Channel, tickers: list[str]) -> None:
        """More is wanted than before, and that is subscribed to as well."""


@dataclass(slots=True)
class ChannelSubscription:
    """One channel of the connection.

    Attributes
    ----------
    wanted : dict
        The markets, in order, as keys.
    everything : bool
        All markets are wanted, none is named.
    sid : int or None
        The subscription, once the exchange has said it.
    asked : set of str
        The markets that the exchange has confirmed.
    refused : dict
        Market to reason; the empty name stands for the channel.
    full : bool
        The exchange takes no more markets on this connection.
    complete : bool
        All that is wanted is subscribed to, and that was told.
    more : dict
        Markets that are wanted since then, in order, as keys.
    """

    channel: Channel
    wanted: dict[str, None] = field(default_factory=dict)
    everything: bool = False
    sid: int | None = None
    asked: set[str] = field(default_factory=set)
    refused: dict[str, str] = field(default_factory=dict)
    busy: bool = False
    dirty: bool = True
    not_before: float = 0.0
    chunk: int = 500
    ends: int = 0
    failures: int = 0
    full: bool = False
    complete: bool = False
    more: dict[str, None] = field(default_factory=dict)

    @property
    def heard(self) -> bool:
        """Whether anything that is wanted is subscribed to."""
        if self.sid is None:
            return False
        # What a subscription holds whose answer was lost is not known: it counts.
        return self.everything or (
            any(each in self.wanted for each in self.asked) if self.asked else bool(self.wanted)
        )

    @property
    def missing(self) -> list[str]:
        """Markets that are wanted, not held and not refused."""
        return [t for t in self.wanted if t not in self.asked and t not in self.refused]


@dataclass(slots=True)
class Command:
    """A command that was sent, and when [s].

    Attributes
    ----------
    action : str
    subscription : ChannelSubscription
        The channel that it is about.
    tickers : list of str
        The markets that it names.
    sent : float
    """

    action: Action
    subscription: ChannelSubscription
    tickers: list[str]
    sent: float
