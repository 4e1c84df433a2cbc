#include "daemon/forgotten.h"

#include "apns/explain.h"
#include "base/mem.h"
#include "daemon/ask.h"
#include "daemon/exchange.h"
#include "daemon/reply.h"

static const char *meaning_of(const struct registry_trace *trace)
{
	switch (trace->why) {
	case REGISTRY_WHY_EXPIRED:
		return "it was not renewed for registration_ttl: the phone is off or offline, or "
		       "the account is no longer set to Push there";
	case REGISTRY_WHY_SUPERSEDED:
		return "the account was added anew on that phone, which renews that one only";
	case REGISTRY_WHY_LIMIT:
		return "the user registered more than registrations_per_user, and this one was "
		       "renewed the longest ago";
	case REGISTRY_WHY_DELETED:
		return "the account was deleted or renamed in Cyrus, and deleted_user_grace is "
		       "over";
	case REGISTRY_WHY_REMOVED:
		return "an administrator removed it";
	case REGISTRY_WHY_APPLE:
	case REGISTRY_WHYS:
		break;
	}
	return explain_answer(APNS_ANSWERED, trace->status, trace->reason);
}

static json_t *describe(const struct registry_trace *trace, bool full)
{
	json_t *json = json_pack("{so,so,so,so,so,so,so,ss,ss,sb}", "key", reply_key(&trace->key),
		"user", reply_text(trace->user), "token", reply_secret(trace->token, full),
		"account_id", reply_secret(trace->account_id, full), "topic",
		reply_text(trace->topic), "renewed", reply_time(trace->renewed_ms), "forgotten",
		reply_time(trace->at_ms), "why", registry_why_names[trace->why], "meaning",
		meaning_of(trace), "registered_again", trace->is_back);
	json_object_set_new(
		json, "status", trace->status ? json_integer(trace->status) : json_null());
	json_object_set_new(
		json, "reason", *trace->reason ? reply_text(trace->reason) : json_null());
	return json;
}

static void on_listed(struct inquiry *inquiry, int status)
{
	struct exchange *exchange = MEM_CONTAINER(inquiry, struct exchange, inquiry);
	if (!exchange_is_over(exchange, status)) {
		const struct registry_traces *traces = inquiry->job.traces;
		json_t *forgotten = json_array();
		json_t *next = json_null();
		for (size_t i = 0; i < traces->count; i++)
			json_array_append_new(
				forgotten, describe(&traces->traces[i], exchange->full));
		if (traces->has_more)
			next = json_integer(traces->traces[traces->count - 1].id);
		reply_json(exchange->request, 200,
			json_pack("{so,so}", "forgotten", forgotten, "next", next));
	}
	exchange_fini(exchange);
	free(exchange);
}

void forgotten_list(struct core *core, struct http_request *request, const char *tail)
{
	(void)tail;
	const char *user = NULL;
	int64_t after = 0;
	int64_t limit = ASK_LIMIT_DEFAULT;
	if (!ask_text(http_query(request, "user"), &user) ||
		!ask_number(http_query(request, "after"), 0, INT64_MAX, &after) ||
		!ask_number(http_query(request, "limit"), 1, ASK_LIMIT_MAX, &limit)) {
		reply_error(request, 400,
			"limit must be from 1 to %d, after the `next` of the page before, and user "
			"a text of at most %d bytes",
			ASK_LIMIT_MAX, ASK_TEXT_MAX);
		return;
	}
	struct exchange *exchange = mem_alloc_zero(1, sizeof(*exchange));
	exchange_init(exchange, core, request);
	if (user)
		exchange->user = mem_dup(user);
	exchange->inquiry.query = (struct registry_query){
		.user = exchange->user, .after_id = after, .limit = (size_t)limit};
	inquiry_ask_registry(core, &exchange->inquiry, REGISTRY_LIST_FORGOTTEN, on_listed);
}
