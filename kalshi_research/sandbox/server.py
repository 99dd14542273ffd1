"""The sandbox: an exchange in a thread of its own, on loopback."""

from __future__ import annotations

import html
import math
import secrets
import threading
import time
import weakref
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NoReturn, Self

from kalshi_research.errors import ConfigError, quoted
from kalshi_research.money import PRICE_SCALE, to_price
from kalshi_research.sandbox.auth import KeyRing
from kalshi_research.sandbox.clock import Clock, checked_speed
from kalshi_research.sandbox.dialects import TODAY, dialect_named
from kalshi_research.sandbox.dispatch import PREFIX
from kalshi_research.sandbox.exchange import Account, Exchange
from kalshi_research.sandbox.floor import Floor
from kalshi_research.sandbox.instants import DAY, SECOND, from_datetime, to_datetime
from kalshi_research.sandbox.rate_limits import Buckets
from kalshi_research.sandbox.seeding import derived_uuid
from kalshi_research.sandbox.serving import Serving
from kalshi_research.sandbox.stream.endpoint import PATH
from kalshi_research.sandbox.stream.options import StreamOptions
from kalshi_research.sandbox.traders import Traders
from kalshi_research.sandbox.truth import Truth
from kalshi_research.sandbox.user_keys import UserKeys

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from kalshi_research.sandbox.auth import PrivateKey
    from kalshi_research.sandbox.dialects import Dialect
    from kalshi_research.sandbox.engine import EngineOptions
    from kalshi_research.sandbox.faults import Faults
    from kalshi_research.sandbox.traded import TradedWorld
    from kalshi_research.sandbox.truth_server import TruthServer

__all__ = ["DEFAULT_NOW", "Sandbox"]

DEFAULT_NOW = datetime(2026, 11, 20, 15, tzinfo=UTC)
"""The instant at which the default world stands still."""

_YEARS = (2021, 2049)


