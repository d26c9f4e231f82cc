"""What both loads have in common: workers, and what succeeds after a kill."""

import threading
import time


class Load:
    """Workers that work until they are stopped."""

    def __init__(self, workers):
        self.failures = 0
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._since, self._first_at, self._first_after = None, None, threading.Event()
        self._successes = 0
        self._threads = [threading.Thread(target=self.work, args=(worker,), daemon=True) for worker in range(workers)]

    def work(self, worker):
        raise NotImplementedError

    def start(self):
        for thread in self._threads:
            thread.start()

    def stop(self):
        self._stop.set()
        for thread in self._threads:
            if thread.ident:
                thread.join(timeout=60)

    def watch_from(self, moment):
        """Begins to look for successes of attempts that began after `moment`."""
        with self._lock:
            self._since, self._first_at, self._successes = moment, None, 0
            self._first_after.clear()

    def first_success(self, seconds):
        """When the first came, or None if it did not come in time."""
        return self._first_at if self._first_after.wait(seconds) else None

    def successes(self):
        """How many there were so far, of whatever kind."""
        with self._lock:
            return self._successes

    def note_success(self, began):
        """A worker was acknowledged what it began at `began`."""
        with self._lock:
            if self._since is None or began < self._since:
                return
            self._successes += 1
            if self._first_at is None:
                self._first_at = time.monotonic()
                self._first_after.set()
