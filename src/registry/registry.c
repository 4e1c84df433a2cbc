#include "registry/registry.h"

#include "base/backoff.h"
#include "base/clock.h"
#include "base/mem.h"
#include "driver/failure.h"
#include "registry/batch.h"

#include <errno.h>
#include <stdatomic.h>

/* Of a database that is away; of one that somebody has to mend: the longest at once. */
#define AWAY_MIN_MS 100
#define AWAY_MAX_MS 5000
/* Whoever was in the way twice is left some time. */
#define CONFLICT_MIN_MS 2
#define CONFLICT_MAX_MS 1000
/* A connection that is made again, or a short lock, is no trouble yet. */
#define QUIET_MS 2000
#define TOO_LARGE_FAILURES 2
/* Of a batch; of a job by itself, which is set aside then: some six seconds. */
#define UNKNOWN_FAILURES 3
#define UNKNOWN_FAILURES_ALONE 7
/* In a row, that another made the same row; of a job by itself some ten seconds. */
#define TAKEN_FAILURES 10
#define TAKEN_FAILURES_ALONE 20
/* At the end, for a database on the network: less than the thread has. */
#define LAST_WAIT_MAX_MS (WORKER_END_MS - CLOCK_SECOND_MS)

struct registry {
	struct registry_store *store; /* the thread's; NULL: not open yet */
	struct registry_settings settings;
	struct job
		opening; /* of nobody: has the thread open the database when no other job comes */
	struct random random; /* the thread's */
	/* Of the settings; the loop may change them. */
	atomic_int_least64_t registration_ttl_ms;
	atomic_int_least64_t deleted_user_grace_ms;
	atomic_uint registrations_per_user;
	atomic_uint_fast64_t conflicts;
	atomic_uint_fast64_t round_trips;
	struct health health;
	atomic_int_least64_t end_by_ms; /* monotonic; 0: it goes on */
	unsigned holders;		/* enum registry_holder */
	struct job_list held;
	struct worker *worker;
	registry_trouble_fn *trouble;
	registry_refused_fn *refused;
	void *ctx;
};

static struct registry_job *registry_job(struct job *job)
{
	return MEM_CONTAINER(job, struct registry_job, job);
}

static void tell_health(struct registry *registry, int64_t batch_us)
{
	struct registry_description description;
	registry_store_describe(registry->store, &description);
	health_answered(&registry->health, clock_unix_ms(), batch_us, &description);
}

static int attempt(void *ctx, struct job_list *batch, struct err *err)
{
	struct registry *registry = ctx;
	int failed = 0;
	if (!registry->store)
		failed = registry_store_open(&registry->settings, &registry->store, err);
	if (failed || !batch->first)
		return failed;
	uint64_t since_ns = uv_hrtime();
	registry_store_set_limits(registry->store, atomic_load(&registry->registration_ttl_ms),
		atomic_load(&registry->deleted_user_grace_ms),
		atomic_load(&registry->registrations_per_user));
	failed = registry_store_run(registry->store, batch, err);
	if (!failed)
		tell_health(registry, (int64_t)((uv_hrtime() - since_ns) / 1000));
	return failed;
}

/* How long to wait after the failure, the `failures`th in a row. */
static int64_t pause_ms(struct registry *registry, enum failure failure, unsigned failures)
{
	if (failure == FAILURE_FATAL)
		return AWAY_MAX_MS;
	if (failure == FAILURE_AWAY || failure == FAILURE_UNKNOWN)
		return backoff_random_ms(AWAY_MIN_MS, AWAY_MAX_MS, failures - 1, &registry->random);
	return failures < 2 ? 0
			    : backoff_random_ms(CONFLICT_MIN_MS, CONFLICT_MAX_MS, failures - 2,
				      &registry->random);
}

/* Again and again it takes longer than the database has time for. */
static bool is_too_large(const struct job_list *batch, int failed, unsigned failures)
{
	return failed == -ETIMEDOUT && failures >= TOO_LARGE_FAILURES && batch->count > 1;
}

/* It may be one job's: the rest is to go on.  `unknown`, `taken`: such failures in a row. */
static bool is_in_the_way(const struct job_list *batch, unsigned unknown, unsigned taken)
{
	bool is_alone = batch->count == 1;
	return batch->first &&
		(unknown >= (is_alone ? UNKNOWN_FAILURES_ALONE : UNKNOWN_FAILURES) ||
			taken >= (is_alone ? TAKEN_FAILURES_ALONE : TAKEN_FAILURES));
}