class Sandbox:
    """A simulated exchange on 127.0.0.1, in a thread of its own.

    Parameters
    ----------
    seed : int
        The same seed gives the same world, to the byte.
    now : datetime
        Aware; the instant at which the world stands still, or from which its time
        runs. Signatures are checked against the real time.
    port : int
        0 takes a free one.
    users : int
        How many accounts with keys, each with mock money.
    rate_limits : bool or str
        False: nobody is limited, and ``/account/limits`` reports the top tier.
        True: the basic tier. Or the name of a tier of the dialect.
    days : int
        Days of settled temperature ladders.
    cutoff_days : int
        How many days ago the historical tier begins.
    crypto_hours : int
        Hours of settled 15-minute windows.
    bias : float
        Favourite-longshot bias planted in the quotes: the log-odds of the true
        probability are shrunk by this share.
    stream : StreamOptions, optional
        Choices of the WebSocket; a dialect in them has to be that of the sandbox.
    dialect : {"2026", "2025"}
        Today's protocol, or that of late 2025: integer cents, pages of 100, orders on
        ``/portfolio/orders``, limits in requests a second, RSA keys.
    speed : float
        Seconds of the exchange a real second while it runs. 0: its time stands still,
        and answers compare to the byte. 1: live. More: a day goes by in minutes. Beyond
        some 100 000 it goes as fast as the traders can act.
        Then every open market trades, and new ones are listed as their time comes.
    traders : Traders, optional
        Other manners of the simulated traders. Where time stands still they act when
        `advance` lets it pass; without them such a market stands still as well.
    engine : EngineOptions, optional
        Choices where nobody outside knows what the exchange does.

    Attributes
    ----------
    identity : str
        Names the world: two sandboxes of one identity answer alike.
    speed : float
    dialect : str
        How it speaks.

    Examples
    --------
    >>> with Sandbox(seed=1) as sandbox:
    ...     sandbox.url.startswith("http://127.0.0.1:")
    True
    """

    def __init__(
        self,
        *,
        seed: int = 0,
        now: datetime = DEFAULT_NOW,
        port: int = 0,
        users: int = 1,
        rate_limits: bool | str = False,
        days: int = 45,
        cutoff_days: int = 21,
        crypto_hours: int = 48,
        bias: float = 0.0,
        stream: StreamOptions | None = None,
        dialect: str = "2026",
        speed: float = 0,
        traders: Traders | None = None,
        engine: EngineOptions | None = None,
    ) -> None:
        spoken = dialect_named(dialect)
        self.seed, self.dialect, self.speed = seed, dialect, checked_speed(speed)
        if traders is None and self.speed:
            traders = Traders()
        bias = _one_bias(bias, traders)
        stream = _spoken(stream or StreamOptions(), dialect)
        _check(now, users=users, days=days, crypto_hours=crypto_hours, bias=bias)
        self.identity = f"world 1 {seed} {now.isoformat()} {days} {cutoff_days} {crypto_hours} {bias}"
        self.identity += _manners(spoken, traders, runs=self.speed > 0)
        world = spoken.world(
            from_datetime(now), seed, days=days, crypto_hours=crypto_hours, bias=bias, traders=traders
        )
        self._exchange = _exchange(
            spoken,
            world,
            users=users,
            cutoff_days=cutoff_days,
            rate_limits=rate_limits,
            engine=engine,
            stream=stream,
        )
        if traders is not None:
            self.floor.populate()
        self._keys = UserKeys(self._exchange.keys, seed, users, spoken.key_types)
        self._port = port
        self._lock = threading.Lock()
        self._stop: weakref.finalize[[Serving, Clock | None], Sandbox] | None = None
        self._truth: TruthServer | None = None
        self._end_truth: weakref.finalize[[], Sandbox] | None = None

    def start(self) -> Self:
        """Bind the port and serve. A running sandbox stays as it is.

        Raises
        ------
        ConfigError
            If the port cannot be bound, or the server does not come up.
        """
        with self._lock:
            if self._stop is not None:
                return self
            serving = Serving(self._exchange, self._port)
            self._port = serving.port
            clock = Clock(self.floor, self.speed) if self.speed else None
            if clock is not None:
                clock.start()
            self._stop = weakref.finalize(self, _shut_down, serving, clock)
        return self

    def close(self) -> None:
        """Stop serving and forget the keys that were written to files."""
        with self._lock:
            if self._stop is not None:
                self._stop()
                self._stop = None
            if self._end_truth is not None:
                self._end_truth()
                self._truth = self._end_truth = None
            self._keys.remove_files()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def running(self) -> bool:
        """Whether it serves."""
        return self._stop is not None

    @property
    def port(self) -> int:
        """The port; 0 before a free one was taken."""
        return self._port

    @property
    def url(self) -> str:
        """Where the REST protocol is served."""
        return f"http://127.0.0.1:{self._port}{PREFIX}"

    @property
    def ws_url(self) -> str:
        """Where the WebSocket protocol is served."""
        return f"ws://127.0.0.1:{self._port}{PATH}"

    @property
    def now(self) -> datetime:
        """The time of the exchange."""
        return to_datetime(self.floor.now())

    @property
    def floor(self) -> Floor:
        """Where orders are taken."""
        return self._exchange.floor

    def advance(self, seconds: float | timedelta) -> None:
        """Let time pass in the world: markets open, close, are determined and pay out.

        Where time runs, it runs on from there.

        Parameters
        ----------
        seconds : float or timedelta
            A plain number is seconds.
        """
        if isinstance(seconds, timedelta):
            seconds = seconds.total_seconds()
        if not isinstance(seconds, (int, float)):
            raise ConfigError(
                f"seconds= must be a number of seconds or a timedelta, not {quoted(seconds)}."
            )
        if not 0 <= seconds < math.inf:
            raise ConfigError(f"time does not run backwards, nor to its end: seconds= is {seconds}.")
        self.floor.advance(self.floor.now() + round(seconds * SECOND))

    def settle(self, ticker: str, result: str) -> None:
        """Close a market, set its result and let the time pass until it has paid out.

        Parameters
        ----------
        ticker : str
        result : str
            ``yes``, ``no``, or what one YES contract pays [dollars], such as ``0.5``.
        """
        value = {"yes": PRICE_SCALE, "no": 0}.get(result)
        self.floor.settle(ticker, to_price(result) if value is None else value)

    @property
    def faults(self) -> Faults:
        """What goes wrong on purpose: nothing, until a rule is added."""
        return self._exchange.faults

    @property
    def truth(self) -> Truth:
        """What is really the case in this world. For judging methods, not for using them."""
        return Truth(self._exchange)

    def serve_truth(self) -> TruthServer:
        """Serve the truth on a second port, for judges in other processes; `close` ends that.

        Returns
        -------
        TruthServer
            With its ``url`` and ``token``; the same one at every call.
        """
        with self._lock:
            if self._truth is None:
                from kalshi_research.sandbox.truth_server import TruthServer

                self._truth = TruthServer(self.truth)
                self._end_truth = weakref.finalize(self, self._truth.stop)
            return self._truth

    def credentials(self, user: int = 0, *, key_type: str | None = None) -> tuple[str, PrivateKey]:
        """Key id and private key of a user; made when first asked for, worthless elsewhere.

        The id comes from the seed; the key itself never does.

        Parameters
        ----------
        user : int
        key_type : str, optional
            ``ed25519`` (the default) or ``rsa``; the dialect of 2025 has RSA only.
        """
        return self._keys.pair(user, key_type)

    def key_file(self, user: int = 0, *, key_type: str | None = None) -> Path:
        """Write the private key of a user to a file only its owner can read; `close` removes it."""
        return self._keys.write(user, key_type)

    def __repr__(self) -> str:
        where = self.url if self.running else "not running"
        return f"<Sandbox SIMULATED {where} seed={self.seed} now={self.now:%Y-%m-%dT%H:%M:%SZ}>"

    def _repr_html_(self) -> str:
        return f"<code>{html.escape(repr(self))}</code>"

    def __reduce__(self) -> NoReturn:
        raise ConfigError(
            "a sandbox cannot be pickled: it is a running server with keys.\n"
            "Start another one with the same seed; its world is the same."
        )


