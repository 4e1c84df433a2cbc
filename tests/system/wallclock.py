"""A wall clock that a test sets under mailpushd (libfaketime); the monotonic one is left alone.

    clock = WallClock(tmp).under(daemon)    # before the daemon starts
    clock.set("+90d")                       # from now on; "+0" is the right time
"""

import os
import pathlib


class WallClock:
    def __init__(self, folder):
        self._file = folder / "faketime"
        self.set("+0")

    def under(self, daemon):
        library, = pathlib.Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")
        daemon.wrapper = [*daemon.wrapper, "env",
                          f"LD_PRELOAD={library} {os.environ.get('LD_PRELOAD', '')}",
                          f"FAKETIME_TIMESTAMP_FILE={self._file}", "FAKETIME_NO_CACHE=1",
                          "FAKETIME_DONT_FAKE_MONOTONIC=1", "DONT_FAKE_MONOTONIC=1",
                          "NO_FAKE_STAT=1",
                          # The sanitizer wants to be the first library.
                          "ASAN_OPTIONS=verify_asan_link_order=0"]
        return self

    def set(self, offset):
        new = self._file.with_suffix(".new")
        new.write_text(offset + "\n")
        new.rename(self._file)
