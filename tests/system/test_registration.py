"""A phone registers through the real Cyrus: who is told what from then on."""

import imaplib
import uuid

import pytest

from apnssim import TOPIC
from cyrus import is_since, starttls
from mailsite import hashes_of
from phone import hash_of
from waiting import TIMEOUT

FOLDER = "Entwürfe"


@pytest.fixture(params=["dlist", "datagram"])
def transport(request):
    return request.param


@pytest.fixture
def site(site_for, transport):
    return site_for(cyrus={"transport": transport})


# ---- what a registration leads to ----

def test_a_new_phone_gets_one_push_for_all_its_mailboxes(site):
    user = site.create_user(FOLDER, "Notes")
    phone = site.phone(user)
    answer = phone.register("INBOX", FOLDER, "Absent")
    assert (answer.mailboxes, answer.topic) == (["INBOX", FOLDER], TOPIC)
    push, = site.told(phone, "INBOX", FOLDER)
    assert push["payload"]["aps"]["account-id"] == phone.account_id
    site.deliver(user)
    site.told(phone, "INBOX")
    assert len(site.pushes(phone)) == 2


def test_a_push_has_the_headers_that_are_proven_in_the_field(site):
    phone = site.registered_phone(site.create_user(), "INBOX")
    push, = site.pushes(phone)
    assert push["path"] == f"/3/device/{phone.token}"
    headers = dict(push["headers"])
    assert uuid.UUID(headers.pop("apns-id"))
    lifetime_s = int(headers.pop("apns-expiration")) - push["time_ms"] // 1000
    assert 23 * 3600 < lifetime_s <= 24 * 3600
    assert headers == {"apns-topic": TOPIC, "apns-push-type": "background",
                       "content-type": "application/json"}


def test_a_phone_with_inbox_alone_gets_the_plain_payload(site):
    user = site.create_user("Notes")
    phone = site.registered_phone(user, "INBOX")
    site.deliver(user, "Notes")
    site.deliver(user)
    site.told_inbox(phone)
    assert len(site.pushes(phone)) == 2


def test_version_1_watches_inbox_alone_and_gets_the_plain_payload(site):
    user = site.create_user("Notes")
    phone = site.phone(user)
    answer = phone.register("INBOX", "Notes", version=1)
    assert (answer.mailboxes, answer.version) == ([], 1)
    site.told_inbox(phone)
    site.deliver(user, "Notes")
    site.deliver(user)
    site.told_inbox(phone)
    assert len(site.pushes(phone)) == 2


def test_a_delivery_right_after_the_registration_is_pushed(site_for, transport):
    site = site_for(cyrus={"transport": transport}, deferred_delay="30s")
    user = site.create_user(FOLDER)
    phone = site.phone(user)
    phone.register("INBOX", FOLDER)
    site.deliver(user)
    push = site.next_push(phone)
    assert hashes_of([push]) == {hash_of("INBOX"), hash_of(FOLDER)}
    site.wait_nothing_waits()


# ---- registering again ----

def test_a_renewal_pushes_nothing_by_itself(site):
    user = site.create_user("Notes")
    phone = site.registered_phone(user, "INBOX", "Notes")
    phone.register("Notes", "INBOX")
    site.mailpushd.wait_log(f"phone renewed its registration user={user} ")
    site.deliver(user, "Notes")
    site.told(phone, "Notes")


def test_another_list_replaces_the_former_one(site):
    user = site.create_user("Notes", FOLDER)
    phone = site.registered_phone(user, "INBOX", "Notes")
    phone.register("INBOX", FOLDER)
    site.told(phone, "INBOX", FOLDER)
    site.deliver(user, "Notes")
    site.deliver(user, FOLDER)
    site.told(phone, FOLDER)


def test_a_registration_for_no_mailbox_is_kept_and_never_pushed(site):
    user = site.create_user()
    watching = site.registered_phone(user, "INBOX")
    silent = site.phone(user)
    assert silent.register("Absent").mailboxes == []
    site.mailpushd.wait_log("phone registered .*mailboxes=0")
    assert site.registrations() == [watching.token, silent.token]
    for _ in range(2):
        site.deliver(user)
        site.told_inbox(watching)
    assert site.pushes(silent) == []


def test_the_case_of_a_token_does_not_matter(site):
    user = site.create_user("Notes")
    phone = site.registered_phone(user, "INBOX", "Notes")
    shouting = site.phone(user, token=phone.token.upper(), account_id=phone.account_id)
    shouting.register("INBOX", "Notes")
    site.mailpushd.wait_log(f"phone renewed its registration user={user} ")
    assert site.registrations() == [phone.token]
    site.deliver(user)
    site.told(phone, "INBOX")


