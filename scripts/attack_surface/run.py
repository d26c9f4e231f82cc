"""`make attack-surface`: everything that throws bad input at a real gateway, and one table at the end.

    run.py [--only SOURCE,…] [--twin] [--examples N] [--connections N] [--level N]

Ends with status 1 if a source found a crash, a 5xx or a divergence without a reason, or ran no case at all. With
`--twin` a gateway stands between that has planted defects, and the status is 1 if a source did not notice.
"""

import argparse
import os
import subprocess
import sys
import time
import venv
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from ledger import Outcome, Reasons, table  # noqa: E402
from premises import WORK, binary  # noqa: E402

VENV = WORK / "venv"


def in_venv() -> None:
    """Runs this program again in an environment of its own, made with the exact packages of requirements.txt."""
    python = VENV / "bin/python"
    if Path(sys.prefix) == VENV:
        return
    wanted = (HERE / "requirements.txt").read_text(encoding="utf-8")
    made_with = VENV / "made_with"
    if not made_with.exists() or made_with.read_text(encoding="utf-8") != wanted:
        venv.create(VENV, with_pip=True, clear=True)
        install = [str(python), "-m", "pip", "install", "--quiet", "-r", str(HERE / "requirements.txt")]
        # Without the packages the sources that need them say so; the others run.
        if subprocess.run(install, check=False, timeout=600).returncode == 0:
            made_with.write_text(wanted, encoding="utf-8")
    os.execv(python, [str(python), *sys.argv])


def sources(options: argparse.Namespace) -> dict[str, Callable[[], Outcome]]:
    import certificates
    import examples
    import naughty
    import slow_clients
    import sql_injection
    import tls_scan
    import xml_corpus

    return {
        xml_corpus.SOURCE: xml_corpus.run,
        certificates.SOURCE: certificates.run,
        naughty.SOURCE: naughty.run,
        examples.SOURCE: lambda: examples.run(options.examples),
        sql_injection.SOURCE: lambda: sql_injection.run(options.level),
        tls_scan.SOURCE: tls_scan.run,
        slow_clients.SOURCE: lambda: slow_clients.run(options.connections),
    }


def run_one(name: str, source: Callable[[], Outcome]) -> Outcome:
    print(f"{name} …", flush=True)
    started = time.monotonic()
    try:
        outcome = source()
    except Exception as error:  # A harness that stumbles must not look like a gateway that held.
        outcome = Outcome(name, cases=1)
        outcome.crash(f"the harness: {type(error).__name__}: {error}")
    outcome.seconds = time.monotonic() - started
    return outcome


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", help="sources, with commas")
    parser.add_argument("--twin", action="store_true", help="planted defects: each source must notice")
    parser.add_argument("--examples", type=int, default=12, help="examples an operation and party")
    parser.add_argument("--connections", type=int, default=5_000, help="slow connections in each mode")
    parser.add_argument("--level", type=int, default=1, help="sqlmap's level, 1 to 5")
    options = parser.parse_args()
    in_venv()
    if not binary().exists():
        print(f"{binary()} is missing: cargo build --release, or name another in TSUNAGI_BIN", file=sys.stderr)
        return 1
    if options.twin:
        import twin

        return twin.main()
    every = sources(options)
    chosen = options.only.split(",") if options.only else list(every)
    if unknown := set(chosen) - set(every):
        parser.error(f"no such source: {', '.join(sorted(unknown))}; there are {', '.join(every)}")
    reasons = Reasons()
    outcomes = [run_one(name, every[name]) for name in chosen]
    text, clean = table(outcomes, reasons)
    print(f"\n{text}")
    for idle in reasons.idle({outcome.source for outcome in outcomes if not outcome.not_run}):
        print(f"  a reason that explained nothing: {idle}")
    return 0 if clean else 1


if __name__ == "__main__":
    sys.exit(main())
