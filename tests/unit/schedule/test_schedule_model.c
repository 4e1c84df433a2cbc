/*
 * Chance drives a schedule through everything that may happen to it, crashes and lost files among
 * it, next to a model that knows only what must be true: nothing is lost, nothing comes too soon,
 * nothing that is due stays, an apns-id never stands for more than it did, and the rows on disk are
 * what is untold.  QUEUE_SEED repeats a run.
 */
#include "world.h"

#include "base/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define PHONES 12
#define MAILBOXES 5
#define STEPS 60000
#define STARTS 1000
#define MIN_INTERVAL 2000
#define LATER_DELAY 9000
#define NEVER (-INT64_C(1000000000000))

struct phone {
	bool untold[MAILBOXES]; /* and in no flight */
	bool carried[MAILBOXES];
	bool is_flying;
	bool is_orphan;
	int64_t due_from_ms, due_to_ms; /* of what is untold */
	bool was_put_off;		/* as overdue, which may be once */
	int64_t not_before_ms;
	int64_t last_push_ms, sent_ms;
	uint8_t apns_id[QUEUE_APNS_ID_SIZE]; /* that flew last, and with what */
	bool apns_id_set[MAILBOXES];
};

static struct world *w;
static struct phone phones[PHONES];
static struct random dice;
static unsigned flights;

static unsigned roll(unsigned sides)
{
	return (unsigned)random_upto(&dice, (int64_t)sides - 1);
}

static bool has_untold(const struct phone *phone)
{
	for (unsigned i = 0; i < MAILBOXES; i++) {
		if (phone->untold[i])
			return true;
	}
	return false;
}

static bool has_carried(const struct phone *phone)
{
	for (unsigned i = 0; i < MAILBOXES; i++) {
		if (phone->carried[i])
			return true;
	}
	return false;
}

static int64_t earliest(const struct phone *phone, int64_t due_ms)
{
	if (due_ms < phone->last_push_ms + MIN_INTERVAL)
		due_ms = phone->last_push_ms + MIN_INTERVAL;
	return due_ms < phone->not_before_ms ? phone->not_before_ms : due_ms;
}

static void something_changes(unsigned at)
{
	struct phone *phone = &phones[at];
	unsigned mailbox = roll(MAILBOXES);
	enum queue_urgency urgency = roll(2) ? QUEUE_URGENT : QUEUE_DEFERRED;
	int64_t now_ms = w->time.now_ms;
	if (!has_untold(phone)) {
		phone->was_put_off = false;
		phone->due_from_ms = INT64_MAX;
		phone->due_to_ms = INT64_MAX;
		if (urgency == QUEUE_DEFERRED) {
			phone->due_from_ms = now_ms + LATER_DELAY;
			phone->due_to_ms = now_ms + 2 * LATER_DELAY;
		}
	}
	if (urgency == QUEUE_URGENT) {
		phone->due_from_ms = now_ms < phone->due_from_ms ? now_ms : phone->due_from_ms;
		phone->due_to_ms = now_ms < phone->due_to_ms ? now_ms : phone->due_to_ms;
	}
	phone->untold[mailbox] = true;
	world_add(w, at, mailbox, urgency);
}

static bool is_subset(const bool *part, const bool *whole)
{
	for (unsigned i = 0; i < MAILBOXES; i++) {
		if (part[i] && !whole[i])
			return false;
	}
	return true;
}

/* No room was left for it after all: nothing is as if it had been asked for. */
static bool is_put_back(const struct push *push)
{
	struct registry_key key = push->target->key;
	if (roll(4))
		return false;
	schedule_put_back(w->schedule, &key);
	return true;
}

