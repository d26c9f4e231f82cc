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

    def server_errors_since(self, before: "Metrics") -> dict[str, int]:
        found = {}
        for (operation, status), count in self.by_operation_and_status.items():
            more = count - before.by_operation_and_status.get((operation, status), 0)
            if status.startswith("5") and more > 0:
                found[f"{operation} {status}"] = more
        return found