def _check(now: datetime, *, users: int, days: int, crypto_hours: int, bias: float) -> None:
    """Refuse options before anything is built."""
    if now.tzinfo is None:
        raise ConfigError("now= has no time zone; pass an aware datetime, such as one with tzinfo=UTC.")
    if not _YEARS[0] <= now.year <= _YEARS[1]:
        raise ConfigError(f"now= has to lie in {_YEARS[0]}-{_YEARS[1]}, not in {now.year}.")
    if users < 1 or not 1 <= days <= 365 or not 0 <= crypto_hours <= 24 * 14:
        raise ConfigError(
            "users= has to be at least 1, days= in 1-365 and crypto_hours= in 0-336; it was not started."
        )
    if not 0 <= bias < 1:
        raise ConfigError(f"bias= is a share in [0, 1), not {bias}.")


def _one_bias(bias: float, traders: Traders | None) -> float:
    """The bias that was asked for, in one place or the other."""
    planted = 0.0 if traders is None else traders.bias
    if bias and planted and bias != planted:
        raise ConfigError(f"bias= is {bias}, and that of traders= is {planted}; give one of them.")
    return bias or planted


def _manners(dialect: Dialect, traders: Traders | None, *, runs: bool) -> str:
    """What makes a world another one beside its seed and its dates."""
    said = "" if dialect is TODAY else f" {dialect.name}"
    if traders is not None:
        said += f" {traders}"
    # Where time runs, whatever is asked, the answer depends on when.
    return f"{said} {secrets.token_hex(8)}" if runs else said


def _spoken(stream: StreamOptions, dialect: str) -> StreamOptions:
    """The choices of the stream, in the dialect of the sandbox."""
    if stream.dialect not in (None, dialect):
        raise ConfigError(
            f'the stream is to speak the dialect "{stream.dialect}", the sandbox "{dialect}"; it was '
            "not started.\nLeave dialect= out of StreamOptions: the stream speaks as its sandbox does."
        )
    return replace(stream, dialect=dialect)  # type: ignore[arg-type]


def _exchange(
    dialect: Dialect,
    world: TradedWorld,
    *,
    users: int,
    cutoff_days: int,
    rate_limits: bool | str,
    engine: EngineOptions | None,
    stream: StreamOptions,
) -> Exchange:
    """An exchange over a world, with its accounts and their limits."""
    enforced = rate_limits is not False
    tier = dialect.tier(
        rate_limits if isinstance(rate_limits, str) else "basic" if enforced else dialect.top_tier
    )
    accounts = [Account(derived_uuid(world.seed, "user", user)) for user in range(users)]
    cash = {account.user_id: account.cash for account in accounts}
    return Exchange(
        world,
        KeyRing(),
        accounts,
        dialect.cutoff(world.now, cutoff_days),
        tier,
        Buckets(tier, time.monotonic, dialect.strangers) if enforced else None,
        Floor(world, cash, precision=dialect.precision, lot=dialect.lot, options=engine),
        dialect,
        cutoff_days=cutoff_days,
        day=world.now // DAY,
        stream=stream,
    )


def _shut_down(serving: Serving, clock: Clock | None) -> None:
    if clock is not None:
        clock.stop()
    serving.stop()
