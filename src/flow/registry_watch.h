/*
 * registry_watch - the alarm `registry`: the registry fails, or its thread does not answer.
 *
 * A database that fails says so (registry.h).  A dead file system, or a library that hangs, holds
 * the thread in the middle of a batch, and nothing says so: hence a look each second whether the
 * thread, while it owes an answer, still does anything.  Loop thread only.
 */
#ifndef MAILPUSH_FLOW_REGISTRY_WATCH_H
#define MAILPUSH_FLOW_REGISTRY_WATCH_H

#include <stdint.h>
#include <uv.h>

struct registry;
struct registry_watch;

/* `timeout_ms`: how long the registry waits for an answer of its database (registry_timeout). */
struct registry_watch *registry_watch_new(
	uv_loop_t *loop, struct registry *registry, int64_t timeout_ms);
/* Before the registry goes; NULL: there is none. */
void registry_watch_free(struct registry_watch *watch);
/* As registry_trouble_fn.  `watch` may be NULL: the registry comes or goes. */
void registry_watch_trouble(struct registry_watch *watch, const char *text);

#endif
