"""apns-sim behaves as Apple's service does, and misbehaves as it is told to.

The client here is python3-h2, so that nothing of the simulator is tested against itself.
"""

import json
import os
import socket
import ssl
import stat
import subprocess
import threading
import time

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.settings
import pytest

from apnssim import TOPIC, ZEROS, ApnsSim, binary, run
from waiting import TIMEOUT

TOKEN = "0123456789abcdef" * 4
OTHER_TOKEN = "fedcba9876543210" * 4
APNS_ID = "0715a26b-ca09-4730-a419-793000ca982e"
PAYLOAD = {"aps": {"account-id": "0715A26B-CA09-4730-A419-793000CA982E"}}

# python3-h2 takes a GOAWAY for the end of everything, against RFC 9113 6.8.
h2.connection.H2ConnectionStateMachine._transitions[
    (h2.connection.ConnectionState.CLIENT_OPEN, h2.connection.ConnectionInputs.RECV_GOAWAY)
] = (None, h2.connection.ConnectionState.CLIENT_OPEN)


class Gone(Exception):
    """The server ended the connection."""


class Answer:
    def __init__(self):
        self.status = None
        self.headers = {}
        self.text = b""
        self.ended = False
        self.error_code = None

    @property
    def body(self):
        return json.loads(self.text) if self.text else None

    @property
    def reason(self):
        return self.body["reason"] if self.text else None


class Client:
    """One HTTP/2 connection that does what a test says and waits for what it expects."""

    def __init__(self, sim, certificate=True, pair=None, alpn=("h2",), version=None):
        context = ssl.create_default_context(cafile=str(sim.ca))
        context.set_alpn_protocols(list(alpn))
        if version:
            context.minimum_version = context.maximum_version = version
        if certificate:
            context.load_cert_chain(*map(str, pair or (sim.client_cert, sim.client_key)))
        plain = socket.create_connection(("127.0.0.1", sim.port), timeout=TIMEOUT)
        self.socket = context.wrap_socket(plain, server_hostname="localhost")
        config = h2.config.H2Configuration(client_side=True, header_encoding="utf-8",
                                           validate_outbound_headers=False,
                                           validate_inbound_headers=False,
                                           normalize_outbound_headers=False)
        self.h2 = h2.connection.H2Connection(config)
        self.answers = {}
        self.goaway = None
        self.settings_changes = 0
        self.pings = 0
        self.goaways = []
        self.events = []
        self.h2.initiate_connection()
        self.flush()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.socket.close()

    def ready(self):
        """Wait for the server's SETTINGS."""
        self.wait(lambda: self.settings_changes)
        return self

    def flush(self):
        self.socket.sendall(self.h2.data_to_send())

    def send(self, token=TOKEN, payload=PAYLOAD, method="POST", path=None, extra=(), **headers):
        """Queue a push and return its stream; a header given as None is left out."""
        fields = {"apns-topic": TOPIC, "apns-push-type": "background",
                  "apns-expiration": "1790000000", "content-type": "application/json"}
        fields.update({"apns-" + name.replace("_", "-"): value for name, value in headers.items()})
        body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        stream = self.h2.get_next_available_stream_id()
        self.answers[stream] = Answer()
        self.h2.send_headers(stream, [
            (":method", method), (":scheme", "https"), (":authority", "localhost"),
            (":path", f"/3/device/{token}" if path is None else path),
            *((name, value) for name, value in fields.items() if value is not None), *extra,
        ], end_stream=not body)
        while body:
            size = min(self.h2.local_flow_control_window(stream), self.h2.max_outbound_frame_size,
                       len(body))
            if not size:
                self.flush()
                self.receive()
                continue
            self.h2.send_data(stream, body[:size], end_stream=size == len(body))
            body = body[size:]
        return stream

    def push(self, *arguments, **keywords):
        """Send one push and wait for its answer."""
        return self.answer(self.send(*arguments, **keywords))

    def answer(self, stream):
        self.flush()
        answer = self.answers[stream]
        self.wait(lambda: answer.ended)
        return answer

    def wait(self, condition):
        while not condition():
            self.receive()

    def wait_end(self):
        with pytest.raises(Gone):
            self.wait(lambda: False)

    def wait_reset(self):
        """Wait for a TCP reset, below TLS: Python's ssl makes an orderly end of it."""
        with socket.socket(fileno=os.dup(self.socket.fileno())) as plain:
            plain.settimeout(TIMEOUT)
            with pytest.raises(ConnectionResetError):
                while plain.recv(65536):
                    pass

    def receive(self):
        data = self.socket.recv(65536)
        if not data:
            raise Gone
        for event in self.h2.receive_data(data):
            self.events.append(event)
            answer = self.answers.get(getattr(event, "stream_id", None))
            if isinstance(event, h2.events.ResponseReceived):
                answer.headers = dict(event.headers)
                answer.status = int(answer.headers[":status"])
            elif isinstance(event, h2.events.DataReceived):
                answer.text += event.data
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            elif isinstance(event, h2.events.StreamEnded):
                answer.ended = True
            elif isinstance(event, h2.events.StreamReset):
                answer.ended = True
                answer.error_code = event.error_code
            elif isinstance(event, h2.events.ConnectionTerminated):
                self.goaway = event
                self.goaways.append(event.last_stream_id)
            elif isinstance(event, h2.events.RemoteSettingsChanged):
                self.settings_changes += 1
            elif isinstance(event, h2.events.PingAckReceived):
                self.pings += 1
        self.flush()

    def ping(self):
        self.h2.ping(b"12345678")
        self.flush()


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    return tmp_path_factory.mktemp("apns-sim")


