"""What one connection shall be subscribed to, and the commands that bring it there.

No input or output: it is told what is wanted and what the exchange answered, and sends
through a callable. It asks for one thing at a time on each channel and compares what is held
with what is wanted after each answer, so a lost, late or repeated answer, a limit or a new
connection all end in the same place: one subscription for each channel, each market once.

==========================  ================================================================
error                       what is done
==========================  ================================================================
10, 25                      the subscription has ended: it is made anew, later each time
7                           so it has, without saying so
26                          too many markets: less at a time; what has no room goes elsewhere
27                          half as many commands a second, after a pause
17, 18                      asked again, later each time, a few times
11, 16                      a market is refused: which one is found by halves
9                           the channel is refused
others that are known       what was asked for is refused
others                      told once; asked again a few times, then refused
==========================  ================================================================
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from kalshi_research.errors import printable
from kalshi_research.schemas.channels import CHANNELS, command
from kalshi_research.streaming.channel_subscription import Action, ChannelSubscription, Command, Owner

if TYPE_CHECKING:
    from kalshi_research.schemas.stream import Reply
    from kalshi_research.streaming.options import StreamOptions

__all__ = ["Subscriptions"]

_ENDED = frozenset({7, 10, 25})
_TOO_MANY = 26
_TOO_FAST = 27
_PASSING = frozenset({17, 18})
_MARKETS = frozenset({11, 16})
_CHANNEL = frozenset({8, 9})
_OURS = frozenset({1, 2, 3, 4, 5, 6, 12, 13, 14, 15, 19, 20, 21, 22, 23, 24, 28})
_KNOWN = _ENDED | _PASSING | _MARKETS | _CHANNEL | _OURS | {_TOO_MANY, _TOO_FAST}
_QUESTIONS = frozenset({"snapshot", "list"})
"""Commands that change nothing: they wait for no other, and nothing waits for them."""
_PROOFS = _QUESTIONS | {"prove"}
_TRIES = 3
_SLOWEST = 0.5


class Subscriptions:
    """The channels of one connection.

    Attributes
    ----------
    broken : str
        Why only a new connection helps; empty while none is needed.
    unanswered : bool
        The last question had no answer.
    commands : int
        Sent so far.
    """

    def __init__(self, options: StreamOptions, owner: Owner) -> None:
        self._options = options
        self._owner = owner
        self._send: Callable[[bytes], None] | None = None
        self._channels: dict[str, ChannelSubscription] = {}
        self._pending: dict[int, Command] = {}
        self._number = 0
        self._rate = options.command_rate
        self._tokens = self._rate
        self._counted = 0.0
        self._paused_until = 0.0
        self._told: set[int] = set()
        self.broken = ""
        self.unanswered = False
        self.commands = 0

    # --- what is wanted -----------------------------------------------------------------------

    def want(self, name: str, tickers: Iterable[str] | None) -> None:
        """Want these markets of a channel too; None for all of them."""
        sub = self._channels.get(name)
        if sub is None:
            sub = self._channels[name] = ChannelSubscription(
                CHANNELS[name], chunk=self._options.markets_a_command
            )
        if tickers is None:
            sub.everything = True
        else:
            fresh = dict.fromkeys(ticker for ticker in tickers if ticker not in sub.wanted)
            sub.wanted.update(fresh)
            if sub.complete:
                sub.more.update(fresh)
        sub.dirty = True

    def leave(self, name: str, tickers: Iterable[str]) -> None:
        """Want these markets no longer."""
        sub = self._channels.get(name)
        if sub is None:
            return
        for ticker in tickers:
            sub.wanted.pop(ticker, None)
            sub.more.pop(ticker, None)
            sub.refused.pop(ticker, None)
        sub.dirty = True

    def channel(self, name: str) -> ChannelSubscription | None:
        """A channel, if it is wanted."""
        return self._channels.get(name)

    def channels(self) -> list[ChannelSubscription]:
        """All channels that are wanted."""
        return list(self._channels.values())

    def holder(self, sid: int | None) -> ChannelSubscription | None:
        """The channel that has this subscription."""
        return next((each for each in self._channels.values() if each.sid == sid), None) if sid else None

    def is_known(self, frame: str) -> bool:
        """Whether frames of this type belong to a channel that is wanted."""
        return any(frame in sub.channel.frames for sub in self._channels.values())

    @property
    def waits(self) -> bool:
        """Whether a command has no answer yet."""
        return bool(self._pending)

    @property
    def settled(self) -> bool:
        """Whether everything wanted is held or refused."""
        return all(sent.action in _PROOFS for sent in self._pending.values()) and all(
            sub.sid is not None and sub.complete and (sub.everything or not sub.missing)
            for sub in self._channels.values()
            if (sub.everything or sub.wanted.keys() - sub.refused.keys()) and "" not in sub.refused
        )

    # --- a connection -------------------------------------------------------------------------

    def connected(self, send: Callable[[bytes], None], now: float) -> None:
        """A new connection: nothing is held on it."""
        self.disconnected()
        self._send = send
        self._rate = self._options.command_rate
        self._counted, self._tokens = now, self._rate

    def disconnected(self) -> None:
        """The connection has ended."""
        self._send = None
        self._pending.clear()
        self.broken = ""
        self.unanswered = False
        for sub in self._channels.values():
            self._unheard(sub)
            sub.not_before, sub.failures = 0.0, 0

    def step(self, now: float) -> None:
        """Give up on answers that do not come, and ask for the next things."""
        if self._send is None:
            return
        for number, sent in list(self._pending.items()):
            if now - sent.sent > self._options.command_timeout:
                del self._pending[number]
                self._expired(sent)
        for sub in self._channels.values():
            if sub.dirty and not sub.busy and now >= max(sub.not_before, self._paused_until):
                self._reconcile(sub, now)

    def snapshots(self, sub: ChannelSubscription, tickers: Sequence[str], now: float) -> bool:
        """Ask for the books of some markets; False where that has to wait."""
        return self._issue("snapshot", sub, list(tickers), now)

    def prove(self, sub: ChannelSubscription, now: float) -> bool:
        """Ask for a numbered answer that changes nothing: it shows what was lost before it."""
        some = next(iter(sub.asked), None)
        return some is not None and not sub.busy and self._issue("prove", sub, [some], now)

    def probe(self, now: float) -> bool:
        """Ask for any answer at all: it shows that somebody listens."""
        some = next((sub for sub in self._channels.values() if sub.sid is not None), None)
        return some is not None and self._issue("list", some, [], now)

    def renew(self, sub: ChannelSubscription, now: float) -> bool:
        """End a subscription, so that it is made anew."""
        return sub.sid is not None and not sub.busy and self._issue("unsubscribe", sub, [], now)

    def _reconcile(self, sub: ChannelSubscription, now: float) -> None:
        if "" in sub.refused:
            sub.dirty = False
        elif sub.sid is None:
            wanted = [] if sub.everything else sub.missing[: sub.chunk]
            if sub.everything or wanted:
                self._issue("subscribe", sub, wanted, now)
            else:
                sub.dirty = False
        elif sub.everything:
            self._done(sub)
        elif missing := sub.missing:
            self._issue("add", sub, missing[: sub.chunk], now)
        elif gone := [ticker for ticker in sub.asked if ticker not in sub.wanted]:
            if len(gone) == len(sub.asked):
                self._issue("unsubscribe", sub, [], now)
            else:
                self._issue("delete", sub, gone[: self._options.markets_a_command], now)
        else:
            self._done(sub)

    def _done(self, sub: ChannelSubscription) -> None:
        sub.dirty = False
        if not sub.complete:
            sub.complete = True
            self._owner.complete(sub.channel)
        elif sub.more:
            more, sub.more = list(sub.more), {}
            self._owner.grown(sub.channel, more)

    def _issue(self, action: Action, sub: ChannelSubscription, tickers: list[str], now: float) -> bool:
        most = max(self._rate, 1.0)  # less than one command can not be sent
        self._tokens = min(most, self._tokens + (now - self._counted) * self._rate)
        self._counted = now
        if self._send is None or self._tokens < 1 or now < self._paused_until:
            return False
        self._tokens -= 1
        self._number += 1
        self.commands += 1
        self._pending[self._number] = Command(action, sub, tickers, now)
        if action not in _QUESTIONS:
            sub.busy = True
        wire = "add" if action == "prove" else action
        self._send(command(self._number, wire, sub.channel, sub.sid, tickers))
        return True

    def _expired(self, sent: Command) -> None:
        if sent.action in _QUESTIONS:
            self.unanswered = True
            return
        sent.subscription.busy, sent.subscription.dirty = False, True
        sent.subscription.failures += 1
        if sent.subscription.failures >= _TRIES:
            self.broken = f"{sent.subscription.failures} commands got no answer"

    # --- answers ------------------------------------------------------------------------------

    def snapshot_came(self, sid: int, ticker: str) -> None:
        """A book arrived, asked for or not; it tells the subscription whose answer was lost."""
        self.unanswered = False
        books = self._channels.get("books")
        for number, sent in list(self._pending.items()):
            if sent.action == "snapshot" and ticker in sent.tickers:
                sent.tickers.remove(ticker)
                if not sent.tickers:
                    del self._pending[number]
            elif sent.action == "subscribe" and sent.subscription is books and ticker in sent.tickers:
                del self._pending[number]
                self._confirm(sent, sid, None)

    def answered(self, reply: Reply, now: float) -> bool:
        """Take an answer of the exchange; False if it must not count, being a repeated one."""
        sent = self._pending.pop(reply.number, None) if reply.number is not None else None
        if reply.name == "subscribed":
            return self._subscribed(reply, sent)
        if reply.name == "ok":
            if sent is not None:
                self._confirm(sent, reply.sid, reply.tickers)
        elif reply.name == "unsubscribed":
            sub = sent.subscription if sent is not None else self.holder(reply.sid)
            if sub is not None and sub.sid == reply.sid:
                self._forget(sub)
        elif reply.name == "error":
            self._error(reply, sent, now)
        return True

    def _subscribed(self, reply: Reply, sent: Command | None) -> bool:
        sub = sent.subscription if sent is not None else None
        if sub is None:
            known = (each for each in self._channels.values() if each.channel.wire == reply.channel)
            sub = next(known, None)
            if sub is None or sub.sid is not None:
                return sub is None or sub.sid != reply.sid
        if sent is None or sent.action != "subscribe":
            sent = Command("subscribe", sub, [], 0.0)
        self._confirm(sent, reply.sid, None)
        return True

    def _confirm(self, sent: Command, sid: int | None, tickers: Sequence[str] | None) -> None:
        """A command has been obeyed."""
        sub = sent.subscription
        if sent.action in _QUESTIONS:
            return
        sub.busy, sub.dirty, sub.failures = False, True, 0
        sub.chunk = min(sub.chunk * 2, self._options.markets_a_command)
        if sid is not None:
            if sub.sid is None:
                self._owner.begun(sub.channel)
            sub.sid = sid
        if tickers is not None and sent.action != "unsubscribe":
            sub.asked = set(tickers)
        elif sent.action == "delete":
            sub.asked.difference_update(sent.tickers)
        else:
            sub.asked.update(sent.tickers)

    def _forget(self, sub: ChannelSubscription) -> None:
        for number, sent in list(self._pending.items()):
            if sent.subscription is sub:
                del self._pending[number]
        self._unheard(sub)

    def _unheard(self, sub: ChannelSubscription) -> None:
        """Nothing of a channel is subscribed to any more."""
        if sub.heard:
            self._owner.interrupted(sub.channel)
        sub.sid, sub.busy, sub.dirty = None, False, True
        sub.complete = False
        sub.more.clear()
        sub.asked.clear()

    def _error(self, reply: Reply, sent: Command | None, now: float) -> None:  # noqa: C901
        code = -1 if reply.code is None else reply.code
        if sent is not None and sent.action == "list":
            sent = None  # it is about no subscription
        sub = sent.subscription if sent is not None else self.holder(reply.sid)
        if code not in _KNOWN:
            self._tell(code, reply, sub)
        if sent is not None:
            sent.subscription.busy, sent.subscription.dirty = False, True
        if code in _ENDED:
            if sub is None:
                self.broken = f"error {code} of an unknown subscription"
            else:
                self._end(sub, code, now)
        elif code == _TOO_FAST:
            self._rate = max(self._rate / 2, _SLOWEST)
            self._paused_until = now + self._pause(1)
        elif sent is None or sub is None or sent.action in _QUESTIONS:
            if code in _KNOWN:
                self._tell(code, reply, sub)
            if code in _OURS and sent is not None and sent.action == "snapshot":
                self.renew(sent.subscription, now)
        elif code in _PASSING or code not in _KNOWN:
            sub.failures += 1
            sub.not_before = now + self._pause(sub.failures)
            if sub.failures >= _TRIES:
                sub.failures = 0
                if code in _PASSING:
                    self.broken = f"error {code} again and again"
                else:
                    self._refuse(sub, sent.tickers, reply, told=True)
        elif code == _TOO_MANY:
            self._too_many(sub, sent, reply)
        else:
            self._refused(sub, sent, reply, code)

    def _end(self, sub: ChannelSubscription, code: int, now: float) -> None:
        sid = sub.sid
        sub.ends += 1
        self._forget(sub)
        sub.not_before = now + (self._pause(sub.ends - 1) if sub.ends > 1 else 0.0)
        if sid is not None:
            self._owner.lost(sid, f"ended by error {code}")

    def _pause(self, times: int) -> float:
        longest: float = min(self._options.backoff * 2 ** min(times, 16), self._options.most_backoff)
        return longest * random.uniform(0.5, 1.0)  # noqa: S311  so that clients do not march in step

    def _too_many(self, sub: ChannelSubscription, sent: Command, reply: Reply) -> None:
        """Try with half as many; once not even one has room, the rest goes elsewhere."""
        if len(sent.tickers) > 1:
            sub.chunk = max(len(sent.tickers) // 2, 1)
            return
        rest = sub.missing
        if not sub.asked:  # not even one market has room here
            self._refuse(sub, sent.tickers or [""], reply)
            return
        sub.full = True
        for ticker in rest:
            del sub.wanted[ticker]
        self._owner.elsewhere(sub.channel, rest)

    def _refused(self, sub: ChannelSubscription, sent: Command, reply: Reply, code: int) -> None:
        named = [ticker for ticker in reply.tickers or () if ticker in sent.tickers]
        if code in _CHANNEL:
            self._refuse(sub, [""], reply)
        elif sent.action == "delete":
            sub.asked.difference_update(sent.tickers)
        elif named:
            self._refuse(sub, named, reply)
        elif code in _MARKETS and len(sent.tickers) > 1:
            sub.chunk = max(len(sent.tickers) // 2, 1)
        elif sent.action == "unsubscribe":
            self.broken = f"unsubscribing was refused with error {code}"
        else:
            self._refuse(sub, sent.tickers or [""], reply)

    def _refuse(
        self, sub: ChannelSubscription, tickers: Sequence[str], reply: Reply, *, told: bool = False
    ) -> None:
        reason = f"error {reply.code}: {printable(reply.said, 80)}"
        sub.refused.update(dict.fromkeys(tickers, reason))
        sub.chunk = min(max(sub.chunk, 2), self._options.markets_a_command)
        if not told:
            what = ", ".join(printable(each, 60) for each in tickers[:3] if each) or "all of it"
            more = f" and {len(tickers) - 3:,} more" if len(tickers) > 3 else ""
            self._owner.problem(f"{sub.channel.name}: {what}{more} refused, {reason}")

    def _tell(self, code: int, reply: Reply, sub: ChannelSubscription | None) -> None:
        if code not in self._told:
            self._told.add(code)
            where = f"{sub.channel.name}: " if sub is not None else ""
            self._owner.problem(f"{where}the exchange sent error {code}: {printable(reply.said, 120)}")
