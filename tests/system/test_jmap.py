"""Folders that JMAP makes, renames and destroys.

Cyrus tells of no rename that comes so, but an event names the id of its mailbox, which stays.  It
tells of no folder that is destroyed so either, and no event follows by which that could be noticed.
"""

import pytest

from jmap import OPTIONS, Jmap
from test_life import Home


@pytest.fixture
def site(site_for):
    return site_for(cyrus=OPTIONS)


class JmapHome(Home):
    """A home whose folders are renamed by JMAP; each was seen by the daemon, unless `seen` names them."""

    def __init__(self, site, *watched, seen=None):
        super().__init__(site, *watched)
        self.jmap = Jmap(site.cyrus, self.user)
        for folder in watched if seen is None else seen:
            self.append(folder)
            self.told(folder)

    def rename(self, old, new):
        self.jmap.update(self.jmap.folders()[old], name=new)

    def swap(self, one, other):
        self.rename(one, "Between")
        self.rename(other, one)
        self.rename("Between", other)


def test_a_folder_that_was_renamed_is_pushed_by_the_name_that_the_phone_knows(site):
    home = JmapHome(site, "Notes")
    home.rename("Notes", "Archive")
    home.append("Archive")
    home.told("Notes")
    home.rename("Archive", "Older")
    site.deliver(home.user)
    site.told(home.phone, "INBOX")
    home.append("Older")
    home.told("Notes")


def test_a_folder_that_was_moved_below_another_is_pushed(site):
    home = JmapHome(site, "Notes", "Work")
    folders = home.jmap.folders()
    home.jmap.update(folders["Notes"], parentId=folders["Work"])
    home.append(("Work", "Notes"))
    home.told("Notes")
    home.append("Work")
    home.told("Work")


def test_what_is_below_a_folder_that_was_renamed_is_pushed(site):
    home = JmapHome(site, "Work", ("Work", "Sub"), ("Work", "Sub", "Deep"))
    home.rename("Work", "Job")
    home.append(("Job", "Sub", "Deep"))
    home.told(("Work", "Sub", "Deep"))
    home.append("Job")
    home.told("Work")
    home.append(("Job", "Sub"))
    home.told(("Work", "Sub"))


def test_a_folder_that_takes_the_name_is_another(site):
    home = JmapHome(site, "Notes")
    home.rename("Notes", "Archive")
    home.append("Archive")
    home.told("Notes")
    home.jmap.create("Notes")
    home.append("Notes")
    home.told_nothing()


def test_two_folders_that_swapped_names_are_pushed_by_the_names_that_each_phone_knows(site):
    home = JmapHome(site, "Notes", "Work")
    phones = {name: site.registered_phone(home.user, "INBOX", name) for name in home.names}
    for name in home.names:
        home.append(name)
        home.told(name)
        site.told(phones[name], name)
    home.swap("Notes", "Work")
    for name in "Work", "Notes", "Work":
        home.append(name)
        home.told(name)
        site.told(phones[name], name)


@pytest.mark.parametrize("first", ["Work", "Notes"])
def test_one_of_two_that_swapped_names_may_not_have_been_seen(site, first):
    home = JmapHome(site, "Notes", "Work", seen=["Notes"])
    home.swap("Notes", "Work")
    second = {"Work": "Notes", "Notes": "Work"}[first]
    for name in first, second, first, second:
        home.append(name)
        home.told(name)


def test_one_that_took_the_name_of_one_never_seen_is_pushed_by_that_name(site):
    home = JmapHome(site, "Notes", "Work", seen=["Notes"])
    home.rename("Work", "Archive")
    home.rename("Notes", "Work")
    home.append("Work")
    home.told("Work")


def test_a_phone_that_knows_the_new_name_leaves_the_others_theirs(site):
    home = JmapHome(site, "Notes")
    home.rename("Notes", "Archive")
    quick = site.registered_phone(home.user, "INBOX", "Archive")
    home.append("Archive")
    home.told("Notes")
    site.told(quick, "Archive")


def test_folders_whose_names_shifted_are_pushed_by_the_name_that_the_phone_knows(site):
    home = JmapHome(site, "Notes", "Work")
    home.rename("Work", "Archive")
    home.rename("Notes", "Work")
    home.append("Work")
    home.told("Work")


