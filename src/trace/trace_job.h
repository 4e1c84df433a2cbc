/*
 * trace_job - what the trace's thread does, and the questions that people ask it.
 */
#ifndef MAILPUSH_TRACE_TRACE_JOB_H
#define MAILPUSH_TRACE_TRACE_JOB_H

#include "base/buf.h"
#include "base/err.h"
#include "loop/worker.h"
#include "registry/push_target.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TRACE_FOUND_MAX 8388608 /* bytes of what one question finds; the oldest go first */

/* What its thread does. */
struct trace_job {
	struct job job;
	enum { TRACE_WRITE, TRACE_FIND, TRACE_ERASE, TRACE_EXPIRE } kind;
	bool is_done;
};

/* A question. */
struct trace_question {
	struct trace_job job;
	void (*done)(struct trace_question *question);
	const char *user;		 /* borrowed, as are the keys */
	const struct registry_key *keys; /* entries of these as well, and of those that it finds */
	size_t key_count;
	int64_t since_ms; /* Unix */
	int64_t after;	  /* `end` of an earlier one: only what came since; 0: all */

	/* The answer: 0 or why not, with `err`; -ECANCELED: it stops. */
	int status;
	struct err err;
	struct buf found; /* entries one after another, the oldest first */
	bool is_cut;	  /* the oldest are not there, as they are too many */
	uint64_t erased;  /* entries, instead of found ones */
	int64_t end;
	uint64_t damaged; /* slots that could not be read */
};

void trace_question_fini(struct trace_question *question);

#endif
