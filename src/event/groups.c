#include "event/groups.h"

#include "base/mem.h"

#include <string.h>

struct group {
	char *name;
	char **members; /* sorted */
	size_t count;
	bool is_system;
};

struct groups {
	struct group *all;
	size_t count;
};

struct groups *groups_new(void)
{
	return mem_alloc_zero(1, sizeof(struct groups));
}

static void free_members(struct group *group)
{
	for (size_t i = 0; i < group->count; i++)
		free(group->members[i]);
	free(group->members);
}

void groups_free(struct groups *groups)
{
	if (!groups)
		return;
	for (size_t i = 0; i < groups->count; i++) {
		struct group *group = &groups->all[i];
		free_members(group);
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

static void set_members(struct group *group, const char *const *members, size_t count)
{
	group->members = mem_alloc_zero(count, sizeof(*group->members));
	group->count = count;
	for (size_t i = 0; i < count; i++)
		group->members[i] = lowered(members[i]);
	qsort(group->members, count, sizeof(*group->members), compare);
}

static struct group *add(struct groups *groups, const char *name)
{
	groups->all = mem_realloc_array(groups->all, groups->count + 1, sizeof(*groups->all));
	struct group *group = &groups->all[groups->count++];
	*group = (struct group){.name = mem_dup(name)};
	return group;
}

void groups_add(struct groups *groups, const char *name, const char *const *members, size_t count)
{
	set_members(add(groups, name), members, count);
}

void groups_add_system(struct groups *groups, const char *name)
{
	struct group *group = add(groups, name);
	set_members(group, NULL, 0);
	group->is_system = true;
}

const char **groups_of_system(const struct groups *groups, size_t *ret_count)
{
	const char **names = mem_alloc_zero(groups->count + 1, sizeof(*names));
	*ret_count = 0;
	for (size_t i = 0; i < groups->count; i++)
		if (groups->all[i].is_system)
			names[(*ret_count)++] = groups->all[i].name;
	return names;
}

static struct group *find_system(const struct groups *groups, const char *name)
{
	for (size_t i = 0; i < groups->count; i++)
		if (groups->all[i].is_system && !strcmp(groups->all[i].name, name))
			return &groups->all[i];
	return NULL;
}

void groups_set_members(
	struct groups *groups, const char *name, const char *const *members, size_t count)
{
	struct group *group = find_system(groups, name);
	if (!group)
		return;
	free_members(group);
	set_members(group, members, count);
}

void groups_take_members(struct groups *groups, struct groups *before)
{
	for (size_t i = 0; i < before->count; i++) {
		struct group *from = &before->all[i];
		struct group *to = from->is_system ? find_system(groups, from->name) : NULL;
		if (!to)
			continue;
		char **members = to->members;
		size_t count = to->count;
		to->members = from->members;
		to->count = from->count;
		from->members = members;
		from->count = count;
	}
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
