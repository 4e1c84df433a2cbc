"""The power goes: what was acknowledged is told when it has come back; script/powercut does more."""

import functools
import pathlib
import shutil
import sys
import tempfile

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "powercut"))

from disk import Disk  # noqa: E402
from life import Life  # noqa: E402
from powercut import Examination, Plan, unrecorded  # noqa: E402
from record import Record  # noqa: E402

SEED = 8
EVENTS = 60
QUICK = {"strictest": 4, "kept": 20, "torn": 20}


@pytest.fixture(scope="module")
def life(apns_folder):
    """Some events of all kinds, recorded."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="mp-", dir="/tmp"))
    life = Life(folder / "life", apns_folder, SEED)
    life.live(EVENTS)
    yield life
    shutil.rmtree(folder)


@pytest.fixture
def acts(life):
    return life.record.read()


def test_the_record_misses_nothing(life, acts):
    assert unrecorded(acts, life.data) == []


@pytest.mark.limit(600)
def test_what_was_acknowledged_before_a_power_cut_is_pushed(acts, apns_folder):
    plan = Plan(every=10, tears=200, started=QUICK)
    looked_at, findings = Examination(acts, apns_folder, SEED, plan).run()
    assert not findings
    assert looked_at["strictest, mailpushd started"] and looked_at["kept, mailpushd started"]
    assert looked_at["torn"] + looked_at["torn, mailpushd started"] == 200


LIES = ["", "spool", "spool/.tmp-", "queue.sqlite-wal", "registry.sqlite-wal"]


def is_synced_but(part, name):
    return not name.startswith(part) if part.endswith("-") else name != part


@pytest.mark.limit(600)
@pytest.mark.parametrize("part", LIES, ids=lambda part: part or "the folder")
def test_a_disk_that_lies_about_syncing_loses_what_was_acknowledged(acts, apns_folder, part):
    """So the examination finds what it is to find."""
    plan = Plan(tears=0, kinds=("strictest",), started={"strictest": 0})
    _, findings = Examination(acts, apns_folder, SEED, plan,
                              functools.partial(is_synced_but, part)).run(enough=1)
    assert findings[0][0] != "the examination itself"


def test_the_name_of_a_spool_folder_that_is_made_lasts(tmp, bare_site_for):
    """When somebody can write into it."""
    data = tmp / "data"
    data.mkdir()
    record, disk = Record(tmp / "record"), Disk()
    daemon = bare_site_for(start=False, registry=f"sqlite:{data}/registry.sqlite",
                           queue=data / "queue.sqlite", spool_dir=data / "spool").mailpushd
    daemon.wrapper = record.under(data)
    daemon.start()
    daemon.wait_spool()
    for act in record.read():
        disk.do(act)
    assert "spool" in disk.strictest()
