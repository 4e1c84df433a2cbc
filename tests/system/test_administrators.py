"""An administrator's phone: Cyrus shows him the names of the internal namespace, whatever
altnamespace says."""

import pytest

from cyrus import ADMIN
from mailsite import new_user


@pytest.fixture(params=[True, False], ids=["altnamespace", "standard"])
def altnamespace(request):
    return request.param


# Cyrus takes SERVICE_admins for admins in the processes of that service; a phone uses imaps.
@pytest.mark.parametrize("setting", [{"admins": f"{ADMIN} boss"}, {"imaps_admins": "root boss"}],
                         ids=["admins", "imaps_admins"])
@pytest.mark.parametrize("unixhierarchysep", [True, False], ids=["slash", "dot"])
def test_an_administrators_phone_is_pushed_what_he_named(site_for, altnamespace,
                                                          unixhierarchysep, setting):
    site = site_for(cyrus={"altnamespace": altnamespace, "unixhierarchysep": unixhierarchysep,
                           **setting})
    cyrus = site.cyrus
    site.create_user("Notes", user="boss")
    owner = site.create_user("x", user=f"jane.{new_user()}")
    notes, other = f"INBOX{cyrus.separator}Notes", cyrus.admin_name(owner, "x")
    cyrus.admin.setacl(other, "boss", "lrs")
    phone = site.phone("boss")
    assert phone.register("INBOX", notes, other).mailboxes == ["INBOX", notes, other]
    site.told(phone, "INBOX", notes, other)
    site.deliver("boss")
    site.told(phone, "INBOX")
    site.deliver("boss", "Notes")
    site.told(phone, notes)
    phone.append(notes)
    site.told(phone, notes)
    site.deliver(owner)
    site.deliver(owner, "x")
    site.told(phone, other)


def test_an_administrator_writes_the_domain_of_another_user(site_for, altnamespace):
    site = site_for(cyrus={"altnamespace": altnamespace, "virtdomains": "userid"})
    owner = site.create_user("x", user=new_user("example.org"))
    local = site.create_user("x")
    names = [site.cyrus.admin_name(user, "x") for user in (owner, local)]
    for name in names:
        site.cyrus.admin.setacl(name, ADMIN, "lrs")
    phone = site.phone(ADMIN)
    assert phone.register(*names).mailboxes == names
    site.told(phone, *names)
    for user, name in zip((owner, local), names):
        site.deliver(user, "x")
        site.told(phone, name)
