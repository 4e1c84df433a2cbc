"""A wall clock that a test sets under mailpushd (wallclock.c); the monotonic one is left alone.

    clock = WallClock(tmp).under(daemon)    # before the daemon starts
    clock.set("+90d")                       # from now on; "+0s" is the right time
"""

import os
import re

from mailpushd import binary

SECONDS = {"s": 1, "min": 60, "h": 3600, "d": 86400}


class WallClock:
    def __init__(self, folder):
        self._file = folder / "wallclock"
        self.set("+0s")

    def under(self, daemon):
        library = binary().parents[2] / "tests" / "system" / "libwallclock.so"
        assert library.exists(), library
        daemon.wrapper = [*daemon.wrapper, "env", f"LD_PRELOAD={library} {os.environ.get('LD_PRELOAD', '')}",
                          f"WALLCLOCK={self._file}",
                          # The sanitizer wants to be the first library.
                          "ASAN_OPTIONS=verify_asan_link_order=0"]
        return self

    def set(self, offset):
        number, unit = re.fullmatch(r"([+-]\d+)(\w+)", offset).groups()
        new = self._file.with_suffix(".new")
        new.write_text(f"{int(number) * SECONDS[unit]}\n")
        new.rename(self._file)
