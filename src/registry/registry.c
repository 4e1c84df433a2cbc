#include "registry/registry.h"

#include "base/mem.h"

#include <errno.h>

#define PAUSE_FIRST_MS 100
#define PAUSE_MAX_MS 5000

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
