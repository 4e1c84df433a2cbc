#include "threads.h"

#include "../registry/memory.h"
#include "base/clock.h"
#include "base/mem.h"
#include "dice.h"
#include "disk.h"
#include "driver/failure.h"
#include "flow/registry_watch.h"
#include "judge/judge.h"
#include "judge/model.h"
#include "life.h"
#include "registry/batch.h"
#include "trace/trace.h"
#include "virtual.h"
#include "weather.h"

#include <assert.h>
#include <errno.h>

struct worker {
	struct job_list waiting;
	struct job_list running;
	uint64_t submitted;
	uint64_t batch; /* the number of the running batch; grows */
	bool is_again;	/* it was committed, but reported as failed */
};

struct registry {
	struct worker worker;
	struct registry_store *store;
	bool is_held;
	registry_refused_fn *refused;
	void *ctx;
};

struct store {
	struct worker worker;
	struct store_loader loader;
	struct store_callbacks callbacks;
	void *ctx;
	bool is_loaded;
};

static struct registry registry;
static struct store store;
static bool is_crash;
static uint64_t failed_count, unanswered_count, refused_count;

static struct registry_job *registry_job(struct job *job)
{
	return MEM_CONTAINER(job, struct registry_job, job);
}

static struct queue_job *queue_job(struct job *job)
{
	return MEM_CONTAINER(job, struct queue_job, job);
}

static void worker_start(struct worker *worker)
{
	job_list_init(&worker->waiting);
	job_list_init(&worker->running);
	worker->submitted = 0;
	worker->is_again = false;
}

void worker_submit(struct worker *worker, struct job *job)
{
	job_list_append(&worker->waiting, job);
	worker->submitted++;
}

uint64_t worker_submitted(const struct worker *worker)
{
	return worker->submitted;
}

size_t worker_waiting(const struct worker *worker)
{
	return worker->waiting.count;
}

size_t worker_running(const struct worker *worker)
{
	return worker->running.count;
}

void registry_submit(struct registry *to, struct registry_job *job)
{
	job->status = -ECANCELED;
	worker_submit(&to->worker, &job->job);
}

struct worker *registry_worker(struct registry *of)
{
	return &of->worker;
}

uint64_t registry_submitted(const struct registry *of)
{
	return worker_submitted(&of->worker);
}

size_t registry_waiting(const struct registry *of)
{
	return worker_waiting(&of->worker);
}

/* There is no thread that could hang. */
struct registry_watch *registry_watch_new(uv_loop_t *loop, struct registry *of, int64_t timeout_ms)
{
	(void)loop, (void)of, (void)timeout_ms;
	return NULL;
}

void registry_watch_free(struct registry_watch *watch)
{
	(void)watch;
}

void registry_watch_trouble(struct registry_watch *watch, const char *text)
{
	(void)watch, (void)text;
}

void store_submit(struct store *to, struct queue_job *job)
{
	job->status = -ECANCELED;
	worker_submit(&to->worker, &job->job);
}

/* How long batches of the absent thread took. */
const struct histogram *worker_histogram(const struct worker *worker)
{
	(void)worker;
	return NULL;
}

/* There is no trace. */
void trace_put(struct trace *trace, const struct trace_entry *entry, enum trace_weight weight)
{
	(void)trace;
	(void)entry;
	(void)weight;
}

bool trace_knows(const struct trace *trace, const char *user)
{
	(void)trace;
	(void)user;
	return false;
}

int registry_new(uv_loop_t *loop, const struct registry_settings *settings,
	registry_trouble_fn *trouble, registry_refused_fn *refused, void *ctx,
	struct registry **ret, struct err *err)
{
	(void)loop;
	(void)trouble;
	registry.refused = refused;
	registry.ctx = ctx;
	struct registry_db *db = NULL;
	int failed = memory_ops.open("simulation", settings, &db, err);
	assert(!failed);
	registry.store = registry_store_of(db, settings);
	judge_registry_opened(settings->started_ms);
	worker_start(&registry.worker);
	is_crash = false;
	*ret = &registry;
	return 0;
}

void registry_set_limits(struct registry *of, int64_t registration_ttl_ms,
	int64_t deleted_user_grace_ms, unsigned registrations_per_user)
{
	registry_store_set_limits(
		of->store, registration_ttl_ms, deleted_user_grace_ms, registrations_per_user);
}

