/* A batch does what its jobs would do one after the other, in a few round trips. */
#include "conformance.h"
#include "registry/batch.h"

#include "base/random.h"
#include "driver/ops.h"

#define JOBS 40
#define BATCHES 30
#define USERS 6
#define ACCOUNTS 6
#define TRIPS_MAX 12

static const char *const users[USERS] = {"alice", "bob", "carol", "dave", "erin", "frank"};
static const char *const accounts[ACCOUNTS] = {"one", "two", "three", "four", "five", "six"};
static const char *const tokens[] = {TOKEN_A, TOKEN_B};
static const char *const folders[] = {"plans", "bills", "trips"};

/* Two sites to which the same happens. */
struct twins {
	struct world *apart; /* each job is a batch */
	struct world other;
	struct world *together;
	struct random random;
	int64_t now_ms;
};

static unsigned draw(struct twins *twins, unsigned below)
{
	return (unsigned)random_upto(&twins->random, below - 1);
}

static struct registry_job *both(
	struct registry_job **twin, struct registry_job *apart, struct registry_job *together)
{
	*twin = together;
	return apart;
}

#define BOTH(call, ...) \
	both(twin, call(twins->apart, __VA_ARGS__), call(twins->together, __VA_ARGS__))

static struct registry_job *draw_phone(
	struct twins *twins, int64_t at_ms, struct registry_job **twin)
{
	struct registry_subscription boxes[5] = {0};
	const char *user = users[draw(twins, USERS)];
	size_t count = 0;
	if (draw(twins, 4))
		boxes[count++] = (struct registry_subscription){
			.name = "INBOX", .owner = user, .folder = ""};
	for (size_t i = 0; i < 3; i++) {
		if (draw(twins, 2))
			boxes[count++] = (struct registry_subscription){
				.name = folders[i], .owner = "boss", .folder = folders[i]};
	}
	const char *token = tokens[draw(twins, 2)];
	const char *account = accounts[draw(twins, ACCOUNTS)];
	return BOTH(phone, at_ms, user, token, account, boxes);
}

/* News of their own resumes all who are suspended before any news of the run is matched, so here
   the first users alone are suspended, and resume as they register. */
static struct registry_job *draw_job(struct twins *twins, struct registry_job **twin)
{
	twins->now_ms += draw(twins, 6) ? (int64_t)draw(twins, 1000) : DAY;
	int64_t at_ms = twins->now_ms - (draw(twins, 5) ? 0 : (int64_t)draw(twins, 2000));
	unsigned kind = draw(twins, 20);
	const char *deleted = users[draw(twins, 3)];
	const char *own = users[3 + draw(twins, 3)];
	const char *token = tokens[draw(twins, 2)];
	const char *folder = folders[draw(twins, 3)];
	if (kind == 0)
		return BOTH(at, REGISTRY_MAILBOX_DELETE, at_ms, deleted, "");
	if (kind == 1)
		return BOTH(verdict, REGISTRY_STOP, token, TOPIC, at_ms);
	if (kind == 2)
		return BOTH(verdict, REGISTRY_FORGET, token, TOPIC, at_ms - DAY);
	if (kind < 6)
		return BOTH(news, at_ms, own, "");
	return kind < 12 ? draw_phone(twins, at_ms, twin) : BOTH(news, at_ms, "boss", folder);
}

static void compare_matches(const struct registry_job *job, const struct registry_job *twin)
{
	assert_int_equal(job->match_count, twin->match_count);
	for (size_t i = 0; i < job->match_count; i++) {
		const struct registry_match *match = &job->matches[i];
		size_t same = 0;
		for (size_t j = 0; j < twin->match_count; j++) {
			const struct registry_match *other = &twin->matches[j];
			if (strcmp(other->target->user, match->target->user) != 0 ||
				strcmp(other->target->token, match->target->token) != 0 ||
				strcmp(other->target->account_id, match->target->account_id) != 0)
				continue;
			same++;
			assert_int_equal(other->target->renewed_ms, match->target->renewed_ms);
			assert_int_equal(other->target->inbox_only, match->target->inbox_only);
			assert_int_equal(other->is_own, match->is_own);
			assert_int_equal(other->hash_count, match->hash_count);
			for (unsigned k = 0; k < match->hash_count; k++)
				assert_memory_equal(
					other->hashes[k], match->hashes[k], MAILBOX_HASH_SIZE);
		}
		assert_int_equal(same, 1);
	}
}

