"""The database of the test: etcd, three members of PostgreSQL under Patroni, and HAProxy in front of them.

Each reads its template in deploy/ha; only addresses, paths and what cannot be on one machine (the watchdog) are changed.
"""

import copy
import json
import os
import secrets
import signal
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import psutil
import psycopg
import yaml

from .processes import Fault, NotYet, Process, database_user, give_to_database, until

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
HOST = "127.0.0.1"
MEMBERS = 3
STREAMS = "SELECT application_name, state, sync_state FROM pg_stat_replication"
PATIENCE = 120  # seconds for anything that should take a few, on a machine that is busy with other things


class Pki:
    """A CA for the inside of the database cluster, and one certificate that serves every member on this machine."""

    def __init__(self, directory: Path):
        directory.mkdir()
        self.ca, self.certificate, self.key = (directory / name for name in ("ca.crt", "member.crt", "member.key"))
        ca_key, request, extensions = (directory / name for name in ("ca.key", "member.csr", "member.ext"))
        extensions.write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\nextendedKeyUsage=serverAuth,clientAuth\n")
        new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-batch"]
        for command in (
            ["req", "-x509", *new_key, "-days", "2", "-subj", "/CN=HA test CA", "-keyout", ca_key, "-out", self.ca],
            ["req", *new_key, "-subj", "/CN=member", "-keyout", self.key, "-out", request],
            ["x509", "-req", "-in", request, "-CA", self.ca, "-CAkey", ca_key, "-CAcreateserial", "-days", "2",
             "-extfile", extensions, "-out", self.certificate],
        ):
            subprocess.run(["openssl", *map(str, command)], check=True, capture_output=True, timeout=60)
        for key in (ca_key, self.key):
            key.chmod(0o600)
        give_to_database(directory, *directory.iterdir())

    def context(self):
        """For asking etcd and Patroni: trusts this CA, and shows the member's certificate."""
        context = ssl.create_default_context(cafile=self.ca)
        context.load_cert_chain(self.certificate, self.key)
        return context


class Etcd:
    """One member of etcd."""

    def __init__(self, number, peers, client_port, directory: Path, pki: Pki):
        self.endpoint = f"{HOST}:{client_port}"
        name = f"etcd-{number}"
        config = yaml.safe_load((DEPLOY / "ha/etcd.conf.yml").read_text())
        peer = f"https://{HOST}:{peers[number - 1]}"
        config |= {
            "name": name,
            "data-dir": str(directory / f"{name}.data"),
            "listen-client-urls": f"https://{self.endpoint}",
            "advertise-client-urls": f"https://{self.endpoint}",
            "listen-peer-urls": peer,
            "initial-advertise-peer-urls": peer,
            "initial-cluster": ",".join(f"etcd-{n}=https://{HOST}:{port}" for n, port in enumerate(peers, 1)),
        }
        for security in ("client-transport-security", "peer-transport-security"):
            config[security] |= {
                "cert-file": str(pki.certificate), "key-file": str(pki.key), "trusted-ca-file": str(pki.ca),
            }
        file = directory / f"{name}.yml"
        file.write_text(yaml.safe_dump(config))
        self.process = Process(name, ["etcd", "--config-file", file], directory, database_user())


