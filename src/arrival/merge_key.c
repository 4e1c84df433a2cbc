#include "arrival/merge_key.h"

#include <string.h>

size_t merge_key_write(char *to, enum relay_action action, const struct mail_event *event)
{
	char *at = to;
	*at++ = (char)action;
	*at++ = (char)event->source;
	for (unsigned i = 0; i < event->readings; i++) {
		*at++ = event_is_believed(event, event->at, event->readings, i) ? '+' : '-';
		at = stpcpy(at, event->at[i].owner) + 1;
		at = stpcpy(at, event->at[i].folder) + 1;
	}
	return (size_t)(at - to);
}

size_t merge_key_room(const struct mail_event *event)
{
	size_t room = 2;
	for (unsigned i = 0; i < event->readings; i++)
		room += strlen(event->at[i].owner) + strlen(event->at[i].folder) + 3;
	return room;
}
