/* What becomes of a batch whose transaction fails, or only seems to. */
#include "base/clock.h"
#include "base/mem.h"
#include "memory.h"
#include "registry/batch.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define NOW (INT64_C(20000) * CLOCK_DAY_MS)

struct world {
	struct registry_store *store;
	struct mail_event event;
	struct registry_subscription box;
	struct registry_job job;
	unsigned unanswered;
};

static struct world *world;

static void on_unanswered(void)
{
	world->unanswered++;
}

/* The job that `run` does, as often as it is called. */
static struct registry_job *make(struct world *w, enum registry_job_kind kind, int64_t received_ms)
{
	registry_job_fini(&w->job);
	w->job = (struct registry_job){
		.kind = kind,
		.received_ms = received_ms,
		.event = &w->event,
		.subscriptions = &w->box,
		.subscription_count = 1,
		.topic = "com.apple.mail.XServer.one",
	};
	return &w->job;
}

static int run(struct world *w, enum memory_failure failure)
{
	struct job_list batch;
	struct err err;
	job_list_init(&batch);
	w->job.job.next = NULL;
	job_list_append(&batch, &w->job.job);
	memory_fail(failure, on_unanswered);
	int failed = registry_store_run_at(w->store, &batch, w->job.received_ms, &err);
	memory_fail(MEMORY_WELL, NULL);
	return failed;
}

static int set_up(void **state)
{
	const struct registry_settings settings = {
		.site = "here",
		.registration_ttl_ms = 30 * CLOCK_DAY_MS,
		.deleted_user_grace_ms = 7 * CLOCK_DAY_MS,
		.registrations_per_user = 2,
	};
	struct registry_db *db = NULL;
	struct err err;
	struct world *w = mem_alloc_zero(1, sizeof(*w));
	assert_int_equal(memory_ops.open("rules", &settings, &db, &err), 0);
	w->store = registry_store_of(db, &settings);
	w->event.registration = (struct event_registration){
		.user = "alice",
		.token = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
		.account_id = "one",
		.subtopic = "com.apple.mobilemail",
		.aps_version = 2,
	};
	w->event.at[0] = (struct mailbox){.owner = "alice", .folder = ""};
	w->event.readings = 1;
	w->box = (struct registry_subscription){.name = "INBOX",
		.owner = "alice",
		.folder = "",
		.hash = "0123456789abcdef0123456789abcdef"};
	*state = world = w;
	/* A read of its own says who sleeps; from now on the batch alone can fail. */
	make(w, REGISTRY_NEWS, NOW - 1);
	return run(w, MEMORY_WELL);
}

static int tear_down(void **state)
{
	struct world *w = *state;
	registry_job_fini(&w->job);
	registry_store_close(w->store);
	memory_forget();
	free(w);
	return 0;
}

static struct registry_key key_of(const struct world *w, const char *account_id)
{
	const struct event_registration *sent = &w->event.registration;
	return registry_key_make("here", sent->user, sent->token, account_id, sent->subtopic);
}

static void what_a_failed_batch_did_is_undone(void **state)
{
	struct world *w = *state;
	struct registry_job *job = make(w, REGISTRY_REGISTER, NOW);
	assert_int_equal(run(w, MEMORY_NO_COMMIT), -EIO);
	assert_int_equal(job->status, -ECANCELED);
	assert_int_equal(job->match_count, 0);
	job = make(w, REGISTRY_NEWS, NOW + 1);
	assert_int_equal(run(w, MEMORY_WELL), 0);
	assert_int_equal(job->match_count, 0);
	job = make(w, REGISTRY_REGISTER, NOW + 2);
	assert_int_equal(run(w, MEMORY_WELL), 0);
	assert_true(job->is_new);
}

static void an_owner_whom_a_failed_batch_woke_is_woken_by_the_next(void **state)
{
	struct world *w = *state;
	make(w, REGISTRY_REGISTER, NOW);
	assert_int_equal(run(w, MEMORY_WELL), 0);
	make(w, REGISTRY_MAILBOX_DELETE, NOW + 1);
	assert_int_equal(run(w, MEMORY_WELL), 0);
	struct registry_job *job = make(w, REGISTRY_NEWS, NOW + 2);
	assert_int_equal(run(w, MEMORY_NO_COMMIT), -EIO);
	assert_int_equal(job->effect_count, 0);
	assert_int_equal(run(w, MEMORY_WELL), 0);
	assert_int_equal(job->effect_count, 1);
	assert_int_equal(job->effects[0].kind, REGISTRY_EFFECT_RESUMED);
	assert_int_equal(job->match_count, 1);
}

