/*
 * Part of judge.h: pushes that leave, and their answers.
 */
#include "judge_inner.h"

#include "../disk.h"
#include "../life.h"
#include "../virtual.h"
#include "payload.h"

#include <string.h>

#define GIVE_UP_ATTEMPTS 19
#define RATE_WINDOW (LIFE_PUSH_RATE + 2)

static int64_t left[RATE_WINDOW]; /* the last pushes of this life, a ring */
static uint64_t left_count;

static void check_rate(void)
{
	int64_t now_ms = virtual_now_ms();
	int64_t *at = &left[left_count % RATE_WINDOW];
	judge_rule(left_count < RATE_WINDOW || now_ms - *at >= CLOCK_SECOND_MS,
		"no more pushes a second than max_push_rate");
	*at = now_ms;
	left_count++;
}

static void check_content(struct model_registration *registration, const struct payload *payload,
	const struct sender_push *push)
{
	bool is_certain =
		!registration->is_unknown && !judge_has_crashed_since(registration->altered_ms);
	judge_rule(!strcmp(registration->token, push->token) &&
			!strcmp(registration->account_id, payload->account_id),
		"a push goes to the phone that its row is of");
	judge_rule(!is_certain || !strcmp(registration->topic, push->topic),
		"a push goes out on its registration's topic");
	judge_rule(!is_certain || registration->exists,
		"nothing is pushed to a registration that is gone");
	judge_rule(!is_certain || !registration->suspended_ms,
		"nothing is pushed to a registration whose account was deleted, until it is "
		"resumed");
	judge_rule(!is_certain || !registration->is_stopped,
		"nothing is pushed to a registration that is stopped");
	judge_rule(!registration->is_condemned || registration->exists ||
			judge_has_crashed_since(registration->condemned_ms),
		"a registration that is gone is not pushed to when Apple has said so");
	if (!registration->exists)
		return;
	bool is_plain = registration->version == 1 || registration->is_inbox_only;
	judge_rule(!is_certain || payload->is_plain == is_plain,
		"the plain payload goes to phones that understand no other");
	judge_rule(!payload->is_plain || model_count_changed(registration) > 0,
		"a push has a cause that the registration may know");
	for (unsigned i = 0; i < payload->hash_count; i++)
		judge_rule(model_name(registration, payload->hashes[i])->changed,
			"a push names what has changed and the registration may know");
}

static void check_apns_id(const struct model_registration *registration,
	const struct payload *payload, const struct sender_push *push)
{
	if (!registration->left || registration->is_unsure)
		return;
	if (memcmp(registration->apns_id, push->apns_id, sizeof(push->apns_id)) != 0) {
		judge_rule(registration->was_settled || registration->has_grown ||
				registration->was_dropped,
			"an apns-id is kept until the set of hashes grows");
		bool is_known = registration->life == judge_state.life ||
			(registration->was_settled && registration->has_waited &&
				!judge_has_crashed_since(registration->left_ms));
		judge_rule(!is_known || registration->jumps != virtual_jumps() ||
				virtual_now_ms() - registration->left_ms >= LIFE_MIN_INTERVAL_MS,
			"two pushes to a registration are min_interval apart");
		return;
	}
	judge_rule(!registration->was_settled || judge_has_crashed_since(registration->answered_ms),
		"an apns-id that was taken is not used again");
	for (unsigned i = 0; i < payload->hash_count && !registration->was_plain; i++)
		judge_rule(model_has_left_with(registration, payload->hashes[i]),
			"an apns-id stands for one set of hashes");
}

static void take_off(struct model_registration *registration, const struct payload *payload,
	const struct sender_push *push)
{
	if (memcmp(registration->apns_id, push->apns_id, sizeof(push->apns_id)) != 0)
		registration->failures = 0;
	memcpy(registration->apns_id, push->apns_id, sizeof(push->apns_id));
	registration->is_flying = true;
	registration->push = push;
	registration->was_settled = registration->is_unsure = false;
	registration->was_dropped = registration->has_grown = false;
	registration->left = judge_next();
	registration->left_ms = virtual_now_ms();
	registration->jumps = virtual_jumps();
	registration->life = judge_state.life;
	registration->was_plain = payload->is_plain;
	registration->hash_count = 0;
	for (unsigned i = 0; i < registration->name_count; i++) {
		if (payload->is_plain && registration->names[i].changed)
			strcpy(registration->hashes[registration->hash_count++],
				registration->names[i].hash);
	}
	for (unsigned i = 0; i < payload->hash_count; i++)
		strcpy(registration->hashes[registration->hash_count++], payload->hashes[i]);
}

