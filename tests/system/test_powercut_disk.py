"""The disk of the power cut: what of a folder may be left (tests/powercut/disk.py)."""

import pathlib
import random
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "powercut"))

import record  # noqa: E402
from disk import Disk  # noqa: E402
from record import Act  # noqa: E402

FOLDER, SPOOL, FILE = 1, 2, 3             # inodes
OLD, NEW = b"o" * 2048, b"n" * 2048


def create(name, inode=FILE):
    return Act(record.CREATE, name, "", inode, 0, b"")


def write(data, offset=0, inode=FILE):
    return Act(record.WRITE, "", "", inode, offset, data)


def resize(size, inode=FILE):
    return Act(record.SIZE, "", "", inode, size, b"")


def sync(inode=FILE):
    return Act(record.SYNC, "", "", inode, 0, b"")


def rename(name, new_name, inode=FILE):
    return Act(record.RENAME, name, new_name, inode, 0, b"")


def unlink(name):
    return Act(record.UNLINK, name, "", 0, 0, b"")


def make_folder(name, inode):
    return Act(record.FOLDER, name, "", inode, 0, b"")


def disk_after(*acts):
    disk = Disk()
    for act in acts:
        disk.do(act)
    return disk


def torn_images(disk, count=300):
    return [disk.torn(random.Random(seed)) for seed in range(count)]


LASTING = (create("f"), write(OLD), sync(), sync(FOLDER))


def test_a_file_lasts_when_it_and_its_folder_are_synced():
    assert disk_after(*LASTING).strictest() == {"f": OLD}


@pytest.mark.parametrize("left_out, image", [(2, {"f": b""}), (3, {})])
def test_one_sync_alone_is_not_enough(left_out, image):
    acts = [act for number, act in enumerate(LASTING) if number != left_out]
    assert disk_after(*acts).strictest() == image


def test_all_is_there_when_nothing_was_lost():
    disk = disk_after(create("f"), write(OLD), rename("f", "g"), write(b"end", 2048), resize(2050))
    assert disk.kept() == {"g": OLD + b"en"}


def test_a_rename_may_last_before_the_data():
    disk = disk_after(create("f"), write(OLD), rename("f", "g"))
    assert {"g": b""} in torn_images(disk)


def test_a_rename_is_one_step():
    disk = disk_after(*LASTING, rename("f", "g"))
    assert {tuple(image) for image in torn_images(disk)} == {("f",), ("g",)}


def test_a_removal_lasts_when_the_folder_is_synced():
    disk = disk_after(*LASTING, unlink("f"))
    assert disk.strictest() == {"f": OLD}
    disk.do(sync(FOLDER))
    assert disk.strictest() == {} and torn_images(disk) == [{}] * 300


def test_a_folder_whose_name_is_lost_takes_along_what_is_inside():
    inside = make_folder("d", SPOOL), create("d/f"), write(OLD), sync(), sync(SPOOL)
    assert disk_after(*inside).strictest() == {}
    assert disk_after(*inside, sync(FOLDER)).strictest() == {"d": None, "d/f": OLD}


def test_a_write_is_torn_at_sectors_and_nothing_synced_is_lost():
    images = torn_images(disk_after(*LASTING, write(NEW[:1024], 512)))
    middles = {bytes(image["f"][512:1536]) for image in images}
    halves = {a + b for a in (OLD[:512], NEW[:512]) for b in (OLD[:512], NEW[:512])}
    assert middles == halves
    assert {bytes(image["f"][:512] + image["f"][1536:]) for image in images} == {OLD[:1024]}


def test_writes_may_last_in_any_order():
    images = torn_images(disk_after(*LASTING, write(b"1" * 512), write(b"2" * 512)))
    assert {bytes(image["f"][:1]) for image in images} == {b"o", b"1", b"2"}


def test_a_size_may_last_without_its_data():
    images = torn_images(disk_after(*LASTING, write(NEW, 2048)))
    assert {"f": OLD + bytes(2048)} in images and {"f": OLD} in images


def test_what_was_cut_off_does_not_come_back():
    images = torn_images(disk_after(*LASTING, resize(0), resize(2048)))
    assert {bytes(image["f"]) for image in images} == {OLD, b"", bytes(2048)}


def test_an_inode_that_is_used_again_is_another_file():
    disk = disk_after(*LASTING, unlink("f"), create("g"), write(NEW), sync())
    assert disk.strictest() == {"f": OLD}