static void take_off(const struct push *push)
{
	unsigned at = world_phone(push);
	struct phone *phone = &phones[at];
	assert_false(phone->is_flying);
	assert_true(has_untold(phone));
	assert_true(w->time.now_ms >= earliest(phone, phone->due_from_ms));
	for (unsigned i = 0; i < MAILBOXES; i++)
		assert_int_equal(world_carries(push, i), phone->untold[i]);
	/* What flies stands on disk, under this very id. */
	assert_memory_equal(push->apns_id, world_row(w, at)->apns_id, QUEUE_APNS_ID_SIZE);
	if (!memcmp(push->apns_id, phone->apns_id, QUEUE_APNS_ID_SIZE))
		assert_true(is_subset(phone->untold, phone->apns_id_set));
	else
		assert_true(w->time.now_ms >= phone->sent_ms + MIN_INTERVAL);
	memcpy(phone->apns_id, push->apns_id, QUEUE_APNS_ID_SIZE);
	memcpy(phone->apns_id_set, phone->untold, sizeof(phone->untold));
	memcpy(phone->carried, phone->untold, sizeof(phone->untold));
	memset(phone->untold, 0, sizeof(phone->untold));
	phone->is_flying = true;
	phone->is_orphan = false;
	phone->was_put_off = false;
	phone->not_before_ms = NEVER;
	phone->sent_ms = w->time.now_ms;
	flights++;
}

static void send_what_is_due(void)
{
	bool is_all_stored = roll(3);
	if (is_all_stored)
		world_stored(w);
	for (const struct push *push; (push = world_next(w));) {
		if (!is_put_back(push))
			take_off(push);
	}
	if (!is_all_stored)
		return;
	for (unsigned at = 0; at < PHONES; at++) {
		struct phone *phone = &phones[at];
		if (phone->is_flying || !has_untold(phone))
			continue;
		if (!phone->was_put_off && w->time.now_ms > phone->due_from_ms + LATER_DELAY) {
			phone->was_put_off = true;
			phone->due_to_ms = w->time.now_ms + LATER_DELAY + 1;
		}
		assert_true(w->time.now_ms < earliest(phone, phone->due_to_ms) ||
			w->time.now_ms < phone->sent_ms + MIN_INTERVAL);
	}
}

static void apple_answers(unsigned at)
{
	struct phone *phone = &phones[at];
	if (!phone->is_flying)
		return;
	phone->is_flying = false;
	if (roll(2)) {
		phone->last_push_ms = phone->sent_ms;
		memset(phone->carried, 0, sizeof(phone->carried));
		world_told(w, at);
		return;
	}
	int64_t delay_ms = roll(3) ? (int64_t)roll(5000) : 0;
	world_retry(w, at, delay_ms);
	if (phone->is_orphan)
		return;
	for (unsigned i = 0; i < MAILBOXES; i++)
		phone->untold[i] |= phone->carried[i];
	memset(phone->carried, 0, sizeof(phone->carried));
	phone->due_from_ms = phone->due_to_ms = phone->not_before_ms = w->time.now_ms + delay_ms;
	/* With nothing left of it there is nothing to be repeated. */
	if (!has_untold(phone))
		phone->not_before_ms = NEVER;
}

static void the_phone_renews(unsigned at)
{
	struct phone *phone = &phones[at];
	unsigned list[MAILBOXES];
	unsigned count = 0;
	for (unsigned i = 0; i < MAILBOXES; i++) {
		if (roll(3)) {
			list[count++] = i;
		} else {
			phone->untold[i] = false;
			phone->carried[i] = false;
		}
	}
	world_renew(w, at, list, count);
	if (!has_untold(phone) && !phone->is_flying)
		phone->not_before_ms = NEVER;
}

static void the_phone_goes(unsigned at)
{
	struct phone *phone = &phones[at];
	memset(phone->untold, 0, sizeof(phone->untold));
	memset(phone->carried, 0, sizeof(phone->carried));
	phone->is_orphan = phone->is_flying;
	phone->not_before_ms = NEVER;
	world_drop(w, at);
}

static void the_daemon_dies(void)
{
	world_restart(w, (int64_t)roll(20000));
	world_stored(w);
	for (unsigned at = 0; at < PHONES; at++) {
		struct phone *phone = &phones[at];
		for (unsigned i = 0; i < MAILBOXES; i++)
			phone->untold[i] |= phone->carried[i];
		memset(phone->carried, 0, sizeof(phone->carried));
		phone->is_flying = false;
		phone->not_before_ms = NEVER;
		phone->last_push_ms = phone->sent_ms = NEVER;
		const struct world_push *row = world_row(w, at);
		if (!row)
			continue;
		if (row->last_push_ms)
			phone->last_push_ms =
				w->time.now_ms - (w->time.unix_ms - row->last_push_ms);
		int64_t wait_ms = row->due_ms - w->time.unix_ms;
		phone->was_put_off = false;
		phone->due_from_ms = phone->due_to_ms = w->time.now_ms + wait_ms;
		if (row->attempts)
			phone->not_before_ms = phone->due_to_ms;
	}
}

