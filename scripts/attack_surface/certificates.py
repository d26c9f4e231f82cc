"""PKITS and other certificate vectors: as client certificates, and against the path check of OpenSSL.

1. Every PKITS certificate with its key is presented to a gateway that trusts PKITS' own anchor: the weakest door.
   Nobody of PKITS may get an answer.
2. Every PKITS end entity is judged by `tsunagi pki check` and by `openssl verify`: may this path be trusted?
3. Every other certificate of the collection, and much that is none, is read by `tsunagi pki check`.
"""

import base64
import re
import socket
import ssl
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ledger import Outcome
from premises import WORK, Premises, binary, environment

SOURCE = "certificates"
ANCHOR = "TrustAnchorRootCertificate"


def run(twin: bool = False) -> Outcome:
    import cryptography_vectors

    outcome = Outcome(SOURCE)
    vectors = Path(cryptography_vectors.__file__).parent / "x509"
    pkits = vectors / "PKITS_data"
    anchor_pem = as_pem((pkits / f"certs/{ANCHOR}.crt").read_bytes())
    with Premises(SOURCE, further_ca=anchor_pem) as premises:
        presented = at_the_door(premises, pkits, outcome, premises.certificate("city") if twin else None)
        outcome.crashes += premises.panics()
        if not premises.is_alive():
            outcome.crash("the gateway ended")
    if twin:
        return outcome
    judged = paths(pkits, anchor_pem, outcome)
    others = unrelated(vectors, anchor_pem, outcome)
    outcome.note = f"{presented} at the door, {judged} paths, {others} others"
    return outcome


