/*
 * log - what administrators read at night.
 *
 * A line is a level, a module, a text and fields: `2026-11-22T08:09:25.234Z info intake: text
 * key=value key="two words"`; in the journal the fields become MAILPUSH_KEY=value as well, as far
 * as whole ones fit.  Logging never waits: lines go to a ring in memory, a thread of log's own
 * writes them, and while the target is stuck (a full pipe, a stalled disk) lines are dropped and
 * counted, and the count is logged when the target takes lines again.  A quarter of the ring is for
 * errors and alarms alone: no lesser line takes their place.
 *
 * Device tokens and account ids appear masked (log_masked); keys, JWTs and message data never. Text
 * from outside is escaped, so that it can neither forge a line nor steer a terminal (utf8_steers):
 * each byte as \xNN, and each byte that is not UTF-8.
 *
 * Any thread.  Stages do not log failures: they return them; `daemon` logs.
 */
#ifndef MAILPUSH_BASE_LOG_H
#define MAILPUSH_BASE_LOG_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum log_level {
	LOG_LEVEL_ERROR, /* something is broken and needs a person */
	LOG_LEVEL_WARN,	 /* something is odd, or lost */
	LOG_LEVEL_INFO,	 /* changes of the service's state, a few a day */
	LOG_LEVEL_DEBUG, /* every event and every push */
};

enum log_target {
	LOG_TARGET_AUTO, /* the journal if stderr ends in it (systemd.exec(5)), else stderr */
	LOG_TARGET_STDERR,
	LOG_TARGET_JOURNAL, /* the journal's native socket, structured */
	LOG_TARGET_SYSLOG,  /* syslog(3), facility mail */
};

struct log_field {
	const char *name; /* [a-z_]+; NULL: no field */
	const char *text; /* NULL: the number counts */
	int64_t number;
	unsigned shown; /* characters shown of text; 0: all */
};

static inline struct log_field log_text(const char *name, const char *text)
{
	return (struct log_field){name, text ? text : "", 0, 0};
}

static inline struct log_field log_number(const char *name, int64_t number)
{
	return (struct log_field){name, NULL, number, 0};
}

static inline struct log_field log_masked(const char *name, const char *text)
{
	return (struct log_field){name, text ? text : "", 0, 8};
}

/*
 * Before log_start, and after log_stop, lines go to stderr directly.  With LOG_TARGET_AUTO a
 * journal that cannot be reached is not a failure: it reads stderr.
 */
int log_start(enum log_target target, enum log_level level, struct err *err);
/* Writes waiting lines, for at most a second, and ends the thread. */
void log_stop(void);

void log_set_level(enum log_level level);
const char *log_level_name(void);
int log_is_on(enum log_level level);
/* "error", "warn", "info", "debug"; returns -1 for anything else. */
int log_level_parse(const char *name);
/* Lines dropped so far because the target was stuck. */
uint64_t log_dropped(void);

void log_write(enum log_level level, const char *module, const char *text,
	const struct log_field *fields, unsigned count);

/*
 * For lines that others can cause as often as they like: may a line of `kind` (a literal that says
 * what happened), caused by `who` (may be ""), be written as one of the first `lines` of a minute?
 * Otherwise it is counted, and the count is logged after the minute and at the stop (ratelimit.h).
 * Level debug writes all.
 */
bool log_may(enum log_level level, const char *kind, const char *who, unsigned lines);

/* log_event, if log_may allows it as the only line of a minute. */
#define log_seldom(level, module, kind, who, text, ...)                      \
	do {                                                                 \
		if (log_may((level), (kind), (who), 1))                      \
			log_event((level), (module), (text), ##__VA_ARGS__); \
	} while (0)

/* log_event(LOG_LEVEL_INFO, "intake", "listening", log_text("socket", path)); */
#define log_event(level, module, text, ...)                                                \
	do {                                                                               \
		if (log_is_on(level)) {                                                    \
			const struct log_field log_fields_[] = {{0}, ##__VA_ARGS__};       \
			log_write((level), (module), (text), log_fields_,                  \
				(unsigned)(sizeof(log_fields_) / sizeof(log_fields_[0]))); \
		}                                                                          \
	} while (0)

#endif
