#include "flow/wrong_topic.h"

#include "base/map.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define MINUTE_MS 60000
#define HOUR_MS (60 * MINUTE_MS)

static struct wrong_topic *misfits;
static int64_t now_ms;
static unsigned alarms; /* that stand */
static unsigned changes;

static void on_changed(void *ctx, const char *topic, bool are_many)
{
	(void)ctx;
	(void)topic;
	alarms += are_many ? 1u : -1u;
	changes++;
}

static int begin(void **state)
{
	(void)state;
	misfits = wrong_topic_new(on_changed, NULL);
	now_ms = 1000;
	alarms = 0;
	changes = 0;
	return 0;
}

static int end(void **state)
{
	(void)state;
	wrong_topic_free(misfits);
	return 0;
}

/* As good as random, and the same each time. */
static struct registry_key key_of(unsigned phone)
{
	struct registry_key key;
	for (unsigned i = 0; i < sizeof(key.bytes); i += 8) {
		uint64_t hash = map_hash((const uint8_t[16]){(uint8_t)i}, &phone, sizeof(phone));
		memcpy(key.bytes + i, &hash, 8);
	}
	return key;
}

static struct push_target *target_of(const char *topic, const char *user, unsigned phone)
{
	const struct registry_key key = key_of(phone);
	return push_target_new(&key, user, "token", "account", topic, 2, true, true, 1);
}

static void refuse_of(const char *topic, const char *user, unsigned phone)
{
	struct push_target *target __attribute__((cleanup(push_target_cleanup))) =
		target_of(topic, user, phone);
	wrong_topic_refused(misfits, target, now_ms);
}

/* Each phone has a user of its own. */
static void refuse(const char *topic, unsigned first, unsigned count)
{
	for (unsigned phone = first; phone < first + count; phone++) {
		char user[32];
		snprintf(user, sizeof(user), "user%u", phone);
		refuse_of(topic, user, phone);
	}
}

static void take(const char *topic, unsigned first, unsigned count)
{
	for (unsigned phone = first; phone < first + count; phone++) {
		struct push_target *target __attribute__((cleanup(push_target_cleanup))) =
			target_of(topic, "user", phone);
		wrong_topic_taken(misfits, target, now_ms);
	}
}

static void forgive(unsigned first, unsigned count)
{
	for (unsigned phone = first; phone < first + count; phone++) {
		const struct registry_key key = key_of(phone);
		wrong_topic_forgive(misfits, &key, now_ms);
	}
}

static void several_users_in_a_row_are_too_many(void **state)
{
	(void)state;
	take("a", 1000, 500);
	refuse("a", 0, WRONG_TOPIC_USERS - 1);
	assert_int_equal(alarms, 0);
	refuse("a", WRONG_TOPIC_USERS, 1);
	assert_int_equal(alarms, 1);
	take("a", 1000, 1);
	assert_int_equal(alarms, 0);
}

static void a_push_that_is_taken_begins_the_row_again(void **state)
{
	(void)state;
	take("a", 1000, 500);
	refuse("a", 0, WRONG_TOPIC_USERS - 1);
	take("a", 1000, 1);
	refuse("a", 10, WRONG_TOPIC_USERS - 1);
	assert_int_equal(alarms, 0);
}

static void one_user_with_many_phones_is_one(void **state)
{
	(void)state;
	take("a", 1000, 500);
	for (unsigned phone = 0; phone < 4 * WRONG_TOPIC_USERS; phone++)
		refuse_of("a", "alice", phone);
	assert_int_equal(alarms, 0);
}

/* Every other push is taken, so there is no row. */
static void more_than_a_tenth_of_the_phones_of_an_hour_are_too_many(void **state)
{
	(void)state;
	take("a", 1000, 90);
	for (unsigned phone = 0; phone < 10; phone++) {
		refuse("a", phone, 1);
		take("a", 1000, 1);
		now_ms += MINUTE_MS;
	}
	assert_int_equal(alarms, 0); /* 10 of 100 */
	refuse("a", 10, 1);
	assert_int_equal(alarms, 1);
	forgive(0, 1);
	assert_int_equal(alarms, 0); /* 10 of 100 again */
	assert_int_equal(changes, 2);
}

static void a_few_are_none_however_few_phones_there_are(void **state)
{
	(void)state;
	take("a", 1000, 1);
	for (unsigned phone = 0; phone + 1 < WRONG_TOPIC_PHONES; phone++) {
		refuse("a", phone, 1);
		take("a", 1000, 1);
	}
	assert_int_equal(alarms, 0);
	refuse("a", WRONG_TOPIC_PHONES, 1);
	assert_int_equal(alarms, 1);
}

static void a_phone_that_is_pushed_to_often_counts_once(void **state)
{
	(void)state;
	take("a", 1000, 20);
	for (unsigned phone = 0; phone < WRONG_TOPIC_PHONES; phone++) {
		refuse("a", phone, 1);
		for (unsigned i = 0; i < 100; i++)
			take("a", 1000, 20);
	}
	assert_int_equal(changes, 1);
	assert_int_equal(alarms, 1);
}

/* Another push is taken before each, so there is no row. */
static void refuse_apart(unsigned first, unsigned count)
{
	for (unsigned phone = first; phone < first + count; phone++) {
		take("a", 1000, 1);
		refuse("a", phone, 1);
	}
}

