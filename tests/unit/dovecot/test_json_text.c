#include "dovecot/json_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define BEGINNING "{\"source\":\"dovecot\",\"event\":\"X\",\"user\":\"alice\""

static struct buf begun(void)
{
	struct buf json;
	buf_init(&json);
	json_text_begin(&json, "X", "alice");
	return json;
}

static void assert_json(struct buf *json, const char *rest)
{
	size_t size = strlen(BEGINNING);
	assert_true(json->used > size);
	assert_memory_equal(json->data, BEGINNING, size);
	assert_string_equal(buf_text(json) + size, rest);
	buf_fini(json);
}

static void members_follow_each_other(void **state)
{
	(void)state;
	struct buf json = begun();
	json_text_add(&json, "folder", "");
	json_text_add(&json, "guid", NULL);
	json_text_add_number(&json, "version", 2);
	json_text_end(&json);
	assert_json(&json, ",\"folder\":\"\",\"version\":2}");
}

static void lists_have_none_one_and_more(void **state)
{
	(void)state;
	const char *flags[] = {"\\Seen", "$Junk"};
	struct buf json = begun();
	json_text_add_strings(&json, "a", flags, 0);
	json_text_add_strings(&json, "b", flags, 1);
	json_text_add_strings(&json, "c", flags, 2);
	json_text_end(&json);
	assert_json(&json, ",\"a\":[],\"b\":[\"\\\\Seen\"],\"c\":[\"\\\\Seen\",\"$Junk\"]}");
}

static void objects_stand_in_lists(void **state)
{
	(void)state;
	struct buf json = begun();
	json_text_open_list(&json, "none");
	json_text_close_list(&json);
	json_text_open_list(&json, "two");
	for (int i = 0; i < 2; i++) {
		json_text_open_object(&json);
		json_text_add(&json, "a", "1");
		json_text_add(&json, "b", "2");
		json_text_close_object(&json);
	}
	json_text_close_list(&json);
	json_text_end(&json);
	assert_json(&json,
		",\"none\":[],\"two\":[{\"a\":\"1\",\"b\":\"2\"},{\"a\":\"1\",\"b\":\"2\"}]}");
}

static void what_json_cannot_hold_is_escaped(void **state)
{
	(void)state;
	struct buf json = begun();
	json_text_add(&json, "folder", "a\"b\\c\n\x7f\xc3\xbc\xf0\x9f\x98\x80");
	json_text_end(&json);
	assert_json(&json, ",\"folder\":\"a\\\"b\\\\c\\u000a\x7f\xc3\xbc\xf0\x9f\x98\x80\"}");
}

static void what_is_not_utf8_is_replaced(void **state)
{
	(void)state;
	struct buf json = begun();
	json_text_add(&json, "folder", "\xff\xc3|\xed\xa0\x80");
	json_text_end(&json);
	assert_json(&json,
		",\"folder\":\"\xef\xbf\xbd\xef\xbf\xbd|\xef\xbf\xbd\xef\xbf\xbd\xef\xbf"
		"\xbd\"}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(members_follow_each_other),
		cmocka_unit_test(lists_have_none_one_and_more),
		cmocka_unit_test(objects_stand_in_lists),
		cmocka_unit_test(what_json_cannot_hold_is_escaped),
		cmocka_unit_test(what_is_not_utf8_is_replaced),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
