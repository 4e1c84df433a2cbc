#include "daemon/systemd_status.h"

#include "base/alarm.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct alarms {
	unsigned count;
	char names[256];
};

static void add_alarm(void *ctx, const char *name, const char *text, int64_t since_unix_ms)
{
	struct alarms *alarms = ctx;
	(void)text;
	(void)since_unix_ms;
	size_t used = strlen(alarms->names);
	snprintf(alarms->names + used, sizeof(alarms->names) - used, "%s%s",
		alarms->count ? ", " : ": ", name);
	alarms->count++;
}

void systemd_status_print(const struct queue *queue, char *text, size_t size)
{
	struct alarms alarms = {0};
	alarm_each(add_alarm, &alarms);
	uint64_t phones = queue_pending(queue);
	snprintf(text, size, "%" PRIu64 " phone%s, %u alarm%s%s", phones,
		phones == 1 ? " waits" : "s wait", alarms.count, alarms.count == 1 ? "" : "s",
		alarms.names);
}
