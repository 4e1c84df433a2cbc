#include "event/acl.h"

#include <stddef.h>
#include <string.h>

struct run {
	const char *bytes;
	size_t size;
};

/* The next field up to a tab or the end; moves `at` behind it. */
static struct run next_field(const char **at)
{
	struct run field = {*at, strcspn(*at, "\t")};
	*at += field.size;
	if (**at)
		(*at)++;
	return field;
}

static bool is(struct run id, const char *text)
{
	return strlen(text) == id.size && memcmp(id.bytes, text, id.size) == 0;
}

static bool means(struct run id, const struct groups *groups, const char *user)
{
	static const char group[] = "group:";
	const size_t size = sizeof(group) - 1;
	if (is(id, "anyone"))
		return true;
	if (!*user)
		return false;
	if (id.size > size && !memcmp(id.bytes, group, size))
		return groups_has(groups, id.bytes + size, id.size - size, user);
	return is(id, user);
}

bool acl_grants(const char *acl, const struct groups *groups, const char *user, char right)
{
	if (!acl)
		return false;
	bool granted = false;
	while (*acl) {
		struct run id = next_field(&acl);
		struct run rights = next_field(&acl);
		bool is_negative = id.size && id.bytes[0] == '-';
		if (is_negative) {
			id.bytes++;
			id.size--;
		}
		if (!memchr(rights.bytes, right, rights.size) || !means(id, groups, user))
			continue;
		if (is_negative)
			return false;
		granted = true;
	}
	return granted;
}
