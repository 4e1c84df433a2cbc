/*
 * trace_json - an entry of the trace as a JSON object, for mailpushctl and whoever reads along.
 *
 * Pure.
 */
#ifndef MAILPUSH_MONITOR_TRACE_JSON_H
#define MAILPUSH_MONITOR_TRACE_JSON_H

#include "trace/trace_entry.h"

#include <jansson.h>

/* `token`: of its registration, shortened; NULL where it is not known. */
json_t *trace_json_of(const struct trace_entry *entry, const char *token);

#endif
