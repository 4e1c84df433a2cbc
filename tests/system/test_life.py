"""Accounts and folders of the real Cyrus are deleted, renamed and made anew."""

import contextlib
import sqlite3

import pytest

import notify
from control import get
from cyrus import ADMIN
from mailsite import locked, new_user
from phone import hash_of
from waiting import wait_until

ALL_RIGHTS = "lrswipkxtecda"
DAY_MS = 24 * 60 * 60 * 1000

# altnamespace, unixhierarchysep
NAMESPACES = [(True, True), (False, False)]


@pytest.fixture(params=NAMESPACES, ids=lambda n: f"alt{n[0]:d}-uh{n[1]:d}")
def namespace(request):
    return {"altnamespace": request.param[0], "unixhierarchysep": request.param[1]}


@pytest.fixture(params=["immediate", "delayed"])
def delete_mode(request):
    return request.param


@pytest.fixture
def site(site_for, namespace):
    return site_for(cyrus=namespace)


class Home:
    """A user with folders, a phone that watches INBOX and some of them, and another device."""

    def __init__(self, site, *watched):
        self.site = site
        self.user = site.create_user(*watched, user=f"jane.{new_user()}")
        self.names = {folder: self.name(folder) for folder in watched}
        self.phone = site.registered_phone(self.user, "INBOX", *self.names.values())
        self.device = site.phone(self.user)

    def name(self, folder):
        path = folder if isinstance(folder, tuple) else (folder,)
        return self.site.cyrus.client_name(*path)

    def append(self, folder):
        self.device.append(self.name(folder))

    def rename(self, old, new):
        self.device.rename(self.name(old), self.name(new))

    def told(self, *folders):
        """Of these folders, by the names that they were registered with, and of no others."""
        self.site.told(self.phone, *(self.names[folder] for folder in folders))

    def told_nothing(self):
        """The next push is about a later delivery to INBOX alone."""
        self.site.deliver(self.user)
        self.site.told(self.phone, "INBOX")


def suspended(site):
    """Users whose registrations sleep."""
    return [user for user, since_ms in site.registrations("user, suspended_ms") if since_ms]


def wait_event(site, event, owner, action):
    site.mailpushd.wait_log(f"event came event={event} owner={owner} .*action={action}$")


# ---- folders are renamed ----

@pytest.mark.parametrize("beside", ["Notes2", "Notes-old", "Notes old", "Note", "notes", "Notesé"])
def test_a_rename_takes_along_what_is_below_and_nothing_beside(site, beside):
    below, deep = ("Notes", "Grün"), ("Notes", "Grün", "Deep")
    home = Home(site, "Notes", below, deep, beside)
    home.rename("Notes", "Archive")
    for new, old in (("Archive", "Notes"), (("Archive", "Grün"), below),
                     (("Archive", "Grün", "Deep"), deep), (beside, beside)):
        home.append(new)
        home.told(old)


def test_a_rename_may_lead_deeper_and_back(site):
    home = Home(site, "Notes", ("Notes", "Sub"))
    home.rename("Notes", ("Old", "2026", "Notes"))
    home.append(("Old", "2026", "Notes", "Sub"))
    home.told(("Notes", "Sub"))
    home.rename("Old", "Older")
    home.append(("Older", "2026", "Notes"))
    home.told("Notes")
    home.rename(("Older", "2026", "Notes"), "Notes")
    home.append(("Notes", "Sub"))
    home.told(("Notes", "Sub"))


def test_a_folder_that_takes_the_old_name_is_another(site):
    home = Home(site, "Notes")
    home.rename("Notes", "Archive")
    home.device.create(home.name("Notes"))
    home.append("Notes")
    home.append("Archive")
    home.told("Notes")      # once: of the one that is called Archive now
    home.append("Notes")
    home.told_nothing()


def test_the_phone_registers_the_new_name_when_it_has_found_it(site):
    home = Home(site, "Notes")
    home.rename("Notes", "Archive")
    new = home.name("Archive")
    assert home.phone.register("INBOX", home.names["Notes"], new).mailboxes == ["INBOX", new]
    site.told(home.phone, "INBOX", new)
    home.append("Archive")
    site.told(home.phone, new)