static void those_refused_within_the_hour_count_and_no_others(void **state)
{
	(void)state;
	refuse_apart(0, 4);
	now_ms += HOUR_MS;
	refuse_apart(4, 4); /* the first four are out */
	assert_int_equal(alarms, 0);
	now_ms += HOUR_MS - 1;
	refuse_apart(8, 1); /* the fifth since */
	assert_int_equal(alarms, 1);
}

static void those_taken_within_the_hour_count_and_no_others(void **state)
{
	(void)state;
	take("a", 2000, 60);
	now_ms += HOUR_MS - 1;
	refuse_apart(0, 6); /* of 67 */
	assert_int_equal(alarms, 0);
	now_ms += 1;
	refuse_apart(0, 1); /* of 7 */
	assert_int_equal(alarms, 1);
}

static void those_of_hours_ago_do_not_make_it_begin(void **state)
{
	(void)state;
	for (unsigned phone = 0; phone < 100; phone++) {
		refuse("a", phone, 1);
		take("a", 1000, 4);
		now_ms += WRONG_TOPIC_WINDOW_MS / 4;
	}
	assert_int_equal(alarms, 0);
}

/* Night comes, nobody is pushed to, and those that were refused have not registered again. */
static void it_stands_until_they_register_again_however_long_that_takes(void **state)
{
	(void)state;
	take("a", 1000, 40);
	for (unsigned phone = 0; phone < 6; phone++) {
		refuse("a", phone, 1);
		take("a", 1000, 1);
	}
	assert_int_equal(alarms, 1);
	now_ms += 10 * WRONG_TOPIC_WINDOW_MS;
	take("a", 1000, 40);
	assert_int_equal(alarms, 1);
	forgive(0, 1);
	assert_int_equal(alarms, 1);
	take("a", 1, 1); /* another way to show that it works again */
	assert_int_equal(alarms, 0);
	assert_int_equal(changes, 2);
}

/* Nobody is left to whom a push could be taken. */
static void it_ends_with_the_last_phone_of_the_topic(void **state)
{
	(void)state;
	refuse("a", 1, WRONG_TOPIC_USERS);
	assert_int_equal(alarms, 1);
	forgive(1, WRONG_TOPIC_USERS - 1);
	assert_int_equal(alarms, 1);
	forgive(WRONG_TOPIC_USERS, 1);
	assert_int_equal(alarms, 0);
	refuse("a", 1, WRONG_TOPIC_USERS - 1);
	assert_int_equal(alarms, 0);
	refuse("a", WRONG_TOPIC_USERS, 1);
	assert_int_equal(alarms, 1);
}

static void each_topic_counts_by_itself(void **state)
{
	(void)state;
	refuse("a", 0, WRONG_TOPIC_USERS - 1);
	refuse("b", 10, WRONG_TOPIC_USERS - 1);
	take("b", 1000, 1);
	refuse("a", 20, 1);
	assert_int_equal(alarms, 1);
	/* A phone that is on another topic now is not on this one any more. */
	take("b", 0, 5);
	take("a", 1001, 50);
	assert_int_equal(alarms, 0);
}

static void topics_are_bounded_and_leave_room_when_they_are_quiet(void **state)
{
	(void)state;
	char topic[32];
	for (unsigned i = 0; i < WRONG_TOPIC_TOPICS_MAX; i++) {
		snprintf(topic, sizeof(topic), "topic%u", i);
		take(topic, i, 1);
	}
	refuse("another", 100, 2 * WRONG_TOPIC_USERS);
	assert_int_equal(alarms, 0);
	now_ms += 2 * WRONG_TOPIC_WINDOW_MS;
	take("topic0", 0, 1);
	for (unsigned i = 1; i < WRONG_TOPIC_TOPICS_MAX; i++) {
		snprintf(topic, sizeof(topic), "topic%u", i);
		take(topic, 0, 1); /* the phone leaves the topic before */
	}
	now_ms += 2 * WRONG_TOPIC_WINDOW_MS;
	refuse("topic31", 1000, 1);
	assert_int_equal(alarms, 0);
}

/* A hundred thousand phones, of which some thousands are known, and the tenth is found. */
static void of_very_many_phones_a_sample_is_enough(void **state)
{
	(void)state;
	take("a", 0, 100000);
	for (unsigned phone = 0; phone < 8000; phone++) {
		refuse("a", phone, 1);
		take("a", 99999, 1);
	}
	assert_int_equal(alarms, 0); /* 8 % */
	for (unsigned phone = 8000; phone < 12500; phone++) {
		refuse("a", phone, 1);
		take("a", 99999, 1);
	}
	assert_int_equal(alarms, 1); /* 12.5 % */
	forgive(0, 6000);
	assert_int_equal(alarms, 0); /* 6.9 % */
	assert_int_equal(changes, 2);
}

#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(several_users_in_a_row_are_too_many),
		T(a_push_that_is_taken_begins_the_row_again),
		T(one_user_with_many_phones_is_one),
		T(more_than_a_tenth_of_the_phones_of_an_hour_are_too_many),
		T(a_few_are_none_however_few_phones_there_are),
		T(a_phone_that_is_pushed_to_often_counts_once),
		T(those_refused_within_the_hour_count_and_no_others),
		T(those_taken_within_the_hour_count_and_no_others),
		T(those_of_hours_ago_do_not_make_it_begin),
		T(it_stands_until_they_register_again_however_long_that_takes),
		T(it_ends_with_the_last_phone_of_the_topic),
		T(each_topic_counts_by_itself),
		T(topics_are_bounded_and_leave_room_when_they_are_quiet),
		T(of_very_many_phones_a_sample_is_enough),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
