"""The three places one can connect to, every documented host of each, and the door to the sandbox.

==========  =======================================================================
name        what it is
==========  =======================================================================
``prod``    the exchange: real money
``demo``    the exchange's own test system: mock money, separate accounts and keys
``sandbox`` a simulated exchange inside this package, on loopback
==========  =======================================================================

A request is signed only after its host was found in these tables, so a mistyped or
hostile address never sees a signature.
"""

from __future__ import annotations

import atexit
import difflib
import ipaddress
import os
import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeGuard
from urllib.parse import SplitResult, urlsplit

from kalshi_research.errors import ConfigError, printable, quoted

if TYPE_CHECKING:
    from kalshi_research.sandbox import Sandbox

__all__ = [
    "DEMO",
    "DIALECTS",
    "ENVIRONMENTS",
    "PROD",
    "REST_PATH",
    "SANDBOX_URL_VARIABLE",
    "WEBSOCKET_PATH",
    "Environment",
    "Target",
    "default_sandbox",
    "find_target",
    "is_sandbox",
    "start_sandbox",
]

DIALECTS = ("2026", "2025")
"""The protocols a client speaks: today's, and that of the documents of late 2025."""

REST_PATH = "/trade-api/v2"
WEBSOCKET_PATH = "/trade-api/ws/v2"
SANDBOX_URL_VARIABLE = "KALSHI_RESEARCH_SANDBOX_URL"


@dataclass(frozen=True)
class Environment:
    """One exchange to talk to.

    Attributes
    ----------
    name : str
        ``prod``, ``demo`` or ``sandbox``.
    rest : tuple of str
        REST roots, the recommended one first.
    websocket : tuple of str
        WebSocket addresses, in the order of `rest`.
    banner : str
        What a person must see beside anything that comes from here.
    perps_websocket : tuple of str
        WebSocket addresses of the perpetual contracts.

    Examples
    --------
    >>> PROD.hosts
    ('external-api.kalshi.com', 'api.elections.kalshi.com')
    >>> PROD.websocket_beside("https://api.elections.kalshi.com/trade-api/v2")
    'wss://api.elections.kalshi.com/trade-api/ws/v2'
    """

    name: str
    rest: tuple[str, ...]
    websocket: tuple[str, ...]
    banner: str
    perps_websocket: tuple[str, ...] = ()

    @property
    def simulated(self) -> bool:
        """Whether no real exchange is behind it."""
        return self.name == "sandbox"

    @property
    def hosts(self) -> tuple[str, ...]:
        """The REST hosts, the recommended one first."""
        return tuple(urlsplit(root).netloc for root in self.rest)

    def websocket_beside(self, root: str) -> str:
        """The WebSocket address that belongs to a REST root."""
        return self.websocket[self.rest.index(root)]


@dataclass(frozen=True)
class Target:
    """Where to connect: an environment and one of its REST roots.

    `embedded` is the simulated exchange of this process that is meant, and `dialect` how the
    other side speaks.
    """

    environment: Environment
    root: str
    embedded: Sandbox | None = None
    dialect: str = DIALECTS[0]


PROD = Environment(
    name="prod",
    rest=(
        f"https://external-api.kalshi.com{REST_PATH}",
        f"https://api.elections.kalshi.com{REST_PATH}",
    ),
    websocket=(
        f"wss://external-api-ws.kalshi.com{WEBSOCKET_PATH}",
        f"wss://api.elections.kalshi.com{WEBSOCKET_PATH}",
    ),
    banner="PRODUCTION · real money",
    perps_websocket=(f"wss://external-api-margin-ws.kalshi.com{WEBSOCKET_PATH}/margin",),
)
DEMO = Environment(
    name="demo",
    rest=(
        f"https://external-api.demo.kalshi.co{REST_PATH}",
        f"https://demo-api.kalshi.co{REST_PATH}",
    ),
    websocket=(
        f"wss://external-api-ws.demo.kalshi.co{WEBSOCKET_PATH}",
        f"wss://demo-api.kalshi.co{WEBSOCKET_PATH}",
    ),
    banner="DEMO · mock money",
    perps_websocket=(f"wss://external-api-margin-ws.demo.kalshi.co{WEBSOCKET_PATH}/margin",),
)
ENVIRONMENTS = {"prod": PROD, "demo": DEMO}

# Hosts that older documents name and today's do not; each maps to what replaced it.
_RETIRED = {
    "trading-api.kalshi.com": "external-api.kalshi.com",
    "api.kalshi.com": "external-api.kalshi.com",
}
_CHOICES = 'choose "prod", "demo", "sandbox" or a loopback URL such as "http://127.0.0.1:8765"'
_SYNONYMS = {
    "production": "prod",
    "live": "prod",
    "real": "prod",
    "elections": "prod",
    "paper": "demo",
    "test": "demo",
    "staging": "demo",
    "simulation": "sandbox",
    "sim": "sandbox",
    "mock": "sandbox",
}


