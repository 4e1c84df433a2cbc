/*
 * client - asks mailpushd over its control socket.
 */
#ifndef MAILPUSH_CONSOLE_CLIENT_H
#define MAILPUSH_CONSOLE_CLIENT_H

#include "base/err.h"

#include <jansson.h>
#include <stdbool.h>

/* The exit codes; mailpushctl(8) documents them. */
enum client_exit {
	CLIENT_FINE = 0,
	CLIENT_FAILED = 1, /* the daemon answered with a failure, or not at all */
	CLIENT_USAGE = 2,
	CLIENT_NOT_RUNNING = 3, /* no program serves the socket */
	CLIENT_NOT_ALLOWED = 4,
};

void client_init(const char *socket);
/* Later requests go to `socket`; true: that is another socket than before. */
bool client_use(const char *socket);
void client_fini(void);

/*
 * `body` is handed over; NULL for none.  The answer belongs to the caller.  On failure `err` says
 * what went wrong and what to do.
 */
enum client_exit client_try(
	const char *method, const char *path, json_t *body, json_t **ret, struct err *err);
/* As client_ask, but prints a failure on standard error. */
enum client_exit client_ask(const char *method, const char *path, json_t *body, json_t **ret);
/* Passes on each line of an endless answer, until the daemon stops: CLIENT_NOT_RUNNING. */
enum client_exit client_follow(const char *path, void (*line)(const char *text));
/* `text` escaped for a query; free it. */
char *client_escape(const char *text);

#endif
