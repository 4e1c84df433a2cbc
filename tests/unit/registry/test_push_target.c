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

/* printf 's\0alice\0abcd\0id\0sub' | sha256sum */
static void a_key_is_the_same_on_every_machine(void **state)
{
	(void)state;
	static const uint8_t expected[REGISTRY_KEY_SIZE] = {0xd8, 0xe1, 0x8d, 0x6b, 0xcc, 0xf9,
		0xcd, 0x48, 0x0e, 0x60, 0x0d, 0x19, 0xc8, 0xe4, 0x31, 0x0b};
	struct registry_key key = registry_key_make("s", "alice", "abcd", "id", "sub");
	assert_memory_equal(key.bytes, expected, sizeof(expected));
}

static void keys_of_parts_cut_elsewhere_differ(void **state)
{
	(void)state;
	struct registry_key one = registry_key_make("s", "ab", "c", "d", "e");
	struct registry_key other = registry_key_make("s", "a", "bc", "d", "e");
	assert_memory_not_equal(&one, &other, sizeof(one));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_shared_stays_until_the_last_one_frees_it),
		cmocka_unit_test(freeing_nothing_is_fine),
		cmocka_unit_test(a_key_is_the_same_on_every_machine),
		cmocka_unit_test(keys_of_parts_cut_elsewhere_differ),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
