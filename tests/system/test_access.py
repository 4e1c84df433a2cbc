"""Who is told of mailboxes that are not his own: whom the real Cyrus would let read them."""

import itertools

import pytest

import lmtp
import notify
from mailsite import hashes_of, locked, new_user
from phone import hash_of
from waiting import wait_until

_serial = itertools.count(1)

# altnamespace, unixhierarchysep
NAMESPACES = [(True, True), (False, False)]


@pytest.fixture(params=NAMESPACES, ids=lambda n: f"alt{n[0]:d}-uh{n[1]:d}")
def namespace(request):
    return {"altnamespace": request.param[0], "unixhierarchysep": request.param[1]}


@pytest.fixture(params=["shared folder", "another user's folder"])
def kind(request):
    return request.param


class Box:
    """A mailbox that is not the reader's, and readers of it; nobody may read it yet."""

    def __init__(self, site, kind, readers=None):
        self.site = site
        self.admin = site.cyrus.admin
        if kind == "shared folder":
            self._top = f"team{next(_serial)}"
            self.admin.create(self._top)
            self.admin_name = site.cyrus.separator.join((self._top, "info"))
            self.admin.create(self.admin_name)
            self.name = site.cyrus.shared_name(self._top, "info")
            self._address = f"+{self.admin_name}"
        else:
            owner = site.create_user(("Team", "info"), user=f"john.{new_user()}")
            self.admin_name = site.cyrus.admin_name(owner, "Team", "info")
            self.name = site.cyrus.other_name(owner, "Team", "info")
            self._address = site.cyrus.address(owner, "Team", "info")
        for everyone in set(self.acl()) & {"anyone"}:
            self.admin.deleteacl(self.admin_name, everyone)
        self.allow("anyone", "p")
        self.readers = [site.create_user(user=user)
                        for user in readers or (f"jane.{new_user()}",)]

    def acl(self):
        line, = self.admin._ok(self.admin.connection.getacl(f'"{self.admin_name}"'))
        return line.decode().split()[1::2]

    def allow(self, who, rights):
        self.admin.setacl(self.admin_name, who, rights)

    def forbid(self, who):
        self.admin.deleteacl(self.admin_name, who)

    def deliver(self):
        lmtp.deliver(self.site.cyrus.lmtp_port, self._address)

    def registered_phone(self, user):
        """Which may read the box at the moment, or it is not confirmed."""
        phone = self.site.phone(user)
        assert phone.register("INBOX", self.name).mailboxes == ["INBOX", self.name]
        self.site.told(phone, "INBOX", self.name)
        return phone

    def told(self, phone):
        self.deliver()
        self.site.told(phone, self.name)

    def not_told(self, phone):
        """What is delivered leads to no push: the next one is about a later delivery."""
        self.deliver()
        self.site.deliver(phone.user)
        self.site.told(phone, "INBOX")


@pytest.fixture
def box(site_for, namespace, kind):
    return Box(site_for(cyrus=namespace), kind)


# ---- rights that come and go ----

def test_it_is_pushed_while_the_user_may_read(box):
    reader, = box.readers
    box.allow(reader, "lrs")
    phone = box.registered_phone(reader)
    box.told(phone)
    box.forbid(reader)
    box.not_told(phone)
    box.allow(reader, "lr")
    box.told(phone)
    box.allow(reader, "lswipkxte")      # all but r
    box.not_told(phone)


def test_it_is_pushed_while_anyone_may_read(box):
    reader, = box.readers
    box.allow("anyone", "lrp")
    phone = box.registered_phone(reader)
    box.told(phone)
    box.allow("anyone", "lp")
    box.not_told(phone)


def test_negative_rights_subtract(box):
    reader, = box.readers
    box.allow("anyone", "lrp")
    phone = box.registered_phone(reader)
    box.allow(f"-{reader}", "r")
    box.not_told(phone)
    box.allow(reader, "lrs")
    box.not_told(phone)
    box.forbid(f"-{reader}")
    box.told(phone)


def test_two_readers_are_pushed_to_each_by_his_own_right(site_for, namespace, kind):
    box = Box(site_for(cyrus=namespace), kind, [new_user(), new_user()])
    for reader in box.readers:
        box.allow(reader, "lr")
    one, two = (box.registered_phone(reader) for reader in box.readers)
    box.told(one)
    box.site.told(two, box.name)
    box.forbid(one.user)
    box.told(two)
    box.not_told(one)


# ---- groups ----

GROUP = "mailpush-staff"


@pytest.fixture
def group_box(site_for, namespace, kind):
    """Of three readers the first is in the group, for mailpushd and for Cyrus; the second for
    Cyrus alone."""
    readers = [f"jane.{new_user()}", new_user(), new_user()]
    site = site_for(cyrus=namespace, groups={GROUP: [readers[0].upper()], "empty": []})
    for reader in readers[:2]:
        site.cyrus.add_to_group(GROUP, reader)
    return Box(site, kind, readers)


def test_a_group_may_read(group_box):
    box = group_box
    member, unknown, other = box.readers
    box.allow(f"group:{GROUP}", "lrs")
    phone, phone_of_unknown = (box.registered_phone(user) for user in (member, unknown))
    box.allow(other, "lrs")
    phone_of_other = box.registered_phone(other)
    box.forbid(other)
    box.told(phone)
    for silent in (phone_of_unknown, phone_of_other):
        box.not_told(silent)
        box.site.told(phone, box.name)      # of what not_told has delivered
    box.forbid(f"group:{GROUP}")
    box.not_told(phone)


