#include "flow/credential_check.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "config/config.h"
#include "flow/check_times.h"
#include "flow/probe.h"

#include <string.h>

struct subject {
	struct credential_check *check;
	struct credential *credential; /* a reference, so that no other one gets its address */
	struct check_times times;
	struct probe *probe; /* NULL: not asked, or answered */
	bool is_accepted;    /* by the last answer */
};

struct credential_check {
	struct sender *sender;
	struct probes *probes;
	int64_t interval_ms;
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

static void plan(struct credential_check *check)
{
	int64_t due_ms = INT64_MAX;
	for (size_t i = 0; i < check->count; i++)
		if (check->subjects[i]->times.due_ms < due_ms)
			due_ms = check->subjects[i]->times.due_ms;
	int64_t delay_ms = due_ms - clock_monotonic_ms();
	if (due_ms == INT64_MAX)
		uv_timer_stop(&check->timer);
	else
		uv_timer_start(&check->timer, on_timer, delay_ms > 0 ? (uint64_t)delay_ms : 1, 0);
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
	struct credential_check *check = subject->check;
	subject->probe = NULL;
	tell(subject, answer);
	check_times_answered(&subject->times,
		probe_is_accepted(answer)	    ? CHECK_TIMES_ACCEPTED
			: probe_is_refused(verdict) ? CHECK_TIMES_REFUSED
						    : CHECK_TIMES_NO_ANSWER,
		&check->chance, clock_monotonic_ms());
	plan(check);
}

static struct subject *find(
	const struct credential_check *check, const struct credential *credential)
{
	for (size_t i = 0; i < check->count; i++)
		if (check->subjects[i]->credential == credential)
			return check->subjects[i];
	return NULL;
}

static void ask(struct subject *subject, int64_t now_ms)
{
	if (credential_validity(subject->credential, clock_unix_ms()) != CREDENTIAL_VALID) {
		check_times_put_off(&subject->times, now_ms);
		return;
	}
	check_times_asked(&subject->times, now_ms);
	subject->probe = probe_new(subject->check->probes, subject->credential->topic,
		PROBE_AFTER_PUSHES, on_probed, subject);
}

static void ask_if_due(void *ctx, const struct sender_way *way)
{
	struct subject *subject = find(ctx, way->credential);
	int64_t now_ms = clock_monotonic_ms();
	if (subject && check_times_is_due(&subject->times, way->served_ms, now_ms))
		ask(subject, now_ms);
}

static void on_timer(uv_timer_t *timer)
{
	struct credential_check *check = timer->data;
	sender_each_way(check->sender, ask_if_due, check);
	plan(check);
}

struct credential_check *credential_check_new(uv_loop_t *loop, struct sender *sender,
	struct probes *probes, int64_t interval_ms, const uint8_t seed[16])
{
	struct credential_check *check = mem_alloc_zero(1, sizeof(*check));
	check->sender = sender;
	check->probes = probes;
	check->interval_ms = interval_ms;
	random_init(&check->chance, seed);
	uv_timer_init(loop, &check->timer);
	check->timer.data = check;
	return check;
}

static void on_closed(uv_handle_t *handle)
{
	free(handle->data);
}

void credential_check_free(struct credential_check *check)
{
	if (!check)
		return;
	for (size_t i = 0; i < check->count; i++)
		subject_free(check->subjects[i]);
	uv_close((uv_handle_t *)&check->timer, on_closed);
}

void credential_check_set_interval(struct credential_check *check, int64_t interval_ms)
{
	check->interval_ms = interval_ms;
	for (size_t i = 0; i < check->count; i++)
		check_times_set_interval(&check->subjects[i]->times, interval_ms);
	plan(check);
}

struct survey {
	const struct credential_check *check;
	struct subject *subjects[CONFIG_CREDENTIALS_MAX];
	size_t count;
};

static void add(void *ctx, const struct sender_way *way)
{
	struct survey *survey = ctx;
	struct subject *subject = find(survey->check, way->credential);
	if (!subject) {
		subject = mem_alloc_zero(1, sizeof(*subject));
		subject->check = (struct credential_check *)survey->check;
		/* Only its count of references changes. */
		subject->credential = credential_ref((struct credential *)way->credential);
		check_times_init(&subject->times, survey->check->interval_ms);
	}
	survey->subjects[survey->count++] = subject;
}

void credential_check_credentials(struct credential_check *check)
{
	if (!check)
		return;
	struct survey survey = {.check = check};
	sender_each_way(check->sender, add, &survey);
	for (size_t i = 0; i < check->count; i++) {
		bool is_kept = false;
		for (size_t j = 0; j < survey.count; j++)
			is_kept = is_kept || survey.subjects[j] == check->subjects[i];
		if (!is_kept)
			subject_free(check->subjects[i]);
	}
	memcpy(check->subjects, survey.subjects, sizeof(survey.subjects));
	check->count = survey.count;
	for (size_t i = 0; i < check->count; i++)
		if (!check->subjects[i]->times.was_asked)
			check_times_soon(&check->subjects[i]->times, check->count, &check->chance,
				clock_monotonic_ms());
	plan(check);
}

void credential_check_soon(struct credential_check *check)
{
	for (size_t i = 0; i < check->count; i++)
		check_times_soon(&check->subjects[i]->times, check->count, &check->chance,
			clock_monotonic_ms());
	plan(check);
}
