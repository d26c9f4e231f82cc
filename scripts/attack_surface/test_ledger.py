"""The counting itself: what is found must show in the table and end the run. `python3 -m unittest` runs it."""

import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from ledger import Outcome, Reasons, table  # noqa: E402


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


if __name__ == "__main__":
    unittest.main()
