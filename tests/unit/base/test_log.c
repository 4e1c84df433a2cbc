#include "base/log.h"

#include "platform/journal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Linked instead of platform's journal: one that the test reads. */
static int journal_end = -1;

bool journal_is_here(void)
{
	return true;
}

bool journal_reads(int fd)
{
	(void)fd;
	return false;
}

int journal_open(void)
{
	return journal_end;
}

/* The daemon's stderr, as a pipe that the test reads; the real one is put back in between. */
struct fixture {
	int saved_stderr;
	int read_fd;
};

static int set_up(void **state)
{
	static struct fixture f;
	int ends[2];
	if (pipe(ends))
		return -1;
	f.saved_stderr = dup(STDERR_FILENO);
	dup2(ends[1], STDERR_FILENO);
	close(ends[1]);
	f.read_fd = ends[0];
	*state = &f;
	struct err err;
	return log_start(LOG_TARGET_STDERR, LOG_LEVEL_INFO, &err);
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	log_stop();
	if (f->saved_stderr >= 0)
		dup2(f->saved_stderr, STDERR_FILENO);
	close(f->read_fd);
	return 0;
}

/* Ends the log and the pipe, so that all there is can be read. */
static const char *read_all(struct fixture *f)
{
	static char text[1 << 20];
	log_stop();
	dup2(f->saved_stderr, STDERR_FILENO);
	close(f->saved_stderr);
	f->saved_stderr = -1;
	size_t used = 0;
	ssize_t n;
	while ((n = read(f->read_fd, text + used, sizeof(text) - 1 - used)) > 0)
		used += (size_t)n;
	text[used] = '\0';
	return text;
}

static void a_line_has_level_module_text_and_fields(void **state)
{
	log_event(LOG_LEVEL_WARN, "intake", "strange peer", log_text("path", "/run/x"),
		log_number("uid", 42), log_text("why", "not \"allowed\""));
	assert_non_null(strstr(read_all(*state),
		"Z warn intake: strange peer path=/run/x uid=42 why=\"not \\\"allowed\\\"\"\n"));
}

static void what_is_not_within_quotes_is_as_it_is(void **state)
{
	log_event(LOG_LEVEL_ERROR, "alarm", "credential \"mail\": C:\\ is no file");
	assert_non_null(
		strstr(read_all(*state), "Z error alarm: credential \"mail\": C:\\ is no file\n"));
}

static void secrets_are_masked(void **state)
{
	log_event(LOG_LEVEL_INFO, "apns", "pushed", log_masked("token", "0123456789abcdef"));
	const char *text = read_all(*state);
	assert_non_null(strstr(text, "token=01234567...\n"));
	assert_null(strstr(text, "012345678"));
}

static void what_comes_from_outside_cannot_forge_a_line(void **state)
{
	log_event(LOG_LEVEL_INFO, "event", "odd\nerror daemon: forged",
		log_text("user", "a\nb\x1b[31m"));
	const char *text = read_all(*state);
	assert_non_null(strstr(text, "odd\\x0aerror daemon: forged user=a\\x0ab\\x1b[31m\n"));
}

/* CSI of C1, a line separator, a right-to-left override, and a byte that is no text. */
static void what_steers_a_terminal_is_escaped(void **state)
{
	log_event(LOG_LEVEL_INFO, "event",
		"x\xc2\x9b"
		"31my",
		log_text("user",
			"a\u2028b\u202ec\u2066d\u200fe\xff"
			"f\u00fc\u65e5"));
	const char *text = read_all(*state);
	assert_non_null(strstr(text,
		"x\\xc2\\x9b31my user=a\\xe2\\x80\\xa8b\\xe2\\x80\\xaec\\xe2\\x81\\xa6d"
		"\\xe2\\x80\\x8fe\\xfff\u00fc\u65e5\n"));
}

static void levels_below_the_one_set_are_not_written(void **state)
{
	log_event(LOG_LEVEL_DEBUG, "x", "unseen");
	log_set_level(LOG_LEVEL_DEBUG);
	log_event(LOG_LEVEL_DEBUG, "x", "seen");
	const char *text = read_all(*state);
	assert_null(strstr(text, "unseen"));
	assert_non_null(strstr(text, "debug x: seen\n"));
}

