#include "intake/notification.h"

#include <string.h>

static bool is_of_class(const struct notification *notification, const char *name)
{
	const struct notification_field *class = &notification->class;
	return class->bytes && class->size == strlen(name) &&
		memcmp(class->bytes, name, class->size) == 0;
}

bool notification_is_event(const struct notification *notification)
{
	return is_of_class(notification, "EVENT");
}

bool notification_is_dovecots(const struct notification *notification)
{
	return is_of_class(notification, "DOVECOT");
}
