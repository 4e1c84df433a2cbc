#include "registry/suspended_users.h"

#include "base/map.h"
#include "base/mem.h"
#include "base/random.h"

#include <string.h>

struct suspended_user {
	int64_t suspended_ms;
	char user[];
};

struct suspended_users {
	struct map *by_user;
};

struct suspended_users *suspended_users_new(void)
{
	uint8_t seed[RANDOM_SEED_SIZE];
	random_seed(seed);
	struct suspended_users *suspended = mem_alloc_zero(1, sizeof(*suspended));
	suspended->by_user = map_new(seed);
	return suspended;
}

void suspended_users_free(struct suspended_users *suspended)
{
	if (!suspended)
		return;
	suspended_users_clear(suspended);
	map_free(suspended->by_user);
	free(suspended);
}

void suspended_users_clear(struct suspended_users *suspended)
{
	size_t position = 0;
	struct suspended_user *suspended_user;
	while ((suspended_user = map_next(suspended->by_user, &position)))
		free(suspended_user);
	map_clear(suspended->by_user);
}

void suspended_users_add(struct suspended_users *suspended, const char *user, int64_t suspended_ms)
{
	size_t size = strlen(user);
	struct suspended_user *suspended_user = map_get(suspended->by_user, user, size);
	if (suspended_user) {
		if (suspended_ms > suspended_user->suspended_ms)
			suspended_user->suspended_ms = suspended_ms;
		return;
	}
	suspended_user = mem_alloc(sizeof(*suspended_user) + size + 1);
	suspended_user->suspended_ms = suspended_ms;
	memcpy(suspended_user->user, user, size + 1);
	map_add(suspended->by_user, suspended_user->user, size, suspended_user);
}

void suspended_users_remove(struct suspended_users *suspended, const char *user)
{
	free(map_remove(suspended->by_user, user, strlen(user)));
}

bool suspended_users_resumes(
	const struct suspended_users *suspended, const char *user, int64_t at_ms)
{
	if (map_count(suspended->by_user) == 0)
		return false;
	const struct suspended_user *suspended_user =
		map_get(suspended->by_user, user, strlen(user));
	return suspended_user && suspended_user->suspended_ms <= at_ms;
}
