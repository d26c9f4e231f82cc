"""The counting itself: what is found must show in the table and end the run, and so must an attack that was none.

`python3 -m unittest` runs it.
"""

import sys
import tempfile
import threading
import unittest
from pathlib import Path
from types import SimpleNamespace

sys.path.insert(0, str(Path(__file__).parent))

from ledger import Outcome, Reasons, table  # noqa: E402
from slow_clients import Watch  # noqa: E402
from twin import noticed  # noqa: E402


def reasons(text: str) -> Reasons:
    with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
        file.write(text)
        file.flush()
        return Reasons(Path(file.name))


class Counting(unittest.TestCase):
    none = '[[divergence]]\nsource = "xml"\nmatches = "known: "\nreason = "so"\n'

    def verdict(self, outcome: Outcome) -> tuple[str, bool]:
        return table([outcome], reasons(self.none))

    def test_nothing_found_is_clean(self) -> None:
        self.assertTrue(self.verdict(Outcome("xml", cases=3))[1])

    def test_a_source_without_a_case_is_not(self) -> None:
        self.assertFalse(self.verdict(Outcome("xml"))[1])

    def test_a_source_that_did_not_run_says_so(self) -> None:
        text, clean = self.verdict(Outcome("xml", not_run="no tool"))
        self.assertTrue(clean)
        self.assertIn("not run: no tool", text)

    def test_each_kind_of_finding_ends_the_run(self) -> None:
        for kind in ("crash", "server_error", "diverge"):
            outcome = Outcome("xml", cases=3)
            getattr(outcome, kind)("found: a case")
            text, clean = self.verdict(outcome)
            self.assertFalse(clean, kind)
            self.assertIn("found: a case", text)

    def test_a_reason_explains_its_own_source_and_divergences_alone(self) -> None:
        explained = Outcome("xml", cases=3)
        explained.diverge("known: a case")
        self.assertTrue(self.verdict(explained)[1])
        other = Outcome("naughty", cases=3)
        other.diverge("known: a case")
        self.assertFalse(self.verdict(other)[1])
        crash = Outcome("xml", cases=3)
        crash.crash("known: a case")
        self.assertFalse(self.verdict(crash)[1])
        inside = Outcome("xml", cases=3)
        inside.diverge("found: known: a case")
        self.assertFalse(self.verdict(inside)[1])

    def test_a_reason_that_explains_nothing_is_told(self) -> None:
        of = reasons(self.none)
        table([Outcome("xml", cases=1)], of)
        self.assertEqual(of.idle({"xml"}), ["xml: known: "])
        self.assertEqual(of.idle({"naughty"}), [])


class SlowClients(unittest.TestCase):
    """The watch over slow connections, before a gateway that is well and has as many open as a test says."""

    def watched(self, run, wanted: int = 10) -> Outcome:
        self.open, self.turned_away, self.looked = 1, 3, threading.Event()
        city = SimpleNamespace(get=lambda _: SimpleNamespace(status=200))
        gateway = SimpleNamespace(
            parties={"center": SimpleNamespace(client=city)}, resident_bytes=lambda: 0, is_ready=lambda: True,
            is_alive=lambda: True, monitor_says=self.monitor_says,
        )
        outcome = Outcome("slow")
        Watch(gateway, 0, wanted).during("silent", outcome, run)
        return outcome

    def monitor_says(self, _: str) -> str:
        text = f'tsunagi_connections {self.open}\ntsunagi_requests_total{{operation="search",status="429"}} {self.turned_away}\n'
        if self.open > 1:
            self.looked.set()
        return text

    def hold(self, connections: int) -> None:
        self.open += connections
        self.assertTrue(self.looked.wait(30))
        self.open -= connections

    def test_what_is_held_at_once_is_counted(self) -> None:
        outcome = self.watched(lambda: self.hold(5))
        self.assertEqual((outcome.cases, outcome.crashes, outcome.divergences), (5, [], []))

    def test_too_few_are_a_divergence(self) -> None:
        outcome = self.watched(lambda: self.hold(4))
        self.assertEqual(outcome.divergences, ["silent: of 10 connections only 4 were held at once, 0 turned away"])

    def test_those_that_are_turned_away_count_as_well(self) -> None:
        def attack() -> None:
            self.turned_away += 6
            self.hold(2)

        outcome = self.watched(attack)
        self.assertEqual((outcome.cases, outcome.divergences), (6, []))

    def test_an_attack_that_stumbles_is_a_crash(self) -> None:
        def attack() -> None:
            raise FileNotFoundError("slowhttptest")

        outcome = self.watched(attack)
        self.assertEqual(outcome.crashes, ["silent: the harness: FileNotFoundError: slowhttptest"])
        self.assertEqual(outcome.cases, 0)


class Twins(unittest.TestCase):
    """A source noticed a defect only where it found what was planted."""

    def noticed(self, *divergences: str) -> bool:
        outcome = Outcome("certificates", cases=1)
        for key in divergences:
            outcome.diverge(key)
        outcome.crash("no answer: the go-between stumbled")
        return noticed(outcome, reasons(""))

    def test_what_was_planted_is_noticed(self) -> None:
        self.assertTrue(self.noticed("door: ValidTest1EE: answered HTTP/1.1 200 OK"))

    def test_something_else_is_not(self) -> None:
        self.assertFalse(self.noticed("door: ValidTest1EE: key unreadable"))


if __name__ == "__main__":
    unittest.main()
