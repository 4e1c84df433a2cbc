#include "world.h"

#include "base/clock.h"
#include "base/mem.h"
#include "schedule/slow_start.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define MIN_INTERVAL 2000
#define LATER_DELAY 30000

static struct world *w;

static int setup(void **state)
{
	(void)state;
	w = world_new(&(struct schedule_settings){MIN_INTERVAL, LATER_DELAY, 0, 0});
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	world_free(w);
	return 0;
}

/* Lets time pass until there is something to push, at most `within_ms`. */
static const struct push *wait_for_push(int64_t within_ms, int64_t *ret_waited_ms)
{
	for (int64_t waited = 0; waited <= within_ms; waited++) {
		const struct push *push = world_next(w);
		if (push) {
			if (ret_waited_ms)
				*ret_waited_ms = waited;
			return push;
		}
		world_pass(w, 1);
	}
	return NULL;
}

static void fly(unsigned phone, unsigned mailbox)
{
	world_add(w, phone, mailbox, QUEUE_URGENT);
	world_stored(w);
	const struct push *push = world_next(w);
	assert_non_null(push);
	assert_int_equal(world_phone(push), phone);
}

static struct schedule_counts counts(void)
{
	struct schedule_counts ret;
	schedule_count(w->schedule, &ret);
	return ret;
}

static void a_push_is_not_sent_before_it_is_stored(void **state)
{
	(void)state;
	world_add(w, 1, 1, QUEUE_URGENT);
	assert_null(world_next(w));
	assert_int_equal(counts().storing, 1);
	assert_int_equal(w->last_parts, QUEUE_PUSH_PUT | QUEUE_NEWS_PUT);
	schedule_stored(w->schedule, w->seq - 1, w->time);
	assert_null(world_next(w));
	world_stored(w);
	const struct push *push = world_next(w);
	assert_non_null(push);
	assert_memory_equal(push->apns_id, world_row(w, 1)->apns_id, QUEUE_APNS_ID_SIZE);
	assert_int_equal(push->apns_id[6] >> 4, 4);
	assert_int_equal(push->urgency, QUEUE_URGENT);
	assert_int_equal(push->first_unix_ms, UNIX_MS);
}

static void what_is_pushed_leaves_nothing_behind(void **state)
{
	(void)state;
	fly(1, 1);
	world_told(w, 1);
	assert_int_equal(w->last_parts, QUEUE_PUSH_DELETE | QUEUE_PHONE);
	assert_int_equal(w->last.phone.last_status, 200);
	assert_int_equal(w->last.phone.last_push_ms, UNIX_MS);
	assert_int_equal(w->last.phone.last_event_ms, UNIX_MS);
	assert_int_equal(w->push_count + w->news_count, 0);
	assert_int_equal(counts().resting, 1);
	assert_int_equal(counts().news, 0);
	world_pass(w, MIN_INTERVAL);
	world_stored(w);
	assert_int_equal(counts().resting, 0);
}

/* Ten a minute: six seconds lie between two of them, for the phones of that user alone. */
static void a_user_with_a_limit_is_pushed_to_less_often_and_called_limited(void **state)
{
	(void)state;
	struct user_settings *users = user_settings_new();
	struct push_target *of_one = world_target(1, "");
	const struct user_settings_row row = {.is_pushed_to = true, .pushes_per_minute = 10};
	assert_true(user_settings_add(users, of_one->user, &row));
	push_target_free(of_one);
	schedule_set(w->schedule,
		&(struct schedule_settings){MIN_INTERVAL, LATER_DELAY, 0, 0, users},
		w->time.now_ms);
	struct registry_key key = world_key(1);
	int64_t waited;
	fly(1, 1);
	world_told(w, 1);
	for (int i = 0; i < 3; i++) {
		world_pass(w, MIN_INTERVAL);
		world_add(w, 1, 2, QUEUE_URGENT);
		world_stored(w);
		assert_string_equal(schedule_state(w->schedule, &key, w->time.now_ms), "limited");
		assert_int_equal(schedule_limited_until_ms(w->schedule, &key, w->time),
			w->time.unix_ms + 6000 - MIN_INTERVAL);
		assert_non_null(wait_for_push(60000, &waited));
		assert_int_equal(waited, 6000 - MIN_INTERVAL);
		world_told(w, 1);
	}
	schedule_set(w->schedule, &(struct schedule_settings){MIN_INTERVAL, LATER_DELAY, 0, 0},
		w->time.now_ms);
	world_pass(w, MIN_INTERVAL);
	fly(1, 1);
	world_told(w, 1);
	user_settings_free(users);
}

static void each_row_has_a_number_of_its_own_also_after_a_restart(void **state)
{
	(void)state;
	world_add(w, 1, 1, QUEUE_DEFERRED);
	world_add(w, 2, 1, QUEUE_DEFERRED);
	assert_int_equal(world_row(w, 1)->row, 1);
	assert_int_equal(world_row(w, 2)->row, 2);
	world_drop(w, 1);
	world_add(w, 1, 1, QUEUE_DEFERRED);
	assert_int_equal(world_row(w, 1)->row, 3);
	world_restart(w, 0);
	world_add(w, 2, 2, QUEUE_DEFERRED);
	world_add(w, 4, 1, QUEUE_DEFERRED);
	assert_int_equal(w->last.row, 4);
	assert_int_equal(world_row(w, 2)->row, 2);
}

static void a_burst_of_100_is_one_push_at_once_and_one_after_the_interval(void **state)
{
	(void)state;
	world_add(w, 1, 0, QUEUE_URGENT);
	world_stored(w);
	assert_true(world_carries(world_next(w), 0));
	for (unsigned i = 1; i < 100; i++) {
		world_add(w, 1, i, QUEUE_URGENT);
		if (i == 50)
			world_told(w, 1);
	}
	world_stored(w);
	int64_t waited;
	const struct push *push = wait_for_push(60000, &waited);
	assert_int_equal(waited, MIN_INTERVAL);
	assert_int_equal(push->hash_count, 99);
	for (unsigned i = 1; i < 100; i++)
		assert_true(world_carries(push, i));
	world_told(w, 1);
	assert_null(wait_for_push(200000, NULL));
	assert_int_equal(w->push_count + w->news_count, 0);
}

static void later_is_due_between_once_and_twice_its_delay(void **state)
{
	(void)state;
	int64_t least = INT64_MAX;
	int64_t most = 0;
	for (unsigned phone = 0; phone < 500; phone++)
		world_add(w, phone, 1, QUEUE_DEFERRED);
	world_stored(w);
	for (size_t i = 0; i < w->push_count; i++) {
		int64_t due = w->pushes[i].due_ms - UNIX_MS;
		least = due < least ? due : least;
		most = due > most ? due : most;
	}
	assert_int_in_range(least, LATER_DELAY, LATER_DELAY + 2000);
	assert_int_in_range(most, 2 * LATER_DELAY - 2000, 2 * LATER_DELAY);
	assert_int_equal(schedule_wake_ms(w->schedule, w->time.now_ms), w->time.now_ms + least);
}

static void later_is_not_postponed_by_a_steady_stream(void **state)
{
	(void)state;
	world_add(w, 1, 1, QUEUE_DEFERRED);
	world_stored(w);
	int64_t due = schedule_wake_ms(w->schedule, w->time.now_ms);
	const struct push *push;
	while (!(push = world_next(w))) {
		world_pass(w, 100);
		assert_true(w->time.now_ms < due + 200);
		world_add(w, 1, (unsigned)(w->time.now_ms % 3), QUEUE_DEFERRED);
		assert_int_equal(w->last_parts & ~(unsigned)QUEUE_NEWS_PUT, 0);
		assert_int_equal(w->push_count, 1);
	}
	assert_int_in_range(w->time.now_ms, due, due + 100);
	assert_int_equal(push->urgency, QUEUE_DEFERRED);
}

static void now_takes_later_along(void **state)
{
	(void)state;
	world_add(w, 1, 1, QUEUE_DEFERRED);
	world_stored(w);
	world_pass(w, 10);
	world_add(w, 1, 2, QUEUE_URGENT);
	assert_int_equal(w->last_parts, QUEUE_NEWS_PUT | QUEUE_PUSH_MOVE);
	assert_int_equal(world_row(w, 1)->due_ms, w->time.unix_ms);
	const struct push *push = world_next(w);
	assert_non_null(push);
	assert_int_equal(push->hash_count, 2);
	assert_int_equal(push->urgency, QUEUE_URGENT);
	assert_int_equal(
		push->first_unix_ms, UNIX_MS + 10); /* the flag's change is no delay of the mail */
	world_told(w, 1);
	assert_null(wait_for_push(100000, NULL));
}

static void a_mail_after_a_flag_in_the_same_mailbox_counts_from_the_mail(void **state)
{
	(void)state;
	world_add(w, 1, 1, QUEUE_DEFERRED);
	world_stored(w);
	world_pass(w, 10);
	world_add(w, 1, 1, QUEUE_URGENT);
	world_pass(w, 10);
	world_add(w, 1, 1, QUEUE_DEFERRED);
	world_add(w, 1, 1, QUEUE_URGENT);
	world_stored(w);
	const struct push *push = world_next(w);
	assert_non_null(push);
	assert_int_equal(push->urgency, QUEUE_URGENT);
	assert_int_equal(push->first_unix_ms, UNIX_MS + 10);
	world_retry(w, 1, 0);
	assert_int_equal(w->news[0].news.first_ms, UNIX_MS);
	world_restart(w, 1000);
	push = world_next(w);
	assert_non_null(push);
	assert_int_equal(push->first_unix_ms, UNIX_MS + 10);
}

static void second_mail_within_the_interval_waits_for_its_end(void **state)
{
	(void)state;
	fly(1, 1);
	world_told(w, 1);
	world_pass(w, 500);
	world_add(w, 1, 1, QUEUE_URGENT);
	world_stored(w);
	int64_t waited;
	assert_non_null(wait_for_push(10000, &waited));
	assert_int_equal(waited, MIN_INTERVAL - 500);
}