def test_the_first_seen_of_folders_whose_names_shifted_is_pushed_by_its_own(site):
    home = JmapHome(site, "Notes", "Work")
    home.rename("Work", "Archive")
    home.rename("Notes", "Work")
    home.append("Archive")
    home.told("Work")
    home.append("Work")
    home.told("Notes")


def test_what_is_below_a_folder_that_was_renamed_is_pushed_when_it_moves_on(site):
    home = JmapHome(site, "Work", ("Work", "Sub"))
    home.rename("Work", "Job")
    home.append("Job")
    home.told("Work")
    home.jmap.update(home.jmap.folders()["Sub"], parentId=None)
    home.append("Sub")
    home.told(("Work", "Sub"))


def test_a_phone_that_registers_means_the_folder_that_has_the_name_by_then(site):
    home = JmapHome(site, "Notes")
    home.rename("Notes", "Archive")
    home.jmap.create("Notes")
    home.phone.register("INBOX", "Notes")
    site.deliver(home.user)
    site.told(home.phone, "INBOX")
    home.append("Archive")
    home.told_nothing()
    home.append("Notes")
    home.told("Notes")


@pytest.mark.parametrize("named", [("INBOX",), ("INBOX", "Else")], ids=len)
def test_a_phone_leaves_known_what_it_does_not_name(site, named):
    home = JmapHome(site, "Notes", "Else")
    site.registered_phone(home.user, *named)
    home.rename("Notes", "Archive")
    home.append("Archive")
    home.told("Notes")


def test_who_names_folders_of_others_leaves_known_what_is_not_named(site):
    home = JmapHome(site, "Notes", "Else")
    bob = site.create_user()
    home.device.setacl("Else", bob, "lr")
    site.registered_phone(bob, "INBOX", site.cyrus.other_name(home.user, "Else"))
    home.rename("Notes", "Archive")
    home.append("Archive")
    home.told("Notes")


def test_a_folder_that_is_deleted_leaves_known_what_is_beside_it(site):
    home = JmapHome(site, "Notes", "Else")
    home.device.delete("Else")
    home.rename("Notes", "Archive")
    home.append("Archive")
    home.told("Notes")


def test_a_folder_that_was_destroyed_stays_registered_and_is_silent_until_the_phone_comes_again(site):
    home = JmapHome(site, "Notes", "Else")
    home.jmap.destroy(home.jmap.folders()["Notes"])
    site.deliver(home.user, "Notes")        # where the folder is not, it comes to INBOX
    site.told(home.phone, "INBOX")
    assert site.subscriptions(home.phone) == ["Else", "INBOX", "Notes"]
    home.phone.register("INBOX", "Notes", "Else")
    site.told(home.phone, "INBOX", "Else")
    assert site.subscriptions(home.phone) == ["Else", "INBOX"]


@pytest.mark.parametrize("seen", [["Notes"], []], ids=len)
def test_a_folder_made_anew_after_one_was_destroyed_is_pushed(site, seen):
    home = JmapHome(site, "Notes", seen=seen)
    home.jmap.destroy(home.jmap.folders()["Notes"])
    home.jmap.create("Notes")
    for _ in range(2):
        home.append("Notes")
        home.told("Notes")


def test_a_folder_that_takes_the_name_of_one_that_was_destroyed_is_pushed_by_that_name(site):
    home = JmapHome(site, "Notes", "Work")
    home.jmap.destroy(home.jmap.folders()["Notes"])
    home.rename("Work", "Notes")
    for _ in range(2):
        home.append("Notes")
        home.told("Notes")


def test_a_folder_that_was_never_seen_is_silent_until_the_phone_registers_again(site):
    home = JmapHome(site, "Notes", seen=[])
    home.rename("Notes", "Archive")
    home.append("Archive")
    home.told_nothing()
    home.phone.register("INBOX", "Notes", "Archive")
    site.told(home.phone, "INBOX", "Archive")
    home.append("Archive")
    site.told(home.phone, "Archive")


def test_a_rename_that_the_groups_of_events_leave_out_is_noticed_too(site_for):
    site = site_for(cyrus={"event_groups": "message flags applepushservice"})
    home = Home(site, "Notes")
    home.append("Notes")
    home.told("Notes")
    home.rename("Notes", "Archive")
    home.append("Archive")
    home.told("Notes")
