#include "intake/datagram.h"

#include "place.h"

#include <errno.h>
#include <stdlib.h>

#include "../descriptors.h"

/* A literal's bytes with their final NUL, which ends the last field. */
#define DATAGRAM(text) text, sizeof(text)
#define EVENT "external\0EVENT\0\0\0\0"
#define HELLO EVENT "0\0{}"

struct intake {
	struct place place;
	struct peer_rules peers;
	struct datagram *datagram;
	unsigned came;
	unsigned rejected;
	char last_message[100];
	char last_rejection[ERR_TEXT_MAX];
};

static void on_came(void *ctx, const struct notification *n)
{
	struct intake *intake = ctx;
	intake->came++;
	snprintf(intake->last_message, sizeof(intake->last_message), "%.*s", (int)n->message.size,
		n->message.bytes);
}

static void on_rejected(
	void *ctx, enum notification_fault fault, const char *kind, const char *text)
{
	(void)fault;
	assert_true(*kind);
	struct intake *intake = ctx;
	intake->rejected++;
	snprintf(intake->last_rejection, sizeof(intake->last_rejection), "%s", text);
}

static void start(struct intake *intake)
{
	static const struct datagram_callbacks callbacks = {on_came, on_rejected};
	struct err err;
	int r = datagram_new(&intake->place.loop, intake->place.path, 0600, (gid_t)-1,
		&intake->peers, &callbacks, intake, &intake->datagram, &err);
	if (r < 0)
		fail_msg("%s", err.text);
}

static int set_up(void **state)
{
	struct intake *intake = calloc(1, sizeof(*intake));
	place_init(&intake->place);
	peer_allow(&intake->peers, geteuid());
	start(intake);
	*state = intake;
	return 0;
}

static int tear_down(void **state)
{
	struct intake *intake = *state;
	datagram_free(intake->datagram);
	place_fini(&intake->place);
	free(intake);
	return 0;
}

static void send_all(int fd, const void *bytes, size_t size)
{
	assert_int_equal(send(fd, bytes, size, MSG_DONTWAIT), size);
}

static void assert_field(const struct notification_field *field, const char *wanted)
{
	assert_non_null(field->bytes);
	assert_int_equal(field->size, strlen(wanted));
	assert_memory_equal(field->bytes, wanted, field->size);
}

static void an_event_is_split(void **state)
{
	(void)state;
	struct notification n;
	struct err err;
	assert_int_equal(
		datagram_parse(DATAGRAM("external\0EVENT\0\0\0\0000\0{\"event\":1}"), &n, &err), 0);
	assert_field(&n.method, "external");
	assert_field(&n.class, "EVENT");
	assert_field(&n.priority, "");
	assert_field(&n.user, "");
	assert_field(&n.mailbox, "");
	assert_int_equal(n.option_count, 0);
	assert_field(&n.message, "{\"event\":1}");
	assert_null(n.filepath.bytes);
	assert_true(notification_is_event(&n));
}

static void a_sieve_notification_has_options_and_a_file_path(void **state)
{
	(void)state;
	struct notification n;
	struct err err;
	assert_int_equal(
		datagram_parse(DATAGRAM("mailto\0SIEVE\0normal\0alice\0\0002\0a@example.com\0b\0"
					"hi\n\nKept\n\0/spool/1"),
			&n, &err),
		0);
	assert_field(&n.priority, "normal");
	assert_field(&n.user, "alice");
	assert_int_equal(n.option_count, 2);
	assert_field(&n.options[0], "a@example.com");
	assert_field(&n.options[1], "b");
	assert_field(&n.message, "hi\n\nKept\n");
	assert_field(&n.filepath, "/spool/1");
	assert_false(notification_is_event(&n));
}

static void only_the_class_event_is_an_event(void **state)
{
	(void)state;
	static const char *const others[] = {"MAIL", "IMIP", "", "EVENTS", "EVEN", "event"};
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		struct notification n = {.class = {others[i], strlen(others[i])}};
		assert_false(notification_is_event(&n));
	}
	struct notification nil = {0};
	assert_false(notification_is_event(&nil));
	struct notification event = {.class = {"EVENTS", 5}};
	assert_true(notification_is_event(&event));
}

static void cut_anywhere_it_is_malformed(void **state)
{
	(void)state;
	static const char whole[] = "a\0EVENT\0c\0d\0e\0001\0option\0message\0path";
	static const size_t without_path = sizeof(whole) - sizeof("path");
	for (size_t size = 0; size <= sizeof(whole); size++) {
		char *bytes = malloc(size ? size : 1); /* exact, for the sanitizers */
		memcpy(bytes, whole, size);
		struct notification n;
		struct err err;
		bool is_whole = size == sizeof(whole) || size == without_path;
		assert_int_equal(datagram_parse(bytes, size, &n, &err), is_whole ? 0 : -EBADMSG);
		free(bytes);
	}
}

