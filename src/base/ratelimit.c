#include "base/ratelimit.h"

#include <stddef.h>
#include <string.h>

/* Kinds are few: these places are kept for a line of each, whatever caused it. */
#define FOR_KINDS 64

static struct ratelimit_entry *find(struct ratelimit *limit, const char *kind, const char *who)
{
	for (unsigned i = 0; i < limit->count; i++) {
		struct ratelimit_entry *entry = &limit->entries[i];
		if (!strcmp(entry->kind, kind) && !strncmp(entry->who, who, RATELIMIT_WHO_SIZE - 1))
			return entry;
	}
	return NULL;
}

static struct ratelimit_entry *find_or_add(struct ratelimit *limit, const char *kind,
	const char *who, int64_t now_ms, bool *ret_is_new)
{
	struct ratelimit_entry *entry = find(limit, kind, who);
	if (!entry && limit->count >= RATELIMIT_MAX - FOR_KINDS) {
		who = "";
		entry = find(limit, kind, who);
	}
	*ret_is_new = !entry;
	if (entry || limit->count == RATELIMIT_MAX)
		return entry;
	entry = &limit->entries[limit->count++];
	*entry = (struct ratelimit_entry){
		.kind = kind, .lines = 1, .until_ms = now_ms + RATELIMIT_MS};
	strncpy(entry->who, who, RATELIMIT_WHO_SIZE - 1);
	return entry;
}

bool ratelimit_allows(struct ratelimit *limit, const char *kind, const char *who, unsigned lines,
	int level, int64_t now_ms)
{
	bool is_new;
	struct ratelimit_entry *entry = find_or_add(limit, kind, who, now_ms, &is_new);
	if (is_new)
		return entry != NULL;
	if (!entry->kept_back && now_ms >= entry->until_ms) {
		entry->until_ms = now_ms + RATELIMIT_MS;
		entry->lines = 1;
		return true;
	}
	if (entry->lines < lines) {
		entry->lines++;
		return true;
	}
	if (!entry->kept_back++ || level < entry->level)
		entry->level = level;
	return false;
}

int64_t ratelimit_due_ms(const struct ratelimit *limit)
{
	int64_t due_ms = INT64_MAX;
	for (unsigned i = 0; i < limit->count; i++)
		if (limit->entries[i].until_ms < due_ms)
			due_ms = limit->entries[i].until_ms;
	return due_ms;
}

bool ratelimit_next(struct ratelimit *limit, int64_t now_ms, struct ratelimit_entry *ret)
{
	for (unsigned i = 0; i < limit->count;) {
		struct ratelimit_entry *entry = &limit->entries[i];
		if (entry->until_ms > now_ms) {
			i++;
		} else if (entry->kept_back) {
			*ret = *entry;
			entry->kept_back = 0;
			entry->lines = 1; /* the count */
			entry->until_ms = now_ms == INT64_MAX ? now_ms : now_ms + RATELIMIT_MS;
			return true;
		} else {
			*entry = limit->entries[--limit->count];
		}
	}
	return false;
}
