#include "xaps/xaps_call.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "event/user_site.h"
#include "event/xaps_event.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/queue.h>

#define TICK_MS 50

struct xaps_call {
	TAILQ_ENTRY(xaps_call) place;
	struct xaps_calls *calls;
	struct xaps_request request;
	int64_t since_ms;
	xaps_call_answered_fn *answered; /* NULL: nobody waits any more */
	void *ctx;
	bool is_for_nobody; /* no registration is subscribed */
	bool is_begun;	    /* xaps_call has returned, or is about to */
	bool is_over;
	/* The question whether the user is known. */
	bool is_asking;
	char *user; /* as the registry has it */
	struct registry_query query;
	struct registry_job job;
};

TAILQ_HEAD(call_list, xaps_call);

struct xaps_calls {
	struct xaps_calls_needs needs;
	struct call_list list; /* the oldest first */
	uv_timer_t timer;
	bool is_paused;
	bool is_stopped;
};

static void finish(struct xaps_call *call)
{
	TAILQ_REMOVE(&call->calls->list, call, place);
	registry_job_fini(&call->job);
	xaps_request_fini(&call->request);
	free(call->user);
	free(call);
}

static void tell(struct xaps_call *call, enum xaps_call_answer answer)
{
	xaps_call_answered_fn *answered = mem_steal(call->answered);
	const char *topic = answer == XAPS_CALL_TAKEN ? call->request.topic : NULL;
	if (answered)
		answered(call->ctx, answer, topic ? topic : "");
}

/* Not while xaps_call still looks at it. */
static void end(struct xaps_call *call, enum xaps_call_answer answer)
{
	tell(call, answer);
	call->is_over = true;
	if (call->is_begun)
		finish(call);
}

static void on_listed(struct registry_job *job)
{
	struct xaps_call *call = MEM_CONTAINER(job, struct xaps_call, job);
	call->is_asking = false;
	bool is_unknown = !job->status && !job->listing->count;
	end(call, is_unknown ? XAPS_CALL_NO_USER : XAPS_CALL_NO_DEVICE);
}

static void ask_for_user(struct xaps_call *call)
{
	const struct xaps_calls_needs *needs = &call->calls->needs;
	const struct mailbox_namespace names = xaps_event_names(needs->config->xaps_fold_users);
	mem_auto char *user = mem_dup(call->request.user);
	mailbox_owner_of_user(&names, call->request.user, user);
	call->user =
		user_site_name(input_files_dovecot_site(needs->config, needs->input_files), user);
	call->query = (struct registry_query){.user = call->user, .limit = 1};
	call->job = (struct registry_job){.kind = REGISTRY_LIST,
		.done = on_listed,
		.received_ms = clock_unix_ms(),
		.query = &call->query};
	call->is_asking = true;
	registry_submit(needs->registry, &call->job);
}

static void on_matched(void *who, size_t registrations)
{
	struct xaps_call *call = who;
	call->is_for_nobody = call->request.kind == XAPS_REQUEST_NOTIFY && registrations == 0;
}

static void on_answer(void *who, int status, const char *text)
{
	struct xaps_call *call = who;
	(void)text;
	if (status)
		end(call, status == -EBADMSG ? XAPS_CALL_BAD : XAPS_CALL_FAILED);
	else if (!call->is_for_nobody)
		end(call, XAPS_CALL_TAKEN);
	else if (!call->answered || call->calls->is_stopped)
		end(call, XAPS_CALL_NO_DEVICE);
	else
		ask_for_user(call);
}

/* All have the same limit. */
static void on_timer(uv_timer_t *timer)
{
	struct xaps_calls *calls = timer->data;
	int64_t late_ms = clock_monotonic_ms() - calls->needs.config->ack_timeout_ms;
	struct xaps_call *call;
	TAILQ_FOREACH(call, &calls->list, place) {
		if (call->since_ms > late_ms)
			break;
		if (!call->answered)
			continue;
		if (!call->is_asking)
			arrivals_on_ack_timeout(calls->needs.arrivals);
		tell(call, call->is_asking ? XAPS_CALL_NO_DEVICE : XAPS_CALL_FAILED);
	}
	if (TAILQ_EMPTY(&calls->list))
		uv_timer_stop(timer);
}

struct xaps_calls *xaps_calls_new(const struct xaps_calls_needs *needs)
{
	struct xaps_calls *calls = mem_alloc_zero(1, sizeof(*calls));
	calls->needs = *needs;
	TAILQ_INIT(&calls->list);
	uv_timer_init(needs->loop, &calls->timer);
	calls->timer.data = calls;
	return calls;
}

static void on_closed(uv_handle_t *handle)
{
	free(handle->data);
}

void xaps_calls_free(struct xaps_calls *calls)
{
	if (!calls)
		return;
	assert(TAILQ_EMPTY(&calls->list));
	uv_close((uv_handle_t *)&calls->timer, on_closed);
}

void xaps_calls_pause(struct xaps_calls *calls, bool is_paused)
{
	calls->is_paused = is_paused;
}

void xaps_calls_stop(struct xaps_calls *calls)
{
	calls->is_stopped = true;
}

static bool refuses(const struct xaps_calls *calls)
{
	return calls->is_paused || calls->is_stopped;
}

const struct xaps_topics *xaps_calls_topics(const struct xaps_calls *calls)
{
	return &calls->needs.topics;
}

/* Of a phone that registers. */
static bool is_topic_fine(const struct xaps_request *request)
{
	const char *topic = request->topic;
	if (!topic)
		return true;
	if (!*topic)
		log_seldom(LOG_LEVEL_WARN, "xaps", "phones without a topic", "",
			"a phone cannot register, as there is no topic for phones",
			log_text("user", request->user));
	else if (strlen(topic) <= XAPS_EVENT_SHORT_TOPIC)
		log_seldom(LOG_LEVEL_WARN, "xaps", "short topics", topic,
			"the topic is " XAPS_EVENT_SHORT_TEXT, log_text("topic", topic),
			log_number("limit", XAPS_EVENT_SHORT_TOPIC));
	return *topic;
}

struct xaps_call *xaps_call(struct xaps_calls *calls, struct xaps_request *request,
	xaps_call_answered_fn *answered, void *ctx)
{
	if (!request->event || refuses(calls) || !is_topic_fine(request)) {
		enum xaps_call_answer answer = request->event ? XAPS_CALL_FAILED : XAPS_CALL_TAKEN;
		xaps_request_fini(request);
		answered(ctx, answer, "");
		return NULL;
	}
	struct xaps_call *call = mem_alloc_zero(1, sizeof(*call));
	call->calls = calls;
	call->request = *request;
	*request = (struct xaps_request){0};
	call->since_ms = clock_monotonic_ms();
	call->answered = answered;
	call->ctx = ctx;
	TAILQ_INSERT_TAIL(&calls->list, call, place);
	if (!uv_is_active((uv_handle_t *)&calls->timer))
		uv_timer_start(&calls->timer, on_timer, TICK_MS, TICK_MS);
	arrivals_take_xaps(calls->needs.arrivals, call->request.event, strlen(call->request.event),
		(struct arrival_waiter){.answer = on_answer,
			.who = call,
			.matched = on_matched,
			.through = "xaps"});
	call->is_begun = true;
	if (!call->is_over)
		return call;
	finish(call);
	return NULL;
}

void xaps_call_forget(struct xaps_call *call)
{
	call->answered = NULL;
}