static void a_registration_whose_answer_was_lost_is_done_again(void **state)
{
	struct world *w = *state;
	struct registry_job *job = make(w, REGISTRY_REGISTER, NOW);
	assert_int_equal(run(w, MEMORY_NO_ANSWER), -EIO);
	assert_int_equal(w->unanswered, 1);
	assert_int_equal(job->status, -ECANCELED);
	assert_int_equal(run(w, MEMORY_WELL), 0);
	assert_false(job->is_new);
	assert_true(job->is_again);
	assert_int_equal(job->match_count, 1);
}

/* The one before it woke the owner, and that was all that this one would have said. */
static void what_news_whose_answer_was_lost_found_is_reported(void **state)
{
	struct world *w = *state;
	make(w, REGISTRY_REGISTER, NOW);
	assert_int_equal(run(w, MEMORY_WELL), 0);
	make(w, REGISTRY_MAILBOX_DELETE, NOW + 1);
	assert_int_equal(run(w, MEMORY_WELL), 0);
	struct registry_job *job = make(w, REGISTRY_NEWS, NOW + 2);
	assert_int_equal(run(w, MEMORY_NO_ANSWER), -EIO);
	assert_int_equal(job->match_count + job->effect_count, 0);
	assert_int_equal(run(w, MEMORY_NO_BEGIN), -EIO);
	assert_int_equal(run(w, MEMORY_WELL), 0);
	assert_int_equal(job->match_count, 1);
	assert_int_equal(job->matches[0].hash_count, 1);
	assert_string_equal(job->matches[0].hashes[0], "0123456789abcdef0123456789abcdef");
	assert_int_equal(job->effect_count, 1);
	assert_int_equal(job->effects[0].kind, REGISTRY_EFFECT_RESUMED);
}

/* Nothing was written, so that nothing of it can have happened. */
static void what_news_alone_found_without_an_answer_counts_no_more(void **state)
{
	struct world *w = *state;
	make(w, REGISTRY_REGISTER, NOW);
	assert_int_equal(run(w, MEMORY_WELL), 0);
	struct registry_job news = *make(w, REGISTRY_NEWS, NOW + 1);
	struct job_list batch;
	struct err err;
	job_list_init(&batch);
	job_list_append(&batch, &news.job);
	memory_fail(MEMORY_NO_ANSWER, on_unanswered);
	assert_int_equal(registry_store_run_at(w->store, &batch, NOW + 1, &err), -EIO);
	memory_fail(MEMORY_WELL, NULL);
	const struct registry_key key = key_of(w, "one");
	struct registry_job *removal = make(w, REGISTRY_REMOVE, NOW + 2);
	removal->keys = &key;
	removal->key_count = 1;
	assert_int_equal(run(w, MEMORY_WELL), 0);
	assert_int_equal(removal->gone_count, 1);
	assert_int_equal(registry_store_run_at(w->store, &batch, NOW + 3, &err), 0);
	assert_int_equal(news.match_count, 0);
	registry_job_fini(&news);
}

static int run_both(struct world *w, struct registry_job *first, struct registry_job *second,
	enum memory_failure f)
{
	struct job_list batch;
	struct err err;
	job_list_init(&batch);
	first->job.next = second->job.next = NULL;
	job_list_append(&batch, &first->job);
	job_list_append(&batch, &second->job);
	memory_fail(f, on_unanswered);
	int failed = registry_store_run_at(w->store, &batch, second->received_ms, &err);
	memory_fail(MEMORY_WELL, NULL);
	return failed;
}

