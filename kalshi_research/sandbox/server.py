"""The sandbox: an exchange in a thread of its own, on loopback."""

from __future__ import annotations

import html
import os
import secrets
import tempfile
import threading
import time
import weakref
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from kalshi_research.errors import ConfigError, printable
from kalshi_research.money import PRICE_SCALE, to_price
from kalshi_research.sandbox.auth import KeyRing, PrivateKey, RegisteredKey
from kalshi_research.sandbox.clock import Clock, checked_speed
from kalshi_research.sandbox.dialects import TODAY, dialect_named
from kalshi_research.sandbox.exchange import Account, Exchange
from kalshi_research.sandbox.floor import Floor
from kalshi_research.sandbox.instants import DAY, SECOND, from_datetime, to_datetime
from kalshi_research.sandbox.rate_limits import Buckets
from kalshi_research.sandbox.rest import PREFIX
from kalshi_research.sandbox.seeding import derived_uuid
from kalshi_research.sandbox.serving import Serving
from kalshi_research.sandbox.stream.options import StreamOptions
from kalshi_research.sandbox.traders import Traders
from kalshi_research.sandbox.truth import Truth

if TYPE_CHECKING:
    from types import TracebackType

    from kalshi_research.sandbox.engine import EngineOptions
    from kalshi_research.sandbox.faults import Faults
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
    host : str
        ``127.0.0.1``; nothing else is bound.
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
        Choices of the WebSocket.
    dialect : {"2026", "2025"}
        Today's protocol, or that of late 2025: integer cents, pages of 100, orders on
        ``/portfolio/orders``, limits in requests a second, RSA keys.

    speed : float
        Seconds of the exchange a real second while it runs. 0: its time stands still,
        and answers compare to the byte. 1: live. More: a day goes by in minutes.
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
        host: str = "127.0.0.1",
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
        self.speed = checked_speed(speed)
        if traders is None and self.speed:
            traders = Traders()
        bias = _one_bias(bias, traders)
        _check(now, host, users=users, days=days, crypto_hours=crypto_hours, bias=bias)
        self.seed = seed
        self.identity = f"world 1 {seed} {now.isoformat()} {days} {cutoff_days} {crypto_hours} {bias}"
        if spoken is not TODAY:
            self.identity += f" {dialect}"
        if traders is not None:
            self.identity += f" {traders}"
        if self.speed:  # whatever is asked, the answer depends on when
            self.identity += f" {secrets.token_hex(8)}"
        self.dialect = dialect
        self._port = port
        self._private: dict[tuple[int, str], tuple[str, PrivateKey]] = {}
        self._key_files: list[weakref.finalize[[Path], Sandbox]] = []
        self._truth: TruthServer | None = None
        self._end_truth: weakref.finalize[[], Sandbox] | None = None
        self._lock = threading.Lock()
        instant = from_datetime(now)
        enforced = rate_limits is not False
        tier = spoken.tier(
            rate_limits if isinstance(rate_limits, str) else "basic" if enforced else spoken.top_tier
        )
        world = spoken.world(
            instant, seed, days=days, crypto_hours=crypto_hours, bias=bias, traders=traders
        )
        accounts = [Account(derived_uuid(seed, "user", user)) for user in range(users)]
        self._exchange = Exchange(
            world,
            KeyRing(),
            accounts,
            spoken.cutoff(instant, cutoff_days),
            tier,
            Buckets(tier, time.monotonic, spoken.strangers) if enforced else None,
            Floor(
                world,
                {account.user_id: account.cash for account in accounts},
                precision=spoken.precision,
                lot=spoken.lot,
                options=engine,
            ),
            spoken,
            cutoff_days=cutoff_days,
            day=instant // DAY,
            stream=replace(stream or StreamOptions(), dialect=spoken.name),
        )
        if traders is not None:
            self.floor.populate()
        self._stop: weakref.finalize[[Serving, Clock | None], Sandbox] | None = None

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
            for forget in self._key_files:
                forget()
            self._key_files.clear()

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
        return f"ws://127.0.0.1:{self._port}/trade-api/ws/v2"

    @property
    def now(self) -> datetime:
        """The time of the exchange."""
        return to_datetime(self.floor.now())

    @property
    def floor(self) -> Floor:
        """Where orders are taken."""
        return self._exchange.floor

    def advance(self, seconds: float) -> None:
        """Let time pass in the world [s]: markets open, close, are determined and pay out.

        Where time runs, it runs on from there.
        """
        if not seconds >= 0:
            raise ConfigError(f"time does not run backwards: seconds= is {seconds}.")
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

    @property
    def truth_url(self) -> str:
        """Where the truth is served; the first use starts that. See `serve_truth` for the token."""
        return self.serve_truth().url

    def credentials(self, user: int = 0, *, key_type: str | None = None) -> tuple[str, PrivateKey]:
        """Key id and private key of a user; made when first asked for, worthless elsewhere.

        The id comes from the seed; the key itself never does.

        Parameters
        ----------
        user : int
        key_type : str, optional
            ``ed25519`` (the default) or ``rsa``; the dialect of 2025 has RSA only.
        """
        allowed = self._exchange.dialect.key_types
        key_type = key_type or allowed[0]
        if not 0 <= user < len(self._exchange.accounts):
            raise ConfigError(
                f"this sandbox has {len(self._exchange.accounts)} user(s); there is no user {user}.\n"
                "Start it with users= set higher."
            )
        if key_type not in allowed:
            raise ConfigError(
                f"there is no key type {printable(repr(key_type), 40)}; use {' or '.join(allowed)}."
            )
        with self._lock:
            found = self._private.get((user, key_type))
            if found is None:
                found = self._private[user, key_type] = self._make_key(user, key_type)
            return found

    def _make_key(self, user: int, key_type: str) -> tuple[str, PrivateKey]:
        private: PrivateKey = (
            Ed25519PrivateKey.generate()
            if key_type == "ed25519"
            else generate_private_key(public_exponent=65537, key_size=2048)
        )
        key_id = derived_uuid(self.seed, "key", user, key_type)
        self._exchange.keys.add(RegisteredKey(key_id, user, f"sandbox {key_type}", private.public_key()))
        return key_id, private

    def key_file(self, user: int = 0, *, key_type: str | None = None) -> Path:
        """Write the private key of a user to a file only its owner can read; `close` removes it."""
        key_type = key_type or self._exchange.dialect.key_types[0]
        _, private = self.credentials(user, key_type=key_type)
        pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        path = Path(tempfile.mkdtemp(prefix="kalshi-sandbox-")) / f"user{user}-{key_type}.pem"
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(pem)
        with self._lock:
            self._key_files.append(weakref.finalize(self, _forget, path))
        return path

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


def _check(now: datetime, host: str, *, users: int, days: int, crypto_hours: int, bias: float) -> None:
    """Refuse options before anything is built."""
    if host != "127.0.0.1":
        raise ConfigError(
            f"the sandbox binds 127.0.0.1 only, not {printable(repr(host), 60)}; it was not started."
        )
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


def _forget(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.parent.rmdir()


def _shut_down(serving: Serving, clock: Clock | None) -> None:
    if clock is not None:
        clock.stop()
    serving.stop()
