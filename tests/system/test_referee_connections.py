"""Connections to a server that a test scripts frame by frame, and that owes us nothing."""

import socket

import h2.errors
import pytest

import apnssim
from mailsite import register, wait_told
from referee import (ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS, NO_LIMIT, PADDED,
                     PING, PRIORITY, PUSH_PROMISE, SETTINGS, WINDOW_UPDATE, frame_bytes, header_block, text)

ErrorCodes = h2.errors.ErrorCodes


@pytest.fixture
def site(site_of, referee):
    return site_of(referee)


def tokens(pushes):
    return sorted(push.token for push in pushes)


def answer_all(peer, pushes):
    for push in pushes:
        peer.answer(push)


# ---- the good day ----

def test_what_a_push_looks_like_to_another_implementation(site, referee):
    phone, = register(site)
    peer = referee.accept().greet()
    push = peer.push()
    assert push.headers == {
        ":method": "POST", ":scheme": "https", ":path": f"/3/device/{phone.token}",
        ":authority": f"127.0.0.1:{referee.port}", "apns-topic": apnssim.TOPIC,
        "apns-push-type": "background", "apns-expiration": push.headers["apns-expiration"],
        "apns-id": push.apns_id, "content-type": "application/json"}
    assert push.payload == {"aps": {"account-id": phone.account_id}}
    assert peer.socket.selected_alpn_protocol() == "h2"
    peer.answer(push)
    wait_told(site, [phone])


def test_streams_begin_at_one_until_the_settings_come(site, referee):
    phones = register(site, 5)
    peer = referee.accept()
    first = peer.push()
    peer.greet()
    pushes = [first, *peer.pushes(4)]
    assert peer.streams_at_ack == [1]
    answer_all(peer, pushes)
    wait_told(site, phones)


def test_the_limit_of_streams_is_followed_down_and_up_in_flight(site, referee):
    phones = register(site, 20)
    peer = referee.accept().greet(max_concurrent_streams=1000)
    pushes = peer.pushes(20)
    peer.change_settings(max_concurrent_streams=1)
    answer_all(peer, pushes)
    wait_told(site, phones)

    seen = len(site.mailpushd.log)
    for phone in phones:
        site.deliver(phone.user)
    first = peer.push()
    peer.settle()
    assert not peer.arrived
    peer.change_settings(max_concurrent_streams=5)
    some = [first, *peer.pushes(4)]
    peer.settle()
    assert not peer.arrived
    peer.change_settings(max_concurrent_streams=1000)
    answer_all(peer, some + peer.pushes(15))
    for phone in phones:
        site.mailpushd.wait_log(f"apns: pushed user={phone.user} ", since=seen)


# ---- GOAWAY ----

def test_what_a_goaway_excludes_in_a_burst_goes_elsewhere_with_the_same_id(site, referee):
    phones = register(site, 10)
    old = referee.accept().greet()
    pushes = old.pushes(10)
    last = pushes[3].stream
    old.send_goaway(last, "Shutdown")
    new = referee.accept().greet()
    again = new.pushes(6)
    assert {push.apns_id for push in again} == {push.apns_id for push in pushes[4:]}
    answer_all(old, pushes[:4])
    answer_all(new, again)
    old.wait_end()
    wait_told(site, phones)


def test_a_shutdown_in_two_steps(site, referee):
    phones = register(site, 4)
    old = referee.accept().greet()
    pushes = old.pushes(4)
    old.send_goaway(NO_LIMIT)
    old.settle()
    late = register(site)
    new = referee.accept().greet()
    answer_all(new, [new.push()])
    old.send_goaway(pushes[1].stream, "IdleTimeout")
    again = new.pushes(2)
    assert tokens(again) == tokens(pushes[2:])
    answer_all(old, pushes[:2])
    answer_all(new, again)
    old.wait_end()
    wait_told(site, phones + late)


@pytest.mark.parametrize("reason", ["BadCertificate", "BadCertificateEnvironment",
                                    "TopicDisallowed"])