void judge_takeoff(const struct sender_push *push)
{
	struct payload payload;
	payload_read(push, &payload);
	const struct registry_key *key = disk_key_of_id(push->apns_id);
	judge_rule(key, "a push leaves when its row and apns-id are on disk");
	struct model_registration *registration = model_find(key);
	judge_rule(registration, "a push goes to a registration that was made");
	judge_state.about = registration;
	judge_rule(!registration->is_flying, "one push of a registration is in flight at most");
	check_rate();
	/* When all pending news was dropped, a push for newer news need not wait. */
	judge_rule(registration->life != judge_state.life || registration->was_dropped ||
			virtual_now_ms() >= registration->calm_until_ms,
		"a token that Apple does not want, or throttles, is left alone for a while");
	check_content(registration, &payload, push);
	check_apns_id(registration, &payload, push);
	take_off(registration, &payload, push);
	judge_state.about = NULL;
	judge_state.pushes++;
}

static void settle(struct model_registration *registration, enum apple_meaning meaning)
{
	for (unsigned i = 0; i < registration->hash_count; i++) {
		struct model_name *name = model_name(registration, registration->hashes[i]);
		if (name->changed > registration->left) {
			name->due_ms = name->last_due_ms;
		} else {
			name->changed = 0;
			name->due_ms = INT64_MAX;
		}
		if (name->owed && name->owed < registration->left) {
			name->owed = 0;
			judge_state.accepted += meaning == APPLE_ACCEPTED;
			judge_state.reasons[REASON_DROPPED] += meaning == APPLE_DROPPED;
		}
		name->pushed = registration->left;
		name->pushed_ms = virtual_now_ms();
	}
	registration->was_settled = true;
}

/* After a day of trouble with its token alone a push may be given up; the judge may see it late. */
static void may_give_up(struct model_registration *registration)
{
	int64_t before_ms = virtual_now_ms() - CLOCK_DAY_MS;
	bool is_old = false;
	for (unsigned i = 0; i < registration->hash_count; i++) {
		const struct model_name *name = model_name(registration, registration->hashes[i]);
		is_old = is_old || (name->changed && name->since_ms < before_ms);
	}
	if (!is_old || registration->failures < GIVE_UP_ATTEMPTS)
		return;
	registration->is_unsure = true;
	for (unsigned i = 0; i < registration->hash_count; i++) {
		struct model_name *name = model_name(registration, registration->hashes[i]);
		if (name->owed && name->owed < registration->left) {
			name->owed = 0;
			judge_state.reasons[REASON_GIVEN_UP]++;
		}
		name->due_ms = name->changed > registration->left ? name->last_due_ms : INT64_MAX;
	}
}

/* As long as Apple says, or five minutes after a doubtful token. */
static void calm(struct model_registration *registration, const struct apns_answer *answer,
	enum apple_meaning meaning)
{
	registration->calm_until_ms = 0;
	registration->is_doubted = registration->is_bad = false;
	/* Another push may leave when this one's news was given up or the registration went. */
	if (!registration->exists || registration->was_dropped || registration->is_unsure)
		return;
	bool is_doubted = meaning == APPLE_GONE || meaning == APPLE_BAD;
	registration->is_doubted = is_doubted;
	registration->is_bad = meaning == APPLE_BAD;
	/* A phone that has registered since wants pushes. */
	if (is_doubted && registration->renewed < registration->left)
		registration->calm_until_ms = virtual_now_ms() + JUDGE_RETRY_MAX_MS;
	else if (meaning == APPLE_THROTTLED && answer->retry_after_ms > 0)
		registration->calm_until_ms = virtual_now_ms() + answer->retry_after_ms;
}

static struct model_registration *find_flying(const struct sender_push *push)
{
	size_t position = 0;
	struct model_registration *registration = model_next(&position);
	while (registration && !(registration->is_flying && registration->push == push))
		registration = model_next(&position);
	judge_rule(registration, "an answered push has left");
	return registration;
}

void judge_answered(const struct sender_push *push, const struct apns_answer *answer,
	enum apple_meaning meaning)
{
	struct model_registration *registration = find_flying(push);
	int64_t wait_ms = JUDGE_RETRY_MAX_MS;
	registration->is_flying = false;
	registration->answered_ms = virtual_now_ms();
	if (meaning == APPLE_ACCEPTED || meaning == APPLE_DROPPED) {
		settle(registration, meaning);
		wait_ms = LIFE_MIN_INTERVAL_MS;
	} else {
		if (meaning == APPLE_THROTTLED || (meaning == APPLE_GONE && registration->exists))
			may_give_up(registration);
		if (meaning == APPLE_GONE && !registration->exists) {
			registration->is_condemned = true;
			registration->condemned_ms = virtual_now_ms();
		}
		registration->failures++;
		if (answer->retry_after_ms > wait_ms)
			wait_ms = answer->retry_after_ms;
	}
	calm(registration, answer, meaning);
	registration->excused_until_ms = virtual_now_ms() + wait_ms;
}

void judge_flights_started(void)
{
	left_count = 0;
}
