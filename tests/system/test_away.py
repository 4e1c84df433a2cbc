"""The registry's database is away: events are acknowledged all the same, and lead to their pushes.

Each database has a table of cases; what is looked at is the same for all of them.
"""

import pytest

import away
import away_mariadb
import away_postgresql
from ledger import Ledger

DATABASES = {"postgresql": away_postgresql, "mariadb": away_mariadb}
CASES = {f"{name}, {what}": case for name, database in DATABASES.items() for what, case in database.CASES.items()}


@pytest.fixture(params=CASES)
def case(request):
    return CASES[request.param]


@pytest.fixture
def server(case):
    with case.server() as server:
        yield server


@pytest.mark.limit(240)
def test_what_is_acknowledged_meanwhile_is_pushed(case, server, bare_site_for, tmp):
    site = away.site_with(server, bare_site_for, tmp)
    with Ledger(site) as ledger:
        ledger.wait_more()
        away.is_endured(case, server, site, ledger)
    ledger.settle(away.SETTLED_S)


def test_the_ledger_misses_what_is_not_pushed(bare_site):
    with Ledger(bare_site) as ledger:
        ledger.wait_more()
        bare_site.sim.control(do="hold", on=True)
        ledger.wait_more()
    assert ledger.owed()
    bare_site.sim.control(do="hold", on=False)
    ledger.settle()
