/*
 * trace_search - the entries of one user, found in the trace or erased from it.
 *
 * The thread that writes.
 */
#ifndef MAILPUSH_TRACE_TRACE_SEARCH_H
#define MAILPUSH_TRACE_TRACE_SEARCH_H

#include "trace/trace_job.h"
#include "trace/trace_ring.h"

/* Answers the question. */
int trace_search_find(struct trace_ring *ring, int64_t since_ms, struct trace_question *question,
	struct err *err);
int trace_search_erase(struct trace_ring *ring, struct trace_question *question, struct err *err);

#endif
