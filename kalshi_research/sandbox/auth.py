"""Who is calling: signatures as the exchange checks them."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

from kalshi_research.sandbox.refusals import Refusal, unauthorized

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["HEADERS", "SKEW_MS", "KeyRing", "PrivateKey", "PublicKey", "RegisteredKey", "not_signed"]

PrivateKey = Ed25519PrivateKey | RSAPrivateKey
PublicKey = Ed25519PublicKey | RSAPublicKey

HEADERS = ("kalshi-access-key", "kalshi-access-signature", "kalshi-access-timestamp")
SKEW_MS = 15_000
"""How far the timestamp of a request may be from the time here [ms]."""

_SHA256 = hashes.SHA256()
_PADDING = PSS(mgf=MGF1(_SHA256), salt_length=PSS.DIGEST_LENGTH)
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)
_MILLISECONDS = re.compile(r"[0-9]{1,15}", re.ASCII)


@dataclass(frozen=True, slots=True)
class RegisteredKey:
    """A public key, whose it is and what it may do; with a subaccount it is locked to that one."""

    key_id: str
    user: int
    name: str
    public_key: PublicKey
    scopes: tuple[str, ...] = ("read", "write")
    subaccount: int | None = None

    @property
    def path_values(self) -> dict[str, str]:
        """Who calls, beside the names in the path."""
        lock = {} if self.subaccount is None else {"lock": str(self.subaccount)}
        return {"user": str(self.user)} | lock


class KeyRing:
    """All keys that may call."""

    def __init__(self) -> None:
        self._keys: dict[str, RegisteredKey] = {}

    def add(self, key: RegisteredKey) -> None:
        """Register a key."""
        self._keys[key.key_id] = key

    def remove(self, key_id: str, user: int) -> bool:
        """Forget a key of a user; answers whether there was one."""
        found = self._keys.get(key_id)
        if found is None or found.user != user:
            return False
        del self._keys[key_id]
        return True

    def of_user(self, user: int) -> list[RegisteredKey]:
        """The keys of one user, oldest first."""
        return [key for key in self._keys.values() if key.user == user]

    def check(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        now_ms: int,
        skew_ms: int = SKEW_MS,
    ) -> RegisteredKey | None:
        """The key that signed a request, or None where the request is not signed at all.

        Parameters
        ----------
        method, path : str
            As on the wire, the path without its query.
        headers : mapping
            By lower-case name.
        now_ms : int
            The time here [ms]; always the wall clock, also when the world stands still.
        skew_ms : int
            How far the timestamp may be from it [ms].

        Raises
        ------
        Refusal
            401, with the code that says what is wrong.
        """
        key_id, signature, timestamp = (headers.get(name) for name in HEADERS)
        if key_id is None and signature is None and timestamp is None:
            return None
        if not key_id:
            raise unauthorized("token_authentication_failure")
        if not signature:
            raise unauthorized("signature_is_missing_from_headers")
        if not timestamp or not _MILLISECONDS.fullmatch(timestamp):
            raise unauthorized("timestamp_is_missing_from_headers")
        if not _UUID.fullmatch(key_id):
            raise unauthorized("authentication_error", "INVALID_PARAMETER")
        key = self._keys.get(key_id.lower())
        if key is None:
            raise unauthorized("authentication_error", "NOT_FOUND")
        if abs(now_ms - int(timestamp)) > skew_ms:
            raise unauthorized("header_timestamp_expired")
        if not _signed(key.public_key, signature, f"{timestamp}{method}{path}"):
            raise unauthorized("authentication_error", "INCORRECT_API_KEY_SIGNATURE")
        return key


def _signed(public_key: PublicKey, signature: str, text: str) -> bool:
    try:
        raw = base64.b64decode(signature, validate=True)
        if isinstance(public_key, Ed25519PublicKey):
            public_key.verify(raw, text.encode())
        else:
            public_key.verify(raw, text.encode(), _PADDING, _SHA256)
    except (binascii.Error, InvalidSignature, ValueError):
        return False
    return True


def not_signed() -> Refusal:
    """401 for a call that needs a signature and has none."""
    return unauthorized("token_authentication_failure")
