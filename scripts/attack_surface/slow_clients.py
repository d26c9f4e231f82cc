"""5,000 slow connections in each mode of slowhttptest, of strangers and of a registered terminal.

Meanwhile the gateway stays ready and answers another terminal, its memory stays bounded, and afterwards it has
recovered without a restart. A case is a connection that was held open beside the others of its mode. Of requests whose
bodies are slow one terminal may have so many (`terminal_in_flight`): there it is one that was turned away for that.
"""

import resource
import shutil
import socket
import subprocess
import threading
import time

from bridge import Bridge
from client import NoAnswer
from ledger import Outcome
from metrics import Metrics
from premises import GENEROUS, Premises

SOURCE = "slow"
SECONDS = 40
# Bytes above what it had before the first connection.
MOST_MEMORY = 600 * 1024 * 1024
# Room for all of them and for those who work; and the times that a slow client is given: long enough for all of them to
# be there at once, short enough that the run sees them closed.
LIMITS = GENEROUS + "connections = 8192\nhandshake_seconds = 10\nheader_seconds = 30\nbody_seconds = 30\n"
OFFICER = "\r\nTsunagi-Officer: o1"
MODES = [
    ("headers", ["-H"], "/v1/session"),
    ("body", ["-B", "-t", "POST", "-s", "60000", "-f", f"application/json{OFFICER}"], "/v1/searches"),
    ("read", ["-X", "-w", "1", "-y", "8", "-n", "5", "-z", "1", "-m", f"application/json{OFFICER}"], "/openapi.json"),
]


def run(connections: int = 5_000, most_memory: int = MOST_MEMORY) -> Outcome:
    outcome = Outcome(SOURCE)
    program = shutil.which("slowhttptest")
    if program is None:
        outcome.not_run = "slowhttptest is not installed (Debian: slowhttptest)"
        return outcome
    open_files(4 * connections)
    with Premises(SOURCE, LIMITS) as premises:
        watch = Watch(premises, most_memory, connections)
        watch.during("silent", outcome, lambda: silent(premises.port, connections))
        for name, mode, path in MODES:
            with Bridge(premises, "city") as bridge:
                command = [
                    program, *mode, "-c", str(connections), "-r", str(connections // 5), "-i", "5", "-l", str(SECONDS),
                    "-p", "5", "-u", f"http://127.0.0.1:{bridge.port}{path}",
                ]
                watch.during(name, outcome, lambda: attack(command, premises, name))
        outcome.note = f"{watch.most_open} open at once, {watch.most_memory // 2**20} MiB at most, slowest answer {watch.slowest:.1f} s"
        outcome.crashes += premises.panics()
    return outcome


def open_files(most: int) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, hard), hard))


def attack(command: list[str], premises: Premises, name: str) -> None:
    with (premises.directory / f"slow-{name}.txt").open("wb") as log:
        subprocess.run(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=False, timeout=SECONDS + 60)


def silent(port: int, connections: int) -> None:
    """Connects and says nothing: not even a handshake."""
    opened = []
    try:
        for _ in range(connections):
            opened.append(socket.create_connection(("127.0.0.1", port), timeout=5))
        time.sleep(5)
    except OSError:
        # Closed at the door: also an answer.
        pass
    finally:
        for stream in opened:
            stream.close()


class Watch:
    """Another terminal at its work, and the operator's eye on readiness and memory."""

    def __init__(self, premises: Premises, may_take: int, wanted: int) -> None:
        self.premises, self.wanted = premises, wanted
        self.center = premises.parties["center"].client
        self.may_take = may_take
        self.before = premises.resident_bytes()
        self.most_memory, self.slowest, self.most_open = self.before, 0.0, 0

    def during(self, name: str, outcome: Outcome, run) -> None:
        stumbled: list[str] = []

        def attack() -> None:
            try:
                run()
            except Exception as error:  # It would end with its thread, and nobody would know that little was sent.
                stumbled.append(f"{name}: the harness: {type(error).__name__}: {error}")

        attacker = threading.Thread(target=attack)
        counted = Metrics.of(self.premises)
        before, held = self.open_connections() or 0, 0
        attacker.start()
        while attacker.is_alive():
            held = max(held, self.look(name, outcome) - before)
            attacker.join(1.0)
        outcome.crashes += stumbled
        turned_away = Metrics.of(self.premises).turned_away_since(counted)
        # The larger of the two: one that is turned away may have been open at a look.
        outcome.cases += max(held, turned_away)
        if max(held, turned_away) < self.wanted / 2:
            outcome.diverge(f"{name}: of {self.wanted} connections only {held} were held at once, {turned_away} turned away")
        # What is held is let go within the times that a slow client is given.
        for _ in range(90):
            open_now = self.open_connections()
            if open_now is not None and open_now <= 10:
                break
            time.sleep(0.5)
        else:
            outcome.diverge(f"{name}: {open_now} connections are still open")
        self.look(f"{name}, afterwards", outcome)
        if not self.premises.is_alive():
            outcome.crash(f"{name}: the gateway ended")
        for key, count in Metrics.of(self.premises).server_errors_since(counted).items():
            outcome.server_errors.append(f"{name}: {key}, {count} times")

    def look(self, name: str, outcome: Outcome) -> int:
        """Answers how many connections are open."""
        if not self.premises.is_ready():
            outcome.diverge(f"{name}: not ready")
        memory = self.premises.resident_bytes()
        self.most_memory = max(self.most_memory, memory)
        if memory - self.before > self.may_take:
            outcome.diverge(f"{name}: {(memory - self.before) // 2**20} MiB more than before")
        open_now = self.open_connections() or 0
        self.most_open = max(self.most_open, open_now)
        started = time.monotonic()
        try:
            reply = self.center.get("/v1/session")
            if reply.status != 200:
                outcome.diverge(f"{name}: another terminal was answered {reply.status}")
        except (OSError, NoAnswer) as error:
            outcome.diverge(f"{name}: another terminal had no answer: {error}")
        self.slowest = max(self.slowest, time.monotonic() - started)
        return open_now

    def open_connections(self) -> int | None:
        text = self.premises.monitor_says("/metrics") or ""
        found = [line.split()[1] for line in text.splitlines() if line.startswith("tsunagi_connections ")]
        return int(found[0]) if found else None