/*
 * Until it is done (0), refused (-EILSEQ, -EPROTO or -EEXIST again and again), too large
 * (-ETIMEDOUT; never a single job) or the registry is to stop (-ECANCELED).
 */
static int do_batch(struct registry *registry, struct job_list *batch, struct err *err)
{
	int64_t since_ms = clock_monotonic_ms();
	unsigned unknown = 0;
	unsigned taken = 0;
	int failed;
	for (unsigned failures = 1; (failed = attempt(registry, batch, err)); failures++) {
		enum failure failure = failure_of(failed);
		unknown = failure == FAILURE_UNKNOWN ? unknown + 1 : 0;
		taken = failed == -EEXIST ? taken + 1 : 0;
		int64_t rest_ms = pause_ms(registry, failure, failures);
		if (failure == FAILURE_AWAY || failure == FAILURE_FATAL ||
			failure == FAILURE_UNKNOWN)
			health_failed(&registry->health, clock_unix_ms(), clock_unix_ms() + rest_ms,
				err->text);
		if (failure == FAILURE_BAD_JOB && batch->first)
			break;
		if (failure == FAILURE_CONFLICT)
			atomic_fetch_add(&registry->conflicts, 1);
		if (failure == FAILURE_FATAL || clock_monotonic_ms() - since_ms >= QUIET_MS)
			worker_report(registry->worker, err->text);
		if (!worker_pause(registry->worker, rest_ms))
			return -ECANCELED;
		if (is_too_large(batch, failed, failures) || is_in_the_way(batch, unknown, taken))
			return failed;
	}
	worker_report(registry->worker, NULL);
	return failed;
}

/* One after the other, with each half of a batch that is refused or too large.  False: it is to
 * stop. */
static bool do_by_halves(struct registry *registry, struct job_list *batch)
{
	struct err err;
	int failed = do_batch(registry, batch, &err);
	if (!failed || failed == -ECANCELED)
		return !failed;
	if (batch->count < 2) {
		struct registry_job *job = registry_job(batch->first);
		job->status = -EILSEQ;
		job->refusal = mem_dup(err.text);
		worker_report(registry->worker, NULL);
		return true;
	}
	struct job_list front;
	job_list_init(&front);
	job_list_move_some(&front, batch, batch->count / 2);
	bool goes_on = do_by_halves(registry, &front) && do_by_halves(registry, batch);
	job_list_move(&front, batch);
	job_list_move(batch, &front);
	return goes_on;
}

/* The opening job can only be the first. */
static void run(void *ctx, struct job_list *batch)
{
	struct registry *registry = ctx;
	struct job_list opening;
	job_list_init(&opening);
	if (batch->first == &registry->opening)
		job_list_append(&opening, job_list_take(batch));
	do_by_halves(registry, batch);
	job_list_move(&opening, batch);
	job_list_move(batch, &opening);
}

static void on_done(void *ctx, struct job_list *batch)
{
	struct registry *registry = ctx;
	struct job *job;
	while ((job = job_list_take(batch))) {
		if (job == &registry->opening)
			continue;
		struct registry_job *done = registry_job(job);
		if (done->refusal)
			registry->refused(registry->ctx, done->refusal);
		done->done(done);
	}
}

static void end(void *ctx, struct job_list *left)
{
	struct registry *registry = ctx;
	(void)left;
	registry_store_close(mem_steal(registry->store));
}

static void on_trouble(void *ctx, const char *text)
{
	struct registry *registry = ctx;
	registry->trouble(registry->ctx, text);
}

static void free_registry(struct registry *registry)
{
	registry_store_close(registry->store);
	free((char *)registry->settings.place);
	health_fini(&registry->health);
	free((char *)registry->settings.site);
	free((char *)registry->settings.password_file);
	free(registry);
}

void registry_set_limits(struct registry *registry, int64_t registration_ttl_ms,
	int64_t deleted_user_grace_ms, unsigned registrations_per_user)
{
	atomic_store(&registry->registration_ttl_ms, registration_ttl_ms);
	atomic_store(&registry->deleted_user_grace_ms, deleted_user_grace_ms);
	atomic_store(&registry->registrations_per_user, registrations_per_user);
}