@pytest.fixture
def sim(directory):
    running = ApnsSim().start(directory)
    yield running
    assert running.stop() in (0, None)


@pytest.fixture
def client(sim):
    with Client(sim).ready() as connected:
        yield connected


# --- What Apple's service does ---


def test_a_good_push_is_answered_and_recorded(sim, client):
    before_ms = time.time_ns() // 1000000
    answer = client.push(id=APNS_ID)
    assert (answer.status, answer.body) == (200, None)
    assert answer.headers["apns-id"] == APNS_ID

    record, = sim.wait_pushes(1)
    assert before_ms <= record["time_ms"] <= record["answered_ms"] <= time.time_ns() // 1000000
    assert record["connection"] == 1
    assert record["stream"] == 1
    assert record["token"] == TOKEN
    assert record["headers"] == {
        "apns-topic": TOPIC, "apns-push-type": "background", "apns-expiration": "1790000000",
        "apns-id": APNS_ID, "content-type": "application/json"}
    assert record["payload"] == PAYLOAD
    assert (record["status"], record["reason"], record["apns_id"]) == (200, None, APNS_ID)


def test_an_apns_id_is_made_where_there_is_none(sim, client):
    first, second = client.push(), client.push()
    assert len(first.headers["apns-id"]) == 36
    assert first.headers["apns-id"] != second.headers["apns-id"]
    assert sim.wait_pushes(2)[0]["apns_id"] == first.headers["apns-id"]


def test_checks_come_in_apples_order(sim, client):
    """A request with everything wrong, mended one thing at a time."""
    sim.control(do="token", token=TOKEN, status=410, reason="Unregistered", timestamp=1700000000123)
    sim.control(do="topic", token=OTHER_TOKEN, topic="com.example.other")
    request = {"method": "GET", "path": "/4/device/x", "extra": [("apns-priority", "10")],
               "id": "not-a-uuid", "topic": None, "collapse_id": "c" * 65, "priority": "7",
               "expiration": "soon", "push_type": "loud", "payload": b""}
    steps = [
        ({}, 405, "MethodNotAllowed"),
        ({"method": "POST"}, 404, "BadPath"),
        ({"path": f"/3/device/{TOKEN}/more"}, 404, "BadPath"),
        ({"path": "/3/device/"}, 400, "MissingDeviceToken"),
        ({"path": "/3/device/x"}, 400, "DuplicateHeaders"),
        ({"extra": ()}, 400, "BadMessageId"),
        ({"id": APNS_ID}, 400, "MissingTopic"),
        ({"topic": "not a topic"}, 400, "BadTopic"),
        ({"topic": "com.example.stranger"}, 400, "BadCollapseId"),
        ({"collapse_id": "c" * 64}, 400, "BadPriority"),
        ({"priority": "5"}, 400, "BadExpirationDate"),
        ({"expiration": "0"}, 400, "InvalidPushType"),
        ({"push_type": "background"}, 400, "BadDeviceToken"),
        ({"path": f"/3/device/{'a' * 63}"}, 400, "BadDeviceToken"),
        ({"path": f"/3/device/{'a' * 201}"}, 400, "BadDeviceToken"),
        ({"path": f"/3/device/{'a' * 63}g"}, 400, "BadDeviceToken"),
        ({"path": f"/3/device/{TOKEN}"}, 410, "Unregistered"),
        ({"path": f"/3/device/{OTHER_TOKEN}"}, 400, "DeviceTokenNotForTopic"),
        ({"path": f"/3/device/{'b' * 64}"}, 400, "TopicDisallowed"),
        ({"topic": TOPIC}, 400, "PayloadEmpty"),
        ({"payload": b"x" * 4097}, 413, "PayloadTooLarge"),
        ({"payload": b"x" * 4096}, 200, None),
    ]
    for mended, status, reason in steps:
        request.update(mended)
        answer = client.push(**request)
        assert (answer.status, answer.reason) == (status, reason), mended
        record = sim.wait_pushes(1)[0]
        assert (record["status"], record["reason"]) == (status, reason)
        sim.forget()