def test_a_goaway_that_refuses_our_credential_holds_everything(site, referee, reason):
    phone, = register(site)
    peer = referee.accept().greet()
    push = peer.push()
    peer.send_goaway(push.stream, reason)
    peer.wait_end()
    site.mailpushd.wait_log(f"GOAWAY {reason}.*alarm=apns:main state=begins")
    register(site)
    site.mailpushd.restart()
    peer = referee.accept().greet()
    both = []
    for _ in range(2):      # a start with something to tell takes one after the other
        both.append(peer.push())
        answer_all(peer, both[-1:])
    assert {push.apns_id} <= {each.apns_id for each in both}
    wait_told(site, [phone])
    assert site.registrations()


# ---- streams that end without an answer ----

@pytest.mark.parametrize("code", [ErrorCodes.REFUSED_STREAM, ErrorCodes.INTERNAL_ERROR,
                                  ErrorCodes.CANCEL])
def test_a_push_whose_stream_is_reset_is_sent_again_with_the_same_id(site, referee, code):
    phone, = register(site)
    peer = referee.accept().greet()
    push = peer.push()
    peer.reset(push, code)
    again = peer.push()
    assert (again.apns_id, again.payload) == (push.apns_id, push.payload)
    assert again.stream > push.stream
    peer.answer(again)
    wait_told(site, [phone])


def test_an_answer_that_is_cut_off_is_none(site, referee):
    phone, = register(site)
    peer = referee.accept().greet()
    push = peer.push()
    peer.frame(HEADERS, END_HEADERS, push.stream, header_block((":status", "410")))
    peer.reset(push, ErrorCodes.INTERNAL_ERROR)
    peer.answer(peer.push())
    wait_told(site, [phone])
    assert site.registrations() == [phone.token]


def test_a_server_that_dies_with_pushes_in_flight_gets_them_again_at_once(site, referee):
    phones = register(site, 3)
    peer = referee.accept().greet()
    pushes = peer.pushes(3)
    peer.close()
    peer = referee.accept().greet()
    again = peer.pushes(3)
    assert {push.apns_id for push in again} == {push.apns_id for push in pushes}
    answer_all(peer, again)
    wait_told(site, phones)


def test_an_idle_connection_that_ends_is_replaced_when_a_push_comes(site, referee):
    phone, = register(site)
    peer = referee.accept().greet()
    peer.answer(peer.push())
    wait_told(site, [phone])
    peer.close()
    site.mailpushd.wait_log("connection .*to=closed")
    other, = register(site)
    peer = referee.accept().greet()
    peer.answer(peer.push())
    wait_told(site, [other])


@pytest.mark.limit(180)
def test_a_server_that_falls_silent_is_asked_and_then_replaced(site, referee):
    phone, = register(site)
    peer = referee.accept().greet()
    push = peer.push()
    peer.settle()
    frames = b""
    while PING_FRAME not in frames:             # which is not answered
        peer.socket.settimeout(60)
        frames += peer.socket.recv(4096)
    site.mailpushd.wait_log("does not answer a PING", timeout=60)
    referee.listener.settimeout(60)
    peer = referee.accept().greet()
    again = peer.push()
    assert again.apns_id == push.apns_id
    peer.answer(again)
    wait_told(site, [phone])


PING_FRAME = b"\x00\x00\x08\x06\x00\x00\x00\x00\x00"


# ---- frames that the protocol allows ----

def test_an_answer_in_all_the_shapes_that_http2_allows(site, referee):
    phone, other = register(site, 2)
    peer = referee.accept().greet()
    push, second = sorted(peer.pushes(2), key=lambda each: each.token != phone.token)
    block = header_block((":status", "410"), ("x-filler", "z" * 20000))
    peer.frame(HEADERS, END_HEADERS, push.stream, header_block((":status", "103")))
    peer.frame(HEADERS, PADDED, push.stream, b"\x07" + block[:9] + b"\0" * 7)
    peer.frame(CONTINUATION, 0, push.stream, block[9:10000])
    peer.frame(CONTINUATION, END_HEADERS, push.stream, block[10000:])
    body = b'{"reason":"Unregistered"}'
    peer.frame(DATA, 0, push.stream)
    peer.frame(DATA, PADDED, push.stream, b"\xff" + body[:9] + b"\0" * 255)
    peer.frame(DATA, 0, push.stream, body[9:])
    peer.frame(HEADERS, END_HEADERS | END_STREAM, push.stream,
               header_block((":status", "200"), ("grpc-status", "0")))
    site.mailpushd.wait_log("registrations are gone: Apple's answer reason=Unregistered")
    peer.answer(second)
    wait_told(site, [other])
    assert site.registrations() == [other.token]


