#include "registry/registry.h"

#include "base/clock.h"
#include "base/mem.h"
#include "registry/result.h"
#include "registry/rules.h"
#include "registry/sqlite.h"

#include <errno.h>
#include <string.h>

#define PAUSE_FIRST_MS 100
#define PAUSE_MAX_MS 5000

static const struct registry_ops *const kinds[] = {&sqlite_ops};

struct registry_store {
	struct registry_db *db;
	struct rules rules;
};

struct registry {
	struct registry_store *store;
	struct worker *worker;
	struct registry_callbacks callbacks;
	void *ctx;
};

static struct registry_job *registry_job(struct job *job)
{
	return MEM_CONTAINER(job, struct registry_job, job);
}

void registry_job_fini(struct registry_job *job)
{
	result_clear(job);
}

int registry_store_open(
	const struct registry_settings *settings, struct registry_store **ret, struct err *err)
{
	const char *colon = strchr(settings->url, ':');
	const struct registry_ops *ops = NULL;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]) && colon; i++) {
		size_t size = strlen(kinds[i]->scheme);
		if ((size_t)(colon - settings->url) == size &&
			memcmp(settings->url, kinds[i]->scheme, size) == 0)
			ops = kinds[i];
	}
	if (!ops || !colon[1])
		return err_set(err, -EINVAL,
			"registry '%s': no such kind of database; write sqlite:/path/to/file",
			settings->url);
	struct registry_db *db = NULL;
	int failed = ops->open(colon + 1, settings->site, &db, err);
	if (failed)
		return failed;
	struct registry_store *store = mem_alloc_zero(1, sizeof(*store));
	store->db = db;
	rules_init(&store->rules, db, settings);
	*ret = store;
	return 0;
}

int registry_store_run_at(
	struct registry_store *store, struct job_list *batch, int64_t now_ms, struct err *err)
{
	int failed = rules_run(&store->rules, batch, now_ms, err);
	for (struct job *job = batch->first; job; job = job->next)
		registry_job(job)->status = failed ? -ECANCELED : 0;
	return failed;
}

int registry_store_run(struct registry_store *store, struct job_list *batch, struct err *err)
{
	return registry_store_run_at(store, batch, clock_unix_ms(), err);
}

void registry_store_close(struct registry_store *store)
{
	if (!store)
		return;
	rules_fini(&store->rules);
	store->db->ops->close(store->db);
	free(store);
}

static void run(void *ctx, struct job_list *batch)
{
	struct registry *registry = ctx;
	struct err err;
	int64_t pause_ms = PAUSE_FIRST_MS;
	bool is_well = true;
	while (registry_store_run(registry->store, batch, &err) != 0) {
		is_well = false;
		worker_report(registry->worker, err.text);
		if (!worker_pause(registry->worker, pause_ms))
			return;
		pause_ms = pause_ms * 2 < PAUSE_MAX_MS ? pause_ms * 2 : PAUSE_MAX_MS;
	}
	if (!is_well)
		worker_report(registry->worker, NULL);
}

static void on_done(void *ctx, struct job_list *batch)
{
	struct registry *registry = ctx;
	struct job *job;
	while ((job = job_list_take(batch)))
		registry->callbacks.done(registry->ctx, registry_job(job));
}

static void on_trouble(void *ctx, const char *text)
{
	struct registry *registry = ctx;
	if (registry->callbacks.trouble)
		registry->callbacks.trouble(registry->ctx, text);
}

int registry_new(uv_loop_t *loop, const struct registry_settings *settings,
	const struct registry_callbacks *callbacks, void *ctx, struct registry **ret,
	struct err *err)
{
	struct registry *registry = mem_alloc_zero(1, sizeof(*registry));
	registry->callbacks = *callbacks;
	registry->ctx = ctx;
	int failed = registry_store_open(settings, &registry->store, err);
	if (!failed) {
		struct worker_callbacks glue = {
			.run = run,
			.done = on_done,
			.trouble = on_trouble,
		};
		failed = worker_new(loop, "registry", &glue, registry, &registry->worker, err);
	}
	if (failed) {
		registry_store_close(registry->store);
		free(registry);
		return failed;
	}
	*ret = registry;
	return 0;
}

void registry_submit(struct registry *registry, struct registry_job *job)
{
	job->status = -ECANCELED; /* until it is done */
	worker_submit(registry->worker, &job->job);
}

struct worker *registry_worker(struct registry *registry)
{
	return registry->worker;
}

void registry_free(struct registry *registry)
{
	if (!registry)
		return;
	struct job_list left;
	job_list_init(&left);
	worker_free(registry->worker, &left);
	registry_store_close(registry->store);
	registry->store = NULL;
	on_done(registry, &left);
	free(registry);
}
