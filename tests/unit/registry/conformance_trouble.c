/*
 * What a database does when something goes wrong in the middle: a node that goes, two that write, a
 * lock that is not given, a connection that is cut, a commit without an answer.
 *
 * The connection is that of the driver's own sockets, which are shut down under it; a database
 * without a connection is said to have failed at the same place.
 */
#include "conformance.h"

#include "driver/failure.h"
#include "registry/batch.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/stat.h>

#define SHORT_MS 1000
#define FDS 1024

/* Those that were open before the driver opened its own. */
static bool is_others[FDS];

static bool is_socket(int fd)
{
	struct stat status;
	return fstat(fd, &status) == 0 && S_ISSOCK(status.st_mode);
}

static void note_sockets(void)
{
	for (int fd = 0; fd < FDS; fd++)
		is_others[fd] = is_socket(fd);
}

/* Returns whether the driver has one. */
static bool shut_down(int how)
{
	bool is_any = false;
	for (int fd = 0; fd < FDS; fd++)
		is_any |= !is_others[fd] && is_socket(fd) && shutdown(fd, how) == 0;
	return is_any;
}

static int put(struct world *w, struct registry_db *db, const char *user, int64_t renewed_ms)
{
	struct err err;
	const struct registry_row row = {
		.key = registry_key_make(w->site, user, TOKEN_A, "account", "mail"),
		.user = user,
		.token = TOKEN_A,
		.account_id = "account",
		.topic = TOPIC,
		.subtopic = "mail",
		.renewed_ms = renewed_ms,
	};
	return db->ops->put(db, &row, 1, &err);
}

static int begin(struct registry_db *db, enum registry_access access)
{
	struct err err = {"no text"};
	return db->ops->begin(db, access, &err);
}

static int commit(struct registry_db *db)
{
	struct err err = {"no text"};
	return db->ops->commit(db, &err);
}

static void on_row(void *ctx, size_t index, const struct registry_row *row)
{
	int64_t *renewed_ms = ctx;
	(void)index;
	*renewed_ms = row->renewed_ms;
}

/* When that user's phone was renewed; 0: there is none. */
static int load(struct registry_db *db, const char *user, int64_t *ret_renewed_ms)
{
	struct err err = {"no text"};
	*ret_renewed_ms = 0;
	return db->ops->load_users(db, &user, 1, on_row, ret_renewed_ms, &err);
}

static int64_t renewed(struct registry_db *db, const char *user)
{
	int64_t renewed_ms;
	assert_int_equal(begin(db, REGISTRY_READS), 0);
	assert_int_equal(load(db, user, &renewed_ms), 0);
	assert_int_equal(commit(db), 0);
	return renewed_ms;
}

static int try_put(struct world *w, struct registry_db *db, const char *user, int64_t renewed_ms)
{
	int64_t known_ms;
	int failed = begin(db, REGISTRY_WRITES);
	if (!failed)
		failed = load(db, user, &known_ms);
	if (!failed)
		failed = put(w, db, user, renewed_ms);
	if (!failed)
		failed = commit(db);
	if (failed)
		db->ops->rollback(db);
	return failed;
}

static void check_is_repeated(int failed)
{
	enum failure failure = failure_of(failed);
	assert_true(failure == FAILURE_CONFLICT || failure == FAILURE_AWAY);
}

/* As the registry does, for as long as that is the answer. */
static void put_in_the_end(
	struct world *w, struct registry_db *db, const char *user, int64_t renewed_ms)
{
	for (int failed; (failed = try_put(w, db, user, renewed_ms));)
		check_is_repeated(failed);
}

static void a_rollback_leaves_nothing(void **state)
{
	struct world *w = *state;
	struct registry_db *one = open_db(w, PATIENT_MS);
	struct registry_db *other = open_db(w, PATIENT_MS);
	int64_t renewed_ms;
	assert_int_equal(begin(one, REGISTRY_WRITES), 0);
	assert_int_equal(put(w, one, "alice", NOW), 0);
	assert_int_equal(load(one, "alice", &renewed_ms), 0);
	assert_int_equal(renewed_ms, NOW);
	one->ops->rollback(one);
	assert_int_equal(renewed(other, "alice"), 0);
	put_in_the_end(w, one, "alice", NOW + 1);
	assert_int_equal(renewed(other, "alice"), NOW + 1);
	one->ops->close(one);
	other->ops->close(other);
}

