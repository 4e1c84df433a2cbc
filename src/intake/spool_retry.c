#include "intake/spool_retry.h"

#include "base/backoff.h"
#include "base/mem.h"

#include <string.h>

struct failing {
	int64_t again_ms;
	unsigned failures;
	bool is_fault;
	uint64_t pass; /* the last pass that saw it */
	char name[];
};

void spool_retry_init(struct spool_retry *aside, const uint8_t seed[16])
{
	*aside = (struct spool_retry){.names = map_new(seed)};
}

void spool_retry_fini(struct spool_retry *aside)
{
	size_t position = 0;
	for (struct failing *failing; (failing = map_next(aside->names, &position));)
		free(failing);
	map_free(aside->names);
}

static struct failing *find(const struct spool_retry *aside, const char *name)
{
	return map_get(aside->names, name, strlen(name));
}

bool spool_retry_waits(struct spool_retry *aside, const char *name, int64_t now_ms)
{
	struct failing *failing = find(aside, name);
	if (!failing)
		return false;
	failing->pass = aside->pass;
	return now_ms < failing->again_ms;
}

static void set_fault(struct spool_retry *aside, struct failing *failing, bool is_fault)
{
	aside->faults += is_fault;
	aside->faults -= failing->is_fault;
	failing->is_fault = is_fault;
}

void spool_retry_failed(struct spool_retry *aside, const char *name, bool is_fault, int64_t now_ms)
{
	struct failing *failing = find(aside, name);
	if (!failing) {
		size_t size = strlen(name) + 1;
		if (map_count(aside->names) == SPOOL_RETRY_MAX)
			return;
		failing = mem_alloc(sizeof(*failing) + size);
		failing->failures = 0;
		failing->is_fault = false;
		memcpy(failing->name, name, size);
		map_add(aside->names, failing->name, size - 1, failing);
	}
	failing->pass = aside->pass;
	set_fault(aside, failing, is_fault);
	failing->again_ms = now_ms +
		backoff_ms(SPOOL_RETRY_FIRST_MS, SPOOL_RETRY_LONGEST_MS, failing->failures++);
}

void spool_retry_forget(struct spool_retry *aside, const char *name)
{
	struct failing *failing = map_remove(aside->names, name, strlen(name));
	if (failing)
		set_fault(aside, failing, false);
	free(failing);
}

void spool_retry_end_pass(struct spool_retry *aside)
{
	size_t count = map_count(aside->names);
	struct failing **unseen = count ? mem_alloc(count * sizeof(struct failing *)) : NULL;
	size_t unseen_count = 0;
	size_t position = 0;
	for (struct failing *failing; (failing = map_next(aside->names, &position));) {
		if (failing->pass != aside->pass)
			unseen[unseen_count++] = failing;
	}
	for (size_t i = 0; i < unseen_count; i++)
		spool_retry_forget(aside, unseen[i]->name);
	free(unseen);
	aside->pass++;
}

size_t spool_retry_count(const struct spool_retry *aside)
{
	return map_count(aside->names);
}

size_t spool_retry_faults(const struct spool_retry *aside)
{
	return aside->faults;
}
