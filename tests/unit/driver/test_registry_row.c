#include "driver/malformed.h"
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

static void a_hash_is_32_digits_as_mailboxes_have_them(void **state)
{
	(void)state;
	assert_true(registry_hash_is_possible("0123456789abcdef0123456789abcdef"));
	assert_false(registry_hash_is_possible(""));
	assert_false(registry_hash_is_possible("0123456789abcdef0123456789abcde"));
	assert_false(registry_hash_is_possible("0123456789abcdef0123456789abcdef0"));
	assert_false(registry_hash_is_possible("0123456789ABCDEF0123456789ABCDEF"));
	assert_false(registry_hash_is_possible("0123456789abcdef0123456789abcde\""));
}

static struct registry_row make_row(void)
{
	return (struct registry_row){
		.key = registry_key_make("s", "alice", "abcd", "id", "sub"),
		.user = "alice",
		.token = "abcd",
		.account_id = "id",
		.topic = "topic",
	};
}

static void a_row_that_nobody_could_be_pushed_to_is_malformed(void **state)
{
	(void)state;
	struct registry_row row = make_row();
	assert_false(malformed_row("here", &row));
	row.account_id = "";
	assert_true(malformed_row("here", &row));
	row = make_row();
	row.token = "no token";
	assert_true(malformed_row("here", &row));
	row = make_row();
	row.key = (struct registry_key){{0}};
	assert_true(malformed_row("here", &row));
	assert_true(malformed_hash("here", "ab"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_key_is_the_same_on_every_machine),
		cmocka_unit_test(keys_of_parts_cut_elsewhere_differ),
		cmocka_unit_test(a_hash_is_32_digits_as_mailboxes_have_them),
		cmocka_unit_test(a_row_that_nobody_could_be_pushed_to_is_malformed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
