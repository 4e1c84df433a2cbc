#include "admin/forgotten.h"

#include "admin/deferred_request.h"
#include "admin/request_params.h"
#include "apns/explain.h"
#include "base/mem.h"
#include "monitor/response.h"

const char *forgotten_meaning(const struct registry_tombstone *tombstone)
{
	switch (tombstone->why) {
	case REGISTRY_WHY_EXPIRED:
		return "it was not renewed within registration_ttl: the phone is off or offline, "
		       "or "
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
	return explain_answer(APNS_ANSWERED, tombstone->status, tombstone->reason);
}

static json_t *describe(const struct registry_tombstone *tombstone, bool full)
{
	json_t *json = json_pack("{so,so,so,so,so,so,so,ss,ss,sb}", "key",
		response_key(&tombstone->key), "user", response_text(tombstone->user), "token",
		response_secret(tombstone->token, full), "account_id",
		response_secret(tombstone->account_id, full), "topic",
		response_text(tombstone->topic), "renewed", response_time(tombstone->renewed_ms),
		"forgotten", response_time(tombstone->at_ms), "why",
		registry_why_names[tombstone->why], "meaning", forgotten_meaning(tombstone),
		"registered_again", tombstone->is_back);
	json_object_set_new(
		json, "status", tombstone->status ? json_integer(tombstone->status) : json_null());
	json_object_set_new(json, "reason",
		*tombstone->reason ? response_text(tombstone->reason) : json_null());
	return json;
}

static void on_listed(struct db_query *db_query, int status)
{
	struct deferred_request *deferred =
		MEM_CONTAINER(db_query, struct deferred_request, db_query);
	if (!deferred_request_is_over(deferred, status)) {
		const struct registry_tombstones *tombstones = db_query->job.tombstones;
		json_t *forgotten = json_array();
		json_t *next = json_null();
		for (size_t i = 0; i < tombstones->count; i++)
			json_array_append_new(
				forgotten, describe(&tombstones->tombstones[i], deferred->full));
		if (tombstones->has_more)
			next = json_integer(tombstones->tombstones[tombstones->count - 1].id);
		response_json(deferred->request, 200,
			json_pack("{so,so}", "forgotten", forgotten, "next", next));
	}
	deferred_request_fini(deferred);
	free(deferred);
}

void forgotten_list(const struct services *services, struct http_request *request, const char *tail)
{
	(void)tail;
	const char *user = NULL;
	int64_t after = 0;
	int64_t limit = REQUEST_PARAMS_LIMIT_DEFAULT;
	if (!request_params_text(http_query(request, "user"), &user) ||
		!request_params_number(http_query(request, "after"), 0, INT64_MAX, &after) ||
		!request_params_number(
			http_query(request, "limit"), 1, REQUEST_PARAMS_LIMIT_MAX, &limit)) {
		response_error(request, 400,
			"limit must be from 1 to %d, after the `next` of the page before, and user "
			"a text of at most %d bytes",
			REQUEST_PARAMS_LIMIT_MAX, REQUEST_PARAMS_TEXT_MAX);
		return;
	}
	struct deferred_request *deferred = mem_alloc_zero(1, sizeof(*deferred));
	deferred_request_init(deferred, services, request);
	if (user)
		deferred->user = mem_dup(user);
	deferred->db_query.query = (struct registry_query){
		.user = deferred->user, .after_id = after, .limit = (size_t)limit};
	db_query_ask_registry(services, &deferred->db_query, REGISTRY_LIST_FORGOTTEN, on_listed);
}
