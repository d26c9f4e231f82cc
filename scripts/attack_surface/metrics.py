"""What the gateway itself counted: tools that make their own requests do not all say how many."""

import re
from dataclasses import dataclass


@dataclass
class Metrics:
    by_operation_and_status: dict[tuple[str, str], int]

    @classmethod
    def of(cls, premises) -> "Metrics":
        text = premises.monitor_says("/metrics") or ""
        found = re.findall(r'^tsunagi_requests_total\{operation="(\w+)",status="(\d+)"\} (\d+)$', text, re.MULTILINE)
        return cls({(operation, status): int(count) for operation, status, count in found})

    @property
    def requests(self) -> int:
        return sum(self.by_operation_and_status.values())

    def turned_away_since(self, before: "Metrics") -> int:
        """Requests beyond what one terminal may have."""
        return sum(self._more(before, key) for key in self.by_operation_and_status if key[1] == "429")

    def _more(self, before: "Metrics", key: tuple[str, str]) -> int:
        return self.by_operation_and_status[key] - before.by_operation_and_status.get(key, 0)

    def server_errors_since(self, before: "Metrics") -> dict[str, int]:
        found = {}
        for key in self.by_operation_and_status:
            operation, status = key
            if status.startswith("5") and (more := self._more(before, key)) > 0:
                found[f"{operation} {status}"] = more
        return found
