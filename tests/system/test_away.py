"""The registry's database is away: events are acknowledged all the same, and lead to their pushes.

Each database has a table of cases; what is looked at is the same for all of them.
"""

import re

import pytest

import away_postgresql
from ledger import Ledger
from waiting import wait_until

CASES = {f"postgresql, {name}": case for name, case in away_postgresql.CASES.items()}
# A trouble takes its time to come and to go.
SETTLED_S = 90


@pytest.fixture(params=CASES)
def case(request):
    return CASES[request.param]


@pytest.fixture
def server(case):
    with case.server() as server:
        yield server


@pytest.fixture
def site(case, server, bare_site_for, tmp):
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


@pytest.mark.limit(240)
def test_what_is_acknowledged_meanwhile_is_told(case, server, site):
    waiting = waiting_push(site)
    with Ledger(site) as ledger:
        ledger.wait_more()
        with case.trouble(server, site.mailpushd):
            ledger.wait_more()
            text = site.mailpushd.wait_log("error alarm: (.*) alarm=registry state=begins")[1]
            assert re.search(f"{re.escape(server.place)}.*({case.says})", text), text
            ledger.wait_more()
            site.sim.control(do="clear")
            site.told(waiting, "INBOX")
        site.mailpushd.wait_log("alarm=registry state=ends", timeout=SETTLED_S)
        ledger.wait_more()
    ledger.settle(SETTLED_S)
