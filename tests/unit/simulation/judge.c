#include "judge.h"

#include "base/clock.h"
#include "base/mem.h"
#include "disk.h"
#include "folder.h"
#include "life.h"
#include "model.h"
#include "sending.h"
#include "virtual.h"

#include <stdio.h>
#include <string.h>

#define SLACK_MS (20 * CLOCK_SECOND_MS)
#define RECENT_MS CLOCK_HOUR_MS /* told so long ago it may not be on disk yet: the disk hung */
#define RETRY_MAX_MS (5 * CLOCK_MINUTE_MS)
#define GIVE_UP_ATTEMPTS 19
#define RATE_WINDOW (LIFE_PUSH_RATE + 2)
#define HASHES_MAX 100
#define HASH_LENGTH (MAILBOX_HASH_SIZE - 1)

struct event {
	struct event *next;
	struct judge_event of; /* its strings are ours */
	uint64_t order;	       /* its place among all that the daemon took in, in this life */
	bool is_acked;
	bool is_done; /* with its file */
	bool is_refused;
	bool is_processed;
	struct told {
		struct model_registration *registration;
		char hash[MAILBOX_HASH_SIZE];
		uint64_t changed;
	} * targets;
	size_t target_count;
};

static uint64_t seed;
static uint64_t number;
static struct event *events; /* in order */
static struct event **events_end = &events;
static uint64_t newest_news; /* that was matched in this life */
static struct told *changes; /* that the job at hand led to */
static size_t change_count;
static int64_t began_ms;
static int64_t excused_until_ms;
static int64_t last_crash_ms;
static unsigned life;
static bool is_up;
static int64_t left[RATE_WINDOW]; /* the last pushes of this life, a ring */
static uint64_t left_count;
static uint64_t told;
static uint64_t pushes;
static uint64_t reasons[REASONS];
static uint64_t gone[REASONS];
static const struct model_registration *about; /* that is being judged, or NULL */

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
		registration->was_told ? ", told" : "",
		registration->has_grown ? ", grew since" : "",
		registration->was_dropped ? ", dropped since" : "",
		(long long)-ago(registration->excused_until_ms), (long long)ago(last_crash_ms));
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
	if (about)
		describe(about);
	sending_describe();
	fprintf(stderr,
		"simulation: broken after %.2f hours and %llu pushes: %s\n"
		"simulation: SIMULATION_SEED=%llu repeats it\n",
		(double)(virtual_now_ms() - began_ms) / CLOCK_HOUR_MS, (unsigned long long)pushes,
		text, (unsigned long long)seed);
	_Exit(1);
}

uint64_t judge_next(void)
{
	return ++number;
}

const char *judge_reason_name(enum reason reason)
{
	static const char *const names[] = {"forgotten", "stopped", "superseded", "evicted",
		"expired", "overslept", "unlisted", "dropped", "given up", "unsafe"};
	return names[reason];
}

/* Events. */

static void free_event(struct event *event)
{
	free((char *)event->of.owner);
	free((char *)event->of.folder);
	free((char *)event->of.trace);
	free((char *)event->of.account_id);
	free(event->targets);
	free(event);
}

static void unlink_event(struct event *event)
{
	struct event **at = &events;
	while (*at != event)
		at = &(*at)->next;
	*at = event->next;
	if (!event->next)
		events_end = at;
	free_event(event);
}

static struct event *find_event(uint64_t which)
{
	struct event *event = events;
	while (event && event->of.number != which)
		event = event->next;
	return event;
}

void judge_sent(const struct judge_event *sent)
{
	struct event *event = mem_alloc_zero(1, sizeof(*event));
	event->of = *sent;
	event->order = sent->number;
	event->of.owner = sent->owner ? mem_dup(sent->owner) : NULL;
	event->of.folder = sent->folder ? mem_dup(sent->folder) : NULL;
	event->of.trace = sent->trace ? mem_dup(sent->trace) : NULL;
	event->of.account_id = sent->account_id ? mem_dup(sent->account_id) : NULL;
	*events_end = event;
	events_end = &event->next;
	event->is_acked = sent->is_kept;
	if (sent->what == JUDGE_IGNORED && !sent->is_request)
		unlink_event(event);
}

