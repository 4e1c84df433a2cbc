/*
 * prometheus - the metrics in the text format of Prometheus.
 */
#ifndef MAILPUSH_ADMIN_PROMETHEUS_H
#define MAILPUSH_ADMIN_PROMETHEUS_H

#include "admin/db_totals.h"
#include "admin/services.h"
#include "base/buf.h"

#define PROMETHEUS_TYPE "text/plain; version=0.0.4; charset=utf-8"

void prometheus_write(
	const struct services *services, const struct db_totals_totals *totals, struct buf *ret);

#endif
