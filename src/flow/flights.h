/*
 * flights - pushes from the queue to the sender, each with what is needed until its verdict.
 *
 * Loop thread only.
 */
#ifndef MAILPUSH_FLOW_FLIGHTS_H
#define MAILPUSH_FLOW_FLIGHTS_H

#include "apns/sender.h"
#include "apns/verdict.h"
#include "queue/queue.h"
#include "registry/registry_job.h"
#include "stats/metrics.h"

#include <stdbool.h>

#define FLIGHTS_SMALL_PAYLOAD 256

struct flight {
	struct delivery *delivery;
	struct sender_push push;
	const struct push *scheduled;
	struct registry_key key;
	struct registry_job job; /* FORGET, STOP */
	int status;		 /* what Apple said, kept while the registry works */
	char reason[VERDICT_REASON_MAX];
	char *large_payload;
	char small_payload[FLIGHTS_SMALL_PAYLOAD];
	struct flight *next_free; /* of flights */
};

struct flights;

/* All of it outlives the flights. */
struct flights_needs {
	struct delivery *delivery; /* of each flight */
	struct sender *sender;
	struct queue *queue;
	struct metrics *metrics;
};

struct flights *flights_new(const struct flights_needs *needs);
/* None is under way. */
void flights_free(struct flights *flights);

/* Gives a push of queue_next to the sender, its ctx the flight.  False: there is no room, and the
   push is in the queue again. */
bool flights_launch(struct flights *flights, const struct push *scheduled);
/* After the verdict. */
void flights_return(struct flights *flights, struct flight *flight);

#endif