static void the_same_again_makes_no_second_row(void **state)
{
	(void)state;
	world_add(w, 1, 1, QUEUE_URGENT);
	uint64_t first = w->seq;
	world_add(w, 1, 1, QUEUE_URGENT);
	assert_int_equal(w->last_parts, QUEUE_NEWS_PUT);
	assert_true(w->seq > first);
	assert_int_equal(w->push_count, 1);
	assert_int_equal(w->news_count, 1);
	assert_int_equal(w->news[0].news.seq, w->seq);
	assert_int_equal(counts().news, 1);
	schedule_stored(w->schedule, first, w->time);
	assert_non_null(world_next(w)); /* the row with its apns-id is there: enough */
}

static void one_flight_at_a_time(void **state)
{
	(void)state;
	fly(1, 1);
	world_add(w, 1, 2, QUEUE_URGENT);
	world_stored(w);
	world_pass(w, 100000);
	assert_null(world_next(w));
	assert_int_equal(w->push_count, 1);
	assert_int_equal(counts().flying, 1);
}

static void news_during_a_flight_survives_its_success(void **state)
{
	(void)state;
	fly(1, 1);
	uint8_t flown[QUEUE_APNS_ID_SIZE];
	memcpy(flown, world_row(w, 1)->apns_id, sizeof(flown));
	world_pass(w, 50);
	world_add(
		w, 1, 1, QUEUE_URGENT); /* the same mailbox: nothing told the phone of this mail */
	world_told(w, 1);
	assert_int_equal(w->last_parts, QUEUE_NEWS_SETTLE | QUEUE_PUSH_MOVE | QUEUE_PHONE);
	assert_int_equal(world_news_of(w, 1), 1);
	assert_null(world_next(w));
	assert_int_equal(counts().storing, 1); /* a new push: its apns-id is to be stored */
	world_stored(w);
	int64_t waited;
	const struct push *push = wait_for_push(10000, &waited);
	assert_int_equal(waited, MIN_INTERVAL - 50);
	assert_true(world_carries(push, 1));
	assert_memory_not_equal(push->apns_id, flown, sizeof(flown));
	assert_int_equal(push->first_unix_ms, UNIX_MS + 50);
}

/* Else a crash in the next flight would find the first one's news under the second one's id. */
static void what_a_flight_brought_is_settled_on_disk_before_the_next(void **state)
{
	(void)state;
	fly(1, 1);
	world_pass(w, 50);
	world_add(w, 1, 2, QUEUE_URGENT);
	world_stored(w);
	world_told(w, 1);
	assert_int_equal(counts().storing, 1);
	world_pass(w, 2 * MIN_INTERVAL);
	assert_null(world_next(w));
	world_stored(w);
	const struct push *push = world_next(w);
	assert_non_null(push);
	assert_true(world_carries(push, 2));
	assert_false(world_carries(push, 1));
}

static void put_back(unsigned phone)
{
	struct registry_key key = world_key(phone);
	schedule_put_back(w->schedule, &key);
}

/* Not even the apns-id has flown: news joins it, and no interval begins. */
static void a_push_that_did_not_leave_waits_as_before(void **state)
{
	(void)state;
	world_add(w, 1, 1, QUEUE_URGENT);
	world_stored(w);
	const struct push *push = world_next(w);
	uint8_t apns_id[QUEUE_APNS_ID_SIZE];
	memcpy(apns_id, push->apns_id, sizeof(apns_id));
	put_back(1);
	assert_int_equal(counts().waiting, 1);
	assert_int_equal(counts().news, 1);
	world_add(w, 1, 2, QUEUE_URGENT);
	push = world_next(w);
	assert_non_null(push);
	assert_memory_equal(push->apns_id, apns_id, sizeof(apns_id));
	assert_true(world_carries(push, 1) && world_carries(push, 2));
	assert_int_equal(push->attempts, 0);
}

static void a_repeated_push_that_did_not_leave_keeps_its_pause_and_its_id(void **state)
{
	(void)state;
	fly(1, 1);
	world_retry(w, 1, 7000);
	world_stored(w);
	world_pass(w, 7000);
	assert_non_null(world_next(w));
	put_back(1);
	uint8_t apns_id[QUEUE_APNS_ID_SIZE];
	memcpy(apns_id, world_row(w, 1)->apns_id, sizeof(apns_id));
	const struct push *push = world_next(w);
	assert_non_null(push);
	assert_memory_equal(push->apns_id, apns_id, sizeof(apns_id));
	assert_int_equal(push->attempts, 1);
	world_told(w, 1);
	assert_int_equal(w->push_count + w->news_count, 0);
}

static void more_than_one_flight_holds_is_put_back_whole(void **state)
{
	(void)state;
	for (unsigned mailbox = 1; mailbox <= SCHEDULE_HASHES_MAX + 50; mailbox++)
		world_add(w, 1, mailbox, QUEUE_URGENT);
	world_stored(w);
	for (unsigned i = 0; i < 3; i++) {
		const struct push *push = world_next(w);
		assert_int_equal(push->hash_count, SCHEDULE_HASHES_MAX);
		assert_true(world_carries(push, 1));
		assert_false(world_carries(push, SCHEDULE_HASHES_MAX + 1));
		put_back(1);
		assert_int_equal(counts().news, SCHEDULE_HASHES_MAX + 50);
	}
}

static void one_that_was_put_off_and_did_not_leave_is_not_put_off_again(void **state)
{
	(void)state;
	world_add(w, 1, 1, QUEUE_DEFERRED);
	world_stored(w);
	world_pass(w, 4 * LATER_DELAY);
	assert_null(world_next(w));
	world_pass(w, 3 * LATER_DELAY);
	for (unsigned i = 0; i < 3; i++) {
		assert_non_null(world_next(w));
		put_back(1);
	}
}

#define CAUTION 30000

static void start_with(unsigned phones)
{
	world_free(w);
	w = world_new(&(struct schedule_settings){MIN_INTERVAL, LATER_DELAY, 0, CAUTION});
	for (unsigned phone = 1; phone <= phones; phone++)
		world_add(w, phone, 1, QUEUE_URGENT);
	world_restart(w, 0);
	world_stored(w);
}

/* Takes off all that may leave, and says how many those are. */
static unsigned leave(unsigned phones[], unsigned count)
{
	for (const struct push *push; (push = world_next(w));)
		phones[count++] = world_phone(push);
	return count;
}

/* Should one of them end the daemon, half of those that left will not leave again. */
static void a_start_with_something_to_tell_goes_on_as_verdicts_are_on_disk(void **state)
{
	unsigned phones[100];
	unsigned left = 0;
	(void)state;
	start_with(100);
	for (unsigned told = 0; told < 100; told++) {
		left = leave(phones, left);
		assert_int_equal(left, 2 * told + 1 < 100 ? 2 * told + 1 : 100);
		world_told(w, phones[told]);
		assert_true(w->last.is_awaited || left == 100);
		assert_int_equal(leave(phones, left), left);
		world_stored(w);
	}
}

/* Should the first one end the daemon, it does not do so at each start before all others. */
static void each_start_begins_with_another_push(void **state)
{
	bool was_first[11] = {false};
	unsigned firsts = 0;
	(void)state;
	start_with(10);
	for (unsigned start = 0; start < 40; start++) {
		world_restart(w, 1000);
		unsigned phone = world_phone(world_next(w));
		firsts += !was_first[phone];
		was_first[phone] = true;
	}
	assert_true(firsts >= 5);
}

/* Nor does one that is urgent do so before all that are not. */
static void a_start_begins_with_what_is_urgent_or_not_by_chance(void **state)
{
	unsigned urgent = 0;
	(void)state;
	start_with(1);
	for (unsigned phone = 2; phone <= 11; phone++)
		world_add(w, phone, 1, QUEUE_DEFERRED);
	for (unsigned start = 0; start < 40; start++) {
		world_restart(w, 10 * LATER_DELAY);
		urgent += world_phone(world_next(w)) == 1;
	}
	assert_int_in_range(urgent, 1, 20);
}

static void a_start_has_few_that_are_not_urgent_go_among_the_urgent(void **state)
{
	unsigned phones[1001];
	(void)state;
	world_add(w, 1, 1, QUEUE_URGENT);
	for (unsigned phone = 2; phone <= 1001; phone++)
		world_add(w, phone, 1, QUEUE_DEFERRED);
	world_restart(w, 10 * LATER_DELAY);
	unsigned left = leave(phones, 0);
	assert_int_in_range(left, SCHEDULE_AMONG_URGENT / 2, 2 * SCHEDULE_AMONG_URGENT);
	world_pass(w, LATER_DELAY);
	assert_int_equal(leave(phones, left), 1001);
}

static void a_start_with_nothing_urgent_puts_off_all_that_is_overdue(void **state)
{
	unsigned phones[1000];
	(void)state;
	for (unsigned phone = 1; phone <= 1000; phone++)
		world_add(w, phone, 1, QUEUE_DEFERRED);
	world_restart(w, 10 * LATER_DELAY);
	assert_int_in_range(leave(phones, 0), 0, 10); /* chance puts some off by nothing */
}

static void each_start_begins_with_another_topic(void **state)
{
	unsigned firsts = 0;
	(void)state;
	world_add(w, 1, 1, QUEUE_URGENT);
	world_add(w, 2, 1, QUEUE_URGENT);
	struct push_target *target = world_target(2, OTHER_TOPIC);
	world_write(w, schedule_renew(w->schedule, target, NULL, 0, w->time));
	char hash[1][MAILBOX_HASH_SIZE];
	world_hash(1, hash[0]);
	world_write(w,
		schedule_add(w->schedule, world_target(2, OTHER_TOPIC),
			(const char(*)[MAILBOX_HASH_SIZE])hash, 1, QUEUE_URGENT, w->time));
	for (unsigned start = 0; start < 40; start++) {
		world_restart(w, 1000);
		size_t position = 0;
		schedule_begin_turn(w->schedule);
		const char *topic = schedule_next_topic(w->schedule, &position, w->time.now_ms);
		firsts += !strcmp(topic, TOPIC);
	}
	assert_int_in_range(firsts, 5, 35);
}

/* What becomes of news of that mailbox. */
static struct queue_plan plan_of(unsigned mailbox, enum queue_urgency urgency)
{
	char hash[1][MAILBOX_HASH_SIZE];
	world_hash(mailbox, hash[0]);
	struct queue_job *job = schedule_add(w->schedule, world_target(1, TOPIC),
		(const char(*)[MAILBOX_HASH_SIZE])hash, 1, urgency, w->time);
	struct queue_plan plan = job->plan;
	world_write(w, job);
	return plan;
}

