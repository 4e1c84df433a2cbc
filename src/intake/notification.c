#include "intake/notification.h"

#include <string.h>

bool notification_is_event(const struct notification *notification)
{
	static const char event[] = "EVENT";
	const struct notification_field *class = &notification->class;
	return class->bytes && class->size == sizeof(event) - 1 &&
		memcmp(class->bytes, event, class->size) == 0;
}
