#include "monitor/held_credential.h"

#include "base/log.h"
#include "monitor/response.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define SINCE_SIZE 40

struct search {
	const struct services *services;
	const char *topic;
	char *text;
	json_t *json;
	bool is_found;
};

static size_t count_waiting(const struct services *services, const struct sender_way *way)
{
	return queue_waiting_count(services->queue, way->credential->topic);
}

static void print_since(const struct sender_way *way, char ret[SINCE_SIZE])
{
	time_t seconds = (time_t)((clock_unix_ms() - way->held_ms) / CLOCK_SECOND_MS);
	struct tm tm;
	if (!gmtime_r(&seconds, &tm) || !strftime(ret, SINCE_SIZE, "%Y-%m-%d %H:%M:%S UTC", &tm))
		snprintf(ret, SINCE_SIZE, "an unknown time");
}

static void print_hold(const struct services *services, const struct sender_way *way, char *ret)
{
	char since[SINCE_SIZE];
	char next[48];
	size_t waiting = count_waiting(services, way);
	print_since(way, since);
	if (way->try_in_ms < 0)
		snprintf(next, sizeof(next), "when it is valid");
	else if (way->try_in_ms == 0)
		snprintf(next, sizeof(next), "now");
	else
		snprintf(next, sizeof(next), "in %" PRId64 " s",
			(way->try_in_ms + CLOCK_SECOND_MS - 1) / CLOCK_SECOND_MS);
	snprintf(ret, HELD_CREDENTIAL_TEXT_MAX,
		"on hold since %s: %s; it is tried next %s, %zu push%s", since,
		way->trouble ? way->trouble : "unknown", next, waiting,
		waiting == 1 ? " waits" : "es wait");
}

void held_credential_describe(
	const struct services *services, const struct sender_way *way, json_t *json)
{
	int64_t now_unix_ms = clock_unix_ms();
	json_object_set_new(json, "held_since", response_time(now_unix_ms - way->held_ms));
	json_object_set_new(json, "next_try",
		way->try_in_ms < 0 ? json_null() : response_time(now_unix_ms + way->try_in_ms));
	json_object_set_new(
		json, "waiting", json_integer((json_int_t)count_waiting(services, way)));
}

static void name_one(void *ctx, const struct sender_way *way)
{
	struct search *search = ctx;
	if (search->is_found || !way->is_held || strcmp(way->credential->topic, search->topic) != 0)
		return;
	search->is_found = true;
	json_object_set_new(search->json, "credential", response_text(way->credential->name));
	held_credential_describe(search->services, way, search->json);
}

void held_credential_name(const struct services *services, const char *topic, json_t *json)
{
	struct search search = {.services = services, .topic = topic, .json = json};
	sender_each_way(services->sender, name_one, &search);
}

static void explain_one(void *ctx, const struct sender_way *way)
{
	struct search *search = ctx;
	if (strcmp(way->credential->topic, search->topic) != 0 || !way->trouble)
		return;
	search->is_found = true;
	if (way->is_held)
		print_hold(search->services, way, search->text);
	else
		snprintf(search->text, HELD_CREDENTIAL_TEXT_MAX, "%s", way->trouble);
}

bool held_credential_explain(
	const struct services *services, const char *topic, char ret[HELD_CREDENTIAL_TEXT_MAX])
{
	struct search search = {.services = services, .topic = topic, .text = ret};
	sender_each_way(services->sender, explain_one, &search);
	return search.is_found;
}

static void log_one(void *ctx, const struct sender_way *way)
{
	char text[HELD_CREDENTIAL_TEXT_MAX];
	if (!way->is_held)
		return;
	print_hold(ctx, way, text);
	log_event(LOG_LEVEL_WARN, "apns", text, log_text("credential", way->credential->name));
}

void held_credential_log(const struct services *services)
{
	sender_each_way(services->sender, log_one, (void *)services);
}
