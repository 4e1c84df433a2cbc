/* The JSON of Dovecot's plugin; its size chooses who sends it, so that an input is plain JSON. */
#include "event/dovecot_event.h"

#include "base/utf8.h"
#include "event/user_site.h"
#include "fuzz.h"

#include <assert.h>
#include <string.h>

static void check_user(const char *user)
{
	assert(strlen(user) <= MAILBOX_USER_MAX);
	assert(utf8_is_valid(user, strlen(user)));
	for (; *user; user++)
		assert(!(*user >= 'A' && *user <= 'Z'));
}

static void check_mailbox(const struct mailbox *mailbox, const char *speaker)
{
	check_user(mailbox->owner);
	assert(strlen(mailbox->folder) <= MAILBOX_NAME_MAX);
	assert(utf8_is_valid(mailbox->folder, strlen(mailbox->folder)));
	assert(*mailbox->owner || *mailbox->folder);
	assert(!speaker || !strcmp(mailbox->owner, speaker));
}

static void check_registration(
	const struct event_registration *registration, const struct dovecot_sender *sender)
{
	size_t token_size = strlen(registration->token);
	assert(token_size >= EVENT_TOKEN_MIN && token_size <= EVENT_TOKEN_MAX);
	assert(strspn(registration->token, "0123456789abcdef") == token_size);
	assert(*registration->account_id);
	assert(strlen(registration->account_id) <= EVENT_ACCOUNT_ID_MAX);
	assert(*registration->subtopic && strlen(registration->subtopic) <= EVENT_SUBTOPIC_MAX);
	assert(*registration->user);
	check_user(registration->user);
	assert(!strcmp(registration->topic, sender->topic));
	const char *answer = event_registration_answer(registration);
	assert(!strncmp(answer, sender->topic, strlen(sender->topic)));
	assert(!registration->is_own_alone || sender->speaker);
	assert(registration->aps_version == 1 || registration->aps_version == 2);
	assert(registration->mailbox_count <= EVENT_MAILBOXES_MAX);
	for (size_t i = 0; i < registration->mailbox_count; i++) {
		assert(*registration->mailboxes[i]);
		assert(strlen(registration->mailboxes[i]) <= MAILBOX_NAME_MAX);
		check_mailbox(&registration->places[i], sender->speaker);
	}
}

static void check_mailbox_named(const struct mailbox *mailbox)
{
	assert(user_site_has("dove", mailbox->owner));
	assert(strlen(mailbox->owner) <= MAILBOX_USER_MAX);
}

/* As a user of a site of its own. */
static void check_named(struct mail_event *event)
{
	struct err err;
	if (user_site_enter("dove", event, &err) < 0)
		return;
	assert(user_site_has("dove", event->user));
	for (unsigned i = 0; i < event->readings; i++)
		assert(user_site_has("dove", event->at[i].owner));
	for (unsigned i = 0; i < event->from_readings; i++)
		assert(user_site_has("dove", event->from[i].owner));
	for (size_t i = 0; i < event->reader_count; i++)
		assert(user_site_has("dove", event->readers[i]) &&
			event_lets_read(event, NULL, event->readers[i]));
	for (size_t i = 0; i < event->registration.mailbox_count; i++)
		check_mailbox_named(&event->registration.places[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct dovecot_sender sender = {
		.speaker = size & 1 ? "alice" : NULL,
		.topic = size & 2	  ? "com.apple.mail.XServer.one"
			: size % 64 == 12 ? NULL
					  : "",
	};
	struct mail_event *event = NULL;
	struct err err = {.text = ""};
	char asker[MAILBOX_USER_MAX + 1];
	dovecot_event_asker((const char *)data, size, asker);
	if (dovecot_event_parse((const char *)data, size, &sender, &event, &err) < 0) {
		assert(!event);
		assert(*err.text);
		for (const char *c = err.text; *c; c++)
			assert(*c >= 0x20 && *c < 0x7f);
		return 0;
	}
	assert(strlen(asker) <= MAILBOX_USER_MAX);
	if (!event) {
		assert(sender.topic && *sender.topic && *asker);
		return 0;
	}
	assert(event->source == EVENT_OF_DOVECOT && event->mbtype == 'e');
	assert(*event->user && (!sender.speaker || !strcmp(event->user, sender.speaker)));
	check_user(event->user);
	assert(event->readings <= 1 && event->from_readings <= event->readings);
	if (event->readings)
		check_mailbox(event->at, sender.speaker);
	if (event->from_readings)
		check_mailbox(event->from, sender.speaker);
	for (size_t i = 0; i < event->reader_count; i++) {
		check_user(event->readers[i]);
		assert(event_lets_read(event, NULL, event->readers[i]));
	}
	if (event->mailbox_id)
		assert(strlen(event->mailbox_id) == DOVECOT_EVENT_GUID_SIZE);
	if (event->kind == EVENT_APPLE_PUSH_SERVICE)
		check_registration(&event->registration, &sender);
	check_named(event);
	event_free(event);
	return 0;
}
