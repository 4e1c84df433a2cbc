#include "model.h"

#include "../life.h"
#include "../people.h"
#include "../virtual.h"
#include "base/clock.h"
#include "base/mem.h"
#include "event/acl.h"

#include <string.h>

#define WRONG_BEYOND_MS (5 * CLOCK_MINUTE_MS)
#define SUPERSEDED_FOR_MS (3 * CLOCK_DAY_MS)

static struct model_registration **all;
static size_t all_count;
static struct model_callbacks callbacks;
static int64_t now_ms;	   /* Unix, of the batch */
static int64_t wrong_ms;   /* a later time is from a wrong clock */
static int64_t started_ms; /* Unix, of the daemon */
static uint64_t batch_number;
static bool is_reported;
/* What attempts without an answer took: the attempt with an answer must report it. */
static struct taken {
	const struct registry_job *job;
	struct model_registration *registration;
} * taken;
static size_t taken_count;

void model_begin(const struct model_callbacks *to_call)
{
	callbacks = *to_call;
}

static void clear_list(struct model_registration *registration)
{
	for (size_t i = 0; i < registration->list_count; i++) {
		free(registration->list[i].name);
		free(registration->list[i].owner);
		free(registration->list[i].folder);
	}
	free(mem_steal(registration->list));
	registration->list_count = 0;
}

void model_end(void)
{
	for (size_t i = 0; i < all_count; i++) {
		clear_list(all[i]);
		free(all[i]->user);
		free(all[i]->token);
		free(all[i]->account_id);
		free(all[i]);
	}
	free(mem_steal(all));
	all_count = 0;
	model_died();
}

void model_died(void)
{
	free(mem_steal(taken));
	taken_count = 0;
}

struct model_registration *model_find(const struct registry_key *key)
{
	for (size_t i = 0; i < all_count; i++) {
		if (!memcmp(&all[i]->key, key, sizeof(*key)))
			return all[i];
	}
	return NULL;
}

struct model_registration *model_next(size_t *position)
{
	return *position < all_count ? all[(*position)++] : NULL;
}

struct model_name *model_name(struct model_registration *registration, const char *hash)
{
	for (unsigned i = 0; i < registration->name_count; i++) {
		if (!strcmp(registration->names[i].hash, hash))
			return &registration->names[i];
	}
	judge_rule(registration->name_count < MODEL_HASHES_MAX, "the model has room");
	struct model_name *name = &registration->names[registration->name_count++];
	*name = (struct model_name){.due_ms = INT64_MAX};
	strcpy(name->hash, hash);
	return name;
}

bool model_lists(const struct model_registration *registration, const char *hash)
{
	for (size_t i = 0; i < registration->list_count; i++) {
		if (!strcmp(registration->list[i].hash, hash))
			return true;
	}
	return false;
}

bool model_has_left_with(const struct model_registration *registration, const char *hash)
{
	for (unsigned i = 0; i < registration->hash_count; i++) {
		if (!strcmp(registration->hashes[i], hash))
			return true;
	}
	return false;
}

unsigned model_count_changed(const struct model_registration *registration)
{
	unsigned count = 0;
	for (unsigned i = 0; i < registration->name_count; i++)
		count += registration->names[i].changed != 0;
	return count;
}

static int64_t time_of(const struct registry_job *job)
{
	return job->received_ms > wrong_ms ? now_ms : job->received_ms;
}

static bool is_of(const struct model_registration *registration, const char *user)
{
	return registration->exists && !strcmp(registration->user, user);
}

static void alter(struct model_registration *registration)
{
	registration->altered_ms = virtual_now_ms();
	registration->is_unknown = !is_reported;
}

static void go(struct model_registration *registration, enum reason reason)
{
	registration->exists = false;
	registration->is_stopped = false;
	registration->suspended_ms = 0;
	alter(registration);
	clear_list(registration);
	callbacks.gone(registration, reason);
}