def test_the_token_of_a_trial_is_bad_once_the_topic_is_good(client):
    """So Apple answers a credential that it takes, and one that it does not."""
    assert client.push("0" * 64).reason == "BadDeviceToken"
    assert client.push("0" * 64, topic="com.example.stranger").reason == "TopicDisallowed"


def test_unregistered_tells_since_when(sim, client):
    sim.control(do="token", token=TOKEN, status=410, reason="Unregistered", timestamp=1700000000123)
    assert client.push().body == {"reason": "Unregistered", "timestamp": 1700000000123}


@pytest.mark.parametrize("token", ["a" * 64, "A" * 64, "0" * 63 + "1", "c" * 200])
def test_tokens_of_64_to_200_digits_are_good(client, token):
    assert client.push(token).status == 200


def test_voip_may_carry_more(client):
    topic = TOPIC + ".voip"
    assert client.push(topic=topic, push_type="voip", payload=b"x" * 5120).status == 200
    assert client.push(topic=topic, push_type="voip", payload=b"x" * 5121).reason == \
        "PayloadTooLarge"


def test_background_pushes_must_not_ask_for_priority_10(client):
    assert client.push(priority="10").reason == "BadPriority"
    assert client.push(priority="10", push_type="alert").status == 200
    assert client.push(priority="5").status == 200


def test_the_certificates_topics_are_allowed_and_no_others(sim):
    topic = "com.apple.mobilemail.push.com.example"
    with Client(sim, pair=sim.add_client("second", topic)).ready() as client:
        assert client.push(topic=topic).status == 200
        assert client.push(topic=topic + ".voip").status == 200
        assert client.push(topic=TOPIC).reason == "TopicDisallowed"


def test_without_certificate_every_push_is_refused(sim):
    with Client(sim, certificate=False).ready() as client:
        answer = client.push(method="GET", path="/")
        assert (answer.status, answer.reason) == (403, "MissingProviderToken")


def test_without_client_authentication_every_topic_is_allowed(directory):
    with ApnsSim().start(directory, "--no-client-auth") as sim:
        with Client(sim, certificate=False).ready() as client:
            assert client.push(topic="com.example.anything").status == 200


def test_a_strangers_certificate_fails_the_handshake(sim, tmp_path):
    run("--init", tmp_path)
    with pytest.raises(ssl.SSLError):
        with Client(sim, pair=(tmp_path / "client.pem", tmp_path / "client.key")) as client:
            client.ready()
    assert sim.control(do="stats")["handshakes_failed"] == 1
    assert "unable to get local issuer" in (sim.dir / "apns-sim.log").read_text()


def test_an_expired_certificate_fails_the_handshake(sim):
    pair = sim.add_client("expired", TOPIC, "--days", "-1")
    with pytest.raises(ssl.SSLError, match="expired"):
        with Client(sim, pair=pair) as client:
            client.ready()


def test_only_http2_is_spoken(sim):
    with pytest.raises(ssl.SSLError):
        Client(sim, alpn=("http/1.1",))


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_tls_1_2_and_1_3_are_spoken(sim, version):
    with Client(sim, version=version).ready() as client:
        assert client.push().status == 200


def test_settings_are_apples(client):
    settings = client.h2.remote_settings
    assert settings.header_table_size == 4096
    assert settings.max_concurrent_streams == 1000
    assert settings.initial_window_size == 65535
    assert settings.max_frame_size == 16384
    assert settings.max_header_list_size == 8000


def test_the_connection_window_is_65535_and_is_given_back(sim, client):
    assert client.h2.outbound_flow_control_window == 65535
    sim.control(do="hold", on=True)
    streams = [client.send(payload=b"x" * 4096) for _ in range(40)]
    client.flush()
    sim.control(do="hold", on=False)
    assert {client.answer(stream).status for stream in streams} == {200}
    assert client.h2.outbound_flow_control_window <= 65535


def test_more_streams_than_allowed_end_the_connection(sim, client):
    sim.control(do="hold", on=True)
    sim.control(do="settings", max_concurrent_streams=2)
    client.wait(lambda: client.settings_changes == 2)
    client.h2.remote_settings[h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS] = 1000
    client.h2.remote_settings.acknowledge()
    for _ in range(3):
        client.send()
    client.flush()
    client.wait_end()
    assert client.goaway.error_code == h2.errors.ErrorCodes.PROTOCOL_ERROR
    assert [push["status"] for push in sim.wait_pushes(2)] == [None, None]


def test_a_header_list_beyond_the_limit_is_refused(client):
    answer = client.push(extra=[("x-padding", "p" * 8000)])
    assert (answer.status, answer.body) == (431, None)


