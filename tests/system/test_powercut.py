"""The power goes: what was acknowledged is told when it has come back."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "powercut"))

from disk import Disk  # noqa: E402
from record import Record  # noqa: E402


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