def is_sandbox(value: object) -> TypeGuard[Sandbox]:
    """Whether it is a simulated exchange; asking loads one only where it is no name."""
    if isinstance(value, str):
        return False
    from kalshi_research.sandbox import Sandbox

    return isinstance(value, Sandbox)


def find_target(
    environment: str | Sandbox, host: str | None = None, dialect: str = DIALECTS[0]
) -> Target:
    """The environment and REST root meant by the arguments of `connect`.

    ``"sandbox"`` starts the simulated exchange of this process when it does not run yet.

    Examples
    --------
    >>> find_target("demo", "demo-api.kalshi.co").root
    'https://demo-api.kalshi.co/trade-api/v2'
    >>> find_target("http://127.0.0.1:8765").environment.name
    'sandbox'
    >>> find_target("prod", "external-api.kalsi.com")
    Traceback (most recent call last):
    ...
    kalshi_research.errors.ConfigError: "external-api.kalsi.com" is no host of prod; nothing was sent.
    Did you mean "external-api.kalshi.com"? Choose external-api.kalshi.com or api.elections.kalshi.com.
    """
    if is_sandbox(environment):
        return _running(environment, host)
    if not isinstance(environment, str):
        raise ConfigError(f"environment must be text, not {type(environment).__name__}: {_CHOICES}.")
    known = ENVIRONMENTS.get(environment)
    if known is not None:
        return Target(known, known.rest[0] if host is None else _root_of(known, host))
    if environment != "sandbox" and "://" not in environment:
        raise ConfigError(_unknown_environment(environment))
    if host is not None:
        raise ConfigError(
            f'host={quoted(host)} goes with "prod" and "demo" only; nothing was sent.\n'
            "A simulated exchange is named by its URL alone."
        )
    if environment == "sandbox":
        return _sandbox_target(dialect)
    return replace(_loopback_target(environment, "this URL"), dialect=dialect)


def _sandbox_target(dialect: str) -> Target:
    elsewhere = os.environ.get(SANDBOX_URL_VARIABLE)
    if elsewhere:
        return replace(_loopback_target(elsewhere, SANDBOX_URL_VARIABLE), dialect=dialect)
    sandbox = default_sandbox(dialect)
    target = _loopback_target(sandbox.url, "the sandbox")
    return Target(target.environment, target.root, sandbox, dialect)


def _running(sandbox: Sandbox, host: str | None) -> Target:
    if host is not None:
        raise ConfigError("host= does not go with a sandbox, which has one address; nothing was sent.")
    if not sandbox.running:
        raise ConfigError(
            "this sandbox is not running; nothing was sent.\n"
            "Start it: sandbox.start(), or take it from start_sandbox()."
        )
    target = _loopback_target(sandbox.url, "the sandbox")
    return Target(target.environment, target.root, sandbox, sandbox.dialect)


def _unknown_environment(name: str) -> str:
    said = printable(name, 60)
    by_host = {host: known for known in ENVIRONMENTS.values() for host in known.hosts}
    if name in by_host:
        known = by_host[name].name
        return f'"{said}" is a host, not an environment: write connect("{known}", host="{said}").'
    if name in _RETIRED:
        return f'"{said}" is a host of older documents; today connect("prod") talks to {_RETIRED[name]}.'
    lowered = name.strip().lower()
    near = difflib.get_close_matches(lowered, ["prod", "demo", "sandbox"], n=1)
    meant = _SYNONYMS.get(lowered) or (near[0] if near else None)
    question = f' Did you mean "{meant}"?' if meant else ""
    return f'unknown environment "{said}"; nothing was sent.{question}\nPlease {_CHOICES}.'


def _bare_host(host: str) -> str:
    """``https://host/trade-api/v2`` is accepted where the host is meant."""
    for prefix in ("https://", "wss://"):
        if host.startswith(prefix):
            parts = urlsplit(host)
            plain = parts.path.rstrip("/") in ("", REST_PATH, WEBSOCKET_PATH)
            return parts.netloc if plain and not parts.query and not parts.fragment else host
    return host


def _root_of(environment: Environment, host: str) -> str:
    if not isinstance(host, str):
        raise ConfigError(f"host must be text, not {type(host).__name__}; nothing was sent.")
    name = _bare_host(host)
    if name in environment.hosts:
        return environment.rest[environment.hosts.index(name)]
    raise ConfigError(_unknown_host(environment, name))


