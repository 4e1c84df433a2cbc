/*
 * top - the daemon's state, shown again every two seconds until interrupted.
 *
 * A terminal is redrawn, and lines are cut to its size; else each state follows the one before.
 */
#ifndef MAILPUSH_CTL_TOP_H
#define MAILPUSH_CTL_TOP_H

#include "console/client.h"

/* `times` 0: without end. */
enum client_exit top_run(long times);

#endif
