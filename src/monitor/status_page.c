#include "monitor/status_page.h"

#include "alert/remedy.h"
#include "apns/explain.h"
#include "monitor/page_login.h"
#include "monitor/page_text.h"
#include "monitor/response.h"
#include "monitor/silence.h"
#include "monitor/status.h"
#include "stats/failures.h"
#include "stats/history.h"
#include "stats/metrics.h"

#include <string.h>

#define STATUS_OK 200
#define SLOW 0.95 /* the part of all pushes that a latency of the charts is about */

/* The members of /status that the page shows; the rest is only for the control socket. */
static const char *const shown[] = {"version", "site", "started", "now", "events", "registrations",
	"queue", "pushes", "rates", "credentials"};

/* Alarms that quote settings, names of files, or what another program said. */
static const char *const quoting[] = {"alarm-mail", "aps-topic", "control:socket", "forward",
	"intake:dovecot_socket", "intake:late", "intake:notify_socket", "intake:stream_socket",
	"intake:xaps_socket", "queue", "queue:damaged", "registry", "registry:refused", "reload",
	"spool"};

static void show(struct http_request *request, const struct page_text *page)
{
	buf_auto struct buf body;
	buf_init(&body);
	buf_append(&body, page->html, page->size);
	http_add_header(request, "Content-Security-Policy", page->policy);
	http_add_header(request, "Referrer-Policy", "no-referrer");
	http_answer(request, STATUS_OK, "text/html; charset=utf-8", &body);
}

void status_page_show(
	const struct services *services, struct http_request *request, const char *tail)
{
	(void)services;
	(void)tail;
	show(request, &page_text_status);
}

void status_page_show_phones(
	const struct services *services, struct http_request *request, const char *tail)
{
	(void)services;
	(void)tail;
	show(request, &page_text_phones);
}

static bool is_quoting(const char *name)
{
	for (size_t i = 0; i < sizeof(quoting) / sizeof(quoting[0]); i++)
		if (!strcmp(name, quoting[i]))
			return true;
	return false;
}

static json_t *alarms(const struct services *services, json_t *all)
{
	size_t i;
	json_t *alarm;
	json_array_foreach(all, i, alarm)
	{
		const char *name = json_string_value(json_object_get(alarm, "name"));
		json_object_set_new(alarm, "remedy", response_text(remedy_of(name)));
		json_object_set_new(alarm, "silences", silence_json(services, name));
		if (is_quoting(name) && !services->config->status_page_names)
			json_object_set_new(alarm, "text",
				json_string("the text may quote settings or name people, and is "
					    "not shown here; `mailpushctl status` and the log "
					    "have it"));
	}
	return json_incref(all);
}

static json_t *failure_json(const struct failure *failure)
{
	json_t *json = json_pack("{so,so}", "time", response_time(failure->unix_ms), "times",
		json_integer((json_int_t)failure->times));
	if (failure->text) {
		json_object_set_new(json, "kind", json_string("connection"));
		json_object_set_new(json, "credential", response_text(failure->credential));
		json_object_set_new(json, "meaning", response_text(failure->text));
		return json;
	}
	const char *meaning = explain_answer(failure->ending, failure->status, failure->reason);
	json_object_set_new(json, "kind", json_string("push"));
	json_object_set_new(json, "result", json_string(metrics_ending_name(failure->ending)));
	json_object_set_new(json, "status", json_integer(failure->status));
	json_object_set_new(json, "reason", response_text(failure->reason));
	json_object_set_new(json, "meaning", response_text(meaning));
	if (failure->user)
		json_object_set_new(json, "user", response_text(failure->user));
	return json;
}

static json_t *failures(const struct services *services)
{
	json_t *json = json_array();
	const struct failure *failure;
	for (unsigned i = 0; (failure = failures_at(services->failures, i)); i++)
		json_array_append_new(json, failure_json(failure));
	return json;
}

static json_t *latency(const struct histogram *histogram)
{
	return histogram_count(histogram) ? json_real(histogram_quantile_s(histogram, SLOW))
					  : json_null();
}

static json_t *history_json(const struct history *history, enum history_span span)
{
	json_t *events = json_array();
	json_t *taken = json_array();
	json_t *failed = json_array();
	json_t *event_to_push = json_array();
	json_t *answered = json_array();
	unsigned count = history_count(history, span);
	for (unsigned i = 0; i < count; i++) {
		const struct history_bucket *bucket = history_at(history, span, i);
		json_array_append_new(events, json_integer((json_int_t)bucket->events));
		json_array_append_new(taken, json_integer((json_int_t)bucket->taken));
		json_array_append_new(failed, json_integer((json_int_t)bucket->failed));
		json_array_append_new(event_to_push, latency(&bucket->event_to_push));
		json_array_append_new(answered, latency(&bucket->answered));
	}
	return json_pack("{si,so,so,so,so,so}", "seconds",
		(int)(history_width_ms(span) / CLOCK_SECOND_MS), "events", events, "taken", taken,
		"failed", failed, "event_to_push", event_to_push, "answered", answered);
}

/* A time of the history's as Unix time. */
static json_t *last_time(int64_t monotonic_ms)
{
	if (monotonic_ms < 0)
		return json_null();
	return response_time(clock_unix_ms() - (clock_monotonic_ms() - monotonic_ms));
}

/* Without its host and what it said, which name machines and people. */
static json_t *registry_of(const json_t *status)
{
	static const char *const members[] = {"server", "connected", "since", "parked"};
	const json_t *registry = json_object_get(json_object_get(status, "databases"), "registry");
	json_t *json = json_object();
	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
		json_object_set(json, members[i], json_object_get(registry, members[i]));
	return json;
}

json_t *status_page_data(const struct services *services, const struct db_totals_values *totals)
{
	status_page_sample(services);
	json_t *all = status_of(services, totals);
	json_t *json = json_object();
	for (size_t i = 0; i < sizeof(shown) / sizeof(shown[0]); i++)
		json_object_set(json, shown[i], json_object_get(all, shown[i]));
	json_object_set_new(json, "registry", registry_of(all));
	json_object_set_new(json, "alarms", alarms(services, json_object_get(all, "alarms")));
	json_object_set_new(json, "phones", json_boolean(page_login_is_on(services)));
	json_object_set_new(json, "last",
		json_pack("{so,so}", "event", last_time(history_last_event_ms(services->history)),
			"push", last_time(history_last_taken_ms(services->history))));
	json_object_set_new(json, "failures", failures(services));
	json_object_set_new(json, "history",
		json_pack("{so,so}", "hour", history_json(services->history, HISTORY_HOUR), "day",
			history_json(services->history, HISTORY_DAY)));
	json_decref(all);
	return json;
}

void status_page_sample(const struct services *services)
{
	const struct metrics *metrics = services->metrics;
	struct history_totals totals = {.events = metrics->event_total,
		.event_to_push = &metrics->event_to_push[QUEUE_URGENT],
		.answered = &metrics->answered};
	metrics_outcomes(metrics, &totals.taken, &totals.failed);
	history_sample(services->history, clock_monotonic_ms(), &totals);
}
