"""A city's case system, as the tests that destroy things need it: one kept connection over mutual TLS, a child to
register, and a gateway's settings beside its template.
"""

import encodings.idna  # noqa: F401  Loaded now: root's own Python may be closed to postgres, who runs restore_test.py.
import http.client
import json
import random
import ssl
import time
import uuid

import persons

HOST = "127.0.0.1"
CITY = "392014"
# A city's case system at work is faster than any officer: the limits are not what is tried here.
GENEROUS = {f"TSUNAGI_LIMITS__{name}": "100000" for name in (
    "TERMINAL_PER_SECOND", "TERMINAL_BURST", "OFFICER_PER_SECOND", "OFFICER_BURST",
)} | {f"TSUNAGI_SEARCH__{name}": "10000000" for name in (
    "OFFICER_PER_HOUR", "OFFICER_BURST", "ORGANIZATION_PER_HOUR", "ORGANIZATION_BURST",
)}
# How long a step of preparation may take.
PATIENCE = 60
KANA = "アイウエカキクケサシスセタチツテナニヌネハヒフヘマミムメヤユヨラリルレロワ"
RECORD = """<?xml version="1.0" encoding="UTF-8"?>
<childRecord xmlns="urn:tsunagi:national-format:v1">
  <index>
    <child><name><written>{child}</written><kana>{child}</kana></name><sex>9</sex><birthDate>2019-04-01</birthDate></child>
    <guardian><name><written>架空 親</written><kana>カクウ オヤ</kana></name></guardian>
  </index>
  <contact><municipality>{city}</municipality><address>架空町1番1号</address></contact>
  <case><caseClass>1</caseClass><abuseKind>2</abuseKind><acceptedOn>R8.4.1</acceptedOn></case>
  <officer><name>架空 担当</name></officer>
</childRecord>
"""


def somebody():
    """A name that no one else in the test has: no letters that fold together, none twice."""
    return "".join(random.choices(KANA, k=4)) + "　" + "".join(random.choices(KANA, k=6))


def record_of(child):
    """The city's record of a child, as XML of the national format."""
    return RECORD.format(child=child, city=CITY)


def settings(port, monitor, database, keyring, snapshot, certs):
    """What a node's template in deploy/ha leaves to its place, as environment."""
    return GENEROUS | {
        "TSUNAGI_LISTEN": f"{HOST}:{port}",
        "TSUNAGI_MONITOR_LISTEN": f"{HOST}:{monitor}",
        "TSUNAGI_DATABASE": database,
        "TSUNAGI_KEYRING": str(keyring),
        "TSUNAGI_SNAPSHOT": str(snapshot),
        "TSUNAGI_TLS__CERTIFICATE": str(certs / "server.crt"),
        "TSUNAGI_TLS__KEY": str(certs / "server.key"),
        "TSUNAGI_TLS__CLIENT_CA": str(certs / "ca.crt"),
        "TSUNAGI_TLS__REVOCATION_LIST": str(certs / "crl.pem"),
    }


class Refused(Exception):
    """A step that nothing may refuse was refused."""


class Answer:
    """Status, body and named ledger entries of an answer."""

    def __init__(self, response):
        self.status = response.status
        named = response.getheader("Tsunagi-Ledger-Entries") or ""
        self.entries = [entry.strip() for entry in named.split(",") if entry.strip()]
        self.text = response.read().decode(errors="replace")
        is_json = "json" in (response.getheader("Content-Type") or "")
        self.message = json.loads(self.text) if is_json and self.text else {}


class Client:
    """One kept connection over mutual TLS; opened anew after a failure."""

    def __init__(self, port, certs, certificate, officer):
        self.port, self.officer, self.connection = port, officer, None
        self.context = ssl.create_default_context(cafile=certs / "ca.crt")
        self.context.load_cert_chain(certs / f"{certificate}.crt", certs / f"{certificate}.key")

    def request(self, method, path, body=None, headers=None):
        """The answer; an OSError where there was none."""
        headers = ({"Tsunagi-Officer": self.officer} if self.officer else {}) | (headers or {})
        if isinstance(body, dict):
            body, headers["Content-Type"] = json.dumps(body), "application/json"
        try:
            if self.connection is None:
                self.connection = http.client.HTTPSConnection(HOST, self.port, timeout=15, context=self.context)
            body = body.encode() if isinstance(body, str) else body
            self.connection.request(method, path, body or None, headers)
            return Answer(self.connection.getresponse())
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise OSError(f"no answer: {error!r}") from error

    def close(self):
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    def must(self, method, path, body=None, headers=None, patience=PATIENCE):
        """A step that nothing may refuse, under one key until it is done."""
        key = {"Idempotency-Key": str(uuid.uuid4())} if method in ("POST", "PUT") else {}
        deadline = time.monotonic() + patience
        while True:
            try:
                answer = self.request(method, path, body, key | (headers or {}))
                if answer.status < 300:
                    return answer
                said = f"{answer.status} {answer.text}"
                is_final = answer.status < 500
            except OSError as error:
                said, is_final = str(error), False
            if is_final or time.monotonic() > deadline:
                raise Refused(f"{method} {path}: {said}")
            time.sleep(0.1)


def sender(client):
    """How persons send from a desk: the object of the answer to a step that nothing may refuse."""
    return lambda method, path, message, headers: client.must(method, path, message, headers).message


def connect_city(operator_desk, operator_code, city_desk, machine, desk):
    """Connects the city, its terminals by their serials, and an officer whom its machine names. The clients are those of
    the operator's desk and of the city's, at which nobody is named.
    """
    chair = persons.enrol_operators(sender(operator_desk), operator_code)[0]
    terminals = [(desk, "desk", "架空 窓口"), (machine, "machine", "架空 業務システム")]
    first = persons.open_body(chair, sender(city_desk), CITY, "架空市 000-000-0000", terminals)
    persons.appoint(first, "o1", "試験 担当", ["caseworker", "supervisor", "auditor"])
