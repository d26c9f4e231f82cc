"""Two witnesses of the nodes' ledgers, the ministry and a child guidance center, and what they vouch for in the end.

Each is a process with a key, a CA and a state directory of its own, from its template in deploy/ha. The nodes are asked
what both cosigned, and the surviving primary is held against it offline.
"""

import base64
import json
import re
import time
import tomllib
from pathlib import Path

from .cluster import DEPLOY, HOST, PATIENCE, Pki
from .processes import Fault, NotYet, Process, until

NAMES = ("ministry", "cgc")
CATCH_UP_SECONDS = 60  # in which both must have signed what the ledger holds: a checkpoint comes every five
VERIFIED = re.compile(r"^verified: all (\d+) entries of node ([^,]+), ", re.MULTILINE)
WITNESSED = re.compile(r"^witnessed: the first (\d+) entries, by (.*)$", re.MULTILINE)


def template(name):
    """A file of deploy/ha, read."""
    return tomllib.loads((DEPLOY / "ha" / name).read_text())


def to_toml(config, within=""):
    """Text of a configuration; strings, numbers and lists of them are written alike in JSON and TOML."""
    lines, tables = [], []
    for key, value in config.items():
        if isinstance(value, dict):
            tables.append(f"[{within}{key}]\n{to_toml(value, f'{within}{key}.')}")
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            tables.extend(f"[[{within}{key}]]\n{to_toml(item, f'{within}{key}.')}" for item in value)
        else:
            lines.append(f"{key} = {json.dumps(value)}\n")
    return "".join(lines) + "\n" + "".join(tables)


class Note:
    """A checkpoint as it came: the log's name, the size of its tree, and whose signatures stand under it."""

    def __init__(self, text):
        self.text = text
        self.origin, size = text.splitlines()[:2]
        self.size = int(size)

    def age(self):
        """Seconds since the first witness signed: the time stands between the key's 4 bytes and Ed25519's 64."""
        signatures = (base64.b64decode(line.split()[-1]) for line in self.text.splitlines() if line.startswith("— "))
        return time.time() - min(int.from_bytes(raw[4:12]) for raw in signatures if len(raw) == 4 + 8 + 64)


class Witness:
    """One witness. Its configuration is written once the nodes' logs have told their keys."""

    def __init__(self, name, port, program: Path, directory: Path, gateway_ca: Path):
        self.name, self.url = f"witness-{name}", f"https://{HOST}:{port}"
        self.directory = directory / self.name
        self.pki = Pki(self.directory)
        self.state = self.directory / "state"
        self.state.mkdir()
        self.key = self.directory / "witness.key"
        self.file = self.directory / "witness.toml"
        self.config = template(f"{self.name}.toml") | {
            "listen": f"{HOST}:{port}", "state": str(self.state), "key": str(self.key),
            "tls": {"certificate": str(self.pki.certificate), "key": str(self.pki.key), "client_ca": str(gateway_ca)},
        }
        self.process = Process(self.name, [program, "witness", "serve", "--config", self.file], directory)
        self.public_key = None

    def create_key(self, run, published):
        """`published`: the key line in the node's template, which begins with the name."""
        self.public_key = run("witness", "key", "create", self.key, "--name", published.split("+")[0])

    def start(self, logs):
        self.file.write_text(to_toml(self.config | {"logs": logs}))
        self.process.start()

    def kept(self, origin):
        """The file of the state directory that says what it signed of a log last."""
        return next((file for file in self.state.glob("*.checkpoint") if Note(file.read_text()).origin == origin), None)


