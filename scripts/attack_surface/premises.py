"""A gateway process of its own, with a PKI, a keyring, organizations and a few records. Everything is synthetic."""

import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from client import Client, Reply

sys.path.append(str(Path(__file__).parents[1]))
import persons  # noqa: E402

ROOT = Path(__file__).parents[2]
WORK = ROOT / "target/attack-surface"
# Every kind of organization, with an officer of every role.
PARTIES = {"city": "122327", "center": "120006-04", "other-city": "172014", "ministry": "ministry"}
ROLES = ["viewer", "caseworker", "supervisor", "auditor", "user_administrator", "credential_manager"]
OFFICER = "o1"

# Where the premises of this run are made, and stay to be looked at.
kept_in = "premises"

# The cases must reach the code behind the allowances.
GENEROUS = """
[search]
officer_per_hour = 100000000
officer_burst = 100000000
organization_per_hour = 100000000
organization_burst = 100000000
[limits]
terminal_per_second = 1000000
terminal_burst = 1000000
officer_per_second = 1000000
officer_burst = 1000000
sign_ins_per_hour = 1000000
"""


def binary() -> Path:
    return Path(os.environ.get("TSUNAGI_BIN", ROOT / "target/release/tsunagi"))


def environment() -> dict[str, str]:
    """Ours, less what the gateway would take for its configuration."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TSUNAGI_")}
    return {**kept, "RUST_LOG": "warn"}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@dataclass
class Party:
    """Somebody with a certificate and an officer."""

    name: str
    code: str
    officer: str
    client: Client


class Premises:
    """Made anew for each source, so that no source meets what another left."""

    def __init__(self, name: str, limits: str = GENEROUS, further_ca: str = "") -> None:
        self.directory = WORK / kept_in / name
        subprocess.run(["rm", "-rf", self.directory], check=True)
        self.directory.mkdir(parents=True)
        self.certs = self.directory / "certs"
        self.port, self.monitor = free_port(), free_port()
        self.log = self.directory / "gateway.log"
        self.process: subprocess.Popen | None = None
        self.run("pki", "create", self.certs)
        if further_ca:
            with (self.certs / "ca.crt").open("a", encoding="ascii") as file:
                file.write(further_ca)
        serial = self.run("pki", "terminal", self.certs, "operator", "operator")
        self.config = self.directory / "tsunagi.toml"
        self.config.write_text(
            f'node = "node-1"\nlog_origin = "localhost/log/node-1"\nlisten = "127.0.0.1:{self.port}"\n'
            f'monitor_listen = "127.0.0.1:{self.monitor}"\ndatabase = "sqlite:{self.directory}/tsunagi.db"\n'
            f'keyring = "{self.directory}/keyring.toml"\n{limits}\n[tls]\ncertificate = "{self.certs}/server.crt"\n'
            f'key = "{self.certs}/server.key"\nclient_ca = "{self.certs}/ca.crt"\n'
            f'revocation_list = "{self.certs}/crl.pem"\n',
            encoding="utf-8",
        )
        desk = self.run("pki", "terminal", self.certs, "operator-desk", "operator")
        printed = self.run(
            "init", "--config", self.config, "--serial", serial, "--officer", "op1", "--officer-name", "運用 担当",
            "--desk", desk,
        )
        self.start()
        self.chair = persons.enrol_operators(self.sender("operator-desk"), persons.opening_code(printed))[0]
        self.operator = Party("operator", "operator", "op1", self.client("operator", "op1"))
        self.parties = {"operator": self.operator}
        for party, code in PARTIES.items():
            self.connect(party, code)

    def run(self, *arguments: object) -> str:
        command = [str(binary()), *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, env=environment())
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(command)}: {done.stderr}")
        return done.stdout.strip()

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [str(binary()), "serve", "--config", str(self.config)], stderr=log, stdout=log, env=environment()
            )
        for _ in range(600):
            if self.is_ready():
                return
            if self.process.poll() is not None:
                break
            time.sleep(0.05)
        raise RuntimeError(f"the gateway does not start: see {self.log}")

    def stop(self) -> None:
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def __enter__(self) -> "Premises":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def is_alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def monitor_says(self, path: str, patience: float = 5.0) -> str | None:
        try:
            with socket.create_connection(("127.0.0.1", self.monitor), timeout=patience) as stream:
                stream.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
                answer = b""
                while chunk := stream.recv(65536):
                    answer += chunk
        except OSError:
            return None
        return answer.decode(errors="replace")

    def is_ready(self) -> bool:
        answer = self.monitor_says("/readyz")
        return answer is not None and " 200 " in answer.split("\r\n", 1)[0]

    def resident_bytes(self) -> int:
        assert self.process
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        line = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
        return int(line.split()[1]) * 1024

    def panics(self) -> list[str]:
        """A panic of one task ends no process: it is in the log alone."""
        text = self.log.read_text(encoding="utf-8", errors="replace")
        return [line[:200] for line in text.splitlines() if "panicked at" in line]

    def certificate(self, name: str) -> tuple[str, str]:
        return str(self.certs / f"{name}.crt"), str(self.certs / f"{name}.key")

    def own_ca(self) -> str:
        """The gateway's own CA alone: what else may sign terminals does not sign gateways."""
        end = "-----END CERTIFICATE-----\n"
        return (self.certs / "ca.crt").read_text(encoding="ascii").split(end)[0] + end

    def client(self, name: str, officer: str | None, port: int | None = None) -> Client:
        return Client(port or self.port, self.own_ca(), self.certificate(name), officer)

    def clients(self, port: int | None = None) -> dict[str, Client]:
        """Every party's client, for the gateway or for what stands before it."""
        return {name: self.client(name, party.officer, port) for name, party in self.parties.items()}

    def sender(self, desk: str):
        """How persons send from a desk."""
        client = self.client(desk, None)
        return lambda method, path, message, headers: expect(client.send(method, path, message or b"", headers)).json()

    def connect(self, name: str, code: str) -> None:
        desk = self.run("pki", "terminal", self.certs, f"{name}-desk", code)
        serial = self.run("pki", "terminal", self.certs, name, code)
        terminals = [(desk, "desk", f"{name} 窓口"), (serial, "machine", f"{name} 業務システム")]
        sender = self.sender(f"{name}-desk")
        first = persons.open_body(self.chair, sender, code, f"{name} 03-0000-0000", terminals)
        persons.appoint(first, OFFICER, "架空 職員", ROLES)
        self.parties[name] = Party(name, code, OFFICER, self.client(name, OFFICER))

    def register(self, party: str = "city") -> str:
        body = (ROOT / "schemas/example_full.xml").read_bytes()
        reply = self.parties[party].client.post("/v1/records", body, {"Content-Type": "application/xml"})
        return expect(reply).json()["record"]


def expect(reply: Reply) -> Reply:
    if not 200 <= reply.status < 300:
        raise RuntimeError(f"{reply.status}: {reply.body[:500]!r}")
    return reply