static void a_plan_says_what_becomes_of_news(void **state)
{
	(void)state;
	struct queue_plan plan = plan_of(1, QUEUE_DEFERRED);
	assert_false(plan.is_due || plan.is_merged || plan.is_behind);
	assert_true(plan.due_ms > w->time.unix_ms);

	plan = plan_of(2, QUEUE_URGENT);
	assert_true(plan.is_due && plan.is_merged && !plan.is_behind);
	assert_int_equal(plan.due_ms, w->time.unix_ms);

	world_stored(w);
	assert_non_null(world_next(w));
	plan = plan_of(3, QUEUE_URGENT);
	assert_true(plan.is_behind && !plan.is_due && !plan.is_merged);
	assert_true(plan.due_ms > w->time.unix_ms);
	world_told(w, 1);
}

static void a_start_with_an_empty_queue_is_not_cautious(void **state)
{
	unsigned phones[100];
	(void)state;
	start_with(0);
	for (unsigned phone = 1; phone <= 100; phone++)
		world_add(w, phone, 1, QUEUE_URGENT);
	world_stored(w);
	assert_int_equal(leave(phones, 0), 100);
}

static void pass_until_more_may_leave(int64_t passes_ms)
{
	unsigned none[1];
	assert_int_equal(schedule_wake_ms(w->schedule, w->time.now_ms), w->time.now_ms + passes_ms);
	world_pass(w, passes_ms - 1);
	assert_int_equal(leave(none, 0), 0);
	world_pass(w, 1);
}

static void a_push_without_a_verdict_keeps_the_others_back_for_a_moment_only(void **state)
{
	unsigned phones[100];
	(void)state;
	start_with(100);
	world_pass(w, CAUTION / 2); /* until Apple was there */
	assert_int_equal(leave(phones, 0), 1);
	pass_until_more_may_leave(SLOW_START_PATIENCE_MS);
	assert_int_equal(leave(phones, 1), 2);
	world_told(w, phones[1]);
	world_stored(w);
	assert_int_equal(leave(phones, 2), 3);
	pass_until_more_may_leave(SLOW_START_PATIENCE_MS);
	assert_int_equal(leave(phones, 3), 4);
}

static void pushes_without_any_verdict_keep_the_others_back_for_a_while_only(void **state)
{
	unsigned phones[100];
	(void)state;
	start_with(100);
	unsigned left = 0;
	for (unsigned i = 1; i <= CAUTION / SLOW_START_PATIENCE_MS; i++) {
		left = leave(phones, left);
		assert_int_equal(left, i);
		pass_until_more_may_leave(SLOW_START_PATIENCE_MS);
	}
	assert_int_equal(leave(phones, left), 100);
}

static void what_did_not_leave_or_was_not_processed_lets_no_more_leave(void **state)
{
	unsigned phones[100];
	(void)state;
	start_with(100);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(leave(phones, 0), 1);
		put_back(phones[0]);
		assert_int_equal(leave(phones, 0), 1);
		struct registry_key key = world_key(phones[0]);
		assert_null(schedule_retry(w->schedule, &key, 0, "", 0, false, w->time));
	}
	assert_int_equal(leave(phones, 0), 1);
}

static void caution_ends_when_enough_is_settled(void **state)
{
	static unsigned phones[WORLD_ROWS];
	(void)state;
	start_with(3000);
	unsigned left = 0;
	for (unsigned told = 0; told < SLOW_START_PUSHES; told++) {
		left = leave(phones, left);
		world_told(w, phones[told]);
		world_stored(w);
	}
	assert_true(left < 2 * SLOW_START_PUSHES);
	assert_int_equal(leave(phones, left), 3000);
}

static void a_registration_that_goes_in_flight_counts_as_settled(void **state)
{
	unsigned phones[100];
	(void)state;
	start_with(100);
	leave(phones, 0);
	world_drop(w, phones[0]);
	world_told(w, phones[0]);
	assert_int_equal(leave(phones, 0), 0);
	world_stored(w);
	assert_int_equal(leave(phones, 0), 2);
}

static void later_news_during_a_flight_keeps_its_own_time(void **state)
{
	(void)state;
	fly(1, 1);
	world_pass(w, 10);
	world_add(w, 1, 1, QUEUE_DEFERRED);
	world_told(w, 1);
	world_stored(w);
	int64_t waited;
	const struct push *push = wait_for_push(100000, &waited);
	assert_int_in_range(waited, LATER_DELAY, 2 * LATER_DELAY);
	assert_int_equal(push->urgency, QUEUE_DEFERRED);
}

static void news_during_a_flight_survives_its_end_for_good(void **state)
{
	(void)state;
	fly(1, 1);
	world_add(w, 1, 2, QUEUE_URGENT);
	struct registry_key key = world_key(1);
	world_write(w, schedule_settled(w->schedule, &key, 413, "PayloadTooLarge", w->time));
	assert_int_equal(w->last.phone.last_status, 413);
	assert_string_equal(w->last.phone.last_reason, "PayloadTooLarge");
	world_stored(w);
	const struct push *push = wait_for_push(10000, NULL);
	assert_non_null(push);
	assert_int_equal(push->hash_count, 1);
	assert_true(world_carries(push, 2));
}

static void news_during_a_flight_joins_what_is_tried_again(void **state)
{
	(void)state;
	fly(1, 1);
	world_add(w, 1, 2, QUEUE_URGENT);
	world_stored(w);
	world_retry(w, 1, 700);
	assert_int_equal(w->last.phone.last_push_ms, 0);
	assert_int_equal(w->last.phone.last_status, 503);
	int64_t waited;
	const struct push *push = wait_for_push(10000, &waited);
	assert_int_equal(waited, MIN_INTERVAL);
	assert_int_equal(push->hash_count, 2);
	assert_int_equal(push->first_unix_ms, UNIX_MS);
	assert_int_equal(push->attempts, 0); /* it is another than the one that failed */
	world_told(w, 1);
	assert_int_equal(w->push_count + w->news_count, 0);
}

static void urgent_news_stays_urgent_when_later_news_joins_its_failed_flight(void **state)
{
	(void)state;
	fly(1, 1);
	world_add(w, 1, 1, QUEUE_DEFERRED);
	assert_int_equal(w->news[0].news.urgent_ms, UNIX_MS);
	assert_int_equal(w->news[0].news.first_ms, UNIX_MS);
	world_retry(w, 1, 0);
	world_stored(w);
	const struct push *push = world_next(w);
	assert_non_null(push);
	assert_int_equal(push->urgency, QUEUE_URGENT);
}

static void a_flight_never_processed_is_repeated_without_a_job(void **state)
{
	(void)state;
	fly(1, 1);
	struct registry_key key = world_key(1);
	assert_null(schedule_retry(w->schedule, &key, 0, NULL, 0, false, w->time));
	const struct push *push = world_next(w);
	assert_non_null(push);
	assert_int_equal(push->attempts, 0);
}

static void the_apns_id_stays_over_resends_until_the_set_grows(void **state)
{
	(void)state;
	fly(1, 1);
	uint8_t first[QUEUE_APNS_ID_SIZE];
	memcpy(first, world_row(w, 1)->apns_id, sizeof(first));
	for (unsigned i = 1; i <= 3; i++) {
		world_add(w, 1, 1, QUEUE_URGENT); /* touched, not grown */
		world_retry(w, 1, 0);
		world_add(w, 1, 1, QUEUE_URGENT);
		const struct push *push = world_next(w);
		assert_non_null(push);
		assert_memory_equal(push->apns_id, first, sizeof(first));
		assert_int_equal(push->attempts, i);
	}
	world_retry(w, 1, 0);
	world_add(w, 1, 2, QUEUE_DEFERRED);
	assert_int_equal(w->last_parts, QUEUE_NEWS_PUT | QUEUE_PUSH_MOVE);
	assert_null(world_next(w)); /* not before the new one is stored */
	world_stored(w);
	const struct push *push = wait_for_push(MIN_INTERVAL, NULL);
	assert_non_null(push);
	assert_memory_not_equal(push->apns_id, first, sizeof(first));
	assert_int_equal(push->attempts, 0);
}

static void another_push_after_a_failed_one_waits_for_the_interval(void **state)
{
	(void)state;
	/* It may have reached the phone; only the same again may follow at once. */
	fly(1, 1);
	world_pass(w, 300);
	world_retry(w, 1, 100);
	world_add(w, 1, 2, QUEUE_URGENT);
	world_stored(w);
	int64_t waited;
	assert_non_null(wait_for_push(MIN_INTERVAL, &waited));
	assert_int_equal(waited, MIN_INTERVAL - 300);
	/* Not counted from the answer, and not beyond a longer back-off. */
	world_add(w, 1, 3, QUEUE_URGENT);
	world_retry(w, 1, 5000);
	world_stored(w);
	assert_non_null(wait_for_push(10000, &waited));
	assert_int_equal(waited, 5000);
}

static void a_push_knows_since_when_it_has_failed_by_the_clock_that_nobody_sets(void **state)
{
	(void)state;
	int64_t began_ms = w->time.now_ms;
	world_add(w, 1, 1, QUEUE_URGENT);
	world_stored(w);
	assert_int_equal(world_next(w)->failing_since_ms, began_ms);
	for (unsigned i = 0; i < 3; i++) {
		w->time.unix_ms += INT64_C(90) * 24 * 60 * 60 * 1000;
		world_retry(w, 1, 0);
		world_pass(w, 5000);
		assert_int_equal(world_next(w)->failing_since_ms, began_ms);
	}
	world_told(w, 1);
	world_pass(w, 5000);
	world_add(w, 1, 1, QUEUE_URGENT);
	world_stored(w);
	assert_int_equal(world_next(w)->failing_since_ms, w->time.now_ms);
}

static void a_set_that_grew_in_flight_has_its_new_apns_id_on_disk_before_a_crash(void **state)
{
	(void)state;
	fly(1, 1);
	uint8_t first[QUEUE_APNS_ID_SIZE];
	memcpy(first, world_row(w, 1)->apns_id, sizeof(first));
	world_add(w, 1, 2, QUEUE_URGENT);
	world_restart(w, 10);
	const struct push *push = world_next(w);
	assert_non_null(push);
	assert_int_equal(push->hash_count, 2);
	assert_memory_not_equal(push->apns_id, first, sizeof(first));
}

