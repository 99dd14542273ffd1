"""`connect`: from a name and perhaps a key to a `Client`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from kalshi_research.client.rate_limits import find_tier
from kalshi_research.client.session import Client, check_deadline
from kalshi_research.credentials import Sealed, find_signer
from kalshi_research.environments import find_target
from kalshi_research.errors import ConfigError, printable

if TYPE_CHECKING:
    from kalshi_research.credentials import PrivateKey

__all__ = ["connect"]


def connect(
    environment: str = "sandbox",
    *,
    key_id: str | None = None,
    private_key: str | os.PathLike[str] | PrivateKey | None = None,
    passphrase: str | bytes | None = None,
    host: str | None = None,
    tier: str | None = None,
    cache: str | os.PathLike[str] | None = None,
    deadline: float = 30.0,
    proxies: bool = False,
) -> Client:
    """Connect to an exchange.

    Nothing is sent yet, and public market data of ``"prod"`` and ``"demo"`` needs no key.

    Parameters
    ----------
    environment : str
        ``"sandbox"`` (the simulated exchange of this process, started when needed),
        ``"demo"``, ``"prod"``, or the loopback URL of a running sandbox.
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
    budget = None if tier is None else find_tier(tier)
    seconds = check_deadline(deadline)
    if not isinstance(proxies, bool):
        raise ConfigError(f"proxies={printable(repr(proxies), 40)} must be True or False.")
    folder = _folder(cache)
    target = find_target(environment, host)
    if target.embedded is not None and key_id is None and not sealed:
        key_id, key = target.embedded.credentials(0)
        sealed = Sealed(key)
    signer = find_signer(target.environment.name, key_id, sealed)
    return Client(target, signer=signer, tier=budget, cache=folder, deadline=seconds, proxies=proxies)


def _folder(cache: str | os.PathLike[str] | None) -> Path | None:
    if cache is None:
        return None
    if not isinstance(cache, (str, os.PathLike)) or not os.fspath(cache):
        raise ConfigError(f"cache={printable(repr(cache), 60)} is not the path of a folder.")
    folder = Path(os.path.expanduser(cache))  # noqa: PTH111 - an unknown ~user stays as it is
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"cache={printable(folder)} is a file; name a folder.")
    return folder