static struct registry_key key_of(const struct world *w, size_t user, size_t token, size_t account)
{
	return registry_key_make(
		w->site, users[user], tokens[token], accounts[account], "com.apple.mobilemail");
}

static unsigned effects_on(const struct registry_job *job, const struct registry_key *key)
{
	unsigned effects = 0;
	for (size_t i = 0; i < job->effect_count; i++) {
		if (memcmp(&job->effects[i].key, key, sizeof(*key)) == 0)
			effects += 1u << (4 * job->effects[i].kind);
	}
	return effects;
}

static void compare_fates(
	const struct twins *twins, const struct registry_job *job, const struct registry_job *twin)
{
	assert_int_equal(job->gone_count, twin->gone_count);
	assert_int_equal(job->effect_count, twin->effect_count);
	for (size_t user = 0; user < USERS; user++) {
		for (size_t token = 0; token < 2; token++) {
			for (size_t account = 0; account < ACCOUNTS; account++) {
				struct registry_key key =
					key_of(twins->apart, user, token, account);
				struct registry_key twin_key =
					key_of(twins->together, user, token, account);
				assert_int_equal(
					effects_on(job, &key), effects_on(twin, &twin_key));
				assert_int_equal(is_gone(twins->apart, job, users[user],
							 tokens[token], accounts[account]),
					is_gone(twins->together, twin, users[user], tokens[token],
						accounts[account]));
			}
		}
	}
}

static void compare(
	const struct twins *twins, const struct registry_job *job, const struct registry_job *twin)
{
	assert_int_equal(job->is_new, twin->is_new);
	assert_int_equal(job->is_stale, twin->is_stale);
	assert_int_equal(job->list_changed, twin->list_changed);
	compare_matches(job, twin);
	compare_fates(twins, job, twin);
}

static void a_batch_does_what_its_jobs_would_do_one_by_one(void **state)
{
	static const uint8_t seed[RANDOM_SEED_SIZE] = {13};
	struct twins twins = {.apart = *state, .now_ms = NOW};
	struct registry_job *jobs[JOBS];
	struct registry_job *twin[JOBS];
	twins.other = (struct world){.settings = twins.apart->settings, .topic = TOPIC};
	twins.together = &twins.other;
	mem_auto char *site = mem_printf("%s-twin", twins.apart->site);
	snprintf(twins.other.site, sizeof(twins.other.site), "%s", site);
	twins.other.settings.site = twins.other.site;
	job_list_init(&twins.other.batch);
	open_store(&twins.other);
	random_init(&twins.random, seed);
	for (unsigned batch = 0; batch < BATCHES; batch++) {
		for (size_t i = 0; i < JOBS; i++) {
			jobs[i] = draw_job(&twins, &twin[i]);
			run(twins.apart);
		}
		run(twins.together);
		for (size_t i = 0; i < JOBS; i++)
			compare(&twins, jobs[i], twin[i]);
	}
	registry_store_close(twins.other.store);
	free_made(&twins.other);
}

static void news_of_one_batch(struct world *w, unsigned first, unsigned count)
{
	for (unsigned i = first; i < first + count; i++) {
		struct made *made = MEM_CONTAINER(news(w, w->now_ms, "", ""), struct made, job);
		snprintf(made->text, sizeof(made->text), "user%04u", i);
		made->event.at[0].owner = made->text;
	}
}

static atomic_uint_fast64_t round_trips;

static void count_trips(struct world *w)
{
	registry_store_close(w->store);
	w->settings.round_trips = &round_trips;
	open_store(w);
}

static void a_mixed_batch_costs_a_dozen_round_trips(void **state)
{
	struct world *w = *state;
	count_trips(w);
	crowd(w, NOW, 0, 2000);
	news(w, NOW, "nobody", "");
	run(w);
	uint64_t before = round_trips;
	w->now_ms = NOW + DAY;
	for (unsigned i = 0; i < 200; i++) {
		news_of_one_batch(w, 10 * i, 5);
		struct registry_job *job = phone(w, w->now_ms, "", TOKEN_A, "crowd", NO_BOXES);
		struct made *made = MEM_CONTAINER(job, struct made, job);
		snprintf(made->text, sizeof(made->text), "user%04u", 10 * i + (i % 2 ? 0 : 9));
		made->event.registration.user = made->text;
		news_of_one_batch(w, 10 * i + 5, 5);
	}
	run(w);
	bool is_served = !w->settings.ops->file || !w->settings.ops->file(w->settings.place);
	assert_int_equal(round_trips > before, is_served);
	assert_true(round_trips - before <= TRIPS_MAX);
	unsigned matched = 0;
	for (struct made *made = w->made; made && made->job.received_ms == w->now_ms;
		made = made->next)
		matched += made->job.kind == REGISTRY_NEWS && made->job.match_count == 1;
	/* Half of the phones dropped their INBOX before the news of it. */
	assert_int_equal(matched, 1900);
}

