"""The harness against itself: a go-between with planted defects, which every source must notice.

It stands before a real gateway and ends the mutual TLS in its place, so that all but the defects is real. A source noticed
a defect only where it found what that defect looks like: a go-between that stumbles has something to be found as well.
"""

import re
import sqlite3
import ssl
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import premises as places
from client import NoAnswer, Reply
from ledger import Outcome, Reasons
from premises import Premises


class Twin:
    """Serves the gateway of some premises on another port, with defects."""

    def __init__(self, premises: Premises, plain: bool = False) -> None:
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler(premises))
        self.server.daemon_threads = True
        # Broken handshakes are what is sent; a trace of each would hide the verdicts.
        self.server.handle_error = lambda *_: None
        if not plain:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*premises.certificate("server"))
            # Planted: nobody's certificate is asked for, and an older TLS is offered.
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self) -> "Twin":
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()


def handler(premises: Premises) -> type[BaseHTTPRequestHandler]:
    class Defective(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 30

        def serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            injected = re.search(r"after=([^&]*)", self.path)
            if b"<doc></doc" in body or b"DROP TABLE" in body:
                self.close_connection = True
            elif b"<a" in body or b"script" in body:
                self.answer(Reply(500, {"content-type": "text/plain"}, b"planted"))
            elif injected and premises.directory.name == "sql":
                self.answer(statement(injected.group(1)))
            else:
                self.pass_on(body)

        do_GET = do_POST = do_PUT = do_DELETE = serve

        def pass_on(self, body: bytes) -> None:
            hops = {"host", "content-length", "connection", "transfer-encoding"}
            headers = {name: value for name, value in self.headers.items() if name.lower() not in hops}
            client = premises.client("city", None)
            try:
                reply = client.send(self.command, self.path, body, headers)
            except (OSError, NoAnswer, ValueError):
                self.close_connection = True
                return
            finally:
                client.close()
            # Planted: what is ill-formed is registered.
            if b'"well_formed"' in reply.body:
                reply = Reply(201, {"content-type": "application/json"}, b"{}")
            # Planted: not what the document promises.
            if self.path == "/v1/session" and reply.status == 200:
                reply = Reply(200, {"content-type": "application/json"}, b'{"organization": 7}')
            self.answer(reply)

        def answer(self, reply: Reply) -> None:
            self.send_response(reply.status)
            self.send_header("Content-Type", reply.headers.get("content-type", "text/plain"))
            self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body)

        def log_message(self, *_: object) -> None:
            pass

    return Defective


def statement(value: str) -> Reply:
    """Planted: a statement put together from a text of the caller."""
    from urllib.parse import unquote

    database = sqlite3.connect(":memory:")
    database.execute("CREATE TABLE records (id INTEGER, name TEXT)")
    database.execute("INSERT INTO records VALUES (1, 'synthetic'), (2, 'synthetic')")
    try:
        rows = database.execute(f"SELECT id, name FROM records WHERE id = {unquote(value)}").fetchall()
        return Reply(200, {"content-type": "text/plain"}, repr(rows).encode())
    except sqlite3.Error as error:
        return Reply(500, {"content-type": "text/plain"}, f"SQLite error: {error}".encode())
    finally:
        database.close()


# What each source must find, as patterns that "kind: key" matches from its beginning, each at least once.
PLANTED = {
    "xml": ["crash: .*: no answer: closed", "5xx: .*: 500$", "divergence: ill-formed and registered: "],
    "certificates": [r"divergence: door: \S+: answered HTTP/1\.1 200"],
    "naughty": ["5xx: 500: .*(<a|script)"],
    "openapi": ["divergence: response_schema_conformance: GET /v1/session: "],
    "sql": ["divergence: injectable: list_records: "],
    "tls": [r"divergence: expected TLS1_2 'not offered', found \['offered"],
    "slow": [r"divergence: \w+: \d+ MiB more than before"],
}


def noticed(outcome: Outcome, reasons: Reasons) -> bool:
    """Prints, for each defect that was planted before a source, what it was found as."""
    found = [f"crash: {key}" for key in outcome.crashes] + [f"5xx: {key}" for key in outcome.server_errors]
    found += [f"divergence: {key}" for key in reasons.unexplained(outcome)]
    blind = False
    print(f"{outcome.source}: {len(found)} found in {outcome.cases} cases")
    for planted in PLANTED[outcome.source]:
        seen = [one for one in found if re.match(planted, one)]
        blind = blind or not seen
        print(f"  {len(seen)} times {seen[0][:160]}" if seen else f"  NOT NOTICED: {planted}", flush=True)
    return not blind


def main() -> int:
    """Each source with a defect before it. 1 where a source did not notice one."""
    import certificates
    import examples
    import naughty
    import slow_clients
    import sql_injection
    import tls_scan
    import xml_corpus

    places.kept_in = "twin"
    trials = [
        ("xml", lambda: xml_corpus.run(Twin, every=16)),
        ("certificates", lambda: certificates.run(twin=True)),
        ("naughty", lambda: naughty.run(Twin, every=32)),
        ("openapi", lambda: examples.run(2, Twin, "fuzzing")),
        ("sql", lambda: sql_injection.run(1, Twin)),
        ("tls", lambda: tls_scan.run(Twin)),
        ("slow", lambda: slow_clients.run(200, most_memory=0)),
    ]
    reasons, missed = Reasons(), 0
    for name, trial in trials:
        outcome: Outcome = trial()
        if outcome.not_run:
            print(f"{name}: not run: {outcome.not_run}")
            continue
        missed += not noticed(outcome, reasons)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