static void rows_are_what_is_untold(void)
{
	struct schedule_counts counts;
	schedule_count(w->schedule, &counts);
	uint64_t news = 0;
	uint64_t flying = 0;
	for (unsigned at = 0; at < PHONES; at++) {
		struct phone *phone = &phones[at];
		uint64_t of_phone = 0;
		size_t rows = 0;
		for (unsigned i = 0; i < MAILBOXES; i++) {
			of_phone += (uint64_t)phone->untold[i] + phone->carried[i];
			rows += phone->untold[i] || phone->carried[i];
		}
		assert_int_equal(world_news_of(w, at), rows);
		assert_int_equal(world_row(w, at) != NULL, rows != 0);
		news += of_phone;
		flying += phone->is_flying;
	}
	assert_int_equal(counts.news, news);
	assert_int_equal(counts.flying, flying);
	assert_int_equal(
		schedule_pending(w->schedule), counts.storing + counts.waiting + counts.flying);
}

static void nothing_is_lost_and_nothing_comes_too_soon(void **state)
{
	(void)state;
	const char *given = getenv("QUEUE_SEED");
	uint64_t seed = given ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);
	print_message("QUEUE_SEED=%llu\n", (unsigned long long)seed);
	random_init(&dice, (const uint8_t *)(uint64_t[]){7, seed});
	w = world_new(&(struct schedule_settings){MIN_INTERVAL, LATER_DELAY, 0, 0});
	for (unsigned at = 0; at < PHONES; at++)
		phones[at].not_before_ms = phones[at].last_push_ms = phones[at].sent_ms = NEVER;
	for (unsigned step = 0; step < STEPS; step++) {
		unsigned at = roll(PHONES);
		switch (roll(10)) {
		case 0:
		case 1:
		case 2:
			something_changes(at);
			break;
		case 3:
		case 4:
			send_what_is_due();
			break;
		case 5:
		case 6:
			apple_answers(at);
			break;
		case 7:
			if (!roll(3))
				the_phone_renews(at);
			else if (!roll(3))
				the_phone_goes(at);
			else if (!roll(40))
				the_daemon_dies();
			break;
		default:
			world_pass(w, roll(900));
			break;
		}
		rows_are_what_is_untold();
	}
	assert_true(flights > STEPS / 100);

	/* At the end all of it arrives. */
	for (unsigned i = 0; i < 100; i++) {
		for (unsigned at = 0; at < PHONES; at++)
			apple_answers(at);
		world_pass(w, 2 * LATER_DELAY);
		world_stored(w);
		for (const struct push *push; (push = world_next(w));)
			take_off(push);
	}
	for (unsigned at = 0; at < PHONES; at++) {
		if (phones[at].is_flying) {
			memset(phones[at].carried, 0, sizeof(phones[at].carried));
			phones[at].is_flying = false;
			world_told(w, at);
		}
		assert_false(has_untold(&phones[at]) || has_carried(&phones[at]));
	}
	rows_are_what_is_untold();
	world_free(w);
}

/* Or another push of the phone might have an apns-id that flew before. */
static void no_start_draws_the_apns_ids_of_another(void **state)
{
	uint8_t apns_ids[STARTS][QUEUE_APNS_ID_SIZE];
	(void)state;
	w = world_new(&(struct schedule_settings){MIN_INTERVAL, LATER_DELAY, 0, 0});
	for (unsigned start = 0; start < STARTS; start++) {
		world_restart(w, 0);
		world_add(w, 1, 1, QUEUE_URGENT);
		memcpy(apns_ids[start], world_row(w, 1)->apns_id, QUEUE_APNS_ID_SIZE);
		for (unsigned i = 0; i < start; i++)
			assert_memory_not_equal(apns_ids[i], apns_ids[start], QUEUE_APNS_ID_SIZE);
		world_drop(w, 1);
	}
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_start_draws_the_apns_ids_of_another),
		cmocka_unit_test(nothing_is_lost_and_nothing_comes_too_soon),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
