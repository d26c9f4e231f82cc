#!/usr/bin/env python3
"""Makes the stores that are kept in tests/kept: a database as one version of the program wrote it, for every later one.

    scripts/with_postgres.sh python3 scripts/keep_stores.py --program target/release/tsunagi --out tests/kept/2026-11

A SQLite file and a dump of PostgreSQL, each with its keyring and shreds, and with contents.json: what the program of
then answered. All of it comes about through the program's own commands and its API. The gateway's clock begins seven years
ago (libfaketime), so that records were closed long enough to be disposed of, and goes on forty days ago, so that the clock
alone has brought about what it brings about: a transfer that expired, a safety check that is overdue, a request that ran
out. Everything is synthetic. See tests/kept/README.md.
"""

import argparse
import contextlib
import gzip
import http.client
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import time
import uuid
from datetime import datetime, timezone
from pathlib import Path

import persons
from gateway_client import HOST, Client, settings
from kept_story import FURTHER, PARTIES, PATIENCE, Story
from restore_gateway import free_port

ROOT = Path(__file__).resolve().parent.parent
NODE, ORIGIN = "node-1", "localhost/log/node-1"
# Schema of the program, which is the number of its last migration.
SCHEMA = max(int(file.name.split("_")[0]) for file in (ROOT / "migrations/sqlite").iterdir())
# Days before today on which everything begins: a record of a child of age is kept for seven years after its closure.
BEGINNING = 7 * 366 + 40
# Days before today on which the gateway is started. After three days without an entry it would doubt its clock; so it does
# on the first of these, on which nothing is due.
DAYS = [40, 37.5, 35, 32.5, 30, 27.5, 25, 22.5, 20, 17.5, 15, 12.5, 10, 7.5, 5, 2.5, 0]
KEYS_ROTATED_ON = 20
STATES = {"requested", "offered", "confirmed", "taken_over", "rejected", "withdrawn", "expired"}
# What a later version may rightly say otherwise: names of the registry, the standard, how well a name fits, the place
# of a reader in a list.
NOT_KEPT = {"organization_name", "owner_name", "cursor", "next", "standard", "missing", "rank", "matched"}


class Sqlite:
    """A database file."""

    kind = "sqlite"

    def __init__(self, directory):
        self.path = directory / "tsunagi.db"
        self.url = f"sqlite:{self.path}"

    def prepare(self, _gateway):
        """`tsunagi init` makes it."""

    def sql(self, statement):
        """Runs a statement while no gateway serves; answers the first value, if there is one."""
        connection = sqlite3.connect(self.path, isolation_level=None)
        row = connection.execute(statement).fetchone()
        connection.close()
        return row and row[0]

    def keep(self, into):
        self.sql("VACUUM")
        write_packed(into / "tsunagi.db.gz", self.path.read_bytes())


class Postgres:
    """The database `tsunagi` on the throwaway server of scripts/with_postgres.sh, with the roles of deploy/postgres."""

    kind = "postgres"

    def __init__(self, _directory):
        self.server, self.programs = os.environ["TEST_POSTGRES"], Path(os.environ["POSTGRES_PROGRAMS"])
        self.url = self._as("tsunagi_node")

    def _as(self, role, database="tsunagi"):
        return self.server.replace("postgres://postgres@", f"postgres://{role}@") + f"/{database}"

    def sql(self, statement, database="tsunagi"):
        words = [self.programs / "psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", self._as("postgres", database)]
        return subprocess.run(words, input=statement, capture_output=True, text=True, check=True).stdout.strip()

    def prepare(self, gateway):
        self.sql("CREATE DATABASE tsunagi ENCODING 'UTF8' TEMPLATE template0", "postgres")
        self.sql((ROOT / "deploy/postgres/roles.sql").read_text())
        gateway.run("migrate", environment={"OWNER_DATABASE": self._as("tsunagi_owner")})

    def keep(self, into):
        words = [self.programs / "pg_dump", "-d", self._as("postgres")]
        dump = subprocess.run(words, capture_output=True, check=True).stdout
        # Newer programs guard a dump with commands that an older psql does not know.
        guards = (b"\\restrict", b"\\unrestrict")
        lines = [line for line in dump.splitlines(keepends=True) if not line.startswith(guards)]
        write_packed(into / "tsunagi.sql.gz", b"".join(lines))


def write_packed(file, content):
    file.write_bytes(gzip.compress(content, mtime=0))