def test_frames_and_settings_that_nobody_knows_are_ignored(site, referee):
    phone, = register(site)
    peer = referee.accept().greet()
    push = peer.push()
    peer.frame(0xAA, 0xFF, 0, b"unheard")
    peer.frame(0xAA, 0xFF, push.stream, b"unheard")
    peer.frame(PRIORITY, 0, push.stream, b"\0\0\0\0\x10")
    peer.frame(SETTINGS, 0, 0, b"\xf0\xf0\0\0\0\x01")
    peer.frame(PING, ACK, 0, b"unasked!")
    peer.answer(push)
    wait_told(site, [phone])


@pytest.fixture
def windowless(site, referee):
    """A connection that works, and whose next streams begin without a window."""
    phone, = register(site)
    peer = referee.accept().greet()
    peer.answer(peer.push())
    wait_told(site, [phone])
    peer.change_settings(initial_window_size=0)
    peer.streams.clear()
    return peer


def test_windows_that_open_a_byte_at_a_time(site, windowless):
    phone, = register(site)
    windowless.opens_windows = False
    windowless.wait(lambda: windowless.streams)
    push, = windowless.streams.values()
    while not windowless.arrived:
        size = len(push.body)
        windowless.open_window(1, push)
        windowless.wait(lambda: len(push.body) > size)
    assert push.payload == {"aps": {"account-id": phone.account_id}}
    windowless.answer(push)
    wait_told(site, [phone])


def test_an_initial_window_of_nothing_that_is_enlarged(site, windowless):
    phones = register(site, 3)
    windowless.wait(lambda: len(windowless.streams) == 3)
    windowless.settle()
    assert not windowless.arrived
    windowless.change_settings(initial_window_size=65535)
    answer_all(windowless, windowless.pushes(3))
    wait_told(site, phones)


def test_a_header_table_that_is_taken_away_and_given_back(site, referee):
    phones = register(site, 3)
    peer = referee.accept().greet(header_table_size=0, max_frame_size=2 ** 24 - 1)
    answer_all(peer, peer.pushes(3))
    wait_told(site, phones)
    peer.change_settings(header_table_size=65536)
    more = register(site, 3)
    answer_all(peer, peer.pushes(3))
    wait_told(site, more)


def test_frames_that_are_to_be_acknowledged_are(site, referee):
    phone, = register(site)
    peer = referee.accept().greet()
    push = peer.push()
    peer.settle()
    pongs, acknowledged = peer.pongs, len(peer.streams_at_ack)
    for _ in range(300):
        peer.h2.ping(b"12345678")
    for _ in range(100):
        peer.h2.update_settings({})
    peer.flush()
    peer.wait(lambda: peer.pongs == pongs + 300)
    peer.wait(lambda: len(peer.streams_at_ack) == acknowledged + 100)
    peer.answer(push)
    wait_told(site, [phone])


def test_a_body_without_end_is_cut_and_its_stream_reset(site, referee):
    phone, = register(site)
    peer = referee.accept().greet()
    push = peer.push()
    peer.frame(HEADERS, END_HEADERS, push.stream, header_block((":status", "200")))
    peer.frame(DATA, 0, push.stream, b" " * 16000)
    wait_told(site, [phone])
    peer.wait(lambda: peer.resets)
    assert peer.resets == [(push.stream, ErrorCodes.CANCEL)]


# ---- what breaks the protocol ----

def broken_settings(peer, push):
    peer.frame(SETTINGS, 0, 0, b"\0\x04\xff\xff\xff\xff")       # a window of 2^32 - 1


