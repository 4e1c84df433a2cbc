#include "credential/provider.h"

#include "../apns/certificates.h"
#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#define NOW_MS INT64_C(1000000)
#define UNIX_MS INT64_C(1760000000000)
#define RENEW_MS (50 * CLOCK_MINUTE_MS)
#define LEAST_MS (20 * CLOCK_MINUTE_MS)

static struct provider_list list;
static struct credential *credential;
static struct provider *provider;
static char before[512];

static struct credential *make_credential(EVP_PKEY *key, const char *key_id)
{
	struct credential *made = mem_alloc_zero(1, sizeof(*made));
	made->shares = 1;
	made->key = key;
	strcpy(made->key_id, key_id);
	strcpy(made->team_id, "DEF123GHIJ");
	return made;
}

static int begin(void **state)
{
	(void)state;
	list = (struct provider_list){.renew_ms = RENEW_MS, .renew_least_ms = LEAST_MS};
	credential = make_credential(make_key(), "ABC123DEFG");
	provider = provider_get(&list, credential);
	strcpy(before, provider_authorization(provider, NOW_MS, UNIX_MS));
	return 0;
}

static int end(void **state)
{
	(void)state;
	provider_put(provider);
	credential_free(credential);
	assert_true(LIST_EMPTY(&list.providers));
	return 0;
}

/* Is it still the one of the start so much later? */
static bool is_same_at(int64_t passed_ms, int64_t unix_passed_ms)
{
	const char *now =
		provider_authorization(provider, NOW_MS + passed_ms, UNIX_MS + unix_passed_ms);
	assert_memory_equal(now, "bearer ", 7);
	return strcmp(now, before) == 0;
}

static void what_cannot_be_signed_is_tried_again_at_the_next_use(void **state)
{
	(void)state;
	struct credential *other =
		make_credential(EVP_PKEY_Q_keygen(NULL, NULL, "X25519"), "QQQQQQQQQQ");
	struct provider *without = provider_get(&list, other);
	assert_string_equal(provider_authorization(without, NOW_MS, UNIX_MS), "bearer none");
	unsigned number = provider_number(without);
	EVP_PKEY_free(other->key);
	other->key = make_key();
	assert_string_not_equal(provider_authorization(without, NOW_MS, UNIX_MS), "bearer none");
	assert_int_equal(provider_number(without), number);
	assert_true(is_same_at(0, 0));
	provider_put(without);
	credential_free(other);
}

static void it_is_used_for_fifty_minutes_and_then_renewed(void **state)
{
	(void)state;
	assert_true(is_same_at(0, 0));
	assert_true(is_same_at(RENEW_MS - 1, RENEW_MS - 1));
	assert_int_equal(provider_number(provider), 1);
	assert_false(is_same_at(RENEW_MS, RENEW_MS));
	assert_int_equal(provider_number(provider), 2);
}

static void a_clock_that_is_set_a_little_does_not_renew_it(void **state)
{
	(void)state;
	assert_true(is_same_at(1, -CLOCK_SECOND_MS));
	assert_true(is_same_at(2, CLOCK_HOUR_MS - 1));
	assert_false(is_same_at(RENEW_MS, 0));
}

static void one_from_the_future_is_not_used_any_more(void **state)
{
	(void)state;
	assert_false(is_same_at(1, -CLOCK_HOUR_MS));
}

static void one_that_is_an_hour_old_by_the_clock_is_not_used_any_more(void **state)
{
	(void)state;
	assert_false(is_same_at(1, CLOCK_HOUR_MS));
	assert_int_equal(provider_number(provider), 2);
}

static void a_clock_that_jumps_to_and_fro_renews_it_once_in_twenty_minutes(void **state)
{
	(void)state;
	assert_false(is_same_at(1, 10 * CLOCK_DAY_MS));
	for (int64_t passed_ms = 2; passed_ms <= LEAST_MS; passed_ms += CLOCK_MINUTE_MS) {
		is_same_at(passed_ms, passed_ms);
		is_same_at(passed_ms + 1, 20 * CLOCK_DAY_MS);
		provider_expire(provider, 2, NOW_MS + passed_ms, UNIX_MS + 20 * CLOCK_DAY_MS);
		assert_int_equal(provider_number(provider), 2);
	}
	is_same_at(1 + LEAST_MS, LEAST_MS);
	assert_int_equal(provider_number(provider), 3);
}

static void one_that_apple_calls_expired_is_replaced_once(void **state)
{
	(void)state;
	provider_expire(provider, 1, NOW_MS + LEAST_MS, UNIX_MS + LEAST_MS);
	assert_int_equal(provider_number(provider), 2);
	/* The rest of what was in flight says the same. */
	provider_expire(provider, 1, NOW_MS + LEAST_MS, UNIX_MS + LEAST_MS);
	assert_int_equal(provider_number(provider), 2);
	assert_false(is_same_at(LEAST_MS + 1, LEAST_MS + 1));
	assert_int_equal(provider_number(provider), 2);
	provider_expire(provider, 1, NOW_MS + LEAST_MS + 2, UNIX_MS + LEAST_MS + 2);
	assert_int_equal(provider_number(provider), 2);
}

static void it_is_never_replaced_within_twenty_minutes(void **state)
{
	(void)state;
	provider_expire(provider, 1, NOW_MS + LEAST_MS - 1, UNIX_MS + LEAST_MS - 1);
	assert_int_equal(provider_number(provider), 1);
	assert_true(is_same_at(LEAST_MS, LEAST_MS));
}

static void a_machine_that_slept_may_replace_it(void **state)
{
	(void)state;
	provider_expire(provider, 1, NOW_MS + 1, UNIX_MS + LEAST_MS);
	assert_false(is_same_at(2, LEAST_MS + 1));
}

static void a_key_has_one_token_whatever_the_topic(void **state)
{
	(void)state;
	EVP_PKEY_up_ref(credential->key);
	struct credential *same = make_credential(credential->key, "ABC123DEFG");
	EVP_PKEY_up_ref(credential->key);
	struct credential *other = make_credential(credential->key, "XYZ123DEFG");
	struct provider *shared = provider_get(&list, same);
	struct provider *alone = provider_get(&list, other);
	assert_ptr_equal(shared, provider);
	assert_ptr_not_equal(alone, provider);
	provider_put(alone);
	provider_put(shared);
	assert_true(is_same_at(0, 0));
	credential_free(same);
	credential_free(other);
}

#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(what_cannot_be_signed_is_tried_again_at_the_next_use),
		T(it_is_used_for_fifty_minutes_and_then_renewed),
		T(a_clock_that_is_set_a_little_does_not_renew_it),
		T(one_from_the_future_is_not_used_any_more),
		T(one_that_is_an_hour_old_by_the_clock_is_not_used_any_more),
		T(a_clock_that_jumps_to_and_fro_renews_it_once_in_twenty_minutes),
		T(one_that_apple_calls_expired_is_replaced_once),
		T(it_is_never_replaced_within_twenty_minutes),
		T(a_machine_that_slept_may_replace_it),
		T(a_key_has_one_token_whatever_the_topic),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
