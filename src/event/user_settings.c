#include "event/user_settings.h"

#include "base/map.h"
#include "base/mem.h"
#include "base/random.h"

#include <string.h>

#define MINUTE_MS 60000

struct user_settings {
	struct map *rows; /* by the user in lower case */
	struct row {
		char *user;
		struct user_settings_row row;
	} * *all;
	size_t count;
	int64_t interval_max_ms;
};

struct user_settings *user_settings_new(void)
{
	struct user_settings *settings = mem_alloc_zero(1, sizeof(*settings));
	uint8_t seed[RANDOM_SEED_SIZE];
	random_seed(seed);
	settings->rows = map_new(seed);
	return settings;
}

void user_settings_free(struct user_settings *settings)
{
	if (!settings)
		return;
	map_free(settings->rows);
	for (size_t i = 0; i < settings->count; i++) {
		free(settings->all[i]->user);
		free(settings->all[i]);
	}
	free(settings->all);
	free(settings);
}

static int64_t interval_of(const struct user_settings_row *row)
{
	return row && row->pushes_per_minute ? MINUTE_MS / row->pushes_per_minute : 0;
}

bool user_settings_add(
	struct user_settings *settings, const char *user, const struct user_settings_row *row)
{
	char *name = mem_dup(user);
	/* ASCII only, as users are lowered everywhere. */
	for (char *c = name; *c; c++)
		if (*c >= 'A' && *c <= 'Z')
			*c = (char)(*c + ('a' - 'A'));
	if (map_get(settings->rows, name, strlen(name))) {
		free(name);
		return false;
	}
	struct row *added = mem_alloc_zero(1, sizeof(*added));
	*added = (struct row){.user = name, .row = *row};
	settings->all = mem_realloc_array(settings->all, settings->count + 1, sizeof(struct row *));
	settings->all[settings->count++] = added;
	map_add(settings->rows, added->user, strlen(added->user), added);
	if (interval_of(row) > settings->interval_max_ms)
		settings->interval_max_ms = interval_of(row);
	return true;
}

size_t user_settings_count(const struct user_settings *settings)
{
	return settings->count;
}

const struct user_settings_row *user_settings_find(
	const struct user_settings *settings, const char *user)
{
	const struct row *row = settings ? map_get(settings->rows, user, strlen(user)) : NULL;
	return row ? &row->row : NULL;
}

bool user_settings_is_pushed_to(const struct user_settings *settings, const char *user)
{
	const struct user_settings_row *row = user_settings_find(settings, user);
	return !row || row->is_pushed_to;
}

int64_t user_settings_interval_ms(const struct user_settings *settings, const char *user)
{
	return settings && settings->count ? interval_of(user_settings_find(settings, user)) : 0;
}

int64_t user_settings_interval_max_ms(const struct user_settings *settings)
{
	return settings ? settings->interval_max_ms : 0;
}
