/*
 * world - a schedule, its clock and the rows that its jobs leave behind, for tests.
 *
 * The rows are kept by the plainest reading of store.h, so that a test can let the daemon die at
 * any moment and load again what would stand on disk.
 */
#ifndef MAILPUSH_TESTS_QUEUE_WORLD_H
#define MAILPUSH_TESTS_QUEUE_WORLD_H

#include "schedule/schedule.h"

#define WORLD_ROWS 4096
#define TOPIC "com.apple.mail.XServer.one"
#define OTHER_TOPIC "com.apple.mail.XServer.two"
#define UNIX_MS INT64_C(1700000000000)

struct world_push {
	int64_t row;
	struct push_target *target;
	uint8_t apns_id[QUEUE_APNS_ID_SIZE];
	int64_t due_ms, first_ms, last_push_ms;
	unsigned attempts;
	bool is_doubted;
};

struct world_news {
	struct registry_key key;
	struct queue_news news;
};

struct world {
	struct schedule_settings settings;
	struct schedule *schedule;
	uint32_t starts;
	struct schedule_time time;
	uint64_t seq; /* of the last job */
	struct world_push pushes[WORLD_ROWS];
	size_t push_count;
	struct world_news news[WORLD_ROWS];
	size_t news_count;
	unsigned last_parts;   /* of the last job, 0: there was none */
	struct queue_job last; /* its plain values; what it owned is gone */
};

struct world *world_new(const struct schedule_settings *settings);
void world_free(struct world *world);
void world_pass(struct world *world, int64_t ms);

struct registry_key world_key(unsigned phone);
struct push_target *world_target(unsigned phone, const char *topic);
void world_hash(unsigned mailbox, char ret[MAILBOX_HASH_SIZE]);

/* Writes the job to the rows and frees it; NULL is fine. */
void world_write(struct world *world, struct queue_job *job);
/* All jobs so far are on disk. */
void world_stored(struct world *world);
/* The daemon dies and starts again: only the rows remain.  Each start has chances of its own. */
void world_restart(struct world *world, int64_t down_ms);

/* As the functions of schedule, with the job written. */
void world_add(struct world *world, unsigned phone, unsigned mailbox, enum queue_urgency urgency);
const struct push *world_next(struct world *world);
void world_told(struct world *world, unsigned phone);
void world_retry(struct world *world, unsigned phone, int64_t delay_ms);
void world_renew(struct world *world, unsigned phone, const unsigned *mailboxes, unsigned count);
void world_drop(struct world *world, unsigned phone);
void world_stop(struct world *world, unsigned phone);

struct world_push *world_row(struct world *world, unsigned phone);
size_t world_news_of(const struct world *world, unsigned phone);
/* The phone that a push is for. */
unsigned world_phone(const struct push *push);
/* Does the push carry that mailbox? */
int world_carries(const struct push *push, unsigned mailbox);

#endif