static void a_long_line_is_cut_and_stays_one_line(void **state)
{
	static char large[10000];
	memset(large, 'y', sizeof(large) - 1);
	log_event(LOG_LEVEL_INFO, "x", large);
	log_event(LOG_LEVEL_INFO, "x", "next");
	const char *text = read_all(*state);
	assert_non_null(strstr(text, "y\n"));
	assert_non_null(strstr(text, "info x: next\n"));
}

/* Reads on until `wanted` has come by. */
static void read_until(int fd, const char *wanted)
{
	static char window[1 << 17];
	size_t used = 0;
	size_t size = strlen(wanted);
	for (;;) {
		ssize_t n = read(fd, window + used, sizeof(window) - 1 - used);
		assert_true(n > 0);
		used += (size_t)n;
		window[used] = '\0';
		if (strstr(window, wanted))
			return;
		if (used > size) {
			memmove(window, window + used - size, size);
			used = size;
		}
	}
}

/* Nobody reads the pipe: if logging waited, this test would not end. */
static void a_stuck_target_drops_lines_and_never_blocks(void **state)
{
	struct fixture *f = *state;
	for (int i = 0; i < 100000; i++)
		log_event(LOG_LEVEL_INFO, "x", "a line that fills the pipe, then the ring");
	assert_true(log_dropped() > 0);
	read_until(f->read_fd, "lines were dropped");
	/* The ring may still be full: the last line goes in once some were read. */
	for (uint64_t dropped = log_dropped();; dropped = log_dropped()) {
		log_event(LOG_LEVEL_INFO, "x", "the end");
		if (log_dropped() == dropped)
			break;
		read_until(f->read_fd, "\n");
	}
	read_until(f->read_fd, "the end");
}

static void no_lesser_line_takes_the_place_of_an_alarm(void **state)
{
	struct fixture *f = *state;
	for (int i = 0; i < 100000; i++)
		log_event(LOG_LEVEL_WARN, "x", "a line that fills the pipe, then the ring");
	uint64_t dropped = log_dropped();
	log_event(LOG_LEVEL_ERROR, "alarm", "Apple is away");
	log_event(LOG_LEVEL_WARN, "alarm", "Apple is back");
	assert_true(log_dropped() == dropped);
	read_until(f->read_fd, "Apple is back");
}

static void what_others_cause_is_a_line_and_a_count(void **state)
{
	for (int i = 0; i < 68345; i++)
		log_seldom(LOG_LEVEL_WARN, "event", "refused registrations", "alice", "refused");
	log_seldom(LOG_LEVEL_WARN, "event", "malformed datagrams", "", "malformed");
	const char *text = read_all(*state);
	assert_null(strstr(strstr(text, "warn event: refused") + 1, "warn event: refused"));
	assert_non_null(strstr(text, "warn event: malformed\n"));
	assert_non_null(strstr(text,
		"warn log: more of the same what=\"refused registrations\" who=alice "
		"count=68344\n"));
}

/* Nor a count of lines that the level leaves out. */
static void what_the_level_leaves_out_is_not_counted(void **state)
{
	log_set_level(LOG_LEVEL_WARN);
	for (int i = 0; i < 3; i++)
		assert_false(log_may(LOG_LEVEL_INFO, "registrations of a phone", "", 1));
	assert_string_equal(read_all(*state), "");
}

static void fill_pipe(int fd)
{
	int flags = fcntl(fd, F_GETFL);
	fcntl(fd, F_SETFL, flags | O_NONBLOCK);
	for (size_t size = 4096; size; size /= 2) {
		char rubbish[4096];
		memset(rubbish, '\n', size);
		while (write(fd, rubbish, size) > 0)
			;
	}
	fcntl(fd, F_SETFL, flags);
}

