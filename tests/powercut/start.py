"""What a daemon finds on the files that a power cut left: two ways to ask.

    read_standing(folder)                   # by the program standing: milliseconds
    with Starter(folder, apns_folder) as starter:
        starter.missing(data, demands)      # by mailpushd, and an Apple that takes everything
"""

import contextlib
import pathlib
import shutil
import subprocess

from apnssim import ApnsSim
from cyrus import SERVERNAME
from demands import Standing, events_in
from life import copy_of, daemon_on
from mailpushd import binary
from mailsite import hashes_of, rows
from waiting import wait_until

LIMIT_S = 30                                # for what is told at once


def write_image(image, folder):
    """Make these files ({name: bytes, or None: a directory}) in a folder that is made anew."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name, data in image.items():
        if data is None:
            (folder / name).mkdir()
        else:
            (folder / name).write_bytes(data)


def read_standing(folder):
    program = binary().parents[2] / "tests" / "powercut" / "standing"
    done = subprocess.run([str(program), str(folder), SERVERNAME], capture_output=True)
    standing = Standing()
    if done.returncode:
        standing.trouble.append(f"it ended with {done.returncode}: {done.stderr.decode()}")
    token_of = {}
    for line in done.stdout.decode().splitlines():
        what, _, rest = line.partition(" ")
        key, _, text = rest.partition(" ")
        if what == "registration":
            token_of[key] = text
            standing.subscriptions[text] = set()
        elif what == "subscription":
            standing.subscriptions[token_of[key]].add(text)
        elif what == "push":
            token_of[key] = text
        elif what == "news":
            standing.news.add((token_of[key], text))
        elif what == "raw":
            standing.events |= events_in(bytes.fromhex(rest))
        else:
            standing.trouble.append(rest)
    return standing


class Starter:
    def __init__(self, folder, apns_folder):
        self._folder = pathlib.Path(folder)
        self._apns_folder = apns_folder
        self._sim = ApnsSim()
        self._sim.wrapper = ["setpriv", "--pdeathsig", "KILL"]

    def __enter__(self):
        self._folder.mkdir(parents=True)
        self._sim.start(copy_of(self._apns_folder, self._folder / "apns"))
        return self

    def __exit__(self, *exception):
        self._sim.stop()

    def missing(self, data, demands):
        """Start on these files and return what does not come to be; [] as soon as all is there."""
        self._sim.forget()
        daemon = daemon_on(self._folder / "daemon", data, self._sim)
        found = []

        def look():
            found[:] = demands.missing(self._standing(data, demands))
            return not found
        try:
            daemon.start()
            with contextlib.suppress(TimeoutError):
                wait_until(look, LIMIT_S)
        except RuntimeError as error:
            found.append(str(error))
        finally:
            daemon.kill9()
        return found

    def _standing(self, data, demands):
        """Of news what Apple has got, of registrations what the registry has."""
        standing = Standing()
        for push in self._sim.pushes(lambda push: push["status"] == 200):
            standing.news |= {(push["token"], name) for name in hashes_of([push])}
        for token, name in rows(data / "registry.sqlite",
                                "SELECT device_token, subscription.hash FROM registration"
                                " LEFT JOIN subscription ON registration = registration.id"):
            standing.subscriptions.setdefault(token, set()).add(name)
        return standing
