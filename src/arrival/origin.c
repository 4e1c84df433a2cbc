#include "arrival/origin.h"

#include "event/xaps_event.h"

#include <stdio.h>
#include <string.h>

#define BEGINNING "dovecot\t"

bool origin_write(const struct origin *origin, const char *json, size_t size, struct buf *ret)
{
	if (origin->source == EVENT_OF_DOVECOT) {
		char line[ORIGIN_LINE_MAX + 1];
		const struct dovecot_sender *sender = &origin->dovecot;
		int n = snprintf(line, sizeof(line), BEGINNING "%s\t%s\n",
			sender->speaker ? sender->speaker : "", sender->topic ? sender->topic : "");
		if (n > ORIGIN_LINE_MAX)
			return false;
		buf_append(ret, line, (size_t)n);
	}
	buf_append(ret, json, size);
	return true;
}

void origin_read(const char *raw, size_t raw_size, char memory[ORIGIN_LINE_MAX], struct origin *ret,
	const char **ret_json, size_t *ret_size)
{
	const size_t head = strlen(BEGINNING);
	bool is_xaps = xaps_event_is(raw, raw_size);
	*ret = (struct origin){.source = is_xaps ? EVENT_OF_XAPS : EVENT_OF_CYRUS};
	*ret_json = raw;
	*ret_size = raw_size;
	size_t limit = raw_size < ORIGIN_LINE_MAX ? raw_size : ORIGIN_LINE_MAX;
	const char *end = memchr(raw, '\n', limit);
	if (limit < head || memcmp(raw, BEGINNING, head) != 0 || !end)
		return;
	size_t size = (size_t)(end - raw) - head;
	memcpy(memory, raw + head, size);
	memory[size] = '\0';
	char *topic = strchr(memory, '\t');
	if (!topic)
		return;
	*topic++ = '\0';
	ret->source = EVENT_OF_DOVECOT;
	ret->dovecot.speaker = *memory ? memory : NULL;
	ret->dovecot.topic = topic;
	*ret_json = end + 1;
	*ret_size = raw_size - (size_t)(end + 1 - raw);
}
