/*
 * exposition - the metrics in the text format of Prometheus.
 */
#ifndef MAILPUSH_DAEMON_EXPOSITION_H
#define MAILPUSH_DAEMON_EXPOSITION_H

#include "base/buf.h"
#include "daemon/core.h"
#include "daemon/tally.h"

#define EXPOSITION_TYPE "text/plain; version=0.0.4; charset=utf-8"

void exposition_write(struct core *core, const struct tally_totals *totals, struct buf *ret);

#endif
