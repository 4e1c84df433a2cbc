/* A body of xapsd's HTTP API, and the event that becomes of it. */
#include "event/xaps_event.h"
#include "xaps/xaps_request.h"

#include "fuzz.h"

#include "base/mem.h"

#include <assert.h>
#include <string.h>

#define TOPIC "com.apple.mail.XServer.x"

static void check_registration(const struct mail_event *event)
{
	const struct event_registration *registration = &event->registration;
	assert(event->kind == EVENT_APPLE_PUSH_SERVICE);
	assert(!strcmp(registration->topic, TOPIC));
	assert(!strcmp(registration->subtopic, XAPS_REQUEST_SUBTOPIC));
	assert(*registration->user && registration->mailbox_count);
}

static void check_news(const struct mail_event *event)
{
	assert(event->readings == 1 && mailbox_is_inbox(&event->at[0]));
	assert(strlen(event->at[0].owner) <= MAILBOX_USER_MAX);
}

static void check(struct xaps_request *request, enum xaps_request_kind kind)
{
	struct mail_event *event;
	struct err err;
	assert(*request->user);
	assert(request->kind == kind || (request->kind == XAPS_REQUEST_NOTHING && !request->event));
	if (request->event) {
		size_t size = strlen(request->event);
		assert(xaps_event_is(request->event, size));
		if (!xaps_event_parse(request->event, size, true, &event, &err)) {
			assert(event->source == EVENT_OF_XAPS);
			if (kind == XAPS_REQUEST_REGISTER)
				check_registration(event);
			else
				check_news(event);
			event_free(event);
		}
	}
	xaps_request_fini(request);
}

static const char *topic_of(void *ctx, const char *user)
{
	assert(!ctx && *user);
	return TOPIC;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	const struct xaps_topics topics = {topic_of, NULL};
	struct xaps_request request = {0};
	struct err err;
	if (!xaps_request_parse_register(text, size, &topics, &request, &err))
		check(&request, XAPS_REQUEST_REGISTER);
	if (!xaps_request_parse_notify(text, size, &request, &err))
		check(&request, XAPS_REQUEST_NOTIFY);
	/* As it may stand in the queue's file. */
	struct mail_event *event;
	if (!xaps_event_parse(text, size, false, &event, &err))
		event_free(event);
	return 0;
}
