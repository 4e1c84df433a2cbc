#include "apns/payload.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#define ID "01234567-89AB-CDEF-0123-456789ABCDEF"
#define HASH_A "0123456789abcdef0123456789abcdef"
#define HASH_B "fedcba9876543210fedcba9876543210"

static void assert_payload(const char *bytes, size_t size, const char *expected)
{
	assert_int_equal(size, strlen(expected));
	assert_memory_equal(bytes, expected, size);
}

static void without_hashes_it_names_the_account_alone(void **state)
{
	char payload[PAYLOAD_MAX];
	(void)state;
	size_t size = payload_write(payload, ID, NULL, 0);
	assert_payload(payload, size, "{\"aps\":{\"account-id\":\"" ID "\"}}");
}

static void one_hash_is_an_array_of_one(void **state)
{
	static const char hashes[1][MAILBOX_HASH_SIZE] = {HASH_A};
	char payload[PAYLOAD_MAX];
	(void)state;
	size_t size = payload_write(payload, ID, hashes, 1);
	assert_payload(
		payload, size, "{\"aps\":{\"account-id\":\"" ID "\",\"m\":[\"" HASH_A "\"]}}");
}

static void hashes_keep_their_order(void **state)
{
	static const char hashes[2][MAILBOX_HASH_SIZE] = {HASH_B, HASH_A};
	char payload[PAYLOAD_MAX];
	(void)state;
	size_t size = payload_write(payload, ID, hashes, 2);
	assert_payload(payload, size,
		"{\"aps\":{\"account-id\":\"" ID "\",\"m\":[\"" HASH_B "\",\"" HASH_A "\"]}}");
}

static void the_most_hashes_with_the_longest_id_are_valid_json_within_the_limit(void **state)
{
	static char hashes[PAYLOAD_HASHES_MAX][MAILBOX_HASH_SIZE];
	char payload[PAYLOAD_MAX];
	char id[65];
	(void)state;
	memset(id, 'A', 64);
	id[64] = '\0';
	for (unsigned i = 0; i < PAYLOAD_HASHES_MAX; i++)
		snprintf(hashes[i], sizeof(hashes[i]), "%032x", i);
	size_t size = payload_write(
		payload, id, (const char(*)[MAILBOX_HASH_SIZE])hashes, PAYLOAD_HASHES_MAX);
	assert_int_in_range(size, 1, PAYLOAD_MAX);
	json_t *json = json_loadb(payload, size, 0, NULL);
	const json_t *aps = json_object_get(json, "aps");
	assert_int_equal(json_array_size(json_object_get(aps, "m")), PAYLOAD_HASHES_MAX);
	assert_string_equal(json_string_value(json_object_get(aps, "account-id")), id);
	json_decref(json);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_hashes_it_names_the_account_alone),
		cmocka_unit_test(one_hash_is_an_array_of_one),
		cmocka_unit_test(hashes_keep_their_order),
		cmocka_unit_test(
			the_most_hashes_with_the_longest_id_are_valid_json_within_the_limit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