static void add_many(unsigned phone, unsigned count)
{
	char hashes[250][MAILBOX_HASH_SIZE];
	for (unsigned i = 0; i < count; i++)
		world_hash(i, hashes[i]);
	world_write(w,
		schedule_add(w->schedule, world_target(phone, TOPIC),
			(const char(*)[MAILBOX_HASH_SIZE])hashes, count, QUEUE_URGENT, w->time));
	world_stored(w);
}

static void more_than_100_hashes_go_in_flights_an_interval_apart(void **state)
{
	(void)state;
	add_many(1, 250);
	int seen[250] = {0};
	const unsigned sizes[] = {100, 100, 50};
	for (unsigned flight = 0; flight < 3; flight++) {
		int64_t waited;
		const struct push *push = wait_for_push(10000, &waited);
		assert_int_equal(waited, flight ? MIN_INTERVAL : 0);
		assert_int_equal(push->hash_count, sizes[flight]);
		for (unsigned i = 0; i < 250; i++)
			seen[i] += world_carries(push, i);
		world_told(w, 1);
		world_stored(w);
		/* What did not fit is still on disk, should we die before the next flight. */
		assert_int_equal(world_news_of(w, 1), flight == 0 ? 150 : flight == 1 ? 50 : 0);
	}
	for (unsigned i = 0; i < 250; i++)
		assert_int_equal(seen[i], 1);
	assert_int_equal(w->push_count + w->news_count, 0);
}

static void the_same_of_more_than_100_go_again_under_the_same_apns_id(void **state)
{
	(void)state;
	add_many(1, 150);
	const struct push *push = world_next(w);
	uint8_t first[QUEUE_APNS_ID_SIZE];
	memcpy(first, push->apns_id, sizeof(first));
	char hash[MAILBOX_HASH_SIZE];
	memcpy(hash, push->hashes[0], sizeof(hash));
	world_retry(w, 1, 0);
	push = world_next(w);
	assert_memory_equal(push->apns_id, first, sizeof(first));
	int is_there = 0;
	for (unsigned i = 0; i < push->hash_count; i++)
		is_there |= !strcmp(push->hashes[i], hash);
	assert_true(is_there);

	/* One of them changes again: it goes to the end of the line, so the set is another. */
	world_add(w, 1, (unsigned)strtoul(hash, NULL, 16), QUEUE_URGENT);
	world_retry(w, 1, 0);
	world_stored(w);
	push = wait_for_push(MIN_INTERVAL, NULL);
	assert_memory_not_equal(push->apns_id, first, sizeof(first));
}

static void after_a_crash_nothing_waits_longer_than_five_minutes(void **state)
{
	(void)state;
	world_free(w);
	w = world_new(&(struct schedule_settings){MIN_INTERVAL, CLOCK_HOUR_MS, 0, 0});
	int64_t waited_ms;
	world_add(w, 1, 1, QUEUE_DEFERRED);
	world_add(w, 2, 1, QUEUE_DEFERRED);
	world_row(w, 1)->due_ms = UNIX_MS + CLOCK_HOUR_MS;
	world_row(w, 2)->due_ms = UNIX_MS + SCHEDULE_LOADED_DUE_MAX_MS - 1;
	world_restart(w, 0);
	assert_int_equal(world_phone(wait_for_push(2 * CLOCK_HOUR_MS, &waited_ms)), 2);
	assert_int_equal(waited_ms, SCHEDULE_LOADED_DUE_MAX_MS - 1);
	assert_int_equal(world_phone(wait_for_push(CLOCK_HOUR_MS, &waited_ms)), 1);
	assert_int_equal(waited_ms, 1);
}

/* A file that was tampered with, or half of it written by something else. */
static void after_a_crash_due_times_that_cannot_be_are_due(void **state)
{
	(void)state;
	for (unsigned phone = 1; phone <= 2; phone++)
		world_add(w, phone, 1, QUEUE_URGENT);
	world_row(w, 1)->due_ms = INT64_MIN;
	world_row(w, 2)->due_ms = INT64_MAX;
	world_restart(w, 0);
	assert_int_equal(world_phone(world_next(w)), 1);
	assert_int_equal(world_phone(world_next(w)), 2);
}

static void after_a_crash_what_was_due_is_due_and_so_is_what_a_wrong_clock_put_off(void **state)
{
	(void)state;
	world_add(w, 1, 1, QUEUE_URGENT);
	world_add(w, 2, 1, QUEUE_URGENT);
	world_add(w, 3, 1, QUEUE_URGENT);
	world_row(w, 1)->due_ms = 5; /* 1970 */
	world_row(w, 2)->due_ms =
		UNIX_MS + 100 + SCHEDULE_RETRY_MAX_MS + 1; /* the clock was ahead */
	world_row(w, 3)->due_ms = UNIX_MS + 100 + SCHEDULE_RETRY_MAX_MS;
	world_restart(w, 100);
	assert_int_equal(counts().waiting, 3);
	int64_t waited;
	unsigned first = world_phone(wait_for_push(0, &waited));
	unsigned second = world_phone(wait_for_push(0, &waited));
	assert_int_equal(first + second, 3);
	assert_int_equal(world_phone(wait_for_push(400000, &waited)), 3);
	assert_int_equal(waited, SCHEDULE_RETRY_MAX_MS);
}

static void after_a_crash_the_interval_is_kept(void **state)
{
	(void)state;
	world_add(w, 1, 1, QUEUE_URGENT);
	world_row(w, 1)->last_push_ms = UNIX_MS - 300;
	world_add(w, 2, 1, QUEUE_URGENT);
	world_row(w, 2)->last_push_ms = UNIX_MS + 99999999; /* the clock was set back */
	world_restart(w, 0);
	int64_t waited;
	assert_int_equal(world_phone(wait_for_push(10000, &waited)), 1);
	assert_int_equal(waited, MIN_INTERVAL - 300);
	assert_int_equal(world_phone(wait_for_push(10000, &waited)), 2);
	assert_int_equal(waited, 300);
}

static void after_a_crash_the_apns_id_is_kept_and_seq_goes_on(void **state)
{
	(void)state;
	fly(1, 1);
	uint8_t first[QUEUE_APNS_ID_SIZE];
	memcpy(first, world_row(w, 1)->apns_id, sizeof(first));
	uint64_t seq = w->seq;
	world_restart(w, 100);
	assert_true(schedule_next_seq(w->schedule) > seq);
	const struct push *push = world_next(w);
	assert_memory_equal(push->apns_id, first, sizeof(first));
	world_told(w, 1);
	assert_int_equal(w->push_count + w->news_count, 0);
}

static void rows_without_news_are_dropped_at_start(void **state)
{
	(void)state;
	world_add(w, 1, 1, QUEUE_URGENT);
	world_add(w, 2, 1, QUEUE_URGENT);
	w->news[0].key = world_key(7); /* 1 has no news, 7 no push */
	world_restart(w, 0);
	assert_int_equal(w->push_count, 1);
	assert_non_null(world_row(w, 2));
	world_stored(w);
	assert_int_equal(world_phone(world_next(w)), 2);
	assert_null(world_next(w));
}

static void dropped_while_storing_nothing_is_left(void **state)
{
	(void)state;
	world_add(w, 1, 1, QUEUE_URGENT);
	world_drop(w, 1);
	assert_int_equal(w->last_parts, QUEUE_PUSH_DELETE | QUEUE_PHONE_DELETE);
	world_stored(w);
	assert_null(wait_for_push(100000, NULL));
	assert_int_equal(counts().news, 0);
}

static void dropped_while_waiting_nothing_is_left(void **state)
{
	(void)state;
	world_add(w, 1, 1, QUEUE_URGENT);
	world_stored(w);
	world_drop(w, 1);
	assert_int_equal(w->push_count + w->news_count, 0);
	assert_null(world_next(w));
	assert_int_equal(schedule_wake_ms(w->schedule, w->time.now_ms), INT64_MAX);
}

static void dropped_in_flight_the_verdict_changes_nothing(void **state)
{
	(void)state;
	for (int told = 0; told < 2; told++) {
		fly(1, 1);
		world_add(w, 1, 2, QUEUE_URGENT);
		world_drop(w, 1);
		assert_int_equal(w->push_count + w->news_count, 0);
		if (told)
			world_told(w, 1);
		else
			world_retry(w, 1, 0);
		assert_int_equal(w->last_parts, 0);
		assert_int_equal(w->push_count + w->news_count, 0);
		world_pass(w, 100000);
		assert_null(world_next(w));
	}
}

static void new_news_is_pushed_after_a_drop_in_flight_and_another_registration(void **state)
{
	(void)state;
	for (int told = 0; told < 2; told++) {
		fly(1, 1);
		world_drop(w, 1);
		world_add(w, 1, 2, QUEUE_URGENT);
		assert_int_equal(w->last_parts, QUEUE_PUSH_PUT | QUEUE_NEWS_PUT);
		if (told)
			world_told(w, 1);
		else
			world_retry(w, 1, 0);
		assert_null(world_next(w));
		world_stored(w);
		int64_t waited;
		const struct push *push = wait_for_push(10000, &waited);
		assert_int_equal(waited, MIN_INTERVAL);
		assert_int_equal(push->hash_count, 1);
		assert_true(world_carries(push, 2));
		world_told(w, 1);
		assert_int_equal(w->push_count + w->news_count, 0);
		world_pass(w, 100000);
	}
}

static void dropped_while_resting_only_its_phone_row_goes(void **state)
{
	(void)state;
	fly(1, 1);
	world_told(w, 1);
	world_drop(w, 1);
	assert_int_equal(w->last_parts, QUEUE_PHONE_DELETE);
	world_drop(w, 99);
	assert_int_equal(w->last_parts, QUEUE_PHONE_DELETE);
}

static void stopped_in_flight_the_verdict_stays_known_and_nothing_else(void **state)
{
	(void)state;
	fly(1, 1);
	world_add(w, 1, 2, QUEUE_URGENT);
	world_stop(w, 1);
	assert_int_equal(w->last_parts, QUEUE_PUSH_DELETE);
	assert_int_equal(w->push_count + w->news_count, 0);
	struct registry_key key = world_key(1);
	world_write(w, schedule_settled(w->schedule, &key, 400, "DeviceTokenNotForTopic", w->time));
	assert_int_equal(w->last_parts, QUEUE_PHONE);
	assert_int_equal(w->last.phone.last_push_ms, UNIX_MS);
	assert_int_equal(w->last.phone.last_status, 400);
	assert_string_equal(w->last.phone.last_reason, "DeviceTokenNotForTopic");
	world_stored(w);
	assert_null(wait_for_push(100000, NULL));
	world_stop(w, 1);
	assert_int_equal(w->last_parts, 0); /* nothing waits */
}

