/*
 * weather - decides what fails when: Apple's service, a token, the registry, the disk, the clock,
 * the daemon itself.
 *
 * It does not know the right consequences.
 */
#ifndef MAILPUSH_TESTS_SIMULATION_WEATHER_H
#define MAILPUSH_TESTS_SIMULATION_WEATHER_H

#include <stdbool.h>
#include <stdint.h>

/* Of one topic. */
enum weather {
	WEATHER_FINE,
	WEATHER_SLOW,	 /* answers take up to the deadline */
	WEATHER_FAILING, /* 5xx */
	WEATHER_LOSING,	 /* connections end without an answer */
	WEATHER_DOWN,	 /* no connection at all */
	WEATHER_SILENT,	 /* pushes are read and never answered */
	WEATHER_STINGY,	 /* few streams, small windows, opened slowly */
	WEATHER_REFUSED, /* the credential is refused */
	WEATHER_MISSING, /* there is no credential */
	WEATHERS
};

/* Begins the failures. */
void weather_begin(void);
/* Ends them. */
void weather_clear(void);
bool weather_is_clear(void);

enum weather weather_of(unsigned topic);
/* How long the next batch takes. */
int64_t weather_registry_ms(void);
int64_t weather_disk_ms(void);
/* The outcome of a transaction now; `is_rare`: a failure of it is worth more. */
enum weather_commit {
	WEATHER_COMMITTED,
	WEATHER_NOT_BEGUN,
	WEATHER_NOT_COMMITTED,
	WEATHER_UNANSWERED, /* it is committed, but reported as failed */
	/* Of the registry alone: */
	WEATHER_CONFLICT,  /* another transaction was in the way */
	WEATHER_NO_RIGHTS, /* nothing begins, until somebody mends it */
	WEATHER_BAD_JOB,   /* one job is refused, and the others are committed without it */
	WEATHER_COMMITS
};
enum weather_commit weather_registry_commit(bool is_rare);
enum weather_commit weather_disk_commit(void);
/* Does the daemon die right after this commit?  `is_rare`: a crash here is worth more. */
bool weather_dies_now(bool is_rare);

#endif
