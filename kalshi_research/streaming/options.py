"""How patient a stream is, and how much it keeps: all of it in one place."""

from __future__ import annotations

from dataclasses import dataclass, fields

from kalshi_research.errors import InputError, quoted

__all__ = ["StreamOptions"]


@dataclass(frozen=True, kw_only=True, slots=True)
class StreamOptions:
    """Intervals and limits of a live stream.

    Attributes
    ----------
    connect_timeout, close_timeout : float
        For a handshake, and for the other end to say goodbye [s].
    stale_after, dead_after : float
        Silence, not even a ping, after which the books are stale and the link is probed, and
        after which it is given up [s].
    backoff, most_backoff : float
        Pause before the first new attempt and the longest one; each is drawn at random
        between half of itself and itself, and the next one is twice as long [s].
    stable_after : float
        A connection that lived so long makes the next pause the first one again [s].
    command_timeout : float
        For the answer to a command [s].
    command_rate : float
        Commands in a second [1/s].
    markets_a_command : int
        The most markets that one command names.
    repair_timeout : float
        For a snapshot that was asked for [s].
    repairs : int
        Snapshots asked for in vain before the subscription is made anew.
    audit_every : float
        How often a subscription must prove that it has lost nothing [s]. That finds a frame that
        was lost last, before silence, within this time, and a link whose pings go on while its
        frames have stopped: its books are stale once a question has had no answer, after
        `audit_every` and `command_timeout` at most, and when the next one has none either, a
        `command_timeout` later, a new connection is made. By default that is 15 s and 20 s.
    audit_markets : int
        Books that are compared with a fresh snapshot each time.
    tick : float
        How often all this is looked at [s].
    largest_frame : int
        Bytes of one message; a longer one ends the connection.
    rows : int
        Rows kept of each kind, the newest ones.
    waiting : int
        Updates that may wait for a slow consumer before the oldest are dropped.
    most_connections : int
        To which a subscription is split when the exchange says that it is too large.

    Examples
    --------
    >>> StreamOptions(stale_after=1.0, dead_after=2.0).stale_after
    1.0
    """

    connect_timeout: float = 10.0
    close_timeout: float = 1.0
    stale_after: float = 15.0
    dead_after: float = 30.0
    backoff: float = 0.5
    most_backoff: float = 30.0
    stable_after: float = 10.0
    command_timeout: float = 5.0
    command_rate: float = 20.0
    markets_a_command: int = 500
    repair_timeout: float = 2.0
    repairs: int = 3
    audit_every: float = 10.0
    audit_markets: int = 20
    tick: float = 0.1
    largest_frame: int = 64 << 20
    rows: int = 50_000
    waiting: int = 10_000
    most_connections: int = 16

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if not number or not 0 < value < float("inf"):
                raise InputError(f"{field.name}={quoted(value, 40)} must be above 0; nothing was sent.")
        if self.stale_after >= self.dead_after:
            raise InputError("stale_after must be less than dead_after; nothing was sent.")
