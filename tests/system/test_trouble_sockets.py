"""The sockets' files: made right whatever the umask, and noticed when somebody takes them away."""

import os
import socket
import stat

import pytest

import activator
import notify
from control import ctl_fine

PATHS = ["notify_socket", "stream_socket"]


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077, 0o177, 0o777])
def test_mode_and_group_are_right_whatever_the_umask(bare_site_for, umask):
    site = bare_site_for(start=False, socket_mode="0660")
    daemon = site.mailpushd
    daemon.wrapper = ["sh", "-c", f'umask {umask:o} && exec "$0" "$@"']
    daemon.start()
    for path in (daemon.notify_socket, daemon.stream_socket):
        assert stat.S_IMODE(path.stat().st_mode) == 0o660
        assert path.group() == ("mail" if os.geteuid() == 0 else path.parent.group())
    phone = site.registered_phone()
    site.deliver(phone.user)
    site.told(phone, "INBOX")


@pytest.mark.parametrize("which", PATHS)
def test_a_socket_whose_file_is_removed_is_made_again(bare_site, which):
    site = bare_site
    phone = site.registered_phone()
    path = getattr(site.mailpushd, which)
    mode = path.stat().st_mode
    path.unlink()
    site.mailpushd.wait_log("creating the socket again socket=" + str(path))
    assert path.stat().st_mode == mode
    tell(site, which, phone)
    site.told(phone, "INBOX")
    assert site.mailpushd.stop() == 0
    assert not path.exists()


def tell(site, which, phone):
    if which == "stream_socket":
        site.deliver(phone.user)
    else:
        notify.send(site.mailpushd.notify_socket, notify.datagram(notify.mail(phone.user)))


def in_the_place_of(path, which):
    """Another's socket, without a moment in which there is none."""
    kind = socket.SOCK_STREAM if which == "stream_socket" else socket.SOCK_DGRAM
    other = activator.listen(f"{path}.other", kind)
    os.rename(f"{path}.other", path)
    return other


@pytest.mark.parametrize("which", PATHS)
def test_a_socket_that_another_process_took_the_place_of_is_an_alarm(bare_site, which):
    """It is not taken away again, neither now nor at the stop."""
    site = bare_site
    phone = site.registered_phone()
    path = getattr(site.mailpushd, which)
    with in_the_place_of(path, which) as other:
        site.mailpushd.wait_log(f"another process serves it.*alarm=intake:{which} state=begins")
        other.close()
        site.mailpushd.wait_log(f"alarm=intake:{which} state=ends")
    tell(site, which, phone)
    site.told(phone, "INBOX")
    since = len(site.mailpushd.log)
    with in_the_place_of(path, which):
        site.mailpushd.wait_log(f"alarm=intake:{which} state=begins", since=since)
        site.mailpushd.stop()
        assert path.exists()


def test_who_waits_in_a_socket_whose_file_is_removed_is_served(bare_site):
    site = bare_site
    phone = site.registered_phone()
    request = notify.request(notify.mail(phone.user))
    with notify.connect(site.mailpushd.stream_socket) as connection:
        connection.sendall(request[:50])
        site.mailpushd.stream_socket.unlink()
        site.mailpushd.wait_log("creating the socket again")
        connection.sendall(request[50:])
        assert notify.read_all(connection) == b"OK ()\r\n"
    site.told(phone, "INBOX")


def test_a_folder_that_is_away_for_a_while_is_an_alarm_until_it_is_back(bare_site_for, tmp):
    (tmp / "run").mkdir()
    site = bare_site_for(stream_socket=tmp / "run" / "cyrus")
    phone = site.registered_phone()
    site.mailpushd.stream_socket.unlink()
    (tmp / "run").rmdir()
    site.mailpushd.wait_log("make its folder.*alarm=intake:stream_socket state=begins")
    (tmp / "run").mkdir()
    site.mailpushd.wait_log("alarm=intake:stream_socket state=ends")
    site.deliver(phone.user)
    site.told(phone, "INBOX")


def test_the_control_socket_is_made_again_too(bare_site):
    daemon = bare_site.mailpushd
    mode = daemon.control_socket.stat().st_mode
    daemon.control_socket.unlink()
    daemon.wait_log(f"creating the socket again socket={daemon.control_socket}")
    assert daemon.control_socket.stat().st_mode == mode
    assert "Alarms" in ctl_fine(daemon, "status")
    assert daemon.stop() == 0
    assert not daemon.control_socket.exists()


def test_what_somebody_put_in_the_place_of_the_control_socket_stays(bare_site):
    daemon = bare_site.mailpushd
    daemon.control_socket.unlink()
    daemon.control_socket.write_text("somebody's")
    daemon.wait_log("a file that is not a socket is in its place.*alarm=control:socket state=begins")
    assert daemon.stop() == 0
    assert daemon.control_socket.read_text() == "somebody's"
