/*
 * life - the daemon's life: its own pipeline, started and stopped repeatedly as life.c does, over
 * the same disk.
 *
 * A crash is a stop during which nothing reaches the disk or Cyrus any more, so the content of
 * memory is lost, and freed.
 */
#ifndef MAILPUSH_TESTS_SIMULATION_LIFE_H
#define MAILPUSH_TESTS_SIMULATION_LIFE_H

#include "schedule/schedule.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LIFE_MIN_INTERVAL_MS 2000
#define LIFE_DEFERRED_DELAY_MS 30000
#define LIFE_PUSH_RATE 60
#define LIFE_TTL_MS (10 * CLOCK_DAY_MS)
#define LIFE_GRACE_MS (2 * CLOCK_DAY_MS)
#define LIFE_PER_USER 6
#define LIFE_MAX_WAITING 100

/* Starts it. */
void life_begin(void);
/* Stops it in order, for good. */
void life_end(void);
/* It dies at once, and starts again after a while. */
void life_crash(void);
/* Stops it as SIGTERM does; it is started again. */
void life_stop(void);

/* Does it read its sockets? */
bool life_listens(void);
/* An event; `number`: of the request, 0 for a datagram. */
void life_take(const char *json, size_t size, uint64_t number);
/* Switches aps_topic of imapd.conf to the other one. */
void life_change_topic(void);
void life_count(struct schedule_counts *ret);
unsigned life_crashes(void);
unsigned life_stops(void);

#endif