/* Is a thread of ours in the middle of a write? */
static bool is_writing(void)
{
	bool found = false;
	DIR *dir = opendir("/proc/self/task");
	assert_non_null(dir);
	for (struct dirent *task; (task = readdir(dir));) {
		char path[300];
		char number[16] = "";
		snprintf(path, sizeof(path), "/proc/self/task/%s/syscall", task->d_name);
		FILE *file = fopen(path, "re");
		if (!file)
			continue;
		found = found || (fscanf(file, "%15s", number) == 1 && atoi(number) == SYS_write);
		fclose(file);
	}
	closedir(dir);
	return found;
}

/* Nobody reads the pipe: if the end waited for the thread, this test would not end. */
static void a_last_line_that_is_stuck_does_not_keep_the_end(void **state)
{
	struct fixture *f = *state;
	fill_pipe(STDERR_FILENO);
	log_event(LOG_LEVEL_INFO, "x", "the last line, with nothing behind it");
	while (!is_writing())
		;
	log_stop();
	read_until(f->read_fd, "the last line");
}

/* What the journal gets of a line with two fields. */
static const char *in_the_journal(const char *text, const char *first, const char *second)
{
	static char datagram[10000];
	struct err err;
	int ends[2];
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, ends), 0);
	journal_end = ends[0];
	assert_int_equal(log_start(LOG_TARGET_JOURNAL, LOG_LEVEL_INFO, &err), 0);
	log_event(LOG_LEVEL_INFO, "x", text, log_text("first", first), log_text("second", second));
	log_stop();
	ssize_t n = recv(ends[1], datagram, sizeof(datagram) - 1, 0);
	assert_true(n > 0);
	datagram[n] = '\0';
	close(ends[1]);
	return datagram;
}

static void the_journal_gets_the_message_before_the_fields(void **state)
{
	(void)state;
	assert_string_equal(in_the_journal("text", "a b", "c"),
		"PRIORITY=6\nSYSLOG_IDENTIFIER=mailpushd\nMAILPUSH_MODULE=x\n"
		"MESSAGE=info x: text first=\"a b\" second=c\n"
		"MAILPUSH_FIRST=a b\nMAILPUSH_SECOND=c\n");
}

/* An entry without a message is not shown, and half a field is a wrong one. */
static void the_journal_gets_no_field_that_does_not_fit(void **state)
{
	static char large[10000];
	(void)state;
	memset(large, 'y', 1200);
	const char *text = in_the_journal("text", "short", large);
	assert_non_null(strstr(text, "\nMESSAGE=info x: text first=short second=yyy"));
	assert_non_null(strstr(text, "y\nMAILPUSH_FIRST=short\n"));
	assert_null(strstr(text, "MAILPUSH_SECOND"));
	memset(large, 'y', sizeof(large) - 1);
	text = in_the_journal("text", large, "short");
	assert_non_null(strstr(text, "\nMESSAGE=info x: text first=yyy"));
	assert_string_equal(text + strlen(text) - 2, "y\n");
	assert_null(strstr(text, "MAILPUSH_FIRST"));
}

static void names_of_levels_parse(void **state)
{
	(void)state;
	assert_int_equal(log_level_parse("error"), LOG_LEVEL_ERROR);
	assert_int_equal(log_level_parse("debug"), LOG_LEVEL_DEBUG);
	assert_int_equal(log_level_parse("loud"), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			a_line_has_level_module_text_and_fields, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			what_is_not_within_quotes_is_as_it_is, set_up, tear_down),
		cmocka_unit_test_setup_teardown(secrets_are_masked, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			what_comes_from_outside_cannot_forge_a_line, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			what_steers_a_terminal_is_escaped, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			levels_below_the_one_set_are_not_written, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_long_line_is_cut_and_stays_one_line, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			no_lesser_line_takes_the_place_of_an_alarm, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			what_others_cause_is_a_line_and_a_count, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			what_the_level_leaves_out_is_not_counted, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_stuck_target_drops_lines_and_never_blocks, set_up, tear_down),
		cmocka_unit_test(the_journal_gets_the_message_before_the_fields),
		cmocka_unit_test(the_journal_gets_no_field_that_does_not_fit),
		cmocka_unit_test_setup_teardown(
			a_last_line_that_is_stuck_does_not_keep_the_end, set_up, tear_down),
		cmocka_unit_test(names_of_levels_parse),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