class Witnesses:
    """Both of them."""

    def __init__(self, program: Path, directory: Path, ports, pki: Pki):
        self.directory, self.pki = directory, pki  # the CA of the inside: what the nodes show to a witness
        self.all = [
            Witness(name, port, program, directory, pki.ca) for name, port in zip(NAMES, ports, strict=True)
        ]
        self.gateways = None
        self.lags = []  # entries and seconds that the signatures were behind, at each look
        self.file_of_key = {}  # by the node's name: the key line of its log

    def write_config(self, node, run):
        """A node's template, with these witnesses; makes their keys when first asked."""
        config = template(f"{node.name}.toml")
        config["ledger"] |= {
            "certificate": str(self.pki.certificate), "key": str(self.pki.key),
            "witnessed": str(self.directory / f"{node.name}.witnessed"), "leaves": str(node.leaves),
        }
        for witness, entry in zip(self.all, config["ledger"]["witnesses"], strict=True):
            if witness.public_key is None:
                witness.create_key(run, entry["key"])
            entry |= {"url": witness.url, "key": witness.public_key, "ca": str(witness.pki.ca)}
        node.config.write_text(to_toml(config))

    def start(self, gateways):
        """Once the nodes serve, for it is they that tell their logs' keys."""
        self.gateways = gateways
        for node in gateways.serving:
            line = until(f"the key of {node.name}'s log", lambda: self._get(node, "/v1/ledger/key"), PATIENCE)
            self.file_of_key[node.name] = self.directory / f"{node.name}.vkey"
            self.file_of_key[node.name].write_text(line)
        for witness in self.all:
            witness.start([file.read_text().strip() for file in self.file_of_key.values()])
        self._wait_for_both()

    def _get(self, node, path):
        """What one node itself answers, not through HAProxy; None where there is no such thing."""
        client = self.gateways.client("operator", "op1", node.port)
        try:
            answer = client.request("GET", path)
        finally:
            client.close()
        if answer.status == 404:
            return None
        if answer.status >= 500:
            raise NotYet(f"{answer.status} {answer.text}")
        if answer.status != 200:
            raise Fault(f"GET {path} of {node.name}: {answer.status} {answer.text}")
        return answer.text

    def newest(self, node, signatures=len(NAMES)):
        """The newest checkpoint of a node's log that so many witnesses signed."""
        text = self._get(node, f"/v1/ledger/witnessed?witnesses={signatures}")
        if text is None:
            raise NotYet(f"nothing of {node.name} is signed by {signatures} witnesses")
        return Note(text)

    def _newest(self, node, signatures=len(NAMES)):
        return until(f"a checkpoint of {node.name}", lambda: self.newest(node, signatures), CATCH_UP_SECONDS)

    def _sizes(self):
        """Entries of each node's ledger, in the primary."""
        with self.gateways.proxy.cluster.primary().connect("tsunagi") as session:
            return dict(session.execute("SELECT node, size FROM ledger_heads").fetchall())

    def note_lag(self):
        """How far the signatures of both are behind each ledger, in words; noted for the sum as well."""
        words = []
        for node in self.gateways.serving:
            note = self._newest(node)
            entries = max(0, self._sizes()[node.name] - note.size)
            # A log that does not grow is signed once a minute: then there is nothing to be late with.
            self.lags.append((entries, max(0, note.age()) if entries else 0))
            words.append(f"{node.name}: newest size cosigned by both {note.size}, {entries} entries and "
                         f"{self.lags[-1][1]:.0f} s behind")
        return words

    def _wait_for_both(self):
        """Until both have signed what the ledgers hold now; answers how many seconds that took."""
        sizes, began = self._sizes(), time.monotonic()
        for node in self.gateways.serving:
            until(f"both witnesses to sign {sizes[node.name]} entries of {node.name}",
                  lambda: self._all_run() and self.newest(node).size >= sizes[node.name], CATCH_UP_SECONDS)
        return time.monotonic() - began

    def _all_run(self):
        return all(witness.process.must_run() for witness in self.all)

    def kill_one(self):
        """SIGKILL to the last of them."""
        self.all[-1].process.kill()

    def restart_one(self):
        """Starts it again, on the state that the kill left; says what the other signed meanwhile."""
        alone = {node.name: self._newest(node, 1).size - self._newest(node).size for node in self.gateways.serving}
        self.all[-1].process.start()
        took = self._wait_for_both()
        went_on = ", ".join(f"{name} {entries}" for name, entries in alone.items())
        print(f"  {self.all[-1].name} was killed; the other signed on alone (entries: {went_on}); "
              f"{took:.1f} s after its restart both had signed everything", flush=True)
        if not any(alone.values()):
            raise Fault("with one witness away the other did not go on signing")

    def verdict(self):
        """Holds the primary against what both signed; answers how many ledgers that does not hold for."""
        nodes, verified = self.gateways.serving, []
        try:
            print("when the load ended:", *self.note_lag(), sep="\n  ")
            print(f"both had signed everything {self._wait_for_both():.1f} s later; while both ran they were at most "
                  f"{max(entries for entries, _ in self.lags)} entries and {max(late for _, late in self.lags):.0f} s "
                  f"behind, in {len(self.lags)} looks")
        except Fault as fault:
            print(f"the witnesses: {fault}")
            return len(nodes)
        for node in nodes:
            try:
                note = self._newest(node)
                verified.append(f"{node.name} {note.size} of {self._verify(node, note)} entries")
            except Fault as fault:
                print(f"the ledger of {node.name}: {fault}")
        if len(verified) == len(nodes):
            print(f"ledger verified against {len(self.all)} witnesses: {', '.join(verified)}")
        return len(nodes) - len(verified)

    def _verify(self, node, note):
        """`tsunagi ledger verify` against the note and each witness's own file; answers how many entries there are."""
        file = self.directory / f"{node.name}.checkpoint"
        file.write_text(note.text)
        primary = self.gateways.proxy.cluster.primary()
        words = ["--database", self.gateways.database("tsunagi_node", primary.port), "--node", node.name,
                 "--key", self.file_of_key[node.name], "--leaves", node.leaves, "--checkpoint", file]
        for witness in self.all:
            kept = witness.kept(note.origin)
            if kept is None:
                raise Fault(f"{witness.name} keeps nothing of {note.origin}")
            words += ["--witness", witness.public_key, "--checkpoint", kept]
        printed = self.gateways.run("ledger", "verify", *words, "--witnesses-needed", len(self.all))
        everything, witnessed = VERIFIED.search(printed), WITNESSED.search(printed)
        by = [witness.public_key.split("+")[0] for witness in self.all]
        if not (everything and everything[2] == node.name and witnessed and int(witnessed[1]) == note.size
                and all(name in witnessed[2] for name in by)):
            raise Fault(f"ledger verify said, of {node.name} with {note.size} witnessed entries: {printed}")
        return int(everything[1])

    def end(self):
        for witness in self.all:
            witness.process.stop()
