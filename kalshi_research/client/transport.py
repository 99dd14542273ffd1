"""One HTTP exchange over `requests`: bytes out, bytes in, and every failure in our own words.

The adapter is used without a ``Session``: nothing here can follow a redirect, keep a
cookie, read ``.netrc`` or take a proxy from the environment unasked. Its pool of
connections is safe to share between threads.
"""

from __future__ import annotations

import functools
import http.client
import io
import os
import socket
import ssl
import time
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from kalshi_research.client.idle import IdleConnections
from kalshi_research.client.strict_json import BrokenBodyError
from kalshi_research.errors import (
    ConfigError,
    DeadlineError,
    DecodeError,
    KalshiError,
    NotSentError,
    TransportError,
    printable,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["MAX_BODY_BYTES", "Reply", "Transport"]

MAX_BODY_BYTES = 64 * 1024 * 1024
"""The longest answer taken, after inflating [bytes]; all series together are about 18 MB."""
_CHUNK = 64 * 1024
_POOL_SIZE = 64


@dataclass(frozen=True)
class Reply:
    """What came back: status, the few headers that are looked at, and the inflated body."""

    status: int
    body: bytes
    content_type: str = ""
    date: str = ""
    retry_after: str | None = None
    location: str = ""


class _DeadlineStream(io.RawIOBase):
    """Reads a socket under one deadline for all reads together.

    A socket's own timeout starts again with every read, so a server that sends a byte now
    and then would never meet it.
    """

    def __init__(self, raw: Any, sock: socket.socket, ends: float) -> None:
        self._raw = raw
        self._sock = sock
        self._ends = ends

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._ends - time.monotonic()
        if left <= 0:
            raise TimeoutError("the deadline has passed")
        self._sock.settimeout(left)
        count: int | None = self._raw.readinto(buffer)
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


class _DeadlineResponse(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, ends: float, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        plain = self.fp
        self.fp = io.BufferedReader(_DeadlineStream(plain.detach(), sock, ends))


class _DeadlineMixin:
    """Connecting, the head and the body of the answer share the time given to the request."""

    host: Any
    port: Any
    timeout: Any
    response_class: Any

    def _new_conn(self) -> socket.socket:
        # urllib3 gives every address of a host the full time; here they share it, so a dead
        # first address neither eats the time of the second nor multiplies the deadline.
        ends = time.monotonic() + self.timeout
        connection: Any = self
        try:
            addresses = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
        except socket.gaierror as error:
            raise urllib3.exceptions.NameResolutionError(self.host, connection, error) from error
        problem: OSError = OSError("no address")
        for tried, (family, kind, protocol, _, address) in enumerate(addresses):
            left = max(ends - time.monotonic(), 0.001) / (len(addresses) - tried)
            sock = socket.socket(family, kind, protocol)
            try:
                sock.settimeout(left)
                sock.connect(address)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            except OSError as error:
                sock.close()
                problem = error
            else:
                return sock
        if isinstance(problem, TimeoutError):
            raise urllib3.exceptions.ConnectTimeoutError(connection, "timed out") from problem
        raise urllib3.exceptions.NewConnectionError(connection, str(problem)) from problem

    def getresponse(self) -> Any:
        self.response_class = functools.partial(_DeadlineResponse, ends=time.monotonic() + self.timeout)
        return super().getresponse()  # type: ignore[misc]


class _PlainConnection(_DeadlineMixin, HTTPConnection):
    pass


class _TLSConnection(_DeadlineMixin, HTTPSConnection):
    pass


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _PlainConnection
    QueueCls = IdleConnections  # type: ignore[assignment]


class _TLSPool(HTTPSConnectionPool):
    ConnectionCls = _TLSConnection
    QueueCls = IdleConnections  # type: ignore[assignment]


_POOLS = {"http": _PlainPool, "https": _TLSPool}


def _tls_context() -> ssl.SSLContext:
    # create_default_context() would honour SSLKEYLOGFILE, which writes session keys to disk.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


class _Adapter(HTTPAdapter):
    def init_poolmanager(
        self, connections: int, maxsize: int, block: bool = False, **pool_kwargs: Any
    ) -> None:
        super().init_poolmanager(connections, maxsize, block, ssl_context=_tls_context(), **pool_kwargs)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, proxy: str, **proxy_kwargs: Any) -> Any:
        manager = super().proxy_manager_for(proxy, ssl_context=_tls_context(), **proxy_kwargs)
        if not proxy.lower().startswith("socks"):
            manager.pool_classes_by_scheme = _POOLS
        return manager


class Transport:
    """Sends requests to one host.

    Parameters
    ----------
    proxies : bool
        Honour the proxy and certificate variables of the environment. Loopback never
        goes through a proxy.
    """

    def __init__(self, root: str, *, proxies: bool = False) -> None:
        parts = urlsplit(root)
        self._origin = f"{parts.scheme}://{parts.netloc}"
        self._host = parts.netloc
        self._proxies: dict[str, str] = {}
        self._verify: bool | str = True
        if proxies:
            self._proxies = requests.utils.get_environ_proxies(root)
            self._verify = (
                os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or True
            )
        self._process = os.getpid()
        self._adapter = _new_adapter()

    @property
    def proxied(self) -> bool:
        """Whether a proxy of the environment is in use."""
        return bool(self._proxies)

    def close(self) -> None:
        """Close every idle connection."""
        self._adapter.close()

    def prepare(
        self, method: str, target: str, headers: dict[str, str], body: bytes | None
    ) -> requests.PreparedRequest:
        """A request whose target goes on the wire as it is; its text form shows no header."""
        request = requests.PreparedRequest()
        request.method = method
        request.url = f"{self._origin}{target}"
        request.headers = requests.structures.CaseInsensitiveDict(headers)
        request.body = body
        if body is not None:
            request.headers["Content-Length"] = str(len(body))
        elif method != "GET":
            request.headers["Content-Length"] = "0"
        return request

    def exchange(self, request: requests.PreparedRequest, seconds: float) -> Reply:
        """Send one request and read its answer within `seconds`.

        Raises
        ------
        NotSentError, DeadlineError, TransportError, BrokenBodyError, ConfigError
            Raised outside the handler of what was caught, so that no chain of exceptions
            leads to the signed headers.
        """
        try:
            return self._exchange(request, seconds)
        except KeyboardInterrupt:
            # Between taking a lock of the pool and giving it back, it would stay locked for good.
            self._adapter = _new_adapter()
            raise

    def _exchange(self, request: requests.PreparedRequest, seconds: float) -> Reply:
        if self._process != os.getpid():  # a forked child must not share sockets with its parent
            self._process, self._adapter = os.getpid(), _new_adapter()
        ends = time.monotonic() + seconds
        failure: KalshiError
        try:
            response = self._adapter.send(
                request,
                stream=True,
                timeout=urllib3.Timeout(total=seconds),  # type: ignore[arg-type]
                verify=self._verify,
                proxies=self._proxies,
            )
        except (
            requests.RequestException,
            urllib3.exceptions.HTTPError,
            http.client.HTTPException,
            OSError,
        ) as error:
            failure = self._failure(error, seconds)
        else:
            return self._read(response, ends, seconds)
        raise failure

    def _read(self, response: requests.Response, ends: float, seconds: float) -> Reply:
        headers = response.headers
        body = b""
        failure: KalshiError | None = None
        try:
            body = b"".join(_inflated(response.raw, headers.get("Content-Encoding", "")))
        except urllib3.exceptions.ReadTimeoutError:
            failure = self._late(seconds)
        except (urllib3.exceptions.HTTPError, http.client.HTTPException, OSError) as error:
            late = time.monotonic() >= ends
            failure = (
                self._late(seconds)
                if late
                else BrokenBodyError(
                    f"the answer of {self._host} broke off ({_root_name(error)}); nothing was used."
                )
            )
        except DecodeError as error:
            failure = error.with_traceback(None)
        finally:
            response.close()
        if failure is not None and response.status_code < 300:
            raise failure
        # A refusal counts even when its explanation is lost.
        return Reply(
            status=response.status_code,
            body=body,
            content_type=headers.get("Content-Type", "").lower(),
            date=headers.get("Date", ""),
            retry_after=headers.get("Retry-After"),
            location=headers.get("Location", ""),
        )

    def _late(self, seconds: float) -> DeadlineError:
        return DeadlineError(
            f"no complete answer from {self._host} within {seconds:.1f} s.\n"
            "Repeat a read, perhaps with a longer deadline=; the outcome of a write is not known."
        )

    def _failure(self, error: BaseException, seconds: float) -> KalshiError:
        causes = list(_causes(error))
        for cause in causes:
            if isinstance(cause, ssl.SSLCertVerificationError):
                return ConfigError(
                    f"the certificate of {self._host} was refused ({printable(cause.verify_message)}); "
                    "nothing was sent.\nSomebody may be between you and the exchange. "
                    "If that is your company's proxy, connect with proxies=True."
                )
        for cause in causes:
            if isinstance(cause, urllib3.exceptions.NameResolutionError):
                return NotSentError(
                    f"the name {self._host} cannot be resolved; nothing was sent.\nAre you online?"
                )
            if isinstance(cause, (urllib3.exceptions.NewConnectionError, urllib3.exceptions.ProxyError)):
                return NotSentError(
                    f"no connection to {self._host}: {_root_name(causes[-1])}; nothing was sent."
                )
            # Checked after its own subclasses above.
            if isinstance(cause, urllib3.exceptions.ConnectTimeoutError):
                return NotSentError(
                    f"no connection to {self._host} within {seconds:.1f} s; nothing was sent."
                )
            if isinstance(cause, urllib3.exceptions.ReadTimeoutError):
                return self._late(seconds)
        return TransportError(
            f"the connection to {self._host} failed ({_root_name(causes[-1])}) before an answer came.\n"
            "A read can simply be repeated; the outcome of a write is not known."
        )


def _new_adapter() -> _Adapter:
    return _Adapter(pool_connections=4, pool_maxsize=_POOL_SIZE)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An exception and all that is inside it, outermost first."""
    seen: set[int] = set()
    queue: list[object] = [error]
    while queue:
        item = queue.pop(0)
        if isinstance(item, BaseException) and id(item) not in seen:
            seen.add(id(item))
            yield item
            queue += [getattr(item, "reason", None), *item.args, item.__cause__, item.__context__]


def _root_name(error: BaseException) -> str:
    *_, innermost = _causes(error)
    reason = getattr(innermost, "strerror", None)
    return printable(reason or type(innermost).__name__, 80)


def _inflated(raw: Any, encoding: str) -> Iterator[bytes]:
    """The body, inflated here, so that it can be refused before it fills the memory."""
    coding = encoding.strip().lower()
    if coding in ("", "identity"):
        pieces: Iterator[bytes] = raw.stream(_CHUNK, decode_content=False)
    elif coding in ("gzip", "x-gzip"):
        pieces = _gunzipped(raw.stream(_CHUNK, decode_content=False))
    else:
        raise DecodeError(f"the answer is packed as {printable(coding, 30)}, which was not asked for.")
    total = 0
    for piece in pieces:
        total += len(piece)
        if total > MAX_BODY_BYTES:
            raise DecodeError(
                f"the answer is longer than {MAX_BODY_BYTES // 2**20} MB; nothing of it was used."
            )
        yield piece


def _gunzipped(pieces: Iterator[bytes]) -> Iterator[bytes]:
    inflater = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    started = False
    try:
        for piece in pieces:
            data = piece
            while data:
                if inflater.eof:  # gzip files may follow one another
                    inflater, started = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS), False
                started = True
                yield inflater.decompress(data, _CHUNK)
                data = inflater.unused_data if inflater.eof else inflater.unconsumed_tail
    except zlib.error:
        broken = True
    else:
        broken = started and not inflater.eof
    if broken:
        raise BrokenBodyError("the answer is packed wrongly or broke off; nothing was used.")
