#include "flow/expiry.h"

#include "base/alarm.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "flow/delivery.h"
#include "stats/metrics.h"

#include <inttypes.h>

#define FIRST_MS (2 * CLOCK_SECOND_MS)
#define EVERY_MS CLOCK_HOUR_MS

struct expiry {
	struct expiry_needs needs;
	struct registry_job job;
	struct registry_key *suspended; /* the job asks about them */
	bool is_running;		/* the registry has the job */
	bool is_wanted;			/* once more */
	bool is_kept_back;		/* some were, in the last round that was ours */
	uv_timer_t timer;
	void (*done)(void *ctx, const struct expiry_result *result);
	void *done_ctx;
};

static void on_registry(struct registry_job *job);

static void submit(struct expiry *tidy, bool is_asked)
{
	tidy->is_running = true;
	tidy->is_wanted = false;
	tidy->job = (struct registry_job){
		.kind = REGISTRY_TIDY,
		.done = on_registry,
		.received_ms = clock_unix_ms(),
		.is_asked = is_asked,
	};
	tidy->job.key_count = queue_suspended(tidy->needs.queue, &tidy->suspended);
	tidy->job.keys = tidy->suspended;
	registry_submit(tidy->needs.registry, &tidy->job);
}

void expiry_now(struct expiry *tidy)
{
	if (tidy->is_running)
		tidy->is_wanted = true;
	else
		submit(tidy, true);
}

static void on_timer(uv_timer_t *timer)
{
	struct expiry *tidy = timer->data;
	/* The alarm of this node ends by a round of its own. */
	if (!tidy->is_running)
		submit(tidy, tidy->is_kept_back);
}

bool expiry_ask(
	struct expiry *tidy, void (*done)(void *ctx, const struct expiry_result *result), void *ctx)
{
	if (tidy->done)
		return false;
	tidy->done = done;
	tidy->done_ctx = ctx;
	if (!tidy->is_running || !tidy->job.is_asked)
		expiry_now(tidy);
	return true;
}

void expiry_forget(struct expiry *tidy)
{
	tidy->done = NULL;
}

struct expiry *expiry_new(const struct expiry_needs *needs)
{
	struct expiry *tidy = mem_alloc_zero(1, sizeof(*tidy));
	tidy->needs = *needs;
	uv_timer_init(needs->loop, &tidy->timer);
	tidy->timer.data = tidy;
	uv_timer_start(&tidy->timer, on_timer, FIRST_MS, EVERY_MS);
	return tidy;
}

static void on_closed(uv_handle_t *handle)
{
	free(handle->data);
}

void expiry_free(struct expiry *tidy)
{
	if (tidy)
		uv_close((uv_handle_t *)&tidy->timer, on_closed);
}

static void tell_kept_back(struct expiry *tidy, uint64_t kept_back)
{
	tidy->is_kept_back = kept_back > 0;
	if (kept_back)
		alarm_raise("registry:expiry",
			"%" PRIu64 " registrations more than a day's share have expired and are "
			"kept for now; if phones did register, look at the clock",
			kept_back);
	else
		alarm_clear("registry:expiry");
}

static void on_registry(struct registry_job *job)
{
	struct expiry *tidy = MEM_CONTAINER(job, struct expiry, job);
	const struct expiry_needs *needs = &tidy->needs;
	tidy->is_running = false;
	if (!job->status) {
		needs->metrics->gone[METRICS_GONE_expired] += job->gone_count;
		delivery_drop(needs->delivery, job->gone, job->gone_count, NULL);
		for (size_t i = 0; i < job->match_count; i++) {
			struct registry_match *match = &job->matches[i];
			const struct trace_entry nudge = {.kind = TRACE_NUDGED,
				.user = match->target->user,
				.key = match->target->key};
			trace_put(needs->trace, &nudge, TRACE_MAJOR);
			queue_add(needs->queue, mem_steal(match->target),
				(const char(*)[MAILBOX_HASH_SIZE])match->hashes, match->hash_count,
				QUEUE_DEFERRED, NULL);
		}
		/* Those that are suspended in the queue, but not in the registry, or are gone. */
		for (size_t i = 0; i < job->effect_count; i++) {
			const struct registry_effect *effect = &job->effects[i];
			queue_follow(needs->queue, effect, NULL);
			if (effect->kind == REGISTRY_EFFECT_ABSENT)
				delivery_gone(needs->delivery, &effect->key);
		}
		if (job->moved_ms)
			log_event(LOG_LEVEL_WARN, "registry",
				"the clock has moved by days since the last look, or mailpushd was "
				"away: no registration expires for five days",
				log_number("by_hours", job->moved_ms / CLOCK_HOUR_MS));
		log_event(job->gone_count || job->match_count ? LOG_LEVEL_INFO : LOG_LEVEL_DEBUG,
			"registry",
			job->is_done_elsewhere ? "tidied within the hour, here or by another node"
					       : "tidied",
			log_number("gone", (int64_t)job->gone_count),
			log_number("nudged", (int64_t)job->match_count));
		if (!job->is_done_elsewhere)
			tell_kept_back(tidy, job->kept_back);
	}
	bool is_stopping = job->status;
	const struct expiry_result result = {.status = job->status,
		.refusal = job->refusal,
		.gone = job->gone_count,
		.nudged = job->match_count,
		.kept_back = job->kept_back};
	if (tidy->done && (job->is_asked || is_stopping)) {
		void (*done)(void *ctx, const struct expiry_result *result) = mem_steal(tidy->done);
		done(tidy->done_ctx, &result);
	}
	registry_job_fini(job);
	free(mem_steal(tidy->suspended));
	delivery_wake(needs->delivery);
	if (tidy->is_wanted && !is_stopping)
		expiry_now(tidy);
}
