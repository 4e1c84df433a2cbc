#include "daemon/account.h"

#include "daemon/units.h"

#include <grp.h>
#include <limits.h>
#include <pwd.h>

static bool parse_id(const char *text, unsigned *ret)
{
	int64_t number;
	if (!units_parse_number(text, &number) || number < 0 || number >= UINT_MAX)
		return false;
	*ret = (unsigned)number;
	return true;
}

bool account_find_user(const char *name, uid_t *ret)
{
	const struct passwd *passwd = getpwnam(name);
	if (!passwd)
		return parse_id(name, ret);
	*ret = passwd->pw_uid;
	return true;
}

bool account_find_group(const char *name, gid_t *ret)
{
	const struct group *group = getgrnam(name);
	if (!group)
		return parse_id(name, ret);
	*ret = group->gr_gid;
	return true;
}