/* Of the folder's old name, which nobody watches any more when the batch is done again. */
static void news_before_a_rename_whose_answer_was_lost_is_reported(void **state)
{
	struct world *w = *state;
	w->box = (struct registry_subscription){.name = "Notes",
		.owner = "alice",
		.folder = "Notes",
		.hash = "fedcba9876543210fedcba9876543210"};
	make(w, REGISTRY_REGISTER, NOW);
	assert_int_equal(run(w, MEMORY_WELL), 0);
	w->event.at[0] = (struct mailbox){.owner = "alice", .folder = "Notes"};
	struct registry_job *news = make(w, REGISTRY_NEWS, NOW + 1);
	struct mail_event renaming = {.from = {{.owner = "alice", .folder = "Notes"}},
		.at = {{.owner = "alice", .folder = "Letters"}},
		.readings = 1,
		.from_readings = 1};
	struct registry_job rename = {.kind = REGISTRY_MAILBOX_RENAME,
		.received_ms = NOW + 2,
		.event = &renaming,
		.separator = '/'};
	for (int i = 0; i < 2; i++)
		assert_int_equal(run_both(w, news, &rename, MEMORY_NO_ANSWER), -EIO);
	assert_int_equal(run_both(w, news, &rename, MEMORY_WELL), 0);
	assert_int_equal(news->match_count, 1);
	assert_string_equal(news->matches[0].hashes[0], "fedcba9876543210fedcba9876543210");
	registry_job_fini(&rename);
}

/* Two account ids of one phone, which are as many as a user may have. */
static void register_two(struct world *w)
{
	make(w, REGISTRY_REGISTER, NOW);
	assert_int_equal(run(w, MEMORY_WELL), 0);
	w->event.registration.account_id = "two";
	make(w, REGISTRY_REGISTER, NOW);
	assert_int_equal(run(w, MEMORY_WELL), 0);
}

/* The answer to its commit is lost twice: the second time there is nothing left to find. */
static void run_unanswered(struct world *w)
{
	assert_int_equal(run(w, MEMORY_NO_ANSWER), -EIO);
	assert_int_equal(run(w, MEMORY_NO_ANSWER), -EIO);
	assert_int_equal(run(w, MEMORY_WELL), 0);
}

static void what_a_removal_whose_answer_was_lost_removed_is_gone(void **state)
{
	struct world *w = *state;
	register_two(w);
	const struct registry_key keys[] = {key_of(w, "one"), key_of(w, "two")};
	struct registry_job *job = make(w, REGISTRY_REMOVE, NOW + 1);
	job->keys = keys;
	job->key_count = 2;
	run_unanswered(w);
	assert_int_equal(job->gone_count, 2);
}

static void a_user_whose_removal_had_no_answer_is_gone_with_all_registrations(void **state)
{
	struct world *w = *state;
	register_two(w);
	const struct registry_query query = {.user = "alice"};
	struct registry_job *job = make(w, REGISTRY_REMOVE_USER, NOW + 1);
	job->query = &query;
	run_unanswered(w);
	assert_int_equal(job->gone_count, 2);
}

/* That Apple's answer was about one of them says nothing about the other. */
static void all_of_a_token_that_was_forgotten_without_an_answer_are_gone(void **state)
{
	struct world *w = *state;
	register_two(w);
	struct registry_job *job = make(w, REGISTRY_FORGET, NOW + 1);
	job->token = w->event.registration.token;
	job->before_ms = NOW + 1;
	job->reason = "Unregistered";
	run_unanswered(w);
	assert_int_equal(job->gone_count, 2);
}

static void what_housekeeping_without_an_answer_removed_is_gone(void **state)
{
	struct world *w = *state;
	register_two(w);
	make(w, REGISTRY_MAILBOX_DELETE, NOW + 1);
	assert_int_equal(run(w, MEMORY_WELL), 0);
	/* It is the first, and so spares nobody. */
	struct registry_job *job = make(w, REGISTRY_TIDY, NOW + 8 * CLOCK_DAY_MS);
	run_unanswered(w);
	assert_int_equal(job->gone_count, 2);
}

static void how_far_the_clock_moved_is_said_by_housekeeping_without_an_answer(void **state)
{
	struct world *w = *state;
	make(w, REGISTRY_TIDY, NOW);
	assert_int_equal(run(w, MEMORY_WELL), 0);
	struct registry_job *job = make(w, REGISTRY_TIDY, NOW + 8 * CLOCK_DAY_MS);
	run_unanswered(w);
	assert_int_equal(job->moved_ms, 8 * CLOCK_DAY_MS);
}