/* More than goes into one statement. */
static void each_of_a_large_batch_gets_its_own_answer(void **state)
{
	struct world *w = *state;
	crowd(w, NOW, 0, 5000);
	w->now_ms = NOW + DAY;
	news_of_one_batch(w, 0, 5000);
	crowd(w, NOW + DAY, 0, 5000);
	size_t seen = 0;
	for (struct made *made = w->made; made && made->job.received_ms == NOW + DAY;
		made = made->next, seen++) {
		assert_false(made->job.is_new || made->job.list_changed);
		assert_int_equal(made->job.match_count, 1);
		assert_string_equal(made->job.matches[0].target->user, made->text);
	}
	assert_int_equal(seen, 10000);
}

static void a_page_of_registrations_costs_a_dozen_round_trips(void **state)
{
	struct world *w = *state;
	count_trips(w);
	crowd(w, NOW, 0, 1000);
	uint64_t before = round_trips;
	const struct registry_query query = {.limit = 1000};
	struct registry_job *job = &add(w, REGISTRY_LIST, NOW)->job;
	job->query = &query;
	run(w);
	assert_true(round_trips - before <= TRIPS_MAX);
	assert_int_equal(job->listing->count, 1000);
	for (size_t i = 0; i < 1000; i++)
		assert_int_equal(job->listing->listed[i].subscription_count, 1);
}

/* The same registration again is no sign of life. */
static void news_behind_a_stopped_registration_that_came_again_finds_nobody(void **state)
{
	struct world *w = *state;
	phone(w, NOW, "alice", TOKEN_A, "one", INBOX_OF("alice"));
	run(w);
	verdict(w, REGISTRY_STOP, TOKEN_A, TOPIC, NOW + 1);
	run(w);
	phone(w, NOW, "alice", TOKEN_A, "one", INBOX_OF("alice"));
	struct registry_job *job = news(w, NOW + 2, "alice", "");
	phone(w, NOW + 3, "bob", TOKEN_B, "two", INBOX_OF("alice"));
	struct registry_job *later = news(w, NOW + 4, "alice", "");
	run(w);
	assert_int_equal(job->match_count, 0);
	assert_int_equal(later->match_count, 1);
}

/* What is suspended when a batch begins is resumed by the registration, not by the news. */
static void news_behind_a_registration_that_resumed_its_user_finds_both_phones(void **state)
{
	struct world *w = *state;
	phone(w, NOW, "alice", TOKEN_A, "one", INBOX_OF("alice"));
	phone(w, NOW, "alice", TOKEN_B, "two", INBOX_OF("alice"));
	run(w);
	at(w, REGISTRY_MAILBOX_DELETE, NOW + 1, "alice", "");
	run(w);
	struct registry_job *renewed =
		phone(w, NOW + 2, "alice", TOKEN_A, "one", INBOX_OF("alice"));
	struct registry_job *job = news(w, NOW + 3, "alice", "");
	run(w);
	assert_int_equal(renewed->effect_count, 2);
	assert_int_equal(job->effect_count, 0);
	assert_int_equal(job->match_count, 2);
}

int conformance_batch(void)
{
	const struct CMUnitTest rules[] = {
		RULE(a_mixed_batch_costs_a_dozen_round_trips),
		RULE(each_of_a_large_batch_gets_its_own_answer),
		RULE(a_page_of_registrations_costs_a_dozen_round_trips),
		RULE(news_behind_a_stopped_registration_that_came_again_finds_nobody),
		RULE(news_behind_a_registration_that_resumed_its_user_finds_both_phones),
		RULE(a_batch_does_what_its_jobs_would_do_one_by_one),
	};
	return cmocka_run_group_tests(rules, NULL, NULL);
}
