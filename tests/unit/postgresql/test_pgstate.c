/* What PostgreSQL's SQLSTATE means for what is done next. */
#include "postgresql/pgstate.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void a_state_says_what_is_done_next(void **state)
{
	(void)state;
	static const struct {
		const char *state;
		int code;
	} rows[] = {
		{"40001", -EAGAIN},    /* serialization failure */
		{"23505", -EEXIST},    /* somebody made the same row */
		{"23514", -EILSEQ},    /* a check of the schema */
		{"57014", -ETIMEDOUT}, /* statement_timeout */
		{"0A000", -ENOTCONN},  /* SERIALIZABLE on a standby */
		{"25006", -ENOTCONN},  /* read-only */
		{"53300", -ENOTCONN},  /* too many connections */
		{"54000", -ENOTCONN},  /* no transactions are left before it is vacuumed */
		{"57P01", -ENOTCONN},  /* shuts down */
		{"28P01", -EACCES},    /* wrong password */
		{"42501", -EACCES},    /* rights are missing */
		{"42P01", -ENOTSUP},   /* no such table */
		{"22021", -EILSEQ},    /* a character that it does not take */
		{"P0001", -EILSEQ},    /* RAISE EXCEPTION */
		{"MP001", -EPROTO},
		{"", -EPROTO},
		{NULL, -ENOTCONN},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(pgstate_code(rows[i].state), rows[i].code);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(a_state_says_what_is_done_next)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
