"""Persons at a gateway's desks: they enrol with a code, and stand for what no machine may do.

A gateway's scripts connect bodies as it is done in life: the operator's first persons enrol with the code that
`tsunagi init` prints, and open a body whose own first persons then appoint its staff.
"""

import base64
import hashlib
import hmac
import time

STEP = 30


def code_at(secret, step):
    """The code of a device at a time step (RFC 6238: SHA-1, six digits)."""
    digest = hmac.new(base64.b32decode(secret + "=" * (-len(secret) % 8)), step.to_bytes(8, "big"), hashlib.sha1).digest()
    at = digest[-1] & 15
    return f"{(int.from_bytes(digest[at:at + 4], 'big') & 0x7FFFFFFF) % 1_000_000:06}"


def password_of(officer):
    """A password that nobody would guess, and that every script knows."""
    return f"korekara mo {officer} to issho ni"


def opening_code(printed):
    """The code in what `tsunagi init` prints."""
    return printed.rsplit("at its desk: ", 1)[1].split()[0]


class Person:
    """Somebody signed in at a desk. `send(method, path, message, headers)` is the desk's; it returns the answer's object.
    `now()` is the time there, in seconds.
    """

    def __init__(self, send, officer, token, secret, step, now=time.time):
        self.send, self.officer, self.token, self.secret, self.step = send, officer, token, secret, step
        self.now = now

    def headers(self):
        return {"Authorization": f"Bearer {self.token}"}

    def post(self, path, message=None):
        return self.send("POST", path, message, self.headers())

    def put(self, path, message):
        return self.send("PUT", path, message, self.headers())

    def sign_in(self):
        """Signs in anew, with the next code of the device that was not used."""
        self.step = max(self.step + 1, int(self.now()) // STEP)
        self.token = self.send("POST", "/v1/sessions", {
            "officer": self.officer, "password": password_of(self.officer),
            "second_factor": code_at(self.secret, self.step),
        }, {})["token"]

    def confirm(self, waiting):
        return self.post(f"/v1/waiting-acts/{waiting['waiting_act']}/confirmation")


def enrol(send, code, officers, names=(), now=time.time):
    """Persons enrol with a code, the first persons of a body by their names."""
    secrets, people = [], []
    for number, officer in enumerate(officers):
        ticket = send("POST", "/v1/enrolments/tickets", {"code": code, "officer": officer}, {})
        step = int(now()) // STEP
        secrets.append((ticket["secret"], step, now))
        people.append({
            "officer": officer, "name": names[number] if names else None, "password": password_of(officer),
            "ticket": ticket["ticket"], "second_factor": code_at(ticket["secret"], step),
        })
    enrolled = send("POST", "/v1/enrolments", {"code": code, "persons": people}, {})["persons"]
    return [Person(send, one["officer"], one["token"], *secret) for one, secret in zip(enrolled, secrets)]


def enrol_operators(send, code, now=time.time):
    """The operator's first two persons; the first of them connects bodies."""
    return enrol(send, code, ["chair1", "chair2"], ["運用 一", "運用 二"], now)


def open_body(operator, send, code, relay_desk, terminals):
    """Connects a body and registers its terminals, as (serial, kind, label); its first two persons enrol at its desk.

    `operator` is a person of the operator's, and `send` sends from the body's own desk.
    """
    operator.post("/v1/organizations", {"code": code, "relay_desk": relay_desk})
    for serial, kind, label in terminals:
        operator.post("/v1/terminals", {"serial": serial, "organization": code, "kind": kind, "label": label})
    opening = operator.post(f"/v1/organizations/{code}/opening-codes")["code"]
    return enrol(send, opening, ["admin", "manager"], ["管理 責任者", "認証情報 管理者"], operator.now)


def appoint(first, officer, name, roles):
    """One of a body's first two persons asks for a staff member, the other approves."""
    administrator, manager = first
    administrator.confirm(manager.post("/v1/staff", {"id": officer, "name": name, "roles": roles}))


def seat(first, officer):
    """A staff member gets a code from the credential manager, and enrols at the body's desk."""
    manager = first[1]
    organization = manager.send("GET", "/v1/session", None, manager.headers())["organization"]
    code = manager.post(f"/v1/staff/{organization}/{officer}/credential")["code"]
    return enrol(manager.send, code, [officer], (), manager.now)[0]
