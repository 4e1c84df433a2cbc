/*
 * status - all that the daemon knows about itself, as JSON (docs/operations.md lists the fields).
 */
#ifndef MAILPUSH_MONITOR_STATUS_H
#define MAILPUSH_MONITOR_STATUS_H

#include "monitor/db_totals.h"
#include "monitor/services.h"

#include <jansson.h>

json_t *status_of(const struct services *services, const struct db_totals_values *totals);
/* The configured credentials alone. */
json_t *status_credentials(const struct services *services);
/* The alarms because of which events are not stored safely; NULL: none. */
json_t *status_unready(void);

#endif