static bool says_gone(const struct registry_job *job, const struct registry_key *key)
{
	for (size_t i = 0; i < job->gone_count; i++) {
		if (!memcmp(&job->gone[i], key, sizeof(*key)))
			return true;
	}
	return false;
}

static bool was_taken(const struct registry_job *job, const struct model_registration *registration)
{
	for (size_t i = 0; i < taken_count; i++) {
		if (taken[i].job == job && taken[i].registration == registration)
			return true;
	}
	return false;
}

static void take(const struct registry_job *job, struct model_registration *registration)
{
	if (is_reported || was_taken(job, registration))
		return;
	taken = mem_realloc_array(taken, taken_count + 1, sizeof(*taken));
	taken[taken_count++] = (struct taken){job, registration};
}

static void tell_taken(const struct registry_job *job)
{
	for (size_t i = taken_count; i-- > 0;) {
		struct model_registration *registration = taken[i].registration;
		if (taken[i].job != job)
			continue;
		judge_rule(says_gone(job, &registration->key),
			"what a transaction without an answer took is said to be gone");
		if (!registration->exists)
			alter(registration);
		taken[i] = taken[--taken_count];
	}
}

bool model_is_suspended(const char *owner)
{
	for (size_t i = 0; i < all_count; i++) {
		if (is_of(all[i], owner) && all[i]->suspended_ms)
			return true;
	}
	return false;
}

/* News is matched. */

static void wake(const char *user, int64_t at_ms)
{
	for (size_t i = 0; i < all_count; i++) {
		if (!is_of(all[i], user) || !all[i]->suspended_ms || all[i]->suspended_ms > at_ms)
			continue;
		all[i]->suspended_ms = 0;
		alter(all[i]);
		callbacks.resumed(all[i]);
	}
}

bool model_believes(
	const struct mail_event *event, const struct mailbox *readings, unsigned count, unsigned i)
{
	return count == 1 || acl_grants(event->acl, NULL, readings[i].owner, 'r');
}

static bool believes(const struct registry_job *job, unsigned i)
{
	return model_believes(job->event, job->event->at, job->event->readings, i);
}

static void resume_for(const struct registry_job *job)
{
	for (unsigned i = 0; i < job->event->readings; i++) {
		if (believes(job, i))
			wake(job->event->at[i].owner, time_of(job));
	}
}

static void follow_reading(const struct registry_job *job, unsigned reading)
{
	const struct mailbox *mailbox = &job->event->at[reading];
	for (size_t i = 0; i < all_count; i++) {
		struct model_registration *registration = all[i];
		if (!registration->exists || registration->is_stopped || registration->suspended_ms)
			continue;
		bool is_own = !strcmp(registration->user, mailbox->owner);
		if (is_own ? !believes(job, reading)
			   : !acl_grants(job->event->acl, NULL, registration->user, 'r'))
			continue;
		for (size_t j = 0; j < registration->list_count; j++) {
			const struct model_subscription *subscription = &registration->list[j];
			if (!strcmp(subscription->owner, mailbox->owner) &&
				!strcmp(subscription->folder, mailbox->folder))
				callbacks.changed(job, registration, subscription->hash);
		}
	}
}

/* News of a mailbox that moved is a barrier, as a rename is. */
static bool is_plain_news(const struct registry_job *job)
{
	return job->kind == REGISTRY_NEWS && !job->was_at;
}

static void follow_news(const struct registry_job *job)
{
	for (unsigned i = 0; is_reported && i < job->event->readings; i++)
		follow_reading(job, i);
}

/* Phones register. */

static struct model_registration *add(const struct registry_job *job)
{
	const struct event_registration *sent = &job->event->registration;
	struct registry_key key = registry_key_make(
		"here", sent->user, sent->token, sent->account_id, sent->subtopic);
	struct model_registration *registration = model_find(&key);
	if (registration)
		return registration;
	registration = mem_alloc_zero(1, sizeof(*registration));
	all = mem_realloc_array(all, all_count + 1, sizeof(struct model_registration *));
	all[all_count++] = registration;
	registration->user = mem_dup(sent->user);
	registration->token = mem_dup(sent->token);
	registration->account_id = mem_dup(sent->account_id);
	registration->key = key;
	return registration;
}

