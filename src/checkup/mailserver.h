/*
 * mailserver - the processes of a running mail server: its masters, their children, and since when.
 */
#ifndef MAILPUSH_CHECKUP_MAILSERVER_H
#define MAILPUSH_CHECKUP_MAILSERVER_H

#include "platform/processes.h"

#include <stdbool.h>
#include <stdint.h>

typedef bool mailserver_is_master_fn(const struct process *process, const void *ctx);

/* Leaves the masters and their children, in their order. */
void mailserver_keep(
	struct processes *processes, mailserver_is_master_fn *is_master, const void *ctx);
/* Was it started with this file, behind `option`?  It need not be named if it is the usual one. */
bool mailserver_goes_by(pid_t pid, const char *option, const char *usual, const char *file);
/* Unix time in ms, at most; `now_ms`: when the processes were listed.  Pure. */
int64_t mailserver_start_ms(const struct process *process, int64_t now_ms);

#endif
