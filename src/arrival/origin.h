/*
 * origin - from which mail server an event is, and what must be known beside its JSON to read it
 * again: that is written with it when it is parked.
 *
 * Pure; any thread.
 */
#ifndef MAILPUSH_ARRIVAL_ORIGIN_H
#define MAILPUSH_ARRIVAL_ORIGIN_H

#include "base/buf.h"
#include "event/dovecot_event.h"
#include "event/event.h"

#include <stdbool.h>
#include <stddef.h>

struct origin {
	enum event_source source;
	struct dovecot_sender dovecot; /* borrowed */
};

#define ORIGIN_LINE_MAX 1024 /* bytes */

/*
 * The event as it is parked: the JSON; Dovecot's behind a line of mailpush, which no JSON begins
 * with. That for xapsd says itself what it is. False: that line would be too long.
 */
bool origin_write(const struct origin *origin, const char *json, size_t size, struct buf *ret);
/*
 * What was written; the JSON is borrowed from it, the texts of *ret from `memory`.  Whatever has no
 * whole line of mailpush is Cyrus'.
 */
void origin_read(const char *raw, size_t raw_size, char memory[ORIGIN_LINE_MAX], struct origin *ret,
	const char **ret_json, size_t *ret_size);

#endif