def test_what_is_no_http2_ends_the_connection_and_nothing_else(sim, client):
    context = ssl.create_default_context(cafile=str(sim.ca))
    context.set_alpn_protocols(["h2"])
    with socket.create_connection(("127.0.0.1", sim.port), timeout=TIMEOUT) as plain:
        with context.wrap_socket(plain, server_hostname="localhost") as stranger:
            stranger.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            try:
                while stranger.recv(4096):
                    pass
            except OSError:
                pass
    assert client.push().status == 200


# --- Records ---


def test_a_payload_that_is_no_json_is_recorded_as_text(sim, client):
    client.push(payload=b"no json\n")
    client.push(payload=b"\xff\xfe")
    text, binary_payload = sim.wait_pushes(2)
    assert text["payload_text"] == "no json\n"
    assert binary_payload["payload_hex"] == "fffe"


def test_a_push_without_answer_is_recorded_when_the_connection_ends(sim, client):
    sim.control(do="hold", on=True)
    client.send()
    client.h2.send_headers(3, [(":method", "POST"), (":scheme", "https"),
                               (":authority", "localhost"), (":path", f"/3/device/{OTHER_TOKEN}")])
    client.ping()
    client.wait(lambda: client.pings)
    client.socket.close()
    records = {push["token"]: push for push in sim.wait_pushes(2)}
    for token, complete in ((TOKEN, True), (OTHER_TOKEN, False)):
        assert records[token]["status"] is None
        assert records[token]["reason"] is None
        assert records[token]["answered_ms"] is None
        assert records[token]["complete"] is complete


def test_a_push_that_the_client_cancels_is_recorded(sim, client):
    sim.control(do="hold", on=True)
    client.h2.reset_stream(client.send(), h2.errors.ErrorCodes.CANCEL)
    client.flush()
    record, = sim.wait_pushes(1)
    assert (record["status"], record["reason"]) == (None, "CANCEL")


def test_counts_are_one_line_at_the_end(directory):
    with ApnsSim().start(directory, record="counts") as sim:
        with Client(sim).ready() as client:
            client.push()
            client.push(token="x")
        sim.stop()
        counts, = sim.pushes()
    assert counts["by_status"] == {"200": 1, "400": 1}
    assert counts["by_reason"] == {"BadDeviceToken": 1}


def test_records_go_to_a_file(directory, tmp_path):
    output = tmp_path / "pushes"
    with ApnsSim().start(directory, "--output", output) as sim:
        with Client(sim).ready() as client:
            client.push()
        assert sim.stop() == 0
        assert sim.pushes() == []
    assert [json.loads(line)["status"] for line in output.read_text().splitlines()] == [200]



# --- What a test can set ---


def test_a_token_gets_its_verdict_as_often_as_asked(sim, client):
    sim.control(do="token", token=TOKEN.upper(), status=429, reason="TooManyRequests",
                retry_after="5", times=2)
    first = client.push()
    assert (first.status, first.reason, first.headers["retry-after"]) == \
        (429, "TooManyRequests", "5")
    assert client.push(OTHER_TOKEN).status == 200
    assert [client.push().status for _ in range(2)] == [429, 200]


def test_a_tokens_verdict_stays_until_taken_back(sim, client):
    sim.control(do="token", token=TOKEN, status=410, reason="ExpiredToken")
    assert [client.push().status for _ in range(3)] == [410] * 3
    sim.control(do="token", token=TOKEN, status=410, times=0)
    assert client.push().status == 200


def test_a_token_belongs_to_a_topic_until_taken_back(sim, client):
    sim.control(do="topic", token=TOKEN, topic=TOPIC + ".voip")
    assert client.push().reason == "DeviceTokenNotForTopic"
    assert client.push(topic=TOPIC + ".voip").status == 200
    sim.control(do="topic", token=TOKEN, topic=None)
    assert client.push().status == 200


def test_the_next_pushes_get_what_was_set_one_after_the_other(sim, client):
    sim.control(do="next", count=2, status=503, reason="ServiceUnavailable", retry_after="7")
    sim.control(do="next", count=1, status=500, reason=None)
    first = client.push()
    assert (first.status, first.reason, first.headers["retry-after"]) == \
        (503, "ServiceUnavailable", "7")
    assert client.push(path="/nonsense").status == 503
    third = client.push()
    assert (third.status, third.body) == (500, None)
    assert client.push().status == 200
    assert [push["status"] for push in sim.wait_pushes(4)] == [503, 503, 500, 200]


