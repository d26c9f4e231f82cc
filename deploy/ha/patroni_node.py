#!/usr/bin/env python3
"""Patroni, with a leader's lease shorter than Patroni itself allows.

When the machine of the primary dies, nobody gives its lease back: the others wait until it runs out. Patroni refuses a
`ttl` under 20 seconds, and so an outage of less. This program is Patroni with that one bound lowered; everything else,
the rule `loop_wait + 2 * retry_timeout <= ttl` above all, is Patroni's own. docs/decisions/0018-high-availability.md
says what is paid for it. To go without, start `patroni` in its place: it takes 20 where the file says 9.
"""

import sys

from patroni.__main__ import main
from patroni.config import Config

SHORTEST_LEASE = 9  # seconds: one round (loop_wait 1) and two tries at etcd (retry_timeout 4)
BOUND = "_Config__get_and_maybe_adjust_int_value"


def with_shorter_lease(within_bounds):
    """Patroni's check of one number, with another least value for `ttl`."""

    def check(self, config, param, least):
        return within_bounds(self, config, param, SHORTEST_LEASE if param == "ttl" else least)

    return check


if not hasattr(Config, BOUND):
    sys.exit("patroni_node: this version of Patroni checks `ttl` elsewhere. Start `patroni` itself, or mend this file.")
setattr(Config, BOUND, with_shorter_lease(getattr(Config, BOUND)))

if __name__ == "__main__":
    main()
