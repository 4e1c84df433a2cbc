/* The JSON of an event; its size chooses the namespace, so that an input is plain JSON. */
#include "event/event.h"

#include "base/utf8.h"
#include "fuzz.h"

#include <assert.h>
#include <string.h>

static void check_mailboxes(const struct mailbox *mailboxes, unsigned readings)
{
	assert(readings <= MAILBOX_READINGS);
	for (unsigned i = 0; i < readings; i++) {
		const struct mailbox *mailbox = &mailboxes[i];
		assert(strlen(mailbox->owner) <= MAILBOX_USER_MAX);
		assert(strlen(mailbox->folder) <= MAILBOX_NAME_MAX);
		assert(utf8_is_valid(mailbox->owner, strlen(mailbox->owner)));
		assert(utf8_is_valid(mailbox->folder, strlen(mailbox->folder)));
		assert(*mailbox->owner || *mailbox->folder);
	}
	if (readings == 2)
		assert(strcmp(mailboxes[0].owner, mailboxes[1].owner) != 0 ||
			strcmp(mailboxes[0].folder, mailboxes[1].folder) != 0);
}

static void check_registration(const struct event_registration *registration)
{
	size_t token_size = strlen(registration->token);
	assert(token_size >= EVENT_TOKEN_MIN && token_size <= EVENT_TOKEN_MAX);
	assert(strspn(registration->token, "0123456789abcdef") == token_size);
	assert(*registration->account_id);
	assert(strlen(registration->account_id) <= EVENT_ACCOUNT_ID_MAX);
	assert(*registration->subtopic && strlen(registration->subtopic) <= EVENT_SUBTOPIC_MAX);
	assert(*registration->user && strlen(registration->user) <= MAILBOX_USER_MAX);
	assert(registration->aps_version == 1 || registration->aps_version == 2);
	assert(registration->mailbox_count <= EVENT_MAILBOXES_MAX);
	for (size_t i = 0; i < registration->mailbox_count; i++)
		assert(*registration->mailboxes[i] &&
			strlen(registration->mailboxes[i]) <= MAILBOX_NAME_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct mailbox_namespace names = {
		.altnamespace = size & 1,
		.unixhierarchysep = size & 2,
		.virtdomains = size & 4,
		.defaultdomain = "example.com",
		.userprefix = "Other Users",
		.sharedprefix = "Shared Folders",
	};
	struct mail_event *event = NULL;
	struct err err = {.text = ""};
	if (event_parse(&names, (const char *)data, size, &event, &err) < 0) {
		assert(!event);
		assert(*err.text);
		for (const char *c = err.text; *c; c++)
			assert(*c >= 0x20 && *c < 0x7f);
		return 0;
	}
	assert(event->kind < EVENT_KINDS);
	assert(event->user && strlen(event->user) <= MAILBOX_USER_MAX);
	assert(event->mbtype);
	check_mailboxes(event->at, event->readings);
	check_mailboxes(event->from, event->from_readings);
	if (event->kind == EVENT_APPLE_PUSH_SERVICE)
		check_registration(&event->registration);
	event_free(event);
	return 0;
}