class Member:
    """One member: Patroni, and the PostgreSQL that it starts."""

    def __init__(self, number, cluster: "Cluster", port, rest_port):
        self.name, self.port, self.rest_port = f"pg-{number}", port, rest_port
        self.pki, self.secrets = cluster.pki, cluster.secrets
        self.etcd = cluster.etcd[number - 1]  # the one on the same machine
        self.directory = cluster.directory / self.name
        self.directory.mkdir()
        self.data = self.directory / "data"
        file = self.directory / "patroni.yml"
        file.write_text(yaml.safe_dump(self._config(cluster)))
        give_to_database(self.directory, file)
        launcher = [cluster.launcher] if cluster.short_lease else ["-m", "patroni"]
        self.patroni = Process(
            self.name, [sys.executable, *launcher, file], cluster.directory, database_user(),
            {f"PATRONI_{name}": value for name, value in cluster.secrets.items()},
        )

    def _config(self, cluster):
        config = copy.deepcopy(cluster.template)
        tls = {"cafile": str(self.pki.ca), "certfile": str(self.pki.certificate), "keyfile": str(self.pki.key)}
        rest = f"{HOST}:{self.rest_port}"
        config["name"] = self.name
        config["restapi"] |= tls | {"listen": rest, "connect_address": rest}
        config["ctl"] |= {"cacert": tls["cafile"], "certfile": tls["certfile"], "keyfile": tls["keyfile"]}
        config["etcd3"] |= {
            "hosts": [etcd.endpoint for etcd in cluster.etcd],
            "cacert": tls["cafile"], "cert": tls["certfile"], "key": tls["keyfile"],
        }
        postgresql = config["postgresql"]
        postgresql |= {
            "listen": f"{HOST}:{self.port}",
            "connect_address": f"{HOST}:{self.port}",
            "data_dir": str(self.data),
            "pgpass": str(self.directory / "pgpass"),
        }
        for account in postgresql["authentication"].values():
            account["sslrootcert"] = tls["cafile"]
        postgresql["parameters"] |= {
            "unix_socket_directories": str(self.directory),
            "ssl_ca_file": tls["cafile"], "ssl_cert_file": tls["certfile"], "ssl_key_file": tls["keyfile"],
        }
        postgresql["pg_hba"] = [rule.replace("192.0.2.0/24", f"{HOST}/32") for rule in postgresql["pg_hba"]]
        if cluster.plain_gateway:
            # A gateway that was built without TLS towards PostgreSQL: through loopback alone.
            postgresql["pg_hba"] += [
                f"host tsunagi {role} {HOST}/32 scram-sha-256" for role in ("tsunagi_owner", "tsunagi_node")
            ]
        # One machine has one watchdog, and it would end the test's machine.
        config["watchdog"]["mode"] = "off"
        return config

    def is_primary(self):
        """What HAProxy asks as well."""
        try:
            url = f"https://{HOST}:{self.rest_port}/primary"
            with urllib.request.urlopen(url, timeout=3, context=self.pki.context()) as answer:
                return answer.status == 200
        except urllib.error.HTTPError:
            return False
        except OSError:
            return False

    def connect(self, database="postgres"):
        """A superuser's session with this member, not through HAProxy."""
        return psycopg.connect(
            host=HOST, port=self.port, dbname=database, user="postgres",
            password=self.secrets["SUPERUSER_PASSWORD"], sslmode="verify-ca", sslrootcert=str(self.pki.ca),
            connect_timeout=5, autocommit=True,
        )

    def standbys(self):
        """How many standbys this member sends to."""
        with self.connect() as session:
            return session.execute("SELECT count(*) FROM pg_stat_replication").fetchone()[0]

    def postgres_processes(self):
        """The postmaster and its children, the postmaster first; empty where none runs."""
        try:
            postmaster = psutil.Process(int((self.data / "postmaster.pid").read_text().split()[0]))
            if str(self.data) not in " ".join(postmaster.cmdline()):
                return []
            return [postmaster, *postmaster.children()]
        except (OSError, ValueError, IndexError, psutil.NoSuchProcess):
            return []

    def kill(self, whole_machine):
        """Ends Patroni and the postmaster by SIGKILL; with the whole machine, all of PostgreSQL and its etcd too.

        Answers when: the moment before the first signal, and the moment when no process of it was left.
        """
        family = self.postgres_processes()
        if not family:
            raise Fault(f"{self.name}: there is no PostgreSQL to kill")
        victims = family if whole_machine else family[:1]
        killed = time.monotonic()
        os.kill(self.patroni.child.pid, signal.SIGKILL)
        for victim in victims:
            try:
                victim.send_signal(signal.SIGKILL)
            except psutil.NoSuchProcess:
                pass
        if whole_machine:
            self.etcd.process.kill()
        self.patroni.kill()
        gone = lambda: not any(process.is_running() for process in family)
        until(f"the orphans of {self.name} to end", gone, 60, every=0.005)
        return killed, time.monotonic()

    def restart(self):
        if not self.etcd.process.is_running():
            self.etcd.process.start()
        self.patroni.start()

    def hold_back_replication(self):
        """Freezes what sends to the standbys, so that they fall behind."""
        senders = [child for child in self.postgres_processes() if "walsender" in " ".join(child.cmdline())]
        if not senders:
            raise Fault(f"{self.name} sends to no standby")
        for sender in senders:
            sender.suspend()

    def end(self):
        """No ceremony: the data is thrown away."""
        self.patroni.kill()
        for process in self.postgres_processes():
            try:
                process.kill()
            except psutil.NoSuchProcess:
                pass


