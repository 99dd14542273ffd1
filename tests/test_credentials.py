"""Keys: how they are read, what they sign, and that they never show."""

from __future__ import annotations

import base64
import copy
import pickle
import traceback
import warnings

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kalshi_research.client import connect
from kalshi_research.credentials import Sealed, find_signer
from kalshi_research.errors import ConfigError, SecurityWarning

KEY_ID = "a952bcbe-ec3b-4b5b-b8f9-11dae589608c"
# The first test key of RFC 8032 and what it signs.
RFC_SEED = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"
ED25519_VECTORS = {
    "/trade-api/v2/portfolio/balance": (
        "caolQIFa1fF7caKRpD82JbF1w9tsbGMzaRudHdnCIwVEkhfFIlzIy4HeCQTeFteU9o8UTOmEvwbutRb9MEJbAA=="
    ),
    "/trade-api/ws/v2": (
        "UxSfhWWEyZ1QqfOB6kwZsQObor0jGMZVIh+hDqydvkYD4gYeWXPuOB2+jmtHhWtK00AKZNNunN+JcxddbXtNDA=="
    ),
}


@pytest.fixture(scope="module")
def rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture(scope="module")
def ed_key() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(bytes.fromhex(RFC_SEED))


def write_key(folder, key, form="PKCS8", password=None, mode=0o600):
    encryption = (
        serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    )
    pem = key.private_bytes(
        serialization.Encoding.PEM, getattr(serialization.PrivateFormat, form), encryption
    )
    path = folder / "key.pem"
    path.write_bytes(pem)
    path.chmod(mode)
    return path


def verified(public_key: rsa.RSAPublicKey, headers: dict[str, str], method: str, path: str) -> None:
    """Raises when the signature is not RSA-PSS over the documented text."""
    text = headers["KALSHI-ACCESS-TIMESTAMP"] + method + path
    public_key.verify(
        base64.b64decode(headers["KALSHI-ACCESS-SIGNATURE"], validate=True),
        text.encode(),
        padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=32),
        hashes.SHA256(),
    )


@pytest.mark.parametrize("path", ED25519_VECTORS)
def test_ed25519_signs_the_known_text_as_known(ed_key, path) -> None:
    signer = find_signer("demo", KEY_ID, Sealed(ed_key))
    assert signer.algorithm == "Ed25519"
    assert signer.headers("GET", path, 1703123456789) == {
        "KALSHI-ACCESS-KEY": KEY_ID,
        "KALSHI-ACCESS-TIMESTAMP": "1703123456789",
        "KALSHI-ACCESS-SIGNATURE": ED25519_VECTORS[path],
    }


@pytest.mark.parametrize("form", ["TraditionalOpenSSL", "PKCS8"])
@pytest.mark.parametrize("password", [None, b"correct horse"])
def test_rsa_of_either_form_signs_what_its_public_key_accepts(tmp_path, rsa_key, form, password) -> None:
    path = write_key(tmp_path, rsa_key, form, password)
    signer = find_signer("demo", KEY_ID, Sealed(path, password))
    assert signer.algorithm == "RSA-PSS"
    headers = signer.headers("POST", "/trade-api/v2/portfolio/events/orders", 1703123456789)
    verified(rsa_key.public_key(), headers, "POST", "/trade-api/v2/portfolio/events/orders")
    assert len(headers["KALSHI-ACCESS-SIGNATURE"]) == 344
    with pytest.raises(InvalidSignature):
        verified(rsa_key.public_key(), headers, "GET", "/trade-api/v2/portfolio/events/orders")


def test_two_rsa_signatures_of_one_text_differ_and_both_hold(rsa_key) -> None:
    signer = find_signer("demo", KEY_ID, Sealed(rsa_key))
    both = [signer.headers("GET", "/trade-api/v2/markets", 1) for _ in range(2)]
    assert both[0] != both[1]
    for headers in both:
        verified(rsa_key.public_key(), headers, "GET", "/trade-api/v2/markets")


