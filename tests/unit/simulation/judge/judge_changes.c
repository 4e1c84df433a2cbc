/*
 * Part of judge.h: which changes must be pushed, by what the registry did.
 */
#include "judge_inner.h"

#include "../disk.h"
#include "../life.h"
#include "../virtual.h"
#include "payload.h"

#include <string.h>

#define RECENT_MS CLOCK_HOUR_MS /* a push of that age may not be on disk yet if the disk hung */

static void on_changed(
	const struct registry_job *job, struct model_registration *registration, const char *hash)
{
	struct model_name *name = model_name(registration, hash);
	bool is_urgent = job->kind == REGISTRY_NEWS && job->event->kind == EVENT_MESSAGE_NEW;
	int64_t due_ms = virtual_now_ms() + (is_urgent ? 0 : 2 * LIFE_DEFERRED_DELAY_MS);
	/* After a crash it is unknown whether the daemon still has the news. */
	bool is_uncertain = name->changed && name->due_ms == INT64_MAX;
	/* When the clock is set back, pending news becomes older. */
	if (!name->changed)
		name->since_ms = virtual_now_ms();
	if (!name->changed || due_ms < name->due_ms)
		name->due_ms = due_ms;
	name->last_due_ms = due_ms;
	name->changed = judge_next();
	if (is_uncertain || !model_has_left_with(registration, hash) ||
		model_count_changed(registration) + registration->hash_count > PAYLOAD_HASHES_MAX)
		registration->has_grown = true;
	judge_events_changed(registration, hash, name->changed);
}

/* Its news need not be pushed any more.  After a crash news that is still on disk may be. */
static void forgive(
	struct model_registration *registration, struct model_name *name, enum reason reason)
{
	if (name->owed)
		judge_state.reasons[reason]++;
	if (name->changed) {
		name->pushed_ms = virtual_now_ms();
		registration->was_dropped = true;
	}
	name->owed = 0;
	if (model_is_reported())
		name->changed = 0;
	name->forgiven = judge_next();
	name->due_ms = INT64_MAX;
}

/* A phone that registers after Apple rejected its token wants pushes. */
static void on_renewed(struct model_registration *registration)
{
	registration->renewed = judge_next();
	if (!registration->is_doubted)
		return;
	registration->calm_until_ms = 0;
	/* A bad token may cause a hold instead, and after a restart the daemon does not know why
	   the push waits. */
	if (!registration->is_bad && registration->life == judge_state.life &&
		!registration->is_flying)
		registration->excused_until_ms = virtual_now_ms() + LIFE_MIN_INTERVAL_MS;
}

/* Its news is due.  A daemon that died meanwhile finds that out in its housekeeping. */
static void on_resumed(struct model_registration *registration)
{
	int64_t until_ms = virtual_now_ms() + LIFE_MIN_INTERVAL_MS;
	if (registration->excused_until_ms < until_ms)
		registration->excused_until_ms = until_ms;
}

static void on_gone(struct model_registration *registration, enum reason reason)
{
	for (unsigned i = 0; i < registration->name_count; i++)
		forgive(registration, &registration->names[i], reason);
	registration->was_dropped = true;
	registration->is_condemned = false;
	judge_state.gone[reason]++;
}

static void on_unlisted(struct model_registration *registration, const char *hash)
{
	forgive(registration, model_name(registration, hash), REASON_UNLISTED);
	/* The row may go with the last news. */
	registration->was_dropped = true;
}

/* News that was not acknowledged may be lost; pushed news may be pushed again. */
static void unsettle(struct model_name *name)
{
	if (name->changed && !name->owed) {
		name->due_ms = INT64_MAX;
		judge_state.reasons[REASON_UNSAFE]++;
	}
	if (!name->changed && name->pushed_ms && virtual_now_ms() - name->pushed_ms < RECENT_MS)
		name->changed = judge_next();
}

static bool has_owed(const struct model_registration *registration)
{
	for (unsigned i = 0; i < registration->name_count; i++) {
		if (registration->names[i].changed && registration->names[i].owed)
			return true;
	}
	return false;
}

/*
 * News from before the account was deleted.  If both were done in the registry and the queue did
 * not have the news yet, it is found no more when it is done again: it is about what is gone.
 */
static void forgive_deleted(struct model_registration *registration)
{
	for (unsigned i = 0; i < registration->name_count; i++) {
		struct model_name *name = &registration->names[i];
		if (name->changed && !disk_has_news(&registration->key, name->hash))
			forgive(registration, name, REASON_UNLISTED);
	}
}

void judge_changes_died(bool is_crash)
{
	size_t position = 0;
	for (struct model_registration *registration; (registration = model_next(&position));) {
		registration->is_flying = false;
		registration->has_waited = has_owed(registration);
		for (unsigned i = 0; is_crash && i < registration->name_count; i++)
			unsettle(&registration->names[i]);
		if (is_crash && registration->suspended_ms)
			forgive_deleted(registration);
	}
}

unsigned judge_changes_owed(void)
{
	unsigned owed = 0;
	size_t position = 0;
	for (struct model_registration *registration; (registration = model_next(&position));) {
		/* News of suspended registrations stays. */
		for (unsigned i = 0; !registration->suspended_ms && i < registration->name_count;
			i++)
			owed += registration->names[i].owed != 0;
	}
	return owed;
}

void judge_changes_begin(void)
{
	static const struct model_callbacks callbacks = {.changed = on_changed,
		.gone = on_gone,
		.unlisted = on_unlisted,
		.renewed = on_renewed,
		.resumed = on_resumed,
		.done = judge_events_job};
	model_begin(&callbacks);
}