void registry_hold(struct registry *of, enum registry_holder holder)
{
	(void)holder;
	of->is_held = true;
}

void registry_release(struct registry *of, enum registry_holder holder)
{
	(void)holder;
	of->is_held = false;
}

bool registry_owes_answers(const struct registry *of)
{
	return worker_running(&of->worker);
}

int store_new(uv_loop_t *loop, const char *path, const struct store_loader *loader,
	const struct store_callbacks *callbacks, void *ctx, struct store **ret, struct err *err)
{
	(void)loop;
	(void)path;
	(void)err;
	store.loader = *loader;
	store.callbacks = *callbacks;
	store.ctx = ctx;
	store.is_loaded = false;
	worker_start(&store.worker);
	*ret = &store;
	return 0;
}

int store_load(struct store *of, struct err *err)
{
	(void)err;
	disk_load(&of->loader, of->ctx);
	of->is_loaded = true;
	of->callbacks.loaded(of->ctx);
	return 0;
}

bool store_is_loaded(const struct store *of)
{
	return of->is_loaded;
}

struct worker *store_worker(struct store *of)
{
	return &of->worker;
}

/* Verdicts, housekeeping, deletes, renames and news of suspended owners are rare and change much.
 */
static bool is_rare(const struct registry_job *job)
{
	bool is_rare = job->kind != REGISTRY_NEWS && job->kind != REGISTRY_REGISTER;
	for (unsigned i = 0; job->kind == REGISTRY_NEWS && i < job->event->readings; i++)
		is_rare = is_rare || model_is_suspended(job->event->at[i].owner);
	return is_rare;
}

static bool has_rare(void)
{
	for (struct job *job = registry.worker.running.first; job; job = job->next) {
		if (is_rare(registry_job(job)))
			return true;
	}
	return false;
}

static void count_failure(enum weather_commit commit)
{
	failed_count += commit != WEATHER_COMMITTED;
	unanswered_count += commit == WEATHER_UNANSWERED;
}

static void on_unanswered(void)
{
	judge_unanswered(&registry.worker.running, clock_unix_ms());
}

static const enum memory_failure failures[WEATHER_COMMITS] = {
	[WEATHER_NOT_BEGUN] = MEMORY_NO_BEGIN,
	[WEATHER_NOT_COMMITTED] = MEMORY_NO_COMMIT,
	[WEATHER_UNANSWERED] = MEMORY_NO_ANSWER,
	[WEATHER_CONFLICT] = MEMORY_CONFLICT,
	[WEATHER_NO_RIGHTS] = MEMORY_NO_RIGHTS,
};

static int run_jobs(struct job_list *jobs, enum weather_commit commit)
{
	struct err err;
	memory_fail(failures[commit], on_unanswered);
	int failed = registry_store_run_at(registry.store, jobs, clock_unix_ms(), &err);
	memory_fail(MEMORY_WELL, NULL);
	if (!failed)
		judge_registry(jobs, clock_unix_ms());
	return failed;
}

/* What a mailbox or a phone is called may be what a database does not take. */
static bool may_be_bad(const struct registry_job *job)
{
	return job->kind == REGISTRY_NEWS || job->kind == REGISTRY_REGISTER;
}

/* Without one of them, which comes back refused: what registry.c comes to by halves. */
static int run_without_bad(struct job_list *jobs)
{
	struct job_list good;
	job_list_init(&good);
	struct job *bad = NULL;
	size_t place = 0;
	for (struct job *job; (job = job_list_take(jobs));) {
		bool is_bad = !bad && may_be_bad(registry_job(job)) && dice_once_in(2);
		if (is_bad) {
			bad = job;
			place = good.count;
		} else {
			job_list_append(&good, job);
		}
	}
	int failed = good.first ? run_jobs(&good, WEATHER_COMMITTED) : 0;
	judge_rule(!failed, "the others are done without a job that is refused");
	job_list_move_some(jobs, &good, place);
	if (bad) {
		registry_job(bad)->status = -EILSEQ;
		registry_job(bad)->refusal = mem_dup("told to refuse it");
		refused_count++;
		judge_set_aside(registry_job(bad));
		job_list_append(jobs, bad);
	}
	job_list_move(jobs, &good);
	return failed;
}

