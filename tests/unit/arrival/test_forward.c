#include "arrival/forward.h"

#include "config/notify_socket.h"

#include "../intake/place.h"

#include "base/alarm.h"
#include "base/mem.h"
#include "intake/datagram.h"
#include "intake/dlist.h"

#include <errno.h>

#define MAIL "external\0MAIL\0\0alice\0INBOX\0000\0From: x\n"
#define MAIL_REQUEST                                                                         \
	"NOTIFY %(METHOD external CLASS MAIL PRIORITY NIL USER alice MAILBOX INBOX OPTIONS " \
	"() MESSAGE {8+}\r\nFrom: x\n FILEPATH NIL)\r\n"
#define LONG_MS 3600000

struct site {
	struct place place;
	struct forward *forward;
	int fd;		   /* of the target */
	int64_t answer_ms; /* an hour, unless the test is about that */
	char target[100];
};

static int set_up(void **state)
{
	struct site *site = calloc(1, sizeof(*site));
	place_init(&site->place);
	alarm_start(&site->place.loop, NULL);
	site->fd = -1;
	site->answer_ms = LONG_MS;
	*state = site;
	return 0;
}

static int tear_down(void **state)
{
	struct site *site = *state;
	forward_free(site->forward);
	alarm_stop();
	if (site->fd >= 0)
		close(site->fd);
	place_fini(&site->place);
	free(site);
	return 0;
}

static void start(struct site *site, const char *prefix, int64_t retry_ms, int64_t alarm_ms)
{
	snprintf(site->target, sizeof(site->target), "%s%s", prefix,
		*prefix == '-' ? "" : site->place.path);
	const struct forward_settings settings = {.target = *prefix == '-' ? "" : site->target,
		.retry_ms = retry_ms,
		.alarm_ms = alarm_ms,
		.room_ms = LONG_MS,
		.answer_ms = site->answer_ms};
	site->forward = forward_new(&site->place.loop, &settings);
}

static void listen_at(struct site *site, int type)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", site->place.path);
	site->fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_int_equal(bind(site->fd, (struct sockaddr *)&address, sizeof(address)), 0);
	if (type == SOCK_STREAM)
		assert_int_equal(listen(site->fd, 10), 0);
}

static int take_datagram(struct site *site, const char *bytes, size_t size)
{
	struct notification n;
	struct err err = {0};
	if (datagram_parse(bytes, size, &n, &err))
		fail_msg("%s", err.text);
	return forward_take(site->forward, &n, &err);
}

static int take_request(struct site *site, const char *text)
{
	struct notification n;
	struct dlist_scan scan = {0};
	struct err err = {0};
	size_t size;
	if (dlist_parse(&scan, text, strlen(text), &n, &size, &err) != 1)
		fail_msg("%s", err.text);
	int refused = forward_take(site->forward, &n, &err);
	dlist_scan_fini(&scan);
	return refused;
}

static void assert_comes(struct site *site, const char *wanted, size_t size)
{
	char came[512];
	ssize_t n = 0;
	place_spin_until(&site->place, (n = recv(site->fd, came, sizeof(came), 0)) >= 0);
	assert_int_equal(n, size);
	assert_memory_equal(came, wanted, size);
}

/* Takes one request, answers it and says what it was. */
static void answer(struct site *site, const char *text, char came[512])
{
	int fd = -1;
	place_spin_until(&site->place, (fd = accept4(site->fd, NULL, NULL, SOCK_NONBLOCK)) >= 0);
	ssize_t n = 0;
	place_spin_until(&site->place, (n = recv(fd, came, 511, 0)) > 0);
	came[n] = '\0';
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
	close(fd);
}

static struct forward_counts counts_of(const struct site *site)
{
	struct forward_counts counts;
	forward_count(site->forward, &counts);
	return counts;
}

static void a_target_is_a_path_or_one_behind_dlist(void **state)
{
	(void)state;
	bool is_dlist;
	assert_string_equal(notify_socket_path("/run/x", &is_dlist), "/run/x");
	assert_false(is_dlist);
	assert_string_equal(notify_socket_path("dlist:/run/x", &is_dlist), "/run/x");
	assert_true(is_dlist);
	assert_null(notify_socket_path("", &is_dlist));
}

