"""Ports before a sandbox at which a client does not even get to ask.

`secured` puts TLS before it, with a certificate that is good, expired or another's; `refusing`,
`full` and `flapping` are ports that do not take a connection, or not every one.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec


def certificate(folder: Path, name: str = "localhost", days: int = 10) -> Path:
    """A self-signed certificate for a name, valid until some days from now, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject, now = x509.Name([]), datetime.now(UTC)
    made = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=20))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=True)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / f"{name}{days}.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM) + private)
    return path


class Front:
    """A port that hands what it takes on to another, and keeps what was asked."""

    def __init__(self, target: int, treat: Callable[[socket.socket, int], socket.socket | None]) -> None:
        self.received: list[bytes] = []
        self.taken = 0
        self._target, self._treat = target, treat
        self._open: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.taken += 1
            self._start(self._serve, client, self.taken)

    def _start(self, work: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _serve(self, client: socket.socket, number: int) -> None:
        self._open.append(client)
        try:
            treated = self._treat(client, number)
        except OSError:
            treated = None
        if treated is None:
            client.close()
            return
        server = socket.create_connection(("127.0.0.1", self._target))
        self._open += [treated, server]
        self._start(self._pump, server, treated, None)
        self._pump(treated, server, self.received)

    def _readdressed(self, piece: bytes) -> bytes:
        """The exchange behind takes only what names it as the host."""
        for name in (b"localhost", b"127.0.0.1"):
            piece = piece.replace(b"%s:%d" % (name, self.port), b"%s:%d" % (name, self._target))
        return piece

    def _pump(self, source: socket.socket, sink: socket.socket, keep: list[bytes] | None) -> None:
        # Either end may be gone at any time: then the other has nothing to wait for.
        with contextlib.suppress(OSError):
            while piece := source.recv(65536):
                sent = piece
                if keep is not None:
                    keep.append(piece)
                    sent = self._readdressed(piece)
                sink.sendall(sent)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        for each in (self._listener, *self._open):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        for thread in self._threads:
            thread.join(5)


@contextmanager
def secured(target: int, pem: Path) -> Iterator[Front]:
    """TLS with a certificate, before a port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    front = Front(target, lambda client, _: context.wrap_socket(client, server_side=True))
    try:
        yield front
    finally:
        front.close()


@contextmanager
def flapping(target: int, every: int = 2) -> Iterator[Front]:
    """A port that ends each connection at once but every so-many-th."""
    front = Front(target, lambda client, number: None if number % every else client)
    try:
        yield front
    finally:
        front.close()


@contextmanager
def refusing() -> Iterator[int]:
    """A port that nobody listens on, and that nobody else can take meanwhile."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


@contextmanager
def full() -> Iterator[int]:
    """A port whose queue of connections is full: it answers nothing at all."""
    with contextlib.ExitStack() as stack:
        dead = stack.enter_context(socket.socket())
        dead.bind(("127.0.0.1", 0))
        dead.listen(0)
        for _ in range(4):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(dead.getsockname())
        yield dead.getsockname()[1]
