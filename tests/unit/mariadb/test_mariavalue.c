/* Values as literals in the text of a statement. */
#include "mariadb/mariavalue.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void check(const struct mariavalues *values, const char *sql, const char *expected)
{
	buf_auto struct buf text;
	buf_init(&text);
	mariavalues_write(values, sql, &text);
	assert_string_equal(buf_text(&text), expected);
}

static void nothing_that_a_value_has_is_read_as_sql(void **state)
{
	(void)state;
	mariavalues_auto struct mariavalues values;
	mariavalues_init(&values);
	mariavalues_text(&values, "'; DROP \\ ?1");
	mariavalues_number(&values, INT64_MIN);
	mariavalues_text(&values, NULL);
	mariavalues_text(&values, "");
	mariavalues_bytes(&values, "\0\xff", 2);
	check(&values, "?1 = ?2, ?3, ?4, ?5, ?2",
		"x'273b2044524f50205c203f31' = -9223372036854775808, NULL, x'', x'00ff', "
		"-9223372036854775808");
	check(&values, "none", "none");
}

static void a_list_has_commas_between_its_values(void **state)
{
	(void)state;
	mariavalues_auto struct mariavalues values;
	mariavalues_init(&values);
	struct buf *list = mariavalues_list(&values);
	for (int i = 0; i < 3; i++) {
		mariavalue_comma(list);
		mariavalue_number(list, i);
	}
	check(&values, "IN (?1)", "IN (0,1,2)");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_that_a_value_has_is_read_as_sql),
		cmocka_unit_test(a_list_has_commas_between_its_values),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
