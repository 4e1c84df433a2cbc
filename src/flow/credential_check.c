#include "flow/credential_check.h"

#include "base/log.h"
#include "base/mem.h"
#include "flow/check_times.h"
#include "flow/probe.h"

#include <string.h>

struct subject {
	struct credential_check *checkup;
	struct credential *credential; /* a share of it: as long as we have it, it is this one */
	struct check_times cadence;
	struct probe *probe; /* NULL: not asked, or answered */
	bool is_accepted;    /* said last */
};

struct credential_check {
	struct core *core;
	struct random chance;
	uv_timer_t timer;
	struct subject *subjects[CONFIG_CREDENTIALS_MAX];
	size_t count;
};

static void subject_free(struct subject *subject)
{
	if (subject->probe)
		probe_cancel(subject->probe);
	credential_free(subject->credential);
	free(subject);
}

static void on_timer(uv_timer_t *timer);

static void plan(struct credential_check *checkup)
{
	int64_t due_ms = INT64_MAX;
	for (size_t i = 0; i < checkup->count; i++)
		if (checkup->subjects[i]->cadence.due_ms < due_ms)
			due_ms = checkup->subjects[i]->cadence.due_ms;
	int64_t delay_ms = due_ms - clock_monotonic_ms();
	if (due_ms == INT64_MAX)
		uv_timer_stop(&checkup->timer);
	else
		uv_timer_start(&checkup->timer, on_timer, delay_ms > 0 ? (uint64_t)delay_ms : 0, 0);
}

static void tell(struct subject *subject, const struct apns_answer *answer)
{
	bool is_accepted = probe_is_accepted(answer);
	bool is_news = is_accepted && !subject->is_accepted;
	subject->is_accepted = is_accepted;
	log_event(is_news ? LOG_LEVEL_INFO : LOG_LEVEL_DEBUG, "apns",
		is_accepted ? "Apple takes the credential" : "Apple does not take the credential",
		log_text("credential", subject->credential->name),
		log_number("status", answer->status), log_text("reason", answer->reason));
}

static void on_probed(void *ctx, const struct apns_answer *answer, const struct verdict *verdict)
{
	struct subject *subject = ctx;
	struct credential_check *checkup = subject->checkup;
	subject->probe = NULL;
	tell(subject, answer);
	check_times_answered(&subject->cadence,
		probe_is_accepted(answer)	    ? CHECK_TIMES_ACCEPTED
			: probe_is_refused(verdict) ? CHECK_TIMES_REFUSED
						    : CHECK_TIMES_NO_ANSWER,
		&checkup->chance, clock_monotonic_ms());
	plan(checkup);
}

static struct subject *find(
	const struct credential_check *checkup, const struct credential *credential)
{
	for (size_t i = 0; i < checkup->count; i++)
		if (checkup->subjects[i]->credential == credential)
			return checkup->subjects[i];
	return NULL;
}

static void ask(struct subject *subject, int64_t now_ms)
{
	if (credential_validity(subject->credential, clock_unix_ms()) != CREDENTIAL_VALID) {
		check_times_put_off(&subject->cadence, now_ms);
		return;
	}
	check_times_asked(&subject->cadence, now_ms);
	subject->probe = probe_new(subject->checkup->core->probes, subject->credential->topic,
		PROBE_AFTER_PUSHES, on_probed, subject);
}

static void ask_if_due(void *ctx, const struct sender_way *way)
{
	struct subject *subject = find(ctx, way->credential);
	int64_t now_ms = clock_monotonic_ms();
	if (subject && check_times_is_due(&subject->cadence, way->served_ms, now_ms))
		ask(subject, now_ms);
}

static void on_timer(uv_timer_t *timer)
{
	struct credential_check *checkup = timer->data;
	sender_each_way(checkup->core->sender, ask_if_due, checkup);
	plan(checkup);
}

struct credential_check *credential_check_new(struct core *core, const uint8_t seed[16])
{
	struct credential_check *checkup = mem_alloc_zero(1, sizeof(*checkup));
	checkup->core = core;
	random_init(&checkup->chance, seed);
	uv_timer_init(core->loop, &checkup->timer);
	checkup->timer.data = checkup;
	return checkup;
}

static void on_closed(uv_handle_t *handle)
{
	free(handle->data);
}

void credential_check_free(struct credential_check *checkup)
{
	if (!checkup)
		return;
	for (size_t i = 0; i < checkup->count; i++)
		subject_free(checkup->subjects[i]);
	uv_close((uv_handle_t *)&checkup->timer, on_closed);
}

struct survey {
	const struct credential_check *checkup;
	struct subject *subjects[CONFIG_CREDENTIALS_MAX];
	size_t count;
};

static void add(void *ctx, const struct sender_way *way)
{
	struct survey *survey = ctx;
	struct subject *subject = find(survey->checkup, way->credential);
	if (!subject) {
		subject = mem_alloc_zero(1, sizeof(*subject));
		subject->checkup = (struct credential_check *)survey->checkup;
		/* The count of shares is not part of what it says. */
		subject->credential = credential_ref((struct credential *)way->credential);
		check_times_init(
			&subject->cadence, survey->checkup->core->config->apns_check_interval_ms);
	}
	survey->subjects[survey->count++] = subject;
}

void credential_check_credentials(struct credential_check *checkup)
{
	if (!checkup)
		return;
	struct survey survey = {.checkup = checkup};
	sender_each_way(checkup->core->sender, add, &survey);
	for (size_t i = 0; i < checkup->count; i++) {
		bool is_kept = false;
		for (size_t j = 0; j < survey.count; j++)
			is_kept = is_kept || survey.subjects[j] == checkup->subjects[i];
		if (!is_kept)
			subject_free(checkup->subjects[i]);
	}
	memcpy(checkup->subjects, survey.subjects, sizeof(survey.subjects));
	checkup->count = survey.count;
	for (size_t i = 0; i < checkup->count; i++)
		if (!checkup->subjects[i]->cadence.was_asked)
			check_times_soon(&checkup->subjects[i]->cadence, checkup->count,
				&checkup->chance, clock_monotonic_ms());
	plan(checkup);
}

void credential_check_soon(struct credential_check *checkup)
{
	for (size_t i = 0; i < checkup->count; i++)
		check_times_soon(&checkup->subjects[i]->cadence, checkup->count, &checkup->chance,
			clock_monotonic_ms());
	plan(checkup);
}
