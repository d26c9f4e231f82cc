"""What the run counts: cases, crashes, 5xx, divergences; and the reasons for those divergences that are meant."""

import re
import tomllib
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

REASONS = Path(__file__).parents[2] / "tests/attack_surface/divergences.toml"


@dataclass
class Outcome:
    """One source's count. What is found is kept by a key, so that a reason can name it."""

    source: str
    cases: int = 0
    crashes: list[str] = field(default_factory=list)
    server_errors: list[str] = field(default_factory=list)
    divergences: list[str] = field(default_factory=list)
    seconds: float = 0.0
    note: str = ""
    not_run: str = ""

    def crash(self, key: str) -> None:
        self.crashes.append(key)

    def server_error(self, key: str) -> None:
        self.server_errors.append(key)

    def diverge(self, key: str) -> None:
        self.divergences.append(key)


class Reasons:
    """`divergences.toml`: each entry has a source, a pattern that keys match from their beginning, and a reason."""

    def __init__(self, file: Path = REASONS) -> None:
        entries = tomllib.loads(file.read_text(encoding="utf-8")).get("divergence", [])
        self.entries = [(entry["source"], re.compile(entry["matches"]), entry["reason"]) for entry in entries]
        self.used: Counter[str] = Counter()

    def unexplained(self, outcome: Outcome) -> list[str]:
        """The divergences that no entry explains. Crashes and 5xx have no reasons: nothing explains them."""
        return [key for key in outcome.divergences if not self.explain(outcome.source, key)]

    def explain(self, source: str, key: str) -> bool:
        for of, pattern, _ in self.entries:
            if of == source and pattern.match(key):
                self.used[f"{source}: {pattern.pattern}"] += 1
                return True
        return False

    def idle(self, sources: set[str]) -> list[str]:
        """Entries of sources that ran which explained nothing: they may go."""
        every = [f"{source}: {pattern.pattern}" for source, pattern, _ in self.entries if source in sources]
        return [name for name in every if name not in self.used]


def table(outcomes: list[Outcome], reasons: Reasons) -> tuple[str, bool]:
    """The table, and whether every source that ran found nothing."""
    rows = [("source", "cases", "crashes", "5xx", "unexplained", "explained", "seconds", "")]
    clean = True
    details = []
    for outcome in outcomes:
        if outcome.not_run:
            rows.append((outcome.source, "-", "-", "-", "-", "-", "-", f"not run: {outcome.not_run}"))
            continue
        unexplained = reasons.unexplained(outcome)
        found = outcome.crashes + outcome.server_errors + unexplained
        # A source that had no case has shown nothing.
        clean = clean and not found and outcome.cases > 0
        rows.append((
            outcome.source, f"{outcome.cases:,}", str(len(outcome.crashes)), str(len(outcome.server_errors)),
            str(len(unexplained)), str(len(outcome.divergences) - len(unexplained)), f"{outcome.seconds:.0f}",
            outcome.note,
        ))
        for kind, keys in (
            ("crash", outcome.crashes), ("5xx", outcome.server_errors), ("divergence", unexplained),
        ):
            details += [f"  {outcome.source}: {kind}: {key}" for key in keys[:40]]
            if len(keys) > 40:
                details.append(f"  {outcome.source}: {kind}: and {len(keys) - 40} more")
    widths = [max(len(row[column]) for row in rows) for column in range(7)]
    lines = []
    for row in rows:
        cells = [row[0].ljust(widths[0])] + [row[column].rjust(widths[column]) for column in range(1, 7)]
        lines.append(("  ".join(cells) + "  " + row[7]).rstrip())
    return "\n".join(lines + details), clean
