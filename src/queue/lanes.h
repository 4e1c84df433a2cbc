/*
 * lanes - who waits, by topic and due time; in each topic what is urgent apart from the rest.
 *
 * Topics are few (those of our credentials and our servers) and stay once seen.  Nodes belong to
 * the caller.  Pure; embedded; one owner.
 */
#ifndef MAILPUSH_QUEUE_LANES_H
#define MAILPUSH_QUEUE_LANES_H

#include "base/heap.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Of ten pushes one is of what is not urgent, while there is any: however much is urgent, the rest
 * is not told without end.  What one of them does not use is the other's.
 */
#define LANES_URGENT_TURNS 9

struct lane {
	char *topic;
	struct heap now;
	struct heap later;
	unsigned urgent_turns; /* since one that was not urgent; no more than matter */
};

struct lanes {
	struct lane **all;
	size_t count;
	size_t first; /* where a walk begins: takes turns, so that no topic takes the whole rate */
};

void lanes_init(struct lanes *lanes);
void lanes_fini(struct lanes *lanes);
/* The lane of `topic`, made if need be; it stays where it is. */
struct lane *lanes_get(struct lanes *lanes, const char *topic);
/* The earliest of `topic` that is due, urgent ones first for their turns; NULL: none. */
struct heap_node *lanes_due(const struct lanes *lanes, const char *topic, int64_t now_ms);
/* It goes: that was a turn of the urgent ones or of the others. */
void lanes_took_turn(struct lanes *lanes, const char *topic, bool is_urgent);
/* Turns in a row of the urgent ones of `topic`; and back to what they were, as one did not go. */
unsigned lanes_turns(const struct lanes *lanes, const char *topic);
void lanes_set_turns(struct lanes *lanes, const char *topic, unsigned turns);
/* How many stand there, due or not. */
size_t lanes_count(const struct lanes *lanes, const char *topic);
/* From now on walks begin with another topic. */
void lanes_begin_turn(struct lanes *lanes);
/* Walks the topics that have something due, `*position` from 0; NULL at the end. */
const char *lanes_next_topic(const struct lanes *lanes, size_t *position, int64_t now_ms);
/* The earliest due time after now_ms (INT64_MAX: none), and whether anything is due already. */
int64_t lanes_wake_ms(const struct lanes *lanes, int64_t now_ms, bool *ret_has_due);

#endif
