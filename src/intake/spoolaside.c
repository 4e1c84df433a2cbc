#include "intake/spoolaside.h"

#include "base/mem.h"

#include <string.h>

struct failing {
	int64_t again_ms;
	int64_t pause_ms;
	uint64_t pass; /* that saw it last */
	char name[];
};

void spoolaside_init(struct spoolaside *aside, const uint8_t seed[16])
{
	*aside = (struct spoolaside){.names = map_new(seed)};
}

void spoolaside_fini(struct spoolaside *aside)
{
	size_t position = 0;
	for (struct failing *failing; (failing = map_next(aside->names, &position));)
		free(failing);
	map_free(aside->names);
}

static struct failing *find(const struct spoolaside *aside, const char *name)
{
	return map_get(aside->names, name, strlen(name));
}

bool spoolaside_waits(struct spoolaside *aside, const char *name, int64_t now_ms)
{
	struct failing *failing = find(aside, name);
	if (!failing)
		return false;
	failing->pass = aside->pass;
	return now_ms < failing->again_ms;
}

void spoolaside_failed(struct spoolaside *aside, const char *name, int64_t now_ms)
{
	struct failing *failing = find(aside, name);
	if (!failing) {
		size_t size = strlen(name) + 1;
		if (map_count(aside->names) == SPOOLASIDE_MAX)
			return;
		failing = mem_alloc(sizeof(*failing) + size);
		failing->pause_ms = SPOOLASIDE_FIRST_MS / 2;
		memcpy(failing->name, name, size);
		map_add(aside->names, failing->name, size - 1, failing);
	}
	failing->pass = aside->pass;
	failing->pause_ms *= 2;
	if (failing->pause_ms > SPOOLASIDE_LONGEST_MS)
		failing->pause_ms = SPOOLASIDE_LONGEST_MS;
	failing->again_ms = now_ms + failing->pause_ms;
}

void spoolaside_forget(struct spoolaside *aside, const char *name)
{
	free(map_remove(aside->names, name, strlen(name)));
}

void spoolaside_end_pass(struct spoolaside *aside)
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
		spoolaside_forget(aside, unseen[i]->name);
	free(unseen);
	aside->pass++;
}

size_t spoolaside_count(const struct spoolaside *aside)
{
	return map_count(aside->names);
}