static void stopped_in_flight_and_registered_again_it_is_pushed_to(void **state)
{
	(void)state;
	fly(1, 1);
	world_stop(w, 1);
	world_add(w, 1, 3, QUEUE_URGENT);
	struct registry_key key = world_key(1);
	world_write(w, schedule_settled(w->schedule, &key, 400, "DeviceTokenNotForTopic", w->time));
	world_stored(w);
	const struct push *push = wait_for_push(10000, NULL);
	assert_non_null(push);
	assert_int_equal(push->hash_count, 1);
	assert_true(world_carries(push, 3));
}

static void stopped_while_it_waits_it_is_not_pushed_to(void **state)
{
	(void)state;
	world_add(w, 1, 1, QUEUE_URGENT);
	world_stored(w);
	world_stop(w, 1);
	assert_int_equal(w->last_parts, QUEUE_PUSH_DELETE);
	assert_null(wait_for_push(100000, NULL));
	assert_int_equal(counts().news, 0);
}

static void renewed_with_a_shorter_list_news_of_the_rest_is_dropped(void **state)
{
	(void)state;
	for (int is_stored = 0; is_stored < 2; is_stored++) {
		world_add(w, 1, 1, QUEUE_URGENT);
		world_add(w, 1, 2, QUEUE_URGENT);
		if (is_stored)
			world_stored(w);
		world_renew(w, 1, (const unsigned[]){2, 3}, 2);
		assert_int_equal(w->last_parts, QUEUE_PUSH_PUT | QUEUE_NEWS_DROP);
		assert_int_equal(world_news_of(w, 1), 1);
		world_stored(w);
		const struct push *push = world_next(w);
		assert_int_equal(push->hash_count, 1);
		assert_true(world_carries(push, 2));
		world_told(w, 1);
		world_pass(w, 100000);
	}
}

static void renewed_with_none_of_its_news_left_nothing_waits(void **state)
{
	(void)state;
	world_add(w, 1, 1, QUEUE_URGENT);
	world_renew(w, 1, (const unsigned[]){5}, 1);
	assert_int_equal(w->last_parts, QUEUE_PUSH_DELETE);
	world_stored(w);
	assert_null(wait_for_push(100000, NULL));
	assert_int_equal(w->push_count + w->news_count, 0);
	world_renew(w, 1, NULL, 0);
	assert_int_equal(w->last_parts, 0);
}

static void renewed_in_flight_the_flight_keeps_its_target_and_a_retry_drops_the_rest(void **state)
{
	(void)state;
	world_add(w, 1, 1, QUEUE_URGENT);
	world_add(w, 1, 2, QUEUE_URGENT);
	world_stored(w);
	const struct push *push = world_next(w);
	const struct push_target *before = push->target;
	world_renew(w, 1, (const unsigned[]){2}, 1);
	assert_ptr_equal(push->target, before);
	assert_string_equal(push->target->topic, TOPIC);
	assert_int_equal(push->hash_count, 2);
	assert_true(world_carries(push, 1));
	world_retry(w, 1, 0);
	push = world_next(w);
	assert_int_equal(push->hash_count, 1);
	assert_true(world_carries(push, 2));
	/* Now the last of it goes. */
	world_renew(w, 1, (const unsigned[]){3}, 1);
	assert_int_equal(w->push_count + w->news_count, 0);
	world_retry(w, 1, 0);
	assert_int_equal(w->last_parts, QUEUE_PHONE);
	assert_null(world_next(w));
}

static void doubt(unsigned phone, int64_t delay_ms)
{
	struct registry_key key = world_key(phone);
	world_write(w, schedule_doubt(w->schedule, &key, 410, "Unregistered", delay_ms, w->time));
	world_stored(w);
}

static void doubted_and_then_renewed_it_is_due_at_once(void **state)
{
	(void)state;
	fly(1, 1);
	doubt(1, 300000);
	world_pass(w, 1000);
	assert_null(world_next(w));
	world_renew(w, 1, (const unsigned[]){1}, 1);
	assert_int_equal(world_row(w, 1)->due_ms, w->time.unix_ms);
	assert_non_null(world_next(w));
}

static void doubted_before_a_restart_and_then_renewed_it_is_due_at_once(void **state)
{
	(void)state;
	fly(1, 1);
	doubt(1, 300000);
	fly(2, 1);
	world_retry(w, 2, 300000);
	world_restart(w, 1000);
	assert_null(world_next(w));
	world_renew(w, 1, (const unsigned[]){1}, 1);
	world_renew(w, 2, (const unsigned[]){1}, 1);
	assert_int_equal(world_row(w, 1)->due_ms, w->time.unix_ms);
	const struct push *push = world_next(w);
	assert_non_null(push);
	assert_int_equal(world_phone(push), 1);
	assert_null(world_next(w));
	/* That doubt is over. */
	world_retry(w, 1, 300000);
	world_restart(w, 1000);
	world_renew(w, 1, (const unsigned[]){1}, 1);
	assert_null(world_next(w));
}

static void renewed_in_flight_and_then_doubted_it_is_due_at_once(void **state)
{
	(void)state;
	fly(1, 1);
	world_renew(w, 1, (const unsigned[]){1}, 1);
	doubt(1, 300000);
	const struct push *push = world_next(w);
	assert_non_null(push);
	assert_false(push->is_renewed);
	/* But once for each renewal. */
	doubt(1, 300000);
	assert_null(world_next(w));
	world_pass(w, 300000);
	assert_non_null(world_next(w));
}

static void what_waits_for_another_reason_is_not_due_when_renewed(void **state)
{
	(void)state;
	fly(1, 1);
	world_retry(w, 1, 300000);
	world_renew(w, 1, (const unsigned[]){1}, 1);
	world_stored(w);
	assert_null(world_next(w));
	world_pass(w, 300000);
	/* A doubt that is over says nothing of what comes after it. */
	world_next(w);
	doubt(1, 1000);
	world_pass(w, 1000);
	world_next(w);
	world_retry(w, 1, 300000);
	world_renew(w, 1, (const unsigned[]){1}, 1);
	world_stored(w);
	assert_null(world_next(w));
}

static void doubted_after_its_registration_went_nothing_waits(void **state)
{
	(void)state;
	fly(1, 1);
	world_drop(w, 1);
	doubt(1, 300000);
	assert_int_equal(w->push_count + w->news_count, 0);
	assert_null(world_next(w));
}

/* Who sleeps, and what was deleted. */

static void sleep_on(unsigned phone)
{
	struct registry_key key = world_key(phone);
	world_write(w, schedule_suspend(w->schedule, &key, w->time));
}

static void wake_up(unsigned phone)
{
	struct registry_key key = world_key(phone);
	world_write(w, schedule_resume(w->schedule, &key, w->time));
}

static void lose(unsigned phone, unsigned mailbox)
{
	struct registry_key key = world_key(phone);
	char hash[MAILBOX_HASH_SIZE];
	world_hash(mailbox, hash);
	world_write(w, schedule_lose(w->schedule, &key, hash, w->time));
}

static const char *state_of(unsigned phone)
{
	struct registry_key key = world_key(phone);
	return schedule_state(w->schedule, &key, w->time.now_ms);
}

static void what_waits_for_a_sleeper_is_kept_until_he_wakes(void **state)
{
	(void)state;
	for (int is_stored = 0; is_stored < 2; is_stored++) {
		world_add(w, 1, 1, QUEUE_URGENT);
		if (is_stored)
			world_stored(w);
		sleep_on(1);
		assert_int_equal(w->last_parts, QUEUE_PUSH_MOVE);
		assert_int_equal(world_row(w, 1)->due_ms, QUEUE_DUE_SUSPENDED);
		world_stored(w);
		assert_string_equal(state_of(1), "suspended");
		world_pass(w, CLOCK_DAY_MS);
		assert_null(world_next(w));
		assert_int_equal(schedule_wake_ms(w->schedule, w->time.now_ms), INT64_MAX);
		/* Once more changes nothing. */
		sleep_on(1);
		assert_int_equal(w->last_parts, 0);
		wake_up(1);
		assert_true(world_row(w, 1)->due_ms <= w->time.unix_ms);
		wake_up(1);
		assert_int_equal(w->last_parts, 0);
		assert_int_equal(world_phone(world_next(w)), 1);
		world_told(w, 1);
		world_pass(w, MIN_INTERVAL);
	}
}

static void news_without_a_push_makes_no_job_at_the_start(void **state)
{
	(void)state;
	const struct registry_key key = world_key(1);
	const struct queue_news news = {.hash = "aa", .first_ms = UNIX_MS, .seq = 7};
	schedule_load_news(w->schedule, &key, &news);
	struct job_list jobs;
	job_list_init(&jobs);
	schedule_loaded(w->schedule, &jobs, w->time);
	assert_int_equal(jobs.count, 0);
	/* Its number is taken all the same. */
	assert_int_equal(schedule_next_seq(w->schedule), 8);
}

static void a_restart_keeps_a_sleeper_asleep(void **state)
{
	(void)state;
	world_add(w, 1, 1, QUEUE_URGENT);
	world_add(w, 2, 1, QUEUE_URGENT);
	sleep_on(1);
	world_restart(w, 100);
	world_stored(w);
	struct registry_key *suspended;
	assert_int_equal(schedule_suspended(w->schedule, &suspended), 1);
	struct registry_key key = world_key(1);
	assert_memory_equal(&suspended[0], &key, sizeof(key));
	free(suspended);
	assert_int_equal(world_phone(world_next(w)), 2);
	assert_null(world_next(w));
	assert_int_equal(world_row(w, 1)->due_ms, QUEUE_DUE_SUSPENDED);
	wake_up(1);
	assert_int_equal(world_phone(world_next(w)), 1);
}

static void news_and_a_renewal_wake_too(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		world_add(w, 1, 1, QUEUE_URGENT);
		world_stored(w);
		sleep_on(1);
		if (i)
			world_add(w, 1, 1, QUEUE_DEFERRED);
		else
			world_renew(w, 1, (const unsigned[]){1}, 1);
		assert_true(world_row(w, 1)->due_ms <= w->time.unix_ms);
		world_stored(w);
		assert_int_equal(world_phone(world_next(w)), 1);
		world_told(w, 1);
		world_pass(w, MIN_INTERVAL);
	}
}

