#include "event/groups.h"

#include "base/mem.h"

#include <string.h>

struct group {
	char *name;
	char **members; /* sorted */
	size_t count;
};

struct groups {
	struct group *all;
	size_t count;
};

struct groups *groups_new(void)
{
	return mem_alloc_zero(1, sizeof(struct groups));
}

void groups_free(struct groups *groups)
{
	if (!groups)
		return;
	for (size_t i = 0; i < groups->count; i++) {
		struct group *group = &groups->all[i];
		for (size_t j = 0; j < group->count; j++)
			free(group->members[j]);
		free(group->members);
		free(group->name);
	}
	free(groups->all);
	free(groups);
}

static int compare(const void *one, const void *other)
{
	return strcmp(*(const char *const *)one, *(const char *const *)other);
}

/* ASCII only, as users are lowered everywhere. */
static char *lowered(const char *text)
{
	char *copy = mem_dup(text);
	for (char *c = copy; *c; c++)
		if (*c >= 'A' && *c <= 'Z')
			*c = (char)(*c + ('a' - 'A'));
	return copy;
}

void groups_add(struct groups *groups, const char *name, const char *const *members, size_t count)
{
	groups->all = mem_realloc_array(groups->all, groups->count + 1, sizeof(*groups->all));
	struct group *group = &groups->all[groups->count++];
	*group = (struct group){.name = mem_dup(name),
		.members = mem_alloc_zero(count, sizeof(*group->members)),
		.count = count};
	for (size_t i = 0; i < count; i++)
		group->members[i] = lowered(members[i]);
	qsort(group->members, count, sizeof(*group->members), compare);
}

size_t groups_count(const struct groups *groups)
{
	return groups->count;
}

bool groups_has(const struct groups *groups, const char *name, size_t name_size, const char *user)
{
	for (size_t i = 0; groups && i < groups->count; i++) {
		const struct group *group = &groups->all[i];
		if (strlen(group->name) == name_size && !memcmp(group->name, name, name_size))
			return bsearch(&user, group->members, group->count, sizeof(*group->members),
				compare);
	}
	return false;
}
