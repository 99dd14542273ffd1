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
from kalshi_research.streaming.held import Action, Command, Held, Owner

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
_TRIES = 3
_SLOWEST = 0.5


class Subscriptions:
    """The channels of one connection.

    Attributes
    ----------
    broken : str
        Why only a new connection helps; empty while none is needed.
    unanswered : bool
        The last snapshot asked for did not come.
    commands : int
        Sent so far.
    """

    def __init__(self, options: StreamOptions, owner: Owner) -> None:
        self._options = options
        self._owner = owner
        self._send: Callable[[bytes], None] | None = None
        self._held: dict[str, Held] = {}
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
        held = self._held.get(name)
        if held is None:
            held = self._held[name] = Held(CHANNELS[name], chunk=self._options.markets_a_command)
        if tickers is None:
            held.everything = True
        else:
            fresh = dict.fromkeys(ticker for ticker in tickers if ticker not in held.wanted)
            held.wanted.update(fresh)
            if held.complete:
                held.more.update(fresh)
        held.dirty = True

    def leave(self, name: str, tickers: Iterable[str]) -> None:
        """Want these markets no longer."""
        held = self._held.get(name)
        if held is None:
            return
        for ticker in tickers:
            held.wanted.pop(ticker, None)
            held.more.pop(ticker, None)
            held.refused.pop(ticker, None)
        held.dirty = True

    def channel(self, name: str) -> Held | None:
        """A channel, if it is wanted."""
        return self._held.get(name)

    def channels(self) -> list[Held]:
        """All channels that are wanted."""
        return list(self._held.values())

    def holder(self, sid: int | None) -> Held | None:
        """The channel that has this subscription."""
        return next((each for each in self._held.values() if each.sid == sid), None) if sid else None

    def is_known(self, frame: str) -> bool:
        """Whether frames of this type belong to a channel that is wanted."""
        return any(frame in held.channel.frames for held in self._held.values())

    @property
    def settled(self) -> bool:
        """Whether everything wanted is held or refused."""
        return not self._pending and all(
            held.sid is not None and held.complete and (held.everything or not held.missing)
            for held in self._held.values()
            if (held.everything or held.wanted.keys() - held.refused.keys()) and "" not in held.refused
        )

    # --- a connection -------------------------------------------------------------------------

    def connected(self, send: Callable[[bytes], None], now: float) -> None:
        """A new connection: nothing is held on it."""
        self.disconnected()
        self._send = send
        self._counted, self._tokens = now, self._rate

    def disconnected(self) -> None:
        """The connection has ended."""
        self._send = None
        self._pending.clear()
        self.broken = ""
        self.unanswered = False
        for held in self._held.values():
            held.sid, held.busy, held.dirty, held.not_before = None, False, True, 0.0
            held.failures = 0
            held.complete = False
            held.more.clear()
            held.asked.clear()

    def step(self, now: float) -> None:
        """Give up on answers that do not come, and ask for the next things."""
        if self._send is None:
            return
        for number, sent in list(self._pending.items()):
            if now - sent.sent > self._options.command_timeout:
                del self._pending[number]
                self._expired(sent)
        for held in self._held.values():
            if held.dirty and not held.busy and now >= max(held.not_before, self._paused_until):
                self._reconcile(held, now)

    def snapshots(self, held: Held, tickers: Sequence[str], now: float) -> bool:
        """Ask for the books of some markets; False where that has to wait."""
        return self._issue("snapshot", held, list(tickers), now)

    def prove(self, held: Held, now: float) -> bool:
        """Ask for a numbered answer that changes nothing: it shows what was lost before it."""
        some = next(iter(held.asked), None)
        return some is not None and not held.busy and self._issue("add", held, [some], now)

    def renew(self, held: Held, now: float) -> bool:
        """End a subscription, so that it is made anew."""
        return held.sid is not None and not held.busy and self._issue("unsubscribe", held, [], now)

    def _reconcile(self, held: Held, now: float) -> None:
        if "" in held.refused:
            held.dirty = False
        elif held.sid is None:
            wanted = [] if held.everything else held.missing[: held.chunk]
            if held.everything or wanted:
                self._issue("subscribe", held, wanted, now)
            else:
                held.dirty = False
        elif held.everything:
            self._done(held)
        elif missing := held.missing:
            self._issue("add", held, missing[: held.chunk], now)
        elif gone := [ticker for ticker in held.asked if ticker not in held.wanted]:
            if len(gone) == len(held.asked):
                self._issue("unsubscribe", held, [], now)
            else:
                self._issue("delete", held, gone[: self._options.markets_a_command], now)
        else:
            self._done(held)

    def _done(self, held: Held) -> None:
        held.dirty = False
        if not held.complete:
            held.complete = True
            self._owner.complete(held.channel)
        elif held.more:
            more, held.more = list(held.more), {}
            self._owner.grown(held.channel, more)

    def _issue(self, action: Action, held: Held, tickers: list[str], now: float) -> bool:
        self._tokens = min(self._rate, self._tokens + (now - self._counted) * self._rate)
        self._counted = now
        if self._send is None or self._tokens < 1 or now < self._paused_until:
            return False
        self._tokens -= 1
        self._number += 1
        self.commands += 1
        self._pending[self._number] = Command(action, held, tickers, now)
        if action != "snapshot":
            held.busy = True
        self._send(command(self._number, action, held.channel, held.sid, tickers))
        return True

    def _expired(self, sent: Command) -> None:
        if sent.action == "snapshot":
            self.unanswered = True
            return
        sent.held.busy, sent.held.dirty = False, True
        sent.held.failures += 1
        if sent.held.failures >= _TRIES:
            self.broken = f"{sent.held.failures} commands got no answer"

    # --- answers ------------------------------------------------------------------------------

    def snapshot_came(self, sid: int, ticker: str) -> None:
        """A book arrived, asked for or not; it tells the subscription whose answer was lost."""
        self.unanswered = False
        books = self._held.get("books")
        for number, sent in list(self._pending.items()):
            if sent.action == "snapshot" and ticker in sent.tickers:
                sent.tickers.remove(ticker)
                if not sent.tickers:
                    del self._pending[number]
            elif sent.action == "subscribe" and sent.held is books and ticker in sent.tickers:
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
            held = sent.held if sent is not None else self.holder(reply.sid)
            if held is not None and held.sid == reply.sid:
                self._forget(held)
        elif reply.name == "error":
            self._error(reply, sent, now)
        return True

    def _subscribed(self, reply: Reply, sent: Command | None) -> bool:
        held = sent.held if sent is not None else None
        if held is None:
            known = (each for each in self._held.values() if each.channel.wire == reply.channel)
            held = next(known, None)
            if held is None or held.sid is not None:
                return held is None or held.sid != reply.sid
        if sent is None or sent.action != "subscribe":
            sent = Command("subscribe", held, [], 0.0)
        self._confirm(sent, reply.sid, None)
        return True

    def _confirm(self, sent: Command, sid: int | None, tickers: Sequence[str] | None) -> None:
        """A command has been obeyed."""
        held = sent.held
        if sent.action == "snapshot":
            return
        held.busy, held.dirty, held.failures = False, True, 0
        held.chunk = min(held.chunk * 2, self._options.markets_a_command)
        if sid is not None:
            held.sid = sid
        if tickers is not None and sent.action != "unsubscribe":
            held.asked = set(tickers)
        elif sent.action == "delete":
            held.asked.difference_update(sent.tickers)
        else:
            held.asked.update(sent.tickers)

    def _forget(self, held: Held) -> None:
        for number, sent in list(self._pending.items()):
            if sent.held is held:
                del self._pending[number]
        held.sid, held.busy, held.dirty = None, False, True
        held.complete = False
        held.more.clear()
        held.asked.clear()

    def _error(self, reply: Reply, sent: Command | None, now: float) -> None:  # noqa: C901
        code = -1 if reply.code is None else reply.code
        held = sent.held if sent is not None else self.holder(reply.sid)
        if code not in _KNOWN:
            self._tell(code, reply, held)
        if sent is not None:
            sent.held.busy, sent.held.dirty = False, True
        if code in _ENDED:
            if held is None:
                self.broken = f"error {code} of an unknown subscription"
            else:
                self._end(held, code, now)
        elif code == _TOO_FAST:
            self._rate = max(self._rate / 2, _SLOWEST)
            self._paused_until = now + self._pause(1)
        elif sent is None or held is None or sent.action == "snapshot":
            if code in _KNOWN:
                self._tell(code, reply, held)
            if code in _OURS and sent is not None and sent.action == "snapshot":
                self.renew(sent.held, now)
        elif code in _PASSING or code not in _KNOWN:
            held.failures += 1
            held.not_before = now + self._pause(held.failures)
            if held.failures >= _TRIES:
                held.failures = 0
                if code in _PASSING:
                    self.broken = f"error {code} again and again"
                else:
                    self._refuse(held, sent.tickers, reply, told=True)
        elif code == _TOO_MANY:
            self._too_many(held, sent, reply)
        else:
            self._refused(held, sent, reply, code)

    def _end(self, held: Held, code: int, now: float) -> None:
        sid = held.sid
        held.ends += 1
        self._forget(held)
        held.not_before = now + (self._pause(held.ends - 1) if held.ends > 1 else 0.0)
        if sid is not None:
            self._owner.lost(sid, f"ended by error {code}")

    def _pause(self, times: int) -> float:
        longest: float = min(self._options.backoff * 2 ** min(times, 16), self._options.most_backoff)
        return longest * random.uniform(0.5, 1.0)  # noqa: S311  so that clients do not march in step

    def _too_many(self, held: Held, sent: Command, reply: Reply) -> None:
        """Try with half as many; once not even one has room, the rest goes elsewhere."""
        if len(sent.tickers) > 1:
            held.chunk = max(len(sent.tickers) // 2, 1)
            return
        rest = held.missing
        if not held.asked:  # not even one market has room here
            self._refuse(held, sent.tickers or [""], reply)
            return
        held.full = True
        for ticker in rest:
            del held.wanted[ticker]
        self._owner.elsewhere(held.channel, rest)

    def _refused(self, held: Held, sent: Command, reply: Reply, code: int) -> None:
        named = [ticker for ticker in reply.tickers or () if ticker in sent.tickers]
        if code in _CHANNEL:
            self._refuse(held, [""], reply)
        elif sent.action == "delete":
            held.asked.difference_update(sent.tickers)
        elif named:
            self._refuse(held, named, reply)
        elif code in _MARKETS and len(sent.tickers) > 1:
            held.chunk = max(len(sent.tickers) // 2, 1)
        elif sent.action == "unsubscribe":
            self.broken = f"unsubscribing was refused with error {code}"
        else:
            self._refuse(held, sent.tickers or [""], reply)

    def _refuse(self, held: Held, tickers: Sequence[str], reply: Reply, *, told: bool = False) -> None:
        reason = f"error {reply.code}: {printable(reply.said, 80)}"
        held.refused.update(dict.fromkeys(tickers, reason))
        held.chunk = min(max(held.chunk, 2), self._options.markets_a_command)
        if not told:
            what = ", ".join(printable(each, 60) for each in tickers[:3] if each) or "all of it"
            more = f" and {len(tickers) - 3:,} more" if len(tickers) > 3 else ""
            self._owner.problem(f"{held.channel.name}: {what}{more} refused, {reason}")

    def _tell(self, code: int, reply: Reply, held: Held | None) -> None:
        if code not in self._told:
            self._told.add(code)
            where = f"{held.channel.name}: " if held is not None else ""
            self._owner.problem(f"{where}the exchange sent error {code}: {printable(reply.said, 120)}")
