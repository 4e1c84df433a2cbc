#include "dovecot/place.h"

#include "event/bounds.h"
#include "event/field.h"

#include <str.h>

static bool is_of_inbox(const struct mail_namespace *ns)
{
	return (ns->flags & NAMESPACE_FLAG_INBOX_USER) ||
		(ns->alias_for && (ns->alias_for->flags & NAMESPACE_FLAG_INBOX_USER));
}

/*
 * A user's further namespaces stay apart from the one with the INBOX by their prefix, public ones
 * from each other.
 */
static bool is_without_prefix(const struct mail_namespace *ns)
{
	return ns->type == MAIL_NAMESPACE_TYPE_SHARED ||
		(ns->type == MAIL_NAMESPACE_TYPE_PRIVATE && is_of_inbox(ns));
}

/*
 * With "/" between levels.  One within a level, which the plugin listescape allows, becomes "%2F",
 * and the percent sign of what looks like that "%25": no two names become the same.
 */
static const char *with_slashes(const char *name, char separator)
{
	string_t *folder = t_str_new(strlen(name) + 16);
	for (; *name; name++) {
		bool looks_escaped = !strncmp(name, "%2F", 3) || !strncmp(name, "%25", 3);
		if (*name == separator)
			str_append_c(folder, '/');
		else if (*name == '/')
			str_append(folder, "%2F");
		else if (looks_escaped)
			str_append(folder, "%25");
		else
			str_append_c(folder, (unsigned char)*name);
	}
	return str_c(folder);
}

static const char *folder_of(struct mailbox *box, const struct mail_namespace *ns)
{
	if (ns->type != MAIL_NAMESPACE_TYPE_PUBLIC && mailbox_is_any_inbox(box))
		return "";
	const char *name = mailbox_get_vname(box);
	if (is_without_prefix(ns) && !strncmp(name, ns->prefix, ns->prefix_len))
		name += ns->prefix_len;
	return with_slashes(name, mail_namespace_get_sep((struct mail_namespace *)(uintptr_t)ns));
}

static bool is_taken(const char *name, size_t max)
{
	return field_is_name_or_empty((struct field){name, strlen(name)}, max);
}

bool place_of(struct mailbox *box, struct place *ret)
{
	const struct mail_namespace *ns = mailbox_get_namespace(box);
	const struct mail_user *user = mail_storage_get_user(mailbox_get_storage(box));
	if (box->virtual_vfuncs || user->autocreated)
		return false;
	struct place place = {.owner = "", .folder = folder_of(box, ns)};
	if (ns->type != MAIL_NAMESPACE_TYPE_PUBLIC)
		place.owner = ns->owner ? ns->owner->username : user->username;
	if (!is_taken(place.owner, MAILBOX_USER_MAX) || !is_taken(place.folder, MAILBOX_NAME_MAX))
		return false;
	*ret = place;
	return true;
}