class Cluster:
    """etcd and the three members, from nothing to a whole quorum."""

    def __init__(
        self, directory: Path, ports, *, synchronous=True, short_lease=True, plain_gateway=False, overrides=None,
    ):
        self.directory = directory
        self.synchronous, self.short_lease, self.plain_gateway = synchronous, short_lease, plain_gateway
        self.pki = Pki(directory / "tls")
        self.secrets = {name: secrets.token_urlsafe(18) for name in (
            "SUPERUSER_PASSWORD", "REPLICATION_PASSWORD", "REWIND_PASSWORD", "RESTAPI_PASSWORD",
        )} | {"RESTAPI_USERNAME": "patroni"}
        # A copy: the database's user need not be able to look into the checkout.
        self.launcher = directory / "patroni_node.py"
        self.launcher.write_text((DEPLOY / "ha/patroni_node.py").read_text())
        self.role_password = secrets.token_urlsafe(18)
        self.template = yaml.safe_load((DEPLOY / "ha/patroni.yml").read_text())
        dynamic = self.template["bootstrap"]["dcs"]
        dynamic |= overrides or {}
        if not synchronous:
            # The planted defect: what is acknowledged is on one machine only, and a standby that lags may lead.
            dynamic |= {"synchronous_mode": "off", "synchronous_mode_strict": False, "maximum_lag_on_failover": 1 << 30}
        peers = [ports.take() for _ in range(MEMBERS)]
        self.etcd = [Etcd(number, peers, ports.take(), directory, self.pki) for number in range(1, MEMBERS + 1)]
        self.members = [Member(number, self, ports.take(), ports.take()) for number in range(1, MEMBERS + 1)]

    def start(self):
        for etcd in self.etcd:
            etcd.process.start()
        until("etcd to elect a leader", self._etcd_is_healthy, PATIENCE)
        first, *others = self.members
        # The first makes the database, the others copy it: started together they would only race for it.
        first.patroni.start()
        until("the first member to become primary", lambda: first.patroni.must_run() and first.is_primary(), PATIENCE)
        for member in others:
            member.patroni.start()
        self.wait_until_whole()

    def _etcd_is_healthy(self):
        for etcd in self.etcd:
            etcd.process.must_run()
            url = f"https://{etcd.endpoint}/health"
            with urllib.request.urlopen(url, timeout=5, context=self.pki.context()) as answer:
                if json.load(answer).get("health") != "true":
                    raise NotYet(f"{url} is not healthy")
        return True

    def primary(self):
        """The member that leads."""
        return until("a primary", lambda: next((m for m in self.members if m.is_primary()), None), PATIENCE)

    def wait_until_whole(self):
        """Until a primary streams to both others, and (unless asynchronous) any one of them must have each commit."""
        until("the quorum to be whole", self._is_whole, PATIENCE, every=0.3)

    def _is_whole(self):
        for member in self.members:
            member.patroni.must_run()
        primary = next((member for member in self.members if member.is_primary()), None)
        if primary is None:
            raise NotYet("no primary")
        try:
            with primary.connect() as session:
                rule = session.execute("SHOW synchronous_standby_names").fetchone()[0]
                streams = session.execute(STREAMS).fetchall()
        except psycopg.Error as error:
            raise NotYet(str(error)) from error
        others = {member.name for member in self.members if member is not primary}
        streaming = {name for name, state, sync in streams
                     if state == "streaming" and (sync == "quorum" or not self.synchronous)}
        as_wanted = rule.startswith("ANY 1 (") and all(name in rule for name in others) if self.synchronous else not rule
        if streaming != others or not as_wanted:
            raise NotYet(f"primary {primary.name}, rule {rule!r}, standbys {streams}")
        return True

    def prepare_database(self):
        """The database and its roles, from deploy/postgres/roles.sql."""
        with self.primary().connect() as session:
            session.execute("CREATE DATABASE tsunagi ENCODING 'UTF8' TEMPLATE template0")
        with self.primary().connect("tsunagi") as session:
            session.execute((DEPLOY / "postgres/roles.sql").read_text())
            for role in ("tsunagi_owner", "tsunagi_node"):
                session.execute(f"ALTER ROLE {role} PASSWORD '{self.role_password}'")

    def versions(self):
        with self.primary().connect() as session:
            postgresql = session.execute("SHOW server_version").fetchone()[0]
        url = f"https://{HOST}:{self.primary().rest_port}/patroni"
        with urllib.request.urlopen(url, timeout=5, context=self.pki.context()) as answer:
            patroni = json.load(answer)["patroni"]["version"]
        return f"PostgreSQL {postgresql}, Patroni {patroni}"

    def end(self):
        for member in self.members:
            member.end()
        for etcd in self.etcd:
            etcd.process.kill()


