#include "events.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define URI "imap://mail.example.com/user/alice/%s;UIDVALIDITY=1"

static struct arrival *arrival_of(enum relay_action action, const char *json)
{
	static const struct mailbox_namespace names = {.altnamespace = true,
		.unixhierarchysep = true,
		.defaultdomain = "",
		.userprefix = "Other Users",
		.sharedprefix = "Shared Folders"};
	struct mail_event *event = NULL;
	struct err err;
	assert_int_equal(event_parse(&names, json, strlen(json), &event, &err), 0);
	struct arrival *arrival = arrival_new(action, event, json, strlen(json), 1);
	arrival->job.separator = '/';
	return arrival;
}

struct arrival *events_news(enum relay_action action, const char *id, const char *at)
{
	char json[256];
	snprintf(json, sizeof(json),
		"{\"event\":\"MessageNew\",\"mailboxID\":\"%s\",\"uri\":\"" URI
		"\",\"vnd.cmu.mbtype\":\"e\"}",
		id, at);
	return arrival_of(action, json);
}

struct arrival *events_change(const char *from, const char *at)
{
	char json[512];
	char old[256] = "";
	if (from)
		snprintf(old, sizeof(old), "\"oldMailboxID\":\"" URI "\",", from);
	snprintf(json, sizeof(json), "{\"event\":\"%s\",%s\"uri\":\"" URI "\"}",
		from ? "MailboxRename" : "MailboxDelete", old, at);
	return arrival_of(from ? RELAY_MAILBOX_RENAME : RELAY_MAILBOX_DELETE, json);
}