static int run_registry(void)
{
	enum weather_commit commit = weather_registry_commit(has_rare());
	if (commit == WEATHER_BAD_JOB)
		return run_without_bad(&registry.worker.running);
	count_failure(commit);
	int failed = run_jobs(&registry.worker.running, commit);
	judge_rule(!failed == !commit, "a batch fails when its transaction does");
	return failed;
}

static void give_back_registry(void)
{
	struct job_list done;
	job_list_init(&done);
	job_list_move(&done, &registry.worker.running);
	for (struct job *job; (job = job_list_take(&done));) {
		struct registry_job *of = registry_job(job);
		if (of->refusal)
			registry.refused(registry.ctx, of->refusal);
		of->done(of);
	}
}

static void try_again(int failed, virtual_fn *fn, uint64_t batch)
{
	bool is_conflict = failure_of(failed) == FAILURE_CONFLICT;
	int64_t pause_ms = is_conflict ? dice_between(0, 20) : dice_between(100, 5000);
	judge_excuse(pause_ms);
	virtual_in(pause_ms, fn, NULL, batch);
}

static void on_registry(void *ctx, uint64_t batch)
{
	(void)ctx;
	if (batch != registry.worker.batch || !registry.worker.running.first)
		return;
	/* Asked before the batch is done: it may resume owners. */
	bool is_rare = has_rare();
	int failed = run_registry();
	if (failed) {
		try_again(failed, on_registry, batch);
	} else if (weather_dies_now(is_rare)) {
		life_crash();
	} else {
		give_back_registry();
	}
}

static void store_running(int status)
{
	for (struct job *job = store.worker.running.first; job; job = job->next)
		queue_job(job)->status = status;
	if (!status)
		disk_commit(&store.worker.running, store.worker.is_again);
	store.worker.is_again = false;
}

static bool run_store(void)
{
	enum weather_commit commit = weather_disk_commit();
	count_failure(commit);
	if (commit == WEATHER_COMMITTED) {
		store_running(0);
	} else if (commit == WEATHER_UNANSWERED) {
		disk_commit(&store.worker.running, store.worker.is_again);
		store.worker.is_again = true;
	}
	return commit == WEATHER_COMMITTED;
}

static void give_back_stored(void)
{
	struct job_list done;
	job_list_init(&done);
	job_list_move(&done, &store.worker.running);
	for (struct job *job; (job = job_list_take(&done));)
		store.callbacks.done(store.ctx, queue_job(job));
}

static void on_stored(void *ctx, uint64_t batch)
{
	(void)ctx;
	if (batch != store.worker.batch || !store.worker.running.first)
		return;
	if (!run_store())
		try_again(-EIO, on_stored, batch);
	else if (weather_dies_now(false))
		life_crash();
	else
		give_back_stored();
}

static void hand_over(struct worker *worker, int64_t (*takes_ms)(void), virtual_fn *done)
{
	if (worker->running.first || !worker->waiting.first)
		return;
	job_list_move_some(&worker->running, &worker->waiting, WORKER_BATCH_MAX);
	int64_t ms = takes_ms();
	judge_excuse(ms);
	virtual_in(ms, done, NULL, ++worker->batch);
}

void threads_turn(void)
{
	if (!registry.is_held)
		hand_over(&registry.worker, weather_registry_ms, on_registry);
	hand_over(&store.worker, weather_disk_ms, on_stored);
}

void threads_crash(void)
{
	is_crash = true;
}

bool registry_free(struct registry *of)
{
	(void)of;
	if (registry.worker.running.first && !is_crash && !run_registry())
		give_back_registry();
	job_list_move(&registry.worker.running, &registry.worker.waiting);
	for (struct job *job = registry.worker.running.first; job; job = job->next) {
		registry_job_fini(registry_job(job));
		registry_job(job)->status = -ECANCELED;
	}
	registry_store_close(mem_steal(registry.store));
	give_back_registry();
	return true;
}

bool store_free(struct store *of)
{
	(void)of;
	job_list_move(&store.worker.running, &store.worker.waiting);
	store_running(is_crash ? -ECANCELED : 0);
	if (is_crash)
		disk_crash();
	else
		disk_flush();
	give_back_stored();
	return true;
}

uint64_t threads_failed(void)
{
	return failed_count;
}

uint64_t threads_refused(void)
{
	return refused_count;
}

uint64_t threads_unanswered(void)
{
	return unanswered_count;
}
