"""What happens at a real Dovecot while the real mailpushd is killed or hangs is pushed in the end."""

import concurrent.futures
import itertools
import signal

import pytest

from dovecot import LOGINS_AT_ONCE
from imap import ImapError
from ledger import Entries
from waiting import TIMEOUT

PROCESSES = 64              # of imap
FOLDERS = [f"F{number}" for number in range(8)]         # killed amid the first, started amid the second...


def test_what_happened_while_the_daemon_hung_is_pushed(dovecot_site_for):
    site = dovecot_site_for()
    user = site.create_user("Notes")
    phone, late = site.registered_phone(user, "INBOX", "Notes"), site.phone(user)
    site.mailpushd.process.send_signal(signal.SIGSTOP)
    site.deliver(user, "Notes")
    site.cyrus.wait_log("mailpush: ", "gave no answer", "news is kept")
    with pytest.raises(ImapError, match="UNAVAILABLE"):
        late.register("INBOX")
    site.mailpushd.process.send_signal(signal.SIGCONT)
    site.told(phone, "Notes")
    assert late.register("INBOX").mailboxes == ["INBOX"]
    site.deliver(user)
    site.told(phone, "INBOX")
    site.told(late, "INBOX")


@pytest.mark.limit(600)
def test_what_64_processes_did_while_the_daemon_was_killed_and_started_is_pushed(dovecot_site_for):
    """What Dovecot's plugin does not get acknowledged it keeps: so each command that is OK is owed a push."""
    site = dovecot_site_for()
    users = [f"user{number}" for number in range(PROCESSES)]
    with concurrent.futures.ThreadPoolExecutor(LOGINS_AT_ONCE) as pool:
        phones = list(pool.map(lambda user: join(site, user), users))
    with concurrent.futures.ThreadPoolExecutor(PROCESSES) as pool:
        assert len(site.cyrus.processes("imap")) >= PROCESSES
        ledger = Entries(site.sim)
        for number, folder in enumerate(FOLDERS):
            appends = [pool.submit(append, phone, folder, ledger) for phone in phones]
            list(itertools.islice(concurrent.futures.as_completed(appends), PROCESSES // 2))
            if number % 2 == 0:
                site.mailpushd.kill9()
            else:
                site.mailpushd.start()
            concurrent.futures.wait(appends)
    assert len(ledger) == PROCESSES * len(FOLDERS)
    ledger.settle(4 * TIMEOUT)
    assert site.mailpushd.bad_files() == []
    assert not [line for line in site.cyrus.log() if "news is lost" in line]


def join(site, user):
    """A phone that has been told of its folders, and stays."""
    site.create_user(*FOLDERS, user=user)
    return site.registered_phone(user, *FOLDERS)


def append(phone, folder, ledger):
    try:
        phone.append(folder)
    except BaseException as failure:
        ledger.fail(failure)
    else:
        ledger.enter(phone, folder)
