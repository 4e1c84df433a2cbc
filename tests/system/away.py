"""The registry's database is away: how it comes to that, and what is looked at each time.

A trouble is a context, in which the database is away.  A server has `url`, `place` (how it is called
in what mailpushd says) and `password` (None: it asks for none).
"""

import contextlib
import dataclasses
import re
import typing

from control import ctl_fine
from waiting import TIMEOUT, wait_until

# A trouble takes its time to come and to go.
SETTLED_S = 90


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


def site_with(server, bare_site_for, tmp):
    """A site whose registry that server is."""
    settings = {}
    if server.password:
        settings["registry_password_file"] = tmp / "password"
        settings["registry_password_file"].write_text(f"{server.password}\n")
    return bare_site_for(registry=server.url, registry_timeout="1s", **settings)


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
        text = daemon.log.wait("error alarm: (.*) alarm=registry state=begins", TIMEOUT, since)[1]
        assert re.search(f"{re.escape(server.place)}.*({case.says})", text), text
        ledger.wait_more()
        site.sim.control(do="clear")
        ctl_fine(daemon, "queue", "flush")
        site.told(waiting, "INBOX")
    daemon.log.wait("alarm=registry state=ends", SETTLED_S, since)
    ledger.wait_more()
