/*
 * findings - what an examination found: each with a level, why, and the remedy.
 *
 * Pure.  Texts are copied.
 */
#ifndef MAILPUSH_CTL_FINDINGS_H
#define MAILPUSH_CTL_FINDINGS_H

#include <stdbool.h>
#include <stddef.h>

enum findings_level { FINDINGS_OK, FINDINGS_WARN, FINDINGS_FAIL };

struct finding {
	enum findings_level level;
	const char *check; /* static */
	char *why;
	char *line; /* to put into `file`, in place of what stands there of that key; NULL: none */
	char *file;
	char *run; /* a command, after that; NULL: none */
};

struct findings {
	struct finding *list;
	size_t count;
};

void findings_add(struct findings *findings, enum findings_level level, const char *check,
	const char *format, ...) __attribute__((format(printf, 4, 5)));
/* The remedy of the last one: a line for a file, a command. */
void findings_put(struct findings *findings, const char *file, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void findings_run(struct findings *findings, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* As it is written in JSON and shown: "ok", "warn", "fail". */
const char *findings_level_name(enum findings_level level);
bool findings_has_failed(const struct findings *findings);
void findings_fini(struct findings *findings);

#endif