static void a_datagram_is_passed_on_as_it_came(void **state)
{
	struct site *site = *state;
	start(site, "", LONG_MS, LONG_MS);
	listen_at(site, SOCK_DGRAM);
	static const char odd[] = "m\0X\0\0\0\00000\0hi\0";
	assert_int_equal(0, take_datagram(site, MAIL, sizeof(MAIL)));
	assert_int_equal(0, take_datagram(site, odd, sizeof(odd)));
	assert_comes(site, MAIL, sizeof(MAIL));
	assert_comes(site, odd, sizeof(odd));
	assert_int_equal(counts_of(site).passed, 2);
	assert_true(forward_is_quiet(site->forward));
}

static void a_request_is_passed_on_as_it_came(void **state)
{
	struct site *site = *state;
	static const char odd[] = "notify  %( message \"a\\\"b\" CLASS  {1}\nX  NEW (a))\n";
	char came[512];
	start(site, "dlist:", LONG_MS, LONG_MS);
	listen_at(site, SOCK_STREAM);
	assert_int_equal(0, take_request(site, odd));
	assert_int_equal(0, take_request(site, MAIL_REQUEST));
	answer(site, "OK ()\r\n", came);
	assert_string_equal(came, odd);
	answer(site, "OK ()\r\n", came);
	assert_string_equal(came, MAIL_REQUEST);
	place_spin_until(&site->place, counts_of(site).passed == 2);
	assert_true(forward_is_quiet(site->forward));
}

static void between_the_transports_it_is_converted(void **state)
{
	struct site *site = *state;
	char came[512];
	start(site, "dlist:", LONG_MS, LONG_MS);
	listen_at(site, SOCK_STREAM);
	assert_int_equal(0, take_datagram(site, MAIL, sizeof(MAIL)));
	answer(site, "OK ()\r\n", came);
	assert_string_equal(came, MAIL_REQUEST);
	place_spin_until(&site->place, counts_of(site).passed == 1);

	forward_free(site->forward);
	close(site->fd);
	unlink(site->place.path);
	start(site, "", LONG_MS, LONG_MS);
	listen_at(site, SOCK_DGRAM);
	assert_int_equal(0, take_request(site, MAIL_REQUEST));
	assert_comes(site, MAIL, sizeof(MAIL));
}

static void what_comes_while_the_target_is_away_waits_in_order(void **state)
{
	struct site *site = *state;
	start(site, "", 1, LONG_MS);
	for (unsigned i = 0; i < 3; i++) {
		mem_auto char *text = mem_printf("NOTIFY %%(CLASS C%u MESSAGE m)\r\n", i);
		assert_int_equal(0, take_request(site, text));
	}
	assert_true(forward_is_quiet(site->forward));
	assert_int_equal(counts_of(site).waiting, 3);
	assert_false(alarm_stands("forward"));
	listen_at(site, SOCK_DGRAM);
	for (unsigned i = 0; i < 3; i++) {
		char wanted[] = "\0C0\0\0\0\0000\0m";
		wanted[2] = (char)('0' + i);
		assert_comes(site, wanted, sizeof(wanted));
	}
	assert_int_equal(counts_of(site).waiting, 0);
}

static void an_alarm_stands_while_the_target_takes_nothing(void **state)
{
	struct site *site = *state;
	start(site, "", 1, 1);
	assert_int_equal(0, take_datagram(site, MAIL, sizeof(MAIL)));
	place_spin_until(&site->place, alarm_stands("forward"));
	listen_at(site, SOCK_DGRAM);
	assert_comes(site, MAIL, sizeof(MAIL));
	place_spin_until(&site->place, !alarm_stands("forward"));
}

static void beyond_the_bound_nothing_waits(void **state)
{
	struct site *site = *state;
	start(site, "", LONG_MS, LONG_MS);
	for (unsigned i = 0; i < FORWARD_WAITING_MAX; i++)
		assert_int_equal(0, take_datagram(site, MAIL, sizeof(MAIL)));
	assert_int_equal(-EAGAIN, take_datagram(site, MAIL, sizeof(MAIL)));
	assert_int_equal(counts_of(site).waiting, FORWARD_WAITING_MAX);
	assert_int_equal(counts_of(site).lost, 1);
}