def test_ed25519_comes_from_the_same_banner_as_rsa(tmp_path, ed_key) -> None:
    path = write_key(tmp_path, ed_key)
    assert path.read_text().startswith("-----BEGIN PRIVATE KEY-----")
    assert find_signer("prod", KEY_ID, Sealed(str(path))).algorithm == "Ed25519"


def test_a_key_file_saved_by_a_text_editor_is_still_read(tmp_path, ed_key) -> None:
    path = write_key(tmp_path, ed_key)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n") + b"\r\n")
    assert find_signer("prod", KEY_ID, Sealed(path)).algorithm == "Ed25519"


def test_keys_come_from_the_variables_of_their_own_environment(tmp_path, ed_key, monkeypatch) -> None:
    monkeypatch.setenv("KALSHI_DEMO_KEY_ID", KEY_ID)
    monkeypatch.setenv("KALSHI_DEMO_PRIVATE_KEY_PATH", str(write_key(tmp_path, ed_key)))
    assert find_signer("demo", None, Sealed(None)).key_id == KEY_ID
    assert find_signer("prod", None, Sealed(None)) is None
    assert find_signer("sandbox", None, Sealed(None)) is None


@pytest.mark.parametrize("present", ["KALSHI_PROD_KEY_ID", "KALSHI_PROD_PRIVATE_KEY_PATH"])
def test_half_a_pair_of_variables_is_an_error(monkeypatch, present) -> None:
    monkeypatch.setenv(present, "something")
    with pytest.raises(ConfigError, match=present):
        find_signer("prod", None, Sealed(None))


def test_half_a_pair_of_arguments_is_an_error(ed_key) -> None:
    with pytest.raises(ConfigError, match="private_key is missing"):
        connect("demo", key_id=KEY_ID)
    with pytest.raises(ConfigError, match="key_id is missing"):
        connect("demo", private_key=ed_key)


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604])
def test_a_key_file_others_can_read_warns(tmp_path, ed_key, mode) -> None:
    path = write_key(tmp_path, ed_key, mode=mode)
    with pytest.warns(SecurityWarning, match="chmod 600") as caught:
        connect("demo", key_id=KEY_ID, private_key=path)
    assert caught[0].filename == __file__


def test_a_private_key_file_does_not_warn(tmp_path, ed_key) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        connect("demo", key_id=KEY_ID, private_key=write_key(tmp_path, ed_key))


def _public(folder, key):
    path = folder / "public.pem"
    path.write_bytes(
        key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )
    path.chmod(0o600)
    return path


def _file(folder, content):
    path = folder / "file.pem"
    path.write_bytes(content)
    path.chmod(0o600)
    return path


def _damaged(folder, key):
    path = write_key(folder, key)
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], lines[1][:10], lines[-1]]))
    return path


@pytest.mark.parametrize(
    ("make", "passphrase", "said"),
    [
        (lambda folder, key: folder / "missing.pem", None, "cannot be read"),
        (lambda folder, key: folder, None, "not a file"),
        (lambda folder, key: "/dev/zero", None, "not a file"),
        (lambda folder, key: "bad\0name", None, "cannot be read"),
        (lambda folder, key: _file(folder, b""), None, "not a PEM private key"),
        (lambda folder, key: _file(folder, b"hello\n"), None, "not a PEM private key"),
        (lambda folder, key: _file(folder, b"x" * 70_000), None, "too long"),
        (_public, None, "public key"),
        (_damaged, None, "damaged"),
        (lambda folder, key: write_key(folder, key, password=b"right"), None, "passphrase="),
        (lambda folder, key: write_key(folder, key, password=b"right"), "wrong", "passphrase"),
        (lambda folder, key: write_key(folder, key, password=b"right"), "", "is encrypted"),
        (write_key, "needless", "not encrypted"),
        (lambda folder, key: ec.generate_private_key(ec.SECP256R1()), None, "RSA and Ed25519"),
        (lambda folder, key: rsa.generate_private_key(65537, 1024), None, "too short"),  # noqa: S505
        (lambda folder, key: key.public_key(), None, "RSA and Ed25519"),
        (lambda folder, key: "~nobody-here/key.pem", None, "cannot be read"),
        (write_key, 7, "text or bytes"),
        (lambda folder, key: 42, None, "RSA and Ed25519"),
    ],
)
def test_what_is_no_usable_key_is_refused_with_a_reason(
    tmp_path, ed_key, make, passphrase, said
) -> None:
    with pytest.raises(ConfigError, match=said):
        connect("demo", key_id=KEY_ID, private_key=make(tmp_path, ed_key), passphrase=passphrase)


