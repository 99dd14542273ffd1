"""API keys: listed, generated, registered, deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey, generate_private_key
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_public_key,
)

from kalshi_research.sandbox.acting import act, user_of
from kalshi_research.sandbox.auth import PublicKey, RegisteredKey
from kalshi_research.sandbox.bodies import Body
from kalshi_research.sandbox.refusals import bad_combination, not_found, refused
from kalshi_research.sandbox.scopes import SCOPES, lock_of
from kalshi_research.sandbox.seeding import derived_uuid

if TYPE_CHECKING:
    from kalshi_research.sandbox.exchange import Exchange
    from kalshi_research.sandbox.queries import Query

__all__ = ["api_keys", "create_key", "delete_key", "generate_key"]

Json = dict[str, Any]

_MAY_REGISTER = ("premier", "paragon", "prime", "prestige")


def api_keys(exchange: Exchange, _: Query, path: dict[str, str]) -> Json:
    """GET /api_keys."""
    lock = lock_of(path)
    return {
        "api_keys": [
            {"api_key_id": key.key_id, "name": key.name, "scopes": list(key.scopes)}
            | ({} if key.subaccount is None else {"subaccount": key.subaccount})
            for key in exchange.keys.of_user(int(path["user"]))
            if lock in (None, key.subaccount)
        ]
    }


def _scopes(body: Body) -> tuple[str, ...]:
    asked = body.fields.get("scopes")
    if asked is None:
        return ("read", "write")
    if not isinstance(asked, list) or not asked or not all(scope in SCOPES for scope in asked):
        raise bad_combination("scopes are a list of known scopes")
    if "write" in asked and "read" not in asked:
        raise bad_combination("the scope write requires read")
    return tuple(asked)


def _register(exchange: Exchange, path: dict[str, str], body: Body, public: PublicKey) -> str:
    user, name, scopes = int(path["user"]), body.text("name", required=True), _scopes(body)
    subaccount = body.integer("subaccount")
    if subaccount is not None:
        act(exchange, lambda engine: engine.wallet(user_of(exchange, path), subaccount))
    exchange.keys_made += 1
    key_id = derived_uuid(exchange.world.seed, "made key", exchange.keys_made)
    exchange.keys.add(RegisteredKey(key_id, user, name, public, scopes, subaccount))
    return key_id


def _brokers_only(body: Body) -> None:
    if body.text("fcm_subtrader_id"):
        raise refused(403, "forbidden", details="fcm_subtrader_id is for FCM members")


def create_key(exchange: Exchange, _: Query, path: dict[str, str], fields: Json) -> Json:
    """POST /api_keys."""
    body = Body("CreateApiKeyRequest", fields)
    _brokers_only(body)
    if exchange.tier_of(int(path["user"])).name not in _MAY_REGISTER:
        raise refused(403, "forbidden", details="own keys are for the premier tier and above")
    body.text("name", required=True)
    try:
        public = load_pem_public_key(body.text("public_key", required=True).encode())
    except (ValueError, UnsupportedAlgorithm):
        raise bad_combination("public_key is no PEM of a public key") from None
    if not isinstance(public, RSAPublicKey | Ed25519PublicKey):
        raise bad_combination("public_key is neither RSA nor Ed25519")
    return {"api_key_id": _register(exchange, path, body, public)}


def generate_key(exchange: Exchange, _: Query, path: dict[str, str], fields: Json) -> Json:
    """POST /api_keys/generate: the private key is in this answer and nowhere else."""
    body = Body("GenerateApiKeyRequest", fields)
    _brokers_only(body)
    body.text("name", required=True)
    kind = body.text("key_type") or "rsa"
    if kind == "ed25519":
        young = Ed25519PrivateKey.generate()
        pem = young.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        public: PublicKey = young.public_key()
    elif kind == "rsa":
        old = generate_private_key(public_exponent=65537, key_size=2048)
        pem = old.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
        public = old.public_key()
    else:
        raise bad_combination("key_type is rsa or ed25519")
    key_id = _register(exchange, path, body, public)
    return {"api_key_id": key_id, "key_type": kind, "private_key": pem.decode()}


def delete_key(exchange: Exchange, _: Query, path: dict[str, str], __: Json) -> None:
    """DELETE /api_keys/{api_key}."""
    if not exchange.keys.remove(path["api_key"], int(path["user"])):
        raise not_found()
