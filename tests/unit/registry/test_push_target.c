#include "registry/push_target.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void what_is_shared_stays_until_the_last_one_frees_it(void **state)
{
	(void)state;
	struct registry_key key = {.bytes = {1, 2, 3}};
	struct push_target *target =
		push_target_new(&key, "alice", "abcd", "id", "topic", 2, true, false, 77);
	struct push_target *shared = push_target_ref(target);
	push_target_free(target);
	assert_memory_equal(&shared->key, &key, sizeof(key));
	assert_string_equal(shared->user, "alice");
	assert_string_equal(shared->token, "abcd");
	assert_string_equal(shared->account_id, "id");
	assert_string_equal(shared->topic, "topic");
	assert_int_equal(shared->aps_version, 2);
	assert_true(shared->confirmed);
	assert_false(shared->inbox_only);
	assert_int_equal(shared->renewed_ms, 77);
	push_target_free(shared);
}

static void freeing_nothing_is_fine(void **state)
{
	(void)state;
	push_target_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_shared_stays_until_the_last_one_frees_it),
		cmocka_unit_test(freeing_nothing_is_fine),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