static bool is_same_list(
	const struct model_registration *registration, const struct registry_job *job)
{
	if (registration->list_count != job->subscription_count ||
		strcmp(registration->topic, job->topic) != 0)
		return false;
	for (size_t i = 0; i < job->subscription_count; i++) {
		bool is_there = false;
		for (size_t j = 0; j < registration->list_count; j++)
			is_there = is_there ||
				!strcmp(registration->list[j].name, job->subscriptions[i].name);
		if (!is_there)
			return false;
	}
	return true;
}

static void take_list(struct model_registration *registration, const struct registry_job *job)
{
	clear_list(registration);
	registration->list = mem_alloc_zero(job->subscription_count, sizeof(*registration->list));
	registration->list_count = job->subscription_count;
	registration->is_inbox_only = true;
	for (size_t i = 0; i < job->subscription_count; i++) {
		const struct registry_subscription *sent = &job->subscriptions[i];
		struct model_subscription *subscription = &registration->list[i];
		subscription->name = mem_dup(sent->name);
		subscription->owner = mem_dup(sent->owner);
		subscription->folder = mem_dup(sent->folder);
		strcpy(subscription->hash, sent->hash);
		if (*sent->folder || strcmp(sent->owner, registration->user) != 0)
			registration->is_inbox_only = false;
	}
}

static unsigned count_of(
	const char *user, int64_t *ret_oldest_ms, const struct model_registration *except)
{
	unsigned count = 0;
	*ret_oldest_ms = INT64_MAX;
	for (size_t i = 0; i < all_count; i++) {
		if (!is_of(all[i], user))
			continue;
		count++;
		if (all[i] != except && all[i]->renewed_ms < *ret_oldest_ms)
			*ret_oldest_ms = all[i]->renewed_ms;
	}
	return count;
}

/* Which rule removed this one when `self` registered?  False: none. */
static bool may_go(const struct model_registration *self, const struct model_registration *gone,
	int64_t at_ms, enum reason *ret)
{
	int64_t oldest_ms;
	unsigned count = count_of(self->user, &oldest_ms, self);
	if (!is_of(gone, self->user) || gone == self)
		return false;
	bool is_superseded = !strcmp(gone->token, self->token) &&
		gone->renewed_ms <= self->created_ms &&
		at_ms - self->created_ms >= SUPERSEDED_FOR_MS;
	*ret = is_superseded ? REASON_SUPERSEDED : REASON_EVICTED;
	return is_superseded || (count > LIFE_PER_USER && gone->renewed_ms == oldest_ms);
}

static void renew(struct model_registration *self, const struct registry_job *job)
{
	int64_t at_ms = time_of(job);
	if (!self->exists)
		self->created_ms = at_ms;
	if (!self->exists || at_ms > self->renewed_ms)
		self->is_stopped = false;
	self->exists = true;
	self->renewed_ms = at_ms;
	self->renewed_in = batch_number;
	callbacks.renewed(self);
	self->version = job->event->registration.aps_version;
	alter(self);
	snprintf(self->topic, sizeof(self->topic), "%s", job->topic);
	take_list(self, job);
	for (unsigned i = 0; i < self->name_count; i++) {
		if (!model_lists(self, self->names[i].hash))
			callbacks.unlisted(self, self->names[i].hash);
	}
}

