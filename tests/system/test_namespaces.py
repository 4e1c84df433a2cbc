"""The real Cyrus in all eight namespaces: every spelling of a mailbox finds its phone."""

import itertools

import pytest

from mailsite import new_user

NESTED = ("Projekte", "Entwürfe")
NAMESPACES = list(itertools.product((True, False), (True, False), ("off", "userid")))


@pytest.fixture(params=NAMESPACES, ids=lambda n: f"alt{n[0]:d}-uh{n[1]:d}-virt{n[2] != 'off':d}")
def site(site_for, request):
    altnamespace, unixhierarchysep, virtdomains = request.param
    return site_for(cyrus={"altnamespace": altnamespace, "unixhierarchysep": unixhierarchysep,
                           "virtdomains": virtdomains})


def new_users(site):
    """One with a dot in the name, and with virtdomains one of a domain as well."""
    users = [f"jane.{new_user()}"]
    if site.cyrus.virtdomains != "off":
        users.append(new_user("example.org"))
    return [site.create_user("Notes", "Projekte", NESTED, user=user) for user in users]


def test_a_phone_is_pushed_its_own_mailboxes(site):
    cyrus = site.cyrus
    notes, nested = cyrus.client_name("Notes"), cyrus.client_name(*NESTED)
    for user in new_users(site):
        phone = site.phone(user)
        answer = phone.register("INBOX", notes, nested)
        assert answer.mailboxes == ["INBOX", notes, nested]
        site.told(phone, "INBOX", notes, nested)
        site.deliver(user)
        site.told(phone, "INBOX")
        site.deliver(user, "Notes")
        site.told(phone, notes)
        site.deliver(user, *NESTED)
        site.told(phone, nested)
        phone.append(notes)
        site.told(phone, notes)
        phone.append(nested)
        site.told(phone, nested)


def test_a_mailbox_of_ones_own_may_be_spelled_as_another_users(site):
    cyrus = site.cyrus
    for user in new_users(site):
        inbox, notes, nested = (cyrus.other_name(user, *folder)
                                for folder in ((), ("Notes",), NESTED))
        phone = site.phone(user)
        assert phone.register("iNbOx", inbox, notes, nested).mailboxes == \
            ["iNbOx", inbox, notes, nested]
        site.told(phone, "iNbOx", inbox, notes, nested)
        site.deliver(user)
        site.told(phone, "iNbOx", inbox)
        site.deliver(user, "Notes")
        site.told(phone, notes)
        site.deliver(user, *NESTED)
        site.told(phone, nested)


def test_a_mailbox_spelled_twice_is_pushed_by_both_names(site):
    for user in new_users(site):
        own, other = site.cyrus.client_name("Notes"), site.cyrus.other_name(user, "Notes")
        phone = site.registered_phone(user, own, other, "INBOX")
        site.deliver(user, "Notes")
        push, = site.told(phone, own, other)
        assert len(push["payload"]["aps"]["m"]) == 2


def test_another_users_folder_is_pushed_to_who_may_read_it(site):
    for owner in new_users(site):
        domain = owner.partition("@")[2]
        reader = site.create_user(user=new_user(domain or None))
        site.cyrus.admin.setacl(site.cyrus.admin_name(owner, *NESTED), reader, "lrs")
        name = site.cyrus.other_name(owner, *NESTED)
        phone = site.phone(reader)
        assert phone.register("INBOX", name).mailboxes == ["INBOX", name]
        site.told(phone, "INBOX", name)
        site.deliver(owner)
        site.deliver(owner, *NESTED)
        site.told(phone, name)


def test_users_of_one_name_in_two_domains_are_two(site_for):
    site = site_for(cyrus={"virtdomains": "userid"})
    name = new_user()
    local, org, net = (site.create_user("Notes", user=user)
                       for user in (name, f"{name}@example.org", f"{name}@example.net"))
    phones = {user: site.registered_phone(user, "INBOX", "Notes") for user in (local, org, net)}
    for user in (org, local, net):
        site.deliver(user, "Notes")
        site.told(phones[user], "Notes")
    assert {len(site.pushes(phone)) for phone in phones.values()} == {2}


def test_a_folder_with_an_at_sign_is_not_taken_for_a_domain(site_for):
    site = site_for(cyrus={"virtdomains": "userid"})
    user = site.create_user()
    site.phone(user).create("a@example.org")
    phone = site.registered_phone(user, "INBOX", "a@example.org")
    phone.append("a@example.org")
    site.told(phone, "a@example.org")