def broken_promise(peer, push):
    peer.frame(PUSH_PROMISE, END_HEADERS, push.stream,
               b"\0\0\0\x02" + header_block((":method", "GET"), (":path", "/")))


def broken_size(peer, push):
    peer.frame(DATA, 0, push.stream, b"x" * 20000)


def broken_compression(peer, push):
    peer.frame(HEADERS, END_HEADERS | END_STREAM, push.stream, b"\xff\xff\xff\xff\xff\x0f")


def broken_continuation(peer, push):
    peer.frame(HEADERS, 0, push.stream, header_block((":status", "200")))
    peer.frame(PING, 0, 0, b"12345678")


def broken_window(peer, push):
    peer.frame(WINDOW_UPDATE, 0, 0, b"\x7f\xff\xff\xff")


def endless_headers(peer, push):
    peer.frame(HEADERS, 0, push.stream, header_block((":status", "200")))
    # In one go, as it is left amid them.
    peer.raw(b"".join(frame_bytes(CONTINUATION, 0, push.stream, header_block((f"x-{n}", "y")))
                      for n in range(20)))


def broken_stream(peer, push):
    peer.frame(HEADERS, END_HEADERS, 2 ** 31 - 1, header_block((":status", "200")))


def not_http2(peer, push):
    peer.raw(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")


@pytest.mark.parametrize("breach", [broken_settings, broken_promise, broken_size,
                                    broken_compression, broken_continuation, broken_stream,
                                    broken_window, endless_headers, not_http2])
def test_a_server_that_breaks_the_protocol_is_left_and_no_push_lost(site, referee, breach):
    phone, = register(site)
    peer = referee.accept().greet()
    push = peer.push()
    breach(peer, push)
    peer.wait_end()
    peer = referee.accept().greet()
    again = peer.push()
    assert again.apns_id == push.apns_id
    peer.answer(again)
    wait_told(site, [phone])


def test_a_server_that_goes_away_before_each_push_gets_it_again_at_its_own_pace(site, referee):
    """GOAWAY with nothing processed, again and again: back-off, the same id, and no alarm yet."""
    phone, = register(site)
    ids = set()
    for _ in range(4):
        peer = referee.accept().greet()
        ids.add(peer.push().apns_id)
        peer.send_goaway(0)
        peer.wait_end()
    peer = referee.accept().greet()
    push = peer.push()
    assert ids == {push.apns_id}
    peer.answer(push)
    wait_told(site, [phone])
    assert not [line for line in site.mailpushd.lines() if "alarm=apns" in line]


def test_a_few_bytes_that_unpack_to_megabytes_are_read_past(site, referee):
    phone, = register(site)
    peer = referee.accept().greet()
    push = peer.push()
    bomb = b"\x40" + text("x") + text("y" * 4000)
    peer.frame(HEADERS, END_STREAM, push.stream, b"\x88" + bomb)      # :status 200
    peer.frame(CONTINUATION, END_HEADERS, push.stream, b"\xbe" * 8000)
    wait_told(site, [phone])


def test_a_server_that_closes_its_half_gets_the_push_on_another_connection(site, referee):
    phone, = register(site)
    peer = referee.accept().greet()
    push = peer.push()
    peer.socket.shutdown(socket.SHUT_WR)
    peer.wait_end()
    peer = referee.accept().greet()
    again = peer.push()
    assert again.apns_id == push.apns_id
    peer.answer(again)
    wait_told(site, [phone])


@pytest.mark.limit(180)
def test_a_server_that_answers_pings_but_no_push_is_left(site, referee):
    phone, = register(site)
    peer = referee.accept().greet()
    peer.socket.settimeout(90)
    ids = {peer.push().apns_id for _ in range(3)}
    peer.wait_end()
    assert peer.pings
    referee.listener.settimeout(90)
    peer = referee.accept().greet()
    push = peer.push()
    assert ids == {push.apns_id}
    peer.answer(push)
    wait_told(site, [phone])


def test_pushed_streams_are_not_wanted(site, referee):
    register(site)
    peer = referee.accept().greet()
    peer.push()
    assert peer.client_settings[2] == 0         # ENABLE_PUSH
