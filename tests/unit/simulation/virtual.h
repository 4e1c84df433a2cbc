/*
 * virtual - time that passes only when nothing is left to do, and what libuv would do on it.
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
/* What is still to happen will not; no timer runs any more. */
void virtual_end(void);
/* At the end of each turn, in order of these calls. */
void virtual_add_turn(virtual_turn_fn *fn);

int64_t virtual_now_ms(void);
void virtual_jump(int64_t by_ms);
/* How often Unix time has jumped. */
unsigned virtual_jumps(void);

void virtual_in(int64_t delay_ms, virtual_fn *fn, void *ctx, uint64_t number);
/* A turn follows, also when nothing else happens. */
void virtual_wake(void);
/* One turn, if something is due until then; else time is `until_ms`, and false. */
bool virtual_turn(int64_t until_ms);
/* What a turn does last, by itself; and whether somebody wants another turn at once. */
void virtual_prepare(void);
bool virtual_is_busy(void);
/* How long a piece of work of the pool's takes. */
void virtual_work_takes(int64_t (*takes_ms)(void));
/* The process ends: each piece of work that is under way is done, or never was. */
void virtual_end_works(bool is_done);
/* Handles that are closing are closed, as the last run of a loop does. */
void virtual_close(void);

#endif
