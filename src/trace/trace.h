/*
 * trace - what happened with each user's phones in the last days.
 *
 * The loop thread writes entries into a block in memory; a thread of the trace's own adds blocks to
 * the file (trace_ring.h), when one is full or after a second.  Nothing ever waits for it: when
 * TRACE_BLOCKS_MAX blocks wait already, or the file takes none, entries are dropped and counted,
 * and the trace has a line about that.  trace_share.h bounds what one user may fill.
 *
 * NULL is a trace that is off: nothing is kept of anybody.  Loop thread only.
 */
#ifndef MAILPUSH_TRACE_TRACE_H
#define MAILPUSH_TRACE_TRACE_H

#include "base/err.h"
#include "trace/trace_entry.h"
#include "trace/trace_job.h"
#include "trace/trace_share.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#define TRACE_BLOCKS_MAX 512 /* 8 MiB */
#define TRACE_WRITE_MS 1000  /* an entry waits for others so long at most */
#define TRACE_END_MS 2000    /* for a disk at the end */

struct trace;

struct trace_settings {
	const char *path;
	uint64_t size;	 /* bytes of the file */
	int64_t keep_ms; /* older entries go */
};

/* Opens nothing: its thread does.  Fails if there is no thread. */
int trace_new(uv_loop_t *loop, const struct trace_settings *settings, struct trace **ret,
	struct err *err);
/* Writes what waits, and how many entries were dropped that no line tells of yet.  False: the disk
 * does not answer, and nothing is freed. */
bool trace_free(struct trace *trace);

/* Has this user a phone, as far as is known?  Others leave no entries but by a registration. */
bool trace_knows(const struct trace *trace, const char *user);
/* Borrowed; its at_ms and left_out do not count.  Without a user the registration has a share. */
void trace_put(struct trace *trace, const struct trace_entry *entry, enum trace_weight weight);

/* It must live until its `done`; its owner calls trace_question_fini. */
void trace_ask(struct trace *trace, struct trace_question *question);
/* The same, but all entries about this user and these registrations are erased. */
void trace_forget(struct trace *trace, struct trace_question *question);

struct trace_counts {
	uint64_t entries;  /* written, or about to be */
	uint64_t left_out; /* of users who used up their share */
	uint64_t dropped;  /* the disk did not take them, or not soon enough */
	uint64_t bytes;	   /* of the file in use, as of the last block */
};

void trace_count(const struct trace *trace, struct trace_counts *ret);
/* How many entries of the user were left out since his last. */
uint32_t trace_left_out(const struct trace *trace, const char *user);
/* Why it cannot be written; NULL: it can. */
const char *trace_trouble(const struct trace *trace);

#endif
