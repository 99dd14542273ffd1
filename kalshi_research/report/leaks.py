"""What must never be passed on: private keys."""

from __future__ import annotations

import html
import re

from kalshi_research.errors import ReportError, printable

__all__ = ["refuse_secrets"]

_TAG = re.compile(r"<[^>]*>")
_IMAGE = re.compile(r"data:image/[a-z+]+;base64,[A-Za-z0-9+/=]+")
_KEYS = re.compile(
    r"-----BEGIN[ A-Z0-9]*PRIVATE KEY"
    # The same keys without their armour: base64 of PKCS#8 RSA, PKCS#8 Ed25519 and PKCS#1.
    r"|ADANBgkqhkiG9w0BAQEFAAS"
    r"|MC4CAQAwBQYDK2VwBCIEI"
    r"|MII[A-Za-z0-9+/]{3,8}IBAAKCAQ"
)


def refuse_secrets(page: str, name: str) -> None:
    """Raise `ReportError` when the page shows a private key.

    Examples
    --------
    >>> refuse_secrets("<p>fine</p>", "a.ipynb")
    """
    without_images = _IMAGE.sub("", page)
    plain = html.unescape(_TAG.sub("", without_images)).replace("\u200b", "")
    if _KEYS.search(without_images) or _KEYS.search(plain) or _KEYS.search(re.sub(r"\s+", " ", plain)):
        raise ReportError(
            f"{printable(name, 80)} shows a private key, in an output, a text cell or a parameter.\n"
            "No report was written. Take it out, and replace the key if anybody else saw the notebook."
        )
