"""Answers that say no: the exchange's four error shapes as one tree, with what to do next."""

from __future__ import annotations

from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from kalshi_research.client.strict_json import MAINTENANCE, parse_object
from kalshi_research.errors import (
    ApiError,
    AuthError,
    BadRequestError,
    ConflictError,
    DecodeError,
    GoneError,
    NotFoundError,
    RateLimitError,
    ServerError,
    printable,
)

if TYPE_CHECKING:
    from datetime import datetime

    from kalshi_research.client.transport import Reply

__all__ = ["Asked", "refusal"]

_CLASSES: dict[int, type[ApiError]] = {
    400: BadRequestError,
    401: AuthError,
    403: AuthError,
    404: NotFoundError,
    409: ConflictError,
    410: GoneError,
    429: RateLimitError,
}
_OTHER = {"prod": "demo", "demo": "prod"}


@dataclass(frozen=True)
class Asked:
    """The request an answer belongs to, as far as an error may know it."""

    method: str
    path: str
    environment: str
    signed: bool
    received: datetime


def refusal(reply: Reply, asked: Asked) -> ApiError:
    """The error for any answer outside 2xx."""
    if 300 <= reply.status < 400:
        return _redirect(reply, asked)
    code, message, details = _said(reply)
    kind = _CLASSES.get(reply.status, ServerError if reply.status >= 500 else ApiError)
    return kind(
        reply.status,
        code=code,
        message=message,
        details=details,
        method=asked.method,
        path=asked.path,
        hint=_hint(reply, asked, code, details),
    )


def _redirect(reply: Reply, asked: Asked) -> ApiError:
    try:
        host = urlsplit(reply.location).hostname or "the same host"
    except ValueError:
        host = "an unreadable address"
    return ApiError(
        reply.status,
        code="redirect_refused",
        message=f"the server points to {printable(host, 80)}, which was not followed",
        method=asked.method,
        path=asked.path,
        hint="A signed request goes to the chosen host only. Check host=, and whether a proxy or a "
        "login page is in between.",
    )


def _said(reply: Reply) -> tuple[str, str, str]:
    """Code, message and details of a body in any of the shapes seen on the wire."""
    try:
        body = parse_object(reply.body)
    except DecodeError:
        kind = "an HTML page" if reply.body.lstrip().startswith(b"<") else "no JSON"
        return "", f"({kind})" if reply.body.strip() else "", ""
    error = body.get("error")
    if isinstance(error, str):
        return "", error, ""
    inner: dict[str, Any] = error if isinstance(error, dict) else body
    message = _text(inner.get("message")) or _text(inner.get("msg"))
    details = _text(inner.get("details"))
    resume = _text(body.get("exchange_estimated_resume_time"))
    if resume and not details:
        details = f"estimated resume time {resume}"
    return _text(inner.get("code")), message, details


def _text(value: object) -> str:
    if value is None:
        return ""
    return printable(value)


def _hint(reply: Reply, asked: Asked, code: str, details: str) -> str:
    if reply.status == 401:
        return _unauthorised(reply, asked, code, details)
    if reply.status == 403:
        return (
            "The key may not do this: check its scopes, its subaccount lock and your tier "
            "under Account & security → API Keys."
        )
    if reply.status == 404:
        return f"{asked.environment} has nothing of this name; each environment lists its own markets."
    if reply.status == 409 and "paused" in code:
        return f"Trading is paused; nothing changed. {MAINTENANCE}."
    if reply.status == 410:
        return (
            "The exchange has removed this route; a newer version of this package knows its successor."
        )
    if reply.status == 429:
        return "The token bucket of this account is empty; client.usage() shows it. Ask less often."
    if reply.status >= 500:
        if asked.method == "GET":
            return f"Repeat the call later. {MAINTENANCE}."
        return f"Whether the exchange acted on it is not known: look before you repeat. {MAINTENANCE}."
    return ""


def _unauthorised(reply: Reply, asked: Asked, code: str, details: str) -> str:
    here = asked.environment
    if "header_timestamp_expired" in (code, details):
        return _clock(reply, asked)
    if details == "NOT_FOUND":
        other = _OTHER.get(here, "another exchange")
        return (
            f"{here} does not know this key id. Does the key belong to {other}? "
            "Keys of one environment are unknown in the other."
        )
    if details == "INCORRECT_API_KEY_SIGNATURE":
        return (
            "The key id is known but the signature is not its own: key id and private key are of "
            "different pairs. Check both, or create a new key."
        )
    if details == "INVALID_PARAMETER":
        return "The key id is malformed: copy it again from Account & security → API Keys (a UUID)."
    if code == "signature_is_missing_from_headers":
        return "The signature got lost on the way; some proxies strip headers. Connect without a proxy."
    if not asked.signed:
        return (
            f'This needs a key: connect("{here}", key_id=..., private_key="path/to/key.pem") or set '
            f"KALSHI_{here.upper()}_KEY_ID and KALSHI_{here.upper()}_PRIVATE_KEY_PATH."
        )
    return "The key was refused: it may be revoked or expired. Look under Account & security → API Keys."


def _clock(reply: Reply, asked: Asked) -> str:
    try:
        theirs = parsedate_to_datetime(reply.date)
        off = (asked.received - theirs).total_seconds()
    except (TypeError, ValueError):
        return "Your clock and the exchange's differ by too much. Set the time of this machine (NTP)."
    if abs(off) < 2:
        return "Your clock is right, so the request was on its way for too long. Repeat it."
    way = "ahead of" if off > 0 else "behind"
    return (
        f"Your clock is {abs(off):,.0f} s {way} the exchange's. "
        "Set the time of this machine (NTP), then repeat."
    )
