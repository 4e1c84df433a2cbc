/*
 * report - findings: each with a level, the reason and a remedy.
 *
 * Pure.  Texts are copied.
 */
#ifndef MAILPUSH_CHECKUP_REPORT_H
#define MAILPUSH_CHECKUP_REPORT_H

#include <stdbool.h>
#include <stddef.h>

enum report_level { REPORT_OK, REPORT_WARN, REPORT_FAIL };

struct finding {
	enum report_level level;
	const char *check; /* static */
	char *why;
	char *line; /* replaces the lines of that key in `file`; NULL: none */
	char *file;
	char *run; /* a command, after that; NULL: none */
};

struct report {
	struct finding *list;
	size_t count;
};

void report_add(struct report *findings, enum report_level level, const char *check,
	const char *format, ...) __attribute__((format(printf, 4, 5)));
/* The remedy of the last one: a line for a file, a command. */
void report_put(struct report *findings, const char *file, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void report_run(struct report *findings, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* As it is written in JSON and shown: "ok", "warn", "fail". */
const char *report_level_name(enum report_level level);
bool report_has_failed(const struct report *findings);
void report_fini(struct report *findings);

#endif
