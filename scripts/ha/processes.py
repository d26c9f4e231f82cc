"""Processes that end with the test, free ports, and waits that give up and say why."""

import ctypes
import os
import pwd
import random
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

import psutil

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
LIBC = ctypes.CDLL(None, use_errno=True)


class Fault(Exception):
    """What ends the test, in words for whoever runs it."""


class NotYet(Exception):
    """Why what is waited for is not so yet."""


def until(what, condition, seconds, every=0.1):
    """The first true answer of `condition`, or a Fault that names what was waited for and what was seen last.

    An OSError counts as "not yet" as well; a Fault that `condition` raises ends the wait.
    """
    deadline = time.monotonic() + seconds
    seen = "nothing yet"
    while time.monotonic() < deadline:
        try:
            answer = condition()
            if answer:
                return answer
            seen = repr(answer)
        except (OSError, NotYet) as error:
            seen = f"{type(error).__name__}: {error}".strip()
        time.sleep(every)
    raise Fault(f"waited {seconds} s for {what}; last seen: {seen}")


def adopt_orphans():
    """Makes this process the parent of PostgreSQL, whose own parent ends as soon as Patroni has started it.

    So nothing escapes at the end. But whoever adopts must also take the dead off the process table at once: Patroni
    waits for a PostgreSQL that it stops to be gone, and in many containers nobody else would see to it.
    """
    LIBC.prctl(PR_SET_CHILD_SUBREAPER, 1)
    threading.Thread(target=_bury, daemon=True).start()


def _bury():
    while True:
        for task in Path("/proc/self/task").iterdir():
            for pid in _words(task / "children"):
                # What this process started itself is waited for where it was started.
                if _words(Path("/proc", pid, "comm"))[:1] in (["postgres"], ["pg_rewind"]):
                    _reap(int(pid))
        time.sleep(0.05)


def _words(file):
    try:
        return file.read_text().split()
    except OSError:
        return []  # ended meanwhile


def _reap(pid):
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        pass


def end_descendants():
    """The last resort: nothing that this process started, or that was started by it, outlives it."""
    for process in psutil.Process().children(recursive=True):
        try:
            process.kill()
        except psutil.NoSuchProcess:
            pass
    while True:
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


class Ports:
    """A block of ports of the loopback address on which nothing listens, below those that the system hands out."""

    LOWEST, HIGHEST, BLOCK = 20_000, 32_000, 40

    def __init__(self, base=None):
        bases = [base] if base else random.sample(range(self.LOWEST, self.HIGHEST, self.BLOCK), 20)
        free = next((base for base in bases if not self._taken(base)), None)
        if free is None:
            last = bases[0] + self.BLOCK - 1
            raise Fault(f"something listens on a port of {bases[0]} to {last}: choose another --base-port")
        self._next, self._end = free, free + self.BLOCK

    def _taken(self, base):
        return [port for port in range(base, base + self.BLOCK) if not self._is_free(port)]

    @staticmethod
    def _is_free(port):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                return False
            return True

    def take(self):
        if self._next == self._end:
            raise Fault("the block of ports is used up")
        self._next += 1
        return self._next - 1


def database_user():
    """Whose processes the database's are: PostgreSQL and Patroni refuse to run as root."""
    return "postgres" if os.geteuid() == 0 else None


def give_to_database(*paths):
    """Hands files to the database's user."""
    if user := database_user():
        entry = pwd.getpwnam(user)
        for path in paths:
            os.chown(path, entry.pw_uid, entry.pw_gid)


class Process:
    """One process in a session of its own, which the kernel ends should the test itself be killed."""

    def __init__(self, name, command, directory: Path, user=None, environment=None):
        self.name = name
        self.command = [str(word) for word in command]
        self.log = directory / f"{name}.log"
        self.user = user
        self.environment = environment or {}
        self.child = None

    def start(self):
        account = {"user": self.user, "group": self.user, "extra_groups": []} if self.user else {}
        home = pwd.getpwnam(self.user).pw_dir if self.user else os.environ.get("HOME", "/")
        inherited = {"PATH": os.environ["PATH"], "HOME": home, "LANG": "C.UTF-8"}
        with open(self.log, "ab") as log:
            self.child = subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/", start_new_session=True,
                env=inherited | self.environment, preexec_fn=lambda: LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL),
                **account,
            )

    def is_running(self):
        return self.child is not None and self.child.poll() is None

    def must_run(self):
        """Answers True while it runs; a Fault with the end of its log once it does not."""
        if not self.is_running():
            raise Fault(f"{self.name} ended:\n{self.last_words()}")
        return True

    def last_words(self, lines=15):
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def kill(self):
        """As a power failure would: it and all that it started in its session, at once."""
        if self.is_running():
            os.killpg(self.child.pid, signal.SIGKILL)
            self.child.wait(timeout=10)

    def stop(self, seconds=10):
        """As an operator would; killed if it does not end in time."""
        if self.is_running():
            self.child.send_signal(signal.SIGTERM)
            try:
                self.child.wait(timeout=seconds)
            except subprocess.TimeoutExpired:
                self.kill()