# ---- several phones, several accounts ----

def test_each_phone_of_a_user_is_pushed_what_it_watches(site):
    user = site.create_user("Notes")
    one = site.registered_phone(user, "INBOX", "Notes")
    two = site.registered_phone(user, "INBOX")
    site.deliver(user, "Notes")
    site.told(one, "Notes")
    site.deliver(user)
    site.told(one, "INBOX")
    site.told_inbox(two)


def test_a_second_account_id_of_a_phone_is_pushed_to_beside_the_first(site):
    user = site.create_user()
    first = site.registered_phone(user, "INBOX")
    second = site.phone(user, token=first.token)
    second.register("INBOX")
    site.told_inbox(second)
    site.deliver(user)
    accounts = {site.next_push(first)["payload"]["aps"]["account-id"] for _ in range(2)}
    assert accounts == {first.account_id, second.account_id}


def test_a_phone_restored_from_anothers_backup_is_pushed_to_as_well(site):
    user = site.create_user()
    one = site.registered_phone(user, "INBOX")
    other = site.registered_phone(user, "INBOX", account_id=one.account_id)
    site.deliver(user)
    site.told_inbox(one)
    site.told_inbox(other)


def test_the_phone_that_renewed_longest_ago_makes_room(site_for, transport):
    site = site_for(cyrus={"transport": transport}, registrations_per_user=2)
    user = site.create_user()
    oldest, renewed = (site.registered_phone(user, "INBOX") for _ in range(2))
    newest = site.registered_phone(user, "INBOX")
    assert site.registrations() == [renewed.token, newest.token]
    for _ in range(2):
        site.deliver(user)
        site.told_inbox(renewed)
        site.told_inbox(newest)
    assert len(site.pushes(oldest)) == 1


def test_what_happens_to_one_user_is_not_pushed_to_another(site):
    alice, bob = site.create_user(), site.create_user()
    phone_of_alice = site.registered_phone(alice, "INBOX")
    phone_of_bob = site.registered_phone(bob, "INBOX")
    site.deliver(alice)
    site.told_inbox(phone_of_alice)
    site.deliver(bob)
    site.told_inbox(phone_of_bob)
    assert len(site.pushes(phone_of_alice)) == len(site.pushes(phone_of_bob)) == 2


def test_another_users_folder_is_pushed_while_its_acl_lets_the_phone_read(site):
    owner, reader = site.create_user("Team"), site.create_user()
    shared = site.cyrus.admin_name(owner, "Team")
    site.cyrus.admin.setacl(shared, reader, "lrs")
    name = site.cyrus.other_name(owner, "Team")
    phone = site.registered_phone(reader, "INBOX", name)
    site.deliver(owner, "Team")
    site.told(phone, name)
    site.cyrus.admin.setacl(shared, reader, "")
    site.deliver(owner, "Team")
    site.deliver(reader)
    site.told(phone, "INBOX")


# ---- at port 143, where 993 is not served ----

def test_cyrus_offers_starttls_by_itself_before_3_10(site):
    with imaplib.IMAP4("127.0.0.1", site.cyrus.imap_port, timeout=TIMEOUT) as connection:
        assert ("STARTTLS" in connection.capabilities) != is_since(3, 10)


def test_a_phone_that_uses_starttls_is_pushed_to(site_for, transport):
    site = site_for(cyrus={"transport": transport, **starttls()})
    user = site.create_user()
    phone = site.registered_phone(user, "INBOX", starttls=True)
    site.deliver(user)
    site.told_inbox(phone)


# ---- what does not register ----

def test_a_subtopic_that_is_not_configured_registers_nothing(site):
    user = site.create_user()
    phone = site.phone(user)
    phone.xapplepushservice(2, phone.account_id, phone.token, "com.apple.elsewhere", ["INBOX"])
    site.mailpushd.wait_log("subtopic not configured .*subtopic=com.apple.elsewhere")
    watching = site.registered_phone(user, "INBOX")
    assert site.registrations() == [watching.token]


@pytest.mark.parametrize("token, account_id, complaint", [
    ("../../etc <junk>", "ABC", "apsDeviceToken is not 64 to 200 hex digits"),
    ("ab" * 5000, "ABC", "apsDeviceToken is not 64 to 200 hex digits"),
    ("ab" * 32, 'AB"C', "apsAccountId is not 1 to 64"),
])
def test_what_cyrus_lets_through_unchecked_registers_nothing(site, token, account_id, complaint):
    user = site.create_user()
    phone = site.phone(user)
    phone.xapplepushservice(2, account_id, token, mailboxes=["INBOX"])
    site.mailpushd.wait_log(complaint)
    watching = site.registered_phone(user, "INBOX")
    assert site.registrations() == [watching.token]
