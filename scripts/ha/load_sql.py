"""Numbered rows through HAProxy: what was acknowledged is noted outside the database, and looked for afterwards."""

import time

import psycopg

from .load import Load

TABLE = """
CREATE TABLE IF NOT EXISTS acknowledged (
    worker BIGINT NOT NULL,
    number BIGINT NOT NULL,
    tries BIGINT NOT NULL,
    PRIMARY KEY (worker, number)
)
"""
# The last line is not for show. A retry that found its row and wrote nothing would be acknowledged without waiting for
# a standby, although the first try may never have reached one. Whatever is acknowledged must have been written now.
INSERT = """
INSERT INTO acknowledged (worker, number, tries) VALUES (%s, %s, 1)
ON CONFLICT (worker, number) DO UPDATE SET tries = acknowledged.tries + 1
"""


class SqlLoad(Load):
    """Workers, each with a connection of its own, which send a number until it is acknowledged, then the next."""

    PAUSE = 0.004  # seconds between two rows: load, but not for the machine's other guests

    def __init__(self, cluster, proxy, workers=6):
        super().__init__(workers)
        self.cluster, self.proxy = cluster, proxy
        self.acknowledged = [0] * workers  # rows 1 to n of a worker are acknowledged

    def prepare(self):
        with psycopg.connect(**self.proxy.account()) as session:
            session.execute(TABLE)

    def count(self):
        """Acknowledged so far."""
        return sum(self.acknowledged)

    def work(self, worker):
        session = None
        while not self._stop.is_set():
            began = time.monotonic()
            try:
                session = session or psycopg.connect(**self.proxy.account())
                session.execute(INSERT, (worker, self.acknowledged[worker] + 1))
            except psycopg.Error:
                self.failures += 1
                session = self._closed(session)
                time.sleep(0.05)
                continue
            self.acknowledged[worker] += 1
            self.note_success(began)
            time.sleep(self.PAUSE)
        self._closed(session)

    @staticmethod
    def _closed(session):
        if session is not None:
            session.close()

    def lost(self, upto=None):
        """Acknowledged rows that the primary does not have: all, or of those acknowledged when `upto` was noted."""
        upto = upto or list(self.acknowledged)
        with self.cluster.primary().connect("tsunagi") as session:
            rows = session.execute("SELECT worker, number FROM acknowledged").fetchall()
        there = set(rows)
        return sum((worker, number) not in there for worker, last in enumerate(upto) for number in range(1, last + 1))

    def noted(self):
        """What is acknowledged at this moment, for `lost`."""
        return list(self.acknowledged)

    def verdict(self):
        """What is counted in the end: name, number, and the number that is wanted."""
        return [("acknowledged writes lost", self.lost(), 0)]