@pytest.mark.parametrize("key_id", ["", "has space", "line\nbreak", "x" * 200, "é", 7])
def test_a_key_id_that_could_break_a_header_is_refused(ed_key, key_id) -> None:
    with pytest.raises(ConfigError, match="not a key id"):
        connect("demo", key_id=key_id, private_key=ed_key)


def _pem_text(key) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


@pytest.mark.parametrize("as_bytes", [False, True])
def test_the_text_of_a_key_is_refused_and_shown_nowhere(ed_key, as_bytes) -> None:
    pem = _pem_text(ed_key)
    secret = pem.splitlines()[1]
    with pytest.raises(ConfigError, match="holds the text of a key") as caught:
        connect("demo", key_id=KEY_ID, private_key=pem.encode() if as_bytes else pem)
    ours = [
        frame
        for frame in traceback.TracebackException.from_exception(caught.value, capture_locals=True).stack
        if "kalshi_research" in frame.filename
    ]
    assert ours
    assert all(secret not in str(frame.locals) for frame in ours)


def test_a_key_without_its_banners_is_no_path_and_is_not_shown(ed_key, rsa_key) -> None:
    for key in (ed_key, rsa_key):
        body = "".join(_pem_text(key).splitlines()[1:-1])
        with pytest.raises(ConfigError, match="holds the text of a key") as caught:
            connect("demo", key_id=KEY_ID, private_key=body)
        assert body[:20] not in str(caught.value)


def test_a_key_in_the_place_of_its_id_is_not_shown_either(ed_key) -> None:
    pem = _pem_text(ed_key)
    with pytest.raises(ConfigError, match="key_id holds the text of a key") as caught:
        connect("demo", key_id=pem, private_key="some.pem")
    report = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    ours = [frame for frame in report.stack if "kalshi_research" in frame.filename]
    assert all(pem.splitlines()[1] not in str(frame.locals) for frame in ours)


def test_a_wrong_passphrase_is_shown_nowhere(tmp_path, ed_key) -> None:
    path = write_key(tmp_path, ed_key, password=b"right")
    with pytest.raises(ConfigError) as caught:
        connect("demo", key_id=KEY_ID, private_key=path, passphrase="canary-passphrase")
    report = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    ours = [frame for frame in report.stack if "kalshi_research" in frame.filename]
    assert all("canary" not in str(frame.locals) for frame in ours)
    assert "canary" not in str(caught.value)
    assert caught.value.__context__ is None


def test_signer_and_client_show_no_secret_and_cannot_be_copied(ed_key) -> None:
    client = connect("demo", key_id=KEY_ID, private_key=ed_key)
    signer = find_signer("demo", KEY_ID, Sealed(ed_key))
    assert not hasattr(signer, "__dict__")
    for text in (
        repr(signer),
        repr(client),
        client._repr_html_(),
        repr(vars(client)),
        repr(Sealed(ed_key)),
    ):
        assert RFC_SEED not in text
        assert KEY_ID not in text
    for secret in (signer, client, Sealed(ed_key)):
        for attempt in (pickle.dumps, copy.copy, copy.deepcopy):
            with pytest.raises(TypeError, match="cannot be copied or pickled"):
                attempt(secret)