def as_pem(der: bytes, label: str = "CERTIFICATE") -> str:
    lines = re.findall(".{1,64}", base64.b64encode(der).decode())
    return "\n".join([f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", ""])


def names(der: bytes) -> tuple[bytes, bytes]:
    """Issuer and subject as they stand in the DER. No library: some of PKITS is too odd for those at hand."""
    certificate, _ = value(der, 0)
    inside, _ = value(der, certificate)
    fields = []
    while len(fields) < 6:
        _, after = value(der, inside)
        # An explicit version, context tag 0, stands first where there is one.
        if der[inside] != 0xA0:
            fields.append(der[inside:after])
        inside = after
    _serial, _algorithm, issuer, _validity, subject, _key = fields
    return issuer, subject


def list_issuer(der: bytes) -> bytes:
    inside, _ = value(der, value(der, 0)[0])
    # The version of a list is optional, an integer, and stands before the algorithm.
    if der[inside] == 0x02:
        _, inside = value(der, inside)
    _, issuer = value(der, inside)
    return der[issuer : value(der, issuer)[1]]


def value(der: bytes, at: int) -> tuple[int, int]:
    """Where the value of the element at an offset begins, and where it ends."""
    length, begin = der[at + 1], at + 2
    if length & 0x80:
        octets = length & 0x7F
        length = int.from_bytes(der[begin : begin + octets])
        begin += octets
    return begin, begin + length


def at_the_door(premises: Premises, pkits: Path, outcome: Outcome, planted: tuple[str, str] | None) -> int:
    """TLS 1.3 with each certificate and its key, and a request as a registered officer would send it."""
    place = premises.directory / "pkits"
    place.mkdir()
    count = 0
    for file in sorted((pkits / "pkcs12").glob("*.p12")):
        pem = place / f"{file.stem}.pem"
        command = ["openssl", "pkcs12", "-legacy", "-nodes", "-passin", "pass:password", "-in", file, "-out", pem]
        if subprocess.run(command, capture_output=True, check=False, timeout=30).returncode != 0:
            outcome.diverge(f"door: {file.stem}: key unreadable")
            continue
        count += 1
        outcome.cases += 1
        answer = knock(premises, planted or (str(pem), str(pem)))
        if answer.startswith("HTTP/1.1 5"):
            outcome.server_error(f"door: {file.stem}: {answer}")
        elif answer:
            outcome.diverge(f"door: {file.stem}: answered {answer}")
    return count


def knock(premises: Premises, certificate: tuple[str, str]) -> str:
    """The first line of the answer; empty where the handshake was refused."""
    context = ssl.create_default_context(cafile=str(premises.certs / "ca.crt"))
    # What the client's own library thinks of its certificate is not asked.
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    try:
        context.load_cert_chain(*certificate)
    except ssl.SSLError:
        # DSA: TLS 1.3 has no signature for such a key, and it cannot even be presented.
        return ""
    request = b"GET /v1/session HTTP/1.1\r\nHost: localhost\r\nTsunagi-Officer: o1\r\nConnection: close\r\n\r\n"
    try:
        with socket.create_connection(("127.0.0.1", premises.port), timeout=10) as plain:
            with context.wrap_socket(plain, server_hostname="localhost") as stream:
                stream.sendall(request)
                return stream.recv(4096).split(b"\r\n", 1)[0].decode(errors="replace")
    except (ssl.SSLError, ConnectionError):
        return ""


def paths(pkits: Path, anchor_pem: str, outcome: Outcome) -> int:
    place = WORK / "pkits"
    place.mkdir(parents=True, exist_ok=True)
    anchor = place / "anchor.pem"
    anchor.write_text(anchor_pem, encoding="ascii")
    certificates = {file.stem: file.read_bytes() for file in sorted((pkits / "certs").glob("*.crt"))}
    # Self-issued certificates and cross-certificates have a subject in common: every one of them may be the next step.
    by_subject: dict[bytes, list[str]] = {}
    for name, certificate in certificates.items():
        by_subject.setdefault(names(certificate)[1], []).append(name)

    lists: dict[bytes, list[Path]] = {}
    for file in sorted((pkits / "crls").glob("*.crl")):
        lists.setdefault(list_issuer(file.read_bytes()), []).append(file)

    def judge(name: str) -> list[tuple[str, bool, str, bool, str]]:
        chain = above(name, certificates, by_subject)
        untrusted, end = place / f"{name}.chain.pem", place / f"{name}.pem"
        untrusted.write_text("".join(as_pem(certificates[step]) for step in chain), encoding="ascii")
        end.write_text(as_pem(certificates[name]), encoding="ascii")
        steps = [end, untrusted] if chain else [end]
        further = ["-untrusted", untrusted] if chain else []
        verdicts = [("path", *checked(anchor, steps), *openssl(["-CAfile", anchor, *further, end]))]
        of_issuer = lists.get(names(certificates[name])[0], [])
        # Revocation is asked of paths that both trust: of the others nothing new would be learnt.
        if verdicts[0][1] and verdicts[0][3] and of_issuer:
            revoked = place / f"{name}.crl.pem"
            revoked.write_text("".join(as_pem(file.read_bytes(), "X509 CRL") for file in of_issuer), encoding="ascii")
            theirs = openssl(["-CAfile", anchor, "-crl_check", "-CRLfile", revoked, *further, end])
            # With lists, a gateway wants the CA that issued among those it trusts.
            issuers = by_subject.get(names(certificates[name])[0], [])
            trusted = place / f"{name}.ca.pem"
            trusted.write_text(
                anchor_pem + "".join(as_pem(certificates[issuer]) for issuer in issuers if issuer != ANCHOR),
                encoding="ascii",
            )
            verdicts.append(("revocation", *checked(trusted, steps, revoked), *theirs))
        return verdicts

    end_entities = [name for name in certificates if name.endswith("EE") and name != ANCHOR]
    with ThreadPoolExecutor(2) as pool:
        for name, verdicts in zip(end_entities, pool.map(judge, end_entities)):
            for kind, ours, why, theirs, reason in verdicts:
                outcome.cases += 1
                if "panicked" in why:
                    outcome.crash(f"{kind}: {name}: {why}")
                elif ours and not theirs:
                    outcome.diverge(f"{kind}: trusted by us, refused by OpenSSL ({reason}): {name}")
                elif theirs and not ours:
                    outcome.diverge(f"{kind}: refused by us ({why}), trusted by OpenSSL: {name}")
    return len(end_entities)


def openssl(arguments: list) -> tuple[bool, str]:
    done = subprocess.run(["openssl", "verify", *arguments], capture_output=True, text=True, check=False, timeout=30)
    reason = re.search(r"error \d+ at \d+ depth lookup: (.*)", done.stdout + done.stderr)
    return done.returncode == 0, reason.group(1) if reason else done.stderr.strip()


def above(name: str, certificates: dict[str, bytes], by_subject: dict[bytes, list[str]]) -> list[str]:
    """Everything that may stand between a certificate and the anchor, by names."""
    found: list[str] = []
    ahead = [name]
    while ahead:
        issuer, _ = names(certificates[ahead.pop()])
        for step in by_subject.get(issuer, []):
            if step not in found and step not in (name, ANCHOR):
                found.append(step)
                ahead.append(step)
    return found


def checked(anchor: Path, chain: list[Path], revoked: Path | None = None) -> tuple[bool, str]:
    """Whether our path check trusts it, and what it said. The profile of terminals, which comes after, is not asked."""
    lists = ["--revocation-list", str(revoked)] if revoked else []
    command = [str(binary()), "pki", "check", "--ca", str(anchor), *lists, *map(str, chain)]
    done = subprocess.run(
        command, capture_output=True, text=True, errors="replace", check=False, timeout=30, env=environment()
    )
    said = done.stderr.strip().removeprefix("tsunagi: ")
    if done.returncode == 0:
        return True, done.stdout.strip()
    if said.startswith("refused by the profile"):
        return True, said
    return False, said.removeprefix("refused by the path: ")


def unrelated(vectors: Path, anchor_pem: str, outcome: Outcome) -> int:
    """Certificates of others, requests, OCSP answers, garbage: none is let in, none is too much."""
    anchor = WORK / "pkits/anchor.pem"
    anchor.write_text(anchor_pem, encoding="ascii")
    files = [file for file in sorted(vectors.rglob("*")) if file.is_file() and "PKITS_data" not in file.parts]
    files += sorted((vectors / "PKITS_data/certpairs").glob("*.cp")) + sorted((vectors / "PKITS_data/crls").glob("*.crl"))
    files = [file for file in files if file.suffix in {".pem", ".der", ".cp", ".crl", ".crt"}]

    def judge(file: Path) -> tuple[Path, bool, str]:
        return file, *checked(anchor, [file])

    with ThreadPoolExecutor(2) as pool:
        for file, trusted, said in pool.map(judge, files):
            outcome.cases += 1
            if "panicked" in said:
                outcome.crash(f"other: {file.name}: {said}")
            elif trusted:
                outcome.diverge(f"other: {file.name}: trusted")
    return len(files)
