"""schemathesis on /openapi.json: examples made from the schemas, right and wrong, for each kind of organization."""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ledger import Outcome
from metrics import Metrics
from premises import Premises

SOURCE = "openapi"
# Parties who between them may call every operation.
PARTIES = ["city", "center", "ministry", "operator"]
# Each says whether an answer keeps what the document promises. Left out are those that hold a request to be good as
# soon as its schema is: what a record, a search or a step must be is said by the national format and by the state.
CHECKS = [
    "not_a_server_error", "status_code_conformance", "content_type_conformance", "response_headers_conformance",
    "response_schema_conformance", "missing_required_header", "ignored_auth", "unsupported_method",
]
PHASES = "examples,coverage,fuzzing"
SECONDS = 240
HOOKS = Path(__file__).with_name("schemathesis_hooks.py")


def run(examples: int = 12, twin: type | None = None, phases: str = PHASES) -> Outcome:
    outcome = Outcome(SOURCE)
    program = Path(sys.executable).parent / "schemathesis"
    if not program.exists():
        outcome.not_run = "schemathesis is not installed"
        return outcome
    with Premises(SOURCE) as premises:
        premises.register()
        before = Metrics.of(premises)

        port = twin(premises).port if twin else premises.port

        def tested(party: str) -> tuple[str, Path, str]:
            report = premises.directory / f"{party}.ndjson"
            certificate, key = premises.certificate(party)
            own_ca = premises.directory / "own_ca.pem"
            officer = premises.parties[party].officer
            command = [
                program, "run", premises.directory / "openapi.json", "--no-color",
                "--url", f"https://localhost:{port}",
                "--request-cert", certificate, "--request-cert-key", key, "--tls-verify", own_ca,
                "--header", f"Tsunagi-Officer: {officer}", "--checks", ",".join(CHECKS), "--max-examples", str(examples),
                "--phases", phases, "--seed", "7", "--generation-database", "none", "--no-shrink",
                "--continue-on-failure", "--request-timeout", "40", "--report", "ndjson", "--report-ndjson-path", report,
                # An inbox that has been read to its end makes its reader wait.
                "--exclude-operation-id", "read_inbox", "--warnings", "off", "--suppress-health-check", "all",
            ]
            # The largest bodies by far, and to those who may not send them all the same refusal.
            if party != PARTIES[0]:
                command += ["--exclude-operation-id", "register_record", "--exclude-operation-id", "update_record"]
            try:
                done = subprocess.run(
                    command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", check=False,
                    timeout=SECONDS, cwd=premises.directory, env=os.environ | {"SCHEMATHESIS_HOOKS": str(HOOKS)},
                )
            except subprocess.TimeoutExpired:
                return party, report, "schemathesis did not end"
            return party, report, done.stdout + done.stderr

        (premises.directory / "own_ca.pem").write_text(premises.own_ca(), encoding="ascii")
        document = premises.parties["city"].client.get("/openapi.json").json()
        without_patterns(document["components"]["schemas"]["NationalFormat"])
        (premises.directory / "openapi.json").write_text(json.dumps(document), encoding="utf-8")
        with ThreadPoolExecutor(2) as pool:
            for party, report, said in pool.map(tested, PARTIES if twin is None else PARTIES[:1]):
                (premises.directory / f"{party}.txt").write_text(said, encoding="utf-8")
                judge(party, report, said, outcome)
        for key, count in Metrics.of(premises).server_errors_since(before).items():
            outcome.server_errors += [key] * count
        outcome.crashes += premises.panics()
        if not premises.is_alive():
            outcome.crash("the gateway ended")
    outcome.note = f"{examples} examples an operation"
    return outcome


def without_patterns(schema: object) -> None:
    """Hypothesis takes minutes over the texts of the national format; `naughty` and the fuzzer have them."""
    if isinstance(schema, dict):
        schema.pop("pattern", None)
        for inner in schema.values():
            without_patterns(inner)
    elif isinstance(schema, list):
        for inner in schema:
            without_patterns(inner)


def judge(party: str, report: Path, said: str, outcome: Outcome) -> None:
    if not report.exists():
        outcome.diverge(f"no report of {party}: {said[-300:]!r}")
        return
    if "did not end" in said:
        outcome.diverge(f"{party}: {said}")
    for line in report.read_text(encoding="utf-8").splitlines():
        event = json.loads(line)
        if error := event.get("NonFatalError"):
            value = error["value"]
            outcome.diverge(f"error: {error.get('label')}: {party}: {value.get('type')}: {value.get('message')}"[:300])
        if scenario := event.get("ScenarioFinished"):
            recorder = scenario["recorder"]
            outcome.cases += len(recorder.get("cases", {}))
            for case, checks in recorder.get("checks", {}).items():
                for check in checks:
                    if check.get("status") != "success":
                        outcome.diverge(f"{check.get('name')}: {recorder.get('label')}: {party}: {failure(check)}")


def failure(check: dict) -> str:
    return json.dumps(check, ensure_ascii=False)[:300]