int registry_new(uv_loop_t *loop, const struct registry_settings *settings,
	registry_trouble_fn *trouble, registry_refused_fn *refused, void *ctx,
	struct registry **ret, struct err *err)
{
	struct registry *registry = mem_alloc_zero(1, sizeof(*registry));
	health_init(&registry->health);
	registry->trouble = trouble;
	registry->refused = refused;
	registry->ctx = ctx;
	registry->settings = *settings;
	registry_set_limits(registry, settings->registration_ttl_ms,
		settings->deleted_user_grace_ms, settings->registrations_per_user);
	registry->settings.end_by_ms = &registry->end_by_ms;
	registry->settings.round_trips = &registry->round_trips;
	registry->settings.place = mem_dup(settings->place);
	registry->settings.site = mem_dup(settings->site);
	registry->settings.password_file =
		settings->password_file ? mem_dup(settings->password_file) : NULL;
	uint8_t seed[RANDOM_SEED_SIZE];
	random_seed(seed);
	random_init(&registry->random, seed);
	job_list_init(&registry->held);
	int unopened = registry_store_open(&registry->settings, &registry->store, err);
	int failed = err_is_of_disk(unopened) ? 0 : unopened;
	if (!failed) {
		struct worker_callbacks glue = {
			.run = run,
			.done = on_done,
			.trouble = on_trouble,
			.end = end,
		};
		failed = worker_new(loop, "registry", &glue, registry, &registry->worker, err);
	}
	if (failed) {
		free_registry(registry);
		return failed;
	}
	if (unopened) {
		worker_report(registry->worker, err->text);
		worker_submit(registry->worker, &registry->opening);
	}
	*ret = registry;
	return 0;
}

void registry_submit(struct registry *registry, struct registry_job *job)
{
	job->status = -ECANCELED; /* until it is done */
	if (registry->holders)
		job_list_append(&registry->held, &job->job);
	else
		worker_submit(registry->worker, &job->job);
}

void registry_hold(struct registry *registry, enum registry_holder holder)
{
	registry->holders |= holder;
}

void registry_release(struct registry *registry, enum registry_holder holder)
{
	registry->holders &= ~(unsigned)holder;
	if (registry->holders)
		return;
	for (struct job *job; (job = job_list_take(&registry->held));)
		worker_submit(registry->worker, job);
}

bool registry_is_held(const struct registry *registry, enum registry_holder holder)
{
	return registry->holders & holder;
}

bool registry_is_at_rest(const struct registry *registry)
{
	return !worker_running(registry->worker) && !worker_waiting(registry->worker);
}

bool registry_owes_answers(const struct registry *registry)
{
	return worker_running(registry->worker) || registry->held.first;
}

struct worker *registry_worker(struct registry *registry)
{
	return registry->worker;
}

uint64_t registry_submitted(const struct registry *registry)
{
	return worker_submitted(registry->worker) + registry->held.count;
}

size_t registry_waiting(const struct registry *registry)
{
	return worker_waiting(registry->worker) + registry->held.count;
}

uint64_t registry_conflicts(const struct registry *registry)
{
	return atomic_load(&registry->conflicts);
}

void registry_health(struct registry *registry, struct registry_health *ret)
{
	health_read(&registry->health, ret);
}

uint64_t registry_round_trips(const struct registry *registry)
{
	return atomic_load(&registry->round_trips);
}

bool registry_free(struct registry *registry)
{
	if (!registry)
		return true;
	int64_t wait_ms = registry->settings.timeout_ms;
	if (wait_ms <= 0 || wait_ms > LAST_WAIT_MAX_MS)
		wait_ms = LAST_WAIT_MAX_MS;
	atomic_store(&registry->end_by_ms, clock_monotonic_ms() + wait_ms);
	struct job_list left;
	job_list_init(&left);
	if (!worker_free(registry->worker, WORKER_END_MS, &left))
		return false;
	/* What is submitted from now on comes back too. */
	registry_hold(registry, REGISTRY_HELD_FOR_START);
	job_list_move(&left, &registry->held);
	while (left.first) {
		on_done(registry, &left);
		job_list_move(&left, &registry->held);
	}
	free_registry(registry);
	return true;
}
