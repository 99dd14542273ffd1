"""The private keys of a sandbox's users: made when first asked for, worthless elsewhere."""

from __future__ import annotations

import os
import tempfile
import threading
import weakref
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from kalshi_research.errors import ConfigError, quoted
from kalshi_research.sandbox.auth import RegisteredKey
from kalshi_research.sandbox.seeding import derived_uuid

if TYPE_CHECKING:
    from kalshi_research.sandbox.auth import KeyRing, PrivateKey

__all__ = ["UserKeys"]


class UserKeys:
    """A key of each type for each user.

    Parameters
    ----------
    ring : KeyRing
        Where they are registered.
    seed : int
        The ids of the keys come from it; the keys themselves never do.
    users : int
    types : tuple of str
        What a key may be; the first is made where nothing is asked for.
    """

    def __init__(self, ring: KeyRing, seed: int, users: int, types: tuple[str, ...]) -> None:
        self._ring = ring
        self._seed = seed
        self._users = users
        self._types = types
        self._made: dict[tuple[int, str], tuple[str, PrivateKey]] = {}
        self._files: list[weakref.finalize[[Path], UserKeys]] = []
        self._lock = threading.Lock()

    def pair(self, user: int, key_type: str | None) -> tuple[str, PrivateKey]:
        """Key id and private key of a user."""
        key_type = key_type or self._types[0]
        if not 0 <= user < self._users:
            raise ConfigError(
                f"this sandbox has {self._users} user(s); there is no user {user}.\n"
                "Start it with users= set higher."
            )
        if key_type not in self._types:
            raise ConfigError(
                f"there is no key type {quoted(key_type, 40)}; use {' or '.join(self._types)}."
            )
        with self._lock:
            found = self._made.get((user, key_type))
            if found is None:
                found = self._made[user, key_type] = self._make(user, key_type)
            return found

    def _make(self, user: int, key_type: str) -> tuple[str, PrivateKey]:
        private: PrivateKey = (
            Ed25519PrivateKey.generate()
            if key_type == "ed25519"
            else generate_private_key(public_exponent=65537, key_size=2048)
        )
        key_id = derived_uuid(self._seed, "key", user, key_type)
        self._ring.add(RegisteredKey(key_id, user, f"sandbox {key_type}", private.public_key()))
        return key_id, private

    def write(self, user: int, key_type: str | None) -> Path:
        """Write the private key of a user to a file only its owner can read."""
        key_type = key_type or self._types[0]
        _, private = self.pair(user, key_type)
        pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        path = Path(tempfile.mkdtemp(prefix="kalshi-sandbox-")) / f"user{user}-{key_type}.pem"
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(pem)
        with self._lock:
            self._files.append(weakref.finalize(self, _remove, path))
        return path

    def remove_files(self) -> None:
        """Remove what was written; without this call, that is done at the end of the process."""
        with self._lock:
            for remove in self._files:
                remove()
            self._files.clear()


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.parent.rmdir()
