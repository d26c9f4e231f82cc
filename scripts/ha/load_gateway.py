"""Two gateways behind HAProxy, and parties that register, view and search over mutual TLS through them.

Every answer is noted outside. In the end each acknowledged record must be in the database of the surviving primary, and
each ledger entry that an answer named must be in its ledger, which two witnesses vouch for.
"""

import http.client
import json
import subprocess
import time
import uuid
from pathlib import Path

import psycopg

from gateway_client import CITY, Client, connect_city, record_of, settings, somebody
from persons import opening_code

from .cluster import HOST, PATIENCE
from .load import Load
from .processes import Fault, NotYet, Process, until
from .witnesses import Witnesses


class Node:
    """One gateway, with its template in deploy/ha; what is not the witnesses' is overridden by the environment."""

    def __init__(self, number, program: Path, directory: Path, database, port, monitor):
        self.name, self.port, self.monitor = f"node-{number}", port, monitor
        self.config = directory / f"{self.name}.toml"  # its template, with the witnesses
        self.leaves = directory / f"{self.name}.leaves"
        self.environment = settings(
            port, monitor, database, directory / "keyring.toml", directory / f"{self.name}.snapshot", directory / "certs",
        )
        self.process = Process(
            self.name, [program, "serve", "--config", self.config], directory, environment=self.environment,
        )

    def is_ready(self):
        self.process.must_run()
        connection = http.client.HTTPConnection(HOST, self.monitor, timeout=5)
        try:
            connection.request("GET", "/readyz")
            answer = connection.getresponse()
            if answer.status != 200:
                raise NotYet(f"{answer.status} {answer.read().decode(errors='replace').strip()}")
            return True
        finally:
            connection.close()


