#include "sim/command.h"

#include "sim/server.h"

#include <errno.h>
#include <string.h>

#define MAX_FRAME_SIZE_LEAST 16384 /* RFC 9113 6.5.2 */
#define MAX_FRAME_SIZE_MOST 16777215

/* Take a whole number, a text or a flag out of a command; an absent one leaves *ret untouched. */

static int get_number(const json_t *command, const char *key, int64_t least, int64_t most,
	int64_t *ret, struct err *err)
{
	const json_t *value = json_object_get(command, key);
	if (!value)
		return 0;
	json_int_t number = json_integer_value(value);
	if (!json_is_integer(value) || number < least || number > most)
		return err_set(err, -EINVAL, "'%s' must be a whole number from %lld to %lld", key,
			(long long)least, (long long)most);
	*ret = number;
	return 0;
}

/* A text that needs no escapes in JSON and in an HTTP field; null is an empty one. */
static int get_text(
	const json_t *command, const char *key, size_t most, const char **ret, struct err *err)
{
	const json_t *value = json_object_get(command, key);
	if (!value)
		return 0;
	const char *text = json_is_null(value) ? "" : json_string_value(value);
	if (!text || json_string_length(value) > most)
		return err_set(
			err, -EINVAL, "'%s' must be a string of at most %zu bytes", key, most);
	for (const char *c = text; *c; c++) {
		if (*c < ' ' || *c > '~' || *c == '"' || *c == '\\')
			return err_set(err, -EINVAL,
				"'%s' must be printable ASCII without quotes and backslashes", key);
	}
	*ret = text;
	return 0;
}

static int get_flag(const json_t *command, const char *key, bool *ret, struct err *err)
{
	const json_t *value = json_object_get(command, key);
	if (!value)
		return 0;
	if (!json_is_boolean(value))
		return err_set(err, -EINVAL, "'%s' must be true or false", key);
	*ret = json_is_true(value);
	return 0;
}

static int need(const json_t *command, const char *key, struct err *err)
{
	if (json_object_get(command, key))
		return 0;
	return err_set(err, -EINVAL, "'%s' is missing", key);
}

static int get_token(const json_t *command, const char **ret, struct err *err)
{
	int r = need(command, "token", err);
	return r < 0 ? r : get_text(command, "token", SERVICE_TOKEN_MAX, ret, err);
}

static int get_verdict(const json_t *command, struct verdict *ret, struct err *err)
{
	int64_t status = 0;
	int64_t timestamp_ms = 0;
	const char *reason = "";
	const char *retry_after = "";
	int r;
	if ((r = need(command, "status", err)) < 0 ||
		(r = get_number(command, "status", 200, 599, &status, err)) < 0 ||
		(r = get_text(command, "reason", SERVICE_REASON_SIZE - 1, &reason, err)) < 0 ||
		(r = get_number(command, "timestamp", 0, INT64_MAX, &timestamp_ms, err)) < 0 ||
		(r = get_text(command, "retry_after", SERVICE_RETRY_AFTER_SIZE - 1, &retry_after,
			 err)) < 0)
		return r;
	*ret = (struct verdict){.status = (int)status, .timestamp_ms = timestamp_ms};
	memcpy(ret->reason, reason, strlen(reason) + 1);
	memcpy(ret->retry_after, retry_after, strlen(retry_after) + 1);
	return 0;
}

static int do_token(struct server *server, const json_t *command, json_t *reply, struct err *err)
{
	(void)reply;
	const char *token = NULL;
	struct verdict verdict;
	int64_t times = -1;
	int r;
	if ((r = get_token(command, &token, err)) < 0 ||
		(r = get_verdict(command, &verdict, err)) < 0 ||
		(r = get_number(command, "times", 0, INT64_MAX, &times, err)) < 0)
		return r;
	if (!behaviour_set_token(&server->behaviour, token, &verdict,
		    times < 0 ? BEHAVIOUR_FOREVER : (uint64_t)times))
		return err_set(err, -ENOSPC, "at most %d tokens can be set", BEHAVIOUR_TOKENS_MAX);
	return 0;
}

static int do_topic(struct server *server, const json_t *command, json_t *reply, struct err *err)
{
	(void)reply;
	const char *token = NULL;
	const char *topic = NULL;
	int r;
	if ((r = get_token(command, &token, err)) < 0 || (r = need(command, "topic", err)) < 0 ||
		(r = get_text(command, "topic", SERVICE_TOPIC_MAX, &topic, err)) < 0)
		return r;
	if (!behaviour_set_topic(&server->behaviour, token, topic[0] ? topic : NULL))
		return err_set(err, -ENOSPC, "at most %d tokens can be set", BEHAVIOUR_TOKENS_MAX);
	return 0;
}

