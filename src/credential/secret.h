/*
 * secret - the content of a file of secrets: read whole, bounded, and wiped when it is freed.
 *
 * Waits for a disk: called on libuv's pool, or before the loop runs.
 */
#ifndef MAILPUSH_CREDENTIAL_SECRET_H
#define MAILPUSH_CREDENTIAL_SECRET_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

struct secret {
	char *bytes; /* NUL-terminated; NULL: not read */
	size_t size;
	bool is_exposed; /* others than owner and group may read or write the file */
};

/* `what` and `wanted` are for the text of a failure: "key", "give the path of a PEM file". */
int secret_read(const char *what, const char *path, const char *wanted, struct secret *ret,
	struct err *err);
/* Likewise, without the mark that some editors put before text. */
int secret_read_text(const char *what, const char *path, const char *wanted, struct secret *ret,
	struct err *err);
/* The first line of a file, behind which only ends of lines may follow. */
int secret_read_passphrase(const char *path, struct secret *ret, struct err *err);
void secret_fini(struct secret *secret);
#define secret_auto __attribute__((cleanup(secret_fini)))

#endif
