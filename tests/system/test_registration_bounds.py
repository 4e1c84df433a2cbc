"""A registration that names more than is taken: the rest of it counts, and a line says so."""

from mailsite import BarePhone, new_user
from waiting import wait_until

LIMIT = 1000
LONGEST = 1024


def test_inbox_and_the_first_others_of_too_many_mailboxes_count(bare_site):
    names = [f"m{n}" for n in range(LIMIT + 5)]
    phone = BarePhone(new_user(), (*names, "INBOX"))
    bare_site.register(phone)
    kept = names[:LIMIT - 1] + ["INBOX"]
    wait_until(lambda: bare_site.subscriptions(phone) == sorted(kept), what="its mailboxes")
    bare_site.mailpushd.wait_log(
        rf"warn event: registration names too many mailboxes, .*user={phone.user} "
        rf"mailboxes={LIMIT} left_out=6$")
    bare_site.told(phone, *kept)
    bare_site.deliver(phone.user, names[LIMIT - 1])
    bare_site.deliver(phone.user)
    bare_site.told(phone, "INBOX")
    assert bare_site.mailpushd.stop() == 0
    assert len([line for line in bare_site.mailpushd.lines() if "left_out" in line]) == 1


def test_a_name_that_is_too_long_is_left_out(bare_site):
    phone = BarePhone(new_user(), ("x" * (LONGEST + 1), "y" * LONGEST, "INBOX"))
    bare_site.register(phone)
    wait_until(lambda: bare_site.subscriptions(phone) == ["INBOX", "y" * LONGEST], what="its mailboxes")
    bare_site.mailpushd.wait_log(rf"warn event: .*user={phone.user} mailboxes=2 left_out=1$")
    bare_site.told(phone, "INBOX", "y" * LONGEST)
