#include "registry/registry.h"

#include "base/mem.h"
#include "registry/batch.h"

#include <errno.h>

struct registry {
	struct registry_store *store; /* the thread's; NULL: not open yet */
	struct registry_settings settings;
	struct job
		opening; /* of nobody: has the thread open the database when no other job comes */
	bool is_held;
	struct job_list held;
	struct worker *worker;
	registry_trouble_fn *trouble;
	void *ctx;
};

static struct registry_job *registry_job(struct job *job)
{
	return MEM_CONTAINER(job, struct registry_job, job);
}

static int attempt(void *ctx, struct job_list *batch, struct err *err)
{
	struct registry *registry = ctx;
	int failed = 0;
	if (!registry->store)
		failed = registry_store_open(&registry->settings, &registry->store, err);
	return failed || !batch->first ? failed : registry_store_run(registry->store, batch, err);
}

/* The opening job can only be the first. */
static void run(void *ctx, struct job_list *batch)
{
	struct registry *registry = ctx;
	struct job_list opening;
	job_list_init(&opening);
	if (batch->first == &registry->opening)
		job_list_append(&opening, job_list_take(batch));
	worker_attempt(registry->worker, attempt, registry, batch);
	job_list_move(&opening, batch);
	job_list_move(batch, &opening);
}

static void on_done(void *ctx, struct job_list *batch)
{
	struct registry *registry = ctx;
	struct job *job;
	while ((job = job_list_take(batch))) {
		if (job != &registry->opening)
			registry_job(job)->done(registry_job(job));
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
	free((char *)registry->settings.url);
	free((char *)registry->settings.site);
	free((char *)registry->settings.password_file);
	free(registry);
}

int registry_new(uv_loop_t *loop, const struct registry_settings *settings,
	registry_trouble_fn *trouble, void *ctx, struct registry **ret, struct err *err)
{
	struct registry *registry = mem_alloc_zero(1, sizeof(*registry));
	registry->trouble = trouble;
	registry->ctx = ctx;
	registry->settings = *settings;
	registry->settings.url = mem_dup(settings->url);
	registry->settings.site = mem_dup(settings->site);
	registry->settings.password_file =
		settings->password_file ? mem_dup(settings->password_file) : NULL;
	job_list_init(&registry->held);
	int unopened = registry_store_open(settings, &registry->store, err);
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
	if (registry->is_held)
		job_list_append(&registry->held, &job->job);
	else
		worker_submit(registry->worker, &job->job);
}

void registry_hold(struct registry *registry)
{
	registry->is_held = true;
}

void registry_release(struct registry *registry)
{
	registry->is_held = false;
	for (struct job *job; (job = job_list_take(&registry->held));)
		worker_submit(registry->worker, job);
}

struct worker *registry_worker(struct registry *registry)
{
	return registry->worker;
}

bool registry_free(struct registry *registry)
{
	if (!registry)
		return true;
	struct job_list left;
	job_list_init(&left);
	if (!worker_free(registry->worker, WORKER_END_MS, &left))
		return false;
	job_list_move(&left, &registry->held);
	on_done(registry, &left);
	free_registry(registry);
	return true;
}
