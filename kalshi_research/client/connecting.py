"""`connect`: from a name and perhaps a key to a `Client`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from kalshi_research.client.rate_limits import find_tier
from kalshi_research.client.session import Client, check_deadline
from kalshi_research.credentials import Sealed, find_signer
from kalshi_research.environments import DIALECTS, ENVIRONMENTS, find_target, is_sandbox
from kalshi_research.errors import ConfigError, printable, quoted

if TYPE_CHECKING:
    from kalshi_research.credentials import PrivateKey
    from kalshi_research.sandbox import Sandbox

__all__ = ["connect"]


def connect(
    environment: str | Sandbox = "sandbox",
    *,
    key_id: str | None = None,
    private_key: str | os.PathLike[str] | PrivateKey | None = None,
    passphrase: str | bytes | None = None,
    host: str | None = None,
    tier: str | None = None,
    cache: str | os.PathLike[str] | None = None,
    deadline: float = 30.0,
    proxies: bool = False,
    dialect: str | None = None,
) -> Client:
    """Connect to an exchange.

    Nothing is sent yet, and public market data of ``"prod"`` and ``"demo"`` needs no key.

    Parameters
    ----------
    environment : str or Sandbox
        ``"sandbox"`` (the simulated exchange of this process, started when needed),
        ``"demo"``, ``"prod"``, the loopback URL of a running sandbox, or what
        `start_sandbox` returned, whose key of user 0 is then used.
    key_id : str, optional
        API key id. Without it ``KALSHI_DEMO_KEY_ID`` or ``KALSHI_PROD_KEY_ID`` is used.
    private_key : path or key object, optional
        PEM file of the private key (RSA or Ed25519), or a key loaded by `cryptography`.
        Without it ``KALSHI_DEMO_PRIVATE_KEY_PATH`` or ``KALSHI_PROD_PRIVATE_KEY_PATH``.
        The text of a key is refused: it would stay in the notebook.
    passphrase : str or bytes, optional
        For an encrypted PEM file.
    host : str, optional
        Another documented REST host of the same environment.
    tier : str, optional
        Rate-limit tier to assume until the exchange says it.
    cache : path, optional
        Folder for answers that cannot change any more; off by default.
    deadline : float
        Time each call may take, retries and waiting included [s].
    proxies : bool
        Honour the proxy and certificate variables of the environment.
    dialect : {"2026", "2025"}, optional
        Protocol of the other side: today's (the default), or that of the documents of late
        2025, which only a sandbox speaks. A sandbox that is passed itself says it.

    Returns
    -------
    Client
        Usable from many threads, and a context manager.

    Raises
    ------
    ConfigError
        Environment, host, key or option is wrong. Nothing was sent.

    Examples
    --------
    >>> import kalshi_research as kr
    >>> with kr.connect("prod") as client:
    ...     client
    <Client prod at external-api.kalshi.com, public data only: PRODUCTION · real money>
    """
    sealed = Sealed(private_key, passphrase)
    private_key = passphrase = None  # a traceback that prints variables must not print these
    if isinstance(key_id, str) and "PRIVATE KEY" in key_id:
        key_id = None
        raise ConfigError("key_id holds the text of a key; it was not used. Pass the short id there.")
    spoken = find_dialect(environment, dialect)
    budget = None if tier is None else find_tier(tier, spoken)
    seconds = check_deadline(deadline)
    if not isinstance(proxies, bool):
        raise ConfigError(f"proxies={quoted(proxies, 40)} must be True or False.")
    folder = _folder(cache)
    target = find_target(environment, host, spoken)
    if target.embedded is not None and key_id is None and not sealed:
        key_id, key = target.embedded.credentials(0)
        sealed = Sealed(key)
    signer = find_signer(target.environment.name, key_id, sealed)
    return Client(target, signer=signer, tier=budget, cache=folder, deadline=seconds, proxies=proxies)


def find_dialect(environment: str | Sandbox, dialect: str | None) -> str:
    """The dialect meant by the arguments of `connect`; nothing is started.

    Only a simulated exchange speaks that of 2025.

    Examples
    --------
    >>> find_dialect("http://127.0.0.1:8765", "2025")
    '2025'
    >>> find_dialect("prod", "2025")
    Traceback (most recent call last):
    ...
    kalshi_research.errors.ConfigError: dialect="2025" goes with a sandbox only; nothing was sent.
    The exchange itself speaks today's protocol: leave dialect= out.
    """
    if dialect is not None and dialect not in DIALECTS:
        raise ConfigError(
            f"dialect={quoted(dialect, 40)} is unknown; nothing was sent.\n"
            f'Choose "{DIALECTS[0]}" (today\'s protocol) or "{DIALECTS[1]}" (that of late 2025).'
        )
    if is_sandbox(environment):
        if dialect not in (None, environment.dialect):
            raise ConfigError(
                f"this sandbox speaks the dialect of {environment.dialect}, not of {dialect}; "
                "nothing was sent.\nLeave dialect= out: it is known."
            )
        return environment.dialect
    if dialect == DIALECTS[1] and isinstance(environment, str) and environment in ENVIRONMENTS:
        raise ConfigError(
            f'dialect="{dialect}" goes with a sandbox only; nothing was sent.\n'
            "The exchange itself speaks today's protocol: leave dialect= out."
        )
    return dialect or DIALECTS[0]


def _folder(cache: str | os.PathLike[str] | None) -> Path | None:
    if cache is None:
        return None
    if not isinstance(cache, (str, os.PathLike)) or not os.fspath(cache):
        raise ConfigError(f"cache={quoted(cache, 60)} is not the path of a folder.")
    folder = Path(os.path.expanduser(cache))  # noqa: PTH111 - an unknown ~user stays as it is
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"cache={printable(folder)} is a file; name a folder.")
    return folder