static int do_next(struct server *server, const json_t *command, json_t *reply, struct err *err)
{
	(void)reply;
	struct verdict verdict;
	int64_t count = 1;
	int r;
	if ((r = get_verdict(command, &verdict, err)) < 0 ||
		(r = get_number(command, "count", 0, INT64_MAX, &count, err)) < 0)
		return r;
	if (!behaviour_add_next(&server->behaviour, &verdict, (uint64_t)count))
		return err_set(err, -ENOSPC, "at most %d wait at a time", BEHAVIOUR_NEXT_MAX);
	return 0;
}

static int do_delay(struct server *server, const json_t *command, json_t *reply, struct err *err)
{
	(void)reply;
	int r = need(command, "ms", err);
	return r < 0 ? r
		     : get_number(command, "ms", 0, BEHAVIOUR_DELAY_MAX_MS,
			       &server->behaviour.delay_ms, err);
}

static int do_goaway(struct server *server, const json_t *command, json_t *reply, struct err *err)
{
	(void)reply;
	int64_t after = 0;
	int64_t code = NGHTTP2_NO_ERROR;
	const char *reason = NULL;
	const char *last = "all";
	int r;
	if ((r = get_number(command, "after", 0, INT64_MAX, &after, err)) < 0 ||
		(r = get_number(command, "code", 0, UINT32_MAX, &code, err)) < 0 ||
		(r = get_text(command, "reason", SERVICE_REASON_SIZE - 1, &reason, err)) < 0 ||
		(r = get_text(command, "last", 8, &last, err)) < 0)
		return r;
	bool is_none = !strcmp(last, "none");
	bool is_graceful = !strcmp(last, "graceful");
	if (!is_none && !is_graceful && strcmp(last, "all"))
		return err_set(err, -EINVAL, "'last' must be \"all\", \"none\" or \"graceful\"");

	struct behaviour *behaviour = &server->behaviour;
	behaviour->has_goaway_reason = reason && reason[0];
	memcpy(behaviour->goaway_reason, reason ? reason : "", reason ? strlen(reason) + 1 : 1);
	behaviour->goaway_last = is_none ? GOAWAY_LAST_NONE : GOAWAY_LAST_ALL;
	behaviour->is_goaway_graceful = is_graceful;
	behaviour->goaway_code = (uint32_t)code;
	behaviour->goaway_after = (uint64_t)after;
	behaviour->has_goaway = after > 0;
	if (!after)
		server_goaway(server);
	return 0;
}

static int do_reset(struct server *server, const json_t *command, json_t *reply, struct err *err)
{
	(void)reply;
	int64_t after = 0;
	int r = get_number(command, "after", 0, INT64_MAX, &after, err);
	if (r < 0)
		return r;
	server->behaviour.reset_after = (uint64_t)after;
	server->behaviour.has_reset = after > 0;
	if (!after)
		server_reset(server);
	return 0;
}

static int do_refuse_streams(
	struct server *server, const json_t *command, json_t *reply, struct err *err)
{
	(void)reply;
	int64_t count = 1;
	int r = get_number(command, "count", 0, INT64_MAX, &count, err);
	if (r == 0)
		server->behaviour.refuse_streams = (uint64_t)count;
	return r;
}

static int do_rst_streams(
	struct server *server, const json_t *command, json_t *reply, struct err *err)
{
	(void)reply;
	int64_t count = 1;
	int64_t code = NGHTTP2_INTERNAL_ERROR;
	int r;
	if ((r = get_number(command, "count", 0, INT64_MAX, &count, err)) < 0 ||
		(r = get_number(command, "code", 0, UINT32_MAX, &code, err)) < 0)
		return r;
	server->behaviour.rst_streams = (uint64_t)count;
	server->behaviour.rst_code = (uint32_t)code;
	return 0;
}

static int do_settings(struct server *server, const json_t *command, json_t *reply, struct err *err)
{
	(void)reply;
	int64_t streams = server->behaviour.max_concurrent_streams;
	int64_t window = server->behaviour.initial_window_size;
	int64_t table = server->behaviour.header_table_size;
	int64_t frame = server->behaviour.max_frame_size;
	int r;
	if ((r = get_number(command, "max_concurrent_streams", 0, UINT32_MAX, &streams, err)) < 0 ||
		(r = get_number(command, "initial_window_size", 0, NGHTTP2_MAX_WINDOW_SIZE, &window,
			 err)) < 0 ||
		(r = get_number(command, "header_table_size", 0, UINT32_MAX, &table, err)) < 0 ||
		(r = get_number(command, "max_frame_size", MAX_FRAME_SIZE_LEAST,
			 MAX_FRAME_SIZE_MOST, &frame, err)) < 0)
		return r;
	server->behaviour.max_concurrent_streams = (uint32_t)streams;
	server->behaviour.initial_window_size = (uint32_t)window;
	server->behaviour.header_table_size = (uint32_t)table;
	server->behaviour.max_frame_size = (uint32_t)frame;
	server_announce_settings(server);
	return 0;
}

