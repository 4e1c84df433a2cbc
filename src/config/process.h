/*
 * process - prepares the process: its user, and its standard files.
 */
#ifndef MAILPUSH_CONFIG_PROCESS_H
#define MAILPUSH_CONFIG_PROCESS_H

#include "base/err.h"

/* A process of root becomes `user`; with "", or started by another user, it keeps its user. */
int process_become(const char *user, struct err *err);
/* Opens missing standard files, so that no later file becomes standard error. */
int process_open_standard_files(void);

#endif
