/* A user, a newline, an ACL. */
#include "event/acl.h"

#include "fuzz.h"

#include "base/mem.h"

#include <assert.h>
#include <string.h>

static bool grants_after(const char *first, const char *rights, const char *acl, const char *user)
{
	mem_auto char *longer = mem_printf("%s\t%s\t%s", first, rights, acl);
	return acl_grants(longer, user, 'r');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	mem_auto char *user = mem_dup_n(data, size);
	char *newline = strchr(user, '\n');
	if (!newline)
		return 0;
	*newline = '\0';
	const char *acl = newline + 1;

	bool granted = acl_grants(acl, user, 'r');
	assert(!grants_after("-anyone", "r", acl, user));
	assert(grants_after("anyone", "l", acl, user) == granted);
	assert(grants_after("-anyone", "l", acl, user) == granted);
	assert(!granted || grants_after("anyone", "r", acl, user));
	if (!*user || *user == '-' || strchr(user, '\t'))
		return 0;
	assert(!granted || grants_after(user, "r", acl, user));
	assert(grants_after(user, "l", acl, user) == granted);
	mem_auto char *negative = mem_printf("-%s", user);
	assert(!grants_after(negative, "r", acl, user));
	return 0;
}
