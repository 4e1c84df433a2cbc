#include "event/user_site.h"

#include "base/mem.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

char *user_site_name(const char *site, const char *user)
{
	return mem_printf("%s%s%s", site, *site ? USER_SITE_SEPARATOR : "", user);
}

bool user_site_has(const char *site, const char *user)
{
	size_t size = strlen(site);
	return size && strncmp(user, site, size) == 0 &&
		strncmp(user + size, USER_SITE_SEPARATOR, strlen(USER_SITE_SEPARATOR)) == 0;
}

/* All of an event are visited twice: first to learn how much room they take, then to change them.
 */
struct names {
	const char *site;
	char *memory; /* NULL: only `room` is found out */
	size_t room;
	size_t longest;
};

static size_t size_there(const char *site, const char *user)
{
	return strlen(site) + strlen(USER_SITE_SEPARATOR) + strlen(user);
}

static const char *visit(struct names *names, const char *user)
{
	size_t size = size_there(names->site, user);
	if (size > names->longest)
		names->longest = size;
	names->room += size + 1;
	if (!names->memory)
		return user;
	char *name = names->memory;
	names->memory += size + 1;
	strcpy(stpcpy(stpcpy(name, names->site), USER_SITE_SEPARATOR), user);
	return name;
}

static void visit_user(struct names *names, struct mail_event *event)
{
	struct event_registration *registration = &event->registration;
	if (registration->user)
		registration->user = visit(names, registration->user);
	if (*event->user)
		event->user = visit(names, event->user);
	for (unsigned i = 0; i < event->readings; i++)
		event->at[i].owner = visit(names, event->at[i].owner);
	for (unsigned i = 0; i < event->from_readings; i++)
		event->from[i].owner = visit(names, event->from[i].owner);
}

static size_t place_count(const struct event_registration *registration)
{
	return registration->places ? registration->mailbox_count : 0;
}

static void visit_others(struct names *names, struct mail_event *event)
{
	struct event_registration *registration = &event->registration;
	for (size_t i = 0; i < place_count(registration); i++)
		registration->places[i].owner = visit(names, registration->places[i].owner);
	for (size_t i = 0; i < event->reader_count; i++)
		event->readers[i] = visit(names, event->readers[i]);
}

static bool fits(const char *site, const char *user)
{
	return size_there(site, user) <= MAILBOX_USER_MAX;
}

/* Of such a reader no phone is registered, and of such an owner no event is taken. */
static void leave_out_long_names(const char *site, struct mail_event *event)
{
	size_t readers = 0;
	for (size_t i = 0; i < event->reader_count; i++)
		if (fits(site, event->readers[i]))
			event->readers[readers++] = event->readers[i];
	event->reader_count = readers;

	struct event_registration *registration = &event->registration;
	size_t kept = 0;
	for (size_t i = 0; i < place_count(registration); i++)
		if (fits(site, registration->places[i].owner)) {
			registration->mailboxes[kept] = registration->mailboxes[i];
			registration->places[kept++] = registration->places[i];
		}
	registration->left_out += place_count(registration) - kept;
	registration->is_own_alone |= kept < place_count(registration);
	if (registration->places)
		registration->mailbox_count = kept;
}

int user_site_enter(const char *site, struct mail_event *event, struct err *err)
{
	if (!*site)
		return 0;
	assert(!event->site_names);
	struct names names = {.site = site};
	visit_user(&names, event);
	if (names.longest > MAILBOX_USER_MAX)
		return err_set(err, -EMSGSIZE,
			"a user of dovecot_site has %zu bytes, at most %d are allowed",
			names.longest, MAILBOX_USER_MAX);
	leave_out_long_names(site, event);
	visit_others(&names, event);
	event->site_names = names.memory = mem_alloc(names.room + 1);
	visit_user(&names, event);
	visit_others(&names, event);
	return 0;
}

static bool names_any(const char *site, const struct mailbox *readings, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		if (user_site_has(site, readings[i].owner))
			return true;
	return false;
}

int user_site_guard(const char *site, const struct mail_event *event, struct err *err)
{
	const char *user = event->registration.user;
	if (*site &&
		((user && user_site_has(site, user)) ||
			names_any(site, event->at, event->readings) ||
			names_any(site, event->from, event->from_readings)))
		return err_set(err, -EINVAL, "%s: names a user of dovecot_site",
			event_kind_name(event->kind));
	return 0;
}