class Gateway:
    """A node over one database, with its own keyring and certificates, and its clock so many days back."""

    def __init__(self, program, database, directory):
        self.program, self.database, self.directory = program, database, directory
        self.certs, self.config = directory / "certs", directory / "tsunagi.toml"
        self.keyring, self.snapshot = directory / "keyring.toml", directory / "snapshot"
        self.terminals, self.days_back, self.process = {}, BEGINNING, None
        self.port, self.monitor = free_port(), free_port()

    def _environment(self):
        ours = {name: value for name, value in os.environ.items() if not name.startswith("TSUNAGI_")}
        place = settings(self.port, self.monitor, self.database.url, self.keyring, self.snapshot, self.certs)
        fake = {}
        if self.days_back:
            library = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)
            if library is None:
                raise SystemExit("libfaketime is not installed: run `make needs`")
            fake = {"LD_PRELOAD": str(library), "FAKETIME": f"-{int(self.days_back * 86_400)}",
                    "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
        return ours | place | fake | {"RUST_LOG": "warn"}

    def run(self, *words, environment=None):
        """One command of the program; answers what it printed."""
        done = subprocess.run([self.program, *map(str, words)], capture_output=True, text=True, timeout=PATIENCE,
                              env=self._environment() | (environment or {}), check=False)
        if done.returncode != 0:
            raise SystemExit(f"tsunagi {' '.join(map(str, words))}: {done.stderr or done.stdout}")
        return done.stdout.strip()

    def create(self):
        """Certificates of everybody, the configuration, and a database that knows the operator alone."""
        since = ["--since", BEGINNING + 2]
        with self.today():
            self.run("pki", "create", self.certs, *since)
            for name, code in ({"operator": "operator", "operator-desk": "operator"} | PARTIES | FURTHER).items():
                serial = self.run("pki", "terminal", self.certs, name, code, *since)
                self.terminals[name] = {"organization": code, "serial": serial}
        # The rest comes from the environment.
        self.config.write_text(
            f'node = "{NODE}"\nlog_origin = "{ORIGIN}"\nlisten = "{HOST}:1"\nmonitor_listen = "{HOST}:1"\n'
            'keyring = ""\ndatabase = ""\n[tls]\ncertificate = ""\nkey = ""\nclient_ca = ""\n')
        self.database.prepare(self)
        printed = self.run("init", "--config", self.config, "--serial", self.terminals["operator"]["serial"],
                           "--officer", "op1", "--officer-name", "運用 担当",
                           "--desk", self.terminals["operator-desk"]["serial"])
        self.opening_code = persons.opening_code(printed)

    @contextlib.contextmanager
    def today(self):
        """Commands that go by the real clock."""
        days_back, self.days_back = self.days_back, 0
        yield
        self.days_back = days_back

    def now(self):
        """The gateway's time in seconds."""
        return time.time() - int(self.days_back * 86_400)

    def at_desk(self, desk):
        """How persons send from a desk, whichever day it is."""
        return lambda method, path, message, headers: self.do(desk, method, path, message, "", **{
            name.replace("-", "_"): value for name, value in headers.items()})

    def start(self, days_back):
        self.days_back = days_back
        self.port, self.monitor = free_port(), free_port()
        # A list is valid for 30 days.
        self.run("pki", "revoke", self.certs)
        with (self.directory / "gateway.log").open("a") as log:
            self.process = subprocess.Popen([self.program, "serve", "--config", str(self.config)], stdout=log,
                                            stderr=log, env=self._environment())
        for _ in range(PATIENCE * 20):
            if self.process.poll() is not None:
                break
            try:
                connection = http.client.HTTPConnection(HOST, self.monitor, timeout=5)
                connection.request("GET", "/readyz")
                if connection.getresponse().status == 200:
                    return
            except OSError:
                pass
            finally:
                connection.close()
            time.sleep(0.05)
        raise SystemExit(f"the gateway does not serve: {(self.directory / 'gateway.log').read_text()[-2000:]}")

    def stop(self):
        if self.process:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(PATIENCE)
            self.process = None

    def ask(self, terminal, officer, path, purpose):
        """The answer, whatever it is."""
        client = Client(self.port, self.certs, terminal, officer)
        answer = client.request("GET", path, None, {"Tsunagi-Purpose": purpose})
        client.close()
        return answer

    def try_at(self, desk, method, path, body):
        """The answer, whatever it is, to what nobody at a desk sends."""
        client = Client(self.port, self.certs, desk, "")
        answer = client.request(method, path, body)
        client.close()
        return answer

    def do(self, terminal, method, path, body=None, officer="o1", **headers):
        """A step that nothing may refuse, with headers (`If_Match`); answers its message."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        client = Client(self.port, self.certs, terminal, officer)
        answer = client.must(method, path, body, {"Idempotency-Key": str(uuid.uuid4())} | sent)
        client.close()
        return answer.message or answer.text


def tell(gateway, story):
    """The whole story, day by day."""
    gateway.create()
    gateway.start(BEGINNING)
    story.beginning()
    gateway.stop()
    for day in DAYS:
        gateway.start(day)
        if day == DAYS[0]:
            story.first_day()
        gateway.do("city", "GET", story.path("main"), Tsunagi_Purpose="casework")
        if day == KEYS_ROTATED_ON:
            story.rotate_keys()
        if day:
            gateway.stop()
    story.last_day()
    story.look_around()


def contents(gateway, story, made_by):
    """What the gateway answers to everybody's questions, and what is needed to ask them again."""
    answers, refused = [], []
    for terminal, officer, path in story.questions():
        purpose = "serious_case_review" if terminal == "ministry" else "casework"
        asked = {"terminal": terminal, "officer": officer, "path": path, "purpose": purpose}
        answer = gateway.ask(**asked)
        if answer.status == 200:
            answers.append(asked | {"answer": what_stays(answer.message)})
        elif answer.status in (403, 404):
            refused.append(asked | {"status": answer.status, "code": answer.message["code"]})
        else:
            raise SystemExit(f"{terminal} {path}: {answer.status} {answer.text}")
    states = {answer["answer"]["state"] for answer in answers if answer["path"].startswith("/v1/transfers/")}
    if states != STATES:
        raise SystemExit(f"there are no transfers that are {STATES - states}")
    log = {"node": NODE, "origin": ORIGIN}
    log |= {name: gateway.do("city", "GET", f"/v1/ledger/{name}") for name in ("key", "checkpoint")}
    gateway.stop()
    log["entries"] = int(gateway.database.sql("SELECT COUNT(*) FROM ledger"))
    at = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "made": made_by | {"at": at}, "log": log, "terminals": gateway.terminals, "desk": story.desk,
        "second": story.second,
        "records": story.records, "transfers": story.transfers, "repeated": story.repeated, "files": story.files,
        "searches": what_stays(story.searches), "refused": refused, "answers": answers,
    }