/* It is acknowledged: from now on a push is owed that left after it. */
static void owe(struct model_registration *registration, const char *hash, uint64_t event)
{
	struct model_name *name = model_name(registration, hash);
	if (!registration->exists || registration->is_stopped || !name->changed ||
		name->told > event || name->owed >= event)
		return;
	name->owed = event;
}

static void check_durable(const struct event *event, const struct told *target)
{
	struct model_registration *registration = target->registration;
	const struct model_name *name = model_name(registration, target->hash);
	if (!registration->exists || registration->is_stopped || !name->changed ||
		name->forgiven > target->changed || name->told > event->order)
		return;
	judge_rule(
		disk_has_news(&registration->key, target->hash) || disk_has_parked(event->of.trace),
		"what is acknowledged is on disk");
}

void judge_acked(uint64_t which)
{
	struct event *event = find_event(which);
	judge_rule(event && !event->is_acked, "an event is acknowledged once");
	if (event->of.what == JUDGE_IGNORED) {
		unlink_event(event);
		return;
	}
	if (!event->is_processed) {
		judge_rule(disk_has_parked(event->of.trace),
			"an event that the registry has not had is parked before its "
			"acknowledgement");
		event->is_acked = true;
		return;
	}
	for (size_t i = 0; i < event->target_count; i++) {
		check_durable(event, &event->targets[i]);
		owe(event->targets[i].registration, event->targets[i].hash, which);
	}
	unlink_event(event);
}

void judge_refused(uint64_t which)
{
	struct event *event = find_event(which);
	if (!event)
		return;
	event->is_refused = true;
	if (event->is_processed)
		unlink_event(event);
}

void judge_taken(uint64_t which)
{
	struct event *event = find_event(which);
	if (event)
		event->order = judge_next();
}

void judge_done(uint64_t which)
{
	struct event *event = find_event(which);
	if (!event)
		return;
	event->is_done = true;
	if (!event->is_processed) {
		judge_rule(disk_has_parked(event->of.trace),
			"a file is of no more use when its event is parked, or done");
		return;
	}
	for (size_t i = 0; i < event->target_count; i++)
		check_durable(event, &event->targets[i]);
	unlink_event(event);
}

/* What the registry did. */

static bool has_left_with(const struct model_registration *registration, const char *hash)
{
	for (unsigned i = 0; i < registration->hash_count; i++) {
		if (!strcmp(registration->hashes[i], hash))
			return true;
	}
	return false;
}

static unsigned count_changed(const struct model_registration *registration)
{
	unsigned count = 0;
	for (unsigned i = 0; i < registration->name_count; i++)
		count += registration->names[i].changed != 0;
	return count;
}

static bool is_now(const struct registry_job *job)
{
	return job->kind == REGISTRY_NEWS && job->event->kind == EVENT_MESSAGE_NEW;
}

static void on_changed(
	const struct registry_job *job, struct model_registration *registration, const char *hash)
{
	struct model_name *name = model_name(registration, hash);
	int64_t due_ms = virtual_now_ms() + (is_now(job) ? 0 : 2 * LIFE_LATER_DELAY_MS);
	/* Whether the daemon still had it after a crash is not known. */
	bool is_uncertain = name->changed && name->due_ms == INT64_MAX;
	/* A clock that was put back makes older what waits already. */
	if (!name->changed)
		name->since_ms = virtual_now_ms();
	if (!name->changed || due_ms < name->due_ms)
		name->due_ms = due_ms;
	name->last_due_ms = due_ms;
	name->changed = judge_next();
	if (is_uncertain || !has_left_with(registration, hash) ||
		count_changed(registration) + registration->hash_count > HASHES_MAX)
		registration->has_grown = true;
	changes = mem_realloc_array(changes, change_count + 1, sizeof(*changes));
	changes[change_count].registration = registration;
	changes[change_count].changed = name->changed;
	strcpy(changes[change_count++].hash, hash);
}