def test_a_group_may_not_read(group_box):
    box = group_box
    member, _, other = box.readers
    box.allow("anyone", "lrp")
    phone, phone_of_other = (box.registered_phone(user) for user in (member, other))
    box.allow(f"-group:{GROUP}", "r")
    box.told(phone_of_other)
    box.not_told(phone)


# ---- shared_mailboxes = no ----

def test_where_nothing_is_shared_nothing_outside_is_registered(site_for, namespace, kind):
    box = Box(site_for(cyrus=namespace, shared_mailboxes="no"), kind)
    reader, = box.readers
    box.allow(reader, "lrs")
    box.site.cyrus.create_folder(reader, "Notes")
    own = box.site.cyrus.other_name(reader, "Notes")
    phone = box.site.phone(reader)
    phone.register("INBOX", box.name, own)
    box.site.told(phone, "INBOX", own)
    assert sorted(box.site.subscriptions(phone)) == sorted(["INBOX", own])
    box.deliver()
    box.site.deliver(reader, "Notes")
    box.site.told(phone, own)


def test_what_was_registered_before_is_not_pushed_any_more(box):
    reader, = box.readers
    box.allow(reader, "lrs")
    phone = box.registered_phone(reader)
    box.site.mailpushd.write_conf(shared_mailboxes="no")
    box.site.mailpushd.restart()
    box.not_told(phone)
    phone.register("INBOX", box.name)
    box.site.told_inbox(phone)
    box.site.mailpushd.write_conf(shared_mailboxes="yes")
    box.site.mailpushd.restart()
    phone.register("INBOX", box.name)
    box.site.told(phone, "INBOX", box.name)
    box.told(phone)


# ---- who acts does not matter ----

def test_who_acts_in_a_mailbox_does_not_own_it(box):
    reader, = box.readers
    actor = box.site.create_user()
    box.allow(reader, "lr")
    box.allow(actor, "lrswi")
    phone, phone_of_actor = box.registered_phone(reader), box.site.registered_phone(actor, "INBOX")
    box.site.phone(actor).append(box.name)
    box.site.told(phone, box.name)
    box.site.deliver(actor)
    box.site.told_inbox(phone_of_actor)
    assert len(box.site.pushes(phone_of_actor)) == 2


def test_a_sender_cannot_choose_whose_mailbox_it_is(site_for, namespace):
    site = site_for(cyrus=namespace)
    user, named = site.create_user("Notes"), site.create_user("Notes")
    notes = site.cyrus.client_name("Notes")
    phone, phone_of_named = (site.registered_phone(name, "INBOX", notes) for name in (user, named))
    with lmtp.connect(site.cyrus.lmtp_port) as connection:
        connection.ehlo_or_helo_if_needed()
        assert connection.docmd("MAIL", f"FROM:<> AUTH={named}")[0] == 250
        assert connection.rcpt(site.cyrus.address(user, "Notes"))[0] == 250
        assert connection.data(lmtp.make_message())[0] == 250
    site.mailpushd.wait_log(f"event=MessageNew owner={user} folder=Notes by={named} ")
    site.told(phone, notes)
    site.deliver(named)
    site.told(phone_of_named, "INBOX")


def test_no_field_beside_the_uri_says_whose_mailbox_it_is(bare_site):
    site = bare_site
    phone, other = site.registered_phone("INBOX", "Notes"), site.registered_phone("INBOX", "Notes")
    event = {**notify.mail(phone.user), "user": other.user, "mailboxUser": other.user}
    name = other.user.encode()
    request = notify.request(event).replace(b"USER NIL MAILBOX NIL",
                                            b"USER %s MAILBOX user/%s" % (name, name))
    assert notify.ask(site.mailpushd.stream_socket, request) == b"OK ()\r\n"
    site.told(phone, "INBOX")
    site.deliver(other.user, "Notes")
    site.told(other, "Notes")


# ---- which moment counts ----

GRANTED, TAKEN = "{0}\tlrs\t{1}\tlr\t", "{0}\tlrs\t{1}\tl\t"


def other_folder(owner):
    return f"Other Users/{owner}/Notes"


@pytest.mark.parametrize("acls, is_told", [((GRANTED, TAKEN), False), ((TAKEN, GRANTED), True)])
def test_the_newest_acl_counts_for_news_that_was_merged(bare_site, acls, is_told):
    site = bare_site
    owner, reader = new_user(), new_user()
    phone = site.registered_phone("INBOX", other_folder(owner), user=reader)
    with locked(site.mailpushd.dir / "registry.sqlite"):
        site.register_nobody()          # the registry's thread is busy with it
        for acl in acls:
            site.tell(notify.mail(owner, "Notes",
                                  **{"vnd.cmu.mailboxACL": acl.format(owner, reader)}))
    if is_told:
        site.told(phone, other_folder(owner))
    else:
        site.deliver(reader)
        site.told(phone, "INBOX")


def test_what_happened_while_it_could_be_read_is_pushed_though_that_ends(box):
    """The push says no more than that something changed while the user could see it."""
    box.site.mailpushd.write_conf(deferred_delay="1h")
    box.site.mailpushd.restart()
    reader, = box.readers
    box.allow(reader, "lrswi")
    phone = box.site.phone(reader)
    phone.register("INBOX", box.name)
    box.deliver()
    assert hashes_of([box.site.next_push(phone)]) == {hash_of("INBOX"), hash_of(box.name)}
    phone.append(box.name)
    wait_until(lambda: box.site.waiting_hashes() == {hash_of(box.name)}, what="news that waits")
    box.forbid(reader)
    box.deliver()
    box.site.deliver(reader)
    push = box.site.next_push(phone)
    assert hashes_of([push]) == {hash_of("INBOX"), hash_of(box.name)}
    box.not_told(phone)