class Gateways:
    """The premises, the two nodes and the two witnesses."""

    def __init__(self, program: Path, directory: Path, proxy, nodes, serving, witness_ports):
        self.program, self.directory, self.certs = program.resolve(), directory, directory / "certs"
        if not self.program.exists():
            raise Fault(f"{program}: no such program; build it (cargo build --release), or name one by --program")
        self.proxy = proxy
        self.nodes = [
            Node(number, self.program, directory, self.database("tsunagi_node"), port, monitor)
            for number, (port, monitor) in enumerate(nodes, 1)
        ]
        self.serving = self.nodes[:serving]
        self.witnesses = Witnesses(self.program, directory, witness_ports, proxy.cluster.pki)

    def database(self, user, port=None):
        """Where a role finds the database: through HAProxy, or at one member's port."""
        account = self.proxy.account(user)
        tls = f"sslmode=verify-full&sslrootcert={account['sslrootcert']}"
        if self.proxy.cluster.plain_gateway:
            tls = "sslmode=disable"
        return f"postgres://{account['user']}:{account['password']}@{HOST}:{port or self.proxy.port}/tsunagi?{tls}"

    def start(self):
        self.run("pki", "create", self.certs)
        serial = self.run("pki", "terminal", self.certs, "operator", "operator")
        desk = self.run("pki", "terminal", self.certs, "operator-desk", "operator")
        self.run("keys", "create", self.directory / "keyring.toml")
        self.run("migrate", environment={"OWNER_DATABASE": self.database("tsunagi_owner")})
        self._assert_least_privilege()
        for node in self.nodes:
            self.witnesses.write_config(node, self.run)
        first = self.nodes[0]
        printed = self.run("init", "--config", first.config, "--serial", serial, "--officer", "op1",
                           "--officer-name", "運用 担当", "--desk", desk, environment=first.environment)
        for node in self.serving:
            node.process.start()
        for node in self.serving:
            until(f"{node.name} to be ready", node.is_ready, PATIENCE)
        self.witnesses.start(self)
        until("HAProxy to lead to a gateway", self._leads, PATIENCE)
        self._connect_city(opening_code(printed))

    def _assert_least_privilege(self):
        """The nodes' login reads the ledger, and is refused whatever would change it."""
        attacks = ["UPDATE ledger SET body = body", "DELETE FROM ledger", "TRUNCATE ledger",
                   "ALTER TABLE ledger DISABLE TRIGGER ALL"]
        for attack in attacks:
            with psycopg.connect(**self.proxy.account("tsunagi_node")) as session:
                session.execute("SELECT count(*) FROM ledger")
                try:
                    session.execute(attack)
                except psycopg.errors.InsufficientPrivilege:
                    continue
            raise Fault(f"the nodes' login may do this: {attack}")

    def run(self, *words, environment=None):
        """One command of the program; answers what it printed."""
        done = subprocess.run([self.program, *map(str, words)], capture_output=True, text=True, timeout=PATIENCE,
                              env=environment, check=False)
        if done.returncode != 0:
            raise Fault(f"tsunagi {' '.join(map(str, words[:2]))}: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout.strip()

    def _leads(self):
        return self.client("operator", "op1").request("GET", "/v1/session").status == 200

    def _connect_city(self, code):
        serial = self.run("pki", "terminal", self.certs, "city", CITY)
        desk = self.run("pki", "terminal", self.certs, "city-desk", CITY)
        connect_city(self.client("operator-desk", None), code, self.client("city-desk", None), serial, desk)

    def client(self, certificate, officer, port=None):
        """A caller through HAProxy, or of the node at that port."""
        return Client(port or self.proxy.gateway_port, self.certs, certificate, officer)

    def end(self):
        for node in self.serving:
            node.process.stop()
        self.witnesses.end()


class GatewayLoad(Load):
    """Workers that register a child until it is acknowledged, then view the record, then search for the child."""

    def __init__(self, cluster, gateways, workers=6):
        super().__init__(workers)
        self.cluster, self.gateways = cluster, gateways
        self.records = []      # ids of acknowledged registrations
        self.entries = []      # ids of the ledger entries that answers named
        self.unaccounted = 0   # answers that disclosed and named no entry
        self.not_found = 0     # searches that did not show a record acknowledged before they began
        self.not_shown = 0     # views that did not show a record acknowledged before
        self.pending = {}      # keys of registrations without an answer, by worker
        self.keys_refused = 0  # calls under a key that were refused for good
        self.refused = {}      # other answers, by status and code

    def prepare(self):
        """The gateways are prepared; nothing more is needed."""

    def count(self):
        return len(self.records)

    def work(self, worker):
        client = self.gateways.client("city", "o1")
        while not self._stop.is_set():
            child = somebody()
            record = self._register(client, child, worker)
            if record:
                self._view(client, record)
                self._search(client, child, record)

    def _until_answered(self, client, wanted, *request):
        """Repeats one request, key and all, until the gateway says `wanted`; None once the load is stopped."""
        while not self._stop.is_set():
            began = time.monotonic()
            try:
                answer = client.request(*request)
            except OSError:
                self.failures += 1
                time.sleep(0.05)
                continue
            if answer.status == wanted:
                self.note_success(began)
                return answer
            self.failures += 1
            code = f"{answer.status} {answer.message.get('code', '')}".strip()
            with self._lock:
                self.refused[code] = self.refused.get(code, 0) + 1
            if answer.status < 500 and answer.status != 429:
                with self._lock:
                    self.keys_refused += "Idempotency-Key" in request[-1]
                return answer  # the same again would be refused again
            time.sleep(0.1)
        return None

    def _register(self, client, child, worker):
        self.pending[worker] = str(uuid.uuid4())
        headers = {"Content-Type": "application/xml", "Idempotency-Key": self.pending[worker]}
        body = record_of(child)
        answer = self._until_answered(client, 201, "POST", "/v1/records", body, headers)
        if answer is None:
            return None  # the load was stopped; it may have been done
        del self.pending[worker]
        if answer.status != 201:
            return None
        record = answer.message["record"]
        with self._lock:
            self.records.append(record)
            # A repeated registration names no entry again: it disclosed nothing.
            self.entries.extend(answer.entries)
        return record

    def _view(self, client, record):
        answer = self._until_answered(client, 200, "GET", f"/v1/records/{record}", None, {"Tsunagi-Purpose": "casework"})
        if answer is None:
            return
        if answer.status != 200 or answer.message.get("record") != record:
            with self._lock:
                self.not_shown += 1
            return
        self._note_disclosure(answer)

    def _search(self, client, child, record):
        body = {"purpose": "new_report", "case_reference": "HA-1", "child_name": child, "near_misses": "never"}
        answer = self._until_answered(client, 200, "POST", "/v1/searches", body, {"Idempotency-Key": str(uuid.uuid4())})
        if answer is None:
            return
        if answer.status != 200 or record not in answer.text:
            with self._lock:
                self.not_found += 1
        if answer.status == 200:
            self._note_disclosure(answer)

    def _note_disclosure(self, answer):
        with self._lock:
            self.entries.extend(answer.entries)
            self.unaccounted += not answer.entries

    def noted(self):
        return len(self.records)

    def lost(self, upto=None):
        """Acknowledged records that the primary does not have."""
        with self.cluster.primary().connect("tsunagi") as session:
            there = {str(row[0]) for row in session.execute("SELECT id FROM records")}
        return sum(record not in there for record in self.records[:upto])

    def verdict(self):
        with self.cluster.primary().connect("tsunagi") as session:
            ledger = {str(row[0]) for row in session.execute("SELECT id FROM ledger")}
            registered = {str(row[0]) for row in session.execute("SELECT id FROM records")}
            # Done and not acknowledged, as the load was stopped. Asked after the records: no such one is missing here.
            outcomes = session.execute(
                "SELECT outcome FROM idempotency WHERE idempotency_key = ANY(%s)", [list(self.pending.values())],
            ).fetchall()
        unanswered = {json.loads(outcome)["record"] for outcome, in outcomes}
        unwitnessed = self.gateways.witnesses.verdict()
        if self.refused:
            print(f"answers other than success: {self.refused}")
        print(f"ledger entries named by answers: {len(self.entries)}")
        twice = len(registered - set(self.records) - unanswered)
        return [
            ("acknowledged writes lost", self.lost(), 0),
            ("disclosures without entry", self.unaccounted + sum(entry not in ledger for entry in self.entries), 0),
            ("records registered twice", twice, 0),
            ("calls under a key that were refused", self.keys_refused, 0),
            ("acknowledged records not shown when viewed", self.not_shown, 0),
            ("acknowledged records not found by a later search", self.not_found, 0),
            ("ledgers that do not hold against both witnesses", unwitnessed, 0),
        ]
