#!/usr/bin/env python3
"""Destroys a PostgreSQL under load, again and again, and restores it: every acknowledged write must be there.

Everything happens in a directory of its own, with the templates of deploy/backup: a server on a Unix socket, pgBackRest
with an encrypted repository, and pg_receivewal as the synchronous standby. Each round takes a backup, writes from
several sessions, kills the server in the midst of it, removes its data directory, restores, and asks for every write
that was acknowledged.

The writer is the gateway (restore_gateway.py): every acknowledged record, every ledger entry that an answer named and
the newest signed checkpoint must be in the restored database, and a gateway must serve it. With --load plain it is psql
that writes rows.

    scripts/restore_test.py --rounds 20
    scripts/restore_test.py --rounds 1 --defect asynchronous     # the twins: this one must lose writes,
    scripts/restore_test.py --rounds 1 --defect plain            # and this one leave files open to read

With --defect the status is 0 only if exactly that was seen.

A load of another kind: --writer COMMAND and --checker COMMAND. Both find the server by DATABASE_URL. The writer
prints a line for each acknowledged write; the checker gets these lines and fails where one is not so.
"""

import argparse
import base64
import os
import pwd
import random
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from gateway_client import Refused
from restore_gateway import PATIENCE, Failed, GatewayLoad

BIN = Path("/usr/lib/postgresql/15/bin")
TEMPLATES = Path(__file__).resolve().parent.parent / "deploy" / "backup"
MARKER = "made-by-restore_test"
STANDBY = "tsunagi_wal"
SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)


class Lost(Failed):
    """Acknowledged writes are gone."""


class Unencrypted(Failed):
    """Files of the repository can be read."""


# What each planted defect must be seen as.
PLANTED = {"asynchronous": Lost, "plain": Unencrypted}


def needs():
    """Installs what is missing where it may; else says what."""
    missing = []
    if not (BIN / "postgres").exists():
        missing.append("postgresql-15")
    if not shutil.which("pgbackrest"):
        missing.append("pgbackrest")
    if not missing:
        return
    if os.geteuid() != 0:
        sys.exit(f"Missing system packages: {' '.join(missing)}. Install them: sudo apt-get install {' '.join(missing)}")
    subprocess.run(["apt-get", "update", "-qq"], check=True)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(["apt-get", "install", "-y", "-qq", *missing], check=True, env=environment, stdout=subprocess.DEVNULL)


def become_postgres(directory):
    """PostgreSQL does not run as root."""
    if os.geteuid() != 0:
        return
    user = pwd.getpwnam("postgres")
    os.chown(directory, user.pw_uid, user.pw_gid)
    os.initgroups("postgres", user.pw_gid)
    os.setgid(user.pw_gid)
    os.setuid(user.pw_uid)
    os.environ.update(HOME=user.pw_dir, USER="postgres", LOGNAME="postgres")


def descendants(pid):
    """A process and all that it started, by /proc."""
    children = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
            except (OSError, IndexError):
                continue
            children.setdefault(parent, []).append(int(entry.name))
    found, waiting = [], [pid]
    while waiting:
        found.append(waiting.pop())
        waiting.extend(children.get(found[-1], []))
    return found