static void malformed_datagrams_are_refused(void **state)
{
	(void)state;
	static const struct {
		const char *bytes;
		size_t size;
	} datagrams[] = {
		{"", 0},
		{DATAGRAM("")},
		{DATAGRAM("hello")},
		{DATAGRAM("{\"event\":\"MessageNew\"}")},
		{DATAGRAM(EVENT "\0{}")},
		{DATAGRAM(EVENT "-1\0{}")},
		{DATAGRAM(EVENT "x\0{}")},
		{DATAGRAM(EVENT "1x\0{}")},
		{DATAGRAM(EVENT "65\0{}")},
		{DATAGRAM(EVENT "4294967296\0{}")},
		{DATAGRAM(EVENT "1\0{}")},
		{DATAGRAM(EVENT "0\0{}\0path\0more")},
		{DATAGRAM(EVENT "0\0{}\0path\0")},
	};
	for (size_t i = 0; i < sizeof(datagrams) / sizeof(datagrams[0]); i++) {
		struct notification n;
		memset(&n, 0x5a, sizeof(n));
		struct notification before = n;
		struct err err;
		assert_int_equal(
			datagram_parse(datagrams[i].bytes, datagrams[i].size, &n, &err), -EBADMSG);
		assert_non_null(strstr(err.text, "malformed datagram"));
		assert_memory_equal(&n, &before, sizeof(n));
	}
}

static void as_many_options_as_there_is_room_for_are_accepted(void **state)
{
	(void)state;
	char bytes[500] = EVENT "64";
	size_t size = sizeof(EVENT "64");
	for (unsigned i = 0; i < 64; i++, size += 2)
		bytes[size] = 'a';
	bytes[size] = 'm';
	struct notification n;
	struct err err;
	assert_int_equal(datagram_parse(bytes, size + 2, &n, &err), 0);
	assert_int_equal(n.option_count, 64);
	assert_field(&n.options[63], "a");
	assert_field(&n.message, "m");
}

static void a_datagram_reaches_the_callback(void **state)
{
	struct intake *intake = *state;
	int fd = place_connect(intake->place.path, SOCK_DGRAM);
	send_all(fd, DATAGRAM(HELLO));
	place_run_until(&intake->place, intake->came == 1);
	assert_string_equal(intake->last_message, "{}");
	assert_int_equal(intake->rejected, 0);
	close(fd);
}

static void datagrams_come_in_their_order(void **state)
{
	struct intake *intake = *state;
	int fd = place_connect(intake->place.path, SOCK_DGRAM);
	for (unsigned i = 1; i <= 200; i++) {
		char bytes[100] = EVENT "0";
		int n = snprintf(bytes + sizeof(EVENT "0"), 20, "message %u", i);
		send_all(fd, bytes, sizeof(EVENT "0") + (size_t)n + 1);
		if (i % 8 == 0) {
			place_run_until(&intake->place, intake->came == i);
			char wanted[20];
			snprintf(wanted, sizeof(wanted), "message %u", i);
			assert_string_equal(intake->last_message, wanted);
		}
	}
	close(fd);
}

static void a_malformed_datagram_is_reported_and_the_next_one_taken(void **state)
{
	struct intake *intake = *state;
	int fd = place_connect(intake->place.path, SOCK_DGRAM);
	send_all(fd, DATAGRAM("\xff\xfe rubbish"));
	send_all(fd, "", 0);
	send_all(fd, DATAGRAM(HELLO));
	place_run_until(&intake->place, intake->came == 1);
	assert_int_equal(intake->rejected, 2);
	assert_non_null(strstr(intake->last_rejection, "malformed datagram"));
	close(fd);
}

static void a_large_datagram_is_taken_and_a_larger_one_reported(void **state)
{
	struct intake *intake = *state;
	int fd = place_connect(intake->place.path, SOCK_DGRAM);
	char *bytes = malloc(DATAGRAM_SIZE_MAX + 1);
	memcpy(bytes, EVENT "0", sizeof(EVENT "0"));
	memset(bytes + sizeof(EVENT "0"), 'x', DATAGRAM_SIZE_MAX + 1 - sizeof(EVENT "0"));
	bytes[DATAGRAM_SIZE_MAX] = '\0';
	bytes[DATAGRAM_SIZE_MAX - 1] = '\0';
	send_all(fd, bytes, DATAGRAM_SIZE_MAX + 1);
	send_all(fd, bytes, DATAGRAM_SIZE_MAX);
	place_run_until(&intake->place, intake->came == 1);
	assert_int_equal(intake->rejected, 1);
	assert_non_null(strstr(intake->last_rejection, "more than"));
	free(bytes);
	close(fd);
}