class Proxy:
    """HAProxy in front of the database and of the gateways, with the template as it stands."""

    def __init__(self, cluster: Cluster, ports, nodes):
        self.port, self.gateway_port = ports.take(), ports.take()
        environment = {
            "HA_CA": str(cluster.pki.ca),
            "HA_POSTGRESQL_BIND": f"{HOST}:{self.port}",
            "HA_GATEWAY_BIND": f"{HOST}:{self.gateway_port}",
        }
        for number, member in enumerate(cluster.members, 1):
            environment[f"HA_PG_{number}"] = f"{HOST}:{member.port}"
            environment[f"HA_PATRONI_PORT_{number}"] = str(member.rest_port)
        for number, (port, monitor) in enumerate(nodes, 1):
            environment[f"HA_NODE_{number}"] = f"{HOST}:{port}"
            environment[f"HA_MONITOR_PORT_{number}"] = str(monitor)
        program = "/usr/sbin/haproxy" if Path("/usr/sbin/haproxy").exists() else "haproxy"
        self.process = Process(
            "haproxy", [program, "-db", "-f", DEPLOY / "ha/haproxy.cfg"], cluster.directory, environment=environment,
        )
        self.cluster = cluster

    def start(self):
        self.process.start()
        until("HAProxy to lead to the primary", self._leads, PATIENCE)

    def _leads(self):
        self.process.must_run()
        # Until its first checks are through, HAProxy takes every member for a primary: one answer proves nothing.
        try:
            for _ in range(2 * MEMBERS):
                with psycopg.connect(**self.account()) as session:
                    if session.execute("SELECT pg_is_in_recovery()").fetchone()[0]:
                        raise NotYet("it led to a standby")
        except psycopg.Error as error:
            raise NotYet(str(error)) from error
        return True

    def account(self, user="tsunagi_owner"):
        """How the owner of the tables, or a node, connects through HAProxy."""
        return {
            "host": HOST, "port": self.port, "dbname": "tsunagi", "user": user,
            "password": self.cluster.role_password, "sslmode": "verify-full", "sslrootcert": str(self.cluster.pki.ca),
            "connect_timeout": 3, "autocommit": True,
        }