def test_answers_can_be_delayed(sim, client):
    sim.control(do="delay", ms=120)
    streams = [client.send() for _ in range(3)]
    assert [client.answer(stream).status for stream in streams] == [200] * 3
    for push in sim.wait_pushes(3):
        assert push["answered_ms"] - push["time_ms"] >= 119
    sim.control(do="delay", ms=600000)
    stream = client.send()
    client.ping()
    client.wait(lambda: client.pings)
    assert sim.control(do="stats")["waiting"] == 1
    sim.control(do="delay", ms=0)
    assert client.answer(stream).status == 200


def test_goaway_at_once_with_a_reason(sim, client):
    client.push()
    sim.control(do="goaway", reason="Shutdown")
    client.wait_end()
    assert json.loads(client.goaway.additional_data) == {"reason": "Shutdown"}
    assert client.goaway.error_code == h2.errors.ErrorCodes.NO_ERROR
    assert client.goaway.last_stream_id == 1


def test_goaway_without_reason_carries_nothing(sim, client):
    sim.control(do="goaway", reason=None)
    client.wait_end()
    assert not client.goaway.additional_data


def test_goaway_for_none_after_some_pushes(sim, client):
    sim.control(do="goaway", after=2, reason="IdleTimeout", last="none")
    streams = [client.send() for _ in range(5)]
    client.flush()
    client.wait_end()
    assert client.goaway.last_stream_id == streams[1]
    assert [client.answers[stream].status for stream in streams] == [200, 200, None, None, None]
    statuses = {push["stream"]: push["status"] for push in sim.wait_pushes(2)}
    assert statuses.pop(streams[0]) == statuses.pop(streams[1]) == 200
    assert set(statuses.values()) <= {None}


def test_goaway_for_all_lets_everything_that_arrived_finish(sim, client):
    sim.control(do="hold", on=True)
    streams = [client.send() for _ in range(4)]
    client.ping()
    client.wait(lambda: client.pings)
    sim.control(do="goaway", reason="Shutdown", last="all")
    client.wait(lambda: client.goaway)
    assert client.goaway.last_stream_id == streams[-1]
    sim.control(do="hold", on=False)
    client.wait_end()
    assert [client.answers[stream].status for stream in streams] == [200] * 4


def test_goaway_for_none_of_those_held(sim, client):
    client.push()
    sim.control(do="hold", on=True)
    streams = [client.send() for _ in range(4)]
    client.ping()
    client.wait(lambda: client.pings)
    sim.control(do="goaway", last="none")
    client.wait_end()
    assert client.goaway.last_stream_id == 1
    assert [client.answers[stream].status for stream in streams] == [None] * 4
    unanswered = sim.wait_pushes(4, where=lambda push: push["status"] is None)
    assert {push["reason"] for push in unanswered} == {"GOAWAY"}


def test_reset_at_once(sim, client):
    client.push()
    sim.control(do="reset")
    client.wait_reset()
    with Client(sim).ready() as again:
        assert again.push().status == 200


def test_reset_after_some_pushes(sim, client):
    sim.control(do="reset", after=2)
    assert client.push().status == 200
    client.send(OTHER_TOKEN)
    client.flush()
    client.wait_reset()
    record, = sim.wait_pushes(1, where=lambda push: push["token"] == OTHER_TOKEN)
    assert record["status"] is None


def test_streams_are_refused(sim, client):
    sim.control(do="refuse_streams", count=2)
    answers = [client.push() for _ in range(3)]
    refused = h2.errors.ErrorCodes.REFUSED_STREAM
    assert [answer.error_code for answer in answers] == [refused, refused, None]
    assert [(push["status"], push["reason"]) for push in sim.wait_pushes(3)] == \
        [(None, "REFUSED_STREAM"), (None, "REFUSED_STREAM"), (200, None)]


def test_streams_are_reset_with_a_code(sim, client):
    sim.control(do="rst_streams", count=1, code=int(h2.errors.ErrorCodes.ENHANCE_YOUR_CALM))
    assert client.push().error_code == h2.errors.ErrorCodes.ENHANCE_YOUR_CALM
    assert client.push().status == 200
    assert sim.wait_pushes(2)[0]["reason"] == "ENHANCE_YOUR_CALM"


def test_settings_change_live_and_for_new_connections(sim, client):
    sim.control(do="settings", max_concurrent_streams=1, initial_window_size=100)
    client.wait(lambda: client.settings_changes == 2)
    with Client(sim).ready() as second:
        for settings in (client.h2.remote_settings, second.h2.remote_settings):
            assert settings.max_concurrent_streams == 1
            assert settings.initial_window_size == 100
        assert second.push(payload=b"x" * 1000).status == 200
    sim.control(do="clear")
    client.wait(lambda: client.settings_changes == 3)
    assert client.h2.remote_settings.max_concurrent_streams == 1000


