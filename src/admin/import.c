#include "admin/import.h"

#include "admin/registration_json.h"
#include "arrival/registering.h"
#include "base/log.h"
#include "base/mem.h"
#include "event/user_site.h"
#include "event/xaps_event.h"
#include "flow/delivery.h"
#include "monitor/response.h"
#include "stats/metrics.h"

#include <string.h>

#define WAITING_MAX 8192 /* jobs of the registry; beyond that, an import is refused */

/* One registration of a request. */
struct candidate {
	struct registry_job job;
	struct import *import;
	struct registration_json registration;
	struct registering registering;
	char *refusal; /* NULL: it is not refused, as far as is known */
};

struct import {
	const struct services *services;
	struct http_request *request; /* NULL: gone */
	json_t *body;
	struct candidate *candidates;
	size_t count;
	size_t waiting; /* for the registry */
	bool is_dry_run;
	bool is_from_dovecot;
	bool is_stopped; /* the registry did not do all */
};

static const char *const imported_names[REGISTRY_IMPORTED_KINDS] = {
	[REGISTRY_IMPORTED_NEW] = "new",
	[REGISTRY_IMPORTED_RENEWED] = "renewed",
	[REGISTRY_IMPORTED_KNOWN] = "known",
	[REGISTRY_IMPORTED_EXPIRED] = "refused",
	[REGISTRY_IMPORTED_LIMIT] = "refused",
};

static const char *const imported_whys[REGISTRY_IMPORTED_KINDS] = {
	[REGISTRY_IMPORTED_EXPIRED] = "it was not renewed within registration_ttl",
	[REGISTRY_IMPORTED_LIMIT] =
		"the user already has registrations_per_user that were renewed later",
};

static void free_import(struct import *import)
{
	for (size_t i = 0; i < import->count; i++) {
		struct candidate *candidate = &import->candidates[i];
		registry_job_fini(&candidate->job);
		registering_fini(&candidate->registering);
		registration_json_fini(&candidate->registration);
		free(candidate->refusal);
	}
	free(import->candidates);
	json_decref(import->body);
	free(import);
}

static void on_gone(void *ctx)
{
	struct import *import = ctx;
	import->request = NULL;
}

static json_t *result_of(const struct candidate *candidate)
{
	const struct registry_job *job = &candidate->job;
	if (candidate->refusal)
		return json_pack(
			"{ss,so}", "result", "refused", "why", response_text(candidate->refusal));
	json_t *result = json_pack("{ss}", "result", imported_names[job->imported]);
	if (imported_whys[job->imported])
		json_object_set_new(result, "why", json_string(imported_whys[job->imported]));
	if (candidate->registration.event->registration.left_out)
		json_object_set_new(result, "left_out",
			json_integer(
				(json_int_t)candidate->registration.event->registration.left_out));
	return result;
}

static void log_import(const struct import *import)
{
	int64_t of[REGISTRY_IMPORTED_KINDS] = {0};
	for (size_t i = 0; i < import->count; i++) {
		if (!import->candidates[i].refusal)
			of[import->candidates[i].job.imported]++;
	}
	if (!import->is_dry_run && !import->is_stopped &&
		of[REGISTRY_IMPORTED_NEW] + of[REGISTRY_IMPORTED_RENEWED] > 0)
		log_event(LOG_LEVEL_INFO, "registry", "registrations imported",
			log_number("new", of[REGISTRY_IMPORTED_NEW]),
			log_number("renewed", of[REGISTRY_IMPORTED_RENEWED]));
}

static void finish(struct import *import)
{
	log_import(import);
	if (import->request && import->is_stopped) {
		response_error(import->request, 503, "mailpushd is stopping");
	} else if (import->request) {
		json_t *results = json_array();
		for (size_t i = 0; i < import->count; i++)
			json_array_append_new(results, result_of(&import->candidates[i]));
		response_json(import->request, 200, json_pack("{so}", "results", results));
	}
	free_import(import);
}

/* As after a registration, except that nothing is pushed. */
static void update_queue(const struct services *services, const struct registry_job *job)
{
	for (size_t i = 0; i < job->effect_count; i++)
		queue_follow(services->queue, &job->effects[i], NULL);
	if (job->match_count && !job->past->suspended_ms) {
		const struct registry_match *match = &job->matches[0];
		delivery_renewed(services->delivery, &match->target->key);
		queue_renew(services->queue, push_target_ref(match->target),
			(const char(*)[MAILBOX_HASH_SIZE])match->hashes, match->hash_count, NULL);
	}
	delivery_drop(services->delivery, job->gone, job->gone_count, NULL);
	services->metrics->gone[METRICS_GONE_replaced] += job->gone_count;
}

