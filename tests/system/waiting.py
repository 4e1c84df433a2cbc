"""Waiting for something to become true, always with a limit, never for time to pass."""

import re
import threading
import time

# Longer than whatever ends well takes, on a busy machine too.
TIMEOUT = 60


def wait_until(condition, timeout=TIMEOUT, what="the condition"):
    """Return what condition() returns as soon as that is true; TimeoutError says what was missing.

    For what cannot be waited for in the kernel: a port that opens, a file that appears.
    """
    deadline = time.monotonic() + timeout
    while not (value := condition()):
        if time.monotonic() >= deadline:
            raise TimeoutError(f"{what}: not within {timeout} s")
        time.sleep(0.005)
    return value


class Lines:
    """Lines of text that one thread adds while others wait for them."""

    def __init__(self):
        self._lines = []
        self._changed = threading.Condition()
        self._ended = False

    def add(self, line):
        with self._changed:
            self._lines.append(line)
            self._changed.notify_all()

    def end(self):
        """Nothing more will come: whoever waits need not wait longer."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def __len__(self):
        with self._changed:
            return len(self._lines)

    def all(self, since=0):
        with self._changed:
            return self._lines[since:]

    def wait(self, pattern, timeout=TIMEOUT, since=0):
        """The match of the first line from number `since` on in which pattern is found."""
        regex = re.compile(pattern)
        position = since
        deadline = time.monotonic() + timeout
        with self._changed:
            while True:
                for line in self._lines[position:]:
                    if found := regex.search(line):
                        return found
                position = len(self._lines)
                left = deadline - time.monotonic()
                if self._ended or left <= 0:
                    raise TimeoutError(f"no line with {pattern!r} within {timeout} s; the last:\n"
                                       + "\n".join(self._lines[-20:]))
                self._changed.wait(left)