static void follow_registration(const struct registry_job *job)
{
	struct model_registration *self = add(job);
	int64_t at_ms = time_of(job);
	bool is_stale = self->exists && at_ms < self->renewed_ms;
	judge_rule(job->is_stale == is_stale, "an older registration does not replace a newer one");
	if (is_stale)
		return;
	bool is_new = !self->exists;
	bool list_changed = !is_new && !is_same_list(self, job);
	judge_rule(job->is_new == is_new, "a registration is new when it is");
	judge_rule(job->list_changed == list_changed, "a list has changed when it has");
	bool is_once = self->created_ms == self->renewed_ms && self->renewed_ms < started_ms;
	bool is_again = !is_new && self->renewed_in != batch_number &&
		((job->may_be_done && at_ms == self->renewed_ms) || is_once);
	judge_rule(job->is_again == is_again, "a registration is done again when it is");
	judge_rule(!self->is_unknown || is_new || at_ms != self->renewed_ms || is_again,
		"a registration whose result was lost is done again");
	renew(self, job);
	wake(self->user, at_ms);
	for (size_t i = 0; i < job->gone_count; i++) {
		struct model_registration *gone = model_find(&job->gone[i]);
		enum reason reason;
		bool goes = gone && may_go(self, gone, at_ms, &reason);
		judge_rule(goes || was_taken(job, gone),
			"a registration goes when its user has too many and it is the oldest, or "
			"when a newer account id of its device has stood for days");
		if (goes) {
			go(gone, reason);
			take(job, gone);
		}
	}
	int64_t oldest_ms;
	judge_rule(count_of(self->user, &oldest_ms, NULL) <= LIFE_PER_USER,
		"a user has so many registrations at most");
	bool is_news = is_reported && (is_new || list_changed || is_again);
	for (size_t i = 0; is_news && i < self->list_count; i++)
		callbacks.changed(job, self, self->list[i].hash);
}

/* Mailboxes are deleted and renamed. */

static bool is_at_or_below(const char *folder, const char *parent)
{
	size_t size = strlen(parent);
	return !strncmp(folder, parent, size) && (!folder[size] || folder[size] == '.');
}

static void drop_subscription(struct model_registration *registration, size_t at)
{
	struct model_subscription *subscription = &registration->list[at];
	callbacks.unlisted(registration, subscription->hash);
	free(subscription->name);
	free(subscription->owner);
	free(subscription->folder);
	*subscription = registration->list[--registration->list_count];
}

static bool is_touched(const struct model_registration *registration, int64_t at_ms)
{
	return registration->exists && registration->renewed_ms <= at_ms;
}

static void lose_owner(const char *owner, int64_t at_ms)
{
	for (size_t i = 0; i < all_count; i++) {
		struct model_registration *registration = all[i];
		if (!is_touched(registration, at_ms))
			continue;
		if (is_of(registration, owner)) {
			if (registration->suspended_ms < at_ms) {
				registration->suspended_ms = at_ms;
				alter(registration);
			}
			continue;
		}
		for (size_t j = registration->list_count; j-- > 0;) {
			if (!strcmp(registration->list[j].owner, owner))
				drop_subscription(registration, j);
		}
	}
}

static void lose_folder(const struct mailbox *mailbox, int64_t at_ms)
{
	for (size_t i = 0; i < all_count; i++) {
		for (size_t j = all[i]->list_count; is_touched(all[i], at_ms) && j-- > 0;) {
			if (!strcmp(all[i]->list[j].owner, mailbox->owner) &&
				!strcmp(all[i]->list[j].folder, mailbox->folder))
				drop_subscription(all[i], j);
		}
	}
}

static void move_folder(const struct mailbox *from, const struct mailbox *to, int64_t at_ms)
{
	for (size_t i = 0; i < all_count; i++) {
		for (size_t j = 0; is_touched(all[i], at_ms) && j < all[i]->list_count; j++) {
			struct model_subscription *subscription = &all[i]->list[j];
			if (strcmp(subscription->owner, from->owner) != 0 ||
				!is_at_or_below(subscription->folder, from->folder) ||
				is_at_or_below(subscription->folder, to->folder))
				continue;
			char *folder = mem_printf(
				"%s%s", to->folder, subscription->folder + strlen(from->folder));
			free(subscription->folder);
			subscription->folder = folder;
		}
	}
}

static const struct mailbox *place_within(const struct mail_event *event, const char *owner)
{
	for (unsigned i = 0; i < event->readings; i++) {
		if (!strcmp(event->at[i].owner, owner))
			return &event->at[i];
	}
	return &event->at[0];
}