def test_an_admin_may_move_a_folder_to_another_user(site):
    home, other = Home(site, "Notes"), Home(site, "Inbox2")
    old, new = (site.cyrus.admin_name(home.user, "Notes"),
                site.cyrus.admin_name(other.user, "FromJane"))
    site.cyrus.admin.setacl(old, ADMIN, ALL_RIGHTS)
    site.cyrus.admin.setacl(site.cyrus.admin_name(other.user), ADMIN, ALL_RIGHTS)
    site.cyrus.admin.rename(old, new)
    reader = site.phone(home.user)
    name = site.cyrus.other_name(other.user, "FromJane")
    reader.append(name)                     # the ACL still lets jane in
    home.told("Notes")
    site.cyrus.admin.setacl(new, other.user, ALL_RIGHTS)
    site.cyrus.admin.setacl(new, home.user, "")
    other.append("FromJane")
    home.told_nothing()
    own = other.name("FromJane")
    other.phone.register("INBOX", own)
    site.told(other.phone, "INBOX", own)
    other.append("FromJane")
    site.told(other.phone, own)


def test_a_folder_may_come_to_belong_to_nobody(site):
    home = Home(site, "Notes", ("Notes", "Sub"))
    crew = f"crew-{home.user.rpartition('.')[2]}"
    for folder in (("Notes",), ("Notes", "Sub")):
        site.cyrus.admin.setacl(site.cyrus.admin_name(home.user, *folder), ADMIN, ALL_RIGHTS)
    site.cyrus.admin.rename(site.cyrus.admin_name(home.user, "Notes"), crew)
    home.device.append(site.cyrus.shared_name(crew, "Sub"))
    home.told(("Notes", "Sub"))
    site.cyrus.admin.rename(crew, site.cyrus.admin_name(home.user, "Mine"))
    home.append(("Mine", "Sub"))
    home.told(("Notes", "Sub"))


# ---- folders are deleted ----

def test_a_deleted_folder_is_pushed_no_more(site_for, namespace, delete_mode):
    home = Home(site_for(cyrus={**namespace, "delete_mode": delete_mode}), "Notes", "Notes2",
                ("Notes2", "Sub"))
    home.device.delete(home.name("Notes"))
    wait_event(home.site, "MailboxDelete", home.user, "delete")
    home.device.create(home.name("Notes"))
    home.append("Notes")
    home.append("Notes2")
    home.told("Notes2")
    home.device.delete(home.name(("Notes2", "Sub")))
    home.append("Notes2")
    home.told("Notes2")
    home.phone.register("INBOX", home.name("Notes"))
    home.site.told(home.phone, "INBOX", home.name("Notes"))
    home.append("Notes")
    home.told("Notes")


def test_what_others_watch_of_a_deleted_folder_is_pushed_no_more(site):
    home = Home(site, "Team")
    reader = site.create_user()
    site.cyrus.admin.setacl(site.cyrus.admin_name(home.user, "Team"), reader, "lrs")
    name = site.cyrus.other_name(home.user, "Team")
    phone = site.registered_phone(reader, "INBOX", name)
    home.device.delete(home.name("Team"))
    site.cyrus.create_folder(home.user, "Team")
    site.cyrus.admin.setacl(site.cyrus.admin_name(home.user, "Team"), reader, "lrs")
    home.append("Team")
    site.deliver(reader)
    site.told(phone, "INBOX")
    phone.register("INBOX", name)
    site.told(phone, "INBOX", name)
    home.append("Team")
    site.told(phone, name)


# ---- in one go ----

def test_names_that_change_hands_in_a_burst_keep_their_phones(site):
    """All of it comes in one batch: what came before a rename is told by the old places."""
    home = Home(site, "One", "Two")
    with locked(site.mailpushd.dir / "registry.sqlite"):
        home.rename("One", "Other")
        home.rename("Two", "One")
        home.rename("Other", "Two")
        home.append("One")
    home.told("Two")
    with locked(site.mailpushd.dir / "registry.sqlite"):
        home.append("Two")
        home.rename("Two", "Three")
        home.device.create(home.name("Two"))
        home.append("Two")
    home.told("One")
    home.told_nothing()


def test_a_folder_deleted_and_registered_again_in_a_burst_is_pushed(site):
    home = Home(site, "Notes")
    with locked(site.mailpushd.dir / "registry.sqlite"):
        home.append("Notes")
        home.device.delete(home.name("Notes"))
        home.device.create(home.name("Notes"))
        home.phone.register("INBOX", home.name("Notes"))
    site.told(home.phone, "INBOX", home.name("Notes"))      # as for any list that has changed
    home.append("Notes")
    home.told("Notes")


