#include "registry/suspended_users.h"

#include "base/map.h"
#include "base/mem.h"
#include "base/random.h"

#include <string.h>

struct sleeper {
	int64_t sleeping_ms;
	char user[];
};

struct suspended_users {
	struct map *by_user;
};

struct suspended_users *suspended_users_new(void)
{
	uint8_t seed[RANDOM_SEED_SIZE];
	random_seed(seed);
	struct suspended_users *sleepers = mem_alloc_zero(1, sizeof(*sleepers));
	sleepers->by_user = map_new(seed);
	return sleepers;
}

void suspended_users_free(struct suspended_users *sleepers)
{
	if (!sleepers)
		return;
	suspended_users_clear(sleepers);
	map_free(sleepers->by_user);
	free(sleepers);
}

void suspended_users_clear(struct suspended_users *sleepers)
{
	size_t position = 0;
	struct sleeper *sleeper;
	while ((sleeper = map_next(sleepers->by_user, &position)))
		free(sleeper);
	map_clear(sleepers->by_user);
}

void suspended_users_add(struct suspended_users *sleepers, const char *user, int64_t sleeping_ms)
{
	size_t size = strlen(user);
	struct sleeper *sleeper = map_get(sleepers->by_user, user, size);
	if (sleeper) {
		if (sleeping_ms > sleeper->sleeping_ms)
			sleeper->sleeping_ms = sleeping_ms;
		return;
	}
	sleeper = mem_alloc(sizeof(*sleeper) + size + 1);
	sleeper->sleeping_ms = sleeping_ms;
	memcpy(sleeper->user, user, size + 1);
	map_add(sleepers->by_user, sleeper->user, size, sleeper);
}

void suspended_users_remove(struct suspended_users *sleepers, const char *user)
{
	free(map_remove(sleepers->by_user, user, strlen(user)));
}

bool suspended_users_wakes(
	const struct suspended_users *sleepers, const char *user, int64_t at_ms, int64_t wrong_ms)
{
	if (map_count(sleepers->by_user) == 0)
		return false;
	const struct sleeper *sleeper = map_get(sleepers->by_user, user, strlen(user));
	return sleeper && (sleeper->sleeping_ms <= at_ms || sleeper->sleeping_ms > wrong_ms);
}