def what_stays(value):
    """An answer without what is not kept. Of the centers of a notice, those that something is known of."""
    if isinstance(value, list):
        return [what_stays(one) for one in value if not (isinstance(one, dict) and set(one) == {"center"})]
    if isinstance(value, dict):
        return {name: what_stays(one) for name, one in value.items() if name not in NOT_KEPT}
    return value


def as_text(kept):
    """JSON with each element of a list on a line of its own, so that a change of one can be read."""
    def write(value):
        return json.dumps(value, ensure_ascii=False)
    members = []
    for name, value in kept.items():
        is_list = isinstance(value, list)
        text = "[\n" + ",\n".join(map(write, value)) + "\n]" if is_list else write(value)
        members.append(f"{write(name)}: {text}")
    return "{\n" + ",\n".join(members) + "\n}\n"


def keep(program, database_of, into, made_by):
    """Makes one store."""
    with tempfile.TemporaryDirectory() as directory:
        directory = Path(directory)
        gateway = Gateway(program, database_of(directory), directory)
        story = Story(gateway)
        try:
            tell(gateway, story)
            kept = contents(gateway, story, made_by)
        finally:
            gateway.stop()
        shutil.rmtree(into, ignore_errors=True)
        into.mkdir(parents=True)
        gateway.database.keep(into)
        for name in ("keyring.toml", "keyring.toml.shreds"):
            shutil.copyfile(directory / name, into / name)
        (into / "contents.json").write_text(as_text(kept))
    size = sum(file.stat().st_size for file in into.iterdir())
    print(f"{into}: {len(kept['records'])} records, {len(kept['answers'])} answers, {size // 1024} KiB")


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--program", type=Path, required=True)
    arguments.add_argument("--out", type=Path, required=True, help="a directory for the version, as tests/kept/2026-11")
    arguments.add_argument("--commit", help="of which the program was built; left out, the one that is checked out")
    chosen = arguments.parse_args()
    if not os.environ.get("TEST_POSTGRES"):
        raise SystemExit("run it under scripts/with_postgres.sh")
    program = chosen.program.resolve()

    def said(*words):
        return subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()
    commit = chosen.commit or said("git", "-C", str(ROOT), "rev-parse", "HEAD")
    made_by = {"program": said(program, "--version"), "commit": commit, "schema": SCHEMA}
    for database_of in (Sqlite, Postgres):
        keep(program, database_of, chosen.out / database_of.kind, made_by)


if __name__ == "__main__":
    main()
