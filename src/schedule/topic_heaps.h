/*
 * topic_heaps - pushes that wait, by topic and due time; urgent ones apart from deferred ones.
 *
 * Topics are few (those of our credentials and our servers) and stay once seen.  Nodes belong to
 * the caller.  Pure; embedded; one owner.
 */
#ifndef MAILPUSH_SCHEDULE_TOPIC_HEAPS_H
#define MAILPUSH_SCHEDULE_TOPIC_HEAPS_H

#include "schedule/heap.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Of ten pushes one is deferred news while any is due: a flood of urgent news does not delay
 * deferred news without end.  Each kind may use the other's unused share.
 */
#define TOPIC_HEAPS_URGENT_TURNS 9

struct topic_heap {
	char *topic;
	struct heap now;
	struct heap later;
	unsigned urgent_turns; /* since one that was not urgent; no more than matter */
};

struct topic_heaps {
	struct topic_heap **all;
	size_t count;
	size_t first; /* where a walk begins: takes turns, so that no topic takes the whole rate */
};

void topic_heaps_init(struct topic_heaps *heaps);
void topic_heaps_fini(struct topic_heaps *heaps);
/* The heap of `topic`, made if need be; it stays where it is. */
struct topic_heap *topic_heaps_get(struct topic_heaps *heaps, const char *topic);
/* The earliest of `topic` that is due; urgent ones go first for their turns.  NULL: none. */
struct heap_node *topic_heaps_due(
	const struct topic_heaps *heaps, const char *topic, int64_t now_ms);
/* It leaves: a turn of the urgent ones, or of the others. */
void topic_heaps_took_turn(struct topic_heaps *heaps, const char *topic, bool is_urgent);
/* Turns in a row of the urgent ones of `topic`; set back when one did not leave. */
unsigned topic_heaps_turns(const struct topic_heaps *heaps, const char *topic);
void topic_heaps_set_turns(struct topic_heaps *heaps, const char *topic, unsigned turns);
/* How many stand there, due or not. */
size_t topic_heaps_count(const struct topic_heaps *heaps, const char *topic);
/* Walks begin with a topic by this number, which is drawn by chance. */
void topic_heaps_begin_at(struct topic_heaps *heaps, uint64_t number);
/* From now on walks begin with another topic. */
void topic_heaps_begin_turn(struct topic_heaps *heaps);
/* Walks the topics that have something due, `*position` from 0; NULL at the end. */
const char *topic_heaps_next_topic(
	const struct topic_heaps *heaps, size_t *position, int64_t now_ms);
/* The earliest due time after now_ms (INT64_MAX: none), and whether anything is due already. */
int64_t topic_heaps_wake_ms(const struct topic_heaps *heaps, int64_t now_ms, bool *ret_has_due);

#endif