class Cluster:
    """A throwaway server, its repository and its receiver of WAL."""

    def __init__(self, directory, defect):
        self.directory = directory
        self.data = directory / "data"
        self.socket = directory / "socket"
        self.defect = defect
        self.receiver = None
        self.port = 5432
        self.round = 0
        for name in ("socket", "repository", "log", "spool", "lock"):
            (directory / name).mkdir()
        self.config = directory / "pgbackrest.conf"
        # The template of an operator, with our paths in place of theirs.
        text = self.filled("pgbackrest-repository.conf")
        if defect == "plain":
            text = "\n".join(line for line in text.splitlines() if not line.startswith("repo1-cipher"))
        self.config.write_text(f"{text}\n[global:archive-push]\nlock-path={directory}/lock\n")
        os.environ["PGBACKREST_CONFIG"] = str(self.config)
        os.environ["PATH"] = f"{TEMPLATES}:{os.environ['PATH']}"

    @property
    def wal(self):
        return self.directory / f"wal-{self.round}"

    @property
    def url(self):
        return f"postgres://postgres@localhost:{self.port}/postgres?host={self.socket}"

    def filled(self, template):
        text = (TEMPLATES / template).read_text()
        for theirs, ours in {
            "/var/lib/postgresql/15/main": self.data,
            "/var/run/postgresql": self.socket,
            "/var/lib/pgbackrest": self.directory / "repository",
            "/var/log/pgbackrest": self.directory / "log",
            "REPLACE-WITH-A-PASSPHRASE": base64.b64encode(secrets.token_bytes(48)).decode(),
            "pgbackrest --stanza": f"pgbackrest --config={self.config} --stanza",
        }.items():
            text = text.replace(theirs, str(ours))
        return text

    def run(self, *command, check=True, quiet=True):
        done = subprocess.run(
            [str(part) for part in command], capture_output=quiet, text=True, timeout=PATIENCE, check=False
        )
        if check and done.returncode != 0:
            raise Failed(f"{command[0]} failed: {done.stdout}{done.stderr}")
        return done

    def pgbackrest(self, *arguments):
        return self.run("pgbackrest", f"--config={self.config}", f"--lock-path={self.directory}/lock", "--stanza=tsunagi", *arguments)

    def psql(self, sql, check=True, database="postgres"):
        command = [BIN / "psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-h", self.socket, "-p", self.port, "-U", "postgres", "-d", database, "-c", sql]
        return self.run(*command, check=check).stdout.strip()

    def fill(self, megabytes):
        """So that there is something to restore; a row is about a kibibyte that does not compress."""
        self.psql("CREATE TABLE written (writer bigint, number bigint, body text, PRIMARY KEY (writer, number))")
        self.psql(
            "INSERT INTO written SELECT -1, n, (SELECT string_agg(md5(random()::text || n || i), '') FROM generate_series(1, 30) i) "
            f"FROM generate_series(1, {megabytes * 1000}) n"
        )

    def make(self):
        self.run(BIN / "initdb", "-D", self.data, "-U", "postgres", "--auth=trust", "--data-checksums", "-E", "UTF8", "--no-locale")
        settings = self.filled("postgresql-backup.conf")
        if self.defect == "asynchronous":
            settings = settings.replace(f"synchronous_standby_names = '{STANDBY}'", "synchronous_standby_names = ''")
        (self.data / "backup.conf").write_text(settings)
        with (self.data / "postgresql.conf").open("a") as config:
            config.write(f"listen_addresses = ''\nunix_socket_directories = '{self.socket}'\nport = {self.port}\nshared_buffers = '64MB'\ninclude 'backup.conf'\n")
        self.start(wait_for_standby=False)
        self.pgbackrest("stanza-create")

    def start(self, wait_for_standby=True):
        self.run(BIN / "pg_ctl", "-D", self.data, "-l", self.directory / "log" / "server.log", "-w", "-t", PATIENCE, "start", quiet=False)
        if wait_for_standby:
            self.receive()

    def receive(self):
        """Starts pg_receivewal and waits until commits wait for it."""
        self.wal.mkdir(exist_ok=True)
        command = [str(BIN / "pg_receivewal"), "-D", str(self.wal), f"--slot={STANDBY}"]
        database = f"host={self.socket} port={self.port} user=postgres application_name={STANDBY}"
        self.run(*command, "--create-slot", "--if-not-exists", "--dbname", database)
        if self.defect == "asynchronous":
            # Nobody receives: what the archive has not got is lost.
            return
        log = (self.directory / "log" / "receive.log").open("a")
        self.receiver = subprocess.Popen([*command, "--synchronous", "--dbname", database], stdout=log, stderr=log)
        deadline = time.monotonic() + PATIENCE
        while self.psql(f"SELECT sync_state FROM pg_stat_replication WHERE application_name = '{STANDBY}'") != "sync":
            if time.monotonic() > deadline or self.receiver.poll() is not None:
                raise Failed("pg_receivewal does not become the synchronous standby")
            time.sleep(0.05)

    def postmaster(self):
        return int((self.data / "postmaster.pid").read_text().split()[0])

    def destroy(self):
        """Kills the server and removes its data: the machine is gone."""
        if not (self.directory / MARKER).exists() or self.data.parent != self.directory:
            raise Failed(f"{self.data} is not ours")
        for pid in descendants(self.postmaster()):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        shutil.rmtree(self.data)
        # Nor is there a lock of a server whose process number another may have by now.
        for left in self.socket.iterdir():
            left.unlink()
        self.stop_receiver()

    def prune(self):
        """What the hourly timer does."""
        os.environ["WAL_DIRECTORY"] = str(self.wal)
        self.run(TEMPLATES / "tsunagi-prune-wal")

    def stop_receiver(self):
        if self.receiver:
            self.receiver.terminate()
            self.receiver.wait(PATIENCE)
            self.receiver = None

    def restore(self):
        """What deploy/backup/README.md tells an operator to do. Answers how long it took."""
        started = time.monotonic()
        fetch = f"WAL_DIRECTORY={self.wal} {TEMPLATES}/tsunagi-fetch-wal %f %p"
        self.data.mkdir(mode=0o700)
        self.pgbackrest("restore", f"--recovery-option=restore_command={fetch}", "--target-timeline=latest", "--archive-mode=preserve")
        # Nobody receives yet, and the check must not wait for it.
        self.run(BIN / "pg_ctl", "-D", self.data, "-l", self.directory / "log" / "server.log", "-w", "-t", PATIENCE, "start", quiet=False)
        while self.psql("SELECT pg_is_in_recovery()", check=False) != "f":
            time.sleep(0.05)
        return time.monotonic() - started

    def stop(self):
        self.stop_receiver()
        if (self.data / "postmaster.pid").exists():
            self.run(BIN / "pg_ctl", "-D", self.data, "-m", "immediate", "-w", "stop", check=False)

    def bytes(self):
        return int(self.psql("SELECT sum(pg_database_size(oid)) FROM pg_database"))


