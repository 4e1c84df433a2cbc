/*
 * program - runs another program and reads what it prints, within bounds of size and time.
 *
 * It runs without input, with PATH as its only variable, and cannot write files unless that is
 * asked for.  When its time is over, it and its children are killed.
 */
#ifndef MAILPUSH_CHECKUP_PROGRAM_H
#define MAILPUSH_CHECKUP_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

struct program {
	int fd;			/* of confine_open */
	char *const *arguments; /* its name first, NULL last */
	int time_ms;
	bool is_doubted;   /* without privileges: as nobody, if the caller is root */
	bool has_errors;   /* its standard error is read too */
	bool writes_files; /* it may: Dovecot 2.4's programs need a temporary one */
};

/* Root or the caller owns it, and nobody else may write to it. */
bool program_is_trusted(const struct stat *status);
bool program_may_others_write(const struct stat *status);

/*
 * Waits.  `ret` gets the text that it prints, cut at size - 1 bytes.  Its exit status; -1 and
 * errno: it could not be run; PROGRAM_KILLED: it did not end by itself, within its time.
 */
#define PROGRAM_KILLED 256
int program_run(const struct program *program, char *ret, size_t size);

#endif