def test_table_and_frame_sizes_change_too(sim, client):
    sim.control(do="settings", header_table_size=0, max_frame_size=65536)
    client.wait(lambda: client.settings_changes == 2)
    assert client.h2.remote_settings.header_table_size == 0
    assert client.h2.remote_settings.max_frame_size == 65536
    assert client.push().status == 200
    sim.control(do="clear")
    client.wait(lambda: client.settings_changes == 3)
    assert client.h2.remote_settings.header_table_size == 4096


def test_a_graceful_goaway_comes_in_two_steps(sim, client):
    first = client.push()
    sim.control(do="goaway", last="graceful", reason="Shutdown", code=11)
    client.wait(lambda: len(client.goaways) == 2)
    assert client.goaways == [2 ** 31 - 1, 1]
    assert json.loads(client.goaway.additional_data) == {"reason": "Shutdown"}
    assert client.goaway.error_code == h2.errors.ErrorCodes.ENHANCE_YOUR_CALM
    assert first.status == 200
    client.wait_end()


def test_answers_are_adorned_as_asked_for(sim, client):
    sim.control(do="answers", interim=True, trailers=True, pad=100, fields=20000, body=5000)
    sim.control(do="next", status=410, reason="Unregistered")
    answer = client.push()
    kinds = [type(event).__name__ for event in client.events if hasattr(event, "stream_id")]
    assert kinds.index("InformationalResponseReceived") < kinds.index("ResponseReceived")
    assert "TrailersReceived" in kinds
    assert answer.status == 410
    assert len(answer.headers["x-filler"]) == 4000
    assert len(answer.text) == 5000
    assert answer.reason == "Unregistered"
    data = [event for event in client.events if isinstance(event, h2.events.DataReceived)]
    assert data[0].flow_controlled_length == len(data[0].data) + 100
    sim.control(do="answers")
    assert client.push().text == b""


@pytest.mark.parametrize("client, alert", [
    ("bad", "bad certificate"), ("expired", "certificate expired"),
    ("revoked", "certificate revoked"), ("stranger", "unknown ca")])
def test_a_good_client_certificate_is_refused_when_asked_for(sim, client, alert):
    sim.control(do="tls", client=client)
    with pytest.raises(ssl.SSLError, match=alert):
        Client(sim).ready()
    sim.control(do="tls")
    with Client(sim).ready() as good:
        assert good.push().status == 200


def test_alpn_is_refused_or_not_answered_when_asked_for(sim):
    sim.control(do="tls", alpn="refuse")
    with pytest.raises(ssl.SSLError, match="no application protocol"):
        Client(sim)
    sim.control(do="tls", alpn="none")
    with Client(sim) as client:
        assert client.socket.selected_alpn_protocol() is None
    sim.control(do="clear")
    with Client(sim).ready() as client:
        assert client.push().status == 200


@pytest.mark.parametrize("frames, event", [("ping", h2.events.PingReceived),
                                           ("settings", h2.events.RemoteSettingsChanged)])
def test_a_flood_is_as_large_as_asked_for(sim, client, frames, event):
    client.push()
    seen = len(client.events)
    sim.control(do="flood", frames=frames, count=300)
    client.wait(lambda: sum(isinstance(e, event) for e in client.events[seen:]) == 300)
    assert client.push().status == 200


def test_silence_answers_nothing_until_it_is_over(sim, client):
    sim.control(do="silence", on=True)
    stream = client.send()
    client.ping()
    client.socket.settimeout(0.3)
    with pytest.raises(TimeoutError):
        client.wait(lambda: client.pings or client.answers[stream].ended)
    assert sim.control(do="stats")["waiting"] == 1
    assert sim.pushes() == []
    client.socket.settimeout(TIMEOUT)
    sim.control(do="silence", on=False)
    assert client.answer(stream).status == 200
    client.wait(lambda: client.pings)


def test_held_pushes_leave_ping_alone(sim, client):
    sim.control(do="hold", on=True)
    stream = client.send()
    client.ping()
    client.wait(lambda: client.pings)
    assert not client.answers[stream].ended
    sim.control(do="next", count=1, status=503, reason="Shutdown")
    sim.control(do="hold", on=False)
    assert client.answer(stream).reason == "Shutdown"


def test_connections_are_refused_and_taken_again_on_the_same_port(sim, client):
    sim.control(do="refuse", on=True)
    with pytest.raises(ConnectionRefusedError):
        Client(sim)
    assert client.push().status == 200
    sim.control(do="refuse", on=False)
    with Client(sim).ready() as again:
        assert again.push().status == 200


def test_clear_makes_it_a_good_day_again(sim, client):
    sim.control(do="token", token=TOKEN, status=410, reason="Unregistered")
    sim.control(do="next", count=9, status=500)
    sim.control(do="delay", ms=600000)
    sim.control(do="refuse_streams", count=9)
    sim.control(do="refuse", on=True)
    sim.control(do="reset", after=1)
    sim.control(do="goaway", after=1)
    sim.control(do="silence", on=True)
    sim.control(do="clear", counters=True)
    assert client.push().status == 200
    with Client(sim).ready() as again:
        assert again.push().status == 200
    stats = sim.control(do="stats")
    assert (stats["pushes"], stats["by_status"]) == (2, {"200": 2})