/* Nothing of it is to be told any more; what the disk still says it may say after a crash. */
static void forgive(
	struct model_registration *registration, struct model_name *name, enum reason reason)
{
	if (name->owed)
		reasons[reason]++;
	if (name->changed) {
		name->told_ms = virtual_now_ms();
		registration->was_dropped = true;
	}
	name->owed = 0;
	if (model_is_told())
		name->changed = 0;
	name->forgiven = judge_next();
	name->due_ms = INT64_MAX;
}

/* A phone that registers after its token was doubted wants to be pushed to. */
static void on_renewed(struct model_registration *registration)
{
	registration->renewed = judge_next();
	if (!registration->is_doubted)
		return;
	registration->calm_until_ms = 0;
	/* A bad token may be held instead, and a daemon that has started since knows no more why
	   it waits. */
	if (!registration->is_bad && registration->life == life && !registration->is_flying)
		registration->excused_until_ms = virtual_now_ms() + LIFE_MIN_INTERVAL_MS;
}

/* What waited for it is due; a daemon that died meanwhile finds that out by tidying. */
static void on_woken(struct model_registration *registration)
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
	gone[reason]++;
}

static void on_unlisted(struct model_registration *registration, const char *hash)
{
	forgive(registration, model_name(registration, hash), REASON_UNLISTED);
	/* The row may go with the last of it. */
	registration->was_dropped = true;
}

static bool is_about(const struct registry_job *job, const char *owner, const char *folder)
{
	const struct mail_event *event = job->event;
	for (unsigned i = 0; i < event->readings; i++) {
		if (!strcmp(owner, event->at[i].owner) && !strcmp(folder, event->at[i].folder))
			return model_believes(event, event->at, event->readings, i);
	}
	return false;
}

static uint64_t number_of(const struct registry_job *job)
{
	return strtoull(job->event->user + 1, NULL, 10);
}

/* One that was done before comes again. */
static uint64_t order_of(uint64_t which)
{
	const struct event *event = find_event(which);
	uint64_t again = event ? 0 : folder_order(which);
	return event ? event->order : again ? again : which;
}

/* `came`: the job's place; its own event may be gone by now. */
static bool is_meant(const struct event *event, const struct registry_job *job, uint64_t came)
{
	if (event->is_processed)
		return false;
	/* A file that was not taken in yet, unless it was parked in an earlier life. */
	if (event->of.is_kept && event->order == event->of.number &&
		!disk_has_parked(event->of.trace))
		return false;
	switch (job->kind) {
	case REGISTRY_NEWS:
		return event->of.what == JUDGE_NEWS && event->of.is_now == is_now(job) &&
			event->order <= came && is_about(job, event->of.owner, event->of.folder);
	case REGISTRY_REGISTER:
		return event->of.what == JUDGE_REGISTRATION &&
			!strcmp(event->of.account_id, job->event->registration.account_id);
	case REGISTRY_MAILBOX_DELETE:
	case REGISTRY_MAILBOX_RENAME:
		return event->of.what == JUDGE_MAILBOX && event->of.number == number_of(job);
	case REGISTRY_FORGET:
	case REGISTRY_STOP:
	case REGISTRY_TIDY:
	case REGISTRY_LIST:
	case REGISTRY_LIST_FORGOTTEN:
	case REGISTRY_REMOVE:
	case REGISTRY_COUNT:
		break;
	}
	return false;
}

/* Deletes and renames are barriers: news that came later must not be matched before. */
static void judge_order(const struct registry_job *job)
{
	bool is_news = job->kind == REGISTRY_NEWS;
	if (!is_news && job->kind != REGISTRY_MAILBOX_DELETE &&
		job->kind != REGISTRY_MAILBOX_RENAME)
		return;
	uint64_t came = order_of(number_of(job));
	judge_rule(is_news || came > newest_news, "no news is merged across a barrier");
	if (is_news && came > newest_news)
		newest_news = came;
}

static void process(struct event *event)
{
	event->is_processed = true;
	if (event->is_acked) {
		for (size_t i = 0; i < change_count; i++)
			owe(changes[i].registration, changes[i].hash, event->order);
	}
	if (event->of.is_kept ? !event->is_done
			      : event->of.is_request && !event->is_acked && !event->is_refused) {
		event->targets = mem_realloc_array(NULL, change_count, sizeof(*changes));
		if (change_count)
			memcpy(event->targets, changes, change_count * sizeof(*changes));
		event->target_count = change_count;
		return;
	}
	unlink_event(event);
}

