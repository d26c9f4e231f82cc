"""testssl.sh against the handshake: TLS 1.3 alone, nothing resumed, nothing renegotiated, no old weakness."""

import json
import os
import shutil
import subprocess
from pathlib import Path

from ledger import Outcome
from premises import Premises

SOURCE = "tls"
QUIET = {"OK", "INFO", "DEBUG"}
# What must be said, not only what must not.
EXPECTED = {
    "SSLv2": "not offered", "SSLv3": "not offered", "TLS1": "not offered", "TLS1_1": "not offered",
    "TLS1_2": "not offered", "TLS1_3": "offered", "sessionresumption_ticket": "not supported",
    "sessionresumption_ID": "No Session ID, no resumption", "secure_client_renego": "not vulnerable",
    "cipherlist_NULL": "not offered", "cipherlist_aNULL": "not offered", "cipherlist_EXPORT": "not offered",
    "CRIME_TLS": "not vulnerable", "heartbleed": "not vulnerable", "cert_chain_of_trust": "passed", "PFS": "offered",
}


def run(twin: type | None = None) -> Outcome:
    outcome = Outcome(SOURCE)
    program = shutil.which("testssl") or shutil.which("testssl.sh")
    if program is None:
        outcome.not_run = "testssl.sh is not installed (Debian: testssl.sh)"
        return outcome
    with Premises(SOURCE) as premises:
        report = premises.directory / "testssl.json"
        port = twin(premises).port if twin else premises.port
        command = [
            program, "--quiet", "--color", "0", "--warnings", "off", "--ip", "127.0.0.1",
            "--openssl", openssl_of_a_terminal(premises), "--add-ca", premises.certs / "ca.crt", "--jsonfile", report, f"https://localhost:{port}",
        ]
        try:
            subprocess.run(
                command, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=400,
                env={**os.environ, "TERM": "dumb"},
            )
        except subprocess.TimeoutExpired:
            outcome.crash("testssl.sh did not end")
        judge(json.loads(report.read_text(encoding="utf-8")), outcome)
        outcome.crashes += premises.panics()
        if not premises.is_ready():
            outcome.crash("the gateway is not ready afterwards")
    return outcome


def openssl_of_a_terminal(premises: Premises) -> Path:
    """An openssl that shows a registered terminal's certificate wherever it connects.

    Without one TLS 1.3 refuses it only after the handshake, and whether it reads the refusal before its input ends is chance.
    """
    certificate, key = premises.certificate("city")
    program = premises.directory / "openssl"
    program.write_text(
        f"""#!/bin/sh
[ "$1" = s_client ] || exec openssl "$@"
shift
exec openssl s_client -cert '{certificate}' -key '{key}' "$@"
""",
        encoding="utf-8",
    )
    program.chmod(0o755)
    return program


def judge(findings: list[dict], outcome: Outcome) -> None:
    outcome.cases = len(findings)
    said: dict[str, list[str]] = {}
    for finding in findings:
        said.setdefault(finding["id"], []).append(finding["finding"])
        if finding["severity"] not in QUIET:
            outcome.diverge(f"{finding['severity']} {finding['id']}: {finding['finding']}")
    for name, expected in EXPECTED.items():
        if not any(expected in one for one in said.get(name, [])):
            outcome.diverge(f"expected {name} {expected!r}, found {said.get(name)}")