static void asleep_in_flight_what_was_not_taken_waits(void **state)
{
	(void)state;
	fly(1, 1);
	sleep_on(1);
	assert_int_equal(world_row(w, 1)->due_ms, QUEUE_DUE_SUSPENDED);
	world_retry(w, 1, 0);
	assert_int_equal(world_row(w, 1)->due_ms, QUEUE_DUE_SUSPENDED);
	world_stored(w);
	assert_null(world_next(w));
	struct registry_key key = world_key(1);
	assert_null(schedule_hurry(w->schedule, &key, w->time));
	wake_up(1);
	assert_non_null(world_next(w));
}

static void asleep_in_flight_what_was_taken_is_over(void **state)
{
	(void)state;
	fly(1, 1);
	sleep_on(1);
	world_told(w, 1);
	assert_int_equal(w->push_count + w->news_count, 0);
	sleep_on(1);
	assert_int_equal(w->last_parts, 0);
	sleep_on(99);
	assert_int_equal(w->last_parts, 0);
}

static void news_of_a_deleted_mailbox_goes_and_other_news_stays(void **state)
{
	(void)state;
	world_add(w, 1, 1, QUEUE_URGENT);
	world_add(w, 1, 2, QUEUE_URGENT);
	world_stored(w);
	lose(1, 1);
	assert_int_equal(world_news_of(w, 1), 1);
	lose(1, 1);
	assert_int_equal(w->last_parts, 0);
	world_stored(w);
	const struct push *push = world_next(w);
	assert_int_equal(push->hash_count, 1);
	assert_true(world_carries(push, 2));
	world_told(w, 1);
	world_pass(w, MIN_INTERVAL);

	world_add(w, 1, 1, QUEUE_URGENT);
	world_stored(w);
	lose(1, 1);
	assert_int_equal(w->last_parts, QUEUE_PUSH_DELETE);
	assert_int_equal(w->push_count + w->news_count, 0);
	assert_null(wait_for_push(100000, NULL));
}

static void news_of_a_deleted_mailbox_is_not_repeated_after_a_flight(void **state)
{
	(void)state;
	world_add(w, 1, 1, QUEUE_URGENT);
	world_add(w, 1, 2, QUEUE_URGENT);
	world_stored(w);
	world_next(w);
	lose(1, 1);
	world_retry(w, 1, 0);
	const struct push *push = world_next(w);
	assert_int_equal(push->hash_count, 1);
	assert_true(world_carries(push, 2));
	lose(1, 2);
	assert_int_equal(w->push_count + w->news_count, 0);
	world_retry(w, 1, 0);
	assert_null(world_next(w));
}

static void renewed_on_another_topic_it_waits_for_that(void **state)
{
	(void)state;
	world_add(w, 1, 1, QUEUE_URGENT);
	world_stored(w);
	char hash[1][MAILBOX_HASH_SIZE];
	world_hash(1, hash[0]);
	world_write(w,
		schedule_renew(w->schedule, world_target(1, OTHER_TOPIC),
			(const char(*)[MAILBOX_HASH_SIZE])hash, 1, w->time));
	assert_string_equal(world_row(w, 1)->target->topic, OTHER_TOPIC);
	assert_null(world_next(w));
	size_t position = 0;
	assert_string_equal(
		schedule_next_topic(w->schedule, &position, w->time.now_ms), OTHER_TOPIC);
	assert_null(schedule_next_topic(w->schedule, &position, w->time.now_ms));
	const struct push *push = schedule_next(w->schedule, OTHER_TOPIC, w->time);
	assert_string_equal(push->target->topic, OTHER_TOPIC);
}

/* Phone 1 renews without mailbox 1; so many had news. */
static void renew_without_the_first(unsigned count)
{
	unsigned listed[2 * SCHEDULE_HASHES_MAX];
	for (unsigned mailbox = 2; mailbox <= count; mailbox++)
		listed[mailbox - 2] = mailbox;
	world_renew(w, 1, listed, count - 1);
}

static void lose_the_first(unsigned count)
{
	(void)count;
	lose(1, 1);
}

static void check_apns_id_without_the_first(
	void (*without_the_first)(unsigned), unsigned count, bool is_flying)
{
	bool is_another = count > SCHEDULE_HASHES_MAX;
	uint8_t apns_id[QUEUE_APNS_ID_SIZE];
	world_free(w);
	w = world_new(&(struct schedule_settings){MIN_INTERVAL, LATER_DELAY, 0, 0});
	for (unsigned mailbox = 1; mailbox <= count; mailbox++)
		world_add(w, 1, mailbox, QUEUE_URGENT);
	world_stored(w);
	memcpy(apns_id, world_next(w)->apns_id, sizeof(apns_id));
	if (is_flying)
		without_the_first(count);
	world_retry(w, 1, 0);
	if (!is_flying)
		without_the_first(count);
	/* The new apns-id is on disk before it leaves. */
	if (is_another) {
		world_pass(w, MIN_INTERVAL);
		assert_null(world_next(w));
	}
	world_stored(w);
	const struct push *push = world_next(w);
	assert_non_null(push);
	assert_int_equal(push->hash_count, count - 1);
	assert_true(world_carries(push, count));
	assert_int_equal(memcmp(push->apns_id, apns_id, sizeof(apns_id)) != 0, is_another);
}

static void another_set_without_those_that_went_has_another_apns_id(void **state)
{
	(void)state;
	for (unsigned count = SCHEDULE_HASHES_MAX; count <= SCHEDULE_HASHES_MAX + 1; count++)
		for (int is_flying = 0; is_flying <= 1; is_flying++) {
			check_apns_id_without_the_first(renew_without_the_first, count, is_flying);
			check_apns_id_without_the_first(lose_the_first, count, is_flying);
		}
}

static void renewed_while_resting_nothing_is_written(void **state)
{
	(void)state;
	fly(1, 1);
	world_told(w, 1);
	world_renew(w, 1, (const unsigned[]){1}, 1);
	assert_int_equal(w->last_parts, 0);
}

static void what_did_not_leave_does_not_count_against_the_rate(void **state)
{
	(void)state;
	world_free(w);
	w = world_new(&(struct schedule_settings){MIN_INTERVAL, LATER_DELAY, 1, 0});
	world_add(w, 1, 1, QUEUE_URGENT);
	world_add(w, 2, 1, QUEUE_URGENT);
	world_stored(w);
	for (unsigned i = 0; i < 3; i++) {
		const struct push *push = world_next(w);
		assert_non_null(push);
		put_back(world_phone(push));
	}
	assert_non_null(world_next(w));
	assert_null(world_next(w));
}

#define RATE 100

static void use_rate(void)
{
	world_free(w);
	w = world_new(&(struct schedule_settings){MIN_INTERVAL, 0, RATE});
}

static void the_rate_is_kept(void **state)
{
	(void)state;
	use_rate();
	for (unsigned phone = 0; phone < 600; phone++)
		world_add(w, phone, 1, phone < 300 ? QUEUE_DEFERRED : QUEUE_URGENT);
	world_stored(w);
	unsigned sent = 0;
	for (int64_t ms = 0; ms < 8000; ms++, world_pass(w, 1)) {
		for (const struct push *push; (push = world_next(w));) {
			sent++;
			world_told(w, world_phone(push));
		}
		assert_true(sent <= RATE * (ms + 50) / 1000 + 1);
		assert_true(sent == 600 || sent + 1 >= RATE * ms / 1000);
		if (sent < 600)
			assert_int_in_range(schedule_wake_ms(w->schedule, w->time.now_ms),
				w->time.now_ms + 1, w->time.now_ms + 10);
	}
	assert_int_equal(sent, 600);
}

/* How many of each urgency leave in ten seconds in which so many of each come. */
static void flood(const unsigned came[2], unsigned ret_sent[2])
{
	use_rate();
	ret_sent[QUEUE_URGENT] = ret_sent[QUEUE_DEFERRED] = 0;
	unsigned phone = 0;
	for (enum queue_urgency urgency = QUEUE_URGENT; urgency <= QUEUE_DEFERRED; urgency++) {
		for (unsigned i = 0; i < came[urgency]; i++)
			world_add(w, phone++, 1, urgency);
	}
	world_stored(w);
	for (int64_t ms = 0; ms < 10000; ms++, world_pass(w, 1)) {
		for (const struct push *push; (push = world_next(w));) {
			ret_sent[push->urgency]++;
			world_told(w, world_phone(push));
		}
	}
}

static void beside_a_flood_of_now_a_tenth_is_for_later(void **state)
{
	(void)state;
	unsigned sent[2];
	flood((const unsigned[2]){[QUEUE_URGENT] = 2000, [QUEUE_DEFERRED] = 500}, sent);
	assert_int_in_range(sent[QUEUE_DEFERRED], RATE - 1, RATE + 1);
	assert_int_in_range(sent[QUEUE_URGENT], 9 * RATE - 1, 9 * RATE + 6);
}

/* Else `later` would wait without end where room ends just at its turn. */
static void a_turn_of_later_that_did_not_leave_is_its_turn_again(void **state)
{
	(void)state;
	for (unsigned phone = 1; phone <= 30; phone++)
		world_add(w, phone, 1, phone == 30 ? QUEUE_DEFERRED : QUEUE_URGENT);
	world_pass(w, 2 * LATER_DELAY);
	world_stored(w);
	const struct push *push;
	do
		push = world_next(w);
	while (push->urgency == QUEUE_URGENT);
	for (unsigned i = 0; i < 3; i++) {
		put_back(30);
		push = world_next(w);
		assert_int_equal(world_phone(push), 30);
	}
}

static void what_later_does_not_use_is_for_now(void **state)
{
	(void)state;
	unsigned sent[2];
	flood((const unsigned[2]){[QUEUE_URGENT] = 2000, [QUEUE_DEFERRED] = 3}, sent);
	assert_int_equal(sent[QUEUE_DEFERRED], 3);
	assert_int_in_range(sent[QUEUE_URGENT], 10 * RATE - 4, 10 * RATE + 2);
}

