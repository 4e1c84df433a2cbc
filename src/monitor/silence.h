/*
 * silence - does an alarm mean that phones get no pushes, and how much waits for that?
 *
 * Not every alarm does: a topic may have a second credential that works.  Loop thread only.
 */
#ifndef MAILPUSH_MONITOR_SILENCE_H
#define MAILPUSH_MONITOR_SILENCE_H

#include "monitor/services.h"

#include <jansson.h>

/*
 * {"topic": t, "phones": n} of that topic have news, {"phones": n} of all topics, or {"events": n}
 * wait.  null: phones get their pushes.
 */
json_t *silence_json(const struct services *services, const char *alarm);

#endif
