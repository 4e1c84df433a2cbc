/*
 * trace_words - an entry of the trace in words, for people who ask why a phone stayed silent.
 *
 * Pure.
 */
#ifndef MAILPUSH_TRACE_TRACE_WORDS_H
#define MAILPUSH_TRACE_TRACE_WORDS_H

#include "trace/trace_entry.h"

/* What happened; the caller frees it.  Names from outside are in it as they are. */
char *trace_words_text(const struct trace_entry *entry);
/* What that means, and what to do about it; the caller frees it.  NULL: it says all by itself. */
char *trace_words_meaning(const struct trace_entry *entry);

/* For JSON: "event", "registration", ... */
const char *trace_words_kind(enum trace_kind kind);
/* What an entry's `what` is called; "" for kinds that have none. */
const char *trace_words_what(const struct trace_entry *entry);

#endif
