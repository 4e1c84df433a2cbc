#include "config/accounts.h"

#include "base/units.h"

#include <grp.h>
#include <limits.h>

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
