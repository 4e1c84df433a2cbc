#include "judge_inner.h"

#include "../life.h"
#include "../sending.h"
#include "../virtual.h"
#include "base/clock.h"

#include <stdio.h>

#define SLACK_MS (20 * CLOCK_SECOND_MS)
#define SHED_BEFORE 20000

struct judge_state judge_state;

static uint64_t seed;
static uint64_t number;
static int64_t began_ms;
static int64_t excused_until_ms;
static bool is_up;

static int64_t ago(int64_t ms)
{
	return virtual_now_ms() - ms;
}

static void describe(const struct model_registration *registration)
{
	fprintf(stderr,
		"simulation: registration %s of %s on %.8s for %s: version %d%s%s%s, altered "
		"%lld ms ago, "
		"last push left %lld ms and was answered %lld ms ago%s%s%s%s, "
		"excused %lld ms more; crash %lld ms ago\n",
		registration->account_id, registration->user, registration->token,
		registration->topic, registration->version, registration->exists ? "" : ", gone",
		registration->is_stopped ? ", stopped" : "",
		registration->is_inbox_only ? ", INBOX only" : "",
		(long long)ago(registration->altered_ms), (long long)ago(registration->left_ms),
		(long long)ago(registration->answered_ms), registration->is_flying ? ", flies" : "",
		registration->was_settled ? ", settled" : "",
		registration->has_grown ? ", grew since" : "",
		registration->was_dropped ? ", dropped since" : "",
		(long long)-ago(registration->excused_until_ms),
		(long long)ago(judge_state.last_crash_ms));
	for (unsigned i = 0; i < registration->name_count; i++) {
		const struct model_name *name = &registration->names[i];
		if (name->changed)
			fprintf(stderr, "simulation:   %s changed%s%s, due %lld ms ago\n",
				name->hash, name->owed ? ", owed" : "",
				name->changed > registration->left ? "" : ", left before",
				name->due_ms == INT64_MAX ? 0 : (long long)ago(name->due_ms));
	}
}

void judge_rule(bool holds, const char *text)
{
	if (holds)
		return;
	fflush(stdout);
	if (judge_state.about)
		describe(judge_state.about);
	sending_describe();
	fprintf(stderr,
		"simulation: broken after %.2f hours and %llu pushes: %s\n"
		"simulation: SIMULATION_SEED=%llu repeats it\n",
		(double)(virtual_now_ms() - began_ms) / CLOCK_HOUR_MS,
		(unsigned long long)judge_state.pushes, text, (unsigned long long)seed);
	_Exit(1);
}

uint64_t judge_next(void)
{
	return ++number;
}

const char *judge_reason_name(enum reason reason)
{
	static const char *const names[] = {"forgotten", "stopped", "superseded", "evicted",
		"expired", "suspended too long", "unlisted", "dropped", "given up", "unsafe"};
	return names[reason];
}

void judge_registry(const struct job_list *batch, int64_t now_unix_ms)
{
	model_follow(batch, now_unix_ms, true);
}

void judge_unanswered(const struct job_list *batch, int64_t now_unix_ms)
{
	model_follow(batch, now_unix_ms, false);
}

bool judge_has_crashed_since(int64_t ms)
{
	return judge_state.last_crash_ms && judge_state.last_crash_ms >= ms;
}

void judge_excuse(int64_t ms)
{
	int64_t until_ms = virtual_now_ms() + ms;
	if (excused_until_ms < until_ms)
		excused_until_ms = until_ms;
}

void judge_registry_opened(int64_t started_unix_ms)
{
	model_opened(started_unix_ms);
}

void judge_died(bool is_crash)
{
	is_up = false;
	if (is_crash)
		judge_state.last_crash_ms = virtual_now_ms();
	model_died();
	judge_events_died();
	judge_changes_died(is_crash);
}

void judge_started(void)
{
	is_up = true;
	judge_state.life++;
	judge_events_started();
	judge_flights_started();
	/* Due times from disk may be this far ahead. */
	judge_excuse(5 * CLOCK_MINUTE_MS + 2 * LIFE_DEFERRED_DELAY_MS);
}

static int64_t later(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

void judge_look(void)
{
	int64_t now_ms = virtual_now_ms();
	size_t position = 0;
	for (struct model_registration *registration; (registration = model_next(&position));) {
		int64_t open_ms = sending_open_since_ms(
			*registration->topic ? registration->topic : apple_topics[0]);
		if (!is_up || !registration->exists || registration->suspended_ms ||
			registration->is_flying || open_ms == INT64_MAX)
			continue;
		judge_state.about = registration;
		int64_t from_ms =
			later(later(open_ms, excused_until_ms), registration->excused_until_ms);
		for (unsigned i = 0; i < registration->name_count; i++) {
			const struct model_name *name = &registration->names[i];
			/* After an outage overdue pushes are spread over deferred_delay. */
			int64_t by_ms = later(from_ms, name->due_ms) +
				(from_ms > name->due_ms ? LIFE_DEFERRED_DELAY_MS : 0);
			judge_rule(!name->changed || name->due_ms == INT64_MAX ||
					now_ms <= by_ms + SLACK_MS,
				"due news leaves: urgent news at once, deferred news within twice "
				"deferred_delay");
		}
	}
	judge_state.about = NULL;
	if (number > SHED_BEFORE)
		judge_events_forget(number - SHED_BEFORE);
}

unsigned judge_owed(void)
{
	return judge_events_owed() + judge_changes_owed();
}

uint64_t judge_accepted(void)
{
	return judge_state.accepted;
}

uint64_t judge_pushes(void)
{
	return judge_state.pushes;
}

uint64_t judge_gone(enum reason reason)
{
	return judge_state.gone[reason];
}

uint64_t judge_reasons(enum reason reason)
{
	return judge_state.reasons[reason];
}

void judge_begin(uint64_t of)
{
	seed = of;
	began_ms = virtual_now_ms();
	judge_changes_begin();
}

void judge_end(void)
{
	judge_events_end();
	model_end();
}
