/*
 * prometheus - the metrics in the text format of Prometheus.
 */
#ifndef MAILPUSH_MONITOR_PROMETHEUS_H
#define MAILPUSH_MONITOR_PROMETHEUS_H

#include "base/buf.h"
#include "monitor/db_totals.h"
#include "monitor/services.h"

#define PROMETHEUS_TYPE "text/plain; version=0.0.4; charset=utf-8"

void prometheus_write(
	const struct services *services, const struct db_totals_values *totals, struct buf *ret);

#endif