/* Of registrations each is a job of its own: they are done in the order in which they came. */
static void process_first(const struct registry_job *job)
{
	struct event *first = NULL;
	for (struct event *event = events; event; event = event->next) {
		if (is_meant(event, job, UINT64_MAX) && (!first || event->order < first->order))
			first = event;
	}
	if (first)
		process(first);
}

static void on_done(const struct registry_job *job)
{
	judge_order(job);
	/* A push that the verdict did not settle waits from now on. */
	struct model_registration *pushed_to = job->target ? model_find(&job->target->key) : NULL;
	if (pushed_to)
		pushed_to->excused_until_ms = virtual_now_ms() +
			(pushed_to->renewed > pushed_to->left ? LIFE_MIN_INTERVAL_MS
							      : RETRY_MAX_MS);
	if (job->kind == REGISTRY_REGISTER)
		process_first(job);
	uint64_t came = job->kind == REGISTRY_NEWS ? order_of(number_of(job)) : UINT64_MAX;
	for (struct event *event = events; job->kind != REGISTRY_REGISTER && event;) {
		struct event *next = event->next;
		if (is_meant(event, job, came))
			process(event);
		event = next;
	}
	change_count = 0;
}

void judge_registry(const struct job_list *batch, int64_t now_unix_ms)
{
	model_follow(batch, now_unix_ms, true);
}

void judge_unanswered(const struct job_list *batch, int64_t now_unix_ms)
{
	model_follow(batch, now_unix_ms, false);
}

/* Pushes. */

struct payload {
	char account_id[80];
	char hashes[MODEL_HASHES_MAX][MAILBOX_HASH_SIZE];
	unsigned hash_count;
	bool is_plain;
};

static void expect(const char **at, const char *text)
{
	judge_rule(!strncmp(*at, text, strlen(text)), "a payload is what Mail understands");
	*at += strlen(text);
}

static void read_payload(const struct sender_push *push, struct payload *ret)
{
	char text[PAYLOAD_MAX + 1];
	memcpy(text, push->payload, push->payload_size);
	text[push->payload_size] = '\0';
	const char *at = text;
	*ret = (struct payload){.is_plain = true};
	expect(&at, "{\"aps\":{\"account-id\":\"");
	size_t size = strcspn(at, "\"");
	judge_rule(size < sizeof(ret->account_id), "an account id has a bound");
	memcpy(ret->account_id, at, size);
	at += size;
	expect(&at, "\"");
	if (*at == ',') {
		expect(&at, ",\"m\":[");
		ret->is_plain = false;
		do {
			judge_rule(ret->hash_count < HASHES_MAX, "100 hashes a payload");
			at += *at == ',';
			expect(&at, "\"");
			judge_rule(strspn(at, "0123456789abcdef") == HASH_LENGTH, "a hash is MD5");
			memcpy(ret->hashes[ret->hash_count++], at, HASH_LENGTH);
			at += HASH_LENGTH;
			expect(&at, "\"");
		} while (*at == ',');
		expect(&at, "]");
	}
	expect(&at, "}}");
	judge_rule(!*at, "nothing stands behind a payload");
}