/* Did a phone that registered before name the place? */
static bool was_named(const struct mailbox *place, int64_t before_ms)
{
	for (size_t i = 0; i < all_count; i++) {
		if (!all[i]->exists || all[i]->is_stopped || all[i]->renewed_ms >= before_ms)
			continue;
		for (size_t j = 0; j < all[i]->list_count; j++) {
			if (!strcmp(all[i]->list[j].owner, place->owner) &&
				!strcmp(all[i]->list[j].folder, place->folder))
				return true;
		}
	}
	return false;
}

/* Subscriptions to its former place follow it, before it is matched. */
static void follow_id(const struct registry_job *job)
{
	const struct mailbox *place = place_within(job->event, job->was_at->owner);
	judge_rule(people_renamed(job->event->mailbox_id, job->was_at->owner, job->was_at->folder),
		"a mailbox was where its id says");
	if (!was_named(place, job->was_seen_ms))
		move_folder(job->was_at, place, time_of(job));
}

static void follow_mailbox(const struct registry_job *job)
{
	const struct mail_event *event = job->event;
	int64_t at_ms = time_of(job);
	for (unsigned i = 0; job->kind == REGISTRY_MAILBOX_RENAME && i < event->from_readings;
		i++) {
		const struct mailbox *from = &event->from[i];
		if (!model_believes(event, event->from, event->from_readings, i))
			continue;
		if (*from->folder)
			move_folder(from, place_within(event, from->owner), at_ms);
		else
			lose_owner(from->owner, at_ms);
	}
	for (unsigned i = 0; job->kind == REGISTRY_MAILBOX_DELETE && i < event->readings; i++) {
		if (!believes(job, i))
			continue;
		if (*event->at[i].folder)
			lose_folder(&event->at[i], at_ms);
		else
			lose_owner(event->at[i].owner, at_ms);
	}
}

/* Apple's verdicts. */

static bool condemns(const struct registry_job *job, const struct model_registration *registration)
{
	return registration->exists && !strcmp(registration->token, job->token) &&
		!strcmp(registration->topic, job->topic) &&
		registration->renewed_ms < job->before_ms;
}

/* Another verdict of the same batch removes it. */
static bool goes_later(
	const struct model_registration *registration, const struct registry_job *job)
{
	for (const struct job *at = job->job.next; at; at = at->next) {
		const struct registry_job *later = MEM_CONTAINER(at, struct registry_job, job);
		if (later->kind == job->kind && condemns(later, registration))
			return true;
	}
	return false;
}

static void condemn(struct model_registration *registration, bool is_stop)
{
	if (!is_stop) {
		go(registration, REASON_FORGOTTEN);
		return;
	}
	registration->is_stopped = true;
	alter(registration);
	callbacks.gone(registration, REASON_STOPPED);
}

static void follow_token(const struct registry_job *job)
{
	bool is_stop = job->kind == REGISTRY_STOP;
	int64_t before_ms = apple_condemned_before_ms(job->token, job->topic, is_stop);
	judge_rule(job->before_ms <= before_ms,
		"a registration is condemned as far as Apple did it, and no further");
	const struct model_registration *pushed_to = model_find(&job->target->key);
	size_t count = !pushed_to;
	for (size_t i = 0; i < all_count; i++) {
		struct model_registration *registration = all[i];
		bool is_gone = !registration->exists;
		if (condemns(job, registration)) {
			judge_rule(says_gone(job, &registration->key),
				"all registrations of a token that is gone go");
			condemn(registration, is_stop);
			take(job, registration);
			count++;
		} else if (was_taken(job, registration)) {
			count++;
		} else if (registration == pushed_to) {
			/* It may have gone before, and the queue does not know. */
			if (is_gone && is_reported)
				registration->is_unknown = false;
			count += is_gone ||
				(goes_later(registration, job) &&
					says_gone(job, &registration->key));
		}
	}
	judge_rule(count == job->gone_count, "a verdict on a token takes no other registration");
}

/* Housekeeping. */

