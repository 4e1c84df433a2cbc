#include "config/accounts.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/units.h"

#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <string.h>

#define BUFFER_MIN (64 * 1024)
#define BUFFER_MAX (16 * 1024 * 1024)

static bool is_id(const char *name, unsigned *ret)
{
	int64_t number;
	if (!units_parse_number(name, &number) || number < 0 || number >= UINT_MAX)
		return false;
	*ret = (unsigned)number;
	return true;
}

const struct passwd *accounts_find_account(const char *name)
{
	uid_t uid;
	const struct passwd *passwd = getpwnam(name);
	if (!passwd && is_id(name, &uid))
		passwd = getpwuid(uid);
	return passwd;
}

bool accounts_find_user(const char *name, uid_t *ret)
{
	const struct passwd *passwd = getpwnam(name);
	if (!passwd)
		return is_id(name, ret);
	*ret = passwd->pw_uid;
	return true;
}

bool accounts_find_group(const char *name, gid_t *ret)
{
	const struct group *group = getgrnam(name);
	if (!group)
		return is_id(name, ret);
	*ret = group->gr_gid;
	return true;
}

int accounts_members(const char *group, char **ret, size_t *ret_count)
{
	struct group found;
	struct group *result = NULL;
	int code = ERANGE;
	mem_auto char *buffer = NULL;
	for (size_t size = BUFFER_MIN; code == ERANGE && size <= BUFFER_MAX; size *= 4) {
		buffer = mem_realloc_array(buffer, size, 1);
		code = getgrnam_r(group, &found, buffer, size, &result);
	}
	if (code && code != ENOENT)
		return -code;
	if (!result)
		return -ENOENT;
	struct buf names;
	size_t count = 0;
	buf_init(&names);
	while (found.gr_mem[count] && count < ACCOUNTS_MEMBERS_MAX) {
		buf_append(&names, found.gr_mem[count], strlen(found.gr_mem[count]) + 1);
		count++;
	}
	buf_append(&names, "", 1);
	*ret = (char *)names.data;
	*ret_count = count;
	return 0;
}