static void what_waits_is_bounded_in_bytes_too(void **state)
{
	struct site *site = *state;
	start(site, "dlist:", LONG_MS, LONG_MS);
	size_t size = DLIST_REQUEST_MAX - 100;
	mem_auto char *message = mem_alloc_zero(size + 1, 1);
	memset(message, 'm', size);
	mem_auto char *text =
		mem_printf("NOTIFY %%(CLASS X MESSAGE {%zu+}\r\n%s)\r\n", size, message);
	unsigned taken = 0;
	while (!take_request(site, text))
		taken++;
	assert_int_equal(taken, FORWARD_BYTES_MAX / strlen(text));
	assert_int_equal(0, take_datagram(site, MAIL, sizeof(MAIL)));
}

static void a_refused_one_does_not_hold_up_the_next(void **state)
{
	struct site *site = *state;
	char came[512];
	start(site, "dlist:", LONG_MS, LONG_MS);
	listen_at(site, SOCK_STREAM);
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(0, take_request(site, MAIL_REQUEST));
	answer(site, "NO \"no such user\"\r\n", came);
	answer(site, "OK ()\r\n", came);
	place_spin_until(&site->place, counts_of(site).passed == 1);
	assert_int_equal(counts_of(site).lost, 1);
	assert_int_equal(counts_of(site).waiting, 0);
}

static void an_unanswered_one_does_not_hold_up_the_next(void **state)
{
	struct site *site = *state;
	site->answer_ms = 50;
	/* On a slow machine the time may end before a request is written: it is sent again. */
	start(site, "dlist:", 1, 1);
	listen_at(site, SOCK_STREAM);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(0, take_request(site, MAIL_REQUEST));
	place_spin_until(&site->place, counts_of(site).lost == 3);
	assert_int_equal(counts_of(site).waiting, 0);
	assert_true(alarm_stands("forward"));
}

static void what_no_datagram_can_carry_is_refused(void **state)
{
	struct site *site = *state;
	start(site, "", LONG_MS, LONG_MS);
	listen_at(site, SOCK_DGRAM);
	struct notification n;
	struct dlist_scan scan = {0};
	struct err err;
	size_t size;
	static const char text[] = "NOTIFY %(CLASS X MESSAGE {3+}\r\na\0b)\r\n";
	assert_int_equal(dlist_parse(&scan, text, sizeof(text) - 1, &n, &size, &err), 1);
	assert_int_equal(forward_take(site->forward, &n, &err), -EBADMSG);
	assert_int_equal(counts_of(site).lost, 1);
	assert_int_equal(counts_of(site).waiting, 0);
}

static void without_a_target_all_is_counted_and_dropped(void **state)
{
	struct site *site = *state;
	start(site, "-", LONG_MS, LONG_MS);
	assert_int_equal(0, take_datagram(site, MAIL, sizeof(MAIL)));
	for (unsigned i = 0; i < 40; i++) {
		mem_auto char *text = mem_printf(
			"NOTIFY %%(CLASS {3+}\r\n\x01\xff%c MESSAGE m)\r\n", 'a' + (char)i);
		assert_int_equal(0, take_request(site, text));
	}
	assert_int_equal(counts_of(site).unwanted, 41);
	assert_true(forward_is_quiet(site->forward));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_target_is_a_path_or_one_behind_dlist),
		TEST(a_datagram_is_passed_on_as_it_came),
		TEST(a_request_is_passed_on_as_it_came),
		TEST(between_the_transports_it_is_converted),
		TEST(what_comes_while_the_target_is_away_waits_in_order),
		TEST(an_alarm_stands_while_the_target_takes_nothing),
		TEST(beyond_the_bound_nothing_waits),
		TEST(what_waits_is_bounded_in_bytes_too),
		TEST(a_refused_one_does_not_hold_up_the_next),
		TEST(an_unanswered_one_does_not_hold_up_the_next),
		TEST(what_no_datagram_can_carry_is_refused),
		TEST(without_a_target_all_is_counted_and_dropped),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
