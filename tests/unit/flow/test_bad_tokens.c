#include "flow/bad_tokens.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct bad_tokens *doubts;
static unsigned standing;
static unsigned begun;
static char last[32];

static void on_changed(void *ctx, const char *topic, bool is_doubted)
{
	(void)ctx;
	standing += is_doubted ? 1u : -1u;
	begun += is_doubted;
	snprintf(last, sizeof(last), "%s", topic);
}

static int begin(void **state)
{
	(void)state;
	doubts = bad_tokens_new(on_changed, NULL);
	standing = 0;
	begun = 0;
	return 0;
}

static int end(void **state)
{
	(void)state;
	bad_tokens_free(doubts);
	return 0;
}

static struct registry_key key_of(unsigned phone)
{
	struct registry_key key = {{0}};
	memcpy(key.bytes, &phone, sizeof(phone));
	return key;
}

static struct push_target *target_of(const char *topic, unsigned phone)
{
	const struct registry_key key = key_of(phone);
	return push_target_new(&key, "user", "token", "account", topic, 2, true, true, 1);
}

static void refuse(const char *topic, unsigned phone)
{
	struct push_target *target __attribute__((cleanup(push_target_cleanup))) =
		target_of(topic, phone);
	bad_tokens_refused(doubts, target);
}

static void take(const char *topic, unsigned phone)
{
	struct push_target *target __attribute__((cleanup(push_target_cleanup))) =
		target_of(topic, phone);
	bad_tokens_taken(doubts, target);
}

static void leave(unsigned phone)
{
	const struct registry_key key = key_of(phone);
	bad_tokens_gone(doubts, &key);
}

static void a_push_that_is_taken_ends_it_for_its_topic_alone(void **state)
{
	(void)state;
	refuse("a", 1);
	refuse("a", 2);
	refuse("b", 3);
	assert_int_equal(begun, 2);
	take("a", 4);
	assert_int_equal(standing, 1);
	assert_string_equal(last, "a");
	take("a", 4);
	take("b", 4);
	assert_int_equal(standing, 0);
	refuse("a", 1);
	assert_int_equal(begun, 3);
}

static void it_ends_when_the_last_phone_is_gone(void **state)
{
	(void)state;
	refuse("a", 1);
	refuse("b", 2);
	refuse("a", 3);
	refuse("a", 1); /* tried again */
	leave(9);
	leave(1);
	assert_int_equal(standing, 2);
	leave(3);
	assert_int_equal(standing, 1);
	assert_string_equal(last, "a");
	leave(2);
	assert_int_equal(standing, 0);
	leave(2);
	assert_int_equal(begun, 2);
}

static void of_many_phones_those_that_are_left_begin_it_anew(void **state)
{
	(void)state;
	for (unsigned phone = 0; phone < 3 * BAD_TOKENS_KNOWN_MAX; phone++)
		refuse("a", phone);
	for (unsigned phone = 0; phone < 2 * BAD_TOKENS_KNOWN_MAX; phone++)
		leave(phone);
	assert_int_equal(standing, 0);
	refuse("a", 2 * BAD_TOKENS_KNOWN_MAX);
	assert_int_equal(standing, 1);
	assert_int_equal(begun, 2);
}

static void topics_are_bounded(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2 * BAD_TOKENS_TOPICS_MAX; i++) {
		char topic[16];
		snprintf(topic, sizeof(topic), "topic%u", i);
		refuse(topic, i);
	}
	assert_int_equal(standing, BAD_TOKENS_TOPICS_MAX);
	for (unsigned i = 0; i < 2 * BAD_TOKENS_TOPICS_MAX; i++)
		leave(i);
	assert_int_equal(standing, 0);
	refuse("another", 1);
	assert_int_equal(standing, 1);
}

#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_push_that_is_taken_ends_it_for_its_topic_alone),
		T(it_ends_when_the_last_phone_is_gone),
		T(of_many_phones_those_that_are_left_begin_it_anew),
		T(topics_are_bounded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