def test_stats_count(sim, client):
    sim.control(do="hold", on=True)
    streams = [client.send(), client.send(token="x"), client.send(topic=None)]
    client.ping()
    client.wait(lambda: client.pings)
    assert sim.control(do="stats")["in_flight"] == 3
    sim.control(do="hold", on=False)
    for stream in streams:
        client.answer(stream)
    stats = sim.control(do="stats")
    assert stats["pushes"] == 3
    assert stats["by_status"] == {"200": 1, "400": 2}
    assert stats["by_reason"] == {"BadDeviceToken": 1, "MissingTopic": 1}
    assert (stats["connections_open"], stats["connections_total"]) == (1, 1)
    assert (stats["in_flight"], stats["in_flight_max"]) == (0, 3)


def test_who_asks_for_the_record_gets_what_the_reader_has_not_read_yet(sim, client):
    with sim._changed:      # so it cannot take in what comes, but while somebody waits for it
        assert client.push().status == 200
        assert client.push(token=ZEROS).status == 400
        assert len(sim.pushes()) == 1
    with sim._changed:
        assert client.push(token=ZEROS).status == 400
        assert len(sim.trials()) == 2
        assert client.push().status == 200
        sim.forget()
    assert sim.pushes() == []
    assert sim.control(do="stats")["recorded"] == 4


@pytest.mark.parametrize("command, error", [
    ({"do": "dance"}, "'do' must name a command"),
    ({}, "'do' must name a command"),
    ({"do": "next", "stauts": 500}, "'stauts'"),
    ({"do": "next"}, "'status' is missing"),
    ({"do": "next", "status": 99}, "'status' must be a whole number from 200 to 599"),
    ({"do": "next", "status": 500, "reason": 'a"b'}, "'reason' must be printable ASCII"),
    ({"do": "token", "status": 410}, "'token' is missing"),
    ({"do": "token", "token": "a" * 201, "status": 410}, "'token' must be a string"),
    ({"do": "delay", "ms": -1}, "'ms' must be a whole number"),
    ({"do": "delay"}, "'ms' is missing"),
    ({"do": "goaway", "last": "some"}, "'last' must be"),
    ({"do": "silence", "on": 1}, "'on' must be true or false"),
    ({"do": "settings", "initial_window_size": 2**31}, "'initial_window_size'"),
    ({"do": "settings", "max_frame_size": 16383}, "'max_frame_size'"),
    ({"do": "answers", "pad": 256}, "'pad'"),
    ({"do": "answers", "fields": 60001}, "'fields'"),
    ({"do": "tls", "client": "odd"}, "'client' must be"),
    ({"do": "tls", "alpn": "h3"}, "'alpn' must be"),
    ({"do": "flood"}, "'count' is missing"),
    ({"do": "flood", "count": 1, "frames": "goaway"}, "'frames' must be"),
])
def test_mistakes_in_commands_are_named(sim, command, error):
    answer = sim.control(check=False, **command)
    assert answer["ok"] is False
    assert error in answer["error"]


def test_lines_that_are_no_command_are_answered_and_endless_ones_are_not(sim):
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as control:
        control.settimeout(TIMEOUT)
        control.connect(str(sim.dir / "control"))
        control.sendall(b'no json\n[1]\n{"do":"stats"}\n')
        replies = control.makefile("rb")
        assert [json.loads(replies.readline())["ok"] for _ in range(3)] == [False, False, True]
        control.sendall(b"x" * 65536)
        try:
            assert replies.readline() == b""
        except ConnectionResetError:
            pass
    assert sim.control(do="stats")["ok"]


def test_a_thousand_streams_at_once(sim, client):
    sim.control(do="hold", on=True)
    streams = [client.send(payload=b"{}") for _ in range(1000)]
    client.ping()
    client.wait(lambda: client.pings)
    assert sim.control(do="stats")["in_flight"] == 1000
    sim.control(do="hold", on=False)
    client.wait(lambda: all(client.answers[stream].ended for stream in streams))
    assert {client.answers[stream].status for stream in streams} == {200}
    assert len(sim.wait_pushes(1000)) == 1000


