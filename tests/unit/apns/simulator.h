/*
 * simulator - apns-sim as a child of a test, with certificates and a folder of its own.
 *
 * Everything here may wait for the child: it is called between the turns of the test's loop.
 */
#ifndef MAILPUSH_TESTS_SIMULATOR_H
#define MAILPUSH_TESTS_SIMULATOR_H

#include <jansson.h>
#include <stdint.h>
#include <sys/types.h>

struct simulator {
	char dir[64];
	char ca[96], certificate[96], key[96], control[96], record[96], ready[96];
	char host[32];
	uint16_t port;
	pid_t pid;
	int control_fd;
};

/* Its certificates are made once; it listens on `host`. */
void simulator_start(struct simulator *simulator, const char *host);
void simulator_stop(struct simulator *simulator);
/* Its folder, with all in it. */
void simulator_remove(struct simulator *simulator);

/* Another client's certificate, in `certificate` and `key`, from the same authority. */
void simulator_add_client(const struct simulator *simulator, const char *name, const char *topic);

/* One request of apns-sim(1); fails the test unless it is ok.  The caller owns the reply. */
json_t *simulator_ask(const struct simulator *simulator, const char *request);
void simulator_do(const struct simulator *simulator, const char *request);
/* A number of its stats; `key` may be in by_status. */
json_int_t simulator_stat(const struct simulator *simulator, const char *key);
/* The last push that it wrote down; the caller owns it.  NULL: none. */
json_t *simulator_last_push(const struct simulator *simulator);

#endif