static void a_node_that_goes_in_the_middle_leaves_nothing(void **state)
{
	struct world *w = *state;
	struct registry_db *one = open_db(w, PATIENT_MS);
	struct registry_db *other = open_db(w, PATIENT_MS);
	assert_int_equal(begin(one, REGISTRY_WRITES), 0);
	assert_int_equal(put(w, one, "alice", NOW), 0);
	one->ops->close(one);
	put_in_the_end(w, other, "bob", NOW);
	assert_int_equal(renewed(other, "alice"), 0);
	assert_int_equal(renewed(other, "bob"), NOW);
	other->ops->close(other);
}

/* The other one waits for the first, which goes on only when that has given up. */
static void one_of_two_writers_gives_up_in_time_and_is_done_again(void **state)
{
	struct world *w = *state;
	struct registry_db *one = open_db(w, PATIENT_MS);
	struct registry_db *other = open_db(w, SHORT_MS);
	int64_t renewed_ms;
	put_in_the_end(w, one, "alice", NOW);
	assert_int_equal(begin(one, REGISTRY_WRITES), 0);
	assert_int_equal(put(w, one, "alice", NOW + 1), 0);
	/* A driver may send it only with the next question. */
	assert_int_equal(load(one, "alice", &renewed_ms), 0);
	int failed = try_put(w, other, "alice", NOW + 2);
	assert_int_not_equal(failed, 0);
	check_is_repeated(failed);
	assert_int_equal(commit(one), 0);
	put_in_the_end(w, other, "alice", NOW + 2);
	assert_int_equal(renewed(one, "alice"), NOW + 2);
	one->ops->close(one);
	other->ops->close(other);
}

static void a_connection_that_is_cut_in_the_middle_leaves_nothing_and_is_made_again(void **state)
{
	struct world *w = *state;
	struct registry_db *other = open_db(w, PATIENT_MS);
	assert_int_equal(renewed(other, "alice"), 0);
	note_sockets();
	struct registry_db *one = open_db(w, PATIENT_MS);
	int64_t renewed_ms;
	assert_int_equal(begin(one, REGISTRY_WRITES), 0);
	assert_int_equal(put(w, one, "alice", NOW), 0);
	assert_int_equal(load(one, "alice", &renewed_ms), 0);
	if (shut_down(SHUT_RDWR))
		assert_int_equal(failure_of(commit(one)), FAILURE_AWAY);
	one->ops->rollback(one);
	assert_int_equal(renewed(other, "alice"), 0);
	put_in_the_end(w, one, "alice", NOW + 1);
	assert_int_equal(renewed(other, "alice"), NOW + 1);
	one->ops->close(one);
	other->ops->close(other);
}

static const struct registry_ops *real;
static bool is_answer_lost;

/* It is sent, and its answer never read. */
static int commit_unanswered(struct registry_db *db, struct err *err)
{
	bool is_cut = is_answer_lost && shut_down(SHUT_RD);
	int failed = real->commit(db, err);
	if (!is_answer_lost || failed)
		return failed;
	assert_false(is_cut);
	return err_set(err, -EIO, "the answer is lost");
}

static void a_commit_without_an_answer_is_done_again_in_peace(void **state)
{
	struct world *w = *state;
	struct err err = {"no text"};
	note_sockets();
	struct registry_db *db = open_db(w, PATIENT_MS);
	real = db->ops;
	struct registry_ops losing = *real;
	losing.commit = commit_unanswered;
	db->ops = &losing;
	struct registry_store *ours = mem_steal(w->store);
	w->store = registry_store_of(db, &w->settings);
	struct registry_job *job = phone(w, NOW, "alice", TOKEN_A, "one", INBOX_OF("alice"));
	verdict_on(w, REGISTRY_FORGET, "alice", TOKEN_A, "two", NOW);
	is_answer_lost = true;
	int failed = registry_store_run_at(w->store, &w->batch, w->now_ms, &err);
	is_answer_lost = false;
	assert_int_equal(failure_of(failed), FAILURE_AWAY);
	assert_int_equal(job->status, -ECANCELED);
	/* The server may still be at that commit. */
	while ((failed = registry_store_run_at(w->store, &w->batch, w->now_ms, &err)))
		check_is_repeated(failed);
	assert_int_equal(job->status, 0);
	assert_int_equal(job->match_count, 1);
	job_list_init(&w->batch);
	assert_true(is_told(w, NOW + 1, "alice", "", "one"));
	registry_store_close(w->store);
	w->store = ours;
	assert_true(is_told(w, NOW + 2, "alice", "", "one"));
}

