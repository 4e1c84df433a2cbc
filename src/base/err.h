/*
 * err - the text of a failure, for a person.
 *
 * A function that can fail returns 0 or a negative errno and, as its last argument, takes the
 * struct err that it fills.  It does not log: the caller that decides what the failure means logs
 * it once. A good text says what was being done, to what, what went wrong and what to do about it.
 *
 * Any thread; the struct belongs to the caller, usually on its stack.
 */
#ifndef MAILPUSH_BASE_ERR_H
#define MAILPUSH_BASE_ERR_H

#include <stdbool.h>

#define ERR_TEXT_MAX 512

/* What to do about a disk that is read-only, perhaps for the daemon alone. */
#define ERR_READ_ONLY_REMEDY                                                               \
	"make its disk writable, or let the unit write there: ReadWritePaths=, see Under " \
	"systemd in mailpushd(8)"

struct err {
	char text[ERR_TEXT_MAX]; /* NUL-terminated; cut, never overflowing */
};

/* Sets the text and returns `code` (a negative errno), so that `return err_set(...)` reads well. */
int err_set(struct err *err, int code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * Is it a fault of the disk or its permissions, which can pass without a change of the settings?
 * Full, read-only, not permitted, an I/O error.
 */
bool err_is_of_disk(int code);

/* Puts "prefix: " before err's text; returns `code`. */
int err_prefix(struct err *err, int code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif
