#include "console/format.h"

#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

static void times_are_counted_from_now(void **state)
{
	(void)state;
	static const struct {
		double seconds;
		const char *words;
	} rows[] = {{0, "just now"}, {0.9, "just now"}, {1, "1 s ago"}, {59.9, "59 s ago"},
		{60, "1 min ago"}, {185, "3 min ago"}, {3600, "1 h ago"}, {172799, "47 h ago"},
		{172800, "2 d ago"}, {-30, "in 30 s"}, {-86400 * 40, "in 40 d"}};
	char text[FORMAT_SIZE];
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_string_equal(format_ago(1e9, 1e9 + rows[i].seconds, text), rows[i].words);
}

static void durations_have_two_units_at_most(void **state)
{
	(void)state;
	char text[FORMAT_SIZE];
	assert_string_equal(format_duration(0.5, text), "0 s");
	assert_string_equal(format_duration(59, text), "59 s");
	assert_string_equal(format_duration(60, text), "1 min");
	assert_string_equal(format_duration(185, text), "3 min 5 s");
	assert_string_equal(format_duration(86400 * 3 + 4 * 3600 + 59, text), "3 d 4 h");
	assert_string_equal(format_duration(86400 + 59, text), "1 d");
}

static void latencies_and_sizes_are_rounded(void **state)
{
	(void)state;
	char text[FORMAT_SIZE];
	assert_string_equal(format_latency(0.0004, text), "0.4 ms");
	assert_string_equal(format_latency(0.25, text), "250 ms");
	assert_string_equal(format_latency(1.5, text), "1.5 s");
	assert_string_equal(format_size(512, text), "512 B");
	assert_string_equal(format_size(45056, text), "45 kB");
	assert_string_equal(format_size(1234567890, text), "1.2 GB");
}

static void what_could_steer_a_terminal_is_made_harmless(void **state)
{
	(void)state;
	char text[64];
	assert_int_equal(format_printable("a\033[31mb\nc\t", text, sizeof(text)), 10);
	assert_string_equal(text, "a?[31mb?c?");
	/* CSI as one character of Latin-1 and as one of Unicode, and a byte that begins nothing. */
	format_printable("x\x9by\xc2\x9bz\xff", text, sizeof(text));
	assert_string_equal(text, "x?y?z?");
	format_printable("a\u202eb\u2066c\u200fd\u061ce", text, sizeof(text));
	assert_string_equal(text, "a?b?c?d?e");
}

static void a_time_that_no_clock_shows_is_left_out(void **state)
{
	(void)state;
	char text[FORMAT_SIZE];
	setenv("TZ", "UTC", 1);
	tzset();
	assert_string_equal(format_clock(86400 + 3661.5, text), "01:01:01");
	assert_string_equal(format_clock(1e300, text), "");
	assert_string_equal(format_clock(-1e300, text), "");
}

static void text_of_the_locale_stays_and_is_measured_in_columns(void **state)
{
	(void)state;
	char text[64];
	assert_int_equal(format_printable("Jürgen", text, sizeof(text)), 6);
	assert_string_equal(text, "Jürgen");
	assert_int_equal(format_printable("日本", text, sizeof(text)), 4);
}

static void text_that_does_not_fit_is_cut_between_characters(void **state)
{
	(void)state;
	char text[4];
	assert_int_equal(format_printable("abcdef", text, sizeof(text)), 3);
	assert_string_equal(text, "abc");
	assert_int_equal(format_printable("abü", text, sizeof(text)), 2);
	assert_string_equal(text, "ab");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(times_are_counted_from_now),
		cmocka_unit_test(durations_have_two_units_at_most),
		cmocka_unit_test(latencies_and_sizes_are_rounded),
		cmocka_unit_test(what_could_steer_a_terminal_is_made_harmless),
		cmocka_unit_test(a_time_that_no_clock_shows_is_left_out),
		cmocka_unit_test(text_of_the_locale_stays_and_is_measured_in_columns),
		cmocka_unit_test(text_that_does_not_fit_is_cut_between_characters),
	};
	if (!setlocale(LC_CTYPE, "C.UTF-8"))
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
