#include "flow/topic_alarm.h"

#include "base/alarm.h"

#include <stdio.h>

void topic_alarm_set(void *ctx, const char *topic, enum topic_trouble trouble, bool begins)
{
	static const struct {
		const char *alarm;
		const char *what; /* of the topic */
		const char *hint;
	} texts[TOPIC_TROUBLES] = {
		[TOPIC_NO_CREDENTIAL] = {.alarm = "credential:",
			.what = "pushes wait: no credential for",
			.hint = "phones registered with it, so add its certificate to "
				"mailpush.conf"},
		[TOPIC_BAD_TOKENS] = {.alarm = "bad-device-token:",
			.what = "Apple calls a device token bad, and none was good yet on",
			.hint = "no phone is forgotten: if all are bad, check apns_host and that "
				"the certificate is for production"},
		[TOPIC_MISMATCH] = {.alarm = "not-for-topic:",
			.what = "Apple says of many phones that their device token is not for",
			.hint = "they are not pushed to any more: check that certificate and "
				"aps_topic are the ones that the phones registered with (each is "
				"pushed to again when it has registered again; `mailpushctl "
				"devices` shows them as stopped)"},
	};
	(void)ctx;
	char name[101];
	snprintf(name, sizeof(name), "%s%.80s", texts[trouble].alarm, topic);
	if (begins)
		alarm_raise(
			name, "%s topic %s; %s", texts[trouble].what, topic, texts[trouble].hint);
	else
		alarm_clear(name);
}
