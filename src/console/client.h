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
	CLIENT_FAILED = 1, /* it was asked, and could not or would not */
	CLIENT_USAGE = 2,
	CLIENT_NOT_RUNNING = 3, /* nobody serves the socket */
	CLIENT_NOT_ALLOWED = 4,
};

void client_init(const char *socket);
/* From now on that socket is asked; returns whether that is another one. */
bool client_use(const char *socket);
void client_fini(void);

/*
 * `body` NULL: none; else handed over.  The answer is the caller's; `err` is what went wrong
 * otherwise, with what to do about it.
 */
enum client_exit client_try(
	const char *method, const char *path, json_t *body, json_t **ret, struct err *err);
/* The same; prints what went wrong on standard error. */
enum client_exit client_ask(const char *method, const char *path, json_t *body, json_t **ret);
/* Gives each line of an answer that goes on; ends when the daemon does. */
enum client_exit client_follow(const char *path, void (*line)(const char *text));
/* For a query; free it. */
char *client_escape(const char *text);

#endif