/* The oldest goes for the newest, and all that were suspended are resumed. */
static void what_a_registration_without_an_answer_did_to_others_is_reported(void **state)
{
	struct world *w = *state;
	register_two(w);
	make(w, REGISTRY_MAILBOX_DELETE, NOW + 1);
	assert_int_equal(run(w, MEMORY_WELL), 0);
	w->event.registration.account_id = "three";
	struct registry_job *job = make(w, REGISTRY_REGISTER, NOW + 2);
	run_unanswered(w);
	assert_true(job->is_again);
	assert_int_equal(job->match_count, 1);
	assert_int_equal(job->gone_count, 1);
	assert_int_equal(job->effect_count, 2);
	for (int i = 0; i < 2; i++)
		assert_int_equal(job->effects[i].kind, REGISTRY_EFFECT_RESUMED);
}

static void an_import_without_an_answer_says_what_it_brought(void **state)
{
	struct world *w = *state;
	register_two(w);
	w->event.registration.account_id = "three";
	const struct registry_past past = {0};
	struct registry_job *job = make(w, REGISTRY_IMPORT, NOW + 1);
	job->past = &past;
	run_unanswered(w);
	assert_int_equal(job->imported, REGISTRY_IMPORTED_NEW);
	assert_int_equal(job->match_count, 1);
	assert_int_equal(job->gone_count, 1);
	job->received_ms = NOW + 2;
	run_unanswered(w);
	assert_int_equal(job->imported, REGISTRY_IMPORTED_RENEWED);
	assert_int_equal(job->match_count, 1);
}

/* Somebody removed it between the two attempts: what counts is what stands in the end. */
static void an_import_that_another_undid_says_what_it_brought_last(void **state)
{
	struct world *w = *state;
	const struct registry_past past = {0};
	const struct registry_key key = key_of(w, "one");
	struct registry_job removal = {
		.kind = REGISTRY_REMOVE, .received_ms = NOW + 1, .keys = &key, .key_count = 1};
	struct registry_job *job = make(w, REGISTRY_IMPORT, NOW + 1);
	job->past = &past;
	assert_int_equal(run(w, MEMORY_NO_ANSWER), -EIO);
	assert_int_equal(run_both(w, &removal, job, MEMORY_WELL), 0);
	assert_int_equal(removal.gone_count, 1);
	assert_int_equal(job->imported, REGISTRY_IMPORTED_NEW);
	assert_int_equal(job->match_count, 1);
	registry_job_fini(&removal);
}

/* Nothing was lost: each is told once. */
static void what_a_repeated_batch_finds_again_is_reported_once(void **state)
{
	struct world *w = *state;
	make(w, REGISTRY_REGISTER, NOW);
	assert_int_equal(run(w, MEMORY_WELL), 0);
	struct registry_job *job = make(w, REGISTRY_NEWS, NOW + 1);
	for (int i = 0; i < 3; i++)
		assert_int_equal(run(w, MEMORY_NO_COMMIT), -EIO);
	assert_int_equal(run(w, MEMORY_WELL), 0);
	assert_int_equal(job->match_count, 1);
	const struct registry_key key = key_of(w, "one");
	job = make(w, REGISTRY_REMOVE, NOW + 2);
	job->keys = &key;
	job->key_count = 1;
	for (int i = 0; i < 3; i++)
		assert_int_equal(run(w, MEMORY_NO_COMMIT), -EIO);
	assert_int_equal(run(w, MEMORY_WELL), 0);
	assert_int_equal(job->gone_count, 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(what_a_failed_batch_did_is_undone),
		TEST(an_owner_whom_a_failed_batch_woke_is_woken_by_the_next),
		TEST(a_registration_whose_answer_was_lost_is_done_again),
		TEST(what_news_whose_answer_was_lost_found_is_reported),
		TEST(what_news_alone_found_without_an_answer_counts_no_more),
		TEST(news_before_a_rename_whose_answer_was_lost_is_reported),
		TEST(what_a_removal_whose_answer_was_lost_removed_is_gone),
		TEST(a_user_whose_removal_had_no_answer_is_gone_with_all_registrations),
		TEST(all_of_a_token_that_was_forgotten_without_an_answer_are_gone),
		TEST(what_housekeeping_without_an_answer_removed_is_gone),
		TEST(how_far_the_clock_moved_is_said_by_housekeeping_without_an_answer),
		TEST(what_a_registration_without_an_answer_did_to_others_is_reported),
		TEST(an_import_without_an_answer_says_what_it_brought),
		TEST(an_import_that_another_undid_says_what_it_brought_last),
		TEST(what_a_repeated_batch_finds_again_is_reported_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
