"""sqlmap on every parameter that could end in a statement, through the bridge: injectable parameters must be 0."""

import json
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bridge import Bridge
from ledger import Outcome
from metrics import Metrics
from premises import PARTIES, Premises

SOURCE = "sql"
SECONDS = 150
NO_ID = "00000000-0000-7000-8000-000000000000"


def targets(record: str) -> list[tuple[str, str, str, dict | None]]:
    """Party, name, path with the places marked, body."""
    search = {"purpose": "casework", "case_reference": "R8-1", "child_name": "架空", "guardian_name": "架空", "sex": "9"}
    staff = {"id": "nobody", "name": "架空 職員", "roles": ["viewer"]}
    terminal = {"serial": "abcdef", "organization": "392014", "kind": "machine", "label": "架空"}
    return [
        ("city", "list_records", f"/v1/records?after={NO_ID}*", None),
        ("city", "view_record", f"/v1/records/{record}*", None),
        ("city", "view_version", f"/v1/records/{record}*/versions/1*", None),
        ("city", "read_inbox", "/v1/inbox?after=-1*&wait=0*", None),
        ("city", "read_disclosures", f"/v1/disclosures?of=ours*&record={record}*&before=9*", None),
        ("city", "read_evidence", f"/v1/ledger/evidence?record={record}*&from=1*", None),
        ("city", "prove_inclusion", f"/v1/ledger/proofs/inclusion?entry={NO_ID}*&size=2*", None),
        ("city", "prove_consistency", "/v1/ledger/proofs/consistency?from=1*&to=2*", None),
        ("city", "search_nationwide", "/v1/searches", search),
        ("center", "search_notices", "/v1/missing-notices/searches", {"name": "架空 子"}),
        ("city", "request_transfer", "/v1/transfers/requests", {"record": record, "reason": "架空"}),
        ("city", "request_staff", "/v1/staff", staff),
        ("operator", "register_terminal", "/v1/terminals", terminal),
        ("operator", "connect_organization", "/v1/organizations", {"code": "392014", "relay_desk": "架空"}),
        ("operator", "suspend_organization", "/v1/organizations/392014*/suspend", {}),
        ("city", "who_am_i", "/v1/session", None),
    ]


def run(level: int = 1, twin: type | None = None) -> Outcome:
    outcome = Outcome(SOURCE)
    program = Path(sys.executable).parent / "sqlmap"
    if not program.exists():
        outcome.not_run = "sqlmap is not installed"
        return outcome
    with Premises(SOURCE) as premises:
        record = premises.register()
        before = Metrics.of(premises)
        planted = twin(premises, plain=True) if twin else None
        bridges = {} if planted else {name: Bridge(premises, name) for name in ("city", "center", "operator")}

        def scan(target: tuple) -> tuple[str, str]:
            party, name, path, body = target
            port = planted.port if planted else bridges[party].port
            officer = premises.parties[party].officer
            # The officer's header is itself a place in which to inject.
            marked = officer + "*" if name == "who_am_i" else officer
            headers = f"Tsunagi-Officer: {marked}\nTsunagi-Purpose: casework\nIdempotency-Key: auto"
            output = premises.directory / "sqlmap" / name
            command = [
                program, "-u", f"http://127.0.0.1:{port}{path}", "--batch", "--disable-coloring", "--flush-session",
                "--level", str(level), "--risk", "1", "--technique", "BEUS", "--ignore-code", "*", "--headers", headers,
                "--output-dir", output, "--skip-waf", "--threads", "2", "--timeout", "20", "--retries", "0",
            ]
            if body is not None:
                content = json.dumps(body, ensure_ascii=False)
                command += ["--method", "POST", "--data", content]
                command[command.index("--headers") + 1] += "\nContent-Type: application/json"
            try:
                done = subprocess.run(
                    command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", check=False,
                    timeout=SECONDS,
                )
            except subprocess.TimeoutExpired:
                return name, "sqlmap did not end"
            shutil.rmtree(output, ignore_errors=True)
            return name, done.stdout

        chosen = [("city", "list_records", "/v1/records?after=1*", None)] if planted else targets(record)
        with ThreadPoolExecutor(2) as pool:
            for name, said in pool.map(scan, chosen):
                (premises.directory / f"sqlmap-{name}.txt").write_text(said, encoding="utf-8")
                judge(name, said, outcome)
        for bridge in bridges.values():
            bridge.__exit__()
        after = Metrics.of(premises)
        outcome.cases = len(chosen) if planted else after.requests - before.requests
        for key, count in after.server_errors_since(before).items():
            outcome.server_errors += [key] * count
        outcome.crashes += premises.panics()
        if not premises.is_alive():
            outcome.crash("the gateway ended")
    outcome.note = f"{len(chosen)} calls"
    return outcome


def judge(name: str, said: str, outcome: Outcome) -> None:
    injectable = re.findall(r"^Parameter: (.+)$", said, re.MULTILINE)
    for parameter in injectable:
        outcome.diverge(f"injectable: {name}: {parameter}")
    tested = "all tested parameters do not appear to be injectable" in said
    if not injectable and not tested:
        lines = [line for line in said.splitlines() if "[CRITICAL]" in line or "[ERROR]" in line]
        outcome.diverge(f"not tested: {name}: {lines[-1] if lines else said[-200:]!r}")
