/* What the requests of both doors become, which is the same. */
#ifndef TESTS_UNIT_XAPS_REQUESTS_H
#define TESTS_UNIT_XAPS_REQUESTS_H

#include "xaps/xaps_request.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#define TOPIC "com.apple.mail.XServer.x"
#define TOKEN "2918390218931890821908309283098109381029309829018310983092892829"
#define REGISTERED                                                                         \
	"{\"source\":\"xaps\",\"event\":\"Register\",\"user\":\"Jane\",\"token\":\"" TOKEN \
	"\",\"account_id\":\"A-1\",\"subtopic\":\"com.apple.mobilemail\","                 \
	"\"mailboxes\":[\"INBOX\",\"Notes\"],\"topic\":\"" TOPIC "\"}"

static const char *topic_of(void *ctx, const char *user)
{
	assert_null(ctx);
	assert_string_not_equal(user, "");
	return TOPIC;
}

static const struct xaps_topics topics = {topic_of, NULL};

/* What `status` was parsed to, which goes. */
static inline void assert_request(int status, struct xaps_request *request,
	enum xaps_request_kind kind, const char *user, const char *event)
{
	assert_int_equal(status, 0);
	assert_int_equal(request->kind, kind);
	assert_string_equal(request->user, user);
	assert_string_equal(request->event, event);
	xaps_request_fini(request);
}

#endif
