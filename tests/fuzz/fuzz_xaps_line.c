/* A line of xapsd's older protocol, and the event that becomes of it. */
#include "event/xaps_event.h"
#include "xaps/xaps_line.h"

#include "fuzz.h"

#include <assert.h>
#include <string.h>

static const char *topic_of(void *ctx, const char *user)
{
	assert(!ctx && *user);
	return "topic";
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct xaps_topics topics = {topic_of, NULL};
	struct xaps_request request = {0};
	struct err err;
	if (xaps_line_parse((const char *)data, size, &topics, &request, &err)) {
		assert(*err.text && !request.user && !request.event && !request.topic);
		return 0;
	}
	assert(*request.user);
	assert((request.kind == XAPS_REQUEST_REGISTER) == (request.topic != NULL));
	assert((request.kind == XAPS_REQUEST_NOTHING) == (request.event == NULL));
	struct mail_event *event;
	if (request.event &&
		!xaps_event_parse(request.event, strlen(request.event), true, &event, &err))
		event_free(event);
	xaps_request_fini(&request);
	return 0;
}
