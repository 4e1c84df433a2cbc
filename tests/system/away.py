"""The registry's database is away: how it comes to that, and what is looked at each time.

A trouble is a context, in which the database is away.  A server has `url`, `place` (how it is called
in what mailpushd says) and `password` (None: it asks for none).
"""

import contextlib
import dataclasses
import os
import re
import subprocess
import typing

import pytest

from control import ctl_fine, get
from waiting import wait_until

# A trouble takes its time to come and to go.
SETTLED_S = 90
ALARM_S = 60
SECRET, NEW_SECRET = "swordfish", "sesame"


@dataclasses.dataclass
class Case:
    trouble: typing.Callable        # trouble(server, daemon)
    says: str                       # what the alarm has to say of the cause, beside the host
    server: typing.Callable         # a context that gives the server, or skips


@contextlib.contextmanager
def made(server):
    """The server's data are there, and it runs; it goes with all that is its."""
    try:
        yield server.make()
    finally:
        server.remove()


@contextlib.contextmanager
def small_disk(path, size):
    if os.geteuid() != 0:
        pytest.skip("a small disk is a tmpfs, which needs root")
    path.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", path], check=True)
    try:
        yield path
    finally:
        subprocess.run(["umount", "--lazy", path], check=True)
        with contextlib.suppress(OSError):      # what the server could not remove from under the disk
            path.rmdir()
            path.parent.rmdir()


@contextlib.contextmanager
def filled(disk):
    """Nothing more goes on it, until the end."""
    filler = disk / "filler"
    with contextlib.suppress(OSError), filler.open("wb") as file:
        while True:
            file.write(bytes(1 << 20))
            file.flush()
    yield
    filler.unlink()


def disk_full(folder):
    """The trouble: nothing more goes on the disk of this folder of the server."""
    @contextlib.contextmanager
    def trouble(server, daemon):
        with filled(server.folder / folder):
            yield
    return trouble


def password_changed(statement):
    """The trouble: the statement has changed the password, and nobody told the daemon."""
    @contextlib.contextmanager
    def trouble(server, daemon):
        server.sql(statement.format(NEW_SECRET))
        server.end_connections()
        yield
        daemon.settings["registry_password_file"].write_text(f"{NEW_SECRET}\n")
    return trouble


def site_with(server, bare_site_for, tmp):
    """A site whose registry that server is."""
    settings = {}
    if server.password:
        settings["registry_password_file"] = tmp / "password"
        settings["registry_password_file"].write_text(f"{server.password}\n")
    return bare_site_for(registry=server.url, **settings)


def alarm_of(daemon):
    """What the registry's alarm says now; a busy machine may have had another cause for it at first."""
    alarms = get(daemon, "/status")["alarms"]
    return "".join(alarm["text"] for alarm in alarms if alarm["name"] == "registry")


def waiting_push(site):
    """A phone with news that Apple has refused so far."""
    phone = site.registered_phone()
    site.sim.control(do="token", token=phone.token, status=503, reason="ServiceUnavailable")
    site.deliver(phone.user)
    wait_until(lambda: site.pushes(phone)[-1]["status"] == 503, what="a push that Apple refuses")
    return phone


def is_endured(case, server, site, ledger):
    """Events are acknowledged meanwhile, the alarm says what is wrong, and pushes that wait leave."""
    waiting = waiting_push(site)
    daemon = site.mailpushd
    since = len(daemon.log)
    with case.trouble(server, daemon):
        ledger.wait_more()
        wait_until(lambda: re.search(f"{re.escape(server.place)}.*({case.says})", alarm_of(daemon)), ALARM_S,
                   what=f"an alarm that says {case.says}")
        ledger.wait_more()
        site.sim.control(do="clear")
        ctl_fine(daemon, "queue", "flush")
        site.told(waiting, "INBOX")
    daemon.log.wait("alarm=registry state=ends", SETTLED_S, since)
    ledger.wait_more()