def test_many_connections(sim):
    def talk():
        with Client(sim).ready() as client:
            for _ in range(20):
                assert client.push().status == 200

    threads = [threading.Thread(target=talk) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sim.control(do="stats")["by_status"] == {"200": 160}


# --- The program ---


def test_sigterm_ends_it_cleanly(directory):
    sim = ApnsSim().start(directory)
    with Client(sim).ready() as client:
        sim.control(do="hold", on=True)
        client.send()
        client.ping()
        client.wait(lambda: client.pings)
        assert sim.stop() == 0
        client.wait_end()
    assert [push["status"] for push in sim.pushes()] == [None]
    assert not (directory / "control").exists()


def test_it_listens_again_on_the_port_of_before(directory):
    sim = ApnsSim().start(directory)
    with Client(sim).ready() as client:
        client.push()
        sim.kill()
    port = sim.port
    sim.start(directory, port=port)
    with Client(sim).ready() as client:
        assert client.push().status == 200
    assert sim.port == port
    assert sim.stop() == 0


def test_certificates_have_apples_shape(tmp_path):
    topic = "com.apple.mobilemail.push.com.example"
    run("--init", tmp_path / "new", "--topic", topic, "--name", "Apple Push Services: Example")
    certificate = subprocess.run(
        ["openssl", "x509", "-in", tmp_path / "new" / "client.pem", "-noout", "-subject",
         "-nameopt", "oid,sep_multiline", "-ext", "1.2.840.113635.100.6.3.6"],
        check=True, capture_output=True, text=True).stdout
    assert f"0.9.2342.19200300.100.1.1={topic}" in certificate
    assert "2.5.4.3=Apple Push Services: Example" in certificate
    der = ssl.PEM_cert_to_DER_cert((tmp_path / "new" / "client.pem").read_text())
    name = topic.encode()
    assert b"\x0c" + bytes([len(name)]) + name + b"\x30\x05\x0c\x03app" in der
    assert b"\x0c" + bytes([len(name) + 5]) + name + b".voip\x30\x06\x0c\x04voip" in der
    for key in ("ca.key", "server.key", "client.key"):
        assert stat.S_IMODE((tmp_path / "new" / key).stat().st_mode) == 0o600


def test_the_server_goes_by_apples_name_too(sim):
    context = ssl.create_default_context(cafile=str(sim.ca))
    context.set_alpn_protocols(["h2"])
    for name in ("localhost", "api.push.apple.com", "127.0.0.1", "::1"):
        with socket.create_connection(("127.0.0.1", sim.port), timeout=TIMEOUT) as plain:
            with context.wrap_socket(plain, server_hostname=name) as secured:
                assert secured.selected_alpn_protocol() == "h2"


@pytest.mark.parametrize("arguments, error", [
    ([], "--dir or --init is missing"),
    (["--dir", ".", "--listen", "nowhere"], "--listen is ADDRESS:PORT"),
    (["--dir", ".", "--record", "some"], "--record is full, counts or none"),
    (["--init", "x", "--days", "soon"], "--days is a number"),
    (["--init", "x", "--topic", ""], "--topic must have"),
    (["--add-client", "a/b", "--dir", "x"], "without a folder"),
    (["--dir", ".", "more"], "'more' is not an option"),
    (["--dir", ".", "--dance"], "see apns-sim --help"),
])
def test_mistakes_in_options_are_named(arguments, error, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = run(*arguments, check=False)
    assert result.returncode == 2
    assert error in result.stderr


@pytest.mark.parametrize("arguments", [[], ["--add-client", "a"]])
def test_a_folder_without_certificates_is_named(arguments):
    result = run(*arguments, "--dir", "/nonexistent", check=False)
    assert result.returncode == 1
    assert "apns-sim --init" in result.stderr
    assert "/nonexistent" in result.stderr


def test_a_port_in_use_and_a_path_too_long_are_named(sim, tmp_path):
    result = run("--dir", sim.dir, "--listen", f"127.0.0.1:{sim.port}", check=False)
    assert (result.returncode, result.stdout) == (1, "")
    assert f"cannot listen on 127.0.0.1:{sim.port}: Address already in use" in result.stderr
    result = run("--dir", sim.dir, "--control", tmp_path / ("n" * 200), check=False)
    assert (result.returncode, result.stdout) == (1, "")
    assert "the path is too long" in result.stderr


def test_readiness_can_be_written_to_a_file(directory, tmp_path):
    ready = tmp_path / "ready"
    os.mkfifo(tmp_path / "ready.new")
    process = subprocess.Popen([binary(), "--dir", directory, "--listen", "[::1]:0",
                                "--ready-file", ready], stdout=subprocess.PIPE)
    try:
        assert (tmp_path / "ready.new").read_text().startswith("listening on [::1]:")
    finally:
        process.terminate()
        assert process.communicate(timeout=TIMEOUT)[0] == b""
    assert process.returncode == 0


def test_help_and_version(tmp_path):
    assert "--control SOCKET" in run("--help").stdout
    assert run("--version").stdout.startswith("apns-sim ")
    assert binary().is_file()