static bool has_crashed_since(int64_t ms)
{
	return last_crash_ms && last_crash_ms >= ms;
}

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
	bool is_certain = !registration->is_unknown && !has_crashed_since(registration->altered_ms);
	judge_rule(!strcmp(registration->token, push->token) &&
			!strcmp(registration->account_id, payload->account_id),
		"a push goes to the phone that its row is of");
	judge_rule(!is_certain || !strcmp(registration->topic, push->topic),
		"a push goes out on its registration's topic");
	judge_rule(!is_certain || registration->exists,
		"nothing is pushed to a registration that is gone");
	judge_rule(!is_certain || !registration->sleeping_ms,
		"nothing is pushed to a registration whose owner was deleted, until he wakes");
	judge_rule(!is_certain || !registration->is_stopped,
		"nothing is pushed to a registration that is stopped");
	judge_rule(!registration->is_condemned || registration->exists ||
			has_crashed_since(registration->condemned_ms),
		"a registration that is gone is not pushed to when Apple has said so");
	if (!registration->exists)
		return;
	bool is_plain = registration->version == 1 || registration->is_inbox_only;
	judge_rule(!is_certain || payload->is_plain == is_plain,
		"the plain payload goes to who understands no other");
	judge_rule(!payload->is_plain || count_changed(registration) > 0,
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
		judge_rule(registration->was_told || registration->has_grown ||
				registration->was_dropped,
			"an apns-id is kept until the set of hashes grows");
		bool is_known = registration->life == life ||
			(registration->was_told && registration->has_waited &&
				!has_crashed_since(registration->left_ms));
		judge_rule(!is_known || registration->jumps != virtual_jumps() ||
				virtual_now_ms() - registration->left_ms >= LIFE_MIN_INTERVAL_MS,
			"two pushes to a registration are min_interval apart");
		return;
	}
	judge_rule(!registration->was_told || has_crashed_since(registration->answered_ms),
		"an apns-id that was taken is not used again");
	for (unsigned i = 0; i < payload->hash_count && !registration->was_plain; i++)
		judge_rule(has_left_with(registration, payload->hashes[i]),
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
	registration->was_told = registration->is_unsure = false;
	registration->was_dropped = registration->has_grown = false;
	registration->left = judge_next();
	registration->left_ms = virtual_now_ms();
	registration->jumps = virtual_jumps();
	registration->life = life;
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
	read_payload(push, &payload);
	const struct registry_key *key = disk_key_of_id(push->apns_id);
	judge_rule(key, "a push leaves when its row and apns-id are on disk");
	struct model_registration *registration = model_find(key);
	judge_rule(registration, "a push goes to a registration that was made");
	about = registration;
	judge_rule(!registration->is_flying, "one push of a registration is in flight at most");
	check_rate();
	/* With all that was to be told dropped, what comes then is another matter. */
	judge_rule(registration->life != life || registration->was_dropped ||
			virtual_now_ms() >= registration->calm_until_ms,
		"a token that Apple does not want, or throttles, is left alone for a while");
	check_content(registration, &payload, push);
	check_apns_id(registration, &payload, push);
	take_off(registration, &payload, push);
	about = NULL;
	pushes++;
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
			told += meaning == APPLE_TOLD;
			reasons[REASON_DROPPED] += meaning == APPLE_DROPPED;
		}
		name->told = registration->left;
		name->told_ms = virtual_now_ms();
	}
	registration->was_told = true;
}

/* After a day of trouble with the token alone it may be given up; it may be seen later. */
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
			reasons[REASON_GIVEN_UP]++;
		}
		name->due_ms = name->changed > registration->left ? name->last_due_ms : INT64_MAX;
	}
}

/* As long as Apple says, or five minutes when a token is doubted. */
static void calm(struct model_registration *registration, const struct apns_answer *answer,
	enum apple_meaning meaning)
{
	registration->calm_until_ms = 0;
	registration->is_doubted = registration->is_bad = false;
	/* Something else leaves when this flight's news was given up, or the registration went. */
	if (!registration->exists || registration->was_dropped || registration->is_unsure)
		return;
	bool is_doubted = meaning == APPLE_GONE || meaning == APPLE_BAD;
	registration->is_doubted = is_doubted;
	registration->is_bad = meaning == APPLE_BAD;
	/* A phone that registered since wants to be pushed to. */
	if (is_doubted && registration->renewed < registration->left)
		registration->calm_until_ms = virtual_now_ms() + RETRY_MAX_MS;
	else if (meaning == APPLE_THROTTLED && answer->retry_after_ms > 0)
		registration->calm_until_ms = virtual_now_ms() + answer->retry_after_ms;
}

static struct model_registration *find_flying(const struct sender_push *push)
{
	size_t position = 0;
	struct model_registration *registration = model_next(&position);
	while (registration && !(registration->is_flying && registration->push == push))
		registration = model_next(&position);
	judge_rule(registration, "what is answered has left");
	return registration;
}