def test_a_burst_keeps_its_order_over_a_crash(site):
    home = Home(site, "One", "Two")
    with locked(site.mailpushd.dir / "registry.sqlite"):
        home.rename("One", "Other")
        home.rename("Two", "One")
        home.append("One")
        site.mailpushd.kill9()
    site.mailpushd.start()
    home.told("Two")
    home.append("Other")
    home.told("One")


# ---- accounts are deleted ----

def test_a_deleted_account_sleeps_until_a_delivery(site_for, namespace, delete_mode):
    site = site_for(cyrus={**namespace, "delete_mode": delete_mode})
    home, other = Home(site, "Notes"), Home(site)
    site.cyrus.delete_user(home.user)
    wait_event(site, "MailboxDelete", home.user, "delete")
    other.told_nothing()
    assert suspended(site) == [home.user]
    site.cyrus.create_user(home.user, "Notes")
    other.told_nothing()
    assert suspended(site) == [home.user]        # that it is there again is no news
    site.deliver(home.user, "Notes")
    home.told("Notes")
    assert suspended(site) == []


def apple_is(site, is_away):
    site.sim.control(do="refuse", on=is_away)
    if is_away:
        site.sim.control(do="reset")


def test_what_waits_for_a_deleted_account_waits_for_it(site):
    home, other = Home(site, "Notes"), Home(site)
    apple_is(site, True)
    site.deliver(home.user)
    site.cyrus.delete_user(home.user)
    wait_event(site, "MailboxDelete", home.user, "delete")
    wait_until(lambda: [push["state"] for push in get(site.mailpushd, "/queue")["pushes"]]
               == ["suspended"], what="a push that is asleep")
    apple_is(site, False)
    other.told_nothing()
    site.cyrus.create_user(home.user, "Notes")
    other.told_nothing()
    assert site.new_pushes(home.phone) == []
    site.deliver(home.user, "Notes")
    site.told(home.phone, "INBOX", home.names["Notes"])


def test_news_of_a_deleted_folder_is_not_pushed(site):
    home = Home(site, "Notes")
    apple_is(site, True)
    home.append("Notes")
    site.deliver(home.user)
    home.device.delete(home.name("Notes"))
    wait_event(site, "MailboxDelete", home.user, "delete")
    wait_until(lambda: site.waiting_hashes() == {hash_of("INBOX")}, what="news of INBOX alone")
    apple_is(site, False)
    site.told(home.phone, "INBOX")


def test_a_deleted_account_sleeps_until_a_phone_registers(site):
    home = Home(site)
    site.cyrus.delete_user(home.user)
    wait_event(site, "MailboxDelete", home.user, "delete")
    site.cyrus.create_user(home.user)
    second = site.registered_phone(home.user, "INBOX")
    assert suspended(site) == []
    site.deliver(home.user)
    site.told_inbox(second)
    site.told(home.phone, "INBOX")


def test_who_sleeps_hears_nothing_of_others_and_is_not_woken_by_them(site):
    home, team = Home(site), Home(site, "Team")
    site.cyrus.admin.setacl(site.cyrus.admin_name(team.user, "Team"), home.user, "lrs")
    name = site.cyrus.other_name(team.user, "Team")
    home.phone.register("INBOX", name)
    site.told(home.phone, "INBOX", name)
    before = len(site.pushes(home.phone))
    site.cyrus.delete_user(home.user)
    wait_event(site, "MailboxDelete", home.user, "delete")
    team.append("Team")
    team.told("Team")
    assert suspended(site) == [home.user]
    assert len(site.pushes(home.phone)) == before


def test_who_sleeps_too_long_is_gone(site):
    gone, asleep, awake = Home(site), Home(site), Home(site)
    for home in (gone, asleep):
        site.cyrus.delete_user(home.user)
        wait_event(site, "MailboxDelete", home.user, "delete")
    awake.told_nothing()
    site.mailpushd.stop()
    path = site.mailpushd.dir / "registry.sqlite"
    with contextlib.closing(sqlite3.connect(path)) as registry, registry:
        registry.execute("UPDATE site SET seen_ms = 0")
        for home, days in ((gone, 8), (asleep, 6)):
            registry.execute("UPDATE registration SET suspended_ms = suspended_ms - ?,"
                             " renewed_ms = renewed_ms - ? WHERE user = ?",
                             (days * DAY_MS, days * DAY_MS, home.user))
    site.mailpushd.start()
    site.mailpushd.wait_log("tidied gone=1 ")
    assert site.registrations() == [asleep.phone.token, awake.phone.token]
    site.cyrus.create_user(gone.user)
    site.deliver(gone.user)
    awake.told_nothing()
    assert len(site.pushes(gone.phone)) == 1


