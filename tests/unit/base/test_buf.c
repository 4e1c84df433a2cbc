#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

static void what_is_appended_is_there_in_order(void **state)
{
	(void)state;
	buf_auto struct buf buf;
	buf_init(&buf);
	buf_append_text(&buf, "one ");
	buf_append(&buf, "two", 3);
	buf_printf(&buf, " %d", 3);
	assert_string_equal(buf_text(&buf), "one two 3");
	assert_int_equal(buf.used, 9);
	buf_printf(&buf, "%1000s", "x");
	assert_int_equal(buf.used, 1009);
	assert_string_equal(buf_text(&buf) + 1007, " x");
}

static void reserved_room_counts_once_it_is_committed(void **state)
{
	(void)state;
	buf_auto struct buf buf;
	buf_init(&buf);
	memcpy(buf_reserve(&buf, 1000), "abc", 3);
	assert_int_equal(buf.used, 0);
	buf_commit(&buf, 3);
	assert_string_equal(buf_text(&buf), "abc");
}

static void consuming_drops_from_the_front(void **state)
{
	(void)state;
	buf_auto struct buf buf;
	buf_init(&buf);
	buf_append_text(&buf, "abcdef");
	buf_consume(&buf, 2);
	assert_string_equal(buf_text(&buf), "cdef");
	buf_consume(&buf, 4);
	assert_int_equal(buf.used, 0);
	buf_consume(&buf, 0);
}

static void it_grows_as_far_as_needed(void **state)
{
	(void)state;
	buf_auto struct buf buf;
	buf_init(&buf);
	for (int i = 0; i < 100000; i++)
		buf_append(&buf, &(char){(char)i}, 1);
	assert_int_equal(buf.used, 100000);
	for (int i = 0; i < 100000; i++)
		assert_int_equal(buf.data[i], (uint8_t)i);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_appended_is_there_in_order),
		cmocka_unit_test(reserved_room_counts_once_it_is_committed),
		cmocka_unit_test(consuming_drops_from_the_front),
		cmocka_unit_test(it_grows_as_far_as_needed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