static bool is_commit_refused;

static int commit_in_doubt(struct registry_db *db, struct err *err)
{
	return is_commit_refused ? err_set(err, -EIO, "no answer, and not done")
				 : real->commit(db, err);
}

/*
 * The batch is done by a node whose commit has no answer, as it was none; and again when alice's
 * first phone has renewed by another one.
 */
static void do_in_doubt_and_again(struct world *w, int64_t renewed_ms)
{
	struct err err = {"no text"};
	struct registry_db *db = open_db(w, PATIENT_MS);
	real = db->ops;
	struct registry_ops doubtful = *real;
	doubtful.commit = commit_in_doubt;
	db->ops = &doubtful;
	struct registry_store *here = registry_store_of(db, &w->settings);
	struct job_list batch;
	job_list_init(&batch);
	job_list_move(&batch, &w->batch);
	is_commit_refused = true;
	int failed = registry_store_run_at(here, &batch, w->now_ms, &err);
	is_commit_refused = false;
	assert_int_equal(failed, -EIO);
	phone(w, renewed_ms, "alice", TOKEN_A, "one", INBOX_OF("alice"));
	run(w);
	while ((failed = registry_store_run_at(here, &batch, w->now_ms, &err)))
		check_is_repeated(failed);
	registry_store_close(here);
}

static void register_three(struct world *w)
{
	phone(w, NOW, "alice", TOKEN_A, "one", INBOX_OF("alice"));
	phone(w, NOW + 1, "alice", TOKEN_B, "two", INBOX_OF("alice"));
	phone(w, NOW + 2, "bob", TOKEN_A, "three", INBOX_OF("bob"));
	run(w);
}

static void spares_what_renews(struct world *w, enum registry_job_kind kind)
{
	register_three(w);
	struct registry_job *job = verdict(w, kind, TOKEN_A, TOPIC, NOW + 5);
	do_in_doubt_and_again(w, NOW + 10);
	assert_int_equal(job->gone_count, 1);
	assert_true(is_gone(w, job, "bob", TOKEN_A, "three"));
	assert_true(is_told(w, NOW + 11, "alice", "", "one"));
}

static void what_renews_after_a_forgetting_in_doubt_is_not_gone(void **state)
{
	spares_what_renews(*state, REGISTRY_FORGET);
}

static void what_renews_after_a_stop_in_doubt_is_not_stopped(void **state)
{
	spares_what_renews(*state, REGISTRY_STOP);
}

static void what_renews_after_an_eviction_in_doubt_is_not_gone(void **state)
{
	struct world *w = *state;
	register_three(w);
	phone(w, NOW + 3, "alice", TOKEN_B, "four", INBOX_OF("alice"));
	run(w);
	phone(w, NOW + 4, "alice", TOKEN_B, "five", INBOX_OF("alice"));
	run(w);
	struct registry_job *job = phone(w, NOW + 5, "alice", TOKEN_B, "six", INBOX_OF("alice"));
	do_in_doubt_and_again(w, NOW + 10);
	assert_int_equal(job->gone_count, 1);
	assert_true(is_gone(w, job, "alice", TOKEN_B, "two"));
	assert_true(is_told(w, NOW + 11, "alice", "", "one"));
}

int conformance_trouble(void)
{
	const struct CMUnitTest rules[] = {
		RULE(a_rollback_leaves_nothing),
		RULE(a_node_that_goes_in_the_middle_leaves_nothing),
		RULE(one_of_two_writers_gives_up_in_time_and_is_done_again),
		RULE(a_connection_that_is_cut_in_the_middle_leaves_nothing_and_is_made_again),
		RULE(a_commit_without_an_answer_is_done_again_in_peace),
		RULE(what_renews_after_a_forgetting_in_doubt_is_not_gone),
		RULE(what_renews_after_a_stop_in_doubt_is_not_stopped),
		RULE(what_renews_after_an_eviction_in_doubt_is_not_gone),
	};
	return cmocka_run_group_tests_name("trouble", rules, NULL, NULL);
}