static void what_now_does_not_use_is_for_later(void **state)
{
	(void)state;
	unsigned sent[2];
	flood((const unsigned[2]){[QUEUE_URGENT] = 3, [QUEUE_DEFERRED] = 2000}, sent);
	assert_int_equal(sent[QUEUE_URGENT], 3);
	assert_int_in_range(sent[QUEUE_DEFERRED], 10 * RATE - 4, 10 * RATE + 2);
}

static void now_goes_first_and_later_saves_up_one_turn_only(void **state)
{
	(void)state;
	for (unsigned phone = 0; phone < 30; phone++)
		world_add(w, phone, 1, QUEUE_URGENT);
	for (unsigned phone = 30; phone < 40; phone++)
		world_add(w, phone, 1, QUEUE_DEFERRED);
	world_stored(w);
	for (unsigned i = 0; i < 20; i++)
		assert_int_equal(world_next(w)->urgency, QUEUE_URGENT);
	world_pass(w, 2 * LATER_DELAY);
	for (unsigned i = 0; i < 11; i++)
		assert_int_equal(world_next(w)->urgency, i % 10 ? QUEUE_URGENT : QUEUE_DEFERRED);
}

/* When each of the phones from `first` on is pushed to, counted from now; all must be. */
static void fly_all(unsigned first, unsigned count, int64_t *ret_ms)
{
	unsigned sent = 0;
	for (int64_t ms = 0; sent < count; ms += 10, world_pass(w, 10)) {
		assert_true(ms <= 2 * LATER_DELAY);
		size_t position = 0;
		if (!schedule_next_topic(w->schedule, &position, w->time.now_ms))
			continue;
		for (const struct push *push; (push = world_next(w)); sent++) {
			ret_ms[world_phone(push) - first] = ms;
			world_told(w, world_phone(push));
		}
	}
}

static void after_an_outage_later_news_is_spread_and_now_is_not(void **state)
{
	(void)state;
	int64_t at_ms[400];
	unsigned early = 0;
	for (unsigned phone = 0; phone < 400; phone++)
		world_add(w, phone, 1, phone < 300 ? QUEUE_DEFERRED : QUEUE_URGENT);
	world_stored(w);
	world_pass(w, 60 * LATER_DELAY);
	fly_all(0, 400, at_ms);
	for (unsigned phone = 0; phone < 300; phone++)
		early += at_ms[phone] < LATER_DELAY / 2;
	assert_int_in_range(early, 100, 200);
	for (unsigned phone = 300; phone < 400; phone++)
		assert_int_equal(at_ms[phone], 0);
}

static void after_a_restart_later_news_is_spread_too(void **state)
{
	(void)state;
	int64_t at_ms[300];
	unsigned early = 0;
	for (unsigned phone = 0; phone < 300; phone++)
		world_add(w, phone, 1, QUEUE_DEFERRED);
	world_stored(w);
	world_restart(w, 60 * LATER_DELAY);
	fly_all(0, 300, at_ms);
	for (unsigned phone = 0; phone < 300; phone++)
		early += at_ms[phone] < LATER_DELAY / 2;
	assert_int_in_range(early, 100, 200);
}

static void what_is_spread_is_put_off_once_only(void **state)
{
	(void)state;
	world_add(w, 1, 1, QUEUE_DEFERRED);
	world_stored(w);
	world_pass(w, 60 * LATER_DELAY);
	assert_null(world_next(w));
	world_pass(w, 60 * LATER_DELAY);
	assert_non_null(world_next(w));
}

static void what_is_a_little_late_is_not_put_off(void **state)
{
	(void)state;
	world_add(w, 1, 1, QUEUE_DEFERRED);
	world_stored(w);
	world_pass(w, 2 * LATER_DELAY);
	assert_non_null(world_next(w));
}

/* A turn of the loop is bounded, and the next one goes on. */
static void spreading_many_takes_turns(void **state)
{
	(void)state;
	size_t position = 0;
	for (unsigned phone = 0; phone < 2500; phone++)
		world_add(w, phone, 1, QUEUE_DEFERRED);
	world_add(w, 3000, 1, QUEUE_URGENT);
	world_stored(w);
	world_pass(w, 60 * LATER_DELAY);
	assert_int_equal(world_phone(world_next(w)), 3000);
	for (int turn = 0; turn < 2; turn++) {
		position = 0;
		schedule_begin_turn(w->schedule);
		assert_string_equal(
			schedule_next_topic(w->schedule, &position, w->time.now_ms), TOPIC);
		assert_null(world_next(w));
		assert_int_equal(schedule_wake_ms(w->schedule, w->time.now_ms), w->time.now_ms);
	}
	position = 0;
	schedule_begin_turn(w->schedule);
	assert_non_null(schedule_next_topic(w->schedule, &position, w->time.now_ms));
	world_next(w);
	assert_true(schedule_wake_ms(w->schedule, w->time.now_ms) > w->time.now_ms);
}

static void a_walk_of_the_topics_leaves_the_turn_as_it_is(void **state)
{
	(void)state;
	for (unsigned phone = 0; phone < 2500; phone++)
		world_add(w, phone, 1, QUEUE_DEFERRED);
	world_stored(w);
	world_pass(w, 60 * LATER_DELAY);
	assert_null(world_next(w));
	assert_int_equal(schedule_wake_ms(w->schedule, w->time.now_ms), w->time.now_ms);
	size_t position = 0;
	assert_string_equal(schedule_next_topic(w->schedule, &position, w->time.now_ms), TOPIC);
	assert_null(schedule_next_topic(w->schedule, &position, w->time.now_ms));
	assert_int_equal(schedule_wake_ms(w->schedule, w->time.now_ms), w->time.now_ms);
}

static void each_turn_another_topic_is_walked_first(void **state)
{
	(void)state;
	world_add(w, 1, 1, QUEUE_URGENT);
	world_add(w, 2, 1, QUEUE_URGENT);
	char hash[1][MAILBOX_HASH_SIZE];
	world_hash(1, hash[0]);
	world_write(w,
		schedule_renew(w->schedule, world_target(1, OTHER_TOPIC),
			(const char(*)[MAILBOX_HASH_SIZE])hash, 1, w->time));
	world_stored(w);
	const char *before = "";
	for (int turn = 0; turn < 4; turn++) {
		schedule_begin_turn(w->schedule);
		for (int walk = 0; walk < 2; walk++) {
			size_t position = 0;
			const char *first =
				schedule_next_topic(w->schedule, &position, w->time.now_ms);
			if (walk)
				assert_ptr_equal(first, before);
			else
				assert_ptr_not_equal(first, before);
			before = first;
		}
	}
}

static void a_topic_has_something_due_or_not(void **state)
{
	(void)state;
	world_add(w, 1, 1, QUEUE_DEFERRED);
	world_stored(w);
	size_t position = 0;
	assert_null(schedule_next_topic(w->schedule, &position, w->time.now_ms));
	world_pass(w, 2 * LATER_DELAY);
	position = 0;
	assert_string_equal(schedule_next_topic(w->schedule, &position, w->time.now_ms), TOPIC);
	assert_null(schedule_next_topic(w->schedule, &position, w->time.now_ms));
}

static void a_topic_that_is_not_asked_for_wakes_nobody(void **state)
{
	(void)state;
	world_add(w, 1, 1, QUEUE_URGENT);
	world_stored(w);
	assert_int_equal(schedule_wake_ms(w->schedule, w->time.now_ms), INT64_MAX);
	world_add(w, 2, 1, QUEUE_DEFERRED);
	world_stored(w);
	assert_int_in_range(schedule_wake_ms(w->schedule, w->time.now_ms),
		w->time.now_ms + LATER_DELAY, w->time.now_ms + 2 * LATER_DELAY);
}

static void retries_back_off_with_full_jitter(void **state)
{
	(void)state;
	int64_t most[12] = {0};
	int64_t least[12];
	for (unsigned phone = 0; phone < 300; phone++) {
		fly(phone, 1);
		for (unsigned attempt = 0; attempt < 12; attempt++) {
			world_retry(w, phone, -1);
			int64_t delay = world_row(w, phone)->due_ms - w->time.unix_ms;
			if (delay > most[attempt])
				most[attempt] = delay;
			if (!phone || delay < least[attempt])
				least[attempt] = delay;
			world_pass(w, delay - 1);
			if (delay)
				assert_null(world_next(w));
			world_pass(w, 1);
			const struct push *push = world_next(w);
			assert_non_null(push);
			assert_int_equal(push->attempts, attempt + 1);
		}
		world_told(w, phone);
	}
	for (unsigned attempt = 0; attempt < 12; attempt++) {
		int64_t bound = SCHEDULE_RETRY_MIN_MS << attempt;
		if (bound > SCHEDULE_RETRY_MAX_MS)
			bound = SCHEDULE_RETRY_MAX_MS;
		assert_int_in_range(most[attempt], bound * 9 / 10, bound);
		assert_int_in_range(least[attempt], SCHEDULE_RETRY_MIN_MS / 2,
			SCHEDULE_RETRY_MIN_MS / 2 + bound / 10);
	}
}

static void new_mail_does_not_break_into_a_back_off(void **state)
{
	(void)state;
	fly(1, 1);
	world_retry(w, 1, 60000);
	world_pass(w, 5);
	world_add(w, 1, 2, QUEUE_URGENT);
	world_stored(w);
	int64_t waited;
	assert_int_equal(wait_for_push(100000, &waited)->hash_count, 2);
	assert_int_equal(waited, 60000 - 5);
}

static void a_clock_that_is_set_neither_ends_a_back_off_nor_prolongs_it(void **state)
{
	(void)state;
	const int64_t jumps[] = {3 * CLOCK_DAY_MS, -3 * CLOCK_DAY_MS};
	for (unsigned i = 0; i < 2; i++) {
		fly(i, 1);
		world_retry(w, i, 60000);
		world_pass(w, 5);
		w->time.unix_ms += jumps[i];
		int64_t waited;
		assert_int_equal(world_phone(wait_for_push(100000, &waited)), i);
		assert_int_equal(waited, 60000 - 5);
		world_retry(w, i, 60000);
		w->time.unix_ms += jumps[i];
		world_add(w, i, 2, QUEUE_URGENT);
		world_stored(w);
		assert_non_null(wait_for_push(100000, &waited));
		assert_int_equal(waited, 60000);
	}
}

