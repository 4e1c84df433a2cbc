/*
 * `test_registry_conformance URL` runs against that database (memory:NAME among them); without an
 * argument, against SQLite in a folder of its own.
 */
#include "conformance.h"

#include "base/map.h"
#include "database/database.h"
#include "memory.h"
#include "registry/batch.h"
#include "sqlite/sqlite.h"

#include <unistd.h>

static const struct registry_ops *driver;
static const char *place;

void open_store(struct world *w)
{
	struct err err = {"no text"};
	if (registry_store_open(&w->settings, &w->store, &err) != 0)
		fail_msg("%s", err.text);
}

struct registry_db *open_db(struct world *w, int64_t timeout_ms)
{
	struct registry_settings settings = w->settings;
	struct registry_db *db = NULL;
	struct err err = {"no text"};
	settings.timeout_ms = timeout_ms;
	if (driver->open(place, &settings, &db, &err) != 0)
		fail_msg("%s", err.text);
	return db;
}

int set_up(void **state)
{
	static unsigned number;
	struct world *w = mem_alloc_zero(1, sizeof(*w));
	snprintf(w->site, sizeof(w->site), "site-%lld-%ld-%u", (long long)clock_unix_ms(),
		(long)getpid(), number++);
	w->settings = (struct registry_settings){
		.ops = driver,
		.place = place,
		.site = w->site,
		.registration_ttl_ms = TTL,
		.deleted_user_grace_ms = GRACE,
		.registrations_per_user = PER_USER,
		.timeout_ms = PATIENT_MS,
	};
	w->topic = TOPIC;
	job_list_init(&w->batch);
	open_store(w);
	*state = w;
	return 0;
}

void free_made(struct world *w)
{
	while (w->made) {
		struct made *made = w->made;
		w->made = made->next;
		registry_job_fini(&made->job);
		free(made->boxes);
		push_target_free(made->target);
		free(made);
	}
}

int tear_down(void **state)
{
	struct world *w = *state;
	registry_store_close(w->store);
	free_made(w);
	free(w);
	return 0;
}

struct made *add(struct world *w, enum registry_job_kind kind, int64_t received_ms)
{
	struct made *made = mem_alloc_zero(1, sizeof(*made));
	if (!w->now_is_set && received_ms > w->now_ms)
		w->now_ms = received_ms;
	made->next = w->made;
	w->made = made;
	made->job.kind = kind;
	made->job.received_ms = received_ms;
	made->job.event = &made->event;
	made->job.status = 1;
	job_list_append(&w->batch, &made->job.job);
	return made;
}

void run(struct world *w)
{
	struct err err = {"no text"};
	if (registry_store_run_at(w->store, &w->batch, w->now_ms, &err) != 0)
		fail_msg("%s", err.text);
	for (struct job *job = w->batch.first; job; job = job->next)
		assert_int_equal(MEM_CONTAINER(job, struct registry_job, job)->status, 0);
	job_list_init(&w->batch);
}

void set_clock(struct world *w, int64_t now_ms)
{
	w->now_ms = now_ms;
	w->now_is_set = true;
}

const char *hash_of(const char *name)
{
	static char hash[MAILBOX_HASH_SIZE];
	snprintf(hash, sizeof(hash), "%032llx",
		(unsigned long long)map_hash((const uint8_t[16]){0}, name, strlen(name)));
	return hash;
}

struct registry_job *phone(struct world *w, int64_t received_ms, const char *user,
	const char *token, const char *account_id, const struct registry_subscription *boxes)
{
	struct made *made = add(w, REGISTRY_REGISTER, received_ms);
	made->event.registration = (struct event_registration){
		.user = user,
		.token = token,
		.account_id = account_id,
		.subtopic = "com.apple.mobilemail",
		.aps_version = 2,
	};
	size_t count = 0;
	while (boxes[count].name)
		count++;
	made->boxes = mem_alloc_zero(count, sizeof(*made->boxes));
	for (size_t i = 0; i < count; i++) {
		made->boxes[i] = boxes[i];
		strcpy(made->boxes[i].hash, hash_of(boxes[i].name));
	}
	made->job.subscriptions = made->boxes;
	made->job.subscription_count = count;
	made->job.topic = w->topic;
	made->job.confirmed = true;
	return &made->job;
}

struct registry_job *at(struct world *w, enum registry_job_kind kind, int64_t received_ms,
	const char *owner, const char *folder)
{
	struct made *made = add(w, kind, received_ms);
	made->event.at[0] = (struct mailbox){.owner = owner, .folder = folder};
	made->event.readings = 1;
	return &made->job;
}

struct registry_job *news(
	struct world *w, int64_t received_ms, const char *owner, const char *folder)
{
	return at(w, REGISTRY_NEWS, received_ms, owner, folder);
}