static int do_answers(struct server *server, const json_t *command, json_t *reply, struct err *err)
{
	(void)reply;
	struct response_adornment adornment = {0};
	int64_t pad = 0;
	int64_t fields = 0;
	int64_t body = 0;
	int r;
	if ((r = get_flag(command, "interim", &adornment.has_interim, err)) < 0 ||
		(r = get_flag(command, "trailers", &adornment.has_trailers, err)) < 0 ||
		(r = get_number(command, "pad", 0, RESPONSE_PAD_MAX, &pad, err)) < 0 ||
		(r = get_number(command, "fields", 0, RESPONSE_FIELDS_MAX, &fields, err)) < 0 ||
		(r = get_number(command, "body", 0, RESPONSE_BODY_MAX, &body, err)) < 0)
		return r;
	adornment.pad_bytes = (size_t)pad;
	adornment.fields_bytes = (size_t)fields;
	adornment.body_bytes = (size_t)body;
	server->behaviour.adornment = adornment;
	return 0;
}

static int do_tls(struct server *server, const json_t *command, json_t *reply, struct err *err)
{
	(void)reply;
	struct tls_fault fault = {0};
	const char *client = "good";
	const char *alpn = "h2";
	int r;
	if ((r = get_text(command, "client", 16, &client, err)) < 0 ||
		(r = get_text(command, "alpn", 16, &alpn, err)) < 0)
		return r;
	if (!tls_fault_parse(client, &fault.verify_error))
		return err_set(err, -EINVAL,
			"'client' must be \"good\", \"bad\", \"expired\", \"revoked\" or "
			"\"stranger\"");
	fault.has_no_alpn = !strcmp(alpn, "none");
	fault.refuses_h2 = !strcmp(alpn, "refuse");
	if (!fault.has_no_alpn && !fault.refuses_h2 && strcmp(alpn, "h2"))
		return err_set(err, -EINVAL, "'alpn' must be \"h2\", \"none\" or \"refuse\"");
	server->behaviour.tls = fault;
	return 0;
}

static int do_flood(struct server *server, const json_t *command, json_t *reply, struct err *err)
{
	(void)reply;
	const char *frames = "ping";
	int64_t count = 0;
	int r;
	if ((r = need(command, "count", err)) < 0 ||
		(r = get_number(command, "count", 0, BEHAVIOUR_FLOOD_MAX, &count, err)) < 0 ||
		(r = get_text(command, "frames", 16, &frames, err)) < 0)
		return r;
	bool is_settings = !strcmp(frames, "settings");
	if (!is_settings && strcmp(frames, "ping"))
		return err_set(err, -EINVAL, "'frames' must be \"ping\" or \"settings\"");
	server->behaviour.is_flood_of_settings = is_settings;
	server->behaviour.flood_count = (uint64_t)count;
	server_flood(server);
	return 0;
}

static int do_provider(struct server *server, const json_t *command, json_t *reply, struct err *err)
{
	(void)reply;
	int64_t lifetime_ms = server->behaviour.provider_lifetime_ms;
	int64_t least_ms = server->behaviour.provider_update_least_ms;
	int r;
	if ((r = get_number(command, "lifetime_ms", 0, INT32_MAX, &lifetime_ms, err)) < 0 ||
		(r = get_number(command, "update_least_ms", 0, INT32_MAX, &least_ms, err)) < 0)
		return r;
	server->behaviour.provider_lifetime_ms = lifetime_ms;
	server->behaviour.provider_update_least_ms = least_ms;
	return 0;
}

static int get_on(const json_t *command, bool *ret, struct err *err)
{
	int r = need(command, "on", err);
	return r < 0 ? r : get_flag(command, "on", ret, err);
}

static int do_silence(struct server *server, const json_t *command, json_t *reply, struct err *err)
{
	(void)reply;
	return get_on(command, &server->behaviour.is_silent, err);
}

static int do_hold(struct server *server, const json_t *command, json_t *reply, struct err *err)
{
	(void)reply;
	return get_on(command, &server->behaviour.is_holding, err);
}

static int do_refuse(struct server *server, const json_t *command, json_t *reply, struct err *err)
{
	(void)reply;
	bool is_refusing = false;
	int r = get_on(command, &is_refusing, err);
	return r < 0 ? r : server_set_refusing(server, is_refusing, err);
}

