"""The registry's database is away, again and again, and in ways that take long to bring about."""

import random
import sys
from pathlib import Path

import pytest

SYSTEM = Path(__file__).resolve().parents[1] / "system"
sys.path.insert(0, str(SYSTEM))

import away  # noqa: E402
import away_mariadb  # noqa: E402
import away_postgresql  # noqa: E402
import conftest  # noqa: E402
from conftest import *  # noqa: E402,F401,F403  the fixtures of the system tests
from ledger import Ledger  # noqa: E402

conftest.LIMIT_S = 900
ROUNDS = 3
DATABASES = [away_postgresql, away_mariadb]


@pytest.mark.parametrize("database", DATABASES, ids=lambda database: database.__name__)
@pytest.mark.parametrize("seed", [1, 2])
def test_one_trouble_after_the_other(database, seed, bare_site_for, tmp):
    """The same ledger, server and daemon all along."""
    dice = random.Random(seed)
    with database.LASTING() as server:
        site = away.site_with(server, bare_site_for, tmp)
        with Ledger(site) as ledger:
            for _ in range(ROUNDS):
                for name in dice.sample(database.REPEATED, len(database.REPEATED)):
                    away.is_endured(database.CASES[name], server, site, ledger)
        ledger.settle(away.SETTLED_S)


@pytest.mark.parametrize("case", [case for database in DATABASES for case in database.LONG_CASES.values()],
                         ids=[name for database in DATABASES for name in database.LONG_CASES])
def test_what_is_acknowledged_meanwhile_is_pushed(case, bare_site_for, tmp):
    with case.server() as server:
        site = away.site_with(server, bare_site_for, tmp)
        with Ledger(site) as ledger:
            ledger.wait_more()
            away.is_endured(case, server, site, ledger)
        ledger.settle(away.SETTLED_S)
