/*
 * onfile - a queue's file in a folder of its own, and what a loader is told of it, for tests.
 */
#ifndef MAILPUSH_TESTS_QUEUE_ONFILE_H
#define MAILPUSH_TESTS_QUEUE_ONFILE_H

#include "queue/store.h"

#include <sys/resource.h>

#define ROWS 4096

extern char folder[64];
extern char path[96]; /* of the file */

int setup(void **state);
int teardown(void **state);

/* What a loader was told. */
struct loaded {
	struct loaded_push {
		int64_t row;
		struct push_target *target;
		uint8_t apns_id[QUEUE_APNS_ID_SIZE];
		int64_t due_ms, first_ms, last_push_ms;
		unsigned attempts;
		bool is_doubted;
	} pushes[ROWS];
	size_t push_count;
	struct loaded_news {
		struct registry_key key;
		struct queue_news news;
	} news[ROWS];
	size_t news_count;
	struct loaded_parked {
		uint64_t parked_id;
		int64_t received_ms;
		char raw[64];
		size_t raw_size;
	} parked[ROWS];
	size_t parked_count;
};

extern const struct store_loader loader; /* its ctx: a struct loaded */
void loaded_free(struct loaded *loaded);

/* These end the test when they fail. */
struct store_file *open_file(void);
struct loaded *load(struct store_file *file);
/* Closes the file; what stands in it, seen by one who opens it anew. */
struct loaded *reload(struct store_file *file);

struct registry_key make_key(unsigned phone); /* in order of number */
struct queue_job *make_job(unsigned phone, unsigned parts, uint64_t seq);
/* Of two digits. */
#define HASH_OF(digits)                                                                            \
	digits digits digits digits digits digits digits digits digits digits digits digits digits \
		digits digits digits
void with_news(struct queue_job *job, const char *hash, enum queue_urgency urgency);
/* A batch of one job, which is freed. */
void write_one(struct store_file *file, struct queue_job *job);

/* 2000 pushes with news: more than the limit that makes a disk full takes. */
void fill(struct job_list *batch);
void set_file_limit(rlim_t bytes);

/* Garbage in the place of the file's page, from 1. */
void spoil(int64_t page);
/* Of the table of what happened with phones; no page of it is read before a phone is dropped. */
int64_t phone_page(void);

/* By SQL, while no queue is open. */
int64_t read_number(const char *sql);
void write_sql(const char *sql);

#endif
