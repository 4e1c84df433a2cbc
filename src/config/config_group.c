#include "config/config_group.h"

#include "base/mem.h"
#include "event/mailbox.h"

#include <errno.h>
#include <string.h>

#define NAME_MAX_BYTES 255

/* Can the text stand between the tabs of an ACL? */
static bool is_id(const char *text, size_t most)
{
	for (const char *c = text; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			return false;
	return *text && strlen(text) <= most;
}

static int check_name(const char *name, struct err *err)
{
	if (!strncmp(name, "group:", 6))
		return err_set(err, -EINVAL,
			"group \"%.100s\": leave out group:, which is not part of the name", name);
	if (!is_id(name, NAME_MAX_BYTES))
		return err_set(err, -EINVAL,
			"group \"%.100s\": not a name of a group; write it as the ACL has it "
			"behind group:",
			name);
	return 0;
}

int config_group_take(cfg_t *section, struct groups *groups, struct err *err)
{
	const char *name = cfg_title(section);
	unsigned count = cfg_size(section, "members");
	int failed = check_name(name, err);
	if (failed)
		return failed;
	if (groups_count(groups) == CONFIG_GROUP_GROUPS_MAX)
		return err_set(err, -EINVAL, "group \"%s\": more than %d groups", name,
			CONFIG_GROUP_GROUPS_MAX);
	if (count > CONFIG_GROUP_MEMBERS_MAX)
		return err_set(err, -EINVAL, "group \"%s\": more than %d members", name,
			CONFIG_GROUP_MEMBERS_MAX);
	mem_auto const char **members = mem_alloc_zero(count, sizeof(*members));
	for (unsigned i = 0; i < count; i++) {
		members[i] = cfg_getnstr(section, "members", i);
		if (!is_id(members[i], MAILBOX_USER_MAX))
			return err_set(err, -EINVAL,
				"group \"%s\": members: '%.100s' is not a user; write the names as "
				"Cyrus' ACLs have them",
				name, members[i]);
	}
	groups_add(groups, name, members, count);
	return 0;
}