static void what_a_stranger_sends_is_dropped_and_reported(void **state)
{
	struct intake *intake = *state;
	if (!peercred_is_sent())
		skip();
	intake->peers.count = 0;
	int fd = place_connect(intake->place.path, SOCK_DGRAM);
	send_all(fd, DATAGRAM(HELLO));
	send_all(fd, DATAGRAM(HELLO));
	place_run_until(&intake->place, intake->rejected == 2);
	peer_allow(&intake->peers, geteuid());
	send_all(fd, DATAGRAM(HELLO));
	place_run_until(&intake->place, intake->came == 1);
	assert_int_equal(intake->rejected, 2);
	assert_non_null(strstr(intake->last_rejection, "allowed_users"));
	close(fd);
}

/* Who may write to the socket's file, may send. */
static void where_nobody_tells_who_sends_the_file_decides(void **state)
{
	struct intake *intake = *state;
	if (peercred_is_sent())
		skip();
	intake->peers.count = 0;
	int fd = place_connect(intake->place.path, SOCK_DGRAM);
	send_all(fd, DATAGRAM(HELLO));
	send_all(fd, DATAGRAM("rubbish"));
	place_run_until(&intake->place, intake->rejected == 1);
	assert_int_equal(intake->came, 1);
	assert_non_null(strstr(intake->last_rejection, "somebody: malformed datagram"));
	close(fd);
}

static void a_passed_descriptor_does_not_stay(void **state)
{
	struct intake *intake = *state;
	int fd = place_connect(intake->place.path, SOCK_DGRAM);
	unsigned before = descriptors_open();
	static char bytes[] = HELLO;
	struct iovec piece = {bytes, sizeof(bytes)};
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {0};
	struct msghdr message = {.msg_iov = &piece,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control)};
	struct cmsghdr *c = CMSG_FIRSTHDR(&message);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(int));
	assert_int_equal(sendmsg(fd, &message, 0), sizeof(bytes));
	place_run_until(&intake->place, intake->came == 1);
	assert_int_equal(descriptors_open(), before);
	close(fd);
}

static void what_is_queued_is_taken_in_before_the_end(void **state)
{
	struct intake *intake = *state;
	int fd = place_connect(intake->place.path, SOCK_DGRAM);
	for (unsigned i = 0; i < 5; i++)
		send_all(fd, DATAGRAM(HELLO));
	assert_int_equal(intake->came, 0);
	datagram_free(intake->datagram);
	intake->datagram = NULL;
	assert_int_equal(intake->came, 5);
	assert_int_equal(access(intake->place.path, F_OK), -1);
	assert_int_equal(send(fd, DATAGRAM(HELLO), MSG_DONTWAIT), -1);
	assert_int_equal(errno, ECONNREFUSED);
	close(fd);
}

static void a_socket_in_use_is_refused(void **state)
{
	struct intake *intake = *state;
	static const struct datagram_callbacks callbacks = {on_came, on_rejected};
	struct datagram *second = NULL;
	struct err err;
	assert_int_equal(datagram_new(&intake->place.loop, intake->place.path, 0600, (gid_t)-1,
				 &intake->peers, &callbacks, intake, &second, &err),
		-EADDRINUSE);
	assert_null(second);
	int fd = place_connect(intake->place.path, SOCK_DGRAM);
	send_all(fd, DATAGRAM(HELLO));
	place_run_until(&intake->place, intake->came == 1);
	close(fd);
}

#define WITH_SOCKET(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_event_is_split),
		cmocka_unit_test(a_sieve_notification_has_options_and_a_file_path),
		cmocka_unit_test(only_the_class_event_is_an_event),
		cmocka_unit_test(cut_anywhere_it_is_malformed),
		cmocka_unit_test(malformed_datagrams_are_refused),
		cmocka_unit_test(as_many_options_as_there_is_room_for_are_accepted),
		WITH_SOCKET(a_datagram_reaches_the_callback),
		WITH_SOCKET(datagrams_come_in_their_order),
		WITH_SOCKET(a_malformed_datagram_is_reported_and_the_next_one_taken),
		WITH_SOCKET(a_large_datagram_is_taken_and_a_larger_one_reported),
		WITH_SOCKET(where_nobody_tells_who_sends_the_file_decides),
		WITH_SOCKET(what_a_stranger_sends_is_dropped_and_reported),
		WITH_SOCKET(a_passed_descriptor_does_not_stay),
		WITH_SOCKET(what_is_queued_is_taken_in_before_the_end),
		WITH_SOCKET(a_socket_in_use_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