static void on_done(struct registry_job *job)
{
	struct candidate *candidate = MEM_CONTAINER(job, struct candidate, job);
	struct import *import = candidate->import;
	if (job->status && job->refusal)
		candidate->refusal = mem_dup(job->refusal);
	else if (job->status)
		import->is_stopped = true;
	else
		update_queue(import->services, job);
	if (--import->waiting == 0)
		finish(import);
}

/* Why it is refused, or NULL. */
static char *prepare(struct candidate *candidate, const json_t *json, bool keeps_confirmed)
{
	const struct services *services = candidate->import->services;
	struct registry_job *job = &candidate->job;
	struct registration_json *registration = &candidate->registration;
	const char *site = input_files_dovecot_site(services->config, services->input_files);
	const char *user = json_string_value(json_object_get(json, "user"));
	bool is_named = user && user_site_has(site, user);
	bool is_dovecots = *site && (is_named || candidate->import->is_from_dovecot);
	bool is_as_of_xapsd = is_dovecots || candidate->import->is_from_dovecot;
	const struct mailbox_namespace names = is_as_of_xapsd
		? xaps_event_names(services->config->xaps_fold_users)
		: services->input_files->imapdconf->names;
	struct err err;
	if (registration_json_read(&names, json, registration, &err))
		return mem_dup(err.text);
	/* Nobody says what its names mean, so they count as for xapsd: as the user's own. */
	if (is_as_of_xapsd)
		registration->event->source = EVENT_OF_XAPS;
	if (is_dovecots && !is_named && user_site_enter(site, registration->event, &err))
		return mem_dup(err.text);
	const char *subtopic = registration->event->registration.subtopic;
	if (!config_has_subtopic(services->config, subtopic))
		return mem_printf("registration: subtopic '%s' is not one of `subtopics` in "
				  "mailpush.conf",
			subtopic);
	job->kind = REGISTRY_IMPORT;
	job->event = registration->event;
	job->received_ms = registration->renewed_ms ? registration->renewed_ms : clock_unix_ms();
	registering_prepare(&candidate->registering, services->config, services->input_files, job);
	job->topic = registration->topic;
	job->confirmed = keeps_confirmed && registration->confirmed;
	job->past = &registration->past;
	job->is_dry_run = candidate->import->is_dry_run;
	job->done = on_done;
	return NULL;
}

void import_registrations(
	const struct services *services, struct http_request *request, const char *tail)
{
	(void)tail;
	size_t size;
	const char *text = http_body(request, &size);
	json_t *body = json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL);
	json_t *list = NULL;
	int is_dry_run = false;
	int is_from_dovecot = false;
	int keeps_confirmed = false;
	json_error_t error = {.text = ""};
	bool is_known = body &&
		!json_unpack_ex(body, &error, 0, "{s?o,s?b,s?b,s?b!}", "registrations", &list,
			"dry_run", &is_dry_run, "dovecot", &is_from_dovecot, "confirmed",
			&keeps_confirmed);
	size_t count = json_array_size(list);
	if (!is_known || count < 1 || count > IMPORT_REGISTRATIONS_MAX) {
		json_decref(body);
		response_error(request, 400,
			"the body must be one JSON object with 1 to %d registrations%s%s",
			IMPORT_REGISTRATIONS_MAX, *error.text ? ": " : "", error.text);
		return;
	}
	/* Until then its jobs are held, and nothing bounds them. */
	if (!queue_is_loaded(services->queue)) {
		json_decref(body);
		response_error(request, 503,
			"the queue cannot be opened yet, as its alarm says; try again when it is");
		return;
	}
	/* An import must not delay events. */
	if (registry_waiting(services->registry) > WAITING_MAX) {
		json_decref(body);
		response_error(request, 503,
			"the registry is busy or does not answer; try again in a moment");
		return;
	}
	struct import *import = mem_alloc_zero(1, sizeof(*import));
	import->services = services;
	import->request = request;
	import->body = body;
	import->is_dry_run = is_dry_run;
	import->count = count;
	import->candidates = mem_alloc_zero(count, sizeof(*import->candidates));
	import->is_from_dovecot = is_from_dovecot;
	http_defer(request, on_gone, import);
	import->waiting = 1; /* until all are submitted */
	for (size_t i = 0; i < count; i++) {
		struct candidate *candidate = &import->candidates[i];
		candidate->import = import;
		candidate->refusal = prepare(candidate, json_array_get(list, i), keeps_confirmed);
		if (candidate->refusal)
			continue;
		import->waiting++;
		registry_submit(services->registry, &candidate->job);
	}
	if (--import->waiting == 0)
		finish(import);
}
