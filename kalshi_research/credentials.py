"""A key id and a private key, turned into an opaque `Signer`.

Keys are read from a file or taken as a loaded key object, never as text: text typed in a
notebook cell stays in the notebook, its checkpoints and the shell history. The algorithm
(RSA-PSS or Ed25519) follows from the key itself, not from the banner of its file.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, TypeAlias

from kalshi_research.errors import ConfigError, SecurityWarning, printable, warn

if TYPE_CHECKING:
    from collections.abc import Callable

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

    PrivateKey: TypeAlias = RSAPrivateKey | Ed25519PrivateKey

__all__ = ["Sealed", "Signer", "find_signer"]

_KEY_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
# The text between the banners of an RSA or Ed25519 key; a path looks like this by no accident.
_KEY_BODY = re.compile(r"M[A-Za-z0-9+/]{55,}={0,2}", re.ASCII)
_MAX_FILE_BYTES = 65_536
_PASTED = (
    "private_key holds the text of a key; it was not used.\n"
    "Text in a cell stays in the notebook, its checkpoints and the history.\n"
    "Save the key to a file (chmod 600), pass the path, and delete the cell."
)
_NO_COPY = (
    "cannot be copied or pickled, because it holds a private key; call connect() where it is needed"
)


class Sealed:
    """A private key or its path, and a passphrase, on their way in.

    Tracebacks that print variables show this object, not what it holds.

    Examples
    --------
    >>> Sealed("/home/me/demo.pem", "secret")
    <sealed>
    """

    __slots__ = ("_passphrase", "_private_key")

    def __init__(
        self,
        private_key: str | os.PathLike[str] | PrivateKey | None,
        passphrase: str | bytes | None = None,
    ) -> None:
        self._private_key = private_key
        self._passphrase: object = passphrase  # checked when it is used

    def __repr__(self) -> str:
        return "<sealed>"

    def __bool__(self) -> bool:
        return self._private_key is not None

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError(f"a key {_NO_COPY}")

    def at(self, path: str) -> Sealed:
        """The same passphrase for another path."""
        other = Sealed(path)
        other._passphrase = self._passphrase
        return other

    def open(self, source: str) -> tuple[str, Callable[[bytes], bytes], str] | str:
        """How to sign with it, or what is wrong; never raises, being full of secrets."""
        given = self._private_key
        if isinstance(given, (bytes, bytearray)) or (
            isinstance(given, str)
            and ("-----BEGIN" in given or "\n" in given or _KEY_BODY.fullmatch(given.strip()))
        ):
            return _PASTED
        if not isinstance(given, (str, os.PathLike)):
            return _signing(given)
        if not isinstance(self._passphrase, (str, bytes, type(None))):
            return "passphrase must be text or bytes; nothing was sent."
        path = Path(os.path.expanduser(given))  # noqa: PTH111 - an unknown ~user stays as it is
        pem = _read(path, source)
        if isinstance(pem, str):
            return pem
        return _parse(pem, self._passphrase, printable(path))


class Signer:
    """Signs requests. The key cannot be read back out of it.

    Attributes
    ----------
    key_id : str
        The public name of the key.
    algorithm : str
        ``"RSA-PSS"`` or ``"Ed25519"``.
    fingerprint : str
        Hash of the public key, which tells one key from all others.
    """

    __slots__ = ("_sign", "algorithm", "fingerprint", "key_id")

    def __init__(
        self, key_id: str, algorithm: str, sign: Callable[[bytes], bytes], fingerprint: str
    ) -> None:
        self.key_id = key_id
        self.algorithm = algorithm
        self.fingerprint = fingerprint
        self._sign = sign

    def headers(self, method: str, path: str, timestamp_ms: int) -> dict[str, str]:
        """The three headers for one request.

        Parameters
        ----------
        method : str
            ``GET``, ``POST``, ...
        path : str
            Full path from ``/trade-api/``, without host and query.
        timestamp_ms : int
            Time of the request [ms since 1970, UTC].
        """
        text = f"{timestamp_ms}{method}{path}".encode()
        return {
            "KALSHI-ACCESS-KEY": self.key_id,
            "KALSHI-ACCESS-TIMESTAMP": str(timestamp_ms),
            "KALSHI-ACCESS-SIGNATURE": base64.b64encode(self._sign(text)).decode("ascii"),
        }

    def __repr__(self) -> str:
        return f"<Signer {self.algorithm}, key {self.key_id[:4]}…>"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError(f"a Signer {_NO_COPY}")


def find_signer(environment: str, key_id: str | None, sealed: Sealed) -> Signer | None:
    """The signer for an environment, from arguments, else from its own two variables.

    ``KALSHI_DEMO_KEY_ID`` and ``KALSHI_DEMO_PRIVATE_KEY_PATH`` serve demo only,
    ``KALSHI_PROD_*`` prod only, ``KALSHI_SANDBOX_*`` a sandbox named by its URL. Without
    any of them the answer is None: public data needs no key.
    """
    if key_id is not None or sealed:
        if key_id is None or not sealed:
            missing = "key_id" if key_id is None else "private_key"
            raise ConfigError(
                f"{missing} is missing: key_id and private_key go together; nothing was sent."
            )
        return _signer(key_id, sealed, "private_key")
    id_name, path_name = (
        f"KALSHI_{environment.upper()}_KEY_ID",
        f"KALSHI_{environment.upper()}_PRIVATE_KEY_PATH",
    )
    found_id, found_path = os.environ.get(id_name), os.environ.get(path_name)
    if not found_id and not found_path:
        return None
    if not found_id or not found_path:
        present, missing = (path_name, id_name) if found_path else (id_name, path_name)
        raise ConfigError(
            f"{present} is set but {missing} is not; nothing was sent.\n"
            f"Set both, or neither for public data only."
        )
    return _signer(found_id, sealed.at(found_path), path_name)


def _signer(key_id: str, sealed: Sealed, source: str) -> Signer:
    if not isinstance(key_id, str) or not _KEY_ID.fullmatch(key_id):
        raise ConfigError(
            "key_id is not a key id; nothing was sent.\n"
            "It is the short text (a UUID) shown beside the key under Account & security → API Keys."
        )
    outcome = sealed.open(source)
    if isinstance(outcome, str):
        raise ConfigError(outcome)
    algorithm, sign, fingerprint = outcome
    return Signer(key_id, algorithm, sign, fingerprint)


def _read(path: Path, source: str) -> bytes | str:
    said = printable(path)
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):
            return f"{source} names {said}, which is not a file; nothing was sent."
        with path.open("rb") as file:
            pem = file.read(_MAX_FILE_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        return f"the key file {said} ({source}) cannot be read: {reason}; nothing was sent."
    if len(pem) > _MAX_FILE_BYTES:
        return f"{said} ({source}) is far too long for a key file; nothing was sent."
    if sys.platform != "win32" and mode & 0o077:
        warn(
            f"the key file {said} can be read by other users of this machine "
            f"(mode {stat.S_IMODE(mode):04o}); run: chmod 600 {said}",
            SecurityWarning,
        )
    return pem.removeprefix(b"\xef\xbb\xbf")


def _parse(
    pem: bytes, passphrase: str | bytes | None, said: str
) -> tuple[str, Callable[[bytes], bytes], str] | str:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    if b"BEGIN OPENSSH PRIVATE KEY" in pem:
        return (
            f"{said} is an OpenSSH key; nothing was sent.\n"
            f"Convert a copy with: ssh-keygen -p -m PKCS8 -f {said}"
        )
    if b"PRIVATE KEY-----" not in pem:
        kind = "a public key or certificate" if b"-----BEGIN" in pem else "not a PEM private key"
        return f"{said} is {kind}; nothing was sent.\nPass the file saved when the key was created."
    word = passphrase.encode() if isinstance(passphrase, str) else passphrase
    try:
        key = load_pem_private_key(pem, password=word)
    except TypeError:
        if b"ENCRYPTED" in pem:
            return f"{said} is encrypted; nothing was sent.\nPass passphrase= as well."
        return f"{said} is not encrypted; nothing was sent.\nLeave passphrase= out."
    except (ValueError, UnsupportedAlgorithm):
        if b"ENCRYPTED" in pem:
            return f"{said} cannot be opened: wrong passphrase or damaged file; nothing was sent."
        return f"{said} is damaged: no key could be read from it; nothing was sent."
    return _signing(key)


def _signing(key: object) -> tuple[str, Callable[[bytes], bytes], str] | str:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

    if isinstance(key, Ed25519PrivateKey):
        return "Ed25519", key.sign, _fingerprint(key)
    if isinstance(key, RSAPrivateKey):
        if key.key_size < 2048:
            return f"an RSA key of {key.key_size} bits is too short; the exchange uses 2048."
        pss = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=padding.PSS.DIGEST_LENGTH)
        return "RSA-PSS", lambda text: key.sign(text, pss, hashes.SHA256()), _fingerprint(key)
    kind = type(key).__name__.removesuffix("PrivateKey").lstrip("_")
    return (
        f"private_key is of type {printable(kind, 40)}; nothing was sent.\n"
        "The exchange takes RSA and Ed25519 keys: pass the path of the PEM file or a loaded key."
    )


def _fingerprint(key: PrivateKey) -> str:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(public).hexdigest()