def test_what_others_watch_of_a_deleted_account_is_pushed_no_more(site):
    home, reader = Home(site, "Team"), Home(site)
    site.cyrus.admin.setacl(site.cyrus.admin_name(home.user, "Team"), reader.user, "lrs")
    name = site.cyrus.other_name(home.user, "Team")
    reader.phone.register("INBOX", name)
    site.told(reader.phone, "INBOX", name)
    site.cyrus.delete_user(home.user)
    site.cyrus.create_user(home.user, "Team")
    site.cyrus.admin.setacl(site.cyrus.admin_name(home.user, "Team"), reader.user, "lrs")
    site.deliver(home.user, "Team")
    reader.told_nothing()
    assert site.subscriptions(reader.phone) == ["INBOX"]
    reader.phone.register("INBOX", name)
    site.told(reader.phone, "INBOX", name)
    site.deliver(home.user, "Team")
    site.told(reader.phone, name)


def test_a_move_to_another_server_that_fails_costs_no_phone(site):
    """Then Cyrus says that the account was deleted, but it was not."""
    home = Home(site, "Notes")
    separator = site.cyrus.separator
    name = home.user if separator == "/" else home.user.replace(".", "%5E")
    event = {"event": "MailboxDelete", "user": ADMIN, "vnd.cmu.mbtype": "e",
             "uri": f"imap://mail.example.com/user{separator}{name};UIDVALIDITY=1795334954",
             "vnd.cmu.mailboxACL": f"{home.user}\tlrswipkxtecdan\t"}
    answer = notify.ask(site.mailpushd.stream_socket, notify.request(event))
    assert answer == b"OK ()\r\n"
    wait_until(lambda: suspended(site) == [home.user], what="his sleep")
    home.append("Notes")
    home.told("Notes")
    assert suspended(site) == []


# ---- accounts are renamed ----

def test_a_renamed_account_begins_again(site):
    home, other = Home(site, "Notes"), Home(site)
    site.cyrus.admin.setacl(site.cyrus.admin_name(home.user, "Notes"), other.user, "lrs")
    name = site.cyrus.other_name(home.user, "Notes")
    other.phone.register("INBOX", name)
    site.told(other.phone, "INBOX", name)
    home.phone.close()
    home.device.close()
    new = f"new-{new_user()}"
    site.cyrus.rename_user(home.user, new)
    site.cyrus.add_password(new)
    wait_event(site, "MailboxRename", new, "rename")
    site.deliver(new, "Notes")
    other.told_nothing()
    assert suspended(site) == [home.user]
    assert site.subscriptions(other.phone) == ["INBOX"]

    notes = home.names["Notes"]
    phone = site.registered_phone(new, "INBOX", notes, token=home.phone.token)
    site.deliver(new, "Notes")
    site.told(phone, notes)

    phone.close()
    site.cyrus.rename_user(new, home.user)
    wait_event(site, "MailboxRename", home.user, "rename")
    site.deliver(home.user, "Notes")
    home.told("Notes")
    assert suspended(site) == [new]


# ---- an @ in a folder's name ----

@pytest.mark.parametrize("unixhierarchysep", [True, False], ids=["uh1", "uh0"])
def test_a_folder_that_looks_like_another_users_is_not_his(site_for, unixhierarchysep):
    """alice's folder `Notes@example.org` reads as Notes of alice@example.org."""
    site = site_for(cyrus={"virtdomains": "userid", "unixhierarchysep": unixhierarchysep})
    name = new_user()
    alice, victim = site.create_user(user=name), site.create_user("Notes", user=f"{name}@example.org")
    phone = site.registered_phone(victim, "INBOX", "Notes")
    device = site.phone(alice)
    device.create("Notes@example.org")
    device.append("Notes@example.org")
    site.deliver(victim)
    site.told(phone, "INBOX")
    device.rename("Notes@example.org", "Other@example.org")
    site.deliver(victim, "Notes")
    site.told(phone, "Notes")
    device.rename("Other@example.org", "Notes@example.org")
    device.delete("Notes@example.org")
    site.deliver(victim, "Notes")
    site.told(phone, "Notes")
