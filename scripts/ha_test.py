#!/usr/bin/env python3
"""High availability, tried: the primary is killed under load again and again, and the books are held against it.

Brings up three members of PostgreSQL under Patroni with etcd, HAProxy, two gateways and their two witnesses, all on
loopback in one temporary directory. Then, N times: kill the primary with SIGKILL, wait for the next success of the
load, restart what was killed, wait until the quorum is whole again. The witnesses sign the gateways' ledgers; one of
them is killed halfway as well. Prints a table, and ends with status 0 only if nothing that was acknowledged is lost,
nothing was disclosed without an entry, and the ledgers are what the witnesses signed. With `--load sql` there are no
gateways: rows are inserted through HAProxy.

`make ha-test` installs what it needs and runs it. docs/high-availability.md says what is measured, and what came out.
"""

import argparse
import shutil
import signal
import statistics
import sys
import tempfile
import time
from pathlib import Path

from gateway_client import Refused
from ha.cluster import Cluster, Proxy
from ha.load_gateway import GatewayLoad, Gateways
from ha.load_sql import SqlLoad
from ha.processes import Fault, Ports, adopt_orphans, end_descendants, give_to_database, until

SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
WANTED_SECONDS = 15  # from the kill to the next success
LONGEST_OUTAGE = 120
REFUSAL_SECONDS = 40  # after which the twin believes that the gateways refuse to go on
ALONE_SECONDS = 8  # for which the primary has no standby, and must acknowledge nothing
HELD_BACK = 40  # writes that must be acknowledged while replication is held back, before the twin kills


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20, metavar="N")
    parser.add_argument("--load", choices=["gateway", "sql"], default="gateway")
    parser.add_argument("--kill", choices=["database", "machine"], default="database",
                        help="database: Patroni and the postmaster; machine: all of PostgreSQL and its etcd as well")
    parser.add_argument("--supervised", action="store_true",
                        help="restart what was killed at once, as systemd does, not after the next success")
    parser.add_argument("--twin", action="store_true",
                        help="the planted defect: asynchronous, standbys held back. The test must see losses")
    parser.add_argument("--program", type=Path, default=Path("target/release/tsunagi"), help="for --load gateway")
    parser.add_argument("--nodes", type=int, choices=[1, 2], default=2, help="gateways that serve")
    parser.add_argument("--plain-gateway", action="store_true",
                        help="let gateways connect to PostgreSQL without TLS, through loopback")
    parser.add_argument("--ttl", type=int,
                        help="another lease than deploy/ha/patroni.yml says; from 20 on with plain Patroni")
    parser.add_argument("--base-port", type=int, help="first of 40 ports")
    parser.add_argument("--keep", action="store_true", help="keep the directory, with every log")
    return parser.parse_args()


