#include "config/config_group.h"

#include "base/mem.h"
#include "base/units.h"
#include "event/mailbox.h"

#include <errno.h>
#include <string.h>

#define NAME_MAX_BYTES 255
#define PER_MINUTE_MAX 60

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
	const char *system = cfg_getstr(section, "system");
	if (strcmp(system, "yes") != 0 && strcmp(system, "no") != 0)
		return err_set(err, -EINVAL, "group \"%s\": system: '%.100s' is neither yes nor no",
			name, system);
	if (*system == 'y' && count)
		return err_set(err, -EINVAL,
			"group \"%s\": with system = yes its members are the system's; remove "
			"members",
			name);
	if (*system == 'y') {
		groups_add_system(groups, name);
		return 0;
	}
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

int config_group_take_user(cfg_t *section, struct user_settings *users, struct err *err)
{
	const char *name = cfg_title(section);
	const char *push = cfg_getstr(section, "push");
	const char *limit = cfg_getstr(section, "pushes_per_minute");
	int64_t per_minute = 0;
	if (!is_id(name, MAILBOX_USER_MAX))
		return err_set(err, -EINVAL,
			"user_settings \"%.100s\": not a user; write the name as Cyrus' ACLs have "
			"it",
			name);
	if (strcmp(push, "yes") != 0 && strcmp(push, "no") != 0)
		return err_set(err, -EINVAL,
			"user_settings \"%.100s\": push: '%.100s' is neither yes nor no", name,
			push);
	if (*limit &&
		(!units_parse_number(limit, &per_minute) || per_minute < 1 ||
			per_minute > PER_MINUTE_MAX))
		return err_set(err, -EINVAL,
			"user_settings \"%.100s\": pushes_per_minute: '%.100s' is not a number "
			"from 1 to %d",
			name, limit, PER_MINUTE_MAX);
	if (user_settings_count(users) == CONFIG_GROUP_USERS_MAX)
		return err_set(err, -EINVAL, "user_settings \"%.100s\": more than %d users", name,
			CONFIG_GROUP_USERS_MAX);
	const struct user_settings_row row = {
		.is_pushed_to = *push == 'y', .pushes_per_minute = (unsigned)per_minute};
	if (!user_settings_add(users, name, &row))
		return err_set(err, -EINVAL,
			"user_settings \"%.100s\" is given twice, in another case; remove one",
			name);
	return 0;
}