class Quiet:
    """What a load does that has nothing to add to its lost writes."""

    def faults(self):
        return []

    def resume(self):
        pass

    def said(self):
        return "none lost"

    def stop(self):
        self.end()


class Table(Quiet):
    """Sessions that write rows and note outside what was acknowledged."""

    def __init__(self, cluster, writers):
        self.cluster, self.writers = cluster, writers
        self.acknowledged = []
        self.threads, self.sessions = [], []

    def prepare(self, megabytes):
        self.cluster.fill(megabytes)

    def begin(self, round_number):
        for writer in range(self.writers):
            thread = threading.Thread(target=self.write, args=(round_number * 1000 + writer,))
            self.threads.append(thread)
            thread.start()

    def write(self, writer):
        command = [BIN / "psql", "-XqAt", "-h", self.cluster.socket, "-p", str(self.cluster.port), "-U", "postgres", "-d", "postgres"]
        session = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.sessions.append(session)
        try:
            for number in range(1 << 30):
                body = secrets.token_hex(200)
                session.stdin.write(f"INSERT INTO written VALUES ({writer}, {number}, '{body}') RETURNING number;\n")
                session.stdin.flush()
                # psql prints this once the server has said that the commit is done.
                if session.stdout.readline().strip() != str(number):
                    return
                self.acknowledged.append((writer, number, body))
        except (BrokenPipeError, OSError):
            return

    def end(self):
        for thread in self.threads:
            thread.join(PATIENCE)
        for session in self.sessions:
            session.kill()
            session.wait()
        self.threads, self.sessions = [], []

    def lost(self):
        rows = self.cluster.psql("SELECT writer || ' ' || number || ' ' || body FROM written WHERE writer >= 0").splitlines()
        there = set(rows)
        return [row for row in self.acknowledged if "{} {} {}".format(*row) not in there]


class Commands(Quiet):
    """A load of somebody else: see the description of --writer."""

    def __init__(self, cluster, writer, checker):
        self.cluster, self.writer, self.checker = cluster, writer, checker
        self.acknowledged, self.process, self.thread = [], None, None

    def prepare(self, _megabytes):
        pass

    def begin(self, _round_number):
        environment = {**os.environ, "DATABASE_URL": self.cluster.url}
        self.process = subprocess.Popen(["sh", "-c", self.writer], stdout=subprocess.PIPE, text=True, env=environment)
        self.thread = threading.Thread(target=lambda: self.acknowledged.extend(line for line in self.process.stdout))
        self.thread.start()

    def end(self):
        if not self.process:
            return
        self.process.terminate()
        self.process.wait(PATIENCE)
        self.thread.join(PATIENCE)

    def lost(self):
        environment = {**os.environ, "DATABASE_URL": self.cluster.url}
        lines = "".join(self.acknowledged)
        done = subprocess.run(["sh", "-c", self.checker], input=lines, text=True, env=environment, timeout=PATIENCE, check=False)
        return [] if done.returncode == 0 else ["the checker failed"]


def one_round(cluster, load, number):
    before = len(load.acknowledged)
    load.begin(number)
    deadline = time.monotonic() + PATIENCE
    while len(load.acknowledged) < before + 20 and time.monotonic() < deadline:
        time.sleep(0.01)
    # The moment of the blow: nothing waits for it.
    time.sleep(random.uniform(0.3, 1.5))
    if cluster.defect == "asynchronous":
        # The archive gets nothing at the last moment that would hide the defect.
        pass
    elif number % 2:
        # In every other round the archive has not got the newest segments.
        cluster.psql("SELECT pg_switch_wal()")
    else:
        cluster.prune()
    size = cluster.bytes()
    cluster.destroy()
    load.end()
    written = len(load.acknowledged) - before
    seconds = cluster.restore()
    lost = load.lost()
    print(
        f"round {number}: {written} writes acknowledged, {len(lost)} of {len(load.acknowledged)} lost, "
        f"{size / 2**20:.0f} MiB restored in {seconds:.1f} s",
        flush=True,
    )
    if lost:
        raise Lost(f"acknowledged writes are lost: {len(lost)}, the first {str(lost[0])[:60]}")
    if faults := load.faults():
        raise Failed("; ".join(faults))
    if not written:
        raise Failed("nothing was written: the round shows nothing")
    return size, seconds