class Trial:
    """One run, from nothing to the verdict."""

    def __init__(self, options, directory: Path):
        ports = Ports(options.base_port)
        overrides = {"ttl": options.ttl} if options.ttl else None
        self.options = options
        self.cluster = Cluster(
            directory, ports, synchronous=not options.twin, short_lease=(options.ttl or 0) < 20,
            plain_gateway=options.plain_gateway, overrides=overrides,
        )
        nodes = [(ports.take(), ports.take()) for _ in range(2)]
        self.proxy = Proxy(self.cluster, ports, nodes)
        self.gateways = None
        if options.load == "gateway":
            witness_ports = [ports.take(), ports.take()]
            self.gateways = Gateways(options.program, directory, self.proxy, nodes, options.nodes, witness_ports)
        self.load = None
        self.refused = False  # the twin's gateways serve no more

    def bring_up(self):
        say("etcd, three members, the quorum …")
        self.cluster.start()
        self.cluster.prepare_database()
        self.proxy.start()
        say(self.cluster.versions())
        if self.gateways:
            say("keyring, certificates, organizations, two gateways, two witnesses …")
            self.gateways.start()
            self.load = GatewayLoad(self.cluster, self.gateways)
        else:
            self.load = SqlLoad(self.cluster, self.proxy)
        self.load.prepare()
        self.load.start()
        until("the load to get going", lambda: self.load.count() > 100, 120)

    def play(self):
        """Every kill: seconds to the next success, seconds until whole, acknowledged writes lost by then."""
        print("| kill | primary | acknowledged before | next success, s | whole again, s | lost so far |\n"
              "|--:|:--|--:|--:|--:|--:|", flush=True)
        outages = []
        for number in range(1, self.options.kills + 1):
            victim = self.cluster.primary()
            if self.gateways:
                self.gateways.witnesses.note_lag()
            if self.options.twin:
                self._let_standbys_fall_behind(victim)
            noted, before = self.load.noted(), self.load.count()
            halfway = number == (self.options.kills + 1) // 2 and not self.options.twin
            witnesses = self.gateways.witnesses if self.gateways and halfway else None
            if witnesses:
                witnesses.kill_one()
            killed, gone = victim.kill(whole_machine=self.options.kill == "machine" or self.options.twin)
            self.load.watch_from(gone)
            if self.options.supervised:
                time.sleep(1)  # RestartSec of the unit, not a wait for anything
                victim.restart()
            success = self.load.first_success(REFUSAL_SECONDS if self.options.twin else LONGEST_OUTAGE)
            if success is None and self.options.twin and self.gateways:
                # As they should: a gateway does not serve from a database that has forgotten entries of its ledger.
                print(f"| {number} | {victim.name} | {before} | none | | {self.load.lost(noted)} |\n"
                      "  the gateways refuse to serve from a database that has forgotten", flush=True)
                self.refused = True
                return outages
            if success is None:
                raise Fault(f"no success within {LONGEST_OUTAGE} s of kill {number}")
            if not self.options.supervised:
                victim.restart()
            self.cluster.wait_until_whole()
            outages.append(success - killed)
            print(f"| {number} | {victim.name} | {before} | {outages[-1]:.1f} | {time.monotonic() - killed:.1f} "
                  f"| {self.load.lost(noted)} |", flush=True)
            self._let_load_flow()
            if witnesses:
                witnesses.restart_one()
        return outages

    def leave_primary_alone(self):
        """Takes both standbys away; answers how much of what is begun in the time after is acknowledged in it.

        Strict: nothing may be, neither a write nor a disclosure.
        """
        if self.refused:
            return 0
        primary = self.cluster.primary()
        standbys = [member for member in self.cluster.members if member is not primary]
        for standby in standbys:
            standby.kill(whole_machine=False)
        until("the standbys to be missed", lambda: primary.standbys() == 0, 60)
        self.load.watch_from(time.monotonic())
        time.sleep(ALONE_SECONDS)
        acknowledged = self.load.successes()
        for standby in standbys:
            standby.restart()
        self.cluster.wait_until_whole()
        self._let_load_flow()
        return acknowledged

    def _let_standbys_fall_behind(self, primary):
        primary.hold_back_replication()
        before = self.load.count()
        until("writes to be acknowledged that no standby has", lambda: self.load.count() > before + HELD_BACK, 60)

    def _let_load_flow(self):
        """The next kill falls into full load, not into its first breath."""
        before = self.load.count()
        until("the load to flow again", lambda: self.load.count() > before + 200, 120)

    def judge(self, outages, alone):
        """Prints the sum; answers whether it is as wanted."""
        self.load.stop()
        verdict = [*self.load.verdict(), ("acknowledged while there was no standby", alone, 0)]
        print(f"\nkills {len(outages)}, acknowledged {self.load.count()}, failed attempts {self.load.failures}")
        for what, number, wanted in verdict:
            print(f"{what}: {number} (wanted {wanted})")
        if outages:
            median, worst = statistics.median(outages), max(outages)
            print(f"next success after a kill: median {median:.1f} s, worst {worst:.1f} s (wanted < {WANTED_SECONDS} s)")
        if self.options.twin:
            seen = verdict[0][1] > 0 and (alone > 0 or self.refused)
            print(f"the twin: {'losses were seen, as they must be' if seen else 'NO LOSS WAS SEEN: the test is blind'}")
            return seen
        return all(number == wanted for _, number, wanted in verdict) and max(outages, default=0) < WANTED_SECONDS

    def end(self):
        if self.load:
            self.load.stop()
        if self.gateways:
            self.gateways.end()
        self.proxy.process.kill()
        self.cluster.end()


def say(text):
    print(f"  {text}", flush=True)


def main():
    options = arguments()
    # A signal ends the test by way of `finally`; a second one does not cut that short.
    for number in SIGNALS:
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    adopt_orphans()
    directory = Path(tempfile.mkdtemp(prefix="tsunagi-ha-"))
    directory.chmod(0o755)
    give_to_database(directory)
    trial = None
    try:
        trial = Trial(options, directory)
        trial.bring_up()
        fine = trial.judge(trial.play(), trial.leave_primary_alone())
    except (Fault, Refused) as fault:
        print(f"\nha-test: {fault}", file=sys.stderr)
        fine = False
        options.keep = trial is not None
    finally:
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        if trial:
            trial.end()
        end_descendants()
        if options.keep:
            print(f"logs: {directory}", file=sys.stderr)
        else:
            shutil.rmtree(directory, ignore_errors=True)
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
