/*
 * weather - when what fails: Apple's service, a token, the registry, the disk, the clock, the
 * daemon itself.
 *
 * Nothing here knows what should follow.
 */
#ifndef MAILPUSH_TESTS_SIMULATION_WEATHER_H
#define MAILPUSH_TESTS_SIMULATION_WEATHER_H

#include <stdbool.h>
#include <stdint.h>

/* Of one of Apple's topics. */
enum weather {
	WEATHER_FINE,
	WEATHER_SLOW,	 /* answers take up to the deadline */
	WEATHER_FAILING, /* 5xx */
	WEATHER_LOSING,	 /* connections end without an answer */
	WEATHER_DOWN,	 /* no connection at all */
	WEATHER_SILENT,	 /* pushes are taken in, and never answered */
	WEATHER_STINGY,	 /* few streams, small windows, opened slowly */
	WEATHER_REFUSED, /* the credential is refused */
	WEATHER_MISSING, /* there is no credential */
	WEATHERS
};

/* From now on things go wrong. */
void weather_begin(void);
/* Nothing does any more. */
void weather_clear(void);
bool weather_is_clear(void);

enum weather weather_of(unsigned topic);
/* How long the next batch takes. */
int64_t weather_registry_ms(void);
int64_t weather_disk_ms(void);
/* What becomes of a transaction that is tried now; `is_rare`: one that fails is worth more. */
enum weather_commit {
	WEATHER_COMMITTED,
	WEATHER_NOT_BEGUN,
	WEATHER_NOT_COMMITTED,
	WEATHER_UNANSWERED, /* it is committed, and said to have failed */
};
enum weather_commit weather_registry_commit(bool is_rare);
enum weather_commit weather_disk_commit(void);
/* Does the daemon die right after this commit?  `is_rare`: it is worth more. */
bool weather_dies_now(bool is_rare);

#endif