static int do_stats(struct server *server, const json_t *command, json_t *reply, struct err *err)
{
	(void)command;
	(void)err;
	json_auto_t *stats = stats_json(&server->stats);
	json_object_update(reply, stats);
	json_object_set_new(
		reply, "recorded", json_integer((json_int_t)record_lines(server->record)));
	return 0;
}

static int do_clear(struct server *server, const json_t *command, json_t *reply, struct err *err)
{
	(void)reply;
	bool counters = false;
	int r = get_flag(command, "counters", &counters, err);
	if (r < 0)
		return r;
	const struct behaviour *behaviour = &server->behaviour;
	uint32_t streams = behaviour->max_concurrent_streams;
	uint32_t window = behaviour->initial_window_size;
	uint32_t table = behaviour->header_table_size;
	uint32_t frame = behaviour->max_frame_size;
	behaviour_clear(&server->behaviour);
	if (behaviour->max_concurrent_streams != streams ||
		behaviour->initial_window_size != window || behaviour->header_table_size != table ||
		behaviour->max_frame_size != frame)
		server_announce_settings(server);
	if (counters)
		stats_clear(&server->stats);
	return server_set_refusing(server, false, err);
}

static const struct row {
	const char *name;
	int (*function)(
		struct server *server, const json_t *command, json_t *reply, struct err *err);
	const char *keys[6]; /* the keys that it has; any other key is an error */
} commands[] = {
	{"token", do_token, {"token", "status", "reason", "timestamp", "retry_after", "times"}},
	{"topic", do_topic, {"token", "topic"}},
	{"next", do_next, {"count", "status", "reason", "timestamp", "retry_after"}},
	{"delay", do_delay, {"ms"}},
	{"goaway", do_goaway, {"after", "reason", "last", "code"}},
	{"reset", do_reset, {"after"}},
	{"refuse_streams", do_refuse_streams, {"count"}},
	{"rst_streams", do_rst_streams, {"count", "code"}},
	{"settings", do_settings,
		{"max_concurrent_streams", "initial_window_size", "header_table_size",
			"max_frame_size"}},
	{"answers", do_answers, {"interim", "trailers", "pad", "fields", "body"}},
	{"tls", do_tls, {"client", "alpn"}},
	{"flood", do_flood, {"frames", "count"}},
	{"provider", do_provider, {"lifetime_ms", "update_least_ms"}},
	{"silence", do_silence, {"on"}},
	{"hold", do_hold, {"on"}},
	{"refuse", do_refuse, {"on"}},
	{"stats", do_stats, {NULL}},
	{"clear", do_clear, {"counters"}},
};

#define COMMANDS (sizeof(commands) / sizeof(commands[0]))
#define COMMAND_KEYS (sizeof(commands[0].keys) / sizeof(commands[0].keys[0]))

static const struct row *find_command(const json_t *object)
{
	const char *name = json_string_value(json_object_get(object, "do"));
	for (size_t i = 0; name && i < COMMANDS; i++) {
		if (!strcmp(commands[i].name, name))
			return &commands[i];
	}
	return NULL;
}

static int check_keys(const struct row *command, json_t *object, struct err *err)
{
	const char *key;
	json_t *value;
	json_object_foreach(object, key, value)
	{
		bool is_known = !strcmp(key, "do");
		for (size_t i = 0; !is_known && i < COMMAND_KEYS && command->keys[i]; i++)
			is_known = !strcmp(key, command->keys[i]);
		if (!is_known)
			return err_set(err, -EINVAL, "'%s' does not know the key '%.64s'",
				command->name, key);
	}
	return 0;
}

static int execute(
	struct server *server, const char *line, size_t size, json_t *reply, struct err *err)
{
	json_error_t error;
	json_auto_t *object = json_loadb(line, size, JSON_REJECT_DUPLICATES, &error);
	if (!json_is_object(object))
		return err_set(err, -EINVAL, "a command is one JSON object a line: %s",
			object ? "this is not one" : error.text);
	const struct row *command = find_command(object);
	if (!command)
		return err_set(err, -EINVAL, "'do' must name a command; see apns-sim(1)");
	int r = check_keys(command, object, err);
	return r < 0 ? r : command->function(server, object, reply, err);
}

static int on_json(const char *bytes, size_t size, void *arg)
{
	buf_append(arg, bytes, size);
	return 0;
}

void command_execute(struct server *server, const char *line, size_t size, struct buf *text)
{
	struct err err;
	json_auto_t *reply = json_object();
	int r = execute(server, line, size, reply, &err);
	json_object_set_new(reply, "ok", json_boolean(r == 0));
	if (r < 0) {
		json_t *reason = json_string(err.text);
		json_object_set_new(reply, "error", reason ? reason : json_string("not UTF-8"));
	}
	json_dump_callback(reply, on_json, text, JSON_COMPACT);
	buf_append(text, "\n", 1);
	server_wake(server);
}