static void new_mail_does_not_break_into_a_back_off_after_a_crash(void **state)
{
	(void)state;
	fly(1, 1);
	world_retry(w, 1, 60000);
	world_restart(w, 5);
	world_add(w, 1, 1, QUEUE_URGENT);
	world_add(w, 1, 2, QUEUE_URGENT);
	world_stored(w);
	int64_t waited;
	assert_int_equal(wait_for_push(100000, &waited)->hash_count, 2);
	assert_int_equal(waited, 60000 - 5);
}

static void a_back_off_goes_on_growing_after_a_crash(void **state)
{
	(void)state;
	int64_t most = 0;
	for (unsigned phone = 0; phone < 50; phone++) {
		fly(phone, 1);
		for (unsigned attempt = 0; attempt < 7; attempt++) {
			world_retry(w, phone, 0);
			assert_non_null(world_next(w));
		}
	}
	world_restart(w, 0);
	for (unsigned i = 0; i < 50; i++) {
		const struct push *push = wait_for_push(0, NULL);
		unsigned phone = world_phone(push);
		assert_int_equal(push->attempts, 7);
		world_retry(w, phone, -1);
		int64_t delay = world_row(w, phone)->due_ms - w->time.unix_ms;
		most = delay > most ? delay : most;
	}
	assert_int_in_range(most, (SCHEDULE_RETRY_MIN_MS << 7) / 2, SCHEDULE_RETRY_MIN_MS << 7);
}

static void what_waits_is_hurried(void **state)
{
	(void)state;
	world_add(w, 1, 1, QUEUE_DEFERRED);
	world_stored(w);
	assert_null(world_next(w));
	struct registry_key key = world_key(1);
	world_write(w, schedule_hurry(w->schedule, &key, w->time));
	assert_int_equal(w->last_parts, QUEUE_PUSH_MOVE);
	assert_int_equal(world_row(w, 1)->due_ms, w->time.unix_ms);
	assert_non_null(world_next(w));
}

static void a_retry_is_hurried_too(void **state)
{
	(void)state;
	fly(1, 1);
	world_retry(w, 1, 60000);
	assert_null(world_next(w));
	struct registry_key key = world_key(1);
	assert_string_equal(schedule_state(w->schedule, &key, w->time.now_ms), "waiting");
	world_write(w, schedule_hurry(w->schedule, &key, w->time));
	world_stored(w);
	assert_non_null(world_next(w));
	assert_string_equal(schedule_state(w->schedule, &key, w->time.now_ms), "flying");
}

static void what_was_hurried_is_not_held_back_by_more_news(void **state)
{
	(void)state;
	fly(1, 1);
	world_retry(w, 1, 60000);
	struct registry_key key = world_key(1);
	world_write(w, schedule_hurry(w->schedule, &key, w->time));
	world_add(w, 1, 2, QUEUE_URGENT);
	world_stored(w);
	int64_t waited;
	assert_int_equal(wait_for_push(100000, &waited)->hash_count, 2);
	assert_int_equal(waited, MIN_INTERVAL); /* as it is another than the one that failed */
}

static void what_flies_or_is_unknown_is_not_hurried(void **state)
{
	(void)state;
	fly(1, 1);
	struct registry_key flying = world_key(1);
	struct registry_key unknown = world_key(2);
	assert_null(schedule_hurry(w->schedule, &flying, w->time));
	assert_null(schedule_hurry(w->schedule, &unknown, w->time));
	assert_null(schedule_state(w->schedule, &unknown, w->time.now_ms));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_push_is_not_sent_before_it_is_stored),
		TEST(what_is_pushed_leaves_nothing_behind),
		TEST(a_user_with_a_limit_is_pushed_to_less_often_and_called_limited),
		TEST(each_row_has_a_number_of_its_own_also_after_a_restart),
		TEST(a_burst_of_100_is_one_push_at_once_and_one_after_the_interval),
		TEST(later_is_due_between_once_and_twice_its_delay),
		TEST(later_is_not_postponed_by_a_steady_stream),
		TEST(now_takes_later_along),
		TEST(a_mail_after_a_flag_in_the_same_mailbox_counts_from_the_mail),
		TEST(second_mail_within_the_interval_waits_for_its_end),
		TEST(the_same_again_makes_no_second_row),
		TEST(one_flight_at_a_time),
		TEST(news_during_a_flight_survives_its_success),
		TEST(what_a_flight_brought_is_settled_on_disk_before_the_next),
		TEST(a_push_that_did_not_leave_waits_as_before),
		TEST(a_repeated_push_that_did_not_leave_keeps_its_pause_and_its_id),
		TEST(more_than_one_flight_holds_is_put_back_whole),
		TEST(one_that_was_put_off_and_did_not_leave_is_not_put_off_again),
		TEST(what_did_not_leave_does_not_count_against_the_rate),
		TEST(a_start_with_something_to_tell_goes_on_as_verdicts_are_on_disk),
		TEST(each_start_begins_with_another_push),
		TEST(a_start_begins_with_what_is_urgent_or_not_by_chance),
		TEST(a_start_has_few_that_are_not_urgent_go_among_the_urgent),
		TEST(a_start_with_nothing_urgent_puts_off_all_that_is_overdue),
		TEST(each_start_begins_with_another_topic),
		TEST(a_plan_says_what_becomes_of_news),
		TEST(a_start_with_an_empty_queue_is_not_cautious),
		TEST(a_push_without_a_verdict_keeps_the_others_back_for_a_moment_only),
		TEST(pushes_without_any_verdict_keep_the_others_back_for_a_while_only),
		TEST(what_did_not_leave_or_was_not_processed_lets_no_more_leave),
		TEST(caution_ends_when_enough_is_settled),
		TEST(a_registration_that_goes_in_flight_counts_as_settled),
		TEST(later_news_during_a_flight_keeps_its_own_time),
		TEST(news_during_a_flight_survives_its_end_for_good),
		TEST(news_during_a_flight_joins_what_is_tried_again),
		TEST(urgent_news_stays_urgent_when_later_news_joins_its_failed_flight),
		TEST(a_flight_never_processed_is_repeated_without_a_job),
		TEST(the_apns_id_stays_over_resends_until_the_set_grows),
		TEST(another_push_after_a_failed_one_waits_for_the_interval),
		TEST(a_push_knows_since_when_it_has_failed_by_the_clock_that_nobody_sets),
		TEST(a_set_that_grew_in_flight_has_its_new_apns_id_on_disk_before_a_crash),
		TEST(more_than_100_hashes_go_in_flights_an_interval_apart),
		TEST(the_same_of_more_than_100_go_again_under_the_same_apns_id),
		TEST(after_a_crash_nothing_waits_longer_than_five_minutes),
		TEST(after_a_crash_due_times_that_cannot_be_are_due),
		TEST(after_a_crash_what_was_due_is_due_and_so_is_what_a_wrong_clock_put_off),
		TEST(after_a_crash_the_interval_is_kept),
		TEST(after_a_crash_the_apns_id_is_kept_and_seq_goes_on),
		TEST(rows_without_news_are_dropped_at_start),
		TEST(dropped_while_storing_nothing_is_left),
		TEST(dropped_while_waiting_nothing_is_left),
		TEST(dropped_in_flight_the_verdict_changes_nothing),
		TEST(new_news_is_pushed_after_a_drop_in_flight_and_another_registration),
		TEST(dropped_while_resting_only_its_phone_row_goes),
		TEST(stopped_in_flight_the_verdict_stays_known_and_nothing_else),
		TEST(stopped_in_flight_and_registered_again_it_is_pushed_to),
		TEST(stopped_while_it_waits_it_is_not_pushed_to),
		TEST(renewed_with_a_shorter_list_news_of_the_rest_is_dropped),
		TEST(renewed_with_none_of_its_news_left_nothing_waits),
		TEST(renewed_in_flight_the_flight_keeps_its_target_and_a_retry_drops_the_rest),
		TEST(doubted_and_then_renewed_it_is_due_at_once),
		TEST(doubted_before_a_restart_and_then_renewed_it_is_due_at_once),
		TEST(renewed_in_flight_and_then_doubted_it_is_due_at_once),
		TEST(what_waits_for_another_reason_is_not_due_when_renewed),
		TEST(doubted_after_its_registration_went_nothing_waits),
		TEST(what_waits_for_a_sleeper_is_kept_until_he_wakes),
		TEST(news_without_a_push_makes_no_job_at_the_start),
		TEST(a_restart_keeps_a_sleeper_asleep),
		TEST(news_and_a_renewal_wake_too),
		TEST(asleep_in_flight_what_was_not_taken_waits),
		TEST(asleep_in_flight_what_was_taken_is_over),
		TEST(news_of_a_deleted_mailbox_goes_and_other_news_stays),
		TEST(news_of_a_deleted_mailbox_is_not_repeated_after_a_flight),
		TEST(another_set_without_those_that_went_has_another_apns_id),
		TEST(renewed_on_another_topic_it_waits_for_that),
		TEST(renewed_while_resting_nothing_is_written),
		TEST(the_rate_is_kept),
		TEST(beside_a_flood_of_now_a_tenth_is_for_later),
		TEST(a_turn_of_later_that_did_not_leave_is_its_turn_again),
		TEST(what_later_does_not_use_is_for_now),
		TEST(what_now_does_not_use_is_for_later),
		TEST(now_goes_first_and_later_saves_up_one_turn_only),
		TEST(after_an_outage_later_news_is_spread_and_now_is_not),
		TEST(after_a_restart_later_news_is_spread_too),
		TEST(what_is_spread_is_put_off_once_only),
		TEST(what_is_a_little_late_is_not_put_off),
		TEST(spreading_many_takes_turns),
		TEST(a_walk_of_the_topics_leaves_the_turn_as_it_is),
		TEST(each_turn_another_topic_is_walked_first),
		TEST(a_topic_has_something_due_or_not),
		TEST(a_topic_that_is_not_asked_for_wakes_nobody),
		TEST(retries_back_off_with_full_jitter),
		TEST(new_mail_does_not_break_into_a_back_off),
		TEST(a_clock_that_is_set_neither_ends_a_back_off_nor_prolongs_it),
		TEST(new_mail_does_not_break_into_a_back_off_after_a_crash),
		TEST(a_back_off_goes_on_growing_after_a_crash),
		TEST(what_waits_is_hurried),
		TEST(a_retry_is_hurried_too),
		TEST(what_was_hurried_is_not_held_back_by_more_news),
		TEST(what_flies_or_is_unknown_is_not_hurried),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
