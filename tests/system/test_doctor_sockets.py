"""mailpushctl doctor: the sockets, and who may use them."""

import socket

from doctor import AS_ROOT, cure, found, imapd_conf, named, put, wait_found
from mailsite import new_user


@AS_ROOT
def test_a_socket_that_cyrus_may_not_write_to_is_found(ward):
    site = ward(socket_mode="0600")
    [finding] = wait_found(site.mailpushd, ("permissions", "fail"))
    assert finding["line"] == "socket_mode = 0660"
    cure(site.mailpushd, finding)
    wait_found(site.mailpushd)


@AS_ROOT
def test_a_socket_of_the_wrong_group_is_found(ward):
    site = ward(socket_group="nogroup")
    [finding] = wait_found(site.mailpushd, ("permissions", "fail"))
    assert finding["line"] == 'socket_group = "mail"'
    cure(site.mailpushd, finding)
    wait_found(site.mailpushd)


@AS_ROOT
def test_a_folder_that_cyrus_may_not_enter_is_found(ward, tmp):
    folder = tmp / "run"
    folder.mkdir(mode=0o700)
    site = ward(stream_socket=folder / "cyrus")
    put(imapd_conf(site), f"notifysocket: dlist:{folder}/cyrus")
    [finding] = wait_found(site.mailpushd, ("socket", "fail"))
    cure(site.mailpushd, finding)
    wait_found(site.mailpushd)


@AS_ROOT
def test_a_user_who_is_not_allowed_is_found(ward):
    site = ward(allowed_users=["root"])
    [finding] = wait_found(site.mailpushd, ("allowed_users", "fail"))
    # Nor does it become right when that user looks.
    as_cyrus = ["setpriv", "--reuid=mail", "--regid=mail", "--clear-groups"]
    assert ("allowed_users", "fail") in named(found(site.mailpushd, wrapper=as_cyrus))
    cure(site.mailpushd, finding)
    wait_found(site.mailpushd)


@AS_ROOT
def test_events_that_were_refused_are_reported(ward):
    site = ward(allowed_users=["root"])
    site.cyrus.create_user(user := new_user())
    site.cyrus.deliver(user)
    site.mailpushd.wait_log("allowed_users")
    wait_found(site.mailpushd, ("allowed_users", "fail"), ("events", "warn"))


def test_a_user_who_is_not_there_is_reported(ward):
    site = ward()
    put(imapd_conf(site), "cyrus_user: no-such-user")
    [finding] = wait_found(site.mailpushd, ("permissions", "warn"))
    assert "no-such-user" in finding["why"]


def test_a_socket_that_nobody_listens_to_is_found(ward):
    site = ward()
    site.mailpushd.kill9()
    ill = wait_found(site.mailpushd, ("daemon", "fail"), ("socket", "fail"))
    assert "no program listens" in ill[1]["why"]
    cure(site.mailpushd, ill[0])
    wait_found(site.mailpushd)


def test_a_file_or_another_socket_in_its_place_is_found(ward):
    site = ward()
    path = site.mailpushd.stream_socket
    site.mailpushd.stop()
    path.write_text("")
    ill = wait_found(site.mailpushd, ("daemon", "fail"), ("socket", "fail"))
    assert "is not a socket" in ill[1]["why"]
    path.unlink()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        other.bind(str(path))
        path.chmod(0o666)
        ill = wait_found(site.mailpushd, ("daemon", "fail"), ("socket", "fail"))
        assert "of the other kind" in ill[1]["why"]
    path.unlink()
