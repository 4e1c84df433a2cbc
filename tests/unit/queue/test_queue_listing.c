/* What people ask of the queue's file. */
#include "onfile.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void ask(struct store_file *file, unsigned parts, struct queue_reading *reading)
{
	struct queue_job *job = queue_job_new();
	job->parts = parts;
	job->seq = 1000;
	job->reading = reading;
	write_one(file, job);
}

static void put(struct store_file *file, unsigned phone, uint64_t seq, enum queue_urgency urgency)
{
	struct queue_job *job = make_job(phone, QUEUE_PUSH_PUT | QUEUE_NEWS_PUT, seq);
	with_news(job, "0123456789abcdef0123456789abcdef", urgency);
	job->due_ms = 5000 + phone;
	write_one(file, job);
}

static void what_waits_is_read_page_by_page(void **state)
{
	(void)state;
	struct store_file *file = open_file();
	for (unsigned phone = 1; phone <= 5; phone++)
		put(file, phone, phone, phone == 3 ? QUEUE_URGENT : QUEUE_DEFERRED);
	struct queue_reading reading = {.limit = 2};
	unsigned seen = 0;
	do {
		ask(file, QUEUE_READ_PAGE, &reading);
		for (size_t i = 0; i < reading.waiting_count; i++) {
			const struct queue_waiting *waiting = &reading.waiting[i];
			struct registry_key key = make_key(++seen);
			assert_memory_equal(&waiting->target->key, &key, sizeof(key));
			assert_int_equal(waiting->due_ms, 5000 + seen);
			assert_int_equal(waiting->hash_count, 1);
			assert_int_equal(waiting->first_ms, 1234);
			assert_int_equal(waiting->is_urgent, seen == 3);
			reading.after_row = waiting->row;
		}
	} while (reading.has_more);
	assert_int_equal(seen, 5);
	assert_int_equal(reading.waiting_count, 1);
	queue_reading_fini(&reading);
	store_file_close(file);
}

static void an_empty_queue_has_no_page_and_no_oldest(void **state)
{
	(void)state;
	struct store_file *file = open_file();
	struct queue_reading reading = {.limit = 10, .oldest_ms = 7};
	ask(file, QUEUE_READ_PAGE | QUEUE_READ_TOTALS, &reading);
	assert_int_equal(reading.waiting_count, 0);
	assert_false(reading.has_more);
	assert_int_equal(reading.oldest_ms, 0);
	assert_true(reading.bytes > 0);
	put(file, 1, 1, QUEUE_URGENT);
	ask(file, QUEUE_READ_TOTALS, &reading);
	assert_int_equal(reading.oldest_ms, 1234);
	store_file_close(file);
}

static void what_sleeps_is_not_the_oldest(void **state)
{
	(void)state;
	struct store_file *file = open_file();
	put(file, 1, 1, QUEUE_URGENT);
	struct queue_job *job = make_job(1, QUEUE_PUSH_MOVE, 2);
	job->due_ms = QUEUE_DUE_SUSPENDED;
	write_one(file, job);
	struct queue_reading reading = {.limit = 10, .oldest_ms = 7};
	ask(file, QUEUE_READ_TOTALS | QUEUE_READ_PAGE, &reading);
	assert_int_equal(reading.oldest_ms, 0);
	assert_int_equal(reading.waiting[0].due_ms, QUEUE_DUE_SUSPENDED);
	queue_reading_fini(&reading);
	store_file_close(file);
}

static void say(struct store_file *file, unsigned phone, uint64_t seq, int64_t push_ms, int status,
	int64_t event_ms)
{
	struct queue_job *job = make_job(phone, QUEUE_PHONE, seq);
	job->phone = (struct queue_phone){
		.last_push_ms = push_ms, .last_status = status, .last_event_ms = event_ms};
	write_one(file, job);
}

static void what_happened_last_is_known_before_it_is_written(void **state)
{
	(void)state;
	struct store_file *file = open_file();
	struct registry_key keys[] = {make_key(1), make_key(2), make_key(3)};
	struct queue_phone phones[3];
	struct queue_reading reading = {.keys = keys, .key_count = 3, .phones = phones};
	say(file, 1, 1, 100, 200, 90);
	struct err err;
	assert_int_equal(store_file_flush(file, &err), 0);
	say(file, 2, 2, 300, 410, 290);
	/* A failure leaves the time of the last push. */
	say(file, 1, 3, 0, 503, 95);
	ask(file, QUEUE_READ_PHONES, &reading);
	assert_int_equal(phones[0].last_push_ms, 100);
	assert_int_equal(phones[0].last_status, 503);
	assert_int_equal(phones[0].last_event_ms, 95);
	assert_int_equal(phones[1].last_push_ms, 300);
	assert_int_equal(phones[1].last_status, 410);
	assert_int_equal(phones[2].last_push_ms, 0);
	assert_int_equal(phones[2].last_status, 0);

	write_one(file, make_job(1, QUEUE_PHONE_DELETE, 4));
	ask(file, QUEUE_READ_PHONES, &reading);
	assert_int_equal(phones[0].last_push_ms, 0);
	assert_int_equal(phones[0].last_status, 0);
	store_file_close(file);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(what_waits_is_read_page_by_page),
		TEST(an_empty_queue_has_no_page_and_no_oldest),
		TEST(what_sleeps_is_not_the_oldest),
		TEST(what_happened_last_is_known_before_it_is_written),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
