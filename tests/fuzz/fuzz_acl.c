/* A user, a newline, an ACL. */
#include "event/acl.h"

#include "fuzz.h"

#include "base/mem.h"

#include <assert.h>
#include <string.h>

static struct groups *groups;

static bool grants(const char *acl, const char *user)
{
	static const char *const staff[] = {"carol", "alice"};
	if (!groups) {
		groups = groups_new();
		groups_add(groups, "staff", staff, 2);
	}
	return acl_grants(acl, groups, user, 'r');
}

static bool grants_after(const char *first, const char *rights, const char *acl, const char *user)
{
	mem_auto char *longer = mem_printf("%s\t%s\t%s", first, rights, acl);
	return grants(longer, user);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	mem_auto char *user = mem_dup_n(data, size);
	char *newline = strchr(user, '\n');
	if (!newline)
		return 0;
	*newline = '\0';
	const char *acl = newline + 1;

	bool granted = grants(acl, user);
	bool is_member = !strcmp(user, "alice") || !strcmp(user, "carol");
	assert(!grants_after("-anyone", "r", acl, user));
	assert(grants_after("anyone", "l", acl, user) == granted);
	assert(grants_after("-anyone", "l", acl, user) == granted);
	assert(!granted || grants_after("anyone", "r", acl, user));
	assert(grants_after("-group:staff", "r", acl, user) == (granted && !is_member));
	assert(!granted || grants_after("group:staff", "r", acl, user));
	/* Not what an ACL can name as a user. */
	if (!*user || *user == '-' || strchr(user, '\t') || !strncmp(user, "group:", 6))
		return 0;
	assert(!granted || grants_after(user, "r", acl, user));
	assert(grants_after(user, "l", acl, user) == granted);
	mem_auto char *negative = mem_printf("-%s", user);
	assert(!grants_after(negative, "r", acl, user));
	return 0;
}
