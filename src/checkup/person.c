#include "checkup/person.h"

#include <grp.h>
#include <pwd.h>

bool person_find(const char *name, struct person *ret)
{
	const struct passwd *passwd = getpwnam(name);
	if (!passwd)
		return false;
	*ret = (struct person){.name = name, .uid = passwd->pw_uid, .gid_count = PERSON_GROUPS_MAX};
	if (getgrouplist(name, passwd->pw_gid, ret->gids, &ret->gid_count) < 0)
		ret->gid_count = PERSON_GROUPS_MAX;
	return true;
}

bool person_is_member(const struct person *person, gid_t gid)
{
	for (int i = 0; i < person->gid_count; i++)
		if (person->gids[i] == gid)
			return true;
	return false;
}

bool person_may(const struct person *person, const struct stat *status, unsigned rights)
{
	unsigned shift = person->uid == status->st_uid	   ? 6
		: person_is_member(person, status->st_gid) ? 3
							   : 0;
	return person->uid == 0 || ((status->st_mode >> shift) & rights) == rights;
}