struct registry_job *moved(struct world *w, int64_t received_ms, const char *owner,
	const char *folder, const char *new_owner, const char *new_folder)
{
	struct made *made = add(w, REGISTRY_MAILBOX_RENAME, received_ms);
	made->event.from[0] = (struct mailbox){.owner = owner, .folder = folder};
	made->event.from_readings = 1;
	made->event.at[0] = (struct mailbox){.owner = new_owner, .folder = new_folder};
	made->event.readings = 1;
	made->job.separator = '/';
	return &made->job;
}

struct registry_job *verdict(struct world *w, enum registry_job_kind kind, const char *token,
	const char *topic, int64_t before_ms)
{
	struct made *made = add(w, kind, NOW);
	made->job.token = token;
	made->job.topic = topic;
	made->job.before_ms = before_ms;
	made->job.reason = kind == REGISTRY_STOP ? "DeviceTokenNotForTopic" : NULL;
	return &made->job;
}

struct registry_job *verdict_on(struct world *w, enum registry_job_kind kind, const char *user,
	const char *token, const char *account_id, int64_t before_ms)
{
	struct registry_key key =
		registry_key_make(w->site, user, token, account_id, "com.apple.mobilemail");
	struct made *made =
		MEM_CONTAINER(verdict(w, kind, token, w->topic, before_ms), struct made, job);
	made->target = push_target_new(&key, user, token, account_id, w->topic, 2, true, true, NOW);
	made->job.target = made->target;
	return &made->job;
}

struct registry_job *tidy(struct world *w, int64_t received_ms)
{
	struct registry_job *job = &add(w, REGISTRY_TIDY, received_ms)->job;
	job->is_asked = true;
	return job;
}

void crowd(struct world *w, int64_t received_ms, unsigned first, unsigned count)
{
	for (unsigned i = first; i < first + count; i++) {
		struct made *made = MEM_CONTAINER(
			phone(w, received_ms, "", TOKEN_A, "crowd", NO_BOXES), struct made, job);
		snprintf(made->text, sizeof(made->text), "user%04u", i);
		made->event.registration.user = made->text;
		made->boxes = mem_realloc_array(made->boxes, 1, sizeof(*made->boxes));
		made->boxes[0] = (struct registry_subscription){
			.name = "INBOX", .owner = made->text, .folder = ""};
		strcpy(made->boxes[0].hash, hash_of("INBOX"));
		made->job.subscriptions = made->boxes;
		made->job.subscription_count = 1;
	}
	run(w);
}

const struct registry_match *match_of(const struct registry_job *job, const char *account_id)
{
	for (size_t i = 0; i < job->match_count; i++) {
		if (strcmp(job->matches[i].target->account_id, account_id) == 0)
			return &job->matches[i];
	}
	return NULL;
}

bool is_told(struct world *w, int64_t now_ms, const char *owner, const char *folder,
	const char *account_id)
{
	struct registry_job *job = news(w, now_ms, owner, folder);
	run(w);
	return match_of(job, account_id) != NULL;
}

bool is_gone(const struct world *w, const struct registry_job *job, const char *user,
	const char *token, const char *account_id)
{
	struct registry_key key =
		registry_key_make(w->site, user, token, account_id, "com.apple.mobilemail");
	for (size_t i = 0; i < job->gone_count; i++) {
		if (memcmp(&job->gone[i], &key, sizeof(key)) == 0)
			return true;
	}
	return false;
}

bool has_hash(const struct registry_match *match, const char *name)
{
	for (unsigned i = 0; i < match->hash_count; i++) {
		if (strcmp(match->hashes[i], hash_of(name)) == 0)
			return true;
	}
	return false;
}

static int run_all(void)
{
	return conformance_batch() + conformance_news() + conformance_user() +
		conformance_mailbox() + conformance_tidy() + conformance_nodes() +
		conformance_clock() + conformance_listing() + conformance_tombstones() +
		conformance_import() + conformance_malformed() + conformance_trouble();
}

int main(int argc, char **argv)
{
	if (argc > 1) {
		bool is_memory = strncmp(argv[1], "memory:", 7) == 0;
		place = argv[1] + 7;
		driver = is_memory ? &memory_ops : database_driver(argv[1], &place);
		if (!driver) {
			fprintf(stderr, "%s: no such kind of database\n", argv[1]);
			return 1;
		}
		int failed = run_all();
		memory_forget();
		return failed;
	}
	char folder[] = "/tmp/mailpush-registry-XXXXXX";
	if (!mkdtemp(folder))
		return 1;
	mem_auto char *own = mem_printf("%s/registry.sqlite", folder);
	driver = &sqlite_ops;
	place = own;
	int failed = run_all();
	unlink(own);
	rmdir(folder);
	return failed;
}
