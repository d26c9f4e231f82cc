"""The gateway as the writer of restore_test.py: parties register and view records through its API over mutual TLS.

What an answer promised is noted outside: each acknowledged record, each ledger entry that an answer named, and the newest
signed checkpoint. All of it must be in the restored database, and a gateway must serve it.
"""

import http.client
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import threading
import time
import uuid
from pathlib import Path

from gateway_client import CITY, HOST, Client, connect_city, record_of, settings, somebody
from persons import opening_code

DEPLOY = Path(__file__).resolve().parent.parent / "deploy"
# Nothing here needs longer; what does, hangs.
PATIENCE = 600


class Failed(Exception):
    """What must not happen, happened."""


def free_port():
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return probe.getsockname()[1]


class Gateway:
    """A node with its template in deploy/ha, and what its operator keeps apart from it: keyring and certificates."""

    def __init__(self, cluster, program):
        self.cluster, self.program = cluster, program
        self.kept = cluster.directory / "kept"
        self.state = cluster.directory / "gateway"
        self.certs = self.kept / "certs"
        self.process, self.port = None, None
        self.kept.mkdir()
        # Its template without the witnesses, whose keys are not there: they are not what is tried here.
        self.config = self.kept / "node-1.toml"
        sections = re.split(r"^(?=\[)", (DEPLOY / "ha" / "node-1.toml").read_text(), flags=re.MULTILINE)
        self.config.write_text("".join(part for part in sections if not part.startswith("[[ledger.witnesses]]")))

    def database(self, role):
        return f"postgres://{role}@localhost:{self.cluster.port}/tsunagi?host={self.cluster.socket}"

    def environment(self):
        kept = settings(
            self.port, self.monitor, self.database("tsunagi_node"), self.kept / "keyring.toml", self.state / "snapshot",
            self.certs,
        )
        # The gateway refuses settings that it does not know, and those of whoever runs this are not meant.
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("TSUNAGI_")}
        return inherited | kept

    def run(self, *words, environment=None):
        """One command of the program; answers what it printed."""
        done = subprocess.run([self.program, *map(str, words)], capture_output=True, text=True, timeout=PATIENCE,
                              env=environment, check=False)
        if done.returncode != 0:
            raise Failed(f"tsunagi {' '.join(map(str, words[:2]))}: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout.strip()

    def make(self):
        """The database and its roles, keyring, certificates, and one city."""
        self.cluster.psql("CREATE DATABASE tsunagi ENCODING 'UTF8' TEMPLATE template0")
        self.cluster.psql((DEPLOY / "postgres" / "roles.sql").read_text(), database="tsunagi")
        self.run("pki", "create", self.certs)
        serial = self.run("pki", "terminal", self.certs, "operator", "operator")
        operator_desk = self.run("pki", "terminal", self.certs, "operator-desk", "operator")
        machine = self.run("pki", "terminal", self.certs, "city", CITY)
        desk = self.run("pki", "terminal", self.certs, "city-desk", CITY)
        self.run("keys", "create", self.kept / "keyring.toml")
        self.run("migrate", environment={"OWNER_DATABASE": self.database("tsunagi_owner")})
        self._new_ports()
        self.state.mkdir()
        printed = self.run("init", "--config", self.config, "--serial", serial, "--officer", "op1",
                           "--officer-name", "運用 担当", "--desk", operator_desk, environment=self.environment())
        self.start()
        desks = self.client("operator-desk", None), opening_code(printed), self.client("city-desk", None)
        connect_city(*desks, machine, desk)
        (self.kept / "log.vkey").write_text(self.city().must("GET", "/v1/ledger/key").text)

    def client(self, certificate, officer):
        return Client(self.port, self.certs, certificate, officer)

    def city(self):
        return self.client("city", "o1")

    def _new_ports(self):
        self.port, self.monitor = free_port(), free_port()

    def start(self):
        """Starts it and waits until it serves. Answers how long that took."""
        began = time.monotonic()
        self._new_ports()
        self.state.mkdir(exist_ok=True)
        with (self.cluster.directory / "log" / "gateway.log").open("a") as log:
            self.process = subprocess.Popen([self.program, "serve", "--config", str(self.config)], stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log, env=self.environment())
        seen = "nothing"
        while time.monotonic() < began + 120:
            if self.process.poll() is not None:
                raise Failed("the gateway ended when it was started")
            try:
                connection = http.client.HTTPConnection(HOST, self.monitor, timeout=5)
                connection.request("GET", "/readyz")
                answer = connection.getresponse()
                seen = f"{answer.status} {answer.read().decode(errors='replace').strip()}"
                if answer.status == 200:
                    return time.monotonic() - began
            except (OSError, http.client.HTTPException) as error:
                seen = repr(error)
            finally:
                connection.close()
            time.sleep(0.05)
        raise Failed(f"the gateway does not serve: /readyz {seen}")

    def kill(self):
        """The machine of the gateway is gone as well, with all that it wrote."""
        if self.process:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
            self.process = None
        shutil.rmtree(self.state, ignore_errors=True)

    def verify(self, checkpoints):
        """What `tsunagi ledger verify` says of the database and signed checkpoints; None where all is so."""
        words = ["ledger", "verify", "--key", self.kept / "log.vkey", "--database", self.database("tsunagi_node")]
        for number, checkpoint in enumerate(checkpoints):
            file = self.kept / f"checkpoint-{number}.txt"
            file.write_text(checkpoint)
            words += ["--checkpoint", file]
        try:
            self.run(*words)
        except Failed as refuted:
            return str(refuted)
        return None


class GatewayLoad:
    """Workers that register a child until it is acknowledged, then view the record; and one that fetches checkpoints."""

    def __init__(self, cluster, program, workers):
        self.cluster, self.gateway, self.workers = cluster, Gateway(cluster, program), workers
        self.acknowledged = []  # ids of records
        self.entries = []       # ids of ledger entries that answers named
        self.heads = []         # the newest checkpoint of each round: size, text
        self.unaccounted = 0    # records shown by an answer that named no entry
        self.pending = {}       # registrations that were on their way at the blow: key and body, of each worker
        self.refused = {}       # answers other than success, by status and code
        self.newest, self.threads = None, []
        self.lock, self.over = threading.Lock(), threading.Event()
        self.entries_missing = self.heads_missing = self.twice = 0

    def prepare(self, megabytes):
        self.cluster.fill(megabytes)
        self.gateway.make()

    def begin(self, _round_number):
        self.over.clear()
        self.newest = None
        workers = [threading.Thread(target=self._work, args=(worker,)) for worker in range(self.workers)]
        self.threads = [*workers, threading.Thread(target=self._fetch_checkpoints)]
        for thread in self.threads:
            thread.start()

    def end(self):
        self.gateway.kill()
        self.over.set()
        for thread in self.threads:
            thread.join(PATIENCE)
        self.threads = []
        if self.newest is None:
            raise Failed("no checkpoint was fetched: the round shows nothing")
        self.heads.append(self.newest)

    def _work(self, worker):
        client = self.gateway.city()
        while not self.over.is_set():
            record = self._register(client, worker)
            if record:
                self._view(client, record)
        client.close()

    def _until_answered(self, client, wanted, *request):
        """Repeats one request until the gateway says `wanted`; None once the round is over."""
        while not self.over.is_set():
            try:
                answer = client.request(*request)
            except OSError:
                time.sleep(0.02)
                continue
            if answer.status == wanted:
                return answer
            with self.lock:
                code = f"{answer.status} {answer.message.get('code', '')}".strip()
                self.refused[code] = self.refused.get(code, 0) + 1
            time.sleep(0.05)
        return None

    def _register(self, client, worker):
        # What was on its way at the last blow comes first, under its key: done or not, it is done once.
        if worker not in self.pending:
            self.pending[worker] = str(uuid.uuid4()), record_of(somebody())
        key, body = self.pending[worker]
        headers = {"Content-Type": "application/xml", "Idempotency-Key": key}
        answer = self._until_answered(client, 201, "POST", "/v1/records", body, headers)
        if answer is None:
            return None
        del self.pending[worker]
        record = answer.message["record"]
        with self.lock:
            self.acknowledged.append(record)
            self.entries.extend(answer.entries)
        return record

    def _view(self, client, record):
        purpose = {"Tsunagi-Purpose": "casework"}
        answer = self._until_answered(client, 200, "GET", f"/v1/records/{record}", None, purpose)
        if answer is not None:
            self._note_view(answer)

    def _note_view(self, answer):
        with self.lock:
            self.entries.extend(answer.entries)
            self.unaccounted += not answer.entries

    def _fetch_checkpoints(self):
        client = self.gateway.city()
        while not self.over.is_set():
            answer = self._until_answered(client, 200, "GET", "/v1/ledger/checkpoint")
            if answer is not None:
                size = int(answer.text.splitlines()[1])
                if self.newest is None or size >= self.newest[0]:
                    self.newest = size, answer.text
            time.sleep(0.02)
        client.close()

    def lost(self):
        """Acknowledged records without a row. Counts entries and heads that are not there as well."""
        records, ledger = self._ids("records"), self._ids("ledger")
        self.entries_missing = sum(entry not in ledger for entry in self.entries)
        self.twice = len(records - set(self.acknowledged) - self._done_unanswered())
        self.heads_missing = 0
        if self.gateway.verify([text for _, text in self.heads]):
            # Which of them it is, and why.
            for size, text in self.heads:
                if said := self.gateway.verify([text]):
                    self.heads_missing += 1
                    print(f"  head of {size} entries: {said}", flush=True)
            self.heads_missing = self.heads_missing or len(self.heads)
        print(
            f"  {len(self.entries)} ledger entries named, {self.entries_missing} missing; newest head noted: "
            f"{self.heads[-1][0]} of {len(ledger)} entries; heads {len(self.heads)}, not there {self.heads_missing}; "
            f"registered twice {self.twice}; views that named no entry {self.unaccounted}",
            flush=True,
        )
        return [record for record in self.acknowledged if record not in records]

    def _ids(self, table):
        return set(self.cluster.psql(f"SELECT id FROM {table}", database="tsunagi").splitlines())

    def _done_unanswered(self):
        """Records of the registrations that were on their way at the blow, where they were done."""
        keys = ", ".join(f"'{key}'" for key, _ in self.pending.values())
        sql = f"SELECT outcome::json ->> 'record' FROM idempotency WHERE idempotency_key IN ({keys or 'NULL'})"
        return set(self.cluster.psql(sql, database="tsunagi").splitlines())

    def faults(self):
        counts = {
            "entries missing": self.entries_missing, "heads not there": self.heads_missing,
            "registered twice": self.twice, "views that named no entry": self.unaccounted,
        }
        return [f"{what}: {number}" for what, number in counts.items() if number]

    def resume(self):
        """A gateway serves what was restored: acknowledged records, the last one among them, are shown."""
        seconds = self.gateway.start()
        client = self.gateway.city()
        shown = [self.acknowledged[-1], *random.sample(self.acknowledged, min(4, len(self.acknowledged)))]
        for record in shown:
            answer = client.must("GET", f"/v1/records/{record}", headers={"Tsunagi-Purpose": "casework"}, patience=0)
            if answer.message.get("record") != record:
                raise Failed(f"a view of {record} does not show it: {answer.text[:200]}")
            self._note_view(answer)
        client.close()
        if missing := set(self.entries) - self._ids("ledger"):
            raise Failed(f"the gateway named entries that are not in the ledger: {len(missing)}")
        print(f"  the gateway serves after {seconds:.1f} s and showed {len(shown)} acknowledged records", flush=True)

    def said(self):
        refused = f"; answers other than success: {self.refused}" if self.refused else ""
        return (
            f"lost 0; ledger entries named {len(self.entries)}, missing {self.entries_missing}; signed "
            f"heads {len(self.heads)}, not there {self.heads_missing}; registered twice {self.twice}{refused}"
        )

    def stop(self):
        self.over.set()
        self.gateway.kill()
        for thread in self.threads:
            thread.join(PATIENCE)
