#include "monitor/trace_json.h"

#include "base/mem.h"
#include "monitor/response.h"
#include "stats/metrics.h"
#include "trace/trace_words.h"

#include <stdio.h>

/* As Apple and the log write it. */
static json_t *apns_id(const uint8_t id[TRACE_ENTRY_ID_SIZE])
{
	char text[2 * TRACE_ENTRY_ID_SIZE + 5];
	char *at = text;
	for (int i = 0; i < TRACE_ENTRY_ID_SIZE; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*at++ = '-';
		at += snprintf(at, 3, "%02x", id[i]);
	}
	return json_string(text);
}

static void add_event(json_t *json, const struct trace_entry *entry)
{
	json_object_set_new(json, "event", json_string(event_kind_name(entry->event)));
	json_object_set_new(json, "owner", response_text(entry->owner));
	json_object_set_new(json, "folder", response_text(entry->folder));
	json_object_set_new(json, "due", response_time(entry->other_ms));
}

static void add_answer(json_t *json, const struct trace_entry *entry)
{
	json_object_set_new(json, "apns_id", apns_id(entry->apns_id));
	json_object_set_new(json, "result", json_string(metrics_ending_name(entry->ending)));
	json_object_set_new(json, "status", json_integer(entry->status));
	json_object_set_new(json, "reason", response_text(entry->text));
	json_object_set_new(json, "sent", response_time(entry->other_ms));
	json_object_set_new(json, "mailboxes", json_integer(entry->count));
}

json_t *trace_json_of(const struct trace_entry *entry, const char *token)
{
	mem_auto char *text = trace_words_text(entry);
	mem_auto char *meaning = trace_words_meaning(entry);
	json_t *json = json_pack("{so,ss,ss,so,so,so,so,sI}", "time", response_time(entry->at_ms),
		"kind", trace_words_kind(entry->kind), "what", trace_words_what(entry), "key",
		trace_entry_has_key(entry) ? response_key(&entry->key) : json_null(), "token",
		token ? response_secret(token, false) : json_null(), "text", response_text(text),
		"meaning", meaning ? response_text(meaning) : json_null(), "left_out",
		(json_int_t)entry->left_out);
	if (entry->kind == TRACE_EVENT) {
		add_event(json, entry);
	} else if (entry->kind == TRACE_ANSWER) {
		add_answer(json, entry);
	} else if (entry->kind == TRACE_REGISTRATION) {
		json_object_set_new(json, "mailboxes", json_integer(entry->count));
		json_object_set_new(json, "topic", response_text(entry->text));
	} else if (entry->kind == TRACE_GAP) {
		json_object_set_new(json, "since", response_time(entry->other_ms));
		json_object_set_new(json, "entries", json_integer(entry->count));
	}
	return json;
}
