#include "base/clock.h"
#include "base/mem.h"
#include "registry/registry.h"
#include "registry/result.h"
#include "registry/rules.h"
#include "registry/sqlite.h"

#include <errno.h>
#include <string.h>

static const struct registry_ops *const kinds[] = {&sqlite_ops};

struct registry_store {
	struct registry_db *db;
	struct rules rules;
};

void registry_job_fini(struct registry_job *job)
{
	result_clear(job);
}

struct registry_store *registry_store_of(
	struct registry_db *db, const struct registry_settings *settings)
{
	struct registry_store *store = mem_alloc_zero(1, sizeof(*store));
	store->db = db;
	rules_init(&store->rules, db, settings);
	return store;
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
	*ret = registry_store_of(db, settings);
	return 0;
}

int registry_store_run_at(
	struct registry_store *store, struct job_list *batch, int64_t now_ms, struct err *err)
{
	int failed = rules_run(&store->rules, batch, now_ms, err);
	for (struct job *job = batch->first; job; job = job->next)
		MEM_CONTAINER(job, struct registry_job, job)->status = failed ? -ECANCELED : 0;
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