static void put_right(void)
{
	for (size_t i = 0; i < all_count; i++) {
		int64_t *const times[] = {
			&all[i]->renewed_ms, &all[i]->suspended_ms, &all[i]->created_ms};
		for (unsigned j = 0; j < 3; j++) {
			if (*times[j] > wrong_ms)
				*times[j] = now_ms - WRONG_BEYOND_MS;
		}
	}
}

static void follow_tidy(const struct registry_job *job)
{
	int64_t at_ms = time_of(job);
	int64_t newest_ms = 0;
	for (size_t i = 0; i < all_count; i++) {
		if (all[i]->exists && all[i]->renewed_ms > newest_ms)
			newest_ms = all[i]->renewed_ms;
	}
	int64_t present_ms = newest_ms < at_ms ? newest_ms : at_ms;
	for (size_t i = 0; i < job->gone_count; i++) {
		struct model_registration *gone = model_find(&job->gone[i]);
		judge_rule(gone, "only what was there can go");
		bool is_grace_over =
			gone->suspended_ms > 0 && gone->suspended_ms < at_ms - LIFE_GRACE_MS;
		bool goes = gone->exists &&
			(is_grace_over || gone->renewed_ms < present_ms - LIFE_TTL_MS);
		judge_rule(goes || was_taken(job, gone),
			"tidying takes what was not renewed for registration_ttl, or was suspended "
			"for "
			"deleted_user_grace");
		if (goes) {
			go(gone, is_grace_over ? REASON_SUSPENDED : REASON_EXPIRED);
			take(job, gone);
		}
	}
	for (size_t i = 0; i < job->match_count; i++) {
		struct model_registration *registration = model_find(&job->matches[i].target->key);
		judge_rule(registration && registration->exists,
			"only a registration that exists is nudged");
		for (unsigned j = 0; is_reported && j < job->matches[i].hash_count; j++)
			callbacks.changed(job, registration, job->matches[i].hashes[j]);
	}
}

void model_opened(int64_t started_unix_ms)
{
	started_ms = started_unix_ms;
}

bool model_is_reported(void)
{
	return is_reported;
}

void model_follow(const struct job_list *batch, int64_t now_unix_ms, bool is_reported_now)
{
	is_reported = is_reported_now;
	bool was_set_back = now_unix_ms < now_ms;
	now_ms = now_unix_ms;
	wrong_ms = now_unix_ms + WRONG_BEYOND_MS;
	if (was_set_back)
		put_right();
	batch_number++;
	bool is_news_run = false;
	for (struct job *first = batch->first; first; first = first->next) {
		struct registry_job *job = MEM_CONTAINER(first, struct registry_job, job);
		/* News between two barriers is matched together: owners are resumed before that. */
		if (job->was_at)
			resume_for(job);
		for (struct job *next = first; is_plain_news(job) && !is_news_run && next;
			next = next->next) {
			struct registry_job *news = MEM_CONTAINER(next, struct registry_job, job);
			if (!is_plain_news(news))
				break;
			resume_for(news);
		}
		is_news_run = is_plain_news(job);
		switch (job->kind) {
		case REGISTRY_NEWS:
			if (job->was_at)
				follow_id(job);
			follow_news(job);
			break;
		case REGISTRY_REGISTER:
			follow_registration(job);
			break;
		case REGISTRY_MAILBOX_DELETE:
		case REGISTRY_MAILBOX_RENAME:
			follow_mailbox(job);
			break;
		case REGISTRY_FORGET:
		case REGISTRY_STOP:
			follow_token(job);
			break;
		case REGISTRY_TIDY:
			follow_tidy(job);
			break;
		case REGISTRY_LIST:
		case REGISTRY_LIST_FORGOTTEN:
		case REGISTRY_REMOVE:
		case REGISTRY_REMOVE_USER:
		case REGISTRY_IMPORT:
		case REGISTRY_COUNT:
			break; /* nobody waits for the answer */
		}
		if (is_reported) {
			tell_taken(job);
			callbacks.done(job);
		}
	}
}