void judge_answered(const struct sender_push *push, const struct apns_answer *answer,
	enum apple_meaning meaning)
{
	struct model_registration *registration = find_flying(push);
	int64_t wait_ms = RETRY_MAX_MS;
	registration->is_flying = false;
	registration->answered_ms = virtual_now_ms();
	if (meaning == APPLE_TOLD || meaning == APPLE_DROPPED) {
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

/* The daemon's life. */

void judge_excuse(int64_t ms)
{
	int64_t until_ms = virtual_now_ms() + ms;
	if (excused_until_ms < until_ms)
		excused_until_ms = until_ms;
}

/* What no acknowledgement stands for may be lost; what was told may be told again. */
static void unsettle(struct model_name *name)
{
	if (name->changed && !name->owed) {
		name->due_ms = INT64_MAX;
		reasons[REASON_UNSAFE]++;
	}
	if (!name->changed && name->told_ms && virtual_now_ms() - name->told_ms < RECENT_MS)
		name->changed = judge_next();
}

void judge_died(bool is_crash)
{
	is_up = false;
	if (is_crash)
		last_crash_ms = virtual_now_ms();
	for (struct event *event = events; event;) {
		struct event *next = event->next;
		event->order = event->of.number;
		/* What is not done with is taken in again. */
		event->is_processed = false;
		event->target_count = 0;
		free(mem_steal(event->targets));
		if (!event->is_acked)
			unlink_event(event);
		event = next;
	}
	size_t position = 0;
	for (struct model_registration *registration; (registration = model_next(&position));) {
		registration->is_flying = false;
		registration->has_waited = count_changed(registration) > 0;
		for (unsigned i = 0; is_crash && i < registration->name_count; i++)
			unsettle(&registration->names[i]);
	}
}

void judge_started(void)
{
	is_up = true;
	life++;
	newest_news = 0;
	left_count = 0;
	/* Due times from disk may lie so far ahead. */
	judge_excuse(5 * CLOCK_MINUTE_MS + 2 * LIFE_LATER_DELAY_MS);
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
		if (!is_up || !registration->exists || registration->sleeping_ms ||
			registration->is_flying || open_ms == INT64_MAX)
			continue;
		about = registration;
		int64_t from_ms =
			later(later(open_ms, excused_until_ms), registration->excused_until_ms);
		for (unsigned i = 0; i < registration->name_count; i++) {
			const struct model_name *name = &registration->names[i];
			/* After an outage what is overdue is spread over later_delay. */
			int64_t by_ms = later(from_ms, name->due_ms) +
				(from_ms > name->due_ms ? LIFE_LATER_DELAY_MS : 0);
			judge_rule(!name->changed || name->due_ms == INT64_MAX ||
					now_ms <= by_ms + SLACK_MS,
				"what is due leaves: now at once, later within twice later_delay");
		}
	}
	about = NULL;
	/* A datagram that was shed leaves no trace. */
	while (events && !events->of.is_request && !events->is_acked &&
		number - events->of.number > 20000)
		unlink_event(events);
}

unsigned judge_owed(void)
{
	unsigned owed = 0;
	for (const struct event *event = events; event; event = event->next)
		owed += event->is_acked;
	size_t position = 0;
	for (struct model_registration *registration; (registration = model_next(&position));) {
		/* What waits for who sleeps waits on. */
		for (unsigned i = 0; !registration->sleeping_ms && i < registration->name_count;
			i++)
			owed += registration->names[i].owed != 0;
	}
	return owed;
}

uint64_t judge_told(void)
{
	return told;
}

uint64_t judge_pushes(void)
{
	return pushes;
}

uint64_t judge_gone(enum reason reason)
{
	return gone[reason];
}

uint64_t judge_reasons(enum reason reason)
{
	return reasons[reason];
}

void judge_begin(uint64_t of)
{
	static const struct model_callbacks callbacks = {.changed = on_changed,
		.gone = on_gone,
		.unlisted = on_unlisted,
		.renewed = on_renewed,
		.woken = on_woken,
		.done = on_done};
	seed = of;
	began_ms = virtual_now_ms();
	model_begin(&callbacks);
}

void judge_end(void)
{
	while (events)
		unlink_event(events);
	free(mem_steal(changes));
	model_end();
}
