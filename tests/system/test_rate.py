"""At most max_push_rate pushes a second: who is told first."""

import notify
from mailsite import BarePhone, new_user

MOST_BEFORE = 20    # new mails: nine, what left until the other news was due, and as many again
MAILS = 60


def test_what_is_not_urgent_leaves_beside_a_flood_of_new_mail(bare_site_for):
    site = bare_site_for(max_push_rate=20)
    quiet = site.registered_phone()
    phones = [BarePhone(new_user()) for _ in range(MAILS)]
    for phone in phones:
        site.register(phone)
    for phone in phones:
        site.told(phone, "INBOX")
    site.tell(notify.mail(quiet.user, event="MessageAppend"))
    for phone in phones:
        site.deliver(phone.user)
    site.told(quiet, "INBOX")
    for phone in phones:
        site.told(phone, "INBOX")
    mails = site.sim.pushes()[1 + MAILS:]
    assert [push["token"] for push in mails].index(quiet.token) <= MOST_BEFORE