def unencrypted(cluster):
    """Files of the repository that do not begin as pgBackRest's cipher begins them; compression alone hides text too."""
    files = [path for path in (cluster.directory / "repository").rglob("*") if path.is_file() and not path.is_symlink()]
    if not files:
        raise Failed("the repository is empty: the look at it shows nothing")
    # A file that was being written at the blow may be shorter than its beginning; an empty one tells nothing.
    begins = b"Salted__"
    return [path.name for path in files if not begins.startswith(path.read_bytes()[:len(begins)])]


def leave(number, _frame):
    """A signal ends the test by way of `finally`, and with it what it started; the server is stopped there."""
    for pid in descendants(os.getpid())[1:]:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    sys.exit(128 + number)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--megabytes", type=int, default=64, help="size of the table before the first round")
    parser.add_argument("--writers", type=int, default=4)
    parser.add_argument("--defect", choices=list(PLANTED), help="plants a defect, which must be seen")
    parser.add_argument("--load", choices=["gateway", "plain"], default="gateway", help="who writes")
    parser.add_argument("--program", type=Path, default=Path("target/release/tsunagi"), help="the gateway")
    parser.add_argument("--writer", help="command that writes, in place of both")
    parser.add_argument("--checker", help="command that checks what the writer printed")
    arguments = parser.parse_args()
    with_gateway = arguments.load == "gateway" and not arguments.writer
    if with_gateway and not arguments.program.exists():
        sys.exit(
            f"{arguments.program}: no such program. Build it (cargo build --release --locked), name one by --program, "
            "or go without it: --load plain"
        )
    for number in SIGNALS:
        signal.signal(number, leave)
    needs()
    directory = Path(tempfile.mkdtemp(prefix="tsunagi-restore-"))
    if with_gateway:
        # postgres may not be able to look into the checkout.
        program = Path(shutil.copy(arguments.program, directory / "tsunagi"))
        # `tsunagi pki` becomes the program beside it.
        shutil.copy(arguments.program.with_name("tsunagi-testkit"), directory)
        program.chmod(0o755)
    become_postgres(directory)
    os.chdir(directory)
    (directory / MARKER).write_text("Everything here may be removed.\n")
    cluster = Cluster(directory, arguments.defect)
    if arguments.writer:
        load = Commands(cluster, arguments.writer, arguments.checker or "false")
    elif with_gateway:
        load = GatewayLoad(cluster, program, arguments.writers)
    else:
        load = Table(cluster, arguments.writers)
    sizes, seconds, failed = 0, 0.0, None
    try:
        cluster.make()
        cluster.receive()
        load.prepare(arguments.megabytes)
        for number in range(1, arguments.rounds + 1):
            cluster.pgbackrest("backup", "--type=full" if number == 1 else "--type=incr")
            size, took = one_round(cluster, load, number)
            sizes, seconds = sizes + size, seconds + took
            cluster.round = number
            cluster.receive()
            load.resume()
        plain = unencrypted(cluster)
        if plain:
            raise Unencrypted(f"not encrypted in the repository: {plain[:3]}")
        print(
            f"{arguments.rounds} rounds: {len(load.acknowledged)} acknowledged writes, {load.said()}; "
            f"{seconds / (sizes / 2**30):.1f} s per GiB; every file of the repository is encrypted"
        )
    except (Failed, Refused) as failure:
        for name in ("server.log", "receive.log", "gateway.log"):
            log = directory / "log" / name
            if log.exists():
                print(f"--- {name}", *log.read_text().splitlines()[-25:], sep="\n", file=sys.stderr)
        print(f"FAILED: {failure}", file=sys.stderr)
        failed = failure
    finally:
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        cluster.stop()
        load.stop()
        os.chdir("/")
        shutil.rmtree(directory, ignore_errors=True)
    if arguments.defect:
        seen = isinstance(failed, PLANTED[arguments.defect])
        print(f"the twin: {'the defect was seen, as it must be' if seen else 'THE DEFECT WAS NOT SEEN: the test is blind'}")
        return 0 if seen else 1
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