def _unknown_host(environment: Environment, name: str) -> str:
    said = printable(name, 80)
    choices = " or ".join(environment.hosts)
    for other in ENVIRONMENTS.values():
        if name in other.hosts:
            return (
                f'"{said}" belongs to {other.name}, not to {environment.name}; nothing was sent.\n'
                f'Write connect("{other.name}", host="{said}"), or choose {choices}.'
            )
        streams = {urlsplit(url).netloc for url in (*other.websocket, *other.perps_websocket)}
        if name in streams:
            return (
                f'"{said}" is a WebSocket host; host= takes the REST host; nothing was sent.\n'
                f"Choose {choices}: the WebSocket host follows from it."
            )
    if name in _RETIRED:
        return (
            f'"{said}" is a host of older documents; nothing was sent.\n'
            f'Today it is "{_RETIRED[name]}", which connect("prod") uses by itself.'
        )
    near = difflib.get_close_matches(name.lower(), environment.hosts, n=1, cutoff=0.75)
    question = f'Did you mean "{near[0]}"? ' if near else ""
    return f'"{said}" is no host of {environment.name}; nothing was sent.\n{question}Choose {choices}.'


def _loopback_target(url: str, source: str) -> Target:
    parts = _split(url)
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError(
            f"{source} ({printable(url, 80)}) is not an http URL; nothing was sent.\n"
            'Write it like "http://127.0.0.1:8765".'
        )
    if not _is_loopback(parts.hostname):
        raise ConfigError(_not_loopback(parts, url, source))
    if parts.username is not None or parts.query or parts.fragment:
        raise ConfigError(f"{source} must be a plain address without user, query or fragment.")
    if parts.path.rstrip("/") not in ("", REST_PATH):
        raise ConfigError(
            f"{source} has the path {printable(parts.path, 60)}; nothing was sent.\n"
            f"Leave the path out or write {REST_PATH}."
        )
    root = f"{parts.scheme}://{parts.netloc}{REST_PATH}"
    stream = f"{'wss' if parts.scheme == 'https' else 'ws'}://{parts.netloc}{WEBSOCKET_PATH}"
    return Target(Environment("sandbox", (root,), (stream,), "SIMULATED · no exchange behind it"), root)


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises when it is no port number
    except ValueError:
        return None
    clean = url.isascii() and url.isprintable() and " " not in url and "\\" not in url
    return parts if clean else None


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _not_loopback(parts: SplitResult, url: str, source: str) -> str:
    host = parts.hostname or ""
    for known in ENVIRONMENTS.values():
        if host in known.hosts:
            return (
                f'{source} names a host of {known.name}: write connect("{known.name}", host="{host}"); '
                "nothing was sent."
            )
    if host in _RETIRED:
        return (
            f'"{host}" is a host of older documents; nothing was sent.\n'
            f'Today it is "{_RETIRED[host]}", which connect("prod") uses by itself.'
        )
    hosts = [name for known in ENVIRONMENTS.values() for name in known.hosts]
    near = difflib.get_close_matches(host, hosts, n=1, cutoff=0.75)
    question = f'\nDid you mean "{near[0]}"? Write connect("prod") or connect("demo").' if near else ""
    return (
        f"{source} ({printable(url, 80)}) is neither loopback nor a documented host; nothing was sent."
        f"{question}"
    )


def start_sandbox(*, seed: int = 0, speed: float = 0, **options: Any) -> Sandbox:
    """Start a simulated exchange on loopback.

    Parameters
    ----------
    seed : int
        Which world. The same seed gives the same world.
    speed : float
        Seconds of the exchange a real second. 0: its time stands still. 1: live. 60: an hour
        goes by in a minute, with quotes, trades and settlements.
    **options
        Passed on to `kalshi_research.sandbox.Sandbox`.

    Returns
    -------
    Sandbox
        Running, and a context manager that stops it.

    Examples
    --------
    >>> with start_sandbox(seed=1) as sandbox:
    ...     sandbox.url.startswith("http://127.0.0.1:")
    True
    """
    from kalshi_research.sandbox import Sandbox

    return Sandbox(seed=seed, speed=speed, **options).start()


_default_lock = threading.Lock()
_default: dict[tuple[int, str], Sandbox] = {}


def default_sandbox(dialect: str = DIALECTS[0]) -> Sandbox:
    """The simulated exchange that this process shares; started by the first caller.

    There is one for each dialect. It is stopped when the process ends. A forked child gets its own.
    """
    with _default_lock:
        place = os.getpid(), dialect
        mine = _default.get(place)
        if mine is None:
            mine = start_sandbox(dialect=dialect)
            _default[place] = mine
            atexit.register(mine.close)
        return mine
