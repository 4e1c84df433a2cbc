"""A disk that stalls, crawls or fails under a program, by a library put before the C library's.

    disk = BadDisk(tmp).under(daemon)       # before the daemon starts
    with disk.rule("stuck queue.sqlite"):
        ...
"""

import contextlib
import os

from mailpushd import binary
from waiting import wait_until


class BadDisk:
    def __init__(self, folder):
        self._rules = folder / "baddisk"
        self._rules.write_text("")

    def under(self, daemon):
        daemon.wrapper = [*daemon.wrapper, *self.wrapper()]
        return self

    def wrapper(self):
        """A command that runs its arguments on this disk."""
        library = binary().parents[2] / "tests" / "system" / "libbaddisk.so"
        assert library.exists(), library
        return ["env", f"LD_PRELOAD={library} {os.environ.get('LD_PRELOAD', '')}",
                f"BADDISK={self._rules}",
                # The sanitizer wants to be the first library; it works as the second.
                "ASAN_OPTIONS=verify_asan_link_order=0"]

    @contextlib.contextmanager
    def rule(self, *rules):
        """Meanwhile the disk is as these rules say (baddisk.c)."""
        self._set(rules)
        yield
        self._set(())

    def wait_held(self):
        """Until a program waits to open a file."""
        wait_until(self._rules.with_suffix(".held").exists, what="a program that opens a file")

    def _set(self, rules):
        new = self._rules.with_suffix(".new")
        new.write_text("".join(f"{rule}\n" for rule in rules))
        new.rename(self._rules)
