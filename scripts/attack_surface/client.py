"""HTTP/1.1 over mutual TLS, byte for byte as the case wants it: no library between that mends a naughty header."""

import json
import os
import socket
import ssl
import threading
from dataclasses import dataclass

PATIENCE = 20.0


class NoAnswer(Exception):
    """The gateway closed, or said nothing, where an answer was due."""


@dataclass
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> dict:
        return json.loads(self.body)

    def problem(self) -> dict | None:
        """The problem body of a refusal; None where there is none as RFC 9457 has it."""
        if self.headers.get("content-type") != "application/problem+json":
            return None
        try:
            problem = self.json()
        except ValueError:
            return None
        whole = isinstance(problem, dict) and problem.get("status") == self.status
        return problem if whole and problem.get("code") and problem.get("request_id") else None


class Client:
    """One terminal. A connection for each thread; a connection that was closed while idle is opened again."""

    def __init__(self, port: int, ca: str, certificate: tuple[str, str], officer: str | None) -> None:
        self.port, self.officer = port, officer
        self.context = ssl.create_default_context(cadata=ca)
        self.context.load_cert_chain(*certificate)
        self.context.set_alpn_protocols(["http/1.1"])
        self.local = threading.local()

    def post(self, path: str, body: object = b"", headers: dict | None = None) -> Reply:
        return self.send("POST", path, body, headers)

    def get(self, path: str, headers: dict | None = None) -> Reply:
        return self.send("GET", path, b"", headers)

    def send(self, method: str, path: str, body: object = b"", headers: dict | None = None) -> Reply:
        given = {name.lower() for name in headers or {}}
        lines = dict(headers or {})
        if not isinstance(body, bytes):
            body = json.dumps(body, ensure_ascii=False).encode("utf-8", "surrogatepass")
            if "content-type" not in given:
                lines["Content-Type"] = "application/json"
        if self.officer is not None and "tsunagi-officer" not in given:
            lines["Tsunagi-Officer"] = self.officer
        if method != "GET" and "idempotency-key" not in given:
            lines["Idempotency-Key"] = os.urandom(16).hex()
        head = [f"{method} {path} HTTP/1.1", "Host: localhost", f"Content-Length: {len(body)}"]
        head += [f"{name}: {value}" for name, value in lines.items()]
        return self.raw("\r\n".join(head).encode("utf-8", "surrogatepass") + b"\r\n\r\n" + body)

    def raw(self, request: bytes) -> Reply:
        """Sends the bytes of a request and reads one answer."""
        used = getattr(self.local, "stream", None) is not None
        try:
            return self.attempt(request)
        except (OSError, NoAnswer):
            self.close()
            if not used:
                raise
        # The connection may have been closed before this request; a new one has no such excuse.
        return self.attempt(request)

    def attempt(self, request: bytes) -> Reply:
        stream = getattr(self.local, "stream", None)
        if stream is None:
            plain = socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            stream = self.local.stream = self.context.wrap_socket(plain, server_hostname="localhost")
            self.local.rest = b""
        try:
            stream.sendall(request)
        except OSError:
            # It may have answered and closed while the rest was still being sent.
            pass
        reply = self.read(stream)
        if reply.headers.get("connection", "").lower() == "close":
            self.close()
        return reply

    def read(self, stream: ssl.SSLSocket) -> Reply:
        data = self.local.rest
        while b"\r\n\r\n" not in data:
            data += receive(stream)
        head, rest = data.split(b"\r\n\r\n", 1)
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        length = int(headers.get("content-length", "0"))
        while len(rest) < length:
            rest += receive(stream)
        self.local.rest = rest[length:]
        return Reply(int(first.split(" ", 2)[1]), headers, rest[:length])

    def close(self) -> None:
        stream = getattr(self.local, "stream", None)
        self.local.stream = None
        if stream is not None:
            stream.close()


def receive(stream: ssl.SSLSocket) -> bytes:
    chunk = stream.recv(65536)
    if not chunk:
        raise NoAnswer("closed without an answer")
    return chunk
