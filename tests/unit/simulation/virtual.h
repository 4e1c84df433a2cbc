/*
 * virtual - time that passes only when nothing is left to do, and the parts of libuv that depend on
 * it.
 *
 * Stands in for clock.h and for the timers, checks, prepares, idlers, closing and pool of libuv
 * that the daemon's loop thread uses, so that its own code runs here unchanged.  Monotonic time
 * never goes back; Unix time may jump.  A turn is one thing that happens, then the checks, the
 * prepares and the turn functions (in which the stand-ins for threads do what their ends of turn
 * do).
 */
#ifndef MAILPUSH_TESTS_SIMULATION_VIRTUAL_H
#define MAILPUSH_TESTS_SIMULATION_VIRTUAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef void virtual_fn(void *ctx, uint64_t number);
typedef void virtual_turn_fn(void);

void virtual_start(int64_t now_ms, int64_t unix_ms);
/* Cancels all future events and timers. */
void virtual_end(void);
/* At the end of each turn, in order of these calls. */
void virtual_add_turn(virtual_turn_fn *fn);

int64_t virtual_now_ms(void);
void virtual_jump(int64_t by_ms);
/* How often Unix time has jumped. */
unsigned virtual_jumps(void);

void virtual_in(int64_t delay_ms, virtual_fn *fn, void *ctx, uint64_t number);
/* Causes another turn, even if nothing else happens. */
void virtual_wake(void);
/* One turn, if something is due until then; else time is `until_ms`, and false. */
bool virtual_turn(int64_t until_ms);
/* Runs only the end of a turn; returns whether another turn should follow at once. */
void virtual_prepare(void);
bool virtual_is_busy(void);
/* The duration of a piece of work in the pool. */
void virtual_work_takes(int64_t (*takes_ms)(void));
/* The process ends: each piece of work in progress is either done or not. */
void virtual_end_works(bool is_done);
/* Handles that are closing are closed, as the last run of a loop does. */
void virtual_close(void);

#endif
