#include "driver/registry_row.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

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
		cmocka_unit_test(a_key_is_the_same_on_every_machine),
		cmocka_unit_test(keys_of_parts_cut_elsewhere_differ),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
