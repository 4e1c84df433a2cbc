/*
 * process - what the process is before it is a daemon: whose, and with which files open.
 */
#ifndef MAILPUSH_CONFIG_PROCESS_H
#define MAILPUSH_CONFIG_PROCESS_H

#include "base/err.h"

/* Started by root, it becomes `user`; "" or another's start: it stays who it is. */
int process_become(const char *user, struct err *err);
/* Whatever we open must not become standard error: missing ones are opened first. */
int process_open_standard_files(void);

#endif
