/*
 * behaviour - the faults that a test requests through the control socket.
 *
 * Without requests it is Apple's service on a good day: service.h checks every push, and the answer
 * comes at once.  It keeps faults and uses them up push by push; connection.c asks what happens to
 * an arrived push, whether it may be answered already, and with what.  A trial (service_is_trial)
 * may come at any time, so it uses up no fault, and a test knows which push meets which.
 *
 * No I/O, no clock, no connections: server.h does what happens to connections at once (reset, new
 * SETTINGS).  Loop thread.
 */
#ifndef MAILPUSH_SIM_BEHAVIOUR_H
#define MAILPUSH_SIM_BEHAVIOUR_H

#include "base/map.h"
#include "sim/response.h"
#include "sim/service.h"
#include "sim/tls.h"

#define BEHAVIOUR_TOKENS_MAX 100000
#define BEHAVIOUR_NEXT_MAX 256
#define BEHAVIOUR_DELAY_MAX_MS (10 * 60 * 1000)
#define BEHAVIOUR_MAX_CONCURRENT_STREAMS 1000
#define BEHAVIOUR_INITIAL_WINDOW_SIZE 65535
#define BEHAVIOUR_HEADER_TABLE_SIZE 4096
#define BEHAVIOUR_MAX_FRAME_SIZE 16384
#define BEHAVIOUR_FLOOD_MAX 1000000
#define BEHAVIOUR_PROVIDER_LIFETIME_MS (60 * 60 * 1000)
#define BEHAVIOUR_PROVIDER_UPDATE_LEAST_MS (20 * 60 * 1000)
#define BEHAVIOUR_FOREVER UINT64_MAX

/* Which streams a GOAWAY says were processed. */
enum goaway_last {
	GOAWAY_LAST_ALL, /* all that have arrived */
	GOAWAY_LAST_NONE /* none after the push that caused it */
};

struct behaviour {
	struct map *tokens; /* lower-case token to struct behaviour_token */
	struct {
		uint64_t count;
		struct verdict verdict;
	} next[BEHAVIOUR_NEXT_MAX]; /* the first is used up first */
	size_t nexts;

	uint64_t refuse_streams;
	uint64_t rst_streams;
	uint32_t rst_code;

	bool has_goaway;
	uint64_t goaway_after;
	bool has_goaway_reason;
	char goaway_reason[SERVICE_REASON_SIZE];
	enum goaway_last goaway_last;
	bool is_goaway_graceful;
	uint32_t goaway_code;

	bool has_reset;
	uint64_t reset_after;

	int64_t delay_ms;
	bool is_silent;	 /* nothing at all is sent */
	bool is_holding; /* pushes are not answered, the rest of HTTP/2 is */

	uint32_t max_concurrent_streams;
	uint32_t initial_window_size;
	uint32_t header_table_size;
	uint32_t max_frame_size;

	struct response_adornment adornment;
	struct tls_fault tls;
	bool is_flood_of_settings; /* else of PING */
	uint64_t flood_count;

	int64_t provider_lifetime_ms;	  /* an older provider token has expired */
	int64_t provider_update_least_ms; /* changing it sooner is too often */
};

void behaviour_init(struct behaviour *behaviour);
void behaviour_fini(struct behaviour *behaviour);

/* Back to a good day. */
void behaviour_clear(struct behaviour *behaviour);

/*
 * From now on pushes to the token get this verdict, `times` times.  The case of the token does not
 * matter.  False when BEHAVIOUR_TOKENS_MAX tokens are set already.
 */
bool behaviour_set_token(struct behaviour *behaviour, const char *token,
	const struct verdict *verdict, uint64_t times);

/* The token belongs to this topic alone; NULL: to any.  False as above. */
bool behaviour_set_topic(struct behaviour *behaviour, const char *token, const char *topic);

/*
 * The next `count` pushes other than trials get this verdict, after those set before.  False when
 * it is too many.
 */
bool behaviour_add_next(struct behaviour *behaviour, const struct verdict *verdict, uint64_t count);

struct arrival {
	enum { ARRIVAL_ANSWER, ARRIVAL_RST_STREAM, ARRIVAL_RESET } what;
	uint32_t rst_code; /* with ARRIVAL_RST_STREAM */
	bool is_goaway;	   /* this push causes the GOAWAY */
};

/* A push is complete: uses up the fault that was set for it. */
struct arrival behaviour_arrived(struct behaviour *behaviour);

static inline bool behaviour_holds(const struct behaviour *behaviour)
{
	return behaviour->is_silent || behaviour->is_holding;
}

/* The verdict on a push that is answered now: what was set, else service_check(). */
void behaviour_decide(struct behaviour *behaviour, const struct request *request,
	const struct peer *peer, struct verdict *ret);

#endif
